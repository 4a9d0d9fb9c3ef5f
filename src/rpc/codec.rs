//! The ssz_snappy encoding of requests and response chunks.
//!
//! ```text
//! request  = [ varint(size) | snappy frames ]
//! chunk    = result (1 byte) | context (0 or 4 bytes) | varint(size) | snappy frames
//! ```
//! Called by the client and the server of `rpc`. It knows sizes, not types, and sets no deadline.
//!
//! [spec v1.6.0, encoding strategies](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#encoding-strategies)

use std::io;

use futures::FutureExt;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::types::ForkDigest;

use super::error::{ErrorCode, RpcError};
use super::snappy::{FrameReader, FrameWriter, MAX_BLOCK};

pub use super::snappy::max_compressed_len;

/// The most uncompressed bytes of any payload: 10 MiB.
///
/// [spec v1.6.0, configuration](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#configuration)
pub const MAX_PAYLOAD_SIZE: usize = 10 * 1024 * 1024;

/// The most bytes of an error message, `List[byte, 256]`.
///
/// [spec v1.6.0, responding side](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#responding-side)
pub const MAX_ERROR_MESSAGE: usize = 256;

/// The sizes that a type's SSZ can have, uncompressed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeBounds {
    min: usize,
    max: usize,
}

impl SizeBounds {
    /// A fixed-size type.
    #[must_use]
    pub const fn exactly(size: usize) -> Self {
        Self::between(size, size)
    }

    /// A type of variable size; `max` is cut to [`MAX_PAYLOAD_SIZE`].
    #[must_use]
    pub const fn between(min: usize, max: usize) -> Self {
        Self { min, max: if max < MAX_PAYLOAD_SIZE { max } else { MAX_PAYLOAD_SIZE } }
    }

    /// The most bytes.
    pub(super) const fn max(self) -> usize {
        self.max
    }

    fn check(self, size: u64) -> Result<usize, RpcError> {
        match usize::try_from(size) {
            Ok(size) if (self.min..=self.max).contains(&size) => Ok(size),
            _ => Err(RpcError::LengthOutOfBounds { size, min: self.min, max: self.max }),
        }
    }
}

/// One successful chunk of a response, still SSZ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawChunk {
    /// The digest of the chunk's epoch, for methods with context bytes.
    pub context: Option<ForkDigest>,
    /// The payload's SSZ.
    pub ssz: Vec<u8>,
}

/// Encodes `varint(size) | snappy frames` into memory.
///
/// An empty payload is its length alone; readers accept that and a bare stream identifier.
#[must_use]
pub fn encode_message(ssz: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append_size(ssz.len(), &mut out);
    if !ssz.is_empty() {
        let mut frames = FrameWriter::start(&mut out);
        for block in ssz.chunks(MAX_BLOCK) {
            frames.append(block, &mut out);
        }
    }
    out
}

/// Writes `head | varint(size) | snappy frames`, holding one frame at a time; small messages go out in one write.
///
/// # Errors
/// What the stream says.
///
/// Not cancel safe: a message that was begun must be finished or the stream dropped.
pub async fn write_message<W: AsyncWrite + Unpin>(writer: &mut W, head: &[u8], ssz: &[u8]) -> io::Result<()> {
    let mut out = head.to_vec();
    append_size(ssz.len(), &mut out);
    if !ssz.is_empty() {
        let mut frames = FrameWriter::start(&mut out);
        for block in ssz.chunks(MAX_BLOCK) {
            frames.append(block, &mut out);
            writer.write_all(&out).await?;
            out.clear();
        }
    }
    writer.write_all(&out).await?;
    writer.flush().await
}

/// Writes one successful chunk.
///
/// # Errors
/// What the stream says.
///
/// Not cancel safe, as [`write_message`].
pub async fn write_chunk<W: AsyncWrite + Unpin>(writer: &mut W, chunk: &RawChunk) -> io::Result<()> {
    let mut head = vec![0];
    if let Some(context) = chunk.context {
        head.extend_from_slice(&context.0);
    }
    write_message(writer, &head, &chunk.ssz).await
}

/// Writes an error chunk, which must be the last; the message is cut to 256 bytes.
///
/// # Errors
/// What the stream says.
///
/// Not cancel safe, as [`write_message`].
pub async fn write_error<W: AsyncWrite + Unpin>(writer: &mut W, code: ErrorCode, message: &str) -> io::Result<()> {
    let message = message.as_bytes();
    write_message(writer, &[code.to_byte()], &message[..message.len().min(MAX_ERROR_MESSAGE)]).await
}

/// Reads `varint(size) | snappy frames` and stops at the last byte of the payload.
///
/// Never allocates more than the declared size, and that only after it was found within `bounds`; never consumes more
/// than [`max_compressed_len`] of it after the prefix.
///
/// # Errors
/// [`RpcError::BadVarint`], [`RpcError::LengthOutOfBounds`], [`RpcError::Snappy`], [`RpcError::Truncated`] and
/// [`RpcError::Io`].
///
/// Not cancel safe: the stream is left inside the message.
pub async fn read_message<R: AsyncRead + Unpin>(reader: &mut R, bounds: SizeBounds) -> Result<Vec<u8>, RpcError> {
    let size = bounds.check(read_varint(reader).await?)?;
    FrameReader::new(reader, size).read_payload().await
}

/// Reads a request; `bounds` is `None` for methods without a body.
///
/// Does not wait for the end of the stream, because many peers close their side late, some only when they have the
/// answer. It looks once at what has arrived: bytes after the request that came with it are refused, later ones are
/// never read.
///
/// # Errors
/// As [`read_message`], and [`RpcError::SurplusBytes`].
///
/// Not cancel safe: the stream is left inside the request.
pub async fn read_request<R: AsyncRead + Unpin>(
    reader: &mut R,
    bounds: Option<SizeBounds>,
) -> Result<Vec<u8>, RpcError> {
    let size = match bounds {
        Some(bounds) => bounds.check(read_varint(reader).await?)?,
        None => 0,
    };
    let mut frames = FrameReader::new(reader, size);
    let ssz = frames.read_payload().await?;
    match bounds {
        Some(_) => frames.check_trailer()?,
        None => read_end(reader).now_or_never().unwrap_or(Ok(()))?,
    }
    Ok(ssz)
}

/// Reads one chunk of a response; `None` when the stream ends before it.
///
/// # Errors
/// As [`read_message`], and [`RpcError::Responded`] for an error chunk.
///
/// Not cancel safe: the stream is left inside the chunk.
pub async fn read_chunk<R: AsyncRead + Unpin>(
    reader: &mut R,
    bounds: SizeBounds,
    has_context: bool,
) -> Result<Option<RawChunk>, RpcError> {
    let mut result = [0];
    if reader.read(&mut result).await? == 0 {
        return Ok(None);
    }
    if let Some(code) = ErrorCode::from_byte(result[0]) {
        return Err(RpcError::Responded { code, message: read_error_message(reader).await? });
    }
    let context = if has_context { Some(read_context(reader).await?) } else { None };
    let ssz = read_message(reader, bounds).await?;
    Ok(Some(RawChunk { context, ssz }))
}

/// Reads the end of the stream.
///
/// # Errors
/// [`RpcError::SurplusBytes`] when a byte comes instead, [`RpcError::Io`].
///
/// Cancel safe.
pub async fn read_end<R: AsyncRead + Unpin>(reader: &mut R) -> Result<(), RpcError> {
    match reader.read(&mut [0]).await? {
        0 => Ok(()),
        _ => Err(RpcError::SurplusBytes),
    }
}

/// Some peers close right after the result byte: that is an empty message.
async fn read_error_message<R: AsyncRead + Unpin>(reader: &mut R) -> Result<String, RpcError> {
    match read_message(reader, SizeBounds::between(0, MAX_ERROR_MESSAGE)).await {
        Ok(message) => Ok(String::from_utf8_lossy(&message).escape_debug().collect()),
        Err(RpcError::Truncated) => Ok(String::new()),
        Err(err) => Err(err),
    }
}

async fn read_context<R: AsyncRead + Unpin>(reader: &mut R) -> Result<ForkDigest, RpcError> {
    let mut digest = [0; 4];
    reader.read_exact(&mut digest).await?;
    Ok(ForkDigest(digest))
}

/// Reads an unsigned varint of at most ten bytes; forms that are not minimal are accepted, as the specification only
/// says SHOULD.
async fn read_varint<R: AsyncRead + Unpin>(reader: &mut R) -> Result<u64, RpcError> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        reader.read_exact(&mut byte).await?;
        let bits = u64::from(byte[0] & 0x7f);
        if shift == 63 && bits > 1 {
            return Err(RpcError::BadVarint);
        }
        value |= bits << shift;
        if byte[0] & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(RpcError::BadVarint)
}

fn append_size(size: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(unsigned_varint::encode::usize(size, &mut unsigned_varint::encode::usize_buffer()));
}

#[cfg(test)]
mod tests;
