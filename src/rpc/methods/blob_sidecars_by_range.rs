//! Blobs by range: those of a stretch of the peer's chain. Asked alone: their window is over on every network.

use super::{BLOB, MAX_REQUEST_BLOB_SIDECARS, SlotRange};
use crate::rpc::codec::SizeBounds;
use crate::rpc::method::forked;

/// The method `blob_sidecars_by_range`, version 1.
///
/// [spec v1.6.0, BlobSidecarsByRange v1](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/p2p-interface.md#blobsidecarsbyrange-v1)
#[derive(Debug)]
pub enum BlobSidecarsByRange {}

forked!(
    BlobSidecarsByRange, "blob_sidecars_by_range" / 1,
    request: SlotRange [SizeBounds::exactly(16)],
    response: BLOB,
    most: |_| MAX_REQUEST_BLOB_SIDECARS
);
