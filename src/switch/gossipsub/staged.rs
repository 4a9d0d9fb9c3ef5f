//! New messages that came since the router last looked, by connection: libp2p's router is given those of a connection in
//! one call.
//!
//! Each of its calls works out the sender's score on all topics, which with all subnets joined takes longer than
//! everything else that is done for a small message. What comes within one turn of the swarm waits here for its end;
//! nothing waits for more to come.

use std::collections::BTreeMap;

use libp2p::swarm::ConnectionId;

use super::InnerEvent;
use super::inbound::Arrival;
use crate::types::{MessageId, PeerId};

/// Messages that are staged at most; with one more they are passed on.
const MESSAGES: usize = 256;

/// Bytes of compressed messages that are staged at most, besides the last message. Their SSZ is within the router's bound.
const BYTES: usize = 1024 * 1024;

/// What an RPC, or several in a row, brought for libp2p's router.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// The new messages.
    pub(super) arrivals: Vec<Arrival>,
    /// Id and SSZ of every message, in order; no SSZ where it is not new.
    pub(super) payloads: Vec<(MessageId, Vec<u8>)>,
}

impl Brought {
    fn append(&mut self, later: &mut Self) {
        self.arrivals.append(&mut later.arrivals);
        self.payloads.append(&mut later.payloads);
    }

    pub(super) fn clear(&mut self) {
        self.arrivals.clear();
        self.payloads.clear();
    }
}

/// What one connection brought, as one RPC.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) peer_id: PeerId,
    pub(super) event: InnerEvent,
    pub(super) brought: Brought,
}

impl Batch {
    /// Adds an RPC of new messages alone.
    fn append(&mut self, event: InnerEvent, brought: &mut Brought) {
        if let (InnerEvent::Message { rpc, .. }, InnerEvent::Message { rpc: mut later, .. }) = (&mut self.event, event)
        {
            rpc.messages.append(&mut later.messages);
        }
        self.brought.append(brought);
    }
}

/// The batches.
#[derive(Debug, Default)]
pub(super) struct Staged {
    batches: BTreeMap<ConnectionId, Batch>,
    messages: usize,
    bytes: usize,
    /// Whether something came since [`Self::is_complete`] was asked.
    grew: bool,
}

impl Staged {
    /// Adds an RPC of new messages alone. None may be a copy of another message that is staged.
    pub(super) fn add(
        &mut self,
        peer_id: PeerId,
        connection_id: ConnectionId,
        event: InnerEvent,
        brought: &mut Brought,
    ) {
        self.grew = true;
        self.messages += brought.arrivals.len();
        self.bytes += brought.arrivals.iter().map(|arrival| arrival.wire_bytes).sum::<usize>();
        match self.batches.get_mut(&connection_id) {
            Some(batch) => batch.append(event, brought),
            None => {
                self.batches.insert(connection_id, Batch { peer_id, event, brought: std::mem::take(brought) });
            }
        }
    }

    /// Whether as much is staged as may be.
    pub(super) fn is_full(&self) -> bool {
        self.messages >= MESSAGES || self.bytes >= BYTES
    }

    /// Whether nothing came since this was asked last.
    pub(super) fn is_complete(&mut self) -> bool {
        !std::mem::take(&mut self.grew)
    }

    pub(super) fn take(&mut self) -> BTreeMap<ConnectionId, Batch> {
        std::mem::take(self).batches
    }
}
