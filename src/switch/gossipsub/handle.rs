//! Commands to the router, through a channel of their own.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::counts::GossipCounts;
use super::message_id::{IdRule, Payload, message_id};
use super::params::MAX_PAYLOAD_SIZE;
use super::room::Lane;
use super::score::TopicScore;
use super::snappy;
use crate::fault::{Classify, Fault};
use crate::switch::SwitchHandle;
use crate::types::{ForkDigest, GossipTopic, MessageId};

/// Commands that may wait; senders **wait**. What is published is compressed by then: 16 × 11.7 MiB = 187 MiB at
/// worst, 16 × 100 KiB with blocks of ordinary size.
pub(super) const COMMANDS: usize = 16;

/// Larger messages are compressed and hashed on a thread for blocking work, bytes.
const BLOCKING_SIZE: usize = 64 * 1024;

/// A topic to join.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopicSubscription {
    /// Which one.
    pub topic: GossipTopic,
    /// Largest message of the topic, bytes of SSZ. Beyond it a message is invalid.
    pub max_ssz_bytes: usize,
    /// Where its messages wait to be judged.
    pub lane: Lane,
    /// What peers' scores on the topic are derived from.
    pub score: TopicScore,
    /// Whether messages that are merely unverifiable may be forwarded when others send them too.
    pub corroborable: bool,
    /// Whether the topic's digest is no longer in force: nobody pays for invalid messages then. Joining a topic again
    /// changes it.
    ///
    /// [spec v1.6.0, transitioning the gossip](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#transitioning-the-gossip)
    pub outdated: bool,
}

/// A message that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its id.
    pub message_id: MessageId,
    /// How many peers it was to be queued for, counted just before: all of the mesh and as many others as bring it to D,
    /// of those that are subscribed and in good standing. An estimate from above: libp2p's router does not say for
    /// how many the queue was full, and a peer that has the message already is among them. That any of them
    /// forwards it is not known.
    pub peers: usize,
}

/// Why a message was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// It was published or seen before, within 768 s.
    #[error("the message has been seen already")]
    Duplicate,
    /// Nobody that we are connected to is subscribed to the topic and in good standing.
    #[error("no peer is subscribed to the topic")]
    NoPeers,
    /// Every peer that it would have gone to is behind. It is advertised to peers all the same for two seconds, and
    /// publishing it again is a [`Self::Duplicate`].
    #[error("the queues of all {peers} peers are full")]
    QueuesFull {
        /// How many.
        peers: usize,
    },
    /// Above 10 MiB of SSZ.
    #[error("the message is too large")]
    TooLarge,
    /// The topic's digest is none of this network's.
    #[error("the topic's fork digest is not of this network")]
    UnknownDigest,
    /// The switch has stopped.
    #[error("the switch has stopped")]
    Stopped,
}

impl Classify for PublishError {
    fn fault(&self) -> Fault {
        match self {
            Self::Duplicate | Self::TooLarge | Self::UnknownDigest | Self::Stopped => Fault::Local,
            Self::NoPeers | Self::QueuesFull { .. } => Fault::Transient,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::NoPeers => "no_peers",
            Self::QueuesFull { .. } => "queues_full",
            Self::TooLarge => "too_large",
            Self::UnknownDigest => "unknown_digest",
            Self::Stopped => "stopped",
        }
    }
}

#[derive(Debug)]
pub(super) enum RouterCommand {
    Subscribe(Vec<TopicSubscription>),
    Unsubscribe(Vec<GossipTopic>),
    Publish { message: Outgoing, reply: oneshot::Sender<Result<Published, PublishError>> },
    TakeCounts(oneshot::Sender<GossipCounts>),
}

/// A message to publish, compressed, with its id.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) topic: String,
    pub(super) message_id: MessageId,
    pub(super) data: Vec<u8>,
}

impl Outgoing {
    fn new(topic: GossipTopic, rule: IdRule, ssz: &[u8]) -> Option<Self> {
        let topic = topic.to_string();
        let message_id = message_id(rule, &topic, Payload::Decompressed(ssz));
        Some(Self { topic, message_id, data: snappy::compress(ssz)? })
    }
}

/// Talks to the router. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::switch) struct RouterHandle {
    pub(super) commands: mpsc::Sender<RouterCommand>,
    pub(super) digests: Arc<[(ForkDigest, IdRule)]>,
}

impl RouterHandle {
    async fn send(&self, command: RouterCommand) {
        // switch gone: so are its meshes
        let _ = self.commands.send(command).await;
    }
}

/// The rule of a digest of the schedule.
pub(super) fn id_rule(digests: &[(ForkDigest, IdRule)], fork_digest: ForkDigest) -> Option<IdRule> {
    digests.iter().find(|(digest, _)| *digest == fork_digest).map(|(_, rule)| *rule)
}

impl SwitchHandle {
    /// Joins topics, and tells every peer. Topics of a digest that is not of the schedule are left out, with a warning.
    ///
    /// Cancel safe: the topics are joined or not, all together.
    pub async fn subscribe(&self, topics: Vec<TopicSubscription>) {
        self.router.send(RouterCommand::Subscribe(topics)).await;
    }

    /// Leaves topics, and tells every peer.
    ///
    /// Cancel safe: the topics are left or not, all together.
    pub async fn unsubscribe(&self, topics: Vec<GossipTopic>) {
        self.router.send(RouterCommand::Unsubscribe(topics)).await;
    }

    /// Sends a message to the peers of its topic, joined or not. It is not judged here.
    ///
    /// # Errors
    /// See [`PublishError`].
    ///
    /// Cancel safe, but a message that was handed over is published all the same.
    pub async fn publish(&self, topic: GossipTopic, ssz: Vec<u8>) -> Result<Published, PublishError> {
        if ssz.len() > MAX_PAYLOAD_SIZE {
            return Err(PublishError::TooLarge);
        }
        let rule = id_rule(&self.router.digests, topic.fork_digest).ok_or(PublishError::UnknownDigest)?;
        let message = if ssz.len() > BLOCKING_SIZE {
            let made = spawn_blocking(move || Outgoing::new(topic, rule, &ssz)).await;
            made.map_err(|_| PublishError::Stopped)?
        } else {
            Outgoing::new(topic, rule, &ssz)
        };
        let message = message.ok_or(PublishError::TooLarge)?;
        let (reply, answer) = oneshot::channel();
        self.router.send(RouterCommand::Publish { message, reply }).await;
        answer.await.map_err(|_| PublishError::Stopped)?
    }

    /// What the router counted since it was last asked; `None` when the switch has stopped.
    ///
    /// Cancel safe, but counts that nobody takes are gone.
    pub async fn take_counts(&self) -> Option<GossipCounts> {
        let (reply, answer) = oneshot::channel();
        self.router.send(RouterCommand::TakeCounts(reply)).await;
        answer.await.ok()
    }
}
