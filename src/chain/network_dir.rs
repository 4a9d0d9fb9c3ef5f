//! A network described by a directory, as devnets publish it: `config.yaml`, a genesis, lists of boot nodes.
//!
//! Called for `--network-dir`. Reads files, once, at start; of a genesis state it reads the first 40 bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use tracing::debug;

use super::boot_nodes::{BootNodesError, read_boot_nodes};
use super::config::{
    BlobParameters, ChainConfig, DEFAULT_DENEB_MAX_BLOBS, DEFAULT_ELECTRA_MAX_BLOBS, ForkParameters, ScheduleError,
};
use super::config_yaml::{BLOB_SCHEDULE, BadValue, ConfigYaml, parse_epoch, parse_value};
use super::forks;
use crate::fault::{Classify, Fault};
use crate::types::{Epoch, ForkName, KnownPeer, Root, SLOTS_PER_EPOCH};

/// Files that may list boot nodes; all that exist are read.
const BOOT_NODE_FILES: [&str; 4] = ["bootstrap_nodes.yaml", "bootstrap_nodes.txt", "boot_enr.yaml", "boot_enr.txt"];

/// Bytes of a genesis state that are read: genesis_time (u64) and genesis_validators_root open every `BeaconState`.
///
/// [spec v1.6.0, BeaconState](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/beacon-chain.md#beaconstate)
const GENESIS_HEAD_BYTES: usize = 40;

const EXPECTED_SECONDS: &str = "seconds since 1970";
const EXPECTED_ROOT: &str = "32 bytes in hex";

/// Why a directory describes no network that this program can join.
#[derive(Debug, thiserror::Error)]
pub enum ChainConfigError {
    /// A file is missing that must be there, or cannot be read.
    #[error("cannot read {}: check that it exists and may be read", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not a map of keys.
    #[error("{} is not a YAML map of configuration keys: correct it", file.display())]
    Yaml {
        /// Which file.
        file: PathBuf,
        /// Where and what.
        source: serde_yaml_ng::Error,
    },
    /// Not the JSON of a genesis.
    #[error("{} is not JSON: correct it, or remove it and give the genesis values in config.yaml", file.display())]
    Json {
        /// Which file.
        file: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
    /// Built for sizes that this program does not speak.
    #[error("{}: {key} is {value}, but only the mainnet preset is spoken: use a network built with it", file.display())]
    Preset {
        /// Which file.
        file: PathBuf,
        /// The key that shows it.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// A value is not what its key needs.
    #[error("{}: {key} is {value:?}: write {expected}", file.display())]
    Value {
        /// Which file.
        file: PathBuf,
        /// Which key.
        key: &'static str,
        /// As written.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A key is missing that nothing can stand in for.
    #[error("{} lacks {key}: add it", file.display())]
    MissingKey {
        /// Which file.
        file: PathBuf,
        /// Which key.
        key: &'static str,
    },
    /// The values are fine one by one, but make no schedule.
    #[error("{} makes no schedule: correct it", file.display())]
    Schedule {
        /// Which file.
        file: PathBuf,
        /// The broken rule.
        source: ScheduleError,
    },
    /// A genesis state that ends before the values that open it.
    #[error("{} is cut off: it has {size_bytes} bytes; fetch it again", file.display())]
    ShortGenesis {
        /// Which file.
        file: PathBuf,
        /// Its size, below 40.
        size_bytes: usize,
    },
    /// Nothing tells the genesis.
    #[error(
        "{} tells no genesis: add genesis.ssz, genesis.json, or GENESIS_TIME and GENESIS_VALIDATORS_ROOT in config.yaml",
        dir.display()
    )]
    NoGenesis {
        /// The directory.
        dir: PathBuf,
    },
    /// An entry of a boot node list is none.
    #[error("{} has a bad boot node", file.display())]
    BootNodes {
        /// Which file.
        file: PathBuf,
        /// Which line, and what to do.
        source: BootNodesError,
    },
}

impl Classify for ChainConfigError {
    fn fault(&self) -> Fault {
        match self {
            Self::Read { .. }
            | Self::Yaml { .. }
            | Self::Json { .. }
            | Self::Preset { .. }
            | Self::Value { .. }
            | Self::MissingKey { .. }
            | Self::Schedule { .. }
            | Self::ShortGenesis { .. }
            | Self::NoGenesis { .. }
            | Self::BootNodes { .. } => Fault::Local,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Read { .. } => "unreadable_file",
            Self::Yaml { .. } => "bad_yaml",
            Self::Json { .. } => "bad_json",
            Self::Preset { .. } => "wrong_preset",
            Self::Value { .. } => "bad_value",
            Self::MissingKey { .. } => "missing_key",
            Self::Schedule { source, .. } => source.reason(),
            Self::ShortGenesis { .. } => "short_genesis",
            Self::NoGenesis { .. } => "no_genesis",
            Self::BootNodes { source, .. } => source.reason(),
        }
    }
}

impl ChainConfig {
    /// Reads a network directory.
    ///
    /// `config.yaml` must be there; keys of forks that it lacks leave those unscheduled. The genesis comes from the
    /// head of `genesis.ssz`, else `genesis.json` (the Beacon API's form), else `config.yaml`, else
    /// `genesis_time.txt` and `genesis_validators_root.txt`. Boot nodes come from every
    /// `bootstrap_nodes.{yaml,txt}` and `boot_enr.{yaml,txt}` that exists.
    ///
    /// # Errors
    /// Whatever the operator must correct, with the file's name; see [`ChainConfigError`].
    pub fn from_dir(dir: &Path) -> Result<Self, ChainConfigError> {
        let file = dir.join("config.yaml");
        let bytes = std::fs::read(&file).map_err(|source| ChainConfigError::Read { file: file.clone(), source })?;
        let yaml = ConfigYaml::parse(&bytes).map_err(|source| ChainConfigError::Yaml { file: file.clone(), source })?;
        check_preset(&file, &yaml)?;
        let source = Source { dir, file: &file, yaml: &yaml };
        let genesis = source.genesis()?;
        let mut config = Self {
            name: source.name(),
            genesis_time: genesis.time,
            genesis_validators_root: genesis.validators_root,
            genesis_block_root: source.genesis_block_root()?,
            slot_duration: source.slot_duration()?,
            forks: source.forks()?,
            deneb_max_blobs: source.number("MAX_BLOBS_PER_BLOCK")?.unwrap_or(DEFAULT_DENEB_MAX_BLOBS),
            electra_max_blobs: source.number("MAX_BLOBS_PER_BLOCK_ELECTRA")?.unwrap_or(DEFAULT_ELECTRA_MAX_BLOBS),
            blob_schedule: source.blob_schedule()?,
            bootnodes: boot_nodes(dir)?,
        };
        config.blob_schedule.sort_by_key(|entry| entry.epoch);
        config.validate().map_err(|source| ChainConfigError::Schedule { file, source })?;
        Ok(config)
    }
}

struct Genesis {
    time: u64,
    validators_root: Root,
}

/// Where the values come from.
struct Source<'a> {
    dir: &'a Path,
    /// `config.yaml`, for the errors.
    file: &'a Path,
    yaml: &'a ConfigYaml,
}

impl Source<'_> {
    fn name(&self) -> String {
        let dir_name = || self.dir.file_name().map_or_else(|| "devnet".into(), |name| name.to_string_lossy());
        self.yaml.text("CONFIG_NAME").map_or_else(|| dir_name().into_owned(), str::to_owned)
    }

    fn slot_duration(&self) -> Result<Duration, ChainConfigError> {
        if let Some(milliseconds) = self.number("SLOT_DURATION_MS")? {
            return Ok(Duration::from_millis(milliseconds));
        }
        let seconds = self.number("SECONDS_PER_SLOT")?;
        seconds.map(Duration::from_secs).ok_or_else(|| self.missing("SLOT_DURATION_MS"))
    }

    fn forks(&self) -> Result<BTreeMap<ForkName, ForkParameters>, ChainConfigError> {
        let mut parameters = BTreeMap::new();
        for fork in &forks::ALL {
            let version = self.value(self.yaml.parsed(fork.version_key, "4 bytes in hex"))?;
            let epoch = match fork.epoch_key {
                Some(key) => self.value(self.yaml.epoch(key))?,
                None => Some(Epoch(0)),
            };
            match (version, epoch) {
                (Some(version), epoch) => {
                    parameters.insert(fork.name, ForkParameters { version, epoch });
                }
                (None, Some(_)) => return Err(self.missing(fork.version_key)),
                (None, None) => {}
            }
        }
        Ok(parameters)
    }

    /// Entries that are never reached are left out.
    fn blob_schedule(&self) -> Result<Vec<BlobParameters>, ChainConfigError> {
        let mut schedule = Vec::with_capacity(self.yaml.blob_schedule.len());
        for entry in &self.yaml.blob_schedule {
            let epoch = entry.epoch.as_deref().map_or(Ok(None), |text| parse_epoch(BLOB_SCHEDULE, text));
            let max_blobs = parse_value(BLOB_SCHEDULE, &entry.max_blobs_per_block, "MAX_BLOBS_PER_BLOCK as a number");
            let (epoch, max_blobs) = (self.value(epoch)?, self.value(max_blobs)?);
            schedule.extend(epoch.map(|epoch| BlobParameters { epoch, max_blobs }));
        }
        Ok(schedule)
    }

    fn genesis(&self) -> Result<Genesis, ChainConfigError> {
        if let Some(genesis) = genesis_from_state(&self.dir.join("genesis.ssz"))? {
            return Ok(genesis);
        }
        if let Some(genesis) = genesis_from_json(&self.dir.join("genesis.json"))? {
            return Ok(genesis);
        }
        let time = self.key_or_file("GENESIS_TIME", "genesis_time.txt", EXPECTED_SECONDS)?;
        let root = self.key_or_file("GENESIS_VALIDATORS_ROOT", "genesis_validators_root.txt", EXPECTED_ROOT)?;
        match (time, root) {
            (Some(time), Some(validators_root)) => Ok(Genesis { time, validators_root }),
            _ => Err(ChainConfigError::NoGenesis { dir: self.dir.to_owned() }),
        }
    }

    fn genesis_block_root(&self) -> Result<Option<Root>, ChainConfigError> {
        self.key_or_file("GENESIS_BLOCK_ROOT", "genesis_block_root.txt", EXPECTED_ROOT)
    }

    /// A value of `config.yaml`, else the whole text of a file of its own.
    fn key_or_file<T: FromStr>(
        &self,
        key: &'static str,
        file_name: &str,
        expected: &'static str,
    ) -> Result<Option<T>, ChainConfigError> {
        if let Some(value) = self.value(self.yaml.parsed(key, expected))? {
            return Ok(Some(value));
        }
        let file = self.dir.join(file_name);
        let text = read_optional(&file, io::read_to_string)?;
        text.map(|text| parse_value(key, &text, expected)).transpose().map_err(|bad| bad_value(&file, bad))
    }

    fn number(&self, key: &'static str) -> Result<Option<u64>, ChainConfigError> {
        self.value(self.yaml.number(key))
    }

    /// Names `config.yaml` in the error.
    fn value<T>(&self, read: Result<T, BadValue>) -> Result<T, ChainConfigError> {
        read.map_err(|bad| bad_value(self.file, bad))
    }

    fn missing(&self, key: &'static str) -> ChainConfigError {
        ChainConfigError::MissingKey { file: self.file.to_owned(), key }
    }
}

fn bad_value(file: &Path, BadValue { key, value, expected }: BadValue) -> ChainConfigError {
    ChainConfigError::Value { file: file.to_owned(), key, value, expected }
}

/// Refuses what shows another preset: containers, epochs and committees would have other sizes.
fn check_preset(file: &Path, yaml: &ConfigYaml) -> Result<(), ChainConfigError> {
    let expected = [("PRESET_BASE", "mainnet".to_owned()), ("SLOTS_PER_EPOCH", SLOTS_PER_EPOCH.to_string())];
    for (key, expected) in expected {
        if let Some(value) = yaml.text(key).filter(|value| *value != expected) {
            return Err(ChainConfigError::Preset { file: file.to_owned(), key, value: value.to_owned() });
        }
    }
    Ok(())
}

/// Reads the head of a genesis state; the rest, often hundreds of megabytes, is never touched.
fn genesis_from_state(file: &Path) -> Result<Option<Genesis>, ChainConfigError> {
    let head = read_optional(file, |opened| {
        let mut head = Vec::with_capacity(GENESIS_HEAD_BYTES);
        opened.take(GENESIS_HEAD_BYTES as u64).read_to_end(&mut head).map(|_| head)
    })?;
    let Some(head) = head else { return Ok(None) };
    let short = || ChainConfigError::ShortGenesis { file: file.to_owned(), size_bytes: head.len() };
    let (time, rest) = head.split_first_chunk().ok_or_else(short)?;
    let (root, _) = rest.split_first_chunk::<32>().ok_or_else(short)?;
    Ok(Some(Genesis { time: u64::from_le_bytes(*time), validators_root: Root(*root) }))
}

/// The answer of `/eth/v1/beacon/genesis`.
#[derive(Deserialize)]
struct GenesisJson {
    data: Option<GenesisData>,
}

#[derive(Deserialize)]
struct GenesisData {
    genesis_time: String,
    genesis_validators_root: String,
}

/// Reads a genesis as the Beacon API tells it. Devnets also use this name for the genesis of the execution layer,
/// which has no `data`; that is passed over.
fn genesis_from_json(file: &Path) -> Result<Option<Genesis>, ChainConfigError> {
    let Some(text) = read_optional(file, io::read_to_string)? else { return Ok(None) };
    let json: GenesisJson =
        serde_json::from_str(&text).map_err(|source| ChainConfigError::Json { file: file.to_owned(), source })?;
    let Some(data) = json.data else {
        debug!(file = %file.display(), "genesis file of another layer passed over");
        return Ok(None);
    };
    let named = |bad| bad_value(file, bad);
    let time = parse_value("genesis_time", &data.genesis_time, EXPECTED_SECONDS).map_err(named)?;
    let validators_root =
        parse_value("genesis_validators_root", &data.genesis_validators_root, EXPECTED_ROOT).map_err(named)?;
    Ok(Some(Genesis { time, validators_root }))
}

fn boot_nodes(dir: &Path) -> Result<Vec<KnownPeer>, ChainConfigError> {
    let mut known: Vec<KnownPeer> = Vec::new();
    for file in BOOT_NODE_FILES.map(|name| dir.join(name)) {
        let text = read_optional(&file, io::read_to_string)?.unwrap_or_default();
        let listed = read_boot_nodes(&text).map_err(|source| ChainConfigError::BootNodes { file, source })?;
        // the files often repeat each other
        for peer in listed {
            if !known.contains(&peer) {
                known.push(peer);
            }
        }
    }
    Ok(known)
}

/// Reads a file that may be missing.
fn read_optional<T>(file: &Path, read: impl FnOnce(File) -> io::Result<T>) -> Result<Option<T>, ChainConfigError> {
    match File::open(file).and_then(read) {
        Ok(content) => Ok(Some(content)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ChainConfigError::Read { file: file.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests;
