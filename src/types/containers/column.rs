//! A data column of any fork, behind one view.

use ssz::{Decode, DecodeError};

use super::phase0::BeaconBlockHeader;
use super::{Cell, KzgCommitment, KzgProof, fulu, gloas};
use crate::types::{ForkName, Root, Slot};

/// A column as it was decoded.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// With its block's header and commitments: until Gloas.
    WithHeader(Box<fulu::DataColumnSidecar>),
    /// With its block's root alone.
    WithRoot(Box<gloas::DataColumnSidecar>),
}

impl Column {
    /// Decodes a column of `fork`; the caller has checked its size.
    ///
    /// # Errors
    /// Bytes that are no column of this fork, and a fork that has none.
    pub fn from_ssz(fork: ForkName, ssz: &[u8]) -> Result<Self, DecodeError> {
        match fork {
            ForkName::Phase0
            | ForkName::Altair
            | ForkName::Bellatrix
            | ForkName::Capella
            | ForkName::Deneb
            | ForkName::Electra => Err(DecodeError::BytesInvalid("no columns before Fulu".to_owned())),
            ForkName::Fulu => Ok(Self::WithHeader(Box::new(Decode::from_ssz_bytes(ssz)?))),
            ForkName::Gloas | ForkName::Heze => Ok(Self::WithRoot(Box::new(Decode::from_ssz_bytes(ssz)?))),
        }
    }

    /// Its block's slot.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        match self {
            Self::WithHeader(column) => column.signed_block_header.message.slot,
            Self::WithRoot(column) => column.slot,
        }
    }

    /// Its index, below 128 in an honest one.
    #[must_use]
    pub const fn index(&self) -> u64 {
        match self {
            Self::WithHeader(column) => column.index,
            Self::WithRoot(column) => column.index,
        }
    }

    /// Its block's root; hashes the header where it has one.
    #[must_use]
    pub fn block_root(&self) -> Root {
        match self {
            Self::WithHeader(column) => column.signed_block_header.message.root(),
            Self::WithRoot(column) => column.beacon_block_root,
        }
    }

    /// The header of its block, where it has one.
    #[must_use]
    pub const fn header(&self) -> Option<&BeaconBlockHeader> {
        match self {
            Self::WithHeader(column) => Some(&column.signed_block_header.message),
            Self::WithRoot(_) => None,
        }
    }

    /// Whether its commitments are those of its block; `None` where the block alone has them.
    #[must_use]
    pub fn has_valid_inclusion_proof(&self) -> Option<bool> {
        match self {
            Self::WithHeader(column) => Some(column.has_valid_inclusion_proof()),
            Self::WithRoot(_) => None,
        }
    }

    /// Cells and proofs, one for each blob.
    #[must_use]
    pub fn cells(&self) -> (&[Cell], &[KzgProof]) {
        match self {
            Self::WithHeader(column) => (&column.column, &column.kzg_proofs),
            Self::WithRoot(column) => (&column.column, &column.kzg_proofs),
        }
    }

    /// The commitments of the blobs, where the column brings them.
    #[must_use]
    pub fn commitments(&self) -> Option<&[KzgCommitment]> {
        match self {
            Self::WithHeader(column) => Some(&column.kzg_commitments),
            Self::WithRoot(_) => None,
        }
    }
}
