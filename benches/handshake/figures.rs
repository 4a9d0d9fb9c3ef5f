//! Samples, and what is printed of them.

use std::fmt;
use std::fs::read_to_string;

use anyhow::{Context, Result};
use tokio::time::Instant;

/// Durations in milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures(Vec<f64>);

impl Figures {
    pub(crate) fn add(&mut self, duration_ms: f64) {
        self.0.push(duration_ms);
    }

    pub(crate) fn extend(&mut self, more: impl IntoIterator<Item = f64>) {
        self.0.extend(more);
    }

    /// The smallest value that `percent` of the samples do not exceed; zero without samples.
    pub(crate) fn p(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>7.3} {:>7.3}", self.p(50), self.p(95))
    }
}

/// Wall and processor time that many connections took together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    connections: usize,
    seconds: f64,
    cpu_seconds: f64,
}

/// The moment from which time is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    wall: Instant,
    cpu_seconds: f64,
}

impl Spent {
    pub(crate) fn start() -> Result<Start> {
        Ok(Start { cpu_seconds: cpu_seconds()?, wall: Instant::now() })
    }

    /// Connections that a core makes in a second of its time.
    pub(crate) fn per_cpu_second(&self) -> f64 {
        self.connections as f64 / self.cpu_seconds
    }
}

impl Start {
    pub(crate) fn end(self, connections: usize) -> Result<Spent> {
        let seconds = self.wall.elapsed().as_secs_f64();
        Ok(Spent { connections, seconds, cpu_seconds: cpu_seconds()? - self.cpu_seconds })
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (per_second, each) = (self.connections as f64 / self.seconds, 1000.0 / self.per_cpu_second());
        write!(f, "{per_second:>8.0} {each:>12.2} {:>12.0}", self.per_cpu_second())
    }
}

/// Processor time of this process so far, user and system, in steps of 10 ms.
fn cpu_seconds() -> Result<f64> {
    let stat = read_to_string("/proc/self/stat")?;
    // fields 14 and 15, counted behind the name, which may hold spaces
    let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat has no name")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// `USER_HZ`, which Linux shows to programs as 100 everywhere.
const TICKS_PER_SECOND: f64 = 100.0;
