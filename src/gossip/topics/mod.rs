//! Every kind of topic: one file each, with its row and its check.
//!
//! A check decodes the message in the type of the topic's fork and runs the rules of the specification that need no
//! state, in its order: the first that fails decides. The order and the rules are those of consensus-specs `a08d8a6e2`
//! (after v1.7.0-alpha.13); what its executable rules leave to a state is passed over, and said so where it is not
//! plain. A message on the topic of another fork's digest is ignored before any of them
//! ([`CheckContext::belongs`](super::checks::CheckContext::belongs)).

mod attester_slashing;
mod beacon_aggregate_and_proof;
mod beacon_attestation;
mod beacon_block;
mod blob_sidecar;
mod bls_to_execution_change;
mod data_column_sidecar;
mod execution_payload;
mod execution_payload_bid;
mod light_client_finality_update;
mod light_client_optimistic_update;
mod payload_attestation_message;
mod proposer_preferences;
mod proposer_slashing;
mod sync_committee;
mod sync_committee_contribution_and_proof;
mod voluntary_exit;

use super::topic::Topic;
use crate::types::{ForkName, TopicKind};

/// Every row, in the order of [`TopicKind::ALL`].
pub(super) static ALL: [&Topic; TopicKind::ALL.len()] = [
    &beacon_block::TOPIC,
    &beacon_aggregate_and_proof::TOPIC,
    &beacon_attestation::TOPIC,
    &voluntary_exit::TOPIC,
    &proposer_slashing::TOPIC,
    &attester_slashing::TOPIC,
    &sync_committee_contribution_and_proof::TOPIC,
    &sync_committee::TOPIC,
    &light_client_finality_update::TOPIC,
    &light_client_optimistic_update::TOPIC,
    &bls_to_execution_change::TOPIC,
    &blob_sidecar::TOPIC,
    &data_column_sidecar::TOPIC,
    &execution_payload_bid::TOPIC,
    &execution_payload::TOPIC,
    &payload_attestation_message::TOPIC,
    &proposer_preferences::TOPIC,
];

/// A topic without subnets.
const fn global(_fork: ForkName) -> u16 {
    1
}

#[cfg(test)]
mod tests;
