//! What this node says of itself, derived or read at the moment it is asked: nothing here is stored twice.
//!
//! Shared by the handshakes, the rpc server and the discovery loop. It follows the fork schedule by the clock alone
//! and knows no peer.

use std::sync::Arc;

use tokio::sync::watch;

use crate::chain::{AcceptedDigests, ChainHead, ForkSchedule, ForkState, derive_status};
use crate::handshake::LocalView;
use crate::time::SlotClock;
use crate::types::{MetaData, Slot, StatusMessage};

/// Our chain as we know it, and our metadata.
#[derive(Debug)]
pub struct LocalChain {
    clock: SlotClock,
    schedule: Arc<ForkSchedule>,
    head: ChainHead,
    /// **Newest wins**: changed by the node, read for each answer.
    metadata: watch::Receiver<MetaData>,
}

impl LocalChain {
    /// Composes the view.
    #[must_use]
    pub const fn new(
        clock: SlotClock,
        schedule: Arc<ForkSchedule>,
        head: ChainHead,
        metadata: watch::Receiver<MetaData>,
    ) -> Self {
        Self { clock, schedule, head, metadata }
    }

    /// What holds at the wall epoch.
    #[must_use]
    pub fn fork(&self) -> Arc<ForkState> {
        self.schedule.state_at(self.clock.epoch())
    }

    /// The forks of the network.
    #[must_use]
    pub fn schedule(&self) -> Arc<ForkSchedule> {
        self.schedule.clone()
    }
}

impl LocalView for LocalChain {
    fn status(&self) -> StatusMessage {
        derive_status(&self.fork(), &self.head)
    }

    fn metadata(&self) -> MetaData {
        self.metadata.borrow().clone()
    }

    fn accepted_digests(&self) -> AcceptedDigests {
        self.schedule.accepted_digests(self.wall_slot())
    }

    fn wall_slot(&self) -> Slot {
        self.clock.slot().unwrap_or_default()
    }
}
