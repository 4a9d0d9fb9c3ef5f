//! The schedules of the public networks against the executable specification's values, and the edges of boundaries.

use proptest::prelude::*;
use serde_json::Value;
use ssz::Encode;

use super::*;
use crate::chain::config::ForkParameters;
use crate::chain::{NetworkName, fork_data_root};
use crate::types::Root;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/fork_digest.json")).unwrap()
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap()
}

#[test]
fn every_published_digest_and_fork_id_of_the_public_networks_is_reproduced() {
    let mut rows = 0;
    for network in vectors()["networks"].as_array().unwrap() {
        let config = ChainConfig::embedded(text(network, "network").parse().unwrap());
        let schedule = ForkSchedule::new(&config);
        for row in network["rows"].as_array().unwrap() {
            let epoch = Epoch(row["epoch"].as_u64().unwrap());
            let state = schedule.state_at(epoch);
            assert_eq!(state.version, text(row, "fork_version").parse().unwrap(), "{epoch}");
            let root: Root = text(row, "fork_data_root").parse().unwrap();
            assert_eq!(fork_data_root(state.version, config.genesis_validators_root), root, "{epoch}");
            assert_eq!(state.fork_digest, text(row, "fork_digest").parse().unwrap(), "{epoch}");
            assert_eq!(schedule.digest_at(epoch), state.fork_digest, "{epoch}");
            assert_eq!(state.max_blobs, row["max_blobs"].as_u64(), "{epoch}");
            let next_epoch = Epoch(text(row, "enr_next_fork_epoch").parse().unwrap());
            assert_eq!(state.enr_fork_id.next_fork_epoch, next_epoch, "{epoch}");
            let next_version = text(row, "enr_next_fork_version").parse().unwrap();
            assert_eq!(state.enr_fork_id.next_fork_version, next_version, "{epoch}");
            assert_eq!(state.nfd, text(row, "enr_nfd").parse().unwrap(), "{epoch}");
            assert_eq!(
                format!("0x{}", hex::encode(state.enr_fork_id.as_ssz_bytes())),
                text(row, "enr_eth2"),
                "{epoch}"
            );
            rows += 1;
        }
    }
    assert_eq!(rows, 69);
}

#[test]
fn forks_of_one_epoch_are_one_boundary_of_the_newest() {
    let schedule = ForkSchedule::new(&ChainConfig::embedded(NetworkName::Hoodi));
    let boundaries: Vec<_> = schedule.boundaries().map(|boundary| (boundary.epoch.0, boundary.fork)).collect();
    use ForkName::{Deneb, Electra, Fulu};
    assert_eq!(boundaries, [(0, Deneb), (2048, Electra), (50_688, Fulu), (52_480, Fulu), (54_016, Fulu)]);
}

#[test]
fn neighbouring_states_name_each_other() {
    let schedule = ForkSchedule::new(&ChainConfig::embedded(NetworkName::Mainnet));
    let boundaries: Vec<_> = schedule.boundaries().collect();
    let last = boundaries.len() - 1;
    for (index, boundary) in boundaries.iter().enumerate() {
        let state = schedule.state_at(boundary.epoch);
        assert_eq!(state.previous, index.checked_sub(1).map(|index| boundaries[index]));
        assert_eq!(state.next, boundaries.get(index + 1).copied());
        assert_eq!(state.nfd == ForkDigest::default(), index == last);
    }
}

#[test]
fn a_blob_entry_at_the_epoch_of_a_fork_is_that_fork() {
    let mut config = ChainConfig::embedded(NetworkName::Mainnet);
    let gloas = ForkParameters { version: ForkVersion([7, 0, 0, 0]), epoch: Some(Epoch(500_000)) };
    config.forks.insert(ForkName::Gloas, gloas);
    config.blob_schedule.push(BlobParameters { epoch: Epoch(500_000), max_blobs: 32 });
    config.validate().unwrap();
    let schedule = ForkSchedule::new(&config);

    let before = schedule.state_at(Epoch(499_999));
    assert_eq!(before.enr_fork_id.next_fork_version, gloas.version);
    let next = before.next.unwrap();
    assert_eq!((next.epoch, next.fork, next.max_blobs), (Epoch(500_000), ForkName::Gloas, Some(32)));
    let parameters = BlobParameters { epoch: Epoch(500_000), max_blobs: 32 };
    assert_eq!(next.fork_digest, fork_digest(gloas.version, config.genesis_validators_root, Some(parameters)));
}

#[test]
fn a_blob_fork_before_a_regular_fork_keeps_the_current_version_as_the_next() {
    let mut config = ChainConfig::embedded(NetworkName::Mainnet);
    let gloas = ForkParameters { version: ForkVersion([7, 0, 0, 0]), epoch: Some(Epoch(500_000)) };
    config.forks.insert(ForkName::Gloas, gloas);
    let schedule = ForkSchedule::new(&config);

    let fork_id = schedule.state_at(Epoch(419_071)).enr_fork_id;
    assert_eq!((fork_id.next_fork_epoch, fork_id.next_fork_version), (Epoch(419_072), ForkVersion([6, 0, 0, 0])));
    // without an entry of its own, the new fork inherits the blob parameters
    assert_eq!(schedule.state_at(Epoch(500_000)).max_blobs, Some(21));
}

#[test]
fn near_a_boundary_both_digests_are_accepted_and_elsewhere_only_ours() {
    let schedule = ForkSchedule::new(&ChainConfig::embedded(NetworkName::Mainnet));
    let boundary = Epoch(419_072).start_slot().0;
    let (old, new) = (schedule.digest_at(Epoch(419_071)), schedule.digest_at(Epoch(419_072)));
    let accepts = |slot| {
        let accepted = schedule.accepted_digests(Slot(slot));
        (accepted.contains(old), accepted.contains(new))
    };
    assert_eq!(accepts(boundary - 3), (true, false));
    assert_eq!(accepts(boundary - 2), (true, true));
    assert_eq!(accepts(boundary - 1), (true, true));
    assert_eq!(accepts(boundary), (true, true));
    assert_eq!(accepts(boundary + 1), (true, true));
    assert_eq!(accepts(boundary + 2), (false, true));
    let another = schedule.digest_at(Epoch(0));
    assert!(!schedule.accepted_digests(Slot(boundary)).contains(another));
}

#[test]
fn at_genesis_nothing_came_before() {
    let schedule = ForkSchedule::new(&ChainConfig::embedded(NetworkName::Mainnet));
    let accepted = schedule.accepted_digests(Slot(0));
    assert!(accepted.contains(schedule.digest_at(Epoch(0))));
    assert!(!accepted.contains(ForkDigest::default()));
}

proptest! {
    #[test]
    fn the_state_at_an_epoch_is_the_one_that_spans_it(epoch in prop_oneof![0..500_000u64, any::<u64>()]) {
        let schedule = ForkSchedule::new(&ChainConfig::embedded(NetworkName::Sepolia));
        let state = schedule.state_at(Epoch(epoch));
        prop_assert!(state.since.0 <= epoch);
        prop_assert!(state.next.is_none_or(|next| next.epoch.0 > epoch));
        prop_assert!(schedule.accepted_digests(Slot(epoch)).contains(schedule.digest_at(Slot(epoch).epoch())));
    }
}

#[test]
fn a_digest_stands_for_its_boundary_until_the_next_begins() {
    let schedule = ForkSchedule::new(&ChainConfig::embedded(NetworkName::Mainnet));
    let boundaries: Vec<_> = schedule.boundaries().collect();
    for (index, boundary) in boundaries.iter().enumerate() {
        assert_eq!(schedule.boundary_of(boundary.fork_digest), Some(*boundary));
        assert_eq!(schedule.end_of(boundary.epoch), boundaries.get(index + 1).map(|next| next.epoch));
    }
    assert_eq!(schedule.boundary_of(ForkDigest([1, 2, 3, 4])), None);
}
