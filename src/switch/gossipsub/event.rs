//! What the router tells besides messages.

use crate::types::{GossipTopic, MessageId, PeerId};

/// What happened in the router.
#[derive(Clone, Debug, PartialEq)]
pub enum RouterEvent {
    /// A message was rejected in the router.
    Invalid {
        /// Who sent it.
        peer_id: PeerId,
        /// Where.
        topic: GossipTopic,
        /// Its id, over the data as received.
        message_id: MessageId,
        /// Why.
        reason: Invalid,
        /// Its size, compressed.
        wire_bytes: usize,
    },
    /// A message that was to be forwarded if others sent it too: how that ended. Told under
    /// [`RelayPolicy::Corroborated`](super::RelayPolicy::Corroborated) alone.
    Corroborated {
        /// Which message.
        message_id: MessageId,
        /// Where.
        topic: GossipTopic,
        /// Whether it was forwarded.
        relayed: bool,
        /// On how many networks distinct peers had it, at most 8.
        networks: usize,
    },
    /// A peer's score fell so low that it is not listened to any more. Told at once, and again every 3 s while it stays
    /// connected.
    ScoreTooLow {
        /// Whose.
        peer_id: PeerId,
        /// Its score.
        score: f64,
    },
    /// A peer does not take what it is sent in time; the rest was dropped.
    SlowPeer {
        /// Who.
        peer_id: PeerId,
        /// Messages that were dropped since the last heartbeat.
        dropped: usize,
    },
}

/// Why a message is invalid, whatever its topic carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It is or declares more bytes than the topic allows.
    TooLarge,
    /// It is no raw snappy.
    BadSnappy,
    /// It has a signature, a sequence number, an author or a key, which `StrictNoSign` forbids.
    Signed,
}
