//! What the router tells besides messages.

use super::snappy::SnappyError;
use crate::types::{GossipTopic, MessageId, PeerId};

/// What happened in the router.
#[derive(Clone, Debug, PartialEq)]
pub enum RouterEvent {
    /// A message could not be read and was rejected in the router.
    Undecodable {
        /// Who sent it.
        peer_id: PeerId,
        /// Where.
        topic: GossipTopic,
        /// Its id, over the data as received.
        message_id: MessageId,
        /// Why.
        reason: Undecodable,
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
        /// On how many networks it was seen, at most 8.
        networks: usize,
    },
    /// A peer's score fell so low that it is not listened to any more. Told once, until the score recovers.
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
    /// A peer speaks no gossipsub.
    NotSupported {
        /// Who.
        peer_id: PeerId,
    },
}

/// Why a message could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// It is or declares more bytes than the topic allows.
    TooLarge,
    /// It is no raw snappy.
    BadSnappy,
}

impl Undecodable {
    /// The stable label, `snake_case`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::BadSnappy => "bad_snappy",
        }
    }
}

impl From<SnappyError> for Undecodable {
    fn from(error: SnappyError) -> Self {
        match error {
            SnappyError::TooLarge => Self::TooLarge,
            SnappyError::Invalid => Self::BadSnappy,
        }
    }
}
