//! The tables by themselves: bounded, expiring, exact.

use super::*;
use crate::types::containers::Hash32;
use crate::types::{Epoch, Root};

fn votes(epoch: u64, salt: u8, count: usize, bits: &[u8]) -> Votes {
    let subject = Subject::Attestation { epoch: Epoch(epoch), data_root: Root([salt; 32]), committee: 0 };
    Votes { subject, count, bits: bits.into() }
}

#[test]
fn a_full_table_takes_nothing_until_something_expires() {
    let mut table = Expiring::new(3);
    (0..5).for_each(|key| assert!(!table.act(Act::Take, key, key)));
    assert!(table.act(Act::Look, 2, 2) && !table.act(Act::Look, 3, 3));
    assert!(table.act(Act::Take, 2, 2)); // what is in stays in
    table.expire(2);
    assert!(!table.act(Act::Take, 4, 4));
    assert!(!table.act(Act::Look, 1, 1) && table.act(Act::Look, 2, 2) && table.act(Act::Look, 4, 4));
    assert_eq!(table.len, 2);
}

#[test]
fn the_oldest_of_the_recent_gives_way() {
    let mut recent = Recent::new(2);
    for validator in [1, 2, 1, 3] {
        recent.insert(validator);
    }
    assert!(!recent.has(1) && recent.has(2) && recent.has(3));
    assert_eq!((recent.set.len(), recent.order.len()), (2, 2));
}

#[test]
fn votes_that_are_included_are_not_kept() {
    let mut table = Supersets::new(1 << 20);
    for bits in [0b0001, 0b0010, 0b0111, 0b0100] {
        table.insert(&votes(1, 0, 8, &[bits]));
    }
    assert_eq!(table.bytes, Supersets::OVERHEAD + 1);
    assert!(table.has(&votes(1, 0, 8, &[0b0101])));
    table.expire(2);
    assert_eq!((table.bytes, table.buckets.len()), (0, 0));
}

#[test]
fn votes_are_bounded_in_bytes() {
    let mut table = Supersets::new(1000);
    (0..100).for_each(|salt| table.insert(&votes(1, salt, 8, &[1])));
    assert!(table.bytes <= 1000);
    assert_eq!(table.buckets.values().map(HashMap::len).sum::<usize>(), 5);
}

#[test]
fn the_highest_bid_of_an_auction_counts_and_auctions_are_bounded() {
    let auction =
        |slot, salt| Auction { slot: Slot(slot), parent_hash: Hash32([salt; 32]), parent_root: Root::default() };
    let mut bids = BestBids::new(2);
    for value in [5, 9, 7] {
        bids.insert(auction(1, 0), value);
    }
    bids.insert(auction(2, 0), 1);
    bids.insert(auction(2, 1), 1);
    assert_eq!(
        [bids.get(&auction(1, 0)), bids.get(&auction(2, 0)), bids.get(&auction(2, 1))],
        [Some(9), Some(1), None]
    );
    bids.insert(auction(2, 0), 2); // not a new auction
    assert_eq!(bids.get(&auction(2, 0)), Some(2));
    bids.expire(Slot(2));
    assert_eq!((bids.get(&auction(1, 0)), bids.len), (None, 1));
}

#[test]
fn what_is_given_back_is_free_again_and_makes_room() {
    let mut table = Expiring::new(1);
    assert!(!table.act(Act::Take, 1, 7));
    assert!(table.act(Act::GiveBack, 1, 7));
    assert!(!table.act(Act::GiveBack, 1, 7));
    assert!(!table.act(Act::Take, 1, 8) && table.act(Act::Look, 1, 8));
    assert_eq!(table.len, 1);

    let mut recent = Recent::new(2);
    for validator in [1, 2] {
        assert!(!recent.act(Act::Take, validator));
    }
    assert!(recent.act(Act::GiveBack, 2) && !recent.act(Act::Take, 3));
    assert!(recent.has(1) && !recent.has(2) && recent.has(3));
    assert_eq!((recent.set.len(), recent.order.len()), (2, 2));
}

#[test]
fn bitmaps_are_exact_bounded_in_pages_and_go_with_their_epoch() {
    let mut table = Bitmaps::new(2);
    let numbers = [0, 63, 64, 4095, u64::MAX];
    for number in numbers {
        assert!(!table.act(Act::Take, 1, number) && table.act(Act::Take, 1, number));
    }
    assert!(numbers.iter().all(|number| table.act(Act::Look, 1, *number)));
    assert!(![1, 62, 4096, u64::MAX - 1].iter().any(|number| table.act(Act::Look, 1, *number)));
    assert!(table.act(Act::GiveBack, 1, 63) && !table.act(Act::Look, 1, 63) && table.act(Act::Look, 1, 64));
    // full: neither another page nor another epoch
    for (epoch, number) in [(1, 4096), (2, 0)] {
        assert!(!table.act(Act::Take, epoch, number) && !table.act(Act::Look, epoch, number));
    }
    table.expire(2);
    assert!(!table.act(Act::Look, 1, 0) && !table.act(Act::Take, 2, 0) && table.act(Act::Look, 2, 0));
    assert_eq!(table.pages, 1);
}
