//! Arbitrary bytes and damaged messages: a verdict, never a panic.

use proptest::prelude::*;

use super::world::{SLOT, World, now};
use crate::gossip::topic::row;
use crate::gossip::{RejectReason, Verdict};
use crate::types::{ForkName, GossipTopic, TopicKind, TopicName};

fn topics(world: &World, fork: ForkName) -> Vec<GossipTopic> {
    let kinds = TopicKind::ALL.iter().filter(|kind| row(**kind).exists_in(fork));
    kinds.map(|kind| world.topic_at(SLOT.epoch(), TopicName::all_of(*kind).next().unwrap())).collect()
}

#[test]
fn a_message_of_the_wrong_size_is_undecodable() {
    for fork in ForkName::ALL {
        let world = World::at(fork);
        for topic in topics(&world, fork) {
            let bounds = row(topic.name.kind()).bounds(fork).unwrap();
            for size in [0, bounds.min - 1, bounds.max + 1] {
                let verdict = world.judge.judge(topic, &vec![0; size], now()).map(drop);
                assert_eq!(verdict, Err(Verdict::Reject(RejectReason::BadSsz)), "{fork} {topic} {size}");
            }
        }
    }
}

#[test]
fn a_message_with_a_bad_offset_is_undecodable() {
    for (fork, kind) in [
        (ForkName::Fulu, TopicKind::BeaconBlock),
        (ForkName::Fulu, TopicKind::BeaconAggregateAndProof),
        (ForkName::Fulu, TopicKind::AttesterSlashing),
        (ForkName::Fulu, TopicKind::LightClientFinalityUpdate),
        (ForkName::Fulu, TopicKind::LightClientOptimisticUpdate),
        (ForkName::Gloas, TopicKind::BeaconBlock),
        (ForkName::Gloas, TopicKind::ExecutionPayload),
        (ForkName::Gloas, TopicKind::ExecutionPayloadBid),
    ] {
        let world = World::at(fork);
        let size = row(kind).bounds(fork).unwrap().min;
        let verdict = world.judge.judge(world.topic(kind), &vec![0xff; size], now()).map(drop);
        assert_eq!(verdict, Err(Verdict::Reject(RejectReason::BadSsz)), "{fork} {kind}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn arbitrary_bytes_get_a_verdict(
        fork in proptest::sample::select(ForkName::ALL.to_vec()),
        bytes in proptest::collection::vec(any::<u8>(), 0..3000),
        now_ms in prop_oneof![Just(now()), any::<u64>()],
    ) {
        let world = World::at(fork);
        for topic in topics(&world, fork) {
            // as it is, and cut or filled to a size that is looked at
            let bounds = row(topic.name.kind()).bounds(fork).unwrap();
            let mut fitting = bytes.clone();
            fitting.resize(bytes.len().clamp(bounds.min, bounds.max), 0);
            let _any = world.judge.judge(topic, &bytes, now_ms);
            let _any = world.judge.judge(topic, &fitting, now_ms);
        }
    }
}
