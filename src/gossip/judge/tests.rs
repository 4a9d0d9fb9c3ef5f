//! What the judge remembers, and for how long. The rules are tested in `topics`.

use ssz::Encode;

use super::*;
use crate::chain::NetworkName;
use crate::gossip::headers::{HEADER_SLOTS, HeaderSeen};
use crate::time::milliseconds;
use crate::types::containers::BlsSignature;
use crate::types::containers::altair::SyncCommitteeMessage;
use crate::types::{Root, TopicKind, TopicName};

fn judge() -> (Judge, ChainConfig) {
    let config = ChainConfig::embedded(NetworkName::Mainnet);
    let schedule = Arc::new(ForkSchedule::new(&config));
    (Judge::new(&config, schedule), config)
}

fn ms(config: &ChainConfig, slot: Slot) -> u64 {
    config.genesis_time * 1000 + slot.0 * milliseconds(config.slot_duration)
}

/// A sync message, its topic and when it arrives.
fn message(judge: &Judge, config: &ChainConfig) -> (GossipTopic, Vec<u8>, u64) {
    let slot = Slot(300_000 * 32);
    let message = SyncCommitteeMessage {
        slot,
        beacon_block_root: Root::default(),
        validator_index: 1,
        signature: BlsSignature::default(),
    };
    let name = TopicName::subnet_of(TopicKind::SyncCommittee, 0).unwrap();
    let topic = GossipTopic { fork_digest: judge.schedule.digest_at(slot.epoch()), name };
    (topic, message.as_ssz_bytes(), ms(config, slot))
}

#[test]
fn only_what_is_recorded_is_seen() {
    let (judge, config) = judge();
    let (topic, ssz, now) = message(&judge, &config);
    let passed = judge.judge(topic, &ssz, now).unwrap();
    assert_eq!(judge.judge(topic, &ssz, now).unwrap(), passed);
    judge.admit(&passed, now).unwrap();
    assert_eq!(judge.judge(topic, &ssz, now).map(drop), Err(IgnoreReason::AlreadySeen.into()));
}

#[test]
fn what_is_recorded_is_forgotten_two_epochs_later() {
    let (judge, config) = judge();
    let (topic, ssz, now) = message(&judge, &config);
    let passed = judge.judge(topic, &ssz, now).unwrap();
    judge.admit(&passed, now).unwrap();
    let slot = passed.slot.unwrap();
    judge.prune(ms(&config, Slot(slot.0 + 64)));
    assert!(judge.judge(topic, &ssz, now).is_err());
    judge.prune(ms(&config, Slot(slot.0 + 65)));
    assert!(judge.judge(topic, &ssz, now).is_ok());
}

#[test]
fn headers_of_accepted_messages_are_known_until_they_are_too_old() {
    let (judge, config) = judge();
    let (topic, ssz, now) = message(&judge, &config);
    let mut passed = judge.judge(topic, &ssz, now).unwrap();
    let slot = passed.slot.unwrap();
    let header = HeaderSeen { root: Root([1; 32]), slot, proposer_index: 1, parent_root: Root([2; 32]) };
    passed.header = Some(header);
    judge.admit(&passed, now).unwrap();
    assert_eq!(judge.headers().at(slot), [header]);
    judge.prune(ms(&config, Slot(slot.0 + HEADER_SLOTS + 1)));
    assert!(judge.headers().is_empty());
}

#[test]
fn workers_share_a_judge() {
    let (judge, config) = judge();
    let (topic, ssz, now) = message(&judge, &config);
    let passed = std::thread::scope(|scope| {
        let workers = [(); 4].map(|()| scope.spawn(|| judge.judge(topic, &ssz, now)));
        workers.map(|worker| worker.join().unwrap())
    });
    assert!(passed.iter().all(Result::is_ok));
}

#[test]
fn of_two_messages_with_one_key_that_passed_one_is_accepted() {
    let (judge, config) = judge();
    let (topic, ssz, now) = message(&judge, &config);
    // both were judged before either was accepted
    let both = [judge.judge(topic, &ssz, now).unwrap(), judge.judge(topic, &ssz, now).unwrap()];
    let admitted = std::thread::scope(|scope| {
        let threads = [0, 1].map(|index: usize| {
            let (judge, passed) = (&judge, &both[index]);
            scope.spawn(move || judge.admit(passed, now))
        });
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(admitted.iter().filter(|admitted| admitted.is_ok()).count(), 1);
    assert!(admitted.contains(&Err(IgnoreReason::AlreadySeen)));
}

#[test]
fn what_was_not_sent_after_all_may_be_tried_again() {
    let (judge, config) = judge();
    let (topic, ssz, now) = message(&judge, &config);
    let passed = judge.judge(topic, &ssz, now).unwrap();
    let reservation = judge.reserve(&passed).unwrap();
    assert_eq!(judge.admit(&passed, now), Err(IgnoreReason::AlreadySeen));
    drop(reservation);
    judge.reserve(&passed).unwrap().keep(now);
    assert_eq!(judge.judge(topic, &ssz, now).map(drop), Err(IgnoreReason::AlreadySeen.into()));
}
