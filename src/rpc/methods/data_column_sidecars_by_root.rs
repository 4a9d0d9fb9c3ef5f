//! Columns by root.

use super::{COLUMN, MAX_REQUEST_DATA_COLUMN_SIDECARS};
use crate::rpc::codec::SizeBounds;
use crate::rpc::method::{all_distinct, forked};
use crate::types::containers::List;
use crate::types::containers::fulu::DataColumnsByRootIdentifier;

/// The method `data_column_sidecars_by_root`, version 1.
///
/// [spec v1.6.0, DataColumnSidecarsByRoot v1](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#datacolumnsidecarsbyroot-v1)
#[derive(Debug)]
pub enum DataColumnSidecarsByRoot {}

forked!(
    DataColumnSidecarsByRoot, "data_column_sidecars_by_root" / 1,
    request: List<DataColumnsByRootIdentifier, 128> [SizeBounds::between(0, 128 * (4 + 36 + 128 * 8))],
    response: COLUMN,
    most: |request| {
        request.iter().map(|block| block.columns.len()).sum::<usize>().min(MAX_REQUEST_DATA_COLUMN_SIDECARS)
    },
    distinct: |request| {
        let of = |block: &DataColumnsByRootIdentifier| {
            let root = block.block_root;
            block.columns.iter().map(move |column| (root, *column)).collect::<Vec<_>>()
        };
        all_distinct(request.iter().flat_map(of))
    }
);
