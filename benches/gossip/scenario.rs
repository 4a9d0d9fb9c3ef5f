//! What parent and children have to agree on; goes to the children as text.

use std::time::Duration;

use beacond::types::TopicKind;
use serde::{Deserialize, Serialize};

use crate::chain::FIRST_SLOT;
use crate::load::Part;
use crate::messages::COLUMNS;

/// A part and when it is played, milliseconds after the start of the first slot; attestations may be played later.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Timed {
    pub(crate) offset_ms: u64,
    pub(crate) part: Part,
}

/// A receiver, its peers, and what they send.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scenario {
    /// Seconds since the Unix epoch.
    pub(crate) genesis_time: u64,
    pub(crate) slot_seconds: u64,
    /// Attestation subnets, from 0 on.
    pub(crate) attestation_subnets: u16,
    /// Peers that say nothing.
    pub(crate) silent: usize,
    /// Share of the frequent messages that the receiver tells of.
    pub(crate) sample: f64,
    pub(crate) parts: Vec<Timed>,
    /// Whether the senders ask for Status while they play.
    pub(crate) asks: bool,
}

impl Scenario {
    pub(crate) const fn slot_duration(&self) -> Duration {
        Duration::from_secs(self.slot_seconds)
    }

    /// When the first slot of the load starts, milliseconds since the Unix epoch.
    pub(crate) const fn start_ms(&self) -> u64 {
        (self.genesis_time + FIRST_SLOT.0 * self.slot_seconds) * 1000
    }

    /// How many subnets of a kind there is load of; 1 for a kind without subnets.
    pub(crate) fn subnets(&self, kind: TopicKind) -> u16 {
        match kind {
            TopicKind::BeaconAttestation => self.attestation_subnets,
            TopicKind::DataColumnSidecar => COLUMNS,
            kind => kind.subnets().unwrap_or(1),
        }
    }
}
