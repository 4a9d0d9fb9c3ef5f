//! `attester_slashing`: proof that attesters voted twice.
//!
//! Left to a state: the validators and their standing, the signatures.
//!
//! [spec v1.6.0, attester_slashing](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#attester_slashing)

use super::global;
use crate::gossip::checks::{CheckContext, Judgement, Passed, ignore_unless, reject_unless};
use crate::gossip::seen::Claims;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::{IgnoreReason, RejectReason, Verdict};
use crate::switch::TopicScore;
use crate::types::containers::phase0::AttestationData;
use crate::types::containers::sizes::MessageType;
use crate::types::containers::{electra, gloas, phase0};
use crate::types::{ForkName, TopicKind};

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::AttesterSlashing,
    since: ForkName::Phase0,
    until: None,
    subnets: global,
    message: |_| MessageType::AttesterSlashing,
    check,
    corroborable: false,
    // a guess: one in three epochs; Lighthouse expects one in five
    score: TopicScore { weight: 0.05, per_slot: 0.01 },
};

/// One of the two attestations of any fork.
struct Attestation {
    data: AttestationData,
    indices: Vec<u64>,
}

/// Takes both attestations of a fork's slashing apart.
macro_rules! attestations {
    ($slashing:expr) => {{
        let slashing = $slashing;
        [slashing.attestation_1, slashing.attestation_2].map(|attestation| Attestation {
            data: attestation.data,
            indices: attestation.attesting_indices.into_inner(),
        })
    }};
}

fn decode(context: &CheckContext<'_>, ssz: &[u8]) -> Result<[Attestation; 2], Verdict> {
    Ok(match context.fork() {
        ForkName::Phase0 | ForkName::Altair | ForkName::Bellatrix | ForkName::Capella | ForkName::Deneb => {
            attestations!(context.decode::<phase0::AttesterSlashing>(ssz)?)
        }
        ForkName::Electra | ForkName::Fulu => attestations!(context.decode::<electra::AttesterSlashing>(ssz)?),
        ForkName::Gloas | ForkName::Heze => attestations!(context.decode::<gloas::AttesterSlashing>(ssz)?),
    })
}

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let [first, second] = decode(context, ssz)?;
    context.has_begun()?;
    let slashed = intersection(&first.indices, &second.indices);
    ignore_unless(!slashed.is_empty(), IgnoreReason::NobodySlashed)?;
    ignore_unless(!context.seen.has_slashed(&slashed), IgnoreReason::AlreadySeen)?;
    reject_unless(is_slashable(&first.data, &second.data), RejectReason::VotesNotSlashable)?;
    for attestation in [&first, &second] {
        reject_unless(is_ascending(&attestation.indices), RejectReason::BadIndices)?;
    }
    Ok(Passed::new(None, Claims { slashed, ..Claims::default() }))
}

/// What is in both, whatever their order.
fn intersection(first: &[u64], second: &[u64]) -> Vec<u64> {
    let mut second = second.to_vec();
    second.sort_unstable();
    let mut both: Vec<_> = first.iter().copied().filter(|index| second.binary_search(index).is_ok()).collect();
    both.sort_unstable();
    both.dedup();
    both
}

/// A double vote or a surround vote.
///
/// [spec v1.6.0, is_slashable_attestation_data](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/beacon-chain.md#is_slashable_attestation_data)
fn is_slashable(first: &AttestationData, second: &AttestationData) -> bool {
    let is_double = first != second && first.target.epoch == second.target.epoch;
    let surrounds = first.source.epoch < second.source.epoch && second.target.epoch < first.target.epoch;
    is_double || surrounds
}

/// Not empty, sorted, without repetition.
fn is_ascending(indices: &[u64]) -> bool {
    !indices.is_empty() && indices.is_sorted_by(|one, next| one < next)
}
