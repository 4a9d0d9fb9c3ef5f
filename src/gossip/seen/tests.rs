//! The tables by themselves: bounded, expiring, exact.

use super::*;

fn votes(epoch: u64, salt: u8, count: usize, bits: &[u8]) -> Votes {
    let subject = Subject::Attestation { epoch: Epoch(epoch), data_root: Root([salt; 32]), committee: 0 };
    Votes { subject, count, bits: bits.into() }
}

#[test]
fn every_kind_of_key_is_found_once_it_is_in_and_is_itself_alone() {
    let (slot, epoch, root, hash) = (Slot(10), Epoch(1), Root([1; 32]), Hash32([2; 32]));
    let keys = [
        Key::Proposal { slot, proposer: 1 },
        Key::Aggregator { epoch, validator: 1 },
        Key::Attester { epoch, validator: 1 },
        Key::Seat { slot, committee: 1, position: 1 },
        Key::Exit { validator: 1 },
        Key::ProposerSlashing { proposer: 1 },
        Key::CredentialChange { validator: 1 },
        Key::Contributor { slot, validator: 1, subcommittee: 1 },
        Key::SyncMessage { slot, validator: 1, subnet: 1 },
        Key::Blob { slot, proposer: 1, index: 1 },
        Key::Column { slot, proposer: 1, index: 1 },
        Key::BlockColumn { slot, block_root: root, index: 1 },
        Key::Payload { slot, block_root: root, builder: 1 },
        Key::PayloadVote { slot, validator: 1 },
        Key::Bid { slot, parent_hash: hash, parent_root: root, builder: 1 },
        Key::Preferences { slot, dependent_root: root },
    ];
    for key in keys {
        let seen = Seen::default();
        assert!(keys.iter().all(|key| !seen.has(*key)));
        seen.insert(key);
        seen.insert(key);
        assert_eq!(keys.iter().filter(|key| seen.has(**key)).collect::<Vec<_>>(), [&key]);
        seen.prune(Slot(10 + 64));
        assert!(seen.has(key), "{key:?}");
        seen.prune(Slot(10 + 128));
        let is_lasting = matches!(key, Key::Exit { .. } | Key::ProposerSlashing { .. } | Key::CredentialChange { .. });
        assert_eq!(seen.has(key), is_lasting, "{key:?}");
    }
}

#[test]
fn a_full_table_takes_nothing_until_something_expires() {
    let mut table = Expiring::new(3);
    (0..5).for_each(|key| table.insert(key, key));
    assert!(table.has(2, &2) && !table.has(3, &3));
    table.insert(2, 2); // what is in stays in
    table.expire(2);
    table.insert(4, 4);
    assert!(!table.has(1, &1) && table.has(2, &2) && table.has(4, &4));
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
fn a_superset_includes_equal_votes_and_nothing_of_another_length_or_subject() {
    let seen = Seen::default();
    seen.insert_votes(&votes(1, 0, 8, &[0b0110]));
    for (bits, included) in [(0b0110, true), (0b0100, true), (0, true), (0b0001, false), (0b0111, false)] {
        assert_eq!(seen.has_superset(&votes(1, 0, 8, &[bits])), included, "{bits:b}");
    }
    assert!(!seen.has_superset(&votes(1, 0, 7, &[0b0110])));
    assert!(!seen.has_superset(&votes(1, 0, 16, &[0b0110, 0])));
    assert!(!seen.has_superset(&votes(1, 1, 8, &[0b0110])));
}

#[test]
fn two_sets_of_votes_do_not_make_a_superset_together() {
    let seen = Seen::default();
    seen.insert_votes(&votes(1, 0, 8, &[0b0001]));
    seen.insert_votes(&votes(1, 0, 8, &[0b0010]));
    assert!(!seen.has_superset(&votes(1, 0, 8, &[0b0011])));
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
fn the_newest_update_is_kept_whatever_the_order() {
    let seen = Seen::default();
    let finality = |slot, is_supermajority| Finality { slot: Slot(slot), is_supermajority };
    seen.insert_finality(finality(64, true));
    seen.insert_finality(finality(32, true));
    assert!(!seen.is_newest_finality(finality(64, true)) && seen.is_newest_finality(finality(96, false)));
    seen.insert_optimistic(Slot(64));
    seen.insert_optimistic(Slot(32));
    assert!(!seen.is_newest_optimistic(Slot(64)) && seen.is_newest_optimistic(Slot(65)));
}
