//! What is admitted is known, exactly that, and once.

use super::*;

fn votes(epoch: u64, salt: u8, count: usize, bits: &[u8]) -> Votes {
    let subject = Subject::Attestation { epoch: Epoch(epoch), data_root: Root([salt; 32]), committee: 0 };
    Votes { subject, count, bits: bits.into() }
}

fn with_votes(votes: &Votes) -> Claims {
    Claims { votes: Some(votes.clone()), ..Claims::default() }
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
        assert_eq!(seen.admit(&key.into()), Ok(()));
        assert_eq!(seen.admit(&key.into()), Err(IgnoreReason::AlreadySeen));
        assert_eq!(keys.iter().filter(|key| seen.has(**key)).collect::<Vec<_>>(), [&key]);
        seen.prune(Slot(10 + 64));
        assert!(seen.has(key), "{key:?}");
        seen.prune(Slot(10 + 128));
        let is_lasting = matches!(key, Key::Exit { .. } | Key::ProposerSlashing { .. } | Key::CredentialChange { .. });
        assert_eq!(seen.has(key), is_lasting, "{key:?}");
    }
}

#[test]
fn a_superset_includes_equal_votes_and_nothing_of_another_length_or_subject() {
    let seen = Seen::default();
    seen.admit(&with_votes(&votes(1, 0, 8, &[0b0110]))).unwrap();
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
    seen.admit(&with_votes(&votes(1, 0, 8, &[0b0001]))).unwrap();
    seen.admit(&with_votes(&votes(1, 0, 8, &[0b0010]))).unwrap();
    assert!(!seen.has_superset(&votes(1, 0, 8, &[0b0011])));
}

#[test]
fn the_newest_update_is_kept_whatever_the_order() {
    let seen = Seen::default();
    let finality = |slot, is_supermajority| Finality { slot: Slot(slot), is_supermajority };
    let claims = |finality| Claims { finality: Some(finality), ..Claims::default() };
    seen.admit(&claims(finality(64, true))).unwrap();
    assert_eq!(seen.admit(&claims(finality(32, true))), Err(IgnoreReason::NotBetter));
    assert!(!seen.is_newest_finality(finality(64, true)) && seen.is_newest_finality(finality(96, false)));
    let claims = |slot| Claims { optimistic: Some(Slot(slot)), ..Claims::default() };
    seen.admit(&claims(64)).unwrap();
    assert_eq!(seen.admit(&claims(32)), Err(IgnoreReason::NotBetter));
    assert!(!seen.is_newest_optimistic(Slot(64)) && seen.is_newest_optimistic(Slot(65)));
}

#[test]
fn of_two_claims_to_one_key_the_first_is_admitted_and_nothing_of_the_other_is_kept() {
    let seen = Seen::default();
    let key = Key::Aggregator { epoch: Epoch(1), validator: 1 };
    let claims = |salt| Claims { votes: Some(votes(1, salt, 8, &[1])), ..key.into() };
    assert_eq!(seen.admit(&claims(1)), Ok(()));
    assert_eq!(seen.admit(&claims(2)), Err(IgnoreReason::AlreadySeen));
    assert!(!seen.has_superset(&votes(1, 2, 8, &[1])));

    // and a key that brings nothing new stays free
    let other = Key::Aggregator { epoch: Epoch(1), validator: 2 };
    assert_eq!(seen.admit(&Claims { key: Some(other), ..claims(1) }), Err(IgnoreReason::Superset));
    assert!(!seen.has(other));
}

#[test]
fn a_key_that_is_reserved_is_taken_until_it_is_given_back() {
    let seen = Seen::default();
    let claims = Claims::from(Key::Exit { validator: 1 });
    seen.reserve(&claims).unwrap();
    assert_eq!(seen.admit(&claims), Err(IgnoreReason::AlreadySeen));
    seen.give_back(&claims);
    seen.reserve(&claims).unwrap();
    seen.admit_reserved(&claims);
    assert_eq!(seen.reserve(&claims), Err(IgnoreReason::AlreadySeen));
}

#[test]
fn every_attester_of_three_epochs_fits() {
    let seen = Seen::default();
    // a registry of 2.14 million, half of it active. One in ten fills the same pages as all
    let validators = || (0..2_140_000).step_by(20);
    let mut attesters = lock(&seen.attesters);
    for epoch in 1..=3 {
        validators().for_each(|validator| assert!(!attesters.act(Act::Take, epoch, validator)));
    }
    for epoch in 1..=3 {
        assert!(validators().step_by(101).all(|validator| attesters.act(Act::Look, epoch, validator)));
        assert!(validators().step_by(101).all(|validator| !attesters.act(Act::Look, epoch, validator + 1)));
    }
}

#[test]
fn every_seat_of_two_epochs_fits() {
    let seen = Seen::default();
    let key = |slot, committee, position| Key::Seat { slot: Slot(slot), committee, position };
    let keys =
        || (0..66).flat_map(|slot| (0..64).flat_map(move |committee| [0, 2047].map(|at| key(slot, committee, at))));
    assert!(keys().all(|key| seen.admit(&key.into()).is_ok()));
    assert!(keys().all(|key| seen.has(key)));
    assert!(!seen.has(key(1, 1, 1)) && !seen.has(key(66, 0, 0)));
}
