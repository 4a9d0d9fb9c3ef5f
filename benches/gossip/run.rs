//! One receiver under test with its peers, driven by the parent.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use beacond::time::unix_now_ms;

use crate::child::Child;
use crate::figures::{cpu_seconds, resident_mb};
use crate::load::SENDERS;
use crate::ours::Report;
use crate::scenario::Scenario;
use crate::senders::Sent;

/// What is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tested {
    Ours,
    Plain,
}

/// Time to start, connect and make the messages, seconds.
const SET_UP: u64 = 6;

/// How long before a part starts the senders are told.
const NOTICE_MS: u64 = 200;

/// A receiver and its peers, ready.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) receiver: Child,
    senders: Child,
    start_ms: u64,
    offsets_ms: Vec<u64>,
    /// What the peers of the receiver take of its memory, before they send anything.
    pub(crate) peers_mb: f64,
}

/// What became of a part.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub(crate) sent: Sent,
    /// Of the receiver, until everything was read and judged.
    pub(crate) cpu_seconds: f64,
    /// From the first copy to the last verdict.
    pub(crate) seconds: f64,
}

impl Scenario {
    /// The scenario, at a time that leaves enough to set it up.
    pub(crate) fn soon(mut self) -> Self {
        let start = unix_now_ms() / 1000 + SET_UP;
        self.genesis_time = start - crate::chain::FIRST_SLOT.0 * self.slot_seconds;
        self
    }
}

impl Run {
    pub(crate) fn start(tested: Tested, scenario: &Scenario) -> Result<Self> {
        let text = serde_json::to_string(scenario)?;
        let (role, handshakes) = match tested {
            Tested::Ours => ("ours", "yes"),
            Tested::Plain => ("plain", "no"),
        };
        let receiver = Child::start(role, &[&text])?;
        let address = receiver.hear("listening")?;
        let alone_mb = resident_mb(receiver.id(), false)?;
        let mut senders = Child::start("senders", &[&text, &address, handshakes])?;
        for _ in 0..SENDERS + scenario.silent {
            receiver.hear("peer")?;
        }
        senders.hear("ready")?;
        senders.tell("open")?;
        senders.hear("open")?;
        let peers_mb = resident_mb(receiver.id(), false)? - alone_mb;
        let start_ms = scenario.start_ms();
        ensure!(unix_now_ms() + NOTICE_MS < start_ms, "setting up took too long: the machine is too busy");
        let offsets_ms = scenario.parts.iter().map(|timed| timed.offset_ms).collect();
        Ok(Self { receiver, senders, start_ms, offsets_ms, peers_mb })
    }

    /// Plays a part at its time.
    pub(crate) fn play_on_time(&mut self, part: usize) -> Result<Played> {
        self.play_at(part, self.start_ms + self.offsets_ms[part])
    }

    /// Plays a part now.
    pub(crate) fn play(&mut self, part: usize) -> Result<Played> {
        self.play_at(part, unix_now_ms() + NOTICE_MS)
    }

    fn play_at(&mut self, part: usize, at_ms: u64) -> Result<Played> {
        self.senders.tell(&format!("play {part} {at_ms}"))?;
        pause_until(at_ms.saturating_sub(5));
        let before = cpu_seconds(self.receiver.id())?;
        let mut end_ms = at_ms;
        for _ in 0..SENDERS {
            end_ms = end_ms.max(self.receiver.hear("end")?.parse()?);
        }
        let cpu_seconds = cpu_seconds(self.receiver.id())? - before;
        let sent = serde_json::from_str(&self.senders.hear("played")?)?;
        Ok(Played { sent, cpu_seconds, seconds: (end_ms - at_ms) as f64 / 1000.0 })
    }

    /// What our receiver has told of since it was last asked.
    pub(crate) fn report(&mut self) -> Result<Report> {
        self.receiver.tell("report")?;
        serde_json::from_str(&self.receiver.hear("report")?).context("a report")
    }
}

/// Lets time pass until a moment, milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "nothing happens at that moment that could be waited for")]
pub(crate) fn pause_until(unix_ms: u64) {
    let left = Duration::from_millis(unix_ms.saturating_sub(unix_now_ms()));
    let end = Instant::now() + left;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::sleep(left.min(Duration::from_millis(100)));
        if left.is_zero() {
            return;
        }
    }
}
