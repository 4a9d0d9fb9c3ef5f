//! Samples, what processes use, and the table.

use std::fmt;
use std::fs::read_to_string;

use anyhow::{Context, Result};

/// The smallest value that `percent` of the samples do not exceed; zero without samples.
pub(crate) fn percentile(samples: &mut [f64], percent: usize) -> f64 {
    samples.sort_by(f64::total_cmp);
    let at = (samples.len() * percent).div_ceil(100).saturating_sub(1);
    samples.get(at).copied().unwrap_or_default()
}

/// The middle of the runs.
pub(crate) fn median(samples: &[f64]) -> f64 {
    percentile(&mut samples.to_vec(), 50)
}

/// Processor time of a process so far, user and system, in steps of 10 ms.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64> {
    let stat = read_to_string(format!("/proc/{process}/stat"))?;
    // fields 14 and 15, counted behind the name, which may hold spaces
    let (_, fields) = stat.rsplit_once(')').context("/proc/…/stat has no name")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// Resident memory of a process, MB; `peak` for the most that it ever had.
pub(crate) fn resident_mb(process: u32, peak: bool) -> Result<f64> {
    let name = if peak { "VmHWM:" } else { "VmRSS:" };
    let status = read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("/proc/…/status has no such line")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024.0 / 1e6)
}

/// What the machine did in the last minute, besides us and with us.
pub(crate) fn load_average() -> String {
    read_to_string("/proc/loadavg")
        .map_or_else(|_| "unknown".to_owned(), |line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}

/// `USER_HZ`, which Linux shows to programs as 100 everywhere.
const TICKS_PER_SECOND: f64 = 100.0;

/// What is aimed at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim {
    Below(f64),
    Least(f64),
    /// Nothing: told for what it is.
    None,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    section: &'static str,
    what: String,
    measured: f64,
    unit: &'static str,
    aim: Aim,
}

/// Everything measured.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    pub(crate) fn add(
        &mut self,
        section: &'static str,
        what: impl Into<String>,
        measured: f64,
        unit: &'static str,
        aim: Aim,
    ) {
        let row = Row { section, what: what.into(), measured, unit, aim };
        println!("{row}");
        self.0.push(row);
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { section, what, measured, unit, aim } = self;
        let decimals = if *measured >= 1000.0 || measured.fract() == 0.0 { 0 } else { 2 };
        let (aim, met) = match *aim {
            Aim::Below(most) => (format!("<= {most}"), if *measured <= most { "met" } else { "MISSED" }),
            Aim::Least(least) => (format!(">= {least}"), if *measured >= least { "met" } else { "MISSED" }),
            Aim::None => (String::new(), ""),
        };
        write!(f, "{section:<8} {what:<62} {measured:>12.decimals$} {unit:<8} {aim:>10} {met}")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<8} {:<62} {:>12} {:<8} {:>10}", "section", "what", "measured", "", "aim")?;
        self.0.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}
