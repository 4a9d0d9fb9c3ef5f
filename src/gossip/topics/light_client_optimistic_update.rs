//! `light_client_optimistic_update`: the newest header that the sync committee signed.
//!
//! Whether the update is valid, or the one that we would make, is the light client's to say.
//!
//! [spec v1.6.0, light_client_optimistic_update](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/light-client/p2p-interface.md#light_client_optimistic_update)

use super::global;
use super::light_client_finality_update::check_due;
use crate::gossip::checks::{CheckContext, Judgement, Passed, header_seen, ignore_unless};
use crate::gossip::seen::Claims;
use crate::gossip::topic::Topic;
use crate::gossip::verdict::{IgnoreReason, RejectReason, Verdict};
use crate::switch::TopicScore;
use crate::types::containers::phase0::BeaconBlockHeader;
use crate::types::containers::sizes::MessageType;
use crate::types::containers::{altair, capella, deneb, gloas};
use crate::types::{ForkName, Slot, TopicKind};

pub(super) static TOPIC: Topic = Topic {
    kind: TopicKind::LightClientOptimisticUpdate,
    since: ForkName::Altair,
    until: None,
    subnets: global,
    message: |_| MessageType::LightClientOptimisticUpdate,
    check,
    corroborable: true,
    // weighs like an exit; one in a slot
    score: TopicScore { weight: 0.05, per_slot: 1.0 },
};

/// The attested header and the slot of the signature, of any fork.
fn decode(context: &CheckContext<'_>, ssz: &[u8]) -> Result<(BeaconBlockHeader, Slot), Verdict> {
    Ok(match context.fork() {
        ForkName::Phase0 => return Err(RejectReason::UnknownTopic.into()),
        ForkName::Altair | ForkName::Bellatrix => {
            let update: altair::LightClientOptimisticUpdate = context.decode(ssz)?;
            (update.attested_header.beacon, update.signature_slot)
        }
        ForkName::Capella => {
            let update: capella::LightClientOptimisticUpdate = context.decode(ssz)?;
            (update.attested_header.beacon, update.signature_slot)
        }
        ForkName::Deneb | ForkName::Electra | ForkName::Fulu => {
            let update: deneb::LightClientOptimisticUpdate = context.decode(ssz)?;
            (update.attested_header.beacon, update.signature_slot)
        }
        ForkName::Gloas | ForkName::Heze => {
            let update: gloas::LightClientOptimisticUpdate = context.decode(ssz)?;
            (update.attested_header.beacon, update.signature_slot)
        }
    })
}

fn check(context: &CheckContext<'_>, ssz: &[u8]) -> Judgement {
    let (attested, signature_slot) = decode(context, ssz)?;
    context.belongs(attested.slot)?;
    ignore_unless(context.seen.is_newest_optimistic(attested.slot), IgnoreReason::NotBetter)?;
    check_due(context, signature_slot)?;
    let claims = Claims { optimistic: Some(attested.slot), ..Claims::default() };
    let passed = Passed::new(Some(attested.slot), claims);
    Ok(passed.with_header(header_seen(&attested)))
}
