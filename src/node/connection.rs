//! One attempt, step by step: `Dialed` → `Initialized` → `Ready`, each state consumed by the next call.
//!
//! Run by `Eth2Node`, each attempt in a task of its own; inbound connections join at [`initialize_connection`].
//! The functions report what happened as events and return facts; what a failure costs the peer is decided in
//! `Eth2Node`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::local::LocalChain;
use crate::events::{Events, NodeEvent};
use crate::fault::Fault;
use crate::handshake::{HandshakeContext, HandshakeRegistry, Heard, Rejection, Transcript};
use crate::rpc::{RpcTimeouts, call, methods};
use crate::switch::{ConnectionId, DialFailure, PeerIdentity, RawConnection, StreamOpener, SwitchHandle};
use crate::time::milliseconds;
use crate::types::{Client, Direction, GoodbyeReason, Multiaddr, PeerId};

/// How long a goodbye may take before the connection is closed anyway.
///
/// The peer's answer is not waited for beyond it, which is also what the whole farewell at shutdown may take.
pub(super) const GOODBYE_PATIENCE: Duration = Duration::from_secs(1);

/// A connection that is secured and multiplexed, nothing more.
#[derive(Debug)]
pub struct Dialed;

/// A connection that has been announced and is about to be judged.
#[derive(Debug)]
pub struct Initialized {
    since: Instant,
}

/// A connection whose every handshake passed.
#[derive(Debug)]
pub struct Ready {
    /// What the handshakes have learnt.
    pub transcript: Transcript,
    /// From [`Initialized`] to here.
    pub duration: Duration,
}

/// A connection in one of its states.
#[derive(Debug)]
pub struct Connection<S> {
    /// What the switch made.
    pub raw: RawConnection,
    /// What has happened to it since.
    pub state: S,
}

/// A connection that was refused, and is closed.
#[derive(Debug)]
pub struct Refused {
    /// The step that refused.
    pub step: &'static str,
    /// Why.
    pub rejection: Rejection,
    /// From upgraded connection to refusal.
    pub after: Duration,
    /// What the connection was.
    pub raw: RawConnection,
}

impl Connection<Dialed> {
    /// Takes over a connection from the switch.
    #[must_use]
    pub const fn new(raw: RawConnection) -> Self {
        Self { raw, state: Dialed }
    }
}

/// Connects to a peer: secure, multiplex, identify, in the background.
///
/// # Errors
/// See [`DialFailure`].
///
/// Cancel safe: a connection that nobody awaits any more is closed.
pub async fn dial_peer(
    switch: &SwitchHandle,
    peer_id: PeerId,
    addresses: Vec<Multiaddr>,
) -> Result<Connection<Dialed>, DialFailure> {
    switch.dial(peer_id, addresses).await.map(Connection::new)
}

/// Announces a connection, of either direction.
#[must_use]
pub fn initialize_connection(connection: Connection<Dialed>, events: &Events) -> Connection<Initialized> {
    let raw = connection.raw;
    let dialled = raw.direction == Direction::Outbound;
    events.emit(NodeEvent::PeerConnected {
        peer_id: raw.peer_id,
        direction: raw.direction,
        transport: raw.transport,
        muxer: raw.muxer,
        address: raw.address.to_string(),
        duration_ms: if dialled { milliseconds(raw.established_in) } else { 0 },
    });
    Connection { raw, state: Initialized { since: Instant::now() } }
}

/// What every attempt needs, the same for all.
#[derive(Clone, Debug)]
pub struct Handshaker {
    /// The handshakes, in order.
    pub registry: Arc<HandshakeRegistry>,
    /// What we say of ourselves.
    pub local: Arc<LocalChain>,
    /// Closes refused connections.
    pub switch: SwitchHandle,
    /// Where attempts are reported.
    pub events: Events,
    /// Cancelled when the node stops: attempts under way then end, with a goodbye if they have come that far.
    pub stopping: CancellationToken,
}

/// Runs every registered handshake against a freshly initialised connection.
///
/// Steps run in registry order under one deadline; the first rejection wins, is sent to the peer as goodbye and closes
/// the connection. `heard` is what the peer says by itself, if it dialled.
///
/// # Errors
/// [`Refused`] carries the step and the rejection.
///
/// Cancel safe: dropping the future leaves the connection to be closed by its owner.
pub async fn perform_protocol_handshakes(
    connection: Connection<Initialized>,
    handshaker: &Handshaker,
    heard: Option<watch::Receiver<Heard>>,
) -> Result<Connection<Ready>, Refused> {
    let Connection { raw, state } = connection;
    let Handshaker { registry, local, switch, events, stopping } = handshaker;
    let cx = HandshakeContext {
        peer_id: raw.peer_id,
        heard,
        opener: &raw.opener,
        identity: raw.identity.clone(),
        local: &**local,
        timeouts: &RpcTimeouts::default(),
        events,
    };
    let outcome = tokio::select! {
        biased;
        () = stopping.cancelled() => Err(("shutdown", shutting_down())),
        outcome = registry.run(cx) => outcome,
    };
    match outcome {
        Ok(transcript) => Ok(Connection { raw, state: Ready { transcript, duration: state.since.elapsed() } }),
        Err((step, rejection)) => {
            let after = state.since.elapsed();
            close(&raw.opener, raw.peer_id, raw.connection_id, rejection.goodbye, switch, events).await;
            Err(Refused { step, rejection, after, raw })
        }
    }
}

/// The peer may count us among its own already, so it is told.
fn shutting_down() -> Rejection {
    Rejection {
        goodbye: Some(GoodbyeReason::CLIENT_SHUTDOWN),
        fault: Fault::Local,
        reason: "shutdown",
        error: "the node stops".to_owned(),
    }
}

/// Says goodbye, if there is anything to say, and closes the connection.
///
/// Not cancel safe: the connection may stay open.
pub(super) async fn close(
    opener: &StreamOpener,
    peer_id: PeerId,
    connection_id: ConnectionId,
    goodbye: Option<GoodbyeReason>,
    switch: &SwitchHandle,
    events: &Events,
) {
    if let Some(reason) = goodbye {
        let timeouts = RpcTimeouts::default();
        let farewell = call::<methods::Goodbye>(opener, peer_id, &reason, &timeouts, events);
        // late or failed: the peer learns it by the close
        let _ = timeout(GOODBYE_PATIENCE, farewell).await;
    }
    switch.disconnect(connection_id).await;
}

/// The client software behind an identity.
pub(super) fn client_of(identity: Option<&PeerIdentity>) -> Client {
    identity.map_or(Client::Unknown, |identity| Client::from_agent(&identity.agent))
}
