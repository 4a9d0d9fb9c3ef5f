//! The small SSZ containers of the handshake and of the node record.

use std::fmt;

use ssz_derive::{Decode, Encode};
use ssz_types::BitVector;
use ssz_types::typenum::{U4, U64};

use super::{Epoch, ForkDigest, ForkVersion, Root, Slot};

/// Long-lived attestation subnets, one bit each. SSZ, 8 bytes.
pub type Attnets = BitVector<U64>;

/// Sync-committee subnets, one bit each. SSZ, 1 byte.
pub type Syncnets = BitVector<U4>;

/// The value of the ENR key `eth2`. SSZ, 16 bytes.
///
/// [spec v1.6.0, eth2 field](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#eth2-field)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct EnrForkId {
    /// Digest at the wall epoch.
    pub fork_digest: ForkDigest,
    /// Version in force at `next_fork_epoch`; the current one when nothing is scheduled.
    pub next_fork_version: ForkVersion,
    /// Next boundary of either kind; [`Epoch::FAR_FUTURE`] when nothing is scheduled.
    pub next_fork_epoch: Epoch,
}

/// What a peer says of its chain, in the form of `status/2`. SSZ, 92 bytes (84 as `status/1`).
///
/// [spec v1.6.0, Status v2](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#status-v2)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusMessage {
    /// Digest at the sender's wall epoch.
    pub fork_digest: ForkDigest,
    /// Root of the finalized checkpoint; zero before finality.
    pub finalized_root: Root,
    /// Epoch of the finalized checkpoint.
    pub finalized_epoch: Epoch,
    /// Root of the head block.
    pub head_root: Root,
    /// Slot of the head block.
    pub head_slot: Slot,
    /// First slot from which blocks and sidecars can be served; absent in `status/1`.
    pub earliest_available_slot: Option<Slot>,
}

/// What a peer says of its subnets and custody, in the form of `metadata/3`.
///
/// SSZ, 25 bytes (16 as `metadata/1`, 17 as `metadata/2`).
///
/// [spec v1.6.0, MetaData](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#metadata)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaData {
    /// Counts the changes of the fields below; starts at 0 and only grows.
    pub seq_number: u64,
    /// Long-lived attestation subnets.
    pub attnets: Attnets,
    /// Sync-committee subnets; absent in `metadata/1`.
    pub syncnets: Option<Syncnets>,
    /// Custody groups held; absent in `metadata/1` and `/2`.
    pub custody_group_count: Option<u64>,
}

/// Why a peer says goodbye: any u64 on the wire, the named ones by the specification or by custom.
///
/// [spec v1.6.0, Goodbye](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#goodbye-v1)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[ssz(struct_behaviour = "transparent")]
pub struct GoodbyeReason(pub u64);

impl GoodbyeReason {
    /// 1: the sender shuts down.
    pub const CLIENT_SHUTDOWN: Self = Self(1);
    /// 2: the peer is on another network.
    pub const IRRELEVANT_NETWORK: Self = Self(2);
    /// 3: a fault or an error of the peer.
    pub const FAULT: Self = Self(3);
    /// 128, by custom: the network could not be verified.
    pub const UNABLE_TO_VERIFY_NETWORK: Self = Self(128);
    /// 129, by custom: the sender has too many peers.
    pub const TOO_MANY_PEERS: Self = Self(129);
    /// 250, by custom: the peer's score is too low.
    pub const SCORE_TOO_LOW: Self = Self(250);
    /// 251, by custom: the peer is banned.
    pub const BANNED: Self = Self(251);
    /// 252, by custom: the peer's address is banned.
    pub const IP_BANNED: Self = Self(252);

    /// A closed set of names for logs and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CLIENT_SHUTDOWN => "client_shutdown",
            Self::IRRELEVANT_NETWORK => "irrelevant_network",
            Self::FAULT => "fault",
            Self::UNABLE_TO_VERIFY_NETWORK => "unable_to_verify_network",
            Self::TOO_MANY_PEERS => "too_many_peers",
            Self::SCORE_TOO_LOW => "score_too_low",
            Self::BANNED => "banned",
            Self::IP_BANNED => "ip_banned",
            Self(0..=127) => "reserved",
            Self(_) => "other",
        }
    }
}

impl fmt::Display for GoodbyeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.as_str(), self.0)
    }
}
