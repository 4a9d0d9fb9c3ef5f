//! The signals of an operator: the first asks, the second insists. SIGHUP counts too: whoever closes the terminal wants
//! the node to say goodbye as well.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Listens for SIGINT, SIGTERM and SIGHUP.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Starts listening; from here on none of them ends the process by itself.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }

    /// Two futures: the reason to stop once the first signal arrives, and the second signal. Both must be polled.
    pub(super) fn split(mut self) -> (impl Future<Output = &'static str>, impl Future<Output = ()>) {
        let (first_seen, first) = oneshot::channel();
        let second = async move {
            self.next().await;
            // receiver gone: the node has stopped by itself
            let _ = first_seen.send(());
            self.next().await;
        };
        let first = async move {
            // the sender lives as long as `second` is polled
            let _ = first.await;
            "signal"
        };
        (first, second)
    }
}
