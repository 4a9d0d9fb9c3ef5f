//! Whole slots of a network, as they are kept in `tests/fixtures`; its README tells the formats.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use beacond::chain::{BlobParameters, ChainConfig, ForkParameters};
use beacond::types::{Epoch, ForkName, Slot, TopicName};
use serde_json::Value;

use super::network;

/// A message as it was published.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) topic: TopicName,
    pub(crate) ssz: Vec<u8>,
}

/// One folder of fixtures.
#[derive(Debug)]
pub(crate) struct Fixture {
    folder: PathBuf,
    manifest: Value,
}

impl Fixture {
    pub(crate) fn read(folder: &str) -> Result<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
        let manifest = serde_json::from_slice(&std::fs::read(folder.join("manifest.json"))?)?;
        Ok(Self { folder, manifest })
    }

    /// The network that the messages are of.
    pub(crate) fn chain(&self) -> Result<ChainConfig> {
        let config = &self.manifest["config"];
        let number = |value: &Value| value.as_u64().with_context(|| format!("no number: {value}"));
        let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| format!("no text: {value}"));
        let mut forks = BTreeMap::new();
        for fork in config["forks"].as_array().context("no forks")? {
            let name: ForkName = serde_json::from_value(fork["name"].clone())?;
            let parameters = ForkParameters {
                version: text(&fork["version"])?.parse()?,
                epoch: Some(Epoch(number(&fork["epoch"])?)),
            };
            forks.insert(name, parameters);
        }
        let mut blob_schedule = Vec::new();
        for entry in config["blob_schedule"].as_array().context("no blob schedule")? {
            let (epoch, max_blobs) = (Epoch(number(&entry["epoch"])?), number(&entry["max_blobs"])?);
            blob_schedule.push(BlobParameters { epoch, max_blobs });
        }
        let chain = ChainConfig {
            name: "fixture".to_owned(),
            genesis_time: number(&config["genesis_time"])?,
            genesis_validators_root: text(&config["genesis_validators_root"])?.parse()?,
            slot_duration: Duration::from_secs(number(&config["seconds_per_slot"])?),
            forks,
            blob_schedule,
            ..network(0)
        };
        chain.validate()?;
        Ok(chain)
    }

    /// The slots that are there, in order.
    pub(crate) fn slots(&self) -> Result<Vec<Slot>> {
        let slots = self.manifest["slots"].as_array().context("no slots")?;
        slots.iter().map(|slot| Ok(Slot(slot["slot"].as_u64().context("no slot number")?))).collect()
    }

    /// The messages of a slot, in the order in which they were published.
    pub(crate) fn messages(&self, slot: Slot) -> Result<Vec<Record>> {
        let bytes = std::fs::read(self.folder.join(format!("slot_{slot}.bin")))?;
        let mut rest = bytes.as_slice();
        let mut records = Vec::new();
        while !rest.is_empty() {
            let topic_bytes = usize::from(u16::from_le_bytes(*take::<2>(&mut rest)?));
            let topic = std::str::from_utf8(slice(&mut rest, topic_bytes)?)?.parse()?;
            take::<4>(&mut rest)?; // when it was published
            let data_bytes = usize::try_from(u32::from_le_bytes(*take::<4>(&mut rest)?))?;
            let ssz = snap::raw::Decoder::new().decompress_vec(slice(&mut rest, data_bytes)?)?;
            records.push(Record { topic, ssz });
        }
        Ok(records)
    }
}

fn slice<'a>(rest: &mut &'a [u8], bytes: usize) -> Result<&'a [u8]> {
    ensure!(rest.len() >= bytes, "the file ends within a record");
    let (head, tail) = rest.split_at(bytes);
    *rest = tail;
    Ok(head)
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N]> {
    Ok(slice(rest, N)?.try_into()?)
}
