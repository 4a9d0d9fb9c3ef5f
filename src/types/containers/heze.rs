//! Containers of Heze: inclusion lists, and bids that heed them.
//!
//! consensus-specs `a08d8a6e2`, `specs/heze`: work in progress there.
#![expect(
    missing_docs,
    reason = "the fields are the specification's, by name and meaning; what is not plain is said there"
)]

use ssz_derive::{Decode, Encode};
use ssz_types::BitVector;
use ssz_types::typenum::U16;
use tree_hash_derive::TreeHash;

use super::gloas::{BodyWithBid, execution_bid};
use super::progressive::progressive_container;
use super::{
    Bytes32, ExecutionAddress, ExecutionBid, Hash32, KzgCommitment, ProgressiveList, ProgressiveTransactions, Signed,
};
use crate::types::{Root, Slot};

pub use super::gloas::{
    AggregateAndProof, Attestation, AttestationData, AttesterSlashing, BeaconBlockHeader, BlsToExecutionChange,
    BuilderDepositRequest, BuilderExitRequest, Checkpoint, ConsolidationRequest, ContributionAndProof,
    DataColumnSidecar, DataColumnsByRootIdentifier, Deposit, DepositData, DepositRequest, Eth1Data, ExecutionPayload,
    ExecutionPayloadEnvelope, ExecutionRequests, IndexedAttestation, LightClientBootstrap, LightClientFinalityUpdate,
    LightClientHeader, LightClientOptimisticUpdate, LightClientUpdate, PartialDataColumnGroupID,
    PartialDataColumnPartsMetadata, PartialDataColumnSidecar, PayloadAttestation, PayloadAttestationData,
    PayloadAttestationMessage, ProposerPreferences, ProposerSlashing, SignedAggregateAndProof, SignedBeaconBlockHeader,
    SignedBlsToExecutionChange, SignedContributionAndProof, SignedExecutionPayloadEnvelope, SignedProposerPreferences,
    SignedVoluntaryExit, SingleAttestation, SyncAggregate, SyncCommittee, SyncCommitteeContribution,
    SyncCommitteeMessage, VoluntaryExit, Withdrawal, WithdrawalRequest,
};

/// A block of Heze. SSZ, from 926 bytes to what a message may have.
pub type SignedBeaconBlock = Signed<BeaconBlock>;
/// What a block's signature is over.
pub type BeaconBlock = super::BeaconBlock<BeaconBlockBody>;
/// What a block of Heze holds. SSZ, from 742 bytes.
pub type BeaconBlockBody = BodyWithBid<ExecutionPayloadBid>;
/// SSZ, 326 + 48 bytes per blob; gossip takes up to 196934.
pub type SignedExecutionPayloadBid = Signed<ExecutionPayloadBid>;
/// SSZ, from 152 bytes; gossip takes up to 8348.
pub type SignedInclusionList = Signed<InclusionList>;

progressive_container! {
    /// What a builder promises and pays. SSZ, 226 + 48 bytes per blob.
    pub struct ExecutionPayloadBid {
        pub parent_block_hash: Hash32,
        pub parent_block_root: Root,
        pub block_hash: Hash32,
        pub prev_randao: Bytes32,
        pub fee_recipient: ExecutionAddress,
        pub gas_limit: u64,
        pub builder_index: u64,
        pub slot: Slot,
        /// In Gwei.
        pub value: u64,
        /// In Gwei, outside the protocol; gossip demands 0.
        pub execution_payment: u64,
        pub blob_kzg_commitments: ProgressiveList<KzgCommitment>,
        pub execution_requests_root: Root,
        /// Whose inclusion lists the payload heeds, one bit per member of the committee.
        pub inclusion_list_bits: BitVector<U16>,
    }
}

execution_bid!(ExecutionPayloadBid);

/// Transactions that a member of the committee wants in the next block. SSZ, from 52 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct InclusionList {
    pub slot: Slot,
    pub validator_index: u64,
    pub dependent_root: Root,
    pub transactions: ProgressiveTransactions,
}
