//! Which message ids have been seen, for 768 seconds. Pure: takes `now`.
//!
//! Compact keyed hashes of 64 bits stand for the ids: nobody can make two ids collide who does not know the key, and
//! by chance it happens once in about 10^6 years of everything that mainnet sends. libp2p's own duplicate cache is far
//! larger per id and is kept to a minute.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::types::MessageId;

/// `seen_ttl`: two epochs of mainnet.
///
/// [spec v1.6.0, the gossip domain](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#the-gossip-domain-gossipsub)
pub(super) const SEEN_TIME: Duration = Duration::from_secs(768);

/// Ids are dropped by the generation, each of this much time.
const GENERATION: Duration = Duration::from_secs(128);

/// Ids of one generation: what a table of 2^19 places holds, 8.5 MiB.
const GENERATION_IDS: usize = 458_752;

/// Generations that are kept: 20 × 8.5 MiB = 170 MiB, 9 million ids, at worst. When somebody floods us, the oldest goes
/// before its time.
const GENERATIONS: usize = 20;

/// What is known of a message that was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody judged it yet.
    Pending,
    /// It was accepted or ignored: further copies change nobody's score.
    Settled,
    /// It was rejected: whoever sends it is to blame.
    Rejected,
}

/// What looking for an id found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sighting {
    /// It was not seen in the last 768 s; now it is, and pending.
    First,
    /// It was.
    Again {
        /// How long ago, to a tenth of a second.
        age: Duration,
        /// What became of it.
        standing: Standing,
    },
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Tenths of seconds since the cache was made.
    at: u32,
    standing: Standing,
}

type Generation = HashMap<u64, Seen, BuildHasherDefault<AsIs>>;

/// The keys are hashes already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // only `u64`s are hashed here
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// The seen cache.
#[derive(Debug)]
pub(super) struct SeenCache {
    key: RandomState,
    since: Instant,
    /// Newest first, never empty, each with when it began.
    generations: VecDeque<(Instant, Generation)>,
}

impl SeenCache {
    pub(super) fn new(now: Instant) -> Self {
        Self { key: RandomState::new(), since: now, generations: VecDeque::from([(now, Generation::default())]) }
    }

    /// Looks for an id, and remembers it when it is new.
    pub(super) fn look(&mut self, id: &MessageId, now: Instant) -> Sighting {
        let key = self.key.hash_one(id.0);
        let at = self.tenths(now);
        let found = self.generations.iter().find_map(|(_, generation)| generation.get(&key).copied());
        if let Some(Seen { at: then, standing }) = found {
            let age = Duration::from_millis(u64::from(at.saturating_sub(then)) * 100);
            if age < SEEN_TIME {
                return Sighting::Again { age, standing };
            }
        }
        self.rotate(now);
        if let Some((_, newest)) = self.generations.front_mut() {
            newest.insert(key, Seen { at, standing: Standing::Pending });
        }
        Sighting::First
    }

    /// Remembers what became of a message.
    pub(super) fn settle(&mut self, id: &MessageId, standing: Standing) {
        let key = self.key.hash_one(id.0);
        if let Some(seen) = self.generations.iter_mut().find_map(|(_, generation)| generation.get_mut(&key)) {
            seen.standing = standing;
        }
    }

    /// Forgets an id that was remembered in error.
    pub(super) fn forget(&mut self, id: &MessageId) {
        let key = self.key.hash_one(id.0);
        for (_, generation) in &mut self.generations {
            if let Entry::Occupied(entry) = generation.entry(key) {
                entry.remove();
                return;
            }
        }
    }

    /// Frees what is too old to matter.
    pub(super) fn prune(&mut self, now: Instant) {
        while self.generations.len() > 1
            && self.generations.back().is_some_and(|(began, _)| now.duration_since(*began) >= SEEN_TIME + GENERATION)
        {
            self.generations.pop_back();
        }
    }

    /// How many ids are held.
    pub(super) fn len(&self) -> usize {
        self.generations.iter().map(|(_, generation)| generation.len()).sum()
    }

    /// How many bytes the tables take: a power of two of places, seven eighths of them usable, each of an entry and one
    /// byte.
    pub(super) fn bytes(&self) -> usize {
        let places = |generation: &Generation| match generation.capacity() {
            0 => 0,
            capacity => (capacity + capacity / 7).next_power_of_two(),
        };
        self.generations.iter().map(|(_, generation)| places(generation) * (size_of::<(u64, Seen)>() + 1)).sum()
    }

    fn rotate(&mut self, now: Instant) {
        let Some((began, newest)) = self.generations.front() else { return };
        if newest.len() < GENERATION_IDS && now.duration_since(*began) < GENERATION {
            return;
        }
        // the next one is likely to be as large: growing would stall the swarm for milliseconds
        let next = Generation::with_capacity_and_hasher(newest.len(), BuildHasherDefault::default());
        self.generations.push_front((now, next));
        self.generations.truncate(GENERATIONS);
        self.prune(now);
    }

    fn tenths(&self, now: Instant) -> u32 {
        u32::try_from(now.duration_since(self.since).as_millis() / 100).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> MessageId {
        let mut id = [0; 20];
        id[..8].copy_from_slice(&number.to_le_bytes());
        MessageId(id)
    }

    #[test]
    fn an_id_is_seen_for_768_seconds() {
        let start = Instant::now();
        let mut cache = SeenCache::new(start);
        assert_eq!(cache.look(&id(1), start), Sighting::First);
        let just_before = start + Duration::from_millis(767_900);
        let again = Sighting::Again { age: just_before - start, standing: Standing::Pending };
        assert_eq!(cache.look(&id(1), just_before), again);
        assert_eq!(cache.look(&id(1), start + SEEN_TIME), Sighting::First);
        assert!(matches!(cache.look(&id(1), start + SEEN_TIME), Sighting::Again { .. }));
    }

    #[test]
    fn looking_again_does_not_prolong_it() {
        let start = Instant::now();
        let mut cache = SeenCache::new(start);
        for second in (0..768).step_by(10) {
            cache.look(&id(1), start + Duration::from_secs(second));
            cache.look(&id(second + 2), start + Duration::from_secs(second));
        }
        assert_eq!(cache.look(&id(1), start + SEEN_TIME), Sighting::First);
    }

    #[test]
    fn what_became_of_a_message_is_told_with_its_copies() {
        let now = Instant::now();
        let mut cache = SeenCache::new(now);
        cache.look(&id(1), now);
        cache.settle(&id(1), Standing::Rejected);
        assert_eq!(cache.look(&id(1), now), Sighting::Again { age: Duration::ZERO, standing: Standing::Rejected });
        cache.forget(&id(1));
        assert_eq!((cache.len(), cache.look(&id(1), now)), (0, Sighting::First));
    }

    #[test]
    fn what_is_too_old_is_freed() {
        let start = Instant::now();
        let mut cache = SeenCache::new(start);
        for minute in 0..60 {
            cache.look(&id(minute), start + Duration::from_secs(60 * minute));
        }
        cache.prune(start + Duration::from_secs(3_600));
        let oldest = (SEEN_TIME + 2 * GENERATION).as_secs() / 60;
        assert!(cache.len() as u64 <= oldest + 1, "{}", cache.len());
    }

    #[test]
    fn an_hour_of_all_subnets_fits() {
        // 2.3 million ids within 768 s are 2995 a second
        let start = Instant::now();
        let mut cache = SeenCache::new(start);
        let mut most = (0, 0);
        for number in 0..2_995 * 1_000 {
            cache.look(&id(number), start + Duration::from_micros(number * 334));
            if number % 100_000 == 0 {
                most = most.max((cache.bytes(), cache.len()));
            }
        }
        let (bytes, ids) = most;
        println!("{ids} ids take {} MiB", bytes >> 20);
        assert!(ids >= 2_300_000, "{ids}");
        assert!(bytes <= 80 << 20, "{bytes} bytes for {ids} ids");
    }

    #[test]
    fn a_flood_costs_no_more_than_the_bound() {
        let start = Instant::now();
        let mut cache = SeenCache::new(start);
        for number in 0..3 * GENERATION_IDS as u64 {
            cache.look(&id(number), start);
        }
        let one = cache.bytes() / cache.generations.len();
        assert!(one <= 9 << 20, "{one} bytes a generation");
        assert!(one * GENERATIONS <= 250_000_000);
        assert_eq!(cache.generations.len(), 3);
    }
}
