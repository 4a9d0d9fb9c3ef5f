//! What a scrape shows after a story of events, and whether Prometheus can read it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Metrics, families};
use crate::events::{CATALOGUE, Events, NodeEvent};
use crate::fault::{Fault, Severity};
use crate::types::{
    Client, Direction, Epoch, ForkDigest, ForkName, GossipTopic, MessageId, Muxer, PeerId, Root, Slot, TopicKind,
    TopicName, Transport,
};

/// Tells the story to a fresh node's metrics and scrapes them; libp2p's families are registered too.
fn scrape_after(story: Vec<NodeEvent>) -> String {
    let (mut metrics, recorder) = Metrics::new();
    libp2p::metrics::Metrics::new(metrics.registry_mut());
    let events = Events::new(vec![recorder]);
    for event in story {
        events.emit(event);
    }
    Arc::new(metrics).encode()
}

fn ready(client: Client, direction: Direction, transport: Transport) -> NodeEvent {
    NodeEvent::HandshakeCompleted {
        peer_id: PeerId::random(),
        client,
        agent: "made up for a test".to_owned(),
        direction,
        transport,
        muxer: Muxer::Yamux,
        dial_ms: 3.0,
        status_ms: 0.5,
        metadata_ms: 0.25,
        ping_ms: 0.125,
        duration_ms: 1.0,
        head_slot: Slot(0),
        finalized_epoch: Epoch(0),
        custody_group_count: None,
        gossipsub: Some(true),
        bootstrap: false,
    }
}

fn gone(client: Client, direction: Direction, reason: &'static str, goodbye_code: Option<u64>) -> NodeEvent {
    let (peer_id, transport) = (PeerId::random(), Transport::Tcp);
    NodeEvent::PeerDisconnected { peer_id, client, direction, transport, reason, goodbye_code, session_ms: 90_000 }
}

/// A peer that was ready over TCP by its own dial is ready over QUIC by ours.
fn replaced(peer_id: PeerId) -> NodeEvent {
    NodeEvent::PeerReplaced {
        peer_id,
        client: Client::Lodestar,
        direction: Direction::Outbound,
        transport: Transport::Quic,
        former_client: Client::Lodestar,
        former_direction: Direction::Inbound,
        former_transport: Transport::Tcp,
    }
}

fn rejected(step: &'static str, reason: &'static str, goodbye_code: Option<u64>) -> NodeEvent {
    NodeEvent::HandshakeRejected {
        peer_id: PeerId::random(),
        step,
        reason,
        fault: Fault::Incompatible,
        error: String::new(),
        goodbye_code,
        client: Client::Unknown,
        direction: Direction::Inbound,
        transport: Transport::Quic,
        duration_ms: 4,
        bootstrap: false,
    }
}

/// Each event of the catalogue once.
fn every_event() -> Vec<NodeEvent> {
    let (peer_id, text, fork_digest) = (PeerId::random(), String::new, ForkDigest::default());
    let topic = GossipTopic { fork_digest, name: TopicName::global(TopicKind::BeaconBlock).unwrap() };
    vec![
        NodeEvent::NodeStarted {
            peer_id,
            node_id: text(),
            enr: text(),
            addresses: text(),
            network: text(),
            fork: ForkName::Fulu,
            fork_digest,
            version: text(),
            duration_ms: 20,
        },
        NodeEvent::NodeWarned { reason: "nobody_to_dial", advice: String::new() },
        NodeEvent::MetricsOpened { address: "127.0.0.1:8008".to_owned() },
        NodeEvent::NodeWaitingForGenesis { genesis_time: 1, remaining_s: 1 },
        NodeEvent::NodeHeartbeat {
            slot: Slot(1),
            epoch: Epoch(0),
            peers: 7,
            inbound: 3,
            outbound: 4,
            dialing: 5,
            queued: 6,
            table_size: 120,
            fork_digest,
        },
        NodeEvent::NodeStopping { reason: text() },
        NodeEvent::NodeStopped { goodbyes: 1, duration_ms: 1 },
        NodeEvent::ListenOpened { address: text() },
        NodeEvent::ListenExpired { address: text() },
        NodeEvent::ListenClosed { addresses: text(), error: text() },
        NodeEvent::EnrUpdated { seq: 2, reason: "fork", enr: text() },
        NodeEvent::DiscoveryLookupFinished {
            duration_ms: 250,
            found: 16,
            accepted: 10,
            refused: 6,
            table_size: 130,
            wanted: 0,
        },
        NodeEvent::DiscoveryRefused { node_id: text(), reason: "wrong_fork" },
        NodeEvent::DiscoveryReseeded { bootnodes: 2, table_size: 131 },
        NodeEvent::DiscoveryAddressChanged { address: text() },
        NodeEvent::NatMapped { service: "tcp", ip: text(), internal_port: 9000, external_port: 9000 },
        NodeEvent::NatFailed { reason: "no_gateway", error: text() },
        NodeEvent::NetworkHostResolved { host: text(), family: "ip4", ip: text() },
        NodeEvent::NetworkHostUnresolved { host: text(), error: text() },
        NodeEvent::NetworkReachability {
            family: "ip4",
            service: "tcp",
            verdict: "reachable",
            reason: "inbound",
            ip: Some(text()),
        },
        NodeEvent::PeerPenalized { peer_id, deed: "request", score: -5.0, standing: "good" },
        NodeEvent::PeerBanned { peer_id: Some(peer_id), network: None, duration_ms: 600_000 },
        NodeEvent::PeerUnbanned { peer_id: Some(peer_id), network: None },
        NodeEvent::PeersSummarized {
            slot: Slot(9),
            inbound: 3,
            outbound: 4,
            connecting: 2,
            connected: 1,
            queued: 20,
            banned: 5,
            remembered: 30,
            sessions: 7,
            attempts: 3,
            heard: 1,
            bare: 1,
            thin: 6,
            clients: text(),
            transports: text(),
            refusals: text(),
        },
        NodeEvent::NetworkSuspect { state: "began", cause: "peers_lost", duration_ms: 10, peers: 2 },
        NodeEvent::DiscoveryGarbage { datagrams: 40 },
        NodeEvent::DialStarted { peer_id, addresses: text() },
        NodeEvent::DialFailed {
            peer_id,
            reason: "timeout",
            fault: Fault::Transient,
            error: text(),
            duration_ms: 10_000,
            retry_in_ms: 60_000,
            bootstrap: false,
        },
        NodeEvent::PeerConnected {
            peer_id,
            direction: Direction::Outbound,
            transport: Transport::Tcp,
            muxer: Muxer::Yamux,
            address: text(),
            duration_ms: 8,
        },
        ready(Client::Lodestar, Direction::Outbound, Transport::Tcp),
        rejected("status", "wrong_network", Some(2)),
        gone(Client::Lodestar, Direction::Outbound, "goodbye_received", Some(129)),
        replaced(peer_id),
        NodeEvent::ConnectionFailed { address: text(), reason: "noise", fault: Fault::Transient, error: text() },
        NodeEvent::RpcRejected {
            peer_id,
            method: "status/2",
            reason: "bad_snappy",
            fault: Fault::Violation(Severity::Low),
            error: text(),
        },
        NodeEvent::RpcReportDropped { peer_id, kind: "ping" },
        NodeEvent::RpcServed { peer_id, method: "ping/1", chunks: 1, ssz_bytes: 8, duration_ms: 0.5 },
        NodeEvent::RpcRequestFinished {
            peer_id,
            method: "metadata/3",
            result: "ok",
            chunks: 1,
            ssz_bytes: 25,
            duration_ms: 1.5,
        },
        NodeEvent::GossipTopicsChanged {
            joined: 12,
            left: 0,
            topics: 12,
            fork_digests: "8c9f62fe".to_owned(),
            attestation_subnets: "3,4".to_owned(),
            data_columns: text(),
        },
        NodeEvent::GossipReceived {
            topic,
            topic_kind: TopicKind::BeaconBlock,
            message_id: MessageId([1; 20]),
            peer_id,
            slot: Some(Slot(7)),
            slot_offset_ms: Some(1500),
            block_root: Some(Root([2; 32])),
            size_bytes: 50_000,
            ssz_bytes: 100_000,
            verdict: "ignore",
            reason: "unverifiable",
            relay: "none",
            judged_ms: 2.5,
        },
        NodeEvent::GossipRejected {
            peer_id,
            topic,
            topic_kind: TopicKind::BeaconBlock,
            reason: "bad_ssz",
            message_id: MessageId([3; 20]),
            size_bytes: 100,
        },
        NodeEvent::GossipJudged {
            topic_kind: TopicKind::BeaconBlock,
            verdict: "ignore",
            reason: "unverifiable",
            messages: 3,
        },
        NodeEvent::GossipTopicSummarized {
            slot: Slot(7),
            topic_kind: TopicKind::BeaconBlock,
            topics: 1,
            mesh_peers: 8,
            unique: 4,
            duplicates: 9,
            received_bytes: 650_000,
            accepted: 0,
            ignored: 3,
            rejected: 1,
            corroborated: 2,
        },
        NodeEvent::GossipSlotSummarized {
            slot: Slot(7),
            topics: 12,
            router_peers: 20,
            unique: 4,
            duplicates: 9,
            received_bytes: 650_000,
            accepted: 0,
            ignored: 3,
            rejected: 1,
            overflowed: 5,
            lost_verdicts: 1,
            late_verdicts: 2,
            waiting: 3,
            events_dropped: 4,
            bad_control: 6,
            not_joined: 7,
            block_ms: Some(1500),
            block_peer_id: Some(peer_id),
            columns: 8,
            first_column_ms: Some(1700),
            last_column_ms: Some(2100),
            column_peer_id: Some(peer_id),
        },
        NodeEvent::GossipPublished {
            topic,
            topic_kind: TopicKind::BeaconBlock,
            result: "ok",
            peers: 8,
            ssz_bytes: 100_000,
        },
        NodeEvent::ForkActivated {
            fork: ForkName::Fulu,
            fork_digest,
            epoch: Epoch(1),
            max_blobs: None,
            next_epoch: None,
        },
        NodeEvent::BootstrapCompleted { peer_id, duration_ms: 900 },
        NodeEvent::BootstrapFailed {
            duration_ms: 30_000,
            bootnodes: 1,
            timeout: 1,
            refused: 0,
            unreachable: 0,
            wrong_network: 0,
            incompatible: 0,
            busy: 0,
            handshake: 0,
            no_address: 0,
            other: 0,
            peers: 0,
        },
    ]
}

/// The samples of one subsystem, without histogram buckets.
fn samples<'a>(scrape: &'a str, prefix: &str) -> Vec<&'a str> {
    scrape.lines().filter(|line| line.starts_with(prefix) && !line.contains("_bucket{")).collect()
}

#[test]
fn follows_peers_through_ready_and_gone() {
    let scrape = scrape_after(vec![
        ready(Client::Lighthouse, Direction::Outbound, Transport::Quic),
        ready(Client::Lodestar, Direction::Inbound, Transport::Tcp),
        ready(Client::Lodestar, Direction::Inbound, Transport::Tcp),
        ready(Client::Teku, Direction::Outbound, Transport::Tcp),
        replaced(PeerId::random()),
        gone(Client::Lodestar, Direction::Inbound, "goodbye_received", Some(129)),
        gone(Client::Teku, Direction::Outbound, "shutdown", Some(1)),
        rejected("status", "wrong_network", Some(2)),
        rejected("deadline", "timeout", None),
    ]);
    assert_eq!(samples(&scrape, "libp2p_peers"), ["libp2p_peers 2"]);
    let peers = [
        r#"beacond_peer_ready{client="lighthouse",direction="outbound",transport="quic"} 1"#,
        r#"beacond_peer_ready{client="lodestar",direction="inbound",transport="tcp"} 0"#,
        r#"beacond_peer_ready{client="lodestar",direction="outbound",transport="quic"} 1"#,
        r#"beacond_peer_ready{client="teku",direction="outbound",transport="tcp"} 0"#,
        r#"beacond_peer_disconnected_total{reason="goodbye_received",direction="inbound"} 1"#,
        r#"beacond_peer_disconnected_total{reason="shutdown",direction="outbound"} 1"#,
        r#"beacond_peer_session_duration_seconds_sum{client="lodestar"} 90.0"#,
        r#"beacond_peer_session_duration_seconds_count{client="lodestar"} 1"#,
        r#"beacond_peer_session_duration_seconds_sum{client="teku"} 90.0"#,
        r#"beacond_peer_session_duration_seconds_count{client="teku"} 1"#,
        r#"beacond_peer_goodbyes_sent_total{code="client_shutdown"} 1"#,
        r#"beacond_peer_goodbyes_sent_total{code="irrelevant_network"} 1"#,
        r#"beacond_peer_goodbyes_received_total{code="too_many_peers"} 1"#,
    ];
    assert_eq!(samples(&scrape, "beacond_peer_"), peers);
    let handshakes = [
        r#"beacond_handshake_completed_total{client="lighthouse",direction="outbound",transport="quic"} 1"#,
        r#"beacond_handshake_completed_total{client="lodestar",direction="inbound",transport="tcp"} 2"#,
        r#"beacond_handshake_completed_total{client="teku",direction="outbound",transport="tcp"} 1"#,
        r#"beacond_handshake_rejected_total{step="deadline",reason="timeout",fault="incompatible"} 1"#,
        r#"beacond_handshake_rejected_total{step="status",reason="wrong_network",fault="incompatible"} 1"#,
        r#"beacond_handshake_duration_seconds_sum{direction="inbound"} 0.002"#,
        r#"beacond_handshake_duration_seconds_count{direction="inbound"} 2"#,
        r#"beacond_handshake_duration_seconds_sum{direction="outbound"} 0.002"#,
        r#"beacond_handshake_duration_seconds_count{direction="outbound"} 2"#,
        r#"beacond_handshake_step_duration_seconds_sum{step="metadata"} 0.001"#,
        r#"beacond_handshake_step_duration_seconds_count{step="metadata"} 4"#,
        r#"beacond_handshake_step_duration_seconds_sum{step="ping"} 0.0005"#,
        r#"beacond_handshake_step_duration_seconds_count{step="ping"} 4"#,
        r#"beacond_handshake_step_duration_seconds_sum{step="status"} 0.002"#,
        r#"beacond_handshake_step_duration_seconds_count{step="status"} 4"#,
    ];
    assert_eq!(samples(&scrape, "beacond_handshake_"), handshakes);
}

#[test]
fn folds_each_event_into_its_families() {
    let scrape = scrape_after(every_event());
    let discovery = [
        "beacond_discovery_lookup_duration_seconds_sum 0.25",
        "beacond_discovery_lookup_duration_seconds_count 1",
        "beacond_discovery_found_total 16",
        "beacond_discovery_accepted_total 10",
        r#"beacond_discovery_refused_total{reason="wrong_fork"} 1"#,
        "beacond_discovery_table_records 131",
        "beacond_discovery_garbage_datagrams_total 40",
    ];
    assert_eq!(samples(&scrape, "beacond_discovery_"), discovery);
    let dial = [
        "beacond_dial_started_total 1",
        r#"beacond_dial_failed_total{reason="timeout",fault="transient"} 1"#,
        r#"beacond_dial_duration_seconds_sum{transport="tcp"} 0.008"#,
        r#"beacond_dial_duration_seconds_count{transport="tcp"} 1"#,
        "beacond_dial_in_flight 5",
        "beacond_dial_queued 6",
    ];
    assert_eq!(samples(&scrape, "beacond_dial_"), dial);
    let connection = [
        r#"beacond_connection_opened_total{direction="outbound",transport="tcp",muxer="yamux"} 1"#,
        r#"beacond_connection_failed_total{reason="noise",fault="transient"} 1"#,
        r#"beacond_connection_held{state="attempt"} 3"#,
        r#"beacond_connection_held{state="heard"} 1"#,
        r#"beacond_connection_held{state="session"} 7"#,
    ];
    assert_eq!(samples(&scrape, "beacond_connection_"), connection);
    let rpc = [
        r#"beacond_rpc_served_duration_seconds_sum{method="ping/1"} 0.0005"#,
        r#"beacond_rpc_served_duration_seconds_count{method="ping/1"} 1"#,
        r#"beacond_rpc_rejected_total{method="status/2",reason="bad_snappy",fault="violation"} 1"#,
        r#"beacond_rpc_requests_total{method="metadata/3",result="ok"} 1"#,
        r#"beacond_rpc_request_duration_seconds_sum{method="metadata/3"} 0.0015"#,
        r#"beacond_rpc_request_duration_seconds_count{method="metadata/3"} 1"#,
    ];
    assert_eq!(samples(&scrape, "beacond_rpc_"), rpc);
    let gossip = [
        r#"beacond_gossip_verdict_total{topic="beacon_block",verdict="ignore",reason="unverifiable"} 3"#,
        r#"beacond_gossip_unique_total{topic="beacon_block"} 4"#,
        r#"beacond_gossip_duplicate_total{topic="beacon_block"} 9"#,
        r#"beacond_gossip_received_bytes_total{topic="beacon_block"} 650000"#,
        r#"beacond_gossip_corroborated_total{topic="beacon_block"} 2"#,
        r#"beacond_gossip_mesh_peers{topic="beacon_block"} 8"#,
        r#"beacond_gossip_topics{topic="beacon_block"} 1"#,
        "beacond_gossip_router_peers 20",
        "beacond_gossip_overflowed_total 5",
        "beacond_gossip_lost_verdicts_total 1",
        "beacond_gossip_late_verdicts_total 2",
        "beacond_gossip_waiting 3",
        "beacond_gossip_router_events_dropped_total 4",
        "beacond_gossip_bad_control_total 6",
        "beacond_gossip_not_joined_total 7",
        r#"beacond_gossip_arrival_seconds_sum{topic="beacon_block"} 1.5"#,
        r#"beacond_gossip_arrival_seconds_count{topic="beacon_block"} 1"#,
        r#"beacond_gossip_published_total{topic="beacon_block",result="ok"} 1"#,
    ];
    assert_eq!(samples(&scrape, "beacond_gossip_"), gossip);
    assert_eq!(samples(&scrape, "beacond_enr_"), [r#"beacond_enr_updated_total{reason="fork"} 1"#]);
    assert_eq!(samples(&scrape, "beacond_fork_"), [r#"beacond_fork_activated_total{fork="fulu"} 1"#]);
    let bootstrap = ["beacond_bootstrap_completed 1", "beacond_bootstrap_failed_total 1"];
    assert_eq!(samples(&scrape, "beacond_bootstrap_"), bootstrap);
}

#[test]
fn counts_every_event_by_name() {
    let scrape = scrape_after(every_event());
    let counted: BTreeSet<_> =
        samples(&scrape, "beacond_events_emitted_total").into_iter().map(str::to_owned).collect();
    let catalogue = CATALOGUE.iter().map(|event| format!("beacond_events_emitted_total{{event=\"{}\"}} 1", event.name));
    assert_eq!(counted, catalogue.collect());
}

#[test]
fn an_inbound_connection_is_no_dial() {
    let scrape = scrape_after(vec![NodeEvent::PeerConnected {
        peer_id: PeerId::random(),
        direction: Direction::Inbound,
        transport: Transport::Quic,
        muxer: Muxer::Quic,
        address: String::new(),
        duration_ms: 0,
    }]);
    let opened = r#"beacond_connection_opened_total{direction="inbound",transport="quic",muxer="quic"} 1"#;
    assert_eq!(samples(&scrape, "beacond_connection_"), [opened]);
    assert_eq!(samples(&scrape, "beacond_dial_duration"), [""; 0]);
}

/// One family of an exposition.
#[derive(Default)]
struct Exposed<'a> {
    kind: &'a str,
    help: &'a str,
    samples: usize,
    labels: BTreeSet<&'a str>,
}

/// Reads an exposition as strictly as the format asks: metadata first, once, then the samples of that family.
fn parse(scrape: &str) -> anyhow::Result<BTreeMap<&str, Exposed<'_>>> {
    let mut families: BTreeMap<&str, Exposed<'_>> = BTreeMap::new();
    let body = scrape.strip_suffix("# EOF\n").ok_or_else(|| anyhow::anyhow!("no EOF"))?;
    let mut current = "";
    for line in body.lines() {
        if let Some(metadata) = line.strip_prefix("# HELP ") {
            let (name, help) = metadata.split_once(' ').ok_or_else(|| anyhow::anyhow!("no help: {line}"))?;
            let earlier = families.insert(name, Exposed { help, ..Exposed::default() });
            anyhow::ensure!(earlier.is_none(), "{name} appears twice");
            current = name;
            continue;
        }
        let family = families.get_mut(current).ok_or_else(|| anyhow::anyhow!("sample before any family: {line}"))?;
        if let Some(metadata) = line.strip_prefix("# ") {
            anyhow::ensure!(metadata.split(' ').nth(1) == Some(current), "metadata of another family: {line}");
            if metadata.starts_with("TYPE ") {
                family.kind = metadata.rsplit(' ').next().unwrap_or_default();
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').ok_or_else(|| anyhow::anyhow!("no value: {line}"))?;
        value.parse::<f64>()?;
        let (name, labels) = series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest));
        anyhow::ensure!(name.starts_with(current), "{name} under {current}");
        family.samples += 1;
        for label in labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('=')) {
            family.labels.insert(label.0);
        }
    }
    Ok(families)
}

#[test]
fn exposes_exactly_the_declared_families_beside_those_of_libp2p() -> anyhow::Result<()> {
    let scrape = scrape_after(every_event());
    let exposed = parse(&scrape)?;
    assert!(exposed.keys().any(|name| name.starts_with("libp2p_swarm_")));
    let mut ours: BTreeSet<_> = exposed.keys().copied().filter(|name| !name.starts_with("libp2p_")).collect();
    ours.insert("libp2p_peers");
    let declared: BTreeSet<String> =
        families().map(|info| info.full_name().trim_end_matches("_total").to_owned()).collect();
    assert_eq!(ours, declared.iter().map(String::as_str).collect());
    for info in families() {
        let name = info.full_name();
        let family = &exposed[name.trim_end_matches("_total")];
        assert_eq!((family.kind, family.help), (info.kind.as_str(), info.help), "{name}");
        let labels = family.labels.iter().copied().filter(|label| *label != "le").collect::<BTreeSet<_>>();
        assert_eq!(labels, info.labels.iter().copied().collect(), "{name}");
        assert!(family.samples > 0, "{name}");
    }
    Ok(())
}

#[test]
fn names_and_labels_follow_the_conventions() {
    const CLOSED: [&str; 20] = [
        "cause",
        "client",
        "code",
        "deed",
        "degree",
        "direction",
        "event",
        "fault",
        "fork",
        "method",
        "muxer",
        "reason",
        "result",
        "standing",
        "state",
        "step",
        "target",
        "topic",
        "transport",
        "verdict",
    ];
    for info in families() {
        let name = info.full_name();
        let prefix = ["beacond_", "process_", "libp2p_peers"].iter().any(|prefix| name.starts_with(prefix));
        assert!(
            prefix && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
            "{name}"
        );
        assert!(info.help.ends_with('.') && !info.help.ends_with(".."), "{name}");
        assert!(!["_ms", "_average", "_rate"].iter().any(|suffix| name.ends_with(suffix)), "{name}");
        assert!(info.labels.iter().all(|label| CLOSED.contains(label)), "{name}");
    }
}
