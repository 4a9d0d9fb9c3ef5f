//! Metadata: a peer's subnets and custody; the version decides how much of it is sent.
//!
//! Asked by the handshake, and again when a ping shows a newer sequence number.

use std::time::Duration;

use ssz_derive::{Decode, Encode};

use crate::rpc::codec::SizeBounds;
use crate::rpc::error::RpcError;
use crate::rpc::method::{Answer, Method, Protocol, ServedMethod, answer_one, decode_ssz, encode_ssz, protocol};
use crate::rpc::quota::Quota;
use crate::rpc::serve::{Origin, RpcHandler};
use crate::types::{Attnets, ForkDigest, MetaData, Syncnets};

/// The method `metadata`, versions 3, 2 and 1; the request has no body.
///
/// [spec v1.6.0, GetMetaData v1](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#getmetadata-v1),
/// [v2](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#getmetadata-v2),
/// [v3](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#getmetadata-v3)
#[derive(Debug)]
pub enum Metadata {}

impl Method for Metadata {
    const NAME: &'static str = "metadata";
    const PROTOCOLS: &'static [Protocol] = &[
        protocol!("metadata", 3, request: none, response: SizeBounds::exactly(25)),
        protocol!("metadata", 2, request: none, response: SizeBounds::exactly(17)),
        protocol!("metadata", 1, request: none, response: SizeBounds::exactly(16)),
    ];
    type Request = ();
    type Response = MetaData;

    fn encode_request((): &(), _protocol: &Protocol) -> Vec<u8> {
        Vec::new()
    }

    fn decode_request(_ssz: &[u8], _protocol: &Protocol) -> Result<(), RpcError> {
        Ok(())
    }

    fn encode_response(response: &MetaData, protocol: &Protocol) -> Vec<u8> {
        match protocol.version {
            1 => encode_ssz(&MetaDataV1::from(response)),
            2 => encode_ssz(&MetaDataV2::from(response)),
            _ => encode_ssz(&MetaDataV3::from(response)),
        }
    }

    fn decode_response(ssz: Vec<u8>, _context: Option<ForkDigest>, protocol: &Protocol) -> Result<MetaData, RpcError> {
        match protocol.version {
            1 => decode_ssz::<MetaDataV1>(&ssz).map(MetaData::from),
            2 => decode_ssz::<MetaDataV2>(&ssz).map(MetaData::from),
            _ => decode_ssz::<MetaDataV3>(&ssz).map(MetaData::from),
        }
    }
}

impl ServedMethod for Metadata {
    const QUOTA: Quota = Quota::new(2, Duration::from_secs(5));

    fn serve<'a>(handler: &'a dyn RpcHandler, _origin: Origin, (): ()) -> Answer<'a, MetaData> {
        answer_one(handler.metadata())
    }
}

#[derive(Encode, Decode)]
struct MetaDataV1 {
    seq_number: u64,
    attnets: Attnets,
}

#[derive(Encode, Decode)]
struct MetaDataV2 {
    seq_number: u64,
    attnets: Attnets,
    syncnets: Syncnets,
}

#[derive(Encode, Decode)]
struct MetaDataV3 {
    seq_number: u64,
    attnets: Attnets,
    syncnets: Syncnets,
    custody_group_count: u64,
}

impl From<&MetaData> for MetaDataV1 {
    fn from(metadata: &MetaData) -> Self {
        Self { seq_number: metadata.seq_number, attnets: metadata.attnets.clone() }
    }
}

impl From<&MetaData> for MetaDataV2 {
    /// Absent sync committees are none.
    fn from(metadata: &MetaData) -> Self {
        Self {
            seq_number: metadata.seq_number,
            attnets: metadata.attnets.clone(),
            syncnets: metadata.syncnets.clone().unwrap_or_default(),
        }
    }
}

impl From<&MetaData> for MetaDataV3 {
    /// Absent sync committees and custody groups are none.
    fn from(metadata: &MetaData) -> Self {
        Self {
            seq_number: metadata.seq_number,
            attnets: metadata.attnets.clone(),
            syncnets: metadata.syncnets.clone().unwrap_or_default(),
            custody_group_count: metadata.custody_group_count.unwrap_or_default(),
        }
    }
}

impl From<MetaDataV1> for MetaData {
    fn from(metadata: MetaDataV1) -> Self {
        Self { seq_number: metadata.seq_number, attnets: metadata.attnets, syncnets: None, custody_group_count: None }
    }
}

impl From<MetaDataV2> for MetaData {
    fn from(metadata: MetaDataV2) -> Self {
        Self {
            seq_number: metadata.seq_number,
            attnets: metadata.attnets,
            syncnets: Some(metadata.syncnets),
            custody_group_count: None,
        }
    }
}

impl From<MetaDataV3> for MetaData {
    fn from(metadata: MetaDataV3) -> Self {
        Self {
            seq_number: metadata.seq_number,
            attnets: metadata.attnets,
            syncnets: Some(metadata.syncnets),
            custody_group_count: Some(metadata.custody_group_count),
        }
    }
}
