//! What a request/response method is: its protocol ids, its types and sizes, how it is encoded and how it is served.
//!
//! Implemented by the files of `methods/`, used by the client and the server of `rpc`. It reads and writes no stream.

use std::collections::BTreeSet;
use std::fmt;

use futures::StreamExt;
use futures::stream::BoxStream;
use libp2p::StreamProtocol;
use ssz::Encode;

use crate::types::ForkDigest;

use super::codec::{RawChunk, SizeBounds};
use super::error::{ErrorCode, RpcError, Unaskable};
use super::quota::Quota;
use super::serve::{Origin, RpcHandler};

/// One version of a method: its protocol id and what may go over the wire under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// `/eth2/beacon_chain/req/{name}/{version}/ssz_snappy`.
    pub id: &'static str,
    /// `{name}/{version}`: for logs and metric labels.
    pub label: &'static str,
    /// The version alone.
    pub version: u8,
    /// Sizes of the request's SSZ; `None` when the request has no body at all.
    pub request: Option<SizeBounds>,
    /// Sizes of one chunk's SSZ, over every fork that a context can name.
    pub response: SizeBounds,
    /// Whether successful chunks carry a fork digest.
    pub context: bool,
}

/// Builds a [`Protocol`] without context bytes; `request: none` for methods without a body.
macro_rules! protocol {
    ($name:literal, $version:literal, request: none, response: $response:expr) => {
        $crate::rpc::method::protocol!(@ $name, $version, None, $response, false)
    };
    ($name:literal, $version:literal, request: $request:expr, response: $response:expr) => {
        $crate::rpc::method::protocol!(@ $name, $version, Some($request), $response, false)
    };
    (@ $name:literal, $version:literal, $request:expr, $response:expr, $context:expr) => {
        $crate::rpc::method::Protocol {
            id: concat!("/eth2/beacon_chain/req/", $name, "/", $version, "/ssz_snappy"),
            label: concat!($name, "/", $version),
            version: $version,
            request: $request,
            response: $response,
            context: $context,
        }
    };
}
pub(super) use protocol;

/// Implements [`Method`] for one whose chunks carry a context that alone tells their type: they are handed on as SSZ, and
/// [`super::answers`] reads them. `most` are the chunks that may answer a request; `distinct` tells whether it lists
/// everything once.
macro_rules! forked {
    ($method:ty, $name:literal / $version:literal, request: none, response: $response:expr) => {
        impl $crate::rpc::method::Method for $method {
            const NAME: &'static str = $name;
            const PROTOCOLS: &'static [$crate::rpc::method::Protocol] =
                &[$crate::rpc::method::protocol!(@ $name, $version, None, $response, true)];
            type Request = ();
            type Response = Vec<u8>;

            fn encode_request((): &(), _protocol: &$crate::rpc::method::Protocol) -> Vec<u8> {
                Vec::new()
            }

            fn decode_request(
                _ssz: &[u8],
                _protocol: &$crate::rpc::method::Protocol,
            ) -> Result<(), $crate::rpc::RpcError> {
                Ok(())
            }

            $crate::rpc::method::forked!(@ chunks);
        }
    };
    ($method:ty, $name:literal / $version:literal, request: $request:ty [$bounds:expr], response: $response:expr, most: $most:expr
        $(, distinct: $distinct:expr)?) => {
        impl $crate::rpc::method::Method for $method {
            const NAME: &'static str = $name;
            const PROTOCOLS: &'static [$crate::rpc::method::Protocol] =
                &[$crate::rpc::method::protocol!(@ $name, $version, Some($bounds), $response, true)];
            type Request = $request;
            type Response = Vec<u8>;

            fn encode_request(request: &$request, _protocol: &$crate::rpc::method::Protocol) -> Vec<u8> {
                $crate::rpc::method::encode_ssz(request)
            }

            fn decode_request(
                ssz: &[u8],
                _protocol: &$crate::rpc::method::Protocol,
            ) -> Result<$request, $crate::rpc::RpcError> {
                $crate::rpc::method::decode_ssz(ssz)
            }

            fn max_chunks(request: &$request, _protocol: &$crate::rpc::method::Protocol) -> usize {
                let most: fn(&$request) -> usize = $most;
                most(request)
            }

            $(fn is_distinct(request: &$request) -> bool {
                let distinct: fn(&$request) -> bool = $distinct;
                distinct(request)
            })?

            $crate::rpc::method::forked!(@ chunks);
        }
    };
    (@ chunks) => {
        fn encode_response(response: &Vec<u8>, _protocol: &$crate::rpc::method::Protocol) -> Vec<u8> {
            response.clone()
        }

        fn decode_response(
            ssz: Vec<u8>,
            _context: Option<$crate::types::ForkDigest>,
            _protocol: &$crate::rpc::method::Protocol,
        ) -> Result<Vec<u8>, $crate::rpc::RpcError> {
            Ok(ssz)
        }
    };
}
pub(super) use forked;

/// One chunk of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk<T> {
    /// The digest of the chunk's epoch, for protocols with context bytes.
    pub context: Option<ForkDigest>,
    /// What the chunk holds.
    pub response: T,
}

/// An answer that is an error: goes out as the last chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What to answer.
    pub code: ErrorCode,
    /// For the people who run the peer; at most 256 bytes are sent.
    pub message: &'static str,
}

/// The chunks of an answer as they become ready; nothing is sent after a [`Refusal`].
pub type Answer<'a, T> = BoxStream<'a, Result<Chunk<T>, Refusal>>;

/// A request/response method in all its versions.
pub trait Method: Sized + Send + Sync + 'static {
    /// Name within the protocol id.
    const NAME: &'static str;
    /// Every version spoken, newest first: the order in which they are offered.
    const PROTOCOLS: &'static [Protocol];
    /// What is asked.
    type Request: fmt::Debug + Send + Sync;
    /// What one chunk of the answer holds.
    type Response: fmt::Debug + Send;

    /// The request's SSZ; empty for methods without a body.
    fn encode_request(request: &Self::Request, protocol: &Protocol) -> Vec<u8>;

    /// Reads a request, whose size is within the protocol's bounds.
    ///
    /// # Errors
    /// [`RpcError::Ssz`].
    fn decode_request(ssz: &[u8], protocol: &Protocol) -> Result<Self::Request, RpcError>;

    /// One chunk's SSZ.
    fn encode_response(response: &Self::Response, protocol: &Protocol) -> Vec<u8>;

    /// Reads one chunk, whose size is within the protocol's bounds; the context picks the type.
    ///
    /// # Errors
    /// [`RpcError::Ssz`], [`RpcError::WrongContext`].
    fn decode_response(
        ssz: Vec<u8>,
        context: Option<ForkDigest>,
        protocol: &Protocol,
    ) -> Result<Self::Response, RpcError>;

    /// The most chunks that may answer `request`.
    fn max_chunks(_request: &Self::Request, _protocol: &Protocol) -> usize {
        1
    }

    /// Whether `request` lists everything once.
    fn is_distinct(_request: &Self::Request) -> bool {
        true
    }
}

/// A method that peers may ask us by.
pub trait ServedMethod: Method {
    /// How many requests one peer may make, all versions together.
    const QUOTA: Quota;

    /// Answers a peer; must not block.
    fn serve<'a>(handler: &'a dyn RpcHandler, origin: Origin, request: Self::Request) -> Answer<'a, Self::Response>;
}

/// The ids of a method's protocols, newest first: what to offer when a stream is opened.
#[must_use]
pub fn protocols<M: Method>() -> Vec<StreamProtocol> {
    M::PROTOCOLS.iter().map(|protocol| StreamProtocol::new(protocol.id)).collect()
}

/// The version of a method that was negotiated; `None` for an id that is none of the method's.
#[must_use]
pub fn negotiated<M: Method>(id: &str) -> Option<&'static Protocol> {
    M::PROTOCOLS.iter().find(|protocol| protocol.id == id)
}

/// Checks that honest peers can answer a request by the rules, so that no answer is held against them.
///
/// # Errors
/// [`Unaskable`].
pub fn askable<M: Method>(request: &M::Request) -> Result<(), Unaskable> {
    if !M::is_distinct(request) {
        return Err(Unaskable::Repeated);
    }
    for protocol in M::PROTOCOLS {
        if M::max_chunks(request, protocol) == 0 {
            return Err(Unaskable::Nothing);
        }
        let (size, max) = (M::encode_request(request, protocol).len(), protocol.request.map_or(0, SizeBounds::max));
        if size > max {
            return Err(Unaskable::TooLong { size, max });
        }
    }
    Ok(())
}

/// Whether no item comes twice.
pub(super) fn all_distinct<T: Ord>(items: impl IntoIterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    items.into_iter().all(|item| seen.insert(item))
}

/// An answer of exactly one chunk without context.
pub(super) fn answer_one<'a, T: Send + 'a>(response: T) -> Answer<'a, T> {
    futures::stream::once(std::future::ready(Ok(Chunk { context: None, response }))).boxed()
}

/// Writes one SSZ value.
pub(super) fn encode_ssz<T: Encode>(value: &T) -> Vec<u8> {
    value.as_ssz_bytes()
}

/// Reads one SSZ value.
pub(super) fn decode_ssz<T: ssz::Decode>(ssz: &[u8]) -> Result<T, RpcError> {
    T::from_ssz_bytes(ssz).map_err(RpcError::Ssz)
}

/// A method without its types: what the server's table holds.
#[derive(Clone, Copy, Debug)]
pub struct MethodEntry {
    /// Name within the protocol id.
    pub name: &'static str,
    /// Every version, newest first.
    pub protocols: &'static [Protocol],
    /// How many requests one peer may make, all versions together.
    pub quota: Quota,
    pub(super) answer: AnswerFn,
}

/// An answer whose chunks are SSZ already.
pub(super) type RawAnswer<'a> = BoxStream<'a, Result<RawChunk, Refusal>>;

/// Decodes a request and answers it.
type AnswerFn = for<'a> fn(&'a dyn RpcHandler, Origin, &[u8], &'static Protocol) -> Result<RawAnswer<'a>, RpcError>;

impl MethodEntry {
    /// The entry of a method.
    #[must_use]
    pub const fn of<M: ServedMethod>() -> Self {
        Self { name: M::NAME, protocols: M::PROTOCOLS, quota: M::QUOTA, answer: answer_raw::<M> }
    }
}

fn answer_raw<'a, M: ServedMethod>(
    handler: &'a dyn RpcHandler,
    origin: Origin,
    ssz: &[u8],
    protocol: &'static Protocol,
) -> Result<RawAnswer<'a>, RpcError> {
    let request = M::decode_request(ssz, protocol)?;
    let encode = move |chunk: Chunk<M::Response>| RawChunk {
        context: chunk.context,
        ssz: M::encode_response(&chunk.response, protocol),
    };
    Ok(M::serve(handler, origin, request).map(move |chunk| chunk.map(encode)).boxed())
}
