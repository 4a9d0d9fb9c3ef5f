//! The switch: one task that owns the libp2p `Swarm`.
//!
//! `node` builds it, holds its [`SwitchHandle`] and reads its [`SwitchEvent`]s. Dials and disconnects go in as
//! commands; streams bypass it (see `streams`). It knows no policy and no protocol above the stream, but for gossip:
//! `gossipsub` has commands, scores and ends of its own.

mod bans;
mod behaviour;
mod event;
mod failure;
mod gossipsub;
mod late_ping;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use libp2p::core::ConnectedPoint;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::metrics::{Metrics as Libp2pMetrics, Recorder};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{StreamProtocol, Swarm, connection_limits, identify, swarm};
use socket2::{Domain, Socket, Type};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The swarm's name for a connection; never used twice.
pub use libp2p::swarm::ConnectionId;

#[cfg(test)]
pub(crate) use gossipsub::testing;

pub use event::{DialFailure, PeerIdentity, RawConnection, SwitchEvent};
pub use gossipsub::{
    Acceptance, GossipCounts, GossipEnds, GossipMessage, HeldBytes, Invalid, KindCounts, Lane, PendingVerdict,
    PublishError, Published, RelayPolicy, Rivalry, RouterEvent, RouterSettings, TOTAL_WEIGHT, TopicScore,
    TopicSubscription,
};
pub use streams::{InboundStream, NegotiatedStream, OpenStreamError, StreamOpener, was_refused};

use crate::fault::describe;
use crate::peers::BanTarget;
use crate::transport::{BoxedTransport, MuxerLog, transport_of};
use crate::types::{Direction, Multiaddr, Muxer, PeerId, Transport};
use behaviour::{Behaviour, BehaviourEvent};
use gossipsub::{Router, RouterHandle};

/// Commands that may wait; senders **wait**. 256 × about 300 bytes = 75 KiB.
const COMMANDS: usize = 256;

/// Events that may wait for the node; the swarm **waits** (and with it the sockets) when it is full.
///
/// 1024 × about 500 bytes = 500 KiB.
const EVENTS: usize = 1024;

/// Streams that peers opened and nobody serves yet; **drop and count**. 256 × about 300 bytes = 75 KiB.
const INBOUND_STREAMS: usize = 256;

/// Streams of one connection that may negotiate at once; further ones are reset.
const NEGOTIATING_STREAMS: usize = 64;

/// All connections together may take this long to close in order at the end.
const CLOSING: Duration = Duration::from_millis(250);

/// How many connections of each kind the swarm holds; the peer table's own limits lie within these.
#[derive(Clone, Copy, Debug)]
pub struct SwitchLimits {
    /// Inbound connections that are being upgraded.
    pub pending_inbound: u32,
    /// Dials that are under way.
    pub pending_outbound: u32,
    /// Established connections that peers made; less than all of them, so that our own dials find room.
    pub established_inbound: u32,
    /// Established connections of both directions.
    pub established: u32,
}

/// What a switch is made of.
#[expect(missing_debug_implementations, reason = "a boxed transport cannot be shown")]
pub struct SwitchSettings {
    /// Who we are.
    pub keypair: Keypair,
    /// What carries the bytes.
    pub transport: BoxedTransport,
    /// Filled by the transport.
    pub muxers: MuxerLog,
    /// Protocols that peers may open streams for.
    pub protocols: Vec<StreamProtocol>,
    /// Connection limits.
    pub limits: SwitchLimits,
    /// libp2p's own metric families, if anyone reads them.
    pub metrics: Option<Libp2pMetrics>,
    /// How gossip is routed.
    pub gossip: RouterSettings,
}

/// Why the switch could not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else has the port.
    #[error("cannot listen on {address}: the port is in use; stop the other program or choose another with {flag}")]
    PortInUse {
        /// Where.
        address: Multiaddr,
        /// The flag that changes it.
        flag: &'static str,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {cause}; check --listen-address and {flag}")]
    Refused {
        /// Where.
        address: Multiaddr,
        /// The flag that changes it.
        flag: &'static str,
        /// Why.
        cause: String,
    },
}

enum Command {
    Dial { peer_id: PeerId, addresses: Vec<Multiaddr>, reply: DialReply },
    Disconnect(ConnectionId),
    SetBanned { target: BanTarget, banned: bool },
}

type DialReply = oneshot::Sender<Result<RawConnection, DialFailure>>;

/// Talks to the switch. Cheap to clone; commands **wait** when the switch is behind.
#[derive(Clone, Debug)]
pub struct SwitchHandle {
    commands: mpsc::Sender<Command>,
    router: RouterHandle,
}

impl SwitchHandle {
    /// Connects to a peer, QUIC before TCP, each address with a short head start over the next.
    ///
    /// # Errors
    /// See [`DialFailure`].
    ///
    /// Cancel safe: a connection that nobody awaits any more is closed.
    pub async fn dial(&self, peer_id: PeerId, addresses: Vec<Multiaddr>) -> Result<RawConnection, DialFailure> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Dial { peer_id, addresses, reply };
        self.commands.send(command).await.map_err(|_| DialFailure::Stopped)?;
        answer.await.map_err(|_| DialFailure::Stopped)?
    }

    /// Closes one connection; without effect when it is gone.
    ///
    /// Cancel safe.
    pub async fn disconnect(&self, connection_id: ConnectionId) {
        // switch gone: so are its connections
        let _ = self.commands.send(Command::Disconnect(connection_id)).await;
    }

    /// Begins or ends a ban: new connections are refused meanwhile, those that there are stay.
    ///
    /// Cancel safe.
    pub async fn set_banned(&self, target: BanTarget, banned: bool) {
        // switch gone: nobody comes in any more
        let _ = self.commands.send(Command::SetBanned { target, banned }).await;
    }
}

/// The task's state. Poll it by [`Switch::run`].
#[must_use = "a switch does nothing until run"]
#[expect(missing_debug_implementations, reason = "a swarm cannot be shown")]
pub struct Switch {
    swarm: Swarm<Behaviour>,
    muxers: MuxerLog,
    metrics: Option<Libp2pMetrics>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<SwitchEvent>,
    /// Events that wait for room in `events`; the swarm rests until they are out.
    outbox: VecDeque<SwitchEvent>,
    dials: HashMap<ConnectionId, DialReply>,
    identities: HashMap<ConnectionId, watch::Sender<Option<PeerIdentity>>>,
}

/// The far ends of a switch.
#[derive(Debug)]
pub struct SwitchEnds {
    /// Commands go in here.
    pub handle: SwitchHandle,
    /// Events come out here.
    pub events: mpsc::Receiver<SwitchEvent>,
    /// Streams that peers opened come out here.
    pub inbound_streams: mpsc::Receiver<InboundStream>,
    /// Gossip comes out here.
    pub gossip: GossipEnds,
}

impl Switch {
    /// Composes the swarm; nothing listens yet. Must be called within a tokio runtime.
    pub fn new(settings: SwitchSettings) -> (Self, SwitchEnds) {
        let SwitchSettings { keypair, transport, muxers, protocols, limits, metrics, gossip } = settings;
        let (command_sender, commands) = mpsc::channel(COMMANDS);
        let (events, event_receiver) = mpsc::channel(EVENTS);
        let (inbound, inbound_streams) = mpsc::channel(INBOUND_STREAMS);
        let limits = connection_limits::ConnectionLimits::default()
            .with_max_pending_incoming(Some(limits.pending_inbound))
            .with_max_pending_outgoing(Some(limits.pending_outbound))
            .with_max_established_incoming(Some(limits.established_inbound))
            .with_max_established(Some(limits.established))
            // two for the moment in which both sides dialled at once; the node keeps one
            .with_max_established_per_peer(Some(2));
        let (router, router_handle, gossip) = Router::new(gossip);
        let behaviour = Behaviour::new(&keypair, limits, protocols, inbound, router);
        let config = swarm::Config::with_tokio_executor()
            .with_smart_dial()
            // the last protocol offered for a stream rides on the first data
            .with_substream_upgrade_protocol_override(Version::V1Lazy)
            .with_max_negotiating_inbound_streams(NEGOTIATING_STREAMS)
            .with_per_connection_event_buffer_size(4);
        let swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config);
        let switch = Self {
            swarm,
            muxers,
            metrics,
            commands,
            events,
            outbox: VecDeque::new(),
            dials: HashMap::new(),
            identities: HashMap::new(),
        };
        let handle = SwitchHandle { commands: command_sender, router: router_handle };
        (switch, SwitchEnds { handle, events: event_receiver, inbound_streams, gossip })
    }

    /// Opens one listener and waits until it has an address; returns the first.
    ///
    /// # Errors
    /// [`ListenError`] names the flag to change.
    ///
    /// Not cancel safe: a listener may stay behind.
    pub async fn listen(&mut self, address: Multiaddr, flag: &'static str) -> Result<Multiaddr, ListenError> {
        let refused = |cause: String| ListenError::Refused { address: address.clone(), flag, cause };
        let in_use = || ListenError::PortInUse { address: address.clone(), flag };
        if tcp_port_is_taken(&address) {
            return Err(in_use());
        }
        let listener = self.swarm.listen_on(address.clone()).map_err(|error| match error {
            error if failure::transport_text(&error).contains("in use") => in_use(),
            error => refused(failure::transport_text(&error)),
        })?;
        loop {
            let event = self.swarm.select_next_some().await;
            match &event {
                SwarmEvent::NewListenAddr { listener_id, address } if *listener_id == listener => {
                    let address = address.clone();
                    self.on_swarm_event(event);
                    return Ok(address);
                }
                SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. } if *listener_id == listener => {
                    return Err(match error.kind() {
                        io::ErrorKind::AddrInUse => in_use(),
                        _ => refused(error.to_string()),
                    });
                }
                _ => self.on_swarm_event(event),
            }
        }
    }

    /// Drives the swarm until `token` is cancelled, then closes every connection, for 250 ms at most.
    ///
    /// Must be polled by one task. Not cancel safe: dropping it resets all connections.
    pub async fn run(mut self, token: CancellationToken) {
        let events = self.events.clone();
        loop {
            tokio::select! {
                biased;
                () = token.cancelled() => return self.close().await,
                permit = events.reserve(), if !self.outbox.is_empty() => match (permit, self.outbox.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    // the node is gone; so shall we
                    _ => return,
                },
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                event = self.swarm.select_next_some(), if self.outbox.is_empty() => self.on_swarm_event(event),
            }
        }
    }

    /// Lets the peers know at once, rather than by their timeouts.
    async fn close(mut self) {
        let open: Vec<_> = self.identities.keys().copied().collect();
        for connection_id in open {
            self.swarm.close_connection(connection_id);
        }
        let all = async {
            while !self.identities.is_empty() {
                if let SwarmEvent::ConnectionClosed { connection_id, .. } = self.swarm.select_next_some().await {
                    self.identities.remove(&connection_id);
                }
            }
        };
        // late: the rest is dropped
        let _ = timeout(CLOSING, all).await;
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Dial { peer_id, addresses, reply } => self.dial(peer_id, addresses, reply),
            Command::Disconnect(connection_id) => {
                self.swarm.close_connection(connection_id);
            }
            Command::SetBanned { target, banned } => self.swarm.behaviour_mut().bans.set(target, banned),
        }
    }

    fn dial(&mut self, peer_id: PeerId, addresses: Vec<Multiaddr>, reply: DialReply) {
        let options =
            DialOpts::peer_id(peer_id).condition(PeerCondition::DisconnectedAndNotDialing).addresses(addresses).build();
        let connection_id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(connection_id, reply);
            }
            Err(error) => {
                // receiver gone: whoever asked gave up
                let _ = reply.send(Err(DialFailure::from_dial_error(error)));
            }
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        if let Some(metrics) = &self.metrics {
            metrics.record(&event);
        }
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, established_in, .. } => {
                self.on_established(peer_id, connection_id, &endpoint, established_in);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                self.identities.remove(&connection_id);
                let cause = cause.map(|cause| describe(&cause));
                self.outbox.push_back(SwitchEvent::Closed { peer_id, connection_id, cause });
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(reply) = self.dials.remove(&connection_id) {
                    // receiver gone: whoever asked gave up
                    let _ = reply.send(Err(DialFailure::from_dial_error(error)));
                }
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                let failure = DialFailure::from_listen_error(error);
                self.outbox.push_back(SwitchEvent::InboundFailed { address: send_back_addr, failure });
            }
            SwarmEvent::NewListenAddr { address, .. } => self.outbox.push_back(SwitchEvent::ListenOpened(address)),
            SwarmEvent::ExpiredListenAddr { address, .. } => self.outbox.push_back(SwitchEvent::ListenExpired(address)),
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                let error = reason.err().map_or_else(|| "closed".to_owned(), |error| error.to_string());
                self.outbox.push_back(SwitchEvent::ListenClosed { addresses, error });
            }
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams(streams::Event::InboundDropped { peer_id, protocol }) => {
                let protocol = protocol.to_string();
                self.outbox.push_back(SwitchEvent::InboundStreamDropped { peer_id, protocol });
            }
            BehaviourEvent::Identify(event) => {
                if let Some(metrics) = &self.metrics {
                    metrics.record(&event);
                }
                if let identify::Event::Received { connection_id, info, .. } = event {
                    let gossipsub = info.protocols.iter().any(|protocol| protocol.as_ref().starts_with("/meshsub/"));
                    if let Some(identity) = self.identities.get(&connection_id) {
                        // newest wins
                        identity.send_replace(Some(PeerIdentity::new(&info.agent_version, gossipsub)));
                    }
                }
            }
            BehaviourEvent::Ping(event) => {
                if let Some(metrics) = &self.metrics {
                    metrics.record(&event);
                }
            }
            BehaviourEvent::Gossip(event) => {
                if let Some(metrics) = &self.metrics {
                    metrics.record(&event);
                }
            }
            BehaviourEvent::Limits(never) | BehaviourEvent::Bans(never) => match never {},
        }
    }

    fn on_established(
        &mut self,
        peer_id: PeerId,
        connection_id: ConnectionId,
        endpoint: &ConnectedPoint,
        established_in: Duration,
    ) {
        let Some(opener) = self.swarm.behaviour_mut().streams.take_opener(connection_id) else {
            return;
        };
        let mut address = endpoint.get_remote_address().clone();
        if let Some(Protocol::P2p(_)) = address.iter().last() {
            address.pop();
        }
        // unknown only when the log overflowed: 256 upgrades that nobody took
        let transport = transport_of(&address).unwrap_or(Transport::Tcp);
        let muxer = self.muxers.take(peer_id, endpoint).unwrap_or(match transport {
            Transport::Quic => Muxer::Quic,
            Transport::Tcp | Transport::Memory => Muxer::Yamux,
        });
        let (sender, identity) = watch::channel(None);
        self.identities.insert(connection_id, sender);
        let direction = if endpoint.is_dialer() { Direction::Outbound } else { Direction::Inbound };
        let connection = RawConnection {
            peer_id,
            connection_id,
            direction,
            transport,
            muxer,
            address,
            opener,
            identity,
            established_in,
        };
        match self.dials.remove(&connection_id) {
            Some(reply) => {
                if reply.send(Ok(connection)).is_err() {
                    // whoever asked gave up
                    self.swarm.close_connection(connection_id);
                }
            }
            None => self.outbox.push_back(SwitchEvent::Inbound(connection)),
        }
    }
}

/// Takes a port for a moment, in one family only, as libp2p will.
fn probe_tcp(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // as every listener does: connections of an earlier run may linger
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1)
}

/// libp2p listens with `SO_REUSEPORT`, which lets two programs of one user share a port without a word.
fn tcp_port_is_taken(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Protocol::Ip4(ip)) => ip.into(),
        Some(Protocol::Ip6(ip)) => std::net::IpAddr::V6(ip),
        _ => return false,
    };
    match parts.next() {
        Some(Protocol::Tcp(port)) if port != 0 => {
            probe_tcp((ip, port).into()).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        }
        _ => false,
    }
}
