//! The newest light-client update about the head.

use super::sizes_of;
use crate::rpc::method::forked;
use crate::types::containers::sizes::MessageType;

/// The method `light_client_optimistic_update`, version 1; the request has no body.
///
/// [spec v1.6.0, GetLightClientOptimisticUpdate](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/light-client/p2p-interface.md#getlightclientoptimisticupdate)
#[derive(Debug)]
pub enum LightClientOptimisticUpdate {}

forked!(
    LightClientOptimisticUpdate, "light_client_optimistic_update" / 1,
    request: none,
    response: sizes_of(MessageType::LightClientOptimisticUpdate)
);
