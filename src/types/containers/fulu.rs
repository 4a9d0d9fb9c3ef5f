//! Containers of Fulu: data columns, whole and in parts.
//!
//! [spec v1.6.0, Fulu containers](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/das-core.md#containers);
//! the partial ones after v1.7.0-alpha.13.
#![expect(
    missing_docs,
    reason = "the fields are the specification's, by name and meaning; what is not plain is said there"
)]

use ssz_derive::{Decode, Encode};
use ssz_types::BitList;
use ssz_types::typenum::U4096;
use tree_hash_derive::TreeHash;

use super::{Branch, Cell, Container, KzgProof, List};
use crate::types::Root;
use crate::types::merkle::is_valid_merkle_branch;

pub use super::electra::{
    AggregateAndProof, Attestation, AttestationData, AttesterSlashing, BeaconBlock, BeaconBlockBody, BeaconBlockHeader,
    BlobKzgCommitments, BlsToExecutionChange, Checkpoint, ConsolidationRequest, ContributionAndProof, Deposit,
    DepositData, DepositRequest, Eth1Data, ExecutionPayload, ExecutionPayloadHeader, ExecutionRequests,
    IndexedAttestation, LightClientBootstrap, LightClientFinalityUpdate, LightClientHeader,
    LightClientOptimisticUpdate, LightClientUpdate, ProposerSlashing, SignedAggregateAndProof, SignedBeaconBlock,
    SignedBeaconBlockHeader, SignedBlsToExecutionChange, SignedContributionAndProof, SignedVoluntaryExit,
    SingleAttestation, SyncAggregate, SyncCommittee, SyncCommitteeContribution, SyncCommitteeMessage, VoluntaryExit,
    Withdrawal, WithdrawalRequest,
};

/// One column of a block's extended blobs. SSZ, 356 + 2144 bytes per blob; 8782180 at most.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct DataColumnSidecar {
    pub index: u64,
    pub column: List<Cell, 4096>,
    pub kzg_commitments: BlobKzgCommitments,
    pub kzg_proofs: List<KzgProof, 4096>,
    pub signed_block_header: SignedBeaconBlockHeader,
    /// Proves the list of commitments under the header's `body_root`.
    pub kzg_commitments_inclusion_proof: Branch<4>,
}

impl DataColumnSidecar {
    /// Whether the commitments are those of the block whose header this carries; hashes them and 4 levels.
    ///
    /// [spec v1.6.0, `verify_data_column_sidecar_inclusion_proof`](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#verify_data_column_sidecar_inclusion_proof)
    #[must_use]
    pub fn has_valid_inclusion_proof(&self) -> bool {
        commitments_are_of(
            &self.kzg_commitments,
            &self.kzg_commitments_inclusion_proof,
            &self.signed_block_header.message,
        )
    }
}

/// Names columns of a block. SSZ, 36 to 1060 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct DataColumnsByRootIdentifier {
    pub block_root: Root,
    pub columns: List<u64, 128>,
}

/// What the cells of all columns of a block share. SSZ, 340 to 196948 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct PartialDataColumnHeader {
    pub kzg_commitments: BlobKzgCommitments,
    pub signed_block_header: SignedBeaconBlockHeader,
    /// Proves the list of commitments under the header's `body_root`.
    pub kzg_commitments_inclusion_proof: Branch<4>,
}

impl PartialDataColumnHeader {
    /// Whether the commitments are those of the block whose header this carries; hashes them and 4 levels.
    ///
    /// [spec v1.6.0, `verify_data_column_sidecar_inclusion_proof`](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#verify_data_column_sidecar_inclusion_proof)
    #[must_use]
    pub fn has_valid_inclusion_proof(&self) -> bool {
        commitments_are_of(
            &self.kzg_commitments,
            &self.kzg_commitments_inclusion_proof,
            &self.signed_block_header.message,
        )
    }
}

/// Some cells of a column. SSZ, 17 to 8782697 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct PartialDataColumnSidecar {
    /// One bit per blob of the block.
    pub cells_present_bitmap: BitList<U4096>,
    pub partial_column: List<Cell, 4096>,
    pub kzg_proofs: List<KzgProof, 4096>,
    /// None or one.
    pub header: List<PartialDataColumnHeader, 1>,
}

/// What a peer has of a column and wants of it. SSZ, 10 to 1034 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct PartialDataColumnPartsMetadata {
    pub available: BitList<U4096>,
    pub requests: BitList<U4096>,
}

/// Names the block whose cells are exchanged. SSZ, 32 bytes, behind a version byte on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct PartialDataColumnGroupID {
    pub beacon_block_root: Root,
}

/// Proves a list of commitments at generalized index 27, leaf 11 of the body's 16.
fn commitments_are_of(commitments: &BlobKzgCommitments, proof: &Branch<4>, header: &BeaconBlockHeader) -> bool {
    is_valid_merkle_branch(commitments.root(), &proof.0, 4, 11, header.body_root)
}
