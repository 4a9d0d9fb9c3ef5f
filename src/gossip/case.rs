//! One message on its way to a verdict.

use crate::switch::GossipMessage;
use crate::types::{MessageId, Root, Slot, TopicKind};

use super::checks::Passed;

/// A message, what the rules have said of it so far, and the verdict that it still needs.
#[derive(Debug)]
pub(super) struct Case {
    /// The message; its SSZ may be taken out once the rules have run.
    pub(super) message: GossipMessage,
    /// When it arrived, milliseconds since the Unix epoch.
    pub(super) arrived_ms: u64,
    /// How long its SSZ is, bytes.
    pub(super) ssz_bytes: usize,
    /// Set once every rule that needs no state has passed.
    pub(super) passed: Option<Passed>,
}

impl Case {
    pub(super) const fn new(message: GossipMessage, arrived_ms: u64) -> Self {
        let ssz_bytes = message.ssz.len();
        Self { message, arrived_ms, ssz_bytes, passed: None }
    }

    pub(super) const fn kind(&self) -> TopicKind {
        self.message.topic.name.kind()
    }

    pub(super) const fn message_id(&self) -> MessageId {
        self.message.verdict.message_id()
    }

    pub(super) fn slot(&self) -> Option<Slot> {
        self.passed.as_ref()?.slot
    }

    pub(super) fn block_root(&self) -> Option<Root> {
        Some(self.passed.as_ref()?.header?.root)
    }
}
