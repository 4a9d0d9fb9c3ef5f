//! What peers tell us unasked: Status, Ping and Goodbye that the rpc server received.
//!
//! The server answers from [`LocalChain`] and drops a [`PeerReport`] into the node's queue; it never waits for the node.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::local::LocalChain;
use crate::handshake::LocalView;
use crate::rpc::RpcHandler;
use crate::types::{GoodbyeReason, MetaData, PeerId, StatusMessage};

/// Reports that may wait for the node; **drop and count**: the next refresh repeats what a lost one said.
///
/// 256 × about 150 bytes = 38 KiB.
pub(super) const REPORTS: usize = 256;

/// What a peer said.
#[derive(Debug)]
pub(super) enum PeerReport {
    /// Its Status.
    Status(PeerId, StatusMessage),
    /// The sequence number of its metadata.
    Ping(PeerId, u64),
    /// Why it leaves.
    Goodbye(PeerId, GoodbyeReason),
}

/// Answers for the node.
#[derive(Debug)]
pub(super) struct Responder {
    local: Arc<LocalChain>,
    reports: mpsc::Sender<PeerReport>,
}

impl Responder {
    pub(super) const fn new(local: Arc<LocalChain>, reports: mpsc::Sender<PeerReport>) -> Self {
        Self { local, reports }
    }

    fn report(&self, report: PeerReport) {
        if let Err(lost) = self.reports.try_send(report) {
            tracing::debug!(report = ?lost.into_inner(), "report dropped: the node is behind");
        }
    }
}

impl RpcHandler for Responder {
    fn status(&self) -> StatusMessage {
        self.local.status()
    }

    fn metadata(&self) -> MetaData {
        self.local.metadata()
    }

    fn on_status(&self, peer_id: PeerId, status: StatusMessage) {
        self.report(PeerReport::Status(peer_id, status));
    }

    fn on_ping(&self, peer_id: PeerId, seq_number: u64) {
        self.report(PeerReport::Ping(peer_id, seq_number));
    }

    fn on_goodbye(&self, peer_id: PeerId, reason: GoodbyeReason) {
        self.report(PeerReport::Goodbye(peer_id, reason));
    }
}
