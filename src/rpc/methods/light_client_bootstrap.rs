//! Where a light client starts, by the root of a block that it trusts.

use super::sizes_of;
use crate::rpc::codec::SizeBounds;
use crate::rpc::method::forked;
use crate::types::Root;
use crate::types::containers::sizes::MessageType;

/// The method `light_client_bootstrap`, version 1.
///
/// [spec v1.6.0, GetLightClientBootstrap](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/light-client/p2p-interface.md#getlightclientbootstrap)
#[derive(Debug)]
pub enum LightClientBootstrap {}

forked!(
    LightClientBootstrap, "light_client_bootstrap" / 1,
    request: Root [SizeBounds::exactly(32)],
    response: sizes_of(MessageType::LightClientBootstrap),
    most: |_| 1
);
