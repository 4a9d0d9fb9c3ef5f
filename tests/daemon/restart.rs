//! What outlives a daemon that is killed: its identity, the numbers of its records, its place among its peers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use beacond::discovery::EnrExt;
use beacond::gossip::{next_rotation, subscribed_subnets};
use beacond::store::{self, DataDir};
use beacond::time::unix_now_ms;
use beacond::types::Epoch;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::daemon::{Daemon, PATIENCE, end_all};
use crate::network;
use crate::process::Line;
use crate::testbed::{self, Testbed};

/// From the death to a completed handshake.
const BACK: Duration = Duration::from_secs(30);

/// Kills during start-up, and the data directories that they are spread over.
const KILLS: usize = 20;
const DIRECTORIES: usize = 4;

const SEED: u64 = 9000;

/// An epoch of eight seconds.
const SLOT_MS: u64 = 250;

/// Over TCP the other side sees the death at once, over QUIC only by the silence.
const TRANSPORTS: [&str; 2] = ["tcp", "quic"];

#[test]
fn a_killed_daemon_is_back_on_other_ports_under_a_new_record() -> Result<()> {
    for transport in TRANSPORTS {
        testbed::run(|bed| {
            let Pair { dialler, known } = Pair::start(bed, transport)?;
            let restart = Restart::kill(dialler, &known)?;
            let dialler = bed.start("dialler", &["--transports", transport, "--boot-nodes", known.enr()])?;
            ensure!(dialler.enr.seq() > restart.seq, "record {} after {}", dialler.enr.seq(), restart.seq);
            restart.ensure_back(&format!("on other ports, {transport}"), &dialler, &known)?;
            end_all(vec![dialler, known])
        })?;
    }
    Ok(())
}

#[test]
fn a_killed_daemon_is_back_where_it_was_under_the_same_record() -> Result<()> {
    for transport in TRANSPORTS {
        testbed::run(|bed| {
            let Pair { dialler, known } = Pair::start(bed, transport)?;
            let ports = dialler.ports();
            let restart = Restart::kill(dialler, &known)?;
            let flags = ["--transports", transport, "--boot-nodes", known.enr()].map(str::to_owned);
            let dialler = bed.start("dialler", &texts(&[&flags[..], &ports].concat()))?;
            ensure!(dialler.enr.seq() == restart.seq, "record {} after {}", dialler.enr.seq(), restart.seq);
            restart.ensure_back(&format!("on the same ports, {transport}"), &dialler, &known)?;
            end_all(vec![dialler, known])
        })?;
    }
    Ok(())
}

#[test]
fn a_killed_daemon_that_knows_nobody_is_found_again() -> Result<()> {
    for transport in TRANSPORTS {
        testbed::run(|bed| {
            let Pair { dialler, known } = Pair::start(bed, transport)?;
            let ports = known.ports();
            let restart = Restart::kill(known, &dialler)?;
            let flags = ["--transports", transport].map(str::to_owned);
            let known = bed.start("known", &texts(&[&flags[..], &ports].concat()))?;
            ensure!(known.enr.seq() == restart.seq, "record {} after {}", known.enr.seq(), restart.seq);
            restart.ensure_back(&format!("found again, {transport}"), &known, &dialler)?;
            end_all(vec![dialler, known])
        })?;
    }
    Ok(())
}

fn texts(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

/// Two daemons that are connected.
struct Pair {
    dialler: Daemon,
    /// Its record is all that the other one knows; it knows nobody itself.
    known: Daemon,
}

impl Pair {
    fn start(bed: &Testbed, transport: &str) -> Result<Self> {
        let known = bed.start("known", &["--transports", transport])?;
        let dialler = bed.start("dialler", &["--transports", transport, "--boot-nodes", known.enr()])?;
        dialler.connected_to(&known)?;
        Ok(Self { dialler, known })
    }
}

/// What a daemon was when it died.
struct Restart {
    identity: [Value; 2],
    /// The number of its record.
    seq: u64,
    /// How often its peer had taken it in.
    admissions: usize,
    died: Instant,
}

impl Restart {
    fn kill(daemon: Daemon, peer: &Daemon) -> Result<Self> {
        let (identity, seq) = (identity(&daemon), daemon.enr.seq());
        let admissions = peer.admissions(&daemon);
        daemon.kill()?;
        Ok(Self { identity, seq, admissions, died: Instant::now() })
    }

    /// Waits until both are peers again, by the account of both.
    fn ensure_back(&self, how: &str, daemon: &Daemon, peer: &Daemon) -> Result<()> {
        ensure!(identity(daemon) == self.identity, "another identity: {}", daemon.started.text);
        let is_back = || {
            let is_admitted = peer.admissions(daemon) > self.admissions;
            Ok((is_admitted && daemon.peers().contains(peer.peer_id())).then_some(()))
        };
        daemon.log().poll("peer", BACK, is_back)?;
        eprintln!("daemon: back {:.1?} after kill -9 ({how})", self.died.elapsed());
        Ok(())
    }
}

fn identity(daemon: &Daemon) -> [Value; 2] {
    ["peer_id", "node_id"].map(|name| daemon.started.field(name).clone())
}

#[test]
fn no_kill_during_start_up_damages_a_file() -> Result<()> {
    testbed::run(|bed| {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let began = Instant::now();
        bed.start("measured", &[])?.kill()?;
        let start_up = began.elapsed();

        for directory in 0..DIRECTORIES {
            let name = format!("victim-{directory}");
            let mut history = History::default();
            for kill in 0..KILLS / DIRECTORIES {
                let delay = start_up.mul_f64(rng.random_range(0.0..1.2));
                let mut process = bed.spawn(&name, &[])?;
                process.ends_within(delay);
                process.signal("KILL");
                let status = process.wait(BACK)?;
                let context = || format!("seed {SEED}, directory {directory}, kill {kill} after {delay:?}");
                ensure!(status.code().is_none(), "{}: ended by itself with {status}", context());
                history.check(&bed.path(&name)).with_context(context)?;
            }
            let survivor = bed.start(&name, &[]).with_context(|| format!("seed {SEED}, directory {directory}"))?;
            history.check(&bed.path(&name))?;
            ensure!(history.peer_id.as_deref() == Some(survivor.peer_id()), "seed {SEED}: another identity");
            ensure!(survivor.enr.seq() == history.seq, "seed {SEED}: saved {}, told another", history.seq);
            survivor.kill()?;
            ensure_no_leftovers(&bed.path(&name)).with_context(|| format!("seed {SEED}, directory {directory}"))?;
        }
        eprintln!("daemon: {KILLS} times kill -9 within {:.0?} of the start", start_up.mul_f64(1.2));
        Ok(())
    })
}

#[test]
fn what_a_daemon_says_of_its_subnets_is_kept_when_they_change() -> Result<()> {
    testbed::run(|bed| {
        let subnets = |node_id, epoch| subscribed_subnets(&node_id, epoch);
        let named = |name: usize| -> Result<_> {
            let node_id = DataDir::open(&bed.path(&name.to_string()))?.identity().node_id;
            Ok((name.to_string(), node_id, next_rotation(&node_id, Epoch(0))))
        };
        let identities: Vec<_> = (0..20).map(named).collect::<Result<_>>()?;
        let moves = |(_, node_id, rotation): &&(_, _, _)| subnets(*node_id, Epoch(0)) != subnets(*node_id, *rotation);
        let (name, node_id, rotation) = identities.iter().find(moves).context("no identity moves")?;

        let mut config = network::fulu_config();
        config.insert("SLOT_DURATION_MS".to_owned(), json!(SLOT_MS));
        let until_rotation = rotation.start_slot().0 * SLOT_MS;
        let genesis_time = (unix_now_ms() + 8000 - until_rotation) / 1000;
        network::write(bed.network().to_owned(), &config, &network::genesis_head(genesis_time))?;

        let daemon = bed.start(name, &[])?;
        let path = bed.path(name);
        let number = || -> Result<_> {
            let stored: Value = serde_json::from_slice(&fs::read(path.join("metadata.json"))?)?;
            stored["seq_number"].as_u64().context("metadata without a number")
        };
        let before = number()?;
        let is_it = |line: &Line| line.event() == "enr.updated" && line.field("reason") == "subnets";
        daemon.log().wait_for("other subnets", PATIENCE, is_it)?;
        let is_kept = || {
            let record = store::read_enr(&path)?.context("no record")?;
            Ok((number()? == before + 1 && record.seq() > daemon.enr.seq()).then_some(()))
        };
        daemon.log().poll("both on disk", PATIENCE, is_kept)?;
        daemon.kill()?;

        let dir = DataDir::open(&path)?;
        let enr = dir.load_enr()?.context("no record")?;
        let metadata = dir.load_metadata()?.context("no metadata")?;
        let kept: Vec<_> =
            metadata.attnets.iter().enumerate().filter(|(_, bit)| *bit).map(|(subnet, _)| subnet).collect();
        let mut expected = subnets(*node_id, *rotation).map(usize::from);
        expected.sort_unstable();
        ensure!(kept == expected, "{kept:?} instead of {expected:?}");
        ensure!(enr.attnets().as_ref() == Some(&metadata.attnets), "record and metadata differ: {enr}");
        Ok(())
    })
}

/// What a data directory has held, kill after kill.
#[derive(Debug, Default)]
struct History {
    peer_id: Option<String>,
    seq: u64,
    metadata_seq: u64,
}

impl History {
    /// Reads every file that is there; nothing that was there before may be gone, changed or counted down.
    fn check(&mut self, dir: &Path) -> Result<()> {
        let peer_id = store::read_identity(dir)?.map(|identity| identity.peer_id.to_string());
        ensure!(self.peer_id.is_none() || self.peer_id == peer_id, "identity {peer_id:?} after {:?}", self.peer_id);
        self.peer_id = peer_id;

        let seq = store::read_enr(dir)?.map_or(0, |enr| enr.seq());
        ensure!(seq >= self.seq, "record {seq} after {}", self.seq);
        self.seq = seq;

        let metadata_seq = match fs::read(dir.join("metadata.json")) {
            Ok(bytes) => serde_json::from_slice::<Value>(&bytes)?["seq_number"].as_u64(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(0),
            Err(error) => return Err(error.into()),
        };
        let metadata_seq = metadata_seq.context("metadata without a number")?;
        ensure!(metadata_seq >= self.metadata_seq, "metadata {metadata_seq} after {}", self.metadata_seq);
        self.metadata_seq = metadata_seq;
        Ok(())
    }
}

/// What a kill left half-written is gone after the next start.
fn ensure_no_leftovers(dir: &Path) -> Result<()> {
    let names: BTreeSet<_> =
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<Result<_>>()?;
    let expected = [".lock", "enr.txt", "metadata.json", "node.key", "peers.redb"].map(str::to_owned).into();
    ensure!(names == expected, "{names:?}");
    Ok(())
}
