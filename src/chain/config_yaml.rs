//! The upper-case `config.yaml` that devnets and clients publish, reduced to the keys that a node needs.
//!
//! Scalars are kept as they are written and read on demand: clients disagree on quotes, `0x` numbers must not become
//! integers, and some values exceed 64 bits. Called by `network_dir`, which names the file in every error.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use tracing::debug;

use super::forks;
use crate::types::Epoch;

pub(super) const BLOB_SCHEDULE: &str = "BLOB_SCHEDULE";

/// Keys with one value that are read, besides those of the forks.
const KEYS: [&str; 10] = [
    "CONFIG_NAME",
    "PRESET_BASE",
    "SLOTS_PER_EPOCH",
    "SECONDS_PER_SLOT",
    "SLOT_DURATION_MS",
    "MAX_BLOBS_PER_BLOCK",
    "MAX_BLOBS_PER_BLOCK_ELECTRA",
    "GENESIS_TIME",
    "GENESIS_VALIDATORS_ROOT",
    "GENESIS_BLOCK_ROOT",
];

/// The known keys of a `config.yaml`, unparsed.
#[derive(Debug, Default)]
pub(super) struct ConfigYaml {
    values: BTreeMap<String, String>,
    /// In the order of the file.
    pub(super) blob_schedule: Vec<BlobEntry>,
}

/// An entry of `BLOB_SCHEDULE`, unparsed.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) struct BlobEntry {
    pub(super) epoch: Option<String>,
    pub(super) max_blobs_per_block: String,
}

/// A value that is not what its key needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadValue {
    pub(super) key: &'static str,
    /// As written, cut to 80 characters.
    pub(super) value: String,
    pub(super) expected: &'static str,
}

impl ConfigYaml {
    /// Reads a file's bytes. Unknown keys are skipped with a debug line each.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, serde_yaml_ng::Error> {
        serde_yaml_ng::from_slice(bytes)
    }

    /// A value as written; `None` if the key is missing or null.
    pub(super) fn text(&self, key: &'static str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// A value read by its `FromStr`, such as a root or a version in hex.
    pub(super) fn parsed<T: FromStr>(&self, key: &'static str, expected: &'static str) -> Result<Option<T>, BadValue> {
        self.text(key).map(|text| parse_value(key, text, expected)).transpose()
    }

    /// A number of at most 64 bits.
    pub(super) fn number(&self, key: &'static str) -> Result<Option<u64>, BadValue> {
        self.parsed(key, "a whole number below 2^64")
    }

    /// A fork's epoch; `None` for every way of saying never.
    pub(super) fn epoch(&self, key: &'static str) -> Result<Option<Epoch>, BadValue> {
        self.text(key).map_or(Ok(None), |text| parse_epoch(key, text))
    }
}

/// Reads one scalar.
pub(super) fn parse_value<T: FromStr>(key: &'static str, text: &str, expected: &'static str) -> Result<T, BadValue> {
    text.trim().parse().map_err(|_| BadValue { key, value: text.chars().take(80).collect(), expected })
}

/// Reads an epoch; `None` for 2^64 - 1, and for the words that JavaScript and YAML have for it.
pub(super) fn parse_epoch(key: &'static str, text: &str) -> Result<Option<Epoch>, BadValue> {
    if matches!(text.trim(), "Infinity" | ".inf" | "null") {
        return Ok(None);
    }
    let epoch = Epoch(parse_value(key, text, "an epoch, null or 18446744073709551615")?);
    Ok((epoch != Epoch::FAR_FUTURE).then_some(epoch))
}

fn is_known(key: &str) -> bool {
    KEYS.contains(&key) || forks::ALL.iter().any(|fork| fork.version_key == key || fork.epoch_key == Some(key))
}

impl<'de> Deserialize<'de> for ConfigYaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = ConfigYaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of upper-case configuration keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ConfigYaml, A::Error> {
        let mut config = ConfigYaml::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == BLOB_SCHEDULE {
                config.blob_schedule = map.next_value::<Option<_>>()?.unwrap_or_default();
            } else if !is_known(&key) {
                map.next_value::<IgnoredAny>()?;
                debug!(key, "unknown configuration key ignored");
            } else if let Some(text) = map.next_value::<Option<String>>()?
                && config.values.insert(key.clone(), text).is_some()
            {
                return Err(de::Error::custom(format_args!("{key} is given twice")));
            }
        }
        Ok(config)
    }
}
