//! What is measured of whole nodes, and against what.

use anyhow::Result;
use beacond::time::unix_now_ms;

use crate::figures::{Aim, Table, median, percentile, resident_mb};
use crate::load::Part;
use crate::run::{Played, Run, Tested, pause_until};
use crate::scenario::{Scenario, Timed};

/// All attestation subnets there are.
const ALL: u16 = 64;

/// The share of messages that are told of unless an operator asks for more.
const SAMPLE: f64 = 0.001;

fn scenario(parts: Vec<Timed>) -> Scenario {
    Scenario {
        genesis_time: 0,
        slot_seconds: 12,
        attestation_subnets: ALL,
        silent: 0,
        sample: SAMPLE,
        parts,
        asks: false,
    }
}

const fn at(offset_ms: u64, part: Part) -> Timed {
    Timed { offset_ms, part }
}

/// What a node costs that runs as it comes, with 50 peers.
pub(crate) fn default(table: &mut Table, quick: bool) -> Result<()> {
    let slots = if quick { 1 } else { 2 };
    // what is needed once is loaded in the first part
    let parts = vec![at(0, Part::Slots { slots: 1 }), at(12_000, Part::Slots { slots })];
    let scenario = Scenario { attestation_subnets: 2, silent: 42, ..scenario(parts) };
    let scenario = scenario.soon();
    let mut run = Run::start(Tested::Ours, &scenario)?;
    run.play_on_time(0)?;
    let played = run.play_on_time(1)?;
    // to the end of the slot: idle time is part of it
    let start_ms = scenario.start_ms() + 12_000;
    let end_ms = start_ms + slots * 12_000 + 500;
    let before = crate::figures::cpu_seconds(run.receiver.id())?;
    pause_until(end_ms);
    let rest = crate::figures::cpu_seconds(run.receiver.id())? - before;
    let seconds = (end_ms - start_ms) as f64 / 1000.0;
    let report = run.report()?;
    let share = (played.cpu_seconds + rest) / seconds * 100.0;
    table.add("default", "processor, of one core, 2 subnets, 8 columns, 50 peers", share, "%", Aim::Below(5.0));
    table.add("default", "resident at the end", resident_mb(run.receiver.id(), false)?, "MB", Aim::Below(80.0));
    table.add("default", "resident at most", resident_mb(run.receiver.id(), true)?, "MB", Aim::None);
    let peers = f64::from(u32::try_from(crate::load::SENDERS + scenario.silent)?);
    let each_kb = run.peers_mb * 1_000.0 / peers;
    table.add("default", "resident for each peer, ready and in its topics", each_kb, "kB", Aim::Below(300.0));
    table.add("default", "copies a second", played.sent.copies as f64 / seconds, "/s", Aim::None);
    let unjudged = report.unique.saturating_sub(report.judged) + report.overflowed + report.lost;
    table.add("default", "messages unjudged", unjudged as f64, "", Aim::Below(0.0));
    table.add("default", "messages rejected", report.rejected as f64, "", Aim::Below(0.0));
    table.add("default", "late in handing to the socket, p99", played.sent.late_ms[1], "ms", Aim::None);
    Ok(())
}

/// A node on all subnets: mainnet's average, then the burst after the deadline of attestations.
pub(crate) fn all(table: &mut Table, quick: bool) -> Result<()> {
    let even = Part::Even { copies_per_second: 15_000, seconds: if quick { 3 } else { 11 } };
    let burst = Part::Burst { copies_per_second: 60_000, seconds: 2 };
    let bursts = if quick { 1 } else { 3 };
    let timed = [at(0, Part::First), at(4_000, even)];
    let parts: Vec<_> = timed.into_iter().chain(std::iter::repeat_n(at(0, burst), bursts)).collect();

    let scenario = Scenario { sample: 1.0, asks: true, ..scenario(parts.clone()) }.soon();
    let mut run = Run::start(Tested::Ours, &scenario)?;
    let warming = run.play_on_time(0)?.sent.messages;
    let (mut told, mut first) = (0, 0.0_f64);
    while told < warming {
        let report = run.report()?;
        told += report.told.values().sum::<u64>();
        first = first.max(report.judged_ms[2]);
        // nothing tells of the last one but the next report
        pause_until(unix_now_ms() + 50);
    }
    table.add("all", "arrival to verdict of the first columns since the start", first, "ms", Aim::None);
    let mut average = run.play_on_time(1)?;
    let report = run.report()?;
    let told: u64 = report.told.values().sum();
    let unjudged = average.sent.messages.abs_diff(told);
    table.add("all", "copies a second, average load", average.sent.copies as f64 / average.seconds, "/s", Aim::None);
    table.add("all", "messages unjudged, average load", unjudged as f64, "", Aim::Below(0.0));
    table.add("all", "arrival to verdict, p50, average load", report.judged_ms[0], "ms", Aim::None);
    table.add("all", "arrival to verdict, p99, average load", report.judged_ms[1], "ms", Aim::Below(50.0));
    table.add("all", "arrival to verdict, last, average load", report.judged_ms[2], "ms", Aim::None);
    let status = &mut average.sent.status_ms;
    table.add("all", format!("Status meanwhile, p50 of {}", status.len()), percentile(status, 50), "ms", Aim::None);
    table.add(
        "all",
        format!("Status meanwhile, p99 of {}", status.len()),
        percentile(status, 99),
        "ms",
        Aim::Below(100.0),
    );
    table.add(
        "all",
        "processor, of one core, average load",
        100.0 * average.cpu_seconds / average.seconds,
        "%",
        Aim::None,
    );
    table.add("all", "late in handing to the socket, p99, average load", average.sent.late_ms[1], "ms", Aim::None);
    for (reason, count) in report.told.iter().filter(|(reason, _)| *reason != "ignore unverifiable") {
        table.add("all", format!("verdicts other than unverifiable: {reason}"), *count as f64, "", Aim::None);
    }
    let mut ours = Vec::new();
    let mut unjudged = 0;
    for part in 2..2 + bursts {
        let played = run.play(part)?;
        let report = run.report()?;
        unjudged += played.sent.messages.abs_diff(report.told.values().sum());
        table.add("all", "arrival to verdict, p99, burst", report.judged_ms[1], "ms", Aim::None);
        ours.push(played.seconds);
    }
    table.add("all", "messages unjudged, bursts", unjudged as f64, "", Aim::Below(0.0));
    table.add("all", "resident at most", resident_mb(run.receiver.id(), true)?, "MB", Aim::None);
    drop(run);

    let scenario = Scenario { parts, ..scenario }.soon();
    let mut run = Run::start(Tested::Plain, &Scenario { asks: false, ..scenario })?;
    let plain = (2..2 + bursts).map(|part| Ok(run.play(part)?.seconds)).collect::<Result<Vec<_>>>()?;
    let (ours, plain) = (median(&ours), median(&plain));
    table.add("all", "120,000 copies in 2 s drained by ours, median, after", ours, "s", Aim::None);
    table.add("all", "120,000 copies in 2 s drained by plain, median, after", plain, "s", Aim::None);
    table.add("all", "ours over plain", ours / plain, "x", Aim::Below(1.25));
    Ok(())
}

/// What a core gets done when there is more than it can do.
pub(crate) fn core(table: &mut Table, quick: bool) -> Result<()> {
    let (rounds, messages) = if quick { (1, 10_000) } else { (4, 30_000) };
    let round = [Part::Rush { messages, copies: 4 }, Part::Rush { messages, copies: 1 }];
    let parts: Vec<_> = std::iter::repeat_n(round, rounds).flatten().map(|part| at(0, part)).collect();
    let scenario = Scenario { slot_seconds: 2, ..scenario(parts) };

    let mut ours = Run::start(Tested::Ours, &scenario.clone().soon())?;
    let mut plain = Run::start(Tested::Plain, &scenario.soon())?;
    let (mut ours_runs, mut plain_runs) = (Vec::new(), Vec::new());
    for part in 0..2 * rounds {
        // in turns, so that whatever else the machine does falls on both
        ours_runs.push(ours.play(part)?);
        plain_runs.push(plain.play(part)?);
    }
    pause_until(unix_now_ms() + 2_200);
    let report = ours.report()?;
    let [ours_four, ours_one] = by_turns(ours_runs);
    let [plain_four, plain_one] = by_turns(plain_runs);

    let unjudged = report.unique.saturating_sub(report.judged) + report.overflowed + report.lost;
    for (what, ours, plain) in [("4 copies each", &ours_four, &plain_four), ("1 copy each", &ours_one, &plain_one)] {
        let per_core = |runs: &[Played]| {
            median(&runs.iter().map(|run| run.sent.copies as f64 / run.cpu_seconds).collect::<Vec<_>>())
        };
        let per_second =
            |runs: &[Played]| median(&runs.iter().map(|run| run.sent.copies as f64 / run.seconds).collect::<Vec<_>>());
        let (ours_core, plain_core) = (per_core(ours), per_core(plain));
        table.add("core", format!("copies a second of one core, ours, {what}"), ours_core, "/s", Aim::None);
        table.add("core", format!("copies a second of one core, plain, {what}"), plain_core, "/s", Aim::None);
        let aim = if what.starts_with('4') { Aim::Least(0.8) } else { Aim::None };
        table.add("core", format!("ours over plain, {what}"), ours_core / plain_core, "x", aim);
        table.add("core", format!("processor time of a copy, ours, {what}"), 1e6 / ours_core, "us", Aim::None);
        table.add("core", format!("processor time of a copy, plain, {what}"), 1e6 / plain_core, "us", Aim::None);
        table.add("core", format!("copies a second on this machine, ours, {what}"), per_second(ours), "/s", Aim::None);
        table.add(
            "core",
            format!("copies a second on this machine, plain, {what}"),
            per_second(plain),
            "/s",
            Aim::None,
        );
        if what.starts_with('1') {
            let what = "processor time of a message of 240 B, verdict included";
            table.add("core", what, 1e6 / ours_core, "us", Aim::Below(30.0));
        }
    }
    table.add("core", "messages unjudged", unjudged as f64, "", Aim::None);
    Ok(())
}

/// The runs of even number, and the others.
fn by_turns(runs: Vec<Played>) -> [Vec<Played>; 2] {
    let (mut even, mut odd) = (Vec::new(), Vec::new());
    for (number, run) in runs.into_iter().enumerate() {
        if number % 2 == 0 { even.push(run) } else { odd.push(run) }
    }
    [even, odd]
}
