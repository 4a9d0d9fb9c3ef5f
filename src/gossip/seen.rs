//! What valid messages have already said: first-seen keys, supersets of votes, best bids, newest updates.
//!
//! The rules ask; [`Judge::record`](super::Judge::record) puts in, and only what was accepted. Keys know nothing of fork
//! digests, so both variants of a topic around a fork share them. Each table has a lock of its own, held for one map
//! operation (an attester slashing: for its indices).
//!
//! Everything that belongs to a slot or an epoch goes two epochs later, the rest by count. A full table takes nothing
//! more until its oldest entries expire: a repetition then passes as new, which costs work, never a verdict on somebody.
//! Worst case, with every table full: 36 MiB attesters (all of a network of a million validators; two subnets of 64
//! hold 1/32 of that), 17 MiB votes of aggregates and contributions, 21 MiB the rest.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::types::containers::Hash32;
use crate::types::{Epoch, Root, SLOTS_PER_EPOCH, Slot};

/// How long what belongs to a slot is remembered, in slots.
const KEPT_SLOTS: u64 = 2 * SLOTS_PER_EPOCH;

/// How long what belongs to an epoch is remembered, in epochs.
const KEPT_EPOCHS: u64 = 2;

/// What a topic's messages are told apart by: of two valid messages with one key the second is ignored.
///
/// [spec v1.6.0, global topics](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#global-topics)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are those of the message, by name and meaning")]
pub enum Key {
    /// A block.
    Proposal { slot: Slot, proposer: u64 },
    /// An aggregate; the epoch is the target's.
    Aggregator { epoch: Epoch, validator: u64 },
    /// An attestation from Electra on; the epoch is the target's.
    Attester { epoch: Epoch, validator: u64 },
    /// An attestation before Electra. A validator has one seat in an epoch, so this is the same as its index, which only
    /// a state knows.
    Seat { slot: Slot, committee: u8, position: u16 },
    /// A voluntary exit.
    Exit { validator: u64 },
    /// A proposer slashing.
    ProposerSlashing { proposer: u64 },
    /// A change of credentials.
    CredentialChange { validator: u64 },
    /// A sync-committee contribution.
    Contributor { slot: Slot, validator: u64, subcommittee: u64 },
    /// A sync-committee message.
    SyncMessage { slot: Slot, validator: u64, subnet: u16 },
    /// A blob.
    Blob { slot: Slot, proposer: u64, index: u64 },
    /// A column of Fulu.
    Column { slot: Slot, proposer: u64, index: u64 },
    /// A column from Gloas on.
    BlockColumn { slot: Slot, block_root: Root, index: u64 },
    /// A payload; the slot is its block's.
    Payload { slot: Slot, block_root: Root, builder: u64 },
    /// A payload attestation.
    PayloadVote { slot: Slot, validator: u64 },
    /// A bid.
    Bid { slot: Slot, parent_hash: Hash32, parent_root: Root, builder: u64 },
    /// A proposer's preferences.
    Preferences { slot: Slot, dependent_root: Root },
}

/// Votes as bits, to be compared with others on the same thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Votes {
    /// What they are for.
    pub subject: Subject,
    /// How many bits there are.
    pub count: usize,
    /// The bits, least significant first; unused ones zero.
    pub bits: Box<[u8]>,
}

/// What votes are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An aggregate's data and committee.
    Attestation {
        /// Epoch of the target.
        epoch: Epoch,
        /// Hash tree root of the data.
        data_root: Root,
        /// The committee; 0 before Electra, where the data names it.
        committee: u64,
    },
    /// A contribution's block and subcommittee.
    SyncCommittee {
        /// Slot of the contribution.
        slot: Slot,
        /// Block voted for.
        block_root: Root,
        /// Which quarter of the committee.
        subcommittee: u64,
    },
}

/// What a bid competes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Auction {
    /// Slot that is bid for.
    pub slot: Slot,
    /// Payload that is built upon.
    pub parent_hash: Hash32,
    /// Block that is built upon.
    pub parent_root: Root,
}

/// How new a finality update is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finality {
    /// Slot of the finalized header.
    pub slot: Slot,
    /// Whether more than two thirds of the committee signed.
    pub is_supermajority: bool,
}

impl Finality {
    /// Whether an update that is so new may follow one that was forwarded.
    ///
    /// [spec v1.6.0, light_client_finality_update](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/light-client/p2p-interface.md#light_client_finality_update)
    const fn may_follow(self, forwarded: Self) -> bool {
        self.slot.0 > forwarded.slot.0
            || (self.slot.0 == forwarded.slot.0 && self.is_supermajority && !forwarded.is_supermajority)
    }
}

/// The tables.
#[derive(Debug)]
pub struct Seen {
    proposals: Mutex<Expiring<u64>>,
    aggregators: Mutex<Expiring<u64>>,
    attesters: Mutex<Expiring<u64>>,
    seats: Mutex<Expiring<(u8, u16)>>,
    exits: Mutex<Recent>,
    proposer_slashings: Mutex<Recent>,
    slashed_attesters: Mutex<Recent>,
    credential_changes: Mutex<Recent>,
    contributors: Mutex<Expiring<(u64, u64)>>,
    sync_messages: Mutex<Expiring<(u64, u16)>>,
    blobs: Mutex<Expiring<(u64, u64)>>,
    columns: Mutex<Expiring<(u64, u64)>>,
    block_columns: Mutex<Expiring<(Root, u64)>>,
    payloads: Mutex<Expiring<(Root, u64)>>,
    payload_votes: Mutex<Expiring<u64>>,
    bids: Mutex<Expiring<(Hash32, Root, u64)>>,
    preferences: Mutex<Expiring<Root>>,
    aggregates: Mutex<Supersets>,
    contributions: Mutex<Supersets>,
    best_bids: Mutex<BestBids>,
    finality: Mutex<Option<Finality>>,
    optimistic: Mutex<Option<Slot>>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            proposals: Expiring::new(1 << 12).into(),
            aggregators: Expiring::new(1 << 17).into(),
            attesters: Expiring::new(1 << 21).into(),
            seats: Expiring::new(1 << 21).into(),
            exits: Recent::new(1 << 14).into(),
            proposer_slashings: Recent::new(1 << 14).into(),
            slashed_attesters: Recent::new(1 << 17).into(),
            credential_changes: Recent::new(1 << 14).into(),
            contributors: Expiring::new(1 << 15).into(),
            sync_messages: Expiring::new(1 << 16).into(),
            blobs: Expiring::new(1 << 12).into(),
            columns: Expiring::new(1 << 15).into(),
            block_columns: Expiring::new(1 << 15).into(),
            payloads: Expiring::new(1 << 12).into(),
            payload_votes: Expiring::new(1 << 16).into(),
            bids: Expiring::new(1 << 14).into(),
            preferences: Expiring::new(1 << 12).into(),
            aggregates: Supersets::new(16 << 20).into(),
            contributions: Supersets::new(1 << 20).into(),
            best_bids: BestBids::new(1 << 14).into(),
            finality: None.into(),
            optimistic: None.into(),
        }
    }
}

impl Seen {
    /// Whether a valid message had this key.
    #[must_use]
    pub fn has(&self, key: Key) -> bool {
        match key {
            Key::Proposal { slot, proposer } => lock(&self.proposals).has(slot.0, &proposer),
            Key::Aggregator { epoch, validator } => lock(&self.aggregators).has(epoch.0, &validator),
            Key::Attester { epoch, validator } => lock(&self.attesters).has(epoch.0, &validator),
            Key::Seat { slot, committee, position } => lock(&self.seats).has(slot.0, &(committee, position)),
            Key::Exit { validator } => lock(&self.exits).has(validator),
            Key::ProposerSlashing { proposer } => lock(&self.proposer_slashings).has(proposer),
            Key::CredentialChange { validator } => lock(&self.credential_changes).has(validator),
            Key::Contributor { slot, validator, subcommittee } => {
                lock(&self.contributors).has(slot.0, &(validator, subcommittee))
            }
            Key::SyncMessage { slot, validator, subnet } => lock(&self.sync_messages).has(slot.0, &(validator, subnet)),
            Key::Blob { slot, proposer, index } => lock(&self.blobs).has(slot.0, &(proposer, index)),
            Key::Column { slot, proposer, index } => lock(&self.columns).has(slot.0, &(proposer, index)),
            Key::BlockColumn { slot, block_root, index } => lock(&self.block_columns).has(slot.0, &(block_root, index)),
            Key::Payload { slot, block_root, builder } => lock(&self.payloads).has(slot.0, &(block_root, builder)),
            Key::PayloadVote { slot, validator } => lock(&self.payload_votes).has(slot.0, &validator),
            Key::Bid { slot, parent_hash, parent_root, builder } => {
                lock(&self.bids).has(slot.0, &(parent_hash, parent_root, builder))
            }
            Key::Preferences { slot, dependent_root } => lock(&self.preferences).has(slot.0, &dependent_root),
        }
    }

    /// Whether the votes of a valid message on the same subject include all of these.
    #[must_use]
    pub fn has_superset(&self, votes: &Votes) -> bool {
        lock(self.supersets(votes.subject)).has(votes)
    }

    /// Whether every one of these attesters was in a valid slashing.
    #[must_use]
    pub fn has_slashed(&self, attesters: &[u64]) -> bool {
        let slashed = lock(&self.slashed_attesters);
        attesters.iter().all(|attester| slashed.has(*attester))
    }

    /// The highest valid bid, in Gwei.
    #[must_use]
    pub fn best_bid(&self, auction: &Auction) -> Option<u64> {
        lock(&self.best_bids).get(auction)
    }

    /// Whether a finality update is newer than all that were forwarded.
    #[must_use]
    pub fn is_newest_finality(&self, finality: Finality) -> bool {
        lock(&self.finality).is_none_or(|forwarded| finality.may_follow(forwarded))
    }

    /// Whether an optimistic update for this attested slot is newer than all that were forwarded.
    #[must_use]
    pub fn is_newest_optimistic(&self, attested: Slot) -> bool {
        lock(&self.optimistic).is_none_or(|forwarded| attested > forwarded)
    }

    /// Remembers a key.
    pub fn insert(&self, key: Key) {
        match key {
            Key::Proposal { slot, proposer } => lock(&self.proposals).insert(slot.0, proposer),
            Key::Aggregator { epoch, validator } => lock(&self.aggregators).insert(epoch.0, validator),
            Key::Attester { epoch, validator } => lock(&self.attesters).insert(epoch.0, validator),
            Key::Seat { slot, committee, position } => lock(&self.seats).insert(slot.0, (committee, position)),
            Key::Exit { validator } => lock(&self.exits).insert(validator),
            Key::ProposerSlashing { proposer } => lock(&self.proposer_slashings).insert(proposer),
            Key::CredentialChange { validator } => lock(&self.credential_changes).insert(validator),
            Key::Contributor { slot, validator, subcommittee } => {
                lock(&self.contributors).insert(slot.0, (validator, subcommittee));
            }
            Key::SyncMessage { slot, validator, subnet } => {
                lock(&self.sync_messages).insert(slot.0, (validator, subnet));
            }
            Key::Blob { slot, proposer, index } => lock(&self.blobs).insert(slot.0, (proposer, index)),
            Key::Column { slot, proposer, index } => lock(&self.columns).insert(slot.0, (proposer, index)),
            Key::BlockColumn { slot, block_root, index } => {
                lock(&self.block_columns).insert(slot.0, (block_root, index));
            }
            Key::Payload { slot, block_root, builder } => lock(&self.payloads).insert(slot.0, (block_root, builder)),
            Key::PayloadVote { slot, validator } => lock(&self.payload_votes).insert(slot.0, validator),
            Key::Bid { slot, parent_hash, parent_root, builder } => {
                lock(&self.bids).insert(slot.0, (parent_hash, parent_root, builder));
            }
            Key::Preferences { slot, dependent_root } => lock(&self.preferences).insert(slot.0, dependent_root),
        }
    }

    /// Remembers votes, and forgets those that they include.
    pub fn insert_votes(&self, votes: &Votes) {
        lock(self.supersets(votes.subject)).insert(votes);
    }

    /// Remembers who was slashed.
    pub fn insert_slashed(&self, attesters: &[u64]) {
        let mut slashed = lock(&self.slashed_attesters);
        attesters.iter().for_each(|attester| slashed.insert(*attester));
    }

    /// Remembers a bid, if it is the highest.
    pub fn insert_bid(&self, auction: Auction, value: u64) {
        lock(&self.best_bids).insert(auction, value);
    }

    /// Remembers a forwarded finality update, if it is the newest.
    pub fn insert_finality(&self, finality: Finality) {
        let mut newest = lock(&self.finality);
        if newest.is_none_or(|forwarded| finality.may_follow(forwarded)) {
            *newest = Some(finality);
        }
    }

    /// Remembers a forwarded optimistic update, if it is the newest.
    pub fn insert_optimistic(&self, attested: Slot) {
        let mut newest = lock(&self.optimistic);
        *newest = (*newest).max(Some(attested));
    }

    /// Forgets what is two epochs old at `wall_slot`; a call in every slot keeps to the bounds above.
    pub fn prune(&self, wall_slot: Slot) {
        let slot = wall_slot.0.saturating_sub(KEPT_SLOTS);
        let epoch = wall_slot.epoch().0.saturating_sub(KEPT_EPOCHS);
        lock(&self.proposals).expire(slot);
        lock(&self.aggregators).expire(epoch);
        lock(&self.attesters).expire(epoch);
        lock(&self.seats).expire(slot);
        lock(&self.contributors).expire(slot);
        lock(&self.sync_messages).expire(slot);
        lock(&self.blobs).expire(slot);
        lock(&self.columns).expire(slot);
        lock(&self.block_columns).expire(slot);
        lock(&self.payloads).expire(slot);
        lock(&self.payload_votes).expire(slot);
        lock(&self.bids).expire(slot);
        lock(&self.preferences).expire(slot);
        lock(&self.aggregates).expire(epoch);
        lock(&self.contributions).expire(slot);
        lock(&self.best_bids).expire(Slot(slot));
    }

    const fn supersets(&self, subject: Subject) -> &Mutex<Supersets> {
        match subject {
            Subject::Attestation { .. } => &self.aggregates,
            Subject::SyncCommittee { .. } => &self.contributions,
        }
    }
}

/// Keys that go with their slot or epoch; at most `capacity` of them.
#[derive(Debug)]
struct Expiring<K> {
    buckets: BTreeMap<u64, HashSet<K>>,
    len: usize,
    capacity: usize,
}

impl<K: Eq + Hash> Expiring<K> {
    const fn new(capacity: usize) -> Self {
        Self { buckets: BTreeMap::new(), len: 0, capacity }
    }

    fn has(&self, when: u64, key: &K) -> bool {
        self.buckets.get(&when).is_some_and(|keys| keys.contains(key))
    }

    fn insert(&mut self, when: u64, key: K) {
        if self.len < self.capacity && self.buckets.entry(when).or_default().insert(key) {
            self.len += 1;
        }
    }

    fn expire(&mut self, oldest: u64) {
        while let Some(bucket) = self.buckets.first_entry().filter(|bucket| *bucket.key() < oldest) {
            self.len -= bucket.remove().len();
        }
    }
}

/// The last validators that something happened to; the oldest gives way to the newest.
#[derive(Debug)]
struct Recent {
    set: HashSet<u64>,
    order: VecDeque<u64>,
    capacity: usize,
}

impl Recent {
    fn new(capacity: usize) -> Self {
        Self { set: HashSet::new(), order: VecDeque::new(), capacity }
    }

    fn has(&self, validator: u64) -> bool {
        self.set.contains(&validator)
    }

    fn insert(&mut self, validator: u64) {
        if !self.set.insert(validator) {
            return;
        }
        self.order.push_back(validator);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
    }
}

/// Votes by subject, of which none includes another; at most `capacity` bytes with their share of the maps.
#[derive(Debug)]
struct Supersets {
    buckets: BTreeMap<u64, HashMap<Subject, Vec<Bits>>>,
    bytes: usize,
    capacity: usize,
}

#[derive(Clone, Debug)]
struct Bits {
    count: usize,
    bits: Box<[u8]>,
}

impl Supersets {
    /// What an entry costs beside its bits: its share of the maps, the key, the allocation.
    const OVERHEAD: usize = 192;

    const fn new(capacity: usize) -> Self {
        Self { buckets: BTreeMap::new(), bytes: 0, capacity }
    }

    fn has(&self, votes: &Votes) -> bool {
        let seen = self.buckets.get(&when(votes.subject)).and_then(|bucket| bucket.get(&votes.subject));
        seen.into_iter().flatten().any(|seen| includes(&seen.bits, seen.count, &votes.bits, votes.count))
    }

    fn insert(&mut self, votes: &Votes) {
        let size = Self::OVERHEAD + votes.bits.len();
        if self.bytes + size > self.capacity || self.has(votes) {
            return;
        }
        let seen = self.buckets.entry(when(votes.subject)).or_default().entry(votes.subject).or_default();
        let before = cost(seen);
        seen.retain(|seen| !includes(&votes.bits, votes.count, &seen.bits, seen.count));
        seen.push(Bits { count: votes.count, bits: votes.bits.clone() });
        self.bytes = self.bytes - before + cost(seen);
    }

    fn expire(&mut self, oldest: u64) {
        while let Some(bucket) = self.buckets.first_entry().filter(|bucket| *bucket.key() < oldest) {
            self.bytes -= bucket.remove().into_values().map(|seen| cost(&seen)).sum::<usize>();
        }
    }
}

/// The slot or the epoch with which a subject goes.
const fn when(subject: Subject) -> u64 {
    match subject {
        Subject::Attestation { epoch, .. } => epoch.0,
        Subject::SyncCommittee { slot, .. } => slot.0,
    }
}

fn cost(seen: &[Bits]) -> usize {
    seen.iter().map(|seen| Supersets::OVERHEAD + seen.bits.len()).sum()
}

/// Whether `these` have every vote of `those`; equal ones do. Votes of different counts are of different committees.
fn includes(these: &[u8], count: usize, those: &[u8], other_count: usize) -> bool {
    count == other_count
        && these.len() == those.len()
        && these.iter().zip(those).all(|(these, those)| those & !these == 0)
}

/// The highest bid of each auction; at most `capacity` auctions.
#[derive(Debug)]
struct BestBids {
    values: BTreeMap<Slot, HashMap<Auction, u64>>,
    len: usize,
    capacity: usize,
}

impl BestBids {
    const fn new(capacity: usize) -> Self {
        Self { values: BTreeMap::new(), len: 0, capacity }
    }

    fn get(&self, auction: &Auction) -> Option<u64> {
        self.values.get(&auction.slot)?.get(auction).copied()
    }

    fn insert(&mut self, auction: Auction, value: u64) {
        let best = self.get(&auction);
        if best.is_some_and(|best| best >= value) || (best.is_none() && self.len >= self.capacity) {
            return;
        }
        self.len += usize::from(best.is_none());
        self.values.entry(auction.slot).or_default().insert(auction, value);
    }

    fn expire(&mut self, oldest: Slot) {
        while let Some(bucket) = self.values.first_entry().filter(|bucket| *bucket.key() < oldest) {
            self.len -= bucket.remove().len();
        }
    }
}

fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    // map operations alone happen under the lock: a panic elsewhere leaves the table whole
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
