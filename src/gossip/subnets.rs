//! The two attestation subnets that a node id stands for, and when they change.
//!
//! Asked by `subscriptions`; pure.

use sha2::{Digest, Sha256};

use crate::types::{ATTESTATION_SUBNETS, Epoch, NodeId};

/// The long-lived attestation subnets of a node at an epoch, each below 64.
///
/// [spec v1.6.0, compute_subscribed_subnets](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#attestation-subnet-subscription)
#[must_use]
pub fn subscribed_subnets(node_id: &NodeId, epoch: Epoch) -> [u16; SUBNETS_PER_NODE] {
    let prefix = u64::from(node_id.raw()[0] >> (8 - SUBNET_PREFIX_BITS));
    let seed = Sha256::digest(period(node_id, epoch).to_le_bytes());
    let position = shuffled_index(prefix, SUBNETS, &seed.into());
    std::array::from_fn(|index| ((position + index as u64) % SUBNETS) as u16)
}

/// The first epoch after this one at which the subnets of a node are chosen anew.
///
/// Every 256 epochs, at an offset of the node's own, so that the network does not move as one.
#[must_use]
pub fn next_rotation(node_id: &NodeId, epoch: Epoch) -> Epoch {
    let next = period(node_id, epoch).saturating_add(1).saturating_mul(EPOCHS_PER_SUBNET_SUBSCRIPTION);
    Epoch(next.saturating_sub(offset(node_id)))
}

fn period(node_id: &NodeId, epoch: Epoch) -> u64 {
    epoch.0.saturating_add(offset(node_id)) / EPOCHS_PER_SUBNET_SUBSCRIPTION
}

/// The node id, a big-endian number, modulo 256.
fn offset(node_id: &NodeId) -> u64 {
    u64::from(node_id.raw()[31])
}

/// Where an index below `count` goes in the shuffling of `seed`. `count` is at least 1 and at most 2^40.
///
/// [spec v1.6.0, compute_shuffled_index](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/beacon-chain.md#compute_shuffled_index)
fn shuffled_index(mut index: u64, count: u64, seed: &[u8; 32]) -> u64 {
    for round in 0..SHUFFLE_ROUND_COUNT {
        let hash = |tail: &[u8]| Sha256::new().chain_update(seed).chain_update([round]).chain_update(tail).finalize();
        let pivot = u64::from_le_bytes(hash(&[])[..8].try_into().expect("a hash has 32 bytes")) % count;
        let flip = (pivot + count - index) % count;
        let position = index.max(flip);
        let source = hash(&((position / 256) as u32).to_le_bytes());
        let byte = source[(position % 256 / 8) as usize];
        if byte >> (position % 8) & 1 == 1 {
            index = flip;
        }
    }
    index
}

/// [spec v1.6.0, configuration](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#configuration)
const SUBNETS_PER_NODE: usize = 2;
const SUBNETS: u64 = ATTESTATION_SUBNETS as u64;
const SUBNET_PREFIX_BITS: u32 = 6;
const EPOCHS_PER_SUBNET_SUBSCRIPTION: u64 = 256;

/// [spec v1.6.0, SHUFFLE_ROUND_COUNT](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/beacon-chain.md#misc)
const SHUFFLE_ROUND_COUNT: u8 = 90;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn node_id(hex: &str) -> NodeId {
        NodeId::new(&hex::decode(hex.trim_start_matches("0x")).unwrap().try_into().unwrap())
    }

    #[test]
    fn the_executable_specification_agrees() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/subnets.json")).unwrap();
        let cases = vectors["subscribed_subnets"].as_array().unwrap();
        assert!(cases.len() > 100);
        for case in cases {
            let (node_id, epoch) = (node_id(case["node_id"].as_str().unwrap()), Epoch(case["epoch"].as_u64().unwrap()));
            let expected: Vec<u64> = serde_json::from_value(case["subnets"].clone()).unwrap();
            assert_eq!(subscribed_subnets(&node_id, epoch).map(u64::from).to_vec(), expected, "{case}");
            assert_eq!(Some(next_rotation(&node_id, epoch).0), case["valid_until_epoch"].as_u64(), "{case}");
        }
    }

    #[test]
    fn the_last_epoch_is_no_trouble() {
        let node_id = NodeId::new(&[0xff; 32]);
        assert!(next_rotation(&node_id, Epoch::FAR_FUTURE) > Epoch(u64::MAX - 512));
        assert!(subscribed_subnets(&node_id, Epoch::FAR_FUTURE).iter().all(|subnet| *subnet < 64));
    }
}
