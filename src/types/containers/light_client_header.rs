//! The header that a light-client object is about, whatever its fork.

use ssz::{Decode, DecodeError};

use super::phase0::BeaconBlockHeader;
use super::sizes::MessageType;
use super::{altair, capella, deneb, electra, gloas};
use crate::types::ForkName;

/// Reads the header that a bootstrap starts from, or that an update's committee signed, out of SSZ whose size was checked.
/// All of the object is decoded.
///
/// # Errors
/// Bytes that are no such object of this fork, and a fork or a message that has none.
pub fn light_client_header(message: MessageType, fork: ForkName, ssz: &[u8]) -> Result<BeaconBlockHeader, DecodeError> {
    macro_rules! read {
        ($module:ident) => {
            match message {
                MessageType::LightClientBootstrap => $module::LightClientBootstrap::from_ssz_bytes(ssz)?.header.beacon,
                MessageType::LightClientUpdate => {
                    $module::LightClientUpdate::from_ssz_bytes(ssz)?.attested_header.beacon
                }
                MessageType::LightClientFinalityUpdate => {
                    $module::LightClientFinalityUpdate::from_ssz_bytes(ssz)?.attested_header.beacon
                }
                MessageType::LightClientOptimisticUpdate => {
                    $module::LightClientOptimisticUpdate::from_ssz_bytes(ssz)?.attested_header.beacon
                }
                _ => return Err(no_such_object()),
            }
        };
    }
    Ok(match fork {
        ForkName::Phase0 => return Err(no_such_object()),
        ForkName::Altair | ForkName::Bellatrix => read!(altair),
        ForkName::Capella => read!(capella),
        ForkName::Deneb => read!(deneb),
        ForkName::Electra | ForkName::Fulu => read!(electra),
        ForkName::Gloas | ForkName::Heze => read!(gloas),
    })
}

fn no_such_object() -> DecodeError {
    DecodeError::BytesInvalid("no light-client object".to_owned())
}
