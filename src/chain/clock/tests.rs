//! The clock under paused time: slots, both kinds of boundary, jumps, genesis.

use std::sync::Mutex;

use super::*;
use crate::chain::{BlobParameters, ChainConfig, ForkParameters, NetworkName};
use crate::events::Observer;
use crate::tasks::TaskGroup;
use crate::types::{Epoch, ForkName, ForkVersion};

const SLOT: Duration = Duration::from_secs(1);
const GENESIS: u64 = 1_700_000_000;

/// Electra from genesis, Fulu at epoch 1, more blobs at epochs 2 and 3.
fn devnet() -> Arc<ForkSchedule> {
    let mut config = ChainConfig::embedded(NetworkName::Mainnet);
    for (index, name) in ForkName::ALL.into_iter().take_while(|name| *name <= ForkName::Electra).enumerate() {
        let version = ForkVersion([index as u8, 0, 0, 1]);
        config.forks.insert(name, ForkParameters { version, epoch: Some(Epoch(0)) });
    }
    let fulu = ForkParameters { version: ForkVersion([6, 0, 0, 1]), epoch: Some(Epoch(1)) };
    config.forks.insert(ForkName::Fulu, fulu);
    config.blob_schedule =
        vec![BlobParameters { epoch: Epoch(2), max_blobs: 12 }, BlobParameters { epoch: Epoch(3), max_blobs: 15 }];
    config.validate().unwrap();
    Arc::new(ForkSchedule::new(&config))
}

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Waiting { genesis_time: u64, remaining_s: u64 },
    Activated { fork: ForkName, epoch: Epoch, max_blobs: Option<u64>, next_epoch: Option<Epoch> },
}

#[derive(Default)]
struct Recorder {
    seen: Mutex<Vec<Seen>>,
}

impl Recorder {
    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &NodeEvent) {
        let seen = match event {
            &NodeEvent::NodeWaitingForGenesis { genesis_time, remaining_s } => {
                Seen::Waiting { genesis_time, remaining_s }
            }
            &NodeEvent::ForkActivated { fork, fork_digest, epoch, max_blobs, next_epoch } => {
                assert_eq!(fork_digest, devnet().digest_at(epoch));
                Seen::Activated { fork, epoch, max_blobs, next_epoch }
            }
            other => panic!("the clock does not report {other:?}"),
        };
        self.seen.lock().unwrap().push(seen);
    }
}

/// Starts a clock that reads `offset_ms` after genesis.
fn start(offset_ms: i64) -> (TaskGroup, watch::Receiver<ChainNow>, Arc<Recorder>) {
    let unix_ms = (GENESIS * 1000).checked_add_signed(offset_ms).unwrap();
    let recorder = Arc::new(Recorder::default());
    let events = Events::new(vec![Arc::clone(&recorder) as Arc<dyn Observer>]);
    let (clock, now) = ChainClock::new(SlotClock::anchored(unix_ms, GENESIS, SLOT), devnet(), events);
    let tasks = TaskGroup::new();
    tasks.spawn_critical("chain_clock", clock.run(tasks.token().clone()));
    (tasks, now, recorder)
}

async fn wait_for_slot(now: &mut watch::Receiver<ChainNow>, slot: u64) -> ChainNow {
    now.wait_for(|now| now.slot == Some(Slot(slot))).await.unwrap().clone()
}

fn fulu(epoch: u64, max_blobs: u64, next: Option<u64>) -> Seen {
    let (epoch, next_epoch) = (Epoch(epoch), next.map(Epoch));
    Seen::Activated { fork: ForkName::Fulu, epoch, max_blobs: Some(max_blobs), next_epoch }
}

#[tokio::test(start_paused = true)]
async fn publishes_every_slot_when_it_starts() {
    let started = tokio::time::Instant::now();
    let (_tasks, mut now, _) = start(400);
    assert_eq!(now.borrow().slot, Some(Slot(0)));
    for slot in 1..=40 {
        now.changed().await.unwrap();
        assert_eq!(now.borrow_and_update().slot, Some(Slot(slot)));
        let late = started.elapsed() - (SLOT * slot as u32 - Duration::from_millis(400));
        assert!(late < Duration::from_millis(5), "slot {slot} is {late:?} late");
    }
}

#[tokio::test(start_paused = true)]
async fn crosses_a_fork_and_a_blob_parameter_fork_live() {
    let (_tasks, mut now, recorder) = start(28_000);
    let before = wait_for_slot(&mut now, 31).await;
    assert_eq!((before.fork.fork, before.fork.max_blobs), (ForkName::Electra, None));
    assert_eq!(recorder.seen(), []);

    let fork = wait_for_slot(&mut now, 32).await.fork;
    assert_eq!((fork.fork, fork.max_blobs), (ForkName::Fulu, Some(9)));
    assert_eq!(fork.fork_digest, before.fork.nfd);
    assert_eq!(recorder.seen(), [fulu(1, 9, Some(2))]);

    let blobs = wait_for_slot(&mut now, 64).await.fork;
    assert_eq!((blobs.fork, blobs.max_blobs), (ForkName::Fulu, Some(12)));
    assert_eq!(blobs.fork_digest, fork.nfd);
    assert_eq!(blobs.enr_fork_id.next_fork_epoch, Epoch(3));
    assert_eq!(recorder.seen(), [fulu(1, 9, Some(2)), fulu(2, 12, Some(3))]);
}

#[tokio::test(start_paused = true)]
async fn a_jump_over_several_boundaries_reports_the_fork_in_force_once() {
    let (_tasks, mut now, recorder) = start(10_500);
    wait_for_slot(&mut now, 11).await;
    tokio::time::advance(SLOT * 100).await;
    wait_for_slot(&mut now, 111).await;
    assert_eq!(recorder.seen(), [fulu(3, 15, None)]);
}

#[tokio::test(start_paused = true)]
async fn says_once_that_genesis_is_ahead_and_then_counts_from_slot_zero() {
    let (_tasks, mut now, recorder) = start(-5_000);
    let before = now.borrow().clone();
    assert_eq!((before.slot, before.wall_slot(), before.fork.fork), (None, Slot(0), ForkName::Electra));
    let started = tokio::time::Instant::now();
    let at_genesis = wait_for_slot(&mut now, 0).await;
    assert_eq!(started.elapsed().as_secs(), 5);
    assert_eq!(at_genesis.fork, before.fork);
    wait_for_slot(&mut now, 3).await;
    assert_eq!(recorder.seen(), [Seen::Waiting { genesis_time: GENESIS, remaining_s: 5 }]);
}

#[tokio::test(start_paused = true)]
async fn stops_when_cancelled() {
    let (tasks, mut now, _) = start(0);
    wait_for_slot(&mut now, 1).await;
    tasks.cancel();
    tasks.wait().await;
    assert!(now.changed().await.is_err());
    assert_eq!(now.borrow().slot, Some(Slot(1)));
}
