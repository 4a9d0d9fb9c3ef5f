//! The headers of recent blocks: which root has which slot, proposer and parent.
//!
//! `judge` puts in the header of every block, blob and column that passes the stateless rules; the rules ask for
//! parents and for blocks that others refer to, and later the node does for what it serves. What an entry says is true
//! whoever signed the header, since the root is the hash of it; that such a block is valid, or was proposed at all, it
//! does not say.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::types::{PeerId, Root, SLOTS_PER_EPOCH, Slot};

/// How long headers are kept, in slots: four epochs, so that what proposers depend on, up to three epochs back, is
/// there.
pub(super) const HEADER_SLOTS: u64 = 4 * SLOTS_PER_EPOCH;

/// Headers kept of one slot. Honest slots have one. Whoever brings more than the others is the first to lose one: to push
/// out what a peer brought alone it takes 32 peers that forge. Until Fulu the true header comes back with each of its
/// columns, later only with the block.
///
/// (128 + 1) × 32 × about 300 bytes = 1.2 MiB.
const PER_SLOT: usize = 32;

/// Headers of one slot that a peer may bring. Honest ones bring one, and a second when its proposer equivocates. Whoever
/// forges blocks with true proofs costs us 128 columns for each, 11 ms at worst: 6 s of a judge's thread for each peer
/// and slot with all columns, 0.4 s with eight.
const PER_PEER: usize = 4;

/// A block's header, as far as the rules ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderSeen {
    /// Root of the block.
    pub root: Root,
    /// Slot of the block.
    pub slot: Slot,
    /// Index of the validator that proposed it.
    pub proposer_index: u64,
    /// Root of the block before.
    pub parent_root: Root,
}

/// The index. Bounded by count and by age; see [`HEADER_SLOTS`].
#[derive(Debug, Default)]
pub struct Headers {
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
struct Index {
    by_root: HashMap<Root, HeaderSeen>,
    /// Oldest first within a slot.
    by_slot: BTreeMap<Slot, Vec<Entry>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    root: Root,
    is_vouched: bool,
    /// Who brought it first; `None` for ourselves.
    sender: Option<PeerId>,
}

/// How many of a slot's headers came from a peer and nobody vouched for.
fn brought_by(entries: &[Entry], sender: Option<PeerId>) -> usize {
    entries.iter().filter(|entry| !entry.is_vouched && entry.sender == sender).count()
}

/// Which header goes: the oldest of whoever brought most, of those that nobody vouched for.
fn victim(entries: &[Entry]) -> usize {
    let unvouched = entries.iter().enumerate().filter(|(_, entry)| !entry.is_vouched).rev();
    unvouched.max_by_key(|(_, entry)| brought_by(entries, entry.sender)).map_or(0, |(at, _)| at)
}

impl Headers {
    /// The block with this root.
    #[must_use]
    pub fn get(&self, root: Root) -> Option<HeaderSeen> {
        self.lock().by_root.get(&root).copied()
    }

    /// The blocks of a slot, in the order in which they came; mostly one.
    #[must_use]
    pub fn at(&self, slot: Slot) -> Vec<HeaderSeen> {
        let index = self.lock();
        let roots = index.by_slot.get(&slot).into_iter().flatten();
        roots.filter_map(|entry| index.by_root.get(&entry.root).copied()).collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().by_root.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a peer may bring a header of this slot: one that is known, or one more. Of a block the root is not known
    /// beforehand.
    #[must_use]
    pub(super) fn may_bring(&self, sender: PeerId, slot: Slot, root: Option<Root>) -> bool {
        let index = self.lock();
        let entries = index.by_slot.get(&slot).map_or(&[][..], Vec::as_slice);
        root.is_some_and(|root| index.by_root.contains_key(&root)) || brought_by(entries, Some(sender)) < PER_PEER
    }

    /// Puts one in that a peer brought, `None` for ourselves, and drops what is too old at `wall_slot`. `is_vouched` says
    /// that it came with a message that was accepted; such an entry outlives the others of its slot.
    pub(super) fn insert(&self, header: HeaderSeen, sender: Option<PeerId>, is_vouched: bool, wall_slot: Slot) {
        let oldest = Slot(wall_slot.0.saturating_sub(HEADER_SLOTS));
        // one ahead: the clocks of others may be ahead of ours
        if header.slot < oldest || header.slot.0 > wall_slot.0.saturating_add(1) {
            return;
        }
        let index = &mut *self.lock();
        index.expire(oldest);
        let entries = index.by_slot.entry(header.slot).or_default();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.root == header.root) {
            entry.is_vouched |= is_vouched;
            return;
        }
        if entries.len() >= PER_SLOT {
            let victim = victim(entries);
            index.by_root.remove(&entries.remove(victim).root);
        }
        entries.push(Entry { root: header.root, is_vouched, sender });
        index.by_root.insert(header.root, header);
    }

    /// Drops what is too old at `wall_slot`.
    pub(super) fn prune(&self, wall_slot: Slot) {
        self.lock().expire(Slot(wall_slot.0.saturating_sub(HEADER_SLOTS)));
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        // map operations alone happen under the lock: a panic elsewhere leaves the index whole
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn expire(&mut self, oldest: Slot) {
        while let Some(slot) = self.by_slot.first_entry().filter(|slot| *slot.key() < oldest) {
            for entry in slot.remove() {
                self.by_root.remove(&entry.root);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(slot: u64, salt: u8) -> HeaderSeen {
        let mut root = [salt; 32];
        root[..8].copy_from_slice(&slot.to_le_bytes());
        HeaderSeen { root: Root(root), slot: Slot(slot), proposer_index: 1, parent_root: Root::default() }
    }

    #[test]
    fn headers_are_found_by_root_and_by_slot_in_order_of_arrival() {
        let headers = Headers::default();
        let (first, second) = (header(10, 2), header(10, 1));
        headers.insert(first, None, false, Slot(10));
        headers.insert(second, None, false, Slot(10));
        headers.insert(first, None, false, Slot(10));
        assert_eq!(headers.get(first.root), Some(first));
        assert_eq!(headers.at(Slot(10)), [first, second]);
        assert_eq!((headers.at(Slot(11)).len(), headers.len()), (0, 2));
    }

    #[test]
    fn headers_expire_with_their_slot() {
        let headers = Headers::default();
        headers.insert(header(10, 0), None, false, Slot(10));
        headers.prune(Slot(10 + HEADER_SLOTS));
        assert_eq!(headers.len(), 1);
        headers.prune(Slot(11 + HEADER_SLOTS));
        assert!(headers.is_empty() && headers.get(header(10, 0).root).is_none());
    }

    #[test]
    fn neither_old_nor_future_headers_are_taken() {
        let headers = Headers::default();
        headers.insert(header(9, 0), None, false, Slot(10 + HEADER_SLOTS));
        headers.insert(header(502, 0), None, false, Slot(500));
        assert!(headers.is_empty());
        headers.insert(header(501, 0), None, false, Slot(500));
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn a_flood_of_one_slot_pushes_out_neither_other_slots_nor_what_was_vouched_for() {
        let headers = Headers::default();
        headers.insert(header(9, 0), None, false, Slot(10));
        headers.insert(header(10, 0), None, true, Slot(10));
        for salt in 1..=200 {
            headers.insert(header(10, salt), None, false, Slot(10));
        }
        assert_eq!(headers.len(), PER_SLOT + 1);
        for kept in [header(9, 0), header(10, 0), header(10, 200)] {
            assert_eq!(headers.get(kept.root), Some(kept));
        }
        assert_eq!(headers.get(header(10, 1).root), None);
    }

    #[test]
    fn a_flood_of_one_peer_pushes_out_nothing_of_another() {
        let (headers, honest, flooder) = (Headers::default(), PeerId::random(), PeerId::random());
        headers.insert(header(10, 0), Some(honest), false, Slot(10));
        for salt in 1..=200 {
            headers.insert(header(10, salt), Some(flooder), false, Slot(10));
        }
        assert_eq!(headers.at(Slot(10)).len(), PER_SLOT);
        assert!(headers.get(header(10, 0).root).is_some() && headers.get(header(10, 200).root).is_some());
        assert!(headers.get(header(10, 1).root).is_none(), "its own oldest goes");
    }

    #[test]
    fn a_peer_may_bring_a_few_headers_of_a_slot_and_all_that_are_known() {
        let (headers, peer_id, other) = (Headers::default(), PeerId::random(), PeerId::random());
        for salt in 0..PER_PEER as u8 {
            assert!(headers.may_bring(peer_id, Slot(10), None));
            headers.insert(header(10, salt), Some(peer_id), false, Slot(10));
        }
        assert!(!headers.may_bring(peer_id, Slot(10), None));
        assert!(!headers.may_bring(peer_id, Slot(10), Some(header(10, 200).root)));
        assert!(headers.may_bring(peer_id, Slot(10), Some(header(10, 0).root)), "known");
        assert!(headers.may_bring(peer_id, Slot(11), None) && headers.may_bring(other, Slot(10), None));
        headers.insert(header(10, 0), Some(other), true, Slot(10));
        assert!(headers.may_bring(peer_id, Slot(10), None), "what was true does not count");
    }
}
