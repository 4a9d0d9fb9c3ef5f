//! Publishing: a message of our own is judged by the rules that hold for others', then handed to the router.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::checks::Passed;
use super::judge::Judge;
use super::verdict::{IgnoreReason, Verdict};
use crate::chain::ForkSchedule;
use crate::events::{Events, NodeEvent};
use crate::fault::{Classify, Fault};
use crate::switch::{self, Published, SwitchHandle};
use crate::time::SlotClock;
use crate::types::{GossipTopic, TopicName};

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
        let (topic, ssz, passed) = self.judged(name, ssz).await?;
        let ssz_bytes = ssz.len();
        // only whoever publishes knows that it is valid; what reaches nobody may be tried again
        let reservation =
            self.judge.reserve(&passed).map_err(|reason| PublishError::Refused(Verdict::Ignore(reason)))?;
        let published = self.switch.publish(topic, ssz).await;
        self.events.emit(NodeEvent::GossipPublished {
            topic,
            topic_kind: name.kind(),
            result: published.as_ref().map_or_else(Classify::reason, |_| "ok"),
            peers: published.as_ref().map_or(0, |published| published.peers),
            ssz_bytes,
        });
        if published.is_ok() {
            reservation.keep(self.clock.now_ms());
        }
        Ok(published?)
    }

    /// The topic on which the message passes the rules.
    async fn judged(&self, name: TopicName, ssz: Vec<u8>) -> Result<(GossipTopic, Vec<u8>, Passed), PublishError> {
        let (judge, now_ms) = (self.judge.clone(), self.clock.now_ms());
        let digests = self.schedule.accepted_digests(self.clock.slot().unwrap_or_default());
        let judging = spawn_blocking(move || {
            let mut refusal = None;
            for fork_digest in digests.iter() {
                let topic = GossipTopic { fork_digest, name };
                match judge.judge(topic, &ssz, now_ms) {
                    Ok(passed) => return Ok((topic, ssz, passed)),
                    // near a boundary the message may be of its other side; what the digest in force says is told
                    Err(verdict) => refusal = refusal.or(Some(verdict)),
                }
            }
            Err(refusal.unwrap_or(Verdict::Ignore(IgnoreReason::WrongFork)))
        });
        judging.await.map_err(|_| switch::PublishError::Stopped)?.map_err(PublishError::Refused)
    }
}
