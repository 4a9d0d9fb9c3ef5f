//! Questions and their bytes, from the message to the verdict.

use tokio::time::advance;

use super::*;
use crate::chain::{ChainConfig, ForkSchedule, NetworkName};
use crate::events::{Events, NodeEvent};
use crate::gossip::checks::Passed;
use crate::gossip::judge::Judge;
use crate::gossip::seen::Claims;
use crate::gossip::settler::Sample;
use crate::switch::RelayPolicy;
use crate::switch::testing::{self, Lane, Load, Room};
use crate::time::SlotClock;
use crate::types::{Epoch, ForkDigest, ForkName, TopicName};

const WAITING: usize = 1000;

struct World {
    docket: Arc<Docket>,
    room: Room,
    events: Events,
    /// Of epoch 0.
    fork_digest: ForkDigest,
    arrived_ms: u64,
}

impl World {
    fn new() -> Self {
        let config = ChainConfig::embedded(NetworkName::Mainnet);
        let schedule = Arc::new(ForkSchedule::new(&config));
        let (fork_digest, arrived_ms) = (schedule.digest_at(Epoch(0)), config.genesis_time * 1000);
        let judge = Arc::new(Judge::new(&config, schedule));
        let clock = SlotClock::anchored(config.genesis_time * 1000, config.genesis_time, config.slot_duration);
        let events = Events::new(Vec::new());
        let settler = Settler::new(judge, clock, events.clone(), RelayPolicy::Strict, Sample::new(1.0));
        let docket = Arc::new(Docket::new(Arc::new(settler)));
        let load = Load { messages: 100, bytes: WAITING };
        Self { docket, room: Room::of(load, load), events, fork_digest, arrived_ms }
    }

    /// A block of 100 bytes that passed every rule and arrived `ago`.
    fn submit(&self, number: u8, ago: Duration) {
        let name = TopicName::global(TopicKind::BeaconBlock).unwrap();
        let topic = GossipTopic { fork_digest: self.fork_digest, name };
        let arrived = Instant::now() - ago;
        let message = testing::message(topic, id(number), vec![number; 100], arrived, &self.room);
        let (mut case, ssz) = Case::open(message, self.arrived_ms);
        case.passed = Some(Passed::new(None, Claims::default()));
        self.docket.submit(case, ssz);
    }

    fn held(&self) -> usize {
        WAITING - self.room.left(Lane::Quick).bytes
    }
}

fn id(number: u8) -> MessageId {
    MessageId([number; 20])
}

#[tokio::test(start_paused = true)]
async fn bytes_count_until_the_question_is_dropped() {
    let world = World::new();
    let mut juror = world.docket.appoint(&[TopicKind::BeaconBlock]);
    world.submit(1, Duration::ZERO);
    let question = juror.next().await.unwrap();
    assert_eq!((&question.ssz[..], world.held()), (&[1; 100][..], 100));
    juror.answer(id(1), Answer::Ignore).unwrap();
    assert_eq!(world.held(), 100);
    drop(question);
    assert_eq!(world.held(), 0);
}

#[tokio::test(start_paused = true)]
async fn bytes_of_questions_that_nobody_takes_are_free_when_their_time_is_over() {
    let world = World::new();
    let mut juror = world.docket.appoint(&[TopicKind::BeaconBlock]);
    world.submit(1, Duration::ZERO);
    advance(ANSWER_TIME).await;
    world.docket.expire(Instant::now());
    assert_eq!(world.held(), 0);
    // it is passed over
    world.submit(2, Duration::ZERO);
    assert_eq!(juror.next().await.unwrap().message_id, id(2));
}

#[tokio::test(start_paused = true)]
async fn whoever_arrived_first_expires_first_whatever_the_order_in_which_they_were_judged() {
    let world = World::new();
    let juror = world.docket.appoint(&[TopicKind::BeaconBlock]);
    world.submit(1, Duration::ZERO);
    world.submit(2, Duration::from_secs(2));
    advance(Duration::from_secs(1)).await;
    world.docket.expire(Instant::now());
    assert_eq!(juror.answer(id(2), Answer::Ignore), Err(NotWaiting));
    assert_eq!(juror.answer(id(1), Answer::Ignore), Ok(()));
    assert_eq!((world.held(), world.docket.waiting().deadlines.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_arrived_too_long_ago_is_settled_without_a_question() {
    let world = World::new();
    let mut told = world.events.subscribe();
    let mut juror = world.docket.appoint(&[TopicKind::BeaconBlock]);
    world.submit(1, ANSWER_TIME);
    let event = told.next().await.unwrap();
    assert!(matches!(&*event, NodeEvent::GossipReceived { reason: "unanswered", .. }), "{event:?}");
    assert_eq!(world.held(), 0);
    world.submit(2, Duration::ZERO);
    assert_eq!(juror.next().await.unwrap().message_id, id(2));
}

#[tokio::test(start_paused = true)]
async fn a_rejection_counts_for_nothing_once_the_topics_fork_is_over() {
    let mut world = World::new();
    let mut told = world.events.subscribe();
    let juror = world.docket.appoint(&[TopicKind::BeaconBlock]);
    let altair = ChainConfig::embedded(NetworkName::Mainnet).forks[&ForkName::Altair].epoch.unwrap();
    world.submit(1, Duration::ZERO);
    world.arrived_ms += altair.start_slot().0 * 12_000;
    world.submit(2, Duration::ZERO);
    let mut reasons = Vec::new();
    for number in [1, 2] {
        juror.answer(id(number), Answer::Reject).unwrap();
        while reasons.len() < usize::from(number) {
            if let NodeEvent::GossipReceived { verdict, reason, .. } = &*told.next().await.unwrap() {
                reasons.push((*verdict, *reason));
            }
        }
    }
    assert_eq!(reasons, [("reject", "judged"), ("ignore", "wrong_fork")]);
}
