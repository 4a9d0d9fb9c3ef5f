//! Daemons that know one record and find the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use beacond::types::Enr;
use tokio::time::Instant;

use crate::daemon::{Daemon, end_all};
use crate::testbed::{self, Testbed, beacond};

/// From the start of the daemons that join to a handshake of each with each.
const JOINED: Duration = Duration::from_secs(10);

/// For a whole network: 30 debug builds on two cores start at once and take 10 to 20 s for it.
const NETWORK_JOINED: Duration = Duration::from_secs(90);

/// Daemons of the network, unless `BEACOND_NETWORK_SIZE` says otherwise.
const NETWORK_SIZE: usize = 12;

#[test]
fn three_daemons_are_all_connected_when_two_know_the_record_of_the_first() -> Result<()> {
    testbed::run(|bed| {
        let first = bed.start("first", &[])?;
        let shown = shown_record(bed, "first")?;
        ensure!(shown == first.enr, "{shown} is shown, {} was announced", first.enr);

        let began = Instant::now();
        let second = bed.spawn("second", &["--boot-nodes", first.enr()])?;
        let third = bed.spawn("third", &["--boot-nodes", &shown.to_base64()])?;
        let all = [first, Daemon::listening(second)?, Daemon::listening(third)?];
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            all[one].connected_to(&all[other])?;
        }
        let took = began.elapsed();
        eprintln!("daemon: three daemons are all connected after {took:.1?}");
        ensure!(took < JOINED, "all connected only after {took:?}");
        end_all(all.into())
    })
}

#[test]
fn daemons_that_know_one_record_become_one_network() -> Result<()> {
    let size = std::env::var("BEACOND_NETWORK_SIZE").map_or(Ok(NETWORK_SIZE), |size| size.parse())?;
    testbed::run(|bed| {
        let flags = ["--target-peers", "8", "--log-level", "info"];
        let first = bed.start("node-0", &flags)?;
        let began = Instant::now();
        let flags = [&flags[..], &["--boot-nodes", first.enr()]].concat();
        let rest: Vec<_> = (1..size).map(|n| bed.spawn(&format!("node-{n}"), &flags)).collect::<Result<_>>()?;
        let mut all = vec![first];
        for process in rest {
            all.push(Daemon::listening(process)?);
        }
        let started = began.elapsed();

        all[0].log().poll("one network", NETWORK_JOINED, || Ok(Graph::of(&all).is_connected().then_some(())))?;
        let joined = began.elapsed();
        eprintln!("daemon: {size} daemons listen after {started:.1?}, are one network after {joined:.1?}");
        let settled = |graph: &Graph| graph.is_connected() && graph.degrees().0 >= 4.min(size - 1);
        let graph = all[0].log().poll("a settled network", NETWORK_JOINED, || {
            let graph = Graph::of(&all);
            Ok(settled(&graph).then_some(graph))
        })?;
        let (least, most) = graph.degrees();
        let (edges, took) = (graph.edges(), began.elapsed());
        eprintln!("daemon: each has {least} to {most} peers, {edges} connections, after {took:.1?}");
        end_all(all)
    })
}

/// The record that `beacond enr show` prints of a running daemon.
fn shown_record(bed: &Testbed, name: &str) -> Result<Enr> {
    let output = beacond().args(["enr", "show", "--json", "--data-dir"]).arg(bed.path(name)).output()?;
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).context("the record as JSON")?;
    shown["enr"].as_str().unwrap_or_default().parse().map_err(anyhow::Error::msg)
}

/// Who is connected to whom, where both say so.
#[derive(Debug)]
struct Graph(BTreeMap<String, BTreeSet<String>>);

impl Graph {
    fn of(daemons: &[Daemon]) -> Self {
        let told: BTreeMap<_, _> = daemons.iter().map(|daemon| (daemon.peer_id().to_owned(), daemon.peers())).collect();
        let mutual = |own: &String, peers: &BTreeSet<String>| {
            let says_so = |peer: &&String| told.get(*peer).is_some_and(|theirs| theirs.contains(own));
            peers.iter().filter(says_so).cloned().collect()
        };
        Self(told.iter().map(|(own, peers)| (own.clone(), mutual(own, peers))).collect())
    }

    fn is_connected(&self) -> bool {
        let mut open: Vec<_> = self.0.keys().take(1).collect();
        let mut reached: BTreeSet<_> = open.iter().copied().collect();
        while let Some(own) = open.pop() {
            open.extend(self.0[own].iter().filter(|peer| reached.insert(*peer)));
        }
        reached.len() == self.0.len()
    }

    fn edges(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum::<usize>() / 2
    }

    /// Peers of the loneliest and of the busiest daemon.
    fn degrees(&self) -> (usize, usize) {
        let degrees = || self.0.values().map(BTreeSet::len);
        (degrees().min().unwrap_or_default(), degrees().max().unwrap_or_default())
    }
}

#[test]
fn an_address_of_discovery_is_asked_for_its_record() -> Result<()> {
    testbed::run(|bed| {
        let known = bed.start("known", &[])?;
        let port = known.enr.udp4().context("no port for discovery")?;
        let address = format!("/ip4/127.0.0.1/udp/{port}/p2p/{}", known.peer_id());
        let dialler = bed.start("dialler", &["--boot-nodes", &address])?;
        dialler.connected_to(&known)?;
        end_all(vec![dialler, known])
    })
}
