//! Containers of Altair: sync committees and light clients.
//!
//! [spec v1.6.0, Altair containers](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/beacon-chain.md#containers)
#![expect(
    missing_docs,
    reason = "the fields are the specification's, by name and meaning; what is not plain is said there"
)]

use ssz_derive::{Decode, Encode};
use ssz_types::typenum::{U128, U512};
use ssz_types::{BitVector, FixedVector};
use tree_hash_derive::TreeHash;

use super::block::block_body;
use super::{BlsPubkey, BlsSignature, Bytes32, List, Signed};
use crate::types::{Root, Slot};

pub use super::phase0::{
    AggregateAndProof, Attestation, AttestationData, AttesterSlashing, BeaconBlockHeader, Checkpoint, Deposit,
    DepositData, Eth1Data, IndexedAttestation, ProposerSlashing, SignedAggregateAndProof, SignedBeaconBlockHeader,
    SignedVoluntaryExit, VoluntaryExit,
};

/// A block of Altair. SSZ, 564 to 157916 bytes.
pub type SignedBeaconBlock = Signed<BeaconBlock>;
/// What a block's signature is over.
pub type BeaconBlock = super::BeaconBlock<BeaconBlockBody>;
/// SSZ, 360 bytes.
pub type SignedContributionAndProof = Signed<ContributionAndProof>;
/// SSZ, 24896 bytes.
pub type LightClientBootstrap = super::LightClientBootstrap<LightClientHeader, 5>;
/// SSZ, 25368 bytes.
pub type LightClientUpdate = super::LightClientUpdate<LightClientHeader, 5, 6>;
/// SSZ, 584 bytes.
pub type LightClientFinalityUpdate = super::LightClientFinalityUpdate<LightClientHeader, 6>;
/// SSZ, 280 bytes.
pub type LightClientOptimisticUpdate = super::LightClientOptimisticUpdate<LightClientHeader>;

/// Who of the sync committee signed the block before. SSZ, 160 bytes.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, TreeHash)]
pub struct SyncAggregate {
    /// One bit per member.
    pub sync_committee_bits: BitVector<U512>,
    pub sync_committee_signature: BlsSignature,
}

/// The validators that sign every block of a period. SSZ, 24624 bytes.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, TreeHash)]
pub struct SyncCommittee {
    pub pubkeys: FixedVector<BlsPubkey, U512>,
    pub aggregate_pubkey: BlsPubkey,
}

/// One member's signature. SSZ, 144 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct SyncCommitteeMessage {
    pub slot: Slot,
    pub beacon_block_root: Root,
    pub validator_index: u64,
    pub signature: BlsSignature,
}

/// Signatures of one subcommittee. SSZ, 160 bytes.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, TreeHash)]
pub struct SyncCommitteeContribution {
    pub slot: Slot,
    pub beacon_block_root: Root,
    /// 0 to 3, if valid.
    pub subcommittee_index: u64,
    /// One bit per member of the subcommittee.
    pub aggregation_bits: BitVector<U128>,
    pub signature: BlsSignature,
}

/// A contribution with the proof that its sender was to aggregate. SSZ, 264 bytes.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, TreeHash)]
pub struct ContributionAndProof {
    pub aggregator_index: u64,
    pub contribution: SyncCommitteeContribution,
    pub selection_proof: BlsSignature,
}

/// What a block of Altair holds. SSZ, 380 to 157732 bytes.
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
}

block_body!(BeaconBlockBody);

/// What a light client knows of a block, until Bellatrix. SSZ, 112 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct LightClientHeader {
    pub beacon: BeaconBlockHeader,
}
