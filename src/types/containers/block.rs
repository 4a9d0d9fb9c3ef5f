//! Blocks of every fork: one shape around the forks' bodies, and one view over all of them.

use std::fmt::Debug;

use ssz::{Decode, DecodeError};
use ssz_derive::{Decode, Encode};
use tree_hash_derive::TreeHash;

use super::phase0::BeaconBlockHeader;
use super::{
    BlsSignature, Bytes32, Container, Hash32, KzgCommitment, Signed, altair, bellatrix, capella, deneb, electra, fulu,
    gloas, heze, phase0,
};
use crate::types::{ForkName, Root, Slot};

/// A block around a fork's body.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, TreeHash)]
pub struct BeaconBlock<B: Container> {
    /// When it was to be proposed.
    pub slot: Slot,
    /// Index of the validator that proposes.
    pub proposer_index: u64,
    /// Root of the block before.
    pub parent_root: Root,
    /// Root of the state after.
    pub state_root: Root,
    /// What it holds.
    pub body: B,
}

/// What the body of a fork says about the things that only some forks have.
pub trait BlockBody: Container {
    /// The proposer's contribution to the randomness.
    fn randao_reveal(&self) -> &BlsSignature;

    /// What the proposer wrote, 32 bytes.
    fn graffiti(&self) -> Bytes32;

    /// Seconds since 1970 in the payload; `None` before Bellatrix, and from Gloas on, where the payload comes apart.
    fn payload_timestamp(&self) -> Option<u64> {
        None
    }

    /// The hash of the block's payload, in Gloas as the bid promises it; `None` before Bellatrix.
    fn execution_block_hash(&self) -> Option<Hash32> {
        None
    }

    /// The commitments to the block's blobs, in Gloas those of the bid; empty before Deneb.
    fn blob_kzg_commitments(&self) -> &[KzgCommitment] {
        &[]
    }

    /// The builder's bid; `None` before Gloas.
    fn bid(&self) -> Option<&dyn ExecutionBid> {
        None
    }

    /// The first list that is longer than gossip allows, by its name in the specification.
    ///
    /// `None` before Gloas, where the types themselves set the limits.
    fn list_over_limit(&self) -> Option<&'static str> {
        None
    }
}

/// A builder's bid as Gloas and Heze have it.
pub trait ExecutionBid: Debug + Send + Sync {
    /// The slot that is bid for.
    fn slot(&self) -> Slot;
    /// Index of the builder.
    fn builder_index(&self) -> u64;
    /// Root of the beacon block that is built upon.
    fn parent_block_root(&self) -> Root;
    /// Hash of the payload that is built upon.
    fn parent_block_hash(&self) -> Hash32;
    /// Hash of the payload that is promised.
    fn block_hash(&self) -> Hash32;
    /// What the proposer is paid, in Gwei.
    fn value(&self) -> u64;
    /// What is paid outside the protocol, in Gwei; gossip demands 0.
    fn execution_payment(&self) -> u64;
    /// The commitments to the payload's blobs.
    fn blob_kzg_commitments(&self) -> &[KzgCommitment];
    /// Root of the execution requests that the payload will bring.
    fn execution_requests_root(&self) -> Root;
}

/// A signed block of any fork, behind one view.
pub trait SignedBlock: Debug + Send + Sync {
    /// When it was to be proposed.
    fn slot(&self) -> Slot;
    /// Index of the validator that proposes.
    fn proposer_index(&self) -> u64;
    /// Root of the block before.
    fn parent_root(&self) -> Root;
    /// Root of the state after.
    fn state_root(&self) -> Root;
    /// The proposer's signature.
    fn signature(&self) -> &BlsSignature;
    /// The header; hashes the body, which takes milliseconds for a full block.
    fn header(&self) -> BeaconBlockHeader;
    /// What the proposer wrote, 32 bytes.
    fn graffiti(&self) -> Bytes32;
    /// Seconds since 1970 in the payload; `None` before Bellatrix and from Gloas on.
    fn payload_timestamp(&self) -> Option<u64>;
    /// The hash of the block's payload, in Gloas as the bid promises it; `None` before Bellatrix.
    fn execution_block_hash(&self) -> Option<Hash32>;
    /// The commitments to the block's blobs, in Gloas those of the bid; empty before Deneb.
    fn blob_kzg_commitments(&self) -> &[KzgCommitment];
    /// The builder's bid; `None` before Gloas.
    fn bid(&self) -> Option<&dyn ExecutionBid>;
    /// The first list that is longer than gossip allows, by its name; `None` before Gloas.
    fn list_over_limit(&self) -> Option<&'static str>;
    /// The block as it travels.
    fn to_ssz(&self) -> Vec<u8>;

    /// How many blobs the block has; 0 before Deneb.
    fn blob_commitments(&self) -> usize {
        self.blob_kzg_commitments().len()
    }

    /// The block's root; hashes the body as [`header`](Self::header) does.
    fn block_root(&self) -> Root {
        self.header().root()
    }
}

impl<B: BlockBody> SignedBlock for Signed<BeaconBlock<B>> {
    fn slot(&self) -> Slot {
        self.message.slot
    }

    fn proposer_index(&self) -> u64 {
        self.message.proposer_index
    }

    fn parent_root(&self) -> Root {
        self.message.parent_root
    }

    fn state_root(&self) -> Root {
        self.message.state_root
    }

    fn signature(&self) -> &BlsSignature {
        &self.signature
    }

    fn header(&self) -> BeaconBlockHeader {
        let block = &self.message;
        BeaconBlockHeader {
            slot: block.slot,
            proposer_index: block.proposer_index,
            parent_root: block.parent_root,
            state_root: block.state_root,
            body_root: block.body.root(),
        }
    }

    fn graffiti(&self) -> Bytes32 {
        self.message.body.graffiti()
    }

    fn payload_timestamp(&self) -> Option<u64> {
        self.message.body.payload_timestamp()
    }

    fn execution_block_hash(&self) -> Option<Hash32> {
        self.message.body.execution_block_hash()
    }

    fn blob_kzg_commitments(&self) -> &[KzgCommitment] {
        self.message.body.blob_kzg_commitments()
    }

    fn bid(&self) -> Option<&dyn ExecutionBid> {
        self.message.body.bid()
    }

    fn list_over_limit(&self) -> Option<&'static str> {
        self.message.body.list_over_limit()
    }

    fn to_ssz(&self) -> Vec<u8> {
        ssz::Encode::as_ssz_bytes(self)
    }
}

/// Decodes a signed block of `fork`; the caller has checked its size against
/// [`sizes`](super::sizes).
///
/// # Errors
/// Bytes that are not a block of this fork.
pub fn decode_signed_block(fork: ForkName, ssz: &[u8]) -> Result<Box<dyn SignedBlock>, DecodeError> {
    fn decode<B: BlockBody>(ssz: &[u8]) -> Result<Box<dyn SignedBlock>, DecodeError> {
        Ok(Box::new(Signed::<BeaconBlock<B>>::from_ssz_bytes(ssz)?))
    }
    match fork {
        ForkName::Phase0 => decode::<phase0::BeaconBlockBody>(ssz),
        ForkName::Altair => decode::<altair::BeaconBlockBody>(ssz),
        ForkName::Bellatrix => decode::<bellatrix::BeaconBlockBody>(ssz),
        ForkName::Capella => decode::<capella::BeaconBlockBody>(ssz),
        ForkName::Deneb => decode::<deneb::BeaconBlockBody>(ssz),
        ForkName::Electra => decode::<electra::BeaconBlockBody>(ssz),
        ForkName::Fulu => decode::<fulu::BeaconBlockBody>(ssz),
        ForkName::Gloas => decode::<gloas::BeaconBlockBody>(ssz),
        ForkName::Heze => decode::<heze::BeaconBlockBody>(ssz),
    }
}

/// Implements [`BlockBody`] for a body, `payload` and `blobs` if it has them.
macro_rules! block_body {
    (@ payload) => {
        fn payload_timestamp(&self) -> Option<u64> {
            Some(self.execution_payload.timestamp)
        }

        fn execution_block_hash(&self) -> Option<$crate::types::containers::Hash32> {
            Some(self.execution_payload.block_hash)
        }
    };
    (@ blobs) => {
        fn blob_kzg_commitments(&self) -> &[$crate::types::containers::KzgCommitment] {
            &self.blob_kzg_commitments
        }
    };
    ($body:ty $(, $part:ident)*) => {
        impl $crate::types::containers::BlockBody for $body {
            fn randao_reveal(&self) -> &$crate::types::containers::BlsSignature {
                &self.randao_reveal
            }

            fn graffiti(&self) -> $crate::types::containers::Bytes32 {
                self.graffiti
            }

            $($crate::types::containers::block::block_body!(@ $part);)*
        }
    };
}

pub(super) use block_body;
