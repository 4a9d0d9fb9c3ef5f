//! `beacond fork-digest`: what a network's schedule says, now or at an epoch.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use ssz::Encode;

use super::{Failure, print};
use crate::chain::{Boundary, ChainConfig, ForkSchedule, ForkState, NetworkName};
use crate::config::NETWORKS;
use crate::time::SlotClock;
use crate::types::Epoch;

/// Print the fork digest of a network, and the fork schedule around it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ForkDigestArgs {
    /// Network, by name [default: mainnet]
    #[arg(long, value_name = "NAME", value_parser = NETWORKS, env = "BEACOND_NETWORK", conflicts_with = "network_dir")]
    network: Option<String>,
    /// Network, by a directory with its config.yaml
    #[arg(long, value_name = "DIR", visible_alias = "testnet-dir", env = "BEACOND_NETWORK_DIR")]
    network_dir: Option<PathBuf>,
    /// Epoch to look at [default: the current one]
    #[arg(long, value_name = "EPOCH", conflicts_with = "all")]
    epoch: Option<u64>,
    /// Print every boundary of the schedule, past and to come
    #[arg(long)]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  beacond fork-digest
  beacond fork-digest --network hoodi --epoch 50688
  beacond fork-digest --network-dir ./devnet --all";

pub(super) fn execute(args: &ForkDigestArgs) -> Result<(), Failure> {
    let config = chain_config(args)?;
    let schedule = ForkSchedule::new(&config);
    if args.all {
        return show_all(&schedule, args.json);
    }
    let now = || SlotClock::system(config.genesis_time, config.slot_duration).epoch();
    let epoch = args.epoch.map_or_else(now, Epoch);
    show(&config.name, epoch, &schedule.state_at(epoch), args.json)
}

fn chain_config(args: &ForkDigestArgs) -> Result<ChainConfig, Failure> {
    if let Some(dir) = &args.network_dir {
        return ChainConfig::from_dir(dir).map_err(|error| Failure::usage("--network-dir", error));
    }
    let name = args.network.as_deref().unwrap_or(NETWORKS[0]);
    let name: NetworkName = name.parse().map_err(|error| Failure::usage("--network", error))?;
    Ok(ChainConfig::embedded(name))
}

/// The start of a stretch of epochs with one digest.
#[derive(Serialize)]
struct BoundaryView {
    epoch: Epoch,
    fork: &'static str,
    fork_version: String,
    fork_digest: String,
    max_blobs: Option<u64>,
}

impl From<Boundary> for BoundaryView {
    fn from(boundary: Boundary) -> Self {
        let Boundary { epoch, fork, version, fork_digest, max_blobs } = boundary;
        let (fork_version, fork_digest) = (version.to_string(), fork_digest.to_string());
        Self { epoch, fork: fork.as_str(), fork_version, fork_digest, max_blobs }
    }
}

/// What holds at one epoch.
#[derive(Serialize)]
struct DigestView<'a> {
    network: &'a str,
    epoch: Epoch,
    fork: &'static str,
    fork_version: String,
    fork_digest: String,
    since_epoch: Epoch,
    max_blobs: Option<u64>,
    next: Option<BoundaryView>,
    nfd: String,
    eth2: String,
}

fn show(network: &str, epoch: Epoch, state: &ForkState, json: bool) -> Result<(), Failure> {
    let view = DigestView {
        network,
        epoch,
        fork: state.fork.as_str(),
        fork_version: state.version.to_string(),
        fork_digest: state.fork_digest.to_string(),
        since_epoch: state.since,
        max_blobs: state.max_blobs,
        next: state.next.map(BoundaryView::from),
        nfd: state.nfd.to_string(),
        eth2: format!("0x{}", hex::encode(state.enr_fork_id.as_ssz_bytes())),
    };
    if json {
        return print::json(&view);
    }
    let next = view.next.map_or_else(
        || "none scheduled".to_owned(),
        |next| format!("{} from epoch {} ({}{})", next.fork_digest, next.epoch, next.fork, blobs(next.max_blobs)),
    );
    print::rows(&[
        ("fork_digest", view.fork_digest),
        ("network", view.network.to_owned()),
        ("epoch", view.epoch.to_string()),
        ("fork", format!("{} ({})", view.fork, view.fork_version)),
        ("since_epoch", view.since_epoch.to_string()),
        ("max_blobs", view.max_blobs.map_or_else(|| "-".to_owned(), |blobs| blobs.to_string())),
        ("next", next),
        ("nfd", view.nfd),
        ("eth2", view.eth2),
    ])
}

fn show_all(schedule: &ForkSchedule, json: bool) -> Result<(), Failure> {
    let boundaries: Vec<BoundaryView> = schedule.boundaries().map(BoundaryView::from).collect();
    if json {
        return print::json(&boundaries);
    }
    let line = |view: &BoundaryView| {
        let BoundaryView { epoch, fork, fork_digest, max_blobs, .. } = view;
        format!("{fork_digest} from epoch {epoch:<8} {fork}{}\n", blobs(*max_blobs))
    };
    print::text(&boundaries.iter().map(line).collect::<String>())
}

fn blobs(max_blobs: Option<u64>) -> String {
    max_blobs.map_or_else(String::new, |blobs| format!(", {blobs} blobs"))
}
