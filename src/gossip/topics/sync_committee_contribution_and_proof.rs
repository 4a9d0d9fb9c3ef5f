//! `sync_committee_contribution_and_proof`: the votes of a sync subcommittee, from those drawn to collect them.
//!
//! Left to a state: the aggregator and its subcommittee, the three signatures.
//!
//! [spec v1.6.0, sync_committee_contribution_and_proof](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#sync_committee_contribution_and_proof)

use super::global;
use crate::gossip::checks::{CheckContext, Judgement, Passed, reject_unless};
use crate::gossip::seen::{Claims, Key, Subject, Votes};
use crate::gossip::selection::is_sync_committee_aggregator;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::RejectReason;
use crate::switch::TopicScore;
use crate::types::containers::altair::SignedContributionAndProof;
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkName, SYNC_COMMITTEE_SUBNETS, TopicKind};

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::SyncCommitteeContributionAndProof,
    since: ForkName::Altair,
    until: None,
    subnets: global,
    message: |_| MessageType::SignedContributionAndProof,
    check,
    corroborable: true,
    // TARGET_AGGREGATORS_PER_SYNC_SUBCOMMITTEE, 16, of each of four subcommittees
    score: TopicScore { weight: 0.2, per_slot: 64.0 },
};

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let signed: SignedContributionAndProof = context.decode(ssz)?;
    let message = signed.message;
    let (slot, subcommittee) = (message.contribution.slot, message.contribution.subcommittee_index);
    let bits = &message.contribution.aggregation_bits;
    context.belongs(slot)?;
    context.within(slot, 0)?;
    reject_unless(subcommittee < u64::from(SYNC_COMMITTEE_SUBNETS), RejectReason::IndexOutOfRange)?;
    reject_unless(!bits.is_zero(), RejectReason::NoBits)?;
    reject_unless(is_sync_committee_aggregator(&message.selection_proof), RejectReason::NotSelected)?;
    let votes = Votes {
        subject: Subject::SyncCommittee { slot, block_root: message.contribution.beacon_block_root, subcommittee },
        count: bits.len(),
        bits: bits.as_slice().into(),
    };
    let key = Key::Contributor { slot, validator: message.aggregator_index, subcommittee };
    context.no_superset(&votes)?;
    context.unseen(key)?;
    let claims = Claims { votes: Some(votes), ..key.into() };
    Ok(Passed::new(Some(slot), claims))
}
