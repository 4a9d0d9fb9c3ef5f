//! The beacond binary: parse, log, run, exit. What it does is in the library.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use beacond::cli::{self, Failure, Request};
use beacond::config::LogConfig;
use beacond::{logging, tasks};

fn main() -> ExitCode {
    match execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // stderr gone: the exit code still tells
            let _ = writeln!(std::io::stderr(), "beacond: error: {failure}");
            failure.code()
        }
    }
}

fn execute() -> Result<(), Failure> {
    match cli::parse(std::env::args_os())? {
        Request::Run { config, warnings } => {
            let log = config.log.clone();
            logged(&log, cli::start(*config, &warnings))
        }
        Request::Ask(question) => {
            let log = question.log().clone();
            logged(&log, cli::ask(*question))
        }
        Request::Done => Ok(()),
    }
}

/// Runs what needs a log and a runtime.
fn logged(log: &LogConfig, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let _log = logging::init(log).map_err(Failure::start)?;
    let runtime = tasks::runtime().context("cannot start the runtime").map_err(Failure::start)?;
    let ended = runtime.block_on(work);
    // what still runs on threads for blocking work was given up by the shutdown, or is cut short by a second signal
    runtime.shutdown_background();
    ended
}
