//! What the node knows of one kind of topic: its forks, sizes, checks and score parameters; one row, one file.
//!
//! The rows are in `topics`; [`row`] finds one. Judging is `judge`'s business, joining is `subscriptions`'.

use super::checks::{CheckContext, Judgement};
use super::topics;
use crate::switch::TopicScore;
use crate::types::containers::sizes::{MessageType, SszSize};
use crate::types::{ForkName, TopicKind, TopicName};

/// A kind of topic.
#[derive(Debug)]
pub(super) struct Topic {
    /// What it carries.
    pub kind: TopicKind,
    /// The first fork that has it.
    pub since: ForkName,
    /// The first fork that no longer has it.
    pub until: Option<ForkName>,
    /// How many subnets it has in a fork; 1 for a global topic.
    pub subnets: fn(ForkName) -> u16,
    /// The type of its messages in a fork.
    pub message: fn(ForkName) -> MessageType,
    /// Decodes a message and runs every rule that needs no state, in the specification's order.
    pub check: fn(&CheckContext<'_>, &[u8]) -> Judgement,
    /// Whether a message that merely cannot be verified may be relayed on the word of several networks. Never where a
    /// forged one does lasting harm and none is urgent: exits, slashings, changes of credentials.
    pub corroborable: bool,
    /// How peers are scored for what they send on it. The specification gives no numbers.
    ///
    /// Weights are
    /// [Lighthouse's](https://github.com/sigp/lighthouse/blob/stable/beacon_node/lighthouse_network/src/service/gossipsub_scoring_parameters.rs)
    /// for the topics that it scores (blocks, aggregates, attestations, exits, slashings), Prysm's for contributions and
    /// the sync subnets, and ours for the rest: what carries a block's data weighs like the block, what is rare like
    /// an exit. Rates are what the specification makes of 1.07 million validators; where it makes nothing of them
    /// they are guesses, and the row says so.
    pub score: TopicScore,
}

impl Topic {
    /// Whether a fork has the topic.
    #[must_use]
    pub(super) fn exists_in(&self, fork: ForkName) -> bool {
        self.since <= fork && self.until.is_none_or(|until| fork < until)
    }

    /// How many topics of the kind a fork has: none where it lacks the kind.
    #[must_use]
    pub(super) fn count_in(&self, fork: ForkName) -> u16 {
        if self.exists_in(fork) { (self.subnets)(fork) } else { 0 }
    }

    /// The names of the kind's topics in a fork.
    pub(super) fn names_in(&self, fork: ForkName) -> impl Iterator<Item = TopicName> + use<> {
        TopicName::all_of(self.kind).take(usize::from(self.count_in(fork)))
    }

    /// The size of its message's SSZ in a fork, bytes; `None` where the fork does not have it.
    #[must_use]
    pub(super) fn bounds(&self, fork: ForkName) -> Option<SszSize> {
        if self.exists_in(fork) { (self.message)(fork).size(fork) } else { None }
    }
}

/// The row of a kind.
#[must_use]
pub(super) fn row(kind: TopicKind) -> &'static Topic {
    topics::ALL[kind as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::TOTAL_WEIGHT;

    #[test]
    fn topics_come_and_go_with_their_forks() {
        let counts = |kind| ForkName::ALL.map(|fork| row(kind).names_in(fork).count());
        assert_eq!(counts(TopicKind::BeaconAttestation), [64; 9]);
        assert_eq!(counts(TopicKind::SyncCommittee), [0, 4, 4, 4, 4, 4, 4, 4, 4]);
        assert_eq!(counts(TopicKind::BlsToExecutionChange), [0, 0, 0, 1, 1, 1, 1, 1, 1]);
        assert_eq!(counts(TopicKind::BlobSidecar), [0, 0, 0, 0, 6, 9, 0, 0, 0]);
        assert_eq!(counts(TopicKind::DataColumnSidecar), [0, 0, 0, 0, 0, 0, 128, 128, 128]);
        assert_eq!(counts(TopicKind::ExecutionPayload), [0, 0, 0, 0, 0, 0, 0, 1, 1]);
    }

    #[test]
    fn the_weights_of_a_fork_come_to_no_more_than_scores_are_made_for() {
        for fork in ForkName::ALL {
            let weights = topics::ALL.iter().map(|topic| topic.score.weight * f64::from(topic.count_in(fork)));
            let total: f64 = weights.sum();
            assert!(total <= TOTAL_WEIGHT + 1e-9, "{fork}: {total}");
        }
    }
}
