//! What outlives a daemon that is killed: its identity, the numbers of its records, its place among its peers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use beacond::store;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::time::Instant;

use crate::daemon::{Daemon, end_all};
use crate::testbed::{self, Testbed};

/// From the death to a completed handshake.
const BACK: Duration = Duration::from_secs(30);

/// Kills during start-up, and the data directories that they are spread over.
const KILLS: usize = 20;
const DIRECTORIES: usize = 4;

const SEED: u64 = 9000;

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
    let expected = [".lock", "enr.txt", "metadata.json", "node.key"].map(str::to_owned).into();
    ensure!(names == expected, "{names:?}");
    Ok(())
}
