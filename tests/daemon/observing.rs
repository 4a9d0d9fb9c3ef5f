//! What a daemon shows of itself: log lines for machines and for people, the log file, metrics.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use beacond::events::CATALOGUE;
use serde_json::Value;

use crate::daemon::{Daemon, PATIENCE, end_all};
use crate::testbed;

#[test]
fn every_line_for_machines_is_json_and_every_event_is_of_the_catalogue() -> Result<()> {
    testbed::run(|bed| {
        let first = bed.start("first", &[])?;
        let mut second = bed.start("second", &["--boot-nodes", first.enr()])?;
        first.connected_to(&second)?;
        second.signal("TERM");
        second.wait()?;
        first.event_of("peer.disconnected", &second)?;
        for daemon in [&first, &second] {
            let lines: Vec<_> = daemon.log().read(|lines| lines.iter().map(|line| line.text.clone()).collect());
            let mut events = 0;
            for line in &lines {
                let json: Value = serde_json::from_str(line).with_context(|| line.clone())?;
                for field in ["timestamp", "level", "target"] {
                    ensure!(json[field].is_string(), "no {field}: {line}");
                }
                let is_event = json["target"].as_str().is_some_and(|target| target.starts_with("evt::"));
                ensure!(is_event == json.get("event").is_some(), "event and target disagree: {line}");
                if is_event {
                    ensure_in_catalogue(&json).with_context(|| line.clone())?;
                    events += 1;
                }
            }
            ensure!(events >= 4, "{events} events in {} lines", lines.len());
        }
        end_all(vec![first])
    })
}

/// Level and fields are those of the catalogue; a field may be absent where it is optional.
fn ensure_in_catalogue(line: &Value) -> Result<()> {
    let name = line["event"].as_str().context("an event's name is text")?;
    let info = CATALOGUE.iter().find(|info| info.name == name).context("not in the catalogue")?;
    ensure!(line["level"] == info.level.as_str(), "the level is {}", info.level);
    let domain = name.split('.').next().unwrap_or_default();
    ensure!(line["target"] == format!("evt::{domain}"), "the target is not evt::{domain}");
    for field in info.fields {
        ensure!(line.get(field.name).is_some() || field.kind.starts_with("Option"), "{} is missing", field.name);
    }
    let surround = ["timestamp", "level", "target", "event"];
    let mut names = line.as_object().context("an object")?.keys().filter(|key| !surround.contains(&key.as_str()));
    match names.find(|key| info.fields.iter().all(|field| field.name != **key)) {
        Some(unknown) => anyhow::bail!("{unknown} is not in the catalogue"),
        None => Ok(()),
    }
}

#[test]
fn the_line_for_people_can_be_read() -> Result<()> {
    testbed::run(|bed| {
        let mut process = bed.spawn("text", &["--log-format", "text", "--log-level", "info"])?;
        let line = process.wait_for("node.started", PATIENCE, |line| line.text.contains(" node.started "))?.text;
        let (time, rest) = line.split_once(' ').context("a time")?;
        ensure!(time.ends_with('Z') && time.len() == "2026-11-22T18:00:00.123Z".len(), "{line}");
        ensure!(rest.starts_with("INFO  node.started peer_id=16Uiu2HA"), "{line}");
        for part in [" enr=enr:-", " addresses=/ip4/127.0.0.1/", " network=interop ", " fork=fulu ", " duration_ms="] {
            ensure!(line.contains(part), "{part} not in: {line}");
        }
        ensure!(!line.contains(['\x1b', '{']), "{line}");
        process.signal("TERM");
        ensure!(process.wait(PATIENCE)?.success());
        Ok(())
    })
}

#[test]
fn the_log_file_receives_the_same_lines() -> Result<()> {
    testbed::run(|bed| {
        let path = bed.path("node.log");
        let path = path.to_str().context("temporary paths are UTF-8")?;
        let first = bed.start("first", &[])?;
        let mut second = bed.start("second", &["--boot-nodes", first.enr(), "--log-file", path])?;
        first.connected_to(&second)?;
        second.signal("TERM");
        ensure!(second.wait()?.success());

        let stderr = second.log().read(|lines| count(lines.iter().map(|line| line.text.as_str())))?;
        let file = fs::read_to_string(path)?;
        ensure!(file.ends_with('\n'), "the last line is cut");
        ensure!(count(file.lines())? == stderr, "the file holds other lines than stderr: {path}");
        ensure!(stderr.values().sum::<usize>() > 10, "{stderr:?}");
        end_all(vec![first])
    })
}

/// How often each line occurs, the time aside: it is taken for each copy, and threads may overtake each other.
fn count<'a>(lines: impl Iterator<Item = &'a str>) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for line in lines {
        let mut json: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        json.as_object_mut().context("an object")?.remove("timestamp");
        *counts.entry(json.to_string()).or_default() += 1;
    }
    Ok(counts)
}

#[test]
fn metrics_follow_what_happens() -> Result<()> {
    testbed::run(|bed| {
        let watched = bed.start("watched", &["--metrics", "--metrics-port", "0"])?;
        let address = watched.event("metrics.opened")?.str("address").to_owned();
        let before = scrape(&address)?;
        ensure!(before.value("libp2p_peers") == 0.0, "{before:?}");
        ensure!(before.sum("beacond_handshake_completed_total") == 0.0, "{before:?}");
        for family in ["libp2p_swarm_", "beacond_", "process_"] {
            ensure!(before.0.keys().any(|name| name.starts_with(family)), "no {family}: {before:?}");
        }

        let peers = ["one", "two"].map(|name| bed.start(name, &["--boot-nodes", watched.enr()]));
        let peers: Vec<Daemon> = peers.into_iter().collect::<Result<_>>()?;
        for peer in &peers {
            watched.connected_to(peer)?;
        }
        // an event is counted right after its line is written
        let settled = || {
            let now = scrape(&address)?;
            ensure!(now.value("libp2p_peers") == 2.0, "libp2p_peers is {}", now.value("libp2p_peers"));
            Ok(Some(now))
        };
        let after = watched.log().poll("two peers in the metrics", PATIENCE, settled)?;
        for name in [
            "beacond_handshake_completed_total",
            "beacond_handshake_duration_seconds_count",
            "beacond_handshake_step_duration_seconds_count",
            "beacond_connection_opened_total",
            "beacond_rpc_served_duration_seconds_count",
            "beacond_events_emitted_total",
            "libp2p_swarm_connections_established_total",
        ] {
            ensure!(
                after.sum(name) >= before.sum(name) + 2.0,
                "{name}: {} after {}",
                after.sum(name),
                before.sum(name)
            );
        }
        ensure!(after.sum("beacond_peer_ready") == 2.0, "beacond_peer_ready is {}", after.sum("beacond_peer_ready"));

        end_all(peers)?;
        let gone = || Ok((scrape(&address)?.value("libp2p_peers") == 0.0).then_some(()));
        watched.log().poll("no peers in the metrics", PATIENCE, gone)?;
        ensure!(scrape(&address)?.sum("beacond_peer_goodbyes_received_total") == 2.0, "goodbyes are counted");
        end_all(vec![watched])
    })
}

/// Samples of one scrape, by name with labels.
#[derive(Debug)]
struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    fn value(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(f64::NAN)
    }

    /// All samples of that name, whatever their labels.
    fn sum(&self, name: &str) -> f64 {
        let of_name = |key: &str| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
        self.0.iter().filter(|(key, _)| of_name(key)).map(|(_, value)| value).sum()
    }
}

fn scrape(address: &str) -> Result<Scrape> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an HTTP answer")?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let samples = body.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    Ok(Scrape(samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()))
}
