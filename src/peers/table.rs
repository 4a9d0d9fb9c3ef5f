//! The ready peers: who is connected, over which one connection, and what each of them last said.
//!
//! Owned by the node's event loop. A peer enters after its last handshake step and leaves with its connection; those
//! that are dialled or shake hands are not here. Knows no sockets: `C` is whatever names a connection.

use std::collections::BTreeMap;
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
    /// The peer is in the table over this connection; close the former one, without goodbye.
    Replaced {
        /// The connection that lost.
        close: C,
    },
    /// The peer stays in the table over its former connection; close this one, without goodbye.
    Duplicate,
    /// There is no place: say goodbye 129 and close.
    Refused(Exceeded),
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
    timers: Timers,
}

impl<C: Copy + Eq> Peers<C> {
    /// An empty table of the node with this identity.
    #[must_use]
    pub fn new(local: PeerId, limits: Limits) -> Self {
        Self { local, limits, peers: BTreeMap::new(), counts: Counts::default(), quiet_until: None }
    }

    /// Takes a peer in, unless it is connected already in a better way or no place is left.
    ///
    /// When both sides dialled at once, both must keep the same connection without a word about it. Where both know
    /// which began first, by 250 ms or more, it is the older: some clients (Lodestar) send gossip over the first
    /// connection alone, and none once that is closed. Closer to each other, it is the one that the lower peer id
    /// dialled (order of the bytes). That holds for connections that began within 15 s of each other. When one side
    /// dialled twice, both keep the older of what began within 2 s. A later one is no race: who dials a peer that it
    /// is connected to has lost that connection, and so have we, we only do not know it yet.
    pub fn try_admit(&mut self, record: PeerRecord<C>) -> Admission<C> {
        let seat = Seat::of(record.known);
        self.try_seat(record, seat)
    }

    /// As [`Self::try_admit`], by a right that the caller found.
    pub fn try_seat(&mut self, record: PeerRecord<C>, seat: Seat) -> Admission<C> {
        let admission = match self.peers.get(&record.peer_id) {
            Some(Peer { record: held, .. }) if held.connection == record.connection => return Admission::Accepted,
            Some(Peer { record: held, .. }) if self.prefers(&record, held) => {
                Admission::Replaced { close: held.connection }
            }
            Some(_) => return Admission::Duplicate,
            None => match self.check(record.direction, &record.address, seat) {
                Ok(()) => Admission::Accepted,
                Err(exceeded) => return Admission::Refused(exceeded),
            },
        };
        let timers = Timers::new(record.direction, record.ready_at);
        self.hasten(timers.wakeup());
        self.peers.insert(record.peer_id, Peer { record, timers });
        self.count();
        admission
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

    /// Takes a peer out when its connection closed; `None` if the table holds another connection, or none.
    pub fn remove(&mut self, peer_id: &PeerId, connection: C) -> Option<PeerRecord<C>> {
        self.get(peer_id).filter(|held| held.connection == connection)?;
        let peer = self.peers.remove(peer_id)?;
        self.count();
        Some(peer.record)
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
        for (peer_id, Peer { record, timers }) in &mut self.peers {
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

    fn count(&mut self) {
        let inbound = self.iter().filter(|held| held.direction == Direction::Inbound).count();
        self.counts = Counts { inbound, outbound: self.peers.len() - inbound };
    }

    fn hasten(&mut self, wakeup: Instant) {
        self.quiet_until = Some(self.quiet_until.map_or(wakeup, |until| until.min(wakeup)));
    }

    fn look_around(&mut self) {
        self.quiet_until = self.peers.values().map(|peer| peer.timers.wakeup()).min();
    }

    fn prefers(&self, new: &PeerRecord<C>, held: &PeerRecord<C>) -> bool {
        let is_older = new.connected_at < held.connected_at;
        let apart = if is_older {
            held.connected_at.saturating_duration_since(new.connected_at)
        } else {
            new.connected_at.saturating_duration_since(held.connected_at)
        };
        let same_side = new.direction == held.direction;
        let window = if same_side { ONE_SIDED_RACE_WINDOW } else { RACE_WINDOW };
        if apart >= window {
            !is_older
        } else if same_side || apart >= AT_ONCE {
            is_older
        } else {
            let we_are_lower = self.local.to_bytes() < new.peer_id.to_bytes();
            new.direction == if we_are_lower { Direction::Outbound } else { Direction::Inbound }
        }
    }
}

/// How far apart two connections of one race may begin: a dial timeout and half of one. Lighthouse forgets a dial
/// after as long.
const RACE_WINDOW: Duration = Duration::from_secs(15);

/// How close to each other two connections begin of which the two sides may not agree which was first: each end counts
/// from the end of its own handshake, a round trip apart at most.
const AT_ONCE: Duration = Duration::from_millis(250);

/// How far apart two connections that one side dialled may begin: it tries several addresses at once and drops the
/// others a round trip after the first is up. A daemon that was killed dials again about as fast as it starts, and
/// over QUIC its death shows only by seconds of silence: until then every second of this window keeps it out.
const ONE_SIDED_RACE_WINDOW: Duration = Duration::from_secs(2);

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
        assert_eq!(peers.try_admit(record(n, 1, direction, now)), Admission::Accepted);
        (peers, now)
    }

    fn due(peers: &mut Peers<u64>, now: Instant) -> Vec<UpkeepAction> {
        peers.due_upkeep(now).into_iter().map(|upkeep| upkeep.action).collect()
    }

    #[test]
    fn keeps_the_connection_that_the_lower_peer_id_dialled() {
        for (n, winner) in [(LOW, Direction::Inbound), (HIGH, Direction::Outbound)] {
            for first in [Direction::Inbound, Direction::Outbound] {
                let (mut peers, now) = admitted(n, first);
                let second = if first == Direction::Inbound { Direction::Outbound } else { Direction::Inbound };
                let admission = peers.try_admit(record(n, 2, second, now + AT_ONCE / 2));
                if second == winner {
                    assert_eq!(admission, Admission::Replaced { close: 1 });
                } else {
                    assert_eq!(admission, Admission::Duplicate);
                }
                assert_eq!(peers.get(&peer(n)).unwrap().direction, winner);
            }
        }
    }

    #[test]
    fn both_ends_of_a_race_keep_the_same_connection_in_any_order_of_arrival() {
        for (order_here, order_there) in [([1, 2], [1, 2]), ([1, 2], [2, 1]), ([2, 1], [1, 2]), ([2, 1], [2, 1])] {
            let now = Instant::now();
            let kept = |local: u16, remote: u16, order: [u64; 2]| {
                let mut peers = Peers::new(peer(local), Limits::for_target(8));
                for connection in order {
                    // Connection 1 was dialled by LOW, connection 2 by HIGH.
                    let ours = (connection == 1) == (local == LOW);
                    let direction = if ours { Direction::Outbound } else { Direction::Inbound };
                    let _kept_below = peers.try_admit(record(remote, connection, direction, now));
                }
                peers.get(&peer(remote)).unwrap().connection
            };
            assert_eq!(kept(LOW, HIGH, order_here), 1);
            assert_eq!(kept(HIGH, LOW, order_there), 1);
        }
    }

    #[test]
    fn of_a_race_that_was_not_close_the_older_connection_stays() {
        for n in [LOW, HIGH] {
            for (first, second) in
                [(Direction::Inbound, Direction::Outbound), (Direction::Outbound, Direction::Inbound)]
            {
                let (mut peers, now) = admitted(n, first);
                assert_eq!(peers.try_admit(record(n, 2, second, now + AT_ONCE)), Admission::Duplicate);
                // one that began before the other, and was ready after it
                let older = record(n, 3, second, now - AT_ONCE);
                assert_eq!(peers.try_admit(older), Admission::Replaced { close: 1 });
            }
        }
    }

    #[test]
    fn of_two_connections_in_one_direction_the_older_stays() {
        let (mut peers, now) = admitted(LOW, Direction::Inbound);
        assert_eq!(peers.try_admit(record(LOW, 2, Direction::Inbound, now + seconds(1))), Admission::Duplicate);
        let older = record(LOW, 3, Direction::Inbound, now - seconds(1));
        assert_eq!(peers.try_admit(older), Admission::Replaced { close: 1 });
    }

    #[test]
    fn a_peer_that_restarts_soon_after_it_had_dialled_is_taken_back() {
        let (mut peers, now) = admitted(LOW, Direction::Inbound);
        let again = record(LOW, 2, Direction::Inbound, now + seconds(3));
        assert_eq!(peers.try_admit(again), Admission::Replaced { close: 1 });
    }

    #[test]
    fn a_peer_that_dials_again_long_after_has_lost_the_old_connection() {
        for (n, direction) in [(LOW, Direction::Inbound), (HIGH, Direction::Inbound), (LOW, Direction::Outbound)] {
            let (mut peers, now) = admitted(n, Direction::Outbound);
            let later = record(n, 2, direction, now + RACE_WINDOW);
            assert_eq!(peers.try_admit(later), Admission::Replaced { close: 1 });
        }
    }

    #[test]
    fn ignores_the_end_of_a_connection_that_is_not_the_current_one() {
        let (mut peers, now) = admitted(LOW, Direction::Outbound);
        let admission = peers.try_admit(record(LOW, 2, Direction::Inbound, now));
        assert_eq!(admission, Admission::Replaced { close: 1 });
        assert_eq!(peers.remove(&peer(LOW), 1), None);
        assert_eq!(peers.remove(&peer(HIGH), 2), None);
        assert_eq!(peers.remove(&peer(LOW), 2).map(|held| held.connection), Some(2));
        assert_eq!(peers.counts().total(), 0);
    }

    #[test]
    fn refuses_strangers_beyond_the_limits_and_admits_known_peers() {
        let now = Instant::now();
        let mut peers = Peers::new(peer(LOCAL), Limits::for_target(8));
        for n in 100..108 {
            assert_eq!(peers.try_admit(record(n, 1, Direction::Inbound, now)), Admission::Accepted);
        }
        let stranger = record(108, 1, Direction::Inbound, now);
        assert_eq!(peers.try_admit(stranger.clone()), Admission::Refused(Exceeded::Inbound));
        assert_eq!(peers.try_admit(PeerRecord { known: true, ..stranger }), Admission::Accepted);
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
            assert_eq!(peers.try_admit(at(n, "/ip4/8.8.8.8/tcp/1")), Admission::Accepted);
        }
        assert_eq!(peers.try_admit(at(6, "/ip4/8.8.8.8/tcp/2")), Admission::Refused(Exceeded::PerIp));
        for n in 10..30 {
            assert_eq!(peers.try_admit(at(n, "/ip4/127.0.0.1/tcp/1")), Admission::Accepted);
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
        peers.probe_all(start);
        assert_eq!(due(&mut peers, start), [UpkeepAction::Ping]);
        assert_eq!(due(&mut peers, start + seconds(15)), [UpkeepAction::Disconnect]);
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
            assert_eq!(peers.try_admit(record(n, 1, Direction::Outbound, now)), Admission::Accepted);
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
                assert_eq!(peers.try_admit(record(n, 1, Direction::Outbound, now)), Admission::Accepted);
            }
            peers.refresh_status_all(now, &mut ChaCha8Rng::seed_from_u64(seed));
            let early = due(&mut peers, now + seconds(1)).len();
            let late = due(&mut peers, now + STATUS_SPREAD).len();
            assert!((5..=35).contains(&early), "seed {seed}: {early} of 40 in the first second");
            assert_eq!(early + late, 40, "seed {seed}");
        }
    }
}
