//! Every window at the very milliseconds where it opens and closes.

use std::time::Duration;

use super::*;

const GENESIS: u64 = 1_000_000;
const SLOT: u64 = 12_000;

fn times(slot_ms: u64) -> SlotTimes {
    SlotTimes::new(GENESIS / 1000, Duration::from_millis(slot_ms))
}

fn at(offset_ms: u64) -> Windows {
    Windows::new(times(SLOT), GENESIS + offset_ms)
}

#[test]
fn a_slot_stops_being_future_half_a_second_before_it_begins() {
    assert!(at(10 * SLOT - 501).is_future(Slot(10)));
    assert!(!at(10 * SLOT - 500).is_future(Slot(10)));
}

#[test]
fn a_slot_is_past_from_half_a_second_after_it_began() {
    assert!(!at(10 * SLOT + 500).is_past(Slot(10)));
    assert!(at(10 * SLOT + 501).is_past(Slot(10)));
}

#[test]
fn the_current_slot_ends_half_a_second_after_the_next_begins() {
    for (offset, inside) in [(119_499, false), (119_500, true), (132_500, true), (132_501, false)] {
        assert_eq!(at(offset).is_within(Slot(10), 0), inside, "{offset}");
    }
}

#[test]
fn a_range_of_slots_counts_both_ends() {
    for (offset, inside) in [(119_499, false), (119_500, true), (43 * SLOT + 500, true), (43 * SLOT + 501, false)] {
        assert_eq!(at(offset).is_within(Slot(10), 32), inside, "{offset}");
    }
}

#[test]
fn an_epoch_is_current_or_previous_for_two_epochs_and_the_allowance() {
    let (start, end) = (64 * SLOT, 128 * SLOT);
    for (offset, inside) in [(start - 501, false), (start - 500, true), (end + 500, true), (end + 501, false)] {
        assert_eq!(at(offset).is_current_or_previous(Epoch(2)), inside, "{offset}");
    }
}

#[test]
fn a_sync_message_is_due_a_third_into_the_slot_and_half_a_second_earlier_by_other_clocks() {
    let due = 10 * SLOT + 3999;
    assert!(!at(due - 501).is_due(Slot(10), 3333));
    assert!(at(due - 500).is_due(Slot(10), 3333));
    assert!(!at(10 * SLOT + 2499).is_due(Slot(10), 2500));
    assert!(at(10 * SLOT + 2500).is_due(Slot(10), 2500));
}

#[test]
fn the_last_slots_and_epochs_are_in_the_future() {
    let now = at(100 * SLOT);
    for slot in [u64::MAX, u64::MAX - 1, u64::MAX / SLOT, u64::MAX / 2].map(Slot) {
        assert!(now.is_future(slot) && !now.is_past(slot) && !now.is_within(slot, 32), "{slot}");
        assert!(!now.is_due(slot, 3333));
    }
    assert!(!now.is_current_or_previous(Epoch::FAR_FUTURE));
}

#[test]
fn the_wall_slot_knows_no_allowance() {
    assert_eq!(at(10 * SLOT - 1).wall_slot(), Slot(9));
    assert_eq!(at(10 * SLOT).wall_slot(), Slot(10));
    assert_eq!(Windows::new(times(SLOT), 5).wall_slot(), Slot(0));
}

#[test]
fn a_timestamp_is_the_second_in_which_the_slot_begins() {
    assert_eq!(at(0).timestamp(Slot(3)), GENESIS / 1000 + 36);
    assert_eq!(Windows::new(times(6_500), 0).timestamp(Slot(1)), GENESIS / 1000 + 6);
}
