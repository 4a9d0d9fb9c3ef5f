//! The snappy frame format over a stream: writes frames block by block, reads them without ever holding more than
//! was declared and has arrived.
//!
//! Called by the codec, which knows how many bytes a payload has. This file knows nothing of requests and responses.
//!
//! Reading is asynchronous all the way down, because the length of a frame is only known from its header: a peer
//! that declares 10 MiB and sends nothing costs nothing, and one that stalls inside a block costs that block.

use futures::FutureExt;
use futures::io::{AsyncRead, AsyncReadExt};
use snap::raw::{Decoder, Encoder, decompress_len};

use super::error::RpcError;

/// Added to a rotated CRC-32C before it is stored.
///
/// [snappy framing format, section 3](https://github.com/google/snappy/blob/1.2.1/framing_format.txt)
const MASK_DELTA: u32 = 0xa282_ead8;

/// Opens every stream of frames.
const IDENTIFIER: [u8; 10] = *b"\xff\x06\x00\x00sNaPpY";

/// The most uncompressed bytes in one frame.
///
/// [snappy framing format, section 4.2](https://github.com/google/snappy/blob/1.2.1/framing_format.txt)
pub(super) const MAX_BLOCK: usize = 65_536;

/// The most bytes that skipping holds at once.
const SKIP_STEP: usize = 4096;

const COMPRESSED: u8 = 0x00;
const UNCOMPRESSED: u8 = 0x01;
const STREAM_IDENTIFIER: u8 = 0xff;

/// The most bytes that `uncompressed` bytes may take on the wire, framing included.
///
/// [spec v1.6.0, max_compressed_len](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#max_compressed_len)
#[must_use]
pub const fn max_compressed_len(uncompressed: usize) -> usize {
    32 + uncompressed + uncompressed / 6
}

/// What is wrong with a stream of snappy frames.
#[derive(Debug, thiserror::Error)]
pub enum SnappyError {
    /// The first frame is not the stream identifier.
    #[error("first frame is of type {kind:#04x} instead of the stream identifier")]
    MissingIdentifier {
        /// Type of the frame.
        kind: u8,
    },
    /// A stream identifier says something else.
    #[error("stream identifier does not read sNaPpY")]
    BadIdentifier,
    /// A frame of a reserved type that must not be skipped.
    #[error("frame of reserved type {kind:#04x}")]
    ReservedFrame {
        /// Type of the frame, 0x02 to 0x7f.
        kind: u8,
    },
    /// A data frame too short for its checksum, or longer than a block may be.
    #[error("frame of type {kind:#04x} with {len} bytes")]
    FrameLength {
        /// Type of the frame.
        kind: u8,
        /// Bytes in it.
        len: usize,
    },
    /// A compressed block that does not decompress.
    #[error("block does not decompress")]
    Corrupt(#[source] snap::Error),
    /// The checksum does not match the data.
    #[error("checksum does not match")]
    Checksum,
    /// The data take more bytes than `max_compressed_len` allows.
    #[error("more than {limit} bytes on the wire")]
    OverBudget {
        /// The most that the declared size may take.
        limit: usize,
    },
    /// A frame holds more than is left of the declared size: a bomb, or a bug.
    #[error("frame holds {held} bytes where {left} are left")]
    Overrun {
        /// Bytes that the frame would yield.
        held: usize,
        /// Bytes left of the declared size.
        left: usize,
    },
}

/// Writes blocks as frames; one per message, as it remembers nothing of the blocks before.
#[derive(Debug)]
pub(super) struct FrameWriter {
    encoder: Encoder,
    /// Where blocks are compressed; as large as the largest block so far needs, at most 76,490 bytes.
    scratch: Vec<u8>,
}

impl FrameWriter {
    /// Appends the stream identifier and is ready for blocks.
    pub(super) fn start(out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&IDENTIFIER);
        Self { encoder: Encoder::new(), scratch: Vec::new() }
    }

    /// Appends `block`, at most [`MAX_BLOCK`] bytes, as one frame: compressed when that saves an eighth.
    pub(super) fn append(&mut self, block: &[u8], out: &mut Vec<u8>) {
        let room = snap::raw::max_compress_len(block.len());
        if self.scratch.len() < room {
            self.scratch.resize(room, 0);
        }
        let (kind, data) = match self.encoder.compress(block, &mut self.scratch) {
            Ok(len) if len < block.len() - block.len() / 8 => (COMPRESSED, &self.scratch[..len]),
            // an error would mean a block beyond 4 GiB: send as it is what cannot be compressed
            Ok(_) | Err(_) => (UNCOMPRESSED, block),
        };
        let [low, middle, high, _] = (data.len() as u32 + 4).to_le_bytes();
        out.extend_from_slice(&[kind, low, middle, high]);
        out.extend_from_slice(&masked_checksum(block));
        out.extend_from_slice(data);
    }
}

/// Reads the frames of one payload of a known size.
#[derive(Debug)]
pub(super) struct FrameReader<'a, R> {
    reader: &'a mut R,
    size: usize,
    /// Bytes that may still be read.
    budget: usize,
    identified: bool,
    /// Set from the first byte of a frame after the payload to its last.
    inside_trailer: bool,
    payload: Vec<u8>,
    /// A compressed block; at most 76,490 bytes, less for small payloads.
    block: Vec<u8>,
}

impl<'a, R: AsyncRead + Unpin> FrameReader<'a, R> {
    /// Prepares to read `size` uncompressed bytes; allocates nothing.
    pub(super) const fn new(reader: &'a mut R, size: usize) -> Self {
        let budget = max_compressed_len(size);
        Self { reader, size, budget, identified: false, inside_trailer: false, payload: Vec::new(), block: Vec::new() }
    }

    /// Reads frames until the payload is complete; reads nothing when it is empty.
    ///
    /// Not cancel safe: the stream is left inside a frame.
    pub(super) async fn read_payload(&mut self) -> Result<Vec<u8>, RpcError> {
        while self.payload.len() < self.size {
            self.read_frame().await?;
        }
        Ok(std::mem::take(&mut self.payload))
    }

    /// Looks at what has arrived after the payload, without waiting: nothing, the end, or frames without data.
    pub(super) fn check_trailer(&mut self) -> Result<(), RpcError> {
        match self.read_trailer().now_or_never() {
            Some(Err(RpcError::Io(err))) => Err(RpcError::Io(err)),
            Some(Err(_)) => Err(RpcError::SurplusBytes),
            // nobody sends such a frame in two pieces
            None if self.inside_trailer => Err(RpcError::SurplusBytes),
            Some(Ok(())) | None => Ok(()),
        }
    }

    async fn read_trailer(&mut self) -> Result<(), RpcError> {
        self.size = 0;
        let mut kind = [0];
        while self.reader.read(&mut kind).await? == 1 {
            self.inside_trailer = true;
            self.spend(1)?;
            self.read_frame_of(kind[0]).await?;
            self.inside_trailer = false;
        }
        Ok(())
    }

    async fn read_frame(&mut self) -> Result<(), RpcError> {
        let [kind] = self.read_array().await?;
        self.read_frame_of(kind).await
    }

    async fn read_frame_of(&mut self, kind: u8) -> Result<(), RpcError> {
        let [low, middle, high] = self.read_array().await?;
        let len = u32::from_le_bytes([low, middle, high, 0]) as usize;
        if !self.identified && kind != STREAM_IDENTIFIER {
            return Err(SnappyError::MissingIdentifier { kind }.into());
        }
        match kind {
            COMPRESSED => self.read_compressed(len).await,
            UNCOMPRESSED => self.read_uncompressed(len).await,
            STREAM_IDENTIFIER => self.read_identifier(len).await,
            0x02..=0x7f => Err(SnappyError::ReservedFrame { kind }.into()),
            0x80..=0xfe => self.skip(len).await,
        }
    }

    async fn read_identifier(&mut self, len: usize) -> Result<(), RpcError> {
        if len != IDENTIFIER.len() - 4 || self.read_array::<6>().await? != IDENTIFIER[4..] {
            return Err(SnappyError::BadIdentifier.into());
        }
        self.identified = true;
        Ok(())
    }

    async fn read_uncompressed(&mut self, len: usize) -> Result<(), RpcError> {
        let held = data_len(UNCOMPRESSED, len, MAX_BLOCK)?;
        let checksum = self.read_array().await?;
        self.spend(held)?;
        let start = self.extend(held)?;
        self.reader.read_exact(&mut self.payload[start..]).await?;
        self.check(start, checksum)
    }

    async fn read_compressed(&mut self, len: usize) -> Result<(), RpcError> {
        let compressed = data_len(COMPRESSED, len, max_compressed_len(MAX_BLOCK))?;
        let checksum = self.read_array().await?;
        self.spend(compressed)?;
        self.block.clear();
        self.block.resize(compressed, 0);
        self.reader.read_exact(&mut self.block).await?;
        let held = decompress_len(&self.block).map_err(SnappyError::Corrupt)?;
        if held > MAX_BLOCK {
            return Err(SnappyError::FrameLength { kind: COMPRESSED, len: held }.into());
        }
        let start = self.extend(held)?;
        Decoder::new().decompress(&self.block, &mut self.payload[start..]).map_err(SnappyError::Corrupt)?;
        self.check(start, checksum)
    }

    async fn skip(&mut self, len: usize) -> Result<(), RpcError> {
        self.spend(len)?;
        let mut left = len;
        while left > 0 {
            let step = left.min(SKIP_STEP);
            self.block.clear();
            self.block.resize(step, 0);
            self.reader.read_exact(&mut self.block).await?;
            left -= step;
        }
        Ok(())
    }

    /// Makes room for `held` more bytes of payload and returns where they start.
    ///
    /// The capacity is at most four times what has arrived, and never exceeds the declared size.
    fn extend(&mut self, held: usize) -> Result<usize, SnappyError> {
        let start = self.payload.len();
        let left = self.size - start.min(self.size);
        if held > left {
            return Err(SnappyError::Overrun { held, left });
        }
        let capacity = self.payload.capacity();
        if capacity - start < held {
            let wanted = (4 * capacity).clamp(start + held, self.size);
            self.payload.reserve_exact(wanted - start);
        }
        self.payload.resize(start + held, 0);
        Ok(start)
    }

    fn check(&self, start: usize, checksum: [u8; 4]) -> Result<(), RpcError> {
        if masked_checksum(&self.payload[start..]) == checksum { Ok(()) } else { Err(SnappyError::Checksum.into()) }
    }

    async fn read_array<const N: usize>(&mut self) -> Result<[u8; N], RpcError> {
        self.spend(N)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), SnappyError> {
        let limit = max_compressed_len(self.size);
        self.budget = self.budget.checked_sub(bytes).ok_or(SnappyError::OverBudget { limit })?;
        Ok(())
    }
}

/// What a frame carries as the checksum of its uncompressed data.
pub(super) fn masked_checksum(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(MASK_DELTA).to_le_bytes()
}

/// The bytes of data in a frame of `len` bytes, after the checksum.
fn data_len(kind: u8, len: usize, max: usize) -> Result<usize, SnappyError> {
    match len.checked_sub(4) {
        Some(data) if data <= max => Ok(data),
        _ => Err(SnappyError::FrameLength { kind, len }),
    }
}

#[cfg(test)]
mod tests;
