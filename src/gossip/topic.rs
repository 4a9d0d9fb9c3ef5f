//! What the node knows of one kind of topic: its forks, sizes, checks and score parameters; one row, one file.
//!
//! The rows are in `topics`; [`row`] finds one. Judging is `judge`'s business, joining is `subscriptions`'.

use super::checks::{CheckContext, Judgement};
use super::topics;
use crate::switch::TopicScore;
use crate::types::{ForkName, TopicKind};

/// A kind of topic.
#[derive(Debug)]
pub struct Topic {
    /// What it carries.
    pub kind: TopicKind,
    /// The first fork that has it.
    pub since: ForkName,
    /// The first fork that no longer has it.
    pub until: Option<ForkName>,
    /// How many subnets it has in a fork; 1 for a global topic.
    pub subnets: fn(ForkName) -> u16,
    /// Sizes of its message's SSZ in a fork, bytes.
    pub bounds: fn(ForkName) -> SszBounds,
    /// Decodes a message and runs every rule that needs no state, in the specification's order.
    pub check: fn(&CheckContext<'_>, &[u8]) -> Judgement,
    /// How peers are scored for what they send on it.
    pub score: TopicScore,
}

impl Topic {
    /// Whether a fork has the topic.
    #[must_use]
    pub fn exists_in(&self, fork: ForkName) -> bool {
        self.since <= fork && self.until.is_none_or(|until| fork < until)
    }
}

/// The row of a kind.
#[must_use]
pub fn row(kind: TopicKind) -> &'static Topic {
    topics::ALL[kind as usize]
}
