//! Whole slots made with the executable specification (`tests/fixtures/README.md`): what is valid passes when its time has
//! come, what is forged gets the verdict that it was labelled with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use ssz::Decode;

use crate::chain::{BlobParameters, ChainConfig, ForkParameters, ForkSchedule};
use crate::gossip::headers::HeaderSeen;
use crate::gossip::{Judge, RejectReason, Verdict};
use crate::types::containers::gloas::SignedProposerPreferences;
use crate::types::{Epoch, ForkDigest, ForkName, GossipTopic, Root, Slot, TopicKind, TopicName};

/// The slots of one fork and a judge of their network.
struct Fixture {
    directory: PathBuf,
    manifest: Value,
    config: ChainConfig,
    schedule: Arc<ForkSchedule>,
    judge: Judge,
}

struct Record {
    label: String,
    topic: TopicName,
    offset_ms: u64,
    ssz: Vec<u8>,
}

impl Fixture {
    fn open(name: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let manifest: Value = serde_json::from_slice(&std::fs::read(directory.join("manifest.json")).unwrap()).unwrap();
        let config = config(&manifest["config"]);
        let schedule = Arc::new(ForkSchedule::new(&config));
        let judge = Judge::new(&config, schedule.clone());
        let fork_digest: ForkDigest = manifest["config"]["fork_digest"].as_str().unwrap().parse().unwrap();
        assert_eq!(schedule.digest_at(Epoch(302)), fork_digest);
        judge.set_finalized(Slot(manifest["finalized"]["slot"].as_u64().unwrap()));
        Self { directory, manifest, config, schedule, judge }
    }

    fn records(&self, file: &Value, are_labelled: bool) -> Vec<Record> {
        let bytes = std::fs::read(self.directory.join(file.as_str().unwrap())).unwrap();
        let mut rest = bytes.as_slice();
        let mut records = Vec::new();
        while !rest.is_empty() {
            let label = if are_labelled { text(&mut rest) } else { String::new() };
            let topic = text(&mut rest).parse().unwrap();
            let offset_ms = u64::from(u32::from_le_bytes(take(&mut rest, 4).try_into().unwrap()));
            let length = u32::from_le_bytes(take(&mut rest, 4).try_into().unwrap());
            let ssz = snap::raw::Decoder::new().decompress_vec(take(&mut rest, length as usize)).unwrap();
            records.push(Record { label, topic, offset_ms, ssz });
        }
        records
    }

    fn topic(&self, slot: Slot, name: TopicName) -> GossipTopic {
        GossipTopic { fork_digest: self.schedule.digest_at(slot.epoch()), name }
    }

    fn ms(&self, slot: Slot, offset_ms: u64) -> u64 {
        self.config.genesis_time * 1000 + slot.0 * 12_000 + offset_ms
    }

    fn judge(&self, slot: Slot, record: &Record) -> Result<(), Verdict> {
        let now_ms = self.ms(slot, record.offset_ms);
        self.judge.judge(self.topic(slot, record.topic), &record.ssz, now_ms).map(drop)
    }

    /// Makes a block known that came before the slots.
    fn know(&self, root: Root, slot: Slot) {
        let header = HeaderSeen { root, slot, proposer_index: 0, parent_root: Root::default() };
        self.judge.headers().insert(header, None, true, self.first_slot());
    }

    fn first_slot(&self) -> Slot {
        Slot(self.manifest["slots"][0]["slot"].as_u64().unwrap())
    }

    /// Every message of every slot passes in its order, and is seen once it is accepted.
    fn replay(&self) {
        for entry in self.manifest["slots"].as_array().unwrap() {
            let slot = Slot(entry["slot"].as_u64().unwrap());
            let records = self.records(&entry["file"], false);
            assert_eq!(records.len() as u64, entry["records"].as_u64().unwrap());
            for (at, record) in records.iter().enumerate() {
                let now_ms = self.ms(slot, record.offset_ms);
                let topic = self.topic(slot, record.topic);
                let passed = self.judge.judge(topic, &record.ssz, now_ms);
                let passed = passed.unwrap_or_else(|verdict| panic!("{slot} {at} {}: {verdict}", record.topic));
                self.judge.admit(&passed, now_ms).unwrap();
                let again = self.judge.judge(topic, &record.ssz, now_ms).map(drop);
                assert!(matches!(again, Err(Verdict::Ignore(_))), "{slot} {at} {}: {again:?}", record.topic);
            }
            self.judge.prune(self.ms(slot, 11_999));
            let root = entry["block_root"].as_str().unwrap().parse().unwrap();
            assert_eq!(self.judge.headers().get(root).unwrap().slot, slot);
        }
    }
}

fn config(value: &Value) -> ChainConfig {
    let parse = |fork: &Value| {
        let name = fork["name"].as_str().unwrap();
        let name = ForkName::ALL.into_iter().find(|known| known.to_string() == name).unwrap();
        let version = fork["version"].as_str().unwrap().parse().unwrap();
        (name, ForkParameters { version, epoch: fork["epoch"].as_u64().map(Epoch) })
    };
    let blobs = |entry: &Value| BlobParameters {
        epoch: Epoch(entry["epoch"].as_u64().unwrap()),
        max_blobs: entry["max_blobs"].as_u64().unwrap(),
    };
    ChainConfig {
        name: "fixture".to_owned(),
        genesis_time: value["genesis_time"].as_u64().unwrap(),
        genesis_validators_root: value["genesis_validators_root"].as_str().unwrap().parse().unwrap(),
        genesis_block_root: None,
        slot_duration: Duration::from_secs(value["seconds_per_slot"].as_u64().unwrap()),
        forks: value["forks"].as_array().unwrap().iter().map(parse).collect(),
        deneb_max_blobs: 6,
        electra_max_blobs: 9,
        blob_schedule: value["blob_schedule"].as_array().unwrap().iter().map(blobs).collect(),
        bootnodes: Vec::new(),
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

fn text(rest: &mut &[u8]) -> String {
    let length = u16::from_le_bytes(take(rest, 2).try_into().unwrap());
    String::from_utf8(take(rest, usize::from(length)).to_vec()).unwrap()
}

/// The reason that stands for the manifest's.
fn reason(text: &str) -> RejectReason {
    match text {
        "kzg proofs" => RejectReason::BadKzgProof,
        "inclusion proof" => RejectReason::BadInclusionProof,
        "wrong subnet" => RejectReason::WrongSubnet,
        "more commitments than the schedule allows" => RejectReason::TooManyBlobs,
        "no commitments" => RejectReason::NoBlobs,
        "selection proof does not select" => RejectReason::NotSelected,
        "signature" => RejectReason::BadSignature,
        other => panic!("unknown reason {other}"),
    }
}

#[test]
fn slots_of_fulu_pass() {
    Fixture::open("fulu").replay();
}

#[test]
fn a_slot_of_deneb_passes() {
    Fixture::open("deneb").replay();
}

#[test]
fn a_slot_of_gloas_passes() {
    let fixture = Fixture::open("gloas");
    let entry = &fixture.manifest["slots"][0];
    fixture.know(entry["parent_root"].as_str().unwrap().parse().unwrap(), Slot(fixture.first_slot().0 - 1));
    for record in fixture.records(&entry["file"], false) {
        if record.topic.kind() == TopicKind::ProposerPreferences {
            let preferences = SignedProposerPreferences::from_ssz_bytes(&record.ssz).unwrap().message;
            let lookahead = Epoch(preferences.proposal_slot.epoch().0 - 1).start_slot();
            fixture.know(preferences.dependent_root, Slot(lookahead.0 - 1));
        }
    }
    fixture.replay();
}

#[test]
fn forged_messages_of_fulu_get_their_verdicts() {
    let fixture = Fixture::open("fulu");
    let forged = &fixture.manifest["forged"];
    let records = fixture.records(&forged["file"], true);
    let labels = forged["records"].as_array().unwrap();
    assert_eq!(records.len(), labels.len());
    for (record, label) in records.iter().zip(labels) {
        let slot = Slot(label["slot"].as_u64().unwrap());
        assert_eq!(record.label, label["label"].as_str().unwrap());
        let stateless = &label["stateless"];
        // the light client judges its topics
        let is_ours = !matches!(
            record.topic.kind(),
            TopicKind::LightClientFinalityUpdate | TopicKind::LightClientOptimisticUpdate
        );
        let expected = match stateless["verdict"].as_str().unwrap() {
            "reject" if is_ours => Err(reason(stateless["reason"].as_str().unwrap()).into()),
            "reject" | "pass" => Ok(()),
            other => panic!("unknown verdict {other}"),
        };
        assert_eq!(fixture.judge(slot, record), expected, "{}", record.label);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// One message of each kind, in each of the shapes that the slots have, with some bytes changed or missing.
    #[test]
    fn damaged_messages_get_a_verdict(damage in vec((any::<Index>(), any::<u8>()), 1..4), keep in any::<Index>()) {
        for name in ["deneb", "fulu", "gloas"] {
            let fixture = Fixture::open(name);
            let slot = fixture.first_slot();
            let mut records = fixture.records(&fixture.manifest["slots"][0]["file"], false);
            records.sort_by_key(|record| record.topic.kind());
            records.dedup_by_key(|record| record.topic.kind());
            for mut record in records {
                for (at, byte) in &damage {
                    let at = at.index(record.ssz.len());
                    record.ssz[at] ^= byte;
                }
                let _any = fixture.judge(slot, &record);
                record.ssz.truncate(keep.index(record.ssz.len()));
                let _any = fixture.judge(slot, &record);
            }
        }
    }
}
