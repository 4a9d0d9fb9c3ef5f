//! `sync_committee_{subnet}`: single votes of the sync committee.
//!
//! Left to a state: the validator and its subcommittees, the signature.
//!
//! [spec v1.6.0, sync_committee](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#sync_committee_subnet_id)

use crate::gossip::checks::{CheckContext, Judgement, Passed};
use crate::gossip::seen::Key;
use crate::gossip::topic::Topic;
use crate::switch::TopicScore;
use crate::types::containers::altair::SyncCommitteeMessage;
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkName, SYNC_COMMITTEE_SUBNETS, TopicKind};

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::SyncCommittee,
    since: ForkName::Altair,
    until: None,
    subnets: |_| SYNC_COMMITTEE_SUBNETS,
    message: |_| MessageType::SyncCommitteeMessage,
    check,
    corroborable: true,
    // the weight of all four subnets together is 0.4; SYNC_COMMITTEE_SIZE / 4 votes on each
    score: TopicScore { weight: 0.1, per_slot: 128.0 },
};

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let message: SyncCommitteeMessage = context.decode(ssz)?;
    let slot = message.slot;
    // the key is per topic: a validator may sit in several subcommittees
    let subnet = context.topic.name.subnet().unwrap_or_default();
    let key = Key::SyncMessage { slot, validator: message.validator_index, subnet };
    context.belongs(slot)?;
    context.within(slot, 0)?;
    context.unseen(key)?;
    Ok(Passed::new(Some(slot), key.into()))
}
