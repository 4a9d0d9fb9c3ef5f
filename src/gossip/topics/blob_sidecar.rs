//! `blob_sidecar_{subnet}`: blobs, in Deneb and Electra.
//!
//! Left to a state: proposer and signature, the parent's validity and its having been seen, finality's ancestry.
//!
//! [spec v1.6.0, blob_sidecar](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/p2p-interface.md#blob_sidecar_subnet_id)

use crate::gossip::checks::{CheckContext, Judgement, Passed, header_seen, reject_unless};
use crate::gossip::seen::Key;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::RejectReason;
use crate::kzg;
use crate::switch::TopicScore;
use crate::types::containers::deneb::BlobSidecar;
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkName, TopicKind};

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::BlobSidecar,
    since: ForkName::Deneb,
    until: Some(ForkName::Fulu),
    subnets,
    message: |_| MessageType::BlobSidecar,
    check,
    corroborable: true,
    // all subnets together weigh like the block; a guess: half of the blobs that there may be
    score: TopicScore { weight: 0.5 / 9.0, per_slot: 0.5 },
};

/// [spec v1.6.0, Electra configuration](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/electra/p2p-interface.md#configuration)
fn subnets(fork: ForkName) -> u16 {
    if fork >= ForkName::Electra { 9 } else { 6 }
}

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let sidecar: BlobSidecar = context.decode(ssz)?;
    let (index, header) = (sidecar.index, sidecar.signed_block_header.message);
    let slot = header.slot;
    context.belongs(slot)?;
    reject_unless(index < context.max_blobs(slot.epoch()), RejectReason::IndexOutOfRange)?;
    reject_unless(index % u64::from(subnets(context.fork())) == context.subnet(), RejectReason::WrongSubnet)?;
    context.not_future(slot)?;
    context.not_finalized(slot)?;
    context.after_parent(slot, header.parent_root)?;
    let seen = header_seen(&header);
    context.is_worth_it(slot, Some(seen.root))?;
    reject_unless(sidecar.has_valid_inclusion_proof(), RejectReason::BadInclusionProof)?;
    let is_proven = kzg::is_valid_blob(&sidecar.blob, &sidecar.kzg_commitment, &sidecar.kzg_proof);
    reject_unless(is_proven, RejectReason::BadKzgProof)?;
    let key = Key::Blob { slot, proposer: header.proposer_index, index };
    context.unseen(key)?;
    Ok(Passed::new(Some(slot), key.into()).with_header(seen))
}
