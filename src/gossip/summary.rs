//! The summary of a slot: what came on every kind of topic and what was thought of it.
//!
//! Called by the task once a slot. Metrics are folded from these events, so nothing is counted twice.

use super::settler::Settler;
use super::tally::Arrivals;
use super::verdict::{IgnoreReason, RejectReason, Verdict};
use crate::events::NodeEvent;
use crate::switch::{GossipCounts, KindCounts};
use crate::types::{Slot, TopicKind};

/// Sums over the kinds.
#[derive(Debug, Default)]
struct Totals {
    unique: u64,
    duplicates: u64,
    bytes: u64,
    overflowed: u64,
    verdicts: Verdicts,
}

/// Messages by verdict.
#[derive(Clone, Copy, Debug, Default)]
struct Verdicts {
    accepted: u64,
    ignored: u64,
    rejected: u64,
}

impl Verdicts {
    const fn add(&mut self, verdict: Verdict, messages: u64) {
        match verdict {
            Verdict::Accept => self.accepted += messages,
            Verdict::Ignore(_) => self.ignored += messages,
            Verdict::Reject(_) => self.rejected += messages,
        }
    }
}

impl Totals {
    const fn add(&mut self, counts: &KindCounts, verdicts: Verdicts) {
        self.unique += counts.unique;
        self.duplicates += counts.duplicates;
        self.bytes += counts.bytes;
        self.overflowed += counts.overflow;
        self.verdicts.accepted += verdicts.accepted;
        self.verdicts.ignored += verdicts.ignored;
        self.verdicts.rejected += verdicts.rejected;
    }
}

/// Tells how gossip was in the slot that ended.
pub(super) fn emit(slot: Slot, counts: &GossipCounts, topics: usize, settler: &Settler) {
    let mut totals = Totals::default();
    for kind in TopicKind::ALL {
        totals.add(counts.of(*kind), emit_kind(slot, *kind, counts.of(*kind), settler));
    }
    let arrivals = settler.tally.take_arrivals(slot);
    let columns = arrivals.columns();
    let Arrivals { block, first_column, last_column_ms, .. } = arrivals;
    settler.events.emit(NodeEvent::GossipSlotSummarized {
        slot,
        topics,
        router_peers: counts.peers,
        unique: totals.unique,
        duplicates: totals.duplicates,
        received_bytes: totals.bytes,
        accepted: totals.verdicts.accepted,
        ignored: totals.verdicts.ignored,
        rejected: totals.verdicts.rejected,
        overflowed: totals.overflowed,
        lost_verdicts: counts.lost_verdicts,
        late_verdicts: counts.late_verdicts,
        waiting: counts.waiting,
        events_dropped: counts.events_dropped,
        bad_control: counts.bad_control,
        not_joined: counts.not_joined,
        block_ms: block.map(|(ms, _)| ms),
        block_peer_id: block.map(|(_, peer_id)| peer_id),
        columns,
        first_column_ms: first_column.map(|(ms, _)| ms),
        last_column_ms,
        column_peer_id: first_column.map(|(_, peer_id)| peer_id),
    });
}

/// Tells what came of one kind, if anything did or could.
fn emit_kind(slot: Slot, kind: TopicKind, counts: &KindCounts, settler: &Settler) -> Verdicts {
    let mut judged = settler.tally.take_verdicts(kind);
    // these never reached a judge
    let unjudged = [
        (IgnoreReason::Overflow.into(), counts.overflow),
        (IgnoreReason::WrongFork.into(), counts.outdated),
        (RejectReason::BadSnappy.into(), counts.undecodable),
        (RejectReason::Signed.into(), counts.signed),
    ];
    judged.extend(unjudged.into_iter().filter(|(_, messages)| *messages > 0));
    let mut verdicts = Verdicts::default();
    for (verdict, messages) in judged {
        verdicts.add(verdict, messages);
        settler.events.emit(NodeEvent::GossipJudged {
            topic_kind: kind,
            verdict: verdict.as_str(),
            reason: verdict.reason(),
            messages,
        });
    }
    let had_topics = settler.tally.had_topics(kind, counts.topics > 0);
    if counts.topics > 0 || had_topics || counts.bytes > 0 {
        settler.events.emit(NodeEvent::GossipTopicSummarized {
            slot,
            topic_kind: kind,
            topics: counts.topics,
            mesh_peers: counts.mesh_peers,
            unique: counts.unique,
            duplicates: counts.duplicates,
            received_bytes: counts.bytes,
            accepted: verdicts.accepted,
            ignored: verdicts.ignored,
            rejected: verdicts.rejected,
            corroborated: counts.corroborated,
        });
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chain::{ChainConfig, ForkSchedule, NetworkName};
    use crate::events::Events;
    use crate::gossip::judge::Judge;
    use crate::gossip::settler::Sample;
    use crate::switch::RelayPolicy;
    use crate::time::SlotClock;

    #[tokio::test]
    async fn what_never_reached_a_judge_has_its_reason_all_the_same() {
        let config = ChainConfig::embedded(NetworkName::Mainnet);
        let judge = Arc::new(Judge::new(&config, Arc::new(ForkSchedule::new(&config))));
        let clock = SlotClock::system(config.genesis_time, config.slot_duration);
        let events = Events::new(Vec::new());
        let mut told = events.subscribe();
        let settler = Settler::new(judge, clock, events, RelayPolicy::Strict, Sample::new(0.0));
        let counts = KindCounts { overflow: 1, outdated: 2, undecodable: 3, signed: 4, ..KindCounts::default() };
        let verdicts = emit_kind(Slot(1), TopicKind::BeaconBlock, &counts, &settler);
        assert_eq!((verdicts.accepted, verdicts.ignored, verdicts.rejected), (0, 3, 7));
        for expected in [("overflow", 1), ("wrong_fork", 2), ("bad_snappy", 3), ("signed", 4)] {
            let event = told.next().await.unwrap();
            let NodeEvent::GossipJudged { reason, messages, .. } = &*event else { panic!("{event:?}") };
            assert_eq!((*reason, *messages), expected);
        }
    }
}
