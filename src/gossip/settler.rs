//! Where a verdict takes effect: the router learns it, valid messages are remembered, and what happened is told.
//!
//! Called by the judges' threads, by the docket and by the task; each message comes here exactly once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::case::Case;
use super::judge::Judge;
use super::tally::Tally;
use super::topic::row;
use super::verdict::{IgnoreReason, Verdict};
use crate::events::{Events, NodeEvent};
use crate::switch::{Acceptance, RelayPolicy, Rivalry};
use crate::time::{SlotClock, fine_milliseconds};
use crate::types::{MessageId, TopicKind};

/// How long the outcome of a corroboration is waited for before its message is told of without one; the router decides
/// within 3 s, but what it tells may be dropped.
const OUTCOME_PATIENCE: Duration = Duration::from_secs(10);

/// Messages whose telling may wait for the router's decision: 16 384 × about 350 bytes = 5.5 MiB.
const UNDECIDED: usize = 16_384;

/// Gives every message its verdict.
#[derive(Debug)]
pub(super) struct Settler {
    pub(super) judge: Arc<Judge>,
    pub(super) clock: SlotClock,
    pub(super) events: Events,
    pub(super) tally: Tally,
    relay: RelayPolicy,
    rivalries: RandomState,
    sample: Sample,
    /// Messages that are told of once the router has decided whether it relays them, [`UNDECIDED`] at most; beyond it
    /// they are told of at once.
    undecided: Mutex<HashMap<MessageId, Receipt>>,
}

/// A message that is to be told of.
#[derive(Debug)]
struct Receipt {
    event: NodeEvent,
    since: Instant,
}

impl Settler {
    pub(super) fn new(judge: Arc<Judge>, clock: SlotClock, events: Events, relay: RelayPolicy, sample: Sample) -> Self {
        let (rivalries, tally, undecided) = (RandomState::new(), Tally::default(), Mutex::default());
        Self { judge, clock, events, tally, relay, rivalries, sample, undecided }
    }

    /// Gives a message its verdict, once more asking whether it is the first where it would be accepted.
    pub(super) fn settle(&self, case: Case, verdict: Verdict) {
        let verdict = self.admitted(&case, verdict);
        let acceptance = self.acceptance(&case, verdict);
        self.tally.count(case.kind(), verdict);
        let slot_offset_ms = case.slot().map(|slot| self.clock.offset_ms(slot, case.arrived_ms));
        if let Verdict::Reject(reason) = verdict {
            self.events.emit(NodeEvent::GossipRejected {
                peer_id: case.peer_id,
                topic: case.topic,
                topic_kind: case.kind(),
                reason: reason.as_str(),
                message_id: case.message_id(),
                size_bytes: case.wire_bytes,
            });
        } else if let (Some(slot), Some(offset_ms)) = (case.slot(), slot_offset_ms) {
            self.tally.note_arrival(&case, slot, offset_ms);
        }
        if self.sample.has(case.kind(), &case.message_id()) {
            self.tell(&case, verdict, acceptance, slot_offset_ms);
        }
        case.verdict.report(acceptance);
    }

    /// Of messages with one first-seen key one is accepted: the others are ignored, whoever vouches for them.
    fn admitted(&self, case: &Case, verdict: Verdict) -> Verdict {
        match (verdict, &case.passed) {
            (Verdict::Accept, Some(passed)) => {
                self.judge.admit(passed, self.clock.now_ms()).map_or_else(Verdict::Ignore, |()| Verdict::Accept)
            }
            (Verdict::Accept | Verdict::Ignore(_) | Verdict::Reject(_), _) => verdict,
        }
    }

    fn acceptance(&self, case: &Case, verdict: Verdict) -> Acceptance {
        match verdict {
            Verdict::Accept => Acceptance::Accept,
            Verdict::Reject(_) => Acceptance::Reject,
            Verdict::Ignore(IgnoreReason::Unverifiable | IgnoreReason::Unanswered)
                if self.relay != RelayPolicy::Strict && row(case.kind()).corroborable =>
            {
                let claims = case.passed.as_ref().map(|passed| &passed.claims);
                let rivalry = claims.and_then(|claims| claims.rivalry());
                Acceptance::Corroborate(rivalry.map(|rivalry| Rivalry(self.rivalries.hash_one(rivalry))))
            }
            Verdict::Ignore(_) => Acceptance::Ignore,
        }
    }

    fn tell(&self, case: &Case, verdict: Verdict, acceptance: Acceptance, slot_offset_ms: Option<i64>) {
        let event = NodeEvent::GossipReceived {
            topic: case.topic,
            topic_kind: case.kind(),
            message_id: case.message_id(),
            peer_id: case.peer_id,
            slot: case.slot(),
            slot_offset_ms,
            block_root: case.block_root(),
            size_bytes: case.wire_bytes,
            ssz_bytes: case.ssz_bytes,
            verdict: verdict.as_str(),
            reason: verdict.reason(),
            relay: if acceptance == Acceptance::Accept { ACCEPTED } else { NONE },
            judged_ms: fine_milliseconds(case.arrived.elapsed()),
        };
        let mut undecided = self.undecided();
        if matches!(acceptance, Acceptance::Corroborate(_)) && undecided.len() < UNDECIDED {
            undecided.insert(case.message_id(), Receipt { event, since: Instant::now() });
        } else {
            drop(undecided);
            self.events.emit(event);
        }
    }

    /// The router has decided whether it relays a message that was not judged valid.
    pub(super) fn on_corroborated(&self, message_id: MessageId, relayed: bool) {
        let receipt = self.undecided().remove(&message_id);
        if let Some(Receipt { event, .. }) = receipt {
            self.events.emit(if relayed { as_corroborated(event) } else { event });
        }
    }

    /// Tells of messages of which the router said nothing; to be called once a slot.
    pub(super) fn give_up_waiting(&self) {
        let forgotten: Vec<_> = {
            let mut undecided = self.undecided();
            let late: Vec<_> = undecided
                .iter()
                .filter(|(_, receipt)| receipt.since.elapsed() > OUTCOME_PATIENCE)
                .map(|(id, _)| *id)
                .collect();
            late.iter().filter_map(|message_id| undecided.remove(message_id)).collect()
        };
        for Receipt { event, .. } in forgotten {
            self.events.emit(event);
        }
    }

    fn undecided(&self) -> MutexGuard<'_, HashMap<MessageId, Receipt>> {
        self.undecided.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ACCEPTED: &str = "accepted";
const CORROBORATED: &str = "corroborated";
const NONE: &str = "none";

fn as_corroborated(mut event: NodeEvent) -> NodeEvent {
    if let NodeEvent::GossipReceived { relay, .. } = &mut event {
        *relay = CORROBORATED;
    }
    event
}

/// Which messages are told of one by one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Of those that come in masses: ids whose first eight bytes are below.
    below: u64,
}

impl Sample {
    /// A share from 0 to 1 of the messages that come in masses.
    pub(super) fn new(share: f64) -> Self {
        // saturates at both ends
        Self { below: (share * u64::MAX as f64) as u64 }
    }

    fn has(self, kind: TopicKind, message_id: &MessageId) -> bool {
        let [a, b, c, d, e, f, g, h, ..] = message_id.0;
        !comes_in_masses(kind) || u64::from_be_bytes([a, b, c, d, e, f, g, h]) < self.below || self.below == u64::MAX
    }
}

/// Kinds of which a slot brings more than anyone wants to read.
const fn comes_in_masses(kind: TopicKind) -> bool {
    match kind {
        TopicKind::BeaconAggregateAndProof
        | TopicKind::BeaconAttestation
        | TopicKind::SyncCommittee
        | TopicKind::SyncCommitteeContributionAndProof
        | TopicKind::PayloadAttestationMessage
        | TopicKind::ExecutionPayloadBid => true,
        TopicKind::BeaconBlock
        | TopicKind::VoluntaryExit
        | TopicKind::ProposerSlashing
        | TopicKind::AttesterSlashing
        | TopicKind::LightClientFinalityUpdate
        | TopicKind::LightClientOptimisticUpdate
        | TopicKind::BlsToExecutionChange
        | TopicKind::BlobSidecar
        | TopicKind::DataColumnSidecar
        | TopicKind::ExecutionPayload
        | TopicKind::ProposerPreferences => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_what_comes_in_masses_is_told_and_all_of_the_rest() {
        let ids: Vec<_> = (0..=255).map(|byte| MessageId([byte; 20])).collect();
        let told = |share, kind| ids.iter().filter(|id| Sample::new(share).has(kind, id)).count();
        assert_eq!(told(0.0, TopicKind::BeaconAttestation), 0);
        assert_eq!(told(0.5, TopicKind::BeaconAttestation), 128);
        assert_eq!(told(1.0, TopicKind::BeaconAttestation), 256);
        assert_eq!(told(0.0, TopicKind::BeaconBlock), 256);
    }
}
