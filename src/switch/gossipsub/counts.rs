//! What the router counts, for summaries and metrics.

use crate::types::TopicKind;

/// Counts since they were last taken, and sizes at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GossipCounts {
    kinds: [KindCounts; TopicKind::ALL.len()],
    /// Peers that the router knows; never more than are connected.
    pub peers: usize,
    /// Ids in the seen cache.
    pub seen_ids: usize,
    /// Memory of the seen cache, bytes.
    pub seen_bytes: usize,
    /// Messages that wait for a verdict.
    pub waiting: usize,
    /// Messages that nobody gave a verdict: bugs.
    pub lost_verdicts: u64,
    /// Verdicts that came when the message was no longer cached, and moved nothing.
    pub late_verdicts: u64,
    /// Events that did not fit into the router's channel.
    pub events_dropped: u64,
    /// Control messages that were taken out for ids of a wrong length.
    pub bad_control: u64,
    /// Copies on topics that are not joined: what was under way when they were left, or nonsense.
    pub not_joined: u64,
}

/// Counts of one kind of topic, over all its subnets and digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCounts {
    /// Messages that were new, and found room to be judged.
    pub unique: u64,
    /// Copies of messages that were not.
    pub duplicates: u64,
    /// Bytes of all copies, compressed.
    pub bytes: u64,
    /// Copies that nobody judged: they found no room to wait, or no judges were there. A further copy that finds room is
    /// judged.
    pub overflow: u64,
    /// Copies that were no snappy within the topic's bound.
    pub undecodable: u64,
    /// Copies that broke `StrictNoSign`.
    pub signed: u64,
    /// Copies that were invalid in one of these ways on a topic whose digest is over: nobody pays for them.
    pub outdated: u64,
    /// Messages that were merely unverifiable and were forwarded because others had them too.
    pub corroborated: u64,
    /// Topics that are subscribed to, now.
    pub topics: usize,
    /// Peers in the meshes of these, now; a peer counts in every mesh.
    pub mesh_peers: usize,
}

impl GossipCounts {
    pub(super) fn new() -> Self {
        Self {
            kinds: [KindCounts::default(); TopicKind::ALL.len()],
            peers: 0,
            seen_ids: 0,
            seen_bytes: 0,
            waiting: 0,
            lost_verdicts: 0,
            late_verdicts: 0,
            events_dropped: 0,
            bad_control: 0,
            not_joined: 0,
        }
    }

    /// The counts of one kind.
    #[must_use]
    pub const fn of(&self, kind: TopicKind) -> &KindCounts {
        &self.kinds[kind as usize]
    }

    pub(super) const fn of_mut(&mut self, kind: TopicKind) -> &mut KindCounts {
        &mut self.kinds[kind as usize]
    }
}
