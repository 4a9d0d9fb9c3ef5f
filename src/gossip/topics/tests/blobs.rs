//! Blob sidecars of Deneb and Electra, columns of Fulu, with true proofs.

use std::sync::LazyLock;

use ssz::{Decode, Encode};

use super::world::{MAX_BLOBS, SLOT, World, ignore, ms, ms_before, now, reject};
use crate::gossip::headers::HEADER_SLOTS;
use crate::gossip::{IgnoreReason, RejectReason};
use crate::kzg::testing::{Proven, blob};
use crate::types::containers::deneb::BlobSidecar;
use crate::types::containers::fulu::DataColumnSidecar;
use crate::types::containers::phase0::{BeaconBlockHeader, SignedBeaconBlockHeader};
use crate::types::containers::{Blob, BlsSignature, Branch, Cell, Container, KzgCommitment, KzgProof, List};
use crate::types::merkle::branch_root;
use crate::types::{ForkName, GossipTopic, PeerId, Root, Slot, TopicKind};

static BLOBS: LazyLock<[Proven; 2]> = LazyLock::new(|| [blob(1), blob(2)]);
static CELLS: LazyLock<[Vec<(Cell, KzgProof)>; 2]> = LazyLock::new(|| [BLOBS[0].cells(), BLOBS[1].cells()]);

const COLUMN: u16 = 17;

fn header(slot: Slot, body_root: Root) -> SignedBeaconBlockHeader {
    let (parent_root, state_root) = (Root([4; 32]), Root([5; 32]));
    let message = BeaconBlockHeader { slot, proposer_index: 8, parent_root, state_root, body_root };
    SignedBeaconBlockHeader { message, signature: BlsSignature::default() }
}

fn siblings<const N: usize>() -> [Root; N] {
    std::array::from_fn(|level| Root([u8::try_from(level).unwrap() + 1; 32]))
}

/// The blob with this index in a body whose other parts are made up.
fn sidecar(index: u64) -> BlobSidecar {
    let proven = &BLOBS[0];
    let branch = siblings::<17>();
    let body_root = branch_root(proven.commitment.root(), &branch, 11 * 2 * 4096 + index);
    BlobSidecar {
        index,
        blob: Blob::from_ssz_bytes(&proven.blob).unwrap(),
        kzg_commitment: proven.commitment,
        kzg_proof: proven.proof,
        signed_block_header: header(SLOT, body_root),
        kzg_commitment_inclusion_proof: Branch(branch),
    }
}

/// The column of two blobs in a body whose other parts are made up.
fn column(index: u16) -> DataColumnSidecar {
    let cells = |row: usize| CELLS[row][usize::from(index)].clone();
    let commitments = List::new(BLOBS.iter().map(|proven| proven.commitment).collect()).unwrap();
    let branch = siblings::<4>();
    let body_root = branch_root(commitments.root(), &branch, 11);
    DataColumnSidecar {
        index: u64::from(index),
        column: List::new(vec![cells(0).0, cells(1).0]).unwrap(),
        kzg_commitments: commitments,
        kzg_proofs: List::new(vec![cells(0).1, cells(1).1]).unwrap(),
        signed_block_header: header(SLOT, body_root),
        kzg_commitments_inclusion_proof: Branch(branch),
    }
}

fn blobs(world: &World, subnet: u16) -> GossipTopic {
    world.subnet(TopicKind::BlobSidecar, subnet)
}

fn columns(world: &World, subnet: u16) -> GossipTopic {
    world.subnet(TopicKind::DataColumnSidecar, subnet)
}

#[test]
fn blob_sidecars() {
    let other = &BLOBS[1];
    for (fork, count) in [(ForkName::Deneb, 6), (ForkName::Electra, 9)] {
        let world = World::at(fork);
        world.table(
            blobs(&world, 1),
            &sidecar(1),
            now(),
            &[
                ("beyond the blobs of a block", &|sidecar| sidecar.index = count, RejectReason::IndexOutOfRange.into()),
                ("of another subnet", &|sidecar| sidecar.index = 2, RejectReason::WrongSubnet.into()),
                (
                    "of a later slot",
                    &|sidecar| sidecar.signed_block_header.message.slot.0 += 1,
                    IgnoreReason::Future.into(),
                ),
                (
                    "of another body",
                    &|sidecar| sidecar.signed_block_header.message.body_root = Root([6; 32]),
                    RejectReason::BadInclusionProof.into(),
                ),
                (
                    "of another commitment",
                    &|sidecar| sidecar.kzg_commitment = other.commitment,
                    RejectReason::BadInclusionProof.into(),
                ),
                (
                    "of another branch",
                    &|sidecar| sidecar.kzg_commitment_inclusion_proof.0[16].0[0] ^= 1,
                    RejectReason::BadInclusionProof.into(),
                ),
                (
                    "another blob",
                    &|sidecar| sidecar.blob = Blob::from_ssz_bytes(&other.blob).unwrap(),
                    RejectReason::BadKzgProof.into(),
                ),
                ("another proof", &|sidecar| sidecar.kzg_proof = other.proof, RejectReason::BadKzgProof.into()),
                (
                    "a proof that is no point",
                    &|sidecar| sidecar.kzg_proof = KzgProof([0; 48]),
                    RejectReason::BadKzgProof.into(),
                ),
            ],
        );
    }
}

#[test]
fn in_electra_there_are_nine_blobs_and_subnets() {
    let deneb = World::at(ForkName::Deneb);
    assert_eq!(deneb.verdict(blobs(&deneb, 8), &sidecar(8), now()), reject(RejectReason::UnknownTopic));
    let electra = World::at(ForkName::Electra);
    electra.passes(blobs(&electra, 8), &sidecar(8), now());
}

#[test]
fn a_blob_of_the_finalized_slot_is_ignored_and_one_of_the_next_is_not() {
    let world = World::at(ForkName::Deneb);
    world.judge.set_finalized(Slot(SLOT.0 - 1));
    world.passes(blobs(&world, 1), &sidecar(1), now());
    world.judge.set_finalized(SLOT);
    assert_eq!(world.verdict(blobs(&world, 1), &sidecar(1), now()), ignore(IgnoreReason::Finalized));
}

#[test]
fn sidecars_are_on_time_from_half_a_second_before_their_slot() {
    let cases = [(ms_before(SLOT, 501), ignore(IgnoreReason::Future)), (ms_before(SLOT, 500), Ok(()))];
    let world = World::at(ForkName::Deneb);
    world.times(blobs(&world, 1), &sidecar(1), &cases);
    let world = World::at(ForkName::Fulu);
    world.times(columns(&world, COLUMN), &column(COLUMN), &cases);
}

#[test]
fn a_blob_is_told_to_be_forged_before_it_is_told_to_be_seen() {
    let world = World::at(ForkName::Deneb);
    let mut second = sidecar(1);
    second.signed_block_header.signature = BlsSignature([1; 96]);
    world.once(blobs(&world, 1), &sidecar(1), &second, now(), IgnoreReason::AlreadySeen);
    second.kzg_proof = BLOBS[1].proof;
    assert_eq!(world.verdict(blobs(&world, 1), &second, now()), reject(RejectReason::BadKzgProof));
    world.passes(blobs(&world, 2), &sidecar(2), now());
}

#[test]
fn a_sidecar_is_after_its_parent() {
    let world = World::at(ForkName::Deneb);
    let parent = world.pass(blobs(&world, 1), &sidecar(1), now()).header.unwrap();
    let mut child = sidecar(1);
    child.signed_block_header.message.parent_root = parent.root;
    assert_eq!(world.verdict(blobs(&world, 1), &child, now()), reject(RejectReason::NotAfterParent));

    let world = World::at(ForkName::Fulu);
    let parent = world.pass(columns(&world, COLUMN), &column(COLUMN), now()).header.unwrap();
    assert_eq!(parent.root, column(COLUMN).signed_block_header.message.root());
    let mut child = column(COLUMN);
    child.signed_block_header.message.parent_root = parent.root;
    assert_eq!(world.verdict(columns(&world, COLUMN), &child, now()), reject(RejectReason::NotAfterParent));
}

#[test]
fn columns_of_fulu() {
    let world = World::at(ForkName::Fulu);
    let fake = |count: usize| List::new(vec![KzgCommitment::default(); count]).unwrap();
    let cells = column(COLUMN).column;
    let proofs = column(COLUMN).kzg_proofs;
    let neighbour = column(COLUMN + 1);
    world.table(
        columns(&world, COLUMN),
        &column(COLUMN),
        now(),
        &[
            (
                "beyond the columns",
                &|sidecar| sidecar.index = 128 + u64::from(COLUMN),
                RejectReason::IndexOutOfRange.into(),
            ),
            ("without blobs", &|sidecar| sidecar.kzg_commitments = fake(0), RejectReason::NoBlobs.into()),
            (
                "of a blob too many",
                &|sidecar| sidecar.kzg_commitments = fake(MAX_BLOBS + 1),
                RejectReason::TooManyBlobs.into(),
            ),
            (
                "of a cell too few",
                &|sidecar| sidecar.column = List::new(vec![cells[0].clone()]).unwrap(),
                RejectReason::LengthMismatch.into(),
            ),
            (
                "of a proof too few",
                &|sidecar| sidecar.kzg_proofs = List::new(vec![proofs[0]]).unwrap(),
                RejectReason::LengthMismatch.into(),
            ),
            (
                "of a commitment too many",
                &|sidecar| sidecar.kzg_commitments = fake(3),
                RejectReason::LengthMismatch.into(),
            ),
            ("of another subnet", &|sidecar| sidecar.index += 1, RejectReason::WrongSubnet.into()),
            (
                "of a later slot",
                &|sidecar| sidecar.signed_block_header.message.slot.0 += 1,
                IgnoreReason::Future.into(),
            ),
            (
                "of other commitments",
                &|sidecar| sidecar.kzg_commitments = fake(2),
                RejectReason::BadInclusionProof.into(),
            ),
            (
                "of another body",
                &|sidecar| sidecar.signed_block_header.message.body_root = Root([6; 32]),
                RejectReason::BadInclusionProof.into(),
            ),
            (
                "of another branch",
                &|sidecar| sidecar.kzg_commitments_inclusion_proof.0[3].0[0] ^= 1,
                RejectReason::BadInclusionProof.into(),
            ),
            (
                "with the cells of another column",
                &|sidecar| sidecar.column = neighbour.column.clone(),
                RejectReason::BadKzgProof.into(),
            ),
            (
                "with the proofs of another column",
                &|sidecar| sidecar.kzg_proofs = neighbour.kzg_proofs.clone(),
                RejectReason::BadKzgProof.into(),
            ),
            (
                "with its proofs in another order",
                &|sidecar| sidecar.kzg_proofs = List::new(vec![proofs[1], proofs[0]]).unwrap(),
                RejectReason::BadKzgProof.into(),
            ),
            (
                "with a cell that is no field element",
                &|sidecar| sidecar.column = List::new(vec![Cell([0xff; 2048]), cells[1].clone()]).unwrap(),
                RejectReason::BadKzgProof.into(),
            ),
        ],
    );
}

#[test]
fn the_blobs_of_a_column_are_limited_by_the_schedule_of_its_epoch() {
    let world = World::at(ForkName::Fulu);
    let commitments = List::new(vec![KzgCommitment::default(); 12]).unwrap();
    let slot = super::world::NEXT_BLOBS.start_slot();
    let topic = world.topic_at(slot.epoch(), columns(&world, COLUMN).name);
    let mut sidecar = column(COLUMN);
    sidecar.signed_block_header.message.slot = slot;
    sidecar.kzg_commitments = commitments;
    assert_eq!(world.verdict(topic, &sidecar, ms(slot, 0)), reject(RejectReason::LengthMismatch));
    sidecar.kzg_commitments = List::new(vec![KzgCommitment::default(); 13]).unwrap();
    assert_eq!(world.verdict(topic, &sidecar, ms(slot, 0)), reject(RejectReason::TooManyBlobs));
}

#[test]
fn a_column_that_was_seen_is_ignored_before_anything_is_proven() {
    let world = World::at(ForkName::Fulu);
    let mut second = column(COLUMN);
    second.signed_block_header.signature = BlsSignature([1; 96]);
    world.once(columns(&world, COLUMN), &column(COLUMN), &second, now(), IgnoreReason::AlreadySeen);
    second.kzg_commitments = List::default();
    assert_eq!(world.verdict(columns(&world, COLUMN), &second, now()), ignore(IgnoreReason::AlreadySeen));
    world.passes(columns(&world, COLUMN + 1), &column(COLUMN + 1), now());
}

#[test]
fn a_column_of_the_finalized_slot_is_ignored() {
    let world = World::at(ForkName::Fulu);
    world.judge.set_finalized(SLOT);
    assert_eq!(world.verdict(columns(&world, COLUMN), &column(COLUMN), now()), ignore(IgnoreReason::Finalized));
}

#[test]
fn what_one_peer_forges_for_a_slot_is_proven_a_few_times_and_for_old_slots_never() {
    let world = World::at(ForkName::Fulu);
    let topic = columns(&world, COLUMN);
    let forged = |proposer, slot| {
        let mut sidecar = column(COLUMN);
        sidecar.signed_block_header.message.proposer_index = proposer;
        sidecar.signed_block_header.message.slot = slot;
        sidecar.as_ssz_bytes()
    };
    let (flooder, honest) = (PeerId::random(), PeerId::random());
    let verdict = |peer_id, ssz: &[u8]| world.judge.judge_from(Some(peer_id), topic, ssz, now()).map(drop);
    for proposer in 0..4 {
        assert_eq!(verdict(flooder, &forged(proposer, SLOT)), Ok(()));
    }
    assert_eq!(verdict(flooder, &forged(4, SLOT)), ignore(IgnoreReason::TooManyHeaders));
    assert_eq!(verdict(honest, &forged(4, SLOT)), Ok(()));
    assert_eq!(verdict(flooder, &forged(4, SLOT)), Ok(()), "a block that is known");
    let old = SLOT.0.checked_sub(HEADER_SLOTS + 1).map(Slot).unwrap();
    assert_eq!(verdict(flooder, &forged(0, old)), ignore(IgnoreReason::Past));
}
