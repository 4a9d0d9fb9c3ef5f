//! Our Status, and every way in which a peer's can differ.

use super::*;
use crate::chain::{ChainConfig, ForkSchedule, NetworkName};

const WALL: Slot = Slot(15_000_000);
const TOLERANCE_SLOTS: u64 = 1;

fn schedule() -> ForkSchedule {
    ForkSchedule::new(&ChainConfig::embedded(NetworkName::Mainnet))
}

fn genesis_status() -> StatusMessage {
    derive_status(&schedule().state_at(WALL.epoch()), &ChainHead::Genesis { block_root: None })
}

/// A full node in step with the wall clock.
fn synced_status() -> StatusMessage {
    StatusMessage {
        finalized_root: Root([1; 32]),
        finalized_epoch: Epoch(WALL.epoch().0 - 2),
        head_root: Root([2; 32]),
        head_slot: WALL,
        ..genesis_status()
    }
}

fn check_against(ours: &StatusMessage, change: impl FnOnce(&mut StatusMessage)) -> Result<(), StatusMismatch> {
    let mut theirs = synced_status();
    change(&mut theirs);
    check_status(ours, &theirs, &schedule().accepted_digests(WALL), WALL, TOLERANCE_SLOTS)
}

fn check(change: impl FnOnce(&mut StatusMessage)) -> Result<(), StatusMismatch> {
    check_against(&genesis_status(), change)
}

#[test]
fn our_status_is_the_genesis_form_with_the_digest_of_the_wall_epoch() {
    let config = ChainConfig::embedded(NetworkName::Mainnet);
    let fork = ForkSchedule::new(&config).state_at(WALL.epoch());
    let status = derive_status(&fork, &ChainHead::Genesis { block_root: config.genesis_block_root });
    let expected = StatusMessage {
        fork_digest: "8c9f62fe".parse().unwrap(),
        finalized_root: Root::default(),
        finalized_epoch: Epoch(0),
        head_root: "0x4d611d5b93fdab69013a7f0a2f961caca0c853f87cfe9595fe50038163079360".parse().unwrap(),
        head_slot: Slot(0),
        earliest_available_slot: Some(Slot(0)),
    };
    assert_eq!(status, expected);
    assert_eq!(genesis_status().head_root, Root::default());
}

#[test]
fn accepts_synced_and_fresh_peers_and_clocks_within_tolerance() {
    assert_eq!(check(|_| {}), Ok(()));
    assert_eq!(check(|theirs| *theirs = genesis_status()), Ok(()));
    assert_eq!(check(|theirs| theirs.head_slot = Slot(WALL.0 + TOLERANCE_SLOTS)), Ok(()));
    assert_eq!(check(|theirs| theirs.earliest_available_slot = None), Ok(()));
}

#[test]
fn rejects_another_fork_digest_before_anything_else() {
    let theirs = ForkDigest([0xaa; 4]);
    let mismatch = check(|status| {
        status.fork_digest = theirs;
        status.head_slot = Slot(u64::MAX);
    });
    let expected = StatusMismatch::WrongForkDigest { ours: genesis_status().fork_digest, theirs };
    assert_eq!(mismatch, Err(expected));
    assert_eq!((expected.fault(), expected.reason()), (Fault::Incompatible, "wrong_fork_digest"));
}

#[test]
fn accepts_the_digest_of_the_other_side_near_a_boundary() {
    let boundary = Epoch(419_072).start_slot();
    let theirs = StatusMessage { fork_digest: schedule().digest_at(Epoch(419_071)), ..genesis_status() };
    let at = |slot| check_status(&genesis_status(), &theirs, &schedule().accepted_digests(slot), slot, 1);
    assert_eq!(at(boundary), Ok(()));
    assert!(matches!(at(Slot(boundary.0 + 2)), Err(StatusMismatch::WrongForkDigest { .. })));
}

#[test]
fn rejects_another_finalized_root_at_the_same_epoch_only() {
    let ours = synced_status();
    let theirs = Root([9; 32]);
    let expected = StatusMismatch::FinalizedConflict { epoch: ours.finalized_epoch, ours: ours.finalized_root, theirs };
    assert_eq!(check_against(&ours, |status| status.finalized_root = theirs), Err(expected));
    assert_eq!((expected.fault(), expected.reason()), (Fault::Incompatible, "finalized_conflict"));
    assert_eq!(check_against(&ours, |_| {}), Ok(()));
    assert_eq!(check_against(&ours, |status| status.finalized_root = Root::default()), Ok(()));
    let another_epoch = |status: &mut StatusMessage| {
        status.finalized_root = theirs;
        status.finalized_epoch.0 -= 1;
    };
    assert_eq!(check_against(&ours, another_epoch), Ok(()));
}

#[test]
fn rejects_a_finalized_epoch_that_has_not_begun() {
    let theirs = Epoch(WALL.epoch().0 + 1);
    let expected = StatusMismatch::FinalizedAhead { wall: WALL.epoch(), theirs };
    let mismatch = check(|status| {
        status.finalized_epoch = theirs;
        status.head_slot = theirs.start_slot();
    });
    assert_eq!(mismatch, Err(expected));
    assert_eq!((expected.fault(), expected.reason()), (Fault::Incompatible, "finalized_in_future"));
}

#[test]
fn rejects_a_head_beyond_the_wall_slot_and_its_tolerance() {
    let theirs = Slot(WALL.0 + TOLERANCE_SLOTS + 1);
    let expected = StatusMismatch::HeadInFuture { wall: WALL, theirs };
    assert_eq!(check(|status| status.head_slot = theirs), Err(expected));
    assert_eq!((expected.fault(), expected.reason()), (Fault::Incompatible, "head_in_future"));
}

#[test]
fn rejects_status_with_finalized_after_head() {
    let finalized_epoch = synced_status().finalized_epoch;
    let head_slot = Slot(finalized_epoch.start_slot().0 - SLOTS_PER_EPOCH - 1);
    let expected = StatusMismatch::FinalizedAfterHead { finalized_epoch, head_slot };
    assert_eq!(check(|status| status.head_slot = head_slot), Err(expected));
    assert_eq!((expected.fault(), expected.reason()), (Fault::Violation(Severity::Medium), "finalized_after_head"));
    // a head that is the finalized block itself, of an epoch whose first slots are empty
    assert_eq!(check(|status| status.head_slot = Slot(finalized_epoch.start_slot().0 - 1)), Ok(()));
}
