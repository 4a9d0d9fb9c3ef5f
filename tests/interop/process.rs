//! A child process whose output is read line by line, and that never outlives the scenario.
//!
//! Every scenario starts its peers through here. Children stay in the test's process group, so that an interrupt reaches them too,
//! and hold a pipe to the test as stdin, which tells the JavaScript peers when it died.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// How long a process may take to heed one signal.
const GRACE: Duration = Duration::from_secs(3);

/// One line of output, of either stream.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// As it was written, without the newline.
    pub(crate) text: String,
    /// The same, when it is a JSON object; else null.
    json: Value,
}

impl Line {
    fn new(text: String) -> Self {
        let json = if text.starts_with('{') { serde_json::from_str(&text).unwrap_or_default() } else { Value::Null };
        Self { text, json }
    }

    /// The name of the event; empty where the line is none.
    pub(crate) fn event(&self) -> &str {
        self.str("event")
    }

    /// A field of the JSON object; null where there is none.
    pub(crate) fn field(&self, name: &str) -> &Value {
        &self.json[name]
    }

    /// A field that is a string; empty where it is not.
    pub(crate) fn str(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap_or_default()
    }

    /// Whether this is the event `name` about the peer `peer_id`.
    pub(crate) fn is(&self, name: &str, peer_id: &str) -> bool {
        self.event() == name && self.str("peer_id") == peer_id
    }
}

/// A running child and everything that it wrote.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    output: Arc<Output>,
}

#[derive(Debug, Default)]
struct Output {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    /// Streams that are still open; none means that the process is gone.
    open: usize,
}

impl Process {
    /// Starts `command`; its output also goes to `<logs>/<name>.log`.
    pub(crate) fn spawn(name: &str, command: &mut Command, logs: &Path) -> Result<Self> {
        let log = File::create(logs.join(format!("{name}.log")))?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let output = Arc::<Output>::default();
        output.state().open = 2;
        follow(child.stdout.take().expect("stdout is piped"), log.try_clone()?, Arc::clone(&output));
        follow(child.stderr.take().expect("stderr is piped"), log, Arc::clone(&output));
        Ok(Self { name: name.to_owned(), child, output })
    }

    /// Writes a line to its stdin.
    pub(crate) fn send(&self, line: &str) -> Result<()> {
        let mut stdin = self.child.stdin.as_ref().context("stdin is piped")?;
        writeln!(stdin, "{line}").with_context(|| format!("{}: writing to its stdin", self.name))
    }

    /// Waits for a line that matches, those already written included.
    pub(crate) fn wait_for(&self, what: &str, timeout: Duration, matches: impl Fn(&Line) -> bool) -> Result<Line> {
        let (found, running) = self.scan(timeout, matches);
        match found {
            Some(line) => Ok(line),
            None if running => bail!("{}: no {what} within {timeout:?}", self.name),
            None => bail!("{}: ended before {what}", self.name),
        }
    }

    /// Watches for `duration`; a line that matches, already written or new, is an error, and so is the end of the process.
    pub(crate) fn ensure_none(&self, what: &str, duration: Duration, matches: impl Fn(&Line) -> bool) -> Result<()> {
        match self.scan(duration, matches) {
            (Some(line), _) => bail!("{}: unexpected {what}: {}", self.name, line.text),
            (None, true) => Ok(()),
            (None, false) => bail!("{}: ended", self.name),
        }
    }

    /// Repeats `check` as the process writes, and at least twice a second, until it yields something.
    pub(crate) fn poll<T>(&self, what: &str, timeout: Duration, check: impl Fn() -> Result<Option<T>>) -> Result<T> {
        let end = tokio::time::Instant::now() + timeout;
        let mut last = None;
        while tokio::time::Instant::now() < end {
            match check() {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(error) => last = Some(error),
            }
            let state = self.output.state();
            anyhow::ensure!(state.open > 0, "{}: ended before {what}", self.name);
            drop(self.output.changed.wait_timeout(state, Duration::from_millis(500)));
        }
        let error = anyhow::anyhow!("{}: no {what} within {timeout:?}", self.name);
        Err(last.map_or_else(|| error, |cause| cause.context(format!("{}: no {what} within {timeout:?}", self.name))))
    }

    /// Asks the process to end and returns how it did.
    pub(crate) fn stop(mut self) -> Result<ExitStatus> {
        self.signal("TERM");
        self.wait(4 * GRACE)
    }

    /// Asks the process to end, and makes it end if it does not.
    pub(crate) fn end(&mut self) {
        // Lodestar 1.5.1 closes its sockets at the first signal and ends at the second.
        for _ in 0..2 {
            if self.ends_within(Duration::ZERO) {
                break;
            }
            self.signal("TERM");
            self.ends_within(GRACE);
        }
        // Both fail only for a process that is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for the end of the process and returns how it did.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        anyhow::ensure!(self.ends_within(timeout), "{}: still running after {timeout:?}", self.name);
        Ok(self.child.wait()?)
    }

    /// Shows everything that the process has written so far.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&[Line]) -> T) -> T {
        read(&self.output.state().lines)
    }

    /// The first match, and whether the process was still running at the end of the search.
    fn scan(&self, timeout: Duration, matches: impl Fn(&Line) -> bool) -> (Option<Line>, bool) {
        let mut next = 0;
        let mut found = None;
        let unsettled = |state: &mut State| {
            found = state.lines[next..].iter().find(|line| matches(line)).cloned();
            next = state.lines.len();
            found.is_none() && state.open > 0
        };
        let waited = self.output.changed.wait_timeout_while(self.output.state(), timeout, unsettled);
        let running = waited.unwrap_or_else(PoisonError::into_inner).0.open > 0;
        (found, running)
    }

    /// Waits for the end of the process, or for as long; whether it ended.
    pub(crate) fn ends_within(&self, timeout: Duration) -> bool {
        let running = |state: &mut State| state.open > 0;
        let waited = self.output.changed.wait_timeout_while(self.output.state(), timeout, running);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Sends a signal, by its name without `SIG`, unless the process has ended.
    pub(crate) fn signal(&self, name: &str) {
        // The child is not waited for yet, so its id cannot belong to another process; one that is gone needs no signal.
        let _ = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{name} {}", self.child.id()))
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

impl Output {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn follow(stream: impl Read + Send + 'static, mut log: File, output: Arc<Output>) {
    std::thread::spawn(move || {
        for text in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&text).into_owned();
            // The log is for people; the scenario reads memory.
            let _ = writeln!(log, "{text}");
            output.state().lines.push(Line::new(text));
            output.changed.notify_all();
        }
        output.state().open -= 1;
        output.changed.notify_all();
    });
}

/// Prints the last `tail` lines of every log in a directory, for a scenario that failed.
pub(crate) fn print_logs(dir: &Path, tail: usize) -> Result<()> {
    let mut logs: Vec<_> = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.sort();
    for path in logs {
        let text = fs::read_to_string(&path)?;
        let lines: Vec<_> = text.lines().collect();
        eprintln!("---- {} (last of {} lines)", path.display(), lines.len());
        lines[lines.len().saturating_sub(tail)..].iter().for_each(|line| eprintln!("{line}"));
    }
    Ok(())
}
