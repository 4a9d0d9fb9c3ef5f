//! Containers of Bellatrix: blocks with an execution payload.
//!
//! [spec v1.6.0, Bellatrix containers](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/bellatrix/beacon-chain.md#containers)
#![expect(
    missing_docs,
    reason = "the fields are the specification's, by name and meaning; what is not plain is said there"
)]

use ssz_derive::{Decode, Encode};
use tree_hash_derive::TreeHash;

use super::block::block_body;
use super::{
    BlsSignature, ByteList, Bytes32, ExecutionAddress, Hash32, List, LogsBloom, Signed, Transactions, Uint256,
};

pub use super::altair::{
    AggregateAndProof, Attestation, AttestationData, AttesterSlashing, BeaconBlockHeader, Checkpoint,
    ContributionAndProof, Deposit, DepositData, Eth1Data, IndexedAttestation, LightClientBootstrap,
    LightClientFinalityUpdate, LightClientHeader, LightClientOptimisticUpdate, LightClientUpdate, ProposerSlashing,
    SignedAggregateAndProof, SignedBeaconBlockHeader, SignedContributionAndProof, SignedVoluntaryExit, SyncAggregate,
    SyncCommittee, SyncCommitteeContribution, SyncCommitteeMessage, VoluntaryExit,
};

/// A block of Bellatrix. SSZ, from 1076 bytes to what a message may have.
pub type SignedBeaconBlock = Signed<BeaconBlock>;
/// What a block's signature is over.
pub type BeaconBlock = super::BeaconBlock<BeaconBlockBody>;

/// A block of the execution layer. SSZ, from 508 bytes.
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
}

/// What a block of Bellatrix holds. SSZ, from 892 bytes.
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
}

block_body!(BeaconBlockBody, payload);
