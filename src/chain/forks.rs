//! The forks of the consensus layer that this crate speaks: how a configuration names them and how their digest is
//! made.
//!
//! One table, not one file each: a fork says three things here, and nine files of three lines would hide that the
//! rows differ in so little. A new fork is a variant of [`ForkName`] and a row of [`ALL`]; topics and methods state
//! their own forks, so nothing else is listed here.

use self::DigestRule::{BlobParameters, Plain};
use crate::types::ForkName::{self, Altair, Bellatrix, Capella, Deneb, Electra, Fulu, Gloas, Heze, Phase0};

/// How the digest of a fork is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestRule {
    /// The head of the fork data root.
    Plain,
    /// The same, with the blob parameters in force mixed in; changes with every blob-parameter fork.
    BlobParameters,
}

/// What the crate knows of one fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork {
    /// Which one.
    pub name: ForkName,
    /// Key of its version in a `config.yaml`.
    pub version_key: &'static str,
    /// Key of its first epoch in a `config.yaml`; `None` for the genesis fork, which has no choice.
    pub epoch_key: Option<&'static str>,
    /// How its digest is made.
    pub digest_rule: DigestRule,
}

impl Fork {
    const fn new(
        name: ForkName,
        version_key: &'static str,
        epoch_key: Option<&'static str>,
        digest_rule: DigestRule,
    ) -> Self {
        Self { name, version_key, epoch_key, digest_rule }
    }
}

/// The row of a fork.
#[must_use]
pub const fn of(name: ForkName) -> &'static Fork {
    &ALL[name as usize]
}

/// Every fork, oldest first: the order of [`ForkName::ALL`].
///
/// [spec v1.6.0, compute_fork_digest](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/beacon-chain.md#modified-compute_fork_digest)
#[rustfmt::skip] // a table
pub const ALL: [Fork; ForkName::ALL.len()] = [
    Fork::new(Phase0,    "GENESIS_FORK_VERSION",   None,                         Plain),
    Fork::new(Altair,    "ALTAIR_FORK_VERSION",    Some("ALTAIR_FORK_EPOCH"),    Plain),
    Fork::new(Bellatrix, "BELLATRIX_FORK_VERSION", Some("BELLATRIX_FORK_EPOCH"), Plain),
    Fork::new(Capella,   "CAPELLA_FORK_VERSION",   Some("CAPELLA_FORK_EPOCH"),   Plain),
    Fork::new(Deneb,     "DENEB_FORK_VERSION",     Some("DENEB_FORK_EPOCH"),     Plain),
    Fork::new(Electra,   "ELECTRA_FORK_VERSION",   Some("ELECTRA_FORK_EPOCH"),   Plain),
    Fork::new(Fulu,      "FULU_FORK_VERSION",      Some("FULU_FORK_EPOCH"),      BlobParameters),
    Fork::new(Gloas,     "GLOAS_FORK_VERSION",     Some("GLOAS_FORK_EPOCH"),     BlobParameters),
    Fork::new(Heze,      "HEZE_FORK_VERSION",      Some("HEZE_FORK_EPOCH"),      BlobParameters),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fork_has_its_own_row() {
        for name in ForkName::ALL {
            assert_eq!(of(name).name, name);
        }
    }
}
