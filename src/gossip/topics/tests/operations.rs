//! Exits, slashings and changes of credentials.

use super::world::{EPOCH, SLOT, World, ignore, ms, ms_before, now, reject};
use crate::gossip::bls::ChangeDomain;
use crate::gossip::{IgnoreReason, RejectReason};
use crate::types::containers::capella::{BlsToExecutionChange, SignedBlsToExecutionChange};
use crate::types::containers::phase0::{
    AttestationData, BeaconBlockHeader, Checkpoint, ProposerSlashing, SignedBeaconBlockHeader, SignedVoluntaryExit,
    VoluntaryExit,
};
use crate::types::containers::{
    BlsPubkey, BlsSignature, ExecutionAddress, List, ProgressiveList, electra, gloas, phase0,
};
use crate::types::{Epoch, ForkName, Root, Slot, TopicKind};

fn exit(validator_index: u64) -> SignedVoluntaryExit {
    SignedVoluntaryExit { message: VoluntaryExit { epoch: EPOCH, validator_index }, signature: BlsSignature::default() }
}

#[test]
fn exits() {
    let world = World::at(ForkName::Fulu);
    let topic = world.topic(TopicKind::VoluntaryExit);
    world.table(
        topic,
        &exit(3),
        now(),
        &[
            ("in the next epoch", &|exit| exit.message.epoch.0 += 1, RejectReason::ExitInFuture.into()),
            ("never", &|exit| exit.message.epoch = Epoch::FAR_FUTURE, RejectReason::ExitInFuture.into()),
        ],
    );
    let start = EPOCH.start_slot();
    world.times(
        topic,
        &exit(3),
        &[(ms_before(start, 501), reject(RejectReason::ExitInFuture)), (ms_before(start, 500), Ok(()))],
    );
    let mut again = exit(3);
    again.message.epoch.0 -= 1;
    world.once(topic, &exit(3), &again, now(), IgnoreReason::AlreadySeen);
    again.message.epoch.0 += 2; // what is seen is told before what is invalid
    assert_eq!(world.verdict(topic, &again, now()), ignore(IgnoreReason::AlreadySeen));
    world.passes(topic, &exit(4), now());
}

fn proposer_slashing(proposer_index: u64) -> ProposerSlashing {
    let header = |salt| SignedBeaconBlockHeader {
        message: BeaconBlockHeader { slot: SLOT, proposer_index, state_root: Root([salt; 32]), ..Default::default() },
        signature: BlsSignature::default(),
    };
    ProposerSlashing { signed_header_1: header(1), signed_header_2: header(2) }
}

#[test]
fn proposer_slashings() {
    let world = World::at(ForkName::Capella);
    let topic = world.topic(TopicKind::ProposerSlashing);
    world.table(
        topic,
        &proposer_slashing(3),
        now(),
        &[
            (
                "of two slots",
                &|slashing| slashing.signed_header_2.message.slot.0 += 1,
                RejectReason::SlotsDiffer.into(),
            ),
            (
                "of two proposers",
                &|slashing| slashing.signed_header_2.message.proposer_index += 1,
                RejectReason::ProposersDiffer.into(),
            ),
            (
                "of one block",
                &|slashing| slashing.signed_header_2 = slashing.signed_header_1,
                RejectReason::HeadersEqual.into(),
            ),
            (
                "of one block with two signatures",
                &|slashing| {
                    slashing.signed_header_2 = slashing.signed_header_1;
                    slashing.signed_header_2.signature = BlsSignature([1; 96]);
                },
                RejectReason::HeadersEqual.into(),
            ),
        ],
    );
    let mut again = proposer_slashing(3);
    again.signed_header_1.message.body_root = Root([9; 32]);
    world.once(topic, &proposer_slashing(3), &again, now(), IgnoreReason::AlreadySeen);
    world.passes(topic, &proposer_slashing(4), now());
}

fn vote(source: u64, target: u64, salt: u8) -> AttestationData {
    let checkpoint = |epoch| Checkpoint { epoch: Epoch(epoch), root: Root([salt; 32]) };
    AttestationData { source: checkpoint(source), target: checkpoint(target), ..Default::default() }
}

/// Builds a double vote of one fork.
macro_rules! attester_slashing {
    ($fork:ident, $list:ident, $first:expr, $second:expr) => {{
        let attestation = |indices: &[u64], salt| $fork::IndexedAttestation {
            attesting_indices: $list::new(indices.to_vec()).unwrap(),
            data: vote(298, 299, salt),
            signature: BlsSignature::default(),
        };
        $fork::AttesterSlashing { attestation_1: attestation($first, 1), attestation_2: attestation($second, 2) }
    }};
}

fn slashing(first: &[u64], second: &[u64]) -> electra::AttesterSlashing {
    attester_slashing!(electra, List, first, second)
}

#[test]
fn attester_slashings() {
    let world = World::at(ForkName::Fulu);
    let topic = world.topic(TopicKind::AttesterSlashing);
    world.table(
        topic,
        &slashing(&[1, 2, 3], &[2, 3, 4]),
        now(),
        &[
            ("of nobody", &|message| *message = slashing(&[1], &[2]), IgnoreReason::NobodySlashed.into()),
            ("of empty votes", &|message| *message = slashing(&[], &[]), IgnoreReason::NobodySlashed.into()),
            (
                "of equal votes",
                &|message| message.attestation_2.data = message.attestation_1.data,
                RejectReason::VotesNotSlashable.into(),
            ),
            (
                "of votes one after the other",
                &|message| message.attestation_2.data = vote(299, 300, 2),
                RejectReason::VotesNotSlashable.into(),
            ),
            // the first must surround the second, not the other way round
            (
                "of a surrounded vote",
                &|message| message.attestation_2.data = vote(297, 300, 2),
                RejectReason::VotesNotSlashable.into(),
            ),
            (
                "unsorted in the first",
                &|message| *message = slashing(&[2, 1], &[2, 3]),
                RejectReason::BadIndices.into(),
            ),
            (
                "repeated in the second",
                &|message| *message = slashing(&[1, 2], &[2, 2]),
                RejectReason::BadIndices.into(),
            ),
        ],
    );
    let mut surround = slashing(&[1, 2], &[2]);
    surround.attestation_1.data = vote(297, 300, 1);
    world.passes(topic, &surround, now());
}

#[test]
fn attester_slashings_in_every_shape() {
    let world = World::at(ForkName::Capella);
    let topic = world.topic(TopicKind::AttesterSlashing);
    world.passes(topic, &attester_slashing!(phase0, List, &[1, 2], &[2, 3]), now());
    let unsorted = attester_slashing!(phase0, List, &[2, 1], &[2, 3]);
    assert_eq!(world.verdict(topic, &unsorted, now()), reject(RejectReason::BadIndices));
    let world = World::at(ForkName::Gloas);
    let topic = world.topic(TopicKind::AttesterSlashing);
    let message = attester_slashing!(gloas, ProgressiveList, &[1, 2], &[2, 3]);
    assert_eq!(world.pass(topic, &message, now()).claims.slashed, [2]);
}

#[test]
fn a_slashing_that_names_nobody_new_is_ignored() {
    let world = World::at(ForkName::Fulu);
    let topic = world.topic(TopicKind::AttesterSlashing);
    let again = slashing(&[2, 9], &[1, 2]);
    world.once(topic, &slashing(&[1, 2, 3], &[2, 3, 4]), &again, now(), IgnoreReason::AlreadySeen);
    world.passes(topic, &slashing(&[1, 3], &[1, 3]), now()); // 3 was slashed, 1 was not
    assert_eq!(world.verdict(topic, &slashing(&[3], &[4]), now()), ignore(IgnoreReason::NobodySlashed));
}

fn change(world: &World, validator_index: u64) -> SignedBlsToExecutionChange {
    let message = BlsToExecutionChange {
        validator_index,
        from_bls_pubkey: BlsPubkey::default(),
        to_execution_address: ExecutionAddress([1; 20]),
    };
    let mut change = SignedBlsToExecutionChange { message, signature: BlsSignature::default() };
    let version = world.config.forks[&ForkName::Phase0].version;
    ChangeDomain::new(version, world.config.genesis_validators_root).sign([5; 32], &mut change);
    change
}

#[test]
fn changes_of_credentials() {
    let world = World::at(ForkName::Fulu);
    let topic = world.topic(TopicKind::BlsToExecutionChange);
    let version = world.config.forks[&ForkName::Fulu].version;
    world.table(
        topic,
        &change(&world, 3),
        now(),
        &[
            (
                "to another account",
                &|change| change.message.to_execution_address.0[0] ^= 1,
                RejectReason::BadSignature.into(),
            ),
            ("of another validator", &|change| change.message.validator_index += 1, RejectReason::BadSignature.into()),
            (
                "signed by nobody",
                &|change| change.signature = BlsSignature::default(),
                RejectReason::BadSignature.into(),
            ),
            (
                "signed for the fork in force",
                &|change| ChangeDomain::new(version, Root([7; 32])).sign([5; 32], change),
                RejectReason::BadSignature.into(),
            ),
        ],
    );
    let mut again = change(&world, 3);
    ChangeDomain::new(world.config.forks[&ForkName::Phase0].version, Root([7; 32])).sign([6; 32], &mut again);
    world.once(topic, &change(&world, 3), &again, now(), IgnoreReason::AlreadySeen);
    again.signature = BlsSignature::default(); // what is seen is told before what is invalid
    assert_eq!(world.verdict(topic, &again, now()), ignore(IgnoreReason::AlreadySeen));
}

#[test]
fn before_capella_there_are_no_changes_by_the_clock_alone() {
    let world = World::at(ForkName::Bellatrix);
    let first = super::world::NEXT_FORK.start_slot();
    let topic = world.topic_at(first.epoch(), world.topic(TopicKind::BlsToExecutionChange).name);
    let message = change(&world, 3);
    world.times(
        topic,
        &message,
        &[
            (ms_before(first, 501), ignore(IgnoreReason::WrongFork)),
            (ms_before(first, 500), ignore(IgnoreReason::Future)),
            (ms_before(first, 1), ignore(IgnoreReason::Future)),
            (ms(first, 0), Ok(())),
            (ms(Slot(first.0 + 1000), 0), Ok(())),
        ],
    );
}
