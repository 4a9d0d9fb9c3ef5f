//! A second thread, for the end of a connection that would be another machine's.

use std::future::pending;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};
use beacond::tasks;
use tokio::runtime::Handle;

/// A runtime as the daemon's, on a thread of its own until the process ends.
pub(crate) fn beside() -> Result<Handle> {
    let runtime = tasks::runtime()?;
    let (sender, handle) = mpsc::channel();
    thread::spawn(move || {
        runtime.block_on(async {
            // received below
            let _ = sender.send(Handle::current());
            pending::<()>().await;
        });
    });
    handle.recv().context("the thread started")
}
