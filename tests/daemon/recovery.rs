//! What a daemon makes of trouble that is nobody's fault: its uplink is cut, a peer moves, it is killed, its book is damaged.
//!
//! The daemon in question cannot be dialled by anyone, as behind a router that maps nothing: whoever is back was found, and
//! dialled, by itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use beacond::store::PeerBook;
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};
use tokio::time::Instant;

use crate::daemon::{Daemon, PATIENCE, end_all};
use crate::process::Line;
use crate::relay::{Cut, Relay};
use crate::testbed::{self, Testbed};

/// From the end of an outage to half of the peers.
const BACK: Duration = Duration::from_secs(60);

/// Peers of the daemon whose uplink is cut.
const PEERS: usize = 8;

#[test]
fn a_refused_uplink_is_suspected_costs_nobody_anything_and_is_recovered_from() -> Result<()> {
    recovers_from(Cut::Refused)
}

#[test]
fn a_silent_uplink_is_suspected_costs_nobody_anything_and_is_recovered_from() -> Result<()> {
    recovers_from(Cut::Swallowed)
}

fn recovers_from(cut: Cut) -> Result<()> {
    let roads = Runtime::new()?;
    testbed::run(|bed| {
        let nowhere = Relay::reserve(roads.handle())?;
        let size = ["--target-peers".to_owned(), PEERS.to_string()];
        let hidden = bed.start("hidden", &texts(&[&nowhere.flags()[..], &size].concat()))?;
        let mut peers = Vec::new();
        for n in 0..PEERS {
            let mut road = Relay::reserve(roads.handle())?;
            let boot_node = ["--boot-nodes".to_owned(), hidden.enr().to_owned()];
            let flags = [&road.flags()[..], &size, &boot_node].concat();
            let peer = bed.start(&format!("peer-{n}"), &texts(&flags))?;
            road.lead_to(&peer)?;
            peers.push((road, peer));
        }
        let has = |least: usize| move |hidden: &Daemon| hidden.peers().len() >= least;
        until(&hidden, "all peers", BACK, has(PEERS))?;

        for (road, _) in &mut peers {
            road.cut(cut)?;
        }
        let cut_at = Instant::now();
        let suspects = |line: &Line| line.event() == "network.suspect" && line.str("cause") == "peers_lost";
        let began = |line: &Line| suspects(line) && line.str("state") == "began";
        hidden.log().wait_for("suspicion", PATIENCE, began)?;
        until(&hidden, "nobody left", PATIENCE, |hidden| hidden.peers().is_empty())?;
        let slots = slots(&hidden);
        until(&hidden, "a whole slot without anybody", PATIENCE, |hidden| self::slots(hidden) >= slots + 2)?;
        let outage = cut_at.elapsed();
        ensure!(hidden.peers().is_empty(), "peers over roads that are cut");

        for (road, peer) in &mut peers {
            road.lead_to(peer)?;
        }
        let restored_at = Instant::now();
        until(&hidden, "half of the peers", BACK, has(PEERS / 2))?;
        let half = restored_at.elapsed();
        let ended = |line: &Line| suspects(line) && line.str("state") == "ended";
        hidden.log().wait_for("end of the suspicion", PATIENCE, ended)?;
        until(&hidden, "all peers", 2 * BACK, has(PEERS))?;
        let all = restored_at.elapsed();
        eprintln!("daemon: {cut:?} for {outage:.1?}: half of the peers are back after {half:.1?}, all after {all:.1?}");

        let nobody_pays = |line: &Line| ["peer.penalized", "peer.banned"].contains(&line.event());
        hidden.log().ensure_none("penalty", Duration::ZERO, nobody_pays)?;
        end_all(peers.into_iter().map(|(_, peer)| peer).chain([hidden]).collect())
    })
}

#[test]
fn a_peer_that_moved_to_other_ports_is_found_again_through_others() -> Result<()> {
    let roads = Runtime::new()?;
    testbed::run(|bed| {
        let nowhere = Relay::reserve(roads.handle())?;
        let guide = bed.start("guide", &["--transports", "tcp"])?;
        let flags = ["--transports", "tcp", "--boot-nodes", guide.enr()];
        let hidden = bed.start("hidden", &texts(&[&nowhere.flags()[..], &flags.map(str::to_owned)].concat()))?;
        let mover = bed.start("mover", &flags)?;
        hidden.connected_to(&mover)?;

        let (admissions, former) = (hidden.admissions(&mover), mover.enr.clone());
        mover.kill()?;
        let mover = bed.start("mover", &flags)?;
        let moved_at = Instant::now();
        ensure!(mover.enr.seq() > former.seq(), "the same record");
        ensure!(mover.enr.tcp4() != former.tcp4() && mover.enr.udp4() != former.udp4(), "the same ports");
        until(&hidden, "the one that moved", BACK, |hidden| hidden.admissions(&mover) > admissions)?;
        eprintln!("daemon: found again {:.1?} after it moved", moved_at.elapsed());
        let port = mover.enr.tcp4().context("no port in the record")?;
        let there = |line: &Line| {
            line.is("dial.started", mover.peer_id()) && line.str("addresses").contains(&format!("/tcp/{port}"))
        };
        hidden.log().wait_for("dial of the new port", Duration::ZERO, there)?;
        end_all(vec![guide, hidden, mover])
    })
}

#[test]
fn a_killed_daemon_that_is_told_nobody_is_back_by_its_book_alone() -> Result<()> {
    let roads = Runtime::new()?;
    testbed::run(|bed| {
        let (nowhere, peers) = killed_among_friends(bed, roads.handle())?;

        // Nobody is named, and nobody can be asked.
        let began = Instant::now();
        let alone = [&nowhere.flags()[..], &["--disable-discovery".to_owned()]].concat();
        let hidden = bed.start("hidden", &texts(&alone))?;
        peers.are_with(&hidden)?;
        eprintln!("daemon: back by the book alone {:.1?} after the start", began.elapsed());
        hidden.kill()?;

        let hidden = bed.start("hidden", &texts(&nowhere.flags()))?;
        peers.are_with(&hidden)?;
        end_all(vec![hidden])?;
        peers.end()
    })
}

#[test]
fn a_damaged_book_is_moved_aside_with_a_warning_and_begun_anew() -> Result<()> {
    let roads = Runtime::new()?;
    testbed::run(|bed| {
        let (nowhere, peers) = killed_among_friends(bed, roads.handle())?;

        let book = bed.path("hidden").join("peers.redb");
        let damaged = vec![0x5a; fs::read(&book)?.len()];
        fs::write(&book, &damaged)?;
        let hidden = bed.start("hidden", &texts(&peers.named_to(&nowhere)))?;
        let warning = |line: &Line| line.str("level") == "WARN" && line.text.contains("peers.redb.corrupt-");
        hidden.log().wait_for("warning of the damaged book", Duration::ZERO, warning)?;
        let mut aside = fs::read_dir(bed.path("hidden"))?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        aside.retain(|path| path.to_string_lossy().contains("peers.redb.corrupt-"));
        ensure!(aside.len() == 1 && fs::read(&aside[0])? == damaged, "{aside:?}");

        peers.are_with(&hidden)?;
        peers.are_in_the_book(bed, &hidden)?;
        end_all(vec![hidden])?;
        peers.end()
    })
}

/// The address of nobody, and friends of a daemon that was killed when it had them in its book.
fn killed_among_friends(bed: &Testbed, roads: &Handle) -> Result<(Relay, Friends)> {
    let nowhere = Relay::reserve(roads)?;
    let peers = Friends::start(bed)?;
    let hidden = bed.start("hidden", &texts(&peers.named_to(&nowhere)))?;
    peers.are_with(&hidden)?;
    peers.are_in_the_book(bed, &hidden)?;
    hidden.kill()?;
    Ok((nowhere, peers))
}

/// Daemons that nobody has to find: they are named.
struct Friends(Vec<Daemon>);

impl Friends {
    fn start(bed: &Testbed) -> Result<Self> {
        (0..3).map(|n| bed.start(&format!("friend-{n}"), &["--transports", "tcp"])).collect::<Result<_>>().map(Self)
    }

    /// Flags for a daemon that is behind this relay, and told of all of them.
    fn named_to(&self, relay: &Relay) -> Vec<String> {
        let records: Vec<_> = self.0.iter().map(Daemon::enr).collect();
        [&relay.flags()[..], &["--boot-nodes".to_owned(), records.join(",")]].concat()
    }

    fn are_with(&self, daemon: &Daemon) -> Result<()> {
        self.0.iter().try_for_each(|friend| daemon.connected_to(friend))
    }

    /// Waits until the daemon's book would bring all of them back.
    fn are_in_the_book(&self, bed: &Testbed, daemon: &Daemon) -> Result<()> {
        let expected: BTreeSet<_> = self.0.iter().map(|friend| friend.peer_id().to_owned()).collect();
        let is_written = || Ok((remembered(&bed.path("hidden"))? == expected).then_some(()));
        daemon.log().poll("all friends in the book", PATIENCE, is_written)
    }

    fn end(self) -> Result<()> {
        end_all(self.0)
    }
}

/// Who is in a daemon's book, by a copy of it: that is what a start after `kill -9` would find.
fn remembered(dir: &Path) -> Result<BTreeSet<String>> {
    let copy = TempDir::new()?;
    fs::copy(dir.join("peers.redb"), copy.path().join("peers.redb"))?;
    let (_book, entries) = PeerBook::open(copy.path())?;
    let successes = entries.into_iter().filter(|entry| entry.last_success_s.is_some());
    Ok(successes.map(|entry| entry.peer_id.to_string()).collect())
}

/// Waits until the daemon's log shows it.
fn until(daemon: &Daemon, what: &str, patience: Duration, holds: impl Fn(&Daemon) -> bool) -> Result<()> {
    daemon.log().poll(what, patience, || Ok(holds(daemon).then_some(())))
}

/// Slots that have begun since it started.
fn slots(daemon: &Daemon) -> usize {
    daemon.log().read(|lines| lines.iter().filter(|line| line.event() == "node.heartbeat").count())
}

fn texts(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}
