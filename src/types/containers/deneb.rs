//! Containers of Deneb: blobs beside the block.
//!
//! [spec v1.6.0, Deneb containers](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/beacon-chain.md#containers)
#![expect(
    missing_docs,
    reason = "the fields are the specification's, by name and meaning; what is not plain is said there"
)]

use ssz_derive::{Decode, Encode};
use tree_hash_derive::TreeHash;

use super::block::block_body;
use super::{
    Blob, BlsSignature, Branch, ByteList, Bytes32, Container, ExecutionAddress, ExecutionHeader, Hash32, KzgCommitment,
    KzgProof, List, LogsBloom, Signed, Transactions, Uint256,
};
use crate::types::Root;
use crate::types::merkle::is_valid_merkle_branch;

pub use super::capella::{
    AggregateAndProof, Attestation, AttestationData, AttesterSlashing, BeaconBlockHeader, BlsToExecutionChange,
    Checkpoint, ContributionAndProof, Deposit, DepositData, Eth1Data, IndexedAttestation, ProposerSlashing,
    SignedAggregateAndProof, SignedBeaconBlockHeader, SignedBlsToExecutionChange, SignedContributionAndProof,
    SignedVoluntaryExit, SyncAggregate, SyncCommittee, SyncCommitteeContribution, SyncCommitteeMessage, VoluntaryExit,
    Withdrawal,
};

/// A block of Deneb. SSZ, from 1104 bytes to what a message may have.
pub type SignedBeaconBlock = Signed<BeaconBlock>;
/// What a block's signature is over.
pub type BeaconBlock = super::BeaconBlock<BeaconBlockBody>;
/// SSZ, 828 to 860 bytes.
pub type LightClientHeader = ExecutionHeader<ExecutionPayloadHeader>;
/// SSZ, 25616 to 25648 bytes.
pub type LightClientBootstrap = super::LightClientBootstrap<LightClientHeader, 5>;
/// SSZ, 26808 to 26872 bytes.
pub type LightClientUpdate = super::LightClientUpdate<LightClientHeader, 5, 6>;
/// SSZ, 2024 to 2088 bytes.
pub type LightClientFinalityUpdate = super::LightClientFinalityUpdate<LightClientHeader, 6>;
/// SSZ, 1000 to 1032 bytes.
pub type LightClientOptimisticUpdate = super::LightClientOptimisticUpdate<LightClientHeader>;
/// The commitments to a block's blobs, at most 4096 by type; the fork's or the schedule's limit is lower.
pub type BlobKzgCommitments = List<KzgCommitment, 4096>;

/// A blob of a block, with what ties it to the block's header. SSZ, 131928 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct BlobSidecar {
    pub index: u64,
    pub blob: Blob,
    pub kzg_commitment: KzgCommitment,
    pub kzg_proof: KzgProof,
    pub signed_block_header: SignedBeaconBlockHeader,
    /// Proves the commitment under the header's `body_root`.
    pub kzg_commitment_inclusion_proof: Branch<17>,
}

impl BlobSidecar {
    /// Whether the commitment is number `index` of the block whose header this carries; 17 hashes.
    ///
    /// [spec v1.6.0, `verify_blob_sidecar_inclusion_proof`](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/p2p-interface.md#verify_blob_sidecar_inclusion_proof)
    #[must_use]
    pub fn has_valid_inclusion_proof(&self) -> bool {
        // the commitments are leaf 11 of the body's 16, their list the left child beside its length, 4096 wide
        const FIRST: u64 = 11 * 2 * 4096;
        let body_root = self.signed_block_header.message.body_root;
        self.index < 4096
            && is_valid_merkle_branch(
                self.kzg_commitment.root(),
                &self.kzg_commitment_inclusion_proof.0,
                17,
                FIRST + self.index,
                body_root,
            )
    }
}

/// Names a blob. SSZ, 40 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct BlobIdentifier {
    pub block_root: Root,
    pub index: u64,
}

/// A block of the execution layer, until Fulu. SSZ, from 528 bytes.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, TreeHash)]
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
    pub transactions: Transactions,
    pub withdrawals: List<Withdrawal, 16>,
    pub blob_gas_used: u64,
    pub excess_blob_gas: u64,
}

/// A payload with roots in place of its lists, until Fulu. SSZ, 584 to 616 bytes.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, TreeHash)]
pub struct ExecutionPayloadHeader {
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
    pub transactions_root: Root,
    pub withdrawals_root: Root,
    pub blob_gas_used: u64,
    pub excess_blob_gas: u64,
}

/// What a block of Deneb holds. SSZ, from 920 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct BeaconBlockBody {
    pub randao_reveal: BlsSignature,
    pub eth1_data: Eth1Data,
    pub graffiti: Bytes32,
    pub proposer_slashings: List<ProposerSlashing, 16>,
    pub attester_slashings: List<AttesterSlashing, 2>,
    pub attestations: List<Attestation, 128>,
    pub deposits: List<Deposit, 16>,
    pub voluntary_exits: List<SignedVoluntaryExit, 16>,
    pub sync_aggregate: SyncAggregate,
    pub execution_payload: ExecutionPayload,
    pub bls_to_execution_changes: List<SignedBlsToExecutionChange, 16>,
    pub blob_kzg_commitments: BlobKzgCommitments,
}

block_body!(BeaconBlockBody, payload, blobs);
