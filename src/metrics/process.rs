//! Metrics of the process, under the names that every Prometheus dashboard knows, read on scrape from `/proc`.
//!
//! Registered once by `registry.rs`. Keeps nothing; where there is no `/proc`, the families are absent.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::FamilyInfo;

/// Reads the process's own figures at every scrape.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (info, read) in FAMILIES.iter().zip(READERS) {
            let Some(value) = read() else { continue };
            let encoder = encoder.encode_descriptor(info.name, info.help, info.unit.as_ref(), info.kind)?;
            match info.kind {
                MetricType::Counter => ConstCounter::new(value).encode(encoder)?,
                _ => ConstGauge::new(value).encode(encoder)?,
            }
        }
        Ok(())
    }
}

/// What the families are.
pub(super) fn families() -> impl Iterator<Item = &'static FamilyInfo> {
    FAMILIES.iter()
}

/// In the order of [`READERS`].
const FAMILIES: &[FamilyInfo; 4] = &[
    FamilyInfo {
        name: "process_resident_memory",
        kind: MetricType::Gauge,
        unit: Some(Unit::Bytes),
        help: "Resident memory.",
        labels: &[],
    },
    FamilyInfo {
        name: "process_cpu",
        kind: MetricType::Counter,
        unit: Some(Unit::Seconds),
        help: "User and system CPU time spent.",
        labels: &[],
    },
    FamilyInfo {
        name: "process_open_fds",
        kind: MetricType::Gauge,
        unit: None,
        help: "Open file descriptors.",
        labels: &[],
    },
    FamilyInfo {
        name: "process_start_time",
        kind: MetricType::Gauge,
        unit: Some(Unit::Seconds),
        help: "Start of the process, since the Unix epoch.",
        labels: &[],
    },
];

const READERS: [fn() -> Option<f64>; 4] = [resident_bytes, cpu_seconds, open_fds, start_seconds];

fn resident_bytes() -> Option<f64> {
    resident_bytes_in(&fs::read_to_string("/proc/self/status").ok()?)
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    Some((stat_field(&stat, UTIME)? + stat_field(&stat, STIME)?) / TICKS_PER_SECOND)
}

fn open_fds() -> Option<f64> {
    // the listing itself holds one open
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
}

fn start_seconds() -> Option<f64> {
    let since_boot = stat_field(&fs::read_to_string("/proc/self/stat").ok()?, START_TIME)? / TICKS_PER_SECOND;
    Some(boot_seconds_in(&fs::read_to_string("/proc/stat").ok()?)? + since_boot)
}

fn resident_bytes_in(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn boot_seconds_in(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// The field of `/proc/self/stat` with this number, counted from 1 as in proc(5).
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    // the second field, the program's name in parentheses, may hold spaces and parentheses
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(number - 3)?.trim().parse().ok()
}

const UTIME: usize = 14;
const STIME: usize = 15;
const START_TIME: usize = 22;

/// `USER_HZ`: 100 for user space on every architecture that Rust's standard library supports on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_figures_past_an_awkward_program_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 101 0 0 0 250 50 0 0 20 0 1 0 129900 3133440 392";
        let fields = [UTIME, STIME, START_TIME].map(|number| stat_field(stat, number));
        assert_eq!(fields, [Some(250.0), Some(50.0), Some(129_900.0)]);
        assert_eq!(resident_bytes_in("Name:\tbeacond\nVmRSS:\t    1684 kB\nThreads:\t3\n"), Some(1_724_416.0));
        assert_eq!(boot_seconds_in("cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000.0));
    }

    #[test]
    fn has_no_figure_where_a_file_is_cut_short() {
        assert_eq!(stat_field("7 (beacond) S 1", UTIME), None);
        assert_eq!(stat_field("", UTIME), None);
        assert_eq!(resident_bytes_in("VmRSS:\n"), None);
        assert_eq!(boot_seconds_in("btime soon\n"), None);
    }
}
