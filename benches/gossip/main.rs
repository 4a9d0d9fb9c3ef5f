//! What gossip costs: a load shaped like mainnet's over loopback from eight peers in another process, into a whole node of
//! ours and, in the same run, into libp2p's gossipsub that only deduplicates.
//!
//! Prints a table with what is aimed at; takes three minutes. Processor time is that of the receiver's process alone. What
//! else the machine does shows in wall times; ratios are of the same run. Messages pass every rule that needs no state.
//!
//! `cargo bench --bench gossip [-- default all core judge seen] [--quick]`

#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

mod chain;
mod child;
mod figures;
mod frame;
mod judge;
mod load;
mod messages;
mod ours;
mod plain;
mod run;
mod scenario;
mod sections;
mod seen;
mod senders;

use std::time::Duration;

use anyhow::{Result, bail};
use beacond::tasks::runtime;
use tokio::runtime::Builder;

use child::CHILD;
use figures::{Table, load_average};
use scenario::Scenario;

const SECTIONS: [&str; 5] = ["default", "all", "core", "judge", "seen"];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [CHILD, role, rest @ ..] => play_role(role, rest),
        words => measure(words),
    }
}

fn measure(words: &[&str]) -> Result<()> {
    let quick = words.contains(&"--quick");
    let wanted: Vec<_> = words.iter().copied().filter(|word| !word.starts_with("--")).collect();
    if let Some(unknown) = wanted.iter().find(|word| !SECTIONS.contains(word)) {
        bail!("no section {unknown}; there are {}", SECTIONS.join(", "));
    }
    let mut table = Table::default();
    println!("load average before: {}", load_average());
    for section in SECTIONS.into_iter().filter(|section| wanted.is_empty() || wanted.contains(section)) {
        match section {
            "default" => sections::default(&mut table, quick)?,
            "all" => sections::all(&mut table, quick)?,
            "core" => sections::core(&mut table, quick)?,
            "judge" => judge::section(&mut table, Duration::from_millis(if quick { 100 } else { 1_000 }))?,
            _ => seen::section(&mut table, if quick { 200_000 } else { 2_300_000 })?,
        }
    }
    println!("\n{table}\nload average after: {}", load_average());
    Ok(())
}

fn play_role(role: &str, rest: &[&str]) -> Result<()> {
    let runtime = match role {
        // as libp2p's users run it
        "plain" => Builder::new_multi_thread().worker_threads(2).enable_all().build(),
        _ => runtime(),
    };
    runtime?.block_on(async {
        match (role, rest) {
            ("ours", [scenario]) => ours::run(serde_json::from_str(scenario)?).await,
            ("plain", [scenario]) => plain::run(serde_json::from_str(scenario)?).await,
            ("senders", [scenario, address, handshakes]) => {
                let scenario: Scenario = serde_json::from_str(scenario)?;
                senders::run(scenario, address, *handshakes == "yes").await
            }
            ("router", []) => seen::router().await,
            ("feeder", [address]) => seen::feeder(address).await,
            _ => bail!("no role {role}"),
        }
    })
}
