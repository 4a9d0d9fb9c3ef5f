//! The rule of sequence numbers: a number stands for one content, and only grows.
//!
//! Peers keep what they know under the highest number they saw, so a number that falls back makes a node
//! invisible under its new content until the number has caught up.

use crate::types::MetaData;

/// The number of content that may have changed since it was stored under `stored`.
#[must_use]
pub const fn next(stored: u64, changed: bool) -> u64 {
    if changed { stored.saturating_add(1) } else { stored }
}

/// The metadata to announce: `wanted` under the number that it has to carry.
///
/// `first` is the number when none is stored, see [`first`].
#[must_use]
pub fn next_metadata(stored: Option<&MetaData>, wanted: MetaData, first: u64) -> MetaData {
    let seq_number = stored.map_or(first, |stored| {
        let changed = MetaData { seq_number: stored.seq_number, ..wanted.clone() } != *stored;
        next(stored.seq_number, changed)
    });
    MetaData { seq_number, ..wanted }
}

/// The number to begin with when nothing is stored: `floor` for a key made just now, which no peer has seen; else
/// the clock in seconds, which is above every number that this rule has counted to, one change a second at most.
#[must_use]
pub const fn first(key_is_new: bool, floor: u64, unix_ms: u64) -> u64 {
    let seconds = unix_ms / 1000;
    if key_is_new || seconds < floor { floor } else { seconds }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::Attnets;

    #[test]
    fn metadata_is_renumbered_only_when_a_field_changes() {
        let stored = MetaData { seq_number: 3, ..MetaData::default() };
        assert_eq!(next_metadata(Some(&stored), MetaData::default(), 0), stored);
        let wanted = MetaData { custody_group_count: Some(4), ..MetaData::default() };
        assert_eq!(next_metadata(Some(&stored), wanted.clone(), 0).seq_number, 4);
        assert_eq!(next_metadata(None, wanted, 0).seq_number, 0);
    }

    #[test]
    fn a_known_key_without_a_record_begins_above_what_it_may_have_used() {
        assert_eq!(first(true, 1, 1_800_000_000_000), 1);
        assert_eq!(first(false, 1, 1_800_000_000_999), 1_800_000_000);
        assert_eq!(first(false, 1, 0), 1);
    }

    proptest! {
        #[test]
        fn numbers_never_fall(start: u64, contents in prop::collection::vec(0u8..4, 1..50)) {
            let mut stored: Option<MetaData> = None;
            for bits in contents {
                let mut attnets = Attnets::default();
                attnets.set(usize::from(bits), true).unwrap();
                let wanted = MetaData { attnets: attnets.clone(), ..MetaData::default() };
                let next = next_metadata(stored.as_ref(), wanted, start);
                if let Some(stored) = stored {
                    prop_assert!(next.seq_number >= stored.seq_number);
                    prop_assert!(stored.attnets == attnets || next.seq_number > stored.seq_number || stored.seq_number == u64::MAX);
                }
                stored = Some(next);
            }
        }
    }
}
