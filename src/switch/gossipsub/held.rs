//! Further copies of messages that wait for their verdict: kept from libp2p's router until it is known whether they matter.
//!
//! They do when the message is accepted (whoever sent it is not sent it) or rejected (whoever sent it is to blame); most
//! are ignored, and then copies change nothing. Each call of libp2p's router looks up the sender's score on all topics,
//! which costs several microseconds with all subnets joined.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::InnerEvent;
use crate::types::{MessageId, PeerId};

/// Copies of one message; as many as a mesh has members.
const COPIES: usize = 12;

/// Copies of all messages, each about 400 bytes: 13 MiB at worst.
const ALL_COPIES: usize = 32_768;

/// Older copies are of no consequence: libp2p's router has forgotten their message after 4.2 s.
const KEPT: Duration = Duration::from_secs(6);

/// A copy, alone in its RPC.
#[derive(Debug)]
pub(super) struct HeldCopy {
    pub(super) peer_id: PeerId,
    pub(super) connection_id: ConnectionId,
    /// Without its payload.
    pub(super) event: InnerEvent,
}

/// The copies by message.
#[derive(Debug)]
pub(super) struct Held<C = HeldCopy> {
    messages: HashMap<MessageId, (Instant, Vec<C>)>,
    copies: usize,
}

impl<C> Default for Held<C> {
    fn default() -> Self {
        Self { messages: HashMap::new(), copies: 0 }
    }
}

impl<C> Held<C> {
    /// Whether one more copy of a message may be held.
    pub(super) fn has_room(&self, id: &MessageId) -> bool {
        self.copies < ALL_COPIES && self.messages.get(id).is_none_or(|(_, copies)| copies.len() < COPIES)
    }

    /// Holds a copy that there is room for.
    pub(super) fn hold(&mut self, id: MessageId, copy: C, now: Instant) {
        let (_, copies) = self.messages.entry(id).or_insert_with(|| (now, Vec::new()));
        copies.push(copy);
        self.copies += 1;
    }

    /// The copies of a message, in order of arrival; they are held no more.
    pub(super) fn take(&mut self, id: &MessageId) -> Vec<C> {
        let copies = self.messages.remove(id).map_or_else(Vec::new, |(_, copies)| copies);
        self.copies -= copies.len();
        copies
    }

    /// Drops what nobody asked for in time.
    pub(super) fn prune(&mut self, now: Instant) {
        self.messages.retain(|_, (since, copies)| {
            let keep = now.duration_since(*since) < KEPT;
            self.copies -= if keep { 0 } else { copies.len() };
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_handed_out_once() {
        let (mut held, id, now) = (Held::default(), MessageId([1; 20]), Instant::now());
        held.hold(id, (), now);
        held.hold(id, (), now);
        assert_eq!(held.take(&MessageId([2; 20])).len(), 0);
        assert_eq!(held.take(&id).len(), 2);
        assert_eq!((held.take(&id).len(), held.copies), (0, 0));
    }

    #[test]
    fn no_message_takes_more_room_than_a_mesh_has_members() {
        let (mut held, id, now) = (Held::default(), MessageId([1; 20]), Instant::now());
        for _ in 0..COPIES {
            assert!(held.has_room(&id));
            held.hold(id, (), now);
        }
        assert!(!held.has_room(&id));
        assert!(held.has_room(&MessageId([2; 20])));
    }

    #[test]
    fn what_nobody_asked_for_is_dropped_in_time() {
        let (mut held, now) = (Held::default(), Instant::now());
        held.hold(MessageId([1; 20]), (), now);
        held.hold(MessageId([2; 20]), (), now + KEPT / 2);
        held.prune(now + KEPT);
        assert_eq!(held.copies, 1);
        assert_eq!(held.take(&MessageId([2; 20])).len(), 1);
    }
}
