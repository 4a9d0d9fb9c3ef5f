//! `execution_payload`: payloads that builders reveal, from Gloas on.
//!
//! Left to a state: the block's validity, all that compares with its bid, the signature.
//!
//! consensus-specs `a08d8a6e2`, `specs/gloas/p2p-interface.md`, execution_payload.

use super::global;
use crate::gossip::checks::{CheckContext, Judgement, Passed, ignore_unless, reject_unless};
use crate::gossip::seen::Key;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::{IgnoreReason, RejectReason};
use crate::switch::TopicScore;
use crate::types::containers::gloas::SignedExecutionPayloadEnvelope;
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkName, Slot, TopicKind};

/// [spec v1.6.0, MAX_WITHDRAWALS_PER_PAYLOAD](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/capella/beacon-chain.md#execution)
const MAX_WITHDRAWALS: usize = 16;

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::ExecutionPayload,
    since: ForkName::Gloas,
    until: None,
    subnets: global,
    message: |_| MessageType::SignedExecutionPayloadEnvelope,
    check,
    corroborable: true,
    // weighs like the block that it belongs to; one in a slot
    score: TopicScore { weight: 0.5, per_slot: 1.0 },
};

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let envelope: SignedExecutionPayloadEnvelope = context.decode(ssz)?;
    let envelope = envelope.message;
    let (slot, block_root) = (Slot(envelope.payload.slot_number), envelope.beacon_block_root);
    context.belongs(slot)?;
    let block = context.known_block(block_root)?;
    let key = Key::Payload { slot: block.slot, block_root, builder: envelope.builder_index };
    context.unseen(key)?;
    // unlike a block's, the slot may be the finalized one
    ignore_unless(context.finalized.is_none_or(|finalized| slot >= finalized), IgnoreReason::Finalized)?;
    reject_unless(slot == block.slot, RejectReason::SlotMismatch)?;
    reject_unless(envelope.execution_requests.list_over_limit().is_none(), RejectReason::TooManyRequests)?;
    reject_unless(envelope.payload.withdrawals.len() <= MAX_WITHDRAWALS, RejectReason::TooManyWithdrawals)?;
    Ok(Passed::new(Some(slot), key.into()))
}
