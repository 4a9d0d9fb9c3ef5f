//! Honest answers pass; each way of being wrong is told apart, at the chunk that is wrong.

use std::sync::LazyLock;

use ssz::Encode;

use super::*;
use crate::chain::{ChainConfig, NetworkName};
use crate::kzg::testing::{Proven, blob};
use crate::rpc::methods::{
    BeaconBlocksByHead, BeaconBlocksByRange, BeaconBlocksByRoot, BlobSidecarsByRange, BlobSidecarsByRoot, BlocksByHead,
    BlocksByRange, ColumnsByRange, DataColumnSidecarsByRange, DataColumnSidecarsByRoot,
    ExecutionPayloadEnvelopesByRange, ExecutionPayloadEnvelopesByRoot, LightClientBootstrap, LightClientFinalityUpdate,
    LightClientUpdatesByRange, SlotRange, UpdatesByRange,
};
use crate::types::Epoch;
use crate::types::containers::phase0::{BeaconBlockHeader, SignedBeaconBlockHeader};
use crate::types::containers::{
    BlsSignature, Branch, Cell, Container, KzgProof, List, Signed, deneb, electra, fulu, gloas,
};
use crate::types::merkle::branch_root;

fn schedule() -> Arc<ForkSchedule> {
    Arc::new(ForkSchedule::new(&ChainConfig::embedded(NetworkName::Mainnet)))
}

/// The first slot of Fulu on mainnet.
fn fulu_slot() -> u64 {
    let fulu = schedule().boundaries().find(|boundary| boundary.fork == ForkName::Fulu).unwrap();
    fulu.epoch.start_slot().0
}

fn chunk(slot: u64, ssz: Vec<u8>) -> Chunk<Vec<u8>> {
    Chunk { context: Some(schedule().digest_at(Slot(slot).epoch())), response: ssz }
}

/// A chain of blocks in these slots, oldest first, with the root of each.
fn chain(slots: &[u64]) -> Vec<(Root, Chunk<Vec<u8>>)> {
    let mut parent_root = Root([9; 32]);
    let link = |slot: &u64| {
        let mut block = fulu::SignedBeaconBlock::default();
        (block.message.slot, block.message.parent_root) = (Slot(*slot), parent_root);
        parent_root = block.message.root();
        (parent_root, chunk(*slot, block.as_ssz_bytes()))
    };
    slots.iter().map(link).collect()
}

/// What becomes of an answer: how many chunks pass, and why the next one does not.
fn outcome<M: Checked>(request: &M::Request, chunks: Vec<Chunk<Vec<u8>>>) -> (usize, Option<&'static str>) {
    let mut check = M::check(request, &schedule());
    for (passed, chunk) in chunks.into_iter().enumerate() {
        if let Err(error) = check.check(chunk) {
            return (passed, Some(error.reason()));
        }
    }
    (usize::MAX, None)
}

const ALL: (usize, Option<&str>) = (usize::MAX, None);

#[test]
fn blocks_by_range_ascend_within_the_range_and_follow_each_other() {
    let first = fulu_slot();
    let request = BlocksByRange { start_slot: Slot(first), count: 8, step: 1 };
    let honest = || chain(&[first, first + 1, first + 4, first + 7]);
    let answer = |order: &[usize]| {
        let blocks = honest();
        outcome::<BeaconBlocksByRange>(&request, order.iter().map(|at| blocks[*at].1.clone()).collect())
    };
    assert_eq!(answer(&[0, 1, 2, 3]), ALL);
    assert_eq!(answer(&[2, 3]), ALL, "the first slots may be empty");
    assert_eq!(answer(&[]), ALL);
    assert_eq!(answer(&[0, 1, 1]), (2, Some("out_of_order")));
    assert_eq!(answer(&[1, 0]), (1, Some("out_of_order")));
    assert_eq!(answer(&[0, 2]), (1, Some("broken_chain")), "one was left out");
    for slot in [first - 1, first + 8] {
        let outside = chain(&[slot]).remove(0).1;
        assert_eq!(outcome::<BeaconBlocksByRange>(&request, vec![outside]), (0, Some("out_of_range")), "{slot}");
    }
}

#[test]
fn blocks_by_root_are_those_that_were_asked_for_once_each() {
    let blocks = chain(&[fulu_slot(), fulu_slot() + 1, fulu_slot() + 2]);
    let request = vec![blocks[0].0, blocks[2].0];
    let answer = |order: &[usize]| {
        outcome::<BeaconBlocksByRoot>(&request, order.iter().map(|at| blocks[*at].1.clone()).collect())
    };
    assert_eq!((answer(&[2, 0]), answer(&[0]), answer(&[])), (ALL, ALL, ALL));
    assert_eq!(answer(&[0, 1]), (1, Some("unasked")));
    assert_eq!(answer(&[0, 0]), (1, Some("unasked")));
}

#[test]
fn blocks_by_head_go_back_from_the_block_that_was_asked_for() {
    let first = fulu_slot();
    let blocks = chain(&[first, first + 1, first + 4]);
    let request = BlocksByHead { beacon_root: blocks[2].0, count: 3 };
    let answer = |order: &[usize]| {
        outcome::<BeaconBlocksByHead>(&request, order.iter().map(|at| blocks[*at].1.clone()).collect())
    };
    assert_eq!((answer(&[2, 1, 0]), answer(&[2])), (ALL, ALL));
    assert_eq!(answer(&[1]), (0, Some("unasked")));
    assert_eq!(answer(&[2, 0]), (1, Some("broken_chain")));
    assert_eq!(answer(&[2, 2]), (1, Some("out_of_order")));
}

#[test]
fn a_context_must_name_the_fork_of_the_slot() {
    let first = fulu_slot();
    let request = BlocksByRange { start_slot: Slot(first), count: 8, step: 1 };
    let (_, honest) = chain(&[first]).remove(0);
    let with = |context, response: Vec<u8>| outcome::<BeaconBlocksByRange>(&request, vec![Chunk { context, response }]);
    let of = |epoch| Some(schedule().digest_at(Epoch(epoch)));
    assert_eq!(with(None, honest.response.clone()), (0, Some("wrong_context")));
    assert_eq!(with(Some(ForkDigest([1; 4])), honest.response.clone()), (0, Some("wrong_context")));
    let electra = Slot(first - 1).epoch().0;
    assert_eq!(with(of(electra), honest.response.clone()), (0, Some("wrong_context")), "of the same form");
    assert_eq!(with(of(0), honest.response.clone()), (0, Some("bad_ssz")), "of another form");
    assert_eq!(with(honest.context, honest.response[..1_000].to_vec()), (0, Some("length_out_of_bounds")));
    assert_eq!(with(honest.context, vec![0; honest.response.len()]), (0, Some("bad_ssz")));
}

static BLOB: LazyLock<(Proven, Vec<(Cell, KzgProof)>)> = LazyLock::new(|| {
    let proven = blob(1);
    let cells = proven.cells();
    (proven, cells)
});

/// The column of one blob in a block of this slot.
fn column(slot: u64, index: u16) -> fulu::DataColumnSidecar {
    let (proven, cells) = &*BLOB;
    let kzg_commitments: fulu::BlobKzgCommitments = List::new(vec![proven.commitment]).unwrap();
    let branch: [Root; 4] = std::array::from_fn(|level| Root([u8::try_from(level).unwrap(); 32]));
    let body_root = branch_root(kzg_commitments.root(), &branch, 11);
    let message = BeaconBlockHeader { slot: Slot(slot), body_root, ..BeaconBlockHeader::default() };
    let (cell, proof) = cells[usize::from(index)].clone();
    fulu::DataColumnSidecar {
        index: u64::from(index),
        column: List::new(vec![cell]).unwrap(),
        kzg_commitments,
        kzg_proofs: List::new(vec![proof]).unwrap(),
        signed_block_header: SignedBeaconBlockHeader { message, signature: BlsSignature::default() },
        kzg_commitments_inclusion_proof: Branch(branch),
    }
}

#[test]
fn columns_by_range_ascend_by_slot_and_index_and_are_proven() {
    let first = fulu_slot();
    let columns = List::new(vec![3, 17]).unwrap();
    let request = ColumnsByRange { start_slot: Slot(first), count: 2, columns };
    let answer = |columns: &[fulu::DataColumnSidecar]| {
        let chunks =
            columns.iter().map(|column| chunk(column.signed_block_header.message.slot.0, column.as_ssz_bytes()));
        outcome::<DataColumnSidecarsByRange>(&request, chunks.collect())
    };
    let honest = [column(first, 3), column(first, 17), column(first + 1, 3), column(first + 1, 17)];
    assert_eq!(answer(&honest), ALL);
    assert_eq!(answer(&[honest[1].clone(), honest[0].clone()]), (1, Some("out_of_order")));
    assert_eq!(answer(&[honest[0].clone(), honest[0].clone()]), (1, Some("out_of_order")));
    assert_eq!(answer(&[column(first, 4)]), (0, Some("unasked")));
    assert_eq!(answer(&[column(first + 2, 3)]), (0, Some("out_of_range")));
    let mut of_another = honest[1].clone();
    of_another.signed_block_header.message.proposer_index = 7;
    assert_eq!(answer(&[honest[0].clone(), of_another]), (1, Some("broken_chain")), "two blocks in a slot");

    let mutated = |mutate: &dyn Fn(&mut fulu::DataColumnSidecar)| {
        let mut column = honest[0].clone();
        mutate(&mut column);
        answer(&[column])
    };
    assert_eq!(mutated(&|column| column.kzg_proofs = List::default()), (0, Some("malformed")));
    assert_eq!(mutated(&|column| column.column = List::default()), (0, Some("malformed")));
    let no_commitments = mutated(&|column| column.kzg_commitments = List::default());
    assert_eq!(no_commitments, (0, Some("malformed")));
    let limit = schedule().state_at(Slot(first).epoch()).max_blobs.unwrap();
    assert_eq!(limit, 9, "of Electra, until the first blob-parameter fork");
    let many = |column: &mut fulu::DataColumnSidecar| {
        let count = usize::try_from(limit).unwrap() + 1;
        column.column = List::new(vec![column.column[0].clone(); count]).unwrap();
        column.kzg_proofs = List::new(vec![column.kzg_proofs[0]; count]).unwrap();
        column.kzg_commitments = List::new(vec![column.kzg_commitments[0]; count]).unwrap();
    };
    assert_eq!(mutated(&many), (0, Some("malformed")), "before its inclusion proof, which is wrong, too");
    let other_body = |column: &mut fulu::DataColumnSidecar| {
        column.signed_block_header.message.body_root = Root([1; 32]);
    };
    assert_eq!(mutated(&other_body), (0, Some("bad_inclusion_proof")));
    let other_cell = column(first, 17).column;
    assert_eq!(mutated(&|column| column.column = other_cell.clone()), (0, Some("bad_kzg_proof")));
}

#[test]
fn columns_by_root_are_those_that_were_asked_for_once_each() {
    let (wanted, other) = (column(fulu_slot(), 3), column(fulu_slot() + 1, 3));
    let block_root = wanted.signed_block_header.message.root();
    let columns = List::new(vec![3]).unwrap();
    let request = List::new(vec![fulu::DataColumnsByRootIdentifier { block_root, columns }]).unwrap();
    let answer = |columns: &[&fulu::DataColumnSidecar]| {
        let chunks =
            columns.iter().map(|column| chunk(column.signed_block_header.message.slot.0, column.as_ssz_bytes()));
        outcome::<DataColumnSidecarsByRoot>(&request, chunks.collect())
    };
    assert_eq!((answer(&[&wanted]), answer(&[])), (ALL, ALL));
    assert_eq!(answer(&[&wanted, &wanted]), (1, Some("unasked")));
    assert_eq!(answer(&[&other]), (0, Some("unasked")));
    assert_eq!(answer(&[&column(fulu_slot(), 4)]), (0, Some("unasked")));
}

fn header(slot: u64) -> electra::LightClientHeader {
    let beacon = BeaconBlockHeader { slot: Slot(slot), ..BeaconBlockHeader::default() };
    electra::LightClientHeader { beacon, ..Default::default() }
}

/// An update whose committee signed a header of this slot.
fn update(slot: u64) -> Chunk<Vec<u8>> {
    let update = electra::LightClientUpdate {
        attested_header: header(slot),
        next_sync_committee: Default::default(),
        next_sync_committee_branch: Default::default(),
        finalized_header: header(0),
        finality_branch: Default::default(),
        sync_aggregate: Default::default(),
        signature_slot: Slot(slot + 1),
    };
    chunk(slot, update.as_ssz_bytes())
}

#[test]
fn updates_are_of_consecutive_periods_that_were_asked_for() {
    let period = (fulu_slot() / 8_192) + 2;
    let request = UpdatesByRange { start_period: period, count: 3 };
    let answer = |periods: &[u64]| {
        outcome::<LightClientUpdatesByRange>(&request, periods.iter().map(|period| update(period * 8_192)).collect())
    };
    assert_eq!((answer(&[period, period + 1, period + 2]), answer(&[period + 1])), (ALL, ALL));
    assert_eq!(answer(&[period, period + 2]), (1, Some("out_of_order")));
    assert_eq!(answer(&[period, period]), (1, Some("out_of_order")));
    assert_eq!(answer(&[period - 1]), (0, Some("out_of_range")));
    assert_eq!(answer(&[period + 3]), (0, Some("out_of_range")));
}

#[test]
fn a_bootstrap_is_of_the_block_that_was_asked_for() {
    let slot = fulu_slot() + 64;
    let bootstrap = electra::LightClientBootstrap {
        header: header(slot),
        current_sync_committee: Default::default(),
        current_sync_committee_branch: Default::default(),
    };
    let root = bootstrap.header.beacon.root();
    let answer = |root| outcome::<LightClientBootstrap>(&root, vec![chunk(slot, bootstrap.as_ssz_bytes())]);
    assert_eq!((answer(root), answer(Root([1; 32]))), (ALL, (0, Some("unasked"))));
}

#[test]
fn an_object_of_another_kind_is_none() {
    let slot = fulu_slot() + 64;
    assert_eq!(outcome::<LightClientFinalityUpdate>(&(), vec![update(slot)]), (0, Some("length_out_of_bounds")));
}

#[test]
fn blobs_are_proven_and_those_that_were_asked_for() {
    let deneb = schedule().boundaries().find(|boundary| boundary.fork == ForkName::Deneb).unwrap();
    let slot = deneb.epoch.start_slot().0;
    let proven = &BLOB.0;
    let branch: [Root; 17] = std::array::from_fn(|level| Root([u8::try_from(level).unwrap(); 32]));
    let body_root = branch_root(proven.commitment.root(), &branch, 11 * 2 * 4096);
    let message = BeaconBlockHeader { slot: Slot(slot), body_root, ..BeaconBlockHeader::default() };
    let honest = deneb::BlobSidecar {
        index: 0,
        blob: ssz::Decode::from_ssz_bytes(&proven.blob).unwrap(),
        kzg_commitment: proven.commitment,
        kzg_proof: proven.proof,
        signed_block_header: SignedBeaconBlockHeader { message, signature: BlsSignature::default() },
        kzg_commitment_inclusion_proof: Branch(branch),
    };
    let sent = |sidecar: &deneb::BlobSidecar| chunk(slot, sidecar.as_ssz_bytes());
    let by_range = |start, sidecars: &[&deneb::BlobSidecar]| {
        let request = SlotRange { start_slot: Slot(start), count: 1 };
        outcome::<BlobSidecarsByRange>(&request, sidecars.iter().map(|sidecar| sent(sidecar)).collect())
    };
    assert_eq!(by_range(slot, &[&honest]), ALL);
    assert_eq!(by_range(slot, &[&honest, &honest]), (1, Some("out_of_order")));
    assert_eq!(by_range(slot + 1, &[&honest]), (0, Some("out_of_range")));
    let mut forged = honest.clone();
    forged.kzg_proof = KzgProof(forged.kzg_commitment.0);
    assert_eq!(by_range(slot, &[&forged]), (0, Some("bad_kzg_proof")));
    forged.signed_block_header.message.body_root = Root([1; 32]);
    assert_eq!(by_range(slot, &[&forged]), (0, Some("bad_inclusion_proof")));

    let block_root = message.root();
    for (index, expected) in [(0, ALL), (1, (0, Some("unasked")))] {
        let request = vec![deneb::BlobIdentifier { block_root, index }];
        assert_eq!(outcome::<BlobSidecarsByRoot>(&request, vec![sent(&honest)]), expected);
    }
}

fn payload_envelope(slot_number: u64, beacon_block_root: Root) -> gloas::ExecutionPayloadEnvelope {
    let payload = gloas::ExecutionPayload {
        slot_number,
        parent_hash: Default::default(),
        fee_recipient: Default::default(),
        state_root: Default::default(),
        receipts_root: Default::default(),
        logs_bloom: Default::default(),
        prev_randao: Default::default(),
        block_number: 0,
        gas_limit: 0,
        gas_used: 0,
        timestamp: 0,
        extra_data: Default::default(),
        base_fee_per_gas: Default::default(),
        block_hash: Default::default(),
        transactions: Default::default(),
        withdrawals: Default::default(),
        blob_gas_used: 0,
        excess_blob_gas: 0,
        block_access_list: Default::default(),
    };
    let execution_requests = gloas::ExecutionRequests {
        deposits: Default::default(),
        withdrawals: Default::default(),
        consolidations: Default::default(),
        builder_deposits: Default::default(),
        builder_exits: Default::default(),
    };
    gloas::ExecutionPayloadEnvelope {
        payload,
        execution_requests,
        builder_index: 0,
        beacon_block_root,
        parent_beacon_block_root: Root::default(),
    }
}

#[test]
fn payloads_ascend_within_the_range_and_are_those_that_were_asked_for() {
    let mut config = ChainConfig::embedded(NetworkName::Mainnet);
    let fulu = config.forks[&ForkName::Fulu].epoch.unwrap();
    let version = crate::types::ForkVersion([8, 0, 0, 0]);
    let epoch = Epoch(fulu.0 + 100_000);
    config.forks.insert(ForkName::Gloas, crate::chain::ForkParameters { version, epoch: Some(epoch) });
    let schedule = Arc::new(ForkSchedule::new(&config));
    let first = epoch.start_slot().0;
    let envelope = |slot: u64, root: u8| {
        let message = payload_envelope(slot, Root([root; 32]));
        let envelope = Signed { message, signature: BlsSignature::default() };
        let context = Some(schedule.digest_at(Slot(slot).epoch()));
        Chunk { context, response: envelope.as_ssz_bytes() }
    };
    let reasons = |mut check: EnvelopeCheck, chunks: Vec<Chunk<Vec<u8>>>| -> Vec<&'static str> {
        chunks.into_iter().filter_map(|chunk| check.check(chunk).err()).map(|error| error.reason()).collect()
    };
    let range = SlotRange { start_slot: Slot(first), count: 4 };
    let by_range = || ExecutionPayloadEnvelopesByRange::check(&range, &schedule);
    assert!(reasons(by_range(), vec![envelope(first, 1), envelope(first + 3, 2)]).is_empty());
    assert_eq!(reasons(by_range(), vec![envelope(first + 1, 1), envelope(first, 2)]), ["out_of_order"]);
    assert_eq!(reasons(by_range(), vec![envelope(first + 4, 1)]), ["out_of_range"]);
    let by_root = || ExecutionPayloadEnvelopesByRoot::check(&vec![Root([1; 32])], &schedule);
    assert!(reasons(by_root(), vec![envelope(first, 1)]).is_empty());
    assert_eq!(reasons(by_root(), vec![envelope(first, 1), envelope(first, 1)]), ["unasked"]);
    assert_eq!(reasons(by_root(), vec![envelope(first, 2)]), ["unasked"]);
}
