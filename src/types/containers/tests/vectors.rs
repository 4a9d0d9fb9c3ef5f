//! 134 random objects of the executable specification: the same bytes again, and the same root.

use serde::Deserialize;

use super::registry::{key, registry};
use crate::types::containers::{Container, SignedBlock, decode_signed_block};
use crate::types::{ForkName, Root};

#[derive(Deserialize)]
pub(super) struct Vectors {
    pub(super) cases: Vec<Case>,
}

#[derive(Deserialize)]
pub(super) struct Case {
    pub(super) fork: String,
    #[serde(rename = "type")]
    pub(super) name: String,
    mode: String,
    ssz: String,
    root: String,
}

impl Case {
    pub(super) fn ssz(&self) -> Vec<u8> {
        hex::decode(self.ssz.trim_start_matches("0x")).unwrap()
    }

    fn root(&self) -> Root {
        self.root.parse().unwrap()
    }
}

pub(super) fn cases() -> Vec<Case> {
    serde_json::from_str::<Vectors>(include_str!("../../../../tests/vectors/ssz_roots.json")).unwrap().cases
}

#[test]
fn every_object_of_the_specification_is_read_written_and_hashed_alike() {
    let registry = registry();
    let cases = cases();
    assert_eq!(cases.len(), 134);
    for case in &cases {
        let id = format!("{} {} {}", case.fork, case.name, case.mode);
        let entry = registry.get(&key(&case.fork, &case.name)).unwrap_or_else(|| panic!("no type for {id}"));
        let ssz = case.ssz();
        let (again, root) = (entry.read)(&ssz).unwrap_or_else(|err| panic!("{id}: {err:?}"));
        assert!(again == ssz, "{id}: encodes otherwise");
        assert_eq!(root, case.root(), "{id}");
    }
}

#[test]
fn a_block_is_viewed_alike_whatever_its_fork() {
    let mut seen = 0;
    for case in cases().iter().filter(|case| case.name == "SignedBeaconBlock") {
        let fork = ForkName::ALL.into_iter().find(|fork| fork.as_str() == case.fork).unwrap();
        let ssz = case.ssz();
        let block = decode_signed_block(fork, &ssz).unwrap();
        assert_eq!(block.to_ssz(), ssz);
        assert_eq!(block.signature().0, ssz[4..100]);
        assert_eq!(block.slot().0.to_le_bytes(), ssz[100..108]);
        assert_eq!(block.proposer_index().to_le_bytes(), ssz[108..116]);
        assert_eq!(block.parent_root().0, ssz[116..148]);
        assert_eq!(block.state_root().0, ssz[148..180]);
        assert_eq!(block.graffiti().0, ssz[352..384]);
        assert_eq!(block.header().state_root, block.state_root());
        assert_eq!(block.payload_timestamp().is_some(), fork < ForkName::Gloas);
        assert_eq!(block.bid().is_some(), fork >= ForkName::Gloas);
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn the_root_of_a_block_is_the_root_of_its_header() {
    use ssz::Decode;
    let case = cases().into_iter().rfind(|case| case.fork == "electra" && case.name == "SignedBeaconBlock").unwrap();
    let block = super::super::electra::SignedBeaconBlock::from_ssz_bytes(&case.ssz()).unwrap();
    assert_eq!(block.block_root(), block.message.root());
}
