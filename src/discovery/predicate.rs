//! Judges whether a record is worth a dial: right fork, an address that we can reach, a usable key.
//!
//! Pure. Called by the discovery loop for every record that a lookup returns, cheapest check first. It does not
//! know which forks are acceptable when; the caller asks the fork schedule.

use std::fmt;

use super::enr::{EnrExt, Reach};
use crate::chain::AcceptedDigests;
use crate::types::{Enr, ForkDigest, Multiaddr, NodeId, PeerId, enr_peer_id};

/// What does not change from record to record.
#[derive(Clone, Copy, Debug)]
pub struct Predicate {
    /// Our own discv5 identity: we do not dial ourselves.
    pub own_node_id: NodeId,
    /// What we can dial.
    pub reach: Reach,
}

/// A record that passed: somebody to dial.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// libp2p identity that the connection must prove.
    pub peer_id: PeerId,
    /// discv5 identity.
    pub node_id: NodeId,
    /// Where to dial, in order of preference; at least one.
    pub addresses: Vec<Multiaddr>,
    /// The record itself.
    pub enr: Enr,
}

/// Why a record is no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is our own.
    OwnRecord,
    /// It has no readable `eth2` field: not a beacon node.
    NoEth2,
    /// It is on a fork that we do not accept now.
    WrongFork(ForkDigest),
    /// It advertises no address that anybody could dial.
    NoAddress,
    /// It has addresses, but of no family and transport that we dial.
    NoTransport,
    /// Its key is not one that libp2p can verify.
    BadKey,
}

impl Refusal {
    /// Every label of [`Self::as_str`], in the order of [`RefusalCounts`].
    pub const LABELS: [&'static str; 6] = ["self", "no_eth2", "wrong_fork", "no_address", "no_transport", "bad_key"];

    /// The stable label for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::LABELS[self.index()]
    }

    const fn index(self) -> usize {
        match self {
            Self::OwnRecord => 0,
            Self::NoEth2 => 1,
            Self::WrongFork(_) => 2,
            Self::NoAddress => 3,
            Self::NoTransport => 4,
            Self::BadKey => 5,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Predicate {
    /// Judges a record that discovery found. `accepted` is the fork schedule's answer at the current slot: the
    /// digest in force and, near a boundary, its neighbour.
    ///
    /// # Errors
    /// The first reason against it, in the order of the enum.
    pub fn judge(&self, enr: &Enr, accepted: &AcceptedDigests) -> Result<Candidate, Refusal> {
        self.refuse_own(enr)?;
        let fork = enr.eth2().ok_or(Refusal::NoEth2)?;
        if !accepted.contains(fork.fork_digest) {
            return Err(Refusal::WrongFork(fork.fork_digest));
        }
        self.candidate(enr)
    }

    /// Judges a record that the operator or the network names: the fork is not asked, because published
    /// bootnodes show digests of long ago, or none. Status will tell.
    ///
    /// # Errors
    /// The first reason against it; never [`Refusal::NoEth2`] or [`Refusal::WrongFork`].
    pub fn judge_bootnode(&self, enr: &Enr) -> Result<Candidate, Refusal> {
        self.refuse_own(enr)?;
        self.candidate(enr)
    }

    fn refuse_own(&self, enr: &Enr) -> Result<(), Refusal> {
        if enr.node_id() == self.own_node_id { Err(Refusal::OwnRecord) } else { Ok(()) }
    }

    fn candidate(&self, enr: &Enr) -> Result<Candidate, Refusal> {
        let addresses = enr.dial_addresses(self.reach);
        if addresses.is_empty() {
            let nowhere = enr.dial_addresses(Reach::ALL).is_empty();
            return Err(if nowhere { Refusal::NoAddress } else { Refusal::NoTransport });
        }
        let peer_id = enr_peer_id(enr).ok_or(Refusal::BadKey)?;
        Ok(Candidate { peer_id, node_id: enr.node_id(), addresses, enr: enr.clone() })
    }
}

/// How often each reason was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusalCounts([u64; Refusal::LABELS.len()]);

impl RefusalCounts {
    /// Counts one refusal.
    pub fn add(&mut self, refusal: Refusal) {
        self.0[refusal.index()] += 1;
    }

    /// Each label with its count, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Refusal::LABELS.into_iter().zip(self.0)
    }

    /// All refusals together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

#[cfg(test)]
mod tests;
