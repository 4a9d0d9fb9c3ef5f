//! What judging a record costs, against what it cost to decode and verify that record in the first place.
//!
//! `cargo bench --bench predicate`

use std::hint::black_box;

use beacond::chain::{ChainConfig, ForkSchedule, NetworkName};
use beacond::discovery::{Endpoint, EnrContent, Predicate, Reach, Refusal, build_enr};
use beacond::types::{Enr, Epoch, NodeId};
use criterion::{Criterion, criterion_group, criterion_main};
use enr::CombinedKey;

const EPOCH: Epoch = Epoch(420_000);

/// A record as mainnet shows them, on the fork of `EPOCH`.
fn mainnet_record(schedule: &ForkSchedule) -> Enr {
    let state = schedule.state_at(EPOCH);
    let at = Endpoint { ip: [198, 51, 100, 7].into(), udp: Some(9000), tcp: Some(9000), quic: Some(9001) };
    let content = EnrContent {
        eth2: state.enr_fork_id,
        attnets: Default::default(),
        syncnets: Default::default(),
        cgc: 4,
        nfd: state.nfd,
        ip4: Some(at),
        ip6: None,
    };
    build_enr(&CombinedKey::generate_secp256k1(), None, &content).expect("the content fits and is dialable")
}

fn judge(c: &mut Criterion) {
    let schedule = ForkSchedule::new(&ChainConfig::embedded(NetworkName::Mainnet));
    let (now, long_ago) =
        (schedule.accepted_digests(EPOCH.start_slot()), schedule.accepted_digests(Epoch(0).start_slot()));
    let enr = mainnet_record(&schedule);
    let text = enr.to_base64();
    let predicate = Predicate { own_node_id: NodeId::new(&[7; 32]), reach: Reach::ALL };
    let no_transport = Predicate { reach: Reach { ip4: false, ..Reach::ALL }, ..predicate };
    assert!(predicate.judge(&enr, &now).is_ok());
    assert!(matches!(predicate.judge(&enr, &long_ago), Err(Refusal::WrongFork(_))));
    assert_eq!(no_transport.judge(&enr, &now), Err(Refusal::NoTransport));

    let mut group = c.benchmark_group("enr");
    group.bench_function("decode_and_verify", |b| b.iter(|| black_box(&text).parse::<Enr>()));
    group.bench_function("judge/accepted", |b| b.iter(|| predicate.judge(black_box(&enr), &now)));
    group.bench_function("judge/wrong_fork", |b| b.iter(|| predicate.judge(black_box(&enr), &long_ago)));
    group.bench_function("judge/no_transport", |b| b.iter(|| no_transport.judge(black_box(&enr), &now)));
    group.finish();
}

criterion_group!(benches, judge);
criterion_main!(benches);
