//! `blob_sidecar_{subnet}`: blobs, in Deneb and Electra.
//!
//! Left to a state: proposer and signature, the parent's validity and its having been seen, finality's ancestry.
//!
//! [spec v1.6.0, blob_sidecar](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/p2p-interface.md#blob_sidecar_subnet_id)

use crate::gossip::checks::{CheckContext, Judgement, Passed, header_seen, reject_unless};
use crate::gossip::kzg;
use crate::gossip::seen::Key;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::RejectReason;
use crate::switch::TopicScore;
use crate::types::containers::Container;
use crate::types::containers::deneb::BlobSidecar;
use crate::types::containers::sizes::MessageType;
use crate::types::merkle::is_valid_merkle_branch;
use crate::types::{ForkName, TopicKind};

/// Levels between a commitment and the body's root: twelve of the list, its length, four of the body.
///
/// [spec v1.6.0, KZG_COMMITMENT_INCLUSION_PROOF_DEPTH](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/p2p-interface.md#preset)
const PROOF_DEPTH: usize = 17;

/// The position of the first commitment on that level: below field 11 of the body, left of the list's length.
const FIRST_COMMITMENT: u64 = (11 * 2) << 12;

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::BlobSidecar,
    since: ForkName::Deneb,
    until: Some(ForkName::Fulu),
    subnets,
    message: |_| MessageType::BlobSidecar,
    check,
    corroborable: true,
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
    reject_unless(is_included(&sidecar), RejectReason::BadInclusionProof)?;
    let is_proven = kzg::is_valid_blob(&sidecar.blob, &sidecar.kzg_commitment, &sidecar.kzg_proof);
    reject_unless(is_proven, RejectReason::BadKzgProof)?;
    let key = Key::Blob { slot, proposer: header.proposer_index, index };
    context.unseen(key)?;
    Ok(Passed::new(TopicKind::BlobSidecar, Some(slot), key.into()).with_header(header_seen(&header)))
}

/// The commitment is in the block's body, at the blob's index.
///
/// [spec v1.6.0, verify_blob_sidecar_inclusion_proof](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/p2p-interface.md#verify_blob_sidecar_inclusion_proof)
fn is_included(sidecar: &BlobSidecar) -> bool {
    is_valid_merkle_branch(
        sidecar.kzg_commitment.root(),
        &sidecar.kzg_commitment_inclusion_proof.0,
        PROOF_DEPTH,
        FIRST_COMMITMENT.saturating_add(sidecar.index),
        sidecar.signed_block_header.message.body_root,
    )
}
