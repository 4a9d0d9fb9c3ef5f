//! Blocks by head: a block and those before it, newest first.

use ssz_derive::{Decode, Encode};

use super::{BLOCK, MAX_REQUEST_BLOCKS_DENEB};
use crate::rpc::codec::SizeBounds;
use crate::rpc::method::forked;
use crate::types::Root;

/// A block and its ancestors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BlocksByHead {
    /// The newest block.
    pub beacon_root: Root,
    /// How many blocks, that one included.
    pub count: u64,
}

/// The method `beacon_blocks_by_head`, version 1, of consensus-specs `a08d8a6e2`.
#[derive(Debug)]
pub enum BeaconBlocksByHead {}

forked!(
    BeaconBlocksByHead, "beacon_blocks_by_head" / 1,
    request: BlocksByHead [SizeBounds::exactly(40)],
    response: BLOCK,
    most: |request| usize::try_from(request.count.min(MAX_REQUEST_BLOCKS_DENEB)).unwrap_or(usize::MAX)
);
