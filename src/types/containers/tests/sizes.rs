//! Sizes against those that the specification's types give.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::registry::{Entry, key, registry};
use crate::types::ForkName;
use crate::types::containers::sizes::{MAX_PAYLOAD_SIZE, MessageType, SszSize};

/// By fork and type.
type Sizes = BTreeMap<String, BTreeMap<String, Size>>;

#[derive(Deserialize)]
struct Size {
    fixed_size: bool,
    min: usize,
    max: usize,
    layout: Layout,
}

#[derive(Deserialize)]
struct Layout {
    fixed_part: usize,
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    offset: usize,
    size: usize,
    #[serde(default)]
    variable: bool,
    #[serde(rename = "type")]
    name: String,
    min: Option<usize>,
    max: Option<usize>,
}

fn sizes() -> Sizes {
    serde_json::from_str(include_str!("../../../../tests/vectors/sizes.json")).unwrap()
}

/// Which value of a variable field is written.
#[derive(Clone, Copy, PartialEq)]
enum Extreme {
    Smallest,
    Largest,
}

/// Writes the smallest or the largest value of a type by its layout alone; all bytes zero but offsets and delimiters.
fn write(types: &BTreeMap<String, Size>, name: &str, extreme: Extreme) -> Vec<u8> {
    let layout = &types[name].layout;
    let mut bytes = vec![0; layout.fixed_part];
    for field in layout.fields.iter().filter(|field| field.variable) {
        let offset = u32::try_from(bytes.len()).unwrap();
        bytes[field.offset..field.offset + field.size].copy_from_slice(&offset.to_le_bytes());
        let value = if types.contains_key(&field.name) {
            write(types, &field.name, extreme)
        } else {
            write_list(types, field, extreme)
        };
        bytes.extend(value);
    }
    bytes
}

/// Writes an empty or a full list, or bit list.
fn write_list(types: &BTreeMap<String, Size>, field: &Field, extreme: Extreme) -> Vec<u8> {
    let (min, max) = (field.min.unwrap(), field.max.unwrap());
    let item = match field.name.as_str() {
        "Attestations" => Some("Attestation"),
        "AttesterSlashings" => Some("AttesterSlashing"),
        "OptionalPartialDataColumnHeader" => Some("PartialDataColumnHeader"),
        _ => None,
    };
    match (extreme, item) {
        (Extreme::Smallest, _) if min == 1 => vec![1],
        (Extreme::Smallest, _) => vec![0; min],
        (Extreme::Largest, None) => {
            let mut bytes = vec![0; max];
            // the limits of bit lists are whole bytes, so that the delimiter has the last one to itself
            if min == 1 {
                bytes[max - 1] = 1;
            }
            bytes
        }
        (Extreme::Largest, Some(item)) => {
            let item = write(types, item, extreme);
            let count = max / (4 + item.len());
            let offsets = (0..count).flat_map(|n| u32::try_from(count * 4 + n * item.len()).unwrap().to_le_bytes());
            offsets.collect::<Vec<_>>().into_iter().chain(item.repeat(count)).collect()
        }
    }
}

fn entry_of(registry: &BTreeMap<(String, String), Entry>, fork: &str, name: &str) -> Option<Entry> {
    registry.get(&key(fork, name)).copied()
}

#[test]
fn every_container_has_the_layout_of_the_specification() {
    let registry = registry();
    let mut read = 0;
    for (fork, types) in sizes() {
        for (name, size) in &types {
            let Some(entry) = entry_of(&registry, &fork, name) else {
                assert_eq!((fork.as_str(), name.as_str()), ("bellatrix", "ExecutionPayloadHeader"));
                continue;
            };
            assert_eq!(entry.fixed_size, size.fixed_size.then_some(size.min), "{fork} {name}");
            let smallest = write(&types, name, Extreme::Smallest);
            assert_eq!(smallest.len(), size.min, "{fork} {name}");
            let (again, _root) = (entry.read)(&smallest).unwrap_or_else(|err| panic!("{fork} {name}: {err:?}"));
            assert!(again == smallest, "{fork} {name}");
            assert!((entry.read)(&smallest[..size.min - 1]).is_err(), "{fork} {name}");
            read += 1;
        }
    }
    assert!(read > 200, "{read}");
}

#[test]
fn the_largest_values_are_read_where_the_type_has_a_bound() {
    let registry = registry();
    let mut read = 0;
    for (fork, types) in sizes() {
        // what has 10 MiB or more is bounded by the message alone
        for (name, size) in types.iter().filter(|(_, size)| size.max <= MAX_PAYLOAD_SIZE && !size.fixed_size) {
            let Some(entry) = entry_of(&registry, &fork, name) else { continue };
            let largest = write(&types, name, Extreme::Largest);
            assert_eq!(largest.len(), size.max, "{fork} {name}");
            let (again, _root) = (entry.read)(&largest).unwrap_or_else(|err| panic!("{fork} {name}: {err:?}"));
            assert!(again == largest, "{fork} {name}");
            read += 1;
        }
    }
    assert!(read > 50, "{read}");
}

#[test]
fn sizes_of_messages_are_those_of_their_types_up_to_the_caps() {
    let gloas_caps = BTreeMap::from([
        ("SignedAggregateAndProof", 16_829),
        ("AttesterSlashing", 2_097_616),
        ("DataColumnSidecar", 8_585_272),
        ("PartialDataColumnSidecar", 8_585_741),
        ("SignedInclusionList", 8348),
    ]);
    let sizes = sizes();
    let mut checked = 0;
    for fork in ForkName::ALL {
        for message in MessageType::ALL {
            let Some(size) = message.size(fork) else { continue };
            let name = message.as_str().replace("Bls", "BLS");
            let typed = &sizes[fork.as_str()][&name];
            let cap = match (fork, name.as_str()) {
                (ForkName::Gloas, "SignedExecutionPayloadBid") => 196_932,
                (ForkName::Heze, "SignedExecutionPayloadBid") => 196_934,
                (ForkName::Gloas | ForkName::Heze, name) => gloas_caps.get(name).copied().unwrap_or(MAX_PAYLOAD_SIZE),
                _ => MAX_PAYLOAD_SIZE,
            };
            assert_eq!(size, SszSize { min: typed.min, max: typed.max.min(cap) }, "{fork} {name}");
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn a_message_has_a_size_in_exactly_the_forks_that_have_it() {
    for message in MessageType::ALL {
        let from = |fork| move |other: ForkName| other >= fork;
        let has: Box<dyn Fn(ForkName) -> bool> = match message.as_str() {
            "Attestation" => Box::new(|fork| fork < ForkName::Electra),
            "BlobSidecar" => Box::new(|fork| matches!(fork, ForkName::Deneb | ForkName::Electra)),
            "SingleAttestation" => Box::new(from(ForkName::Electra)),
            "SignedBlsToExecutionChange" => Box::new(from(ForkName::Capella)),
            "DataColumnSidecar" | "PartialDataColumnSidecar" => Box::new(from(ForkName::Fulu)),
            "SignedExecutionPayloadBid"
            | "SignedExecutionPayloadEnvelope"
            | "PayloadAttestationMessage"
            | "SignedProposerPreferences" => Box::new(from(ForkName::Gloas)),
            "SignedInclusionList" => Box::new(from(ForkName::Heze)),
            name if name.contains("Sync") || name.contains("Light") || name.contains("Contribution") => {
                Box::new(from(ForkName::Altair))
            }
            _ => Box::new(|_fork| true),
        };
        for fork in ForkName::ALL {
            assert_eq!(message.size(fork).is_some(), has(fork), "{fork} {}", message.as_str());
        }
    }
}
