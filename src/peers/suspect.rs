//! "Is it me?": whether what goes wrong with many peers at once is our own fault, and with which cause.
//!
//! Fed by the manager with signs of life and with failures. While a verdict stands the manager charges nobody, lets no
//! back-off grow and only probes; when it ends, what the trouble had cost others is taken back. Lodestar banned 48 of
//! its 64 peers for one stall of its own (lodestar#9877).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::types::PeerId;

/// What points at ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suspicion {
    /// [`UNANSWERED_DIALS`] in a row were not answered, and nobody else gave a sign of life for 30 s.
    DialsUnanswered,
    /// A third of the peers was lost within [`LOSS_WINDOW`], without a goodbye.
    PeersLost,
    /// Half of the peers misbehaved within [`FAULT_WINDOW`]: it is rather us who see it wrong.
    PeersFaulty,
    /// The wall clock went another way than ours: the machine was suspended, or somebody set the clock.
    ClockJumped,
    /// Nobody looked at the clock for [`STALL`]: the process was stopped, or starved.
    Stalled,
}

/// Why we suspect ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What points at us.
    pub cause: Suspicion,
    /// When the trouble seems to have begun: what failed since then counts against nobody.
    pub since: Instant,
    /// When it was noticed.
    pub noticed: Instant,
}

/// A verdict begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuspectChange {
    /// From now on failures count against nobody.
    Began(Verdict),
    /// Something succeeded: back-offs and charges since [`Verdict::since`] are to be forgiven.
    Ended(Verdict),
}

/// What was seen lately, and the verdict on it. Bounded: about 30 KB at worst.
#[derive(Debug, Default)]
pub struct Suspect {
    /// Since the last sign of life.
    unanswered: VecDeque<Instant>,
    last_alive: Option<Instant>,
    lost: VecDeque<Instant>,
    faulty: BTreeMap<PeerId, Instant>,
    /// When the wall clock was last looked at, and what it said in milliseconds.
    clock: Option<(Instant, u64)>,
    verdict: Option<Verdict>,
    /// What others can feign is not believed again before this.
    not_again_before: BTreeMap<Suspicion, Instant>,
    changes: VecDeque<SuspectChange>,
}

impl Suspicion {
    /// The stable label for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DialsUnanswered => "dials_unanswered",
            Self::PeersLost => "peers_lost",
            Self::PeersFaulty => "peers_faulty",
            Self::ClockJumped => "clock_jumped",
            Self::Stalled => "stalled",
        }
    }

    /// How long it is not believed again: whoever holds a share of our places can feign what peers do together, and
    /// would have its penalties and back-offs forgiven each time.
    const fn pause(self) -> Duration {
        match self {
            Self::PeersLost => Duration::from_secs(300),
            Self::PeersFaulty => Duration::from_secs(600),
            Self::DialsUnanswered | Self::ClockJumped | Self::Stalled => Duration::ZERO,
        }
    }

    /// Whether any sign of life disproves it.
    const fn ends_with_life(self) -> bool {
        match self {
            Self::DialsUnanswered | Self::PeersLost | Self::ClockJumped | Self::Stalled => true,
            Self::PeersFaulty => false,
        }
    }
}

impl Suspect {
    /// Notes that somebody said something to us: an answered dial, even a refused handshake, a ping, a goodbye.
    pub fn on_alive(&mut self, now: Instant) {
        self.unanswered.clear();
        self.last_alive = Some(now);
        if self.verdict.is_some_and(|verdict| verdict.cause.ends_with_life() && verdict.noticed < now) {
            self.end(now);
        }
    }

    /// Notes a dial that nobody answered.
    pub fn on_unanswered(&mut self, now: Instant) {
        push_recent(&mut self.unanswered, now, DIAL_WINDOW, MOST_REMEMBERED);
        let quiet = self.last_alive.is_none_or(|at| now.saturating_duration_since(at) >= QUIET);
        if quiet && self.unanswered.len() >= UNANSWERED_DIALS {
            let since = self.unanswered.front().copied().unwrap_or(now);
            self.begin(Suspicion::DialsUnanswered, since, now);
        }
    }

    /// Notes that a ready peer was lost without a word; `remaining` are left.
    pub fn on_lost(&mut self, remaining: usize, now: Instant) {
        push_recent(&mut self.lost, now, LOSS_WINDOW, MOST_REMEMBERED);
        let before = remaining.saturating_add(self.lost.len());
        if self.lost.len() >= before.div_ceil(3).max(LEAST_LOST) {
            let since = self.lost.front().copied().unwrap_or(now);
            self.begin(Suspicion::PeersLost, since, now);
        }
    }

    /// Notes that one of `ready` peers misbehaved; true if that counts against it.
    #[must_use]
    pub fn on_fault(&mut self, peer_id: PeerId, ready: usize, now: Instant) -> bool {
        self.faulty.retain(|_, at| now.saturating_duration_since(*at) < FAULT_WINDOW);
        if self.faulty.len() < MOST_REMEMBERED || self.faulty.contains_key(&peer_id) {
            self.faulty.insert(peer_id, now);
        }
        if self.faulty.len() >= ready.div_ceil(2).max(LEAST_FAULTY) {
            let since = self.faulty.values().min().copied().unwrap_or(now);
            self.begin(Suspicion::PeersFaulty, since, now);
        }
        self.verdict.is_none()
    }

    /// Compares the clocks; to be called every slot at the least. `wall_ms` are milliseconds since the Unix epoch.
    pub fn on_clock(&mut self, wall_ms: u64, now: Instant) {
        let Some((at, then_ms)) = self.clock.replace((now, wall_ms)) else { return };
        let passed = now.saturating_duration_since(at);
        let passed_ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        if then_ms.saturating_add(passed_ms).abs_diff(wall_ms) >= CLOCK_JUMP_MS {
            self.begin(Suspicion::ClockJumped, at, now);
        } else if passed >= STALL {
            self.begin(Suspicion::Stalled, at, now);
        }
    }

    /// The verdict that stands.
    #[must_use]
    pub const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// The next change of the verdict.
    #[must_use = "a change is handed out once"]
    pub fn poll(&mut self, now: Instant) -> Option<SuspectChange> {
        if self.faulty_over().is_some_and(|over| over <= now) {
            self.end(now);
        }
        self.changes.pop_front()
    }

    /// When [`Self::poll`] has something to say; `None` if only an event changes that.
    #[must_use]
    pub fn wakeup(&self, now: Instant) -> Option<Instant> {
        if self.changes.is_empty() { self.faulty_over() } else { Some(now) }
    }

    fn faulty_over(&self) -> Option<Instant> {
        self.verdict.filter(|verdict| !verdict.cause.ends_with_life()).map(|verdict| verdict.noticed + FAULT_WINDOW)
    }

    fn begin(&mut self, cause: Suspicion, since: Instant, now: Instant) {
        let again = self.not_again_before.get(&cause).is_none_or(|until| *until <= now);
        if self.verdict.is_none() && again {
            let verdict = Verdict { cause, since, noticed: now };
            self.verdict = Some(verdict);
            self.changes.push_back(SuspectChange::Began(verdict));
        }
    }

    fn end(&mut self, now: Instant) {
        if let Some(verdict) = self.verdict.take() {
            self.not_again_before.insert(verdict.cause, now + verdict.cause.pause());
            self.unanswered.clear();
            self.lost.clear();
            self.faulty.clear();
            self.changes.push_back(SuspectChange::Ended(verdict));
        }
    }
}

/// Adds an instant and drops what is older than the window, or more than so many.
fn push_recent(instants: &mut VecDeque<Instant>, now: Instant, window: Duration, most: usize) {
    instants.push_back(now);
    while instants.len() > most || instants.front().is_some_and(|first| now.saturating_duration_since(*first) >= window)
    {
        instants.pop_front();
    }
}

/// With two of three dials failing as a rule, so many in a row are one chance in 3,300.
pub const UNANSWERED_DIALS: usize = 20;

/// Longer than a ready peer is silent: while one is there, dials in vain are those of whoever makes up records, and each
/// answer would have all of them dialled again.
const QUIET: Duration = Duration::from_secs(30);

/// Dials that failed so long ago say nothing of now.
const DIAL_WINDOW: Duration = Duration::from_secs(120);

/// A link that breaks shows within a ping interval of 15 s or QUIC's idle timeout of 10 s.
pub const LOSS_WINDOW: Duration = Duration::from_secs(30);

/// One or two peers are lost every day.
const LEAST_LOST: usize = 3;

/// How close to each other the faults of many come when it is we who err.
pub const FAULT_WINDOW: Duration = Duration::from_secs(60);

/// Three peers may be of one broken version.
const LEAST_FAULTY: usize = 4;

/// Clocks are slewed by less than 0.1 %, and stepped by NTP by less than a second as a rule.
const CLOCK_JUMP_MS: u64 = 10_000;

/// Five slots without a look at the clock.
pub const STALL: Duration = Duration::from_secs(60);

/// More losses, faulty peers or dials than a table holds are not counted.
const MOST_REMEMBERED: usize = 512;

#[cfg(test)]
mod tests {
    use super::super::tests::{peer, seconds};
    use super::*;

    fn causes(suspect: &mut Suspect, now: Instant) -> Vec<(bool, Suspicion)> {
        let changes = std::iter::from_fn(|| suspect.poll(now));
        changes
            .map(|change| match change {
                SuspectChange::Began(verdict) => (true, verdict.cause),
                SuspectChange::Ended(verdict) => (false, verdict.cause),
            })
            .collect()
    }

    #[test]
    fn dials_in_vain_are_our_trouble_only_when_nobody_else_is_heard() {
        let start = Instant::now();
        let mut suspect = Suspect::default();
        let dial = |suspect: &mut Suspect, at| (0..25).for_each(|_| suspect.on_unanswered(start + seconds(at)));
        for at in (0..600).step_by(15) {
            suspect.on_alive(start + seconds(at));
            dial(&mut suspect, at + 14);
        }
        assert_eq!(suspect.verdict(), None);
        dial(&mut suspect, 585 + 30);
        // what failed since that last sign of life
        assert_eq!(suspect.verdict().unwrap().since, start + seconds(599));
    }

    #[test]
    fn twenty_unanswered_dials_in_a_row_are_our_trouble_until_somebody_answers() {
        let start = Instant::now();
        let mut suspect = Suspect::default();
        for n in 0..19 {
            suspect.on_unanswered(start + seconds(n));
        }
        assert_eq!(suspect.verdict(), None);
        suspect.on_unanswered(start + seconds(19));
        assert_eq!(suspect.verdict().unwrap().since, start);
        assert_eq!(causes(&mut suspect, start + seconds(19)), [(true, Suspicion::DialsUnanswered)]);
        suspect.on_alive(start + seconds(3_600));
        assert_eq!(causes(&mut suspect, start + seconds(3_600)), [(false, Suspicion::DialsUnanswered)]);
        assert_eq!(suspect.verdict(), None);
    }

    #[test]
    fn dead_records_are_no_trouble_of_ours_while_anybody_talks_to_us() {
        let start = Instant::now();
        let mut suspect = Suspect::default();
        for n in 0..1_000 {
            suspect.on_unanswered(start + seconds(n));
            if n % 15 == 0 {
                suspect.on_alive(start + seconds(n));
            }
        }
        assert_eq!(suspect.verdict(), None);
        let mut slow = Suspect::default();
        for n in 0..1_000 {
            slow.on_unanswered(start + seconds(n * 10));
        }
        assert_eq!(slow.verdict(), None, "twelve in two minutes are too few");
    }

    #[test]
    fn a_third_of_the_peers_lost_at_once_is_our_trouble_and_a_trickle_is_not() {
        let start = Instant::now();
        let mut suspect = Suspect::default();
        for n in 0..100_u64 {
            suspect.on_lost(100, start + seconds(n * 2));
        }
        assert_eq!(suspect.verdict(), None);
        let mut suspect = Suspect::default();
        for n in 0..21 {
            suspect.on_lost(63 - n, start);
        }
        assert_eq!(suspect.verdict(), None);
        suspect.on_lost(42, start + seconds(9));
        assert_eq!(suspect.verdict().unwrap().cause, Suspicion::PeersLost);
    }

    #[test]
    fn peers_that_leave_together_again_and_again_are_believed_once_in_five_minutes() {
        let start = Instant::now();
        let mut suspect = Suspect::default();
        let mut verdicts = 0;
        for n in 0..60 {
            let now = start + seconds(n * 10);
            for remaining in (4..10).rev() {
                suspect.on_lost(remaining, now);
            }
            suspect.on_alive(now + seconds(1));
            verdicts += causes(&mut suspect, now).iter().filter(|(began, _)| *began).count();
        }
        assert_eq!(verdicts, 2);
    }

    #[test]
    fn two_lost_peers_are_never_our_trouble() {
        let mut suspect = Suspect::default();
        suspect.on_lost(1, Instant::now());
        suspect.on_lost(0, Instant::now());
        assert_eq!(suspect.verdict(), None);
    }

    #[test]
    fn nobody_pays_while_half_of_the_peers_seem_faulty_and_everybody_later() {
        let start = Instant::now();
        let mut suspect = Suspect::default();
        let paid = (0..50).filter(|n| suspect.on_fault(peer(*n), 64, start)).count();
        assert_eq!(paid, 31);
        suspect.on_alive(start + seconds(1));
        assert!(suspect.verdict().is_some(), "that peers talk proves nothing of how they are judged");
        let over = suspect.verdict().unwrap().noticed + FAULT_WINDOW;
        assert_eq!(causes(&mut suspect, start), [(true, Suspicion::PeersFaulty)]);
        assert_eq!(suspect.wakeup(start), Some(over));
        assert_eq!(causes(&mut suspect, over), [(false, Suspicion::PeersFaulty)]);
        let paid = (0..50).filter(|n| suspect.on_fault(peer(*n), 64, over)).count();
        assert_eq!(paid, 50, "not again at once");
    }

    #[test]
    fn one_peer_that_misbehaves_often_pays_each_time() {
        let now = Instant::now();
        let mut suspect = Suspect::default();
        assert!((0..1_000).all(|_| suspect.on_fault(peer(1), 2, now)));
    }

    #[test]
    fn a_clock_that_jumps_either_way_or_stalls_is_noticed_and_slewing_is_not() {
        let start = Instant::now();
        for (passed, wall_ms, cause) in [
            (12, 12_400, None),
            (12, 3_612_000, Some(Suspicion::ClockJumped)),
            (12, 0, Some(Suspicion::ClockJumped)),
            (59, 59_000, None),
            (600, 600_000, Some(Suspicion::Stalled)),
        ] {
            let mut suspect = Suspect::default();
            suspect.on_clock(1_000_000, start);
            suspect.on_clock(1_000_000 + wall_ms, start + seconds(passed));
            assert_eq!(suspect.verdict().map(|verdict| verdict.cause), cause, "{passed} s, {wall_ms} ms");
        }
    }

    #[test]
    fn a_verdict_outlives_what_was_said_before_it() {
        let start = Instant::now();
        let mut suspect = Suspect::default();
        suspect.on_clock(0, start);
        suspect.on_clock(3_600_000, start + seconds(12));
        suspect.on_alive(start + seconds(12));
        assert!(suspect.verdict().is_some());
        suspect.on_alive(start + seconds(13));
        assert!(suspect.verdict().is_none());
    }
}
