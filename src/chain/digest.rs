//! Fork digests: four bytes that tell one network at one time from all others.
//!
//! Called by [`ForkSchedule`](super::ForkSchedule), once for each boundary; the schedule is what everyone else asks.

use sha2::{Digest, Sha256};

use super::config::BlobParameters;
use crate::types::{ForkDigest, ForkVersion, Root};

/// `hash_tree_root(ForkData { version, genesis_validators_root })`: two 32-byte leaves.
///
/// [spec v1.6.0, compute_fork_data_root](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/beacon-chain.md#compute_fork_data_root)
#[must_use]
pub fn fork_data_root(version: ForkVersion, genesis_validators_root: Root) -> Root {
    let mut leaf = [0; 32];
    leaf[..4].copy_from_slice(&version.0);
    Root(Sha256::new().chain_update(leaf).chain_update(genesis_validators_root.0).finalize().into())
}

/// The digest of a fork version; `blob_parameters` are those in force, from Fulu on, and `None` before.
///
/// [spec v1.6.0, compute_fork_digest](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/beacon-chain.md#modified-compute_fork_digest)
#[must_use]
pub fn fork_digest(
    version: ForkVersion,
    genesis_validators_root: Root,
    blob_parameters: Option<BlobParameters>,
) -> ForkDigest {
    let Root(base) = fork_data_root(version, genesis_validators_root);
    let mask = blob_parameters.map_or([0; 32], blob_parameters_hash);
    ForkDigest([base[0] ^ mask[0], base[1] ^ mask[1], base[2] ^ mask[2], base[3] ^ mask[3]])
}

fn blob_parameters_hash(parameters: BlobParameters) -> [u8; 32] {
    Sha256::new()
        .chain_update(parameters.epoch.0.to_le_bytes())
        .chain_update(parameters.max_blobs.to_le_bytes())
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_genesis_values_are_known_the_digest_is_over_the_zero_root() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/fork_digest.json")).unwrap();
        let expected = vectors["pre_genesis_mainnet_digest"].as_str().unwrap().parse().unwrap();
        assert_eq!(fork_digest(ForkVersion::default(), Root::default(), None), expected);
    }
}
