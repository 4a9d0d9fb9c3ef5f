//! What peers tell us unasked: Status, Ping and Goodbye that the rpc server received.
//!
//! The server answers from [`LocalChain`] and drops a [`PeerReport`] into the node's queue; it never waits for the node.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::local::LocalChain;
use crate::events::{Events, NodeEvent};
use crate::fault::Fault;
use crate::handshake::LocalView;
use crate::rpc::{Origin, RpcHandler};
use crate::types::{GoodbyeReason, MetaData, StatusMessage};

/// Reports that may wait for the node; **drop and count**: a lost Status or Ping is asked for by the handshake, or comes
/// again with the next refresh; a lost Goodbye shows as a plain close.
///
/// 256 × about 200 bytes = 50 KiB.
pub(super) const REPORTS: usize = 256;

/// What a peer said, and over which connection.
#[derive(Debug)]
pub(super) enum PeerReport {
    /// Its Status.
    Status(Origin, StatusMessage),
    /// The sequence number of its metadata.
    Ping(Origin, u64),
    /// Why it leaves.
    Goodbye(Origin, GoodbyeReason),
    /// What was wrong with a request of its own.
    Fault(Origin, Fault),
}

/// Answers for the node.
#[derive(Debug)]
pub(super) struct Responder {
    local: Arc<LocalChain>,
    reports: mpsc::Sender<PeerReport>,
    events: Events,
}

impl Responder {
    pub(super) const fn new(local: Arc<LocalChain>, reports: mpsc::Sender<PeerReport>, events: Events) -> Self {
        Self { local, reports, events }
    }

    fn report(&self, report: PeerReport) {
        let (kind, origin) = match &report {
            PeerReport::Status(origin, _) => ("status", *origin),
            PeerReport::Ping(origin, _) => ("ping", *origin),
            PeerReport::Goodbye(origin, _) => ("goodbye", *origin),
            PeerReport::Fault(origin, _) => ("fault", *origin),
        };
        if self.reports.try_send(report).is_err() {
            self.events.emit(NodeEvent::RpcReportDropped { peer_id: origin.peer_id, kind });
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

    fn on_status(&self, origin: Origin, status: StatusMessage) {
        self.report(PeerReport::Status(origin, status));
    }

    fn on_ping(&self, origin: Origin, seq_number: u64) {
        self.report(PeerReport::Ping(origin, seq_number));
    }

    fn on_goodbye(&self, origin: Origin, reason: GoodbyeReason) {
        self.report(PeerReport::Goodbye(origin, reason));
    }

    fn on_fault(&self, origin: Origin, fault: Fault) {
        self.report(PeerReport::Fault(origin, fault));
    }
}
