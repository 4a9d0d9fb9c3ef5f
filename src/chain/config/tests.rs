//! Embedded networks and the rules of a schedule.

use super::*;

#[test]
fn embedded_networks_are_valid_and_hold_their_published_constants() {
    let expected = [
        (NetworkName::Mainnet, 1_606_824_023, 411_392, 17),
        (NetworkName::Sepolia, 1_655_733_600, 272_640, 9),
        (NetworkName::Hoodi, 1_742_213_400, 50_688, 9),
    ];
    for (network, genesis_time, fulu_epoch, bootnodes) in expected {
        let config = ChainConfig::embedded(network);
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(config.name, network.as_str());
        assert_eq!(network.as_str().parse(), Ok(network));
        assert_eq!(config.genesis_time, genesis_time);
        assert_eq!(config.slot_duration, Duration::from_secs(12));
        assert_eq!(config.fork_epoch(ForkName::Fulu), Some(Epoch(fulu_epoch)));
        assert_eq!(config.fork_epoch(ForkName::Gloas), None);
        assert_eq!(config.blob_schedule.len(), 2);
        assert_eq!(config.bootnodes.len(), bootnodes);
        assert!(config.genesis_block_root.is_some());
    }
}

#[test]
fn names_the_known_networks_when_asked_for_another() {
    let error = "goerli".parse::<NetworkName>().unwrap_err();
    assert_eq!(error, UnknownNetwork("goerli".to_owned()));
    assert!(error.to_string().contains("mainnet, sepolia and hoodi"));
}

/// The rule that mainnet breaks after a change.
fn broken(change: impl FnOnce(&mut ChainConfig)) -> ScheduleError {
    let mut config = ChainConfig::embedded(NetworkName::Mainnet);
    change(&mut config);
    config.validate().unwrap_err()
}

/// The rule that mainnet breaks with a fork at another epoch, or without it.
fn broken_by(fork: ForkName, epoch: Option<u64>) -> ScheduleError {
    broken(|config| {
        let version = ForkVersion::default();
        config.forks.insert(fork, ForkParameters { version, epoch: epoch.map(Epoch) });
    })
}

#[test]
fn refuses_each_broken_rule_of_a_schedule() {
    use ScheduleError::*;
    let (earlier, later) = (ForkName::Electra, ForkName::Fulu);
    assert_eq!(broken_by(ForkName::Phase0, None), Genesis);
    assert_eq!(broken_by(ForkName::Phase0, Some(1)), Genesis);
    assert_eq!(broken_by(earlier, None), ForkGap { earlier, later });
    assert_eq!(broken_by(later, Some(364_031)), ForkOrder { earlier, later });
    assert_eq!(broken_by(later, None), BlobsBeforeFulu(Epoch(412_672)));
    assert_eq!(broken(|config| config.slot_duration = Duration::ZERO), SlotDuration(Duration::ZERO));
    assert_eq!(broken(|config| config.blob_schedule[0].epoch = Epoch(1)), BlobsBeforeFulu(Epoch(1)));
    assert_eq!(broken(|config| config.blob_schedule[0].epoch = Epoch(419_072)), DuplicateBlobEpoch(Epoch(419_072)));
    assert_eq!(broken(|config| config.blob_schedule[1].max_blobs = 4097), TooManyBlobs(4097));
    assert_eq!(broken(|config| config.deneb_max_blobs = 4097), TooManyBlobs(4097));
    assert_eq!(broken(|config| config.electra_max_blobs = 5000), TooManyBlobs(5000));
}
