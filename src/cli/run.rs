//! `beacond run`: flags, environment and file become one checked configuration.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{ArgMatches, Command, FromArgMatches};

use super::layers::{Layers, Origins, variable};
use super::signals::Signals;
use super::{Env, Failure, RUN, Request, is_set, print};
use crate::config::{Config, ConfigError, ConfigWarning, ValidConfig};
use crate::node::{BeaconNode, Ending, StartError};

/// Run the node
///
/// Every option is also a variable, BEACOND_ and its name in capitals, such as BEACOND_TARGET_PEERS, and a key of the
/// TOML file. A flag wins over a variable, a variable over the file. `--switch=false` switches off what a variable or
/// the file switched on.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunArgs {
    /// Read options from this TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the effective options as such a file, and exit
    #[arg(long)]
    dump_config: bool,
    #[command(flatten)]
    options: Config,
}

const EXAMPLES: &str = "\
Examples:
  beacond run
  beacond run --network hoodi --target-peers 50 --metrics
  beacond run --network-dir ./devnet --boot-nodes enr:-Iu4Q…,/ip4/192.0.2.1/tcp/9000/p2p/16Uiu2…
  beacond run --config beacond.toml --dump-config";

/// Reads everything but the flags, which are known to parse by themselves.
pub(super) fn read(
    command: Command,
    args: &[OsString],
    flags: &RunArgs,
    env: impl Env,
    names: impl Iterator<Item = OsString>,
) -> Result<Request, Failure> {
    let layers = layered(&command, flags, &env)?;
    let unknown = layers.unknown_variables(names);
    let (run, origins) = layers.finish();
    let command = command.mut_subcommand(RUN, |_| run);
    let matches = command.try_get_matches_from(args).map_err(|error| Failure::from_clap(&error))?;
    let Some(matches) = matches.subcommand_matches(RUN) else {
        return Err(Failure::start(anyhow::anyhow!("the same flags no longer ask for a run; this is a bug")));
    };
    let run = RunArgs::from_arg_matches(matches).map_err(|error| Failure::from_clap(&error))?;
    let name_it = |error| name_options(error, &origins, matches);
    let options = run.options.resolve().map_err(name_it)?;
    let (config, mut warnings) = options.clone().validate().map_err(name_it)?;
    warnings.extend(unknown);
    if !run.dump_config {
        return Ok(Request::Run { config: Box::new(config), warnings });
    }
    print::warnings(&warnings)?;
    let text = toml::to_string(&options).context("cannot write the options as TOML").map_err(Failure::start)?;
    print::text(&text).map(|()| Request::Done)
}

/// The subcommand `run` with environment and file as its defaults.
fn layered(command: &Command, flags: &RunArgs, env: &impl Env) -> Result<Layers, Failure> {
    let run = command.find_subcommand(RUN).cloned().unwrap_or_default();
    let mut layers = Layers::new(run);
    let from_env = || env(&variable("config")).filter(is_set).map(PathBuf::from);
    if let Some(path) = flags.config.clone().or_else(from_env) {
        layers = layers.file(&path, &read_file(&path, flags.config.is_some())?)?;
    }
    layers.environment(env)
}

fn read_file(path: &Path, is_flag: bool) -> Result<String, Failure> {
    let name = if is_flag { "--config".to_owned() } else { variable("config") };
    std::fs::read_to_string(path).map_err(|error| Failure::Usage(format!("{name}: cannot read {path:?}: {error}")))
}

/// Puts the names of the options, as the operator wrote them, in front of what is wrong.
fn name_options(error: ConfigError, origins: &Origins, matches: &ArgMatches) -> Failure {
    let names: Vec<String> = error.keys().into_iter().map(|key| origins.name(key, matches)).collect();
    let names = names.join(" and ");
    if error.may_pass() {
        Failure::Start(anyhow::Error::new(error).context(names))
    } else {
        Failure::usage(&names, error)
    }
}

/// Builds a node; a network that cannot be read is a mistake of the operator.
pub(super) fn build(config: ValidConfig, warnings: &[ConfigWarning]) -> Result<BeaconNode, Failure> {
    BeaconNode::build(config, warnings).map_err(|error| match error {
        StartError::Chain(error) => Failure::usage("--network-dir", error),
        error => Failure::start(error),
    })
}

/// Runs the node until it is told to stop; the log shows the warnings.
///
/// # Errors
/// [`Failure::Start`] when it cannot start, [`Failure::Task`] when a critical task died, [`Failure::Interrupted`] at
/// the second signal.
///
/// Not cancel safe: dropping the future ends the node without a word to its peers.
pub async fn start(config: ValidConfig, warnings: &[ConfigWarning]) -> Result<(), Failure> {
    let signals = Signals::new().map_err(Failure::start)?;
    let node = build(config, warnings)?;
    let node = node.connect_to_network().await.map_err(Failure::start)?;
    let (first, second) = signals.split();
    tokio::select! {
        biased;
        ending = node.run(first) => match ending {
            Ending::Stopped => Ok(()),
            Ending::TaskDied(name) => Err(Failure::Task(name)),
        },
        () = second => Err(Failure::Interrupted),
    }
}
