//! Networks that a directory describes: one before its genesis, and one as devnets publish it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use beacond::time::unix_now_ms;
use serde_json::json;

use crate::daemon::{Daemon, PATIENCE, end_all};
use crate::network;
use crate::testbed::{self, Testbed};

/// From the writing of the genesis to its time: two daemons have to start before.
const GENESIS_DELAY: u64 = 10;

#[test]
fn daemons_wait_for_genesis_and_meet_after_it() -> Result<()> {
    testbed::run(|bed| {
        let genesis_time = unix_now_ms() / 1000 + GENESIS_DELAY;
        let mut config = network::fulu_config();
        config.insert("SECONDS_PER_SLOT".to_owned(), json!(2));
        network::write(bed.network().to_owned(), &config, &network::genesis_head(genesis_time))?;
        let first = bed.start("first", &[])?;
        let second = bed.start("second", &["--boot-nodes", first.enr()])?;
        for daemon in [&first, &second] {
            let waiting = daemon.event("node.waiting_for_genesis")?;
            ensure!(waiting.field("genesis_time") == genesis_time, "{}", waiting.text);
            ensure!(waiting.field("remaining_s").as_u64() <= Some(GENESIS_DELAY), "{}", waiting.text);
        }
        let remaining = Duration::from_millis((genesis_time * 1000).saturating_sub(unix_now_ms() + 100));
        second.log().ensure_none("dial before genesis", remaining, |line| line.event() == "dial.started")?;

        for (daemon, peer) in [(&first, &second), (&second, &first)] {
            let heartbeat = daemon.event("node.heartbeat")?;
            ensure!(heartbeat.field("slot").as_u64() <= Some(1), "{}", heartbeat.text);
            ensure!(heartbeat.field("epoch") == 0, "{}", heartbeat.text);
            daemon.event_of("handshake.completed", peer)?;
        }
        let after = unix_now_ms().saturating_sub(genesis_time * 1000);
        eprintln!("daemon: two daemons are connected {after} ms after genesis");
        for daemon in [&first, &second] {
            let with_peer = |line: &crate::process::Line| line.event() == "node.heartbeat" && line.field("peers") == 1;
            daemon.log().wait_for("heartbeat with the peer", PATIENCE, with_peer)?;
        }
        end_all(vec![first, second])
    })
}

#[test]
fn a_published_devnet_directory_needs_no_other_flag() -> Result<()> {
    testbed::run(|bed| {
        let first = start_in(bed, "first", &publish(bed, "empty", "bootstrap_nodes.txt", "")?)?;
        let list = format!("{}\n", first.enr());
        let second = start_in(bed, "second", &publish(bed, "plain", "bootstrap_nodes.txt", &list)?)?;
        let list = format!("# teku\n- {}\n", first.enr());
        let third = start_in(bed, "third", &publish(bed, "yaml", "boot_enr.yaml", &list)?)?;
        let list = format!("- \"{}\"\n", first.enr());
        let fourth = start_in(bed, "fourth", &publish(bed, "quoted", "bootstrap_nodes.yaml", &list)?)?;
        for daemon in [&second, &third, &fourth] {
            ensure!(daemon.started.str("network") == "testnet", "{}", daemon.started.text);
            ensure!(daemon.started.str("fork") == "electra", "{}", daemon.started.text);
            daemon.connected_to(&first)?;
            let completed = daemon.event("bootstrap.completed")?;
            ensure!(completed.str("peer_id") == first.peer_id(), "{}", completed.text);
        }
        end_all(vec![first, second, third, fourth])
    })
}

fn start_in(bed: &Testbed, name: &str, network: &Path) -> Result<Daemon> {
    let network = network.to_str().context("temporary paths are UTF-8")?;
    bed.start(name, &["--testnet-dir", network])
}

/// Writes what a devnet publishes: its configuration, its genesis state, its boot nodes, and things for others.
fn publish(bed: &Testbed, name: &str, list: &str, boot_nodes: &str) -> Result<std::path::PathBuf> {
    let dir = bed.path(name);
    fs::create_dir(&dir)?;
    fs::write(dir.join("config.yaml"), CONFIG)?;
    // a state of which only the head means anything here; the rest of a real one is tens of megabytes
    let mut genesis = network::genesis_head(GENESIS_TIME)[..40].to_vec();
    genesis.extend((0..1 << 20).map(|n: u32| n.to_le_bytes()[1] ^ 0xa5));
    fs::write(dir.join("genesis.ssz"), genesis)?;
    fs::write(dir.join(list), boot_nodes)?;
    fs::write(dir.join("deposit_contract_block.txt"), "0\n")?;
    fs::write(dir.join("enodes.txt"), "enode://00@192.0.2.1:30303\n")?;
    fs::write(dir.join("genesis.json"), r#"{"config": {"chainId": 7011893082}, "difficulty": "0x01"}"#)?;
    Ok(dir)
}

/// 2025-06-01: past, whenever this runs.
const GENESIS_TIME: u64 = 1_748_736_000;

/// In the shape of a published devnet: comments, unquoted hex, forks without a date, keys for others.
const CONFIG: &str = "\
# Extends the mainnet preset
PRESET_BASE: mainnet
CONFIG_NAME: testnet # needs to exist because of Prysm. Otherwise it conflicts with mainnet genesis

# Genesis
# ---------------------------------------------------------------
MIN_GENESIS_ACTIVE_VALIDATOR_COUNT: 5400
# 2025-Jun-01 00:00:00 AM UTC
MIN_GENESIS_TIME: 1748735940
GENESIS_FORK_VERSION: 0x10585557
GENESIS_DELAY: 60

# Forking
# ---------------------------------------------------------------
ALTAIR_FORK_VERSION: 0x20585557
ALTAIR_FORK_EPOCH: 0
BELLATRIX_FORK_VERSION: 0x30585557
BELLATRIX_FORK_EPOCH: 0
TERMINAL_TOTAL_DIFFICULTY: 0
TERMINAL_BLOCK_HASH: 0x0000000000000000000000000000000000000000000000000000000000000000
TERMINAL_BLOCK_HASH_ACTIVATION_EPOCH: 18446744073709551615
CAPELLA_FORK_VERSION: 0x40585557
CAPELLA_FORK_EPOCH: 0
DENEB_FORK_VERSION: 0x50585557
DENEB_FORK_EPOCH: 0
ELECTRA_FORK_VERSION: 0x60585557
ELECTRA_FORK_EPOCH: 0
FULU_FORK_VERSION: 0x70585557
FULU_FORK_EPOCH: 18446744073709551615
# EIP7732
EIP7732_FORK_VERSION: 0x80000038
EIP7732_FORK_EPOCH: 18446744073709551615

# Time parameters
# ---------------------------------------------------------------
SECONDS_PER_SLOT: 12
SECONDS_PER_ETH1_BLOCK: 12
MIN_VALIDATOR_WITHDRAWABILITY_DELAY: 256
ETH1_FOLLOW_DISTANCE: 2048

# Deposit contract
# ---------------------------------------------------------------
DEPOSIT_CHAIN_ID: 7011893082
DEPOSIT_NETWORK_ID: 7011893082
DEPOSIT_CONTRACT_ADDRESS: 0x00000000219ab540356cBB839Cbe05303d7705Fa

# Networking
# ---------------------------------------------------------------
MAX_PAYLOAD_SIZE: 10485760
MESSAGE_DOMAIN_INVALID_SNAPPY: 0x00000000
MESSAGE_DOMAIN_VALID_SNAPPY: 0x01000000
SUBNETS_PER_NODE: 2
MAX_BLOBS_PER_BLOCK: 6
MAX_BLOBS_PER_BLOCK_ELECTRA: 9
MAX_BLOBS_PER_BLOCK_FULU: 12
CUSTODY_REQUIREMENT: 4
BLOB_SCHEDULE: []
MAX_PER_EPOCH_ACTIVATION_EXIT_CHURN_LIMIT: 256000000000 # 2**8 * 10**9 (= 256,000,000,000)";
