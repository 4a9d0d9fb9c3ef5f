//! One exchange as the client: send the request, half-close, read the chunks under a deadline each.
//!
//! Called by [`call`](super::call()) with a stream that the Switch has opened and negotiated. It opens no stream, keeps no state between exchanges and counts no requests: at most two per protocol id may run at
//! once with one peer, which is the caller's to keep.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use futures::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use super::codec;
use super::error::{Phase, RpcError};
use super::method::{Chunk, Method, Protocol};

/// Bytes read ahead of the decoder, so that headers do not cost a call into the muxer each. Larger pieces bypass it.
const READ_AHEAD: usize = 1024;

/// How long the client waits for each part of an exchange.
///
/// The specification leaves these to the implementer; the defaults are the `TTFB_TIMEOUT` of 5 s and the
/// `RESP_TIMEOUT` of 10 s that the published network configurations still carry. The first chunk is given 10 s as
/// well, since responders may delay an answer instead of refusing it, and three clients wait that long for a Status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpcTimeouts {
    /// Until the request is sent and the write side closed.
    pub request: Duration,
    /// From then until the first chunk is complete.
    pub first_chunk: Duration,
    /// From one chunk to the next.
    pub next_chunk: Duration,
    /// After the last chunk that is allowed, until the peer closes; its passing is no error.
    pub end: Duration,
}

impl Default for RpcTimeouts {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(5),
            first_chunk: Duration::from_secs(10),
            next_chunk: Duration::from_secs(10),
            end: Duration::from_millis(250),
        }
    }
}

/// Sends a request and hands back the reader of its answer.
///
/// # Errors
/// [`RpcError::Io`], [`RpcError::Timeout`].
///
/// Cancel safe: dropping the future drops the stream, which resets it.
pub async fn exchange<M, S>(
    mut stream: S,
    protocol: &'static Protocol,
    request: &M::Request,
    timeouts: &RpcTimeouts,
) -> Result<ResponseReader<M, S>, RpcError>
where
    M: Method,
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let send = async {
        if protocol.request.is_some() {
            codec::write_message(&mut stream, &[], &M::encode_request(request, protocol)).await?;
        }
        stream.close().await.map_err(RpcError::from)
    };
    within(timeouts.request, Phase::SendingRequest, send).await?;
    let limit = M::max_chunks(request, protocol);
    Ok(ResponseReader::new(stream, protocol, limit, *timeouts))
}

/// Sends a request and reads the one chunk that answers it.
///
/// # Errors
/// [`RpcError::Closed`] when no chunk came, and all of [`ResponseReader::next_chunk`].
///
/// Cancel safe: dropping the future drops the stream, which resets it.
pub async fn request_one<M, S>(
    stream: S,
    protocol: &'static Protocol,
    request: &M::Request,
    timeouts: &RpcTimeouts,
) -> Result<M::Response, RpcError>
where
    M: Method,
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut reader = exchange::<M, S>(stream, protocol, request, timeouts).await?;
    let chunk = reader.next_chunk().await?.ok_or(RpcError::Closed)?;
    reader.finish().await?;
    Ok(chunk.response)
}

/// Reads the chunks of one answer as they arrive. Dropping it resets the stream, unless the peer has closed it.
#[must_use = "an answer that is not read is reset"]
pub struct ResponseReader<M, S> {
    stream: BufReader<S>,
    protocol: &'static Protocol,
    timeouts: RpcTimeouts,
    limit: usize,
    received: usize,
    /// Set while a chunk is being read, so that a read that was dropped half-way is not resumed inside the chunk.
    over: bool,
    method: PhantomData<fn() -> M>,
}

impl<M: Method, S: AsyncRead + Unpin> ResponseReader<M, S> {
    fn new(stream: S, protocol: &'static Protocol, limit: usize, timeouts: RpcTimeouts) -> Self {
        let stream = BufReader::with_capacity(READ_AHEAD, stream);
        Self { stream, protocol, timeouts, limit, received: 0, over: false, method: PhantomData }
    }

    /// Reads the next chunk; `None` once the peer has closed, or has sent as many as were asked for.
    ///
    /// # Errors
    /// [`RpcError::Responded`] for an error chunk, [`RpcError::Timeout`], [`RpcError::TooManyChunks`], and whatever is
    /// wrong with the bytes. After an error the answer is over.
    ///
    /// Not cancel safe: when the future is dropped before it is ready, the answer is over.
    pub async fn next_chunk(&mut self) -> Result<Option<Chunk<M::Response>>, RpcError> {
        if self.over {
            return Ok(None);
        }
        self.over = true;
        if self.received == self.limit {
            return self.read_end().await.map(|()| None);
        }
        let (limit, phase) = match self.received {
            0 => (self.timeouts.first_chunk, Phase::AwaitingFirstChunk),
            _ => (self.timeouts.next_chunk, Phase::AwaitingNextChunk),
        };
        let read = codec::read_chunk(&mut self.stream, self.protocol.response, self.protocol.context);
        let Some(chunk) = within(limit, phase, read).await? else {
            return Ok(None);
        };
        let response = M::decode_response(chunk.ssz, chunk.context, self.protocol)?;
        self.received += 1;
        self.over = false;
        Ok(Some(Chunk { context: chunk.context, response }))
    }

    /// Waits a moment for the peer to close its side, so that the stream ends without a reset.
    ///
    /// # Errors
    /// [`RpcError::TooManyChunks`] when another chunk comes instead. A peer that does not close in time is no error.
    ///
    /// Cancel safe.
    pub async fn finish(mut self) -> Result<(), RpcError> {
        self.read_end().await
    }

    async fn read_end(&mut self) -> Result<(), RpcError> {
        match tokio::time::timeout(self.timeouts.end, codec::read_end(&mut self.stream)).await {
            Ok(Err(RpcError::SurplusBytes)) => Err(RpcError::TooManyChunks { limit: self.limit }),
            // the answer is complete: how the stream ends after it changes nothing
            Ok(Ok(()) | Err(_)) | Err(_) => Ok(()),
        }
    }
}

impl<M: Method, S> fmt::Debug for ResponseReader<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseReader")
            .field("protocol", &self.protocol.label)
            .field("received", &self.received)
            .field("limit", &self.limit)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

/// Runs one part of an exchange under its deadline.
pub(super) async fn within<T, E: Into<RpcError>>(
    limit: Duration,
    phase: Phase,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, RpcError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(RpcError::Timeout(phase)),
    }
}

#[cfg(test)]
mod tests;
