//! `payload_attestation_message`: whether the payload was there in time, as the timeliness committee says, from Gloas on.
//!
//! Left to a state: the block's validity, membership, the signature.
//!
//! consensus-specs `a08d8a6e2`, `specs/gloas/p2p-interface.md`, payload_attestation_message.

use super::global;
use crate::gossip::checks::{CheckContext, Judgement, Passed, ignore_unless};
use crate::gossip::seen::Key;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::IgnoreReason;
use crate::switch::TopicScore;
use crate::types::containers::gloas::PayloadAttestationMessage;
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkName, TopicKind};

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::PayloadAttestationMessage,
    since: ForkName::Gloas,
    until: None,
    subnets: global,
    message: |_| MessageType::PayloadAttestationMessage,
    check,
    corroborable: true,
    // weighs like contributions; PTC_SIZE votes in a slot
    score: TopicScore { weight: 0.2, per_slot: 512.0 },
};

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let message: PayloadAttestationMessage = context.decode(ssz)?;
    let slot = message.data.slot;
    let key = Key::PayloadVote { slot, validator: message.validator_index };
    context.belongs(slot)?;
    context.within(slot, 0)?;
    context.unseen(key)?;
    let block = context.known_block(message.data.beacon_block_root)?;
    ignore_unless(block.slot == slot, IgnoreReason::OtherSlot)?;
    Ok(Passed::new(Some(slot), key.into()))
}
