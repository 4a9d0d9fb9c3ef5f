//! Messages and contributions of the sync committee.

use ssz_types::BitVector;
use ssz_types::typenum::U128;

use super::world::{SLOT, World, find_proof, ignore, ms, ms_before, now, reject};
use crate::gossip::selection::is_sync_committee_aggregator;
use crate::gossip::{IgnoreReason, RejectReason};
use crate::types::containers::BlsSignature;
use crate::types::containers::altair::{
    ContributionAndProof, SignedContributionAndProof, SyncCommitteeContribution, SyncCommitteeMessage,
};
use crate::types::{ForkName, Root, Slot, TopicKind};

fn message() -> SyncCommitteeMessage {
    let beacon_block_root = Root([1; 32]);
    SyncCommitteeMessage { slot: SLOT, beacon_block_root, validator_index: 5, signature: BlsSignature::default() }
}

fn bits(set: &[usize]) -> BitVector<U128> {
    let mut bits = BitVector::new();
    set.iter().for_each(|bit| bits.set(*bit, true).unwrap());
    bits
}

fn selected(is: bool) -> BlsSignature {
    find_proof(|proof| is_sync_committee_aggregator(proof) == is)
}

fn contribution(aggregator_index: u64, set: &[usize]) -> SignedContributionAndProof {
    let contribution = SyncCommitteeContribution {
        slot: SLOT,
        beacon_block_root: Root([1; 32]),
        subcommittee_index: 3,
        aggregation_bits: bits(set),
        signature: BlsSignature::default(),
    };
    let message = ContributionAndProof { aggregator_index, contribution, selection_proof: selected(true) };
    SignedContributionAndProof { message, signature: BlsSignature::default() }
}

/// Of the current slot, with the allowance at both ends.
fn current() -> [(u64, Result<(), crate::gossip::Verdict>); 4] {
    [
        (ms_before(SLOT, 501), ignore(IgnoreReason::Future)),
        (ms_before(SLOT, 500), Ok(())),
        (ms(Slot(SLOT.0 + 1), 500), Ok(())),
        (ms(Slot(SLOT.0 + 1), 501), ignore(IgnoreReason::Past)),
    ]
}

#[test]
fn messages() {
    for fork in [ForkName::Altair, ForkName::Capella, ForkName::Fulu, ForkName::Gloas] {
        let world = World::at(fork);
        let topic = world.subnet(TopicKind::SyncCommittee, 2);
        world.table(
            topic,
            &message(),
            now(),
            &[
                ("of the next slot", &|message| message.slot.0 += 1, IgnoreReason::Future.into()),
                ("of the slot before", &|message| message.slot.0 -= 1, IgnoreReason::Past.into()),
            ],
        );
        world.times(topic, &message(), &current());
    }
}

#[test]
fn a_validator_speaks_once_in_a_slot_on_each_subnet() {
    let world = World::at(ForkName::Fulu);
    let topic = world.subnet(TopicKind::SyncCommittee, 2);
    let mut again = message();
    again.beacon_block_root = Root([2; 32]);
    world.once(topic, &message(), &again, now(), IgnoreReason::AlreadySeen);
    world.passes(world.subnet(TopicKind::SyncCommittee, 3), &message(), now());
    again.validator_index += 1;
    world.passes(topic, &again, now());
}

#[test]
fn contributions() {
    for fork in [ForkName::Altair, ForkName::Capella, ForkName::Fulu, ForkName::Gloas] {
        let world = World::at(fork);
        let topic = world.topic(TopicKind::SyncCommitteeContributionAndProof);
        world.table(
            topic,
            &contribution(5, &[1, 2]),
            now(),
            &[
                ("of the next slot", &|signed| signed.message.contribution.slot.0 += 1, IgnoreReason::Future.into()),
                ("of the slot before", &|signed| signed.message.contribution.slot.0 -= 1, IgnoreReason::Past.into()),
                (
                    "of a fifth subcommittee",
                    &|signed| signed.message.contribution.subcommittee_index = 4,
                    RejectReason::IndexOutOfRange.into(),
                ),
                (
                    "without votes",
                    &|signed| signed.message.contribution.aggregation_bits = bits(&[]),
                    RejectReason::NoBits.into(),
                ),
                (
                    "from whom the lot did not choose",
                    &|signed| signed.message.selection_proof = selected(false),
                    RejectReason::NotSelected.into(),
                ),
            ],
        );
        world.times(topic, &contribution(5, &[1]), &current());
    }
}

#[test]
fn the_time_of_a_contribution_is_told_before_its_faults() {
    let world = World::at(ForkName::Fulu);
    let mut signed = contribution(5, &[]);
    signed.message.contribution.slot.0 += 1;
    let topic = world.topic(TopicKind::SyncCommitteeContributionAndProof);
    assert_eq!(world.verdict(topic, &signed, now()), ignore(IgnoreReason::Future));
}

#[test]
fn votes_that_were_all_contributed_are_ignored() {
    let world = World::at(ForkName::Fulu);
    let topic = world.topic(TopicKind::SyncCommitteeContributionAndProof);
    world.once(topic, &contribution(5, &[1, 2]), &contribution(6, &[2]), now(), IgnoreReason::Superset);
    assert_eq!(world.verdict(topic, &contribution(6, &[1, 2]), now()), ignore(IgnoreReason::Superset));
    world.passes(topic, &contribution(6, &[2, 3]), now());
    let mut other = contribution(6, &[2]);
    other.message.contribution.subcommittee_index = 2;
    world.passes(topic, &other, now());
    other.message.selection_proof = selected(false); // unlike on aggregates, the lot comes first
    assert_eq!(world.verdict(topic, &other, now()), reject(RejectReason::NotSelected));
}

#[test]
fn an_aggregator_contributes_once_in_a_slot_to_a_subcommittee() {
    let world = World::at(ForkName::Fulu);
    let topic = world.topic(TopicKind::SyncCommitteeContributionAndProof);
    world.once(topic, &contribution(5, &[1, 2]), &contribution(5, &[3]), now(), IgnoreReason::AlreadySeen);
    let mut other = contribution(5, &[3]);
    other.message.contribution.subcommittee_index = 0;
    world.passes(topic, &other, now());
}
