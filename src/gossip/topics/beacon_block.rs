//! `beacon_block`: signed blocks.
//!
//! Left to a state: proposer and signature, the parent's validity and payload, finality's ancestry. Whether the parent
//! has been *seen* is left to it too, since a node that has just started has seen none.
//!
//! [spec v1.6.0, beacon_block](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#beacon_block)

use super::global;
use crate::gossip::checks::{CheckContext, Judgement, Passed, header_seen, reject_unless};
use crate::gossip::seen::Key;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::{RejectReason, Verdict};
use crate::switch::TopicScore;
use crate::types::containers::sizes::MessageType;
use crate::types::containers::{ExecutionBid, SignedBlock, decode_signed_block};
use crate::types::{ForkName, TopicKind};

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::BeaconBlock,
    since: ForkName::Phase0,
    until: None,
    subnets: global,
    message: |_| MessageType::SignedBeaconBlock,
    check,
    corroborable: true,
    // one block in a slot
    score: TopicScore { weight: 0.5, per_slot: 1.0 },
};

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let block = decode_signed_block(context.fork(), ssz).map_err(|_err| RejectReason::BadSsz)?;
    let block = block.as_ref();
    let slot = block.slot();
    let key = Key::Proposal { slot, proposer: block.proposer_index() };
    context.belongs(slot)?;
    context.not_future(slot)?;
    context.not_finalized(slot)?;
    context.unseen(key)?;
    match block.bid() {
        None => with_payload(context, block)?,
        Some(bid) => with_bid(context, block, bid)?,
    }
    context.is_worth_it(slot, None)?;
    Ok(Passed::new(Some(slot), key.into()).with_header(header_seen(&block.header())))
}

/// Until Fulu, where the block has its payload inside.
fn with_payload(context: &CheckContext<'_>, block: &dyn SignedBlock) -> Result<(), Verdict> {
    let slot = block.slot();
    // in Bellatrix the payload may be empty still, before the merge
    if context.fork() >= ForkName::Capella {
        let timestamp = Some(context.windows.timestamp(slot));
        reject_unless(block.payload_timestamp() == timestamp, RejectReason::BadTimestamp)?;
    }
    context.blobs_allowed(slot.epoch(), block.blob_commitments())?;
    context.after_parent(slot, block.parent_root())
}

/// From Gloas on, where a builder's bid stands for the payload and the lists have no limits of their own.
fn with_bid(context: &CheckContext<'_>, block: &dyn SignedBlock, bid: &dyn ExecutionBid) -> Result<(), Verdict> {
    context.after_parent(block.slot(), block.parent_root())?;
    reject_unless(block.list_over_limit().is_none(), RejectReason::TooManyOperations)?;
    reject_unless(bid.parent_block_root() == block.parent_root(), RejectReason::ParentMismatch)?;
    context.blobs_allowed(block.slot().epoch(), bid.blob_kzg_commitments().len())
}
