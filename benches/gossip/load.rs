//! What is sent, by whom, when: mainnet's rates and sizes, made before anything is timed.

use std::ops::Range;

use anyhow::Result;
use beacond::types::{GossipTopic, Slot, TopicKind, TopicName};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::chain::{FIRST_SLOT, chain, digest};
use crate::frame;
use crate::messages::{COLUMNS, Maker};
use crate::scenario::{Scenario, Timed};

/// Peers that send.
pub(crate) const SENDERS: usize = 8;

/// How far the copies of a message lie apart, microseconds.
const SPREAD: u64 = 200_000;

/// A stretch of load.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Part {
    /// One block and its columns: what is needed once is loaded for them.
    First,
    /// So many slots as mainnet has them.
    Slots { slots: u64 },
    /// Everything that mainnet sends, in its proportions, evenly.
    Even { copies_per_second: u64, seconds: u64 },
    /// Attestations alone, in four copies each, evenly.
    Burst { copies_per_second: u64, seconds: u64 },
    /// Attestations, all at once.
    Rush { messages: u64, copies: usize },
}

/// What mainnet sends of a kind in a slot: messages, copies, when (90 %), in twelfths of the slot.
/// Attestations are of one subnet.
const MAINNET: [(TopicKind, u64, usize, Range<f64>); 6] = [
    (TopicKind::BeaconBlock, 1, 3, 0.5..1.5),
    (TopicKind::DataColumnSidecar, COLUMNS as u64, 7, 1.0..2.0),
    (TopicKind::BeaconAttestation, 535, 4, 4.0..6.0),
    (TopicKind::SyncCommittee, 512, 3, 4.0..6.0),
    (TopicKind::BeaconAggregateAndProof, 1040, 4, 8.0..10.0),
    (TopicKind::SyncCommitteeContributionAndProof, 64, 3, 8.0..10.0),
];

/// The frames of one part and when each sender sends which.
#[derive(Debug)]
pub(crate) struct Load {
    bytes: Vec<u8>,
    /// Of each sender, in order of time: microseconds after the start, and which bytes.
    pub(crate) queues: Vec<Vec<(u64, Range<usize>)>>,
    pub(crate) messages: u64,
}

impl Load {
    /// All parts of a scenario, in their order.
    pub(crate) fn of(scenario: &Scenario) -> Result<Vec<Self>> {
        let mut maker = Maker::new(7, scenario.genesis_time, scenario.slot_seconds)?;
        scenario.parts.iter().map(|part| Self::make(scenario, part, &mut maker)).collect()
    }

    fn make(scenario: &Scenario, timed: &Timed, maker: &mut Maker) -> Result<Self> {
        let mut draft = Draft::new(scenario, timed, maker);
        let second = 1_000_000;
        match timed.part {
            Part::First => {
                draft.add(TopicKind::BeaconBlock, 0, 3, SPREAD)?;
                for _ in 0..COLUMNS {
                    draft.add(TopicKind::DataColumnSidecar, 0, 7, SPREAD)?;
                }
            }
            Part::Slots { slots } => {
                for slot in 0..slots {
                    draft.slot(slot)?;
                }
            }
            Part::Even { copies_per_second, seconds } => {
                let a_slot: u64 = draft.mainnet().map(|(_, messages, copies, _)| messages * copies as u64).sum();
                let share = (copies_per_second * seconds) as f64 / a_slot as f64;
                for (kind, messages, copies, _) in draft.mainnet().collect::<Vec<_>>() {
                    let messages = (messages as f64 * share).round() as u64;
                    for number in 0..messages {
                        let at = seconds * second * number / messages;
                        draft.add(kind, at, copies, SPREAD)?;
                    }
                }
            }
            Part::Burst { copies_per_second, seconds } => {
                let messages = copies_per_second * seconds / 4;
                for number in 0..messages {
                    draft.add(TopicKind::BeaconAttestation, seconds * second * number / messages, 4, SPREAD)?;
                }
            }
            Part::Rush { messages, copies } => {
                for _ in 0..messages {
                    draft.add(TopicKind::BeaconAttestation, 0, copies, 0)?;
                }
            }
        }
        draft.finish()
    }

    pub(crate) fn frame(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.clone()]
    }

    pub(crate) fn copies(&self) -> usize {
        // but the last of each, which says that it is the last
        self.queues.iter().map(Vec::len).sum::<usize>() - self.queues.len()
    }
}

/// Topics that a scenario's senders and receivers are subscribed to.
pub(crate) fn topics(scenario: &Scenario) -> Vec<GossipTopic> {
    let fork_digest = digest(&chain(scenario.genesis_time, scenario.slot_duration()));
    let kinds = MAINNET.iter().map(|(kind, ..)| *kind).chain([TopicKind::VoluntaryExit]);
    let names = kinds.flat_map(|kind| TopicName::all_of(kind).take(scenario.subnets(kind).into()));
    names.map(|name| GossipTopic { fork_digest, name }).collect()
}

struct Draft<'a> {
    scenario: &'a Scenario,
    offset_us: u64,
    maker: &'a mut Maker,
    fork_digest: beacond::types::ForkDigest,
    rng: ChaCha8Rng,
    senders: Vec<usize>,
    load: Load,
}

impl<'a> Draft<'a> {
    fn new(scenario: &'a Scenario, timed: &Timed, maker: &'a mut Maker) -> Self {
        let load = Load { bytes: Vec::new(), queues: vec![Vec::new(); SENDERS], messages: 0 };
        let fork_digest = digest(&chain(scenario.genesis_time, scenario.slot_duration()));
        let (rng, senders) = (ChaCha8Rng::seed_from_u64(3), (0..SENDERS).collect());
        Self { scenario, offset_us: timed.offset_ms * 1000, maker, fork_digest, rng, senders, load }
    }

    /// What mainnet sends in a slot on the scenario's subnets.
    fn mainnet(&self) -> impl Iterator<Item = (TopicKind, u64, usize, Range<f64>)> + use<> {
        let subnets = self.scenario.subnets(TopicKind::BeaconAttestation);
        MAINNET.into_iter().map(move |(kind, messages, copies, when)| {
            let factor = if kind == TopicKind::BeaconAttestation { u64::from(subnets) } else { 1 };
            (kind, messages * factor, copies, when)
        })
    }

    fn slot(&mut self, slot: u64) -> Result<()> {
        let slot_us = self.scenario.slot_seconds * 1_000_000;
        for (kind, messages, copies, when) in self.mainnet().collect::<Vec<_>>() {
            for number in 0..messages {
                // one in ten is late
                let when = if number % 10 == 9 { when.end..11.5 } else { when.clone() };
                let twelfths = self.rng.random_range(when);
                let at = slot * slot_us + (slot_us as f64 * twelfths / 12.0) as u64;
                self.add(kind, at, copies, SPREAD)?;
            }
        }
        Ok(())
    }

    /// A message whose first copy is sent `at`, microseconds after the start, and the others within `spread` after it.
    fn add(&mut self, kind: TopicKind, at: u64, copies: usize, spread: u64) -> Result<()> {
        let slot = Slot(FIRST_SLOT.0 + (self.offset_us + at) / (self.scenario.slot_seconds * 1_000_000));
        let range = self.frame(kind, slot)?;
        self.senders.partial_shuffle(&mut self.rng, copies);
        // the chosen ones are at the end
        for number in 0..copies {
            let sender = self.senders[SENDERS - 1 - number];
            let delay = if number == 0 || spread == 0 { 0 } else { self.rng.random_range(0..spread) };
            self.load.queues[sender].push((at + delay, range.clone()));
        }
        self.load.messages += 1;
        Ok(())
    }

    fn frame(&mut self, kind: TopicKind, slot: Slot) -> Result<Range<usize>> {
        let (name, ssz) = self.maker.make(kind, self.scenario.subnets(kind), slot)?;
        let topic = GossipTopic { fork_digest: self.fork_digest, name }.to_string();
        let frame = frame::publish(&topic, &snap::raw::Encoder::new().compress_vec(&ssz)?);
        let start = self.load.bytes.len();
        self.load.bytes.extend_from_slice(&frame);
        Ok(start..self.load.bytes.len())
    }

    /// Every sender ends with an exit of its own: when that has its verdict, all before it was read.
    fn finish(mut self) -> Result<Load> {
        for sender in 0..SENDERS {
            self.load.queues[sender].sort_by_key(|(at, _)| *at);
            let end = self.load.queues[sender].last().map_or(0, |(at, _)| *at);
            let range = self.frame(TopicKind::VoluntaryExit, FIRST_SLOT)?;
            self.load.queues[sender].push((end, range));
        }
        Ok(self.load)
    }
}
