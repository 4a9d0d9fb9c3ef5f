//! The beacond binary: parse, log, run, exit. What it does is in the library.

use std::io::Write;
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::Context;
use beacond::cli::{self, Failure, Request};
use beacond::logging;
use tokio::runtime::{Builder, Runtime};

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
    let Request::Run { config, warnings } = cli::parse(std::env::args_os())? else {
        return Ok(());
    };
    let _log = logging::init(&config.log).map_err(Failure::start)?;
    let runtime = runtime()?;
    let ended = runtime.block_on(cli::start(*config, &warnings));
    // what still runs on threads for blocking work was given up by the shutdown, or is cut short by a second signal
    runtime.shutdown_background();
    ended
}

/// A runtime of 2 to 4 threads: what the network work fills, and no more on a machine that a beacon node shares.
fn runtime() -> Result<Runtime, Failure> {
    let threads = available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4));
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    runtime.context("cannot start the runtime").map_err(Failure::start)
}
