//! Light-client updates of Altair, Capella, Deneb, Fulu and Gloas.

use ssz::Encode;

use super::world::{SLOT, World, ignore, ms, now};
use crate::gossip::{IgnoreReason, Verdict};
use crate::types::containers::altair::SyncAggregate;
use crate::types::containers::phase0::BeaconBlockHeader;
use crate::types::containers::{altair, capella, deneb, electra, gloas};
use crate::types::{ForkName, Slot, TopicKind};

/// The attested slot is the one before the signature's.
const ATTESTED: Slot = Slot(SLOT.0 - 1);

fn header(slot: Slot) -> BeaconBlockHeader {
    BeaconBlockHeader { slot, proposer_index: 3, ..Default::default() }
}

fn signed_by(signers: usize) -> SyncAggregate {
    let mut aggregate = SyncAggregate::default();
    (0..signers).for_each(|bit| aggregate.sync_committee_bits.set(bit, true).unwrap());
    aggregate
}

/// Builds the updates of one fork, whose headers have these fields beside the beacon header.
macro_rules! updates {
    ($fork:ident $(, $field:ident)*) => {
        (
            |attested: Slot, finalized: Slot, signers: usize| {
                $fork::LightClientFinalityUpdate {
                    attested_header: $fork::LightClientHeader { beacon: header(attested), $($field: Default::default(),)* },
                    finalized_header: $fork::LightClientHeader { beacon: header(finalized), $($field: Default::default(),)* },
                    finality_branch: Default::default(),
                    sync_aggregate: signed_by(signers),
                    signature_slot: Slot(attested.0 + 1),
                }
                .as_ssz_bytes()
            },
            |attested: Slot| {
                $fork::LightClientOptimisticUpdate {
                    attested_header: $fork::LightClientHeader { beacon: header(attested), $($field: Default::default(),)* },
                    sync_aggregate: signed_by(512),
                    signature_slot: Slot(attested.0 + 1),
                }
                .as_ssz_bytes()
            },
        )
    };
}

type Finality = fn(Slot, Slot, usize) -> Vec<u8>;
type Optimistic = fn(Slot) -> Vec<u8>;

fn forks() -> [(ForkName, Finality, Optimistic, u64); 6] {
    let altair: (Finality, Optimistic) = updates!(altair);
    let capella: (Finality, Optimistic) = updates!(capella, execution, execution_branch);
    let deneb: (Finality, Optimistic) = updates!(deneb, execution, execution_branch);
    let electra: (Finality, Optimistic) = updates!(electra, execution, execution_branch);
    let gloas: (Finality, Optimistic) = updates!(gloas, execution_block_hash, execution_branch);
    [
        (ForkName::Altair, altair.0, altair.1, 3999),
        (ForkName::Capella, capella.0, capella.1, 3999),
        (ForkName::Deneb, deneb.0, deneb.1, 3999),
        (ForkName::Electra, electra.0, electra.1, 3999),
        (ForkName::Fulu, electra.0, electra.1, 3999),
        (ForkName::Gloas, gloas.0, gloas.1, 3000),
    ]
}

fn verdict(world: &World, kind: TopicKind, ssz: &[u8], now_ms: u64) -> Result<(), Verdict> {
    world.judge.judge(world.topic(kind), ssz, now_ms).map(drop)
}

fn accept(world: &World, kind: TopicKind, ssz: &[u8]) {
    let passed = world.judge.judge(world.topic(kind), ssz, now()).unwrap();
    world.judge.admit(&passed, now()).unwrap();
}

#[test]
fn updates_are_ignored_until_the_committee_has_spoken() {
    for (fork, finality, optimistic, due) in forks() {
        let world = World::at(fork);
        let messages = [
            (TopicKind::LightClientFinalityUpdate, finality(ATTESTED, Slot(SLOT.0 - 64), 400)),
            (TopicKind::LightClientOptimisticUpdate, optimistic(ATTESTED)),
        ];
        for (kind, ssz) in messages {
            assert_eq!(
                verdict(&world, kind, &ssz, ms(SLOT, due - 501)),
                ignore(IgnoreReason::TooEarly),
                "{fork} {kind}"
            );
            assert_eq!(verdict(&world, kind, &ssz, ms(SLOT, due - 500)), Ok(()), "{fork} {kind}");
            assert_eq!(verdict(&world, kind, &ssz, ms(Slot(SLOT.0 + 500), 0)), Ok(()), "{fork} {kind}");
        }
    }
}

#[test]
fn a_finality_update_must_be_newer_than_all_that_were_forwarded() {
    let kind = TopicKind::LightClientFinalityUpdate;
    for (fork, finality, _, _) in forks() {
        let world = World::at(fork);
        let (old, newer) = (Slot(SLOT.0 - 96), Slot(SLOT.0 - 64));
        accept(&world, kind, &finality(ATTESTED, newer, 342));
        for (slot, signers) in [(old, 512), (newer, 342), (newer, 512)] {
            let ssz = finality(ATTESTED, slot, signers);
            assert_eq!(verdict(&world, kind, &ssz, now()), ignore(IgnoreReason::NotBetter), "{fork} {slot} {signers}");
        }
        assert_eq!(verdict(&world, kind, &finality(ATTESTED, Slot(newer.0 + 32), 1), now()), Ok(()));
    }
}

#[test]
fn an_equal_finality_update_may_follow_once_if_more_than_two_thirds_signed() {
    let kind = TopicKind::LightClientFinalityUpdate;
    let (_, finality, _, _) = forks()[4];
    let world = World::at(ForkName::Fulu);
    let slot = Slot(SLOT.0 - 64);
    accept(&world, kind, &finality(ATTESTED, slot, 300));
    assert_eq!(verdict(&world, kind, &finality(ATTESTED, slot, 341), now()), ignore(IgnoreReason::NotBetter));
    assert_eq!(verdict(&world, kind, &finality(ATTESTED, slot, 342), now()), Ok(()));
    accept(&world, kind, &finality(ATTESTED, slot, 342));
    assert_eq!(verdict(&world, kind, &finality(ATTESTED, slot, 512), now()), ignore(IgnoreReason::NotBetter));
}

#[test]
fn an_optimistic_update_must_be_newer_than_all_that_were_forwarded() {
    let kind = TopicKind::LightClientOptimisticUpdate;
    for (fork, _, optimistic, _) in forks() {
        let world = World::at(fork);
        let before = Slot(ATTESTED.0 - 1);
        assert_eq!(verdict(&world, kind, &optimistic(ATTESTED), now()), Ok(()));
        accept(&world, kind, &optimistic(before));
        assert_eq!(verdict(&world, kind, &optimistic(before), now()), ignore(IgnoreReason::NotBetter), "{fork}");
        assert_eq!(verdict(&world, kind, &optimistic(ATTESTED), now()), Ok(()));
    }
}
