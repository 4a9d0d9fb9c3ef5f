//! What peers say over connections whose handshakes are not over, until the handshakes take it.
//!
//! Owned by the node's loop, which feeds it from the rpc server's reports. A report may come before the loop knows of
//! its connection, since streams do not pass through the switch's events: it waits here.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::watch;

use crate::handshake::Heard;
use crate::switch::ConnectionId;

/// Connections of which something was heard before they were known; the oldest is **dropped**, and its peer asked
/// instead, once the handshake has waited in vain.
///
/// 256 × about 160 bytes = 40 KiB.
const EARLY: usize = 256;

/// What was heard, by connection: [`EARLY`] unknown ones, and those that peers began and whose handshakes run.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    attempts: BTreeMap<ConnectionId, watch::Sender<Heard>>,
    early: VecDeque<(ConnectionId, Heard)>,
}

impl Hearing {
    /// The handshakes of a connection begin: they are told what has been heard already, and what comes.
    pub(super) fn begin(&mut self, connection_id: ConnectionId) -> watch::Receiver<Heard> {
        let early = self.early.iter().position(|(early, _)| *early == connection_id);
        let heard = early.and_then(|at| self.early.remove(at)).map(|(_, heard)| heard);
        // newest wins
        let (sender, receiver) = watch::channel(heard.unwrap_or_default());
        self.attempts.insert(connection_id, sender);
        receiver
    }

    /// Something was heard over a connection.
    pub(super) fn note(&mut self, connection_id: ConnectionId, note: impl FnOnce(&mut Heard)) {
        if let Some(attempt) = self.attempts.get(&connection_id) {
            return attempt.send_modify(note);
        }
        if let Some((_, heard)) = self.early.iter_mut().find(|(early, _)| *early == connection_id) {
            return note(heard);
        }
        if self.early.len() == EARLY {
            self.early.pop_front();
        }
        let mut heard = Heard::default();
        note(&mut heard);
        self.early.push_back((connection_id, heard));
    }

    /// Connections of which something is kept.
    pub(super) fn len(&self) -> usize {
        self.attempts.len() + self.early.len()
    }

    /// The handshakes of a connection are over, or it is gone: those that still run hear no more.
    pub(super) fn end(&mut self, connection_id: ConnectionId) {
        self.attempts.remove(&connection_id);
        self.early.retain(|(early, _)| *early != connection_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(n: usize) -> ConnectionId {
        ConnectionId::new_unchecked(n)
    }

    fn said(hearing: &mut Hearing, n: usize, seq_number: u64) {
        hearing.note(connection(n), |heard| heard.ping_seq = Some(seq_number));
    }

    #[test]
    fn what_came_before_the_handshakes_is_there_when_they_begin() {
        let mut hearing = Hearing::default();
        said(&mut hearing, 1, 7);
        said(&mut hearing, 2, 8);
        said(&mut hearing, 1, 9);
        assert_eq!(hearing.begin(connection(1)).borrow().ping_seq, Some(9));
        assert_eq!(hearing.begin(connection(3)).borrow().ping_seq, None);
    }

    #[test]
    fn what_comes_later_is_told_to_that_connection_alone() {
        let mut hearing = Hearing::default();
        let (one, other) = (hearing.begin(connection(1)), hearing.begin(connection(2)));
        said(&mut hearing, 1, 7);
        assert_eq!((one.borrow().ping_seq, other.borrow().ping_seq), (Some(7), None));
    }

    #[test]
    fn handshakes_hear_of_the_end_of_their_connection() {
        let mut hearing = Hearing::default();
        let one = hearing.begin(connection(1));
        hearing.end(connection(1));
        assert!(one.has_changed().is_err());
    }

    #[test]
    fn nothing_is_kept_of_connections_that_ended_and_little_of_unknown_ones() {
        let mut hearing = Hearing::default();
        for n in 0..2 * EARLY {
            said(&mut hearing, n, 1);
        }
        assert_eq!(hearing.early.len(), EARLY);
        for n in 0..2 * EARLY {
            hearing.end(connection(n));
        }
        assert!(hearing.early.is_empty() && hearing.attempts.is_empty());
    }
}
