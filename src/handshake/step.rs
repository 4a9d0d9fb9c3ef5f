//! A step of a handshake: what it may look at, what it may answer, what it leaves behind.

use std::error::Error;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::chain::AcceptedDigests;
use crate::events::Events;
use crate::fault::{Classify, Fault, describe};
use crate::rpc::{CallError, RpcTimeouts};
use crate::switch::{PeerIdentity, StreamOpener};
use crate::time::fine_milliseconds;
use crate::types::{GoodbyeReason, MetaData, PeerId, Slot, StatusMessage};

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

    /// Whether it runs beside the step before it in the list, not after it: for what needs nothing from that step.
    fn beside_previous(&self) -> bool {
        false
    }

    /// Runs on one connection.
    ///
    /// Must be cancel safe: the deadline of the whole handshake drops it, and so does a rejection by a step beside it.
    fn run<'a>(&'a self, cx: &'a HandshakeContext<'_>) -> BoxFuture<'a, StepOutcome>;
}

/// What a step works with.
#[expect(missing_debug_implementations, reason = "the local view cannot be shown")]
pub struct HandshakeContext<'a> {
    /// Who is at the other end, proven.
    pub peer_id: PeerId,
    /// What the peer says unasked over this connection; `None` where we dialled, since then it is ours to ask.
    pub heard: Option<watch::Receiver<Heard>>,
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
}

impl HandshakeContext<'_> {
    /// Waits until the peer has said something by itself, for `patience` at most.
    ///
    /// `None` where we dialled, when nothing came in time, or when the connection is gone: then it must be asked for.
    ///
    /// Cancel safe.
    pub async fn hear<T>(&self, what: impl Fn(&Heard) -> Option<T>, patience: Duration) -> Option<T> {
        let mut heard = self.heard.clone()?;
        match timeout(patience, heard.wait_for(|heard| what(heard).is_some())).await {
            Ok(Ok(heard)) => what(&heard),
            // closed or late
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

/// What a peer has said of itself in requests of its own, over one connection. About 150 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Its last Status.
    pub status: Option<StatusMessage>,
    /// The metadata sequence number of its last Ping.
    pub ping_seq: Option<u64>,
}

/// What one step has learnt of a peer.
#[expect(clippy::large_enum_variant, reason = "one value a step, moved once")]
#[derive(Clone, Debug, PartialEq)]
pub enum Learnt {
    /// The peer's Status.
    Status(StatusMessage),
    /// The peer's metadata.
    Metadata(MetaData),
    /// The sequence number of the peer's metadata.
    PingSeq(u64),
    /// Who the peer says it is.
    Identity(PeerIdentity),
}

/// What a handshake has learnt of a peer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// The peer's Status.
    pub status: Option<StatusMessage>,
    /// The peer's metadata.
    pub metadata: Option<MetaData>,
    /// The metadata sequence number that the peer's ping or pong carried.
    pub ping_seq: Option<u64>,
    /// Who the peer says it is.
    pub identity: Option<PeerIdentity>,
    /// How long each step took, in order.
    pub durations: Vec<(&'static str, Duration)>,
}

impl Transcript {
    /// Writes down what a step has learnt.
    pub fn note(&mut self, learnt: Learnt) {
        match learnt {
            Learnt::Status(status) => self.status = Some(status),
            Learnt::Metadata(metadata) => self.metadata = Some(metadata),
            Learnt::PingSeq(seq_number) => self.ping_seq = Some(seq_number),
            Learnt::Identity(identity) => self.identity = Some(identity),
        }
    }

    /// How long a step took, milliseconds; zero when it did not run.
    #[must_use]
    pub fn step_ms(&self, step: &str) -> f64 {
        let found = self.durations.iter().find(|(name, _)| *name == step);
        found.map_or(0.0, |(_, duration)| fine_milliseconds(*duration))
    }
}

/// How a step ended.
#[expect(clippy::large_enum_variant, reason = "one value a step, moved once")]
#[derive(Debug)]
pub enum StepOutcome {
    /// It passed.
    Continue(Learnt),
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
