//! A process of this program that plays one role, seen from its parent, and what it uses to talk back: lines.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// A run that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// The first argument of a child.
pub(crate) const CHILD: &str = "--child";

/// A running child; killed when dropped.
#[derive(Debug)]
pub(crate) struct Child {
    role: &'static str,
    process: Process,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Child {
    pub(crate) fn start(role: &'static str, arguments: &[&str]) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(CHILD)
            .arg(role)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = process.stdin.take().context("stdin is piped")?;
        let stdout = process.stdout.take().context("stdout is piped")?;
        let (sender, lines) = sync_channel(1024);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { role, process, stdin, lines })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        writeln!(self.stdin, "{line}").with_context(|| format!("{} is gone", self.role))
    }

    /// Waits for a line with this first word; the rest of it. Other lines are passed over.
    pub(crate) fn hear(&self, word: &str) -> Result<String> {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).with_context(|| format!("{}: no {word}", self.role))?;
            match line.split_once(' ').unwrap_or((&line, "")) {
                (first, rest) if first == word => return Ok(rest.to_owned()),
                ("gone", rest) => bail!("the receiver lost a peer: {rest}"),
                _ => {}
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Tells the parent.
pub(crate) fn say(word: &str, rest: impl std::fmt::Display) {
    println!("{word} {rest}");
}

/// Tells the parent something with parts.
pub(crate) fn say_json(word: &str, value: &impl Serialize) -> Result<()> {
    say(word, serde_json::to_string(value)?);
    Ok(())
}

/// What the parent says, until it is gone.
pub(crate) fn heard() -> mpsc::Receiver<String> {
    // wait: the parent does
    let (sender, lines) = mpsc::channel(16);
    drop(spawn_blocking(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    }));
    lines
}
