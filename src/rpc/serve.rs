//! One exchange as the server: read the request, ask the handler, send the chunks.
//!
//! Called by the server's tasks, one per stream. It knows no quotas and no other stream.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use crate::fault::{Classify, Fault};
use crate::switch::ConnectionId;
use crate::types::{GoodbyeReason, MetaData, PeerId, StatusMessage};

use super::client::within;
use super::codec;
use super::error::{ErrorCode, Phase, RpcError};
use super::method::{MethodEntry, Protocol, RawAnswer};
use super::methods;

/// Bytes read ahead of the decoder: every request of the handshake fits in.
const READ_AHEAD: usize = 256;

/// Where a request came from: a peer may have more than one connection, as while two dials cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Who asks.
    pub peer_id: PeerId,
    /// Over which connection.
    pub connection_id: ConnectionId,
}

/// What the server needs to know of the node, and whom it tells. Called from many tasks at once; must not block.
pub trait RpcHandler: Send + Sync + 'static {
    /// Our status, for the wall epoch of now.
    fn status(&self) -> StatusMessage;
    /// Our metadata.
    fn metadata(&self) -> MetaData;
    /// A peer sent its status.
    fn on_status(&self, origin: Origin, status: StatusMessage);
    /// A peer pinged; `seq_number` is that of its metadata.
    fn on_ping(&self, origin: Origin, seq_number: u64);
    /// A peer says goodbye and will close the connection that it came over.
    fn on_goodbye(&self, origin: Origin, reason: GoodbyeReason);

    /// A peer asked wrongly: what it sent cannot have been sent in good faith, or shows a bug.
    fn on_fault(&self, _origin: Origin, _fault: Fault) {}
}

/// How long the server waits for a peer in one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeTimeouts {
    /// Until the request is complete. `RESP_TIMEOUT` of the published network configurations.
    pub request: Duration,
    /// Until the peer has taken one chunk. `RESP_TIMEOUT` as well.
    pub chunk: Duration,
    /// After the answer, until the peer closes its side; its passing is no error.
    pub linger: Duration,
}

impl Default for ServeTimeouts {
    fn default() -> Self {
        Self { request: Duration::from_secs(10), chunk: Duration::from_secs(10), linger: Duration::from_secs(1) }
    }
}

/// What was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The protocol that was spoken.
    pub protocol: &'static Protocol,
    /// Successful chunks sent.
    pub chunks: usize,
    /// SSZ of them all.
    pub ssz_bytes: usize,
    /// The code of the error chunk that ended the answer, if one did.
    pub refused: Option<ErrorCode>,
}

/// Answers the one request of an inbound stream and closes our side of it.
///
/// A malformed request is answered with result 1 before the error is returned. The caller should [`linger`] on the
/// stream before it drops it.
///
/// # Errors
/// [`RpcError::Unsupported`] for an unknown protocol id, [`RpcError::Timeout`], [`RpcError::Io`], and whatever is
/// wrong with the request.
///
/// Not cancel safe: dropping the future leaves the stream inside a message; drop the stream as well.
pub async fn serve_stream<S>(
    stream: &mut S,
    protocol_id: &str,
    origin: Origin,
    handler: &Arc<dyn RpcHandler>,
    timeouts: &ServeTimeouts,
) -> Result<Served, RpcError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (method, protocol) = methods::find(protocol_id).ok_or(RpcError::Unsupported)?;
    serve_method(stream, method, protocol, origin, &**handler, timeouts).await
}

/// Waits until the peer has closed its side, for `limit` at most, and throws away what it still sends.
///
/// A stream that is dropped before its peer has closed is reset, and some muxers throw away what they have received
/// when a reset comes: the answer would be lost on the way.
///
/// Cancel safe.
pub async fn linger<S: AsyncRead + Unpin>(stream: &mut S, limit: Duration) {
    let drain = async {
        let mut scratch = [0; 64];
        while stream.read(&mut scratch).await.is_ok_and(|read| read > 0) {}
    };
    // the peer keeps its side open: it had its time
    let _ = tokio::time::timeout(limit, drain).await;
}

pub(super) async fn serve_method<S>(
    stream: &mut S,
    method: &MethodEntry,
    protocol: &'static Protocol,
    origin: Origin,
    handler: &dyn RpcHandler,
    timeouts: &ServeTimeouts,
) -> Result<Served, RpcError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let ssz = read_request(stream, protocol, timeouts).await?;
    send_answer(stream, protocol, (method.answer)(handler, origin, &ssz, protocol), timeouts).await
}

/// Reads a request; one that is malformed is answered with result 1.
pub(super) async fn read_request<S>(
    stream: &mut S,
    protocol: &Protocol,
    timeouts: &ServeTimeouts,
) -> Result<Vec<u8>, RpcError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut reader = BufReader::with_capacity(READ_AHEAD, &mut *stream);
    let read =
        within(timeouts.request, Phase::ReadingRequest, codec::read_request(&mut reader, protocol.request)).await;
    if let Err(err) = &read {
        refuse_malformed(stream, err, timeouts).await;
    }
    read
}

/// Sends the chunks of an answer, or result 1 if the request did not decode, and closes our side.
pub(super) async fn send_answer<S: AsyncWrite + Unpin>(
    stream: &mut S,
    protocol: &'static Protocol,
    answer: Result<RawAnswer<'_>, RpcError>,
    timeouts: &ServeTimeouts,
) -> Result<Served, RpcError> {
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(err) => {
            refuse_malformed(stream, &err, timeouts).await;
            return Err(err);
        }
    };
    let mut served = Served { protocol, chunks: 0, ssz_bytes: 0, refused: None };
    while let Some(chunk) = answer.next().await {
        match chunk {
            Ok(chunk) => {
                within(timeouts.chunk, Phase::SendingChunk, codec::write_chunk(stream, &chunk)).await?;
                served.chunks += 1;
                served.ssz_bytes += chunk.ssz.len();
            }
            Err(refusal) => {
                let write = codec::write_error(stream, refusal.code, refusal.message);
                within(timeouts.chunk, Phase::SendingChunk, write).await?;
                served.refused = Some(refusal.code);
                break;
            }
        }
    }
    within(timeouts.chunk, Phase::SendingChunk, stream.close()).await?;
    Ok(served)
}

/// Whether a request of this protocol may take more than is read ahead anyhow; those of the handshake never do.
pub(super) fn is_bulky(protocol: &Protocol) -> bool {
    protocol.request.is_some_and(|bounds| bounds.max() > READ_AHEAD)
}

/// Whether it is the request that is wrong, so that it was answered with result 1; otherwise nothing was answered.
pub(super) fn is_malformed(err: &RpcError) -> bool {
    matches!(err.fault(), Fault::Violation(_))
}

/// Tells the peer that its request is malformed, unless what went wrong is not the request.
async fn refuse_malformed<S: AsyncWrite + Unpin>(stream: &mut S, err: &RpcError, timeouts: &ServeTimeouts) {
    if !is_malformed(err) {
        return;
    }
    let write = async {
        codec::write_error(stream, ErrorCode::InvalidRequest, err.reason()).await?;
        stream.close().await
    };
    // the request is refused either way, and that is what gets reported
    let _ = within(timeouts.chunk, Phase::SendingChunk, write).await;
}

#[cfg(test)]
mod tests;
