//! Blocks by root: this node holds none yet, and says so by an empty answer.
//!
//! Registered all the same, because a client that misses a parent asks any peer it has, and some hold an unknown
//! protocol against us (Lodestar 1.5.1 and 1.44: −10 of −20).

use std::time::Duration;

use futures::StreamExt;

use super::BLOCK;
use crate::rpc::codec::SizeBounds;
use crate::rpc::method::{Answer, ServedMethod, all_distinct, forked};
use crate::rpc::quota::Quota;
use crate::rpc::serve::{Origin, RpcHandler};
use crate::types::Root;

/// `MAX_REQUEST_BLOCKS` roots before Deneb, 128 from then on: the wider bound.
const REQUEST: SizeBounds = SizeBounds::between(0, 1024 * 32);

/// The method `beacon_blocks_by_root`, version 2; blocks that are not held are left out.
///
/// [spec v1.6.0, BeaconBlocksByRoot v2](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#beaconblocksbyroot-v2)
#[derive(Debug)]
pub enum BeaconBlocksByRoot {}

forked!(
    BeaconBlocksByRoot, "beacon_blocks_by_root" / 2,
    request: Vec<Root> [REQUEST],
    response: BLOCK,
    most: |request| request.len(),
    distinct: |request| all_distinct(request)
);

impl ServedMethod for BeaconBlocksByRoot {
    const QUOTA: Quota = Quota::new(128, Duration::from_secs(10));

    fn serve<'a>(_handler: &'a dyn RpcHandler, _origin: Origin, _request: Vec<Root>) -> Answer<'a, Vec<u8>> {
        futures::stream::empty().boxed()
    }
}
