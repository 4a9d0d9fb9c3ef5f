//! Slots, epochs, forks and digests: the coordinates of a beacon chain.

use std::fmt;

use serde::{Deserialize, Serialize};
use ssz_derive::{Decode, Encode};
use tree_hash::{Hash256, PackedEncoding, TreeHash, TreeHashType};

use super::bytes::bytes_newtype;

/// Slots per epoch of the mainnet preset, the only preset that this crate speaks.
///
/// [spec v1.6.0, time parameters](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/beacon-chain.md#time-parameters-1)
pub const SLOTS_PER_EPOCH: u64 = 32;

/// A slot number, counted from genesis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[ssz(struct_behaviour = "transparent")]
#[serde(transparent)]
pub struct Slot(pub u64);

impl Slot {
    /// The epoch that holds this slot.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch(self.0 / SLOTS_PER_EPOCH)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An epoch number, counted from genesis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[ssz(struct_behaviour = "transparent")]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// `FAR_FUTURE_EPOCH`, 2^64 - 1: never.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The first slot of this epoch; saturates for epochs beyond the last slot.
    #[must_use]
    pub const fn start_slot(self) -> Slot {
        Slot(self.0.saturating_mul(SLOTS_PER_EPOCH))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Hashes a newtype of u64 as the u64 that it is.
macro_rules! tree_hash_as_u64 {
    ($name:ident) => {
        impl TreeHash for $name {
            fn tree_hash_type() -> TreeHashType {
                u64::tree_hash_type()
            }

            fn tree_hash_packed_encoding(&self) -> PackedEncoding {
                self.0.tree_hash_packed_encoding()
            }

            fn tree_hash_packing_factor() -> usize {
                u64::tree_hash_packing_factor()
            }

            fn tree_hash_root(&self) -> Hash256 {
                self.0.tree_hash_root()
            }
        }
    };
}

tree_hash_as_u64!(Slot);
tree_hash_as_u64!(Epoch);

bytes_newtype! {
    /// A 32-byte SSZ hash tree root.
    Root, 32, "0x"
}
impl From<Hash256> for Root {
    fn from(hash: Hash256) -> Self {
        Self(hash.0)
    }
}

bytes_newtype! {
    /// A fork version, 4 bytes, as in the network's configuration.
    ForkVersion, 4, "0x"
}
bytes_newtype! {
    /// A fork digest, 4 bytes: what topics, Status, ENR and context bytes carry. Written without `0x`, as in topics.
    ForkDigest, 4, ""
}

/// A fork of the consensus layer, in order of activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForkName {
    /// Genesis rules.
    Phase0,
    /// Sync committees and light clients.
    Altair,
    /// The merge.
    Bellatrix,
    /// Withdrawals.
    Capella,
    /// Blobs.
    Deneb,
    /// Execution requests, wider attestations.
    Electra,
    /// Data columns and blob-parameter-only forks.
    Fulu,
    /// Enshrined proposer-builder separation; not scheduled on public networks.
    Gloas,
    /// Inclusion lists; not scheduled on public networks.
    Heze,
}

impl ForkName {
    /// Every fork, oldest first.
    pub const ALL: [Self; 9] = [
        Self::Phase0,
        Self::Altair,
        Self::Bellatrix,
        Self::Capella,
        Self::Deneb,
        Self::Electra,
        Self::Fulu,
        Self::Gloas,
        Self::Heze,
    ];

    /// Whether the ids of gossip messages leave out the topic.
    ///
    /// [spec v1.6.0, message id](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#topics-and-messages)
    #[must_use]
    pub const fn has_phase0_message_ids(self) -> bool {
        matches!(self, Self::Phase0)
    }

    /// The specification's lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phase0 => "phase0",
            Self::Altair => "altair",
            Self::Bellatrix => "bellatrix",
            Self::Capella => "capella",
            Self::Deneb => "deneb",
            Self::Electra => "electra",
            Self::Fulu => "fulu",
            Self::Gloas => "gloas",
            Self::Heze => "heze",
        }
    }
}

impl fmt::Display for ForkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
