//! `proposer_slashing`: proof that a proposer signed two blocks of one slot.
//!
//! Left to a state: the proposer and its standing, both signatures.
//!
//! [spec v1.6.0, proposer_slashing](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#proposer_slashing)

use super::global;
use crate::gossip::checks::{CheckContext, Judgement, Passed, reject_unless};
use crate::gossip::seen::Key;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::RejectReason;
use crate::switch::TopicScore;
use crate::types::containers::phase0::ProposerSlashing;
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkName, TopicKind};

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::ProposerSlashing,
    since: ForkName::Phase0,
    until: None,
    subnets: global,
    message: |_| MessageType::ProposerSlashing,
    check,
    corroborable: false,
    // a guess: one in three epochs; Lighthouse expects one in five
    score: TopicScore { weight: 0.05, per_slot: 0.01 },
};

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let slashing: ProposerSlashing = context.decode(ssz)?;
    let (first, second) = (slashing.signed_header_1.message, slashing.signed_header_2.message);
    let key = Key::ProposerSlashing { proposer: first.proposer_index };
    context.has_begun()?;
    context.unseen(key)?;
    reject_unless(first.slot == second.slot, RejectReason::SlotsDiffer)?;
    reject_unless(first.proposer_index == second.proposer_index, RejectReason::ProposersDiffer)?;
    reject_unless(first != second, RejectReason::HeadersEqual)?;
    Ok(Passed::new(None, key.into()))
}
