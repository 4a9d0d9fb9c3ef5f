//! Columns by range: some columns of every block in a stretch of the peer's chain.

use ssz_derive::{Decode, Encode};

use super::{COLUMN, MAX_REQUEST_DATA_COLUMN_SIDECARS};
use crate::rpc::codec::SizeBounds;
use crate::rpc::method::{all_distinct, forked};
use crate::types::Slot;
use crate::types::containers::List;

/// Columns of the blocks in `count` slots from `start_slot` on.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct ColumnsByRange {
    /// The first slot.
    pub start_slot: Slot,
    /// How many slots.
    pub count: u64,
    /// Which columns of each block.
    pub columns: List<u64, 128>,
}

/// The method `data_column_sidecars_by_range`, version 1.
///
/// [spec v1.6.0, DataColumnSidecarsByRange v1](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#datacolumnsidecarsbyrange-v1)
#[derive(Debug)]
pub enum DataColumnSidecarsByRange {}

forked!(
    DataColumnSidecarsByRange, "data_column_sidecars_by_range" / 1,
    request: ColumnsByRange [SizeBounds::between(20, 20 + 128 * 8)],
    response: COLUMN,
    most: |request| {
        let slots = usize::try_from(request.count).unwrap_or(usize::MAX);
        slots.saturating_mul(request.columns.len()).min(MAX_REQUEST_DATA_COLUMN_SIDECARS)
    },
    distinct: |request| all_distinct(&request.columns)
);
