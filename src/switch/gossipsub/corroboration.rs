//! Who else sent a message: what `--relay corroborated` goes by. Pure: takes `now`.
//!
//! A message that passes every rule that can be checked, and is merely unverifiable, may be forwarded when enough
//! peers on distinct networks sent it within the mesh-delivery window. Copies of one peer, over however many networks,
//! count once, and so do those of many peers on one network. Of messages that exclude each other the first is forwarded
//! alone.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use libp2p::multiaddr::Protocol;
use tokio::time::Instant;

use super::rivals::{Rivalry, Rivals};
use crate::types::{GossipTopic, MessageId, Multiaddr, PeerId};

/// Copies count from the first one for so long: the mesh-delivery window of Lighthouse's scores.
pub(super) const WINDOW: Duration = Duration::from_secs(2);

/// A verdict that comes later than this after the first copy finds nothing: the message cache forgets after
/// 5 to 6 heartbeats of 0.7 s.
const LATEST: Duration = Duration::from_millis(3_300);

/// Networks that are told apart for one message; `copies` cannot ask for more.
pub(super) const MAX_COPIES: usize = 8;

/// Messages in the table: a burst of 15 000 a second for 2 s and what is left of it, nearly twice. What a table of 2^16
/// places holds: 65 536 × about 290 bytes, and 40 bytes for each message in one of two queues, 21 MiB at worst. Beyond it,
/// messages are not corroborated.
const MESSAGES: usize = 57_344;

/// Who sent a copy, and from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Witness {
    network: Network,
    /// Stands for the peer.
    peer: u64,
}

impl Witness {
    /// The peer at the far end of a connection.
    pub(super) fn new(address: &Multiaddr, peer_id: &PeerId, key: &RandomState) -> Self {
        Self { network: Network::of(address, peer_id, key), peer: key.hash_one(peer_id) }
    }

    /// Whether the two copies corroborate each other: of two peers, on two networks.
    fn is_apart_from(self, other: Self) -> bool {
        self.network != other.network && self.peer != other.peer
    }
}

/// Where a copy came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network(u64);

impl Network {
    /// The /24 or /48 of an address; the peer itself on loopback and in memory; one and the same for every address that
    /// shows no IP.
    fn of(address: &Multiaddr, peer_id: &PeerId, key: &RandomState) -> Self {
        const V4: u64 = 1 << 60;
        const V6: u64 = 2 << 60;
        const PEER: u64 = 3 << 60;
        let peer = || Self(PEER | (key.hash_one(peer_id) >> 4));
        let ip = match address.iter().next() {
            Some(Protocol::Ip4(ip)) => IpAddr::V4(ip),
            Some(Protocol::Ip6(ip)) => unmapped(ip),
            Some(Protocol::Memory(_)) => return peer(),
            _ => return Self(0),
        };
        match ip {
            ip if ip.is_loopback() => peer(),
            IpAddr::V4(ip) => Self(V4 | u64::from(ip.to_bits() >> 8)),
            // 128 - 48 bits are cut off: 48 are left
            IpAddr::V6(ip) => Self(V6 | ((ip.to_bits() >> 80) as u64)),
        }
    }
}

fn unmapped(ip: Ipv6Addr) -> IpAddr {
    ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)
}

/// How the wait for copies ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) message_id: MessageId,
    pub(super) topic: GossipTopic,
    /// Who sent the first copy.
    pub(super) peer_id: PeerId,
    /// Whether it is to be forwarded.
    pub(super) relayed: bool,
    /// On how many networks distinct peers had it.
    pub(super) networks: usize,
}

#[derive(Debug)]
struct Entry {
    topic: GossipTopic,
    first: Instant,
    witnesses: [Witness; MAX_COPIES],
    count: u8,
    /// Set once the message waits for others.
    waiting: Option<Applicant>,
}

/// A message that is to be forwarded, if others sent it too.
#[derive(Clone, Copy, Debug)]
struct Applicant {
    /// Who sent the first copy.
    peer_id: PeerId,
    rivalry: Option<Rivalry>,
}

impl Entry {
    fn outcome(&self, message_id: MessageId, peer_id: PeerId, relayed: bool) -> Outcome {
        Outcome { message_id, topic: self.topic, peer_id, relayed, networks: usize::from(self.count) }
    }
}

/// The messages that may yet be corroborated.
#[derive(Debug)]
pub(super) struct Corroboration {
    copies: usize,
    rivals: Rivals,
    entries: HashMap<MessageId, Entry>,
    /// Within their window, oldest first.
    open: VecDeque<(Instant, MessageId)>,
    /// After it, without a verdict yet.
    late: VecDeque<(Instant, MessageId)>,
}

impl Corroboration {
    /// Asks for copies of so many networks, the first one's included; from 1 to [`MAX_COPIES`].
    pub(super) fn new(copies: usize, now: Instant) -> Self {
        let copies = copies.clamp(1, MAX_COPIES);
        Self { copies, rivals: Rivals::new(now), entries: HashMap::new(), open: VecDeque::new(), late: VecDeque::new() }
    }

    /// The first copy of a message.
    pub(super) fn note_first(&mut self, id: MessageId, topic: GossipTopic, witness: Witness, now: Instant) {
        if self.open.len() + self.late.len() >= MESSAGES {
            return;
        }
        let entry = Entry { topic, first: now, witnesses: [witness; MAX_COPIES], count: 1, waiting: None };
        self.entries.insert(id, entry);
        self.open.push_back((now, id));
    }

    /// A further copy. Returns how the wait ended if the message waited for just this one.
    pub(super) fn note_again(&mut self, id: MessageId, witness: Witness, now: Instant) -> Option<Outcome> {
        let entry = self.entries.get_mut(&id)?;
        let known = entry.witnesses.get(..usize::from(entry.count))?;
        let is_new = known.iter().all(|other| witness.is_apart_from(*other));
        if !is_new || now.duration_since(entry.first) > WINDOW {
            return None;
        }
        *entry.witnesses.get_mut(usize::from(entry.count))? = witness;
        entry.count += 1;
        let applicant = entry.waiting?;
        (usize::from(entry.count) >= self.copies).then(|| self.decide(id, applicant, now))?
    }

    /// The message passed what can be checked, and waits for copies. Returns how that ended if it is decided already.
    pub(super) fn ask(&mut self, id: MessageId, peer_id: PeerId, rivalry: Option<Rivalry>, now: Instant) -> Asked {
        let Some(entry) = self.entries.get_mut(&id) else { return Asked::Unknown };
        let applicant = Applicant { peer_id, rivalry };
        if usize::from(entry.count) < self.copies && now.duration_since(entry.first) <= WINDOW {
            entry.waiting = Some(applicant);
            return Asked::Waiting;
        }
        self.decide(id, applicant, now).map_or(Asked::Unknown, Asked::Decided)
    }

    /// Ends the wait of a message: it is relayed when enough networks had it and no rival of it was.
    fn decide(&mut self, id: MessageId, Applicant { peer_id, rivalry }: Applicant, now: Instant) -> Option<Outcome> {
        let entry = self.entries.remove(&id)?;
        let is_corroborated = usize::from(entry.count) >= self.copies;
        let relayed = is_corroborated && rivalry.is_none_or(|rivalry| self.rivals.is_first(rivalry, now));
        Some(entry.outcome(id, peer_id, relayed))
    }

    /// The message got a verdict that needs no copies.
    pub(super) fn forget(&mut self, id: &MessageId) {
        self.entries.remove(id);
    }

    /// Ends every wait whose time is up.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Outcome> {
        let mut ended = Vec::new();
        while let Some((first, id)) = pop_older(&mut self.open, now, WINDOW) {
            let Some(entry) = self.entries.get(&id) else { continue };
            match entry.waiting {
                Some(applicant) => ended.extend(self.decide(id, applicant, now)),
                None => self.late.push_back((first, id)),
            }
        }
        while let Some((_, id)) = pop_older(&mut self.late, now, LATEST) {
            self.entries.remove(&id);
        }
        ended
    }
}

fn pop_older<T: Copy>(queue: &mut VecDeque<(Instant, T)>, now: Instant, age: Duration) -> Option<(Instant, T)> {
    queue.front().is_some_and(|(first, _)| now.duration_since(*first) > age).then(|| queue.pop_front())?
}

/// What asking for copies found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Enough are there, or the window is over.
    Decided(Outcome),
    /// Further copies decide, or the window's end.
    Waiting,
    /// The message is not in the table: too old, too many, or of a topic that is not corroborated.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MessageId = MessageId([1; 20]);

    fn topic() -> GossipTopic {
        "/eth2/8c9f62fe/beacon_attestation_1/ssz_snappy".parse().unwrap()
    }

    fn network(address: &str) -> Witness {
        Witness::new(&address.parse().unwrap(), &PeerId::random(), &RandomState::new())
    }

    fn waiting(copies: usize, now: Instant) -> (Corroboration, PeerId) {
        let (mut table, peer_id) = (Corroboration::new(copies, now), PeerId::random());
        table.note_first(ID, topic(), network("/ip4/192.0.2.1/tcp/1"), now);
        assert_eq!(table.ask(ID, peer_id, None, now), Asked::Waiting);
        (table, peer_id)
    }

    #[test]
    fn networks_are_24_bits_of_ip4_48_of_ip6_and_peers_on_loopback() {
        let (key, a, b) = (RandomState::new(), PeerId::random(), PeerId::random());
        let of = |address: &str, peer_id| Network::of(&address.parse().unwrap(), peer_id, &key);
        assert_eq!(of("/ip4/192.0.2.1/tcp/1", &a), of("/ip4/192.0.2.254/udp/2/quic-v1", &b));
        assert_ne!(of("/ip4/192.0.2.1/tcp/1", &a), of("/ip4/192.0.3.1/tcp/1", &a));
        assert_eq!(of("/ip6/2001:db8:1:2::1/tcp/1", &a), of("/ip6/2001:db8:1:3::1/tcp/1", &b));
        assert_ne!(of("/ip6/2001:db8:1::1/tcp/1", &a), of("/ip6/2001:db8:2::1/tcp/1", &a));
        assert_eq!(of("/ip6/::ffff:192.0.2.1/tcp/1", &a), of("/ip4/192.0.2.9/tcp/1", &b));
        for local in ["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1", "/memory/7"] {
            assert_ne!(of(local, &a), of(local, &b), "{local}");
            assert_eq!(of(local, &a), of(local, &a), "{local}");
        }
        assert_eq!(of("/dns4/a.example/tcp/1", &a), of("/dns4/b.example/tcp/1", &b));
    }

    #[test]
    fn one_network_never_suffices_however_many_copies_it_sends() {
        let now = Instant::now();
        let (mut table, peer_id) = waiting(2, now);
        for copy in 0..1_000 {
            let address = format!("/ip4/192.0.2.{}/tcp/{copy}", copy % 256);
            assert_eq!(table.note_again(ID, network(&address), now), None);
        }
        let outcome = Outcome { message_id: ID, topic: topic(), peer_id, relayed: false, networks: 1 };
        assert_eq!(table.expire(now + WINDOW + Duration::from_millis(1)), [outcome]);
    }

    #[test]
    fn one_peer_never_suffices_over_however_many_networks_it_connects() {
        let (now, key, peer_id) = (Instant::now(), RandomState::new(), PeerId::random());
        let over = |third: u8| Witness::new(&format!("/ip4/192.0.{third}.1/tcp/1").parse().unwrap(), &peer_id, &key);
        let mut table = Corroboration::new(2, now);
        table.note_first(ID, topic(), over(0), now);
        assert_eq!(table.ask(ID, peer_id, None, now), Asked::Waiting);
        for third in 1..=255 {
            assert_eq!(table.note_again(ID, over(third), now), None);
        }
        let outcome = Outcome { message_id: ID, topic: topic(), peer_id, relayed: false, networks: 1 };
        assert_eq!(table.expire(now + WINDOW + Duration::from_millis(1)), [outcome]);
    }

    #[test]
    fn the_last_network_that_was_asked_for_decides() {
        let now = Instant::now();
        let (mut table, peer_id) = waiting(3, now);
        assert_eq!(table.note_again(ID, network("/ip4/198.51.100.1/tcp/1"), now), None);
        let outcome = Outcome { message_id: ID, topic: topic(), peer_id, relayed: true, networks: 3 };
        assert_eq!(table.note_again(ID, network("/ip4/203.0.113.1/tcp/1"), now), Some(outcome));
        assert_eq!(table.note_again(ID, network("/ip4/203.0.114.1/tcp/1"), now), None, "decided once");
        assert!(table.expire(now + LATEST * 2).is_empty() && table.entries.is_empty());
    }

    #[test]
    fn copies_that_came_before_the_verdict_count() {
        let (now, peer_id) = (Instant::now(), PeerId::random());
        let mut table = Corroboration::new(2, now);
        table.note_first(ID, topic(), network("/ip4/192.0.2.1/tcp/1"), now);
        assert_eq!(table.note_again(ID, network("/ip4/198.51.100.1/tcp/1"), now), None);
        let outcome = Outcome { message_id: ID, topic: topic(), peer_id, relayed: true, networks: 2 };
        let late = now + WINDOW + Duration::from_millis(500);
        assert!(table.expire(late).is_empty(), "no verdict yet");
        assert_eq!(table.ask(ID, peer_id, None, late), Asked::Decided(outcome));
    }

    #[test]
    fn copies_after_the_window_do_not_count() {
        let now = Instant::now();
        let (mut table, _) = waiting(2, now);
        let late = now + WINDOW + Duration::from_millis(1);
        assert_eq!(table.note_again(ID, network("/ip4/198.51.100.1/tcp/1"), late), None);
        assert_eq!(table.expire(late).iter().map(|outcome| outcome.relayed).collect::<Vec<_>>(), [false]);
    }

    #[test]
    fn a_verdict_that_comes_when_the_message_is_no_longer_cached_finds_nothing() {
        let now = Instant::now();
        let mut table = Corroboration::new(2, now);
        table.note_first(ID, topic(), network("/ip4/192.0.2.1/tcp/1"), now);
        assert!(table.expire(now + WINDOW + Duration::from_millis(1)).is_empty());
        assert!(table.expire(now + LATEST + Duration::from_millis(1)).is_empty());
        assert_eq!(table.ask(ID, PeerId::random(), None, now + LATEST), Asked::Unknown);
        assert!(table.entries.is_empty() && table.open.is_empty() && table.late.is_empty());
    }

    #[test]
    fn more_messages_than_the_table_holds_are_not_corroborated() {
        let now = Instant::now();
        let mut table = Corroboration::new(2, now);
        for number in 0..=MESSAGES as u32 {
            let mut id = [0; 20];
            id[..4].copy_from_slice(&number.to_le_bytes());
            table.note_first(MessageId(id), topic(), network("/ip4/192.0.2.1/tcp/1"), now);
        }
        assert_eq!(table.entries.len(), MESSAGES);
    }

    #[test]
    fn of_two_messages_that_exclude_each_other_one_is_relayed() {
        let (now, peer_id, other) = (Instant::now(), PeerId::random(), MessageId([2; 20]));
        let mut table = Corroboration::new(2, now);
        for id in [ID, other] {
            table.note_first(id, topic(), network("/ip4/192.0.2.1/tcp/1"), now);
            assert_eq!(table.ask(id, peer_id, Some(Rivalry(7)), now), Asked::Waiting);
        }
        let second = network("/ip4/198.51.100.1/tcp/1");
        assert!(table.note_again(ID, second, now).is_some_and(|outcome| outcome.relayed));
        assert!(table.note_again(other, second, now).is_some_and(|outcome| !outcome.relayed));
        assert!(table.entries.is_empty());
    }

    #[test]
    fn a_message_that_nobody_corroborates_keeps_no_rival_back() {
        let (now, peer_id, forged) = (Instant::now(), PeerId::random(), MessageId([2; 20]));
        let mut table = Corroboration::new(2, now);
        for id in [forged, ID] {
            table.note_first(id, topic(), network("/ip4/192.0.2.1/tcp/1"), now);
            assert_eq!(table.ask(id, peer_id, Some(Rivalry(7)), now), Asked::Waiting);
        }
        let outcome = table.note_again(ID, network("/ip4/198.51.100.1/tcp/1"), now);
        assert!(outcome.is_some_and(|outcome| outcome.relayed));
    }
}
