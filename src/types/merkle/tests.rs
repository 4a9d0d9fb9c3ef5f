//! Indices as the specification lists them, and branches of a small tree.

use std::collections::BTreeMap;

use super::*;

fn root(byte: u8) -> Root {
    Root([byte; 32])
}

/// Every node of a tree over the leaves, by generalized index.
fn tree(leaves: &[Root]) -> BTreeMap<u64, Root> {
    let count = leaves.len() as u64;
    let mut nodes: BTreeMap<u64, Root> = (count..).zip(leaves.iter().copied()).collect();
    for index in (1..count).rev() {
        let node = hash_pair(&nodes[&(2 * index)], &nodes[&(2 * index + 1)]);
        nodes.insert(index, node);
    }
    nodes
}

/// Siblings of a node, upwards.
fn branch(nodes: &BTreeMap<u64, Root>, mut index: u64) -> Vec<Root> {
    let mut siblings = Vec::new();
    while index > 1 {
        siblings.push(nodes[&(index ^ 1)]);
        index /= 2;
    }
    siblings
}

#[test]
fn every_leaf_of_a_tree_is_proven_at_its_place_and_at_no_other() {
    let nodes = tree(&(0..8).map(root).collect::<Vec<_>>());
    for leaf in 0..8_u64 {
        let gindex = GeneralizedIndex::at(3, leaf).unwrap();
        let siblings = branch(&nodes, gindex.get());
        for index in 0..8 {
            let valid = is_valid_merkle_branch(nodes[&(8 + leaf)], &siblings, 3, index, nodes[&1]);
            assert_eq!(valid, index == leaf);
        }
        assert!(!is_valid_merkle_branch(nodes[&(8 + leaf)], &siblings[..2], 3, leaf, nodes[&1]));
        assert!(!is_valid_merkle_branch(nodes[&(8 + leaf)], &siblings, 2, leaf, nodes[&1]));
        assert!(!is_valid_merkle_branch(root(99), &siblings, 3, leaf, nodes[&1]));
    }
}

#[test]
fn an_index_beyond_64_levels_is_no_panic() {
    let branch = [root(0); 100];
    assert!(!is_valid_merkle_branch(root(1), &branch, 100, u64::MAX, root(2)));
}

#[test]
fn a_normalized_branch_may_be_longer_by_leading_zeros_alone() {
    let nodes = tree(&(0..8).map(root).collect::<Vec<_>>());
    let gindex = GeneralizedIndex::new(13).unwrap();
    let siblings = branch(&nodes, 13);
    let valid = |branch: &[Root]| is_valid_normalized_merkle_branch(nodes[&13], branch, gindex, nodes[&1]);
    assert!(valid(&siblings));
    assert!(valid(&[&[Root::default(); 2], &*siblings].concat()));
    assert!(!valid(&[&[root(1)], &*siblings].concat()));
    assert!(!valid(&[&*siblings, &[Root::default()]].concat()));
    assert!(!valid(&siblings[1..]));
    let longer = GeneralizedIndex::new(32 + 13).unwrap();
    assert_eq!(normalize_merkle_branch(&siblings, longer), [&[Root::default(); 2], &*siblings].concat());
    assert_eq!(normalize_merkle_branch(&siblings, gindex), siblings);
}

#[test]
fn generalized_indices_have_the_depths_of_the_light_client() {
    #[derive(serde::Deserialize)]
    struct Fork {
        #[serde(flatten)]
        numbers: BTreeMap<String, serde_json::Value>,
    }
    let vectors: BTreeMap<String, Fork> =
        serde_json::from_str(include_str!("../../../tests/vectors/light_client_gindices.json")).unwrap();
    let mut checked = 0;
    for (fork, Fork { numbers }) in &vectors {
        let suffix = match fork.as_str() {
            "altair" | "capella" | "deneb" => "",
            "electra" | "fulu" => "_ELECTRA",
            _ => "_GLOAS",
        };
        for (constant, branch) in [
            ("FINALIZED_ROOT_GINDEX", "FinalityBranch"),
            ("CURRENT_SYNC_COMMITTEE_GINDEX", "CurrentSyncCommitteeBranch"),
            ("NEXT_SYNC_COMMITTEE_GINDEX", "NextSyncCommitteeBranch"),
        ] {
            let number = numbers[&format!("{constant}{suffix}")].as_u64().unwrap();
            let gindex = GeneralizedIndex::new(number).unwrap();
            let length = numbers["branch_lengths"][branch].as_u64().unwrap();
            assert_eq!(gindex.depth() as u64, length, "{fork} {constant}");
            assert_eq!(GeneralizedIndex::at(gindex.depth() as u32, gindex.index()), Some(gindex));
            checked += 1;
        }
    }
    assert_eq!(checked, 21);
}

#[test]
fn there_is_no_node_zero_and_no_leaf_beyond_its_level() {
    assert_eq!(GeneralizedIndex::new(0), None);
    assert_eq!(GeneralizedIndex::at(2, 4), None);
    assert_eq!(GeneralizedIndex::at(64, 0), None);
    assert_eq!(GeneralizedIndex::at(0, 0), GeneralizedIndex::new(1));
}
