//! When a message is on time: the specification's windows, in milliseconds, with its allowance for clocks.
//!
//! Made afresh for every message from the time that it arrived. Every comparison saturates: a slot of 2^64 - 1 is in the
//! future, no arithmetic wraps.

use crate::time::SlotTimes;
use crate::types::{Epoch, SLOTS_PER_EPOCH, Slot};

/// How far an honest clock may be off, in milliseconds.
///
/// [spec v1.6.0, configuration](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#configuration)
pub(super) const MAXIMUM_GOSSIP_CLOCK_DISPARITY_MS: u64 = 500;

/// The time axis of one network, and where on it a message arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    times: SlotTimes,
    now_ms: u64,
}

impl Windows {
    /// The time of arrival in milliseconds since the Unix epoch.
    #[must_use]
    pub(super) const fn new(times: SlotTimes, now_ms: u64) -> Self {
        Self { times, now_ms }
    }

    /// Start of a slot, milliseconds since the Unix epoch.
    #[must_use]
    pub(super) const fn start_ms(&self, slot: Slot) -> u64 {
        self.times.start_ms(slot)
    }

    /// Start of a slot in whole seconds since the Unix epoch: what a payload's timestamp must say.
    #[must_use]
    pub(super) const fn timestamp(&self, slot: Slot) -> u64 {
        self.start_ms(slot) / 1000
    }

    /// The slot by our clock, without allowance; 0 before genesis.
    #[must_use]
    pub(super) const fn wall_slot(&self) -> Slot {
        match self.times.slot_at(self.now_ms) {
            Some(slot) => slot,
            None => Slot(0),
        }
    }

    /// Whether a slot has not begun by any honest clock.
    #[must_use]
    pub(super) const fn is_future(&self, slot: Slot) -> bool {
        self.now_ms.saturating_add(MAXIMUM_GOSSIP_CLOCK_DISPARITY_MS) < self.start_ms(slot)
    }

    /// Whether a slot has begun by every honest clock.
    #[must_use]
    pub(super) const fn is_past(&self, slot: Slot) -> bool {
        self.now_ms > self.start_ms(slot).saturating_add(MAXIMUM_GOSSIP_CLOCK_DISPARITY_MS)
    }

    /// Whether slot + `range` is over by every honest clock.
    #[must_use]
    pub(super) const fn is_over(&self, slot: Slot, range: u64) -> bool {
        self.is_past(Slot(slot.0.saturating_add(range).saturating_add(1)))
    }

    /// Whether it may be now one of the slots from `slot` to `slot` + `range`, both included.
    #[must_use]
    pub(super) const fn is_within(&self, slot: Slot, range: u64) -> bool {
        !self.is_future(slot) && !self.is_over(slot, range)
    }

    /// Whether an epoch may be the current or the previous one; begun or not is [`Self::is_future`]'s question.
    #[must_use]
    pub(super) const fn is_current_or_previous(&self, epoch: Epoch) -> bool {
        let next = Epoch(epoch.0.saturating_add(1));
        self.is_within(epoch.start_slot(), SLOTS_PER_EPOCH - 1)
            || self.is_within(next.start_slot(), SLOTS_PER_EPOCH - 1)
    }

    /// Whether a duty is due that falls `due_bps` ten-thousandths into a slot.
    #[must_use]
    pub(super) const fn is_due(&self, slot: Slot, due_bps: u64) -> bool {
        let due = self.start_ms(slot).saturating_add(self.times.slot_ms().saturating_mul(due_bps) / 10_000);
        self.now_ms.saturating_add(MAXIMUM_GOSSIP_CLOCK_DISPARITY_MS) >= due
    }
}

#[cfg(test)]
mod tests;
