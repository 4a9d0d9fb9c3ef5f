//! Payloads by range, from Gloas on, where blocks do not bring them.

use super::{ENVELOPE, MAX_REQUEST_BLOCKS_DENEB, SlotRange};
use crate::rpc::codec::SizeBounds;
use crate::rpc::method::forked;

/// The method `execution_payload_envelopes_by_range`, version 1, of consensus-specs `a08d8a6e2`.
#[derive(Debug)]
pub enum ExecutionPayloadEnvelopesByRange {}

forked!(
    ExecutionPayloadEnvelopesByRange, "execution_payload_envelopes_by_range" / 1,
    request: SlotRange [SizeBounds::exactly(16)],
    response: ENVELOPE,
    most: |request| usize::try_from(request.count.min(MAX_REQUEST_BLOCKS_DENEB)).unwrap_or(usize::MAX)
);
