//! A running daemon: what it said of itself, and what it says of its peers.

use std::collections::BTreeSet;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Result, anyhow};
use beacond::discovery::EnrExt;
use beacond::types::Enr;

use crate::process::{Line, Process};

/// How long anything may take that has no limit of its own; a machine that builds at the same time is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon that listens.
#[derive(Debug)]
pub(crate) struct Daemon {
    process: Process,
    /// Everything that it said of itself.
    pub(crate) started: Line,
    /// Its record, as it was at the start.
    pub(crate) enr: Enr,
}

impl Daemon {
    /// Waits until the process says that it listens.
    pub(crate) fn listening(process: Process) -> Result<Self> {
        let started = process.wait_for("node.started", PATIENCE, |line| line.event() == "node.started")?;
        let enr = started.str("enr").parse().map_err(|error| anyhow!("{error}: {}", started.text))?;
        Ok(Self { process, started, enr })
    }

    /// Its peer id, as text.
    pub(crate) fn peer_id(&self) -> &str {
        self.started.str("peer_id")
    }

    /// Its record, as text.
    pub(crate) fn enr(&self) -> &str {
        self.started.str("enr")
    }

    /// Its process.
    pub(crate) const fn log(&self) -> &Process {
        &self.process
    }

    /// The flags that make a daemon listen where this one does; port 0 for what it does not have.
    pub(crate) fn ports(&self) -> [String; 6] {
        let ports = [self.enr.tcp4(), self.enr.udp4(), self.enr.quic4()];
        let [tcp, udp, quic] = ports.map(|port| port.unwrap_or_default().to_string());
        ["--port".into(), tcp, "--discovery-port".into(), udp, "--quic-port".into(), quic]
    }

    /// Waits for the first event `name`.
    pub(crate) fn event(&self, name: &str) -> Result<Line> {
        self.process.wait_for(name, PATIENCE, |line| line.event() == name)
    }

    /// Waits for the first event `name` about `peer`.
    pub(crate) fn event_of(&self, name: &str, peer: &Self) -> Result<Line> {
        let peer_id = peer.peer_id();
        self.process.wait_for(&format!("{name} of {peer_id}"), PATIENCE, |line| line.is(name, peer_id))
    }

    /// Waits until both are ready peers of each other.
    pub(crate) fn connected_to(&self, peer: &Self) -> Result<()> {
        for (one, other) in [(self, peer), (peer, self)] {
            let is_peer = || Ok(one.peers().contains(other.peer_id()).then_some(()));
            one.process.poll(&format!("peer {}", other.peer_id()), PATIENCE, is_peer)?;
        }
        Ok(())
    }

    /// The peer ids of its ready peers, by its own account.
    pub(crate) fn peers(&self) -> BTreeSet<String> {
        let mut peers = BTreeSet::new();
        self.process.read(|lines| {
            for line in lines {
                match line.event() {
                    "handshake.completed" => {
                        peers.insert(line.str("peer_id").to_owned());
                    }
                    "peer.disconnected" => {
                        peers.remove(line.str("peer_id"));
                    }
                    _ => {}
                }
            }
        });
        peers
    }

    /// How often it has taken `peer` in: anew, or over another connection.
    pub(crate) fn admissions(&self, peer: &Self) -> usize {
        let is_admission =
            |line: &&Line| ["handshake.completed", "peer.replaced"].iter().any(|event| line.is(event, peer.peer_id()));
        self.process.read(|lines| lines.iter().filter(is_admission).count())
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.process.signal("KILL");
        self.process.wait(PATIENCE)?;
        Ok(())
    }

    /// Sends a signal, by its name without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        self.process.wait(PATIENCE)
    }
}

/// Ends all of them at once, each in order.
pub(crate) fn end_all(daemons: Vec<Daemon>) -> Result<()> {
    for daemon in &daemons {
        daemon.signal("TERM");
    }
    for mut daemon in daemons {
        let status = daemon.wait()?;
        anyhow::ensure!(status.success(), "{} ended with {status}", daemon.peer_id());
    }
    Ok(())
}
