//! Wall time and slot time: the only caller of `SystemTime::now`.
//!
//! Timers elsewhere are `tokio::time`. The system clock is read afresh at every call, so that NTP steps and
//! suspended machines are followed; the anchored clock of tests advances with tokio's clock alone.

#![expect(clippy::disallowed_methods, reason = "this is the one module that may read the system clock")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::types::{Epoch, Slot};

/// Where wall time comes from.
#[derive(Clone, Copy, Debug)]
enum WallClock {
    System,
    Anchored { unix_ms: u64, at: Instant },
}

/// Milliseconds since the Unix epoch, by the system clock.
#[must_use]
pub fn unix_now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// Whole milliseconds, as events carry them; saturates.
#[must_use]
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds to the microsecond, for what takes less than one.
#[must_use]
pub fn fine_milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// Where the slots of one network lie. Saturates: a slot that no clock will show begins at 2^64 - 1 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotTimes {
    /// Milliseconds since the Unix epoch.
    genesis_ms: u64,
    /// At least 1.
    slot_ms: u64,
}

impl SlotTimes {
    /// `genesis_time` in seconds since the Unix epoch. A slot has whole milliseconds, and at least one.
    #[must_use]
    pub const fn new(genesis_time: u64, slot_duration: Duration) -> Self {
        let slot_ms = slot_duration.as_millis() as u64;
        Self { genesis_ms: genesis_time.saturating_mul(1000), slot_ms: if slot_ms == 0 { 1 } else { slot_ms } }
    }

    /// Start of a slot, milliseconds since the Unix epoch.
    #[must_use]
    pub const fn start_ms(&self, slot: Slot) -> u64 {
        self.genesis_ms.saturating_add(slot.0.saturating_mul(self.slot_ms))
    }

    /// The slot of a time in milliseconds since the Unix epoch; `None` before genesis.
    #[must_use]
    pub const fn slot_at(&self, unix_ms: u64) -> Option<Slot> {
        match unix_ms.checked_sub(self.genesis_ms) {
            Some(elapsed) => Some(Slot(elapsed / self.slot_ms)),
            None => None,
        }
    }

    /// The length of a slot, milliseconds.
    #[must_use]
    pub const fn slot_ms(&self) -> u64 {
        self.slot_ms
    }
}

/// Turns wall time into slots of one network.
#[derive(Clone, Copy, Debug)]
pub struct SlotClock {
    wall: WallClock,
    times: SlotTimes,
}

impl SlotClock {
    /// A clock on the system's time. `genesis_time` in seconds since the Unix epoch.
    #[must_use]
    pub const fn system(genesis_time: u64, slot_duration: Duration) -> Self {
        Self::new(WallClock::System, genesis_time, slot_duration)
    }

    /// A clock that reads `unix_ms` now and advances with tokio's clock alone; for tests.
    #[must_use]
    pub fn anchored(unix_ms: u64, genesis_time: u64, slot_duration: Duration) -> Self {
        Self::new(WallClock::Anchored { unix_ms, at: Instant::now() }, genesis_time, slot_duration)
    }

    const fn new(wall: WallClock, genesis_time: u64, slot_duration: Duration) -> Self {
        Self { wall, times: SlotTimes::new(genesis_time, slot_duration) }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        match self.wall {
            WallClock::System => unix_now_ms(),
            WallClock::Anchored { unix_ms, at } => {
                unix_ms.saturating_add(u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX))
            }
        }
    }

    /// How long until genesis; `None` once it has passed.
    #[must_use]
    pub fn until_genesis(&self) -> Option<Duration> {
        let left = self.times.start_ms(Slot(0)).saturating_sub(self.now_ms());
        (left > 0).then(|| Duration::from_millis(left))
    }

    /// The current slot; `None` before genesis.
    #[must_use]
    pub fn slot(&self) -> Option<Slot> {
        self.times.slot_at(self.now_ms())
    }

    /// The current epoch; epoch 0 before genesis, as digests are computed then.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.slot().unwrap_or_default().epoch()
    }

    /// How long until `slot` starts; zero once it has.
    #[must_use]
    pub fn until_slot(&self, slot: Slot) -> Duration {
        Duration::from_millis(self.times.start_ms(slot).saturating_sub(self.now_ms()))
    }

    /// How long after the start of `slot` a moment is, milliseconds; negative when it is before. `unix_ms` since the
    /// Unix epoch. Saturates.
    #[must_use]
    pub const fn offset_ms(&self, slot: Slot, unix_ms: u64) -> i64 {
        let start_ms = self.times.start_ms(slot);
        // far beyond any clock: both lie below 2^63 ms, or the result saturates
        unix_ms.saturating_sub(start_ms).cast_signed().saturating_sub(start_ms.saturating_sub(unix_ms).cast_signed())
    }

    /// The length of a slot.
    #[must_use]
    pub const fn slot_duration(&self) -> Duration {
        Duration::from_millis(self.times.slot_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Duration = Duration::from_secs(12);

    #[tokio::test(start_paused = true)]
    async fn slots_advance_with_tokio_time_from_genesis_on() {
        let clock = SlotClock::anchored(1_000_000, 1_003, SLOT);
        assert_eq!(clock.slot(), None);
        assert_eq!(clock.until_genesis(), Some(Duration::from_secs(3)));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!((clock.slot(), clock.until_genesis()), (Some(Slot(0)), None));
        assert_eq!(clock.until_slot(Slot(1)), SLOT);
        tokio::time::advance(SLOT * 33).await;
        assert_eq!((clock.slot(), clock.epoch()), (Some(Slot(33)), Epoch(1)));
        assert_eq!(clock.until_slot(Slot(3)), Duration::ZERO);
    }
}
