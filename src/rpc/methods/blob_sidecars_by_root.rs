//! Blobs by root. Asked alone: their window is over on every network.

use super::{BLOB, MAX_REQUEST_BLOB_SIDECARS};
use crate::rpc::codec::SizeBounds;
use crate::rpc::method::{all_distinct, forked};
use crate::types::containers::deneb::BlobIdentifier;

/// The method `blob_sidecars_by_root`, version 1.
///
/// [spec v1.6.0, BlobSidecarsByRoot v1](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/p2p-interface.md#blobsidecarsbyroot-v1)
#[derive(Debug)]
pub enum BlobSidecarsByRoot {}

forked!(
    BlobSidecarsByRoot, "blob_sidecars_by_root" / 1,
    request: Vec<BlobIdentifier> [SizeBounds::between(0, MAX_REQUEST_BLOB_SIDECARS * 40)],
    response: BLOB,
    most: |request| request.len().min(MAX_REQUEST_BLOB_SIDECARS),
    distinct: |request| all_distinct(request.iter().map(|blob| (blob.block_root, blob.index)))
);
