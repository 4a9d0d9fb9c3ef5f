//! Hands what the router worked out already to libp2p's router, which would work it out again.
//!
//! libp2p asks for a message's payload and id through two hooks, in the order of the messages of an RPC. The router
//! lays both ready before each call and takes away afterwards what was not asked for.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libp2p::gossipsub::{self, DataTransform, RawMessage, TopicHash};

use crate::types::MessageId;

/// What lies ready. Shared by the two hooks and the router, which all run in the switch's task: never contended.
#[derive(Clone, Debug, Default)]
pub(in crate::switch) struct Prepared(Arc<Mutex<Ready>>);

#[derive(Debug, Default)]
struct Ready {
    inbound: VecDeque<(MessageId, Vec<u8>)>,
    outbound: Option<Vec<u8>>,
    /// Of the message whose payload was taken last.
    id: Option<MessageId>,
}

impl Prepared {
    fn lock(&self) -> MutexGuard<'_, Ready> {
        // nothing panics while it is locked
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays the messages of an RPC ready.
    pub(super) fn lay_inbound(&self, messages: Vec<(MessageId, Vec<u8>)>) {
        self.lock().inbound.extend(messages);
    }

    /// Takes away what was not asked for, and whether there was any: all or none, since a peer that is cut off is not
    /// listened to at all.
    pub(super) fn clear_inbound(&self) -> bool {
        let mut ready = self.lock();
        let unasked = !ready.inbound.is_empty();
        ready.inbound.clear();
        unasked
    }

    /// Lays a message to publish ready: its id and its compressed form.
    pub(super) fn lay_outbound(&self, id: MessageId, data: Vec<u8>) {
        let mut ready = self.lock();
        (ready.outbound, ready.id) = (Some(data), Some(id));
    }

    /// The second hook: the id of the message whose payload was taken last.
    pub(super) fn take_id(&self) -> gossipsub::MessageId {
        // absent never; and all messages without an id would be one
        self.lock().id.take().map_or_else(|| gossipsub::MessageId(Vec::new()), inner_id)
    }
}

/// libp2p's form of an id.
pub(super) fn inner_id(id: MessageId) -> gossipsub::MessageId {
    gossipsub::MessageId(id.0.to_vec())
}

impl DataTransform for Prepared {
    fn inbound_transform(&self, raw: RawMessage) -> io::Result<gossipsub::Message> {
        let mut ready = self.lock();
        let (id, data) = ready.inbound.pop_front().ok_or_else(|| io::Error::other("not prepared"))?;
        ready.id = Some(id);
        let RawMessage { source, sequence_number, topic, .. } = raw;
        Ok(gossipsub::Message { source, data, sequence_number, topic })
    }

    fn outbound_transform(&self, _: &TopicHash, _: Vec<u8>) -> io::Result<Vec<u8>> {
        self.lock().outbound.take().ok_or_else(|| io::Error::other("not prepared"))
    }
}
