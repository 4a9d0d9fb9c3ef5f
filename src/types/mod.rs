//! Values of the consensus network: newtypes, wire containers, closed enums. No IO, no clock, no policy.
//!
//! Everyone imports these; this module imports nothing of the crate. One concept is defined once, here.

mod book_entry;
mod bytes;
mod chain;
pub mod containers;
mod gossip;
mod ip;
mod known_peer;
pub mod merkle;
mod peer;
mod wire;

pub use book_entry::{BookEntry, EnrBytes};
pub use chain::{Epoch, ForkDigest, ForkName, ForkVersion, Root, SLOTS_PER_EPOCH, Slot};
pub use gossip::{
    ATTESTATION_SUBNETS, DATA_COLUMN_SUBNETS, GossipTopic, MessageId, SYNC_COMMITTEE_SUBNETS, TopicKind, TopicName,
    UnknownTopic,
};
pub use ip::is_public;
pub use known_peer::{KnownPeer, KnownPeerError, enr_peer_id, peer_node_id};
pub use libp2p::{Multiaddr, PeerId};
pub use peer::{Client, Direction, Family, Muxer, Service, Transport};
pub use wire::{Attnets, EnrForkId, GoodbyeReason, MetaData, StatusMessage, Syncnets};

/// A node record (EIP-778) with a secp256k1 identity; the record type that discv5 uses.
pub type Enr = enr::Enr<enr::CombinedKey>;

/// A discv5 node id: keccak256 of the uncompressed public key, 32 bytes.
pub use enr::NodeId;
