//! The methods of the specification, one file each, and the table through which those that are served are offered and
//! found.
//!
//! The Switch registers [`protocol_ids`]; the server looks up what was negotiated. No method knows another.

mod beacon_blocks_by_head;
mod beacon_blocks_by_range;
mod beacon_blocks_by_root;
mod blob_sidecars_by_range;
mod blob_sidecars_by_root;
mod data_column_sidecars_by_range;
mod data_column_sidecars_by_root;
mod execution_payload_envelopes_by_range;
mod execution_payload_envelopes_by_root;
mod goodbye;
mod light_client_bootstrap;
mod light_client_finality_update;
mod light_client_optimistic_update;
mod light_client_updates_by_range;
mod metadata;
mod ping;
mod status;

use libp2p::StreamProtocol;
use ssz_derive::{Decode, Encode};

pub use beacon_blocks_by_head::{BeaconBlocksByHead, BlocksByHead};
pub use beacon_blocks_by_range::{BeaconBlocksByRange, BlocksByRange};
pub use beacon_blocks_by_root::BeaconBlocksByRoot;
pub use blob_sidecars_by_range::BlobSidecarsByRange;
pub use blob_sidecars_by_root::BlobSidecarsByRoot;
pub use data_column_sidecars_by_range::{ColumnsByRange, DataColumnSidecarsByRange};
pub use data_column_sidecars_by_root::DataColumnSidecarsByRoot;
pub use execution_payload_envelopes_by_range::ExecutionPayloadEnvelopesByRange;
pub use execution_payload_envelopes_by_root::ExecutionPayloadEnvelopesByRoot;
pub use goodbye::Goodbye;
pub use light_client_bootstrap::LightClientBootstrap;
pub use light_client_finality_update::LightClientFinalityUpdate;
pub use light_client_optimistic_update::LightClientOptimisticUpdate;
pub use light_client_updates_by_range::{LightClientUpdatesByRange, UpdatesByRange};
pub use metadata::Metadata;
pub use ping::Ping;
pub use status::Status;

use super::codec::SizeBounds;
use super::method::{MethodEntry, Protocol};
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkName, Slot};

/// `MAX_REQUEST_BLOCKS_DENEB`.
///
/// [spec v1.6.0, Deneb configuration](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/p2p-interface.md#configuration)
const MAX_REQUEST_BLOCKS_DENEB: u64 = 128;

/// `MAX_REQUEST_BLOB_SIDECARS_ELECTRA`: 128 blocks of 9 blobs.
///
/// [spec v1.6.0, Electra configuration](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/electra/p2p-interface.md#configuration)
const MAX_REQUEST_BLOB_SIDECARS: usize = 1_152;

/// `MAX_REQUEST_DATA_COLUMN_SIDECARS`: 128 blocks of 128 columns.
///
/// [spec v1.6.0, Fulu configuration](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#configuration)
const MAX_REQUEST_DATA_COLUMN_SIDECARS: usize = 16_384;

const BLOCK: SizeBounds = sizes_of(MessageType::SignedBeaconBlock);
const BLOB: SizeBounds = sizes_of(MessageType::BlobSidecar);
const COLUMN: SizeBounds = sizes_of(MessageType::DataColumnSidecar);
const ENVELOPE: SizeBounds = sizes_of(MessageType::SignedExecutionPayloadEnvelope);

/// `count` slots from `start_slot` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SlotRange {
    /// The first slot.
    pub start_slot: Slot,
    /// How many slots.
    pub count: u64,
}

/// The sizes that a type has in any fork.
const fn sizes_of(message: MessageType) -> SizeBounds {
    let (mut min, mut max) = (usize::MAX, 0);
    let mut fork = 0;
    while fork < ForkName::ALL.len() {
        if let Some(size) = message.size(ForkName::ALL[fork]) {
            min = if size.min < min { size.min } else { min };
            max = if size.max > max { size.max } else { max };
        }
        fork += 1;
    }
    SizeBounds::between(min, max)
}

/// Every method that is served.
pub const ALL: &[MethodEntry] = &[
    MethodEntry::of::<Status>(),
    MethodEntry::of::<Goodbye>(),
    MethodEntry::of::<Ping>(),
    MethodEntry::of::<Metadata>(),
    MethodEntry::of::<BeaconBlocksByRoot>(),
];

/// The protocol ids of every method that is served, newest version first within a method.
pub fn protocol_ids() -> impl Iterator<Item = StreamProtocol> {
    ALL.iter().flat_map(|method| method.protocols).map(|protocol| StreamProtocol::new(protocol.id))
}

/// Finds what a negotiated protocol id stands for.
#[must_use]
pub fn find(id: &str) -> Option<(&'static MethodEntry, &'static Protocol)> {
    ALL.iter().find_map(|method| {
        let protocol = method.protocols.iter().find(|protocol| protocol.id == id)?;
        Some((method, protocol))
    })
}

#[cfg(test)]
mod tests;
