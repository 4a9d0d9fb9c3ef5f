//! Which subscriptions of peers the router takes note of.

use libp2p::gossipsub::{MaxCountSubscriptionFilter, TopicHash, TopicSubscriptionFilter};

use crate::types::{ForkDigest, GossipTopic, TopicKind, TopicName};

/// Topics of a digest of our schedule, with a name that we know.
#[derive(Debug)]
pub(in crate::switch) struct KnownTopics {
    digests: Vec<ForkDigest>,
}

/// [`KnownTopics`], counted.
pub(super) type Filter = MaxCountSubscriptionFilter<KnownTopics>;

/// All names of one digest are 4 times as many at most, and 2 times in one RPC: around a fork a node that has joined
/// everything tells of two digests at once. About 150 bytes each: 130 KiB a peer at worst.
pub(super) fn filter(digests: Vec<ForkDigest>) -> Filter {
    let names = TopicKind::ALL.iter().map(|kind| TopicName::all_of(*kind).count()).sum::<usize>();
    MaxCountSubscriptionFilter {
        filter: KnownTopics { digests },
        max_subscribed_topics: 4 * names,
        max_subscriptions_per_request: 2 * names,
    }
}

impl TopicSubscriptionFilter for KnownTopics {
    fn can_subscribe(&mut self, topic_hash: &TopicHash) -> bool {
        let topic = topic_hash.as_str().parse::<GossipTopic>();
        topic.is_ok_and(|topic| self.digests.contains(&topic.fork_digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: ForkDigest = ForkDigest([0x8c, 0x9f, 0x62, 0xfe]);

    #[test]
    fn only_known_names_of_our_digests_pass() {
        let mut filter = filter(vec![DIGEST]);
        let mut passes = |topic: &str| filter.can_subscribe(&TopicHash::from_raw(topic));
        assert!(passes("/eth2/8c9f62fe/beacon_block/ssz_snappy"));
        assert!(passes("/eth2/8c9f62fe/data_column_sidecar_127/ssz_snappy"));
        assert!(!passes("/eth2/8c9f62ff/beacon_block/ssz_snappy"));
        assert!(!passes("/eth2/8c9f62fe/beacon_blocks/ssz_snappy"));
        assert!(!passes("beacon_block"));
    }

    #[test]
    fn a_node_that_joined_everything_of_two_digests_may_say_so_at_once() {
        let filter = filter(vec![DIGEST]);
        let supernode = 2 * (64 + 4 + 128 + 13);
        assert!(filter.max_subscriptions_per_request >= supernode, "{}", filter.max_subscriptions_per_request);
        assert!(filter.max_subscribed_topics >= 2 * supernode);
    }
}
