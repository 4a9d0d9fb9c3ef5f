//! The constants of one network: genesis, slots, forks, blob schedule, bootnodes.
//!
//! `node` picks the source (`cli` too, for fork digests): a network embedded from `config/networks/`, or a devnet's directory
//! ([`ChainConfig::from_dir`]). Does not know the time; [`ForkSchedule`](super::ForkSchedule) makes a schedule of it.

mod embedded;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::forks::{self, DigestRule};
use crate::fault::{Classify, Fault};
use crate::types::{Epoch, ForkName, ForkVersion, KnownPeer, Root};

/// `MAX_BLOBS_PER_BLOCK` where a configuration does not give it.
///
/// [spec v1.6.0, Deneb configuration](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/beacon-chain.md#execution)
pub(super) const DEFAULT_DENEB_MAX_BLOBS: u64 = 6;

/// `MAX_BLOBS_PER_BLOCK_ELECTRA` where a configuration does not give it.
///
/// [spec v1.6.0, Electra configuration](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/electra/beacon-chain.md#execution-1)
pub(super) const DEFAULT_ELECTRA_MAX_BLOBS: u64 = 9;

/// Most blobs that a block can commit to, so most that a blob schedule can allow.
///
/// [spec v1.6.0, MAX_BLOB_COMMITMENTS_PER_BLOCK](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/beacon-chain.md#execution)
const MAX_BLOB_COMMITMENTS_PER_BLOCK: u64 = 4096;

/// A network that the program carries with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NetworkName {
    /// Ethereum itself.
    #[default]
    Mainnet,
    /// The public test network for applications.
    Sepolia,
    /// The public test network for operators.
    Hoodi,
}

impl NetworkName {
    /// Every embedded network.
    pub const ALL: [Self; 3] = [Self::Mainnet, Self::Sepolia, Self::Hoodi];

    /// The lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Sepolia => "sepolia",
            Self::Hoodi => "hoodi",
        }
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is none of the embedded networks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown network {0:?}: known are mainnet, sepolia and hoodi; others need a network directory")]
pub struct UnknownNetwork(pub String);

impl FromStr for NetworkName {
    type Err = UnknownNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| UnknownNetwork(text.to_owned()))
    }
}

/// A fork as a network configures it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkParameters {
    /// Its version.
    pub version: ForkVersion,
    /// Its first epoch; `None` while it is not scheduled.
    pub epoch: Option<Epoch>,
}

/// One entry of a blob schedule.
///
/// [spec v1.6.0, blob schedule](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/beacon-chain.md#blob-schedule)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobParameters {
    /// First epoch of the entry.
    pub epoch: Epoch,
    /// Blobs allowed in a block, at most 4096.
    pub max_blobs: u64,
}

/// The constants of one network, of the mainnet preset.
///
/// The loaders return only what [`Self::validate`] accepts.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainConfig {
    /// Name, for people.
    pub name: String,
    /// Start of slot 0, seconds since the Unix epoch.
    pub genesis_time: u64,
    /// Root of the validators at genesis: what makes the network itself.
    pub genesis_validators_root: Root,
    /// Root of the genesis block, where it is known.
    pub genesis_block_root: Option<Root>,
    /// Length of a slot, in whole milliseconds.
    pub slot_duration: Duration,
    /// The forks that the configuration names; the others are not scheduled.
    pub forks: BTreeMap<ForkName, ForkParameters>,
    /// Blobs allowed in a block of Deneb.
    pub deneb_max_blobs: u64,
    /// Blobs allowed in a block from Electra on, until the blob schedule says otherwise.
    pub electra_max_blobs: u64,
    /// Blob-parameter forks, by ascending epoch.
    pub blob_schedule: Vec<BlobParameters>,
    /// Where to start.
    pub bootnodes: Vec<KnownPeer>,
}

/// [spec v1.6.0, custody](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/das-core.md#custody-setting)
const CUSTODY_REQUIREMENT: u64 = 4;

impl ChainConfig {
    /// The first epoch of a fork; `None` while it is not scheduled.
    #[must_use]
    pub fn fork_epoch(&self, fork: ForkName) -> Option<Epoch> {
        self.forks.get(&fork)?.epoch
    }

    /// Custody groups that every node must claim, by the mainnet configuration; none before Fulu is scheduled.
    ///
    /// Peers leave a node that claims fewer.
    #[must_use]
    pub fn custody_requirement(&self) -> u64 {
        if self.fork_epoch(ForkName::Fulu).is_some() { CUSTODY_REQUIREMENT } else { 0 }
    }

    /// Checks what makes a schedule: order of the forks, blob schedule, slot length.
    ///
    /// # Errors
    /// The first rule that is broken; see [`ScheduleError`].
    pub fn validate(&self) -> Result<(), ScheduleError> {
        // at most a day: far beyond any network, and no arithmetic on slots comes near an overflow
        if self.slot_duration < Duration::from_millis(1) || self.slot_duration > Duration::from_secs(86_400) {
            return Err(ScheduleError::SlotDuration(self.slot_duration));
        }
        self.validate_forks()?;
        self.validate_blob_schedule()
    }

    fn validate_forks(&self) -> Result<(), ScheduleError> {
        if self.fork_epoch(ForkName::Phase0) != Some(Epoch(0)) {
            return Err(ScheduleError::Genesis);
        }
        for pair in ForkName::ALL.windows(2) {
            let (earlier, later) = (pair[0], pair[1]);
            let Some(epoch) = self.fork_epoch(later) else { continue };
            match self.fork_epoch(earlier) {
                None => return Err(ScheduleError::ForkGap { earlier, later }),
                Some(before) if before > epoch => return Err(ScheduleError::ForkOrder { earlier, later }),
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn validate_blob_schedule(&self) -> Result<(), ScheduleError> {
        let first = forks::ALL.iter().find(|fork| fork.digest_rule == DigestRule::BlobParameters);
        let first = first.and_then(|fork| self.fork_epoch(fork.name)).unwrap_or(Epoch::FAR_FUTURE);
        let mut seen = BTreeSet::new();
        for &BlobParameters { epoch, max_blobs } in &self.blob_schedule {
            if epoch < first {
                return Err(ScheduleError::BlobsBeforeFulu(epoch));
            }
            if !seen.insert(epoch) {
                return Err(ScheduleError::DuplicateBlobEpoch(epoch));
            }
            check_max_blobs(max_blobs)?;
        }
        check_max_blobs(self.deneb_max_blobs)?;
        check_max_blobs(self.electra_max_blobs)
    }
}

const fn check_max_blobs(max_blobs: u64) -> Result<(), ScheduleError> {
    if max_blobs > MAX_BLOB_COMMITMENTS_PER_BLOCK { Err(ScheduleError::TooManyBlobs(max_blobs)) } else { Ok(()) }
}

/// Why a configuration makes no schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// No network has a slot of this length.
    #[error("a slot of {0:?}: SLOT_DURATION_MS must lie between 1 and 86400000")]
    SlotDuration(Duration),
    /// The genesis fork is missing or does not start at epoch 0.
    #[error("the phase0 fork must be present and start at epoch 0")]
    Genesis,
    /// A fork is scheduled although the one before it is not.
    #[error("{later} is scheduled, but {earlier} before it is not: set the epoch and version of {earlier}")]
    ForkGap {
        /// The one that is missing.
        earlier: ForkName,
        /// The one that is scheduled.
        later: ForkName,
    },
    /// Two forks are scheduled in the wrong order.
    #[error("{later} is scheduled before {earlier}: fork epochs must not decrease")]
    ForkOrder {
        /// The one that belongs first.
        earlier: ForkName,
        /// The one that belongs after it.
        later: ForkName,
    },
    /// Two blob-parameter forks at one epoch.
    #[error("BLOB_SCHEDULE lists epoch {0} twice")]
    DuplicateBlobEpoch(Epoch),
    /// A blob-parameter fork before the fork that introduces them.
    #[error("BLOB_SCHEDULE lists epoch {0}, before FULU_FORK_EPOCH")]
    BlobsBeforeFulu(Epoch),
    /// More blobs than a block can commit to.
    #[error("{0} blobs in a block: MAX_BLOBS_PER_BLOCK may be at most 4096")]
    TooManyBlobs(u64),
}

impl Classify for ScheduleError {
    fn fault(&self) -> Fault {
        match self {
            Self::SlotDuration(_)
            | Self::Genesis
            | Self::ForkGap { .. }
            | Self::ForkOrder { .. }
            | Self::DuplicateBlobEpoch(_)
            | Self::BlobsBeforeFulu(_)
            | Self::TooManyBlobs(_) => Fault::Local,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::SlotDuration(_) => "bad_slot_duration",
            Self::Genesis => "bad_genesis_fork",
            Self::ForkGap { .. } => "fork_gap",
            Self::ForkOrder { .. } => "fork_order",
            Self::DuplicateBlobEpoch(_) => "duplicate_blob_epoch",
            Self::BlobsBeforeFulu(_) => "blobs_before_fulu",
            Self::TooManyBlobs(_) => "too_many_blobs",
        }
    }
}

#[cfg(test)]
mod tests;
