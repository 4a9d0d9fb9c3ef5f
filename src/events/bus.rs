//! Carries events from those who emit to those who watch: the log, the observers, the subscribers.
//!
//! Every module that reports holds an [`Events`]. It owns the ring of recent events; it does not know what an
//! event means, and nothing that watches can slow those who emit.

use std::fmt;
use std::sync::Arc;

use tokio::sync::broadcast;

use super::NodeEvent;

/// Events that the ring holds for subscribers; **drop and count**.
///
/// 4096 × ~1 KiB = 4 MiB when every event is of the largest kind (a record and an error text) and a subscriber
/// stands still; the empty ring costs 0.2 MiB.
pub const RING_EVENTS: usize = 4096;

/// Sees every event at once, in the task that emits it.
///
/// Must return within microseconds: no IO, no lock that is held for long. Slow consumers subscribe instead.
pub trait Observer: Send + Sync {
    /// Takes note of an event.
    fn observe(&self, event: &NodeEvent);
}

/// The handle through which a node says what happened. Cheap to clone; clones share observers and ring.
#[derive(Clone)]
pub struct Events {
    inner: Arc<Inner>,
}

struct Inner {
    observers: Vec<Arc<dyn Observer>>,
    ring: broadcast::Sender<Arc<NodeEvent>>,
}

impl Events {
    /// A bus that tells `observers` of every event, in this order.
    #[must_use]
    pub fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self { inner: Arc::new(Inner { observers, ring: broadcast::Sender::new(RING_EVENTS) }) }
    }

    /// Reports an event: log line, observers, subscribers.
    ///
    /// Never waits. Allocates nothing unless somebody subscribes.
    pub fn emit(&self, event: NodeEvent) {
        event.log();
        for observer in &self.inner.observers {
            observer.observe(&event);
        }
        if self.inner.ring.receiver_count() > 0 {
            // the last subscriber left meanwhile: nobody misses the event
            let _ = self.inner.ring.send(Arc::new(event));
        }
    }

    /// Subscribes to the events emitted from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        Subscription { receiver: self.inner.ring.subscribe(), dropped: 0 }
    }
}

impl Default for Events {
    /// A bus without observers.
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("observers", &self.inner.observers.len())
            .field("subscribers", &self.inner.ring.receiver_count())
            .finish()
    }
}

/// One subscriber's view of the events, oldest first.
///
/// One that falls more than [`RING_EVENTS`] behind loses the oldest and counts them.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Arc<NodeEvent>>,
    dropped: u64,
}

impl Subscription {
    /// Waits for the next event; `None` once every [`Events`] handle is gone and the ring is drained.
    ///
    /// Cancel safe: no event is lost by dropping the future.
    pub async fn next(&mut self) -> Option<Arc<NodeEvent>> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(missed)) => self.dropped += missed,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// Waits for the first event that `wanted` accepts, passing over the others; `None` as for [`Self::next`].
    ///
    /// Cancel safe, but the events passed over so far are consumed.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&NodeEvent) -> bool) -> Option<Arc<NodeEvent>> {
        loop {
            let event = self.next().await?;
            if wanted(&event) {
                return Some(event);
            }
        }
    }

    /// How many events this subscriber has lost by lagging, since it subscribed.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}
