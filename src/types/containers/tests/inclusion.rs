//! Inclusion proofs of sidecars, made for a block with two blobs.

use std::collections::BTreeMap;

use ssz::{Decode, Encode};
use tree_hash::{Hash256, TreeHash};

use super::vectors::cases;
use crate::types::Root;
use crate::types::containers::{Blob, Branch, Container, KzgCommitment, KzgProof, List, Signed, deneb, electra, fulu};
use crate::types::merkle::hash_pair;

/// A perfect tree of `depth` over leaves and zeros, by generalized index.
fn tree(leaves: &[Root], depth: u32) -> BTreeMap<u64, Root> {
    let width = 1_u64 << depth;
    let leaves = leaves.iter().copied().chain(std::iter::repeat(Root::default()));
    let mut nodes: BTreeMap<u64, Root> = (width..2 * width).zip(leaves).collect();
    for index in (1..width).rev() {
        let node = hash_pair(&nodes[&(2 * index)], &nodes[&(2 * index + 1)]);
        nodes.insert(index, node);
    }
    nodes
}

/// Siblings of a node, upwards.
fn siblings(nodes: &BTreeMap<u64, Root>, gindex: u64) -> Vec<Root> {
    std::iter::successors(Some(gindex), |index| Some(index / 2))
        .take_while(|index| *index > 1)
        .map(|index| nodes[&(index ^ 1)])
        .collect()
}

/// A body with two commitments, and the tree over its fields.
fn body() -> (electra::BeaconBlockBody, BTreeMap<u64, Root>) {
    let case = cases().into_iter().find(|case| case.fork == "electra" && case.name == "BeaconBlockBody").unwrap();
    let mut body = electra::BeaconBlockBody::from_ssz_bytes(&case.ssz()).unwrap();
    body.blob_kzg_commitments = List::new(vec![KzgCommitment([1; 48]), KzgCommitment([2; 48])]).unwrap();
    let fields: [Hash256; 13] = [
        body.randao_reveal.tree_hash_root(),
        body.eth1_data.tree_hash_root(),
        body.graffiti.tree_hash_root(),
        body.proposer_slashings.tree_hash_root(),
        body.attester_slashings.tree_hash_root(),
        body.attestations.tree_hash_root(),
        body.deposits.tree_hash_root(),
        body.voluntary_exits.tree_hash_root(),
        body.sync_aggregate.tree_hash_root(),
        body.execution_payload.tree_hash_root(),
        body.bls_to_execution_changes.tree_hash_root(),
        body.blob_kzg_commitments.tree_hash_root(),
        body.execution_requests.tree_hash_root(),
    ];
    let nodes = tree(&fields.map(Root::from), 4);
    assert_eq!(nodes[&1], body.root());
    (body, nodes)
}

fn header(body: &electra::BeaconBlockBody) -> fulu::SignedBeaconBlockHeader {
    let mut header = Signed::<fulu::BeaconBlockHeader>::default();
    header.message.body_root = body.root();
    header
}

#[test]
fn a_columns_commitments_are_proven_against_its_header() {
    let (body, nodes) = body();
    let mut sidecar = fulu::DataColumnSidecar {
        index: 3,
        column: List::default(),
        kzg_commitments: body.blob_kzg_commitments.clone(),
        kzg_proofs: List::default(),
        signed_block_header: header(&body),
        kzg_commitments_inclusion_proof: Branch(siblings(&nodes, 27).try_into().unwrap()),
    };
    assert!(sidecar.has_valid_inclusion_proof());
    sidecar.kzg_commitments = List::new(vec![KzgCommitment([1; 48])]).unwrap();
    assert!(!sidecar.has_valid_inclusion_proof());
}

#[test]
fn a_blobs_commitment_is_proven_at_its_index_alone() {
    let (body, nodes) = body();
    let roots: Vec<Root> = body.blob_kzg_commitments.iter().map(Container::root).collect();
    let list = tree(&roots, 12);
    let mut length = Root::default();
    length.0[0] = 2;
    let branch = [siblings(&list, 4096 + 1), vec![length], siblings(&nodes, 27)].concat();
    let mut sidecar = deneb::BlobSidecar {
        index: 1,
        blob: Blob::from_ssz_bytes(&vec![0; Blob::SIZE]).unwrap(),
        kzg_commitment: KzgCommitment([2; 48]),
        kzg_proof: KzgProof::default(),
        signed_block_header: header(&body),
        kzg_commitment_inclusion_proof: Branch(branch.try_into().unwrap()),
    };
    assert_eq!(sidecar.as_ssz_bytes().len(), 131_928);
    assert!(sidecar.has_valid_inclusion_proof());
    for index in [0, 2, 4095, 4096 + 1, u64::MAX] {
        sidecar.index = index;
        assert!(!sidecar.has_valid_inclusion_proof(), "{index}");
    }
}
