//! The command line: what the program is asked to do, and how it says that it cannot.
//!
//! `main` calls [`parse`] once. Commands that only print are done by then; `run` comes back as a checked
//! configuration. Nothing here touches the network.

mod enr;
mod exit;
mod fork_digest;
mod layers;
mod print;
mod request;
mod run;
mod signals;

use std::ffi::{OsStr, OsString};

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{ConfigWarning, ValidConfig};
pub use exit::Failure;
pub use request::{Question, ask};
pub use run::start;

/// A stand-alone network node of the Ethereum beacon chain
#[derive(Debug, Parser)]
#[command(name = "beacond", version, arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    /// Read node records
    #[command(subcommand, arg_required_else_help = false)]
    Enr(enr::EnrCommand),
    ForkDigest(fork_digest::ForkDigestArgs),
    Request(Box<request::RequestArgs>),
    /// Print the version
    #[command(after_help = "Example:\n  beacond version")]
    Version,
}

/// What is left to do once the command line is read.
#[derive(Debug)]
#[must_use]
pub enum Request {
    /// Run the node.
    Run {
        /// How.
        config: Box<ValidConfig>,
        /// What to tell the operator once there is a log.
        warnings: Vec<ConfigWarning>,
    },
    /// Ask a peer.
    Ask(Box<Question>),
    /// Nothing: the answer is printed.
    Done,
}

/// Reads the command line, and for `run` the environment and the file that it names.
///
/// # Errors
/// [`Failure`] with one line for the operator.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, Failure> {
    let args: Vec<OsString> = args.into_iter().collect();
    let matches = match command().try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            print::text(&error.render().to_string())?;
            return Ok(Request::Done);
        }
        Err(error) => return Err(Failure::from_clap(&error)),
    };
    match Cli::from_arg_matches(&matches).map_err(|error| Failure::from_clap(&error))?.command {
        Command::Run(flags) => {
            let names = std::env::vars_os().map(|(name, _)| name);
            run::read(command(), &args, &flags, |name: &str| std::env::var_os(name), names)
        }
        Command::Enr(command) => enr::execute(&command).map(|()| Request::Done),
        Command::ForkDigest(args) => fork_digest::execute(&args).map(|()| Request::Done),
        Command::Request(args) => request::read(*args).map(|question| Request::Ask(Box::new(question))),
        Command::Version => print::text(concat!("beacond ", env!("CARGO_PKG_VERSION"), "\n")).map(|()| Request::Done),
    }
}

/// The whole command line, with every switch of `run` in a form that can also be switched off.
fn command() -> clap::Command {
    let printing = |command: clap::Command| command.mut_args(|arg| layers::unset_if_empty(layers::negative_value(arg)));
    let run = |run: clap::Command| run.mut_args(|arg| layers::two_way_switch(layers::negative_value(arg)));
    let show = |show: clap::Command| show.mut_args(layers::unset_if_empty);
    Cli::command()
        .mut_subcommand(RUN, run)
        .mut_subcommand("fork-digest", printing)
        .mut_subcommand("request", |request| request.mut_args(layers::unset_if_empty))
        .mut_subcommand("enr", |enr| enr.mut_subcommand("show", show))
}

/// The environment, as far as this module is concerned.
trait Env: Fn(&str) -> Option<OsString> {}

impl<F: Fn(&str) -> Option<OsString>> Env for F {}

/// An empty variable counts as none: that is how compose files and unit files leave one out.
fn is_set(value: &OsString) -> bool {
    value.as_os_str() != OsStr::new("")
}

const RUN: &str = "run";

#[cfg(test)]
mod tests;
