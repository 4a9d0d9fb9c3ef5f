//! The peer manager in a simulated network of 50,000 records, in virtual time: how fast it reaches its target, that it
//! keeps to its back-offs for a day, and that it comes back from every outage.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod network;
mod recovery;
mod sim;

use std::time::Duration;

use sim::World;

pub(crate) const TARGET: usize = 100;

/// Nanoseconds that this thread has run; `None` where the system does not say.
fn cpu_ns() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_whitespace().next()?.parse().ok()
}

/// Reached: as many peers as wanted, and each wanted subnet and column covered.
fn is_complete(world: &World) -> bool {
    world.ready() >= TARGET && world.manager.need().bare.is_empty()
}

#[test]
fn reaches_the_target_with_every_wanted_subnet_within_three_minutes() {
    for seed in 0..5 {
        let before = cpu_ns();
        let mut world = World::new(seed, TARGET);
        let reached = world.run_until(Duration::from_secs(180), is_complete);
        let census = world.manager.census(world.now);
        let (took, dials) = (world.elapsed(), world.dials);
        assert!(reached, "seed {seed}: {census:?} after {took:?}");
        let to_full = world.run_until(Duration::from_secs(600), |world| world.manager.need().is_empty());
        let full = to_full.then(|| world.elapsed());
        let cpu = before.zip(cpu_ns()).map(|(before, after)| Duration::from_nanos(after - before));
        eprintln!(
            "seed {seed}: complete after {took:?} and {dials} dials; three peers a subnet after {full:?}; CPU {cpu:?}"
        );
        assert!(cpu.is_none_or(|cpu| cpu < Duration::from_secs(10)), "seed {seed}: {cpu:?}");
    }
}

#[test]
fn keeps_its_target_and_its_back_offs_for_a_day() {
    let mut world = World::new(7, TARGET);
    world.run_for(Duration::from_secs(600));
    let mut least = usize::MAX;
    for _ in 0..24 * 12 {
        world.run_for(Duration::from_secs(300));
        least = least.min(world.ready());
        let (limits, counts) = (world.manager.limits(), world.manager.table().counts());
        assert!(counts.total() <= limits.max_total + limits.reserved_needed);
        assert!(counts.outbound >= limits.min_outbound, "{counts:?}");
    }
    let most = world.dialled.values().max().unwrap();
    eprintln!(
        "a day: at least {least} peers, {} dials of {} peers, none more than {most} times, suspected ourselves {} times, {:?}",
        world.dials,
        world.dialled.len(),
        world.suspicions,
        world.manager.census(world.now),
    );
    assert!(least >= TARGET * 9 / 10, "{least}");
    // a dead peer's back-off is 5 minutes at most, a quarter less by chance, and it must be found again after 4 dials
    assert!(*most <= 24 * 16, "{most}");
    assert_eq!(world.suspicions, 0);
}
