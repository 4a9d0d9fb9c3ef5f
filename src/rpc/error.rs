//! Everything that can go wrong in a request or a response, and who is to blame.
//!
//! Returned by every file of `rpc`; read by the handshake and by `node`, which turns the [`Fault`] into policy.

use std::fmt;
use std::io;

use crate::fault::{Classify, Fault, Severity};
use crate::switch::was_refused;
use crate::types::ForkDigest;

use super::answers::Misanswer;
use super::snappy::SnappyError;

/// Why a request is not sent: no peer could answer it by the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unaskable {
    /// Nothing is asked for.
    #[error("asks for nothing")]
    Nothing,
    /// The same thing is asked for more than once.
    #[error("asks for something more than once")]
    Repeated,
    /// More is listed than the method allows.
    #[error("lists too much: {size} bytes, {max} are allowed")]
    TooLong {
        /// Bytes of the request's SSZ.
        size: usize,
        /// The most that there may be.
        max: usize,
    },
}

impl Classify for Unaskable {
    fn fault(&self) -> Fault {
        Fault::Local
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Nothing => "asks_for_nothing",
            Self::Repeated => "asks_repeatedly",
            Self::TooLong { .. } => "asks_too_much",
        }
    }
}

/// Why an exchange did not work out.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The stream broke: a reset, or the connection is gone.
    #[error("stream broke")]
    Io(#[source] io::Error),
    /// The peer closed the stream where its first answer was due.
    #[error("closed without an answer")]
    Closed,
    /// The peer closed the stream inside a message.
    #[error("closed inside a message")]
    Truncated,
    /// A deadline passed.
    #[error("timeout while {0}")]
    Timeout(Phase),
    /// A protocol id that names none of our methods, or that the peer does not speak.
    #[error("protocol is not supported")]
    Unsupported,
    /// The length prefix is not a u64 in at most ten bytes.
    #[error("length prefix is not a varint")]
    BadVarint,
    /// The declared size is none that the type can have.
    #[error("declared size {size} is outside {min}..={max}")]
    LengthOutOfBounds {
        /// Uncompressed bytes, as declared.
        size: u64,
        /// The fewest bytes of the type.
        min: usize,
        /// The most bytes of the type.
        max: usize,
    },
    /// The payload is not a proper stream of snappy frames.
    #[error("bad snappy frames")]
    Snappy(#[from] SnappyError),
    /// Bytes follow where the message should end.
    #[error("surplus bytes after the message")]
    SurplusBytes,
    /// The payload is not the type that was agreed. `ssz::DecodeError` is no `std` error, hence the text.
    #[error("bad ssz: {0:?}")]
    Ssz(ssz::DecodeError),
    /// The context bytes name no fork whose type is known.
    #[error("context {0} names no known type")]
    WrongContext(ForkDigest),
    /// The peer sent more chunks than were asked for.
    #[error("more than {limit} chunks")]
    TooManyChunks {
        /// The most that the request allows.
        limit: usize,
    },
    /// The check of a chunk came to no end: it panicked, or the program ends.
    #[error("the check of a chunk came to no end")]
    Unchecked,
    /// A chunk that can be read, and is not what was asked for.
    #[error(transparent)]
    Misanswer(#[from] Misanswer),
    /// The peer answered with an error.
    #[error("peer answered {code}: {message}")]
    Responded {
        /// What it answered.
        code: ErrorCode,
        /// Its words, at most 256 bytes, escaped.
        message: String,
    },
}

impl Classify for RpcError {
    /// Garbage is `Medium`: the channel is authenticated, so no network explains it, but a bug of either side may.
    /// A closed stream inside a message is `Low`, since a dying connection looks the same.
    fn fault(&self) -> Fault {
        match self {
            Self::Io(_) | Self::Closed | Self::Timeout(_) => Fault::Transient,
            Self::Unsupported => Fault::Incompatible,
            Self::Unchecked => Fault::Local,
            Self::Truncated => Fault::Violation(Severity::Low),
            Self::Snappy(SnappyError::Overrun { .. } | SnappyError::OverBudget { .. }) => {
                Fault::Violation(Severity::High)
            }
            Self::BadVarint
            | Self::LengthOutOfBounds { .. }
            | Self::Snappy(
                SnappyError::MissingIdentifier { .. }
                | SnappyError::BadIdentifier
                | SnappyError::ReservedFrame { .. }
                | SnappyError::FrameLength { .. }
                | SnappyError::Corrupt(_)
                | SnappyError::Checksum,
            )
            | Self::SurplusBytes
            | Self::Ssz(_)
            | Self::WrongContext(_)
            | Self::TooManyChunks { .. } => Fault::Violation(Severity::Medium),
            Self::Misanswer(misanswer) => misanswer.fault(),
            Self::Responded { code, .. } => code.fault(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Io(_) => "stream_broke",
            Self::Closed => "closed",
            Self::Truncated => "truncated",
            Self::Timeout(_) => "timeout",
            Self::Unsupported => "unsupported_protocol",
            Self::BadVarint => "bad_varint",
            Self::LengthOutOfBounds { .. } => "length_out_of_bounds",
            Self::Snappy(SnappyError::Checksum) => "bad_checksum",
            Self::Snappy(_) => "bad_snappy",
            Self::SurplusBytes => "surplus_bytes",
            Self::Ssz(_) => "bad_ssz",
            Self::WrongContext(_) => "wrong_context",
            Self::TooManyChunks { .. } => "too_many_chunks",
            Self::Unchecked => "unchecked",
            Self::Misanswer(misanswer) => misanswer.reason(),
            Self::Responded { code, .. } => code.as_str(),
        }
    }
}

impl From<io::Error> for RpcError {
    fn from(err: io::Error) -> Self {
        match err.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ if was_refused(&err) => Self::Unsupported,
            _ => Self::Io(err),
        }
    }
}

/// What a deadline was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Sending our request.
    SendingRequest,
    /// Waiting for the first chunk of the answer.
    AwaitingFirstChunk,
    /// Waiting for another chunk.
    AwaitingNextChunk,
    /// Reading a peer's request.
    ReadingRequest,
    /// Sending a chunk of our answer.
    SendingChunk,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SendingRequest => "sending the request",
            Self::AwaitingFirstChunk => "waiting for the first chunk",
            Self::AwaitingNextChunk => "waiting for another chunk",
            Self::ReadingRequest => "reading the request",
            Self::SendingChunk => "sending a chunk",
        })
    }
}

/// The result byte of an error chunk: anything but 0.
///
/// [spec v1.6.0, responding side](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#responding-side)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// 1: the request is malformed or breaks a rule.
    InvalidRequest,
    /// 2: the peer failed.
    ServerError,
    /// 3: the peer does not have it.
    ResourceUnavailable,
    /// 139, by custom: too many requests.
    RateLimited,
    /// 4 to 127, reserved, and 128 to 255 without a common meaning.
    Other(u8),
}

impl ErrorCode {
    /// Reads the result byte; `None` is success.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => None,
            1 => Some(Self::InvalidRequest),
            2 => Some(Self::ServerError),
            3 => Some(Self::ResourceUnavailable),
            139 => Some(Self::RateLimited),
            other => Some(Self::Other(other)),
        }
    }

    /// The result byte.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::InvalidRequest => 1,
            Self::ServerError => 2,
            Self::ResourceUnavailable => 3,
            Self::RateLimited => 139,
            Self::Other(byte) => byte,
        }
    }

    /// A closed set of names for logs and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::ServerError => "server_error",
            Self::ResourceUnavailable => "resource_unavailable",
            Self::RateLimited => "rate_limited",
            Self::Other(0..=127) => "reserved_code",
            Self::Other(_) => "other_code",
        }
    }

    /// `InvalidRequest` is `Local`: we wrote that request, so the bug is more likely ours, and an honest but older peer
    /// must not pay for it. An error that names no reason is `Transient`: clients use these codes for overload.
    const fn fault(self) -> Fault {
        match self {
            Self::InvalidRequest => Fault::Local,
            Self::ResourceUnavailable | Self::RateLimited => Fault::Busy,
            Self::ServerError | Self::Other(_) => Fault::Transient,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.as_str(), self.to_byte())
    }
}
