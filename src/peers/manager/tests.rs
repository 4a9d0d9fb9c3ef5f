//! The manager under random histories, beside a naive model; and what needs several of its parts at once.

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::super::UNANSWERED_DIALS;
use super::super::tests::{address, number, peer, record, seconds};
use super::*;
use crate::fault::{Fault, Severity};
use crate::types::Attnets;

const HIGH: Misbehaviour = Misbehaviour::Request(Fault::Violation(Severity::High));
const PEERS: u16 = 40;

/// A manager of target 8, and what must be true of it.
struct World {
    manager: PeerManager<u64>,
    now: Instant,
    wall_ms: u64,
    rng: ChaCha8Rng,
    known: BTreeSet<u16>,
    dialing: BTreeMap<u16, Instant>,
    ready: BTreeMap<u16, u64>,
    not_before: BTreeMap<u16, (Instant, Cause)>,
    mirror: BTreeMap<BanTarget, Instant>,
    last_connection: u64,
    lookups: usize,
}

fn config() -> ManagerConfig {
    ManagerConfig {
        limits: Limits::for_target(8),
        queue: DialQueueConfig { capacity: 12, known_capacity: 6, ..DialQueueConfig::default() },
        cover_targets: CoverTargets::default(),
        score_capacity: 16,
        custody: |_, _| 0,
    }
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let mut manager = PeerManager::new(peer(0), config(), now);
        manager.begin_dialling();
        manager.set_wanted(Cover { attnets: 0b11, ..Cover::default() });
        Self {
            manager,
            now,
            wall_ms: 1_700_000_000_000,
            rng: ChaCha8Rng::seed_from_u64(1),
            known: BTreeSet::new(),
            dialing: BTreeMap::new(),
            ready: BTreeMap::new(),
            not_before: BTreeMap::new(),
            mirror: BTreeMap::new(),
            last_connection: 0,
            lookups: 0,
        }
    }

    fn step(&mut self, op: u8, n: u16, pause: u64) {
        match op {
            0..20 => self.push(n, Source::Discovered),
            20 => self.push(n, Source::BootNode),
            21 => self.push(n, Source::KnownPeer),
            22..40 => self.end_dial(n, pause),
            40..48 => self.dialled_by(n),
            48..56 => self.lose(n, pause),
            56..64 => self.misbehave(n, pause),
            64 => self.clock(pause * 1_000),
            65 => self.link_changed(),
            66 => self.say(n),
            _ => {}
        }
        self.act();
        self.check();
        self.pass(pause);
        self.act();
        self.check();
    }

    fn push(&mut self, n: u16, source: Source) {
        let cover = Cover { attnets: u64::from(n % 4), ..Cover::default() };
        let candidate = Candidate { peer_id: peer(n), addresses: vec![address(n)], source };
        let pushed = self.manager.on_candidate(candidate, cover, self.now);
        if let Pushed::BackingOff { until } = pushed {
            assert!(until > self.now && !source.is_known());
        } else if source.is_known() && n != 0 && pushed != Pushed::Full && self.known.insert(n) {
            self.not_before.remove(&n);
        }
    }

    fn end_dial(&mut self, n: u16, pause: u64) {
        if self.dialing.remove(&n).is_none() {
            return;
        }
        if pause.is_multiple_of(3) {
            self.admit(n, Direction::Outbound);
        } else {
            let cause = Cause::ALL[usize::from(n) % Cause::ALL.len()];
            self.outcome(n, Outcome::Failed { direction: Direction::Outbound, cause }, cause);
        }
    }

    fn dialled_by(&mut self, n: u16) {
        if n == 0 || self.manager.check(Direction::Inbound, &peer(n), &address(n)).is_err() {
            return;
        }
        self.manager.on_connected(peer(n), self.now);
        self.admit(n, Direction::Inbound);
    }

    fn admit(&mut self, n: u16, direction: Direction) {
        self.last_connection += 1;
        let known = self.known.contains(&n);
        let mut record = PeerRecord { known, ..record(n, self.last_connection, direction, self.now) };
        let mut attnets = Attnets::default();
        attnets.set(usize::from(n % 3), true).unwrap();
        record.metadata = Some(MetaData { attnets, ..MetaData::default() });
        let cause = match self.manager.try_admit(record, self.now) {
            Admission::Accepted => {
                assert!(known || !self.mirror.contains_key(&BanTarget::Peer(peer(n))), "a banned peer was let in");
                self.ready.insert(n, self.last_connection);
                return self.outcome(n, Outcome::Ready { direction }, Cause::Local);
            }
            Admission::Spare(settlement) => {
                let lives = self.last_connection.is_multiple_of(2);
                let close = self.manager.settle(&peer(n), settlement.keep, lives).unwrap();
                let kept = if close == self.last_connection { self.ready[&n] } else { self.last_connection };
                self.ready.insert(n, kept);
                assert_eq!(self.manager.remove(&peer(n), close), Removal::Unneeded);
                Cause::Local
            }
            Admission::Replaced(_) | Admission::Surplus => unreachable!("settled at once, and in order"),
            Admission::Refused(exceeded) => {
                assert!(!known, "known peer refused: {exceeded:?}");
                exceeded.cause()
            }
        };
        self.outcome(n, Outcome::Failed { direction, cause }, cause);
    }

    fn lose(&mut self, n: u16, pause: u64) {
        let cause = Cause::ALL[usize::try_from(pause).unwrap() % Cause::ALL.len()];
        self.hang_up(n, cause);
    }

    fn hang_up(&mut self, n: u16, cause: Cause) {
        let Some(connection) = self.ready.remove(&n) else { return };
        assert!(matches!(self.manager.remove(&peer(n), connection), Removal::Gone(_)));
        self.outcome(n, Outcome::Gone { cause }, cause);
    }

    fn outcome(&mut self, n: u16, outcome: Outcome, cause: Cause) {
        let pause = self.manager.on_outcome(peer(n), outcome, self.now, &mut self.rng);
        assert!(pause <= seconds(86_400));
        if pause > Duration::ZERO {
            self.not_before.insert(n, (self.now + pause, cause));
        }
    }

    fn misbehave(&mut self, n: u16, pause: u64) {
        if n == 0 {
            return;
        }
        let faults = [Fault::Violation(Severity::High), Fault::Violation(Severity::Medium), Fault::Busy];
        let deed = Misbehaviour::Request(faults[usize::try_from(pause).unwrap() % 3]);
        let standing = self.manager.on_misbehaviour(peer(n), deed, Some(&address(n)), self.now);
        if let Standing::Banned { until } = standing {
            assert!(until <= self.now + super::super::LONGEST_BAN);
            assert!(!self.known.contains(&n), "known peer {n} is banned");
        }
    }

    fn clock(&mut self, jump_ms: u64) {
        self.wall_ms += jump_ms;
        self.manager.on_clock(self.wall_ms, self.now);
    }

    fn link_changed(&mut self) {
        self.manager.on_link_changed(self.now);
        self.forgive();
    }

    fn say(&mut self, n: u16) {
        if self.ready.contains_key(&n) {
            self.manager.on_ping(&peer(n), 0, self.now);
        }
    }

    fn forgive(&mut self) {
        self.not_before.retain(|_, (_, cause)| !cause.may_be_ours());
    }

    /// Does what the manager asks for; a connection is closed as soon as that is asked for.
    fn act(&mut self) {
        if self.manager.link_changed && self.manager.next_link_change <= self.now {
            self.forgive();
        }
        for _ in 0..10_000 {
            let Some(action) = self.manager.next_action(self.now) else {
                let wakeup = self.manager.wakeup(self.now);
                return assert!(wakeup.is_none_or(|at| at > self.now), "woken for nothing");
            };
            match action {
                Action::Dial(candidate) => self.on_dial(&candidate),
                Action::Upkeep(upkeep) => {
                    assert_eq!(self.ready.get(&number(&upkeep.peer_id)), Some(&upkeep.connection));
                    if upkeep.action == super::super::UpkeepAction::Disconnect {
                        self.hang_up(number(&upkeep.peer_id), Cause::Transient);
                    }
                }
                Action::Disconnect { peer_id, connection, goodbye, .. } => {
                    let n = number(&peer_id);
                    assert!(!self.known.contains(&n), "known peer {n} is left");
                    assert_eq!(self.ready.get(&n), Some(&connection));
                    let pruned = goodbye == GoodbyeReason::TOO_MANY_PEERS;
                    self.hang_up(n, if pruned { Cause::Pruned } else { Cause::Violation });
                }
                Action::Mirror(BanChange::Ban { target, until }) => {
                    self.mirror.insert(target, until);
                }
                Action::Mirror(BanChange::Unban { target }) => {
                    assert!(self.mirror.remove(&target).is_some(), "{target:?} was not banned");
                }
                Action::Suspect(SuspectChange::Began(_) | SuspectChange::Ended(_)) => self.forgive(),
                Action::Lookup(cover) => {
                    assert!(!cover.is_empty());
                    self.lookups += 1;
                }
                Action::BootstrapFailed(_) => {}
            }
        }
        panic!("it never comes to rest");
    }

    fn on_dial(&mut self, candidate: &Candidate) {
        let n = number(&candidate.peer_id);
        assert!(!self.ready.contains_key(&n), "peer {n} dialled while connected");
        let too_early = self.not_before.get(&n).filter(|(until, _)| *until > self.now);
        assert_eq!(too_early, None, "peer {n} dialled within its back-off");
        assert!(!self.mirror.contains_key(&BanTarget::Peer(peer(n))), "banned peer {n} dialled");
        assert_eq!(self.dialing.insert(n, self.now), None, "peer {n} dialled twice at once");
    }

    /// Lets time pass; dials end before they are given up.
    fn pass(&mut self, pause: u64) {
        self.now += seconds(pause);
        self.wall_ms += pause * 1_000;
        let limit = config().queue.attempt_limit;
        let late: Vec<_> =
            self.dialing.iter().filter(|(_, since)| **since + limit <= self.now).map(|(n, _)| *n).collect();
        for n in late {
            self.dialing.remove(&n);
            let failed = Outcome::Failed { direction: Direction::Outbound, cause: Cause::Transient };
            self.outcome(n, failed, Cause::Transient);
        }
    }

    fn check(&self) {
        let (limits, counts) = (self.manager.limits(), self.manager.table().counts());
        assert!(counts.total() <= limits.max_total + limits.reserved_needed + self.known.len());
        assert!(self.dialing.len() <= limits.max_pending_outbound);
        assert_eq!(counts.total(), self.ready.len());
        assert!(self.manager.scores().len() <= 16 && self.manager.shaking.len() <= limits.max_pending_inbound);
        assert!(self.manager.leaving.len() <= counts.total() && self.manager.traits.len() == counts.total());
        let bans: BTreeSet<_> = self.manager.scores().bans().map(|(peer_id, _)| number(peer_id)).collect();
        for n in 1..PEERS {
            let state = self.manager.state(&peer(n), self.now);
            assert_eq!(state == Some(PeerState::Ready), self.ready.contains_key(&n), "peer {n}: {state:?}");
            assert!(!self.known.contains(&n) || (state.is_some() && !bans.contains(&n)), "known peer {n}: {state:?}");
            assert_eq!(bans.contains(&n), self.mirror.contains_key(&BanTarget::Peer(peer(n))), "peer {n}");
            match state {
                Some(PeerState::Banned { until }) => {
                    assert!(self.now < until && until <= self.now + super::super::LONGEST_BAN, "peer {n}");
                }
                Some(PeerState::BackingOff { until }) => assert!(until > self.now, "peer {n}"),
                Some(PeerState::Waiting | PeerState::Connecting | PeerState::Connected | PeerState::Ready) | None => {}
            }
        }
    }

    /// A day later nobody is banned and everybody may be dialled.
    fn check_the_end(&mut self) {
        for _ in 0..50 {
            self.pass(3_600);
            for n in self.ready.keys().copied().collect::<Vec<_>>() {
                self.say(n);
            }
            self.act();
        }
        assert!(self.mirror.is_empty(), "banned for ever: {:?}", self.mirror);
        // the last dials end, and none follows
        self.pass(100);
        self.now += seconds(86_400);
        for n in 1..PEERS {
            let pushed = self.manager.on_candidate(
                Candidate { peer_id: peer(n), addresses: vec![address(n)], source: Source::Discovered },
                Cover::default(),
                self.now,
            );
            let idle = !self.dialing.contains_key(&n) && !self.ready.contains_key(&n);
            let backs_off = matches!(pushed, Pushed::BackingOff { .. });
            assert!(!idle || !backs_off, "peer {n} backs off for ever: {pushed:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_history_loses_a_peer_bans_for_ever_breaks_a_limit_or_dials_too_early(
        steps in prop::collection::vec((0u8..68, 0..PEERS, prop_oneof![3 => 0u64..3, 1 => 0u64..600]), 1..400)
    ) {
        let mut world = World::new();
        for (op, n, pause) in steps {
            world.step(op, n, pause);
        }
        world.check_the_end();
    }
}

fn ready(world: &mut World, peers: impl IntoIterator<Item = u16>) {
    for n in peers {
        world.dialled_by(n);
    }
}

#[test]
fn a_ban_ends_the_session_keeps_the_peer_out_and_is_lifted_everywhere() {
    let mut world = World::new();
    ready(&mut world, [1, 2, 3]);
    world.manager.on_misbehaviour(peer(1), HIGH, None, world.now);
    let leave = world.manager.next_action(world.now);
    let expected = GoodbyeReason::SCORE_TOO_LOW;
    assert!(matches!(leave, Some(Action::Disconnect { goodbye, .. }) if goodbye == expected), "{leave:?}");
    let standing = world.manager.on_misbehaviour(peer(1), HIGH, None, world.now);
    let Standing::Banned { until } = standing else { panic!("{standing:?}") };
    world.hang_up(1, Cause::Violation);
    world.act();
    assert_eq!(world.manager.state(&peer(1), world.now), Some(PeerState::Banned { until }));
    assert_eq!(world.manager.check(Direction::Inbound, &peer(1), &address(1)), Err(Exceeded::Banned));
    world.push(1, Source::Discovered);
    world.act();
    assert!(world.dialing.is_empty());
    world.now = until;
    world.act();
    assert!(world.mirror.is_empty());
    assert_eq!(world.manager.check(Direction::Inbound, &peer(1), &address(1)), Ok(()));
}

#[test]
fn the_operators_word_lifts_a_ban_and_known_peers_are_never_charged() {
    let mut world = World::new();
    world.manager.on_misbehaviour(peer(1), HIGH, None, world.now);
    world.manager.on_misbehaviour(peer(1), HIGH, None, world.now);
    world.act();
    assert_eq!(world.mirror.len(), 1);
    world.push(1, Source::KnownPeer);
    world.act();
    assert!(world.mirror.is_empty() && world.dialing.contains_key(&1));
    for _ in 0..100 {
        assert_eq!(world.manager.on_misbehaviour(peer(1), HIGH, None, world.now), Standing::Good);
    }
}

#[test]
fn nobody_is_banned_when_everybody_seems_to_misbehave_at_once() {
    let mut world = World::new();
    ready(&mut world, 1..=8);
    for _ in 0..5 {
        for n in 1..=8 {
            world.manager.on_misbehaviour(peer(n), HIGH, None, world.now);
        }
    }
    let bans: Vec<_> = world.manager.scores().bans().collect();
    assert_eq!(bans, []);
    assert_eq!(world.manager.suspect().verdict().unwrap().cause, Suspicion::PeersFaulty);
}

#[test]
fn what_our_own_outage_cost_is_forgiven_when_the_first_peer_is_back() {
    let mut world = World::new();
    ready(&mut world, 1..=8);
    for n in 1..=8 {
        world.push(n, Source::Discovered);
        world.hang_up(n, Cause::Closed);
    }
    world.act();
    assert!(world.dialing.is_empty(), "all back off");
    world.pass(90);
    world.act();
    assert_eq!(world.dialing.len(), PROBES, "only probes while we suspect ourselves");
    let n = *world.dialing.keys().next().unwrap();
    world.dialing.remove(&n);
    world.admit(n, Direction::Outbound);
    world.act();
    assert_eq!(world.manager.suspect().verdict(), None);
    assert_eq!(world.dialing.len() + world.ready.len(), 8);
}

#[test]
fn two_peers_that_are_away_for_two_minutes_are_no_trouble_of_ours() {
    let mut world = World::new();
    ready(&mut world, [1, 2]);
    for n in [1, 2] {
        world.push(n, Source::Discovered);
    }
    // a session that was worth something
    world.pass(60);
    for n in [1, 2] {
        world.hang_up(n, Cause::ShutDown);
    }
    let (end, mut dials) = (world.now + seconds(118), 0);
    while world.now < end {
        world.act();
        for n in std::mem::take(&mut world.dialing).into_keys() {
            let cause = Cause::Transient;
            world.outcome(n, Outcome::Failed { direction: Direction::Outbound, cause }, cause);
            dials += 1;
        }
        world.pass(1);
    }
    assert!(dials > 2 * UNANSWERED_DIALS, "{dials} dials");
    assert_eq!(world.manager.suspect().verdict(), None);
}

#[test]
fn asks_for_what_is_missing_and_dials_those_who_cover_it_first() {
    let mut world = World::new();
    world.act();
    assert_eq!(world.lookups, 1);
    for n in [2, 3, 4, 8] {
        world.push(n, Source::Discovered);
    }
    let first = world.manager.next_action(world.now);
    assert!(matches!(&first, Some(Action::Dial(candidate)) if candidate.peer_id == peer(3)), "{first:?}");
}

#[test]
fn a_peer_that_covers_what_is_missing_finds_a_place_when_all_are_taken() {
    let mut world = World::new();
    world.manager.set_wanted(Cover { attnets: 0b100, ..Cover::default() });
    let plain: Vec<_> = (1..PEERS).filter(|n| n % 3 != 2).collect();
    ready(&mut world, plain);
    let full = world.ready.len();
    assert_eq!(full, world.manager.limits().max_inbound);
    world.admit(2, Direction::Inbound);
    assert!(world.ready.contains_key(&2));
}

/// A manager of target 100 with 30 outbound and 30 inbound peers that have been here for a while.
fn honest() -> World {
    let mut world = World::new();
    let config = ManagerConfig { limits: Limits::for_target(100), queue: DialQueueConfig::default(), ..config() };
    world.manager = PeerManager::new(peer(0), config, world.now);
    world.manager.begin_dialling();
    for n in 1..=60 {
        world.admit(n, if n % 2 == 0 { Direction::Outbound } else { Direction::Inbound });
    }
    for _ in 0..6 {
        world.pass(10);
        for n in 1..=60 {
            world.say(n);
        }
    }
    world.act();
    world
}

#[test]
fn five_hundred_strangers_from_one_address_get_five_places() {
    let mut world = honest();
    let there: Multiaddr = "/ip4/9.9.9.9/tcp/9000".parse().unwrap();
    for n in 1_000..1_500 {
        if world.manager.check(Direction::Inbound, &peer(n), &there).is_ok() {
            let stranger =
                PeerRecord { address: there.clone(), ..record(n, u64::from(n), Direction::Inbound, world.now) };
            assert_eq!(world.manager.try_admit(stranger, world.now), Admission::Accepted);
            world.outcome(n, Outcome::Ready { direction: Direction::Inbound }, Cause::Local);
            world.ready.insert(n, u64::from(n));
        }
    }
    assert_eq!(world.ready.len(), 65);
}

#[test]
fn a_flood_from_everywhere_leaves_honest_peers_outbound_dials_and_known_peers_their_places() {
    let mut world = honest();
    for round in 0..10 {
        for n in 1_000..1_500 {
            world.dialled_by(n + round * 500);
        }
        assert!(world.ready.len() <= world.manager.limits().max_total);
        world.push(100, Source::Discovered);
        world.pass(30);
        for n in world.ready.keys().copied().collect::<Vec<_>>() {
            world.say(n);
        }
        world.act();
    }
    assert_eq!(world.ready.len(), 100);
    assert!((1..=60).all(|n| world.ready.contains_key(&n)), "an honest peer lost its place");
    world.push(9_000, Source::KnownPeer);
    world.act();
    assert!(world.dialing.contains_key(&9_000));
    world.dialing.remove(&9_000);
    world.admit(9_000, Direction::Outbound);
    assert!(world.ready.contains_key(&9_000));
}

#[test]
fn churned_identities_leave_nothing_behind() {
    let mut world = honest();
    let before = world.manager.queue().len();
    for n in 1_000..9_000 {
        world.dialled_by(n);
        world.manager.on_misbehaviour(peer(n), HIGH, Some(&address(n)), world.now);
        world.hang_up(n, Cause::Closed);
        world.act();
    }
    assert_eq!(world.manager.queue().len(), before);
    assert!(world.manager.scores().len() <= 16 && world.manager.traits.len() == 60);
    assert_eq!(world.manager.shaking.len(), 0);
}

#[test]
fn dead_known_peers_take_no_dials_from_discovered_ones() {
    let mut world = World::new();
    for n in 1..=6 {
        world.push(n, Source::BootNode);
    }
    world.act();
    assert_eq!(world.dialing.len(), 6);
    for n in 10..30 {
        world.push(n, Source::Discovered);
    }
    world.act();
    assert!(world.dialing.len() >= 6 + 8, "{}", world.dialing.len());
}

#[test]
fn an_address_in_place_of_one_that_went_is_noticed_although_it_comes_soon_after() {
    let mut world = World::new();
    world.link_changed();
    world.push(1, Source::KnownPeer);
    world.act();
    assert_eq!(world.dialing.len(), 1);
    let failed = Outcome::Failed { direction: Direction::Outbound, cause: Cause::Transient };
    // back-offs grow to half a minute
    for _ in 0..12 {
        for n in std::mem::take(&mut world.dialing).into_keys() {
            world.outcome(n, failed, Cause::Transient);
        }
        world.pass(2);
        world.act();
    }
    world.manager.next_link_change = world.now + seconds(5);
    world.link_changed();
    for n in std::mem::take(&mut world.dialing).into_keys() {
        world.outcome(n, failed, Cause::Transient);
    }
    world.forgive();
    world.pass(5);
    world.act();
    assert!(!world.manager.link_changed, "acted upon");
    assert_eq!(world.dialing.len(), 1, "its back-off is void");
}
