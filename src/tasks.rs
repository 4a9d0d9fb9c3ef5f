//! Named, tracked, cancellable tasks. Whatever is spawned otherwise is owned by who spawns it: the `JoinSet`s of
//! `Eth2Node`, and blocking work that is awaited in place.
//!
//! A critical task that ends before cancellation brings the whole group down; its name reaches whoever
//! supervises through [`TaskGroup::failed`].

use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// The runtime that the network lives on: one thread. The swarm is one task, and every message wakes it: handing each between
/// threads costs as much again as reading, deciphering and routing it (`cargo bench --bench gossip -- core`), and one core
/// does eight times mainnet's load. What computes for long has threads of its own (`spawn_blocking`).
///
/// # Errors
/// Where the system gives no event queue.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A group of tasks that live and end together.
#[derive(Clone, Debug)]
pub struct TaskGroup {
    tracker: TaskTracker,
    token: CancellationToken,
    failed: watch::Sender<Option<&'static str>>,
}

impl Default for TaskGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl TaskGroup {
    /// An empty group.
    #[must_use]
    pub fn new() -> Self {
        Self { tracker: TaskTracker::new(), token: CancellationToken::new(), failed: watch::Sender::new(None) }
    }

    /// The token that every task of the group watches.
    #[must_use]
    pub const fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Spawns a task that may end at any time.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task.instrument(tracing::debug_span!("task", name)));
    }

    /// Spawns a task whose early end, or panic, cancels the group and is reported by [`Self::failed`].
    pub fn spawn_critical(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (token, failed) = (self.token.clone(), self.failed.clone());
        self.spawn(name, async move {
            let panicked = AssertUnwindSafe(task).catch_unwind().await.is_err();
            if panicked || !token.is_cancelled() {
                // newest wins: the first cause is kept
                failed.send_if_modified(|first| first.is_none() && first.replace(name).is_none());
                token.cancel();
            }
        });
    }

    /// Waits for the first critical task that ends early and returns its name.
    ///
    /// Cancel safe. Pending for ever while all is well.
    pub async fn failed(&self) -> &'static str {
        let mut failed = self.failed.subscribe();
        let name = failed.wait_for(Option::is_some).await.ok().and_then(|name| *name);
        match name {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }

    /// Cancels every task.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Waits until every task has ended. Call after [`Self::cancel`].
    ///
    /// Cancel safe.
    pub async fn wait(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// How many tasks are alive.
    #[must_use]
    pub fn alive(&self) -> usize {
        self.tracker.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_the_critical_task_that_died_and_cancels_the_rest() {
        let group = TaskGroup::new();
        let token = group.token().clone();
        group.spawn("patient", async move { token.cancelled().await });
        group.spawn_critical("doomed", async { panic!("on purpose") });
        assert_eq!(group.failed().await, "doomed");
        group.wait().await;
        assert_eq!(group.alive(), 0);
    }

    #[tokio::test]
    async fn a_critical_task_that_ends_after_cancellation_is_no_failure() {
        let group = TaskGroup::new();
        let token = group.token().clone();
        group.spawn_critical("steady", async move { token.cancelled().await });
        group.cancel();
        group.wait().await;
        assert!(group.failed().now_or_never().is_none());
    }
}
