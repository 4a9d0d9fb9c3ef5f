//! Light-client updates by range: the best of each sync committee period.

use ssz_derive::{Decode, Encode};

use super::sizes_of;
use crate::rpc::codec::SizeBounds;
use crate::rpc::method::forked;
use crate::types::containers::sizes::MessageType;

/// [spec v1.6.0, MAX_REQUEST_LIGHT_CLIENT_UPDATES](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/light-client/p2p-interface.md#configuration)
const MOST: u64 = 128;

/// The periods from `start_period` on, `count` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UpdatesByRange {
    /// The first period.
    pub start_period: u64,
    /// How many periods.
    pub count: u64,
}

/// The method `light_client_updates_by_range`, version 1.
///
/// [spec v1.6.0, LightClientUpdatesByRange](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/light-client/p2p-interface.md#lightclientupdatesbyrange)
#[derive(Debug)]
pub enum LightClientUpdatesByRange {}

forked!(
    LightClientUpdatesByRange, "light_client_updates_by_range" / 1,
    request: UpdatesByRange [SizeBounds::exactly(16)],
    response: sizes_of(MessageType::LightClientUpdate),
    most: |request| usize::try_from(request.count.min(MOST)).unwrap_or(usize::MAX)
);
