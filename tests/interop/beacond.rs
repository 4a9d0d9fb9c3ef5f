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
        let process = scenario.spawn(name, &mut command)?;
        let started =
            process.wait_for("node.started", Duration::from_secs(20), |line| line.event() == "node.started")?;
        Ok(Self { process, started })
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
