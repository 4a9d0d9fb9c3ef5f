//! The task that keeps gossip in step with the chain: topics joined and left, a summary each slot, answers that are due.
//!
//! Spawned by `node`. It carries no message: those go from the router to the judges' threads and back.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::docket::{Docket, LOOK_INTERVAL};
use super::handle::Conduct;
use super::pool;
use super::settler::Settler;
use super::subscriptions::Plan;
use super::summary;
use super::topic::row;
use super::verdict::RejectReason;
use crate::chain::{ChainNow, ForkSchedule};
use crate::events::NodeEvent;
use crate::switch::{Invalid, RouterEvent, SwitchHandle, TopicSubscription};
use crate::types::{Epoch, GossipTopic, PeerId, Slot, TopicKind, TopicName};

/// What the task works with.
#[derive(Debug)]
pub(super) struct GossipTask {
    pub(super) switch: SwitchHandle,
    pub(super) schedule: Arc<ForkSchedule>,
    pub(super) settler: Arc<Settler>,
    pub(super) docket: Arc<Docket>,
    pub(super) inputs: Inputs,
    /// What the router finds wrong with peers; **drop**: it reports them again.
    pub(super) conduct: mpsc::Sender<(PeerId, Conduct)>,
    pub(super) joined: BTreeSet<GossipTopic>,
    /// Of these, the ones that the router knows to be of a digest that is over.
    pub(super) outdated: BTreeSet<GossipTopic>,
}

/// What the task waits for.
#[derive(Debug)]
pub(super) struct Inputs {
    /// What to take part in; **newest wins**.
    pub(super) plan: watch::Receiver<Arc<Plan>>,
    /// **Newest wins**.
    pub(super) now: watch::Receiver<ChainNow>,
    pub(super) router_events: mpsc::Receiver<RouterEvent>,
}

/// What is to be done next.
#[derive(Debug)]
enum Step {
    /// The node stops.
    Stop,
    /// Answers may be overdue.
    Look,
    FollowPlan,
    Slot,
    Router(RouterEvent),
}

impl Inputs {
    /// What is due comes before what peers can make more of than the task can take: no flood of events holds up the
    /// verdicts of others.
    ///
    /// Cancel safe.
    async fn next(&mut self, look: &mut Interval, token: &CancellationToken) -> Step {
        tokio::select! {
            biased;
            () = token.cancelled() => Step::Stop,
            _ = look.tick() => Step::Look,
            changed = self.plan.changed() => changed.map_or(Step::Stop, |()| Step::FollowPlan),
            changed = self.now.changed() => changed.map_or(Step::Stop, |()| Step::Slot),
            event = self.router_events.recv() => event.map_or(Step::Stop, Step::Router),
        }
    }
}

impl GossipTask {
    /// Runs until `token` is cancelled or the switch has stopped.
    ///
    /// Cancel safe: topics stay joined, messages without an answer are ignored.
    pub(super) async fn run(mut self, token: CancellationToken) {
        let mut look = interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.follow_plan().await;
        loop {
            match self.inputs.next(&mut look, &token).await {
                Step::Stop => return,
                Step::Look => self.docket.expire(Instant::now()),
                Step::FollowPlan => self.follow_plan().await,
                Step::Slot => self.on_slot().await,
                Step::Router(event) => self.on_router_event(event),
            }
        }
    }

    /// Joins and leaves what the plan asks for.
    async fn follow_plan(&mut self) {
        let Plan { epoch, topics: wanted, .. } = Plan::clone(&self.inputs.plan.borrow_and_update());
        let joined: Vec<_> =
            wanted.difference(&self.joined).filter_map(|topic| self.subscription(*topic, epoch)).collect();
        let left: Vec<_> = self.joined.difference(&wanted).copied().collect();
        self.follow_digests(&wanted, epoch).await;
        if joined.is_empty() && left.is_empty() {
            return;
        }
        let digests: BTreeSet<_> = wanted.iter().map(|topic| topic.fork_digest.to_string()).collect();
        let event = NodeEvent::GossipTopicsChanged {
            joined: joined.len(),
            left: left.len(),
            topics: wanted.len(),
            fork_digests: digests.into_iter().collect::<Vec<_>>().join(","),
            attestation_subnets: subnets(&wanted, TopicKind::BeaconAttestation),
            data_columns: subnets(&wanted, TopicKind::DataColumnSidecar),
        };
        self.joined = wanted;
        self.switch.subscribe(joined).await;
        self.switch.unsubscribe(left).await;
        self.settler.events.emit(event);
    }

    /// Tells the router which of the joined topics are of a digest that is over now.
    async fn follow_digests(&mut self, wanted: &BTreeSet<GossipTopic>, epoch: Epoch) {
        let outdated: BTreeSet<_> = wanted.iter().copied().filter(|topic| self.is_outdated(*topic, epoch)).collect();
        let changed = outdated.difference(&self.outdated).filter(|topic| self.joined.contains(topic));
        let changed: Vec<_> = changed.filter_map(|topic| self.subscription(*topic, epoch)).collect();
        self.outdated = outdated;
        if !changed.is_empty() {
            self.switch.subscribe(changed).await;
        }
    }

    fn is_outdated(&self, topic: GossipTopic, epoch: Epoch) -> bool {
        let boundary = self.schedule.boundary_of(topic.fork_digest);
        boundary.and_then(|boundary| self.schedule.end_of(boundary.epoch)).is_some_and(|end| end <= epoch)
    }

    /// What the router has to know of a topic; `None` for one that its fork does not have.
    fn subscription(&self, topic: GossipTopic, epoch: Epoch) -> Option<TopicSubscription> {
        let boundary = self.schedule.boundary_of(topic.fork_digest)?;
        let row = row(topic.name.kind());
        let bounds = row.bounds(boundary.fork)?;
        Some(TopicSubscription {
            topic,
            max_ssz_bytes: bounds.max,
            lane: pool::lane(topic.name.kind()),
            score: row.score,
            corroborable: row.corroborable,
            outdated: self.is_outdated(topic, epoch),
        })
    }

    /// A slot has begun: the one before is summarized.
    async fn on_slot(&mut self) {
        let Some(slot) = self.inputs.now.borrow_and_update().slot else { return };
        self.settler.judge.prune(self.settler.clock.now_ms());
        self.settler.give_up_waiting();
        let Some(ended) = slot.0.checked_sub(1) else { return };
        if let Some(counts) = self.switch.take_counts().await {
            summary::emit(Slot(ended), &counts, self.joined.len(), &self.settler);
        }
    }

    fn on_router_event(&self, event: RouterEvent) {
        match event {
            // counted by the router
            RouterEvent::Invalid { peer_id, topic, message_id, reason, wire_bytes } => {
                let reason = match reason {
                    Invalid::TooLarge | Invalid::BadSnappy => RejectReason::BadSnappy,
                    Invalid::Signed => RejectReason::Signed,
                };
                self.settler.events.emit(NodeEvent::GossipRejected {
                    peer_id,
                    topic,
                    topic_kind: topic.name.kind(),
                    reason: reason.as_str(),
                    message_id,
                    size_bytes: wire_bytes,
                });
            }
            RouterEvent::Corroborated { message_id, relayed, .. } => self.settler.on_corroborated(message_id, relayed),
            RouterEvent::ScoreTooLow { peer_id, score } => {
                tracing::debug!(%peer_id, score, "gossip score too low");
                self.report(peer_id, Conduct::LowScore);
            }
            RouterEvent::SlowPeer { peer_id, dropped } => {
                tracing::debug!(%peer_id, dropped, "the peer takes its messages too slowly");
                self.report(peer_id, Conduct::TakesLong);
            }
        }
    }

    fn report(&self, peer_id: PeerId, conduct: Conduct) {
        // drop: the router reports it again
        let _ = self.conduct.try_send((peer_id, conduct));
    }
}

/// The subnets of a kind among some topics, in order, comma-separated.
fn subnets(topics: &BTreeSet<GossipTopic>, kind: TopicKind) -> String {
    let names = topics.iter().map(|topic| topic.name).filter(|name| name.kind() == kind);
    let subnets: BTreeSet<u16> = names.filter_map(TopicName::subnet).collect();
    subnets.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::chain::{ChainConfig, NetworkName};
    use crate::gossip::Duties;
    use crate::types::Epoch;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_events_does_not_hold_up_what_is_due() {
        let schedule = ForkSchedule::new(&ChainConfig::embedded(NetworkName::Mainnet));
        let now = ChainNow { slot: None, fork: schedule.state_at(Epoch(0)) };
        let plan = Plan { epoch: Epoch(0), duties: Duties::default(), topics: BTreeSet::new() };
        let (_plan, plan) = watch::channel(Arc::new(plan));
        let (_now, now) = watch::channel(now);
        let (events, router_events) = mpsc::channel(100);
        let mut inputs = Inputs { plan, now, router_events };
        let (mut look, token) = (interval(LOOK_INTERVAL), CancellationToken::new());
        assert!(matches!(inputs.next(&mut look, &token).await, Step::Look));

        let event = || RouterEvent::SlowPeer { peer_id: PeerId::random(), dropped: 1 };
        for _ in 0..100 {
            events.send(event()).await.unwrap();
        }
        assert!(matches!(inputs.next(&mut look, &token).await, Step::Router(_)));
        advance(LOOK_INTERVAL).await;
        assert!(matches!(inputs.next(&mut look, &token).await, Step::Look));
        assert!(matches!(inputs.next(&mut look, &token).await, Step::Router(_)));
    }
}
