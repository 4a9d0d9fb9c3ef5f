//! The threads that judge: messages in from the router, verdicts out through the settler.
//!
//! Judging costs from a microsecond to milliseconds of processor time, so it happens on threads of its own, beside the
//! network's. How much may wait for them is bounded where messages leave the router.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::park_timeout;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::case::Case;
use super::docket::Docket;
use super::kzg;
use super::settler::Settler;
use super::verdict::IgnoreReason;
use crate::switch::GossipMessage;
use crate::tasks::TaskGroup;
use crate::time::milliseconds;
use crate::types::TopicKind;

/// Messages that a thread takes at once; more would let one thread hoard a burst while another has nothing to do.
const BATCH: usize = 64;

/// How long a thread lets messages gather while they come densely. Waking it for each of them, and the network for each
/// verdict, costs more than judging.
const GATHERING: Duration = Duration::from_millis(1);

/// Messages come densely when a thread waits less than this for the next.
const DENSE: Duration = Duration::from_millis(2);

/// Threads at least, so that one judges what is quick while another proves columns.
const THREADS: usize = 2;

/// Starts the threads; they end when the router is gone. One core is left to the network where there are enough.
pub(super) fn start(
    messages: mpsc::Receiver<GossipMessage>,
    docket: &Arc<Docket>,
    settler: &Arc<Settler>,
    tasks: &TaskGroup,
) {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (messages, first_block) = (Arc::new(Mutex::new(messages)), Arc::new(Once::new()));
    for _ in 0..cores.saturating_sub(1).max(THREADS) {
        let worker = Worker {
            messages: messages.clone(),
            first_block: first_block.clone(),
            docket: docket.clone(),
            settler: settler.clone(),
        };
        tasks.spawn_critical("gossip_judge", async move {
            if let Err(error) = spawn_blocking(move || worker.run()).await {
                tracing::error!(%error, "a judge died");
            }
        });
    }
}

struct Worker {
    messages: Arc<Mutex<mpsc::Receiver<GossipMessage>>>,
    /// Done once a block has come.
    first_block: Arc<Once>,
    docket: Arc<Docket>,
    settler: Arc<Settler>,
}

impl Worker {
    fn run(&self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut since = Instant::now();
        while self.take(&mut batch) > 0 {
            let gather = batch.len() < BATCH && since.elapsed() < DENSE;
            // what takes milliseconds does not hold up what takes none
            batch.sort_by_key(|message| takes_long(message.topic.name.kind()));
            for message in batch.drain(..) {
                self.judge(message);
            }
            if gather {
                park_timeout(GATHERING);
            }
            since = Instant::now();
        }
    }

    fn take(&self, batch: &mut Vec<GossipMessage>) -> usize {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv_many(batch, BATCH)
    }

    fn judge(&self, message: GossipMessage) {
        if message.topic.name.kind() == TopicKind::BeaconBlock {
            self.first_block.call_once(warm_up);
        }
        let clock = &self.settler.clock;
        let arrived_ms = clock.now_ms().saturating_sub(milliseconds(message.arrived.elapsed()));
        let mut case = Case::new(message, arrived_ms);
        let judge = || self.settler.judge.judge(case.message.topic, &case.message.ssz, arrived_ms);
        // bytes from a peer must not end us: a panic is a bug of ours, said aloud, and costs nobody anything
        let Ok(judgement) = catch_unwind(AssertUnwindSafe(judge)) else {
            tracing::error!(topic = %case.message.topic, message_id = %case.message_id(), "judging panicked; this is a bug");
            return self.settler.settle(case, IgnoreReason::OwnFault.into());
        };
        match judgement {
            Ok(passed) => {
                case.passed = Some(passed);
                self.docket.submit(case);
            }
            Err(verdict) => self.settler.settle(case, verdict),
        }
    }
}

/// Loads what the blobs of the first block will need, on a thread of its own; a node that hears no block never pays.
fn warm_up() {
    // not waited for: whoever needs it and comes first loads it, or waits
    drop(spawn_blocking(kzg::warm_up));
}

/// Kinds of which one message takes a millisecond or more: blocks are hashed, blobs and columns proven.
const fn takes_long(kind: TopicKind) -> bool {
    matches!(kind, TopicKind::BeaconBlock | TopicKind::BlobSidecar | TopicKind::DataColumnSidecar)
}
