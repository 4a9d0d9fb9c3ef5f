//! Judges messages by the rules that need no state. Owns what the rules remember: seen keys, recent headers.
//!
//! The workers share one and call it from their threads. No lock is held over hashing, pairings or a check; each guards
//! single map operations (see `seen`, `headers`). The most expensive check is a column's, see `kzg`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::bls::ChangeDomain;
use super::checks::{BlobLimits, CheckContext, Judgement, Passed};
use super::headers::Headers;
use super::seen::Seen;
use super::topic::row;
use super::verdict::{IgnoreReason, RejectReason, Verdict};
use super::windows::Windows;
use crate::chain::{Boundary, ChainConfig, ForkSchedule};
use crate::time::SlotTimes;
use crate::types::{ForkName, GossipTopic, PeerId, Slot};

/// The stateless rules of one network, and what they remember.
#[derive(Debug)]
pub struct Judge {
    schedule: Arc<ForkSchedule>,
    times: SlotTimes,
    blob_limits: BlobLimits,
    change_domain: ChangeDomain,
    /// Start of the finalized epoch; [`UNKNOWN`] until somebody tells.
    finalized: AtomicU64,
    seen: Seen,
    headers: Headers,
}

impl Judge {
    /// Knows nothing yet. The schedule is that of the configuration.
    #[must_use]
    pub fn new(config: &ChainConfig, schedule: Arc<ForkSchedule>) -> Self {
        let genesis_version = config.forks.get(&ForkName::Phase0).map(|fork| fork.version).unwrap_or_default();
        Self {
            schedule,
            times: SlotTimes::new(config.genesis_time, config.slot_duration),
            blob_limits: BlobLimits { deneb: config.deneb_max_blobs, electra: config.electra_max_blobs },
            change_domain: ChangeDomain::new(genesis_version, config.genesis_validators_root),
            finalized: AtomicU64::new(UNKNOWN),
            seen: Seen::default(),
            headers: Headers::default(),
        }
    }

    /// Judges a message: SSZ, decompressed, that arrived at `arrived_ms`, milliseconds since the Unix epoch.
    ///
    /// Takes microseconds to a few milliseconds of CPU (blocks are hashed, columns and blobs proven): for worker threads.
    /// What passes leaves its header in the index and nothing else; see [`Self::admit`]. On topics of a digest that is over
    /// nothing is rejected, whatever is wrong with it.
    ///
    /// # Errors
    /// The verdict, which is never [`Verdict::Accept`].
    pub fn judge(&self, topic: GossipTopic, ssz: &[u8], arrived_ms: u64) -> Judgement {
        self.judge_from(None, topic, ssz, arrived_ms)
    }

    /// As [`Self::judge`], for a message that a peer sent, `None` for ourselves: what one peer's forged blocks may cost is
    /// bounded.
    pub(super) fn judge_from(
        &self,
        sender: Option<PeerId>,
        topic: GossipTopic,
        ssz: &[u8],
        arrived_ms: u64,
    ) -> Judgement {
        let boundary = self.schedule.boundary_of(topic.fork_digest).ok_or(RejectReason::UnknownTopic)?;
        let context = CheckContext { sender, ..self.context(topic, boundary, arrived_ms) };
        self.check(&context, ssz).map_err(|verdict| spared(&context, verdict))
    }

    /// What is left of somebody else's verdict on a message that arrived at `arrived_ms`, milliseconds since the Unix
    /// epoch: on topics of a digest that is over, nobody is to blame.
    pub(super) fn spared(&self, topic: GossipTopic, arrived_ms: u64, verdict: Verdict) -> Verdict {
        let boundary = self.schedule.boundary_of(topic.fork_digest);
        boundary.map_or(verdict, |boundary| spared(&self.context(topic, boundary, arrived_ms), verdict))
    }

    fn check(&self, context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
        let CheckContext { topic, boundary, .. } = *context;
        let kind = row(topic.name.kind());
        let bounds = kind.bounds(boundary.fork).ok_or(RejectReason::UnknownTopic)?;
        if topic.name.subnet().is_some_and(|subnet| subnet >= (kind.subnets)(boundary.fork)) {
            return Err(RejectReason::UnknownTopic.into());
        }
        if !bounds.contains(ssz.len()) {
            return Err(RejectReason::BadSsz.into());
        }
        let passed = (kind.check)(context, ssz)?;
        if let Some(header) = passed.header {
            self.headers.insert(header, context.sender, false, context.windows.wall_slot());
        }
        Ok(passed)
    }

    /// Decides over a message that passed and that whoever can judge it calls valid: remembers it, so that its repetitions
    /// are ignored, unless another of the same key was accepted since it passed. Asking and remembering are one step:
    /// of two such messages exactly one is accepted, on whichever threads.
    ///
    /// `now_ms` in milliseconds since the Unix epoch. Takes about a microsecond; an attester slashing takes milliseconds
    /// at most.
    ///
    /// # Errors
    /// Why it is to be ignored all the same. Nothing is remembered then.
    pub fn admit(&self, passed: &Passed, now_ms: u64) -> Result<(), IgnoreReason> {
        self.seen.admit(&passed.claims)?;
        self.vouch(passed, now_ms);
        Ok(())
    }

    /// As [`Self::admit`], for a message that may yet fail to go out.
    pub(super) fn reserve<'a>(&'a self, passed: &'a Passed) -> Result<Reservation<'a>, IgnoreReason> {
        self.seen.reserve(&passed.claims)?;
        Ok(Reservation { judge: self, passed, is_kept: false })
    }

    fn vouch(&self, passed: &Passed, now_ms: u64) {
        if let Some(header) = passed.header {
            self.headers.insert(header, None, true, self.windows(now_ms).wall_slot());
        }
    }

    /// Forgets what is too old; to be called once a slot. `now_ms` in milliseconds since the Unix epoch.
    pub fn prune(&self, now_ms: u64) {
        let wall_slot = self.windows(now_ms).wall_slot();
        self.seen.prune(wall_slot);
        self.headers.prune(wall_slot);
    }

    /// Tells the start slot of the finalized epoch; a later one replaces it, an earlier one changes nothing.
    ///
    /// Until the first call the rules about finality do not apply. Nobody calls it yet: a light client will.
    pub fn set_finalized(&self, slot: Slot) {
        let moved = |known| (known == UNKNOWN || known < slot.0).then_some(slot.0);
        // an error says that nothing was to be changed
        let _unchanged = self.finalized.fetch_update(Ordering::Relaxed, Ordering::Relaxed, moved);
    }

    /// The headers of recent blocks.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    fn context(&self, topic: GossipTopic, boundary: Boundary, arrived_ms: u64) -> CheckContext<'_> {
        let finalized = self.finalized.load(Ordering::Relaxed);
        CheckContext {
            topic,
            sender: None,
            boundary,
            windows: self.windows(arrived_ms),
            schedule: &self.schedule,
            blob_limits: self.blob_limits,
            change_domain: self.change_domain,
            finalized: (finalized != UNKNOWN).then_some(Slot(finalized)),
            seen: &self.seen,
            headers: &self.headers,
        }
    }

    const fn windows(&self, now_ms: u64) -> Windows {
        Windows::new(self.times, now_ms)
    }
}

fn spared(context: &CheckContext<'_>, verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Reject(_) if context.is_over() => IgnoreReason::WrongFork.into(),
        Verdict::Accept | Verdict::Ignore(_) | Verdict::Reject(_) => verdict,
    }
}

/// The key of a message that is about to go out: no other of the same key is accepted. Given back when it is dropped.
#[must_use = "dropping it gives the key back"]
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    judge: &'a Judge,
    passed: &'a Passed,
    is_kept: bool,
}

impl Reservation<'_> {
    /// The message went out: it is remembered as accepted. `now_ms` in milliseconds since the Unix epoch.
    pub(super) fn keep(mut self, now_ms: u64) {
        self.judge.seen.admit_reserved(&self.passed.claims);
        self.judge.vouch(self.passed, now_ms);
        self.is_kept = true;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.judge.seen.give_back(&self.passed.claims);
        }
    }
}

/// No slot has this number: the last epoch is never.
const UNKNOWN: u64 = u64::MAX;

#[cfg(test)]
mod tests;
