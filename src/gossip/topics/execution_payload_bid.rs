//! `execution_payload_bid`: what builders offer for a slot, from Gloas on.
//!
//! Left to a state: the proposer's preferences, the gas limit, the head, randao, the builder and its means, the
//! signature; from Heze on the inclusion lists.
//!
//! consensus-specs `a08d8a6e2`, `specs/gloas/p2p-interface.md`, execution_payload_bid.

use super::global;
use crate::gossip::checks::{CheckContext, Judgement, Passed, ignore_unless, reject_unless};
use crate::gossip::seen::{Auction, Claims, Key};
use crate::gossip::topic::Topic;
use crate::gossip::verdict::{IgnoreReason, RejectReason, Verdict};
use crate::switch::TopicScore;
use crate::types::containers::sizes::MessageType;
use crate::types::containers::{ExecutionBid, gloas, heze};
use crate::types::{ForkName, Slot, TopicKind};

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::ExecutionPayloadBid,
    since: ForkName::Gloas,
    until: None,
    subnets: global,
    message: |_| MessageType::SignedExecutionPayloadBid,
    check,
    corroborable: true,
    // a guess: ten builders, none of whom must be heard
    score: TopicScore { weight: 0.05, per_slot: 10.0 },
};

fn decode(context: &CheckContext<'_>, ssz: &[u8]) -> Result<Box<dyn ExecutionBid>, Verdict> {
    if context.fork() >= ForkName::Heze {
        let bid: heze::SignedExecutionPayloadBid = context.decode(ssz)?;
        return Ok(Box::new(bid.message));
    }
    let bid: gloas::SignedExecutionPayloadBid = context.decode(ssz)?;
    Ok(Box::new(bid.message))
}

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let bid = decode(context, ssz)?;
    let (slot, parent_hash, parent_root) = (bid.slot(), bid.parent_block_hash(), bid.parent_block_root());
    let key = Key::Bid { slot, parent_hash, parent_root, builder: bid.builder_index() };
    let auction = Auction { slot, parent_hash, parent_root };
    context.belongs(slot)?;
    check_time(context, slot)?;
    reject_unless(bid.execution_payment() == 0, RejectReason::PaymentNotZero)?;
    context.blobs_allowed(slot.epoch(), bid.blob_kzg_commitments().len())?;
    context.known_block(parent_root)?;
    context.unseen(key)?;
    let best = context.seen.best_bid(&auction);
    ignore_unless(best.is_none_or(|best| bid.value() > best), IgnoreReason::NotBetter)?;
    let claims = Claims { bid: Some((auction, bid.value())), ..key.into() };
    Ok(Passed::new(Some(slot), claims))
}

/// The slot is the current one or the next.
fn check_time(context: &CheckContext<'_>, slot: Slot) -> Result<(), Verdict> {
    context.not_future(Slot(slot.0.saturating_sub(1)))?;
    ignore_unless(!context.windows.is_over(slot, 0), IgnoreReason::Past)
}
