//! Network directories as devnets publish them, and every way in which they can be wrong.

use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::chain::{ForkSchedule, NetworkName};
use crate::types::ForkVersion;

/// A current devnet: unquoted hex, later forks unscheduled in several ways, keys that nobody here reads.
const DEVNET: &str = "\
PRESET_BASE: 'mainnet'
CONFIG_NAME: testnet-7
TERMINAL_TOTAL_DIFFICULTY: 115792089237316195423570985008687907853269984665640564039457584007913129638912
MIN_GENESIS_TIME: 1700000000
GENESIS_FORK_VERSION: 0x10000038
SECONDS_PER_SLOT: 12
SLOT_DURATION_MS: 1500
ALTAIR_FORK_VERSION: 0x20000038
ALTAIR_FORK_EPOCH: 0
BELLATRIX_FORK_VERSION: 0x30000038
BELLATRIX_FORK_EPOCH: 0
CAPELLA_FORK_VERSION: \"0x40000038\"
CAPELLA_FORK_EPOCH: '0'
DENEB_FORK_VERSION: 0x50000038
DENEB_FORK_EPOCH: 0
ELECTRA_FORK_VERSION: 0x00000001
ELECTRA_FORK_EPOCH: 1
FULU_FORK_VERSION: 0x70000038
FULU_FORK_EPOCH: 2
GLOAS_FORK_VERSION: 0x80000038
GLOAS_FORK_EPOCH: 18446744073709551615
HEZE_FORK_VERSION: 0x90000038
HEZE_FORK_EPOCH: null
DEPOSIT_CONTRACT_ADDRESS: 0x4242424242424242424242424242424242424242
BLOB_SCHEDULE:
  - EPOCH: '9'
    MAX_BLOBS_PER_BLOCK: 15
  - EPOCH: 4
    MAX_BLOBS_PER_BLOCK: '12'
  - {EPOCH: 18446744073709551615, MAX_BLOBS_PER_BLOCK: 99}
";

/// The keys of an old client's dump: no Deneb by that name, numbers wider than 64 bits.
const OLD_CLIENT: &str = "\
PRESET_BASE: mainnet
CONFIG_NAME: mainnet
TERMINAL_TOTAL_DIFFICULTY: 58750000000000000000000
TERMINAL_BLOCK_HASH: '0x0000000000000000000000000000000000000000000000000000000000000000'
GENESIS_FORK_VERSION: '0x00000000'
ALTAIR_FORK_VERSION: '0x01000000'
ALTAIR_FORK_EPOCH: 0
BELLATRIX_FORK_VERSION: '0x02000000'
BELLATRIX_FORK_EPOCH: 0
CAPELLA_FORK_VERSION: '0x03000000'
CAPELLA_FORK_EPOCH: 0
EIP4844_FORK_VERSION: '0x04000000'
EIP4844_FORK_EPOCH: 18446744073709551615
SECONDS_PER_SLOT: 4
SLOTS_PER_EPOCH: 32
ENDIANNESS: little
";

const GENESIS_TXT: [(&str, &str); 2] = [
    ("genesis_time.txt", "1700000001\n"),
    ("genesis_validators_root.txt", "0x0101010101010101010101010101010101010101010101010101010101010101\n"),
];

fn network_dir(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in GENESIS_TXT.iter().chain(files) {
        fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}

fn load(files: &[(&str, &str)]) -> Result<ChainConfig, ChainConfigError> {
    ChainConfig::from_dir(network_dir(files).path())
}

/// Loads the devnet with one text of its `config.yaml` replaced.
fn load_edited(from: &str, to: &str) -> Result<ChainConfig, ChainConfigError> {
    assert!(DEVNET.contains(from));
    load(&[("config.yaml", &DEVNET.replace(from, to))])
}

fn file_name(file: &Path) -> &str {
    file.file_name().unwrap().to_str().unwrap()
}

#[test]
fn reads_a_current_devnet() {
    let config = load(&[("config.yaml", DEVNET)]).unwrap();
    assert_eq!(config.name, "testnet-7");
    assert_eq!((config.genesis_time, config.genesis_validators_root), (1_700_000_001, Root([1; 32])));
    assert_eq!(config.genesis_block_root, None);
    assert_eq!(config.slot_duration, Duration::from_millis(1500));
    assert_eq!(config.forks.len(), 9);
    assert_eq!(config.forks[&ForkName::Electra].version, ForkVersion([0, 0, 0, 1]));
    assert_eq!(config.fork_epoch(ForkName::Fulu), Some(Epoch(2)));
    assert_eq!(config.fork_epoch(ForkName::Gloas), None);
    assert_eq!(config.fork_epoch(ForkName::Heze), None);
    assert_eq!(config.electra_max_blobs, 9);
    let blobs = |epoch, max_blobs| BlobParameters { epoch: Epoch(epoch), max_blobs };
    assert_eq!(config.blob_schedule, [blobs(4, 12), blobs(9, 15)]);
    assert_eq!(config.bootnodes, []);
    let epochs: Vec<_> = ForkSchedule::new(&config).boundaries().map(|boundary| boundary.epoch.0).collect();
    assert_eq!(epochs, [0, 1, 2, 4, 9]);
}

#[test]
fn the_blobs_of_deneb_and_electra_are_those_that_the_configuration_gives() {
    let blobs = |config: ChainConfig| (config.deneb_max_blobs, config.electra_max_blobs);
    assert_eq!(blobs(load(&[("config.yaml", DEVNET)]).unwrap()), (6, 9));
    let keys = "MAX_BLOBS_PER_BLOCK: 3\nMAX_BLOBS_PER_BLOCK_ELECTRA: '4'\nBLOB_SCHEDULE:";
    assert_eq!(blobs(load_edited("BLOB_SCHEDULE:", keys).unwrap()), (3, 4));
}

#[test]
fn forks_that_an_old_configuration_does_not_know_are_unscheduled() {
    let config = load(&[("config.yaml", OLD_CLIENT)]).unwrap();
    assert_eq!(config.slot_duration, Duration::from_secs(4));
    assert_eq!(config.forks.keys().last(), Some(&ForkName::Capella));
    let state = ForkSchedule::new(&config).state_at(Epoch(1000));
    assert_eq!((state.fork, state.next, state.max_blobs), (ForkName::Capella, None, None));
}

#[test]
fn every_way_of_writing_never_leaves_a_fork_unscheduled() {
    for never in ["18446744073709551615", "'18446744073709551615'", "null", "~", "", "Infinity", "'Infinity'", ".inf"] {
        let edited = load_edited("GLOAS_FORK_EPOCH: 18446744073709551615", &format!("GLOAS_FORK_EPOCH: {never}"));
        assert_eq!(edited.unwrap().fork_epoch(ForkName::Gloas), None, "{never}");
    }
}

#[test]
fn the_genesis_comes_from_the_best_source_there_is() {
    let state = {
        let mut state = 1_700_000_004u64.to_le_bytes().to_vec();
        state.extend([4; 32]);
        state.extend([0xff; 100]);
        state
    };
    let root = |digit: &str| format!("0x{}", digit.repeat(64));
    let json = format!(
        r#"{{"data":{{"genesis_time":"1700000003","genesis_validators_root":"{}","genesis_fork_version":"0x0"}}}}"#,
        root("3")
    );
    let keys = format!("{DEVNET}GENESIS_TIME: 1700000002\nGENESIS_VALIDATORS_ROOT: {}\n", root("2"));

    let dir = network_dir(&[("config.yaml", &keys), ("genesis.json", &json)]);
    let genesis = |dir: &TempDir| {
        let config = ChainConfig::from_dir(dir.path()).unwrap();
        (config.genesis_time, config.genesis_validators_root.0[31])
    };
    fs::write(dir.path().join("genesis.ssz"), state).unwrap();
    assert_eq!(genesis(&dir), (1_700_000_004, 4));
    fs::remove_file(dir.path().join("genesis.ssz")).unwrap();
    assert_eq!(genesis(&dir), (1_700_000_003, 0x33));
    // the execution layer's file of the same name
    fs::write(dir.path().join("genesis.json"), r#"{"config":{"chainId":7},"alloc":{}}"#).unwrap();
    assert_eq!(genesis(&dir), (1_700_000_002, 0x22));
    fs::write(dir.path().join("config.yaml"), DEVNET).unwrap();
    assert_eq!(genesis(&dir), (1_700_000_001, 1));
    fs::remove_file(dir.path().join("genesis_time.txt")).unwrap();
    let error = ChainConfig::from_dir(dir.path()).unwrap_err();
    assert!(matches!(error, ChainConfigError::NoGenesis { .. }));
    assert!(error.to_string().contains("add genesis.ssz"));
}

#[test]
fn the_genesis_block_root_comes_from_key_or_file() {
    let root = Root([0xab; 32]);
    let key = format!("{DEVNET}GENESIS_BLOCK_ROOT: '{root}'\n");
    assert_eq!(load(&[("config.yaml", &key)]).unwrap().genesis_block_root, Some(root));
    let file = ("genesis_block_root.txt", &*root.to_string());
    assert_eq!(load(&[("config.yaml", DEVNET), file]).unwrap().genesis_block_root, Some(root));
}

#[test]
fn boot_nodes_of_all_files_are_joined_without_repeats() {
    let mut known = ChainConfig::embedded(NetworkName::Hoodi).bootnodes;
    known.truncate(3);
    let [a, b, c] = &known[..] else { panic!("hoodi has boot nodes") };
    let config = load(&[
        ("config.yaml", DEVNET),
        ("bootstrap_nodes.yaml", &format!("- {a}\n- {b} # second\n")),
        ("bootstrap_nodes.txt", &format!("{b}\n{c}\n")),
        ("boot_enr.yaml", &format!("- \"{a}\"\n")),
        ("boot_enr.txt", "# none\n"),
    ]);
    assert_eq!(config.unwrap().bootnodes, known);
}

#[test]
fn a_bad_boot_node_is_named_with_file_and_line() {
    let error = load(&[("config.yaml", DEVNET), ("boot_enr.txt", "# ours\nenr:-bad\n")]).unwrap_err();
    let ChainConfigError::BootNodes { file, source } = &error else { panic!("{error:?}") };
    assert_eq!((file_name(file), source.line), ("boot_enr.txt", 2));
    assert_eq!(error.reason(), "bad_boot_node");
}

#[test]
fn other_presets_are_refused_by_name_and_by_size() {
    let error = load_edited("PRESET_BASE: 'mainnet'", "PRESET_BASE: minimal").unwrap_err();
    assert_eq!(error.reason(), "wrong_preset");
    assert!(error.to_string().ends_with(
        "config.yaml: PRESET_BASE is minimal, but only the mainnet preset is spoken: use a network built with it"
    ));
    let error = load_edited("PRESET_BASE: 'mainnet'", "SLOTS_PER_EPOCH: 8").unwrap_err();
    assert!(matches!(error, ChainConfigError::Preset { key: "SLOTS_PER_EPOCH", .. }));
}

#[test]
fn a_missing_or_broken_configuration_is_named() {
    let error = load(&[]).unwrap_err();
    let ChainConfigError::Read { file, source } = &error else { panic!("{error:?}") };
    assert_eq!((file_name(file), source.kind()), ("config.yaml", io::ErrorKind::NotFound));
    for broken in ["- a\n- b\n", "just text", "KEY: [1", "PRESET_BASE: mainnet\nPRESET_BASE: mainnet\n"] {
        let error = load(&[("config.yaml", broken)]).unwrap_err();
        assert!(matches!(error, ChainConfigError::Yaml { .. }), "{broken}: {error:?}");
    }
}

#[test]
fn values_and_keys_that_are_wrong_are_named() {
    for (from, to, wrong) in [
        ("FULU_FORK_EPOCH: 2", "FULU_FORK_EPOCH: soon", "FULU_FORK_EPOCH"),
        ("FULU_FORK_EPOCH: 2", "FULU_FORK_EPOCH: -2", "FULU_FORK_EPOCH"),
        ("0x70000038", "0x700000", "FULU_FORK_VERSION"),
        ("SLOT_DURATION_MS: 1500", "SLOT_DURATION_MS: 1.5", "SLOT_DURATION_MS"),
        ("EPOCH: '9'", "EPOCH: nine", "BLOB_SCHEDULE"),
        ("MAX_BLOBS_PER_BLOCK: '12'", "MAX_BLOBS_PER_BLOCK: many", "BLOB_SCHEDULE"),
    ] {
        let error = load_edited(from, to).unwrap_err();
        let ChainConfigError::Value { file, key, .. } = &error else { panic!("{error:?}") };
        assert_eq!((file_name(file), *key), ("config.yaml", wrong));
    }
    for (from, missing) in [
        ("SECONDS_PER_SLOT: 12\nSLOT_DURATION_MS: 1500\n", "SLOT_DURATION_MS"),
        ("GENESIS_FORK_VERSION: 0x10000038\n", "GENESIS_FORK_VERSION"),
        ("FULU_FORK_VERSION: 0x70000038\n", "FULU_FORK_VERSION"),
        (DEVNET, "SLOT_DURATION_MS"),
    ] {
        let error = load_edited(from, "").unwrap_err();
        assert!(matches!(error, ChainConfigError::MissingKey { key, .. } if key == missing), "{error:?}");
    }
}

#[test]
fn schedules_that_cannot_be_are_refused() {
    let (electra, fulu) = (ForkName::Electra, ForkName::Fulu);
    for (from, to, broken) in [
        ("SLOT_DURATION_MS: 1500", "SLOT_DURATION_MS: 0", ScheduleError::SlotDuration(Duration::ZERO)),
        ("FULU_FORK_EPOCH: 2", "FULU_FORK_EPOCH: 0", ScheduleError::ForkOrder { earlier: electra, later: fulu }),
        ("ELECTRA_FORK_EPOCH: 1", "X: 1", ScheduleError::ForkGap { earlier: electra, later: fulu }),
        ("EPOCH: '9'", "EPOCH: 4", ScheduleError::DuplicateBlobEpoch(Epoch(4))),
        ("EPOCH: '9'", "EPOCH: 1", ScheduleError::BlobsBeforeFulu(Epoch(1))),
        ("MAX_BLOBS_PER_BLOCK: '12'", "MAX_BLOBS_PER_BLOCK: 4097", ScheduleError::TooManyBlobs(4097)),
    ] {
        let error = load_edited(from, to).unwrap_err();
        let ChainConfigError::Schedule { file, source } = error else { panic!("{error:?}") };
        assert_eq!((file_name(&file), source), ("config.yaml", broken));
    }
}

#[test]
fn a_broken_genesis_is_named() {
    let error = load(&[("config.yaml", DEVNET), ("genesis.ssz", "too short")]).unwrap_err();
    assert!(matches!(error, ChainConfigError::ShortGenesis { size_bytes: 9, .. }));
    let error = load(&[("config.yaml", DEVNET), ("genesis.json", "{")]).unwrap_err();
    assert!(matches!(error, ChainConfigError::Json { .. }));
    let json = r#"{"data":{"genesis_time":"now","genesis_validators_root":"0x00"}}"#;
    let error = load(&[("config.yaml", DEVNET), ("genesis.json", json)]).unwrap_err();
    assert!(matches!(error, ChainConfigError::Value { key: "genesis_time", .. }));
}

fn any_scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<u64>().prop_map(|number| number.to_string()),
        (0..20u64).prop_map(|number| number.to_string()),
        "0x[0-9a-f]{8}",
        "\\PC{0,12}",
        Just("null".to_owned()),
    ]
}

proptest! {
    #[test]
    fn survives_any_bytes_as_configuration(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(config) = ConfigYaml::parse(&bytes) {
            prop_assert!(config.blob_schedule.len() <= bytes.len());
        }
    }

    #[test]
    fn accepts_only_what_makes_an_ascending_schedule(
        edits in prop::collection::vec((0..DEVNET.lines().count(), any_scalar()), 0..4),
    ) {
        let mut lines: Vec<String> = DEVNET.lines().map(str::to_owned).collect();
        for (index, scalar) in edits {
            let key_length = lines[index].find(": ").map_or(0, |colon| colon + 2);
            lines[index].truncate(key_length);
            lines[index].push_str(&scalar);
        }
        if let Ok(config) = load(&[("config.yaml", &lines.join("\n"))]) {
            prop_assert_eq!(config.validate(), Ok(()));
            let boundaries: Vec<_> = ForkSchedule::new(&config).boundaries().collect();
            prop_assert_eq!(boundaries[0].epoch, Epoch(0));
            prop_assert!(boundaries.is_sorted_by(|a, b| a.epoch < b.epoch && a.fork <= b.fork));
        }
    }
}
