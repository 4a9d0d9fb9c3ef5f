//! Folds events into metrics: what each event adds to which family.
//!
//! Owned by [`Events`](crate::events::Events) as an observer, fed in the task that emits. It keeps no state beside
//! the families: the ready peers are right as long as every `peer.disconnected` repeats the client, direction and
//! transport of its `handshake.completed`.

use prometheus_client::registry::Registry;

use super::groups::{
    BootstrapMetrics, ConnectionMetrics, DialMetrics, DiscoveryMetrics, EnrMetrics, EventMetrics, ForkMetrics,
    GossipMetrics, HandshakeMetrics, PeerMetrics, PeerTotal, RpcMetrics,
};
use crate::events::{NodeEvent, Observer};
use crate::types::{Direction, GoodbyeReason};

/// Turns every event into counts, levels and durations.
#[derive(Debug)]
pub struct Recorder {
    events: EventMetrics,
    enr: EnrMetrics,
    discovery: DiscoveryMetrics,
    dial: DialMetrics,
    connection: ConnectionMetrics,
    handshake: HandshakeMetrics,
    peer: PeerMetrics,
    rpc: RpcMetrics,
    gossip: GossipMetrics,
    fork: ForkMetrics,
    bootstrap: BootstrapMetrics,
}

impl Recorder {
    /// Registers every family that is fed by events.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let peer = PeerMetrics::register(registry);
        registry.register_collector(Box::new(PeerTotal(peer.ready.clone())));
        Self {
            events: EventMetrics::register(registry),
            enr: EnrMetrics::register(registry),
            discovery: DiscoveryMetrics::register(registry),
            dial: DialMetrics::register(registry),
            connection: ConnectionMetrics::register(registry),
            handshake: HandshakeMetrics::register(registry),
            peer,
            rpc: RpcMetrics::register(registry),
            gossip: GossipMetrics::register(registry),
            fork: ForkMetrics::register(registry),
            bootstrap: BootstrapMetrics::register(registry),
        }
    }

    fn on_goodbye_sent(&self, code: Option<u64>) {
        if let Some(code) = code {
            self.peer.goodbyes_sent.inc([GoodbyeReason(code).as_str()]);
        }
    }

    fn on_goodbye_received(&self, code: Option<u64>) {
        if let Some(code) = code {
            self.peer.goodbyes_received.inc([GoodbyeReason(code).as_str()]);
        }
    }
}

impl Observer for Recorder {
    /// A table, one arm per event; the compiler asks for an arm when an event is added.
    fn observe(&self, event: &NodeEvent) {
        self.events.emitted.inc([event.name()]);
        match event {
            // counted by name above, and what is rejected by `gossip.judged`; their other fields are for reading
            NodeEvent::NodeStarted { .. }
            | NodeEvent::NodeWarned { .. }
            | NodeEvent::MetricsOpened { .. }
            | NodeEvent::NodeWaitingForGenesis { .. }
            | NodeEvent::NodeStopping { .. }
            | NodeEvent::NodeStopped { .. }
            | NodeEvent::ListenOpened { .. }
            | NodeEvent::ListenExpired { .. }
            | NodeEvent::ListenClosed { .. }
            | NodeEvent::DiscoveryAddressChanged { .. }
            | NodeEvent::NatMapped { .. }
            | NodeEvent::NatFailed { .. }
            | NodeEvent::NetworkHostResolved { .. }
            | NodeEvent::NetworkHostUnresolved { .. }
            | NodeEvent::NetworkReachability { .. }
            | NodeEvent::PeerUnbanned { .. }
            | NodeEvent::GossipTopicsChanged { .. }
            | NodeEvent::GossipRejected { .. }
            | NodeEvent::RpcReportDropped { .. } => {}
            // its peer counts are summed from `peer_ready`
            NodeEvent::NodeHeartbeat { dialing, queued, table_size, .. } => {
                self.dial.in_flight.set(*dialing, []);
                self.dial.queued.set(*queued, []);
                self.discovery.table_records.set(*table_size, []);
            }
            NodeEvent::EnrUpdated { reason, .. } => self.enr.updated.inc([reason]),
            // its refusals are counted with their reasons, record by record, below
            NodeEvent::DiscoveryLookupFinished { duration_ms, found, accepted, table_size, .. } => {
                self.discovery.lookup_duration.observe(seconds(*duration_ms), []);
                self.discovery.found.inc_by(*found as u64, []);
                self.discovery.accepted.inc_by(*accepted as u64, []);
                self.discovery.table_records.set(*table_size, []);
            }
            NodeEvent::DiscoveryRefused { reason, .. } => self.discovery.refused.inc([reason]),
            NodeEvent::DiscoveryReseeded { table_size, .. } => self.discovery.table_records.set(*table_size, []),
            NodeEvent::DiscoveryGarbage { datagrams } => self.discovery.garbage_datagrams.inc_by(*datagrams, []),
            NodeEvent::DialStarted { .. } => self.dial.started.inc([]),
            NodeEvent::DialFailed { reason, fault, .. } => self.dial.failed.inc([reason, fault.as_str()]),
            NodeEvent::PeerConnected { direction, transport, muxer, duration_ms, .. } => {
                self.connection.opened.inc([direction.as_str(), transport.as_str(), muxer.as_str()]);
                if *direction == Direction::Outbound {
                    self.dial.duration.observe(seconds(*duration_ms), [transport.as_str()]);
                }
            }
            NodeEvent::HandshakeCompleted {
                client,
                direction,
                transport,
                status_ms,
                metadata_ms,
                ping_ms,
                duration_ms,
                ..
            } => {
                let peer = [client.as_str(), direction.as_str(), transport.as_str()];
                self.handshake.completed.inc(peer);
                self.handshake.duration.observe(duration_ms / 1000.0, [direction.as_str()]);
                for (step, ms) in [("status", status_ms), ("metadata", metadata_ms), ("ping", ping_ms)] {
                    self.handshake.step_duration.observe(ms / 1000.0, [step]);
                }
                self.peer.ready.inc(peer);
            }
            NodeEvent::HandshakeRejected { step, reason, fault, goodbye_code, .. } => {
                self.handshake.rejected.inc([step, reason, fault.as_str()]);
                match *reason {
                    "goodbye_received" => self.on_goodbye_received(*goodbye_code),
                    _ => self.on_goodbye_sent(*goodbye_code),
                }
            }
            NodeEvent::PeerDisconnected { client, direction, transport, reason, goodbye_code, session_ms, .. } => {
                self.peer.ready.dec([client.as_str(), direction.as_str(), transport.as_str()]);
                self.peer.disconnected.inc([reason, direction.as_str()]);
                self.peer.session_duration.observe(seconds(*session_ms), [client.as_str()]);
                match *reason {
                    "goodbye_received" => self.on_goodbye_received(*goodbye_code),
                    _ => self.on_goodbye_sent(*goodbye_code),
                }
            }
            NodeEvent::PeerPenalized { deed, standing, .. } => self.peer.penalized.inc([deed, standing]),
            NodeEvent::PeerBanned { peer_id, .. } => {
                self.peer.bans.inc([if peer_id.is_some() { "peer" } else { "network" }]);
            }
            NodeEvent::PeersSummarized {
                connecting,
                connected,
                banned,
                remembered,
                sessions,
                attempts,
                heard,
                bare,
                thin,
                ..
            } => {
                let others = [("connecting", connecting), ("connected", connected), ("banned", banned)];
                for (state, count) in others.into_iter().chain([("remembered", remembered)]) {
                    self.peer.others.set(*count, [state]);
                }
                for (state, count) in [("session", sessions), ("attempt", attempts), ("heard", heard)] {
                    self.connection.held.set(*count, [state]);
                }
                for (degree, count) in [("bare", bare), ("thin", thin)] {
                    self.peer.need.set(usize::try_from(*count).unwrap_or(usize::MAX), [degree]);
                }
            }
            NodeEvent::NetworkSuspect { state, cause, .. } => self.peer.suspicions.inc([cause, state]),
            NodeEvent::PeerReplaced {
                client,
                direction,
                transport,
                former_client,
                former_direction,
                former_transport,
                ..
            } => {
                self.peer.ready.dec([former_client.as_str(), former_direction.as_str(), former_transport.as_str()]);
                self.peer.ready.inc([client.as_str(), direction.as_str(), transport.as_str()]);
            }
            NodeEvent::ConnectionFailed { reason, fault, .. } => self.connection.failed.inc([reason, fault.as_str()]),
            NodeEvent::RpcRejected { method, reason, fault, .. } => {
                self.rpc.rejected.inc([method, reason, fault.as_str()]);
            }
            NodeEvent::RpcServed { method, duration_ms, .. } => {
                self.rpc.served_duration.observe(duration_ms / 1000.0, [method]);
            }
            NodeEvent::RpcRequestFinished { method, result, duration_ms, .. } => {
                self.rpc.requests.inc([method, result]);
                self.rpc.request_duration.observe(duration_ms / 1000.0, [method]);
            }
            NodeEvent::GossipReceived { topic_kind, slot_offset_ms, .. } => {
                if let Some(offset_ms) = slot_offset_ms {
                    self.gossip.arrival.observe((*offset_ms).max(0) as f64 / 1000.0, [topic_kind.as_str()]);
                }
            }
            NodeEvent::GossipJudged { topic_kind, verdict, reason, messages } => {
                self.gossip.verdict.inc_by(*messages, [topic_kind.as_str(), verdict, reason]);
            }
            NodeEvent::GossipTopicSummarized {
                topic_kind,
                topics,
                mesh_peers,
                unique,
                duplicates,
                received_bytes,
                corroborated,
                ..
            } => {
                let kind = [topic_kind.as_str()];
                self.gossip.topics.set(*topics, kind);
                self.gossip.mesh_peers.set(*mesh_peers, kind);
                self.gossip.unique.inc_by(*unique, kind);
                self.gossip.duplicate.inc_by(*duplicates, kind);
                self.gossip.received_bytes.inc_by(*received_bytes, kind);
                self.gossip.corroborated.inc_by(*corroborated, kind);
            }
            // its totals are summed from the topics' own summaries
            NodeEvent::GossipSlotSummarized {
                router_peers,
                overflowed,
                lost_verdicts,
                late_verdicts,
                waiting,
                events_dropped,
                bad_control,
                not_joined,
                ..
            } => {
                self.gossip.router_peers.set(*router_peers, []);
                self.gossip.overflowed.inc_by(*overflowed, []);
                self.gossip.lost_verdicts.inc_by(*lost_verdicts, []);
                self.gossip.late_verdicts.inc_by(*late_verdicts, []);
                self.gossip.waiting.set(*waiting, []);
                self.gossip.router_events_dropped.inc_by(*events_dropped, []);
                self.gossip.bad_control.inc_by(*bad_control, []);
                self.gossip.not_joined.inc_by(*not_joined, []);
            }
            NodeEvent::GossipPublished { topic_kind, result, .. } => {
                self.gossip.published.inc([topic_kind.as_str(), result]);
            }
            NodeEvent::ForkActivated { fork, .. } => self.fork.activated.inc([fork.as_str()]),
            NodeEvent::BootstrapCompleted { .. } => self.bootstrap.completed.set(1, []),
            NodeEvent::BootstrapFailed { .. } => self.bootstrap.failed.inc([]),
        }
    }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
