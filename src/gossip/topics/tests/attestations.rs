//! Attestations and aggregates, in the shapes of Capella, Deneb, Fulu and Gloas.

use ssz_types::{BitList, BitVector};

use super::world::{EPOCH, SLOT, World, find_proof, ignore, ms, ms_before, now, reject};
use crate::gossip::selection::is_aggregator;
use crate::gossip::{IgnoreReason, RejectReason};
use crate::types::containers::phase0::{AttestationData, Checkpoint};
use crate::types::containers::{AggregateAndProof, BlsSignature, ProgressiveBitlist, Signed, electra, gloas, phase0};
use crate::types::{Epoch, ForkName, GossipTopic, Root, Slot, TopicKind};

/// Members of the committee: one in four aggregates.
const MEMBERS: usize = 64;

/// A committee that every number of committees from 4 on has. In slot 5 of the epoch, 64 of them put it on subnet 3.
const COMMITTEE: u64 = 3;
const SUBNET: u16 = 3;

fn data(slot: Slot, index: u64) -> AttestationData {
    let checkpoint = |epoch| Checkpoint { epoch, root: Root([2; 32]) };
    let epoch = slot.epoch();
    AttestationData {
        slot,
        index,
        beacon_block_root: Root([1; 32]),
        source: checkpoint(Epoch(epoch.0 - 1)),
        target: checkpoint(epoch),
    }
}

fn bits<N: ssz_types::typenum::Unsigned + Clone>(set: &[usize], members: usize) -> BitList<N> {
    let mut bits = BitList::with_capacity(members).unwrap();
    set.iter().for_each(|bit| bits.set(*bit, true).unwrap());
    bits
}

fn committees(set: &[u64]) -> BitVector<ssz_types::typenum::U64> {
    let mut bits = BitVector::new();
    set.iter().for_each(|bit| bits.set(usize::try_from(*bit).unwrap(), true).unwrap());
    bits
}

fn selected(is: bool) -> BlsSignature {
    find_proof(|proof| is_aggregator(proof, MEMBERS) == is)
}

fn signed<A: crate::types::containers::Container>(aggregator_index: u64, aggregate: A) -> Signed<AggregateAndProof<A>> {
    let message = AggregateAndProof { aggregator_index, aggregate, selection_proof: selected(true) };
    Signed { message, signature: BlsSignature::default() }
}

fn old_attestation() -> phase0::Attestation {
    phase0::Attestation {
        aggregation_bits: bits(&[9], MEMBERS),
        data: data(SLOT, COMMITTEE),
        signature: BlsSignature::default(),
    }
}

fn single() -> electra::SingleAttestation {
    electra::SingleAttestation {
        committee_index: COMMITTEE,
        attester_index: 77,
        data: data(SLOT, 0),
        signature: BlsSignature::default(),
    }
}

fn old_aggregate(set: &[usize]) -> phase0::SignedAggregateAndProof {
    let attestation = phase0::Attestation { aggregation_bits: bits(set, MEMBERS), ..old_attestation() };
    signed(5, attestation)
}

fn aggregate(set: &[usize]) -> electra::SignedAggregateAndProof {
    let attestation = electra::Attestation {
        aggregation_bits: bits(set, MEMBERS),
        data: data(SLOT, 0),
        signature: BlsSignature::default(),
        committee_bits: committees(&[COMMITTEE]),
    };
    signed(5, attestation)
}

fn gloas_aggregate(index: u64) -> gloas::SignedAggregateAndProof {
    let attestation = gloas::Attestation {
        aggregation_bits: ProgressiveBitlist(bits(&[1, 2], MEMBERS)),
        data: data(SLOT, index),
        signature: BlsSignature::default(),
        committee_bits: committees(&[COMMITTEE]),
    };
    signed(5, attestation)
}

fn subnet(world: &World) -> GossipTopic {
    world.subnet(TopicKind::BeaconAttestation, SUBNET)
}

fn aggregates(world: &World) -> GossipTopic {
    world.topic(TopicKind::BeaconAggregateAndProof)
}

#[test]
fn attestations_until_deneb() {
    for fork in [ForkName::Phase0, ForkName::Capella, ForkName::Deneb] {
        let world = World::at(fork);
        world.table(
            subnet(&world),
            &old_attestation(),
            now(),
            &[
                (
                    "a committee that no slot has",
                    &|message| message.data.index = 64,
                    RejectReason::IndexOutOfRange.into(),
                ),
                // in slot 5, committee 60 is on 5c + 60 (mod 64) for c from 61 to 64: 45, 50, 55, 60
                ("a committee of no such subnet", &|message| message.data.index = 60, RejectReason::WrongSubnet.into()),
                ("of a later slot", &|message| message.data.slot.0 += 1, IgnoreReason::Future.into()),
                ("of a slot long ago", &|message| message.data.slot.0 -= 96, IgnoreReason::Past.into()),
                (
                    "of another epoch",
                    &|message| message.data.target.epoch.0 -= 1,
                    RejectReason::TargetEpochMismatch.into(),
                ),
                (
                    "without a vote",
                    &|message| message.aggregation_bits = bits(&[], MEMBERS),
                    RejectReason::NotOneBit.into(),
                ),
                (
                    "of two voters",
                    &|message| message.aggregation_bits = bits(&[1, 2], MEMBERS),
                    RejectReason::NotOneBit.into(),
                ),
            ],
        );
    }
}

#[test]
fn single_attestations() {
    for fork in [ForkName::Electra, ForkName::Fulu, ForkName::Gloas, ForkName::Heze] {
        let world = World::at(fork);
        world.table(
            subnet(&world),
            &single(),
            now(),
            &[
                ("an index beyond the fork's", &|message| message.data.index = 2, RejectReason::BadDataIndex.into()),
                (
                    "a committee that no slot has",
                    &|message| message.committee_index = 64,
                    RejectReason::IndexOutOfRange.into(),
                ),
                (
                    "a committee of no such subnet",
                    &|message| message.committee_index = 60,
                    RejectReason::WrongSubnet.into(),
                ),
                ("of a later slot", &|message| message.data.slot.0 += 1, IgnoreReason::Future.into()),
                ("of an epoch before the last", &|message| message.data.slot.0 -= 64, IgnoreReason::Past.into()),
                (
                    "of another epoch",
                    &|message| message.data.target.epoch.0 += 1,
                    RejectReason::TargetEpochMismatch.into(),
                ),
            ],
        );
    }
    let world = World::at(ForkName::Fulu);
    let mut message = single();
    message.data.index = 1;
    assert_eq!(world.verdict(subnet(&world), &message, now()), reject(RejectReason::BadDataIndex));
    let world = World::at(ForkName::Gloas);
    world.passes(subnet(&world), &message, now());
}

#[test]
fn a_second_vote_in_an_epoch_is_ignored_whatever_it_says() {
    let world = World::at(ForkName::Capella);
    let mut second = old_attestation();
    second.data.beacon_block_root = Root([99; 32]);
    world.once(subnet(&world), &old_attestation(), &second, now(), IgnoreReason::AlreadySeen);
    second.aggregation_bits = bits(&[10], MEMBERS); // another seat
    world.passes(subnet(&world), &second, now());

    let world = World::at(ForkName::Fulu);
    let mut second = single();
    second.data.slot.0 -= 32; // another slot, and so another epoch
    second.data.target.epoch.0 -= 1;
    world.accept(subnet(&world), &single(), now());
    world.passes(subnet(&world), &second, now());
    second = single();
    second.data.beacon_block_root = Root([99; 32]);
    assert_eq!(world.verdict(subnet(&world), &second, now()), ignore(IgnoreReason::AlreadySeen));
    second.attester_index += 1;
    world.passes(subnet(&world), &second, now());
}

#[test]
fn until_capella_votes_are_on_time_for_32_slots() {
    let world = World::at(ForkName::Capella);
    let cases = [
        (ms_before(SLOT, 501), ignore(IgnoreReason::Future)),
        (ms_before(SLOT, 500), Ok(())),
        (ms(Slot(SLOT.0 + 33), 500), Ok(())),
        (ms(Slot(SLOT.0 + 33), 501), ignore(IgnoreReason::Past)),
    ];
    world.times(subnet(&world), &old_attestation(), &cases);
    world.times(aggregates(&world), &old_aggregate(&[1]), &cases);
}

#[test]
fn from_deneb_on_votes_are_on_time_in_their_epoch_and_the_next() {
    let end = Epoch(EPOCH.0 + 2).start_slot();
    let cases = [
        (ms_before(SLOT, 501), ignore(IgnoreReason::Future)),
        (ms_before(SLOT, 500), Ok(())),
        (ms(end, 500), Ok(())),
        (ms(end, 501), ignore(IgnoreReason::Past)),
    ];
    let world = World::at(ForkName::Deneb);
    world.times(subnet(&world), &old_attestation(), &cases);
    world.times(aggregates(&world), &old_aggregate(&[1]), &cases);
    let world = World::at(ForkName::Fulu);
    world.times(subnet(&world), &single(), &cases);
    world.times(aggregates(&world), &aggregate(&[1]), &cases);
}

#[test]
fn aggregates_until_deneb() {
    for fork in [ForkName::Altair, ForkName::Capella, ForkName::Deneb] {
        let world = World::at(fork);
        world.table(
            aggregates(&world),
            &old_aggregate(&[1, 2]),
            now(),
            &[
                (
                    "a committee that no slot has",
                    &|signed| signed.message.aggregate.data.index = 64,
                    RejectReason::IndexOutOfRange.into(),
                ),
                ("of a later slot", &|signed| signed.message.aggregate.data.slot.0 += 1, IgnoreReason::Future.into()),
                ("of a slot long ago", &|signed| signed.message.aggregate.data.slot.0 -= 96, IgnoreReason::Past.into()),
                (
                    "of another epoch",
                    &|signed| signed.message.aggregate.data.target.epoch.0 -= 1,
                    RejectReason::TargetEpochMismatch.into(),
                ),
                (
                    "without votes",
                    &|signed| signed.message.aggregate.aggregation_bits = bits(&[], MEMBERS),
                    RejectReason::NoBits.into(),
                ),
                (
                    "without members",
                    &|signed| signed.message.aggregate.aggregation_bits = bits(&[], 0),
                    RejectReason::NoBits.into(),
                ),
                (
                    "from whom the lot did not choose",
                    &|signed| signed.message.selection_proof = selected(false),
                    RejectReason::NotSelected.into(),
                ),
            ],
        );
    }
}

#[test]
fn aggregates_since_electra() {
    for fork in [ForkName::Electra, ForkName::Fulu] {
        let world = World::at(fork);
        world.table(
            aggregates(&world),
            &aggregate(&[1, 2]),
            now(),
            &[
                ("an index", &|signed| signed.message.aggregate.data.index = 1, RejectReason::BadDataIndex.into()),
                (
                    "no committee",
                    &|signed| signed.message.aggregate.committee_bits = committees(&[]),
                    RejectReason::NotOneCommittee.into(),
                ),
                (
                    "two committees",
                    &|signed| signed.message.aggregate.committee_bits = committees(&[0, 63]),
                    RejectReason::NotOneCommittee.into(),
                ),
                ("of a later slot", &|signed| signed.message.aggregate.data.slot.0 += 1, IgnoreReason::Future.into()),
                (
                    "of an epoch before the last",
                    &|signed| signed.message.aggregate.data.slot.0 -= 64,
                    IgnoreReason::Past.into(),
                ),
                (
                    "of another epoch",
                    &|signed| signed.message.aggregate.data.target.epoch.0 += 1,
                    RejectReason::TargetEpochMismatch.into(),
                ),
                (
                    "without votes",
                    &|signed| signed.message.aggregate.aggregation_bits = bits(&[], MEMBERS),
                    RejectReason::NoBits.into(),
                ),
                (
                    "from whom the lot did not choose",
                    &|signed| signed.message.selection_proof = selected(false),
                    RejectReason::NotSelected.into(),
                ),
            ],
        );
    }
}

#[test]
fn a_bad_index_is_told_before_the_time() {
    let world = World::at(ForkName::Fulu);
    let mut message = aggregate(&[1]);
    message.message.aggregate.data.index = 1;
    message.message.aggregate.data.slot.0 += 1;
    assert_eq!(world.verdict(aggregates(&world), &message, now()), reject(RejectReason::BadDataIndex));
}

#[test]
fn votes_that_were_all_seen_are_ignored() {
    let mut other = aggregate(&[1, 2]);
    other.message.aggregator_index = 6;
    let world = World::at(ForkName::Fulu);
    world.once(aggregates(&world), &aggregate(&[1, 2, 3]), &other, now(), IgnoreReason::Superset);
    let world = World::at(ForkName::Fulu);
    world.once(aggregates(&world), &aggregate(&[1, 2]), &other, now(), IgnoreReason::Superset);

    let mut wider = aggregate(&[1, 4]);
    wider.message.aggregator_index = 7;
    world.passes(aggregates(&world), &wider, now());
    let mut elsewhere = other.clone();
    elsewhere.message.aggregate.committee_bits = committees(&[COMMITTEE + 1]);
    world.passes(aggregates(&world), &elsewhere, now());
    other.message.aggregate.data.beacon_block_root = Root([8; 32]);
    world.passes(aggregates(&world), &other, now());
}

#[test]
fn votes_that_were_all_seen_are_ignored_in_the_old_shape_too() {
    let mut other = old_aggregate(&[2]);
    other.message.aggregator_index = 6;
    let world = World::at(ForkName::Capella);
    world.once(aggregates(&world), &old_aggregate(&[1, 2]), &other, now(), IgnoreReason::Superset);
}

#[test]
fn an_aggregator_speaks_once_in_an_epoch() {
    let world = World::at(ForkName::Fulu);
    let mut other = aggregate(&[1, 2]);
    other.message.aggregate.committee_bits = committees(&[COMMITTEE + 1]);
    world.once(aggregates(&world), &aggregate(&[1, 2]), &other, now(), IgnoreReason::AlreadySeen);
    other.message.selection_proof = selected(false); // what is seen is told before the lot
    assert_eq!(world.verdict(aggregates(&world), &other, now()), ignore(IgnoreReason::AlreadySeen));
}

#[test]
fn from_gloas_on_an_index_of_one_says_that_the_payload_was_there() {
    let world = World::at(ForkName::Gloas);
    world.passes(aggregates(&world), &gloas_aggregate(1), now());
    assert_eq!(world.verdict(aggregates(&world), &gloas_aggregate(2), now()), reject(RejectReason::BadDataIndex));

    let root = super::blocks::index_gloas_block(&world, SLOT);
    let mut message = gloas_aggregate(0);
    message.message.aggregate.data.beacon_block_root = root;
    world.passes(aggregates(&world), &message, now());
    message.message.aggregate.data.index = 1;
    assert_eq!(world.verdict(aggregates(&world), &message, now()), reject(RejectReason::PayloadTooEarly));
    let mut vote = single();
    vote.data.beacon_block_root = root;
    vote.data.index = 1;
    assert_eq!(world.verdict(subnet(&world), &vote, now()), reject(RejectReason::PayloadTooEarly));

    let before = super::blocks::index_gloas_block(&world, Slot(SLOT.0 - 1));
    vote.data.beacon_block_root = before;
    world.passes(subnet(&world), &vote, now());
}
