//! Which muxer each fresh connection settled on: libp2p does not tell, so the upgrade writes it down here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use libp2p::PeerId;
use libp2p::core::ConnectedPoint;
use libp2p::core::muxing::StreamMuxerBox;

use super::upgrade::TaggedMuxer;
use crate::types::{Multiaddr, Muxer};

/// Upgraded connections that the switch has not asked about yet; newest win.
///
/// Entries of connections that are refused after their upgrade are never asked for, hence the bound:
/// 256 × about 200 bytes = 50 KiB.
const CAPACITY: usize = 256;

/// Filled by the transport, emptied by the switch. The lock is held for a short scan, never across an await.
#[derive(Clone, Debug, Default)]
pub struct MuxerLog(Arc<Mutex<VecDeque<(PeerId, Multiaddr, Muxer)>>>);

impl MuxerLog {
    /// Writes down a connection that has just been upgraded.
    pub(super) fn record(&self, peer_id: PeerId, endpoint: &ConnectedPoint, muxer: Muxer) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == CAPACITY {
            entries.pop_front();
        }
        entries.push_back((peer_id, endpoint.get_remote_address().clone(), muxer));
    }

    /// Writes down a tagged muxer and takes the tag off.
    pub(super) fn tagged(
        &self,
        (peer_id, muxer): (PeerId, TaggedMuxer),
        endpoint: &ConnectedPoint,
    ) -> (PeerId, StreamMuxerBox) {
        self.record(peer_id, endpoint, muxer.kind);
        (peer_id, muxer.inner)
    }

    /// Takes the muxer of a connection, once.
    #[must_use]
    pub fn take(&self, peer_id: PeerId, endpoint: &ConnectedPoint) -> Option<Muxer> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = endpoint.get_remote_address();
        let at = entries.iter().position(|(peer, at, _)| *peer == peer_id && at == address)?;
        entries.remove(at).map(|(_, _, muxer)| muxer)
    }
}
