//! Which topics a fork has, and with how many subnets.
//!
//! Asked by `subscriptions` for each digest.

use crate::types::{ForkName, TopicKind, TopicName};

/// The names that a kind of topic has in a fork; none when the fork lacks it.
pub(super) fn names_in(kind: TopicKind, fork: ForkName) -> impl Iterator<Item = TopicName> {
    TopicName::all_of(kind).take(usize::from(count_in(kind, fork)))
}

/// How many topics of a kind a fork has: its subnets, 1 for a global topic, 0 when it lacks the kind.
///
/// [spec v1.6.0, phase0](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#topics-and-messages),
/// and the same section of every later fork.
pub(super) const fn count_in(kind: TopicKind, fork: ForkName) -> u16 {
    let at = fork as u8;
    let count = match kind.subnets() {
        Some(subnets) => subnets,
        None => 1,
    };
    let (has, count) = match kind {
        TopicKind::BeaconBlock
        | TopicKind::BeaconAggregateAndProof
        | TopicKind::BeaconAttestation
        | TopicKind::VoluntaryExit
        | TopicKind::ProposerSlashing
        | TopicKind::AttesterSlashing => (true, count),
        TopicKind::SyncCommitteeContributionAndProof
        | TopicKind::SyncCommittee
        | TopicKind::LightClientFinalityUpdate
        | TopicKind::LightClientOptimisticUpdate => (at >= ForkName::Altair as u8, count),
        TopicKind::BlsToExecutionChange => (at >= ForkName::Capella as u8, count),
        TopicKind::BlobSidecar => {
            let has = at >= ForkName::Deneb as u8 && at < ForkName::Fulu as u8;
            (has, if at < ForkName::Electra as u8 { BLOB_SUBNETS_DENEB } else { count })
        }
        TopicKind::DataColumnSidecar => (at >= ForkName::Fulu as u8, count),
        TopicKind::ExecutionPayloadBid
        | TopicKind::ExecutionPayload
        | TopicKind::PayloadAttestationMessage
        | TopicKind::ProposerPreferences => (at >= ForkName::Gloas as u8, count),
    };
    if has { count } else { 0 }
}

/// [spec v1.6.0, BLOB_SIDECAR_SUBNET_COUNT](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/p2p-interface.md#configuration)
const BLOB_SUBNETS_DENEB: u16 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_come_and_go_with_their_forks() {
        let counts = |kind| ForkName::ALL.map(|fork| names_in(kind, fork).count());
        assert_eq!(counts(TopicKind::BeaconAttestation), [64; 9]);
        assert_eq!(counts(TopicKind::SyncCommittee), [0, 4, 4, 4, 4, 4, 4, 4, 4]);
        assert_eq!(counts(TopicKind::BlsToExecutionChange), [0, 0, 0, 1, 1, 1, 1, 1, 1]);
        assert_eq!(counts(TopicKind::BlobSidecar), [0, 0, 0, 0, 6, 9, 0, 0, 0]);
        assert_eq!(counts(TopicKind::DataColumnSidecar), [0, 0, 0, 0, 0, 0, 128, 128, 128]);
        assert_eq!(counts(TopicKind::ExecutionPayload), [0, 0, 0, 0, 0, 0, 0, 1, 1]);
    }
}
