//! Goodbye: says why the sender is about to leave.
//!
//! Sent by `node` before it closes a connection. Most peers hang up instead of answering, so the sender must take a
//! closed stream for success.

use std::time::Duration;

use crate::rpc::codec::SizeBounds;
use crate::rpc::error::RpcError;
use crate::rpc::method::{Answer, Method, Protocol, ServedMethod, answer_one, decode_ssz, encode_ssz, protocol};
use crate::rpc::quota::Quota;
use crate::rpc::serve::{Origin, RpcHandler};
use crate::types::{ForkDigest, GoodbyeReason};

const U64: SizeBounds = SizeBounds::exactly(8);

/// The method `goodbye`: both sides send a reason; ours, in answer, is the peer's own.
///
/// [spec v1.6.0, Goodbye](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#goodbye-v1)
#[derive(Debug)]
pub enum Goodbye {}

impl Method for Goodbye {
    const NAME: &'static str = "goodbye";
    const PROTOCOLS: &'static [Protocol] = &[protocol!("goodbye", 1, request: U64, response: U64)];
    type Request = GoodbyeReason;
    type Response = GoodbyeReason;

    fn encode_request(request: &GoodbyeReason, _protocol: &Protocol) -> Vec<u8> {
        encode_ssz(request)
    }

    fn decode_request(ssz: &[u8], _protocol: &Protocol) -> Result<GoodbyeReason, RpcError> {
        decode_ssz(ssz)
    }

    fn encode_response(response: &GoodbyeReason, _protocol: &Protocol) -> Vec<u8> {
        encode_ssz(response)
    }

    fn decode_response(
        ssz: Vec<u8>,
        _context: Option<ForkDigest>,
        _protocol: &Protocol,
    ) -> Result<GoodbyeReason, RpcError> {
        decode_ssz(&ssz)
    }
}

impl ServedMethod for Goodbye {
    const QUOTA: Quota = Quota::new(1, Duration::from_secs(10));

    fn serve<'a>(handler: &'a dyn RpcHandler, origin: Origin, request: GoodbyeReason) -> Answer<'a, GoodbyeReason> {
        handler.on_goodbye(origin, request);
        answer_one(request)
    }
}
