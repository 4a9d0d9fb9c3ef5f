//! What lines look like, in both shapes.

use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::{debug, info, warn};

use super::*;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `log` writes, without the time in front of text lines.
fn logged(format: LogFormat, filter: &str, colour: bool, log: impl FnOnce()) -> Vec<String> {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let layers = vec![lines(format, move || writer.clone(), colour)];
    let filter = EnvFilter::builder().parse(filter).unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layers).with(filter), log);
    let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    let skip = if format == LogFormat::Text { "2026-11-22T18:00:00.123Z ".len() } else { 0 };
    text.lines().map(|line| line[skip..].to_owned()).collect()
}

fn text(log: impl FnOnce()) -> Vec<String> {
    logged(LogFormat::Text, "trace", false, log)
}

#[test]
fn an_event_line_has_the_name_where_a_message_would_stand() {
    let lines = text(|| {
        let absent: Option<u64> = None;
        info!(target: "evt::handshake", event = "handshake.completed", client = %"lodestar", dial_ms = 1.234567, absent);
    });
    assert_eq!(lines, ["INFO  handshake.completed client=lodestar dial_ms=1.235"]);
}

#[test]
fn a_free_line_has_its_target_message_and_fields() {
    let lines = text(|| debug!(target: "beacond::switch", error = "timed out", code = 2, "dial failed"));
    assert_eq!(lines, [r#"DEBUG beacond::switch: dial failed error="timed out" code=2"#]);
}

#[test]
fn records_of_the_log_crate_show_where_they_come_from() {
    let lines = text(|| info!(target: "log", { log.target = "yamux", log.line = 7 }, "closed"));
    assert_eq!(lines, ["INFO  yamux: closed"]);
}

#[test]
fn strangers_can_neither_break_lines_nor_steer_the_terminal() {
    let evil = "a\nERROR fake\r\x1b[31m\u{9b}\u{202e}\u{2028}\0\"\\ x=y";
    let lines = text(|| {
        info!(target: "evt::peer", event = "peer.connected", agent = %evil, empty = "");
        warn!(target: "beacond", "{evil}");
    });
    assert_eq!(
        lines,
        [
            r#"INFO  peer.connected agent="a\nERROR fake\r\u{1b}[31m\u{9b}\u{202e}\u{2028}\u{0}\"\\ x=y" empty="""#,
            r#"WARN  beacond: a\nERROR fake\r\u{1b}[31m\u{9b}\u{202e}\u{2028}\u{0}"\ x=y"#,
        ]
    );
    let json = logged(LogFormat::Json, "trace", false, || info!(target: "evt::peer", event = "x", agent = %evil));
    assert_eq!(json.len(), 1);
    assert_eq!(serde_json::from_str::<Value>(&json[0]).unwrap()["agent"], evil);
}

#[test]
fn a_json_line_is_one_flat_object() {
    let lines = logged(LogFormat::Json, "trace", false, || {
        let _span = tracing::info_span!("conn", peer_id = "hidden").entered();
        info!(target: "evt::dial", event = "dial.failed", reason = "timeout", duration_ms = 15_u64, bootstrap = true);
        warn!(target: "beacond", left = 2, "low on peers");
    });
    let [event, free] =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>().try_into().unwrap();
    let mut event: serde_json::Map<_, _> = serde_json::from_value(event).unwrap();
    let time = event.remove("timestamp").unwrap();
    assert!(time.as_str().is_some_and(|time| time.len() == 24 && time.ends_with('Z')), "{time}");
    let expected = serde_json::json!({"level": "INFO", "target": "evt::dial", "event": "dial.failed",
        "reason": "timeout", "duration_ms": 15, "bootstrap": true});
    assert_eq!(Value::Object(event), expected);
    assert_eq!((&free["message"], &free["left"]), (&"low on peers".into(), &2.into()));
}

#[test]
fn the_default_filter_shows_our_info_and_the_warnings_of_libraries() {
    let lines = logged(LogFormat::Text, "warn,beacond=info,evt=info", false, || {
        info!(target: "libp2p_swarm", "hidden");
        warn!(target: "libp2p_swarm", "shown");
        info!(target: "evt::node", event = "node.started");
        debug!(target: "evt::dial", event = "dial.failed");
        info!(target: "beacond::node", "shown");
    });
    assert_eq!(lines, ["WARN  libp2p_swarm: shown", "INFO  node.started", "INFO  beacond::node: shown"]);
}

#[test]
fn only_a_terminal_sees_colour() {
    let lines = logged(LogFormat::Text, "info", true, || warn!(target: "beacond", "careful"));
    assert_eq!(lines, ["\x1b[33mWARN \x1b[0m beacond: careful"]);
}

#[test]
fn the_file_holds_every_line_once_the_guard_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("beacond.log");
    let (writer, guard) = queue(&LogFile { path: path.clone(), max_size: 1_000_000, keep: 1 }).unwrap();
    let layers = vec![lines(LogFormat::Text, writer, false)];
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layers), || {
        for number in 0..100 {
            info!(target: "beacond", number, "line");
        }
    });
    drop(guard);
    assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 100);
}

#[test]
fn a_log_file_that_cannot_be_opened_names_its_flag() {
    let error = queue(&LogFile { path: "/nowhere/log".into(), max_size: 1, keep: 1 }).unwrap_err();
    assert!(error.to_string().contains("--log-file"), "{error}");
}
