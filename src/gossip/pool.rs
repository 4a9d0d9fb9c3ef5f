//! The threads that judge: messages in from the router, verdicts out through the settler.
//!
//! Judging costs from a tenth of a microsecond to ten milliseconds of processor time, so it happens on threads of its own,
//! beside the network's. One thread takes every message and judges what is quick; what takes long it passes on to the
//! others, so that a column holds up no attestation, and they take it in turns of the senders. How much may wait for them
//! is bounded where messages leave the router.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::park_timeout;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::case::Case;
use super::checks::Judgement;
use super::docket::Docket;
use super::settler::Settler;
use super::turns::Turns;
use super::verdict::IgnoreReason;
use crate::kzg;
use crate::switch::{GossipMessage, Lane};
use crate::tasks::TaskGroup;
use crate::time::milliseconds;
use crate::types::{GossipTopic, TopicKind};

/// Messages that the quick thread takes at once.
const BATCH: usize = 64;

/// How long it lets messages gather while they come densely. Waking it for each of them, and the network for each
/// verdict, costs more than judging.
const GATHERING: Duration = Duration::from_millis(1);

/// Messages come densely when it waits less than this for the next.
const DENSE: Duration = Duration::from_millis(2);

/// Starts the threads; they end when the router is gone. One core is left to the network where there are enough.
pub(super) fn start(
    messages: mpsc::Receiver<GossipMessage>,
    docket: &Arc<Docket>,
    settler: &Arc<Settler>,
    tasks: &TaskGroup,
) {
    let bench = Bench { docket: docket.clone(), settler: settler.clone(), long: Arc::default() };
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    for _ in 0..cores.saturating_sub(1).max(1) {
        let bench = bench.clone();
        spawn(tasks, move || bench.judge_what_takes_long());
    }
    spawn(tasks, move || bench.judge_what_is_quick(messages));
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
    /// What takes long.
    long: Arc<Turns>,
}

impl Bench {
    fn judge_what_is_quick(&self, mut messages: mpsc::Receiver<GossipMessage>) {
        let _closes = Closes(&self.long);
        let mut batch = Vec::with_capacity(BATCH);
        let mut since = Instant::now();
        while messages.blocking_recv_many(&mut batch, BATCH) > 0 {
            let gather = batch.len() < BATCH && since.elapsed() < DENSE;
            for message in batch.drain(..) {
                self.judge_or_pass_on(message);
            }
            if gather {
                park_timeout(GATHERING);
            }
            since = Instant::now();
        }
    }

    fn judge_or_pass_on(&self, message: GossipMessage) {
        let kind = message.topic.name.kind();
        match lane(kind) {
            Lane::Quick => self.judge(message),
            Lane::Long => {
                if kind == TopicKind::BeaconBlock {
                    kzg::warm_up_once();
                }
                self.long.push(message);
            }
        }
    }

    fn judge_what_takes_long(&self) {
        while let Some(message) = self.long.next() {
            self.judge(message);
        }
    }

    fn judge(&self, message: GossipMessage) {
        let clock = &self.settler.clock;
        let arrived_ms = clock.now_ms().saturating_sub(milliseconds(message.arrived.elapsed()));
        let (mut case, ssz) = Case::open(message, arrived_ms);
        let judgement =
            guarded(case.topic, || self.settler.judge.judge_from(Some(case.peer_id), case.topic, &ssz, arrived_ms));
        match judgement {
            Ok(passed) => {
                case.passed = Some(passed);
                self.docket.submit(case, ssz);
            }
            Err(verdict) => self.settler.settle(case, verdict),
        }
    }
}

/// Lets the others end with the quick thread, however that ends.
struct Closes<'a>(&'a Turns);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Bytes from a peer must not end us: a panic is a bug of ours, said aloud, and costs nobody anything.
fn guarded(topic: GossipTopic, judge: impl FnOnce() -> Judgement) -> Judgement {
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_panic| {
        tracing::error!(%topic, "judging panicked; this is a bug");
        Err(IgnoreReason::OwnFault.into())
    })
}

/// Where messages of a kind wait. One message takes a millisecond or more where blocks are hashed, blobs and columns
/// proven, and a signature checked.
pub(super) const fn lane(kind: TopicKind) -> Lane {
    match kind {
        TopicKind::BeaconBlock
        | TopicKind::BlobSidecar
        | TopicKind::DataColumnSidecar
        | TopicKind::ExecutionPayload
        | TopicKind::AttesterSlashing
        | TopicKind::BlsToExecutionChange => Lane::Long,
        TopicKind::BeaconAggregateAndProof
        | TopicKind::BeaconAttestation
        | TopicKind::SyncCommittee
        | TopicKind::SyncCommitteeContributionAndProof
        | TopicKind::VoluntaryExit
        | TopicKind::ProposerSlashing
        | TopicKind::LightClientFinalityUpdate
        | TopicKind::LightClientOptimisticUpdate
        | TopicKind::PayloadAttestationMessage
        | TopicKind::ExecutionPayloadBid
        | TopicKind::ProposerPreferences => Lane::Quick,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::RejectReason;
    use crate::types::{ForkDigest, TopicName};

    #[test]
    fn a_panic_while_judging_is_our_own_fault() {
        let topic =
            GossipTopic { fork_digest: ForkDigest([0; 4]), name: TopicName::global(TopicKind::BeaconBlock).unwrap() };
        let judgement = guarded(topic, || panic!("a bug"));
        assert_eq!(judgement.map(drop), Err(IgnoreReason::OwnFault.into()));
        let rejected = guarded(topic, || Err(RejectReason::BadSsz.into()));
        assert_eq!(rejected.map(drop), Err(RejectReason::BadSsz.into()));
    }

    #[test]
    fn what_takes_long_does_not_wait_with_votes() {
        let long: Vec<_> = TopicKind::ALL.iter().filter(|kind| lane(**kind) == Lane::Long).collect();
        assert!(long.contains(&&TopicKind::DataColumnSidecar) && long.contains(&&TopicKind::BlsToExecutionChange));
        assert_eq!(lane(TopicKind::BeaconAttestation), Lane::Quick);
    }
}
