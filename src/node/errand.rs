//! Upkeep of a ready peer: one request, run beside the loop, its answer returned as a value.

use super::connection::Handshaker;
use crate::handshake::LocalView;
use crate::peers::UpkeepAction;
use crate::rpc::{RpcTimeouts, call, methods};
use crate::switch::{ConnectionId, StreamOpener};
use crate::types::{MetaData, PeerId, StatusMessage};

/// What a peer answered.
#[derive(Debug)]
pub(super) enum Errand {
    /// The sequence number of its metadata.
    Pong(PeerId, u64),
    /// Its Status.
    Status(PeerId, StatusMessage),
    /// Its metadata.
    Metadata(PeerId, Box<MetaData>),
    /// Nothing: the connection was closed a while ago.
    HungUp(ConnectionId),
}

/// Asks a peer; `None` when no answer came, which the peer table notices by itself.
pub(super) async fn run_errand(
    handshaker: Handshaker,
    peer_id: PeerId,
    opener: StreamOpener,
    action: UpkeepAction,
) -> Option<Errand> {
    let Handshaker { local, events, .. } = &handshaker;
    let timeouts = RpcTimeouts::default();
    match action {
        UpkeepAction::Ping => {
            let seq_number = local.metadata().seq_number;
            let pong = call::<methods::Ping>(&opener, peer_id, &seq_number, &timeouts, events).await;
            pong.ok().map(|seq_number| Errand::Pong(peer_id, seq_number))
        }
        UpkeepAction::Status => {
            let status = call::<methods::Status>(&opener, peer_id, &local.status(), &timeouts, events).await;
            status.ok().map(|status| Errand::Status(peer_id, status))
        }
        UpkeepAction::Metadata => {
            let metadata = call::<methods::Metadata>(&opener, peer_id, &(), &timeouts, events).await;
            metadata.ok().map(|metadata| Errand::Metadata(peer_id, Box::new(metadata)))
        }
        UpkeepAction::Disconnect => None,
    }
}
