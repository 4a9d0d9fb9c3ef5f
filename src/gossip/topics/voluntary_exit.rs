//! `voluntary_exit`: validators that wish to leave.
//!
//! Left to a state: the validator and its age, the signature. It bounds the exit's epoch by its own current epoch, which
//! is never ahead of the clock: so an exit ahead of the clock is invalid whatever the state.
//!
//! [spec v1.6.0, voluntary_exit](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#voluntary_exit)

use super::global;
use crate::gossip::checks::{CheckContext, Judgement, Passed, reject_unless};
use crate::gossip::seen::Key;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::RejectReason;
use crate::switch::TopicScore;
use crate::types::containers::phase0::SignedVoluntaryExit;
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkName, TopicKind};

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::VoluntaryExit,
    since: ForkName::Phase0,
    until: None,
    subnets: global,
    message: |_| MessageType::SignedVoluntaryExit,
    check,
    corroborable: false,
    // a guess: three in an epoch; Lighthouse expects four
    score: TopicScore { weight: 0.05, per_slot: 0.1 },
};

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let exit: SignedVoluntaryExit = context.decode(ssz)?;
    let exit = exit.message;
    let key = Key::Exit { validator: exit.validator_index };
    context.has_begun()?;
    context.unseen(key)?;
    reject_unless(!context.windows.is_future(exit.epoch.start_slot()), RejectReason::ExitInFuture)?;
    Ok(Passed::new(None, key.into()))
}
