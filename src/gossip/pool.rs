//! The threads that judge: messages in from the router, verdicts out through the settler.
//!
//! Judging costs from a tenth of a microsecond to ten milliseconds of processor time, so it happens on threads of its own,
//! beside the network's. One thread takes every message and judges what is quick; what takes long it passes on to the
//! others, so that a column holds up no attestation. How much may wait for them is bounded where messages leave the router.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::park_timeout;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
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

/// Messages that the quick thread takes at once.
const BATCH: usize = 64;

/// How long it lets messages gather while they come densely. Waking it for each of them, and the network for each
/// verdict, costs more than judging.
const GATHERING: Duration = Duration::from_millis(1);

/// Messages come densely when it waits less than this for the next.
const DENSE: Duration = Duration::from_millis(2);

/// Messages that take long and wait for a thread; beyond it the quick thread judges them itself. 1024 × about 350 bytes
/// = 350 KiB besides the messages' own bytes, which the router bounds.
const LONG: usize = 1024;

/// Starts the threads; they end when the router is gone. One core is left to the network where there are enough.
pub(super) fn start(
    messages: mpsc::Receiver<GossipMessage>,
    docket: &Arc<Docket>,
    settler: &Arc<Settler>,
    tasks: &TaskGroup,
) {
    let bench = Bench { docket: docket.clone(), settler: settler.clone() };
    let (long, waiting) = mpsc::channel(LONG);
    let waiting = Arc::new(Mutex::new(waiting));
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    for _ in 0..cores.saturating_sub(1).max(1) {
        let (bench, waiting) = (bench.clone(), waiting.clone());
        spawn(tasks, move || bench.judge_what_takes_long(&waiting));
    }
    spawn(tasks, move || bench.judge_what_is_quick(messages, &long));
}

fn spawn(tasks: &TaskGroup, judge: impl FnOnce() + Send + 'static) {
    tasks.spawn_critical("gossip_judge", async move {
        if let Err(error) = spawn_blocking(judge).await {
            tracing::error!(%error, "a judge died");
        }
    });
}

/// Where judges sit.
#[derive(Clone)]
struct Bench {
    docket: Arc<Docket>,
    settler: Arc<Settler>,
}

impl Bench {
    fn judge_what_is_quick(&self, mut messages: mpsc::Receiver<GossipMessage>, long: &mpsc::Sender<GossipMessage>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut since = Instant::now();
        while messages.blocking_recv_many(&mut batch, BATCH) > 0 {
            let gather = batch.len() < BATCH && since.elapsed() < DENSE;
            for message in batch.drain(..) {
                self.judge_or_pass_on(message, long);
            }
            if gather {
                park_timeout(GATHERING);
            }
            since = Instant::now();
        }
    }

    fn judge_or_pass_on(&self, message: GossipMessage, long: &mpsc::Sender<GossipMessage>) {
        let kind = message.topic.name.kind();
        if !takes_long(kind) {
            return self.judge(message);
        }
        if kind == TopicKind::BeaconBlock {
            kzg::warm_up_once();
        }
        if let Err(TrySendError::Full(message) | TrySendError::Closed(message)) = long.try_send(message) {
            self.judge(message);
        }
    }

    fn judge_what_takes_long(&self, waiting: &Mutex<mpsc::Receiver<GossipMessage>>) {
        // held while waiting: whoever contends has nothing to do either
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        while let Some(message) = next() {
            self.judge(message);
        }
    }

    fn judge(&self, message: GossipMessage) {
        let clock = &self.settler.clock;
        let arrived_ms = clock.now_ms().saturating_sub(milliseconds(message.arrived.elapsed()));
        let (mut case, ssz) = Case::open(message, arrived_ms);
        let judge = || self.settler.judge.judge(case.topic, &ssz, arrived_ms);
        // bytes from a peer must not end us: a panic is a bug of ours, said aloud, and costs nobody anything
        let Ok(judgement) = catch_unwind(AssertUnwindSafe(judge)) else {
            tracing::error!(topic = %case.topic, message_id = %case.message_id(), "judging panicked; this is a bug");
            return self.settler.settle(case, IgnoreReason::OwnFault.into());
        };
        match judgement {
            Ok(passed) => {
                case.passed = Some(passed);
                self.docket.submit(case, ssz);
            }
            Err(verdict) => self.settler.settle(case, verdict),
        }
    }
}

/// Kinds of which one message takes a millisecond or more: blocks are hashed, blobs and columns proven.
const fn takes_long(kind: TopicKind) -> bool {
    matches!(kind, TopicKind::BeaconBlock | TopicKind::BlobSidecar | TopicKind::DataColumnSidecar)
}
