//! What is remembered of a peer from one run to the next. Plain values: the store keeps them, `peers` makes them.

use std::cmp::Reverse;

use alloy_rlp::Decodable;

use super::{Client, Enr, Multiaddr, PeerId};

/// What is remembered of one peer. Times are seconds since the Unix epoch.
///
/// At most about 1 KiB in memory and under 1 KB on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct BookEntry {
    /// Who it is.
    pub peer_id: PeerId,
    /// Addresses that were dialled with success, the last one first, without their `/p2p` part; the store keeps
    /// [`Self::MAX_ADDRESSES`] of at most [`Self::MAX_ADDRESS_SIZE`] bytes.
    pub addresses: Vec<Multiaddr>,
    /// Its record, if one was seen.
    pub enr: Option<EnrBytes>,
    /// When anything was last known of it: the order in which entries leave a full book.
    pub last_seen_s: u64,
    /// When it was last a ready peer.
    pub last_success_s: Option<u64>,
    /// What the peer manager thought of it; 0 is neutral, negative is bad.
    pub score: f64,
    /// Until when it is banned.
    pub banned_until_s: Option<u64>,
    /// Its software, as of its last session.
    pub client: Client,
}

/// A record as it was received, not looked into: checking the signatures of a whole book would take seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrBytes(Vec<u8>);

impl EnrBytes {
    /// Takes RLP as it is, of any length.
    #[must_use]
    pub const fn new(rlp: Vec<u8>) -> Self {
        Self(rlp)
    }

    /// The RLP, at most 300 bytes if it is a record.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The record, its signature checked; `None` if it is none.
    #[must_use]
    pub fn decode(&self) -> Option<Enr> {
        Enr::decode(&mut self.as_slice()).ok()
    }
}

impl From<&Enr> for EnrBytes {
    fn from(enr: &Enr) -> Self {
        Self(alloy_rlp::encode(enr))
    }
}

/// How much a warm start wants a peer, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It was ready once, and nothing is held against it.
    Good,
    /// It was never ready, or it has a negative score.
    Doubtful,
    /// It is banned now.
    Banned,
}

impl BookEntry {
    /// Addresses kept: both transports over both families.
    pub const MAX_ADDRESSES: usize = 4;

    /// The longest address kept, bytes of binary multiaddr; a DNS name of 63 with a port fits.
    pub const MAX_ADDRESS_SIZE: usize = 80;

    /// An entry that knows nothing but a name.
    #[must_use]
    pub const fn new(peer_id: PeerId, last_seen_s: u64) -> Self {
        Self {
            peer_id,
            addresses: Vec::new(),
            enr: None,
            last_seen_s,
            last_success_s: None,
            score: 0.0,
            banned_until_s: None,
            client: Client::Unknown,
        }
    }

    /// Whether the peer is banned at `now_s`.
    #[must_use]
    pub fn is_banned(&self, now_s: u64) -> bool {
        self.banned_until_s.is_some_and(|until| now_s < until)
    }

    /// Puts entries in the order in which a warm start dials them: known-good before doubtful before banned, the
    /// latest success first, then the latest sign of life.
    pub fn rank(entries: &mut [Self], now_s: u64) {
        entries.sort_by_cached_key(|entry| {
            (entry.standing(now_s), Reverse(entry.last_success_s), Reverse(entry.last_seen_s), entry.peer_id)
        });
    }

    fn standing(&self, now_s: u64) -> Standing {
        if self.is_banned(now_s) {
            Standing::Banned
        } else if self.last_success_s.is_some() && self.score >= 0.0 {
            Standing::Good
        } else {
            Standing::Doubtful
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_good_peers_come_first_and_banned_ones_last() {
        let entry = |last_seen_s, last_success_s, score, banned_until_s| BookEntry {
            last_success_s,
            score,
            banned_until_s,
            ..BookEntry::new(PeerId::random(), last_seen_s)
        };
        let expected = [
            entry(10, Some(9), 0.0, None),
            entry(90, Some(8), 5.0, Some(100)), // the ban is over
            entry(20, Some(7), 0.0, None),
            entry(10, Some(7), 0.0, None),
            entry(99, Some(99), -0.5, None),
            entry(99, None, 0.0, None),
            entry(99, Some(99), 0.0, Some(101)),
        ];
        let mut entries: Vec<_> = expected.iter().rev().cloned().collect();
        BookEntry::rank(&mut entries, 100);
        assert_eq!(entries, expected);
    }
}
