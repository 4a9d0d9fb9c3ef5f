//! Which fork, digest and blob limit hold at an epoch, and what comes next.
//!
//! Built once from the [`ChainConfig`] and shared; everything is computed then, so a question costs a binary search
//! in a dozen entries. Does not know the time: the clock, discovery and the handshakes pass slots and epochs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::config::{BlobParameters, ChainConfig};
use super::digest::fork_digest;
use super::forks::{self, DigestRule};
use crate::types::{EnrForkId, Epoch, ForkDigest, ForkName, ForkVersion, Slot};

/// How close to a boundary the digest of its other side is accepted, in slots on either side.
///
/// Two slots, because that is what honest clocks and messages on their way can explain: a peer whose clock is a slot
/// off, plus an exchange that started in the slot before. More would keep dialling peers that missed the fork.
pub const NEAR_BOUNDARY_SLOTS: u64 = 2;

/// The start of a stretch of epochs with one digest: a regular fork, a blob-parameter fork, or genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// First epoch.
    pub epoch: Epoch,
    /// Fork in force from then on; unchanged by a blob-parameter fork.
    pub fork: ForkName,
    /// Version in force from then on.
    pub version: ForkVersion,
    /// Digest in force from then on.
    pub fork_digest: ForkDigest,
    /// Blobs allowed in a block from then on; `None` before Fulu.
    pub max_blobs: Option<u64>,
}

/// What holds between two boundaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkState {
    /// First epoch of the digest.
    pub since: Epoch,
    /// Fork in force.
    pub fork: ForkName,
    /// Version in force.
    pub version: ForkVersion,
    /// Digest in force.
    pub fork_digest: ForkDigest,
    /// Blobs allowed in a block; `None` before Fulu.
    pub max_blobs: Option<u64>,
    /// What the ENR says under `eth2`.
    pub enr_fork_id: EnrForkId,
    /// What the ENR says under `nfd`: the digest after the next boundary, zero if none is scheduled.
    pub nfd: ForkDigest,
    /// The next boundary of either kind.
    pub next: Option<Boundary>,
    /// The boundary before this one: what held until `since`.
    pub previous: Option<Boundary>,
}

impl ForkState {
    /// [spec v1.6.0, eth2 field](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#eth2-field),
    /// where a blob-parameter fork is a next fork too. Clients agree on the version in force *at* that epoch, which
    /// is the current one while a blob-parameter fork comes first.
    fn new(previous: Option<Boundary>, current: Boundary, next: Option<Boundary>) -> Self {
        let Boundary { epoch, fork, version, fork_digest, max_blobs } = current;
        let enr_fork_id = EnrForkId {
            fork_digest,
            next_fork_version: next.map_or(version, |next| next.version),
            next_fork_epoch: next.map_or(Epoch::FAR_FUTURE, |next| next.epoch),
        };
        let nfd = next.map(|next| next.fork_digest).unwrap_or_default();
        Self { since: epoch, fork, version, fork_digest, max_blobs, enr_fork_id, nfd, next, previous }
    }
}

/// The digests that a peer may show at a slot: ours, and near a boundary the one on its other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedDigests {
    current: ForkDigest,
    neighbour: Option<ForkDigest>,
}

impl AcceptedDigests {
    /// Whether a peer may show this digest.
    #[must_use]
    pub fn contains(&self, fork_digest: ForkDigest) -> bool {
        self.current == fork_digest || self.neighbour == Some(fork_digest)
    }
}

/// Every boundary of a network, past and scheduled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkSchedule {
    /// By ascending epoch; the first starts at epoch 0.
    states: Vec<Arc<ForkState>>,
}

impl ForkSchedule {
    /// Computes the schedule of a network. Total: a configuration that was not validated gives digests that nobody
    /// shares, no panic.
    #[must_use]
    pub fn new(config: &ChainConfig) -> Self {
        let boundaries: Vec<_> = boundary_epochs(config).into_iter().map(|epoch| boundary(config, epoch)).collect();
        let states = boundaries.iter().enumerate().map(|(index, &current)| {
            let previous = index.checked_sub(1).and_then(|index| boundaries.get(index).copied());
            Arc::new(ForkState::new(previous, current, boundaries.get(index + 1).copied()))
        });
        Self { states: states.collect() }
    }

    /// What holds at an epoch. Before genesis, ask for epoch 0.
    #[must_use]
    pub fn state_at(&self, epoch: Epoch) -> Arc<ForkState> {
        Arc::clone(self.state(epoch))
    }

    /// The digest at an epoch: what the context bytes of that epoch's blocks are.
    #[must_use]
    pub fn digest_at(&self, epoch: Epoch) -> ForkDigest {
        self.state(epoch).fork_digest
    }

    /// Every boundary by ascending epoch, genesis first.
    pub fn boundaries(&self) -> impl Iterator<Item = Boundary> {
        self.states.iter().map(|state| Boundary {
            epoch: state.since,
            fork: state.fork,
            version: state.version,
            fork_digest: state.fork_digest,
            max_blobs: state.max_blobs,
        })
    }

    /// What a digest stands for; `None` for one that is not of this network.
    #[must_use]
    pub fn boundary_of(&self, fork_digest: ForkDigest) -> Option<Boundary> {
        self.boundaries().find(|boundary| boundary.fork_digest == fork_digest)
    }

    /// The first epoch in which the digest of an earlier one is no longer in force; `None` while no such is scheduled.
    #[must_use]
    pub fn end_of(&self, epoch: Epoch) -> Option<Epoch> {
        self.state(epoch).next.map(|next| next.epoch)
    }

    /// The digests that a peer may show at a wall slot; see [`NEAR_BOUNDARY_SLOTS`].
    #[must_use]
    pub fn accepted_digests(&self, slot: Slot) -> AcceptedDigests {
        let state = self.state(slot.epoch());
        let is_near = |boundary: Slot, margin| boundary.0.abs_diff(slot.0) <= margin;
        let next = state.next.filter(|next| is_near(next.epoch.start_slot(), NEAR_BOUNDARY_SLOTS));
        // the boundary's own slot counts as one of those after it
        let previous = state.previous.filter(|_| is_near(state.since.start_slot(), NEAR_BOUNDARY_SLOTS - 1));
        AcceptedDigests {
            current: state.fork_digest,
            neighbour: next.or(previous).map(|boundary| boundary.fork_digest),
        }
    }

    fn state(&self, epoch: Epoch) -> &Arc<ForkState> {
        let after = self.states.partition_point(|state| state.since <= epoch);
        &self.states[after.saturating_sub(1)]
    }
}

/// The epochs at which the digest changes, and epoch 0.
fn boundary_epochs(config: &ChainConfig) -> BTreeSet<Epoch> {
    let forks = config.forks.values().filter_map(|fork| fork.epoch);
    let blobs = config.blob_schedule.iter().map(|entry| entry.epoch);
    forks.chain(blobs).chain([Epoch(0)]).collect()
}

fn boundary(config: &ChainConfig, epoch: Epoch) -> Boundary {
    let in_force = config.forks.iter().rev().find(|(_, fork)| fork.epoch.is_some_and(|since| since <= epoch));
    let (fork, version) =
        in_force.map_or((ForkName::Phase0, ForkVersion([0; 4])), |(&name, fork)| (name, fork.version));
    let blob_parameters = match forks::of(fork).digest_rule {
        DigestRule::Plain => None,
        DigestRule::BlobParameters => Some(blob_parameters_at(config, epoch)),
    };
    Boundary {
        epoch,
        fork,
        version,
        fork_digest: fork_digest(version, config.genesis_validators_root, blob_parameters),
        max_blobs: blob_parameters.map(|parameters| parameters.max_blobs),
    }
}

/// Until the schedule's first entry the parameters are Electra's, with *Electra's* epoch.
///
/// [spec v1.6.0, get_blob_parameters](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/beacon-chain.md#new-get_blob_parameters)
fn blob_parameters_at(config: &ChainConfig, epoch: Epoch) -> BlobParameters {
    let entries = config.blob_schedule.iter().filter(|entry| entry.epoch <= epoch);
    entries.max_by_key(|entry| entry.epoch).copied().unwrap_or_else(|| BlobParameters {
        epoch: config.fork_epoch(ForkName::Electra).unwrap_or(Epoch::FAR_FUTURE),
        max_blobs: config.electra_max_blobs,
    })
}

#[cfg(test)]
mod tests;
