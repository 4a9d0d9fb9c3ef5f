//! Who has to go when there are more peers than the target, or when the whole set stops following the chain.
//!
//! Asked by the manager every half minute. Sees one line for each ready peer, sends nothing, and spares known peers,
//! the outbound floor and whoever covers what too few cover.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Cover, Coverage, Limits, NetGroup};
use crate::types::{Client, Direction, PeerId, Slot};

/// What pruning has to know of a ready peer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resident {
    /// Who.
    pub peer_id: PeerId,
    /// Who dialled.
    pub direction: Direction,
    /// Whether it is a boot node or the operator's: never pruned.
    pub known: bool,
    /// 0 for a clean record, negative else.
    pub score: f64,
    /// What it covers.
    pub cover: Cover,
    /// Its software.
    pub client: Client,
    /// Its network, unless exempt.
    pub net: Option<NetGroup>,
    /// The head in its last Status.
    pub head_slot: Slot,
    /// When it became ready.
    pub ready_at: Instant,
}

/// Why a peer has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PruneReason {
    /// Its score is the worst.
    Score,
    /// Its head is far behind those of others.
    Lagging,
    /// It shares its network with others, or its client with more than half of all.
    Concentration,
    /// Enough others cover what it covers.
    Surplus,
    /// No peer's head moves: a share of the set makes place for others.
    Stalled,
}

/// When to prune next, and whether the set follows the chain.
#[derive(Clone, Copy, Debug)]
pub struct Pruner {
    next: Instant,
    best_head: Slot,
    head_moved_at: Instant,
}

impl PruneReason {
    /// The stable label for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Score => "pruned_score",
            Self::Lagging => "pruned_lagging",
            Self::Concentration => "pruned_concentration",
            Self::Surplus => "pruned_surplus",
            Self::Stalled => "pruned_stalled",
        }
    }
}

impl Pruner {
    /// Prunes for the first time [`PRUNE_EVERY`] from now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { next: now + PRUNE_EVERY, best_head: Slot(0), head_moved_at: now }
    }

    /// When [`Self::prune`] is due.
    #[must_use]
    pub const fn wakeup(&self) -> Instant {
        self.next
    }

    /// Who has to go now, worst first; at most what is above the target, or a tenth of the target when nothing moves.
    ///
    /// `coverage` counts exactly these residents.
    pub fn prune(
        &mut self,
        residents: &[Resident],
        coverage: Coverage,
        limits: &Limits,
        now: Instant,
    ) -> Vec<(PeerId, PruneReason)> {
        self.next = now + PRUNE_EVERY;
        self.note_heads(residents, now);
        let mut draft = Draft::new(residents, coverage, limits);
        let mut pruned = Vec::new();
        while draft.stay.len() > limits.target {
            let Some(choice) = draft.choose(self.best_head) else { break };
            pruned.push(choice);
        }
        let stalled = now.saturating_duration_since(self.head_moved_at) >= STALLED_AFTER;
        if stalled && pruned.is_empty() && residents.len() >= limits.target.div_ceil(2) {
            // the set is given as long again
            self.head_moved_at = now - STALLED_AFTER + ROTATE_EVERY;
            pruned = draft.rotate(limits.target.div_ceil(10));
        }
        pruned
    }

    fn note_heads(&mut self, residents: &[Resident], now: Instant) {
        let best = residents.iter().map(|resident| resident.head_slot).max().unwrap_or(self.best_head);
        if best > self.best_head || residents.is_empty() {
            (self.best_head, self.head_moved_at) = (best, now);
        }
    }
}

/// The set as it would be without those who were chosen already.
struct Draft<'a> {
    stay: Vec<&'a Resident>,
    coverage: Coverage,
    limits: &'a Limits,
}

impl<'a> Draft<'a> {
    fn new(residents: &'a [Resident], coverage: Coverage, limits: &'a Limits) -> Self {
        Self { stay: residents.iter().collect(), coverage, limits }
    }

    /// The worst score below zero, else the one of least use; `None` if all are spared.
    fn choose(&mut self, best_head: Slot) -> Option<(PeerId, PruneReason)> {
        let at_floor = self.outbound() <= self.limits.min_outbound;
        let may_go = |resident: &Resident| !resident.known && (resident.direction == Direction::Inbound || !at_floor);
        let worst = (0..self.stay.len())
            .filter(|index| may_go(self.stay[*index]) && self.stay[*index].score <= -1.0)
            .min_by(|a, b| self.stay[*a].score.total_cmp(&self.stay[*b].score));
        if let Some(index) = worst {
            return Some((self.take(index).peer_id, PruneReason::Score));
        }
        // beyond the reserve even thin subnets protect nobody, or claims would hold every place
        let spare_thin = self.stay.len() <= self.limits.target.saturating_add(self.limits.reserved_needed);
        let (nets, clients) = self.shares();
        let tight = self.coverage.tight();
        let use_of = |resident: &Resident| {
            let lagging = resident.head_slot.0.saturating_add(LAGGING_SLOTS) < best_head.0;
            let net = resident.net.and_then(|net| nets.get(&net)).copied().unwrap_or(1);
            let client = clients.get(&resident.client).copied().unwrap_or(1);
            ((tight & resident.cover).count(), lagging, net, client)
        };
        let (index, (_, lagging, net, client)) = (0..self.stay.len())
            .filter(|index| may_go(self.stay[*index]))
            .map(|index| (index, use_of(self.stay[index])))
            .filter(|(_, (worth, ..))| !spare_thin || *worth == 0)
            .min_by_key(|(index, (worth, lagging, net, client))| {
                let age = self.stay[*index].ready_at;
                (*worth, std::cmp::Reverse((*lagging, *net, *client, age)))
            })?;
        let reason = if lagging {
            PruneReason::Lagging
        } else if net > 1 || client * 2 > self.stay.len() {
            PruneReason::Concentration
        } else {
            PruneReason::Surplus
        };
        Some((self.take(index).peer_id, reason))
    }

    /// So many at most, those with the lowest heads and the shortest sessions; known peers, the outbound floor and whoever
    /// covers what few cover are spared.
    fn rotate(mut self, share: usize) -> Vec<(PeerId, PruneReason)> {
        let mut gone = Vec::new();
        while gone.len() < share {
            let at_floor = self.outbound() <= self.limits.min_outbound;
            let tight = self.coverage.tight();
            let least = (0..self.stay.len())
                .filter(|index| {
                    let resident = self.stay[*index];
                    let floor = at_floor && resident.direction == Direction::Outbound;
                    !resident.known && !floor && (tight & resident.cover).is_empty()
                })
                .min_by_key(|index| {
                    let resident = self.stay[*index];
                    (resident.head_slot, std::cmp::Reverse(resident.ready_at))
                });
            let Some(index) = least else { break };
            gone.push((self.take(index).peer_id, PruneReason::Stalled));
        }
        gone
    }

    fn take(&mut self, index: usize) -> &'a Resident {
        let resident = self.stay.remove(index);
        self.coverage.remove(resident.cover);
        resident
    }

    fn outbound(&self) -> usize {
        self.stay.iter().filter(|resident| resident.direction == Direction::Outbound).count()
    }

    fn shares(&self) -> (BTreeMap<NetGroup, usize>, BTreeMap<Client, usize>) {
        let (mut nets, mut clients) = (BTreeMap::new(), BTreeMap::new());
        for resident in &self.stay {
            *clients.entry(resident.client).or_insert(0) += 1;
            if let Some(net) = resident.net {
                *nets.entry(net).or_insert(0) += 1;
            }
        }
        (nets, clients)
    }
}

/// Lighthouse's and Lodestar's heartbeat.
pub const PRUNE_EVERY: Duration = Duration::from_secs(30);

/// Status is refreshed after 300 s or 315 s: by then every head was asked for twice.
pub const STALLED_AFTER: Duration = Duration::from_secs(900);

/// How long a rotated set is given to show another head.
pub const ROTATE_EVERY: Duration = Duration::from_secs(300);

/// A head that was asked for 315 s ago is 27 slots old by right.
const LAGGING_SLOTS: u64 = 64;

#[cfg(test)]
mod tests {
    use super::super::CoverTargets;
    use super::super::tests::{address, peer, seconds};
    use super::*;

    const TARGETS: CoverTargets = CoverTargets { attnets: 1, syncnets: 1, columns: 1 };

    fn resident(n: u16) -> Resident {
        Resident {
            peer_id: peer(n),
            direction: Direction::Inbound,
            known: false,
            score: 0.0,
            cover: Cover::default(),
            client: Client::Other,
            net: NetGroup::of(&address(n)),
            head_slot: Slot(100),
            ready_at: Instant::now(),
        }
    }

    fn prune(residents: &[Resident], target: usize) -> Vec<(PeerId, PruneReason)> {
        let now = Instant::now();
        prune_with(&mut Pruner::new(now), residents, target, now)
    }

    fn prune_with(
        pruner: &mut Pruner,
        residents: &[Resident],
        target: usize,
        now: Instant,
    ) -> Vec<(PeerId, PruneReason)> {
        let coverage = Coverage::new(!Cover::default(), TARGETS, residents.iter().map(|resident| resident.cover));
        pruner.prune(residents, coverage, &Limits::for_target(target), now)
    }

    #[test]
    fn nobody_goes_at_the_target() {
        let residents: Vec<_> = (1..=10).map(|n| Resident { score: -15.0, ..resident(n) }).collect();
        assert_eq!(prune(&residents, 10), []);
    }

    #[test]
    fn the_worst_score_goes_first_then_surplus() {
        let mut residents: Vec<_> = (1..=13).map(resident).collect();
        residents[3].score = -2.0;
        residents[7].score = -9.0;
        let pruned = prune(&residents, 10);
        assert_eq!(pruned[..2], [(peer(8), PruneReason::Score), (peer(4), PruneReason::Score)]);
        assert_eq!(pruned.len(), 3);
        assert_eq!(pruned[2].1, PruneReason::Concentration, "one client has them all");
    }

    #[test]
    fn whoever_alone_covers_something_is_spared_until_another_does() {
        let mut residents: Vec<_> = (1..=11).map(resident).collect();
        for (n, resident) in residents.iter_mut().enumerate().skip(1) {
            resident.cover.attnets = 1 << n;
            resident.client = if n % 2 == 0 { Client::Lodestar } else { Client::Prysm };
        }
        assert_eq!(prune(&residents, 10), [(peer(1), PruneReason::Surplus)]);
        residents[0].cover.attnets = 1 << 5;
        let pruned = prune(&residents, 10);
        assert!(pruned.len() == 1 && [peer(1), peer(6)].contains(&pruned[0].0), "{pruned:?}");
    }

    #[test]
    fn claims_to_cover_everything_hold_no_place_beyond_the_reserve() {
        let residents: Vec<_> = (1..=20)
            .map(|n| Resident { cover: Cover { attnets: 1 << n, ..Cover::default() }, ..resident(n) })
            .collect();
        assert_eq!(prune(&residents, 10).len(), 9);
    }

    #[test]
    fn known_peers_and_the_outbound_floor_stay() {
        let mut residents: Vec<_> =
            (1..=8).map(|n| Resident { score: -15.0, direction: Direction::Outbound, ..resident(n) }).collect();
        residents.extend((9..=12).map(|n| Resident { known: true, score: -15.0, ..resident(n) }));
        let pruned: Vec<_> = prune(&residents, 4).into_iter().map(|(peer_id, _)| peer_id).collect();
        assert_eq!(pruned.len(), 6, "two outbound peers and four known ones stay: {pruned:?}");
        assert!((9..=12).all(|n| !pruned.contains(&peer(n))));
    }

    #[test]
    fn a_crowded_network_a_lagging_head_and_a_short_session_go_before_others() {
        let mut residents: Vec<_> = (1..=11).map(resident).collect();
        residents[4].net = residents[3].net;
        let pruned = prune(&residents, 10);
        assert!([peer(4), peer(5)].contains(&pruned[0].0), "{pruned:?}");
        residents[6].head_slot = Slot(10);
        assert_eq!(prune(&residents, 10), [(peer(7), PruneReason::Lagging)]);
        let mut residents: Vec<_> = (1..=11).map(resident).collect();
        residents[2].ready_at += seconds(9);
        assert_eq!(prune(&residents, 10)[0].0, peer(3));
    }

    #[test]
    fn a_tenth_is_rotated_every_five_minutes_while_no_head_moves() {
        let start = Instant::now();
        let mut pruner = Pruner::new(start);
        let mut residents: Vec<_> = (1..=60).map(resident).collect();
        residents[0].known = true;
        let mut rotations = Vec::new();
        for half_minutes in 1..=60 {
            let pruned = prune_with(&mut pruner, &residents, 100, start + PRUNE_EVERY * half_minutes);
            if !pruned.is_empty() {
                assert!(pruned.iter().all(|(peer_id, reason)| *peer_id != peer(1) && *reason == PruneReason::Stalled));
                rotations.push((half_minutes, pruned.len()));
            }
        }
        assert_eq!(rotations, [(31, 10), (41, 10), (51, 10)]);
        residents[5].head_slot = Slot(101);
        assert_eq!(prune_with(&mut pruner, &residents, 100, start + PRUNE_EVERY * 61), []);
        assert_eq!(prune_with(&mut pruner, &residents, 100, start + PRUNE_EVERY * 62), []);
    }

    #[test]
    fn a_rotation_spares_the_outbound_floor_and_whoever_alone_covers_something() {
        let start = Instant::now();
        let mut pruner = Pruner::new(start);
        let mut residents: Vec<_> = (1..=60).map(resident).collect();
        // ten of the worst: two outbound, which is below the floor of 20, and one with a subnet of its own
        for resident in &mut residents[..10] {
            resident.head_slot = Slot(1);
        }
        residents[0].direction = Direction::Outbound;
        residents[1].direction = Direction::Outbound;
        residents[2].cover.attnets = 1;
        assert_eq!(prune_with(&mut pruner, &residents, 100, start), []);
        let pruned = prune_with(&mut pruner, &residents, 100, start + STALLED_AFTER);
        assert_eq!(pruned.len(), 10);
        assert!(pruned.iter().all(|(peer_id, _)| ![peer(1), peer(2), peer(3)].contains(peer_id)), "{pruned:?}");
    }

    #[test]
    fn a_small_network_that_stands_still_is_left_in_peace() {
        let start = Instant::now();
        let mut pruner = Pruner::new(start);
        let residents: Vec<_> = (1..=40).map(resident).collect();
        for half_minutes in 1..=200 {
            assert_eq!(prune_with(&mut pruner, &residents, 100, start + PRUNE_EVERY * half_minutes), []);
        }
    }
}
