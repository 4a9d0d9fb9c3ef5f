//! Blocks of Capella, Deneb, Fulu and Gloas.

use super::world::{GENESIS_TIME, MAX_BLOBS, SLOT, World, ignore, ms, ms_before, now, reject};
use crate::gossip::{IgnoreReason, RejectReason};
use crate::types::containers::phase0::{Deposit, Eth1Data, ProposerSlashing};
use crate::types::containers::{
    BeaconBlock, BlockBody, BlsSignature, Container, KzgCommitment, List, ProgressiveList, Signed, SignedBlock,
    bellatrix, capella, deneb, electra, gloas, phase0,
};
use crate::types::{ForkName, GossipTopic, Root, Slot, TopicKind};

/// The default of whatever is wanted.
fn d<T: Default>() -> T {
    T::default()
}

fn timestamp(slot: Slot) -> u64 {
    GENESIS_TIME + slot.0 * 12
}

/// A payload of a fork: the fields of all forks, and its own.
macro_rules! payload {
    ($fork:ident, $slot:expr $(, $field:ident)*) => {
        $fork::ExecutionPayload {
            parent_hash: d(),
            fee_recipient: d(),
            state_root: d(),
            receipts_root: d(),
            logs_bloom: d(),
            prev_randao: d(),
            block_number: 0,
            gas_limit: 0,
            gas_used: 0,
            timestamp: timestamp($slot),
            extra_data: d(),
            base_fee_per_gas: d(),
            block_hash: d(),
            transactions: d(),
            $($field: d(),)*
        }
    };
}
pub(super) use payload;

/// A body of a fork: the fields of all forks, and its own.
macro_rules! body {
    ($fork:ident, $($field:ident: $value:expr),*) => {
        $fork::BeaconBlockBody {
            randao_reveal: d(),
            eth1_data: Eth1Data::default(),
            graffiti: d(),
            proposer_slashings: d(),
            attester_slashings: d(),
            attestations: d(),
            deposits: d(),
            voluntary_exits: d(),
            sync_aggregate: d(),
            $($field: $value,)*
        }
    };
}

fn signed<B: BlockBody>(slot: Slot, body: B) -> Signed<BeaconBlock<B>> {
    let parent_root = Root([4; 32]);
    let message = BeaconBlock { slot, proposer_index: 8, parent_root, state_root: Root([5; 32]), body };
    Signed { message, signature: BlsSignature::default() }
}

fn bellatrix_block(slot: Slot) -> bellatrix::SignedBeaconBlock {
    signed(slot, body!(bellatrix, execution_payload: payload!(bellatrix, slot)))
}

fn capella_block(slot: Slot) -> capella::SignedBeaconBlock {
    let payload = payload!(capella, slot, withdrawals);
    signed(slot, body!(capella, execution_payload: payload, bls_to_execution_changes: d()))
}

fn deneb_block(slot: Slot, blobs: usize) -> deneb::SignedBeaconBlock {
    let payload = payload!(deneb, slot, withdrawals, blob_gas_used, excess_blob_gas);
    let blobs = commitments(blobs);
    signed(slot, body!(deneb, execution_payload: payload, bls_to_execution_changes: d(), blob_kzg_commitments: blobs))
}

fn electra_block(slot: Slot, blobs: usize) -> electra::SignedBeaconBlock {
    let payload = payload!(deneb, slot, withdrawals, blob_gas_used, excess_blob_gas);
    let blobs = commitments(blobs);
    let body = body!(
        electra, execution_payload: payload, bls_to_execution_changes: d(), blob_kzg_commitments: blobs,
        execution_requests: d()
    );
    signed(slot, body)
}

pub(super) fn bid(slot: Slot) -> gloas::ExecutionPayloadBid {
    gloas::ExecutionPayloadBid {
        parent_block_hash: d(),
        parent_block_root: Root([4; 32]),
        block_hash: d(),
        prev_randao: d(),
        fee_recipient: d(),
        gas_limit: 0,
        builder_index: 3,
        slot,
        value: 1000,
        execution_payment: 0,
        blob_kzg_commitments: ProgressiveList::new(vec![KzgCommitment::default(); MAX_BLOBS]).unwrap(),
        execution_requests_root: d(),
    }
}

pub(super) fn no_requests() -> gloas::ExecutionRequests {
    gloas::ExecutionRequests {
        deposits: d(),
        withdrawals: d(),
        consolidations: d(),
        builder_deposits: d(),
        builder_exits: d(),
    }
}

fn gloas_block(slot: Slot) -> gloas::SignedBeaconBlock {
    let body = body!(
        gloas, bls_to_execution_changes: d(),
        signed_execution_payload_bid: Signed { message: bid(slot), signature: d() },
        payload_attestations: d(), parent_execution_requests: no_requests()
    );
    signed(slot, body)
}

/// Lets a block of Gloas pass, so that its header is known.
pub(super) fn index_gloas_block(world: &World, slot: Slot) -> Root {
    let passed = world.pass(topic(world), &gloas_block(slot), ms(slot, 6000).max(now()));
    passed.header.unwrap().root
}

fn commitments(count: usize) -> deneb::BlobKzgCommitments {
    List::new(vec![KzgCommitment::default(); count]).unwrap()
}

fn topic(world: &World) -> GossipTopic {
    world.topic(TopicKind::BeaconBlock)
}

#[test]
fn the_network_says_how_many_blobs_a_block_of_deneb_has() {
    for (max_blobs, blobs, expected) in [(6, 6, Ok(())), (6, 7, reject(RejectReason::TooManyBlobs)), (9, 7, Ok(()))] {
        let world = World::with(ForkName::Deneb, |config| config.deneb_max_blobs = max_blobs);
        assert_eq!(world.verdict(topic(&world), &deneb_block(SLOT, blobs), now()), expected, "{blobs} of {max_blobs}");
    }
}

#[test]
fn blocks_with_their_payload() {
    let world = World::at(ForkName::Capella);
    world.table(
        topic(&world),
        &capella_block(SLOT),
        now(),
        &[
            ("of a later slot", &|block| *block = capella_block(Slot(SLOT.0 + 1)), IgnoreReason::Future.into()),
            (
                "of another time",
                &|block| block.message.body.execution_payload.timestamp += 1,
                RejectReason::BadTimestamp.into(),
            ),
        ],
    );
    let world = World::at(ForkName::Deneb);
    world.table(
        topic(&world),
        &deneb_block(SLOT, 6),
        now(),
        &[
            (
                "of another time",
                &|block| block.message.body.execution_payload.timestamp -= 12,
                RejectReason::BadTimestamp.into(),
            ),
            ("of seven blobs", &|block| *block = deneb_block(SLOT, 7), RejectReason::TooManyBlobs.into()),
        ],
    );
    for (fork, most) in [(ForkName::Electra, 9), (ForkName::Fulu, MAX_BLOBS)] {
        let world = World::at(fork);
        world.table(
            topic(&world),
            &electra_block(SLOT, most),
            now(),
            &[
                ("of a later slot", &|block| *block = electra_block(Slot(SLOT.0 + 1), 0), IgnoreReason::Future.into()),
                (
                    "of another time",
                    &|block| block.message.body.execution_payload.timestamp = 0,
                    RejectReason::BadTimestamp.into(),
                ),
                (
                    "of a blob too many",
                    &|block| *block = electra_block(SLOT, most + 1),
                    RejectReason::TooManyBlobs.into(),
                ),
            ],
        );
    }
}

#[test]
fn before_the_merge_a_payload_may_be_empty() {
    let world = World::at(ForkName::Bellatrix);
    let mut block = bellatrix_block(SLOT);
    block.message.body.execution_payload.timestamp = 0;
    world.passes(topic(&world), &block, now());
}

#[test]
fn a_block_is_future_until_half_a_second_before_its_slot_and_never_too_old() {
    let world = World::at(ForkName::Capella);
    let cases = [
        (ms_before(SLOT, 501), ignore(IgnoreReason::Future)),
        (ms_before(SLOT, 500), Ok(())),
        (ms(Slot(SLOT.0 + 1000), 0), Ok(())),
    ];
    world.times(topic(&world), &capella_block(SLOT), &cases);
}

#[test]
fn a_block_that_is_not_after_the_finalized_one_is_ignored() {
    let world = World::at(ForkName::Fulu);
    world.judge.set_finalized(SLOT);
    assert_eq!(world.verdict(topic(&world), &electra_block(SLOT, 0), now()), ignore(IgnoreReason::Finalized));
    world.judge.set_finalized(Slot(SLOT.0 - 1)); // finality does not go back
    assert_eq!(world.verdict(topic(&world), &electra_block(SLOT, 0), now()), ignore(IgnoreReason::Finalized));
    let next = Slot(SLOT.0 + 1);
    world.passes(topic(&world), &electra_block(next, 0), ms(next, 0));
}

#[test]
fn a_proposer_has_one_block_in_a_slot() {
    let world = World::at(ForkName::Capella);
    let mut other = capella_block(SLOT);
    other.message.state_root = Root([9; 32]);
    world.once(topic(&world), &capella_block(SLOT), &other, now(), IgnoreReason::AlreadySeen);
    other.message.body.execution_payload.timestamp = 0; // what is seen is told before what is invalid
    assert_eq!(world.verdict(topic(&world), &other, now()), ignore(IgnoreReason::AlreadySeen));
    other = capella_block(SLOT);
    other.message.proposer_index += 1;
    world.passes(topic(&world), &other, now());
}

#[test]
fn a_block_is_after_its_parent() {
    let world = World::at(ForkName::Fulu);
    let parent = world.pass(topic(&world), &electra_block(SLOT, 0), now()).header.unwrap();
    let mut child = electra_block(SLOT, 0);
    child.message.parent_root = parent.root;
    assert_eq!(world.verdict(topic(&world), &child, now()), reject(RejectReason::NotAfterParent));
    let next = Slot(SLOT.0 + 1);
    let mut child = electra_block(next, 0);
    child.message.parent_root = parent.root;
    world.passes(topic(&world), &child, ms(next, 0));
}

#[test]
fn what_passed_tells_its_header() {
    let world = World::at(ForkName::Fulu);
    let block = electra_block(SLOT, 0);
    let header = world.pass(topic(&world), &block, now()).header.unwrap();
    assert_eq!(header.root, block.message.root());
    assert_eq!((header.slot, header.proposer_index, header.parent_root), (SLOT, 8, Root([4; 32])));
    assert_eq!(world.judge.headers().get(block.block_root()), Some(header));
    assert_eq!(world.judge.headers().at(SLOT), [header]);
}

#[test]
fn blocks_with_a_bid() {
    let world = World::at(ForkName::Gloas);
    let too_many = ProgressiveList::new(vec![KzgCommitment::default(); MAX_BLOBS + 1]).unwrap();
    let header = phase0::SignedBeaconBlockHeader { message: d(), signature: d() };
    let slashings = vec![ProposerSlashing { signed_header_1: header, signed_header_2: header }; 17];
    let deposit = Deposit { proof: d(), data: d() };
    let requests = ProgressiveList::new(vec![gloas::BuilderExitRequest::default(); 17]).unwrap();
    world.table(
        topic(&world),
        &gloas_block(SLOT),
        now(),
        &[
            ("of a later slot", &|block| block.message.slot.0 += 1, IgnoreReason::Future.into()),
            (
                "of too many slashings",
                &|block| block.message.body.proposer_slashings = ProgressiveList::new(slashings.clone()).unwrap(),
                RejectReason::TooManyOperations.into(),
            ),
            (
                "with a deposit",
                &|block| block.message.body.deposits = ProgressiveList::new(vec![deposit.clone()]).unwrap(),
                RejectReason::TooManyOperations.into(),
            ),
            (
                "of too many requests",
                &|block| block.message.body.parent_execution_requests.builder_exits = requests.clone(),
                RejectReason::TooManyOperations.into(),
            ),
            (
                "with a bid for another parent",
                &|block| block.message.body.signed_execution_payload_bid.message.parent_block_root = Root([1; 32]),
                RejectReason::ParentMismatch.into(),
            ),
            (
                "of a blob too many",
                &|block| {
                    block.message.body.signed_execution_payload_bid.message.blob_kzg_commitments = too_many.clone()
                },
                RejectReason::TooManyBlobs.into(),
            ),
        ],
    );
    let mut child = gloas_block(SLOT);
    child.message.parent_root = world.pass(topic(&world), &gloas_block(SLOT), now()).header.unwrap().root;
    assert_eq!(world.verdict(topic(&world), &child, now()), reject(RejectReason::NotAfterParent));
}
