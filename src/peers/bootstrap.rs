//! The check after start: did any bootstrap peer complete a handshake, and if not, what went wrong how often.
//!
//! Fed by the node with each attempt at a bootstrap peer; the node turns the report into one warning.

use std::time::Duration;

use tokio::time::Instant;

/// How long after start the check is due.
pub const BOOTSTRAP_CHECK_AFTER: Duration = Duration::from_secs(30);

/// Why an attempt at a bootstrap peer failed; the fields of the event `bootstrap.failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BootstrapFailure {
    /// Nobody answered.
    Timeout,
    /// The host is there, the port is closed.
    Refused,
    /// No route to the host.
    Unreachable,
    /// The peer is of another network.
    WrongNetwork,
    /// No transport or muxer in common.
    Incompatible,
    /// The peer has no room.
    Busy,
    /// A handshake broke.
    Handshake,
    /// The record has no address to dial.
    NoAddress,
    /// Everything else.
    Other,
}

/// How the attempts went so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BootstrapReport {
    /// From start to this report.
    pub elapsed: Duration,
    /// Attempts that nobody answered.
    pub timeout: usize,
    /// Attempts that were refused.
    pub refused: usize,
    /// Attempts at hosts that cannot be reached.
    pub unreachable: usize,
    /// Peers of another network.
    pub wrong_network: usize,
    /// Peers that share no transport or muxer with us.
    pub incompatible: usize,
    /// Peers without room.
    pub busy: usize,
    /// Handshakes that broke.
    pub handshake: usize,
    /// Bootstrap nodes without an address to dial.
    pub no_address: usize,
    /// Everything else.
    pub other: usize,
}

/// Tallies the attempts at bootstrap peers and reports once, if none of them succeeded in time.
#[derive(Debug)]
pub struct BootstrapCheck {
    started: Instant,
    tally: BootstrapReport,
    succeeded: bool,
    reported: bool,
}

impl BootstrapCheck {
    /// A check that is due [`BOOTSTRAP_CHECK_AFTER`] from now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { started: now, tally: BootstrapReport::default(), succeeded: false, reported: false }
    }

    /// Counts a failed attempt.
    pub fn on_failure(&mut self, failure: BootstrapFailure) {
        let count = match failure {
            BootstrapFailure::Timeout => &mut self.tally.timeout,
            BootstrapFailure::Refused => &mut self.tally.refused,
            BootstrapFailure::Unreachable => &mut self.tally.unreachable,
            BootstrapFailure::WrongNetwork => &mut self.tally.wrong_network,
            BootstrapFailure::Incompatible => &mut self.tally.incompatible,
            BootstrapFailure::Busy => &mut self.tally.busy,
            BootstrapFailure::Handshake => &mut self.tally.handshake,
            BootstrapFailure::NoAddress => &mut self.tally.no_address,
            BootstrapFailure::Other => &mut self.tally.other,
        };
        *count = count.saturating_add(1);
    }

    /// Notes that a bootstrap peer completed its handshakes; true the first time.
    pub fn on_success(&mut self) -> bool {
        !std::mem::replace(&mut self.succeeded, true)
    }

    /// Whether a bootstrap peer ever completed its handshakes.
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        self.succeeded
    }

    /// When [`Self::due_report`] wants to be asked; `None` once it has nothing more to say.
    #[must_use]
    pub fn wakeup(&self) -> Option<Instant> {
        (!self.succeeded && !self.reported).then(|| self.started + BOOTSTRAP_CHECK_AFTER)
    }

    /// The report, once: when the check is due and no bootstrap peer succeeded.
    #[must_use = "the report is handed out once"]
    pub fn due_report(&mut self, now: Instant) -> Option<BootstrapReport> {
        self.wakeup().filter(|due| *due <= now)?;
        self.reported = true;
        Some(self.report(now))
    }

    /// The tally so far.
    #[must_use]
    pub fn report(&self, now: Instant) -> BootstrapReport {
        BootstrapReport { elapsed: now.saturating_duration_since(self.started), ..self.tally }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_each_reason_once_after_thirty_seconds() {
        let start = Instant::now();
        let mut check = BootstrapCheck::new(start);
        for failure in [BootstrapFailure::Timeout, BootstrapFailure::Timeout, BootstrapFailure::WrongNetwork] {
            check.on_failure(failure);
        }
        assert_eq!(check.wakeup(), Some(start + BOOTSTRAP_CHECK_AFTER));
        assert_eq!(check.due_report(start + Duration::from_secs(29)), None);
        let expected = BootstrapReport {
            elapsed: BOOTSTRAP_CHECK_AFTER,
            timeout: 2,
            wrong_network: 1,
            ..BootstrapReport::default()
        };
        assert_eq!(check.due_report(start + BOOTSTRAP_CHECK_AFTER), Some(expected));
        assert_eq!(check.due_report(start + BOOTSTRAP_CHECK_AFTER), None);
        assert_eq!(check.wakeup(), None);
    }

    #[test]
    fn stays_silent_after_a_success() {
        let start = Instant::now();
        let mut check = BootstrapCheck::new(start);
        check.on_failure(BootstrapFailure::Refused);
        assert!(check.on_success());
        assert!(!check.on_success());
        assert!(check.succeeded());
        assert_eq!(check.due_report(start + Duration::from_secs(60)), None);
        assert_eq!(check.report(start).refused, 1);
    }

    #[test]
    fn counts_every_reason_in_its_own_field() {
        use BootstrapFailure::*;
        let start = Instant::now();
        let mut check = BootstrapCheck::new(start);
        let all = [Timeout, Refused, Unreachable, WrongNetwork, Incompatible, Busy, Handshake, NoAddress, Other];
        all.into_iter().for_each(|failure| check.on_failure(failure));
        let r = check.report(start);
        let fields = [
            r.timeout,
            r.refused,
            r.unreachable,
            r.wrong_network,
            r.incompatible,
            r.busy,
            r.handshake,
            r.no_address,
            r.other,
        ];
        assert_eq!(fields, [1; 9]);
    }
}
