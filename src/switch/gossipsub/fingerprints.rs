//! Message ids by the bytes they arrived in, so that further copies need neither snappy nor SHA-256. Pure.
//!
//! Copies of a message nearly always are the same compressed bytes. A keyed hash of 64 bits stands for them; whoever
//! does not know the key cannot make other bytes pass for them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::types::MessageId;

/// Bytes are remembered for one to two of these.
const GENERATION: Duration = Duration::from_secs(20);

/// Messages of one generation: what a table of 2^16 places holds, 2.1 MiB; 4.2 MiB at worst. Beyond it the older half
/// goes early.
const GENERATION_IDS: usize = 57_344;

/// A message as it arrived, on its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(u64);

/// Ids by fingerprint.
#[derive(Debug)]
pub(super) struct Fingerprints {
    key: RandomState,
    began: Instant,
    newer: HashMap<u64, MessageId>,
    older: HashMap<u64, MessageId>,
}

impl Fingerprints {
    pub(super) fn new(now: Instant) -> Self {
        Self { key: RandomState::new(), began: now, newer: HashMap::new(), older: HashMap::new() }
    }

    /// The fingerprint of data on a topic that `topic` stands for.
    pub(super) fn of(&self, topic: u32, data: &[u8]) -> Fingerprint {
        Fingerprint(self.key.hash_one((topic, data)))
    }

    /// The id of data that was seen a moment ago.
    pub(super) fn get(&self, fingerprint: Fingerprint) -> Option<MessageId> {
        self.newer.get(&fingerprint.0).or_else(|| self.older.get(&fingerprint.0)).copied()
    }

    pub(super) fn insert(&mut self, fingerprint: Fingerprint, id: MessageId, now: Instant) {
        if self.newer.len() >= GENERATION_IDS || now.duration_since(self.began) >= GENERATION {
            self.older = std::mem::take(&mut self.newer);
            self.newer.reserve(self.older.len());
            self.began = now;
        }
        self.newer.insert(fingerprint.0, id);
    }

    pub(super) fn remove(&mut self, fingerprint: Fingerprint) {
        self.newer.remove(&fingerprint.0);
        self.older.remove(&fingerprint.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_on_another_topic_are_another_message() {
        let now = Instant::now();
        let mut known = Fingerprints::new(now);
        known.insert(known.of(1, b"data"), MessageId([1; 20]), now);
        assert_eq!(known.get(known.of(1, b"data")), Some(MessageId([1; 20])));
        assert_eq!(known.get(known.of(2, b"data")), None);
        assert_eq!(known.get(known.of(1, b"date")), None);
    }

    #[test]
    fn bytes_are_remembered_for_a_while_and_no_longer() {
        let start = Instant::now();
        let mut known = Fingerprints::new(start);
        let old = known.of(1, b"old");
        known.insert(old, MessageId([1; 20]), start);
        known.insert(known.of(1, b"new"), MessageId([2; 20]), start + GENERATION);
        assert!(known.get(old).is_some());
        known.insert(known.of(1, b"newer"), MessageId([3; 20]), start + 2 * GENERATION);
        assert!(known.get(old).is_none());
    }

    #[test]
    fn a_flood_drops_the_older_half() {
        let now = Instant::now();
        let mut known = Fingerprints::new(now);
        for number in 0..3 * GENERATION_IDS as u32 {
            known.insert(known.of(number, b""), MessageId([0; 20]), now);
        }
        assert!(known.newer.len() + known.older.len() <= 2 * GENERATION_IDS);
    }
}
