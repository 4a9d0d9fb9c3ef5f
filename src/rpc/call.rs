//! One whole exchange over a connection: open a stream, agree on a version, ask, read, report.
//!
//! What the handshakes and the upkeep of peers use; an answer of many chunks is read with [`super::exchange`].

use tokio::time::Instant;

use super::client::{RpcTimeouts, request_one};
use super::error::RpcError;
use super::method::{Method, Protocol, negotiated, protocols};
use crate::events::{Events, NodeEvent};
use crate::fault::{Classify, Fault};
use crate::switch::{OpenStreamError, StreamOpener};
use crate::time::fine_milliseconds;
use crate::types::PeerId;

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Too many requests of the method were on their way to the peer.
    #[error("{method}: too many requests are on their way")]
    NoTurn {
        /// The method's name.
        method: &'static str,
    },
    /// No stream came about.
    #[error("{method}")]
    Open {
        /// The method's name.
        method: &'static str,
        /// Why.
        source: OpenStreamError,
    },
    /// The exchange failed.
    #[error("{method}")]
    Exchange {
        /// The method's name.
        method: &'static str,
        /// Why.
        source: RpcError,
    },
}

impl CallError {
    /// Whether the stream broke without a word, as it does when the connection is closed by the peer.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        matches!(
            self,
            Self::Open { source: OpenStreamError::Closed | OpenStreamError::Io(_), .. }
                | Self::Exchange { source: RpcError::Io(_) | RpcError::Closed, .. }
        )
    }

    /// Whether the peer answered, and its answer was no.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Exchange { source: RpcError::Responded { .. }, .. })
    }
}

impl Classify for CallError {
    fn fault(&self) -> Fault {
        match self {
            Self::NoTurn { .. } => Fault::Local,
            Self::Open { source, .. } => source.fault(),
            Self::Exchange { source, .. } => source.fault(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NoTurn { .. } => "no_turn",
            Self::Open { source, .. } => source.reason(),
            Self::Exchange { source, .. } => source.reason(),
        }
    }
}

/// Asks a peer and reads the one chunk of its answer, in the newest version that both speak.
///
/// # Errors
/// See [`CallError`].
///
/// Cancel safe: the stream is reset.
pub async fn call<M: Method>(
    opener: &StreamOpener,
    peer_id: PeerId,
    request: &M::Request,
    timeouts: &RpcTimeouts,
    events: &Events,
) -> Result<M::Response, CallError> {
    let started = Instant::now();
    let (protocol, outcome) = ask::<M>(opener, request, timeouts).await;
    events.emit(NodeEvent::RpcRequestFinished {
        peer_id,
        method: protocol.map_or(M::NAME, |protocol| protocol.label),
        result: outcome.as_ref().map_or_else(Classify::reason, |_| "ok"),
        chunks: usize::from(outcome.is_ok()),
        // answers of one chunk are of one size
        ssz_bytes: protocol.filter(|_| outcome.is_ok()).map_or(0, |protocol| protocol.response.max()),
        duration_ms: fine_milliseconds(started.elapsed()),
    });
    outcome
}

async fn ask<M: Method>(
    opener: &StreamOpener,
    request: &M::Request,
    timeouts: &RpcTimeouts,
) -> (Option<&'static Protocol>, Result<M::Response, CallError>) {
    let stream = match opener.open(protocols::<M>()).await {
        Ok(stream) => stream,
        Err(source) => return (None, Err(CallError::Open { method: M::NAME, source })),
    };
    let Some(protocol) = negotiated::<M>(stream.protocol.as_ref()) else {
        return (None, Err(CallError::Exchange { method: M::NAME, source: RpcError::Unsupported }));
    };
    let answer = request_one::<M, _>(stream.stream, protocol, request, timeouts).await;
    (Some(protocol), answer.map_err(|source| CallError::Exchange { method: protocol.label, source }))
}
