//! Containers of phase 0: blocks, attestations, slashings, exits, and what is signed.
//!
//! [spec v1.6.0, phase 0 containers](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/beacon-chain.md#containers)
#![expect(
    missing_docs,
    reason = "the fields are the specification's, by name and meaning; what is not plain is said there"
)]

use ssz_derive::{Decode, Encode};
use ssz_types::BitList;
use ssz_types::typenum::U2048;
use tree_hash_derive::TreeHash;

use super::block::block_body;
use super::{BlsPubkey, BlsSignature, Branch, Bytes32, Container, Hash32, List, Signed};
use crate::types::{Epoch, ForkVersion, Root, Slot};

/// A block of phase 0. SSZ, 404 to 157756 bytes.
pub type SignedBeaconBlock = Signed<BeaconBlock>;
/// What a block's signature is over.
pub type BeaconBlock = super::BeaconBlock<BeaconBlockBody>;
/// SSZ, 208 bytes.
pub type SignedBeaconBlockHeader = Signed<BeaconBlockHeader>;
/// SSZ, 112 bytes.
pub type SignedVoluntaryExit = Signed<VoluntaryExit>;
/// SSZ, 437 to 693 bytes.
pub type SignedAggregateAndProof = Signed<AggregateAndProof>;
/// SSZ, 337 to 593 bytes.
pub type AggregateAndProof = super::AggregateAndProof<Attestation>;
/// SSZ, 464 to 33232 bytes.
pub type AttesterSlashing = super::AttesterSlashing<IndexedAttestation>;

/// An epoch and the root of the block at its start. SSZ, 40 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode, TreeHash)]
pub struct Checkpoint {
    pub epoch: Epoch,
    pub root: Root,
}

/// What an attestation attests. SSZ, 128 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode, TreeHash)]
pub struct AttestationData {
    pub slot: Slot,
    /// The committee until Deneb; 0 in Electra and Fulu; from Gloas on whether the payload was there, 0 or 1.
    pub index: u64,
    pub beacon_block_root: Root,
    pub source: Checkpoint,
    pub target: Checkpoint,
}

/// Votes of one committee, until Deneb. SSZ, 229 to 485 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct Attestation {
    /// One bit per member of the committee.
    pub aggregation_bits: BitList<U2048>,
    pub data: AttestationData,
    pub signature: BlsSignature,
}

/// An attestation with the voters by index, until Deneb. SSZ, 228 to 16612 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct IndexedAttestation {
    /// In ascending order, if valid.
    pub attesting_indices: List<u64, 2048>,
    pub data: AttestationData,
    pub signature: BlsSignature,
}

/// A block without its body. SSZ, 112 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode, TreeHash)]
pub struct BeaconBlockHeader {
    pub slot: Slot,
    pub proposer_index: u64,
    pub parent_root: Root,
    pub state_root: Root,
    pub body_root: Root,
}

impl BeaconBlockHeader {
    /// The hash tree root, which is the root of the block as well.
    #[must_use]
    pub fn root(&self) -> Root {
        Container::root(self)
    }
}

/// Two headers that one proposer signed for one slot. SSZ, 416 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct ProposerSlashing {
    pub signed_header_1: SignedBeaconBlockHeader,
    pub signed_header_2: SignedBeaconBlockHeader,
}

/// A vote on the deposit contract. SSZ, 72 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct Eth1Data {
    pub deposit_root: Root,
    pub deposit_count: u64,
    pub block_hash: Hash32,
}

/// A validator's wish to leave. SSZ, 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct VoluntaryExit {
    /// The first epoch in which it may be included.
    pub epoch: Epoch,
    pub validator_index: u64,
}

/// What the deposit contract took. SSZ, 184 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct DepositData {
    pub pubkey: BlsPubkey,
    pub withdrawal_credentials: Bytes32,
    /// In Gwei.
    pub amount: u64,
    pub signature: BlsSignature,
}

/// A deposit with the proof that the contract took it. SSZ, 1240 bytes.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct Deposit {
    /// Depth 32, and the count that is mixed in.
    pub proof: Branch<33>,
    pub data: DepositData,
}

/// What a block of phase 0 holds. SSZ, 220 to 157572 bytes.
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
}

block_body!(BeaconBlockBody);

/// What ties a signature to a fork. SSZ, 36 bytes; never on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct ForkData {
    pub current_version: ForkVersion,
    pub genesis_validators_root: Root,
}

/// What a signature is over. SSZ, 64 bytes; never on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TreeHash)]
pub struct SigningData {
    pub object_root: Root,
    pub domain: Bytes32,
}
