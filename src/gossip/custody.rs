//! Which custody groups, and so which data columns, a node id stands for.
//!
//! Asked by `subscriptions`; pure. A group is one column, since there are as many groups as columns.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::types::NodeId;

/// The custody groups of a node that claims `count` of them, each below 128; all of them from 128 on.
///
/// A larger count adds to the groups of a smaller one.
/// [spec v1.6.0, get_custody_groups](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/das-core.md#get_custody_groups)
#[must_use]
pub(super) fn custody_groups(node_id: &NodeId, count: u64) -> BTreeSet<u16> {
    match usize::try_from(count) {
        Ok(count) if count < usize::from(CUSTODY_GROUPS) => Draw::new(node_id).take(count).collect(),
        _ => (0..CUSTODY_GROUPS).collect(),
    }
}

/// The columns that a node with a custody group count obtains each slot, its own custody among them; at least 8.
///
/// [spec v1.6.0, custody sampling](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/das-core.md#custody-sampling)
#[must_use]
pub(super) fn sampled_columns(node_id: &NodeId, custody_group_count: u64) -> BTreeSet<u16> {
    custody_groups(node_id, custody_group_count.max(SAMPLES_PER_SLOT))
}

/// The largest custody group count whose columns are all among these, at most 128.
#[must_use]
pub(super) fn covered_groups(node_id: &NodeId, columns: &BTreeSet<u16>) -> u64 {
    if (0..CUSTODY_GROUPS).all(|column| columns.contains(&column)) {
        return u64::from(CUSTODY_GROUPS);
    }
    Draw::new(node_id).take_while(|column| columns.contains(column)).count() as u64
}

/// The groups in the order in which a growing count takes them, each once; endless once all have come.
struct Draw {
    /// The next number to hash, little-endian.
    id: [u8; 32],
    drawn: [bool; CUSTODY_GROUPS as usize],
}

impl Draw {
    fn new(node_id: &NodeId) -> Self {
        let mut id = node_id.raw();
        id.reverse();
        Self { id, drawn: [false; CUSTODY_GROUPS as usize] }
    }

    /// Adds one, from the largest number to zero.
    fn advance(&mut self) {
        for byte in &mut self.id {
            let carries;
            (*byte, carries) = byte.overflowing_add(1);
            if !carries {
                return;
            }
        }
    }
}

impl Iterator for Draw {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        loop {
            let hash = Sha256::digest(self.id);
            self.advance();
            // the first 8 bytes as a little-endian number, modulo 128
            let group = hash[0] % CUSTODY_GROUPS as u8;
            if !std::mem::replace(&mut self.drawn[usize::from(group)], true) {
                return Some(group.into());
            }
        }
    }
}

/// [spec v1.6.0, NUMBER_OF_CUSTODY_GROUPS](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/das-core.md#custody-setting)
const CUSTODY_GROUPS: u16 = 128;

/// [spec v1.6.0, SAMPLES_PER_SLOT](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/das-core.md#custody-setting)
const SAMPLES_PER_SLOT: u64 = 8;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_executable_specification_agrees() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/custody_groups.json")).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert!(cases.len() > 100);
        for case in cases {
            let bytes = hex::decode(case["node_id"].as_str().unwrap().trim_start_matches("0x")).unwrap();
            let (node_id, count) = (NodeId::new(&bytes.try_into().unwrap()), case["custody_group_count"].as_u64());
            let expected: Vec<u16> = serde_json::from_value(case["groups"].clone()).unwrap();
            let groups = custody_groups(&node_id, count.unwrap());
            assert_eq!(groups.iter().copied().collect::<Vec<_>>(), expected, "{case}");
            assert_eq!(Some(covered_groups(&node_id, &groups)), count, "{case}");
        }
    }

    #[test]
    fn each_column_is_a_group_of_its_own() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/custody_groups.json")).unwrap();
        for case in vectors["columns_for_group"].as_array().unwrap() {
            assert_eq!(case["columns"].as_array().unwrap(), std::slice::from_ref(&case["custody_group"]));
        }
    }

    #[test]
    fn what_is_sampled_holds_the_custody() {
        let node_id = NodeId::new(&[7; 32]);
        for count in [0, 4, 8, 9, 128, u64::MAX] {
            let sampled = sampled_columns(&node_id, count);
            assert!(sampled.is_superset(&custody_groups(&node_id, count)));
            assert_eq!(sampled.len() as u64, count.clamp(8, 128));
        }
    }

    #[test]
    fn a_gap_ends_what_is_covered() {
        let node_id = NodeId::new(&[7; 32]);
        let order: Vec<u16> = Draw::new(&node_id).take(128).collect();
        let without = |gap: usize| order.iter().copied().filter(|column| *column != order[gap]).collect();
        assert_eq!(covered_groups(&node_id, &without(0)), 0);
        assert_eq!(covered_groups(&node_id, &without(3)), 3);
        assert_eq!(covered_groups(&node_id, &without(127)), 127);
        assert_eq!(covered_groups(&node_id, &BTreeSet::new()), 0);
    }
}
