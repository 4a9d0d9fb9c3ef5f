//! `run_discovery_loop`: random lookups for ever, several at once, paced by demand and by the dial queue.
//!
//! Spawned by `Eth2Node`, which tells it whether it could use more peers and takes them from a bounded channel. The
//! loop knows neither peers nor dials.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::local::LocalChain;
use crate::discovery::{Candidate, Discovery, Predicate};
use crate::events::{Events, NodeEvent};
use crate::handshake::LocalView;
use crate::time::milliseconds;
use crate::types::{Enr, NodeId};

/// Lookups that run at once while peers are wanted: independent targets find more than one narrow search.
const CONCURRENT_LOOKUPS: usize = 3;

/// From the start of one lookup to the start of the next while peers are wanted. A lookup in an empty table
/// returns at once; without a pause the loop would spin.
const EAGER_INTERVAL: Duration = Duration::from_millis(500);

/// The longest pause while peers are wanted: lookups that bring nobody new double it from [`EAGER_INTERVAL`] on, so
/// that a network which has no more to give is not asked the same question for ever.
const PATIENT_INTERVAL: Duration = Duration::from_secs(8);

/// From one lookup to the next once nobody is wanted: the table is kept fresh, the network is left in peace.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);

/// Node ids of records that were found lately; 1024 × 32 bytes = 32 KiB, kept twice.
const RECENT: usize = 1024;

/// What the loop works with.
#[derive(Debug)]
pub(super) struct DiscoveryLoop {
    pub(super) discovery: Arc<dyn Discovery>,
    pub(super) predicate: Predicate,
    pub(super) local: Arc<LocalChain>,
    /// Whether the node could use more peers; **newest wins**.
    pub(super) demand: watch::Receiver<bool>,
    /// Candidates; **wait**: when dialling is behind, lookups pause.
    pub(super) candidates: mpsc::Sender<Candidate>,
    pub(super) events: Events,
    pub(super) recent: Recent,
}

/// Remembers the last [`RECENT`] node ids.
#[derive(Debug, Default)]
pub(super) struct Recent {
    order: VecDeque<[u8; 32]>,
    set: HashSet<[u8; 32]>,
}

impl Recent {
    /// Notes a node id; true if it was not among the last ones.
    fn note(&mut self, node_id: NodeId) -> bool {
        if !self.set.insert(node_id.raw()) {
            return false;
        }
        self.order.push_back(node_id.raw());
        if self.order.len() > RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        true
    }
}

impl DiscoveryLoop {
    /// Looks up until `token` is cancelled or the node is gone.
    ///
    /// Cancel safe: candidates that were found and not yet handed over are lost.
    pub(super) async fn run_discovery_loop(mut self, token: CancellationToken) {
        let discovery = self.discovery.clone();
        let mut lookups = FuturesUnordered::new();
        let mut next = Instant::now();
        let mut pause = EAGER_INTERVAL;
        loop {
            let wanted = *self.demand.borrow();
            let room = lookups.len() < if wanted { CONCURRENT_LOOKUPS } else { 1 };
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                Some(finished) = lookups.next() => match self.on_finished(finished).await {
                    Some(brought_news) => {
                        pause = if brought_news { EAGER_INTERVAL } else { PATIENT_INTERVAL.min(pause * 2) };
                    }
                    None => return,
                },
                changed = self.demand.changed() => match changed {
                    Ok(()) if *self.demand.borrow() => (next, pause) = (Instant::now(), EAGER_INTERVAL),
                    Ok(()) => {}
                    Err(_) => return,
                },
                () = sleep_until(next), if room => {
                    lookups.push(lookup(&*discovery));
                    next = Instant::now() + if wanted { pause } else { REFRESH_INTERVAL };
                }
            }
        }
    }

    /// Judges what a lookup found; whether somebody new was among it, `None` when there is nobody left to tell.
    async fn on_finished(&mut self, (records, duration): (Vec<Enr>, Duration)) -> Option<bool> {
        let digests = self.local.accepted_digests();
        let found = records.len();
        let mut accepted = Vec::with_capacity(found);
        let mut brought_news = false;
        for record in records {
            brought_news |= self.recent.note(record.node_id());
            match self.predicate.judge(&record, &digests) {
                Ok(candidate) => accepted.push(candidate),
                Err(refusal) => self.events.emit(NodeEvent::DiscoveryRefused {
                    node_id: hex::encode(record.node_id().raw()),
                    reason: refusal.as_str(),
                }),
            }
        }
        let table_size = self.discovery.table_size();
        self.events.emit(NodeEvent::DiscoveryLookupFinished {
            duration_ms: milliseconds(duration),
            found,
            accepted: accepted.len(),
            refused: found - accepted.len(),
            table_size,
            wanted: 0,
        });
        for candidate in accepted {
            self.candidates.send(candidate).await.ok()?;
        }
        Some(brought_news)
    }
}

async fn lookup(discovery: &dyn Discovery) -> (Vec<Enr>, Duration) {
    let started = Instant::now();
    let records = discovery.lookup_random().await.unwrap_or_else(|error| {
        tracing::debug!(%error, "lookup failed");
        Vec::new()
    });
    (records, started.elapsed())
}
