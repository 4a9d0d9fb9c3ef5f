//! What Gloas brings: columns of another form, payloads, bids, payload attestations, preferences.

use super::blocks::{bid, index_gloas_block, no_requests, payload};
use super::world::{EPOCH, MAX_BLOBS, NEXT_FORK, SLOT, World, ignore, ms, ms_before, now, reject};
use crate::gossip::{IgnoreReason, RejectReason};
use crate::types::containers::gloas::{
    DataColumnSidecar, ExecutionPayloadEnvelope, PayloadAttestationData, PayloadAttestationMessage,
    ProposerPreferences, SignedExecutionPayloadBid, SignedExecutionPayloadEnvelope, SignedProposerPreferences,
};
use crate::types::containers::{
    BlsSignature, Cell, ExecutionAddress, Hash32, KzgCommitment, KzgProof, ProgressiveList, Signed, gloas, heze,
};
use crate::types::{Epoch, ForkName, Root, Slot, TopicKind};

fn d<T: Default>() -> T {
    T::default()
}

fn timestamp(_slot: Slot) -> u64 {
    0
}

/// A list of so many copies.
fn list<T: Clone>(item: T, count: usize) -> ProgressiveList<T> {
    ProgressiveList::new(vec![item; count]).unwrap()
}

const COLUMN: u16 = 17;

fn column(block_root: Root) -> DataColumnSidecar {
    DataColumnSidecar {
        index: u64::from(COLUMN),
        column: list(Cell([0; 2048]), 2),
        kzg_proofs: list(KzgProof::default(), 2),
        slot: SLOT,
        beacon_block_root: block_root,
    }
}

#[test]
fn columns() {
    let world = World::at(ForkName::Gloas);
    let topic = world.subnet(TopicKind::DataColumnSidecar, COLUMN);
    let root = index_gloas_block(&world, SLOT);
    let before = index_gloas_block(&world, Slot(SLOT.0 - 1));
    world.table(
        topic,
        &column(root),
        now(),
        &[
            ("of another subnet", &|sidecar| sidecar.index += 1, RejectReason::WrongSubnet.into()),
            ("of a later slot", &|sidecar| sidecar.slot.0 += 1, IgnoreReason::Future.into()),
            (
                "of no known block",
                &|sidecar| sidecar.beacon_block_root = Root([9; 32]),
                IgnoreReason::BlockUnknown.into(),
            ),
            (
                "of a block of another slot",
                &|sidecar| sidecar.beacon_block_root = before,
                RejectReason::SlotMismatch.into(),
            ),
            ("beyond the columns", &|sidecar| sidecar.index += 128, RejectReason::IndexOutOfRange.into()),
            ("without blobs", &|sidecar| sidecar.column = d(), RejectReason::NoBlobs.into()),
            ("of a proof too many", &|sidecar| sidecar.kzg_proofs = list(d(), 3), RejectReason::LengthMismatch.into()),
        ],
    );
    world.times(
        topic,
        &column(root),
        &[(ms_before(SLOT, 501), ignore(IgnoreReason::Future)), (ms_before(SLOT, 500), Ok(()))],
    );
    world.once(topic, &column(root), &column(root), now(), IgnoreReason::AlreadySeen);
    let mut second = column(root);
    second.kzg_proofs = d();
    assert_eq!(world.verdict(topic, &second, now()), ignore(IgnoreReason::AlreadySeen));
}

fn envelope(block_root: Root) -> SignedExecutionPayloadEnvelope {
    let payload = payload!(gloas, SLOT, withdrawals, blob_gas_used, excess_blob_gas, block_access_list, slot_number);
    let payload = gloas::ExecutionPayload { slot_number: SLOT.0, ..payload };
    let message = ExecutionPayloadEnvelope {
        payload,
        execution_requests: no_requests(),
        builder_index: 3,
        beacon_block_root: block_root,
        parent_beacon_block_root: d(),
    };
    Signed { message, signature: BlsSignature::default() }
}

#[test]
fn payloads() {
    let world = World::at(ForkName::Gloas);
    let topic = world.topic(TopicKind::ExecutionPayload);
    let root = index_gloas_block(&world, SLOT);
    world.table(
        topic,
        &envelope(root),
        now(),
        &[
            (
                "of no known block",
                &|signed| signed.message.beacon_block_root = Root([9; 32]),
                IgnoreReason::BlockUnknown.into(),
            ),
            ("of another slot", &|signed| signed.message.payload.slot_number -= 1, RejectReason::SlotMismatch.into()),
            (
                "of too many withdrawal requests",
                &|signed| signed.message.execution_requests.withdrawals = list(d(), 17),
                RejectReason::TooManyRequests.into(),
            ),
            (
                "of too many consolidations",
                &|signed| signed.message.execution_requests.consolidations = list(d(), 3),
                RejectReason::TooManyRequests.into(),
            ),
            (
                "of too many builder deposits",
                &|signed| signed.message.execution_requests.builder_deposits = list(d(), 65),
                RejectReason::TooManyRequests.into(),
            ),
            (
                "of too many builder exits",
                &|signed| signed.message.execution_requests.builder_exits = list(d(), 17),
                RejectReason::TooManyRequests.into(),
            ),
            (
                "of too many withdrawals",
                &|signed| signed.message.payload.withdrawals = list(d(), 17),
                RejectReason::TooManyWithdrawals.into(),
            ),
        ],
    );
    let mut second = envelope(root);
    second.message.execution_requests.deposits = list(d(), 100); // these have no limit
    world.judge.set_finalized(SLOT);
    world.passes(topic, &envelope(root), now()); // unlike a block, a payload may be of the finalized slot
    world.once(topic, &envelope(root), &second, now(), IgnoreReason::AlreadySeen);
    second.message.builder_index += 1;
    world.passes(topic, &second, now());
    world.judge.set_finalized(Slot(SLOT.0 + 1));
    assert_eq!(world.verdict(topic, &second, now()), ignore(IgnoreReason::Finalized));
}

fn signed_bid(parent: Root, slot: Slot) -> SignedExecutionPayloadBid {
    let message = gloas::ExecutionPayloadBid { parent_block_root: parent, ..bid(slot) };
    Signed { message, signature: BlsSignature::default() }
}

#[test]
fn bids() {
    let world = World::at(ForkName::Gloas);
    let topic = world.topic(TopicKind::ExecutionPayloadBid);
    let parent = index_gloas_block(&world, Slot(SLOT.0 - 2));
    world.table(
        topic,
        &signed_bid(parent, SLOT),
        now(),
        &[
            ("for the slot after the next", &|signed| signed.message.slot.0 += 2, IgnoreReason::Future.into()),
            ("for the slot before", &|signed| signed.message.slot.0 -= 1, IgnoreReason::Past.into()),
            ("with a payment", &|signed| signed.message.execution_payment = 1, RejectReason::PaymentNotZero.into()),
            (
                "of a blob too many",
                &|signed| signed.message.blob_kzg_commitments = list(KzgCommitment::default(), MAX_BLOBS + 1),
                RejectReason::TooManyBlobs.into(),
            ),
            (
                "on no known block",
                &|signed| signed.message.parent_block_root = Root([9; 32]),
                IgnoreReason::BlockUnknown.into(),
            ),
        ],
    );
    world.times(
        topic,
        &signed_bid(parent, SLOT),
        &[
            (ms_before(Slot(SLOT.0 - 1), 501), ignore(IgnoreReason::Future)),
            (ms_before(Slot(SLOT.0 - 1), 500), Ok(())),
            (ms(Slot(SLOT.0 + 1), 500), Ok(())),
            (ms(Slot(SLOT.0 + 1), 501), ignore(IgnoreReason::Past)),
        ],
    );
    let mut higher = signed_bid(parent, SLOT);
    higher.message.value += 1;
    world.once(topic, &signed_bid(parent, SLOT), &higher, now(), IgnoreReason::AlreadySeen);
    let mut other = signed_bid(parent, SLOT);
    other.message.builder_index += 1;
    assert_eq!(world.verdict(topic, &other, now()), ignore(IgnoreReason::NotBetter));
    other.message.value += 1;
    world.passes(topic, &other, now());
    other.message.value -= 1;
    other.message.parent_block_hash = Hash32([1; 32]); // another auction
    world.passes(topic, &other, now());
}

#[test]
fn bids_of_heze() {
    let world = World::at(ForkName::Heze);
    let topic = world.topic(TopicKind::ExecutionPayloadBid);
    let bid = bid(SLOT);
    let message = heze::ExecutionPayloadBid {
        parent_block_hash: d(),
        parent_block_root: Root([9; 32]),
        block_hash: d(),
        prev_randao: d(),
        fee_recipient: d(),
        gas_limit: 0,
        builder_index: 3,
        slot: bid.slot,
        value: 1,
        execution_payment: 0,
        blob_kzg_commitments: bid.blob_kzg_commitments,
        execution_requests_root: d(),
        inclusion_list_bits: d(),
    };
    let mut signed = Signed { message, signature: BlsSignature::default() };
    assert_eq!(world.verdict(topic, &signed, now()), ignore(IgnoreReason::BlockUnknown));
    signed.message.execution_payment = 5;
    assert_eq!(world.verdict(topic, &signed, now()), reject(RejectReason::PaymentNotZero));
}

fn payload_vote(block_root: Root) -> PayloadAttestationMessage {
    let data = PayloadAttestationData {
        beacon_block_root: block_root,
        slot: SLOT,
        payload_present: true,
        blob_data_available: true,
    };
    PayloadAttestationMessage { validator_index: 5, data, signature: BlsSignature::default() }
}

#[test]
fn payload_attestations() {
    let world = World::at(ForkName::Gloas);
    let topic = world.topic(TopicKind::PayloadAttestationMessage);
    let root = index_gloas_block(&world, SLOT);
    let before = index_gloas_block(&world, Slot(SLOT.0 - 1));
    world.table(
        topic,
        &payload_vote(root),
        now(),
        &[
            ("of the next slot", &|message| message.data.slot.0 += 1, IgnoreReason::Future.into()),
            ("of the slot before", &|message| message.data.slot.0 -= 1, IgnoreReason::Past.into()),
            (
                "on no known block",
                &|message| message.data.beacon_block_root = Root([9; 32]),
                IgnoreReason::BlockUnknown.into(),
            ),
            (
                "on a block of another slot",
                &|message| message.data.beacon_block_root = before,
                IgnoreReason::OtherSlot.into(),
            ),
        ],
    );
    world.times(
        topic,
        &payload_vote(root),
        &[
            (ms_before(SLOT, 501), ignore(IgnoreReason::Future)),
            (ms_before(SLOT, 500), Ok(())),
            (ms(Slot(SLOT.0 + 1), 500), Ok(())),
            (ms(Slot(SLOT.0 + 1), 501), ignore(IgnoreReason::Past)),
        ],
    );
    let mut again = payload_vote(root);
    again.data.payload_present = false;
    world.once(topic, &payload_vote(root), &again, now(), IgnoreReason::AlreadySeen);
    again.validator_index += 1;
    world.passes(topic, &again, now());
}

fn preferences(dependent_root: Root, proposal_slot: Slot) -> SignedProposerPreferences {
    let fee_recipient = ExecutionAddress([1; 20]);
    let message = ProposerPreferences {
        dependent_root,
        proposal_slot,
        validator_index: 5,
        fee_recipient,
        target_gas_limit: 60_000_000,
    };
    Signed { message, signature: BlsSignature::default() }
}

#[test]
fn proposers_preferences() {
    let world = World::at(ForkName::Gloas);
    let topic = world.topic(TopicKind::ProposerPreferences);
    let next = Epoch(EPOCH.0 + 1).start_slot();
    let last_before = index_gloas_block(&world, Slot(EPOCH.start_slot().0 - 1));
    let first_within = index_gloas_block(&world, EPOCH.start_slot());
    let valid = preferences(last_before, next);
    world.table(
        topic,
        &valid,
        now(),
        &[
            (
                "for a slot that is over",
                &|signed| signed.message.proposal_slot = Slot(SLOT.0 - 1),
                IgnoreReason::Past.into(),
            ),
            (
                "for the epoch after the next",
                &|signed| signed.message.proposal_slot.0 += 32,
                IgnoreReason::Future.into(),
            ),
            (
                "on no known block",
                &|signed| signed.message.dependent_root = Root([9; 32]),
                IgnoreReason::BlockUnknown.into(),
            ),
            (
                "on a block of the lookahead",
                &|signed| signed.message.dependent_root = first_within,
                RejectReason::DependentTooLate.into(),
            ),
        ],
    );
    world.times(
        topic,
        &valid,
        &[
            (ms_before(EPOCH.start_slot(), 501), ignore(IgnoreReason::Future)),
            (ms_before(EPOCH.start_slot(), 500), Ok(())),
            (ms(next, 500), Ok(())),
            (ms(next, 501), ignore(IgnoreReason::Past)),
        ],
    );
    let mut again = valid;
    again.message.target_gas_limit += 1;
    world.once(topic, &valid, &again, now(), IgnoreReason::AlreadySeen);
    again.message.proposal_slot.0 += 1;
    world.passes(topic, &again, now());
}

#[test]
fn preferences_for_the_first_epoch_of_gloas_come_before_it() {
    let world = World::at(ForkName::Fulu);
    let first = NEXT_FORK.start_slot();
    let topic = world.topic_at(NEXT_FORK, world.topic(TopicKind::ProposerPreferences).name);
    let now = ms(Slot(first.0 - 32), 0);
    assert_eq!(world.verdict(topic, &preferences(Root([9; 32]), first), now), ignore(IgnoreReason::BlockUnknown));
}
