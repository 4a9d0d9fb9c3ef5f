//! What a reader sees of an event: the log line, the exported record, the bus.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::{CATALOGUE, Events, NodeEvent, Observer, RING_EVENTS};
use crate::fault::{Fault, Severity};
use crate::types::{Client, Direction, Epoch, ForkDigest, ForkName, Muxer, PeerId, Slot, Transport};

#[derive(Clone, Debug, PartialEq)]
struct Line {
    target: &'static str,
    level: Level,
    fields: Vec<(&'static str, Json)>,
}

#[derive(Clone, Default)]
struct Capture {
    lines: Arc<Mutex<Vec<Line>>>,
}

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        let meta = event.metadata();
        self.lines.lock().unwrap().push(Line { target: meta.target(), level: *meta.level(), fields: fields.0 });
    }
}

/// Keeps each value with the type under which it was recorded; `Debug` values are wrapped, so that they differ.
struct Fields(Vec<(&'static str, Json)>);

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push((field.name(), json!(value)));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push((field.name(), json!({ "i64": value })));
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.push((field.name(), json!(value)));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), json!(value)));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), json!(value)));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), json!({ "display": format!("{value:?}") })));
    }
}

fn logged(event: NodeEvent) -> Vec<Line> {
    let capture = Capture::default();
    let subscriber = tracing_subscriber::registry().with(capture.clone());
    tracing::subscriber::with_default(subscriber, || Events::default().emit(event));
    let lines = capture.lines.lock().unwrap();
    lines.clone()
}

fn dial_started(addresses: &str) -> NodeEvent {
    NodeEvent::DialStarted { peer_id: PeerId::random(), addresses: addresses.to_owned() }
}

fn garbage(datagrams: u64) -> NodeEvent {
    NodeEvent::DiscoveryGarbage { datagrams }
}

#[test]
fn writes_one_typed_line_without_message() {
    let peer_id = PeerId::random();
    let lines = logged(NodeEvent::DialFailed {
        peer_id,
        reason: "timeout",
        fault: Fault::Violation(Severity::High),
        error: "nobody \"there\"".to_owned(),
        duration_ms: 10_000,
        retry_in_ms: 30_000,
        bootstrap: true,
    });
    let fields = vec![
        ("event", json!("dial.failed")),
        ("peer_id", json!({ "display": peer_id.to_string() })),
        ("reason", json!("timeout")),
        ("fault", json!("violation")),
        ("error", json!("nobody \"there\"")),
        ("duration_ms", json!(10_000)),
        ("retry_in_ms", json!(30_000)),
        ("bootstrap", json!(true)),
    ];
    assert_eq!(lines, [Line { target: "evt::dial", level: Level::DEBUG, fields }]);
}

fn fork_activated(max_blobs: Option<u64>, next_epoch: Option<Epoch>) -> NodeEvent {
    NodeEvent::ForkActivated {
        fork: ForkName::Fulu,
        fork_digest: ForkDigest([0x8c, 0x9f, 0x62, 0xfe]),
        epoch: Epoch(411_392),
        max_blobs,
        next_epoch,
    }
}

#[test]
fn leaves_absent_options_out_of_the_line() {
    let lines = logged(fork_activated(Some(15), None));
    let fields = vec![
        ("event", json!("fork.activated")),
        ("fork", json!("fulu")),
        ("fork_digest", json!({ "display": "8c9f62fe" })),
        ("epoch", json!(411_392)),
        ("max_blobs", json!(15)),
    ];
    assert_eq!(lines, [Line { target: "evt::fork", level: Level::INFO, fields }]);
}

#[test]
fn exports_one_flat_record_with_null_for_absent_options() {
    let record = serde_json::to_value(fork_activated(None, Some(Epoch(412_672)))).unwrap();
    let expected = json!({
        "event": "fork.activated",
        "fork": "fulu",
        "fork_digest": "8c9f62fe",
        "epoch": 411_392,
        "max_blobs": null,
        "next_epoch": 412_672,
    });
    assert_eq!(record, expected);
}

#[test]
fn exports_identities_as_text_and_fractions_as_numbers() {
    let peer_id = PeerId::random();
    let event = NodeEvent::HandshakeCompleted {
        peer_id,
        client: Client::Lodestar,
        agent: "lodestar/v1.44.0".to_owned(),
        direction: Direction::Outbound,
        transport: Transport::Quic,
        muxer: Muxer::Quic,
        dial_ms: 2.5,
        status_ms: 0.5,
        metadata_ms: 0.25,
        ping_ms: 0.125,
        duration_ms: 1.0,
        head_slot: Slot(64),
        finalized_epoch: Epoch(0),
        custody_group_count: Some(4),
        gossipsub: Some(true),
        bootstrap: false,
    };
    let record = serde_json::to_value(&event).unwrap();
    assert_eq!(record["peer_id"], peer_id.to_string());
    assert_eq!((&record["dial_ms"], &record["head_slot"]), (&json!(2.5), &json!(64)));
    assert_eq!((&record["transport"], &record["client"]), (&json!("quic"), &json!("lodestar")));
    assert_eq!((event.name(), event.level()), ("handshake.completed", Level::INFO));
}

#[test]
fn every_event_is_named_by_domain_and_fact_and_says_what_it_means() {
    let mut names = HashSet::new();
    for event in CATALOGUE {
        let (domain, fact) = event.name.split_once('.').unwrap();
        assert!([domain, fact].into_iter().all(snake_case), "{}", event.name);
        assert!(names.insert(event.name), "{} appears twice", event.name);
        assert!(event.doc.ends_with('.'), "{}", event.name);
        for field in event.fields {
            assert!(snake_case(field.name) && !field.doc.is_empty(), "{} {}", event.name, field.name);
            assert_ne!(field.name, "event", "{}", event.name);
        }
    }
}

fn snake_case(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[derive(Default)]
struct Names(Mutex<Vec<&'static str>>);

impl Observer for Names {
    fn observe(&self, event: &NodeEvent) {
        self.0.lock().unwrap().push(event.name());
    }
}

#[test]
fn tells_every_observer_even_without_subscribers() {
    let (first, second) = (Arc::new(Names::default()), Arc::new(Names::default()));
    let events = Events::new(vec![first.clone(), second.clone()]);
    let clone = events.clone();
    events.emit(garbage(1));
    clone.emit(dial_started("/ip4/192.0.2.1/tcp/9000"));
    for observer in [first, second] {
        assert_eq!(*observer.0.lock().unwrap(), ["discovery.garbage", "dial.started"]);
    }
}

#[tokio::test]
async fn delivers_events_in_order_and_ends_with_the_last_handle() {
    let events = Events::default();
    events.emit(garbage(0));
    let mut subscription = events.subscribe();
    events.emit(garbage(1));
    events.emit(garbage(2));
    drop(events);
    assert_eq!(subscription.next().await.as_deref(), Some(&garbage(1)));
    assert_eq!(subscription.next().await.as_deref(), Some(&garbage(2)));
    assert_eq!(subscription.next().await, None);
    assert_eq!(subscription.dropped(), 0);
}

#[tokio::test]
async fn a_subscriber_that_lags_loses_the_oldest_and_counts_them() {
    let events = Events::default();
    let mut subscription = events.subscribe();
    for number in 0..RING_EVENTS as u64 + 10 {
        events.emit(garbage(number));
    }
    assert_eq!(subscription.next().await.as_deref(), Some(&garbage(10)));
    assert_eq!(subscription.dropped(), 10);
}

#[tokio::test]
async fn waits_for_the_event_that_is_wanted() {
    let events = Events::default();
    let mut subscription = events.subscribe();
    events.emit(garbage(1));
    events.emit(fork_activated(None, None));
    let seen = subscription.wait_for(|event| matches!(event, NodeEvent::ForkActivated { .. })).await;
    assert_eq!(seen.as_deref(), Some(&fork_activated(None, None)));
    drop(events);
    assert_eq!(subscription.wait_for(|_| true).await, None);
}
