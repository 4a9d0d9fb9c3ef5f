//! Status: what each side says of its chain, first of all by the dialler.
//!
//! Sent by the handshake and by the upkeep of ready peers. What a status means is judged there.

use std::time::Duration;

use ssz_derive::{Decode, Encode};

use crate::rpc::codec::SizeBounds;
use crate::rpc::error::RpcError;
use crate::rpc::method::{Answer, Method, Protocol, ServedMethod, answer_one, decode_ssz, encode_ssz, protocol};
use crate::rpc::quota::Quota;
use crate::rpc::serve::{Origin, RpcHandler};
use crate::types::{Epoch, ForkDigest, Root, Slot, StatusMessage};

const V1: SizeBounds = SizeBounds::exactly(84);
const V2: SizeBounds = SizeBounds::exactly(92);

/// The method `status`, versions 2 and 1; both sides send the same message.
///
/// [spec v1.6.0, Status v1](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#status-v1),
/// [Status v2](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#status-v2)
#[derive(Debug)]
pub enum Status {}

impl Method for Status {
    const NAME: &'static str = "status";
    const PROTOCOLS: &'static [Protocol] =
        &[protocol!("status", 2, request: V2, response: V2), protocol!("status", 1, request: V1, response: V1)];
    type Request = StatusMessage;
    type Response = StatusMessage;

    fn encode_request(request: &StatusMessage, protocol: &Protocol) -> Vec<u8> {
        encode(request, protocol)
    }

    fn decode_request(ssz: &[u8], protocol: &Protocol) -> Result<StatusMessage, RpcError> {
        decode(ssz, protocol)
    }

    fn encode_response(response: &StatusMessage, protocol: &Protocol) -> Vec<u8> {
        encode(response, protocol)
    }

    fn decode_response(
        ssz: Vec<u8>,
        _context: Option<ForkDigest>,
        protocol: &Protocol,
    ) -> Result<StatusMessage, RpcError> {
        decode(&ssz, protocol)
    }
}

impl ServedMethod for Status {
    const QUOTA: Quota = Quota::new(5, Duration::from_secs(15));

    fn serve<'a>(handler: &'a dyn RpcHandler, origin: Origin, request: StatusMessage) -> Answer<'a, StatusMessage> {
        handler.on_status(origin, request);
        answer_one(handler.status())
    }
}

#[derive(Encode, Decode)]
struct StatusV1 {
    fork_digest: ForkDigest,
    finalized_root: Root,
    finalized_epoch: Epoch,
    head_root: Root,
    head_slot: Slot,
}

#[derive(Encode, Decode)]
struct StatusV2 {
    fork_digest: ForkDigest,
    finalized_root: Root,
    finalized_epoch: Epoch,
    head_root: Root,
    head_slot: Slot,
    earliest_available_slot: Slot,
}

fn encode(status: &StatusMessage, protocol: &Protocol) -> Vec<u8> {
    match protocol.version {
        1 => encode_ssz(&StatusV1::from(status)),
        _ => encode_ssz(&StatusV2::from(status)),
    }
}

fn decode(ssz: &[u8], protocol: &Protocol) -> Result<StatusMessage, RpcError> {
    match protocol.version {
        1 => decode_ssz::<StatusV1>(ssz).map(StatusMessage::from),
        _ => decode_ssz::<StatusV2>(ssz).map(StatusMessage::from),
    }
}

impl From<&StatusMessage> for StatusV1 {
    fn from(status: &StatusMessage) -> Self {
        Self {
            fork_digest: status.fork_digest,
            finalized_root: status.finalized_root,
            finalized_epoch: status.finalized_epoch,
            head_root: status.head_root,
            head_slot: status.head_slot,
        }
    }
}

impl From<&StatusMessage> for StatusV2 {
    /// Without an earliest slot this claims the least that can be said: nothing before the head.
    fn from(status: &StatusMessage) -> Self {
        Self {
            fork_digest: status.fork_digest,
            finalized_root: status.finalized_root,
            finalized_epoch: status.finalized_epoch,
            head_root: status.head_root,
            head_slot: status.head_slot,
            earliest_available_slot: status.earliest_available_slot.unwrap_or(status.head_slot),
        }
    }
}

impl From<StatusV1> for StatusMessage {
    fn from(status: StatusV1) -> Self {
        Self {
            fork_digest: status.fork_digest,
            finalized_root: status.finalized_root,
            finalized_epoch: status.finalized_epoch,
            head_root: status.head_root,
            head_slot: status.head_slot,
            earliest_available_slot: None,
        }
    }
}

impl From<StatusV2> for StatusMessage {
    fn from(status: StatusV2) -> Self {
        Self {
            fork_digest: status.fork_digest,
            finalized_root: status.finalized_root,
            finalized_epoch: status.finalized_epoch,
            head_root: status.head_root,
            head_slot: status.head_slot,
            earliest_available_slot: Some(status.earliest_available_slot),
        }
    }
}
