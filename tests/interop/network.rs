//! The network directory that `beacond run --network-dir` reads, as a devnet would publish it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// Root of the validators of the networks that have no chain.
pub(crate) const VALIDATORS_ROOT: [u8; 32] = [0x11; 32];

/// The digest of [`fulu_config`] with [`VALIDATORS_ROOT`], as Lodestar's config package computes it.
pub(crate) const FULU_DIGEST: &str = "7359f2af";

/// Writes `config.yaml` and `genesis.ssz` into `dir`.
pub(crate) fn write(dir: PathBuf, config: &Map<String, Value>, genesis: &[u8]) -> Result<PathBuf> {
    let yaml: Vec<_> =
        config.iter().map(|(key, value)| Ok(format!("{key}: {}\n", scalar(value)?))).collect::<Result<_>>()?;
    fs::write(dir.join("config.yaml"), yaml.concat())?;
    fs::write(dir.join("genesis.ssz"), genesis)?;
    Ok(dir)
}

/// Reads the genesis state that a chain wrote.
pub(crate) fn read_genesis(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// The head of a genesis state: its time, [`VALIDATORS_ROOT`], slot 0 and the fork of Fulu. The rest concerns a chain.
pub(crate) fn genesis_head(genesis_time: u64) -> Vec<u8> {
    genesis_head_of(genesis_time, VALIDATORS_ROOT)
}

/// The same with other validators.
pub(crate) fn genesis_head_of(genesis_time: u64, validators_root: [u8; 32]) -> Vec<u8> {
    let mut head = genesis_time.to_le_bytes().to_vec();
    head.extend(validators_root);
    head.extend(0_u64.to_le_bytes());
    head.extend([6, 0, 0, 0, 6, 0, 0, 0]);
    head.extend(0_u64.to_le_bytes());
    head
}

/// Mainnet's fork versions, every fork up to Fulu in force from genesis.
pub(crate) fn fulu_config() -> Map<String, Value> {
    let mut config = Map::new();
    config.insert("PRESET_BASE".to_owned(), json!("mainnet"));
    config.insert("CONFIG_NAME".to_owned(), json!("interop"));
    config.insert("GENESIS_FORK_VERSION".to_owned(), json!("0x00000000"));
    for (fork, version) in ["ALTAIR", "BELLATRIX", "CAPELLA", "DENEB", "ELECTRA", "FULU"].into_iter().zip(1..) {
        config.insert(format!("{fork}_FORK_VERSION"), json!(format!("0x{version:02x}000000")));
        config.insert(format!("{fork}_FORK_EPOCH"), json!(0));
    }
    config.insert("SECONDS_PER_SLOT".to_owned(), json!(12));
    config.insert("MAX_BLOBS_PER_BLOCK_ELECTRA".to_owned(), json!(9));
    config.insert("BLOB_SCHEDULE".to_owned(), json!([]));
    config
}

/// JSON is YAML, but clients publish numbers as strings without quotes.
fn scalar(value: &Value) -> Result<String> {
    match value {
        Value::String(text) if text.parse::<u128>().is_ok() => Ok(text.clone()),
        other => Ok(serde_json::to_string(other)?),
    }
}
