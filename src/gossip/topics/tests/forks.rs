//! Messages and topics around a fork, and topics that do not exist.

use ssz::Encode;

use super::world::{EPOCH, NEXT_BLOBS, NEXT_FORK, World, ignore, ms, ms_before, now, reject};
use crate::gossip::topic::row;
use crate::gossip::{IgnoreReason, RejectReason};
use crate::types::containers::BlsSignature;
use crate::types::containers::altair::SyncCommitteeMessage;
use crate::types::containers::phase0::{SignedVoluntaryExit, VoluntaryExit};
use crate::types::{Epoch, ForkDigest, ForkName, Root, Slot, TopicKind, TopicName};

fn sync_message(slot: Slot) -> SyncCommitteeMessage {
    SyncCommitteeMessage {
        slot,
        beacon_block_root: Root::default(),
        validator_index: 1,
        signature: BlsSignature::default(),
    }
}

fn exit() -> SignedVoluntaryExit {
    let message = VoluntaryExit { epoch: Epoch(1), validator_index: 1 };
    SignedVoluntaryExit { message, signature: BlsSignature::default() }
}

#[test]
fn a_message_of_the_other_side_of_a_boundary_is_ignored_in_either_direction() {
    for boundary in [NEXT_BLOBS, NEXT_FORK] {
        let world = World::at(ForkName::Fulu);
        let name = TopicName::subnet_of(TopicKind::SyncCommittee, 0).unwrap();
        let (old, new) = (world.topic_at(Epoch(boundary.0 - 1), name), world.topic_at(boundary, name));
        assert_ne!(old, new);
        let first = boundary.start_slot();
        let last = Slot(first.0 - 1);
        let now = ms(first, 0); // both slots are current by some clock
        world.passes(old, &sync_message(last), now);
        world.passes(new, &sync_message(first), now);
        assert_eq!(world.verdict(new, &sync_message(last), now), ignore(IgnoreReason::WrongFork));
        assert_eq!(world.verdict(old, &sync_message(first), now), ignore(IgnoreReason::WrongFork));
    }
}

#[test]
fn what_was_seen_before_a_boundary_is_seen_after_it() {
    let world = World::at(ForkName::Fulu);
    let name = TopicName::global(TopicKind::VoluntaryExit).unwrap();
    let (old, new) = (world.topic_at(EPOCH, name), world.topic_at(NEXT_BLOBS, name));
    let now = ms(NEXT_BLOBS.start_slot(), 0);
    world.passes(new, &exit(), now);
    world.accept(old, &exit(), now);
    assert_eq!(world.verdict(new, &exit(), now), ignore(IgnoreReason::AlreadySeen));
}

#[test]
fn before_a_fork_its_topics_are_ignored_and_after_it_the_old_ones_are_not() {
    let world = World::at(ForkName::Fulu);
    let name = TopicName::global(TopicKind::VoluntaryExit).unwrap();
    let (old, new) = (world.topic_at(EPOCH, name), world.topic_at(NEXT_FORK, name));
    let first = NEXT_FORK.start_slot();
    world.times(
        new,
        &exit(),
        &[
            (ms_before(first, 501), ignore(IgnoreReason::WrongFork)),
            (ms_before(first, 500), Ok(())),
            (ms(first, 0), Ok(())),
        ],
    );
    world.times(old, &exit(), &[(ms_before(first, 501), Ok(())), (ms(Slot(first.0 + 64), 0), Ok(()))]);
}

#[test]
fn nothing_is_rejected_on_topics_of_a_digest_that_is_over() {
    let world = World::at(ForkName::Fulu);
    let name = TopicName::global(TopicKind::VoluntaryExit).unwrap();
    let first = NEXT_BLOBS.start_slot();
    let (old, new) = (world.topic_at(EPOCH, name), world.topic_at(NEXT_BLOBS, name));
    let unknown = world.topic_at(EPOCH, TopicName::global(TopicKind::ExecutionPayloadBid).unwrap());
    let mut early = exit();
    early.message.epoch = Epoch(NEXT_BLOBS.0 + 100);
    let verdict = |topic, ssz: &[u8], now_ms| world.judge.judge(topic, ssz, now_ms).map(drop);
    for (topic, ssz, reason) in [
        (old, vec![1; 3], RejectReason::BadSsz),
        (old, early.as_ssz_bytes(), RejectReason::ExitInFuture),
        (unknown, vec![1; 300], RejectReason::UnknownTopic),
    ] {
        assert_eq!(verdict(topic, &ssz, ms_before(first, 501)), reject(reason));
        assert_eq!(verdict(topic, &ssz, ms_before(first, 500)), ignore(IgnoreReason::WrongFork));
        assert_eq!(verdict(topic, &ssz, ms(first, 12_000)), ignore(IgnoreReason::WrongFork));
    }
    assert_eq!(verdict(new, &[1; 3], ms(first, 12_000)), reject(RejectReason::BadSsz));
    world.passes(old, &exit(), ms(first, 12_000));
}

#[test]
fn a_topic_that_its_fork_does_not_have_is_rejected() {
    for (fork, kind) in [
        (ForkName::Phase0, TopicKind::LightClientFinalityUpdate),
        (ForkName::Phase0, TopicKind::SyncCommitteeContributionAndProof),
        (ForkName::Bellatrix, TopicKind::BlsToExecutionChange),
        (ForkName::Fulu, TopicKind::ExecutionPayloadBid),
    ] {
        let world = World::at(fork);
        assert_eq!(
            world.judge.judge(world.topic(kind), &[0; 172], now()).map(drop),
            reject(RejectReason::UnknownTopic)
        );
    }
    let world = World::at(ForkName::Fulu);
    let blobs = world.subnet(TopicKind::BlobSidecar, 0);
    assert_eq!(world.judge.judge(blobs, &[0; 131_928], now()).map(drop), reject(RejectReason::UnknownTopic));
    let mut stranger = world.topic(TopicKind::VoluntaryExit);
    stranger.fork_digest = ForkDigest([1, 2, 3, 4]);
    assert_eq!(world.verdict(stranger, &exit(), now()), reject(RejectReason::UnknownTopic));
}

#[test]
fn every_kind_has_its_row_a_size_in_each_of_its_forks_and_as_many_subnets_as_names() {
    for kind in TopicKind::ALL.iter().copied() {
        let row = row(kind);
        assert_eq!(row.kind, kind);
        for fork in ForkName::ALL {
            assert_eq!(row.bounds(fork).is_some(), row.exists_in(fork), "{kind} {fork}");
        }
        let most = ForkName::ALL.into_iter().map(|fork| (row.subnets)(fork)).max().unwrap();
        assert_eq!(most, kind.subnets().unwrap_or(1), "{kind}");
        let is_lasting = matches!(
            kind,
            TopicKind::VoluntaryExit
                | TopicKind::ProposerSlashing
                | TopicKind::AttesterSlashing
                | TopicKind::BlsToExecutionChange
        );
        assert_eq!(row.corroborable, !is_lasting, "{kind}");
    }
}
