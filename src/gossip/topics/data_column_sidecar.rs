//! `data_column_sidecar_{subnet}`: columns of all blobs of a block, in the form of Fulu and in that of Gloas.
//!
//! Left to a state: in Fulu proposer and signature, the parent's validity and its having been seen, finality's ancestry;
//! from Gloas on, where the commitments are in the block, all that compares with them: the KZG proofs are not checked
//! then.
//!
//! [spec v1.6.0, data_column_sidecar](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#data_column_sidecar_subnet_id)

use crate::gossip::checks::{CheckContext, Judgement, Passed, header_seen, reject_unless};
use crate::gossip::seen::Key;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::{RejectReason, Verdict};
use crate::kzg;
use crate::switch::TopicScore;
use crate::types::containers::sizes::MessageType;
use crate::types::containers::{fulu, gloas};
use crate::types::{DATA_COLUMN_SUBNETS, ForkName, TopicKind};

/// [spec v1.6.0, NUMBER_OF_COLUMNS](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/das-core.md#size-parameters)
const COLUMNS: u64 = 128;

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::DataColumnSidecar,
    since: ForkName::Fulu,
    until: None,
    subnets: |_| DATA_COLUMN_SUBNETS,
    message: |_| MessageType::DataColumnSidecar,
    check: |context, ssz| {
        if context.fork() >= ForkName::Gloas { check_gloas(context, ssz) } else { check(context, ssz) }
    },
    corroborable: true,
    // all subnets together weigh like the block; one column of each block
    score: TopicScore { weight: 0.5 / 128.0, per_slot: 1.0 },
};

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let sidecar: fulu::DataColumnSidecar = context.decode(ssz)?;
    let (index, header) = (sidecar.index, sidecar.signed_block_header.message);
    let slot = header.slot;
    let key = Key::Column { slot, proposer: header.proposer_index, index };
    context.belongs(slot)?;
    context.unseen(key)?;
    check_structure(context, &sidecar)?;
    check_subnet(context, index)?;
    context.not_future(slot)?;
    context.not_finalized(slot)?;
    context.after_parent(slot, header.parent_root)?;
    let seen = header_seen(&header);
    context.is_worth_it(slot, Some(seen.root))?;
    // not remembered for the block's other columns: it costs some hundredths of what its cells do
    reject_unless(sidecar.has_valid_inclusion_proof(), RejectReason::BadInclusionProof)?;
    let is_proven = kzg::is_valid_column(index, &sidecar.column, &sidecar.kzg_commitments, &sidecar.kzg_proofs);
    reject_unless(is_proven, RejectReason::BadKzgProof)?;
    Ok(Passed::new(Some(slot), key.into()).with_header(seen))
}

/// [spec v1.6.0, verify_data_column_sidecar](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#verify_data_column_sidecar)
fn check_structure(context: &CheckContext<'_>, sidecar: &fulu::DataColumnSidecar) -> Result<(), Verdict> {
    let blobs = sidecar.kzg_commitments.len();
    reject_unless(sidecar.index < COLUMNS, RejectReason::IndexOutOfRange)?;
    reject_unless(blobs > 0, RejectReason::NoBlobs)?;
    context.blobs_allowed(sidecar.signed_block_header.message.slot.epoch(), blobs)?;
    let is_even = sidecar.column.len() == blobs && sidecar.kzg_proofs.len() == blobs;
    reject_unless(is_even, RejectReason::LengthMismatch)
}

fn check_subnet(context: &CheckContext<'_>, index: u64) -> Result<(), Verdict> {
    reject_unless(index % u64::from(DATA_COLUMN_SUBNETS) == context.subnet(), RejectReason::WrongSubnet)
}

/// From Gloas on the column refers to a block and does not repeat its commitments.
fn check_gloas(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let sidecar: gloas::DataColumnSidecar = context.decode(ssz)?;
    let (slot, index, block_root) = (sidecar.slot, sidecar.index, sidecar.beacon_block_root);
    let key = Key::BlockColumn { slot, block_root, index };
    context.belongs(slot)?;
    context.unseen(key)?;
    check_subnet(context, index)?;
    context.not_future(slot)?;
    let block = context.known_block(block_root)?;
    reject_unless(slot == block.slot, RejectReason::SlotMismatch)?;
    reject_unless(index < COLUMNS, RejectReason::IndexOutOfRange)?;
    reject_unless(!sidecar.column.is_empty(), RejectReason::NoBlobs)?;
    // both must be as many as the bid's commitments, and so as each other
    reject_unless(sidecar.column.len() == sidecar.kzg_proofs.len(), RejectReason::LengthMismatch)?;
    Ok(Passed::new(Some(slot), key.into()))
}
