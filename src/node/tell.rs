//! Facts in the words of the event catalogue: pure conversions, used by `Eth2Node` alone.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Ready, Refused, client_of};
use crate::events::NodeEvent;
use crate::fault::{Classify, Fault};
use crate::peers::{BanTarget, BootstrapFailure, BootstrapReport, Cause, Census, PeerRecord, Peers, Verdict};
use crate::rpc::methods;
use crate::switch::{ConnectionId, DialFailure, RawConnection};
use crate::time::{fine_milliseconds, milliseconds};
use crate::types::{Direction, GoodbyeReason, Multiaddr, PeerId, Slot};

/// The table's record of a connection whose handshakes passed; `None` without a Status.
pub(super) fn peer_record(
    raw: &RawConnection,
    state: &Ready,
    known: bool,
    now: Instant,
) -> Option<PeerRecord<ConnectionId>> {
    let identity = state.transcript.identity.as_ref();
    Some(PeerRecord {
        peer_id: raw.peer_id,
        connection: raw.connection_id,
        direction: raw.direction,
        transport: raw.transport,
        muxer: raw.muxer,
        client: client_of(identity),
        agent: identity.map(|identity| identity.agent.clone()).unwrap_or_default(),
        status: state.transcript.status?,
        metadata: state.transcript.metadata.clone(),
        address: raw.address.clone(),
        node_id: None,
        known,
        connected_at: now.checked_sub(state.duration).unwrap_or(now),
        ready_at: now,
    })
}

pub(super) fn handshake_completed(
    raw: &RawConnection,
    state: &Ready,
    record: &PeerRecord<ConnectionId>,
    bootstrap: bool,
) -> NodeEvent {
    let dialled = raw.direction == Direction::Outbound;
    NodeEvent::HandshakeCompleted {
        peer_id: record.peer_id,
        client: record.client,
        agent: record.agent.clone(),
        direction: record.direction,
        transport: record.transport,
        muxer: record.muxer,
        dial_ms: if dialled { fine_milliseconds(raw.established_in) } else { 0.0 },
        status_ms: state.transcript.step_ms("status"),
        metadata_ms: state.transcript.step_ms("metadata"),
        ping_ms: state.transcript.step_ms("ping"),
        duration_ms: fine_milliseconds(state.duration),
        head_slot: record.status.head_slot,
        finalized_epoch: record.status.finalized_epoch,
        custody_group_count: record.metadata.as_ref().and_then(|metadata| metadata.custody_group_count),
        gossipsub: state.transcript.identity.as_ref().map(|identity| identity.gossipsub),
        bootstrap,
    }
}

/// Why a peer is left alone after an error.
///
/// That no protocol is shared is less certain than it looks: a stream or a socket that ends during its negotiation
/// reads as a refusal.
pub(super) fn cause(error: &impl Classify) -> Cause {
    match error.reason() {
        "no_muxer" | "negotiation" | "unsupported_protocol" => Cause::NoProtocol,
        _ => error.fault().into(),
    }
}

/// A connection that a handshake step, or our limits, refused, or that the peer left with a goodbye.
pub(super) fn handshake_rejected(refused: &Refused, received: Option<GoodbyeReason>, bootstrap: bool) -> NodeEvent {
    let Refused { step, rejection, after, raw } = refused;
    // what we found ourselves says more than what the peer calls it
    let told = received.filter(|_| rejection.goodbye.is_none());
    NodeEvent::HandshakeRejected {
        peer_id: raw.peer_id,
        step,
        reason: if told.is_some() { "goodbye_received" } else { rejection.reason },
        fault: rejection.fault,
        error: told.map_or_else(|| rejection.error.clone(), |goodbye| format!("the peer said goodbye: {goodbye}")),
        goodbye_code: received.or(rejection.goodbye).map(|goodbye| goodbye.0),
        client: client_of(raw.identity.borrow().as_ref()),
        direction: raw.direction,
        transport: raw.transport,
        duration_ms: milliseconds(*after),
        bootstrap,
    }
}

/// A ready peer whose connection was replaced by another.
pub(super) fn replaced(record: &PeerRecord<ConnectionId>, former: &PeerRecord<ConnectionId>) -> NodeEvent {
    NodeEvent::PeerReplaced {
        peer_id: record.peer_id,
        client: record.client,
        direction: record.direction,
        transport: record.transport,
        former_client: former.client,
        former_direction: former.direction,
        former_transport: former.transport,
    }
}

pub(super) fn disconnected(
    record: &PeerRecord<ConnectionId>,
    reason: &'static str,
    goodbye: Option<GoodbyeReason>,
) -> NodeEvent {
    NodeEvent::PeerDisconnected {
        peer_id: record.peer_id,
        client: record.client,
        direction: record.direction,
        transport: record.transport,
        reason,
        goodbye_code: goodbye.map(|goodbye| goodbye.0),
        session_ms: milliseconds(record.ready_at.elapsed()),
    }
}

/// Why a connection closed that nobody had ended on purpose.
pub(super) fn close_reason(cause: Option<&str>) -> &'static str {
    match cause {
        Some(cause) if cause.contains("timed out") || cause.contains("timeout") => "connection_lost",
        _ => "closed_by_peer",
    }
}

pub(super) fn bootstrap_failure(reason: &str, fault: Fault) -> BootstrapFailure {
    match (reason, fault) {
        ("timeout", _) => BootstrapFailure::Timeout,
        ("refused", _) => BootstrapFailure::Refused,
        ("wrong_peer_id", _) => BootstrapFailure::Other,
        ("unreachable" | "dns", _) => BootstrapFailure::Unreachable,
        ("wrong_fork_digest" | "finalized_conflict", _) => BootstrapFailure::WrongNetwork,
        ("no_transport" | "no_muxer" | "negotiation" | "unsupported_protocol", _) => BootstrapFailure::Incompatible,
        (_, Fault::Busy) => BootstrapFailure::Busy,
        (_, Fault::Local) => BootstrapFailure::Other,
        (_, Fault::Transient | Fault::Incompatible | Fault::Violation(_)) => BootstrapFailure::Handshake,
    }
}

pub(super) fn bootstrap_failed(report: &BootstrapReport, bootnodes: usize, peers: usize) -> NodeEvent {
    NodeEvent::BootstrapFailed {
        duration_ms: milliseconds(report.elapsed),
        bootnodes,
        timeout: report.timeout,
        refused: report.refused,
        unreachable: report.unreachable,
        wrong_network: report.wrong_network,
        incompatible: report.incompatible,
        busy: report.busy,
        handshake: report.handshake,
        no_address: report.no_address,
        other: report.other,
        peers,
    }
}

/// The failure with its addresses, unless it names them already.
pub(super) fn dial_error(failure: &DialFailure, addresses: &[Multiaddr]) -> String {
    match failure {
        DialFailure::Addresses { .. } => failure.to_string(),
        failure => format!("{}: {failure}", joined(addresses)),
    }
}

/// The method behind a protocol id that we registered.
pub(super) fn method(protocol: &str) -> &'static str {
    methods::find(protocol).map_or("unknown", |(_, protocol)| protocol.label)
}

/// Multiaddrs, comma-separated.
pub(super) fn joined(addresses: &[Multiaddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

pub(super) fn banned(target: BanTarget, lasts: Duration) -> NodeEvent {
    let (peer_id, network) = whom(target);
    NodeEvent::PeerBanned { peer_id, network, duration_ms: milliseconds(lasts) }
}

pub(super) fn unbanned(target: BanTarget) -> NodeEvent {
    let (peer_id, network) = whom(target);
    NodeEvent::PeerUnbanned { peer_id, network }
}

fn whom(target: BanTarget) -> (Option<PeerId>, Option<String>) {
    match target {
        BanTarget::Peer(peer_id) => (Some(peer_id), None),
        BanTarget::Group(group) => {
            let (ip, prefix) = group.network();
            (None, Some(format!("{ip}/{prefix}")))
        }
    }
}

pub(super) fn suspect(verdict: &Verdict, state: &'static str, peers: usize) -> NodeEvent {
    let duration_ms = milliseconds(verdict.since.elapsed());
    NodeEvent::NetworkSuspect { state, cause: verdict.cause.as_str(), duration_ms, peers }
}

/// What the node holds of connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) sessions: usize,
    pub(super) attempts: usize,
    pub(super) heard: usize,
}

/// Where peers stand, with what came to nothing since the last summary.
pub(super) fn peers_summarized(
    slot: Slot,
    census: &Census,
    table: &Peers<ConnectionId>,
    refusals: &BTreeMap<&'static str, usize>,
    held: &Held,
) -> NodeEvent {
    let (mut clients, mut transports) = (BTreeMap::new(), BTreeMap::new());
    for record in table.iter() {
        *clients.entry(record.client.as_str()).or_default() += 1;
        *transports.entry(record.transport.as_str()).or_default() += 1;
    }
    NodeEvent::PeersSummarized {
        slot,
        inbound: census.ready.inbound,
        outbound: census.ready.outbound,
        connecting: census.connecting,
        connected: census.connected,
        queued: census.queued,
        banned: census.banned,
        remembered: census.remembered,
        sessions: held.sessions,
        attempts: held.attempts,
        heard: held.heard,
        bare: census.bare.into(),
        thin: census.thin.into(),
        clients: counted(&clients),
        transports: counted(&transports),
        refusals: counted(refusals),
    }
}

/// Counts by name, such as `lighthouse=12,teku=3`.
fn counted(counts: &BTreeMap<&'static str, usize>) -> String {
    counts.iter().map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(",")
}
