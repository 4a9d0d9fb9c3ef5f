//! Raw negotiated streams, bounded, as a libp2p behaviour.
//!
//! Each connection gets a [`StreamOpener`]: holding one is holding the right to open streams on exactly that
//! connection, and the requests go straight to the connection's task, not through the swarm's loop. Inbound streams
//! go the other way, straight from the connection's task into one bounded channel. Nothing here dials, and nothing
//! knows what the streams carry; `rpc` does.
//!
//! Once identify has told what a peer speaks, the protocol of a stream is not negotiated but announced, together with
//! its first bytes: that saves a round trip and three packets.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{Ready, ready};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::NegotiationError;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound, ProtocolsChange,
};
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Stream, StreamProtocol};
use tokio::sync::{mpsc, oneshot};

use crate::fault::{Classify, Fault};
use crate::types::{Multiaddr, PeerId};

/// Requests to open a stream that may wait at one connection; openers beyond it **wait**.
///
/// 64 × about 100 bytes = 6 KiB a connection.
const OPEN_QUEUE: usize = 64;

/// From the request to open a stream to an agreed protocol: two round trips and a slow peer.
const NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(10);

/// A stream that a peer opened with us, its protocol agreed upon.
#[derive(Debug)]
pub struct InboundStream {
    /// Who opened it.
    pub peer_id: PeerId,
    /// On which connection.
    pub connection_id: ConnectionId,
    /// What it speaks.
    pub protocol: StreamProtocol,
    /// The bytes.
    pub stream: Stream,
}

/// A stream that we opened, its protocol settled.
///
/// The last protocol that is offered is settled before the peer has agreed to it; if it does not, the first read from
/// the stream fails with an error of which [`was_refused`] is true.
#[derive(Debug)]
pub struct NegotiatedStream {
    /// Which of the offered protocols it is.
    pub protocol: StreamProtocol,
    /// The bytes. Dropping it resets the stream.
    pub stream: Stream,
}

/// Whether a stream broke because the peer does not speak the protocol that it was opened for.
#[must_use]
pub fn was_refused(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(NegotiationError::Failed))
}

/// Why a stream could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenStreamError {
    /// The connection is gone.
    #[error("the connection is closed")]
    Closed,
    /// The peer speaks none of the offered protocols.
    #[error("the peer speaks none of the offered protocols")]
    Unsupported,
    /// No agreement in time.
    #[error("protocol negotiation timed out")]
    Timeout,
    /// The stream broke during the negotiation.
    #[error("stream broke during negotiation: {0}")]
    Io(io::Error),
}

impl Classify for OpenStreamError {
    fn fault(&self) -> Fault {
        match self {
            Self::Unsupported => Fault::Incompatible,
            Self::Closed | Self::Timeout | Self::Io(_) => Fault::Transient,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Unsupported => "unsupported_protocol",
            Self::Timeout => "timeout",
            Self::Io(_) => "stream_broke",
        }
    }
}

type OpenReply = oneshot::Sender<Result<NegotiatedStream, OpenStreamError>>;

struct OpenRequest {
    protocols: Vec<StreamProtocol>,
    reply: OpenReply,
}

/// Opens streams on one connection. Cheap to clone.
///
/// The connection is kept alive as long as an opener exists.
#[derive(Clone, Debug)]
pub struct StreamOpener {
    requests: mpsc::Sender<OpenRequest>,
}

impl StreamOpener {
    /// Opens a stream for the first of `protocols` that the peer speaks.
    ///
    /// That is known if identify told; otherwise they are offered in order, and the last one is taken for granted.
    ///
    /// # Errors
    /// See [`OpenStreamError`]; that the peer does not speak the last of them shows by [`was_refused`].
    ///
    /// Cancel safe: an opened stream that nobody awaits any more is reset.
    pub async fn open(&self, protocols: Vec<StreamProtocol>) -> Result<NegotiatedStream, OpenStreamError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(OpenRequest { protocols, reply }).await.map_err(|_| OpenStreamError::Closed)?;
        answer.await.map_err(|_| OpenStreamError::Closed)?
    }

    /// Whether the connection is gone. True before the switch tells of it, and for ever after.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }
}

/// What the behaviour tells the switch.
#[derive(Debug)]
pub(super) enum Event {
    /// The inbound channel was full and a stream was reset.
    InboundDropped { peer_id: PeerId, protocol: StreamProtocol },
}

/// The behaviour: makes a handler per connection, hands out its opener once.
pub(super) struct Behaviour {
    protocols: Arc<[StreamProtocol]>,
    inbound: mpsc::Sender<InboundStream>,
    openers: HashMap<ConnectionId, StreamOpener>,
    dropped: Vec<Event>,
}

impl Behaviour {
    /// Accepts `protocols`; streams go to `inbound`, **drop and count** when it is full.
    pub(super) fn new(protocols: Vec<StreamProtocol>, inbound: mpsc::Sender<InboundStream>) -> Self {
        Self { protocols: protocols.into(), inbound, openers: HashMap::new(), dropped: Vec::new() }
    }

    /// The opener of a connection that was just established, once.
    pub(super) fn take_opener(&mut self, connection_id: ConnectionId) -> Option<StreamOpener> {
        self.openers.remove(&connection_id)
    }

    fn handler(&mut self, connection_id: ConnectionId, peer_id: PeerId) -> Handler {
        // wait: openers wait for their connection
        let (requests, queue) = mpsc::channel(OPEN_QUEUE);
        self.openers.insert(connection_id, StreamOpener { requests });
        Handler {
            peer_id,
            connection_id,
            protocols: self.protocols.clone(),
            requests: queue,
            spoken: HashSet::new(),
            abandoned: false,
            inbound: self.inbound.clone(),
            dropped: None,
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection_id: ConnectionId,
        peer_id: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(connection_id, peer_id))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection_id: ConnectionId,
        peer_id: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(connection_id, peer_id))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let gone = match event {
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => connection_id,
            // a connection that a later behaviour denied
            FromSwarm::DialFailure(failure) => failure.connection_id,
            FromSwarm::ListenFailure(failure) => failure.connection_id,
            _ => return,
        };
        self.openers.remove(&gone);
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        self.dropped.push(event);
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        self.dropped.pop().map_or(Poll::Pending, |event| Poll::Ready(ToSwarm::GenerateEvent(event)))
    }
}

/// The part that lives in the connection's task.
pub(super) struct Handler {
    peer_id: PeerId,
    connection_id: ConnectionId,
    protocols: Arc<[StreamProtocol]>,
    requests: mpsc::Receiver<OpenRequest>,
    /// What the peer says it speaks, of [`Self::protocols`].
    spoken: HashSet<StreamProtocol>,
    abandoned: bool,
    inbound: mpsc::Sender<InboundStream>,
    dropped: Option<Event>,
}

impl Handler {
    /// What has to be offered, in order: one protocol is enough once it is known that the peer speaks it.
    fn offer(&self, mut protocols: Vec<StreamProtocol>) -> Offer {
        if let Some(at) = protocols.iter().position(|protocol| self.spoken.contains(protocol)) {
            protocols = vec![protocols.swap_remove(at)];
        }
        Offer(protocols.into())
    }

    fn accept(&mut self, NegotiatedStream { protocol, stream }: NegotiatedStream) {
        let inbound = InboundStream { peer_id: self.peer_id, connection_id: self.connection_id, protocol, stream };
        // drop and count: the switch reports it
        if let Err(refused) = self.inbound.try_send(inbound) {
            let protocol = refused.into_inner().protocol;
            self.dropped = Some(Event::InboundDropped { peer_id: self.peer_id, protocol });
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Event;
    type InboundProtocol = Offer;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = OpenReply;

    fn listen_protocol(&self) -> SubstreamProtocol<Offer> {
        SubstreamProtocol::new(Offer(self.protocols.clone()), ()).with_timeout(NEGOTIATION_TIMEOUT)
    }

    fn connection_keep_alive(&self) -> bool {
        !self.abandoned
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Offer, OpenReply, Event>> {
        if let Some(event) = self.dropped.take() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
        }
        match self.requests.poll_recv(cx) {
            Poll::Ready(Some(OpenRequest { protocols, reply })) => {
                let protocol = SubstreamProtocol::new(self.offer(protocols), reply).with_timeout(NEGOTIATION_TIMEOUT);
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
            }
            Poll::Ready(None) => {
                self.abandoned = true;
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offer, Offer, (), OpenReply>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => self.accept(protocol),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info }) => {
                // receiver gone: whoever asked gave up, and the stream is reset by the drop
                let _ = info.send(Ok(protocol));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let error = match error {
                    StreamUpgradeError::Timeout => OpenStreamError::Timeout,
                    StreamUpgradeError::NegotiationFailed => OpenStreamError::Unsupported,
                    StreamUpgradeError::Io(error) => OpenStreamError::Io(error),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                // receiver gone: whoever asked gave up
                let _ = info.send(Err(error));
            }
            ConnectionEvent::RemoteProtocolsChange(ProtocolsChange::Added(added)) => {
                self.spoken.extend(added.filter(|protocol| self.protocols.contains(protocol)).cloned());
            }
            ConnectionEvent::RemoteProtocolsChange(ProtocolsChange::Removed(removed)) => {
                for protocol in removed {
                    self.spoken.remove(protocol);
                }
            }
            _ => {}
        }
    }
}

/// An upgrade that agrees on a protocol and hands the stream over untouched.
#[derive(Clone, Debug)]
pub(super) struct Offer(Arc<[StreamProtocol]>);

impl UpgradeInfo for Offer {
    type Info = StreamProtocol;
    type InfoIter = Vec<StreamProtocol>;

    fn protocol_info(&self) -> Vec<StreamProtocol> {
        self.0.to_vec()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = NegotiatedStream;
    type Error = Infallible;
    type Future = Ready<Result<NegotiatedStream, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok(NegotiatedStream { protocol, stream }))
    }
}

impl OutboundUpgrade<Stream> for Offer {
    type Output = NegotiatedStream;
    type Error = Infallible;
    type Future = Ready<Result<NegotiatedStream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok(NegotiatedStream { protocol, stream }))
    }
}
