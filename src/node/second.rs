//! Second connections to a peer: one of two is closed, when it is time and known whether the other lives.
//!
//! A part of [`Eth2Node`]'s loop, which calls it; the peer table decides, `errand` waits and asks.

use tokio::time::Instant;

use super::errand::settle;
use super::eth2_node::Eth2Node;
use super::tell;
use crate::peers::{Cause, Outcome, PeerRecord, Settlement};
use crate::switch::ConnectionId;
use crate::types::{Direction, PeerId};

impl Eth2Node {
    /// An attempt has led to a peer that is connected already.
    pub(super) fn end_needless_attempt(&mut self, peer_id: PeerId, direction: Direction) {
        let failed = Outcome::Failed { direction, cause: Cause::Local };
        self.manager.on_outcome(peer_id, failed, Instant::now(), &mut self.rng);
    }

    /// One of the peer's two connections is to be closed, when it is time and known whether the other lives.
    pub(super) fn settle_soon(&mut self, peer_id: PeerId, settlement: Settlement<ConnectionId>) {
        let keep = self.sessions.get(&settlement.keep).filter(|_| settlement.ask);
        let opener = keep.map(|session| session.opener.clone());
        self.errands.spawn(settle(self.handshaker.clone(), peer_id, opener, settlement));
    }

    pub(super) fn on_settled(&mut self, peer_id: PeerId, keep: ConnectionId, lives: bool) {
        let former = self.manager.table().get(&peer_id).cloned();
        let Some(close) = self.manager.settle(&peer_id, keep, lives) else { return };
        if close == keep {
            self.on_replaced(&peer_id, former);
        }
        self.hang_up_spare(close);
    }

    /// The peer's spare connection has taken the place of the former one.
    pub(super) fn on_replaced(&self, peer_id: &PeerId, former: Option<PeerRecord<ConnectionId>>) {
        if let (Some(record), Some(former)) = (self.manager.table().get(peer_id), former) {
            self.emit(tell::replaced(record, &former));
        }
        self.publish();
    }

    /// Closes a connection without a word: its peer stays, over the other one.
    pub(super) fn hang_up_spare(&mut self, connection_id: ConnectionId) {
        let Some(session) = self.sessions.remove(&connection_id) else { return };
        self.hang_up(session.peer_id, connection_id, session.opener, None);
    }
}
