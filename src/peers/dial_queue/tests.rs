//! The dial queue, one behaviour at a time; whole histories are in `peers/tests.rs`.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::super::tests::{address, peer};
use super::*;

const FAILED: Outcome = Outcome::Failed { direction: Direction::Outbound, cause: Cause::Transient };
const READY: Outcome = Outcome::Ready { direction: Direction::Outbound };

struct Fixture {
    queue: DialQueue,
    now: Instant,
    rng: ChaCha8Rng,
}

impl Fixture {
    fn new(config: DialQueueConfig) -> Self {
        let queue = DialQueue::new(peer(0), config);
        Self { queue, now: Instant::now(), rng: ChaCha8Rng::seed_from_u64(7) }
    }

    fn push(&mut self, n: u16, source: Source) -> Pushed {
        self.push_at(n, vec![address(n)], source)
    }

    fn push_at(&mut self, n: u16, addresses: Vec<Multiaddr>, source: Source) -> Pushed {
        self.queue.push(Candidate { peer_id: peer(n), addresses, source }, self.now)
    }

    fn next(&mut self) -> Option<PeerId> {
        self.queue.next(Want::Any, self.now).map(|candidate| candidate.peer_id)
    }

    fn outcome(&mut self, n: u16, outcome: Outcome) -> Duration {
        self.queue.on_outcome(peer(n), outcome, self.now, &mut self.rng)
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
}

fn fixture() -> Fixture {
    Fixture::new(DialQueueConfig::default())
}

#[test]
fn a_queue_full_of_failed_peers_still_takes_a_fresh_one() {
    let mut f = Fixture::new(DialQueueConfig { capacity: 8, ..DialQueueConfig::default() });
    for n in 1..=8 {
        assert_eq!(f.push(n, Source::Discovered), Pushed::Queued);
    }
    assert!(!f.queue.takes_discovered(f.now), "nobody has failed yet");
    while let Some(peer_id) = f.next() {
        let failed = Outcome::Failed { direction: Direction::Outbound, cause: Cause::TooManyPeers };
        f.queue.on_outcome(peer_id, failed, f.now, &mut f.rng);
    }
    assert_eq!((f.queue.room(), f.next()), (0, None));
    assert!(f.queue.takes_discovered(f.now));
    assert_eq!(f.push(9, Source::Discovered), Pushed::Queued);
    assert_eq!(f.next(), Some(peer(9)));
}

#[test]
fn dials_known_peers_first_and_then_the_freshest_discovered_one() {
    let mut f = fixture();
    for (n, source) in [
        (1, Source::Discovered),
        (2, Source::Discovered),
        (3, Source::KnownPeer),
        (4, Source::BootNode),
        (5, Source::Discovered),
    ] {
        assert_eq!(f.push(n, source), Pushed::Queued);
    }
    assert_eq!(f.push(1, Source::Discovered), Pushed::Merged, "makes it the freshest");
    let order: Vec<_> = std::iter::from_fn(|| f.next()).take(20).collect();
    assert_eq!(order, [3, 4, 1, 5, 2].map(peer));
}

#[test]
fn names_the_reason_of_each_refusal() {
    let mut f = Fixture::new(DialQueueConfig { capacity: 1, ..DialQueueConfig::default() });
    assert_eq!(f.push(0, Source::KnownPeer), Pushed::Myself);
    assert_eq!(f.push_at(1, vec![], Source::Discovered), Pushed::NoAddress);
    assert_eq!(f.push(1, Source::Discovered), Pushed::Queued);
    assert_eq!(f.push(2, Source::Discovered), Pushed::Full);
    assert_eq!(f.next(), Some(peer(1)));
    assert_eq!(f.push(1, Source::Discovered), Pushed::Dialing);
    f.outcome(1, READY);
    assert_eq!(f.push(1, Source::Discovered), Pushed::Connected);
    let failed = Outcome::Failed { direction: Direction::Inbound, cause: Cause::Incompatible };
    let until = f.now + f.outcome(3, failed);
    assert_eq!(f.push(3, Source::Discovered), Pushed::BackingOff { until });
}

#[test]
fn merges_addresses_newest_first_and_keeps_eight() {
    let mut f = fixture();
    f.push_at(1, (10..16).map(address).collect(), Source::Discovered);
    f.push_at(1, (14..20).map(address).collect(), Source::Discovered);
    let candidate = f.queue.next(Want::Any, f.now).unwrap();
    assert_eq!(candidate.addresses, [14, 15, 16, 17, 18, 19, 10, 11].map(address));
}

#[test]
fn learned_addresses_never_displace_the_given_ones() {
    let mut f = fixture();
    f.push(1, Source::KnownPeer);
    f.push_at(1, (10..30).map(address).collect(), Source::Discovered);
    let candidate = f.queue.next(Want::Any, f.now).unwrap();
    assert_eq!(candidate.addresses.len(), MAX_ADDRESSES);
    assert_eq!(candidate.addresses[0], address(1));
    assert_eq!(candidate.source, Source::KnownPeer);
}

#[test]
fn strips_the_identity_and_refuses_overlong_addresses() {
    let mut f = fixture();
    let with_identity = address(1).with(Protocol::P2p(peer(1)));
    let overlong = Multiaddr::empty().with(Protocol::Dns4("x".repeat(300).into()));
    assert_eq!(f.push_at(1, vec![overlong.clone()], Source::KnownPeer), Pushed::NoAddress);
    f.push_at(1, vec![with_identity, overlong, address(1)], Source::KnownPeer);
    assert_eq!(f.queue.next(Want::Any, f.now).unwrap().addresses, [address(1)]);
}

#[test]
fn redials_known_peers_for_ever_with_at_most_half_a_minute_between() {
    let mut f = fixture();
    f.push(1, Source::BootNode);
    for attempt in 0..500 {
        assert_eq!(f.next(), Some(peer(1)), "attempt {attempt}");
        assert_eq!(f.next(), None, "attempt {attempt}: dialled twice at once");
        let pause = f.outcome(1, FAILED);
        assert!(pause > Duration::ZERO && pause <= Duration::from_secs(30), "attempt {attempt}: {pause:?}");
        assert_eq!(f.next(), None, "attempt {attempt}: dialled before its time");
        assert_eq!(f.queue.wakeup(Want::KnownOnly, f.now), Some(f.now + pause));
        f.now += pause;
    }
}

#[test]
fn drops_a_discovered_peer_after_some_failures_until_it_is_found_again() {
    let mut f = fixture();
    f.push(1, Source::Discovered);
    let mut pause = Duration::ZERO;
    for _ in 0..f.queue.config.max_failures {
        assert_eq!(f.next(), Some(peer(1)));
        pause = f.outcome(1, FAILED);
        f.now += pause;
    }
    assert_eq!(f.queue.state(&peer(1), f.now), None);
    assert_eq!(f.queue.wakeup(Want::Any, f.now), None);
    f.now -= pause;
    assert_eq!(f.push(1, Source::Discovered), Pushed::BackingOff { until: f.now + pause });
    f.now += pause;
    assert_eq!(f.push(1, Source::Discovered), Pushed::Queued);
}

#[test]
fn naming_a_peer_as_known_ends_its_back_off_once() {
    let mut f = fixture();
    let failed = Outcome::Failed { direction: Direction::Outbound, cause: Cause::Incompatible };
    f.push(1, Source::Discovered);
    assert_eq!(f.next(), Some(peer(1)));
    f.outcome(1, failed);
    assert_eq!(f.push(1, Source::KnownPeer), Pushed::Merged);
    assert_eq!(f.next(), Some(peer(1)));
    f.outcome(1, failed);
    assert_eq!(f.push(1, Source::KnownPeer), Pushed::Merged);
    assert_eq!(f.next(), None);
}

#[test]
fn dead_known_peers_take_turns_with_discovered_ones() {
    let mut f = fixture();
    (1..=4).for_each(|n| assert_eq!(f.push(n, Source::BootNode), Pushed::Queued));
    for n in 1..=4 {
        assert_eq!(f.next(), Some(peer(n)));
        f.outcome(n, FAILED);
    }
    f.pass(60);
    (11..=14).for_each(|n| assert_eq!(f.push(n, Source::Discovered), Pushed::Queued));
    let order: Vec<_> = std::iter::from_fn(|| f.next()).take(20).collect();
    assert_eq!(order, [1, 14, 2, 13, 3, 12, 4, 11].map(peer));
}

#[test]
fn at_the_target_only_known_peers_are_dialled() {
    let mut f = fixture();
    f.push(1, Source::Discovered);
    assert_eq!(f.queue.next(Want::KnownOnly, f.now), None);
    assert_eq!(f.queue.wakeup(Want::KnownOnly, f.now), None);
    f.push(2, Source::KnownPeer);
    assert_eq!(f.queue.wakeup(Want::KnownOnly, f.now), Some(f.now));
    assert_eq!(f.queue.next(Want::KnownOnly, f.now).unwrap().peer_id, peer(2));
}

#[test]
fn full_queue_replaces_failed_and_stale_candidates_only() {
    let mut f = Fixture::new(DialQueueConfig { capacity: 2, ..DialQueueConfig::default() });
    f.push(1, Source::Discovered);
    f.push(2, Source::Discovered);
    assert_eq!(f.push(3, Source::Discovered), Pushed::Full);
    assert_eq!(f.push(9, Source::KnownPeer), Pushed::Queued, "known peers have places of their own");
    assert_eq!(f.queue.next(Want::Any, f.now).unwrap().peer_id, peer(9));
    assert_eq!(f.next(), Some(peer(2)));
    f.outcome(2, FAILED);
    assert_eq!(f.push(3, Source::Discovered), Pushed::Queued);
    assert_eq!(f.queue.state(&peer(2), f.now), None);
    assert_eq!(f.push(4, Source::Discovered), Pushed::Full);
    f.pass(600);
    assert_eq!(f.push(4, Source::Discovered), Pushed::Queued);
    assert_eq!(f.queue.state(&peer(1), f.now), None);
    assert_eq!(f.queue.room(), 0);
}

#[test]
fn known_peers_are_bounded_too() {
    let mut f = Fixture::new(DialQueueConfig { known_capacity: 2, ..DialQueueConfig::default() });
    f.push(1, Source::KnownPeer);
    f.push(2, Source::Discovered);
    f.push(3, Source::BootNode);
    assert_eq!(f.push(4, Source::KnownPeer), Pushed::Full);
    assert_eq!(f.push(2, Source::KnownPeer), Pushed::Full);
    assert_eq!(f.queue.source(&peer(2)), Some(Source::Discovered));
    assert_eq!(f.push(1, Source::BootNode), Pushed::Merged);
    assert_eq!(f.queue.source(&peer(1)), Some(Source::BootNode));
}

#[test]
fn losing_a_duplicate_connection_costs_nothing() {
    let mut f = fixture();
    f.push(1, Source::Discovered);
    assert_eq!(f.next(), Some(peer(1)));
    f.outcome(1, Outcome::Ready { direction: Direction::Inbound });
    assert_eq!(f.outcome(1, FAILED), Duration::ZERO);
    assert_eq!(f.queue.state(&peer(1), f.now), Some(DialState::Connected));
}

#[test]
fn an_inbound_session_that_ends_does_not_start_a_second_dial() {
    let mut f = fixture();
    f.push(1, Source::KnownPeer);
    assert_eq!(f.next(), Some(peer(1)));
    f.outcome(1, Outcome::Ready { direction: Direction::Inbound });
    f.outcome(1, Outcome::Gone { cause: Cause::Closed });
    f.pass(5);
    assert_eq!(f.queue.state(&peer(1), f.now), Some(DialState::Dialing));
    assert_eq!(f.next(), None);
    f.outcome(1, READY);
    assert_eq!(f.queue.state(&peer(1), f.now), Some(DialState::Connected));
}

#[test]
fn an_attempt_without_an_outcome_is_given_up() {
    let mut f = fixture();
    f.push(1, Source::KnownPeer);
    assert_eq!(f.next(), Some(peer(1)));
    assert_eq!(f.queue.dialing(f.now), 1);
    assert_eq!(f.queue.wakeup(Want::Any, f.now), Some(f.now + f.queue.config.attempt_limit));
    f.pass(60);
    assert_eq!(f.queue.dialing(f.now), 0);
    assert_eq!(f.next(), Some(peer(1)));
}

#[test]
fn long_sessions_wipe_the_slate_and_short_ones_do_not() {
    let mut f = fixture();
    f.push(1, Source::KnownPeer);
    let mut last = Duration::ZERO;
    let (began, mut sessions) = (f.now, 0);
    while f.now < began + 2 * AWAITED {
        assert_eq!(f.next(), Some(peer(1)));
        f.outcome(1, READY);
        f.pass(1);
        last = f.outcome(1, Outcome::Gone { cause: Cause::Closed });
        f.now += last;
        sessions += 1;
    }
    assert!(sessions < 85, "{sessions} sessions of a flapping peer");
    assert!(last > Duration::from_secs(20), "a flapping peer is dialled every {last:?}");
    assert_eq!(f.next(), Some(peer(1)));
    f.outcome(1, READY);
    f.pass(60);
    assert!(f.outcome(1, Outcome::Gone { cause: Cause::Closed }) <= Duration::from_secs(1));
}

#[test]
fn a_peer_that_left_is_tried_every_half_slot_for_two_minutes_whatever_its_port_says() {
    let awaited_pause = DialQueueConfig::default().awaited_pause;
    for (source, leave, session) in [
        (Source::Discovered, Cause::ShutDown, 3),
        (Source::Discovered, Cause::Closed, 10),
        (Source::BootNode, Cause::ShutDown, 3),
        (Source::KnownPeer, Cause::Transient, 3),
    ] {
        let mut f = fixture();
        f.push(1, source);
        assert_eq!(f.next(), Some(peer(1)));
        f.outcome(1, READY);
        f.pass(session);
        let left = f.now;
        let pause = f.outcome(1, Outcome::Gone { cause: leave });
        f.now += pause;
        while f.queue.awaits(&peer(1), f.now) {
            let context = format!("{source:?}, {leave:?}, {:?} after it left", f.now - left);
            assert_eq!(f.next(), Some(peer(1)), "{context}");
            f.queue.on_address_silent(&address(1), f.now, &mut f.rng);
            let pause = f.outcome(1, FAILED);
            assert!(pause <= awaited_pause, "{context}: {pause:?}");
            f.now += pause;
        }
        assert!((AWAITED..AWAITED + awaited_pause).contains(&(f.now - left)));
        f.pass(600);
        assert_eq!(f.next(), Some(peer(1)), "not dropped for having been away");
        assert!(f.outcome(1, FAILED) <= Cause::Transient.schedule(source).first);
    }
}

#[test]
fn a_peer_that_moved_is_tried_soon_and_one_that_sent_us_away_is_not() {
    for (leave, soon) in [(Cause::Closed, true), (Cause::Transient, true), (Cause::TooManyPeers, false)] {
        let mut f = fixture();
        f.push(1, Source::Discovered);
        assert_eq!(f.next(), Some(peer(1)));
        f.outcome(1, READY);
        f.pass(3);
        f.outcome(1, Outcome::Gone { cause: leave });
        f.push(1, Source::Discovered);
        let pause = DialQueueConfig::default().awaited_pause.as_secs();
        f.pass(pause);
        assert_eq!(f.next(), None, "{leave:?}: the same address");
        let moved = Candidate { peer_id: peer(1), addresses: vec![address(200)], source: Source::Discovered };
        f.queue.push(moved, f.now);
        f.pass(pause);
        assert_eq!(f.next().is_some(), soon, "{leave:?}");
    }
}

#[test]
fn whoever_was_pruned_is_left_alone_and_no_longer_preferred() {
    let mut f = fixture();
    f.push(1, Source::Discovered);
    assert_eq!(f.next(), Some(peer(1)));
    f.queue.on_proven(&peer(1));
    f.outcome(1, READY);
    f.pass(900);
    let pause = f.outcome(1, Outcome::Gone { cause: Cause::Pruned });
    assert!(pause >= Duration::from_secs(450), "{pause:?}");
    f.pass(600);
    let not_proven = |prospect: Prospect<'_>| (!prospect.proven).then_some(0);
    assert!(f.queue.next_by(Want::Any, f.now, not_proven).is_some());
}

#[test]
fn who_sent_us_away_is_left_alone_as_long_as_before() {
    for leave in [Cause::TooManyPeers, Cause::Banned, Cause::Incompatible, Cause::Violation] {
        let mut f = fixture();
        f.push(1, Source::Discovered);
        assert_eq!(f.next(), Some(peer(1)));
        f.outcome(1, READY);
        f.pass(100);
        let pause = f.outcome(1, Outcome::Gone { cause: leave });
        assert!(pause >= leave.schedule(Source::Discovered).first.mul_f64(0.75), "{leave:?}: {pause:?}");
        assert!(!f.queue.awaits(&peer(1), f.now));
    }
}

#[test]
fn an_unknown_inbound_peer_leaves_nothing_behind() {
    let mut f = fixture();
    f.outcome(1, Outcome::Ready { direction: Direction::Inbound });
    assert_eq!(f.queue.state(&peer(1), f.now), Some(DialState::Connected));
    f.outcome(1, Outcome::Gone { cause: Cause::Closed });
    assert_eq!(f.queue.state(&peer(1), f.now), None);
}

#[test]
fn a_silent_address_is_left_alone_whoever_claims_it() {
    let mut f = fixture();
    f.push_at(1, vec![address(1), address(9)], Source::Discovered);
    f.push_at(2, vec![address(9)], Source::Discovered);
    f.push_at(3, vec![address(9), address(3)], Source::KnownPeer);
    f.queue.on_address_silent(&address(9).with(Protocol::P2p(peer(1))), f.now, &mut f.rng);
    let known = f.queue.next(Want::Any, f.now).unwrap();
    assert_eq!(known.addresses, [address(3), address(9)], "a known peer is tried everywhere, dead ends last");
    let other = f.queue.next(Want::Any, f.now).unwrap();
    assert_eq!((other.peer_id, other.addresses), (peer(1), vec![address(1)]));
    assert_eq!(f.next(), None);
    f.queue.on_address_reached(&address(9));
    assert_eq!(f.next(), Some(peer(2)));
}

#[test]
fn forgiving_a_cause_makes_its_peers_due_at_once() {
    let mut f = fixture();
    f.push(1, Source::Discovered);
    assert_eq!(f.next(), Some(peer(1)));
    f.outcome(1, Outcome::Failed { direction: Direction::Outbound, cause: Cause::Incompatible });
    assert_eq!(f.next(), None);
    f.queue.forgive(Cause::Incompatible);
    assert_eq!(f.next(), Some(peer(1)));
}

#[test]
fn a_peer_that_fails_inbound_while_it_is_dialled_is_kept_until_the_dial_ends() {
    let mut f = Fixture::new(DialQueueConfig { max_failures: 1, ..DialQueueConfig::default() });
    f.push(1, Source::Discovered);
    assert_eq!(f.next(), Some(peer(1)));
    f.outcome(1, Outcome::Failed { direction: Direction::Inbound, cause: Cause::Transient });
    assert_eq!(f.queue.state(&peer(1), f.now), Some(DialState::Dialing));
    f.outcome(1, FAILED);
    assert_eq!((f.queue.state(&peer(1), f.now), f.queue.room()), (None, DialQueueConfig::default().capacity));
}
