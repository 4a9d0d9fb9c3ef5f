//! How much one peer may ask: token buckets that delay, and caps on the streams held. Pure; takes `now`.
//!
//! Owned by the server's loop. A request over its quota is delayed, not refused, because the specification forbids to
//! refuse for that reason; only what would wait longer than anybody listens, or exceeds the caps, is turned away.
//!
//! [spec, Req/Resp rate limiting](https://github.com/ethereum/consensus-specs/blob/a08d8a6e2/specs/phase0/p2p-interface.md#the-reqresp-domain)

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::fault::{Classify, Fault, Severity};
use crate::types::PeerId;

/// A bucket's size and speed: `tokens` requests at once, all of them refilled within `window`.
///
/// The numbers at the methods are those that Lighthouse and Lodestar grant (`ping` 2/10 s, `metadata` 2/5 s, `status`
/// 5/15 s, `goodbye` 1/10 s), so that nobody who is polite to them waits here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    window: Duration,
    /// The time in which one token comes back.
    period: Duration,
}

impl Quota {
    /// `tokens`, at least 1, per `window`.
    #[must_use]
    pub const fn new(tokens: u32, window: Duration) -> Self {
        let tokens = if tokens == 0 { 1 } else { tokens };
        Self { window, period: Duration::from_nanos(window.as_nanos() as u64 / tokens as u64) }
    }
}

/// A token bucket as one number: when it will be full again.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    name: &'static str,
    full_at: Instant,
}

impl Bucket {
    /// How long a request of now has to wait, and when the bucket is full again after it.
    fn quote(&self, quota: Quota, now: Instant) -> (Duration, Instant) {
        let full_at = self.full_at.max(now) + quota.period;
        (full_at.saturating_duration_since(now + quota.window), full_at)
    }
}

/// Caps on the streams that are held at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldLimits {
    /// Of all peers.
    pub total: usize,
    /// Of one peer, whether delayed or being served.
    pub per_peer: usize,
    /// The longest that a request is delayed.
    pub delay: Duration,
}

/// Why a stream was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This node holds as many streams as it may.
    #[error("too many streams of all peers")]
    TooBusy,
    /// The peer has as many streams open as it may.
    #[error("too many streams of this peer")]
    TooManyStreams,
    /// The peer is so far over its quota that the answer would come too late.
    #[error("delay of {0:?} is too long")]
    OverQuota(Duration),
}

impl Classify for Refused {
    fn fault(&self) -> Fault {
        match self {
            Self::TooBusy => Fault::Local,
            Self::TooManyStreams | Self::OverQuota(_) => Fault::Violation(Severity::Low),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::TooBusy => "too_busy",
            Self::TooManyStreams => "too_many_streams",
            Self::OverQuota(_) => "over_quota",
        }
    }
}

#[derive(Debug, Default)]
struct PeerState {
    held: usize,
    buckets: Vec<Bucket>,
}

impl PeerState {
    fn is_idle(&self, now: Instant) -> bool {
        self.held == 0 && self.buckets.iter().all(|bucket| bucket.full_at <= now)
    }
}

/// Decides which streams are served, and when. Remembers a peer only while it has a stream or a bucket to refill.
#[derive(Debug)]
pub struct Admission {
    limits: HeldLimits,
    held: usize,
    peers: HashMap<PeerId, PeerState>,
}

impl Admission {
    /// Remembers nobody.
    #[must_use]
    pub fn new(limits: HeldLimits) -> Self {
        Self { limits, held: 0, peers: HashMap::new() }
    }

    /// Takes in a stream of `peer_id` for the method `name` and says how long to wait before serving it.
    ///
    /// Every stream taken in must be given back with [`Self::release`].
    ///
    /// # Errors
    /// [`Refused`], which costs no token.
    pub fn admit(
        &mut self,
        peer_id: PeerId,
        name: &'static str,
        quota: Quota,
        now: Instant,
    ) -> Result<Duration, Refused> {
        if self.held >= self.limits.total {
            return Err(Refused::TooBusy);
        }
        let peer = self.peers.entry(peer_id).or_default();
        if peer.held >= self.limits.per_peer {
            return Err(Refused::TooManyStreams);
        }
        let position = peer.buckets.iter().position(|bucket| bucket.name == name).unwrap_or_else(|| {
            peer.buckets.push(Bucket { name, full_at: now });
            peer.buckets.len() - 1
        });
        let bucket = &mut peer.buckets[position];
        let (delay, full_at) = bucket.quote(quota, now);
        if delay > self.limits.delay {
            return Err(Refused::OverQuota(delay));
        }
        bucket.full_at = full_at;
        peer.held += 1;
        self.held += 1;
        Ok(delay)
    }

    /// Gives back a stream of `peer_id`.
    pub fn release(&mut self, peer_id: PeerId, now: Instant) {
        let Some(peer) = self.peers.get_mut(&peer_id) else {
            return;
        };
        peer.held = peer.held.saturating_sub(1);
        self.held = self.held.saturating_sub(1);
        if peer.is_idle(now) {
            self.peers.remove(&peer_id);
        }
    }

    /// Forgets the peers that have no stream and full buckets.
    pub fn forget_idle(&mut self, now: Instant) {
        self.peers.retain(|_, peer| !peer.is_idle(now));
    }

    /// How many peers are remembered.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// How many streams are held.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests;
