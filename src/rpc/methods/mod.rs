//! The methods that this node speaks, one file each, and the table through which they are offered and found.
//!
//! The Switch registers [`protocol_ids`]; the server looks up what was negotiated. No method knows another.

mod beacon_blocks_by_root;
mod goodbye;
mod metadata;
mod ping;
mod status;

use libp2p::StreamProtocol;

pub use beacon_blocks_by_root::BeaconBlocksByRoot;
pub use goodbye::Goodbye;
pub use metadata::Metadata;
pub use ping::Ping;
pub use status::Status;

use super::method::{MethodEntry, Protocol};

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
