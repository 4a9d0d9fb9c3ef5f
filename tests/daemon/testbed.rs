//! What surrounds every scenario: a directory of its own, a network whose genesis is past, and the logs of all daemons
//! when it fails (whole in its directory, which then stays).

use std::cell::Cell;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use beacond::time::unix_now_ms;
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::network;
use crate::process::{Process, print_logs};

/// Lines shown of each log when a scenario fails.
const TAIL: usize = 25;

/// One running scenario.
#[derive(Debug)]
pub(crate) struct Testbed {
    dir: TempDir,
    network: PathBuf,
    /// Processes started; numbers their logs, because a daemon may start more than once.
    started: Cell<u32>,
    passed: Cell<bool>,
}

/// Runs `body` on a network that is an hour old.
pub(crate) fn run(body: impl FnOnce(&Testbed) -> Result<()>) -> Result<()> {
    let dir = TempDir::with_prefix("beacond-daemon-")?;
    let network = dir.path().join("network");
    fs::create_dir(&network)?;
    network::write(network.clone(), &network::fulu_config(), &network::genesis_head(unix_now_ms() / 1000 - 3600))?;
    let testbed = Testbed { dir, network, started: Cell::new(0), passed: Cell::new(false) };
    let result = body(&testbed);
    testbed.passed.set(result.is_ok());
    result
}

impl Testbed {
    /// A path in the directory of the scenario.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory of the network.
    pub(crate) fn network(&self) -> &Path {
        &self.network
    }

    /// `beacond run` on the data directory `name`, on loopback, without the variables of whoever runs the tests.
    pub(crate) fn command(&self, name: &str, flags: &[&str]) -> Command {
        let mut command = beacond();
        command.arg("run");
        if !flags.contains(&"--testnet-dir") {
            command.arg("--network-dir").arg(&self.network);
        }
        if !flags.contains(&"--port") {
            command.args(["--port", "0"]);
        }
        if !flags.contains(&"--log-format") {
            command.args(["--log-format", "json"]);
        }
        if !flags.contains(&"--log-level") {
            command.args(["--log-level", "info,beacond=debug,evt=trace"]);
        }
        command.arg("--data-dir").arg(self.path(name));
        command.args(["--listen-address", "127.0.0.1"]).args(flags);
        command
    }

    /// Starts a daemon without waiting for anything.
    pub(crate) fn spawn(&self, name: &str, flags: &[&str]) -> Result<Process> {
        let number = self.started.get();
        self.started.set(number + 1);
        Process::spawn(&format!("{number:02}-{name}"), &mut self.command(name, flags), self.dir.path())
    }

    /// Starts a daemon and waits until it listens.
    pub(crate) fn start(&self, name: &str, flags: &[&str]) -> Result<Daemon> {
        Daemon::listening(self.spawn(name, flags)?)
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        if !self.passed.get() {
            self.dir.disable_cleanup(true);
            // Nothing more can be done about a log that cannot be read.
            let _ = print_logs(self.dir.path(), TAIL);
        }
    }
}

/// The binary, in an environment without options for it.
pub(crate) fn beacond() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_beacond"));
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BEACOND_")) {
        command.env_remove(name);
    }
    command
}
