//! Containers of Electra: attestations across committees, requests of the execution layer.
//!
//! [spec v1.6.0, Electra containers](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/electra/beacon-chain.md#containers)
#![expect(
    missing_docs,
    reason = "the fields are the specification's, by name and meaning; what is not plain is said there"
)]

use ssz_derive::{Decode, Encode};
use ssz_types::typenum::{U64, U131072};
use ssz_types::{BitList, BitVector};
use tree_hash_derive::TreeHash;

use super::block::block_body;
use super::{BlsPubkey, BlsSignature, Bytes32, ExecutionAddress, List, Signed};

pub use super::deneb::{
    AttestationData, BeaconBlockHeader, BlobIdentifier, BlobKzgCommitments, BlobSidecar, BlsToExecutionChange,
    Checkpoint, ContributionAndProof, Deposit, DepositData, Eth1Data, ExecutionPayload, ExecutionPayloadHeader,
    LightClientHeader, LightClientOptimisticUpdate, ProposerSlashing, SignedBeaconBlockHeader,
    SignedBlsToExecutionChange, SignedContributionAndProof, SignedVoluntaryExit, SyncAggregate, SyncCommittee,
    SyncCommitteeContribution, SyncCommitteeMessage, VoluntaryExit, Withdrawal,
};

/// A block of Electra and Fulu. SSZ, from 1120 bytes to what a message may have.
pub type SignedBeaconBlock = Signed<BeaconBlock>;
/// What a block's signature is over.
pub type BeaconBlock = super::BeaconBlock<BeaconBlockBody>;
/// SSZ, 445 to 16829 bytes.
pub type SignedAggregateAndProof = Signed<AggregateAndProof>;
/// SSZ, 345 to 16729 bytes.
pub type AggregateAndProof = super::AggregateAndProof<Attestation>;
/// SSZ, 464 to 2097616 bytes.
pub type AttesterSlashing = super::AttesterSlashing<IndexedAttestation>;
/// SSZ, 25648 to 25680 bytes.
pub type LightClientBootstrap = super::LightClientBootstrap<LightClientHeader, 6>;
/// SSZ, 26872 to 26936 bytes.
pub type LightClientUpdate = super::LightClientUpdate<LightClientHeader, 6, 7>;
/// SSZ, 2056 to 2120 bytes.
pub type LightClientFinalityUpdate = super::LightClientFinalityUpdate<LightClientHeader, 7>;

/// Votes of some committees of a slot. SSZ, 237 to 16621 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct Attestation {
    /// One bit per member, committee after committee.
    pub aggregation_bits: BitList<U131072>,
    pub data: AttestationData,
    pub signature: BlsSignature,
    /// Whose members these are.
    pub committee_bits: BitVector<U64>,
}

/// An attestation with the voters by index. SSZ, 228 to 1048804 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct IndexedAttestation {
    /// In ascending order, if valid.
    pub attesting_indices: List<u64, 131_072>,
    pub data: AttestationData,
    pub signature: BlsSignature,
}

/// One validator's vote, as it travels on the attestation subnets. SSZ, 240 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct SingleAttestation {
    pub committee_index: u64,
    pub attester_index: u64,
    pub data: AttestationData,
    pub signature: BlsSignature,
}

/// A deposit that the execution layer reports. SSZ, 192 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct DepositRequest {
    pub pubkey: BlsPubkey,
    pub withdrawal_credentials: Bytes32,
    /// In Gwei.
    pub amount: u64,
    pub signature: BlsSignature,
    pub index: u64,
}

/// A withdrawal that an account asks for. SSZ, 76 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct WithdrawalRequest {
    pub source_address: ExecutionAddress,
    pub validator_pubkey: BlsPubkey,
    /// In Gwei; 0 for an exit.
    pub amount: u64,
}

/// A merger of validators that an account asks for. SSZ, 116 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct ConsolidationRequest {
    pub source_address: ExecutionAddress,
    pub source_pubkey: BlsPubkey,
    pub target_pubkey: BlsPubkey,
}

/// What the execution layer asks of the consensus layer. SSZ, 12 to 1574324 bytes.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, TreeHash)]
pub struct ExecutionRequests {
    pub deposits: List<DepositRequest, 8192>,
    pub withdrawals: List<WithdrawalRequest, 16>,
    pub consolidations: List<ConsolidationRequest, 2>,
}

/// What a block of Electra and Fulu holds. SSZ, from 936 bytes.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, TreeHash)]
pub struct BeaconBlockBody {
    pub randao_reveal: BlsSignature,
    pub eth1_data: Eth1Data,
    pub graffiti: Bytes32,
    pub proposer_slashings: List<ProposerSlashing, 16>,
    pub attester_slashings: List<AttesterSlashing, 1>,
    pub attestations: List<Attestation, 8>,
    pub deposits: List<Deposit, 16>,
    pub voluntary_exits: List<SignedVoluntaryExit, 16>,
    pub sync_aggregate: SyncAggregate,
    pub execution_payload: ExecutionPayload,
    pub bls_to_execution_changes: List<SignedBlsToExecutionChange, 16>,
    pub blob_kzg_commitments: BlobKzgCommitments,
    pub execution_requests: ExecutionRequests,
}

block_body!(BeaconBlockBody, payload, blobs);
