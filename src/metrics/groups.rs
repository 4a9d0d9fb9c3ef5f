//! The families that are fed by events, one group per subsystem.
//!
//! These tables are an API, like the event catalogue; `tests/events.rs` renders both. Totals that a query can sum
//! up (peers by client, served requests from a histogram's count) have no family of their own.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::family::metric_group;
use super::{FamilyInfo, Levels, Series};

metric_group! {
    /// The event catalogue itself.
    pub(super) EventMetrics, "events" {
        /// Events emitted, by name.
        emitted: Counts["event"],
    }
}

metric_group! {
    /// The node's own record.
    pub(super) EnrMetrics, "enr" {
        /// Changes of our own record, by cause.
        updated: Counts["reason"],
    }
}

metric_group! {
    /// Random walks and what they find.
    pub(super) DiscoveryMetrics, "discovery" {
        /// Duration of random walks.
        lookup_duration: Seconds[],
        /// Records that random walks returned.
        found: Counts[],
        /// Records found that may be dialled.
        accepted: Counts[],
        /// Records refused as dial candidates, by reason.
        refused: Counts["reason"],
        /// Records in the routing table.
        table_records: Levels[],
        /// Datagrams that are not discv5 or do not authenticate.
        garbage_datagrams: Counts[],
    }
}

metric_group! {
    /// Attempts to connect.
    pub(super) DialMetrics, "dial" {
        /// Attempts to connect that began.
        started: Counts[],
        /// Attempts to connect that failed, by what happened and who is to blame.
        failed: Counts["reason", "fault"],
        /// From the start of an attempt to a secured and multiplexed connection.
        duration: Seconds["transport"],
        /// Attempts to connect that are under way.
        in_flight: Levels[],
        /// Candidates that wait to be dialled.
        queued: Levels[],
    }
}

metric_group! {
    /// Secured and multiplexed connections.
    pub(super) ConnectionMetrics, "connection" {
        /// Connections secured and multiplexed.
        opened: Counts["direction", "transport", "muxer"],
        /// Inbound connections that died before they were secured and multiplexed.
        failed: Counts["reason", "fault"],
        /// What is held of connections: `session` (of a ready peer), `attempt`, `heard` (what was said before the handshakes
        /// are over); once a slot.
        held: Levels["state"],
    }
}

metric_group! {
    /// Protocol handshakes.
    pub(super) HandshakeMetrics, "handshake" {
        /// Handshakes that made a peer ready.
        completed: Counts["client", "direction", "transport"],
        /// Handshakes that ended without a ready peer, by the step that ended them.
        rejected: Counts["step", "reason", "fault"],
        /// From a connection to a ready peer.
        duration: Seconds["direction"],
        /// Duration of the steps of completed handshakes.
        step_duration: Seconds["step"],
    }
}

metric_group! {
    /// Ready peers.
    pub(super) PeerMetrics, "peer" {
        /// Peers that are ready now.
        ready: Levels["client", "direction", "transport"],
        /// Ready peers that left, by reason.
        disconnected: Counts["reason", "direction"],
        /// From ready to gone.
        session_duration: LongSeconds["client"],
        /// Goodbyes that we sent, by code.
        goodbyes_sent: Counts["code"],
        /// Goodbyes that peers sent, by code.
        goodbyes_received: Counts["code"],
        /// Deeds that counted against a peer, and where they left it.
        penalized: Counts["deed", "standing"],
        /// Bans that began, of a peer or of a network.
        bans: Counts["target"],
        /// Peers that are not ready: `connecting`, `connected` (they dialled us and shake hands), `banned`, `remembered`
        /// (for what failed or for what they did); once a slot.
        others: Levels["state"],
        /// Subnets and columns that are wanted and that nobody covers (`bare`), or too few (`thin`); once a slot.
        need: Levels["degree"],
        /// Times at which we suspected ourselves rather than our peers, and no more.
        suspicions: Counts["cause", "state"],
    }
}

metric_group! {
    /// Requests and responses.
    pub(super) RpcMetrics, "rpc" {
        /// From the stream to the last byte of a response that we served; the count is the requests served.
        served_duration: Seconds["method"],
        /// Requests of peers that could not be served.
        rejected: Counts["method", "reason", "fault"],
        /// Our own requests, by how they ended.
        requests: Counts["method", "result"],
        /// From opening the stream to the last byte of a response to us, or to its failure.
        request_duration: Seconds["method"],
    }
}

metric_group! {
    /// Gossip, as far as it was judged.
    pub(super) GossipMetrics, "gossip" {
        /// Messages judged, first copies alone, by verdict and reason.
        verdict: Counts["topic", "verdict", "reason"],
        /// Messages received, first copies.
        unique: Counts["topic"],
        /// Further copies received.
        duplicate: Counts["topic"],
        /// Bytes of all copies received, compressed.
        received_bytes: Counts["topic"],
        /// Messages forwarded although not judged valid, because enough peers sent them.
        corroborated: Counts["topic"],
        /// Peers in the meshes of the topics of a kind, summed.
        mesh_peers: Levels["topic"],
        /// Topics joined, by kind.
        topics: Levels["topic"],
        /// Peers that the router knows; never more than are connected.
        router_peers: Levels[],
        /// Messages ignored because too much waited to be judged.
        overflowed: Counts[],
        /// Messages dropped without a verdict: a bug.
        lost_verdicts: Counts[],
        /// Verdicts that came when the router had forgotten the message: what was accepted was not forwarded.
        late_verdicts: Counts[],
        /// Messages that waited for a verdict when the last slot ended.
        waiting: Levels[],
        /// Events of the router that found no room: some messages were not told of, or late.
        router_events_dropped: Counts[],
        /// Control messages that named messages by anything but 20 bytes.
        bad_control: Counts[],
        /// Copies on topics that are not joined.
        not_joined: Counts[],
        /// Arrival of a message from the start of its slot, of the messages of which `gossip.received` tells.
        arrival: Seconds["topic"],
        /// Messages of our own, by what became of them.
        published: Counts["topic", "result"],
    }
}

metric_group! {
    /// The fork schedule.
    pub(super) ForkMetrics, "fork" {
        /// Boundaries of the fork schedule crossed, by the fork then in force.
        activated: Counts["fork"],
    }
}

metric_group! {
    /// The first contact with the network.
    pub(super) BootstrapMetrics, "bootstrap" {
        /// Whether a bootstrap peer has completed a handshake: 0 or 1.
        completed: Levels[],
        /// Alarms that no bootstrap peer has completed a handshake in time.
        failed: Counts[],
    }
}

/// `libp2p_peers`, the interoperable name: summed on scrape from the ready peers.
///
/// [beacon-metrics, peers](https://github.com/ethereum/beacon-metrics/blob/b1c4d3da9c3f89b1b83279c0777a627d3db8afbe/mainnet/mainnet-metrics.md#peers)
#[derive(Debug)]
pub(super) struct PeerTotal(pub(super) Series<Levels, 3>);

const PEER_TOTAL: FamilyInfo = FamilyInfo {
    name: "libp2p_peers",
    kind: MetricType::Gauge,
    unit: None,
    help: "Peers that are ready now, under the name that all clients share.",
    labels: &[],
};

impl Collector for PeerTotal {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let FamilyInfo { name, kind, help, .. } = PEER_TOTAL;
        ConstGauge::new(self.0.sum()).encode(encoder.encode_descriptor(name, help, None, kind)?)
    }
}

/// What all of them are.
pub(super) fn families() -> impl Iterator<Item = &'static FamilyInfo> {
    const TOTALS: &[FamilyInfo] = &[PEER_TOTAL];
    let groups = [
        EventMetrics::FAMILIES,
        EnrMetrics::FAMILIES,
        DiscoveryMetrics::FAMILIES,
        DialMetrics::FAMILIES,
        ConnectionMetrics::FAMILIES,
        HandshakeMetrics::FAMILIES,
        PeerMetrics::FAMILIES,
        RpcMetrics::FAMILIES,
        GossipMetrics::FAMILIES,
        ForkMetrics::FAMILIES,
        BootstrapMetrics::FAMILIES,
        TOTALS,
    ];
    groups.into_iter().flatten()
}
