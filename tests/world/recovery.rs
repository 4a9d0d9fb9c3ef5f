//! The recovery matrix: half of the target is back within a minute of the end of each cause, without a restart.

use std::time::Duration;

use beacond::peers::Cause;

use super::TARGET;
use super::sim::World;

const SEEDS: std::ops::Range<u64> = 0..5;
const MINUTE: Duration = Duration::from_secs(60);

fn settled(seed: u64) -> World {
    let mut world = World::new(seed, TARGET);
    world.run_for(MINUTE * 15);
    assert!(world.ready() >= TARGET * 9 / 10, "seed {seed}: {} peers before", world.ready());
    world
}

/// The cause has just ended.
fn recovers(world: &mut World, seed: u64) {
    let end = world.now;
    let recovered = world.run_until(MINUTE, |world| world.ready() >= TARGET / 2);
    let census = world.manager.census(world.now);
    eprintln!("seed {seed}: half of the target after {:?}", world.now - end);
    assert!(recovered, "seed {seed}: {census:?}");
}

#[test]
fn all_peers_lost_at_once() {
    for seed in SEEDS {
        let mut world = settled(seed);
        world.lose_everyone(Cause::Closed);
        assert_eq!(world.ready(), 0);
        recovers(&mut world, seed);
    }
}

#[test]
fn link_cut_for_one_ten_and_sixty_minutes() {
    for seed in SEEDS {
        for minutes in [1, 10, 60] {
            let mut world = settled(seed);
            world.cut();
            world.run_for(MINUTE * minutes);
            if minutes > 1 {
                assert_eq!(world.ready(), 0);
                assert!(world.manager.suspect().verdict().is_some(), "nothing suspected");
            }
            world.mend();
            recovers(&mut world, seed);
        }
    }
}

#[test]
fn dead_bootnodes_and_an_empty_table_from_the_start() {
    for seed in SEEDS {
        let mut world = World::new(seed, TARGET);
        world.discovery = false;
        let dead: Vec<_> = (0..).filter(|n| !world.network.node(*n).live).take(4).collect();
        for n in dead {
            world.add_bootnode(n);
        }
        world.run_for(MINUTE * 10);
        assert!(world.ready() <= 30, "only inbound peers: {}", world.ready());
        world.discovery = true;
        recovers(&mut world, seed);
    }
}

#[test]
fn an_empty_table_after_all_peers_were_lost() {
    for seed in SEEDS {
        let mut world = settled(seed);
        world.discovery = false;
        world.lose_everyone(Cause::Closed);
        recovers(&mut world, seed);
    }
}

#[test]
fn changed_address() {
    for seed in SEEDS {
        let mut world = settled(seed);
        world.change_address();
        assert!(world.ready() > 0, "nobody has noticed yet");
        world.run_for(Duration::from_secs(21));
        recovers_within(&mut world, seed, Duration::from_secs(39));
    }
}

#[test]
fn suspended_machine_and_clock_jump() {
    for seed in SEEDS {
        let mut world = settled(seed);
        world.suspend_machine(Duration::from_secs(8 * 3_600));
        world.run_for(Duration::from_secs(21));
        recovers_within(&mut world, seed, Duration::from_secs(39));
    }
}

/// Dead sessions have been noticed by now, so that those that are counted are new ones.
fn recovers_within(world: &mut World, seed: u64, rest: Duration) {
    let noticed = world.now;
    let recovered = world.run_until(rest, |world| world.living() >= TARGET / 2);
    let census = world.manager.census(world.now);
    eprintln!("seed {seed}: half of the target {:?} after the dead sessions were noticed", world.now - noticed);
    assert!(recovered, "seed {seed}: {} living, {census:?}", world.living());
}
