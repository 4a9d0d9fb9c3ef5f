//! The task that keeps gossip in step with the chain: topics joined and left, a summary each slot, answers that are due.
//!
//! Spawned by `node`. It carries no message: those go from the router to the judges' threads and back.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::docket::{Docket, LOOK_INTERVAL};
use super::settler::Settler;
use super::subscriptions::Plan;
use super::summary;
use super::topic::row;
use super::verdict::RejectReason;
use crate::chain::{ChainNow, ForkSchedule};
use crate::events::NodeEvent;
use crate::switch::{Invalid, RouterEvent, SwitchHandle, TopicSubscription};
use crate::types::{GossipTopic, PeerId, Slot, TopicKind, TopicName};

/// What the task works with.
#[derive(Debug)]
pub(super) struct GossipTask {
    pub(super) switch: SwitchHandle,
    pub(super) schedule: Arc<ForkSchedule>,
    pub(super) settler: Arc<Settler>,
    pub(super) docket: Arc<Docket>,
    pub(super) router_events: mpsc::Receiver<RouterEvent>,
    /// What to take part in; **newest wins**.
    pub(super) plan: watch::Receiver<Arc<Plan>>,
    /// **Newest wins**.
    pub(super) now: watch::Receiver<ChainNow>,
    /// Peers whose gossip score is too low to keep them; **drop**: the router reports them again.
    pub(super) low_scores: mpsc::Sender<PeerId>,
    pub(super) joined: BTreeSet<GossipTopic>,
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
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                changed = self.plan.changed() => match changed {
                    Ok(()) => self.follow_plan().await,
                    Err(_) => return,
                },
                changed = self.now.changed() => match changed {
                    Ok(()) => self.on_slot().await,
                    Err(_) => return,
                },
                event = self.router_events.recv() => match event {
                    Some(event) => self.on_router_event(event),
                    None => return,
                },
                _ = look.tick() => self.docket.expire(Instant::now()),
            }
        }
    }

    /// Joins and leaves what the plan asks for.
    async fn follow_plan(&mut self) {
        let wanted = self.plan.borrow_and_update().topics.clone();
        let joined: Vec<_> = wanted.difference(&self.joined).filter_map(|topic| self.subscription(*topic)).collect();
        let left: Vec<_> = self.joined.difference(&wanted).copied().collect();
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

    /// What the router has to know of a topic; `None` for one that its fork does not have.
    fn subscription(&self, topic: GossipTopic) -> Option<TopicSubscription> {
        let boundary = self.schedule.boundaries().find(|boundary| boundary.fork_digest == topic.fork_digest)?;
        let row = row(topic.name.kind());
        let bounds = row.bounds(boundary.fork)?;
        Some(TopicSubscription {
            topic,
            max_ssz_bytes: bounds.max,
            score: row.score,
            corroborable: row.corroborable,
            outdated: false,
        })
    }

    /// A slot has begun: the one before is summarized.
    async fn on_slot(&mut self) {
        let Some(slot) = self.now.borrow_and_update().slot else { return };
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
                // drop: the router reports it again
                let _ = self.low_scores.try_send(peer_id);
            }
            RouterEvent::SlowPeer { peer_id, dropped } => {
                tracing::debug!(%peer_id, dropped, "the peer takes its messages too slowly");
            }
        }
    }
}

/// The subnets of a kind among some topics, in order, comma-separated.
fn subnets(topics: &BTreeSet<GossipTopic>, kind: TopicKind) -> String {
    let names = topics.iter().map(|topic| topic.name).filter(|name| name.kind() == kind);
    let subnets: BTreeSet<u16> = names.filter_map(TopicName::subnet).collect();
    subnets.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}
