//! Random histories of a whole node's peers, and a small network of such nodes; helpers for the tests beside the code.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::*;
use crate::types::{
    Client, Direction, Epoch, ForkDigest, MetaData, Multiaddr, Muxer, PeerId, Root, Slot, StatusMessage, Transport,
};

/// The peer of this number; peer ids are in the order of the numbers.
pub(super) fn peer(n: u16) -> PeerId {
    let [high, low] = n.to_be_bytes();
    PeerId::from_bytes(&[0, 2, high, low]).unwrap()
}

/// The public address of this number, in a network of its own.
pub(super) fn address(n: u16) -> Multiaddr {
    let [high, low] = n.to_be_bytes();
    format!("/ip4/8.{high}.{low}.8/tcp/9000").parse().unwrap()
}

/// So many seconds.
pub(super) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A ready peer that was connected, and ready at once, at `now`.
pub(super) fn record(n: u16, connection: u64, direction: Direction, now: Instant) -> PeerRecord<u64> {
    PeerRecord {
        peer_id: peer(n),
        connection,
        direction,
        transport: Transport::Tcp,
        muxer: Muxer::Yamux,
        client: Client::Other,
        agent: "test/1".to_owned(),
        status: StatusMessage {
            fork_digest: ForkDigest::default(),
            finalized_root: Root::default(),
            finalized_epoch: Epoch(0),
            head_root: Root::default(),
            head_slot: Slot(0),
            earliest_available_slot: None,
        },
        metadata: Some(MetaData::default()),
        address: address(n),
        node_id: None,
        known: false,
        connected_at: now,
        ready_at: now,
    }
}

/// A node's queue and table under random events, with a naive model of what must be true.
struct World {
    rng: ChaCha8Rng,
    now: Instant,
    config: DialQueueConfig,
    queue: DialQueue,
    peers: Peers<u64>,
    last_connection: u64,
    /// Known peers, by their first push.
    known: BTreeSet<u16>,
    dialing: BTreeMap<u16, Instant>,
    connected: BTreeSet<u16>,
    not_before: BTreeMap<u16, Instant>,
}

const PEERS: u16 = 60;

impl World {
    fn new(seed: u64) -> Self {
        let config = DialQueueConfig { capacity: 12, known_capacity: 6, ..DialQueueConfig::default() };
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            now: Instant::now(),
            config,
            queue: DialQueue::new(peer(0), config),
            peers: Peers::new(peer(0), Limits::for_target(8)),
            last_connection: 0,
            known: BTreeSet::new(),
            dialing: BTreeMap::new(),
            connected: BTreeSet::new(),
            not_before: BTreeMap::new(),
        }
    }

    fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..25 => self.push(),
            25..50 => self.dial(),
            50..70 => self.end_a_dial(),
            70..78 => self.inbound(),
            78..86 => self.hang_up(),
            86..90 => {
                let n = self.rng.random_range(1..PEERS);
                self.queue.on_address_silent(&address(n), self.now, &mut self.rng);
            }
            _ => {
                let pause = self.rng.random_range(0..100_000);
                self.pass(Duration::from_millis(pause));
            }
        }
    }

    fn push(&mut self) {
        let n = self.rng.random_range(0..PEERS);
        let source = match self.rng.random_range(0..20) {
            0 => Source::BootNode,
            1 => Source::KnownPeer,
            _ => Source::Discovered,
        };
        let candidate = Candidate { peer_id: peer(n), addresses: vec![address(n)], source };
        let pushed = self.queue.push(candidate, self.now);
        assert_eq!(pushed == Pushed::Myself, n == 0);
        if let Pushed::BackingOff { until } = pushed {
            assert!(until > self.now && !self.known.contains(&n));
        } else if source.is_known() && n != 0 && pushed != Pushed::Full && self.known.insert(n) {
            self.not_before.remove(&n);
        }
    }

    fn dial(&mut self) {
        let dialing = self.queue.dialing(self.now);
        assert_eq!(dialing, self.dialing.len());
        let wanted = self.peers.limits().wanted_outbound(self.peers.counts(), dialing);
        let want = if wanted > 0 { Want::Any } else { Want::KnownOnly };
        let due = self.queue.wakeup(want, self.now);
        let Some(candidate) = self.queue.next(want, self.now) else {
            assert!(due.is_none_or(|due| due > self.now), "woken for nothing");
            return;
        };
        assert_eq!(due, Some(self.now), "not woken");
        let n = number(&candidate.peer_id);
        assert!(wanted > 0 || self.known.contains(&n), "peer {n} dialled at the target");
        assert!(!self.connected.contains(&n), "peer {n} dialled while connected");
        assert!(self.not_before.get(&n).is_none_or(|until| *until <= self.now), "peer {n} dialled too early");
        assert_eq!(self.dialing.insert(n, self.now), None, "peer {n} dialled twice at once");
        assert_eq!(candidate.addresses, [address(n)]);
    }

    fn end_a_dial(&mut self) {
        if let Some(n) = self.dialing.keys().copied().choose(&mut self.rng) {
            self.dialing.remove(&n);
            self.end_attempt(n, Direction::Outbound);
        }
    }

    fn inbound(&mut self) {
        let n = self.rng.random_range(1..PEERS);
        self.end_attempt(n, Direction::Inbound);
    }

    fn end_attempt(&mut self, n: u16, direction: Direction) {
        let cause = Cause::ALL[self.rng.random_range(0..Cause::ALL.len())];
        if self.rng.random_bool(0.6) {
            return self.fail(n, direction, cause);
        }
        self.last_connection += 1;
        let known = self.known.contains(&n);
        let record = PeerRecord { known, ..record(n, self.last_connection, direction, self.now) };
        match self.peers.try_admit(record, self.now) {
            Admission::Accepted => assert!(self.connected.insert(n)),
            Admission::Replaced(settlement) | Admission::Spare(settlement) => {
                assert!(self.connected.contains(&n));
                let close = self.peers.settle(&peer(n), settlement.keep, self.rng.random_bool(0.5)).unwrap();
                assert_eq!(self.peers.remove(&peer(n), close), Removal::Unneeded);
            }
            Admission::Surplus => unreachable!("settled at once"),
            Admission::Refused(_) => {
                assert!(!known, "known peer {n} refused");
                return self.fail(n, direction, Cause::Local);
            }
        }
        let pause = self.queue.on_outcome(peer(n), Outcome::Ready { direction }, self.now, &mut self.rng);
        assert_eq!(pause, Duration::ZERO);
    }

    fn fail(&mut self, n: u16, direction: Direction, cause: Cause) {
        let pause = self.queue.on_outcome(peer(n), Outcome::Failed { direction, cause }, self.now, &mut self.rng);
        assert_eq!(pause == Duration::ZERO, self.connected.contains(&n));
        self.note_pause(n, pause);
    }

    fn hang_up(&mut self) {
        let Some(n) = self.connected.iter().copied().choose(&mut self.rng) else { return };
        let connection = self.peers.get(&peer(n)).unwrap().connection;
        assert!(matches!(self.peers.remove(&peer(n), connection), Removal::Gone(_)));
        self.connected.remove(&n);
        let cause = Cause::ALL[self.rng.random_range(0..Cause::ALL.len())];
        let pause = self.queue.on_outcome(peer(n), Outcome::Gone { cause }, self.now, &mut self.rng);
        self.note_pause(n, pause);
    }

    fn note_pause(&mut self, n: u16, pause: Duration) {
        assert!(pause <= seconds(86_400), "{pause:?}");
        assert!(!self.known.contains(&n) || self.connected.contains(&n) || pause > Duration::ZERO);
        self.not_before.insert(n, self.now + pause);
    }

    /// Lets time pass; attempts end before they are given up, as deadlines see to.
    fn pass(&mut self, pause: Duration) {
        let deadline = self.now + pause;
        let limit = self.config.attempt_limit;
        let late: Vec<_> =
            self.dialing.iter().filter(|(_, since)| **since + limit <= deadline).map(|(n, _)| *n).collect();
        for n in late {
            self.dialing.remove(&n);
            self.fail(n, Direction::Outbound, Cause::Transient);
        }
        self.now = deadline;
    }

    fn check(&self) {
        for n in &self.known {
            let state = self.queue.state(&peer(*n), self.now);
            assert!(state.is_some(), "known peer {n} was lost");
            assert_eq!(state == Some(DialState::Connected), self.connected.contains(n), "known peer {n}");
            if let Some(DialState::BackingOff { until }) = state {
                assert!(until <= self.now + seconds(300), "known peer {n} backs off for too long");
            }
        }
        assert!(self.known.len() <= self.config.known_capacity);
        assert!(self.queue.queued(self.now) <= self.config.capacity + self.known.len());
        let limits = self.peers.limits();
        let counts = self.peers.counts();
        assert_eq!(counts.total(), self.connected.len());
        assert!(counts.total() <= limits.max_total + self.known.len());
        assert!(counts.inbound <= limits.max_inbound + self.known.len() + counts.outbound);
        for peer in self.peers.iter() {
            assert_eq!(self.queue.state(&peer.peer_id, self.now), Some(DialState::Connected));
        }
    }

    /// However it went, a day later everyone who is not connected may be dialled again.
    fn check_nothing_backs_off_for_ever(&mut self) {
        self.pass(seconds(86_400));
        for n in 1..PEERS {
            if !self.connected.contains(&n) {
                let pushed = self.queue.push(
                    Candidate { peer_id: peer(n), addresses: vec![address(n)], source: Source::Discovered },
                    self.now,
                );
                assert!(matches!(pushed, Pushed::Queued | Pushed::Merged | Pushed::Full), "peer {n}: {pushed:?}");
            }
        }
        while let Some(candidate) = self.queue.next(Want::KnownOnly, self.now) {
            assert_eq!(self.dialing.insert(number(&candidate.peer_id), self.now), None);
        }
        for n in &self.known {
            assert!(self.connected.contains(n) || self.dialing.contains_key(n), "known peer {n} is not redialled");
        }
    }
}

/// The number of a peer.
pub(super) fn number(peer_id: &PeerId) -> u16 {
    let bytes = peer_id.to_bytes();
    u16::from_be_bytes([bytes[2], bytes[3]])
}

/// Says which seed failed, whatever the assertion says.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.0);
        }
    }
}

#[test]
fn no_history_loses_a_peer_dials_twice_or_breaks_a_limit() {
    for seed in 0..100 {
        let _seed = Seed(seed);
        let mut world = World::new(seed);
        for _ in 0..400 {
            world.step();
            world.check();
        }
        world.check_nothing_backs_off_for_ever();
    }
}

/// Nodes that know only the first one's address and find each other by random walks.
struct Network {
    rng: ChaCha8Rng,
    now: Instant,
    nodes: Vec<(DialQueue, Peers<u64>)>,
    last_connection: u64,
}

impl Network {
    fn new(seed: u64, size: u16, target: usize) -> Self {
        let now = Instant::now();
        let node = |n| {
            let mut queue = DialQueue::new(peer(n), DialQueueConfig::default());
            let boot = Candidate { peer_id: peer(0), addresses: vec![loopback(0)], source: Source::BootNode };
            queue.push(boot, now);
            (queue, Peers::new(peer(n), Limits::for_target(target)))
        };
        let nodes = (0..size).map(node).collect();
        Self { rng: ChaCha8Rng::seed_from_u64(seed), now, nodes, last_connection: 0 }
    }

    /// One second: every node walks once and dials whom it may.
    fn second(&mut self) {
        self.now += seconds(1);
        let size = u16::try_from(self.nodes.len()).unwrap();
        for n in 0..size {
            for _ in 0..3 {
                let found = self.rng.random_range(0..size);
                let candidate =
                    Candidate { peer_id: peer(found), addresses: vec![loopback(found)], source: Source::Discovered };
                self.nodes[usize::from(n)].0.push(candidate, self.now);
            }
            self.dial_from(n);
        }
    }

    fn dial_from(&mut self, n: u16) {
        loop {
            let (queue, peers) = &mut self.nodes[usize::from(n)];
            let wanted = peers.limits().wanted_outbound(peers.counts(), queue.dialing(self.now));
            let want = if wanted > 0 { Want::Any } else { Want::KnownOnly };
            let Some(candidate) = queue.next(want, self.now) else { return };
            self.connect(n, number(&candidate.peer_id));
        }
    }

    fn connect(&mut self, from: u16, to: u16) {
        self.last_connection += 1;
        let there = self.admit(to, from, Direction::Inbound);
        let here = if there == Admission::Accepted { self.admit(from, to, Direction::Outbound) } else { there };
        let (inbound, outbound) = match (there, here) {
            (Admission::Accepted, Admission::Accepted) => {
                (Outcome::Ready { direction: Direction::Inbound }, Outcome::Ready { direction: Direction::Outbound })
            }
            _ => {
                let _may_be_admitted = self.nodes[usize::from(to)].1.remove(&peer(from), self.last_connection);
                (
                    Outcome::Failed { direction: Direction::Inbound, cause: Cause::Local },
                    Outcome::Failed { direction: Direction::Outbound, cause: Cause::TooManyPeers },
                )
            }
        };
        self.nodes[usize::from(to)].0.on_outcome(peer(from), inbound, self.now, &mut self.rng);
        self.nodes[usize::from(from)].0.on_outcome(peer(to), outbound, self.now, &mut self.rng);
    }

    fn admit(&mut self, at: u16, remote: u16, direction: Direction) -> Admission<u64> {
        let (queue, peers) = &mut self.nodes[usize::from(at)];
        let known = queue.source(&peer(remote)).is_some_and(Source::is_known);
        let address = loopback(remote);
        let record = PeerRecord { known, address, ..record(remote, self.last_connection, direction, self.now) };
        peers.try_admit(record, self.now)
    }

    /// Nodes that can be reached from the first one.
    fn reachable(&self) -> usize {
        let mut reached = BTreeSet::from([0]);
        let mut frontier = vec![0];
        while let Some(n) = frontier.pop() {
            let neighbours = self.nodes[usize::from(n)].1.iter().map(|record| number(&record.peer_id));
            frontier.extend(neighbours.filter(|next| reached.insert(*next)));
        }
        reached.len()
    }
}

fn loopback(n: u16) -> Multiaddr {
    format!("/ip4/127.0.0.1/tcp/{}", 9_000 + n).parse().unwrap()
}

#[test]
fn thirty_nodes_with_target_eight_become_one_network() {
    for seed in 0..30 {
        let _seed = Seed(seed);
        let mut network = Network::new(seed, 30, 8);
        for _ in 0..60 {
            network.second();
        }
        assert_eq!(network.reachable(), 30);
        for (_, peers) in &network.nodes {
            let total = peers.counts().total();
            assert!((4..=13).contains(&total), "{total} peers");
        }
    }
}

#[test]
fn tiny_networks_with_any_target_become_one_network() {
    for seed in 0..20 {
        for (size, target) in [(2, 1), (3, 100), (10, 2), (20, 3), (12, 50)] {
            let _seed = Seed(seed);
            let mut network = Network::new(seed, size, target);
            for _ in 0..60 {
                network.second();
            }
            assert_eq!(network.reachable(), usize::from(size), "size {size}, target {target}");
        }
    }
}
