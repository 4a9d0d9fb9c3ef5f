//! How long a peer, or an address, is left alone after something went wrong: the one table of such numbers.
//!
//! Called by the dial queue alone. Knows causes and times; does not know why a cause was chosen.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use super::Source;
use crate::fault::Fault;
use crate::types::GoodbyeReason;

/// Why a peer is left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Our own trouble, such as no place left; a short pause, only so that a dial loop cannot spin.
    Local,
    /// Nobody answered, or the attempt broke: timeout, refusal, reset.
    Transient,
    /// A ready peer closed without a word, or with a goodbye of unknown meaning.
    Closed,
    /// The peer said that it shuts down.
    ShutDown,
    /// The peer has no room for a request of ours.
    Busy,
    /// The peer has no place for another peer. (When it is we who are full, that is [`Self::Local`].)
    TooManyPeers,
    /// We left the peer for others, above the target or because nothing moved: they are to be tried first.
    Pruned,
    /// Another network.
    Incompatible,
    /// No protocol in common, as it seems: a stream that ends during its negotiation looks the same.
    NoProtocol,
    /// One of the two misbehaved, in the other's eyes.
    Violation,
    /// The peer said that our score is too low, or that we are banned.
    Banned,
}

/// The first pause and the longest one; each failure in a row doubles the pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// After the first failure.
    pub first: Duration,
    /// Never longer than this.
    pub cap: Duration,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 11] = [
        Self::Local,
        Self::Transient,
        Self::Closed,
        Self::ShutDown,
        Self::Busy,
        Self::TooManyPeers,
        Self::Pruned,
        Self::Incompatible,
        Self::NoProtocol,
        Self::Violation,
        Self::Banned,
    ];

    /// The pause for this cause; shorter for peers that somebody vouches for.
    ///
    /// Two demands shape the known peers' column: back within 60 s of an outage of any length, a dial timeout of 10 s
    /// included, and never longer than 5 minutes, because somebody may be mending what is wrong. A peer that left
    /// lately is tried more often than this by the dial queue.
    #[must_use]
    pub const fn schedule(self, source: Source) -> Schedule {
        // Seconds: (first, cap) of discovered peers, (first, cap) of known ones.
        let (discovered, known) = match self {
            Self::Local => ((1, 10), (1, 10)),
            // Nimbus waits 5 min at once; a first quick retry helps against a lost packet.
            Self::Transient => ((10, 300), (1, 30)),
            // Nimbus: any disconnect 1 min.
            Self::Closed => ((60, 300), (1, 30)),
            // Restarts take minutes for a client with a database, seconds for the one next door.
            Self::ShutDown => ((120, 300), (10, 30)),
            Self::Busy => ((60, 600), (5, 60)),
            // Lighthouse refuses a peer that it pruned for 10 min: the second try passes.
            Self::TooManyPeers => ((300, 1_200), (30, 60)),
            // As long as Lighthouse leaves a peer alone that it pruned; known ones are never pruned.
            Self::Pruned => ((600, 3_600), (30, 60)),
            // Nimbus: wrong network 24 h.
            Self::Incompatible => ((3_600, 86_400), (30, 300)),
            // Soon once, in case it was the stream; a peer of another kind is asked every hour.
            Self::NoProtocol => ((60, 3_600), (5, 60)),
            // Nimbus: fault 10 min.
            Self::Violation => ((600, 3_600), (30, 300)),
            // Nimbus: low score 60 min; Lighthouse and Teku: bans of 12 h.
            Self::Banned => ((3_600, 43_200), (60, 300)),
        };
        let (first, cap) = if source.is_known() { known } else { discovered };
        Schedule { first: Duration::from_secs(first), cap: Duration::from_secs(cap) }
    }
}

impl Cause {
    /// Whether it looks the same when the trouble is on our side.
    #[must_use]
    pub const fn may_be_ours(self) -> bool {
        match self {
            Self::Local | Self::Transient | Self::Closed => true,
            Self::ShutDown
            | Self::Busy
            | Self::TooManyPeers
            | Self::Pruned
            | Self::Incompatible
            | Self::NoProtocol
            | Self::Violation
            | Self::Banned => false,
        }
    }

    /// Whether a peer that is being restarted looks like this, from its leave until it serves every protocol again.
    #[must_use]
    pub const fn may_be_a_restart(self) -> bool {
        match self {
            Self::Transient | Self::Closed | Self::ShutDown | Self::NoProtocol => true,
            Self::Local
            | Self::Busy
            | Self::TooManyPeers
            | Self::Pruned
            | Self::Incompatible
            | Self::Violation
            | Self::Banned => false,
        }
    }
}

impl From<Fault> for Cause {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Local => Self::Local,
            Fault::Transient => Self::Transient,
            Fault::Incompatible => Self::Incompatible,
            Fault::Busy => Self::Busy,
            Fault::Violation(_) => Self::Violation,
        }
    }
}

impl From<GoodbyeReason> for Cause {
    fn from(goodbye: GoodbyeReason) -> Self {
        match goodbye {
            GoodbyeReason::CLIENT_SHUTDOWN => Self::ShutDown,
            GoodbyeReason::IRRELEVANT_NETWORK | GoodbyeReason::UNABLE_TO_VERIFY_NETWORK => Self::Incompatible,
            GoodbyeReason::FAULT => Self::Violation,
            GoodbyeReason::TOO_MANY_PEERS => Self::TooManyPeers,
            GoodbyeReason::SCORE_TOO_LOW | NIMBUS_SCORE_LOW | GoodbyeReason::BANNED | GoodbyeReason::IP_BANNED => {
                Self::Banned
            }
            GoodbyeReason(_) => Self::Closed,
        }
    }
}

/// Running back-offs by peer or by address.
///
/// Bounded: when full, the entry that would be forgotten first makes room, so no flood of failures can grow it.
#[derive(Debug)]
pub struct Backoffs<K> {
    entries: BTreeMap<K, Backoff>,
    capacity: usize,
}

#[derive(Clone, Copy, Debug)]
struct Backoff {
    cause: Cause,
    /// The pause before jitter; the next failure doubles it.
    step: Duration,
    /// The last failure.
    at: Instant,
    until: Instant,
    /// A failure after this instant starts from the first pause again.
    forget_at: Instant,
}

impl<K: Ord + Clone> Backoffs<K> {
    /// An empty table of at most `capacity` entries, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { entries: BTreeMap::new(), capacity: capacity.max(1) }
    }

    /// Records a failure and returns how long the key is left alone from now on.
    ///
    /// The pause doubles what came before, within the bounds of this cause, and is then cut by up to a quarter at
    /// random. It never shortens one that is still running.
    pub fn punish(&mut self, key: &K, cause: Cause, source: Source, now: Instant, rng: &mut impl Rng) -> Duration {
        let Schedule { first, cap } = cause.schedule(source);
        let step = self.remembered(key, now).map_or(first, |entry| (entry.step * 2).clamp(first, cap));
        self.pause(key, cause, step, now, rng)
    }

    /// As [`Self::punish`], by the first pause however often the key failed: for failures that may be our own.
    pub fn hold(&mut self, key: &K, cause: Cause, source: Source, now: Instant, rng: &mut impl Rng) -> Duration {
        self.pause(key, cause, cause.schedule(source).first, now, rng)
    }

    /// Lets a back-off end by then, if it would last longer and its cause may have been a restart.
    pub fn hasten(&mut self, key: &K, until: Instant) {
        if let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.cause.may_be_a_restart()) {
            entry.until = entry.until.min(until);
        }
    }

    /// As [`Self::punish`], by a pause that the caller chooses; the next failure doubles it.
    pub fn pause(&mut self, key: &K, cause: Cause, step: Duration, now: Instant, rng: &mut impl Rng) -> Duration {
        let before = self.remembered(key, now);
        let until = now + step.mul_f64(rng.random_range(LEAST_JITTER..=1.0));
        let entry = match before {
            Some(running) if running.until > until => running,
            _ => Backoff { cause, step, at: now, until, forget_at: until + step.max(LEAST_MEMORY) },
        };
        if before.is_none() {
            self.make_room(now);
        }
        self.entries.insert(key.clone(), entry);
        entry.until - now
    }

    /// When the key may be tried again; `None` when that is now.
    #[must_use]
    pub fn until(&self, key: &K, now: Instant) -> Option<Instant> {
        self.entries.get(key).map(|entry| entry.until).filter(|until| now < *until)
    }

    /// Forgets the key: it may be tried at once and starts from the first pause.
    pub fn forget(&mut self, key: &K) {
        self.entries.remove(key);
    }

    /// Forgets every back-off of one cause, for when the cause itself is gone: a fork was crossed, the link is back.
    pub fn forget_cause(&mut self, cause: Cause) {
        self.entries.retain(|_, entry| entry.cause != cause);
    }

    /// Forgets the back-offs that began at this instant or later and may have been our own fault.
    pub fn forget_since(&mut self, since: Instant) {
        self.entries.retain(|_, entry| entry.at < since || !entry.cause.may_be_ours());
    }

    /// Whether [`Self::forget_since`] would forget this key.
    #[must_use]
    pub fn may_be_ours_since(&self, key: &K, since: Instant) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.at >= since && entry.cause.may_be_ours())
    }

    /// Entries held, over or not; at most the capacity.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn remembered(&self, key: &K, now: Instant) -> Option<Backoff> {
        self.entries.get(key).filter(|entry| now < entry.forget_at).copied()
    }

    fn make_room(&mut self, now: Instant) {
        if self.entries.len() < self.capacity {
            return;
        }
        self.entries.retain(|_, entry| now < entry.forget_at);
        if self.entries.len() >= self.capacity
            && let Some(first) =
                self.entries.iter().min_by_key(|(_, entry)| entry.forget_at).map(|(key, _)| key.clone())
        {
            self.entries.remove(&first);
        }
    }
}

/// `PeerScoreLow` of Nimbus, which sends no other code for it.
const NIMBUS_SCORE_LOW: GoodbyeReason = GoodbyeReason(237);

/// The least share of a pause that is waited; the rest is drawn, so that peers that failed together return apart.
const LEAST_JITTER: f64 = 0.75;

/// How long a failure is remembered at the least after its pause, in longer pauses as long as the pause itself.
const LEAST_MEMORY: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::fault::Severity;

    const SOURCES: [Source; 3] = [Source::BootNode, Source::KnownPeer, Source::Discovered];

    #[test]
    fn pause_doubles_from_first_to_cap_and_never_exceeds_it() {
        for seed in 0..50 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            for (cause, source) in Cause::ALL.into_iter().flat_map(|cause| SOURCES.map(|source| (cause, source))) {
                let Schedule { first, cap } = cause.schedule(source);
                let mut backoffs = Backoffs::new(8);
                let mut now = Instant::now();
                let mut step = first;
                for failure in 0..20 {
                    let pause = backoffs.punish(&1, cause, source, now, &mut rng);
                    let context = format!("seed {seed}, {cause:?}, {source:?}, failure {failure}: {pause:?}");
                    assert!(pause <= step && pause <= cap, "{context}");
                    assert!(pause >= step.mul_f64(LEAST_JITTER), "{context}");
                    assert_eq!(backoffs.until(&1, now), Some(now + pause), "{context}");
                    now += pause;
                    assert_eq!(backoffs.until(&1, now), None, "{context}");
                    step = (step * 2).min(cap);
                }
            }
        }
    }

    #[test]
    fn random_histories_stay_within_the_longest_cap_and_the_capacity() {
        let longest = Duration::from_secs(86_400);
        for seed in 0..100 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut backoffs = Backoffs::new(10);
            let mut now = Instant::now();
            for step in 0..300 {
                let key = rng.random_range(0..30);
                let cause = Cause::ALL[rng.random_range(0..Cause::ALL.len())];
                let pause = backoffs.punish(&key, cause, SOURCES[rng.random_range(0..3)], now, &mut rng);
                assert!(pause <= longest, "seed {seed}, step {step}: {pause:?}");
                assert!(backoffs.len() <= 10, "seed {seed}, step {step}: {} entries", backoffs.len());
                now += Duration::from_secs(rng.random_range(0..600));
            }
            now += longest;
            assert!((0..30).all(|key| backoffs.until(&key, now).is_none()), "seed {seed}: backs off for ever");
        }
    }

    #[test]
    fn starts_over_once_forgotten_or_long_past() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut backoffs = Backoffs::new(8);
        let mut now = Instant::now();
        let first = Cause::Transient.schedule(Source::Discovered).first;
        for _ in 0..5 {
            backoffs.punish(&1, Cause::Transient, Source::Discovered, now, &mut rng);
        }
        backoffs.forget(&1);
        assert_eq!(backoffs.until(&1, now), None);
        assert!(backoffs.punish(&1, Cause::Transient, Source::Discovered, now, &mut rng) <= first);
        now += Duration::from_secs(86_400);
        assert!(backoffs.punish(&1, Cause::Transient, Source::Discovered, now, &mut rng) <= first);
    }

    #[test]
    fn a_lesser_failure_does_not_shorten_a_running_pause() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut backoffs = Backoffs::new(8);
        let now = Instant::now();
        let long = backoffs.punish(&1, Cause::Incompatible, Source::Discovered, now, &mut rng);
        assert_eq!(backoffs.punish(&1, Cause::Transient, Source::Discovered, now, &mut rng), long);
    }

    #[test]
    fn forgets_one_cause_and_keeps_the_others() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut backoffs = Backoffs::new(8);
        let now = Instant::now();
        backoffs.punish(&1, Cause::Incompatible, Source::Discovered, now, &mut rng);
        backoffs.punish(&2, Cause::Transient, Source::Discovered, now, &mut rng);
        backoffs.forget_cause(Cause::Incompatible);
        assert_eq!(backoffs.until(&1, now), None);
        assert!(backoffs.until(&2, now).is_some());
    }

    #[test]
    fn held_back_offs_do_not_grow_and_are_forgiven_while_others_stay() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut backoffs = Backoffs::new(8);
        let start = Instant::now();
        let mut now = start;
        backoffs.punish(&3, Cause::Transient, Source::Discovered, now, &mut rng);
        for _ in 0..20 {
            now += Duration::from_secs(10);
            let pause = backoffs.hold(&1, Cause::Transient, Source::Discovered, now, &mut rng);
            assert!(pause <= Duration::from_secs(10), "{pause:?}");
        }
        backoffs.punish(&2, Cause::Violation, Source::Discovered, now, &mut rng);
        assert!(backoffs.may_be_ours_since(&1, start) && !backoffs.may_be_ours_since(&2, start));
        backoffs.forget_since(start + Duration::from_secs(1));
        assert_eq!(backoffs.entries.keys().copied().collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn every_fault_and_goodbye_has_its_cause() {
        assert_eq!(Cause::from(Fault::Violation(Severity::Low)), Cause::Violation);
        assert_eq!(Cause::from(Fault::Local), Cause::Local);
        for (code, cause) in [
            (1, Cause::ShutDown),
            (2, Cause::Incompatible),
            (3, Cause::Violation),
            (128, Cause::Incompatible),
            (129, Cause::TooManyPeers),
            (237, Cause::Banned),
            (250, Cause::Banned),
            (251, Cause::Banned),
            (252, Cause::Banned),
            (77, Cause::Closed),
        ] {
            assert_eq!(Cause::from(GoodbyeReason(code)), cause, "goodbye {code}");
        }
    }
}
