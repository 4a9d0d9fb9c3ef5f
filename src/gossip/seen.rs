//! What valid messages have already said: first-seen keys, supersets of votes, best bids, newest updates.
//!
//! The rules ask; [`Judge::admit`](super::Judge::admit) puts in, and only what is accepted: it asks once more and puts in
//! under one lock, so of two messages that passed the rules at the same time one is accepted. Keys know nothing of fork
//! digests, so both variants of a topic around a fork share them. Each table has a lock of its own, held for one map
//! operation (an attester slashing: for its indices).
//!
//! Everything that belongs to a slot or an epoch goes two epochs later, the rest by count. A full table takes nothing
//! more until its oldest entries expire: a repetition then passes as new, which costs work, never a verdict on somebody.
//! Worst case, with every table full: 4.5 MiB attesters and 2.3 MiB seats, 17 MiB votes of aggregates and contributions,
//! 22 MiB the rest. All attesters of a network of two million validators are 1 MiB.

mod tables;

use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::tables::{Act, BestBids, Bitmaps, Expiring, Recent, Supersets};
use super::verdict::IgnoreReason;
use crate::types::containers::Hash32;
use crate::types::{Epoch, Root, SLOTS_PER_EPOCH, Slot};

/// How long what belongs to a slot is remembered, in slots.
const CLAIM_SLOTS: u64 = 2 * SLOTS_PER_EPOCH;

/// How long what belongs to an epoch is remembered, in epochs.
const CLAIM_EPOCHS: u64 = 2;

/// Pages of 4096 attesters: 8192 × 576 bytes = 4.5 MiB. Votes of two epochs count, and three are kept, and the first of a
/// fourth by clocks that are ahead; a registry of eight million validators would fill them.
const ATTESTER_PAGES: usize = 1 << 13;

/// Pages of 4096 seats: 4096 × 576 bytes = 2.3 MiB. A slot has 64 committees of 2048 seats at most, so 32 pages, and 66
/// slots are kept.
const SEAT_PAGES: usize = 1 << 12;

/// Seats in a committee at most.
///
/// [spec v1.6.0, MAX_VALIDATORS_PER_COMMITTEE](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/beacon-chain.md#misc-1)
const SEATS: u64 = 2048;

/// What a topic's messages are told apart by: of two valid messages with one key the second is ignored.
///
/// The fields are those of the message, by name and meaning.
///
/// [spec v1.6.0, global topics](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#global-topics)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// What a valid message lets its repetitions be known by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The key of its topic.
    pub key: Option<Key>,
    /// The votes in it.
    pub votes: Option<Votes>,
    /// Attesters whom it slashes; at most 131072.
    pub slashed: Vec<u64>,
    /// What it bids, in Gwei, and in which auction.
    pub bid: Option<(Auction, u64)>,
    /// How new it is as a finality update.
    pub finality: Option<Finality>,
    /// The attested slot of an optimistic update.
    pub optimistic: Option<Slot>,
}

impl Claims {
    /// What the message has in common with those of which only one may be valid or forwarded; `None` where any number may.
    pub(super) fn rivalry(&self) -> Option<impl Hash> {
        let Self { key, finality, optimistic, .. } = self;
        let excludes = key.is_some() || finality.is_some() || optimistic.is_some();
        excludes.then_some((*key, *finality, *optimistic))
    }
}

impl From<Key> for Claims {
    fn from(key: Key) -> Self {
        Self { key: Some(key), ..Self::default() }
    }
}

/// The tables.
#[derive(Debug)]
pub(super) struct Seen {
    proposals: Mutex<Expiring<u64>>,
    aggregators: Mutex<Expiring<u64>>,
    /// By index: they are given out one after the other, so they lie close together.
    attesters: Mutex<Bitmaps>,
    seats: Mutex<Bitmaps>,
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
    /// Held while something is admitted: what is checked holds until it is put in. Taken before any table's lock.
    admission: Mutex<()>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            proposals: Expiring::new(1 << 12).into(),
            aggregators: Expiring::new(1 << 17).into(),
            attesters: Bitmaps::new(ATTESTER_PAGES).into(),
            seats: Bitmaps::new(SEAT_PAGES).into(),
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
            admission: Mutex::default(),
        }
    }
}

impl Seen {
    /// Whether a valid message had this key.
    #[must_use]
    pub(super) fn has(&self, key: Key) -> bool {
        self.act(key, Act::Look)
    }

    /// Whether the votes of a valid message on the same subject include all of these.
    #[must_use]
    pub(super) fn has_superset(&self, votes: &Votes) -> bool {
        lock(self.supersets(votes.subject)).has(votes)
    }

    /// Whether every one of these attesters was in a valid slashing.
    #[must_use]
    pub(super) fn has_slashed(&self, attesters: &[u64]) -> bool {
        let slashed = lock(&self.slashed_attesters);
        attesters.iter().all(|attester| slashed.has(*attester))
    }

    /// The highest valid bid, in Gwei.
    #[must_use]
    pub(super) fn best_bid(&self, auction: &Auction) -> Option<u64> {
        lock(&self.best_bids).get(auction)
    }

    /// Whether a finality update is newer than all that were forwarded.
    #[must_use]
    pub(super) fn is_newest_finality(&self, finality: Finality) -> bool {
        lock(&self.finality).is_none_or(|forwarded| finality.may_follow(forwarded))
    }

    /// Whether an optimistic update for this attested slot is newer than all that were forwarded.
    #[must_use]
    pub(super) fn is_newest_optimistic(&self, attested: Slot) -> bool {
        lock(&self.optimistic).is_none_or(|forwarded| attested > forwarded)
    }

    /// Remembers what an accepted message claims, all of it, unless something has been claimed by another meanwhile:
    /// of two that passed the rules at the same time, one is the first.
    ///
    /// # Errors
    /// Why the message is to be ignored; nothing is remembered then.
    pub(super) fn admit(&self, claims: &Claims) -> Result<(), IgnoreReason> {
        let _admission = lock(&self.admission);
        self.check(claims)?;
        self.insert(claims);
        Ok(())
    }

    /// Takes the key of a message before it is known whether it will be accepted; [`Self::admit_reserved`] or
    /// [`Self::give_back`] must follow.
    ///
    /// # Errors
    /// Why the message is to be ignored; nothing is taken then.
    pub(super) fn reserve(&self, claims: &Claims) -> Result<(), IgnoreReason> {
        let _admission = lock(&self.admission);
        self.check(claims)?;
        if let Some(key) = claims.key {
            self.act(key, Act::Take);
        }
        Ok(())
    }

    /// Remembers what a message claims whose key was reserved.
    pub(super) fn admit_reserved(&self, claims: &Claims) {
        let _admission = lock(&self.admission);
        self.insert(claims);
    }

    /// Frees a key that was reserved.
    pub(super) fn give_back(&self, claims: &Claims) {
        if let Some(key) = claims.key {
            self.act(key, Act::GiveBack);
        }
    }

    /// The rules about what was seen, once more.
    fn check(&self, claims: &Claims) -> Result<(), IgnoreReason> {
        let Claims { key, votes, slashed, bid, finality, optimistic } = claims;
        let is_taken = key.is_some_and(|key| self.has(key)) || (!slashed.is_empty() && self.has_slashed(slashed));
        let is_worse = bid.is_some_and(|(auction, value)| self.best_bid(&auction).is_some_and(|best| value <= best))
            || finality.is_some_and(|finality| !self.is_newest_finality(finality))
            || optimistic.is_some_and(|attested| !self.is_newest_optimistic(attested));
        if is_taken {
            Err(IgnoreReason::AlreadySeen)
        } else if votes.as_ref().is_some_and(|votes| self.has_superset(votes)) {
            Err(IgnoreReason::Superset)
        } else if is_worse {
            Err(IgnoreReason::NotBetter)
        } else {
            Ok(())
        }
    }

    fn insert(&self, claims: &Claims) {
        let Claims { key, votes, slashed, bid, finality, optimistic } = claims;
        if let Some(key) = key {
            self.act(*key, Act::Take);
        }
        if let Some(votes) = votes {
            lock(self.supersets(votes.subject)).insert(votes);
        }
        if let Some((auction, value)) = bid {
            lock(&self.best_bids).insert(*auction, *value);
        }
        if let Some(finality) = finality {
            let mut newest = lock(&self.finality);
            *newest = newest.filter(|forwarded| !finality.may_follow(*forwarded)).or(Some(*finality));
        }
        if let Some(attested) = optimistic {
            let mut newest = lock(&self.optimistic);
            *newest = (*newest).max(Some(*attested));
        }
        let mut slashed_attesters = lock(&self.slashed_attesters);
        slashed.iter().for_each(|attester| slashed_attesters.insert(*attester));
    }

    /// Finds the table of a key and acts on it.
    fn act(&self, key: Key, act: Act) -> bool {
        match key {
            Key::Proposal { slot, proposer } => lock(&self.proposals).act(act, slot.0, proposer),
            Key::Aggregator { epoch, validator } => lock(&self.aggregators).act(act, epoch.0, validator),
            Key::Attester { epoch, validator } => lock(&self.attesters).act(act, epoch.0, validator),
            Key::Seat { slot, committee, position } => {
                lock(&self.seats).act(act, slot.0, u64::from(committee) * SEATS + u64::from(position))
            }
            Key::Exit { validator } => lock(&self.exits).act(act, validator),
            Key::ProposerSlashing { proposer } => lock(&self.proposer_slashings).act(act, proposer),
            Key::CredentialChange { validator } => lock(&self.credential_changes).act(act, validator),
            Key::Contributor { slot, validator, subcommittee } => {
                lock(&self.contributors).act(act, slot.0, (validator, subcommittee))
            }
            Key::SyncMessage { slot, validator, subnet } => {
                lock(&self.sync_messages).act(act, slot.0, (validator, subnet))
            }
            Key::Blob { slot, proposer, index } => lock(&self.blobs).act(act, slot.0, (proposer, index)),
            Key::Column { slot, proposer, index } => lock(&self.columns).act(act, slot.0, (proposer, index)),
            Key::BlockColumn { slot, block_root, index } => {
                lock(&self.block_columns).act(act, slot.0, (block_root, index))
            }
            Key::Payload { slot, block_root, builder } => lock(&self.payloads).act(act, slot.0, (block_root, builder)),
            Key::PayloadVote { slot, validator } => lock(&self.payload_votes).act(act, slot.0, validator),
            Key::Bid { slot, parent_hash, parent_root, builder } => {
                lock(&self.bids).act(act, slot.0, (parent_hash, parent_root, builder))
            }
            Key::Preferences { slot, dependent_root } => lock(&self.preferences).act(act, slot.0, dependent_root),
        }
    }

    /// Forgets what is two epochs old at `wall_slot`; a call in every slot keeps to the bounds above.
    pub(super) fn prune(&self, wall_slot: Slot) {
        let slot = wall_slot.0.saturating_sub(CLAIM_SLOTS);
        let epoch = wall_slot.epoch().0.saturating_sub(CLAIM_EPOCHS);
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

fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    // map operations alone happen under the lock: a panic elsewhere leaves the table whole
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
