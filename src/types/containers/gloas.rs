//! Containers of Gloas: the payload apart from the block, progressive trees.
//!
//! consensus-specs `a08d8a6e2`, `specs/gloas`: work in progress there. Lists have no limit of their own any more: the
//! size of a message bounds them, and gossip counts ([`BlockBody::list_over_limit`]).
#![expect(
    missing_docs,
    reason = "the fields are the specification's, by name and meaning; what is not plain is said there"
)]

use ssz_derive::{Decode, Encode};
use ssz_types::BitVector;
use ssz_types::typenum::{U64, U512};
use tree_hash_derive::TreeHash;

use super::progressive::progressive_container;
use super::{
    BlockBody, BlsPubkey, BlsSignature, Branch, ByteList, Bytes32, Cell, Container, ExecutionAddress, ExecutionBid,
    Hash32, KzgCommitment, KzgProof, LogsBloom, ProgressiveBitlist, ProgressiveByteList, ProgressiveList,
    ProgressiveTransactions, Signed, Uint256,
};
use crate::types::{Root, Slot};

pub use super::fulu::{
    AttestationData, BeaconBlockHeader, BlsToExecutionChange, Checkpoint, ConsolidationRequest, ContributionAndProof,
    DataColumnsByRootIdentifier, Deposit, DepositData, DepositRequest, Eth1Data, ProposerSlashing,
    SignedBeaconBlockHeader, SignedBlsToExecutionChange, SignedContributionAndProof, SignedVoluntaryExit,
    SingleAttestation, SyncAggregate, SyncCommittee, SyncCommitteeContribution, SyncCommitteeMessage, VoluntaryExit,
    Withdrawal, WithdrawalRequest,
};

/// A block of Gloas. SSZ, from 924 bytes to what a message may have.
pub type SignedBeaconBlock = Signed<BeaconBlock>;
/// What a block's signature is over.
pub type BeaconBlock = super::BeaconBlock<BeaconBlockBody>;
/// What a block of Gloas holds. SSZ, from 740 bytes.
pub type BeaconBlockBody = BodyWithBid<ExecutionPayloadBid>;
/// SSZ, from 445 bytes; gossip takes up to 16829.
pub type SignedAggregateAndProof = Signed<AggregateAndProof>;
/// SSZ, from 345 bytes.
pub type AggregateAndProof = super::AggregateAndProof<Attestation>;
/// SSZ, from 464 bytes; gossip takes up to 2097616.
pub type AttesterSlashing = super::AttesterSlashing<IndexedAttestation>;
/// SSZ, 324 + 48 bytes per blob; gossip takes up to 196932.
pub type SignedExecutionPayloadBid = Signed<ExecutionPayloadBid>;
/// SSZ, from 740 bytes to what a message may have.
pub type SignedExecutionPayloadEnvelope = Signed<ExecutionPayloadEnvelope>;
/// SSZ, 172 bytes.
pub type SignedProposerPreferences = Signed<ProposerPreferences>;
/// SSZ, 25472 bytes.
pub type LightClientBootstrap = super::LightClientBootstrap<LightClientHeader, 11>;
/// SSZ, 26424 bytes.
pub type LightClientUpdate = super::LightClientUpdate<LightClientHeader, 11, 9>;
/// SSZ, 1448 bytes.
pub type LightClientFinalityUpdate = super::LightClientFinalityUpdate<LightClientHeader, 9>;
/// SSZ, 664 bytes.
pub type LightClientOptimisticUpdate = super::LightClientOptimisticUpdate<LightClientHeader>;

progressive_container! {
    /// Votes of some committees of a slot. SSZ, from 237 bytes.
    pub struct Attestation {
        /// One bit per member, committee after committee.
        pub aggregation_bits: ProgressiveBitlist,
        pub data: AttestationData,
        pub signature: BlsSignature,
        /// Whose members these are.
        pub committee_bits: BitVector<U64>,
    }
}

progressive_container! {
    /// An attestation with the voters by index. SSZ, from 228 bytes.
    pub struct IndexedAttestation {
        /// In ascending order, if valid.
        pub attesting_indices: ProgressiveList<u64>,
        pub data: AttestationData,
        pub signature: BlsSignature,
    }
}

progressive_container! {
    /// A block of the execution layer. SSZ, from 540 bytes.
    pub struct ExecutionPayload {
        pub parent_hash: Hash32,
        pub fee_recipient: ExecutionAddress,
        pub state_root: Bytes32,
        pub receipts_root: Bytes32,
        pub logs_bloom: LogsBloom,
        pub prev_randao: Bytes32,
        pub block_number: u64,
        pub gas_limit: u64,
        pub gas_used: u64,
        /// Seconds since 1970.
        pub timestamp: u64,
        pub extra_data: ByteList<32>,
        pub base_fee_per_gas: Uint256,
        pub block_hash: Hash32,
        pub transactions: ProgressiveTransactions,
        pub withdrawals: ProgressiveList<Withdrawal>,
        pub blob_gas_used: u64,
        pub excess_blob_gas: u64,
        /// EIP-7928, as the execution layer encodes it.
        pub block_access_list: ProgressiveByteList,
        pub slot_number: u64,
    }
}

/// A deposit for a builder. SSZ, 184 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct BuilderDepositRequest {
    pub pubkey: BlsPubkey,
    pub withdrawal_credentials: Bytes32,
    /// In Gwei.
    pub amount: u64,
    pub signature: BlsSignature,
}

/// A builder's wish to leave. SSZ, 68 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct BuilderExitRequest {
    pub source_address: ExecutionAddress,
    pub pubkey: BlsPubkey,
}

progressive_container! {
    /// What the execution layer asks of the consensus layer. SSZ, from 20 bytes.
    pub struct ExecutionRequests {
        pub deposits: ProgressiveList<DepositRequest>,
        pub withdrawals: ProgressiveList<WithdrawalRequest>,
        pub consolidations: ProgressiveList<ConsolidationRequest>,
        pub builder_deposits: ProgressiveList<BuilderDepositRequest>,
        pub builder_exits: ProgressiveList<BuilderExitRequest>,
    }
}

impl ExecutionRequests {
    /// The first list that is longer than gossip allows, by its name; deposits have no limit.
    ///
    /// consensus-specs `a08d8a6e2`, `specs/gloas/p2p-interface.md`: 16 withdrawals, 2 consolidations, 64 builder
    /// deposits, 16 builder exits.
    #[must_use]
    pub fn list_over_limit(&self) -> Option<&'static str> {
        first_over_limit(&[
            ("withdrawals", self.withdrawals.len(), 16),
            ("consolidations", self.consolidations.len(), 2),
            ("builder_deposits", self.builder_deposits.len(), 64),
            ("builder_exits", self.builder_exits.len(), 16),
        ])
    }
}

progressive_container! {
    /// What a builder promises and pays. SSZ, 224 + 48 bytes per blob.
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
    }
}

progressive_container! {
    /// The payload that a builder reveals. SSZ, from 640 bytes.
    pub struct ExecutionPayloadEnvelope {
        pub payload: ExecutionPayload,
        pub execution_requests: ExecutionRequests,
        pub builder_index: u64,
        pub beacon_block_root: Root,
        pub parent_beacon_block_root: Root,
    }
}

/// What a member of the payload timeliness committee saw. SSZ, 42 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct PayloadAttestationData {
    pub beacon_block_root: Root,
    pub slot: Slot,
    pub payload_present: bool,
    pub blob_data_available: bool,
}

progressive_container! {
    /// Votes of the payload timeliness committee. SSZ, 202 bytes.
    pub struct PayloadAttestation {
        /// One bit per member.
        pub aggregation_bits: BitVector<U512>,
        pub data: PayloadAttestationData,
        pub signature: BlsSignature,
    }
}

/// One vote of the payload timeliness committee. SSZ, 146 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct PayloadAttestationMessage {
    pub validator_index: u64,
    pub data: PayloadAttestationData,
    pub signature: BlsSignature,
}

/// What a proposer wants of builders. SSZ, 76 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct ProposerPreferences {
    pub dependent_root: Root,
    pub proposal_slot: Slot,
    pub validator_index: u64,
    pub fee_recipient: ExecutionAddress,
    pub target_gas_limit: u64,
}

progressive_container! {
    /// What a block holds, with the bid of its fork. SSZ, from 740 bytes.
    pub struct BodyWithBid<B: Container> {
        pub randao_reveal: BlsSignature,
        pub eth1_data: Eth1Data,
        pub graffiti: Bytes32,
        pub proposer_slashings: ProgressiveList<ProposerSlashing>,
        pub attester_slashings: ProgressiveList<AttesterSlashing>,
        pub attestations: ProgressiveList<Attestation>,
        pub deposits: ProgressiveList<Deposit>,
        pub voluntary_exits: ProgressiveList<SignedVoluntaryExit>,
        pub sync_aggregate: SyncAggregate,
        pub bls_to_execution_changes: ProgressiveList<SignedBlsToExecutionChange>,
        pub signed_execution_payload_bid: Signed<B>,
        pub payload_attestations: ProgressiveList<PayloadAttestation>,
        /// Those of the parent's payload.
        pub parent_execution_requests: ExecutionRequests,
    }
}

impl<B: Container + ExecutionBid> BlockBody for BodyWithBid<B> {
    fn randao_reveal(&self) -> &BlsSignature {
        &self.randao_reveal
    }

    fn graffiti(&self) -> Bytes32 {
        self.graffiti
    }

    fn execution_block_hash(&self) -> Option<Hash32> {
        Some(self.signed_execution_payload_bid.message.block_hash())
    }

    fn blob_kzg_commitments(&self) -> &[KzgCommitment] {
        self.signed_execution_payload_bid.message.blob_kzg_commitments()
    }

    fn bid(&self) -> Option<&dyn ExecutionBid> {
        Some(&self.signed_execution_payload_bid.message)
    }

    /// consensus-specs `a08d8a6e2`, `specs/gloas/p2p-interface.md`, `beacon_block`: the limits of Electra, no deposits,
    /// and 4 payload attestations.
    fn list_over_limit(&self) -> Option<&'static str> {
        first_over_limit(&[
            ("proposer_slashings", self.proposer_slashings.len(), 16),
            ("attester_slashings", self.attester_slashings.len(), 1),
            ("attestations", self.attestations.len(), 8),
            ("deposits", self.deposits.len(), 0),
            ("voluntary_exits", self.voluntary_exits.len(), 16),
            ("bls_to_execution_changes", self.bls_to_execution_changes.len(), 16),
            ("payload_attestations", self.payload_attestations.len(), 4),
        ])
        .or_else(|| self.parent_execution_requests.list_over_limit())
    }
}

/// One column of a block's extended blobs. SSZ, 56 + 2096 bytes per blob; gossip takes up to 8585272.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct DataColumnSidecar {
    pub index: u64,
    pub column: ProgressiveList<Cell>,
    pub kzg_proofs: ProgressiveList<KzgProof>,
    pub slot: Slot,
    pub beacon_block_root: Root,
}

/// Some cells of a column. SSZ, from 13 bytes; gossip takes up to 8585741.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct PartialDataColumnSidecar {
    /// One bit per blob of the block.
    pub cells_present_bitmap: ProgressiveBitlist,
    pub partial_column: ProgressiveList<Cell>,
    pub kzg_proofs: ProgressiveList<KzgProof>,
}

/// What a peer has of a column and wants of it. SSZ, from 10 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct PartialDataColumnPartsMetadata {
    pub available: ProgressiveBitlist,
    pub requests: ProgressiveBitlist,
}

/// Names the block whose cells are exchanged. SSZ, 40 bytes, behind a version byte on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct PartialDataColumnGroupID {
    pub beacon_block_root: Root,
    pub slot: Slot,
}

/// What a light client knows of a block. SSZ, 496 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct LightClientHeader {
    pub beacon: BeaconBlockHeader,
    /// The hash of the payload of the block's parent.
    pub execution_block_hash: Hash32,
    /// Proves the hash under `beacon.body_root`, at generalized index 2856.
    pub execution_branch: Branch<11>,
}

/// Views a bid's fields, which Gloas and Heze name alike.
macro_rules! execution_bid {
    ($bid:ty) => {
        impl ExecutionBid for $bid {
            fn slot(&self) -> Slot {
                self.slot
            }

            fn builder_index(&self) -> u64 {
                self.builder_index
            }

            fn parent_block_root(&self) -> Root {
                self.parent_block_root
            }

            fn parent_block_hash(&self) -> Hash32 {
                self.parent_block_hash
            }

            fn block_hash(&self) -> Hash32 {
                self.block_hash
            }

            fn value(&self) -> u64 {
                self.value
            }

            fn execution_payment(&self) -> u64 {
                self.execution_payment
            }

            fn blob_kzg_commitments(&self) -> &[KzgCommitment] {
                &self.blob_kzg_commitments
            }

            fn execution_requests_root(&self) -> Root {
                self.execution_requests_root
            }
        }
    };
}

pub(super) use execution_bid;

execution_bid!(ExecutionPayloadBid);

/// The name of the first list with more items than its limit.
fn first_over_limit(lists: &[(&'static str, usize, usize)]) -> Option<&'static str> {
    lists.iter().find(|(_, count, limit)| count > limit).map(|(name, _, _)| *name)
}
