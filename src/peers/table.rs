//! The ready peers: who is connected, over which one connection, and what each of them last said.
//!
//! Owned by the node's event loop. A peer enters after its last handshake step and leaves with its connection; those
//! that are dialled or shake hands are not here. Where both sides have dialled, a peer has a spare connection for the
//! moment that it takes to close one. Knows no sockets: `C` is whatever names a connection.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use super::upkeep::Timers;
use super::{Counts, Exceeded, IpGroup, Limits, Neighbours, NetGroup, Seat, Upkeep};
use crate::types::{Client, Direction, MetaData, Multiaddr, Muxer, NodeId, PeerId, StatusMessage, Transport};

/// What is known of a ready peer. About 650 bytes, its agent and its address.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerRecord<C> {
    /// Who.
    pub peer_id: PeerId,
    /// Over which connection.
    pub connection: C,
    /// Who dialled.
    pub direction: Direction,
    /// What carries the bytes.
    pub transport: Transport,
    /// What carries the streams.
    pub muxer: Muxer,
    /// Client software.
    pub client: Client,
    /// Agent string; the caller cuts it to what it wants to keep.
    pub agent: String,
    /// The last status.
    pub status: StatusMessage,
    /// The last metadata, if the peer gave any.
    pub metadata: Option<MetaData>,
    /// Remote address of the connection.
    pub address: Multiaddr,
    /// discv5 identity, if the peer's record is known.
    pub node_id: Option<NodeId>,
    /// Whether it is a boot node or the operator's peer: no limit refuses it.
    pub known: bool,
    /// When the connection was upgraded.
    pub connected_at: Instant,
    /// When the last handshake step passed.
    pub ready_at: Instant,
}

/// What becomes of a connection whose handshakes passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a connection that was not accepted must be closed"]
pub enum Admission<C> {
    /// The peer is in the table.
    Accepted,
    /// The peer is in the table over this connection, and its former one is the spare until they are settled.
    Replaced(Settlement<C>),
    /// The peer stays in the table over its former connection, and this one is the spare until they are settled.
    Spare(Settlement<C>),
    /// The peer has a connection and a spare already; close this one, without goodbye.
    Surplus,
    /// There is no place: say goodbye 129 and close.
    Refused(Exceeded),
}

/// One of two connections to a peer is to be closed: what to do until [`Peers::settle`] says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement<C> {
    /// The connection that stays, if it lives.
    pub keep: C,
    /// When to settle: now, or later when the other side decides.
    pub at: Instant,
    /// Whether `keep` must first answer a request, within [`SETTLE_PATIENCE`]: nothing was heard over it since the other
    /// connection began.
    pub ask: bool,
}

/// What was lost with a connection that closed.
#[derive(Clone, Debug, PartialEq)]
pub enum Removal<C> {
    /// The peer, of which this is the record.
    Gone(PeerRecord<C>),
    /// Nothing: the peer's spare has taken the place of this former record.
    Replaced(PeerRecord<C>),
    /// Nothing: it was a spare, or not in the table.
    Unneeded,
}

/// The ready peers. At most [`Limits::max_total`] and as many known ones as the dial queue holds.
#[derive(Debug)]
pub struct Peers<C> {
    local: PeerId,
    limits: Limits,
    peers: BTreeMap<PeerId, Peer<C>>,
    counts: Counts,
    /// No timer is due before this; a timer that was put off since may make it too early.
    quiet_until: Option<Instant>,
}

#[derive(Debug)]
struct Peer<C> {
    record: PeerRecord<C>,
    /// The same peer over the connection that is to be closed, while both are up.
    spare: Option<Box<PeerRecord<C>>>,
    timers: Timers,
}

impl<C> Peer<C> {
    fn new(record: PeerRecord<C>) -> Self {
        let timers = Timers::new(record.direction, record.ready_at);
        Self { record, spare: None, timers }
    }

    /// Takes another record in the place of the one held, which is returned.
    fn replace(&mut self, record: PeerRecord<C>) -> PeerRecord<C> {
        self.timers = Timers::new(record.direction, record.ready_at);
        std::mem::replace(&mut self.record, record)
    }
}

impl<C: Copy + Eq> Peers<C> {
    /// An empty table of the node with this identity.
    #[must_use]
    pub fn new(local: PeerId, limits: Limits) -> Self {
        Self { local, limits, peers: BTreeMap::new(), counts: Counts::default(), quiet_until: None }
    }

    /// Takes a peer in, unless no place is left; of two connections to one peer, one stays.
    ///
    /// Both sides must close the same one without a word about it, although each sees them begin at times of its own.
    /// So the side with the lower peer id (order of the bytes) decides, at once; the other waits for [`SETTLE_AFTER`]
    /// and decides only if both are still up then. Whoever decides closes the younger connection: some clients
    /// (Lodestar) send gossip over the first one alone, and none once that is closed. But the older one must have answered
    /// since the younger began, or answer a request now, else it is the one that goes: a peer that was killed and dials
    /// again is alive over the younger one alone, which we may know seconds later.
    pub fn try_admit(&mut self, record: PeerRecord<C>, now: Instant) -> Admission<C> {
        let seat = Seat::of(record.known);
        self.try_seat(record, seat, now)
    }

    /// As [`Self::try_admit`], by a right that the caller found.
    pub fn try_seat(&mut self, record: PeerRecord<C>, seat: Seat, now: Instant) -> Admission<C> {
        let decides = self.local.to_bytes() < record.peer_id.to_bytes();
        let at = if decides { now } else { now + SETTLE_AFTER };
        if let Some(peer) = self.peers.get_mut(&record.peer_id) {
            return if peer.record.connection == record.connection {
                Admission::Accepted
            } else if peer.spare.is_some() {
                Admission::Surplus
            } else if record.connected_at < peer.record.connected_at {
                let keep = record.connection;
                peer.spare = Some(Box::new(peer.replace(record)));
                self.recount();
                Admission::Replaced(Settlement { keep, at, ask: false })
            } else {
                let ask = peer.record.ready_at < record.connected_at;
                peer.spare = Some(Box::new(record));
                Admission::Spare(Settlement { keep: peer.record.connection, at, ask })
            };
        }
        if let Err(exceeded) = self.check(record.direction, &record.address, seat) {
            return Admission::Refused(exceeded);
        }
        self.peers.insert(record.peer_id, Peer::new(record));
        self.recount();
        Admission::Accepted
    }

    /// Settles which of a peer's two connections goes, once it is known whether the one to keep lives; if not, the
    /// spare takes its place.
    ///
    /// Returns the connection to close, without goodbye; `None` when one of the two has closed meanwhile.
    #[must_use = "what is returned must be closed"]
    pub fn settle(&mut self, peer_id: &PeerId, keep: C, lives: bool) -> Option<C> {
        let peer = self.peers.get_mut(peer_id).filter(|peer| peer.record.connection == keep)?;
        let spare = peer.spare.take()?;
        let close = if lives { spare.connection } else { peer.replace(*spare).connection };
        self.recount();
        Some(close)
    }

    /// Whether there is a place for another peer, for an answer before the handshakes.
    ///
    /// # Errors
    /// [`Exceeded`] names the limit; never for a known peer.
    pub fn check(&self, direction: Direction, address: &Multiaddr, seat: Seat) -> Result<(), Exceeded> {
        let sharing = |shares: &dyn Fn(&Multiaddr) -> bool| self.iter().filter(|held| shares(&held.address)).count();
        let same_ip =
            IpGroup::of(address).map_or(0, |group| sharing(&|held: &Multiaddr| IpGroup::of(held) == Some(group)));
        let same_net =
            NetGroup::of(address).map_or(0, |group| sharing(&|held: &Multiaddr| NetGroup::of(held) == Some(group)));
        self.limits.check(self.counts(), direction, seat, Neighbours { same_ip, same_net })
    }

    /// Takes a connection out that has closed, and its peer with it if that has no spare.
    pub fn remove(&mut self, peer_id: &PeerId, connection: C) -> Removal<C> {
        let removal = self.take_out(peer_id, connection);
        self.recount();
        removal
    }

    fn take_out(&mut self, peer_id: &PeerId, connection: C) -> Removal<C> {
        let Entry::Occupied(mut entry) = self.peers.entry(*peer_id) else { return Removal::Unneeded };
        let peer = entry.get_mut();
        if peer.record.connection == connection {
            return match peer.spare.take() {
                Some(spare) => Removal::Replaced(peer.replace(*spare)),
                None => Removal::Gone(entry.remove().record),
            };
        }
        peer.spare.take_if(|spare| spare.connection == connection);
        Removal::Unneeded
    }

    /// Notes a status, asked for or received.
    pub fn on_status(&mut self, peer_id: &PeerId, status: StatusMessage, now: Instant) {
        if let Some(peer) = self.peers.get_mut(peer_id) {
            peer.record.status = status;
            peer.timers.on_status(now);
        }
    }

    /// Notes metadata; one with a lower sequence number than we hold came late and is ignored.
    pub fn on_metadata(&mut self, peer_id: &PeerId, metadata: MetaData) {
        if let Some(peer) = self.peers.get_mut(peer_id) {
            let held = peer.record.metadata.as_ref();
            if held.is_none_or(|held| held.seq_number <= metadata.seq_number) {
                peer.record.metadata = Some(metadata);
            }
            peer.timers.on_metadata();
        }
    }

    /// Notes a ping or a pong. True if the metadata that we hold is behind: it is then due for upkeep.
    pub fn on_ping(&mut self, peer_id: &PeerId, seq_number: u64, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(peer_id) else { return false };
        let behind = peer.record.metadata.as_ref().is_none_or(|held| held.seq_number < seq_number);
        peer.timers.on_ping(now, behind);
        let wakeup = peer.timers.wakeup();
        self.hasten(wakeup);
        behind
    }

    /// Makes the status of every peer due, spread over two seconds: our own status has changed at a fork.
    pub fn refresh_status_all(&mut self, now: Instant, rng: &mut impl Rng) {
        self.refresh_status_where(|_| true, now, rng);
    }

    /// Makes the status of those peers due, spread over two seconds, whose last one is `stale`.
    pub fn refresh_status_where(&mut self, stale: impl Fn(&StatusMessage) -> bool, now: Instant, rng: &mut impl Rng) {
        for peer in self.peers.values_mut().filter(|peer| stale(&peer.record.status)) {
            peer.timers.hasten_status(now + STATUS_SPREAD.mul_f64(rng.random_range(0.0..=1.0)));
        }
        self.look_around();
    }

    /// Pings everyone now and gives up whoever does not answer that one ping: many connections may be dead.
    pub fn probe_all(&mut self, now: Instant) {
        for peer in self.peers.values_mut() {
            peer.timers.probe(now);
        }
        self.look_around();
    }

    /// Everything that is due now, in order of peer id; it counts as asked for.
    #[must_use = "what is returned counts as asked for"]
    pub fn due_upkeep(&mut self, now: Instant) -> Vec<Upkeep<C>> {
        if self.quiet_until.is_none_or(|until| now < until) {
            return Vec::new();
        }
        let mut due = Vec::new();
        for (peer_id, Peer { record, timers, .. }) in &mut self.peers {
            let upkeep = |action| Upkeep { peer_id: *peer_id, connection: record.connection, action };
            due.extend(timers.due(now).map(upkeep));
        }
        self.look_around();
        due
    }

    /// When [`Self::due_upkeep`] may have something to say; `None` without peers.
    #[must_use]
    pub fn wakeup(&self) -> Option<Instant> {
        self.quiet_until.filter(|_| !self.peers.is_empty())
    }

    /// One ready peer.
    #[must_use]
    pub fn get(&self, peer_id: &PeerId) -> Option<&PeerRecord<C>> {
        self.peers.get(peer_id).map(|peer| &peer.record)
    }

    /// Every ready peer, in order of peer id.
    pub fn iter(&self) -> impl Iterator<Item = &PeerRecord<C>> {
        self.peers.values().map(|peer| &peer.record)
    }

    /// Ready peers by direction.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The limits in force.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Brings up to date what is derived from the records.
    fn recount(&mut self) {
        let inbound = self.iter().filter(|held| held.direction == Direction::Inbound).count();
        self.counts = Counts { inbound, outbound: self.peers.len() - inbound };
        self.look_around();
    }

    fn hasten(&mut self, wakeup: Instant) {
        self.quiet_until = Some(self.quiet_until.map_or(wakeup, |until| until.min(wakeup)));
    }

    fn look_around(&mut self) {
        self.quiet_until = self.peers.values().map(|peer| peer.timers.wakeup()).min();
    }
}

/// How long the side with the higher peer id waits until it closes one of two connections itself: as long as the other
/// side may take to decide and to be heard.
pub const SETTLE_AFTER: Duration = Duration::from_secs(2);

/// How long an older connection has to answer a request, before the younger one takes its place: a slow round trip, and
/// time for a busy peer.
pub const SETTLE_PATIENCE: Duration = Duration::from_secs(2);

/// Over how long the status requests to all peers are spread.
const STATUS_SPREAD: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::UpkeepAction;
    use super::super::tests::{peer, record, seconds};
    use super::*;

    const LOW: u16 = 1;
    const LOCAL: u16 = 50;
    const HIGH: u16 = 99;

    fn table() -> (Peers<u64>, Instant) {
        (Peers::new(peer(LOCAL), Limits::for_target(100)), Instant::now())
    }

    fn admitted(n: u16, direction: Direction) -> (Peers<u64>, Instant) {
        let (mut peers, now) = table();
        assert_eq!(peers.try_admit(record(n, 1, direction, now), now), Admission::Accepted);
        (peers, now)
    }

    fn due(peers: &mut Peers<u64>, now: Instant) -> Vec<UpkeepAction> {
        peers.due_upkeep(now).into_iter().map(|upkeep| upkeep.action).collect()
    }

    /// One end of two connections, 1 and 2.
    struct End {
        remote: u16,
        peers: Peers<u64>,
        settlement: Option<Settlement<u64>>,
    }

    impl End {
        /// Both connections are ready, in this order; each began as many milliseconds after the start as this end says.
        fn new(local: u16, remote: u16, order: [u64; 2], began: [u64; 2], start: Instant) -> Self {
            let mut end = Self { remote, peers: Peers::new(peer(local), Limits::for_target(8)), settlement: None };
            let now = start + seconds(1);
            for connection in order {
                // connection 1 was dialled by LOW, connection 2 by HIGH
                let ours = (connection == 1) == (local == LOW);
                let direction = if ours { Direction::Outbound } else { Direction::Inbound };
                let at = start + Duration::from_millis(began[usize::from(connection == 2)]);
                let record = PeerRecord { connected_at: at, ..record(remote, connection, direction, now) };
                match end.peers.try_admit(record, now) {
                    Admission::Accepted => {}
                    Admission::Replaced(settlement) | Admission::Spare(settlement) => end.settlement = Some(settlement),
                    other => panic!("{other:?}"),
                }
            }
            end
        }

        fn settle(&mut self, lives: bool) -> Option<u64> {
            let settlement = self.settlement.take()?;
            self.peers.settle(&peer(self.remote), settlement.keep, lives)
        }

        fn close(&mut self, connection: u64) -> Removal<u64> {
            self.peers.remove(&peer(self.remote), connection)
        }

        fn held(&self) -> Option<u64> {
            self.peers.get(&peer(self.remote)).map(|record| record.connection)
        }
    }

    #[test]
    fn one_connection_of_a_race_stays_whatever_each_end_has_measured_and_in_any_order() {
        let orders = [[1, 2], [2, 1]];
        let measured = [[0, 249], [0, 251], [249, 0], [251, 0], [0, 0], [0, 14_999], [14_999, 0]];
        let start = Instant::now();
        for (here, there) in orders.iter().flat_map(|here| orders.iter().map(move |there| (here, there))) {
            for (low, high) in measured.iter().flat_map(|low| measured.iter().map(move |high| (low, high))) {
                let mut low = End::new(LOW, HIGH, *here, *low, start);
                let mut high = End::new(HIGH, LOW, *there, *high, start);
                let (first, second) = (low.settlement.unwrap().at, high.settlement.unwrap().at);
                assert_eq!(second - first, SETTLE_AFTER, "both close at once");
                // the first one's decision arrives before the second one decides
                let closed = low.settle(true).unwrap();
                assert!(!matches!(high.close(closed), Removal::Gone(_)), "the last connection is closed");
                assert_eq!(high.settle(true), None, "both have closed one");
                assert_eq!(low.close(closed), Removal::Unneeded);
                assert_eq!((low.held(), high.held()), (Some(3 - closed), Some(3 - closed)));
            }
        }
    }

    #[test]
    fn a_side_whose_peer_never_decides_closes_one_by_itself() {
        let mut high = End::new(HIGH, LOW, [1, 2], [0, 100], Instant::now());
        assert_eq!((high.settle(true), high.held()), (Some(2), Some(1)));
        assert_eq!(high.close(2), Removal::Unneeded);
    }

    #[test]
    fn the_older_connection_stays_and_must_answer_first_if_it_was_there_before() {
        for n in [LOW, HIGH] {
            for second in [Direction::Inbound, Direction::Outbound] {
                let (mut peers, now) = admitted(n, Direction::Inbound);
                let at = if n == LOW { now + SETTLE_AFTER } else { now };
                let younger = record(n, 2, second, now + seconds(1));
                let settlement = Settlement { keep: 1, at, ask: true };
                assert_eq!(peers.try_admit(younger, now), Admission::Spare(settlement));
                assert_eq!(peers.settle(&peer(n), 1, true), Some(2));
                // one that began before the other, and was ready after it
                let settlement = Settlement { keep: 3, at, ask: false };
                let older = record(n, 3, second, now - seconds(1));
                assert_eq!(peers.try_admit(older, now), Admission::Replaced(settlement));
                assert_eq!(peers.settle(&peer(n), 3, true), Some(1));
                assert_eq!(peers.get(&peer(n)).unwrap().connection, 3);
            }
        }
    }

    #[test]
    fn an_older_connection_that_answered_since_the_younger_began_is_not_asked() {
        let (mut peers, now) = table();
        let older = PeerRecord { ready_at: now + seconds(2), ..record(HIGH, 1, Direction::Outbound, now) };
        assert_eq!(peers.try_admit(older, now + seconds(2)), Admission::Accepted);
        let at = now + seconds(4);
        let settlement = Settlement { keep: 1, at, ask: false };
        let younger = record(HIGH, 2, Direction::Inbound, now + seconds(1));
        assert_eq!(peers.try_admit(younger, at), Admission::Spare(settlement));
    }

    #[test]
    fn a_peer_that_was_killed_and_dials_again_is_taken_back_in_either_direction() {
        for (n, after) in [(LOW, 1), (LOW, 14), (HIGH, 3), (HIGH, 1000)] {
            for direction in [Direction::Inbound, Direction::Outbound] {
                let (mut peers, now) = admitted(n, direction);
                let again = record(n, 2, Direction::Inbound, now + seconds(after));
                assert!(matches!(peers.try_admit(again, now + seconds(after)), Admission::Spare(_)));
                // the old connection does not answer
                assert_eq!(peers.settle(&peer(n), 1, false), Some(1));
                let held = peers.get(&peer(n)).unwrap();
                assert_eq!((held.connection, held.direction), (2, Direction::Inbound));
                assert_eq!(peers.counts(), Counts { inbound: 1, outbound: 0 });
                // its close is of no account
                assert_eq!(peers.remove(&peer(n), 1), Removal::Unneeded);
            }
        }
    }

    #[test]
    fn a_spare_takes_the_place_of_a_connection_that_closes() {
        let (mut peers, now) = admitted(LOW, Direction::Outbound);
        let spare = record(LOW, 2, Direction::Inbound, now + seconds(1));
        assert!(matches!(peers.try_admit(spare, now), Admission::Spare(_)));
        let third = record(LOW, 3, Direction::Inbound, now + seconds(1));
        assert_eq!(peers.try_admit(third, now), Admission::Surplus);
        assert!(matches!(peers.remove(&peer(LOW), 1), Removal::Replaced(former) if former.connection == 1));
        assert_eq!(peers.settle(&peer(LOW), 1, true), None);
        assert!(matches!(peers.remove(&peer(LOW), 2), Removal::Gone(record) if record.connection == 2));
    }

    #[test]
    fn ignores_the_end_of_a_connection_that_is_not_held() {
        let (mut peers, _) = admitted(LOW, Direction::Outbound);
        assert_eq!(peers.remove(&peer(LOW), 2), Removal::Unneeded);
        assert_eq!(peers.remove(&peer(HIGH), 1), Removal::Unneeded);
        assert!(matches!(peers.remove(&peer(LOW), 1), Removal::Gone(_)));
        assert_eq!(peers.counts().total(), 0);
    }

    #[test]
    fn refuses_strangers_beyond_the_limits_and_admits_known_peers() {
        let now = Instant::now();
        let mut peers = Peers::new(peer(LOCAL), Limits::for_target(8));
        for n in 100..108 {
            assert_eq!(peers.try_admit(record(n, 1, Direction::Inbound, now), now), Admission::Accepted);
        }
        let stranger = record(108, 1, Direction::Inbound, now);
        assert_eq!(peers.try_admit(stranger.clone(), now), Admission::Refused(Exceeded::Inbound));
        assert_eq!(peers.try_admit(PeerRecord { known: true, ..stranger }, now), Admission::Accepted);
        assert_eq!(peers.counts(), Counts { inbound: 9, outbound: 0 });
    }

    #[test]
    fn admits_five_peers_behind_one_public_address_and_any_number_behind_a_private_one() {
        let (mut peers, now) = table();
        let at = |n: u16, address: &str| {
            let address = address.parse().unwrap();
            PeerRecord { address, ..record(n, 1, Direction::Inbound, now) }
        };
        for n in 1..=5 {
            assert_eq!(peers.try_admit(at(n, "/ip4/8.8.8.8/tcp/1"), now), Admission::Accepted);
        }
        assert_eq!(peers.try_admit(at(6, "/ip4/8.8.8.8/tcp/2"), now), Admission::Refused(Exceeded::PerIp));
        for n in 10..30 {
            assert_eq!(peers.try_admit(at(n, "/ip4/127.0.0.1/tcp/1"), now), Admission::Accepted);
        }
    }

    #[test]
    fn pings_after_silence_and_gives_up_after_three_unanswered() {
        for (direction, interval) in [(Direction::Outbound, 15), (Direction::Inbound, 20)] {
            let (mut peers, start) = admitted(LOW, direction);
            let at = |n: u64| start + seconds(n * interval);
            assert_eq!(peers.wakeup(), Some(at(1)));
            assert_eq!(due(&mut peers, at(1) - seconds(1)), []);
            for n in 1..=3 {
                assert_eq!(due(&mut peers, at(n)), [UpkeepAction::Ping]);
                assert_eq!(due(&mut peers, at(n)), [], "asked twice");
            }
            assert_eq!(due(&mut peers, at(4)), [UpkeepAction::Disconnect]);
        }
    }

    #[test]
    fn a_probe_pings_at_once_and_gives_up_after_one_interval() {
        let (mut peers, start) = admitted(LOW, Direction::Outbound);
        let later = start + seconds(12);
        peers.probe_all(later);
        assert_eq!(due(&mut peers, later), [UpkeepAction::Ping]);
        assert_eq!(due(&mut peers, later + seconds(15)), [UpkeepAction::Disconnect]);
    }

    #[test]
    fn probes_leave_ten_seconds_between_two_pings() {
        let (mut peers, start) = admitted(LOW, Direction::Outbound);
        let mut pings = Vec::new();
        for n in 0..30 {
            peers.probe_all(start + seconds(n));
            if due(&mut peers, start + seconds(n)).contains(&UpkeepAction::Ping) {
                pings.push(n);
                peers.on_ping(&peer(LOW), 0, start + seconds(n));
            }
        }
        assert_eq!(pings, [10, 20]);
    }

    #[test]
    fn a_ping_of_either_side_starts_the_silence_over() {
        let (mut peers, start) = admitted(LOW, Direction::Outbound);
        for n in 1..100 {
            peers.on_ping(&peer(LOW), 0, start + seconds(n * 14));
            let actions = due(&mut peers, start + seconds(n * 14));
            assert!(actions.iter().all(|action| *action == UpkeepAction::Status), "{n}: {actions:?}");
        }
    }

    #[test]
    fn asks_for_metadata_once_a_minute_while_it_is_behind() {
        let (mut peers, start) = admitted(LOW, Direction::Outbound);
        assert!(!peers.on_ping(&peer(LOW), 0, start));
        assert!(peers.on_ping(&peer(LOW), 1, start));
        assert_eq!(peers.wakeup(), Some(start));
        assert_eq!(due(&mut peers, start), [UpkeepAction::Metadata]);
        assert!(peers.on_ping(&peer(LOW), 2, start + seconds(10)));
        assert_eq!(due(&mut peers, start + seconds(10)), []);
        assert!(peers.on_ping(&peer(LOW), 2, start + seconds(60)));
        assert_eq!(due(&mut peers, start + seconds(60)), [UpkeepAction::Metadata]);
        peers.on_metadata(&peer(LOW), MetaData { seq_number: 2, ..MetaData::default() });
        assert!(!peers.on_ping(&peer(LOW), 2, start + seconds(61)));
        peers.on_metadata(&peer(LOW), MetaData { seq_number: 1, ..MetaData::default() });
        assert_eq!(peers.get(&peer(LOW)).unwrap().metadata.as_ref().unwrap().seq_number, 2);
    }

    #[test]
    fn one_status_exchange_serves_both_sides() {
        for (direction, interval) in [(Direction::Outbound, 300), (Direction::Inbound, 315)] {
            let (mut peers, start) = admitted(LOW, direction);
            peers.on_ping(&peer(LOW), 0, start + seconds(310));
            let status = StatusMessage { head_slot: crate::types::Slot(9), ..peers.get(&peer(LOW)).unwrap().status };
            peers.on_status(&peer(LOW), status, start + seconds(5));
            assert_eq!(peers.get(&peer(LOW)).unwrap().status, status);
            assert_eq!(due(&mut peers, start + seconds(interval)), []);
            assert_eq!(due(&mut peers, start + seconds(interval + 5)), [UpkeepAction::Status]);
        }
    }

    #[test]
    fn only_peers_whose_status_is_stale_are_asked_again() {
        let (mut peers, now) = table();
        for n in [100, 101] {
            assert_eq!(peers.try_admit(record(n, 1, Direction::Outbound, now), now), Admission::Accepted);
        }
        let status = StatusMessage { head_slot: crate::types::Slot(9), ..peers.get(&peer(101)).unwrap().status };
        peers.on_status(&peer(101), status, now);
        peers.refresh_status_where(|status| status.head_slot.0 == 9, now, &mut ChaCha8Rng::seed_from_u64(1));
        let due: Vec<_> = peers.due_upkeep(now + STATUS_SPREAD).into_iter().map(|upkeep| upkeep.peer_id).collect();
        assert_eq!(due, [peer(101)]);
    }

    #[test]
    fn a_fork_makes_every_status_due_within_two_seconds_but_not_at_once() {
        for seed in 0..20 {
            let (mut peers, now) = table();
            for n in 100..140 {
                assert_eq!(peers.try_admit(record(n, 1, Direction::Outbound, now), now), Admission::Accepted);
            }
            peers.refresh_status_all(now, &mut ChaCha8Rng::seed_from_u64(seed));
            let early = due(&mut peers, now + seconds(1)).len();
            let late = due(&mut peers, now + STATUS_SPREAD).len();
            assert!((5..=35).contains(&early), "seed {seed}: {early} of 40 in the first second");
            assert_eq!(early + late, 40, "seed {seed}");
        }
    }
}
