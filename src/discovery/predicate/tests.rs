//! One case for each way to refuse, and for each way to be accepted.

use enr::CombinedKey;

use super::super::enr::tests::{content, raw_record, record, vectors};
use super::super::enr::{Endpoint, EnrContent, build_enr};
use super::*;
use crate::chain::{ChainConfig, ForkSchedule, NetworkName};
use crate::types::{Epoch, Slot};

/// The last scheduled boundary of mainnet, and the digests after and before it.
const BOUNDARY: Epoch = Epoch(419_072);
const CURRENT: ForkDigest = ForkDigest([0x8c, 0x9f, 0x62, 0xfe]);
const OTHER: ForkDigest = ForkDigest([0xcb, 0x0d, 0x1a, 0xcc]);

fn accepted_at(slot: Slot) -> AcceptedDigests {
    ForkSchedule::new(&ChainConfig::embedded(NetworkName::Mainnet)).accepted_digests(slot)
}

/// Long after the boundary.
fn current() -> AcceptedDigests {
    accepted_at(Epoch(BOUNDARY.0 + 10).start_slot())
}

fn predicate(reach: Reach) -> Predicate {
    Predicate { own_node_id: NodeId::new(&[7; 32]), reach }
}

fn reachable() -> EnrContent {
    let at = Endpoint { ip: [10, 0, 0, 1].into(), udp: Some(9000), tcp: Some(9000), quic: None };
    EnrContent { ip4: Some(at), ..content() }
}

fn enr(content: &EnrContent) -> Enr {
    build_enr(&CombinedKey::generate_secp256k1(), None, content).unwrap()
}

#[test]
fn accepts_a_record_on_the_fork_in_force() {
    let enr = enr(&reachable());
    let candidate = predicate(Reach::ALL).judge(&enr, &current()).unwrap();
    assert_eq!(candidate.peer_id, enr_peer_id(&enr).unwrap());
    assert_eq!((candidate.node_id, &candidate.enr), (enr.node_id(), &enr));
    assert_eq!(candidate.addresses, ["/ip4/10.0.0.1/tcp/9000".parse().unwrap()]);
}

#[test]
fn the_fork_schedule_decides_which_digests_pass() {
    let mut content = reachable();
    content.eth2.fork_digest = OTHER;
    let enr = enr(&content);
    assert_eq!(predicate(Reach::ALL).judge(&enr, &current()), Err(Refusal::WrongFork(OTHER)));
    assert!(predicate(Reach::ALL).judge(&enr, &accepted_at(BOUNDARY.start_slot())).is_ok());
}

#[test]
fn refuses_by_the_first_reason() {
    let judge = |enr: &Enr| predicate(Reach::ALL).judge(enr, &current()).unwrap_err();
    let own = enr(&reachable());
    let ours = Predicate { own_node_id: own.node_id(), reach: Reach::ALL };
    assert_eq!(ours.judge(&own, &current()), Err(Refusal::OwnRecord));
    assert_eq!(judge(&raw_record(&[("ip", &[10, 0, 0, 1]), ("tcp", &[0x23, 0x28])])), Refusal::NoEth2);
    assert_eq!(judge(&raw_record(&[("eth2", &[0; 15])])), Refusal::NoEth2);
    assert_eq!(judge(&enr(&content())), Refusal::NoAddress);
    let unspecified = raw_record(&[
        ("eth2", &hex::decode("8c9f62fe06000000ffffffffffffffff").unwrap()),
        ("ip", &[0, 0, 0, 0]),
        ("tcp", &[0x23, 0x28]),
    ]);
    assert_eq!(judge(&unspecified), Refusal::NoAddress);
}

#[test]
fn tells_no_address_from_one_that_we_cannot_dial() {
    let enr = enr(&reachable());
    for reach in [Reach { tcp: false, ..Reach::ALL }, Reach { ip4: false, ..Reach::ALL }] {
        assert_eq!(predicate(reach).judge(&enr, &current()), Err(Refusal::NoTransport), "{reach:?}");
    }
}

#[test]
fn refuses_a_key_that_libp2p_cannot_verify() {
    let enr = build_enr(&CombinedKey::generate_ed25519(), None, &reachable()).unwrap();
    assert_eq!(predicate(Reach::ALL).judge(&enr, &current()), Err(Refusal::BadKey));
}

#[test]
fn bootnodes_are_exempt_from_the_fork_alone() {
    let predicate = predicate(Reach::ALL);
    let vectors = vectors();
    let mainnet: Vec<_> = vectors["bootnodes"]["mainnet"].as_array().unwrap().iter().map(record).collect();
    assert!(mainnet.iter().all(|enr| predicate.judge(enr, &current()).is_err()));
    let dialable = mainnet.iter().filter(|enr| predicate.judge_bootnode(enr).is_ok()).count();
    let with_tcp = mainnet.iter().filter(|enr| enr.tcp4().is_some() || enr.quic4().is_some()).count();
    assert_eq!(dialable, with_tcp);
    assert!(dialable > 0);
    let own = Predicate { own_node_id: mainnet[0].node_id(), ..predicate };
    assert_eq!(own.judge_bootnode(&mainnet[0]), Err(Refusal::OwnRecord));
}

#[test]
fn counts_refusals_by_label() {
    let mut counts = RefusalCounts::default();
    for refusal in [Refusal::WrongFork(OTHER), Refusal::WrongFork(CURRENT), Refusal::OwnRecord, Refusal::BadKey] {
        counts.add(refusal);
    }
    let counted: Vec<_> = counts.iter().collect();
    let expected =
        [("self", 1), ("no_eth2", 0), ("wrong_fork", 2), ("no_address", 0), ("no_transport", 0), ("bad_key", 1)];
    assert_eq!(counted, expected);
    assert_eq!((counts.total(), Refusal::NoTransport.as_str()), (4, "no_transport"));
}
