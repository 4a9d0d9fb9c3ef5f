//! What surrounds every scenario: Node.js or a visible skip, the installed peers, a private network, a directory of its own,
//! and the logs of all processes when it fails (whole in its directory, which then stays).

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{env, net};

use anyhow::{Context, Result, anyhow};
use beacond::time::unix_now_ms;
use tempfile::TempDir;

use crate::npm::{self, Package};
use crate::process::{Process, print_logs};

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "BEACOND_INTEROP_NAMESPACE";

/// Lines shown of each log when a scenario fails.
const TAIL: usize = 60;

/// One running scenario.
#[derive(Debug)]
pub(crate) struct Scenario {
    dir: TempDir,
    passed: Cell<bool>,
}

/// Runs `body` where Node.js is present; elsewhere says that it does not.
pub(crate) fn run(body: impl FnOnce(&Scenario) -> Result<()>) -> Result<()> {
    if !succeeds(Command::new("node").arg("--version")) {
        notice("skipped: Node.js not found");
        return Ok(());
    }
    prepare()?;
    let scenario = Scenario { dir: TempDir::with_prefix("beacond-interop-")?, passed: Cell::new(false) };
    let result = body(&scenario);
    scenario.passed.set(result.is_ok());
    result
}

impl Scenario {
    /// A new directory of that name.
    pub(crate) fn subdirectory(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.path().join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Starts `command` under `name`, which also names its log.
    pub(crate) fn spawn(&self, name: &str, command: &mut Command) -> Result<Process> {
        Process::spawn(name, command, self.dir.path())
    }

    /// `node` in a new directory `name`, with the prelude loaded, the scripts of the package beside it and its modules in reach.
    pub(crate) fn node(&self, name: &str, package: Package) -> Result<Command> {
        let dir = self.subdirectory(name)?;
        std::os::unix::fs::symlink(package.installation()?.join("node_modules"), dir.join("node_modules"))?;
        fs::copy(npm::peers().join("prelude.mjs"), dir.join("prelude.mjs"))?;
        let script = package.source().join("peer.mjs");
        if script.exists() {
            fs::copy(script, dir.join("peer.mjs"))?;
        }
        let mut command = Command::new("node");
        command.arg("--import").arg("./prelude.mjs").current_dir(dir).env_remove("NODE_OPTIONS");
        remove_variables(&mut command, "LODESTAR_");
        Ok(command)
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        if !self.passed.get() {
            self.dir.disable_cleanup(true);
            // Nothing more can be done about a log that cannot be read.
            let _ = print_logs(self.dir.path(), TAIL);
        }
    }
}

/// Takes the variables of that prefix from a program that would read them as options.
pub(crate) fn remove_variables(command: &mut Command, prefix: &str) {
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(prefix)) {
        command.env_remove(name);
    }
}

/// Held while a heavy peer starts: two at once on two cores would run into each other's timeouts.
pub(crate) fn heavy_start() -> MutexGuard<'static, ()> {
    static STARTING: Mutex<()> = Mutex::new(());
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A port that is free for TCP and UDP, below those that the system gives to outgoing connections.
pub(crate) fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Apart from those of another test process on the same host.
    let base = 20_000 + u16::try_from(std::process::id() % 100)? * 100;
    let free = |port: u16| {
        net::TcpListener::bind(("127.0.0.1", port)).is_ok() && net::UdpSocket::bind(("127.0.0.1", port)).is_ok()
    };
    (0..100).map(|_| base + NEXT.fetch_add(1, Ordering::Relaxed) % 100).find(|port| free(*port)).context("no free port")
}

/// Seconds since the Unix epoch.
pub(crate) fn unix_time() -> u64 {
    unix_now_ms() / 1000
}

/// Writes a line that libtest does not capture.
pub(crate) fn notice(text: &str) {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "interop: {text}");
}

/// Installs the peers and moves into the namespace, once; the other scenarios wait.
fn prepare() -> Result<()> {
    static PREPARED: OnceLock<Result<(), String>> = OnceLock::new();
    let prepared = PREPARED.get_or_init(|| {
        npm::install_all().map_err(|error| format!("{error:#}"))?;
        if env::var_os(INSIDE).is_none() {
            enter_namespace().map_err(|error| format!("{error:#}"))?;
        }
        Ok(())
    });
    prepared.clone().map_err(|error| anyhow!(error))
}

/// Replaces this process by itself in a network of its own. Returns where the system does not permit that.
fn enter_namespace() -> Result<()> {
    let ways: [&[&str]; 2] = [&["--net"], &["--net", "--map-root-user"]];
    let Some(way) = ways
        .into_iter()
        .find(|way| succeeds(Command::new("unshare").args(*way).args(["ip", "link", "set", "lo", "up"])))
    else {
        notice("no private network here (unshare or ip is missing or not permitted): using the host's loopback");
        return Ok(());
    };
    let error = Command::new("unshare")
        .args(way)
        .args(["sh", "-c", r#"ip link set lo up && exec "$0" "$@""#])
        .arg(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    Err(error).context("unshare")
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// How long a peer must keep us: as long as `BEACOND_SOAK_SECONDS` says, or else a short while.
pub(crate) fn soak(short: Duration) -> Result<Duration> {
    let Some(seconds) = env::var_os("BEACOND_SOAK_SECONDS") else { return Ok(short) };
    let seconds = seconds.to_str().and_then(|text| text.parse().ok());
    Ok(Duration::from_secs(seconds.context("BEACOND_SOAK_SECONDS is not a number of seconds")?).max(short))
}
