//! On which side of a boundary a message of our own goes out.

use ssz::Encode;

use super::*;
use crate::chain::{ChainConfig, NetworkName};
use crate::gossip::headers::HeaderSeen;
use crate::time::milliseconds;
use crate::types::containers::electra::SingleAttestation;
use crate::types::containers::gloas::SignedProposerPreferences;
use crate::types::{ForkName, Root, SLOTS_PER_EPOCH, Slot, TopicKind};

/// Where Gloas begins, long after all that mainnet has scheduled.
const GLOAS: Epoch = Epoch(1_000_000);

struct World {
    config: ChainConfig,
    schedule: Arc<ForkSchedule>,
    judge: Judge,
}

impl World {
    fn new() -> Self {
        let mut config = ChainConfig::embedded(NetworkName::Mainnet);
        if let Some(gloas) = config.forks.get_mut(&ForkName::Gloas) {
            gloas.epoch = Some(GLOAS);
        }
        assert_eq!(config.validate(), Ok(()));
        let schedule = Arc::new(ForkSchedule::new(&config));
        Self { judge: Judge::new(&config, schedule.clone()), schedule, config }
    }

    /// The digest on which a message goes out in the middle of a slot.
    fn publish(&self, name: TopicName, message: &impl Encode, now: Slot) -> Result<ForkDigest, Verdict> {
        let slot_ms = milliseconds(self.config.slot_duration);
        let now_ms = self.config.genesis_time * 1000 + now.0 * slot_ms + slot_ms / 2;
        let digests = digests(&self.schedule, now.epoch());
        let judged = judge_first(&self.judge, &digests, name, &message.as_ssz_bytes(), now_ms);
        judged.map(|(topic, _)| topic.fork_digest)
    }
}

fn attestation(slot: Slot) -> SingleAttestation {
    let mut attestation = SingleAttestation::default();
    attestation.data.slot = slot;
    attestation.data.target.epoch = slot.epoch();
    attestation
}

#[test]
fn preferences_go_out_on_their_forks_topic_an_epoch_ahead() {
    let world = World::new();
    let dependent_root = Root([5; 32]);
    let before = Epoch(GLOAS.0 - 1).start_slot();
    let header =
        HeaderSeen { root: dependent_root, slot: Slot(before.0 - 1), proposer_index: 0, parent_root: Root::default() };
    world.judge.headers().insert(header, None, true, before);
    let mut preferences = SignedProposerPreferences::default();
    preferences.message.proposal_slot = Slot(GLOAS.start_slot().0 + 9);
    preferences.message.dependent_root = dependent_root;
    let name = TopicName::global(TopicKind::ProposerPreferences).unwrap();
    assert_eq!(world.publish(name, &preferences, Slot(before.0 + 3)), Ok(world.schedule.digest_at(GLOAS)));

    // what is wrong on the topic where they belong is told
    preferences.message.dependent_root = Root::default();
    let refused = Err(Verdict::Ignore(IgnoreReason::BlockUnknown));
    assert_eq!(world.publish(name, &preferences, Slot(before.0 + 3)), refused);
}

#[test]
fn a_vote_from_before_a_fork_goes_out_on_the_former_topic_for_as_long_as_it_counts() {
    let world = World::new();
    let name = TopicName::subnet_of(TopicKind::BeaconAttestation, 0).unwrap();
    let first = GLOAS.start_slot();
    let old = attestation(Slot(first.0 - SLOTS_PER_EPOCH));
    let former = Ok(world.schedule.digest_at(Epoch(GLOAS.0 - 1)));
    for now in [first.0 - 1, first.0, first.0 + SLOTS_PER_EPOCH - 1] {
        assert_eq!(world.publish(name, &old, Slot(now)), former, "{now}");
    }
    let late = Slot(first.0 + SLOTS_PER_EPOCH);
    assert_eq!(world.publish(name, &old, late), Err(Verdict::Ignore(IgnoreReason::Past)));
    assert_eq!(world.publish(name, &attestation(late), late), Ok(world.schedule.digest_at(GLOAS)));
}
