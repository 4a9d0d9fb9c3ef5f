//! Records against the vectors, addresses in every shape, and the sequence rule.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::types::{Epoch, ForkVersion, enr_peer_id};

const VECTORS: &str = include_str!("../../../tests/vectors/enr.json");

pub(in crate::discovery) fn vectors() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

pub(in crate::discovery) fn record(vector: &Value) -> Enr {
    vector["enr"].as_str().unwrap().parse().unwrap()
}

/// The key of the vectors.
fn key() -> CombinedKey {
    let mut bytes = hex::decode(&vectors()["private_key"].as_str().unwrap()[2..]).unwrap();
    CombinedKey::secp256k1_from_bytes(&mut bytes).unwrap()
}

/// A fork and nothing else.
pub(in crate::discovery) fn content() -> EnrContent {
    EnrContent {
        eth2: EnrForkId {
            fork_digest: ForkDigest([0x8c, 0x9f, 0x62, 0xfe]),
            next_fork_version: ForkVersion([6, 0, 0, 0]),
            next_fork_epoch: Epoch::FAR_FUTURE,
        },
        attnets: Attnets::default(),
        syncnets: Syncnets::default(),
        cgc: 0,
        nfd: ForkDigest::default(),
        ip4: None,
        ip6: None,
    }
}

/// What the full example of the vectors says.
fn full_content() -> EnrContent {
    EnrContent {
        attnets: Attnets::from_ssz_bytes(&[3, 0, 0, 0, 0, 0, 0, 0x80]).unwrap(),
        syncnets: Syncnets::from_ssz_bytes(&[0x0f]).unwrap(),
        cgc: 128,
        ip4: Some(Endpoint { ip: Ipv4Addr::LOCALHOST, udp: Some(9000), tcp: Some(9000), quic: Some(9001) }),
        ip6: Some(Endpoint { ip: Ipv6Addr::LOCALHOST, udp: Some(9090), tcp: Some(9090), quic: Some(9091) }),
        ..content()
    }
}

/// A record with these pairs, whatever they say; values are encoded as byte strings.
pub(in crate::discovery) fn raw_record(pairs: &[(&str, &[u8])]) -> Enr {
    let mut builder = Enr::builder();
    for (name, value) in pairs {
        builder.add_value(name, value);
    }
    builder.build(&key()).unwrap()
}

fn dial(enr: &Enr, reach: Reach) -> Vec<String> {
    enr.dial_addresses(reach).iter().map(ToString::to_string).collect()
}

#[test]
fn reads_every_field_of_the_full_example() {
    let vectors = vectors();
    let vector = &vectors["full_example"];
    let enr = record(vector);
    assert_eq!(EnrContent::of(&enr), Some(full_content()));
    assert_eq!(enr.quic4(), Some(9001));
    assert_eq!(format!("0x{}", hex::encode(enr.node_id().raw())), vector["node_id"].as_str().unwrap());
    assert_eq!(enr_peer_id(&enr).unwrap().to_string(), vector["peer_id"].as_str().unwrap());
}

#[test]
fn writes_the_full_example_up_to_the_choice_of_signature() {
    let expected = record(&vectors()["full_example"]);
    let enr = sign(&key(), 5, &full_content()).unwrap();
    assert!(enr.compare_content(&expected), "{enr:?} is not {expected:?}");
    assert_eq!((enr.size(), enr.node_id()), (260, expected.node_id()));
    assert!(enr.verify());
}

#[test]
fn an_empty_custody_count_is_zero_and_absent_fields_are_none() {
    let enr = record(&vectors()["edge_seq_and_empty_cgc"]);
    assert_eq!((enr.seq(), enr.cgc()), (u64::MAX, Some(0)));
    assert_eq!((enr.attnets(), enr.syncnets(), enr.nfd(), enr.quic4()), (None, None, None, None));
    assert!(enr.eth2().is_some());
}

#[test]
fn a_record_with_a_broken_signature_is_no_record() {
    let vectors = vectors();
    let invalid = &vectors["invalid_signature"];
    let text = invalid.as_str().or_else(|| invalid["enr"].as_str()).unwrap();
    assert!(text.parse::<Enr>().is_err());
}

#[test]
fn reads_the_published_bootnodes() {
    let vectors = vectors();
    let bootnodes = vectors["bootnodes"].as_object().unwrap();
    let mut with_fork = 0;
    for vector in bootnodes.values().flat_map(|list| list.as_array().unwrap()) {
        let enr = record(vector);
        assert_eq!(enr_peer_id(&enr).unwrap().to_string(), vector["peer_id"].as_str().unwrap());
        let eth2 = vector["pairs"]["eth2"].as_str();
        assert_eq!(enr.eth2().map(|fork| format!("0x{}", hex::encode(fork.as_ssz_bytes()))).as_deref(), eth2);
        with_fork += usize::from(eth2.is_some());
    }
    assert_eq!(with_fork, 27, "eight of 35 have no eth2 field");
}

#[test]
fn malformed_fields_are_none() {
    let enr = raw_record(&[
        ("eth2", &[1; 15]),
        ("attnets", &[0; 7]),
        ("syncnets", &[0x10]),
        ("cgc", &[0, 1]),
        ("nfd", &[0; 5]),
        ("quic", &[1, 0, 0]),
        ("quic6", &[0, 9]),
    ]);
    assert_eq!((enr.eth2(), enr.attnets(), enr.syncnets()), (None, None, None));
    assert_eq!((enr.cgc(), enr.nfd(), enr.quic4(), enr.quic6()), (None, None, None, None));
}

#[test]
fn dials_quic_before_tcp_and_only_what_is_within_reach() {
    let enr = sign(&key(), 1, &full_content()).unwrap();
    let all = [
        "/ip4/127.0.0.1/udp/9001/quic-v1",
        "/ip6/::1/udp/9091/quic-v1",
        "/ip4/127.0.0.1/tcp/9000",
        "/ip6/::1/tcp/9090",
    ];
    assert_eq!(dial(&enr, Reach::ALL), all);
    assert_eq!(dial(&enr, Reach { quic: false, ..Reach::ALL }), all[2..]);
    assert_eq!(dial(&enr, Reach { ip6: false, ..Reach::ALL }), [all[0], all[2]]);
    assert!(dial(&enr, Reach { quic: false, tcp: false, ..Reach::ALL }).is_empty());
}

#[test]
fn tcp_serves_ipv6_when_tcp6_is_missing_but_quic_does_not() {
    let ip6 = Ipv6Addr::LOCALHOST.octets();
    let enr = raw_record(&[("ip6", &ip6), ("tcp", &[0x23, 0x28]), ("quic", &[0x23, 0x29])]);
    assert_eq!(dial(&enr, Reach::ALL), ["/ip6/::1/tcp/9000"]);
}

#[test]
fn addresses_that_nobody_can_dial_are_dropped() {
    let port: &[u8] = &[0x23, 0x28];
    for ip in [[0, 0, 0, 0], [224, 0, 0, 1], [255, 255, 255, 255]] {
        assert!(dial(&raw_record(&[("ip", &ip), ("tcp", port), ("quic", port)]), Reach::ALL).is_empty(), "{ip:?}");
    }
    for ip in ["::", "ff02::1", "fe80::1", "::ffff:1.2.3.4"] {
        let octets = ip.parse::<Ipv6Addr>().unwrap().octets();
        let enr = raw_record(&[("ip6", &octets), ("tcp6", port), ("quic6", port)]);
        assert!(dial(&enr, Reach::ALL).is_empty(), "{ip}");
    }
    assert!(dial(&raw_record(&[("ip", &[1, 2, 3, 4]), ("tcp", &[]), ("quic", &[])]), Reach::ALL).is_empty(), "port 0");
}

#[test]
fn the_sequence_number_rises_with_the_content_alone() {
    let first = build_enr(&key(), None, &content()).unwrap();
    assert_eq!(first.seq(), 1);
    let same = build_enr(&key(), Some(&first), &content()).unwrap();
    assert_eq!(same.to_base64(), first.to_base64());
    let changed = build_enr(&key(), Some(&first), &EnrContent { cgc: 4, ..content() }).unwrap();
    assert_eq!((changed.seq(), changed.cgc()), (2, Some(4)));
    let other_key = build_enr(&CombinedKey::generate_secp256k1(), Some(&changed), &EnrContent { cgc: 4, ..content() });
    assert_eq!(other_key.unwrap().seq(), 3);
    let last = sign(&key(), u64::MAX, &content()).unwrap();
    assert_eq!(build_enr(&key(), Some(&last), &content()).unwrap(), last);
    let exhausted = build_enr(&key(), Some(&last), &full_content());
    assert!(matches!(exhausted, Err(EnrError::SequenceExhausted)));
}

#[test]
fn the_largest_record_fits() {
    let content = EnrContent { cgc: u64::MAX, nfd: ForkDigest([0xff; 4]), ..full_content() };
    let enr = sign(&key(), u64::MAX, &content).unwrap();
    assert!(enr.size() <= MAX_ENR_SIZE, "{}", enr.size());
    assert_eq!(enr.to_base64().parse::<Enr>().unwrap(), enr);
}

#[test]
fn refuses_to_advertise_what_nobody_can_dial() {
    let unspecified = Endpoint { ip: Ipv4Addr::UNSPECIFIED, udp: Some(9000), tcp: None, quic: None };
    let err = build_enr(&key(), None, &EnrContent { ip4: Some(unspecified), ..content() }).unwrap_err();
    assert!(matches!(err, EnrError::UnusableAddress { ip } if ip.is_unspecified()));
    assert!(err.to_string().contains("--enr-address"));
    let port0 = Endpoint { ip: Ipv6Addr::LOCALHOST, udp: Some(0), tcp: None, quic: None };
    assert!(build_enr(&key(), None, &EnrContent { ip6: Some(port0), ..content() }).is_err());
}

#[test]
fn a_record_without_an_address_has_no_ports() {
    let enr = build_enr(&key(), None, &content()).unwrap();
    let keys: Vec<_> = enr.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    assert_eq!(keys, ["attnets", "cgc", "eth2", "id", "nfd", "secp256k1", "syncnets"]);
}

fn arbitrary_pairs() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let names =
        ["eth2", "attnets", "syncnets", "cgc", "nfd", "quic", "quic6", "ip", "ip6", "tcp", "tcp6", "udp", "udp6"];
    prop::collection::vec((prop::sample::select(names.to_vec()), prop::collection::vec(any::<u8>(), 0..20)), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_pairs_never_panic_a_reader(pairs in arbitrary_pairs(), as_list in any::<bool>()) {
        let mut builder = Enr::builder();
        for (name, value) in &pairs {
            if as_list {
                builder.add_value(name, value);
            } else {
                builder.add_value(name, &value.as_slice());
            }
        }
        let Ok(enr) = builder.build(&key()) else { return Ok(()) };
        let addresses = enr.dial_addresses(Reach::ALL);
        prop_assert!(addresses.len() <= 4);
        prop_assert_eq!(EnrContent::of(&enr).is_some(), enr.eth2().is_some());
        // and the same record as a peer would send it
        if let Ok(decoded) = enr.to_base64().parse::<Enr>() {
            prop_assert_eq!(decoded.dial_addresses(Reach::ALL), addresses);
        }
    }

    #[test]
    fn arbitrary_text_is_no_record_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..320)) {
        let text = format!("enr:{}", String::from_utf8_lossy(&bytes));
        prop_assert!(text.parse::<Enr>().is_err());
    }
}
