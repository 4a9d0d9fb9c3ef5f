//! `proposer_preferences`: what proposers of the next epoch want of builders, from Gloas on.
//!
//! Belongs to the epoch of the proposal, so the topic is in use before its fork. Left to a state: that the dependent
//! block is the right one, the proposer, the signature.
//!
//! consensus-specs `a08d8a6e2`, `specs/gloas/p2p-interface.md`, proposer_preferences.

use super::global;
use crate::gossip::checks::{CheckContext, Judgement, Passed, ignore_unless, reject_unless};
use crate::gossip::seen::Key;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::{IgnoreReason, RejectReason};
use crate::switch::TopicScore;
use crate::types::containers::gloas::SignedProposerPreferences;
use crate::types::containers::sizes::MessageType;
use crate::types::{Epoch, ForkName, TopicKind};

/// Epochs ahead of its proposals in which an epoch's proposers are known.
///
/// [spec v1.6.0, MIN_SEED_LOOKAHEAD](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/beacon-chain.md#time-parameters-1)
const LOOKAHEAD_EPOCHS: u64 = 1;

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::ProposerPreferences,
    since: ForkName::Gloas,
    until: None,
    subnets: global,
    message: |_| MessageType::SignedProposerPreferences,
    check,
    corroborable: true,
    // weighs like an exit; one for each proposal
    score: TopicScore { weight: 0.05, per_slot: 1.0 },
};

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let signed: SignedProposerPreferences = context.decode(ssz)?;
    let (slot, dependent_root) = (signed.message.proposal_slot, signed.message.dependent_root);
    let lookahead = Epoch(slot.epoch().0.saturating_sub(LOOKAHEAD_EPOCHS)).start_slot();
    let key = Key::Preferences { slot, dependent_root };
    context.belongs(slot)?;
    ignore_unless(!context.windows.is_past(slot), IgnoreReason::Past)?;
    context.not_future(lookahead)?;
    context.unseen(key)?;
    let dependent = context.known_block(dependent_root)?;
    reject_unless(dependent.slot < lookahead, RejectReason::DependentTooLate)?;
    Ok(Passed::new(Some(slot), key.into()))
}
