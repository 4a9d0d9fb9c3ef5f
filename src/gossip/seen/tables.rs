//! The tables that `seen` is made of: bounded, and pruned by slot, by epoch or by count.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;

use super::{Auction, Subject, Votes};
use crate::types::Slot;

/// What is done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing: is it there?
    Look,
    /// It is put in.
    Take,
    /// It is taken out.
    GiveBack,
}

/// Keys that go with their slot or epoch; at most `capacity` of them.
#[derive(Debug)]
pub(super) struct Expiring<K> {
    buckets: BTreeMap<u64, HashSet<K>>,
    len: usize,
    capacity: usize,
}

impl<K: Eq + Hash> Expiring<K> {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { buckets: BTreeMap::new(), len: 0, capacity }
    }

    /// Whether it had the key, before the act.
    pub(super) fn act(&mut self, act: Act, when: u64, key: K) -> bool {
        match act {
            Act::Look => self.buckets.get(&when).is_some_and(|keys| keys.contains(&key)),
            Act::Take if self.len < self.capacity => {
                let is_new = self.buckets.entry(when).or_default().insert(key);
                self.len += usize::from(is_new);
                !is_new
            }
            Act::Take => self.act(Act::Look, when, key),
            Act::GiveBack => {
                let had = self.buckets.get_mut(&when).is_some_and(|keys| keys.remove(&key));
                self.len -= usize::from(had);
                had
            }
        }
    }

    pub(super) fn expire(&mut self, oldest: u64) {
        while let Some(bucket) = self.buckets.first_entry().filter(|bucket| *bucket.key() < oldest) {
            self.len -= bucket.remove().len();
        }
    }
}

/// Numbers that go with their slot or epoch and lie close together, as bits; at most `capacity` pages of them.
#[derive(Debug)]
pub(super) struct Bitmaps {
    buckets: BTreeMap<u64, HashMap<u64, Box<Page>>>,
    pages: usize,
    capacity: usize,
}

/// 4096 numbers in 512 bytes; with its share of the maps and the allocation less than 576.
type Page = [u64; 64];

impl Bitmaps {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { buckets: BTreeMap::new(), pages: 0, capacity }
    }

    /// Whether it had the number, before the act.
    pub(super) fn act(&mut self, act: Act, when: u64, number: u64) -> bool {
        let (page, word, bit) = (number / 4096, (number / 64 % 64) as usize, 1 << (number % 64));
        if act == Act::Take && !self.make_page(when, page) {
            return false;
        }
        let page = self.buckets.get_mut(&when).and_then(|pages| pages.get_mut(&page));
        let Some(word) = page.and_then(|page| page.get_mut(word)) else { return false };
        let had = *word & bit != 0;
        match act {
            Act::Look => {}
            Act::Take => *word |= bit,
            Act::GiveBack => *word &= !bit,
        }
        had
    }

    /// Makes a page where there is none; whether there is one now.
    fn make_page(&mut self, when: u64, page: u64) -> bool {
        let pages = self.buckets.entry(when).or_default();
        if !pages.contains_key(&page) && self.pages < self.capacity {
            pages.insert(page, Box::new([0; 64]));
            self.pages += 1;
        }
        pages.contains_key(&page)
    }

    pub(super) fn expire(&mut self, oldest: u64) {
        while let Some(bucket) = self.buckets.first_entry().filter(|bucket| *bucket.key() < oldest) {
            self.pages -= bucket.remove().len();
        }
    }
}

/// The last validators that something happened to; the oldest gives way to the newest.
#[derive(Debug)]
pub(super) struct Recent {
    set: HashSet<u64>,
    order: VecDeque<u64>,
    capacity: usize,
}

impl Recent {
    pub(super) fn new(capacity: usize) -> Self {
        Self { set: HashSet::new(), order: VecDeque::new(), capacity }
    }

    pub(super) fn has(&self, validator: u64) -> bool {
        self.set.contains(&validator)
    }

    /// Whether it had the validator, before the act.
    pub(super) fn act(&mut self, act: Act, validator: u64) -> bool {
        let had = self.has(validator);
        match act {
            Act::Take => self.insert(validator),
            Act::GiveBack if had => {
                self.set.remove(&validator);
                // mostly the newest
                if let Some(position) = self.order.iter().rposition(|other| *other == validator) {
                    self.order.remove(position);
                }
            }
            Act::Look | Act::GiveBack => {}
        }
        had
    }

    pub(super) fn insert(&mut self, validator: u64) {
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
pub(super) struct Supersets {
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

    pub(super) const fn new(capacity: usize) -> Self {
        Self { buckets: BTreeMap::new(), bytes: 0, capacity }
    }

    pub(super) fn has(&self, votes: &Votes) -> bool {
        let seen = self.buckets.get(&when(votes.subject)).and_then(|bucket| bucket.get(&votes.subject));
        seen.into_iter().flatten().any(|seen| includes(&seen.bits, seen.count, &votes.bits, votes.count))
    }

    pub(super) fn insert(&mut self, votes: &Votes) {
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

    pub(super) fn expire(&mut self, oldest: u64) {
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
pub(super) struct BestBids {
    values: BTreeMap<Slot, HashMap<Auction, u64>>,
    len: usize,
    capacity: usize,
}

impl BestBids {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { values: BTreeMap::new(), len: 0, capacity }
    }

    pub(super) fn get(&self, auction: &Auction) -> Option<u64> {
        self.values.get(&auction.slot)?.get(auction).copied()
    }

    pub(super) fn insert(&mut self, auction: Auction, value: u64) {
        let best = self.get(&auction);
        if best.is_some_and(|best| best >= value) || (best.is_none() && self.len >= self.capacity) {
            return;
        }
        self.len += usize::from(best.is_none());
        self.values.entry(auction.slot).or_default().insert(auction, value);
    }

    pub(super) fn expire(&mut self, oldest: Slot) {
        while let Some(bucket) = self.values.first_entry().filter(|bucket| *bucket.key() < oldest) {
            self.len -= bucket.remove().len();
        }
    }
}

#[cfg(test)]
mod tests;
