//! The SSZ containers of every fork that travel by gossip and by request and response; mainnet preset.
//!
//! One module per fork, the specification's names inside: a type that a fork leaves alone is re-exported, so that
//! `fork::Type` is the type of that fork for every message it has. What differs only in a part is generic in this
//! module ([`Signed`], [`BeaconBlock`], [`LightClientUpdate`], …) and an alias in the forks'.
//!
//! Decoding is strict: first offset, order and range of offsets, trailing bytes, limits, delimiter and padding of bits,
//! booleans. It allocates in proportion to its input, which the caller bounds by [`sizes`]; no allocation is sized by an
//! offset or a length that the input does not back.
//!
//! Byte layouts and tree roots come from consensus-specs `a08d8a6e2` (after v1.7.0-alpha.13). Gloas and Heze are work in
//! progress there.

mod block;
mod bytes;
mod column;
mod light_client;
mod light_client_header;
mod list;
mod progressive;
mod signed;
pub mod sizes;

pub mod altair;
pub mod bellatrix;
pub mod capella;
pub mod deneb;
pub mod electra;
pub mod fulu;
pub mod gloas;
pub mod heze;
pub mod phase0;

use std::fmt::Debug;

use tree_hash::TreeHash;

pub use block::{BeaconBlock, BlockBody, ExecutionBid, SignedBlock, decode_signed_block};
pub use bytes::{
    Blob, BlsPubkey, BlsSignature, Branch, ByteList, ByteLists, ByteSequence, Bytes32, Cell, ExecutionAddress, Hash32,
    KzgCommitment, KzgProof, LogsBloom, ProgressiveByteList, ProgressiveTransactions, Transactions, Uint256,
};
pub use column::Column;
pub use light_client::{
    ExecutionHeader, LightClientBootstrap, LightClientFinalityUpdate, LightClientOptimisticUpdate, LightClientUpdate,
};
pub use light_client_header::light_client_header;
pub use list::{Limit, List, ProgressiveList, Sequence, Shape};
pub use progressive::{Progressive, ProgressiveBitlist};
pub use signed::{AggregateAndProof, AttesterSlashing, Signed};

use super::Root;

/// What every container can do; implemented for everything that can.
pub trait Container: ssz::Encode + ssz::Decode + TreeHash + Clone + Debug + PartialEq + Send + Sync + 'static {
    /// The hash tree root.
    fn root(&self) -> Root {
        self.tree_hash_root().into()
    }
}

impl<T> Container for T where T: ssz::Encode + ssz::Decode + TreeHash + Clone + Debug + PartialEq + Send + Sync + 'static
{}

#[cfg(test)]
mod tests;
