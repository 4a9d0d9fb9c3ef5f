//! The daemon under test, as a process.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::Result;

use crate::process::{Line, Process};
use crate::scenario::{Scenario, free_port, remove_variables};

/// A running `beacond run`.
#[derive(Debug)]
pub(crate) struct Beacond {
    process: Process,
    name: String,
    command: Command,
    /// Everything that it said of itself.
    pub(crate) started: Line,
}

impl Beacond {
    /// Starts the daemon with those bootstrap peers and flags, and waits until it listens.
    pub(crate) fn start(
        scenario: &Scenario,
        name: &str,
        network: &Path,
        boot_nodes: &[&str],
        flags: &[&str],
    ) -> Result<Self> {
        let (port, quic_port) = (free_port()?, free_port()?);
        let mut command = Command::new(env!("CARGO_BIN_EXE_beacond"));
        remove_variables(&mut command, "BEACOND_");
        command.arg("run");
        command.arg("--network-dir").arg(network);
        command.arg("--data-dir").arg(scenario.subdirectory(name)?);
        command.args(["--boot-nodes", &boot_nodes.join(",")]);
        command.args(["--listen-address", "127.0.0.1", "--enr-address", "127.0.0.1"]);
        command.args(["--port", &port.to_string(), "--quic-port", &quic_port.to_string()]);
        // Everyone here has the same address, which to the filter looks like one very busy host.
        command.arg("--disable-packet-filter");
        command.args(["--target-peers", "10"]);
        command.args(["--log-format", "json", "--log-level", "info,beacond=debug,evt=trace"]);
        command.args(flags);
        Self::launch(scenario, name.to_owned(), command)
    }

    fn launch(scenario: &Scenario, name: String, mut command: Command) -> Result<Self> {
        let process = scenario.spawn(&name, &mut command)?;
        let started =
            process.wait_for("node.started", Duration::from_secs(20), |line| line.event() == "node.started")?;
        Ok(Self { process, name, command, started })
    }

    /// Ends it as a power cut would, starts it once more and waits until it listens.
    pub(crate) fn crash_and_start(self, scenario: &Scenario) -> Result<Self> {
        let Self { mut process, name, command, .. } = self;
        process.signal("KILL");
        process.wait(Duration::from_secs(10))?;
        Self::launch(scenario, format!("{name}-again"), command)
    }

    /// Its peer id, as text.
    pub(crate) fn peer_id(&self) -> &str {
        self.started.str("peer_id")
    }

    /// Its log.
    pub(crate) const fn log(&self) -> &Process {
        &self.process
    }

    /// Waits for the event `name` about the peer `peer_id`.
    pub(crate) fn event(&self, name: &str, peer_id: &str, timeout: Duration) -> Result<Line> {
        self.process.wait_for(&format!("{name} of {peer_id}"), timeout, |line| line.is(name, peer_id))
    }

    /// How often it has become ready with the peer `peer_id`.
    pub(crate) fn handshakes(&self, peer_id: &str) -> usize {
        self.count("handshake.completed", peer_id)
    }

    /// Waits until the peer `peer_id`, with whom it became ready so often, is gone.
    pub(crate) fn lost(&self, peer_id: &str) -> Result<()> {
        let is_lost = || Ok((self.count("peer.disconnected", peer_id) == self.handshakes(peer_id)).then_some(()));
        self.process.poll(&format!("end of {peer_id}"), Duration::from_secs(30), is_lost)
    }

    fn count(&self, name: &str, peer_id: &str) -> usize {
        self.process.read(|lines| lines.iter().filter(|line| line.is(name, peer_id)).count())
    }

    /// Watches for `duration` that the peer `peer_id` neither goes nor is refused. One of two connections may: both sides dial at once.
    pub(crate) fn keeps(&self, peer_id: &str, duration: Duration) -> Result<()> {
        self.process.ensure_none("end of the session", duration, |line| {
            let ends = line.is("peer.disconnected", peer_id) || line.is("handshake.rejected", peer_id);
            ends && line.str("reason") != "duplicate"
        })
    }

    /// Shuts it down by SIGTERM.
    pub(crate) fn stop(self) -> Result<ExitStatus> {
        self.process.stop()
    }
}
