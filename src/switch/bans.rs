//! Whom the swarm neither dials nor lets in: banned peers, and networks from which too many of them came.
//!
//! Told by the switch, which is told by `node`; `peers` decides, and ends every ban. A network is turned away before any
//! handshake costs something, a peer as soon as it is known who it is.

use std::collections::HashSet;
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};

use crate::peers::{BanTarget, IpGroup};
use crate::types::{Multiaddr, PeerId};

/// Why a connection was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("banned for a while for what it did")]
pub(super) struct Banned;

/// The behaviour. Bounded by what the peer manager bans at once.
#[derive(Debug, Default)]
pub(super) struct Behaviour {
    banned: HashSet<BanTarget>,
}

impl Behaviour {
    /// Begins or ends a ban. Connections that there are stay: `node` takes its leave of them.
    pub(super) fn set(&mut self, target: BanTarget, banned: bool) {
        if banned {
            self.banned.insert(target);
        } else {
            self.banned.remove(&target);
        }
    }

    fn check(&self, target: BanTarget) -> Result<(), ConnectionDenied> {
        if self.banned.contains(&target) { Err(ConnectionDenied::new(Banned)) } else { Ok(()) }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        IpGroup::of(remote).map_or(Ok(()), |group| self.check(BanTarget::Group(group)))
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer_id: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check(BanTarget::Peer(peer_id)).map(|()| dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer_id: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        peer_id.map_or(Ok(()), |peer_id| self.check(BanTarget::Peer(peer_id))).map(|()| Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
