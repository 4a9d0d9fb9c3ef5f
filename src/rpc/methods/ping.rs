//! Ping: proves liveness and carries the sequence number of the sender's metadata.
//!
//! Sent by the handshake and the upkeep of ready peers; whoever sees a newer number asks for the metadata.

use std::time::Duration;

use crate::rpc::codec::SizeBounds;
use crate::rpc::error::RpcError;
use crate::rpc::method::{Answer, Method, Protocol, ServedMethod, answer_one, decode_ssz, encode_ssz, protocol};
use crate::rpc::quota::Quota;
use crate::rpc::serve::{Origin, RpcHandler};
use crate::types::ForkDigest;

const U64: SizeBounds = SizeBounds::exactly(8);

/// The method `ping`: both sides send the `seq_number` of their metadata.
///
/// [spec v1.6.0, Ping](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#ping-v1)
#[derive(Debug)]
pub enum Ping {}

impl Method for Ping {
    const NAME: &'static str = "ping";
    const PROTOCOLS: &'static [Protocol] = &[protocol!("ping", 1, request: U64, response: U64)];
    type Request = u64;
    type Response = u64;

    fn encode_request(request: &u64, _protocol: &Protocol) -> Vec<u8> {
        encode_ssz(request)
    }

    fn decode_request(ssz: &[u8], _protocol: &Protocol) -> Result<u64, RpcError> {
        decode_ssz(ssz)
    }

    fn encode_response(response: &u64, _protocol: &Protocol) -> Vec<u8> {
        encode_ssz(response)
    }

    fn decode_response(ssz: Vec<u8>, _context: Option<ForkDigest>, _protocol: &Protocol) -> Result<u64, RpcError> {
        decode_ssz(&ssz)
    }
}

impl ServedMethod for Ping {
    const QUOTA: Quota = Quota::new(2, Duration::from_secs(10));

    fn serve<'a>(handler: &'a dyn RpcHandler, origin: Origin, request: u64) -> Answer<'a, u64> {
        handler.on_ping(origin, request);
        answer_one(handler.metadata().seq_number)
    }
}
