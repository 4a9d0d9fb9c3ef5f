//! Publishing: a message of our own is judged by the rules that hold for others', then handed to the router.

use std::iter;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::checks::Passed;
use super::judge::Judge;
use super::subscriptions::held;
use super::verdict::{IgnoreReason, RejectReason, Verdict};
use crate::chain::ForkSchedule;
use crate::events::{Events, NodeEvent};
use crate::fault::{Classify, Fault};
use crate::switch::{self, Published, SwitchHandle};
use crate::time::SlotClock;
use crate::types::{Epoch, ForkDigest, GossipTopic, TopicName};

/// Why a message was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPublished {
    /// A rule says that others would not forward it.
    #[error("by the rules of gossip the message would be {0}")]
    Refused(Verdict),
    /// The router found nobody, or could not take it.
    #[error(transparent)]
    Router(#[from] switch::PublishError),
}

impl Classify for NotPublished {
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
    /// Judges a message and sends it, on the topic of the digest that it belongs to.
    pub(super) async fn publish(&self, name: TopicName, ssz: Vec<u8>) -> Result<Published, NotPublished> {
        let (topic, ssz, passed) = self.judged(name, ssz).await?;
        let ssz_bytes = ssz.len();
        // only whoever publishes knows that it is valid; what reaches nobody may be tried again
        let reservation =
            self.judge.reserve(&passed).map_err(|reason| NotPublished::Refused(Verdict::Ignore(reason)))?;
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
    async fn judged(&self, name: TopicName, ssz: Vec<u8>) -> Result<(GossipTopic, Vec<u8>, Passed), NotPublished> {
        let (judge, now_ms) = (self.judge.clone(), self.clock.now_ms());
        let digests = digests(&self.schedule, self.clock.epoch());
        let judging = spawn_blocking(move || {
            let (topic, passed) = judge_first(&judge, &digests, name, &ssz, now_ms)?;
            Ok((topic, ssz, passed))
        });
        judging.await.map_err(|_| switch::PublishError::Stopped)?.map_err(NotPublished::Refused)
    }
}

/// The digests that a message of now may belong to: that in force, then the others that are held. A proposer's
/// preferences are sent an epoch ahead of their fork, an attestation up to an epoch after its own.
fn digests(schedule: &ForkSchedule, epoch: Epoch) -> Vec<ForkDigest> {
    let current = schedule.digest_at(epoch);
    let others = held(schedule, epoch).map(|(boundary, _)| boundary.fork_digest).filter(|digest| *digest != current);
    iter::once(current).chain(others).collect()
}

/// The first topic on which a message passes. Where it passes on none, what is wrong with it on a topic where it belongs.
fn judge_first(
    judge: &Judge,
    digests: &[ForkDigest],
    name: TopicName,
    ssz: &[u8],
    now_ms: u64,
) -> Result<(GossipTopic, Passed), Verdict> {
    let mut refusal = Verdict::Ignore(IgnoreReason::WrongFork);
    for &fork_digest in digests {
        let topic = GossipTopic { fork_digest, name };
        match judge.judge(topic, ssz, now_ms) {
            Ok(passed) => return Ok((topic, passed)),
            Err(verdict) if is_elsewhere(refusal) => refusal = verdict,
            Err(_) => {}
        }
    }
    Err(refusal)
}

/// Whether a verdict merely says that the message does not belong to the topic's fork.
const fn is_elsewhere(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Ignore(IgnoreReason::WrongFork) | Verdict::Reject(RejectReason::UnknownTopic))
}

#[cfg(test)]
mod tests;
