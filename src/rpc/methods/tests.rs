//! Every method against the vectors of its containers, and the table against the specification's ids.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::rpc::error::{RpcError, Unaskable};
use crate::rpc::method::{Method, askable, negotiated, protocols};
use crate::rpc::testing::{metadata, status};
use crate::types::containers::List;
use crate::types::containers::deneb::BlobIdentifier;
use crate::types::containers::fulu::DataColumnsByRootIdentifier;
use crate::types::{GoodbyeReason, MetaData, Root, Slot, StatusMessage};

#[derive(Deserialize)]
struct Vectors {
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    what: String,
    ssz: String,
}

fn ssz_of(what: &str) -> Vec<u8> {
    let vectors: Vectors = serde_json::from_str(include_str!("../../../tests/vectors/reqresp.json")).unwrap();
    let object = vectors.objects.into_iter().find(|object| object.what == what).unwrap();
    hex::decode(object.ssz.strip_prefix("0x").unwrap()).unwrap()
}

/// Decodes as request and response and encodes back.
fn round_trip<M: Method>(what: &str) -> M::Response {
    let ssz = ssz_of(what);
    let protocol = M::PROTOCOLS.iter().find(|protocol| what.starts_with(protocol.label)).unwrap();
    if protocol.request.is_some() {
        let request = M::decode_request(&ssz, protocol).unwrap();
        assert_eq!(M::encode_request(&request, protocol), ssz, "{what}");
    }
    let response = M::decode_response(ssz.clone(), None, protocol).unwrap();
    assert_eq!(M::encode_response(&response, protocol), ssz, "{what}");
    response
}

#[test]
fn offers_every_version_newest_first() {
    let ids: Vec<_> = protocol_ids().map(|id| id.to_string()).collect();
    let wanted = [
        "/eth2/beacon_chain/req/status/2/ssz_snappy",
        "/eth2/beacon_chain/req/status/1/ssz_snappy",
        "/eth2/beacon_chain/req/goodbye/1/ssz_snappy",
        "/eth2/beacon_chain/req/ping/1/ssz_snappy",
        "/eth2/beacon_chain/req/metadata/3/ssz_snappy",
        "/eth2/beacon_chain/req/metadata/2/ssz_snappy",
        "/eth2/beacon_chain/req/metadata/1/ssz_snappy",
        "/eth2/beacon_chain/req/beacon_blocks_by_root/2/ssz_snappy",
    ];
    assert_eq!(ids, wanted);
    for id in wanted {
        assert_eq!(find(id).unwrap().1.id, id);
    }
    assert!(find("/eth2/beacon_chain/req/status/3/ssz_snappy").is_none());
}

#[test]
fn a_name_and_its_ids_agree() {
    for method in ALL {
        for protocol in method.protocols {
            assert_eq!(protocol.label, format!("{}/{}", method.name, protocol.version));
            assert_eq!(protocol.id, format!("/eth2/beacon_chain/req/{}/ssz_snappy", protocol.label));
        }
        assert!(method.protocols.is_sorted_by(|newer, older| newer.version > older.version), "{}", method.name);
    }
    assert_eq!(protocols::<Status>().len(), 2);
    assert_eq!(negotiated::<Status>("/eth2/beacon_chain/req/status/1/ssz_snappy").unwrap().label, "status/1");
    assert!(negotiated::<Status>("/eth2/beacon_chain/req/ping/1/ssz_snappy").is_none());
}

#[test]
fn status_follows_the_vectors() {
    let v2 = round_trip::<Status>("status/2");
    assert_eq!(v2.earliest_available_slot, Some(Slot(12_900_000)));
    let v1 = round_trip::<Status>("status/1");
    assert_eq!(v1, StatusMessage { earliest_available_slot: None, ..v2 });
    assert_eq!(round_trip::<Status>("status/1 zero").head_slot, Slot(0));
}

#[test]
fn metadata_follows_the_vectors() {
    let v1 = round_trip::<Metadata>("metadata/1");
    assert_eq!((v1.seq_number, v1.syncnets.is_some(), v1.custody_group_count), (7, false, None));
    let v2 = round_trip::<Metadata>("metadata/2");
    assert_eq!((v2.syncnets.map(|nets| nets.num_set_bits()), v2.custody_group_count), (Some(2), None));
    assert_eq!(round_trip::<Metadata>("metadata/3").custody_group_count, Some(128));
}

#[test]
fn ping_and_goodbye_follow_the_vectors() {
    assert_eq!(round_trip::<Ping>("ping/1"), 42);
    assert_eq!(round_trip::<Goodbye>("goodbye/1"), GoodbyeReason::FAULT);
    assert_eq!(round_trip::<Goodbye>("goodbye/1 max"), GoodbyeReason(u64::MAX));
}

#[test]
fn a_newer_version_is_filled_with_the_least_claim() {
    let old = StatusMessage { earliest_available_slot: None, ..status() };
    let ssz = Status::encode_request(&old, &Status::PROTOCOLS[0]);
    let read = Status::decode_request(&ssz, &Status::PROTOCOLS[0]).unwrap();
    assert_eq!(read.earliest_available_slot, Some(old.head_slot));
    let old = MetaData { syncnets: None, custody_group_count: None, ..metadata() };
    let ssz = Metadata::encode_response(&old, &Metadata::PROTOCOLS[0]);
    let read = Metadata::decode_response(ssz, None, &Metadata::PROTOCOLS[0]).unwrap();
    assert_eq!((read.syncnets.unwrap().num_set_bits(), read.custody_group_count), (0, Some(0)));
}

#[test]
fn stray_bits_of_a_bit_vector_are_refused() {
    let mut ssz = ssz_of("metadata/2");
    ssz[16] |= 0x10;
    assert!(matches!(Metadata::decode_response(ssz, None, &Metadata::PROTOCOLS[1]), Err(RpcError::Ssz(_))));
}

#[test]
fn what_nobody_can_answer_is_not_asked() {
    let root = |number: u64| Root(std::array::from_fn(|at| number.to_le_bytes()[at % 8]));
    let roots = |count: u64| (0..count).map(root).collect::<Vec<_>>();
    let range = |count| BlocksByRange { start_slot: Slot(1), count, step: 1 };
    assert_eq!(askable::<BeaconBlocksByRange>(&range(0)), Err(Unaskable::Nothing));
    assert_eq!(askable::<BeaconBlocksByRange>(&range(1)), Ok(()));
    assert_eq!(
        askable::<BeaconBlocksByHead>(&BlocksByHead { beacon_root: root(1), count: 0 }),
        Err(Unaskable::Nothing)
    );
    assert_eq!(askable::<BeaconBlocksByRoot>(&Vec::new()), Err(Unaskable::Nothing));
    assert_eq!(askable::<BeaconBlocksByRoot>(&roots(1024)), Ok(()));
    let too_long = Unaskable::TooLong { size: 1025 * 32, max: 1024 * 32 };
    assert_eq!(askable::<BeaconBlocksByRoot>(&roots(1025)), Err(too_long));
    assert_eq!(askable::<BeaconBlocksByRoot>(&vec![root(1); 2]), Err(Unaskable::Repeated));
    assert_eq!(askable::<ExecutionPayloadEnvelopesByRoot>(&vec![root(1); 2]), Err(Unaskable::Repeated));
    let blob = BlobIdentifier { block_root: root(1), index: 1 };
    assert_eq!(askable::<BlobSidecarsByRoot>(&vec![blob; 2]), Err(Unaskable::Repeated));
    let columns = |columns| ColumnsByRange { start_slot: Slot(1), count: 2, columns: List::new(columns).unwrap() };
    assert_eq!(askable::<DataColumnSidecarsByRange>(&columns(vec![3, 3])), Err(Unaskable::Repeated));
    assert_eq!(askable::<DataColumnSidecarsByRange>(&columns(Vec::new())), Err(Unaskable::Nothing));
    let of = |columns| DataColumnsByRootIdentifier { block_root: root(1), columns: List::new(columns).unwrap() };
    let by_root = |blocks| askable::<DataColumnSidecarsByRoot>(&List::new(blocks).unwrap());
    assert_eq!(by_root(vec![of(vec![3]), of(vec![4])]), Ok(()));
    assert_eq!(by_root(vec![of(vec![3]), of(vec![4, 3])]), Err(Unaskable::Repeated));
    assert_eq!((askable::<Metadata>(&()), askable::<LightClientFinalityUpdate>(&())), (Ok(()), Ok(())));
}

fn survives<M: Method>(ssz: &[u8]) {
    for protocol in M::PROTOCOLS {
        let request = M::decode_request(ssz, protocol);
        if let (Ok(request), true) = (request, protocol.request.is_some()) {
            assert_eq!(M::encode_request(&request, protocol), ssz);
        }
        if let Ok(response) = M::decode_response(ssz.to_vec(), None, protocol) {
            assert_eq!(M::encode_response(&response, protocol), ssz);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_decode_to_what_encodes_the_same_or_not_at_all(
        ssz in prop::collection::vec(any::<u8>(), 0..100),
        exact in prop::sample::select(vec![8_usize, 16, 17, 25, 84, 92]),
    ) {
        let sized: Vec<u8> = ssz.iter().copied().cycle().take(if ssz.is_empty() { 0 } else { exact }).collect();
        for bytes in [&ssz, &sized] {
            survives::<Status>(bytes);
            survives::<Goodbye>(bytes);
            survives::<Ping>(bytes);
            survives::<Metadata>(bytes);
        }
    }
}
