//! The task that tells the node what time it is on the chain.
//!
//! `node` runs it, and its loop brings the record and the peers up to every [`ChainNow`] that it publishes, so that a
//! fork needs no restart. Owns nothing else, and does not know who listens.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::fork_schedule::{ForkSchedule, ForkState};
use crate::events::{Events, NodeEvent};
use crate::time::SlotClock;
use crate::types::Slot;

/// The wall slot and the fork in force.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainNow {
    /// Wall slot; `None` before genesis.
    pub slot: Option<Slot>,
    /// What holds at that slot; before genesis, what holds at epoch 0.
    pub fork: Arc<ForkState>,
}

impl ChainNow {
    /// The wall slot, 0 before genesis: what digests and Status checks go by.
    #[must_use]
    pub fn wall_slot(&self) -> Slot {
        self.slot.unwrap_or_default()
    }

    fn read(clock: &SlotClock, schedule: &ForkSchedule) -> Self {
        let slot = clock.slot();
        Self { slot, fork: schedule.state_at(slot.unwrap_or_default().epoch()) }
    }
}

/// Publishes the [`ChainNow`] at every slot start.
#[must_use = "the clock stands still until run"]
#[derive(Debug)]
pub struct ChainClock {
    clock: SlotClock,
    schedule: Arc<ForkSchedule>,
    events: Events,
    /// **Newest wins**: readers want the time, not its history.
    now: watch::Sender<ChainNow>,
}

impl ChainClock {
    /// A clock, and the time by it. The receiver holds the true value at once, but changes only while
    /// [`Self::run`] is polled.
    pub fn new(clock: SlotClock, schedule: Arc<ForkSchedule>, events: Events) -> (Self, watch::Receiver<ChainNow>) {
        let (sender, now) = watch::channel(ChainNow::read(&clock, &schedule));
        (Self { clock, schedule, events, now: sender }, now)
    }

    /// Publishes until `token` is cancelled; a critical task of the node.
    ///
    /// Reports once that genesis is ahead, and every change of the fork in force. A machine that slept through
    /// several boundaries, or a clock that was set, gets one event, for the fork in force now.
    ///
    /// Cancel safe: dropping the future stops the clock, the last value stays readable.
    pub async fn run(self, token: CancellationToken) {
        self.report_waiting();
        loop {
            self.tick();
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                () = tokio::time::sleep(self.until_tick()) => {}
            }
        }
    }

    fn tick(&self) {
        let now = ChainNow::read(&self.clock, &self.schedule);
        let mut is_activated = false;
        self.now.send_if_modified(|last| {
            is_activated = last.fork.since != now.fork.since;
            let is_new = *last != now;
            if is_new {
                last.clone_from(&now);
            }
            is_new
        });
        if is_activated {
            self.report_activated(&now.fork);
        }
    }

    /// At most until the next slot starts, and at most a slot: the system clock may be set meanwhile.
    fn until_tick(&self) -> Duration {
        let slot_duration = self.clock.slot_duration();
        match self.clock.slot() {
            Some(Slot(slot)) => self.clock.until_slot(Slot(slot.saturating_add(1))).min(slot_duration),
            None => self.clock.until_slot(Slot(0)).min(slot_duration),
        }
    }

    fn report_waiting(&self) {
        let now_ms = self.clock.now_ms();
        let Some(remaining) = self.clock.until_genesis() else { return };
        // rounded, since the clock ticks between the two readings
        let genesis_time = (now_ms + remaining.as_millis() as u64 + 500) / 1000;
        self.events.emit(NodeEvent::NodeWaitingForGenesis { genesis_time, remaining_s: remaining.as_secs() });
    }

    fn report_activated(&self, fork: &ForkState) {
        self.events.emit(NodeEvent::ForkActivated {
            fork: fork.fork,
            fork_digest: fork.fork_digest,
            epoch: fork.since,
            max_blobs: fork.max_blobs,
            next_epoch: fork.next.map(|next| next.epoch),
        });
    }
}

#[cfg(test)]
mod tests;
