//! `bls_to_execution_change`: changes of withdrawal credentials.
//!
//! Left to a state: the validator and its credentials. The signature is checked: its key is in the message, its domain is
//! that of genesis.
//!
//! [spec v1.6.0, bls_to_execution_change](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/capella/p2p-interface.md#bls_to_execution_change)

use super::global;
use crate::gossip::checks::{CheckContext, Judgement, Passed, ignore_unless, reject_unless};
use crate::gossip::seen::Key;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::{IgnoreReason, RejectReason};
use crate::switch::TopicScore;
use crate::types::containers::capella::SignedBlsToExecutionChange;
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkName, TopicKind};

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::BlsToExecutionChange,
    since: ForkName::Capella,
    until: None,
    subnets: global,
    message: |_| MessageType::SignedBlsToExecutionChange,
    check,
    corroborable: false,
    // weighs like an exit; a guess: three in an epoch
    score: TopicScore { weight: 0.05, per_slot: 0.1 },
};

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let change: SignedBlsToExecutionChange = context.decode(ssz)?;
    let key = Key::CredentialChange { validator: change.message.validator_index };
    context.has_begun()?;
    // by the wall clock, without allowance
    let wall_fork = context.schedule.state_at(context.windows.wall_slot().epoch()).fork;
    ignore_unless(wall_fork >= ForkName::Capella, IgnoreReason::Future)?;
    context.unseen(key)?;
    reject_unless(context.change_domain.is_signed(&change), RejectReason::BadSignature)?;
    Ok(Passed::new(None, key.into()))
}
