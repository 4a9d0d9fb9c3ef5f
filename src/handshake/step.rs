//! A step of a handshake: what it may look at, what it may answer, what it leaves behind.

use std::error::Error;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::chain::AcceptedDigests;
use crate::events::Events;
use crate::fault::{Classify, Fault, describe};
use crate::rpc::{CallError, RpcTimeouts};
use crate::switch::{PeerIdentity, StreamOpener};
use crate::time::fine_milliseconds;
use crate::types::{Direction, GoodbyeReason, MetaData, PeerId, Slot, StatusMessage};

/// What we say of ourselves and hold others against, as of now.
pub trait LocalView: Send + Sync {
    /// Our own Status.
    fn status(&self) -> StatusMessage;
    /// Our own metadata.
    fn metadata(&self) -> MetaData;
    /// The digests that count as our network now.
    fn accepted_digests(&self) -> AcceptedDigests;
    /// The wall slot; zero before genesis.
    fn wall_slot(&self) -> Slot;
}

/// One step. Stateless: one value serves every connection at once.
pub trait HandshakeStep: Send + Sync {
    /// Its name in events: `snake_case`.
    fn name(&self) -> &'static str;

    /// Runs on one connection.
    ///
    /// Must be cancel safe: the deadline of the whole handshake drops it.
    fn run<'a>(&'a self, cx: &'a mut HandshakeContext<'_>) -> BoxFuture<'a, StepOutcome>;
}

/// What a step works with.
#[expect(missing_debug_implementations, reason = "the local view cannot be shown")]
pub struct HandshakeContext<'a> {
    /// Who is at the other end, proven.
    pub peer_id: PeerId,
    /// Who dialled.
    pub direction: Direction,
    /// Opens streams.
    pub opener: &'a StreamOpener,
    /// What identify told, once it did.
    pub identity: watch::Receiver<Option<PeerIdentity>>,
    /// What we say of ourselves.
    pub local: &'a dyn LocalView,
    /// Deadlines of one exchange.
    pub timeouts: &'a RpcTimeouts,
    /// Where exchanges are reported.
    pub events: &'a Events,
    /// What the steps so far have learnt.
    pub transcript: Transcript,
}

/// What a handshake has learnt of a peer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// The peer's Status.
    pub status: Option<StatusMessage>,
    /// The peer's metadata.
    pub metadata: Option<MetaData>,
    /// The metadata sequence number that the peer's pong carried.
    pub ping_seq: Option<u64>,
    /// Who the peer says it is.
    pub identity: Option<PeerIdentity>,
    /// How long each step took, in order.
    pub durations: Vec<(&'static str, Duration)>,
}

impl Transcript {
    /// How long a step took, milliseconds; zero when it did not run.
    #[must_use]
    pub fn step_ms(&self, step: &str) -> f64 {
        let found = self.durations.iter().find(|(name, _)| *name == step);
        found.map_or(0.0, |(_, duration)| fine_milliseconds(*duration))
    }
}

/// How a step ended.
#[derive(Debug)]
pub enum StepOutcome {
    /// It passed.
    Continue,
    /// It does not apply to this peer; the next one runs.
    Skip(&'static str),
    /// The peer is refused.
    Reject(Rejection),
}

/// Why a peer is refused.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Rejection {
    /// The goodbye that goes out before the connection is closed; `None` when there is nobody left to tell.
    pub goodbye: Option<GoodbyeReason>,
    /// Who is to blame.
    pub fault: Fault,
    /// What happened, `snake_case`.
    pub reason: &'static str,
    /// The cause, for people.
    pub error: String,
}

impl Rejection {
    /// Refuses with the goodbye that an error's fault calls for.
    pub fn from_error(error: &(impl Classify + Error + 'static)) -> Self {
        let goodbye = match error.fault() {
            Fault::Incompatible => Some(GoodbyeReason::IRRELEVANT_NETWORK),
            Fault::Violation(_) | Fault::Transient => Some(GoodbyeReason::FAULT),
            Fault::Busy | Fault::Local => None,
        };
        Self { goodbye, fault: error.fault(), reason: error.reason(), error: describe(error) }
    }

    /// Refuses for an exchange that failed; a connection that is dying gets no goodbye.
    pub fn from_call(error: &CallError) -> Self {
        let goodbye = (!error.is_broken()).then_some(GoodbyeReason::FAULT);
        Self { goodbye, ..Self::from_error(error) }
    }
}

impl Classify for Rejection {
    fn fault(&self) -> Fault {
        self.fault
    }

    fn reason(&self) -> &'static str {
        self.reason
    }
}
