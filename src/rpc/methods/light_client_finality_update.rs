//! The newest light-client update about finality.

use super::sizes_of;
use crate::rpc::method::forked;
use crate::types::containers::sizes::MessageType;

/// The method `light_client_finality_update`, version 1; the request has no body.
///
/// [spec v1.6.0, GetLightClientFinalityUpdate](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/light-client/p2p-interface.md#getlightclientfinalityupdate)
#[derive(Debug)]
pub enum LightClientFinalityUpdate {}

forked!(
    LightClientFinalityUpdate, "light_client_finality_update" / 1,
    request: none,
    response: sizes_of(MessageType::LightClientFinalityUpdate)
);
