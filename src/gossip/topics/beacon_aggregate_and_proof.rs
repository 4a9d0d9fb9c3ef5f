//! `beacon_aggregate_and_proof`: the votes of a committee, from those drawn to collect them.
//!
//! Left to a state: the committee's number and members, the three signatures, the block voted for and its ancestors.
//! That the votes are as many as the committee has members is a rule of its own there, so the lottery is decided here by
//! their count.
//!
//! [spec v1.6.0, beacon_aggregate_and_proof](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#beacon_aggregate_and_proof)

use ssz_types::BitVector;
use ssz_types::typenum::U64;

use super::beacon_attestation::{check_data_index, check_same_slot, check_target, check_time};
use super::global;
use crate::gossip::checks::{CheckContext, Judgement, Passed, reject_unless};
use crate::gossip::seen::{Claims, Key, Subject, Votes};
use crate::gossip::selection::is_aggregator;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::{RejectReason, Verdict};
use crate::switch::TopicScore;
use crate::types::containers::sizes::MessageType;
use crate::types::containers::{BlsSignature, Container, electra, gloas, phase0};
use crate::types::{ForkName, TopicKind};

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::BeaconAggregateAndProof,
    since: ForkName::Phase0,
    until: None,
    subnets: global,
    message: |_| MessageType::SignedAggregateAndProof,
    check,
    corroborable: true,
    // 64 committees of 522, of whom one in 522 / 16 = 32 is drawn to collect: 16.3 of each
    score: TopicScore { weight: 0.5, per_slot: 1040.0 },
};

/// An aggregate of any fork.
struct Aggregate {
    aggregator_index: u64,
    selection_proof: BlsSignature,
    data: phase0::AttestationData,
    /// From Electra on; before, the data names the committee.
    committee_bits: Option<BitVector<U64>>,
    /// How many votes there could be.
    members: usize,
    votes: Box<[u8]>,
}

/// Takes an aggregate of a fork apart.
macro_rules! aggregate {
    ($message:expr, $committee_bits:expr) => {{
        let message = $message;
        Aggregate {
            aggregator_index: message.aggregator_index,
            selection_proof: message.selection_proof,
            data: message.aggregate.data,
            committee_bits: $committee_bits(&message.aggregate),
            members: message.aggregate.aggregation_bits.len(),
            votes: message.aggregate.aggregation_bits.as_slice().into(),
        }
    }};
}

fn decode(context: &CheckContext<'_>, ssz: &[u8]) -> Result<Aggregate, Verdict> {
    Ok(match context.fork() {
        ForkName::Phase0 | ForkName::Altair | ForkName::Bellatrix | ForkName::Capella | ForkName::Deneb => {
            let signed: phase0::SignedAggregateAndProof = context.decode(ssz)?;
            aggregate!(signed.message, |_: &phase0::Attestation| None)
        }
        ForkName::Electra | ForkName::Fulu => {
            let signed: electra::SignedAggregateAndProof = context.decode(ssz)?;
            aggregate!(signed.message, |aggregate: &electra::Attestation| Some(aggregate.committee_bits.clone()))
        }
        ForkName::Gloas | ForkName::Heze => {
            let signed: gloas::SignedAggregateAndProof = context.decode(ssz)?;
            aggregate!(signed.message, |aggregate: &gloas::Attestation| Some(aggregate.committee_bits.clone()))
        }
    })
}

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let aggregate = decode(context, ssz)?;
    let data = aggregate.data;
    context.belongs(data.slot)?;
    check_data_index(context.fork(), &data)?;
    let committee = committee(aggregate.committee_bits.as_ref())?;
    check_time(context, data.slot)?;
    check_target(&data)?;
    reject_unless(aggregate.votes.iter().any(|byte| *byte != 0), RejectReason::NoBits)?;
    let (epoch, validator) = (data.target.epoch, aggregate.aggregator_index);
    let votes = Votes {
        subject: Subject::Attestation { epoch, data_root: data.root(), committee },
        count: aggregate.members,
        bits: aggregate.votes,
    };
    let key = Key::Aggregator { epoch, validator };
    context.no_superset(&votes)?;
    context.unseen(key)?;
    reject_unless(is_aggregator(&aggregate.selection_proof, aggregate.members), RejectReason::NotSelected)?;
    check_same_slot(context, &data)?;
    let claims = Claims { votes: Some(votes), ..key.into() };
    Ok(Passed::new(Some(data.slot), claims))
}

/// The one committee that the bits name; 0 before Electra, where the data names it.
fn committee(bits: Option<&BitVector<U64>>) -> Result<u64, Verdict> {
    let Some(bits) = bits else { return Ok(0) };
    reject_unless(bits.num_set_bits() == 1, RejectReason::NotOneCommittee)?;
    Ok(bits.highest_set_bit().and_then(|bit| u64::try_from(bit).ok()).unwrap_or_default())
}
