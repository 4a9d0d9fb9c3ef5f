//! What a lookup looks for: somewhere at random, or, in a small network, where its questions would else miss.
//!
//! Used by the handle. The crate asks each node on a lookup's way for its neighbours at three distances alone: that of
//! the target, and those next to it. Half of all random targets lie at distance 256 of a node, a quarter at 255, and so
//! on: a node that knows nobody but a boot node would have to look for minutes to be told of a neighbour of it at
//! distance 250. In a network of three nodes nobody else can tell.

use rand::Rng;
use rand::seq::IndexedRandom;

use crate::types::NodeId;

/// Distances of targets, in the order in which they are tried: with those next to them they cover 239 to 256, and so all
/// but one in 130,000 of a node's possible neighbours.
const DISTANCES: [u64; 6] = [255, 252, 249, 246, 243, 240];

/// The target of the `n`th lookup: at random among many, else at one of [`DISTANCES`] from somebody in the table.
pub(super) fn lookup_target(n: usize, table: &[NodeId], thin: usize, rng: &mut impl Rng) -> NodeId {
    match table.choose(rng) {
        Some(node_id) if table.len() < thin => at_distance(node_id, DISTANCES[n % DISTANCES.len()], rng),
        _ => NodeId::new(&rng.random()),
    }
}

/// A random id at this log distance, 1 to 256: the distance is the number of the highest bit that differs.
fn at_distance(node_id: &NodeId, distance: u64, rng: &mut impl Rng) -> NodeId {
    let mut raw = node_id.raw();
    let random: [u8; 32] = rng.random();
    for bit in 1..=distance {
        let (byte, mask) = (31 - ((bit - 1) / 8) as usize, 1 << ((bit - 1) % 8));
        raw[byte] ^= if bit == distance { mask } else { random[byte] & mask };
    }
    NodeId::new(&raw)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ::discv5::Key;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn distance(one: NodeId, other: NodeId) -> u64 {
        Key::from(one).log2_distance(&Key::from(other)).unwrap_or_default()
    }

    #[test]
    fn six_lookups_ask_a_lonely_neighbour_for_nearly_every_distance() {
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let neighbour = NodeId::new(&rng.random());
            let asked = |n| {
                let target = lookup_target(n, &[neighbour], 16, &mut rng);
                let distance = distance(target, neighbour);
                [distance - 1, distance, distance + 1]
            };
            let asked: BTreeSet<u64> = (0..6).flat_map(asked).collect();
            assert_eq!(asked, (239..=256).collect(), "seed {seed}");
        }
    }

    #[test]
    fn a_full_table_is_left_to_chance() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let table: Vec<_> = (0..16).map(|_| NodeId::new(&rng.random())).collect();
        let far = (0..100).filter(|n| distance(lookup_target(*n, &table, 16, &mut rng), table[0]) == 256).count();
        assert!((30..70).contains(&far), "{far} of 100");
    }
}
