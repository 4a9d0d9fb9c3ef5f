//! Of messages that exclude each other, such as two blocks of one proposer and slot, one is forwarded unverified at most.
//! Pure: takes `now`.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

/// What messages that exclude each other have in common, hashed with a key that peers do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rivalry(pub u64);

/// Rivalries are remembered for one to two of these: an epoch of mainnet, for as long as attestations count.
const GENERATION: Duration = Duration::from_secs(384);

/// Rivalries of one generation: what a table of 2^18 places holds, 2.4 MB; twice that at worst. Beyond it the older half
/// goes early, which with all subnets of mainnet is after more than a minute.
const GENERATION_SIZE: usize = 229_376;

/// Which rivalries are decided.
#[derive(Debug)]
pub(super) struct Rivals {
    began: Instant,
    newer: HashSet<u64>,
    older: HashSet<u64>,
}

impl Rivals {
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, newer: HashSet::new(), older: HashSet::new() }
    }

    /// Whether a message is the first of its rivalry; the next one is not.
    pub(super) fn is_first(&mut self, rivalry: Rivalry, now: Instant) -> bool {
        if self.newer.len() >= GENERATION_SIZE || now.duration_since(self.began) >= GENERATION {
            self.older = std::mem::take(&mut self.newer);
            self.began = now;
        }
        !self.older.contains(&rivalry.0) && self.newer.insert(rivalry.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_rivals_the_first_is_first_for_an_epoch_at_least() {
        let start = Instant::now();
        let mut rivals = Rivals::new(start);
        assert!(rivals.is_first(Rivalry(1), start) && rivals.is_first(Rivalry(2), start));
        assert!(!rivals.is_first(Rivalry(1), start + GENERATION));
        assert!(rivals.is_first(Rivalry(1), start + 3 * GENERATION), "forgotten by then");
    }

    #[test]
    fn a_flood_costs_no_more_than_two_generations() {
        let now = Instant::now();
        let mut rivals = Rivals::new(now);
        for number in 0..3 * GENERATION_SIZE as u64 {
            rivals.is_first(Rivalry(number), now);
        }
        assert!(rivals.newer.len() + rivals.older.len() <= 2 * GENERATION_SIZE);
        assert!(!rivals.is_first(Rivalry(3 * GENERATION_SIZE as u64 - 1), now));
    }
}
