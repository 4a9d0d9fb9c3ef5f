//! What the fork schedule costs: once at start, at every fork question, and for every record that discovery sees.

use std::hint::black_box;

use beacond::chain::{ChainConfig, ForkSchedule, NetworkName};
use beacond::types::{Epoch, Slot};
use criterion::{Criterion, criterion_group, criterion_main};

fn fork_digest(criterion: &mut Criterion) {
    let config = ChainConfig::embedded(NetworkName::Mainnet);
    let schedule = ForkSchedule::new(&config);
    let slot = Epoch(419_072).start_slot();
    let digest = schedule.digest_at(slot.epoch());

    criterion.bench_function("fork_schedule/build", |bencher| {
        bencher.iter(|| ForkSchedule::new(black_box(&config)));
    });
    criterion.bench_function("fork_schedule/digest_at", |bencher| {
        bencher.iter(|| schedule.digest_at(black_box(Epoch(419_072))));
    });
    criterion.bench_function("fork_schedule/accepted_digests", |bencher| {
        bencher.iter(|| schedule.accepted_digests(black_box(Slot(slot.0 - 1))).contains(black_box(digest)));
    });
}

criterion_group!(benches, fork_digest);
criterion_main!(benches);
