//! What the rest of the program may ask of a running node.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::request::AskerQuery;
use crate::fault::Fault;
use crate::gossip::{Gossip, Plan};
use crate::types::{Direction, Enr, KnownPeer, Multiaddr, PeerId};

/// Commands that may wait for the node; callers **wait**. 128 × about 3 KiB = 400 KiB, when each asks for somebody with one
/// of 128 columns (2 KiB) but those who were tried (80 bytes each).
pub(super) const COMMANDS: usize = 128;

/// What the node can be told.
#[derive(Debug)]
pub(super) enum NodeCommand {
    /// Dial a peer, and keep dialling it.
    AddKnownPeer(KnownPeer),
    /// Find somebody to ask.
    Ask(AskerQuery),
    /// A peer answered wrongly.
    Fault(PeerId, Fault),
}

/// The node as it was a moment ago; **newest wins**.
#[derive(Clone, Debug, Default)]
pub struct NodeSnapshot {
    /// Our record, once discovery is up.
    pub enr: Option<Enr>,
    /// Where we listen.
    pub listening: Vec<Multiaddr>,
    /// The ready peers with who dialled, in order of peer id.
    pub peers: Vec<(PeerId, Direction)>,
}

/// The node has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct NodeStopped;

/// Talks to a running node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    pub(super) commands: mpsc::Sender<NodeCommand>,
    pub(super) snapshot: watch::Receiver<NodeSnapshot>,
    pub(super) plan: watch::Receiver<Arc<Plan>>,
    pub(super) gossip: Gossip,
}

impl NodeHandle {
    /// Adds a peer to the routing table (if it has a record) and to the dial queue, to be dialled for ever.
    ///
    /// # Errors
    /// [`NodeStopped`].
    ///
    /// Cancel safe.
    pub async fn add_known_peer(&self, peer: KnownPeer) -> Result<(), NodeStopped> {
        self.commands.send(NodeCommand::AddKnownPeer(peer)).await.map_err(|_| NodeStopped)
    }

    /// The node as it was a moment ago.
    #[must_use]
    pub fn snapshot(&self) -> NodeSnapshot {
        self.snapshot.borrow().clone()
    }

    /// Publishes on gossip, and judges what the node alone cannot.
    #[must_use]
    pub const fn gossip(&self) -> &Gossip {
        &self.gossip
    }

    /// What the node takes part in on gossip this epoch: its record and metadata say the same.
    #[must_use]
    pub fn plan(&self) -> Arc<Plan> {
        self.plan.borrow().clone()
    }
}
