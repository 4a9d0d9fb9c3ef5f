//! Payloads by the root of their block, from Gloas on, where blocks do not bring them.

use super::{ENVELOPE, MAX_REQUEST_BLOCKS_DENEB};
use crate::rpc::codec::SizeBounds;
use crate::rpc::method::{all_distinct, forked};
use crate::types::Root;

/// The method `execution_payload_envelopes_by_root`, version 1, of consensus-specs `a08d8a6e2`.
#[derive(Debug)]
pub enum ExecutionPayloadEnvelopesByRoot {}

forked!(
    ExecutionPayloadEnvelopesByRoot, "execution_payload_envelopes_by_root" / 1,
    request: Vec<Root> [SizeBounds::between(0, MAX_REQUEST_BLOCKS_DENEB as usize * 32)],
    response: ENVELOPE,
    most: |request| request.len(),
    distinct: |request| all_distinct(request)
);
