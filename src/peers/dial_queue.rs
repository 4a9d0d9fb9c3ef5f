//! Which peers may be dialled, and when: one entry and one state for each peer, whoever named it.
//!
//! Owned by the node's event loop: discovery and `add_known_peer` push candidates, the dialler takes them with
//! [`DialQueue::next`] and reports every outcome, inbound peers included. It never dials and never hangs up, and it
//! knows no limits: the caller asks [`super::Limits`] how many to take.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use either::Either;
use libp2p::multiaddr::Protocol;
use rand::Rng;
use tokio::time::Instant;

use super::{Backoffs, Cause, Cover, IpGroup, NetGroup, Source};
use crate::types::{Direction, Multiaddr, PeerId};

/// A peer that may be dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who must be at the other end.
    pub peer_id: PeerId,
    /// Where; best first, at most 8 of at most 256 bytes each, without `/p2p`.
    pub addresses: Vec<Multiaddr>,
    /// Who named it.
    pub source: Source,
}

/// What became of a pushed candidate. Its addresses are kept unless it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// New, waits to be dialled.
    Queued,
    /// Waited already; the addresses were merged.
    Merged,
    /// Connected already; the addresses were merged.
    Connected,
    /// Being dialled already; the addresses were merged.
    Dialing,
    /// Refused: it failed lately and is left alone until then.
    BackingOff {
        /// When it may be pushed again.
        until: Instant,
    },
    /// Refused: no place, and nobody whose place it could take.
    Full,
    /// Refused: nothing to dial.
    NoAddress,
    /// Refused: it is this node.
    Myself,
}

/// What happened to a peer that concerns the dialler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every handshake passed and the peer was admitted.
    Ready {
        /// Who had dialled.
        direction: Direction,
    },
    /// The attempt ended without a ready peer. Costs nothing if the peer is connected by other means.
    Failed {
        /// Who had dialled.
        direction: Direction,
        /// What ended it.
        cause: Cause,
    },
    /// A peer that was ready is gone; for a replaced connection this is not reported.
    Gone {
        /// What ended the session.
        cause: Cause,
    },
}

/// Whom [`DialQueue::next`] may return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Everyone: more peers are wanted.
    Any,
    /// Only boot nodes and the operator's peers: the target is reached.
    KnownOnly,
}

/// Where a peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialState {
    /// May be dialled now.
    Waiting,
    /// May be dialled later.
    BackingOff {
        /// When.
        until: Instant,
    },
    /// Being dialled.
    Dialing,
    /// Connected.
    Connected,
}

/// What is known of a peer that may be dialled, for whoever ranks them.
#[derive(Clone, Copy, Debug)]
pub struct Prospect<'a> {
    /// Who.
    pub peer_id: &'a PeerId,
    /// Who named it.
    pub source: Source,
    /// What its record says it covers.
    pub cover: Cover,
    /// Whether it was ready before.
    pub proven: bool,
    /// The network of its newest address, unless exempt.
    pub net: Option<NetGroup>,
}

/// The bounds of a [`DialQueue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialQueueConfig {
    /// Discovered peers that may wait. 512 × (8 × (256 B + 48 B) + 350 B) = 1.4 MB at worst, 0.3 MB as a rule.
    pub capacity: usize,
    /// Boot nodes and operator's peers. 256 × (16 × 304 B + 350 B) = 1.3 MB at worst.
    pub known_capacity: usize,
    /// Back-offs by peer, and as many by address. 4,096 × (130 B + 370 B), twice for slack = 4 MB at worst.
    pub backoff_capacity: usize,
    /// Failures in a row after which a discovered peer is dropped until it is discovered again.
    pub max_failures: u32,
    /// An attempt without an outcome for this long no longer counts as one. Must exceed dial and handshake deadlines.
    pub attempt_limit: Duration,
    /// A discovered peer that waited for this long gives way to a fresh one when the queue is full.
    pub candidate_life: Duration,
    /// The longest pause between two attempts at a peer that left as for a restart: with half a slot it is back within a
    /// slot of its return.
    pub awaited_pause: Duration,
}

impl Default for DialQueueConfig {
    fn default() -> Self {
        Self {
            capacity: 512,
            known_capacity: 256,
            backoff_capacity: 4_096,
            max_failures: 4,
            attempt_limit: Duration::from_secs(60),
            candidate_life: Duration::from_secs(600),
            awaited_pause: Duration::from_secs(6),
        }
    }
}

/// Every peer that is waiting, being dialled or connected, and the back-offs of those that failed.
///
/// Known peers are never dropped: they wait out their back-off and are dialled again, for ever. Discovered ones are
/// dropped after some failures in a row; only the back-off remains, so that finding them again does not shorten it.
/// Whoever was ready and left is awaited for a while: as after a restart, it is back within seconds of its return.
/// Connected peers are as many as the caller admits.
#[derive(Debug)]
pub struct DialQueue {
    local: PeerId,
    config: DialQueueConfig,
    entries: BTreeMap<PeerId, Entry>,
    /// Those of the entries that somebody vouches for.
    known: BTreeSet<PeerId>,
    /// Those of the entries that are connected, or were dialled and had no outcome yet.
    engaged: BTreeSet<PeerId>,
    /// Those of the engaged that were dialled and had no outcome yet.
    dialled: BTreeSet<PeerId>,
    peers: Backoffs<PeerId>,
    addresses: Backoffs<Multiaddr>,
    /// Orders entries by the time of their last push or failure.
    counter: u64,
    /// Whether the last dial retried a known peer, so that a discovered one goes first now.
    retried_known: bool,
    /// Whether failures that may be our own count in full.
    grows: bool,
}

#[derive(Debug)]
struct Entry {
    source: Source,
    cover: Cover,
    net: Option<NetGroup>,
    proven: bool,
    /// Addresses from boot nodes and operators: never displaced by learned ones.
    given: Vec<Multiaddr>,
    /// Addresses from discovery, newest first.
    learned: Vec<Multiaddr>,
    dialing_since: Option<Instant>,
    /// Beside `dialing_since`, not instead: a peer may dial us while we dial it.
    connected_since: Option<Instant>,
    /// Until when it is expected back, of one that left, or had left before a short session.
    awaited_until: Option<Instant>,
    failures: u32,
    seen_at: Instant,
    order: u64,
}

impl DialQueue {
    /// An empty queue of the node with this identity.
    #[must_use]
    pub fn new(local: PeerId, config: DialQueueConfig) -> Self {
        Self {
            local,
            config,
            entries: BTreeMap::new(),
            known: BTreeSet::new(),
            engaged: BTreeSet::new(),
            dialled: BTreeSet::new(),
            peers: Backoffs::new(config.backoff_capacity),
            addresses: Backoffs::new(config.backoff_capacity),
            counter: 0,
            retried_known: false,
            grows: true,
        }
    }

    /// Takes a candidate in, or says why not. Naming a peer as known for the first time ends its back-off; an address that
    /// it did not have, as after a move, lets one that began without anybody's fault end soon.
    pub fn push(&mut self, candidate: Candidate, now: Instant) -> Pushed {
        let Candidate { peer_id, addresses, source } = candidate;
        if peer_id == self.local {
            return Pushed::Myself;
        }
        let addresses = dialable(addresses);
        if addresses.is_empty() {
            return Pushed::NoAddress;
        }
        let promoted = source.is_known() && !self.source(&peer_id).is_some_and(Source::is_known);
        if promoted {
            if self.known.len() >= self.config.known_capacity {
                return Pushed::Full;
            }
            self.peers.forget(&peer_id);
            self.known.insert(peer_id);
        }
        let order = self.next_order();
        let Some(entry) = self.entries.get_mut(&peer_id) else {
            if let Some(until) = self.peers.until(&peer_id, now) {
                return Pushed::BackingOff { until };
            }
            if !source.is_known() && !self.make_room(now) {
                return Pushed::Full;
            }
            let mut entry = Entry::new(source, now, order);
            entry.merge(addresses, source);
            self.entries.insert(peer_id, entry);
            return Pushed::Queued;
        };
        if addresses.iter().any(|address| entry.addresses().all(|known| known != address)) {
            self.peers.hasten(&peer_id, now + self.config.awaited_pause);
        }
        entry.merge(addresses, source);
        entry.seen_at = now;
        if promoted {
            entry.failures = 0;
        }
        if promoted || !entry.source.is_known() {
            entry.order = order;
        }
        entry.source = entry.source.min(source);
        match self.state(&peer_id, now) {
            Some(DialState::Connected) => Pushed::Connected,
            Some(DialState::Dialing) => Pushed::Dialing,
            Some(DialState::Waiting | DialState::BackingOff { .. }) | None => Pushed::Merged,
        }
    }

    /// The best peer that may be dialled now; it counts as being dialled until its outcome arrives.
    ///
    /// Known peers that never failed go first, then known peers to retry and discovered ones take turns, so that a
    /// list of dead boot nodes cannot starve discovery; of the discovered ones the freshest goes first. Addresses
    /// where nobody answered lately are left out, or come last for a known peer.
    #[must_use = "the peer counts as being dialled"]
    pub fn next(&mut self, want: Want, now: Instant) -> Option<Candidate> {
        self.next_by(want, now, |_| Some(0))
    }

    /// As [`Self::next`], discovered peers in the order of their rank, greatest first; each failure halves a rank, and
    /// those without one are left out. Known peers are not ranked.
    #[must_use = "the peer counts as being dialled"]
    pub fn next_by(
        &mut self,
        want: Want,
        now: Instant,
        rank: impl Fn(Prospect<'_>) -> Option<u32>,
    ) -> Option<Candidate> {
        let peer_id = self.best(want, now, rank)?;
        let entry = self.entries.get_mut(&peer_id)?;
        entry.dialing_since = Some(now);
        self.engaged.insert(peer_id);
        self.dialled.insert(peer_id);
        self.retried_known = entry.is_retry();
        let source = entry.source;
        let (mut addresses, silent): (Vec<_>, Vec<_>) =
            entry.addresses().cloned().partition(|address| self.addresses.until(address, now).is_none());
        if source.is_known() || entry.is_awaited(now) {
            addresses.extend(silent);
        }
        Some(Candidate { peer_id, addresses, source })
    }

    /// When [`Self::next`] has somebody to return: `now` if it has already, `None` if only a push can change that.
    #[must_use]
    pub fn wakeup(&self, want: Want, now: Instant) -> Option<Instant> {
        self.wakeup_by(want, now, |_| true)
    }

    /// As [`Self::wakeup`], for [`Self::next_by`] with a rank for exactly these discovered peers.
    #[must_use]
    pub fn wakeup_by(&self, want: Want, now: Instant, is_ranked: impl Fn(Prospect<'_>) -> bool) -> Option<Instant> {
        self.wanted(want)
            .filter(|(peer_id, entry)| entry.source.is_known() || is_ranked(entry.prospect(peer_id)))
            .filter_map(|(peer_id, entry)| self.due_at(peer_id, entry, now))
            .min()
    }

    /// Everyone who may be dialled now, in order of peer id.
    pub fn waiting(&self, now: Instant) -> impl Iterator<Item = Prospect<'_>> {
        self.entries
            .iter()
            .filter(move |(peer_id, entry)| self.due_at(peer_id, entry, now).is_some_and(|due| due <= now))
            .map(|(peer_id, entry)| entry.prospect(peer_id))
    }

    /// Notes what a peer's record says it covers.
    pub fn on_cover(&mut self, peer_id: &PeerId, cover: Cover) {
        if let Some(entry) = self.entries.get_mut(peer_id) {
            entry.cover = cover;
        }
    }

    /// Notes that a peer was ready in a former run.
    pub fn on_proven(&mut self, peer_id: &PeerId) {
        if let Some(entry) = self.entries.get_mut(peer_id) {
            entry.proven = true;
        }
    }

    /// What a peer is known to cover.
    #[must_use]
    pub fn cover(&self, peer_id: &PeerId) -> Cover {
        self.entries.get(peer_id).map(|entry| entry.cover).unwrap_or_default()
    }

    /// Drops a discovered peer that waits, such as a banned one. Its back-off stays.
    pub fn drop_peer(&mut self, peer_id: &PeerId) {
        if self.entries.get(peer_id).is_some_and(Entry::is_idle_stranger) {
            self.entries.remove(peer_id);
        }
    }

    /// Drops the discovered peers that wait and have no address outside the group.
    pub fn drop_group(&mut self, group: IpGroup) {
        let is_there = |entry: &Entry| entry.addresses().all(|address| IpGroup::of(address) == Some(group));
        self.entries.retain(|_, entry| !entry.is_idle_stranger() || !is_there(entry));
    }

    /// Whether failures count in full from now on. While we suspect ourselves they do not: a failure that may be our
    /// own makes for the first pause alone, and no peer is dropped for it.
    pub const fn set_growing(&mut self, grows: bool) {
        self.grows = grows;
    }

    /// Takes back the failures and back-offs since then that may have been our own fault.
    pub fn forgive_since(&mut self, since: Instant) {
        for (peer_id, entry) in &mut self.entries {
            if self.peers.may_be_ours_since(peer_id, since) {
                entry.failures = 0;
            }
        }
        self.peers.forget_since(since);
        self.addresses.forget_since(since);
    }

    /// Whether a peer was ready, left lately and is expected back.
    #[must_use]
    pub fn awaits(&self, peer_id: &PeerId, now: Instant) -> bool {
        self.entries.get(peer_id).is_some_and(|entry| entry.is_awaited(now))
    }

    /// When the back-off of a peer ends, queued or not; `None` if it has none.
    #[must_use]
    pub fn backed_off_until(&self, peer_id: &PeerId, now: Instant) -> Option<Instant> {
        self.peers.until(peer_id, now)
    }

    /// Peers of any state that are held here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody is held here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Peers whose back-offs are remembered, over or not.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.peers.len()
    }

    /// Notes what happened to a peer and returns how long it is left alone; zero unless it failed.
    pub fn on_outcome(&mut self, peer_id: PeerId, outcome: Outcome, now: Instant, rng: &mut impl Rng) -> Duration {
        match outcome {
            Outcome::Ready { direction } => {
                self.on_ready(peer_id, direction, now);
                Duration::ZERO
            }
            Outcome::Failed { direction, cause } => {
                self.end_attempt(&peer_id, direction);
                if self.entries.get(&peer_id).is_some_and(Entry::is_connected) {
                    return Duration::ZERO;
                }
                self.disengage(&peer_id);
                self.back_off(peer_id, cause, now, rng)
            }
            Outcome::Gone { cause } => {
                if let Some(entry) = self.entries.get_mut(&peer_id) {
                    let since = entry.connected_since.take();
                    entry.seen_at = now;
                    entry.proven &= cause != Cause::Pruned;
                    let session = since.map(|since| now.saturating_duration_since(since)).unwrap_or_default();
                    if session >= STABLE_SESSION {
                        entry.failures = 0;
                        self.peers.forget(&peer_id);
                    }
                    // of short sessions one, if it was ended in order or somebody vouches for the peer: others may have had
                    // enough of us
                    let vouched = cause == Cause::ShutDown || entry.source.is_known();
                    let first = vouched && entry.awaited_until.is_none();
                    if cause.may_be_a_restart() && (session >= SETTLED || first) {
                        entry.awaited_until = Some(now + AWAITED);
                    }
                }
                self.disengage(&peer_id);
                self.back_off(peer_id, cause, now, rng)
            }
        }
    }

    /// Notes that nobody answered at an address; whoever claims to be there, it is left alone for a while.
    ///
    /// Only for timeouts and refusals: an answer by another peer than expected says nothing against the address.
    pub fn on_address_silent(&mut self, address: &Multiaddr, now: Instant, rng: &mut impl Rng) {
        let Some(address) = normalized(address.clone()) else { return };
        let (cause, source) = (Cause::Transient, Source::Discovered);
        if self.grows {
            self.addresses.punish(&address, cause, source, now, rng);
        } else {
            self.addresses.hold(&address, cause, source, now, rng);
        }
    }

    /// Notes that somebody answered at an address.
    pub fn on_address_reached(&mut self, address: &Multiaddr) {
        if let Some(address) = normalized(address.clone()) {
            self.addresses.forget(&address);
        }
    }

    /// Ends the back-offs of one cause, for when the cause is gone: `Incompatible` after a fork, `Transient` when
    /// the link is back.
    pub fn forgive(&mut self, cause: Cause) {
        self.peers.forget_cause(cause);
        self.addresses.forget_cause(cause);
    }

    /// Where a peer stands; `None` if it is not here, which says nothing of its back-off.
    #[must_use]
    pub fn state(&self, peer_id: &PeerId, now: Instant) -> Option<DialState> {
        let entry = self.entries.get(peer_id)?;
        if entry.is_connected() {
            return Some(DialState::Connected);
        }
        if self.is_dialing(entry, now) {
            return Some(DialState::Dialing);
        }
        let until = self.due_at(peer_id, entry, now).filter(|due| now < *due);
        Some(until.map_or(DialState::Waiting, |until| DialState::BackingOff { until }))
    }

    /// Who named a peer; `None` if it is not here.
    #[must_use]
    pub fn source(&self, peer_id: &PeerId) -> Option<Source> {
        self.entries.get(peer_id).map(|entry| entry.source)
    }

    /// Every address of the known peers.
    pub fn known_addresses(&self) -> impl Iterator<Item = &Multiaddr> {
        self.known.iter().filter_map(|peer_id| self.entries.get(peer_id)).flat_map(Entry::addresses)
    }

    /// Peers that wait or back off.
    #[must_use]
    pub fn queued(&self, now: Instant) -> usize {
        let engaged = self.engaged.iter().filter_map(|peer_id| self.entries.get(peer_id));
        self.entries.len() - engaged.filter(|entry| entry.is_connected() || self.is_dialing(entry, now)).count()
    }

    /// Attempts under way.
    #[must_use]
    pub fn dialing(&self, now: Instant) -> usize {
        let dialled = self.dialled.iter().filter_map(|peer_id| self.entries.get(peer_id));
        dialled.filter(|entry| self.is_dialing(entry, now)).count()
    }

    /// Attempts at discovered peers under way.
    #[must_use]
    pub fn dialing_discovered(&self, now: Instant) -> usize {
        let dialled = self.dialled.difference(&self.known).filter_map(|peer_id| self.entries.get(peer_id));
        dialled.filter(|entry| self.is_dialing(entry, now)).count()
    }

    /// Free places for discovered peers, those not counted that a fresh peer could take over.
    #[must_use]
    pub fn room(&self) -> usize {
        self.config.capacity.saturating_sub(self.waiting_strangers())
    }

    /// Whether a fresh discovered peer would be taken in, if need be in the place of one that is missed less.
    #[must_use]
    pub fn takes_discovered(&self, now: Instant) -> bool {
        self.room() > 0 || self.gives_way(now).is_some()
    }

    fn on_ready(&mut self, peer_id: PeerId, direction: Direction, now: Instant) {
        let order = self.next_order();
        self.end_attempt(&peer_id, direction);
        let entry = self.entries.entry(peer_id).or_insert_with(|| Entry::new(Source::Discovered, now, order));
        entry.proven = true;
        entry.connected_since.get_or_insert(now);
        self.engaged.insert(peer_id);
    }

    fn back_off(&mut self, peer_id: PeerId, cause: Cause, now: Instant, rng: &mut impl Rng) -> Duration {
        let order = self.next_order();
        let ours = !self.grows && cause.may_be_ours();
        let mut source = Source::Discovered;
        let mut awaited = false;
        if let Some(entry) = self.entries.get_mut(&peer_id) {
            source = entry.source;
            awaited = cause.may_be_a_restart() && entry.is_awaited(now);
            if !ours && !awaited {
                entry.failures = entry.failures.saturating_add(1);
            }
            if source.is_known() {
                entry.order = order;
            } else if entry.is_idle()
                && (entry.failures >= self.config.max_failures || entry.addresses().next().is_none())
            {
                self.entries.remove(&peer_id);
            } else {
                self.shrink();
            }
        }
        if awaited {
            let pause = cause.schedule(source).first.min(self.config.awaited_pause);
            self.peers.pause(&peer_id, cause, pause, now, rng)
        } else if ours {
            self.peers.hold(&peer_id, cause, source, now, rng)
        } else {
            self.peers.punish(&peer_id, cause, source, now, rng)
        }
    }

    fn best(&self, want: Want, now: Instant, rank: impl Fn(Prospect<'_>) -> Option<u32>) -> Option<PeerId> {
        self.wanted(want)
            .filter(|(peer_id, entry)| self.due_at(peer_id, entry, now).is_some_and(|due| due <= now))
            .filter_map(|(peer_id, entry)| {
                let rank = if entry.source.is_known() { 0 } else { rank(entry.prospect(peer_id))? };
                Some((peer_id, entry.rank(self.retried_known, rank)))
            })
            .max_by_key(|(_, rank)| *rank)
            .map(|(peer_id, _)| *peer_id)
    }

    /// The earliest time for an attempt, `now` at the least; `None` while connected or without an address.
    fn due_at(&self, peer_id: &PeerId, entry: &Entry, now: Instant) -> Option<Instant> {
        if entry.is_connected() {
            return None;
        }
        let some_address = if entry.source.is_known() || entry.is_awaited(now) {
            now
        } else {
            entry.addresses().map(|address| self.addresses.until(address, now).unwrap_or(now)).min()?
        };
        let attempt_over = entry.dialing_since.map_or(now, |since| since + self.config.attempt_limit);
        let backoff_over = self.peers.until(peer_id, now).unwrap_or(now);
        Some(now.max(some_address).max(attempt_over).max(backoff_over))
    }

    fn is_dialing(&self, entry: &Entry, now: Instant) -> bool {
        entry.dialing_since.is_some_and(|since| now < since + self.config.attempt_limit)
    }

    /// Forgets that a peer is connected or dialled, unless it is.
    fn disengage(&mut self, peer_id: &PeerId) {
        if self.entries.get(peer_id).is_none_or(Entry::is_idle) {
            self.engaged.remove(peer_id);
        }
    }

    fn end_attempt(&mut self, peer_id: &PeerId, direction: Direction) {
        if direction == Direction::Outbound {
            self.dialled.remove(peer_id);
            if let Some(entry) = self.entries.get_mut(peer_id) {
                entry.dialing_since = None;
            }
        }
    }

    fn wanted(&self, want: Want) -> impl Iterator<Item = (&PeerId, &Entry)> {
        match want {
            Want::Any => Either::Left(self.entries.iter()),
            Want::KnownOnly => {
                Either::Right(self.known.iter().filter_map(|peer_id| self.entries.get_key_value(peer_id)))
            }
        }
    }

    fn waiting_strangers(&self) -> usize {
        let strangers = self.entries.len() - self.known.len();
        strangers - self.engaged.difference(&self.known).count()
    }

    fn waiting_discovered(&self) -> impl Iterator<Item = (&PeerId, &Entry)> {
        self.entries.iter().filter(|(_, entry)| entry.is_idle_stranger())
    }

    /// The waiting peer that is missed least: the one that failed most, of these the oldest.
    fn worst(&self) -> Option<(PeerId, &Entry)> {
        self.waiting_discovered()
            .max_by_key(|(_, entry)| (entry.failures, Reverse(entry.order)))
            .map(|(peer_id, entry)| (*peer_id, entry))
    }

    /// Makes a place for a fresh peer: one that failed or waited for too long gives way. False if there is none.
    fn make_room(&mut self, now: Instant) -> bool {
        self.room() > 0 || self.gives_way(now).is_some_and(|peer_id| self.entries.remove(&peer_id).is_some())
    }

    /// The peer whose place a fresh one may take.
    fn gives_way(&self, now: Instant) -> Option<PeerId> {
        let life = self.config.candidate_life;
        self.worst()
            .filter(|(_, entry)| entry.failures > 0 || now.saturating_duration_since(entry.seen_at) >= life)
            .map(|(peer_id, _)| peer_id)
    }

    /// Restores the bound after a peer came back from an attempt or a session.
    fn shrink(&mut self) {
        while self.waiting_strangers() > self.config.capacity {
            let Some((peer_id, _)) = self.worst() else { return };
            self.entries.remove(&peer_id);
        }
    }

    fn next_order(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

impl Entry {
    fn new(source: Source, now: Instant, order: u64) -> Self {
        Self {
            source,
            cover: Cover::default(),
            net: None,
            proven: false,
            given: Vec::new(),
            learned: Vec::new(),
            dialing_since: None,
            connected_since: None,
            awaited_until: None,
            failures: 0,
            seen_at: now,
            order,
        }
    }

    fn is_connected(&self) -> bool {
        self.connected_since.is_some()
    }

    fn is_awaited(&self, now: Instant) -> bool {
        self.awaited_until.is_some_and(|until| now < until)
    }

    fn is_retry(&self) -> bool {
        self.source.is_known() && self.failures > 0
    }

    fn addresses(&self) -> impl Iterator<Item = &Multiaddr> {
        let learned = self.learned.iter().filter(|address| !self.given.contains(address));
        self.given.iter().chain(learned).take(MAX_ADDRESSES)
    }

    fn merge(&mut self, mut addresses: Vec<Multiaddr>, source: Source) {
        let list = if source.is_known() { &mut self.given } else { &mut self.learned };
        addresses.append(list);
        *list = unique(addresses);
        self.net = list.first().and_then(NetGroup::of);
    }

    fn is_idle(&self) -> bool {
        !self.is_connected() && self.dialing_since.is_none()
    }

    fn is_idle_stranger(&self) -> bool {
        !self.source.is_known() && self.is_idle()
    }

    fn prospect<'a>(&'a self, peer_id: &'a PeerId) -> Prospect<'a> {
        Prospect { peer_id, source: self.source, cover: self.cover, proven: self.proven, net: self.net }
    }

    /// Greatest first: known peers in the order of their last failure, discovered ones by rank, failures, freshness.
    fn rank(&self, retried_known: bool, rank: u32) -> (u8, u32, Reverse<u32>, Reverse<u64>) {
        match (self.is_retry(), self.source.is_known()) {
            (false, true) => (3, 0, Reverse(0), Reverse(self.order)),
            (true, _) => (if retried_known { 0 } else { 2 }, 0, Reverse(0), Reverse(self.order)),
            (false, false) => {
                let rank = rank.checked_shr(self.failures).unwrap_or(0);
                (1, rank, Reverse(self.failures), Reverse(u64::MAX - self.order))
            }
        }
    }
}

impl Pushed {
    /// The stable label for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Merged => "merged",
            Self::Connected => "connected",
            Self::Dialing => "dialing",
            Self::BackingOff { .. } => "backing_off",
            Self::Full => "full",
            Self::NoAddress => "no_address",
            Self::Myself => "self",
        }
    }
}

/// Drops the `/p2p` part, which the peer id repeats; `None` for what is empty or too long to be an address.
fn normalized(mut address: Multiaddr) -> Option<Multiaddr> {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    (!address.is_empty() && address.len() <= MAX_ADDRESS_BYTES).then_some(address)
}

fn dialable(addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
    unique(addresses.into_iter().filter_map(normalized))
}

/// The first eight different addresses, in order.
fn unique(addresses: impl IntoIterator<Item = Multiaddr>) -> Vec<Multiaddr> {
    let mut kept = Vec::new();
    for address in addresses {
        if kept.len() == MAX_ADDRESSES {
            break;
        }
        if !kept.contains(&address) {
            kept.push(address);
        }
    }
    kept
}

/// A record names at most four (two families, two transports); twice that leaves room for a move.
const MAX_ADDRESSES: usize = 8;

/// A DNS name has at most 253 bytes and is the longest thing that is dialled; records hold 300 bytes altogether.
const MAX_ADDRESS_BYTES: usize = 256;

/// A session this long was a success: the failures before it are forgotten. A shorter one counts as one more.
const STABLE_SESSION: Duration = Duration::from_secs(60);

/// A session this long was no refusal: whoever has no place for us, or had enough of us, says so within seconds.
const SETTLED: Duration = Duration::from_secs(10);

/// For so long after a peer has left it may be a restart, which takes clients from seconds to a few minutes: about 27
/// attempts with the pause of mainnet.
const AWAITED: Duration = Duration::from_secs(120);
