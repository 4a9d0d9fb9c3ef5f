//! `light_client_finality_update`: the newest finalized header. What light-client updates share is here too.
//!
//! Whether the update is valid, or the one that we would make, is the light client's to say.
//!
//! [spec v1.6.0, light_client_finality_update](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/light-client/p2p-interface.md#light_client_finality_update)

use super::global;
use crate::gossip::checks::{CheckContext, Judgement, Passed, header_seen, ignore_unless};
use crate::gossip::seen::{Claims, Finality};
use crate::gossip::topic::Topic;
use crate::gossip::verdict::{IgnoreReason, RejectReason, Verdict};
use crate::switch::TopicScore;
use crate::types::containers::phase0::BeaconBlockHeader;
use crate::types::containers::sizes::MessageType;
use crate::types::containers::{altair, capella, deneb, electra, gloas};
use crate::types::{ForkName, Slot, TopicKind};

/// Members of a sync committee.
const SYNC_COMMITTEE_SIZE: usize = 512;

/// When sync-committee messages are due, in ten-thousandths of a slot: 3999 ms of 12 s.
///
/// [consensus-specs a08d8a6e2, SYNC_MESSAGE_DUE_BPS](https://github.com/ethereum/consensus-specs/blob/a08d8a6e2/specs/altair/validator.md)
const SYNC_MESSAGE_DUE_BPS: u64 = 3333;

/// The same from Gloas on: 3000 ms of 12 s.
const SYNC_MESSAGE_DUE_BPS_GLOAS: u64 = 2500;

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::LightClientFinalityUpdate,
    since: ForkName::Altair,
    until: None,
    subnets: global,
    message: |_| MessageType::LightClientFinalityUpdate,
    check,
    corroborable: true,
    // weighs like an exit; one in a slot at most
    score: TopicScore { weight: 0.05, per_slot: 1.0 },
};

/// An update of any fork.
struct Update {
    attested: BeaconBlockHeader,
    finalized: Slot,
    signers: usize,
    signature_slot: Slot,
}

/// Takes an update of a fork apart.
macro_rules! update {
    ($update:expr) => {{
        let update = $update;
        Update {
            attested: update.attested_header.beacon,
            finalized: update.finalized_header.beacon.slot,
            signers: update.sync_aggregate.sync_committee_bits.num_set_bits(),
            signature_slot: update.signature_slot,
        }
    }};
}

fn decode(context: &CheckContext<'_>, ssz: &[u8]) -> Result<Update, Verdict> {
    Ok(match context.fork() {
        ForkName::Phase0 => return Err(RejectReason::UnknownTopic.into()),
        ForkName::Altair | ForkName::Bellatrix => update!(context.decode::<altair::LightClientFinalityUpdate>(ssz)?),
        ForkName::Capella => update!(context.decode::<capella::LightClientFinalityUpdate>(ssz)?),
        ForkName::Deneb => update!(context.decode::<deneb::LightClientFinalityUpdate>(ssz)?),
        ForkName::Electra | ForkName::Fulu => update!(context.decode::<electra::LightClientFinalityUpdate>(ssz)?),
        ForkName::Gloas | ForkName::Heze => update!(context.decode::<gloas::LightClientFinalityUpdate>(ssz)?),
    })
}

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let update = decode(context, ssz)?;
    let is_supermajority = update.signers * 3 > SYNC_COMMITTEE_SIZE * 2;
    let finality = Finality { slot: update.finalized, is_supermajority };
    context.belongs(update.attested.slot)?;
    ignore_unless(context.seen.is_newest_finality(finality), IgnoreReason::NotBetter)?;
    check_due(context, update.signature_slot)?;
    let claims = Claims { finality: Some(finality), ..Claims::default() };
    let passed = Passed::new(Some(update.attested.slot), claims);
    Ok(passed.with_header(header_seen(&update.attested)))
}

/// The messages of the committee that the update is made of can have been there.
pub(super) fn check_due(context: &CheckContext<'_>, signature_slot: Slot) -> Result<(), Verdict> {
    let fork = context.schedule.state_at(signature_slot.epoch()).fork;
    let due_bps = if fork >= ForkName::Gloas { SYNC_MESSAGE_DUE_BPS_GLOAS } else { SYNC_MESSAGE_DUE_BPS };
    ignore_unless(context.windows.is_due(signature_slot, due_bps), IgnoreReason::TooEarly)
}
