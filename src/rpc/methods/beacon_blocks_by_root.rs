//! Blocks by root: this node holds none, and says so by an empty answer.
//!
//! Registered all the same, because a client that misses a parent asks any peer it has, and some hold an unknown
//! protocol against us (Lodestar 1.5.1 and 1.44: −10 of −20). Nothing here asks for blocks.

use std::convert::Infallible;
use std::time::Duration;

use futures::StreamExt;

use crate::rpc::codec::SizeBounds;
use crate::rpc::error::RpcError;
use crate::rpc::method::{Answer, Method, Protocol, decode_ssz, encode_ssz, protocol};
use crate::rpc::quota::Quota;
use crate::rpc::serve::{Origin, RpcHandler};
use crate::types::{ForkDigest, Root};

/// `MAX_REQUEST_BLOCKS` roots before Deneb, 128 from then on: the wider bound, since nothing is sent for any of them.
const REQUEST: SizeBounds = SizeBounds::between(0, 1024 * 32);

/// The method `beacon_blocks_by_root`, version 2; blocks that are not held are left out, and none is held.
///
/// [spec v1.6.0, BeaconBlocksByRoot v2](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#beaconblocksbyroot-v2)
#[derive(Debug)]
pub enum BeaconBlocksByRoot {}

impl Method for BeaconBlocksByRoot {
    const NAME: &'static str = "beacon_blocks_by_root";
    const PROTOCOLS: &'static [Protocol] =
        &[protocol!("beacon_blocks_by_root", 2, request: REQUEST, response: SizeBounds::exactly(0))];
    const QUOTA: Quota = Quota::new(128, Duration::from_secs(10));
    type Request = Vec<Root>;
    type Response = Infallible;

    fn encode_request(request: &Vec<Root>, _protocol: &Protocol) -> Vec<u8> {
        encode_ssz(request)
    }

    fn decode_request(ssz: &[u8], _protocol: &Protocol) -> Result<Vec<Root>, RpcError> {
        decode_ssz(ssz)
    }

    fn encode_response(response: &Infallible, _protocol: &Protocol) -> Vec<u8> {
        match *response {}
    }

    fn decode_response(_ssz: &[u8], context: Option<ForkDigest>, _protocol: &Protocol) -> Result<Infallible, RpcError> {
        Err(RpcError::WrongContext(context.unwrap_or_default()))
    }

    fn serve<'a>(_handler: &'a dyn RpcHandler, _origin: Origin, _request: Vec<Root>) -> Answer<'a, Infallible> {
        futures::stream::empty().boxed()
    }
}
