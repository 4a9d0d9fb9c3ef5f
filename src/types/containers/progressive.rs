//! Progressive trees (EIP-7916, EIP-7495), which Gloas hashes by: the bytes are those of the plain types.
//!
//! A progressive tree puts the first chunk under its left child, and under the right one a subtree of the next 4, then
//! of the next 16, and so on: the position of a chunk never depends on how many follow.

use std::ops::Deref;

use ssz_derive::{Decode, Encode};
use ssz_types::BitList;
use ssz_types::typenum::U4294967296;
use tree_hash::{BYTES_PER_CHUNK, Hash256, TreeHash, merkle_root, mix_in_length};

use super::list::Shape;
use crate::types::bytes::never_packed;
use crate::types::{Root, merkle};

/// No limit, and the tree that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progressive {}

impl Shape for Progressive {
    const MAX_ITEMS: usize = usize::MAX;

    fn merkleize(chunks: &[u8], _max_chunks: usize) -> Hash256 {
        merkleize_progressive(chunks)
    }
}

/// The specification's `ProgressiveBitlist`: reads as a bit list, hashes progressively.
///
/// SSZ, any size: who receives one bounds the message. The limit of the inner type is out of reach of any message.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[ssz(struct_behaviour = "transparent")]
pub struct ProgressiveBitlist(pub BitList<U4294967296>);

impl Deref for ProgressiveBitlist {
    type Target = BitList<U4294967296>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl TreeHash for ProgressiveBitlist {
    never_packed!(List);

    fn tree_hash_root(&self) -> Hash256 {
        // an empty bit list is held as one zero byte, which is no chunk
        let bits: &[u8] = if self.0.is_empty() { &[] } else { self.0.as_slice() };
        mix_in_length(&merkleize_progressive(bits), self.0.len())
    }
}

/// The root of packed chunks; the last one may be short. Depth and work grow with the chunks that are there.
pub(super) fn merkleize_progressive(mut chunks: &[u8]) -> Hash256 {
    let mut subtrees = Vec::new();
    let mut leaves = 1_usize;
    while !chunks.is_empty() {
        let (these, rest) = chunks.split_at(chunks.len().min(leaves.saturating_mul(BYTES_PER_CHUNK)));
        subtrees.push(merkle_root(these, leaves));
        chunks = rest;
        leaves = leaves.saturating_mul(4);
    }
    subtrees.into_iter().rfold(Hash256::ZERO, |rest, subtree| hash_pair(subtree, rest))
}

/// The root of a progressive container, all of whose fields are active.
///
/// `progressive_container!` is its only caller; no type of the wire has 256 fields.
pub(super) fn container_root(fields: &[Hash256]) -> Hash256 {
    let active = (0..fields.len()).fold([0_u8; BYTES_PER_CHUNK], |mut bits, field| {
        bits[field / 8] |= 1 << (field % 8);
        bits
    });
    let roots: Vec<u8> = fields.iter().flat_map(|root| root.0).collect();
    hash_pair(merkleize_progressive(&roots), active.into())
}

/// The parent of two nodes, in the types of the hashing crate.
fn hash_pair(left: Hash256, right: Hash256) -> Hash256 {
    merkle::hash_pair(&Root(left.0), &Root(right.0)).0.into()
}

/// Defines a `ProgressiveContainer` with all fields active: SSZ as of any container, the root of its own.
macro_rules! progressive_container {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(<$generic:ident: $bound:path>)? {
            $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, ssz_derive::Encode, ssz_derive::Decode)]
        pub struct $name $(<$generic: $bound>)? {
            $($(#[$field_meta])* pub $field: $type,)+
        }

        impl $(<$generic: $bound>)? tree_hash::TreeHash for $name $(<$generic>)? {
            $crate::types::bytes::never_packed!(Container);

            fn tree_hash_root(&self) -> tree_hash::Hash256 {
                $crate::types::containers::progressive::container_root(&[
                    $(tree_hash::TreeHash::tree_hash_root(&self.$field)),+
                ])
            }
        }
    };
}

pub(super) use progressive_container;
