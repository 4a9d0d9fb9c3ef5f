//! Merkle branches: is this value part of the tree under that root?
//!
//! Pure functions for gossip's inclusion proofs and for the light client. The hash is SHA-256, the tree is SSZ's.

use sha2::{Digest, Sha256};

use super::Root;

/// The position of a node in a binary tree: the root is 1, the children of `g` are `2g` and `2g + 1`.
///
/// [spec v1.6.0, generalized Merkle tree index](https://github.com/ethereum/consensus-specs/blob/v1.6.0/ssz/merkle-proofs.md#generalized-merkle-tree-index)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GeneralizedIndex(u64);

impl GeneralizedIndex {
    /// Takes a generalized index; `None` for 0, which names no node.
    #[must_use]
    pub const fn new(index: u64) -> Option<Self> {
        if index == 0 { None } else { Some(Self(index)) }
    }

    /// The leaf number `index`, counted from the left, at `depth` below the root.
    ///
    /// `None` if the level has no such leaf or is deeper than 63.
    #[must_use]
    pub const fn at(depth: u32, index: u64) -> Option<Self> {
        match 1_u64.checked_shl(depth) {
            Some(first) if index < first => Some(Self(first + index)),
            _ => None,
        }
    }

    /// Levels below the root: the length of a branch, 0 to 63.
    #[must_use]
    pub const fn depth(self) -> usize {
        self.0.ilog2() as usize
    }

    /// The position among the nodes of its level, counted from the left.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.0 - (1 << self.0.ilog2())
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The parent of two nodes.
#[must_use]
pub fn hash_pair(left: &Root, right: &Root) -> Root {
    Root(Sha256::new().chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The root that `branch`, siblings from the leaf upwards, gives to `leaf` at `index` of its level.
#[must_use]
pub fn branch_root(leaf: Root, branch: &[Root], index: u64) -> Root {
    let sides = (0..).map(|level| index.checked_shr(level).unwrap_or(0) & 1 == 1);
    branch.iter().zip(sides).fold(leaf, |node, (sibling, sibling_is_left)| {
        if sibling_is_left { hash_pair(sibling, &node) } else { hash_pair(&node, sibling) }
    })
}

/// Whether `leaf` is at position `index` of the level `depth` under `root`. A branch of another length is not valid.
///
/// [spec v1.6.0, `is_valid_merkle_branch`](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/beacon-chain.md#is_valid_merkle_branch)
#[must_use]
pub fn is_valid_merkle_branch(leaf: Root, branch: &[Root], depth: usize, index: u64, root: Root) -> bool {
    branch.len() == depth && branch_root(leaf, branch, index) == root
}

/// Whether `leaf` is at `gindex` under `root` by a branch that may be longer than needed: the leading extra entries
/// must be zero and count for nothing.
///
/// [spec v1.6.0, `is_valid_normalized_merkle_branch`](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/electra/light-client/sync-protocol.md#is_valid_normalized_merkle_branch)
#[must_use]
pub fn is_valid_normalized_merkle_branch(leaf: Root, branch: &[Root], gindex: GeneralizedIndex, root: Root) -> bool {
    let Some(extra) = branch.len().checked_sub(gindex.depth()) else { return false };
    let (padding, branch) = branch.split_at(extra);
    padding.iter().all(|entry| *entry == Root::default())
        && is_valid_merkle_branch(leaf, branch, gindex.depth(), gindex.index(), root)
}

/// Lengthens or keeps a branch for `gindex` by zeros in front, as light-client data is carried over a fork.
///
/// [spec v1.6.0, `normalize_merkle_branch`](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/electra/light-client/fork.md#normalize_merkle_branch)
#[must_use]
pub fn normalize_merkle_branch(branch: &[Root], gindex: GeneralizedIndex) -> Vec<Root> {
    let extra = gindex.depth().saturating_sub(branch.len());
    std::iter::repeat_n(Root::default(), extra).chain(branch.iter().copied()).collect()
}

#[cfg(test)]
mod tests;
