//! The light client's containers, generic in the header `H` and the depths of their branches.
//!
//! `C` is the depth of the sync committees in the state, `F` that of the finalized root.

use ssz_derive::{Decode, Encode};
use tree_hash_derive::TreeHash;

use super::altair::{SyncAggregate, SyncCommittee};
use super::phase0::BeaconBlockHeader;
use super::{Branch, Container};
use crate::types::Slot;

/// A beacon header with the execution payload header `E` that its body holds: `LightClientHeader`, Capella to Fulu.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, TreeHash)]
pub struct ExecutionHeader<E: Container> {
    /// The block's header.
    pub beacon: BeaconBlockHeader,
    /// The header of the block's payload.
    pub execution: E,
    /// Proves `execution` under `beacon.body_root`, at generalized index 25.
    pub execution_branch: Branch<4>,
}

/// Where a light client starts: a header and the committee of its period.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct LightClientBootstrap<H: Container, const C: usize> {
    /// The header that was asked for.
    pub header: H,
    /// The committee that signs in the header's period.
    pub current_sync_committee: SyncCommittee,
    /// Proves the committee under the header's state root.
    pub current_sync_committee_branch: Branch<C>,
}

/// A step into the next sync committee period.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct LightClientUpdate<H: Container, const C: usize, const F: usize> {
    /// The header that the committee signed.
    pub attested_header: H,
    /// The committee of the period after the attested header's; default if the update brings none.
    pub next_sync_committee: SyncCommittee,
    /// Proves the committee under the attested state root; zero if the update brings none.
    pub next_sync_committee_branch: Branch<C>,
    /// The header that is final in the attested state; default if the update brings none.
    pub finalized_header: H,
    /// Proves the finalized header under the attested state root; zero if the update brings none.
    pub finality_branch: Branch<F>,
    /// Who signed, and the signature.
    pub sync_aggregate: SyncAggregate,
    /// The slot of the block that holds the aggregate, after the attested one.
    pub signature_slot: Slot,
}

/// The newest finalized header.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct LightClientFinalityUpdate<H: Container, const F: usize> {
    /// The header that the committee signed.
    pub attested_header: H,
    /// The header that is final in the attested state.
    pub finalized_header: H,
    /// Proves the finalized header under the attested state root.
    pub finality_branch: Branch<F>,
    /// Who signed, and the signature.
    pub sync_aggregate: SyncAggregate,
    /// The slot of the block that holds the aggregate, after the attested one.
    pub signature_slot: Slot,
}

/// The newest header that a committee signed.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct LightClientOptimisticUpdate<H: Container> {
    /// The header that the committee signed.
    pub attested_header: H,
    /// Who signed, and the signature.
    pub sync_aggregate: SyncAggregate,
    /// The slot of the block that holds the aggregate, after the attested one.
    pub signature_slot: Slot,
}
