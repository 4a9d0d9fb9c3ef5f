//! Publishing: a message of our own is judged by the rules that hold for others', then handed to the router.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::checks::Judgement;
use super::judge::Judge;
use super::verdict::{IgnoreReason, RejectReason, Verdict};
use crate::chain::ForkSchedule;
use crate::events::{Events, NodeEvent};
use crate::fault::{Classify, Fault};
use crate::switch::{self, Published, SwitchHandle};
use crate::time::SlotClock;
use crate::types::{ForkDigest, GossipTopic, TopicName};

/// Why a message was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// A rule says that others would not forward it.
    #[error("by the rules of gossip the message would be {0}")]
    Refused(Verdict),
    /// The router found nobody, or could not take it.
    #[error(transparent)]
    Router(#[from] switch::PublishError),
}

impl Classify for PublishError {
    fn fault(&self) -> Fault {
        match self {
            Self::Refused(_) => Fault::Local,
            Self::Router(error) => error.fault(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Refused(verdict) => verdict.reason(),
            Self::Router(error) => error.reason(),
        }
    }
}

/// Publishes messages. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Publisher {
    pub(super) judge: Arc<Judge>,
    pub(super) switch: SwitchHandle,
    pub(super) schedule: Arc<ForkSchedule>,
    pub(super) clock: SlotClock,
    pub(super) events: Events,
}

impl Publisher {
    /// Judges a message and sends it, on the topic of the fork that its slot is of.
    pub(super) async fn publish(&self, name: TopicName, ssz: Vec<u8>) -> Result<Published, PublishError> {
        let (topic, ssz) = self.judged(name, ssz).await?;
        let ssz_bytes = ssz.len();
        let published = self.switch.publish(topic, ssz).await;
        self.events.emit(NodeEvent::GossipPublished {
            topic,
            topic_kind: name.kind(),
            result: published.as_ref().map_or_else(Classify::reason, |_| "ok"),
            peers: published.as_ref().map_or(0, |published| published.peers),
            ssz_bytes,
        });
        Ok(published?)
    }

    /// The topic on which the message passes the rules. Only whoever publishes knows that it is valid: what passes is
    /// remembered as seen.
    async fn judged(&self, name: TopicName, ssz: Vec<u8>) -> Result<(GossipTopic, Vec<u8>), PublishError> {
        let (judge, digests, now_ms) = (self.judge.clone(), self.digests(), self.clock.now_ms());
        let judging = spawn_blocking(move || {
            let mut judgement: Judgement = Err(RejectReason::UnknownTopic.into());
            for fork_digest in digests {
                let topic = GossipTopic { fork_digest, name };
                judgement = judge.judge(topic, &ssz, now_ms);
                if let Ok(passed) = &judgement {
                    judge.record(passed, now_ms);
                    return Ok((topic, ssz));
                }
            }
            Err(judgement.err().unwrap_or(Verdict::Ignore(IgnoreReason::WrongFork)))
        });
        judging.await.map_err(|_| switch::PublishError::Stopped)?.map_err(PublishError::Refused)
    }

    /// The digest in force last, so that its verdict is told: near a boundary the message may be of its other side.
    fn digests(&self) -> Vec<ForkDigest> {
        let accepted = self.schedule.accepted_digests(self.clock.slot().unwrap_or_default());
        accepted.neighbour.into_iter().chain([accepted.current]).collect()
    }
}
