//! `beacon_attestation_{subnet}`: single votes. The rules that aggregates share are here too.
//!
//! Left to a state: the number of committees (and with it the exact subnet), membership, the signature, the block voted
//! for and its ancestors.
//!
//! [spec v1.6.0, beacon_attestation](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#beacon_attestation_subnet_id)

use crate::gossip::checks::{CheckContext, Judgement, Passed, ignore_unless, reject_unless};
use crate::gossip::seen::Key;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::{IgnoreReason, RejectReason, Verdict};
use crate::switch::TopicScore;
use crate::types::containers::electra::SingleAttestation;
use crate::types::containers::phase0::{Attestation, AttestationData};
use crate::types::containers::sizes::MessageType;
use crate::types::{ATTESTATION_SUBNETS, ForkName, SLOTS_PER_EPOCH, Slot, TopicKind};

/// [spec v1.6.0, MAX_COMMITTEES_PER_SLOT](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/beacon-chain.md#misc-1)
const MAX_COMMITTEES_PER_SLOT: u64 = 64;

/// Until Deneb, in slots.
///
/// [spec v1.6.0, ATTESTATION_PROPAGATION_SLOT_RANGE](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#configuration)
const PROPAGATION_SLOT_RANGE: u64 = 32;

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::BeaconAttestation,
    since: ForkName::Phase0,
    until: None,
    subnets: |_| ATTESTATION_SUBNETS,
    message: |fork| if fork >= ForkName::Electra { MessageType::SingleAttestation } else { MessageType::Attestation },
    check: |context, ssz| {
        if context.fork() >= ForkName::Electra { check_single(context, ssz) } else { check(context, ssz) }
    },
    corroborable: true,
    // the weight of all subnets together is 1; 33,400 votes in a slot, a few more than 522 on each
    score: TopicScore { weight: 1.0 / 64.0, per_slot: 535.0 },
};

/// Until Deneb, where the voter is a seat in a committee.
fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let attestation: Attestation = context.decode(ssz)?;
    let data = attestation.data;
    context.belongs(data.slot)?;
    check_subnet(context, data.slot, data.index)?;
    check_time(context, data.slot)?;
    check_target(&data)?;
    let bits = &attestation.aggregation_bits;
    reject_unless(bits.num_set_bits() == 1, RejectReason::NotOneBit)?;
    let position = bits.highest_set_bit().and_then(|position| u16::try_from(position).ok()).unwrap_or_default();
    let committee = u8::try_from(data.index).unwrap_or_default();
    let key = Key::Seat { slot: data.slot, committee, position };
    context.unseen(key)?;
    Ok(Passed::new(Some(data.slot), key.into()))
}

/// From Electra on, where the voter is named.
fn check_single(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let attestation: SingleAttestation = context.decode(ssz)?;
    let data = attestation.data;
    context.belongs(data.slot)?;
    check_data_index(context.fork(), &data)?;
    check_subnet(context, data.slot, attestation.committee_index)?;
    check_time(context, data.slot)?;
    check_target(&data)?;
    let key = Key::Attester { epoch: data.target.epoch, validator: attestation.attester_index };
    context.unseen(key)?;
    check_same_slot(context, &data)?;
    Ok(Passed::new(Some(data.slot), key.into()))
}

/// There can be such a committee, and some number of committees in a slot that puts it on this subnet.
fn check_subnet(context: &CheckContext<'_>, slot: Slot, committee: u64) -> Result<(), Verdict> {
    reject_unless(committee < MAX_COMMITTEES_PER_SLOT, RejectReason::IndexOutOfRange)?;
    reject_unless(is_possible_subnet(slot, committee, context.subnet()), RejectReason::WrongSubnet)
}

/// [spec v1.6.0, compute_subnet_for_attestation](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/validator.md#broadcast-attestation)
fn is_possible_subnet(slot: Slot, committee: u64, subnet: u64) -> bool {
    let since_epoch_start = slot.0 % SLOTS_PER_EPOCH;
    (committee + 1..=MAX_COMMITTEES_PER_SLOT)
        .any(|per_slot| (per_slot * since_epoch_start + committee) % u64::from(ATTESTATION_SUBNETS) == subnet)
}

/// The data's index is what the fork allows: the committee until Deneb, 0 in Electra and Fulu, then whether the payload
/// was there.
pub(super) fn check_data_index(fork: ForkName, data: &AttestationData) -> Result<(), Verdict> {
    let (last, reason) = match fork {
        ForkName::Phase0 | ForkName::Altair | ForkName::Bellatrix | ForkName::Capella | ForkName::Deneb => {
            (MAX_COMMITTEES_PER_SLOT - 1, RejectReason::IndexOutOfRange)
        }
        ForkName::Electra | ForkName::Fulu => (0, RejectReason::BadDataIndex),
        ForkName::Gloas | ForkName::Heze => (1, RejectReason::BadDataIndex),
    };
    reject_unless(data.index <= last, reason)
}

/// The slot is one of the last 32 until Capella, then of this epoch or the previous one.
pub(super) fn check_time(context: &CheckContext<'_>, slot: Slot) -> Result<(), Verdict> {
    if context.fork() < ForkName::Deneb {
        return context.within(slot, PROPAGATION_SLOT_RANGE);
    }
    context.not_future(slot)?;
    ignore_unless(context.windows.is_current_or_previous(slot.epoch()), IgnoreReason::Past)
}

/// The target is of the slot's epoch.
pub(super) fn check_target(data: &AttestationData) -> Result<(), Verdict> {
    reject_unless(data.target.epoch == data.slot.epoch(), RejectReason::TargetEpochMismatch)
}

/// From Gloas on: a vote for a block of its own slot cannot say that the payload was there.
pub(super) fn check_same_slot(context: &CheckContext<'_>, data: &AttestationData) -> Result<(), Verdict> {
    if context.fork() < ForkName::Gloas || data.index != 1 {
        return Ok(());
    }
    let block = context.headers.get(data.beacon_block_root);
    reject_unless(block.is_none_or(|block| block.slot != data.slot), RejectReason::PayloadTooEarly)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_first_slot_of_an_epoch_the_subnet_is_the_committee() {
        for subnet in 0..64 {
            assert_eq!(is_possible_subnet(Slot(64), 5, subnet), subnet == 5, "{subnet}");
        }
    }

    #[test]
    fn every_subnet_that_some_number_of_committees_gives_is_possible() {
        for slot in 0..32 {
            for per_slot in 1..=64 {
                for committee in 0..per_slot {
                    let subnet = (per_slot * slot + committee) % 64;
                    assert!(is_possible_subnet(Slot(320 + slot), committee, subnet), "{slot} {per_slot} {committee}");
                }
            }
        }
    }

    #[test]
    fn the_last_committee_leaves_one_number_of_committees() {
        for subnet in 0..64 {
            assert_eq!(is_possible_subnet(Slot(33), 63, subnet), subnet == 63, "{subnet}");
        }
    }
}
