//! What the slot that is running has brought: verdicts by reason, and when its block and columns came.
//!
//! Filled by the judges' threads, emptied once a slot by the task that writes the summary.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::case::Case;
use super::verdict::{IgnoreReason, RejectReason, Verdict};
use crate::types::{PeerId, Slot, TopicKind};

const KINDS: usize = TopicKind::ALL.len();
const VERDICTS: usize = 1 + IgnoreReason::ALL.len() + RejectReason::ALL.len();

/// Slots whose arrivals are kept: the running one, and those of which something late or early may come.
/// 4 × about 250 bytes.
const SLOTS: usize = 4;

/// Counts and arrivals. Memory: 17 kinds × 60 counters × 8 bytes = 8 KiB.
#[derive(Debug)]
pub(super) struct Tally {
    verdicts: [[AtomicU64; VERDICTS]; KINDS],
    joined: [AtomicBool; KINDS],
    arrivals: Mutex<BTreeMap<Slot, Arrivals>>,
}

/// When what belongs to a slot came, milliseconds from its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrivals {
    /// The first block, and who sent it first.
    pub(super) block: Option<(i64, PeerId)>,
    /// The first column, and who sent it first.
    pub(super) first_column: Option<(i64, PeerId)>,
    /// The last column.
    pub(super) last_column_ms: Option<i64>,
    /// One bit for each column.
    columns: u128,
}

impl Arrivals {
    /// How many columns came.
    pub(super) const fn columns(&self) -> usize {
        self.columns.count_ones() as usize
    }
}

impl Default for Tally {
    fn default() -> Self {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            verdicts: std::array::from_fn(|_| zeros()),
            joined: std::array::from_fn(|_| AtomicBool::new(false)),
            arrivals: Mutex::default(),
        }
    }
}

impl Tally {
    pub(super) fn count(&self, kind: TopicKind, verdict: Verdict) {
        self.verdicts[kind as usize][index(verdict)].fetch_add(1, Ordering::Relaxed);
    }

    /// Notes when a block or a column came that was not rejected.
    pub(super) fn note_arrival(&self, case: &Case, slot: Slot, offset_ms: i64) {
        let kind = case.kind();
        if !matches!(kind, TopicKind::BeaconBlock | TopicKind::DataColumnSidecar) {
            return;
        }
        let mut slots = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let arrivals = slots.entry(slot).or_default();
        if kind == TopicKind::BeaconBlock {
            arrivals.block.get_or_insert((offset_ms, case.peer_id));
        } else {
            arrivals.first_column.get_or_insert((offset_ms, case.peer_id));
            arrivals.last_column_ms = arrivals.last_column_ms.max(Some(offset_ms));
            arrivals.columns |= 1 << (case.topic.name.subnet().unwrap_or_default() % 128);
        }
        if slots.len() > SLOTS {
            slots.pop_first();
        }
    }

    /// What came of a slot, once; what is older is forgotten.
    pub(super) fn take_arrivals(&self, slot: Slot) -> Arrivals {
        let mut slots = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let later = slots.split_off(&Slot(slot.0.saturating_add(1)));
        std::mem::replace(&mut *slots, later).remove(&slot).unwrap_or_default()
    }

    /// The verdicts of a kind since they were last taken, those that were given.
    pub(super) fn take_verdicts(&self, kind: TopicKind) -> Vec<(Verdict, u64)> {
        let counts = self.verdicts[kind as usize].iter().map(|count| count.swap(0, Ordering::Relaxed));
        every_verdict().zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    /// Whether the kind was joined at the last summary, so that its end is told once; notes whether it is now.
    pub(super) fn had_topics(&self, kind: TopicKind, has: bool) -> bool {
        self.joined[kind as usize].swap(has, Ordering::Relaxed)
    }
}

const fn index(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Accept => 0,
        Verdict::Ignore(reason) => 1 + reason as usize,
        Verdict::Reject(reason) => 1 + IgnoreReason::ALL.len() + reason as usize,
    }
}

/// Every verdict, in the order of [`index`].
fn every_verdict() -> impl Iterator<Item = Verdict> {
    let ignored = IgnoreReason::ALL.iter().map(|reason| Verdict::Ignore(*reason));
    let rejected = RejectReason::ALL.iter().map(|reason| Verdict::Reject(*reason));
    std::iter::once(Verdict::Accept).chain(ignored).chain(rejected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_a_place_of_its_own() {
        for (place, verdict) in every_verdict().enumerate() {
            assert_eq!(index(verdict), place, "{verdict}");
        }
    }

    #[test]
    fn verdicts_are_taken_once() {
        let tally = Tally::default();
        let reject = Verdict::Reject(RejectReason::BadSsz);
        tally.count(TopicKind::BeaconBlock, reject);
        tally.count(TopicKind::BeaconBlock, reject);
        tally.count(TopicKind::VoluntaryExit, Verdict::Accept);
        assert_eq!(tally.take_verdicts(TopicKind::BeaconBlock), [(reject, 2)]);
        assert_eq!(tally.take_verdicts(TopicKind::BeaconBlock), []);
        assert_eq!(tally.take_verdicts(TopicKind::VoluntaryExit), [(Verdict::Accept, 1)]);
    }
}
