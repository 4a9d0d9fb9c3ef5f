//! Who is to aggregate: the lottery that a selection proof decides, as far as its bytes tell.
//!
//! Whether the proof is the sender's signature takes the sender's key, and so a state.

use sha2::{Digest, Sha256};

use crate::types::containers::BlsSignature;

/// Aggregators that a committee or a subcommittee has on average.
///
/// [spec v1.6.0, validator](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/validator.md#misc)
const TARGET_AGGREGATORS: u64 = 16;

/// Members of a sync subcommittee.
///
/// [spec v1.6.0, Altair](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/validator.md#misc)
const SYNC_SUBCOMMITTEE_SIZE: u64 = 512 / 4;

/// Whether the proof selects its maker in an attestation committee of `members`.
///
/// [spec v1.6.0, is_aggregator](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/validator.md#aggregation-selection)
#[must_use]
pub(super) fn is_aggregator(selection_proof: &BlsSignature, members: usize) -> bool {
    let members = u64::try_from(members).unwrap_or(u64::MAX);
    is_drawn(selection_proof, members / TARGET_AGGREGATORS)
}

/// Whether the proof selects its maker in a sync subcommittee.
///
/// [spec v1.6.0, is_sync_committee_aggregator](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/validator.md#aggregation-selection)
#[must_use]
pub(super) fn is_sync_committee_aggregator(selection_proof: &BlsSignature) -> bool {
    is_drawn(selection_proof, SYNC_SUBCOMMITTEE_SIZE / TARGET_AGGREGATORS)
}

/// One in `modulo` proofs is drawn; every one if that is 0 or 1.
fn is_drawn(selection_proof: &BlsSignature, modulo: u64) -> bool {
    lot(selection_proof).is_multiple_of(modulo.max(1))
}

fn lot(selection_proof: &BlsSignature) -> u64 {
    let hash: [u8; 32] = Sha256::digest(selection_proof.0).into();
    hash[..8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first proof, counting up, whose lot has this remainder.
    fn proof(modulo: u64, remainder: u64) -> BlsSignature {
        (0_u64..)
            .map(|number| {
                let mut bytes = [0; 96];
                bytes[..8].copy_from_slice(&number.to_le_bytes());
                BlsSignature(bytes)
            })
            .find(|proof| lot(proof) % modulo == remainder)
            .unwrap()
    }

    #[test]
    fn the_lot_is_the_little_endian_head_of_the_hash() {
        // SHA-256 of 96 zero bytes begins 2ea9ab9198d1638007400cd2c3bef1cc
        assert_eq!(lot(&BlsSignature([0; 96])), u64::from_le_bytes([0x2e, 0xa9, 0xab, 0x91, 0x98, 0xd1, 0x63, 0x80]));
    }

    #[test]
    fn everybody_aggregates_in_a_committee_of_less_than_two_targets() {
        for members in [0, 1, 15, 16, 31] {
            assert!(is_aggregator(&proof(2, 1), members), "{members}");
        }
        assert!(!is_aggregator(&proof(2, 1), 32));
        assert!(is_aggregator(&proof(2, 0), 32));
    }

    #[test]
    fn the_modulus_is_rounded_down() {
        let third = proof(15, 3); // a multiple of 3, none of 5
        assert!(is_aggregator(&third, 16 * 3 + 15));
        assert!(!is_aggregator(&third, 16 * 5));
    }

    #[test]
    fn one_in_eight_aggregates_in_a_sync_subcommittee() {
        assert!(is_sync_committee_aggregator(&proof(8, 0)));
        for remainder in 1..8 {
            assert!(!is_sync_committee_aggregator(&proof(8, remainder)), "{remainder}");
        }
    }
}
