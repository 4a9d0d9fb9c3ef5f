//! What is done for a ready peer beside the loop, its outcome returned as a value: upkeep is one request, settling two
//! connections one look whether the older one lives, a targeted lookup one question to discovery.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::connection::Handshaker;
use crate::discovery::{Candidate, Discovery, LookupTarget, Predicate};
use crate::events::{Events, NodeEvent};
use crate::fault::{Classify, Fault};
use crate::handshake::LocalView;
use crate::peers::{SETTLE_PATIENCE, Settlement, Source, UpkeepAction};
use crate::rpc::{CallError, RpcTimeouts, call, methods};
use crate::switch::{ConnectionId, StreamOpener};
use crate::time::milliseconds;
use crate::types::{Enr, MetaData, Multiaddr, PeerId, StatusMessage};

/// What a peer answered.
#[derive(Debug)]
pub(super) enum Errand {
    /// A ping.
    Pong {
        /// Who.
        peer_id: PeerId,
        /// The sequence number of its metadata.
        seq_number: u64,
        /// From the question to the answer.
        took: Duration,
    },
    /// Its Status.
    Status(PeerId, StatusMessage),
    /// Its metadata.
    Metadata(PeerId, Box<MetaData>),
    /// It answered nothing, or wrongly.
    Failed(PeerId, Fault),
    /// The record of a peer of which only an address for discovery was known.
    Record(Box<Enr>, Source),
    /// Nobody answered a thing: peers that discovery found.
    Found(Vec<Candidate>),
    /// Nothing: the connection was closed a while ago.
    HungUp(ConnectionId),
    /// It is time to close one of its two connections.
    Settled {
        /// Whose.
        peer_id: PeerId,
        /// The one to keep if it lives.
        keep: ConnectionId,
        /// Whether it lives.
        lives: bool,
    },
}

/// Waits until two connections to a peer are to be settled, and asks whether the one to keep lives, over its `opener`, if
/// that must be asked.
pub(super) async fn settle(
    handshaker: Handshaker,
    peer_id: PeerId,
    opener: Option<StreamOpener>,
    settlement: Settlement<ConnectionId>,
) -> Option<Errand> {
    let Settlement { keep, at, .. } = settlement;
    sleep_until(at).await;
    let lives = match opener {
        Some(opener) => is_answered(&handshaker, peer_id, &opener).await,
        None => true,
    };
    Some(Errand::Settled { peer_id, keep, lives })
}

/// Whether a Status request is answered in time, be it with an error.
///
/// Not a ping: peers answer two of those in 10 s, which the handshakes of the two connections have used, and may bar
/// whoever sends a third. Of Status they answer five in 15 s.
async fn is_answered(handshaker: &Handshaker, peer_id: PeerId, opener: &StreamOpener) -> bool {
    let Handshaker { local, events, .. } = handshaker;
    let (status, timeouts) = (local.status(), RpcTimeouts::default());
    let asked = call::<methods::Status>(opener, peer_id, &status, &timeouts, events);
    match timeout(SETTLE_PATIENCE, asked).await {
        Ok(answer) => answer.as_ref().map_or_else(CallError::is_refusal, |_| true),
        Err(_) => false,
    }
}

/// Asks a peer. No answer is noticed by the peer table itself; a wrong one is a fault.
pub(super) async fn run_errand(
    handshaker: Handshaker,
    peer_id: PeerId,
    opener: StreamOpener,
    action: UpkeepAction,
) -> Option<Errand> {
    let Handshaker { local, events, .. } = &handshaker;
    let timeouts = RpcTimeouts::default();
    let answer = match action {
        UpkeepAction::Ping => {
            let seq_number = local.metadata().seq_number;
            let asked = Instant::now();
            let pong = call::<methods::Ping>(&opener, peer_id, &seq_number, &timeouts, events).await;
            pong.map(|seq_number| Errand::Pong { peer_id, seq_number, took: asked.elapsed() })
        }
        UpkeepAction::Status => {
            let status = call::<methods::Status>(&opener, peer_id, &local.status(), &timeouts, events).await;
            status.map(|status| Errand::Status(peer_id, status))
        }
        UpkeepAction::Metadata => {
            let metadata = call::<methods::Metadata>(&opener, peer_id, &(), &timeouts, events).await;
            metadata.map(|metadata| Errand::Metadata(peer_id, Box::new(metadata)))
        }
        UpkeepAction::Disconnect => return None,
    };
    Some(answer.unwrap_or_else(|error| Errand::Failed(peer_id, error.fault())))
}

/// Asks for the record of a peer until there is an answer, at growing intervals.
pub(super) async fn ask_for_record(
    discovery: Arc<dyn Discovery>,
    address: Multiaddr,
    source: Source,
) -> Option<Errand> {
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(enr) = discovery.request_enr(address.clone()).await {
            return Some(Errand::Record(Box::new(enr), source));
        }
        sleep_until(Instant::now() + pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Between two questions for a record, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Looks for records that cover what is missing, and judges them.
pub(super) async fn look_for(
    discovery: Arc<dyn Discovery>,
    predicate: Predicate,
    target: LookupTarget,
    events: Events,
) -> Option<Errand> {
    let started = Instant::now();
    let records = discovery.lookup_for(&target).await.unwrap_or_default();
    let found = records.len();
    let judge = |record: &Enr| match predicate.judge(record, &target.digests) {
        Ok(candidate) => Some(candidate),
        Err(refusal) => {
            let (node_id, reason) = (hex::encode(record.node_id().raw()), refusal.as_str());
            events.emit(NodeEvent::DiscoveryRefused { node_id, reason });
            None
        }
    };
    let accepted: Vec<_> = records.iter().filter_map(judge).collect();
    let wanted = target.attnets.num_set_bits() + target.syncnets.num_set_bits() + target.columns.len();
    events.emit(NodeEvent::DiscoveryLookupFinished {
        duration_ms: milliseconds(started.elapsed()),
        found,
        accepted: accepted.len(),
        refused: found - accepted.len(),
        table_size: discovery.table_size(),
        wanted: wanted as u64,
    });
    Some(Errand::Found(accepted))
}
