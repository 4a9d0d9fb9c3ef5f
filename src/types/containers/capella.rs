//! Containers of Capella: withdrawals, credential changes, light-client headers with a payload header.
//!
//! [spec v1.6.0, Capella containers](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/capella/beacon-chain.md#containers)
#![expect(
    missing_docs,
    reason = "the fields are the specification's, by name and meaning; what is not plain is said there"
)]

use ssz_derive::{Decode, Encode};
use tree_hash_derive::TreeHash;

use super::block::block_body;
use super::{
    BlsPubkey, BlsSignature, ByteList, Bytes32, ExecutionAddress, ExecutionHeader, Hash32, List, LogsBloom, Signed,
    Transactions, Uint256,
};
use crate::types::Root;

pub use super::bellatrix::{
    AggregateAndProof, Attestation, AttestationData, AttesterSlashing, BeaconBlockHeader, Checkpoint,
    ContributionAndProof, Deposit, DepositData, Eth1Data, IndexedAttestation, ProposerSlashing,
    SignedAggregateAndProof, SignedBeaconBlockHeader, SignedContributionAndProof, SignedVoluntaryExit, SyncAggregate,
    SyncCommittee, SyncCommitteeContribution, SyncCommitteeMessage, VoluntaryExit,
};

/// A block of Capella. SSZ, from 1084 bytes to what a message may have.
pub type SignedBeaconBlock = Signed<BeaconBlock>;
/// What a block's signature is over.
pub type BeaconBlock = super::BeaconBlock<BeaconBlockBody>;
/// SSZ, 172 bytes.
pub type SignedBlsToExecutionChange = Signed<BlsToExecutionChange>;
/// SSZ, 812 to 844 bytes.
pub type LightClientHeader = ExecutionHeader<ExecutionPayloadHeader>;
/// SSZ, 25600 to 25632 bytes.
pub type LightClientBootstrap = super::LightClientBootstrap<LightClientHeader, 5>;
/// SSZ, 26776 to 26840 bytes.
pub type LightClientUpdate = super::LightClientUpdate<LightClientHeader, 5, 6>;
/// SSZ, 1992 to 2056 bytes.
pub type LightClientFinalityUpdate = super::LightClientFinalityUpdate<LightClientHeader, 6>;
/// SSZ, 984 to 1016 bytes.
pub type LightClientOptimisticUpdate = super::LightClientOptimisticUpdate<LightClientHeader>;

/// What leaves the consensus layer for an account. SSZ, 44 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct Withdrawal {
    pub index: u64,
    pub validator_index: u64,
    pub address: ExecutionAddress,
    /// In Gwei.
    pub amount: u64,
}

/// A validator's wish to be paid to an account. SSZ, 76 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct BlsToExecutionChange {
    pub validator_index: u64,
    pub from_bls_pubkey: BlsPubkey,
    pub to_execution_address: ExecutionAddress,
}

/// A block of the execution layer. SSZ, from 512 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
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
}

/// A payload with roots in place of its lists. SSZ, 568 to 600 bytes.
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
}

/// What a block of Capella holds. SSZ, from 900 bytes.
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
}

block_body!(BeaconBlockBody, payload);
