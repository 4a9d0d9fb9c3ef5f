//! What peers have done wrong, by peer id, and the bans that follow from it: the one table of such numbers.
//!
//! Fed by the manager with classified faults; connections come and go meanwhile. Whoever mirrors bans elsewhere (the
//! swarm, discv5) takes every change from [`Scores::poll`], so that they begin and end everywhere together. It knows
//! neither connections nor goodbyes, and nothing of trust: nobody reports a trusted peer here.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::IpGroup;
use crate::fault::{Fault, Severity};
use crate::types::PeerId;

/// What a peer did that may count against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Misbehaviour {
    /// A handshake with it failed.
    Handshake(Fault),
    /// It answered a request badly, or asked badly.
    Request(Fault),
    /// The router listens to it no more.
    GossipScore,
    /// It answers, and takes long.
    Slow,
}

/// Where a peer stands after what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may stay.
    Good,
    /// It is to be left, with goodbye 250.
    Bad,
    /// It is banned: to be left with goodbye 251, and neither dialled nor let in until then.
    Banned {
        /// When the ban ends; never later than [`LONGEST_BAN`] from its begin.
        until: Instant,
    },
}

impl Standing {
    /// The stable label for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "left",
            Self::Banned { .. } => "banned",
        }
    }
}

/// Whom a ban concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BanTarget {
    /// One identity.
    Peer(PeerId),
    /// Whoever comes from there, but for trusted peers.
    Group(IpGroup),
}

/// A change to what is banned, to be mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanChange {
    /// A ban begins, or lasts longer.
    Ban {
        /// Whom it concerns.
        target: BanTarget,
        /// When it ends.
        until: Instant,
    },
    /// A ban is over, everywhere.
    Unban {
        /// Whom it concerned.
        target: BanTarget,
    },
}

/// The scores and bans of every peer that ever did something wrong and is remembered for it.
///
/// Bounded: when full, whoever is nearest to a clean record is forgotten, banned peers last, and those are unbanned.
/// An entry takes 160 bytes at most, twice that for slack: 4,096 of them 1.3 MB.
#[derive(Debug)]
pub struct Scores {
    capacity: usize,
    entries: BTreeMap<PeerId, Entry>,
    groups: BTreeMap<IpGroup, Instant>,
    /// Not yet taken by [`Self::poll`], which the owner calls after each deed: a handful.
    changes: VecDeque<BanChange>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// As of `at`, never positive.
    points: f64,
    at: Instant,
    group: Option<IpGroup>,
    /// Ends only by [`Scores::poll`], so that nothing is unbanned here and not elsewhere.
    banned_until: Option<Instant>,
    /// Each ban in a row is twice as long as the one before.
    last_ban: Duration,
    /// A ban after this instant is the first again.
    forget_bans_at: Instant,
}

/// What one deed costs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cost {
    points: f64,
    /// This deed alone never takes a score below this.
    floor: f64,
}

impl Misbehaviour {
    /// Points, of which −20 end a session and −50 begin a ban.
    ///
    /// Lighthouse bans after 5, 10 or 50 strikes, and at once for the worst; our worst needs two, because a bug on
    /// either side looks the same. Only what an honest peer does not send costs anything.
    const fn cost(self) -> Option<Cost> {
        let (points, floor) = match self {
            Self::Handshake(fault) | Self::Request(fault) => match fault {
                // A busy peer's answer is its right: lighthouse#4532 banned half a network for it.
                Fault::Local | Fault::Transient | Fault::Incompatible | Fault::Busy => return None,
                Fault::Violation(Severity::Low) => (-1.0, WORST),
                Fault::Violation(Severity::Medium) => (-5.0, WORST),
                Fault::Violation(Severity::High) => (-30.0, WORST),
            },
            // The router has counted long before it says so.
            Self::GossipScore => (-25.0, WORST),
            // A place of less use, not a crime: it is pruned first, never left or banned for this alone.
            Self::Slow => (-1.0, -10.0),
        };
        Some(Cost { points, floor })
    }

    /// Whether it costs anything.
    #[must_use]
    pub const fn costs(self) -> bool {
        self.cost().is_some()
    }

    /// The stable label for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handshake(_) => "handshake",
            Self::Request(_) => "request",
            Self::GossipScore => "gossip_score",
            Self::Slow => "slow",
        }
    }
}

impl Scores {
    /// An empty ledger of at most `capacity` peers, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), entries: BTreeMap::new(), groups: BTreeMap::new(), changes: VecDeque::new() }
    }

    /// Charges a peer, seen at an address of this group, and says where that leaves it.
    ///
    /// A group is banned together once more than [`BANNED_PER_GROUP`] of it are: `None` never is, and stands for
    /// loopback and private addresses.
    pub fn charge(&mut self, peer_id: PeerId, deed: Misbehaviour, group: Option<IpGroup>, now: Instant) -> Standing {
        let Some(cost) = deed.cost() else { return self.standing(&peer_id, now) };
        if !self.entries.contains_key(&peer_id) {
            self.make_room(now);
        }
        let entry = self.entries.entry(peer_id).or_insert_with(|| Entry::new(now));
        let before = entry.points_at(now);
        entry.points = before.min((before + cost.points).max(cost.floor)).max(WORST);
        entry.at = now;
        entry.group = group.or(entry.group);
        if entry.points <= BAN_BELOW && entry.banned_until.is_none() {
            self.ban(peer_id, now);
        }
        self.standing(&peer_id, now)
    }

    /// Where a peer stands. A ban counts until [`Self::poll`] has said that it is over.
    #[must_use]
    pub fn standing(&self, peer_id: &PeerId, now: Instant) -> Standing {
        let Some(entry) = self.entries.get(peer_id) else { return Standing::Good };
        match entry.banned_until {
            Some(until) => Standing::Banned { until },
            None if entry.points_at(now) <= LEAVE_BELOW => Standing::Bad,
            None => Standing::Good,
        }
    }

    /// The score of a peer: 0 for a clean record, −100 at worst.
    #[must_use]
    pub fn score(&self, peer_id: &PeerId, now: Instant) -> f64 {
        self.entries.get(peer_id).map_or(0.0, |entry| entry.points_at(now))
    }

    /// Until when a peer is banned, by its id.
    #[must_use]
    pub fn banned_until(&self, peer_id: &PeerId) -> Option<Instant> {
        self.entries.get(peer_id)?.banned_until
    }

    /// Until when a group is banned.
    #[must_use]
    pub fn group_banned_until(&self, group: IpGroup) -> Option<Instant> {
        self.groups.get(&group).copied()
    }

    /// Takes a ban over that was decided before a restart, or by the operator; shortened to [`LONGEST_BAN`].
    pub fn restore_ban(&mut self, peer_id: PeerId, group: Option<IpGroup>, until: Instant, now: Instant) {
        if until <= now {
            return;
        }
        if !self.entries.contains_key(&peer_id) {
            self.make_room(now);
        }
        let until = until.min(now + LONGEST_BAN);
        let entry = self.entries.entry(peer_id).or_insert_with(|| Entry::new(now));
        entry.group = group.or(entry.group);
        entry.last_ban = entry.last_ban.max(FIRST_BAN);
        entry.banned_until = Some(until);
        entry.forget_bans_at = until + entry.last_ban;
        self.changes.push_back(BanChange::Ban { target: BanTarget::Peer(peer_id), until });
    }

    /// Lifts a ban before its time, and clears the record: somebody vouches for the peer now.
    pub fn pardon(&mut self, peer_id: &PeerId) {
        if let Some(entry) = self.entries.remove(peer_id).filter(|entry| entry.banned_until.is_some()) {
            self.changes.push_back(BanChange::Unban { target: BanTarget::Peer(*peer_id) });
            if let Some(group) = entry.group {
                self.pardon_group(group);
            }
        }
    }

    /// Lifts the ban of a group that too few banned peers are left of.
    fn pardon_group(&mut self, group: IpGroup) {
        if self.banned_of(group) <= BANNED_PER_GROUP && self.groups.remove(&group).is_some() {
            self.changes.push_back(BanChange::Unban { target: BanTarget::Group(group) });
        }
    }

    fn banned_of(&self, group: IpGroup) -> usize {
        self.entries.values().filter(|entry| entry.group == Some(group) && entry.banned_until.is_some()).count()
    }

    /// Clears the record of everyone who was charged since then, and lifts their bans: it was we who erred.
    pub fn forgive_since(&mut self, since: Instant) {
        let charged: Vec<_> =
            self.entries.iter().filter(|(_, entry)| entry.at >= since).map(|(peer_id, _)| *peer_id).collect();
        for peer_id in charged {
            self.pardon(&peer_id);
        }
    }

    /// The next change to what is banned; ends the bans whose time has come.
    #[must_use = "a change is handed out once"]
    pub fn poll(&mut self, now: Instant) -> Option<BanChange> {
        if self.changes.is_empty() {
            self.lift_bans(now);
        }
        self.changes.pop_front()
    }

    /// When [`Self::poll`] has something to say; in the past if it has already, `None` if only a deed changes that.
    #[must_use]
    pub fn wakeup(&self, now: Instant) -> Option<Instant> {
        if !self.changes.is_empty() {
            return Some(now);
        }
        let peers = self.entries.values().filter_map(|entry| entry.banned_until);
        peers.chain(self.groups.values().copied()).min()
    }

    /// Peers with a record; at most the capacity.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody has a record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Everyone who is banned by id, and until when, in order of peer id.
    pub fn bans(&self) -> impl Iterator<Item = (&PeerId, Instant)> {
        self.entries.iter().filter_map(|(peer_id, entry)| Some((peer_id, entry.banned_until?)))
    }

    fn ban(&mut self, peer_id: PeerId, now: Instant) {
        let Some(entry) = self.entries.get_mut(&peer_id) else { return };
        let first = now >= entry.forget_bans_at;
        let length = if first { FIRST_BAN } else { (entry.last_ban * 2).clamp(FIRST_BAN, LONGEST_BAN) };
        let until = now + length;
        (entry.banned_until, entry.last_ban, entry.forget_bans_at) = (Some(until), length, until + length);
        let group = entry.group;
        self.changes.push_back(BanChange::Ban { target: BanTarget::Peer(peer_id), until });
        if let Some(group) = group {
            self.ban_group(group, now);
        }
    }

    fn ban_group(&mut self, group: IpGroup, now: Instant) {
        if self.banned_of(group) <= BANNED_PER_GROUP {
            return;
        }
        let until = now + GROUP_BAN;
        self.groups.insert(group, until);
        self.changes.push_back(BanChange::Ban { target: BanTarget::Group(group), until });
    }

    fn lift_bans(&mut self, now: Instant) {
        for (peer_id, entry) in &mut self.entries {
            if entry.banned_until.is_some_and(|until| until <= now) {
                entry.banned_until = None;
                // paid for, but for the memory of it
                (entry.points, entry.at) = (entry.points_at(now).max(AFTER_BAN), now);
                self.changes.push_back(BanChange::Unban { target: BanTarget::Peer(*peer_id) });
            }
        }
        let changes = &mut self.changes;
        self.groups.retain(|group, until| {
            let over = *until <= now;
            if over {
                changes.push_back(BanChange::Unban { target: BanTarget::Group(*group) });
            }
            !over
        });
        self.entries.retain(|_, entry| !entry.is_clean(now));
    }

    fn make_room(&mut self, now: Instant) {
        if self.entries.len() < self.capacity {
            return;
        }
        self.entries.retain(|_, entry| !entry.is_clean(now));
        while self.entries.len() >= self.capacity {
            let least = self.entries.iter().min_by(|(_, a), (_, b)| {
                let by_ban = a.banned_until.cmp(&b.banned_until);
                by_ban.then(b.points_at(now).total_cmp(&a.points_at(now)))
            });
            let Some(peer_id) = least.map(|(peer_id, _)| *peer_id) else { return };
            self.pardon(&peer_id);
        }
    }
}

impl Entry {
    const fn new(now: Instant) -> Self {
        Self { points: 0.0, at: now, group: None, banned_until: None, last_ban: Duration::ZERO, forget_bans_at: now }
    }

    fn points_at(&self, now: Instant) -> f64 {
        let half_lives = now.saturating_duration_since(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.points * (-half_lives).exp2()
    }

    fn is_clean(&self, now: Instant) -> bool {
        self.banned_until.is_none() && now >= self.forget_bans_at && self.points_at(now) > FORGOTTEN_ABOVE
    }
}

/// Below, a session ends. Lighthouse: −20.
pub const LEAVE_BELOW: f64 = -20.0;

/// Below, a ban begins. Lighthouse: −50.
pub const BAN_BELOW: f64 = -50.0;

/// No score is lower. Lighthouse: −100.
const WORST: f64 = -100.0;

/// What is left when a ban ends, at the most: half of what ends a session.
const AFTER_BAN: f64 = -10.0;

/// A score this near to zero is zero.
const FORGOTTEN_ABOVE: f64 = -0.1;

/// Half of what a peer did is forgiven after this. Lighthouse: 600 s.
const HALF_LIFE: Duration = Duration::from_secs(600);

/// The first ban of a peer; the next ones double up to [`LONGEST_BAN`].
pub const FIRST_BAN: Duration = Duration::from_secs(3_600);

/// Lighthouse and Teku ban for 12 h.
pub const LONGEST_BAN: Duration = Duration::from_secs(43_200);

/// Banned peers of one group, beyond which the group is banned. Lighthouse: 5 for an address.
pub const BANNED_PER_GROUP: usize = 5;

/// Others may come to live at an address, so that its ban is as long as a first one, however often it is renewed.
const GROUP_BAN: Duration = FIRST_BAN;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{address, peer, seconds};
    use super::*;

    const HIGH: Misbehaviour = Misbehaviour::Request(Fault::Violation(Severity::High));
    const MEDIUM: Misbehaviour = Misbehaviour::Request(Fault::Violation(Severity::Medium));

    fn drain(scores: &mut Scores, now: Instant) -> Vec<BanChange> {
        std::iter::from_fn(|| scores.poll(now)).collect()
    }

    fn ban(scores: &mut Scores, n: u16, group: Option<IpGroup>, now: Instant) -> Instant {
        scores.charge(peer(n), HIGH, group, now);
        match scores.charge(peer(n), HIGH, group, now) {
            Standing::Banned { until } => until,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_violations_cost_anything() {
        let now = Instant::now();
        let mut scores = Scores::new(8);
        for fault in [Fault::Local, Fault::Transient, Fault::Incompatible, Fault::Busy] {
            for deed in [Misbehaviour::Handshake(fault), Misbehaviour::Request(fault)] {
                for _ in 0..1_000 {
                    assert_eq!(scores.charge(peer(1), deed, None, now), Standing::Good, "{deed:?}");
                }
            }
        }
        assert!(scores.is_empty());
    }

    #[test]
    fn a_slow_peer_ranks_lower_and_is_never_left_for_it() {
        let now = Instant::now();
        let mut scores = Scores::new(8);
        for _ in 0..1_000 {
            assert_eq!(scores.charge(peer(1), Misbehaviour::Slow, None, now), Standing::Good);
        }
        assert!(scores.score(&peer(1), now) < 0.0);
        scores.charge(peer(1), HIGH, None, now);
        let before = scores.score(&peer(1), now);
        scores.charge(peer(1), Misbehaviour::Slow, None, now);
        assert_eq!(scores.score(&peer(1), now), before, "a slow answer must not mend a record");
    }

    #[test]
    fn strikes_end_a_session_first_and_then_begin_a_ban() {
        let now = Instant::now();
        let mut scores = Scores::new(8);
        let standings: Vec<_> = (0..10).map(|_| scores.charge(peer(1), MEDIUM, None, now)).collect();
        assert_eq!(standings[..3], [Standing::Good; 3]);
        assert_eq!(standings[3..9], [Standing::Bad; 6]);
        assert_eq!(standings[9], Standing::Banned { until: now + FIRST_BAN });
        assert_eq!(scores.charge(peer(2), HIGH, None, now), Standing::Bad);
    }

    #[test]
    fn half_is_forgiven_with_each_half_life_and_all_in_the_end() {
        let now = Instant::now();
        let mut scores = Scores::new(8);
        scores.charge(peer(1), HIGH, None, now);
        assert_eq!(scores.score(&peer(1), now + HALF_LIFE), -15.0);
        assert_eq!(scores.standing(&peer(1), now + HALF_LIFE), Standing::Good);
        assert_eq!(scores.poll(now + HALF_LIFE * 20), None);
        assert!(scores.is_empty());
    }

    #[test]
    fn a_ban_ends_by_itself_everywhere_and_the_next_one_is_longer() {
        let mut now = Instant::now();
        let mut scores = Scores::new(8);
        let target = BanTarget::Peer(peer(1));
        for length in [1, 2, 4, 8, 12, 12].map(|hours| seconds(hours * 3_600)) {
            let until = ban(&mut scores, 1, None, now);
            assert_eq!(until, now + length);
            assert_eq!(drain(&mut scores, now), [BanChange::Ban { target, until }]);
            assert_eq!(scores.wakeup(now), Some(until));
            assert_eq!(drain(&mut scores, until - seconds(1)), []);
            assert_eq!(drain(&mut scores, until), [BanChange::Unban { target }]);
            assert_eq!(scores.standing(&peer(1), until), Standing::Good);
            now = until;
        }
        now += LONGEST_BAN;
        assert_eq!(ban(&mut scores, 1, None, now), now + FIRST_BAN);
    }

    #[test]
    fn an_address_is_banned_above_five_banned_peers_and_a_private_one_never() {
        let now = Instant::now();
        let public = IpGroup::of(&"/ip4/8.8.8.8/tcp/1".parse().unwrap());
        let private = IpGroup::of(&"/ip4/192.168.1.1/tcp/1".parse().unwrap());
        let mut scores = Scores::new(64);
        for n in 1..=5 {
            ban(&mut scores, n, public, now);
        }
        assert_eq!(scores.group_banned_until(public.unwrap()), None);
        ban(&mut scores, 6, public, now);
        let until = scores.group_banned_until(public.unwrap()).unwrap();
        for n in 10..30 {
            ban(&mut scores, n, private, now);
        }
        assert_eq!(scores.groups.len(), 1);
        let target = BanTarget::Group(public.unwrap());
        assert!(drain(&mut scores, now).contains(&BanChange::Ban { target, until }));
        assert!(drain(&mut scores, until).contains(&BanChange::Unban { target }));
        assert_eq!(scores.group_banned_until(public.unwrap()), None);
    }

    #[test]
    fn a_pardon_of_its_members_lifts_the_ban_of_an_address() {
        let now = Instant::now();
        let group = IpGroup::of(&"/ip4/8.8.8.8/tcp/1".parse().unwrap());
        let mut scores = Scores::new(64);
        for n in 1..=6 {
            ban(&mut scores, n, group, now);
        }
        drain(&mut scores, now);
        scores.forgive_since(now);
        let target = BanTarget::Group(group.unwrap());
        assert!(drain(&mut scores, now).contains(&BanChange::Unban { target }));
        assert_eq!((scores.groups.len(), scores.bans().count()), (0, 0));
    }

    #[test]
    fn a_pardon_lifts_the_ban_and_a_restored_one_ends_in_time() {
        let now = Instant::now();
        let mut scores = Scores::new(8);
        ban(&mut scores, 1, None, now);
        drain(&mut scores, now);
        scores.pardon(&peer(1));
        assert_eq!(drain(&mut scores, now), [BanChange::Unban { target: BanTarget::Peer(peer(1)) }]);
        scores.restore_ban(peer(2), None, now + LONGEST_BAN * 9, now);
        assert_eq!(scores.banned_until(&peer(2)), Some(now + LONGEST_BAN));
        scores.restore_ban(peer(3), None, now, now);
        assert_eq!(scores.bans().count(), 1);
    }

    #[test]
    fn forgives_what_was_charged_since_our_own_trouble_began() {
        let now = Instant::now();
        let mut scores = Scores::new(8);
        scores.charge(peer(1), HIGH, None, now);
        ban(&mut scores, 2, None, now + seconds(5));
        drain(&mut scores, now);
        scores.forgive_since(now + seconds(5));
        assert_eq!(drain(&mut scores, now), [BanChange::Unban { target: BanTarget::Peer(peer(2)) }]);
        assert_eq!((scores.score(&peer(1), now), scores.score(&peer(2), now)), (-30.0, 0.0));
    }

    proptest! {
        /// A mirror that applies the changes agrees at every moment, nobody is banned for ever, and the bound holds.
        #[test]
        fn mirrors_agree_and_every_ban_ends(deeds in prop::collection::vec((0u16..20, 0usize..4, 0u64..3_000), 1..400)) {
            let deeds_of = [HIGH, MEDIUM, Misbehaviour::GossipScore, Misbehaviour::Request(Fault::Busy)];
            let mut now = Instant::now();
            let mut scores = Scores::new(10);
            let mut mirror = BTreeMap::new();
            let apply = |mirror: &mut BTreeMap<BanTarget, Instant>, changes: Vec<BanChange>| {
                for change in changes {
                    match change {
                        BanChange::Ban { target, until } => mirror.insert(target, until),
                        BanChange::Unban { target } => mirror.remove(&target),
                    };
                }
            };
            for (n, deed, pause) in deeds {
                let group = IpGroup::of(&address(n / 10));
                if let Standing::Banned { until } = scores.charge(peer(n), deeds_of[deed], group, now) {
                    prop_assert!(until <= now + LONGEST_BAN);
                }
                apply(&mut mirror, drain(&mut scores, now));
                prop_assert!(scores.len() <= 10);
                let held = scores.bans().map(|(peer_id, until)| (BanTarget::Peer(*peer_id), until));
                let groups = scores.groups.iter().map(|(group, until)| (BanTarget::Group(*group), *until));
                prop_assert_eq!(&held.chain(groups).collect::<BTreeMap<_, _>>(), &mirror);
                now += seconds(pause);
            }
            now += LONGEST_BAN * 2;
            apply(&mut mirror, drain(&mut scores, now));
            prop_assert!(mirror.is_empty() && scores.wakeup(now).is_none());
        }
    }
}
