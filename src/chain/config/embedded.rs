//! The networks that the program carries: reads the project's own format of `config/networks/*.yaml`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::{
    BlobParameters, ChainConfig, DEFAULT_DENEB_MAX_BLOBS, DEFAULT_ELECTRA_MAX_BLOBS, ForkParameters, NetworkName,
};
use crate::types::{Epoch, ForkName, ForkVersion, KnownPeer, Root};

impl ChainConfig {
    /// The constants of an embedded network.
    #[must_use]
    pub fn embedded(network: NetworkName) -> Self {
        let text = match network {
            NetworkName::Mainnet => include_str!("../../../config/networks/mainnet.yaml"),
            NetworkName::Sepolia => include_str!("../../../config/networks/sepolia.yaml"),
            NetworkName::Hoodi => include_str!("../../../config/networks/hoodi.yaml"),
        };
        let file: NetworkFile = serde_yaml_ng::from_str(text).expect("embedded networks parse: unit-tested");
        file.into()
    }
}

/// The keys that a node needs; the files hold more, for people and for other programs.
#[derive(Deserialize)]
struct NetworkFile {
    name: String,
    genesis_time: u64,
    #[serde(deserialize_with = "from_text")]
    genesis_validators_root: Root,
    #[serde(deserialize_with = "from_text")]
    genesis_block_root: Root,
    slot_duration_ms: u64,
    forks: BTreeMap<ForkName, ForkEntry>,
    blob_schedule: Vec<BlobEntry>,
    bootnodes: Vec<BootnodeEntry>,
}

#[derive(Deserialize)]
struct ForkEntry {
    #[serde(deserialize_with = "from_text")]
    version: ForkVersion,
    epoch: Option<Epoch>,
}

#[derive(Deserialize)]
struct BlobEntry {
    epoch: Epoch,
    max_blobs: u64,
}

#[derive(Deserialize)]
struct BootnodeEntry {
    #[serde(deserialize_with = "from_text")]
    enr: KnownPeer,
}

impl From<NetworkFile> for ChainConfig {
    fn from(file: NetworkFile) -> Self {
        let fork = |entry: ForkEntry| ForkParameters { version: entry.version, epoch: entry.epoch };
        let blobs = |entry: BlobEntry| BlobParameters { epoch: entry.epoch, max_blobs: entry.max_blobs };
        Self {
            name: file.name,
            genesis_time: file.genesis_time,
            genesis_validators_root: file.genesis_validators_root,
            genesis_block_root: Some(file.genesis_block_root),
            slot_duration: Duration::from_millis(file.slot_duration_ms),
            forks: file.forks.into_iter().map(|(name, entry)| (name, fork(entry))).collect(),
            deneb_max_blobs: DEFAULT_DENEB_MAX_BLOBS,
            electra_max_blobs: DEFAULT_ELECTRA_MAX_BLOBS,
            blob_schedule: file.blob_schedule.into_iter().map(blobs).collect(),
            bootnodes: file.bootnodes.into_iter().map(|entry| entry.enr).collect(),
        }
    }
}

/// Reads a value through its `FromStr`.
fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}
