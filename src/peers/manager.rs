//! `PeerManager`: the one owner of everything that is known and decided about peers.
//!
//! Driven by the node's loop: what happened goes into `on_*`, what to do comes out of [`PeerManager::next_action`] until
//! it returns `None`, and [`PeerManager::wakeup`] says when to ask again. It composes the table, the dial queue, scores,
//! suspicion, coverage and pruning, and adds only what needs two of them.

mod action;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

pub use action::{Action, Census, PeerState};

use super::{
    Admission, BanChange, BanTarget, BootstrapCheck, BootstrapFailure, Candidate, Cause, Cover, CoverTargets, Coverage,
    DialQueue, DialQueueConfig, DialState, Exceeded, IpGroup, Limits, Misbehaviour, Need, NetGroup, Outcome,
    PeerRecord, Peers, Pruner, Pushed, Removal, Resident, Scores, Seat, Source, Standing, Suspect, SuspectChange,
    Suspicion, Upkeep, Want,
};
use crate::types::{Direction, GoodbyeReason, MetaData, Multiaddr, NodeId, PeerId, StatusMessage, peer_node_id};

/// Computes the columns of a node id with a custody group count, one bit each.
pub type Custody = fn(&NodeId, u64) -> u128;

/// The bounds and aims of a [`PeerManager`].
#[derive(Clone, Copy, Debug)]
pub struct ManagerConfig {
    /// How many peers.
    pub limits: Limits,
    /// How many may wait.
    pub queue: DialQueueConfig,
    /// How many are enough for each subnet and column.
    pub cover_targets: CoverTargets,
    /// Peers whose deeds are remembered. 4,096 × 320 B = 1.3 MB at worst.
    pub score_capacity: usize,
    /// How columns follow from a node id.
    pub custody: Custody,
}

/// Everything about peers. `C` names a connection.
///
/// Bounded: [`DialQueueConfig`] for those who wait, [`Limits`] for those who are ready or shake hands,
/// [`ManagerConfig::score_capacity`] for those who are remembered.
#[derive(Debug)]
pub struct PeerManager<C> {
    config: ManagerConfig,
    table: Peers<C>,
    queue: DialQueue,
    scores: Scores,
    suspect: Suspect,
    pruner: Pruner,
    /// Peers that are trusted by their id, wherever they are found; as many as the operator gave.
    trusted: BTreeSet<PeerId>,
    /// Whether the chain has a wall slot: peers of a network that does not exist yet refuse everybody.
    may_dial: bool,
    bootstrap: Option<BootstrapCheck>,
    /// What the choice of others depends on, of each ready peer.
    traits: BTreeMap<PeerId, Traits>,
    wanted: Cover,
    need: Need,
    next_link_change: Instant,
    /// Whether one came too early to be acted upon.
    link_changed: bool,
    next_lookup: Instant,
    /// Between two lookups; longer while they bring nobody.
    lookup_pause: Duration,
    /// Since when peers that dialled us shake hands; at most the pending inbound limit, others are not told apart.
    shaking: BTreeMap<PeerId, Instant>,
    /// Ready peers of whom the owner was asked to take leave.
    leaving: BTreeSet<PeerId>,
    /// At most one of each kind for each ready peer.
    due: VecDeque<Action<C>>,
}

impl<C: Copy + Eq> PeerManager<C> {
    /// A manager without peers, of the node with this identity.
    #[must_use]
    pub fn new(local: PeerId, config: ManagerConfig, now: Instant) -> Self {
        Self {
            table: Peers::new(local, config.limits),
            queue: DialQueue::new(local, config.queue),
            scores: Scores::new(config.score_capacity),
            suspect: Suspect::default(),
            pruner: Pruner::new(now),
            trusted: BTreeSet::new(),
            may_dial: false,
            bootstrap: None,
            traits: BTreeMap::new(),
            wanted: Cover::default(),
            need: Need::default(),
            next_link_change: now,
            link_changed: false,
            next_lookup: now,
            lookup_pause: LOOKUP_EVERY,
            shaking: BTreeMap::new(),
            leaving: BTreeSet::new(),
            due: VecDeque::new(),
            config,
        }
    }

    // --- candidates

    /// Takes in a peer that may be dialled, with what its record says it covers. A banned one backs off.
    pub fn on_candidate(&mut self, mut candidate: Candidate, cover: Cover, now: Instant) -> Pushed {
        if self.trusted.contains(&candidate.peer_id) && !candidate.source.is_known() {
            candidate.source = Source::KnownPeer;
        }
        let known = candidate.source.is_known();
        if known {
            // the operator's word counts for more
            self.scores.pardon(&candidate.peer_id);
        } else if let Some(until) = self.candidate_banned_until(&candidate) {
            return Pushed::BackingOff { until };
        }
        let peer_id = candidate.peer_id;
        let pushed = self.queue.push(candidate, now);
        if !cover.is_empty() {
            self.queue.on_cover(&peer_id, cover);
        }
        pushed
    }

    /// As [`Self::on_candidate`], for a peer that was ready in a former run: it goes before strangers of equal use.
    pub fn on_remembered(&mut self, candidate: Candidate, cover: Cover, now: Instant) -> Pushed {
        let peer_id = candidate.peer_id;
        let pushed = self.on_candidate(candidate, cover, now);
        self.queue.on_proven(&peer_id);
        pushed
    }

    /// Trusts a peer by its id alone: once found it is treated as one that the operator gave with its address.
    pub fn trust(&mut self, peer_id: PeerId) {
        self.scores.pardon(&peer_id);
        self.trusted.insert(peer_id);
    }

    /// Whether discovery should look for more peers.
    #[must_use]
    pub fn demand(&self) -> bool {
        self.limits().wanted_outbound(self.table.counts(), 0) > 0
    }

    /// Whether a fresh discovered peer would be taken in.
    #[must_use]
    pub fn takes_discovered(&self, now: Instant) -> bool {
        self.queue.takes_discovered(now)
    }

    /// Notes how many peers a lookup brought: where there is nobody to be found, the network is left in peace.
    pub fn on_looked(&mut self, found: usize, now: Instant) {
        self.lookup_pause = if found > 0 { LOOKUP_EVERY } else { LOOKUP_AT_LEAST_EVERY.min(self.lookup_pause * 2) };
        self.next_lookup = self.next_lookup.max(now + self.lookup_pause);
    }

    // --- connections

    /// Whether there is a place for a peer, for an answer before the handshakes.
    ///
    /// # Errors
    /// [`Exceeded`] names the limit, or the ban; never for a known peer. One that is ready already is about to replace
    /// that connection and needs no place.
    pub fn check(&self, direction: Direction, peer_id: &PeerId, address: &Multiaddr) -> Result<(), Exceeded> {
        let known = self.is_known(peer_id);
        if !known && self.is_banned(peer_id, address) {
            return Err(Exceeded::Banned);
        }
        let seat = self.seat(known || self.table.get(peer_id).is_some(), self.queue.cover(peer_id));
        self.table.check(direction, address, seat)
    }

    /// Notes that a peer dialled us and shakes hands from now on; its outcome ends that.
    pub fn on_connected(&mut self, peer_id: PeerId, now: Instant) {
        let life = self.config.queue.attempt_limit;
        self.shaking.retain(|_, since| now.saturating_duration_since(*since) < life);
        if self.shaking.len() < self.limits().max_pending_inbound {
            self.shaking.insert(peer_id, now);
        }
    }

    /// Takes a peer in whose handshakes passed; [`Self::on_outcome`] is to follow, whatever the answer.
    pub fn try_admit(&mut self, record: PeerRecord<C>, now: Instant) -> Admission<C> {
        let (peer_id, known) = (record.peer_id, record.known);
        if !known && self.is_banned(&peer_id, &record.address) {
            return Admission::Refused(Exceeded::Banned);
        }
        let cover = self.cover_of(&record);
        let traits = Traits { cover, net: NetGroup::of(&record.address) };
        let admission = self.table.try_seat(record, self.seat(known, cover), now);
        match admission {
            Admission::Accepted | Admission::Replaced(_) => {
                self.leaving.remove(&peer_id);
                self.traits.insert(peer_id, traits);
                self.count_cover();
            }
            Admission::Spare(_) | Admission::Surplus | Admission::Refused(_) => {}
        }
        admission
    }

    /// Takes a connection out that closed; [`Outcome::Gone`] is to follow when its peer is gone with it.
    pub fn remove(&mut self, peer_id: &PeerId, connection: C) -> Removal<C> {
        let removal = self.table.remove(peer_id, connection);
        match removal {
            Removal::Gone(_) => {
                self.leaving.remove(peer_id);
                self.traits.remove(peer_id);
                self.count_cover();
            }
            Removal::Replaced(_) => self.on_moved(peer_id),
            Removal::Unneeded => {}
        }
        removal
    }

    /// Settles which of a peer's two connections goes; see [`Peers::settle`].
    #[must_use = "what is returned must be closed"]
    pub fn settle(&mut self, peer_id: &PeerId, keep: C, lives: bool) -> Option<C> {
        let close = self.table.settle(peer_id, keep, lives);
        if close == Some(keep) {
            self.on_moved(peer_id);
        }
        close
    }

    /// A peer stays over another connection than before.
    fn on_moved(&mut self, peer_id: &PeerId) {
        let Some(record) = self.table.get(peer_id) else { return };
        let traits = Traits { cover: self.cover_of(record), net: NetGroup::of(&record.address) };
        self.leaving.remove(peer_id);
        self.traits.insert(*peer_id, traits);
        self.count_cover();
    }

    /// Notes what became of an attempt or of a ready peer, and returns how long the peer is left alone.
    pub fn on_outcome(&mut self, peer_id: PeerId, outcome: Outcome, now: Instant, rng: &mut impl Rng) -> Duration {
        self.weigh(&peer_id, outcome, now);
        match outcome {
            Outcome::Ready { direction: Direction::Inbound }
            | Outcome::Failed { direction: Direction::Inbound, .. } => {
                self.shaking.remove(&peer_id);
            }
            Outcome::Ready { .. } | Outcome::Failed { .. } | Outcome::Gone { .. } => {}
        }
        self.queue.set_growing(self.suspect.verdict().is_none());
        let pause = self.queue.on_outcome(peer_id, outcome, now, rng);
        if self.scores.banned_until(&peer_id).is_some() {
            self.queue.drop_peer(&peer_id);
        }
        pause
    }

    /// Notes that nobody answered at an address.
    pub fn on_address_silent(&mut self, address: &Multiaddr, now: Instant, rng: &mut impl Rng) {
        self.queue.set_growing(self.suspect.verdict().is_none());
        self.queue.on_address_silent(address, now, rng);
    }

    /// Notes that somebody answered at an address.
    pub fn on_address_reached(&mut self, address: &Multiaddr) {
        self.queue.on_address_reached(address);
    }

    // --- what ready peers say and do

    /// Notes a ping or a pong. True if the metadata that we hold is behind.
    pub fn on_ping(&mut self, peer_id: &PeerId, seq_number: u64, now: Instant) -> bool {
        self.suspect.on_alive(now);
        self.table.on_ping(peer_id, seq_number, now)
    }

    /// Notes a status, asked for or received.
    pub fn on_status(&mut self, peer_id: &PeerId, status: StatusMessage, now: Instant) {
        self.suspect.on_alive(now);
        self.table.on_status(peer_id, status, now);
    }

    /// Notes metadata, and with it what the peer covers.
    pub fn on_metadata(&mut self, peer_id: &PeerId, metadata: MetaData, now: Instant) {
        self.suspect.on_alive(now);
        self.table.on_metadata(peer_id, metadata);
        if let Some(record) = self.table.get(peer_id) {
            let cover = self.cover_of(record);
            if let Some(traits) = self.traits.get_mut(peer_id) {
                traits.cover = cover;
            }
            self.count_cover();
        }
    }

    /// Charges a peer, at an address if it is not ready, and says where that leaves it. What follows of that comes out
    /// as actions. Known peers are not charged, and nobody is while we suspect ourselves.
    pub fn on_misbehaviour(
        &mut self,
        peer_id: PeerId,
        deed: Misbehaviour,
        address: Option<&Multiaddr>,
        now: Instant,
    ) -> Standing {
        if self.is_known(&peer_id) || !deed.costs() {
            return Standing::Good;
        }
        let counts = match deed {
            Misbehaviour::Slow => self.suspect.verdict().is_none(),
            Misbehaviour::Handshake(_) | Misbehaviour::Request(_) | Misbehaviour::GossipScore => {
                self.suspect.on_fault(peer_id, self.table.counts().total(), now)
            }
        };
        if !counts {
            return self.scores.standing(&peer_id, now);
        }
        let held = self.table.get(&peer_id).map(|record| &record.address);
        let group = held.or(address).and_then(IpGroup::of);
        let standing = self.scores.charge(peer_id, deed, group, now);
        match standing {
            // a ban is carried out when it is told
            Standing::Good | Standing::Banned { .. } => {}
            Standing::Bad => self.take_leave(&peer_id, GoodbyeReason::SCORE_TOO_LOW, deed.as_str()),
        }
        standing
    }

    // --- what happens to us

    /// Compares the clocks; to be called every slot. `wall_ms` are milliseconds since the Unix epoch.
    pub fn on_clock(&mut self, wall_ms: u64, now: Instant) {
        self.suspect.on_clock(wall_ms, now);
    }

    /// Notes that an interface or an address of ours has changed: old connections may be dead, old failures are void.
    /// Interfaces that come and go all the time, as with containers, are listened to twice a minute.
    pub fn on_link_changed(&mut self, now: Instant) {
        if now < self.next_link_change {
            // the last change counts: an address that is gone may be followed by the one in its place
            self.link_changed = true;
            return;
        }
        self.next_link_change = now + LINK_PAUSE;
        self.link_changed = false;
        self.forgive_ours();
        self.table.probe_all(now);
    }

    /// Ends the back-offs of one cause: `Incompatible` after a fork.
    pub fn forgive(&mut self, cause: Cause) {
        self.queue.forgive(cause);
    }

    /// Sets which subnets and columns are to be covered.
    pub fn set_wanted(&mut self, wanted: Cover) {
        self.wanted = wanted;
        self.count_cover();
    }

    /// Takes over a ban from a former run or by the operator.
    pub fn restore_ban(&mut self, peer_id: PeerId, group: Option<IpGroup>, until: Instant, now: Instant) {
        if !self.is_known(&peer_id) {
            self.scores.restore_ban(peer_id, group, until, now);
        }
    }

    /// Dialling may begin; until then [`Self::next_action`] dials nobody and looks for nobody.
    pub const fn begin_dialling(&mut self) {
        self.may_dial = true;
    }

    /// The time for a bootstrap node to be reached begins; so many cannot even be dialled.
    pub fn begin_bootstrap(&mut self, undialable: usize, now: Instant) {
        if self.bootstrap.is_some() {
            return;
        }
        let mut check = BootstrapCheck::new(now);
        for _ in 0..undialable {
            check.on_failure(BootstrapFailure::NoAddress);
        }
        self.bootstrap = Some(check);
    }

    /// Counts a failed attempt at a bootstrap node.
    pub fn on_bootstrap_failure(&mut self, failure: BootstrapFailure) {
        if let Some(check) = &mut self.bootstrap {
            check.on_failure(failure);
        }
    }

    /// Notes that a bootstrap node is ready; true the first time.
    pub fn on_bootstrap_success(&mut self) -> bool {
        self.bootstrap.as_mut().is_some_and(BootstrapCheck::on_success)
    }

    // --- what to do

    /// The next thing to do; to be asked until it returns `None`.
    pub fn next_action(&mut self, now: Instant) -> Option<Action<C>> {
        if let Some(change) = self.scores.poll(now) {
            self.carry_out(change);
            return Some(Action::Mirror(change));
        }
        if let Some(change) = self.suspect.poll(now) {
            self.follow(change, now);
            return Some(Action::Suspect(change));
        }
        if self.link_changed && self.next_link_change <= now {
            self.on_link_changed(now);
        }
        if self.pruner.wakeup() <= now {
            self.prune(now);
        }
        if let Some(action) = self.next_due(now) {
            return Some(action);
        }
        if let Some(report) = self.bootstrap.as_mut().and_then(|check| check.due_report(now)) {
            return Some(Action::BootstrapFailed(report));
        }
        if let Some(candidate) = self.next_dial(now) {
            return Some(Action::Dial(candidate));
        }
        self.next_lookup(now).map(Action::Lookup)
    }

    /// When [`Self::next_action`] has something to do; `None` if only an event can change that.
    #[must_use]
    pub fn wakeup(&self, now: Instant) -> Option<Instant> {
        if !self.due.is_empty() {
            return Some(now);
        }
        let dial = self.aim(now).and_then(|aim| match aim {
            Aim::Known => self.queue.wakeup(Want::KnownOnly, now),
            Aim::Anyone => self.queue.wakeup(Want::Any, now),
            Aim::Needed => self.queue.wakeup_by(Want::Any, now, |prospect| self.need.rank(prospect.cover) > 0),
        });
        let lookup = (self.may_dial && !self.need.is_empty()).then_some(self.next_lookup);
        let check = self.bootstrap.as_ref().and_then(BootstrapCheck::wakeup);
        let prune = (self.table.counts().total() > 0).then(|| self.pruner.wakeup());
        let link = self.link_changed.then_some(self.next_link_change);
        let others = [self.scores.wakeup(now), self.suspect.wakeup(now), self.table.wakeup()];
        [dial, lookup, check, prune, link].into_iter().chain(others).flatten().min().map(|at| at.max(now))
    }

    // --- what is known

    /// Where a peer stands; `None` if nothing is known of it.
    #[must_use]
    pub fn state(&self, peer_id: &PeerId, now: Instant) -> Option<PeerState> {
        if self.table.get(peer_id).is_some() {
            return Some(PeerState::Ready);
        }
        if let Some(until) = self.scores.banned_until(peer_id) {
            return Some(PeerState::Banned { until });
        }
        let life = self.config.queue.attempt_limit;
        if self.shaking.get(peer_id).is_some_and(|since| now.saturating_duration_since(*since) < life) {
            return Some(PeerState::Connected);
        }
        match self.queue.state(peer_id, now) {
            Some(DialState::Waiting) => Some(PeerState::Waiting),
            Some(DialState::Dialing) => Some(PeerState::Connecting),
            Some(DialState::BackingOff { until }) => Some(PeerState::BackingOff { until }),
            // between its removal and its outcome
            Some(DialState::Connected) => Some(PeerState::Connected),
            None => self.queue.backed_off_until(peer_id, now).map(|until| PeerState::BackingOff { until }),
        }
    }

    /// How many peers there are, by state.
    #[must_use]
    pub fn census(&self, now: Instant) -> Census {
        Census {
            ready: self.table.counts(),
            connecting: self.queue.dialing(now),
            connected: self.shaking.len(),
            queued: self.queue.queued(now),
            banned: self.scores.bans().count(),
            remembered: self.queue.remembered().max(self.scores.len()),
            bare: self.need.bare.count(),
            thin: self.need.thin.count(),
        }
    }

    /// The ready peers.
    #[must_use]
    pub const fn table(&self) -> &Peers<C> {
        &self.table
    }

    /// The ready peers, for the refresh of statuses.
    pub const fn table_mut(&mut self) -> &mut Peers<C> {
        &mut self.table
    }

    /// Who waits, is dialled or connected.
    #[must_use]
    pub const fn queue(&self) -> &DialQueue {
        &self.queue
    }

    /// What peers did, and who is banned.
    #[must_use]
    pub const fn scores(&self) -> &Scores {
        &self.scores
    }

    /// Whether, and why, we suspect ourselves.
    #[must_use]
    pub const fn suspect(&self) -> &Suspect {
        &self.suspect
    }

    /// What is missing.
    #[must_use]
    pub const fn need(&self) -> &Need {
        &self.need
    }

    /// The limits in force.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        self.table.limits()
    }

    /// Whether it is a boot node or the operator's peer.
    #[must_use]
    pub fn is_known(&self, peer_id: &PeerId) -> bool {
        self.trusted.contains(peer_id) || self.queue.source(peer_id).is_some_and(Source::is_known)
    }

    /// Whether somebody that is vouched for lives in this group of addresses, as far as we know.
    #[must_use]
    pub fn hosts_known(&self, group: IpGroup) -> bool {
        let there = |address: &Multiaddr| IpGroup::of(address) == Some(group);
        self.table.iter().any(|record| self.is_known(&record.peer_id) && there(&record.address))
            || self.queue.known_addresses().any(there)
    }

    /// Whether it is a boot node.
    #[must_use]
    pub fn is_bootstrap(&self, peer_id: &PeerId) -> bool {
        self.queue.source(peer_id) == Some(Source::BootNode)
    }

    /// The next leave to take or errand to run; what lost its connection meanwhile is left out.
    fn next_due(&mut self, now: Instant) -> Option<Action<C>> {
        loop {
            while let Some(action) = self.due.pop_front() {
                if self.still_holds(&action) {
                    return Some(action);
                }
            }
            self.due.extend(self.table.due_upkeep(now).into_iter().map(Action::Upkeep));
            if self.due.is_empty() {
                return None;
            }
        }
    }

    // --- dialling

    /// Whom to dial next, if anyone. Known peers that are dead take no dial from discovered ones, unless all are in use.
    fn aim(&self, now: Instant) -> Option<Aim> {
        let limits = self.limits();
        if !self.may_dial || self.queue.dialing(now) >= limits.max_pending_outbound {
            return None;
        }
        let (counts, dialing) = (self.table.counts(), self.queue.dialing_discovered(now));
        let offline = self.suspect.verdict().is_some_and(|verdict| verdict.cause != Suspicion::PeersFaulty);
        if offline && dialing >= PROBES {
            return Some(Aim::Known);
        }
        if limits.wanted_outbound(counts, dialing) > 0 {
            return Some(Aim::Anyone);
        }
        let with_reserve = limits.target.saturating_add(limits.reserved_needed).min(limits.max_total);
        let place = counts.total().saturating_add(dialing) < with_reserve && counts.outbound < limits.max_outbound;
        let needed = place && !self.need.is_empty() && dialing < NEEDED_DIALS;
        Some(if needed { Aim::Needed } else { Aim::Known })
    }

    fn next_dial(&mut self, now: Instant) -> Option<Candidate> {
        let aim = self.aim(now)?;
        if aim == Aim::Known {
            return self.queue.next(Want::KnownOnly, now);
        }
        let need = self.need;
        let nets: BTreeSet<_> = self.traits.values().filter_map(|traits| traits.net).collect();
        self.queue.next_by(Want::Any, now, |prospect| {
            let need = need.rank(prospect.cover).min(MOST_NEED);
            let diverse = prospect.net.is_none_or(|net| !nets.contains(&net));
            let rank = need * RANK_NEED + u32::from(prospect.proven) * RANK_PROVEN + u32::from(diverse) * RANK_DIVERSE;
            (aim == Aim::Anyone || need > 0).then_some(rank)
        })
    }

    fn next_lookup(&mut self, now: Instant) -> Option<Cover> {
        if !self.may_dial || self.need.is_empty() || now < self.next_lookup {
            return None;
        }
        self.next_lookup = now + self.lookup_pause;
        let urgent = self.need.urgent();
        let helpful = self.queue.waiting(now).filter(|prospect| !(prospect.cover & urgent).is_empty());
        (helpful.take(ENOUGH_HELPFUL).count() < ENOUGH_HELPFUL).then_some(urgent)
    }

    // --- coverage

    fn cover_of(&self, record: &PeerRecord<C>) -> Cover {
        let Some(metadata) = &record.metadata else { return Cover::default() };
        let node_id = || record.node_id.or_else(|| peer_node_id(&record.peer_id));
        let custody = metadata.custody_group_count.and_then(|count| Some((node_id()?, count)));
        Cover::of_metadata(metadata, custody.map_or(0, |(node_id, count)| (self.config.custody)(&node_id, count)))
    }

    fn coverage(&self) -> Coverage {
        let stay = self.traits.iter().filter(|(peer_id, _)| !self.leaving.contains(*peer_id));
        Coverage::new(self.wanted, self.config.cover_targets, stay.map(|(_, traits)| traits.cover))
    }

    fn count_cover(&mut self) {
        self.need = self.coverage().need();
    }

    fn seat(&self, known: bool, cover: Cover) -> Seat {
        match (known, self.need.rank(cover)) {
            (true, _) => Seat::Known,
            (false, 0) => Seat::Plain,
            (false, _) => Seat::Needed,
        }
    }

    // --- endings

    fn take_leave(&mut self, peer_id: &PeerId, goodbye: GoodbyeReason, reason: &'static str) {
        let Some(record) = self.table.get(peer_id).filter(|_| !self.is_known(peer_id)) else { return };
        let connection = record.connection;
        if self.leaving.insert(*peer_id) {
            self.due.push_front(Action::Disconnect { peer_id: *peer_id, connection, goodbye, reason });
            self.count_cover();
        }
    }

    fn prune(&mut self, now: Instant) {
        let stay = self.table.iter().filter(|record| !self.leaving.contains(&record.peer_id));
        let residents: Vec<_> = stay
            .map(|record| Resident {
                peer_id: record.peer_id,
                direction: record.direction,
                // somebody may vouch for it only now
                known: record.known || self.is_known(&record.peer_id),
                score: self.scores.score(&record.peer_id, now),
                cover: self.traits.get(&record.peer_id).map(|traits| traits.cover).unwrap_or_default(),
                client: record.client,
                net: NetGroup::of(&record.address),
                head_slot: record.status.head_slot,
                ready_at: record.ready_at,
            })
            .collect();
        let limits = *self.limits();
        for (peer_id, reason) in self.pruner.prune(&residents, self.coverage(), &limits, now) {
            self.take_leave(&peer_id, GoodbyeReason::TOO_MANY_PEERS, reason.as_str());
        }
    }

    /// A ban drops whom it concerns from the queue and from the table.
    fn carry_out(&mut self, change: BanChange) {
        match change {
            BanChange::Unban { .. } => {}
            BanChange::Ban { target: BanTarget::Peer(peer_id), .. } => {
                self.queue.drop_peer(&peer_id);
                self.take_leave(&peer_id, GoodbyeReason::BANNED, "banned");
            }
            BanChange::Ban { target: BanTarget::Group(group), .. } => {
                self.queue.drop_group(group);
                let there = self.table.iter().filter(|record| IpGroup::of(&record.address) == Some(group));
                for peer_id in there.map(|record| record.peer_id).collect::<Vec<_>>() {
                    self.take_leave(&peer_id, GoodbyeReason::IP_BANNED, "ip_banned");
                }
            }
        }
    }

    fn is_banned(&self, peer_id: &PeerId, address: &Multiaddr) -> bool {
        let group = IpGroup::of(address).and_then(|group| self.scores.group_banned_until(group));
        group.or_else(|| self.scores.banned_until(peer_id)).is_some()
    }

    /// Until when a candidate may not be dialled: by its id, or because all of its addresses are banned.
    fn candidate_banned_until(&self, candidate: &Candidate) -> Option<Instant> {
        let group = |address| IpGroup::of(address).and_then(|group| self.scores.group_banned_until(group));
        let groups: Option<Vec<_>> = candidate.addresses.iter().map(group).collect();
        self.scores.banned_until(&candidate.peer_id).or_else(|| groups?.into_iter().min())
    }

    /// Whether an action still concerns a connection that is in the table.
    fn still_holds(&self, action: &Action<C>) -> bool {
        let is_held = |peer_id: &PeerId, connection: C| {
            self.table.get(peer_id).is_some_and(|record| record.connection == connection)
        };
        match action {
            Action::Upkeep(Upkeep { peer_id, connection, .. }) => {
                is_held(peer_id, *connection) && !self.leaving.contains(peer_id)
            }
            Action::Disconnect { peer_id, connection, .. } => is_held(peer_id, *connection),
            Action::Dial(_)
            | Action::Mirror(_)
            | Action::Lookup(_)
            | Action::Suspect(_)
            | Action::BootstrapFailed(_) => true,
        }
    }

    // --- is it me?

    /// Takes an outcome as a sign of life or of trouble.
    fn weigh(&mut self, peer_id: &PeerId, outcome: Outcome, now: Instant) {
        match outcome {
            // dialled again and again: that it is still away says nothing new
            Outcome::Failed { direction: Direction::Outbound, cause: Cause::Transient }
                if self.queue.awaits(peer_id, now) => {}
            Outcome::Failed { direction: Direction::Outbound, cause: Cause::Transient } => {
                self.suspect.on_unanswered(now);
            }
            Outcome::Gone { cause: Cause::Transient | Cause::Closed } => {
                self.suspect.on_lost(self.table.counts().total(), now);
            }
            Outcome::Failed { cause: Cause::Local | Cause::Transient | Cause::Closed, .. }
            // our own doing
            | Outcome::Gone { cause: Cause::Local | Cause::Pruned } => {}
            // whatever it said, it said something
            Outcome::Ready { .. } | Outcome::Failed { .. } | Outcome::Gone { .. } => self.suspect.on_alive(now),
        }
    }

    fn follow(&mut self, change: SuspectChange, now: Instant) {
        match change {
            SuspectChange::Began(verdict) => match verdict.cause {
                Suspicion::ClockJumped | Suspicion::Stalled => {
                    // the time of the back-offs has passed for everybody else
                    self.forgive_ours();
                    self.table.probe_all(now);
                }
                Suspicion::PeersLost => self.table.probe_all(now),
                Suspicion::DialsUnanswered | Suspicion::PeersFaulty => {}
            },
            SuspectChange::Ended(verdict) => {
                self.queue.forgive_since(verdict.since);
                self.scores.forgive_since(verdict.since);
            }
        }
    }

    fn forgive_ours(&mut self) {
        for cause in Cause::ALL.into_iter().filter(|cause| cause.may_be_ours()) {
            self.queue.forgive(cause);
        }
    }
}

/// What the choice of others depends on, of a ready peer.
#[derive(Clone, Copy, Debug)]
struct Traits {
    cover: Cover,
    net: Option<NetGroup>,
}

/// Whom the next dial is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    /// Boot nodes and the operator's peers.
    Known,
    /// Whoever may be dialled.
    Anyone,
    /// Besides known peers, those who cover what is missing.
    Needed,
}

/// Dials of discovered peers in flight while we suspect ourselves: enough to notice the end in a few seconds.
const PROBES: usize = 4;

/// Dials in flight at the target, for the sake of what is missing.
const NEEDED_DIALS: usize = 8;

/// Between two changes of our interfaces that are acted upon.
const LINK_PAUSE: Duration = Duration::from_secs(30);

/// The least time between two lookups for what is missing.
const LOOKUP_EVERY: Duration = Duration::from_secs(5);

/// The most time between two of them that bring nobody.
const LOOKUP_AT_LEAST_EVERY: Duration = Duration::from_secs(60);

/// Candidates in the queue that help, beyond which no lookup is needed: two or three of them are alive.
const ENOUGH_HELPFUL: usize = 8;

/// One subnet or column that is thin weighs as much as having been ready before, and a failure halves all of it.
const RANK_NEED: u32 = 64;
/// See [`RANK_NEED`].
const RANK_PROVEN: u32 = 64;
/// A network that no ready peer is in.
const RANK_DIVERSE: u32 = 16;

/// No record ranks higher for its need, whatever it claims: four subnets that nobody covers.
const MOST_NEED: u32 = 16;
