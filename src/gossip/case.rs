//! One message on its way to a verdict.

use tokio::time::Instant;

use super::checks::Passed;
use crate::switch::{GossipMessage, HeldBytes, PendingVerdict};
use crate::types::{GossipTopic, MessageId, PeerId, Root, Slot, TopicKind};

/// A message without its bytes, what the rules have said of it so far, and the verdict that it still needs.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) topic: GossipTopic,
    /// Who sent it first.
    pub(super) peer_id: PeerId,
    pub(super) wire_bytes: usize,
    /// How long its SSZ is, bytes.
    pub(super) ssz_bytes: usize,
    pub(super) arrived: Instant,
    /// The same, milliseconds since the Unix epoch.
    pub(super) arrived_ms: u64,
    pub(super) verdict: PendingVerdict,
    /// Set once every rule that needs no state has passed.
    pub(super) passed: Option<Passed>,
}

impl Case {
    /// Takes a message apart that arrived at `arrived_ms`, milliseconds since the Unix epoch.
    pub(super) fn open(message: GossipMessage, arrived_ms: u64) -> (Self, HeldBytes) {
        let GossipMessage { topic, peer_id, ssz, wire_bytes, arrived, verdict } = message;
        let ssz_bytes = ssz.len();
        (Self { topic, peer_id, wire_bytes, ssz_bytes, arrived, arrived_ms, verdict, passed: None }, ssz)
    }

    pub(super) const fn kind(&self) -> TopicKind {
        self.topic.name.kind()
    }

    pub(super) const fn message_id(&self) -> MessageId {
        self.verdict.message_id()
    }

    pub(super) fn slot(&self) -> Option<Slot> {
        self.passed.as_ref()?.slot
    }

    pub(super) fn block_root(&self) -> Option<Root> {
        Some(self.passed.as_ref()?.header?.root)
    }
}
