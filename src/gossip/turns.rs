//! Messages that wait for a judge, taken in turns of their senders: however many messages one of them sends, those of
//! another wait for one of them at most.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::switch::GossipMessage;
use crate::types::PeerId;

/// The queue. How much may wait in it is bounded where messages leave the router: 1024 messages that take long.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Of those whose turn comes.
    messages: HashMap<PeerId, VecDeque<GossipMessage>>,
    /// Everybody with messages, once; the front is next.
    senders: VecDeque<PeerId>,
    closed: bool,
}

impl Waiting {
    fn pop(&mut self) -> Option<GossipMessage> {
        let sender = self.senders.pop_front()?;
        let messages = self.messages.get_mut(&sender)?;
        let message = messages.pop_front();
        if messages.is_empty() {
            self.messages.remove(&sender);
        } else {
            self.senders.push_back(sender);
        }
        message
    }
}

impl Turns {
    /// Lets a message wait.
    pub(super) fn push(&self, message: GossipMessage) {
        let mut waiting = self.lock();
        let sender = message.peer_id;
        let messages = waiting.messages.entry(sender).or_default();
        messages.push_back(message);
        if messages.len() == 1 {
            waiting.senders.push_back(sender);
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// The next message; waits for one. `None` once the queue is closed and empty.
    pub(super) fn next(&self) -> Option<GossipMessage> {
        let idle = |waiting: &mut Waiting| waiting.senders.is_empty() && !waiting.closed;
        self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // queue operations alone happen under the lock: a panic elsewhere leaves it whole
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::switch::testing::{self, Room};
    use crate::types::{ForkDigest, GossipTopic, MessageId, TopicKind, TopicName};

    fn message(sender: PeerId, number: u8) -> GossipMessage {
        let name = TopicName::global(TopicKind::BeaconBlock).unwrap();
        let topic = GossipTopic { fork_digest: ForkDigest([0; 4]), name };
        let message = testing::message(topic, MessageId([number; 20]), vec![number], Instant::now(), &Room::default());
        GossipMessage { peer_id: sender, ..message }
    }

    fn order(queue: &Turns) -> Vec<u8> {
        queue.close();
        std::iter::from_fn(|| queue.next()).map(|message| message.ssz[0]).collect()
    }

    #[test]
    fn a_flood_holds_up_others_for_one_message() {
        let (queue, flooder, honest) = (Turns::default(), PeerId::random(), PeerId::random());
        (1..=100).for_each(|number| queue.push(message(flooder, number)));
        (201..=203).for_each(|number| queue.push(message(honest, number)));
        assert_eq!(order(&queue)[..7], [1, 201, 2, 202, 3, 203, 4]);
    }

    #[test]
    fn messages_of_one_sender_keep_their_order_and_nothing_is_left() {
        let (queue, sender) = (Turns::default(), PeerId::random());
        (1..=3).for_each(|number| queue.push(message(sender, number)));
        assert_eq!(queue.next().unwrap().ssz[0], 1);
        queue.push(message(sender, 4));
        assert_eq!(order(&queue), [2, 3, 4]);
        assert!(queue.lock().messages.is_empty());
    }

    #[test]
    fn who_waits_is_woken_by_a_message_and_by_the_end() {
        let queue = Turns::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| (queue.next().map(|message| message.ssz[0]), queue.next().is_none()));
            queue.push(message(PeerId::random(), 7));
            queue.close();
            assert_eq!(waiting.join().unwrap(), (Some(7), true));
        });
    }
}
