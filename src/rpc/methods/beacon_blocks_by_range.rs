//! Blocks by range: a stretch of the peer's chain, oldest first.

use ssz_derive::{Decode, Encode};

use super::BLOCK;
use crate::rpc::codec::SizeBounds;
use crate::rpc::method::forked;
use crate::types::Slot;

/// `MAX_REQUEST_BLOCKS`, before Deneb; from then on peers answer 128 at most.
const MOST: u64 = 1_024;

/// The slots from `start_slot` on, `count` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BlocksByRange {
    /// The first slot.
    pub start_slot: Slot,
    /// How many slots.
    pub count: u64,
    /// Must be 1.
    pub step: u64,
}

/// The method `beacon_blocks_by_range`, version 2.
///
/// [spec v1.6.0, BeaconBlocksByRange v2](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#beaconblocksbyrange-v2)
#[derive(Debug)]
pub enum BeaconBlocksByRange {}

forked!(
    BeaconBlocksByRange, "beacon_blocks_by_range" / 2,
    request: BlocksByRange [SizeBounds::exactly(24)],
    response: BLOCK,
    most: |request| usize::try_from(request.count.min(MOST)).unwrap_or(usize::MAX)
);
