//! One manager in the simulated network: virtual time, events in order, and a clerk who checks every dial.
//!
//! Nothing sleeps: the earliest event or wake-up is next, and `now` is set to it.

use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use beacond::peers::{
    Action, Admission, Cause, Cover, CoverTargets, DialQueueConfig, Limits, ManagerConfig, Outcome, PeerManager,
    PeerRecord, Removal, Source, SuspectChange, UpkeepAction,
};
use beacond::types::{
    Client, Direction, Epoch, ForkDigest, GoodbyeReason, Muxer, PeerId, Root, Slot, StatusMessage, Transport,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::network::{Answer, Network, RECORDS, columns, node_id, number, peer_id, unanswered};

/// How long one lookup takes.
pub(crate) const LOOKUP: Duration = Duration::from_secs(3);
const SLOT: Duration = Duration::from_secs(12);
/// A stranger dials us this often.
const INBOUND_EVERY: Duration = Duration::from_secs(20);
/// How long sessions last on average, before the other side ends them.
const MEAN_SESSION_S: f64 = 7_200.0;
/// Our own peer id is none of the network's.
const MYSELF: u32 = u32::MAX;

/// What will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    DialDone { n: u32, answer: Done },
    SessionEnds { n: u32, connection: u64 },
    LookupDone { cover: Option<[u128; 2]> },
    Inbound,
    Slot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Done {
    Ready,
    Failed { cause: Cause, silent: bool },
}

/// A session, and whether the other side still knows of it.
#[derive(Clone, Copy, Debug)]
struct Session {
    connection: u64,
    alive: bool,
}

/// The simulation.
pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) manager: PeerManager<u64>,
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    /// Whether packets get through.
    pub(crate) link: bool,
    /// Whether lookups find anybody.
    pub(crate) discovery: bool,
    pub(crate) dials: u64,
    pub(crate) suspicions: u64,
    rng: ChaCha8Rng,
    wall_ms: u64,
    events: BinaryHeap<std::cmp::Reverse<(Instant, u64, Event)>>,
    counter: u64,
    sessions: BTreeMap<u32, Session>,
    /// Until when a peer may not be dialled, and for which cause.
    not_before: BTreeMap<u32, (Instant, Cause)>,
    /// Dials for each peer.
    pub(crate) dialled: BTreeMap<u32, u64>,
}

pub(crate) fn config(target: usize) -> ManagerConfig {
    ManagerConfig {
        limits: Limits::for_target(target),
        queue: DialQueueConfig::default(),
        cover_targets: CoverTargets::default(),
        score_capacity: 4_096,
        custody: columns,
    }
}

/// Every attestation subnet, and eight columns.
pub(crate) fn wanted() -> Cover {
    Cover { attnets: u64::MAX, syncnets: 0, columns: 0x0101_0101_0101_0101 << 3 }
}

pub(crate) fn record(
    network: &Network,
    n: u32,
    connection: u64,
    direction: Direction,
    head: Slot,
    now: Instant,
) -> PeerRecord<u64> {
    PeerRecord {
        peer_id: peer_id(n),
        connection,
        direction,
        transport: Transport::Tcp,
        muxer: Muxer::Yamux,
        client: Client::ALL[n as usize % Client::ALL.len()],
        agent: "simulated/1".to_owned(),
        status: status(head),
        metadata: Some(network.metadata(n)),
        address: network.address(n),
        node_id: Some(node_id(n)),
        known: false,
        connected_at: now,
        ready_at: now,
    }
}

pub(crate) fn status(head_slot: Slot) -> StatusMessage {
    StatusMessage {
        fork_digest: ForkDigest::default(),
        finalized_root: Root::default(),
        finalized_epoch: Epoch(0),
        head_root: Root::default(),
        head_slot,
        earliest_available_slot: None,
    }
}

impl World {
    pub(crate) fn new(seed: u64, target: usize) -> Self {
        let start = Instant::now();
        let mut manager = PeerManager::new(peer_id(MYSELF), config(target), start);
        manager.begin_dialling();
        manager.set_wanted(wanted());
        let mut world = Self {
            network: Network::new(seed),
            manager,
            now: start,
            start,
            link: true,
            discovery: true,
            dials: 0,
            suspicions: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            wall_ms: 1_700_000_000_000,
            events: BinaryHeap::new(),
            counter: 0,
            sessions: BTreeMap::new(),
            not_before: BTreeMap::new(),
            dialled: BTreeMap::new(),
        };
        world.after(LOOKUP, Event::LookupDone { cover: None });
        world.after(INBOUND_EVERY, Event::Inbound);
        world.after(SLOT, Event::Slot);
        world
    }

    pub(crate) fn ready(&self) -> usize {
        self.manager.table().counts().total()
    }

    /// Ready peers whose other side is there.
    pub(crate) fn living(&self) -> usize {
        self.sessions.values().filter(|session| session.alive).count()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Lets so much time pass.
    pub(crate) fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Lets time pass until something is so; false if it is not within `most`.
    pub(crate) fn run_until(&mut self, most: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + most;
        self.act();
        loop {
            if is_so(self) {
                return true;
            }
            let event = self.events.peek().map(|next| next.0.0);
            let wakeup = self.manager.wakeup(self.now);
            let Some(next) = [event, wakeup].into_iter().flatten().min().filter(|next| *next <= end) else {
                self.advance(end);
                return false;
            };
            self.advance(next);
            while let Some(std::cmp::Reverse((_, _, event))) =
                self.events.peek().is_some_and(|next| next.0.0 <= self.now).then(|| self.events.pop()).flatten()
            {
                self.happen(event);
            }
            self.act();
        }
    }

    /// Ends every session at once, with word or without.
    pub(crate) fn lose_everyone(&mut self, cause: Cause) {
        for n in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.end_session(n, cause);
        }
        self.act();
    }

    /// The other sides forget us, and we do not know it.
    pub(crate) fn sessions_die_silently(&mut self) {
        for session in self.sessions.values_mut() {
            session.alive = false;
        }
    }

    /// Cuts the link; half of the sessions run over QUIC, which notices.
    pub(crate) fn cut(&mut self) {
        self.link = false;
        self.discovery = false;
        self.sessions_die_silently();
        let quic = self.sessions.iter().filter(|(n, _)| *n % 2 == 0);
        let ends: Vec<_> =
            quic.map(|(n, session)| Event::SessionEnds { n: *n, connection: session.connection }).collect();
        for end in ends {
            self.after(Duration::from_secs(10), end);
        }
    }

    pub(crate) fn mend(&mut self) {
        self.link = true;
        self.discovery = true;
    }

    /// The wall clock goes on while ours stands still, and every session dies.
    pub(crate) fn suspend_machine(&mut self, time: Duration) {
        self.sessions_die_silently();
        self.wall_ms += u64::try_from(time.as_millis()).unwrap();
        self.manager.on_clock(self.wall_ms, self.now);
        self.act();
    }

    pub(crate) fn change_address(&mut self) {
        self.sessions_die_silently();
        self.manager.on_link_changed(self.now);
        self.forgive();
        self.act();
    }

    pub(crate) fn add_bootnode(&mut self, n: u32) {
        let candidate = self.network.candidate(n, Source::BootNode);
        self.manager.on_candidate(candidate, Cover::default(), self.now);
    }

    pub(crate) fn head(&self) -> Slot {
        Slot(u64::try_from(self.elapsed().as_millis() / SLOT.as_millis()).unwrap())
    }

    fn advance(&mut self, to: Instant) {
        let passed = to.saturating_duration_since(self.now);
        self.wall_ms += u64::try_from(passed.as_millis()).unwrap();
        self.now = self.now.max(to);
    }

    fn after(&mut self, delay: Duration, event: Event) {
        self.counter += 1;
        self.events.push(std::cmp::Reverse((self.now + delay, self.counter, event)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::DialDone { n, answer } => self.on_dial_done(n, answer),
            Event::SessionEnds { n, connection } => {
                if self.sessions.get(&n).is_some_and(|session| session.connection == connection) {
                    self.end_session(n, Cause::Closed);
                }
            }
            Event::LookupDone { cover: None } => {
                self.on_lookup(None);
                self.after(LOOKUP, Event::LookupDone { cover: None });
            }
            Event::LookupDone { cover: Some([attnets, columns]) } => {
                let attnets = u64::try_from(attnets).unwrap();
                self.on_lookup(Some(Cover { attnets, syncnets: 0, columns }));
            }
            Event::Inbound => {
                self.on_inbound();
                self.after(INBOUND_EVERY, Event::Inbound);
            }
            Event::Slot => {
                self.manager.on_clock(self.wall_ms, self.now);
                self.after(SLOT, Event::Slot);
            }
        }
    }

    fn on_lookup(&mut self, cover: Option<Cover>) {
        if !self.discovery || (cover.is_none() && !self.manager.demand()) {
            return;
        }
        for n in self.network.lookup(cover, &mut self.rng) {
            if !self.manager.takes_discovered(self.now) {
                return;
            }
            let cover = self.network.node(n).cover;
            self.manager.on_candidate(self.network.candidate(n, Source::Discovered), cover, self.now);
        }
    }

    fn on_inbound(&mut self) {
        let n = self.rng.random_range(0..RECORDS);
        let node = self.network.node(n);
        if !self.link || !node.live || node.other_fork || self.sessions.contains_key(&n) {
            return;
        }
        if self.manager.check(Direction::Inbound, &peer_id(n), &self.network.address(n)).is_ok() {
            self.manager.on_connected(peer_id(n), self.now);
            self.admit(n, Direction::Inbound);
        }
    }

    fn on_dial_done(&mut self, n: u32, answer: Done) {
        match answer {
            Done::Ready => self.admit(n, Direction::Outbound),
            Done::Failed { cause, silent } => {
                if silent {
                    self.manager.on_address_silent(&self.network.address(n), self.now, &mut self.rng);
                }
                self.outcome(n, Outcome::Failed { direction: Direction::Outbound, cause }, cause);
            }
        }
    }

    fn admit(&mut self, n: u32, direction: Direction) {
        self.counter += 1;
        let connection = self.counter;
        let known = self.manager.is_known(&peer_id(n));
        let record = record(&self.network, n, connection, direction, self.head(), self.now);
        match self.manager.try_admit(PeerRecord { known, ..record }, self.now) {
            Admission::Accepted => {
                self.manager.on_address_reached(&self.network.address(n));
                self.sessions.insert(n, Session { connection, alive: true });
                let life = -MEAN_SESSION_S * self.rng.random_range(1e-6_f64..1.0).ln();
                self.after(Duration::from_secs_f64(life), Event::SessionEnds { n, connection });
                self.outcome(n, Outcome::Ready { direction }, Cause::Local);
            }
            Admission::Spare(settlement) => {
                // the network settles it at once: the older connection lives
                let close = self.manager.settle(&peer_id(n), settlement.keep, true);
                assert_eq!(close, Some(connection));
                self.outcome(n, Outcome::Failed { direction, cause: Cause::Local }, Cause::Local);
            }
            Admission::Replaced(_) | Admission::Surplus => unreachable!("settled at once, and in order"),
            Admission::Refused(exceeded) => {
                let cause = exceeded.cause();
                self.outcome(n, Outcome::Failed { direction, cause }, cause);
            }
        }
    }

    fn end_session(&mut self, n: u32, cause: Cause) {
        let Some(session) = self.sessions.remove(&n) else { return };
        assert!(matches!(self.manager.remove(&peer_id(n), session.connection), Removal::Gone(_)));
        self.outcome(n, Outcome::Gone { cause }, cause);
    }

    fn outcome(&mut self, n: u32, outcome: Outcome, cause: Cause) {
        let pause = self.manager.on_outcome(peer_id(n), outcome, self.now, &mut self.rng);
        if pause > Duration::ZERO {
            self.not_before.insert(n, (self.now + pause, cause));
        }
    }

    fn forgive(&mut self) {
        self.not_before.retain(|_, (_, cause)| !cause.may_be_ours());
    }

    fn act(&mut self) {
        while let Some(action) = self.manager.next_action(self.now) {
            match action {
                Action::Dial(candidate) => self.on_dial(&candidate.peer_id),
                Action::Upkeep(upkeep) => self.on_upkeep(number(&upkeep.peer_id), upkeep.action),
                Action::Disconnect { peer_id, goodbye, .. } => {
                    let cause = match goodbye {
                        GoodbyeReason::TOO_MANY_PEERS => Cause::Pruned,
                        _ => Cause::Violation,
                    };
                    self.end_session(number(&peer_id), cause);
                }
                Action::Lookup(cover) => {
                    let cover = Some([u128::from(cover.attnets), cover.columns]);
                    self.after(LOOKUP, Event::LookupDone { cover });
                }
                Action::Suspect(SuspectChange::Began(_)) => {
                    self.suspicions += 1;
                    self.forgive();
                }
                Action::Suspect(SuspectChange::Ended(_)) => self.forgive(),
                Action::Mirror(_) | Action::BootstrapFailed(_) => {}
            }
        }
        assert!(self.manager.wakeup(self.now).is_none_or(|at| at > self.now), "woken for nothing");
    }

    fn on_dial(&mut self, peer_id: &PeerId) {
        let n = number(peer_id);
        assert!(!self.sessions.contains_key(&n), "peer {n} dialled while connected");
        let too_early = self.not_before.get(&n).filter(|(until, _)| *until > self.now);
        assert_eq!(too_early, None, "peer {n} dialled within its back-off");
        self.dials += 1;
        *self.dialled.entry(n).or_insert(0) += 1;
        let (answer, delay) = if self.link { self.network.dial(n, &mut self.rng) } else { unanswered() };
        let answer = match answer {
            Answer::Ready => Done::Ready,
            Answer::Failed { cause, silent } => Done::Failed { cause, silent },
        };
        self.after(delay, Event::DialDone { n, answer });
    }

    fn on_upkeep(&mut self, n: u32, action: UpkeepAction) {
        let alive = self.link && self.sessions.get(&n).is_some_and(|session| session.alive);
        match action {
            UpkeepAction::Disconnect => self.end_session(n, Cause::Transient),
            UpkeepAction::Ping if alive => {
                self.manager.on_ping(&peer_id(n), 0, self.now);
            }
            UpkeepAction::Status if alive => self.manager.on_status(&peer_id(n), status(self.head()), self.now),
            UpkeepAction::Metadata if alive => {
                let metadata = self.network.metadata(n);
                self.manager.on_metadata(&peer_id(n), metadata, self.now);
            }
            UpkeepAction::Ping | UpkeepAction::Status | UpkeepAction::Metadata => {}
        }
    }
}
