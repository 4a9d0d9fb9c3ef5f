//! One attempt at a peer, from dial or accept to ready, as a task of its own.
//!
//! Spawned by `Eth2Node` and returned to it as a value; cancelling the task drops the connection.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::{
    Connection, Dialed, Handshaker, Ready, Refused, dial_peer, initialize_connection, perform_protocol_handshakes,
};
use super::tell;
use crate::events::NodeEvent;
use crate::handshake::Heard;
use crate::peers::Candidate;
use crate::switch::DialFailure;

/// How an attempt ended.
#[expect(clippy::large_enum_variant, reason = "one value an attempt, moved once")]
#[derive(Debug)]
pub(super) enum Attempt {
    /// No connection came about.
    Failed { candidate: Candidate, failure: DialFailure, duration: Duration },
    /// A handshake refused the peer; the connection is closed.
    Refused(Refused),
    /// The peer passed.
    Ready(Connection<Ready>),
}

/// Dials a candidate and runs the handshakes.
pub(super) async fn attempt_outbound(handshaker: Handshaker, candidate: Candidate) -> Attempt {
    let Candidate { peer_id, addresses, .. } = &candidate;
    handshaker.events.emit(NodeEvent::DialStarted { peer_id: *peer_id, addresses: tell::joined(addresses) });
    let started = Instant::now();
    let dialled = tokio::select! {
        biased;
        () = handshaker.stopping.cancelled() => Err(DialFailure::Aborted),
        dialled = dial_peer(&handshaker.switch, *peer_id, addresses.clone()) => dialled,
    };
    match dialled {
        Ok(connection) => shake_hands(handshaker, connection, None).await,
        Err(failure) => Attempt::Failed { candidate, failure, duration: started.elapsed() },
    }
}

/// Runs the handshakes on a fresh connection of either direction; where the peer dialled, with what it says by itself.
pub(super) async fn shake_hands(
    handshaker: Handshaker,
    connection: Connection<Dialed>,
    heard: Option<watch::Receiver<Heard>>,
) -> Attempt {
    let connection = initialize_connection(connection, &handshaker.events);
    match perform_protocol_handshakes(connection, &handshaker, heard).await {
        Ok(connection) => Attempt::Ready(connection),
        Err(refused) => Attempt::Refused(refused),
    }
}
