//! What the peer manager costs: the scheduler and pruning at 200 ready peers and 50,000 known ones, bytes for each known
//! record, and the time to the target against a plain loop "lookup, dial all" in the same simulated network.
//!
//! `cargo bench --bench peers` prints the bytes and the times to the target before the timings.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should say where")]
#![expect(dead_code, reason = "the simulated network serves the tests as well")]

#[path = "../tests/world/network.rs"]
mod network;
#[path = "../tests/world/sim.rs"]
mod sim;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;

use beacond::peers::{
    Action, Admission, Cause, Cover, CoverTargets, Coverage, DialQueueConfig, ManagerConfig, NetGroup, Outcome,
    PeerManager, Pruner, Removal, Resident, Source,
};
use beacond::types::{Direction, Slot};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use network::{Answer, Network, RECORDS, peer_id};
use sim::{World, config, record, wanted};

const READY: u32 = 200;
const TARGET: usize = 100;

/// A manager with 200 ready peers and so many places for candidates.
fn manager(network: &Network, capacity: usize, now: Instant) -> PeerManager<u64> {
    let queue = DialQueueConfig { capacity, ..DialQueueConfig::default() };
    let config = ManagerConfig { queue, ..config(READY as usize) };
    let mut manager = PeerManager::new(peer_id(u32::MAX), config, now);
    manager.begin_dialling();
    manager.set_wanted(wanted());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for n in 0..READY {
        let direction = if n % 2 == 0 { Direction::Inbound } else { Direction::Outbound };
        let admission = manager.try_admit(record(network, n, u64::from(n), direction, Slot(0), now), now);
        assert_eq!(admission, Admission::Accepted, "peer {n}");
        manager.on_outcome(peer_id(n), Outcome::Ready { direction }, now, &mut rng);
    }
    manager
}

fn fill(manager: &mut PeerManager<u64>, network: &Network, now: Instant) {
    for n in READY..RECORDS {
        manager.on_candidate(network.candidate(n, Source::Discovered), network.node(n).cover, now);
    }
}

fn drain(manager: &mut PeerManager<u64>, now: Instant) -> usize {
    std::iter::from_fn(|| manager.next_action(now)).count()
}

/// A ping is answered, and the loop asks for what is to do and when to ask again.
fn one_event(c: &mut Criterion) {
    let network = Network::new(1);
    for (name, capacity) in [("512", 512), ("50,000", 50_000)] {
        let start = Instant::now();
        let mut manager = manager(&network, capacity, start);
        fill(&mut manager, &network, start);
        drain(&mut manager, start);
        let mut n = 0;
        c.bench_function(&format!("one event of 200 peers, {name} waiting"), |b| {
            b.iter(|| {
                n = (n + 1) % READY;
                manager.on_ping(&peer_id(n), 0, start);
                drain(&mut manager, start);
                black_box(manager.wakeup(start))
            });
        });
    }
}

/// A place is free: the best candidate is chosen, dialled and fails, and discovery names another.
fn one_dial(c: &mut Criterion) {
    let network = Network::new(1);
    for (name, capacity) in [("512", 512), ("50,000", 50_000)] {
        let mut now = Instant::now();
        let mut manager = manager(&network, capacity, now);
        fill(&mut manager, &network, now);
        // one below the target: dialling goes on
        assert!(matches!(manager.remove(&peer_id(1), 1), Removal::Gone(_)));
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        manager.on_outcome(peer_id(1), Outcome::Gone { cause: Cause::ShutDown }, now, &mut rng);
        let failed = Outcome::Failed { direction: Direction::Outbound, cause: Cause::Local };
        let mut found = READY;
        c.bench_function(&format!("one dial, {name} waiting"), |b| {
            b.iter(|| {
                now += Duration::from_millis(25);
                let dial = std::iter::from_fn(|| manager.next_action(now)).find_map(|action| match action {
                    Action::Dial(candidate) => Some(candidate),
                    _ => None,
                });
                manager.on_outcome(dial.unwrap().peer_id, failed, now, &mut rng);
                found = if found + 1 < RECORDS { found + 1 } else { READY };
                let cover = network.node(found).cover;
                manager.on_candidate(network.candidate(found, Source::Discovered), cover, now)
            });
        });
    }
}

/// Half of 200 ready peers have to go.
fn prune(c: &mut Criterion) {
    let network = Network::new(1);
    let now = Instant::now();
    let residents: Vec<_> = (0..READY)
        .map(|n| {
            let record = record(&network, n, u64::from(n), Direction::Inbound, Slot(0), now);
            Resident {
                peer_id: record.peer_id,
                direction: record.direction,
                known: false,
                score: -f64::from(n % 5),
                cover: network.node(n).cover,
                client: record.client,
                net: NetGroup::of(&record.address),
                head_slot: Slot(0),
                ready_at: now,
            }
        })
        .collect();
    let covers = residents.iter().map(|resident| resident.cover);
    let coverage = Coverage::new(wanted(), CoverTargets::default(), covers);
    let limits = config(TARGET).limits;
    c.bench_function("prune 200 peers to 100", |b| {
        b.iter(|| black_box(Pruner::new(now).prune(&residents, coverage.clone(), &limits, now)));
    });
}

/// Resident bytes of this process.
fn resident_bytes() -> Option<usize> {
    let pages: usize = std::fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4_096)
}

fn bytes_per_record(_: &mut Criterion) {
    let network = Network::new(1);
    let now = Instant::now();
    let mut manager = manager(&network, 50_000, now);
    let before = resident_bytes();
    fill(&mut manager, &network, now);
    if let Some((before, after)) = before.zip(resident_bytes()) {
        eprintln!(
            "{} bytes for each of {} known records",
            (after - before) / (RECORDS - READY) as usize,
            RECORDS - READY
        );
    }
    black_box(manager);
}

/// Finds, dials all that were found, waits for all of them, and so on.
fn plain_loop(network: &Network, seed: u64) -> (Duration, u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut ready, mut elapsed, mut dials) = (BTreeSet::new(), Duration::ZERO, 0);
    loop {
        elapsed += sim::LOOKUP;
        let found: BTreeSet<_> = network.lookup(None, &mut rng).into_iter().collect();
        let mut slowest = Duration::ZERO;
        for n in found.difference(&ready.clone()) {
            let (answer, took) = network.dial(*n, &mut rng);
            dials += 1;
            slowest = slowest.max(took);
            if answer == Answer::Ready {
                ready.insert(*n);
            }
        }
        elapsed += slowest;
        let covers = ready.iter().map(|n| network.node(*n).cover);
        let need = Coverage::new(wanted(), CoverTargets::default(), covers).need();
        if ready.len() >= TARGET && need.bare == Cover::default() {
            return (elapsed, dials);
        }
    }
}

fn time_to_target(_: &mut Criterion) {
    let mut sums = (Duration::ZERO, Duration::ZERO);
    for seed in 0..10 {
        let mut world = World::new(seed, TARGET);
        let is_complete = |world: &World| world.ready() >= TARGET && world.manager.need().bare.is_empty();
        assert!(world.run_until(Duration::from_secs(3_600), is_complete), "seed {seed}");
        let (plain, dials) = plain_loop(&world.network, seed);
        let ours = world.elapsed();
        eprintln!(
            "seed {seed}: target with all subnets after {ours:?} and {} dials; plain loop {plain:?} and {dials} dials",
            world.dials
        );
        sums = (sums.0 + ours, sums.1 + plain);
    }
    eprintln!("time to target: the plain loop takes {:.1} times as long", sums.1.as_secs_f64() / sums.0.as_secs_f64());
}

criterion_group!(benches, bytes_per_record, time_to_target, one_event, one_dial, prune);
criterion_main!(benches);
