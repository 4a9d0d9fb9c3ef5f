//! libp2p's own ping, its first one an interval after the connection is up.
//!
//! A fresh connection is busy with its handshakes, which show that the peer is alive: libp2p would open another stream
//! beside them, from either side. Composed into the switch's behaviour. The pings of peers are answered at once.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::ping;
use libp2p::swarm::handler::ConnectionEvent;
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use tokio::time::{Sleep, sleep};

use crate::types::{Multiaddr, PeerId};

type Inner = THandler<ping::Behaviour>;
type Request =
    SubstreamProtocol<<Inner as ConnectionHandler>::OutboundProtocol, <Inner as ConnectionHandler>::OutboundOpenInfo>;
type ToConnection = ConnectionHandlerEvent<
    <Inner as ConnectionHandler>::OutboundProtocol,
    <Inner as ConnectionHandler>::OutboundOpenInfo,
    <Inner as ConnectionHandler>::ToBehaviour,
>;

/// The behaviour: ping's, with its handlers held back.
pub(super) struct Behaviour {
    inner: ping::Behaviour,
    interval: Duration,
}

impl Behaviour {
    /// Pings every `interval`.
    pub(super) fn new(interval: Duration) -> Self {
        Self { inner: ping::Behaviour::new(ping::Config::new().with_interval(interval)), interval }
    }

    fn late(&self, inner: Inner) -> Handler {
        Handler { inner, held: None, due: Some(Box::pin(sleep(self.interval))) }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = ping::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection_id: ConnectionId,
        peer_id: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        let inner = self.inner.handle_established_inbound_connection(connection_id, peer_id, local, remote)?;
        Ok(self.late(inner))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection_id: ConnectionId,
        peer_id: PeerId,
        remote: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        let inner = self.inner.handle_established_outbound_connection(connection_id, peer_id, remote, role, port)?;
        Ok(self.late(inner))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer_id: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.on_connection_handler_event(peer_id, id, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<ping::Event, THandlerInEvent<Self>>> {
        self.inner.poll(cx)
    }
}

/// The part that lives in the connection's task.
pub(super) struct Handler {
    inner: Inner,
    /// The stream that the inner handler wants, until it is due.
    held: Option<Request>,
    /// `None` once the interval is over.
    due: Option<Pin<Box<Sleep>>>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = <Inner as ConnectionHandler>::FromBehaviour;
    type ToBehaviour = <Inner as ConnectionHandler>::ToBehaviour;
    type InboundProtocol = <Inner as ConnectionHandler>::InboundProtocol;
    type OutboundProtocol = <Inner as ConnectionHandler>::OutboundProtocol;
    type InboundOpenInfo = <Inner as ConnectionHandler>::InboundOpenInfo;
    type OutboundOpenInfo = <Inner as ConnectionHandler>::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToConnection> {
        if self.due.as_mut().is_some_and(|due| due.as_mut().poll(cx).is_ready()) {
            self.due = None;
        }
        if self.due.is_none()
            && let Some(protocol) = self.held.take()
        {
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        match self.inner.poll(cx) {
            // it asks for no other until it has this one, and has nothing else to say now
            Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol }) if self.due.is_some() => {
                self.held = Some(protocol);
                self.inner.poll(cx)
            }
            event => event,
        }
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.inner.on_behaviour_event(event);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>) {
        self.inner.on_connection_event(event);
    }
}
