//! What the switch tells its owner, and what dialling can end in.

use std::time::Duration;

use libp2p::swarm::ConnectionId;
use tokio::sync::watch;

use super::streams::StreamOpener;
use crate::fault::{Classify, Fault, Severity};
use crate::types::{Direction, Multiaddr, Muxer, PeerId, Transport};

/// A connection that is secured and multiplexed, and nothing more.
#[derive(Debug)]
pub struct RawConnection {
    /// Who is at the other end, proven.
    pub peer_id: PeerId,
    /// The swarm's name for the connection.
    pub connection_id: ConnectionId,
    /// Who dialled.
    pub direction: Direction,
    /// What carries the bytes.
    pub transport: Transport,
    /// What carries the streams.
    pub muxer: Muxer,
    /// The remote address.
    pub address: Multiaddr,
    /// Opens streams; the connection stays as long as this exists.
    pub opener: StreamOpener,
    /// What identify told, once it did.
    pub identity: watch::Receiver<Option<PeerIdentity>>,
    /// From dial or accept to here.
    pub established_in: Duration,
}

/// What a peer says of itself by identify; hints, never relied upon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Agent string, at most [`Self::MAX_AGENT`] bytes, control characters escaped.
    pub agent: String,
    /// Whether a gossipsub protocol is among its protocols.
    pub gossipsub: bool,
}

impl PeerIdentity {
    /// Longest agent string that is kept, bytes.
    pub const MAX_AGENT: usize = 128;

    /// Escapes and truncates what the peer sent.
    #[must_use]
    pub fn new(agent: &str, gossipsub: bool) -> Self {
        let mut agent: String = agent.chars().take(Self::MAX_AGENT).flat_map(char::escape_debug).collect();
        while agent.len() > Self::MAX_AGENT {
            agent.pop();
        }
        Self { agent, gossipsub }
    }
}

/// What happened on the network.
#[derive(Debug)]
pub enum SwitchEvent {
    /// A peer dialled us.
    Inbound(RawConnection),
    /// A connection, ready or not, is gone.
    Closed {
        /// Who was at the other end.
        peer_id: PeerId,
        /// The swarm's name for the connection.
        connection_id: ConnectionId,
        /// The cause; `None` when either side closed it in order.
        cause: Option<String>,
    },
    /// An inbound connection died before it was one.
    InboundFailed {
        /// Where it came from.
        address: Multiaddr,
        /// Why.
        failure: DialFailure,
    },
    /// A listener is open.
    ListenOpened(Multiaddr),
    /// A listener has lost one of its addresses: an interface went away, or changed.
    ListenExpired(Multiaddr),
    /// A listener is gone.
    ListenClosed {
        /// What it listened on.
        addresses: Vec<Multiaddr>,
        /// The cause.
        error: String,
    },
    /// A peer opened more streams than we take.
    InboundStreamDropped {
        /// Who opened it.
        peer_id: PeerId,
        /// What it was to speak.
        protocol: String,
    },
}

/// Why no connection came about, either direction.
#[derive(Debug, thiserror::Error)]
pub enum DialFailure {
    /// Addresses failed, each in its own way; the most telling one decides.
    #[error("{details}")]
    Addresses {
        /// Label of the most telling failure.
        reason: &'static str,
        /// Its fault.
        fault: Fault,
        /// Every address with its failure.
        details: String,
        /// The addresses where nobody answered.
        silent: Vec<Multiaddr>,
    },
    /// None of the addresses names a transport that we run.
    #[error("no transport of ours fits these addresses (see --transports, --disable-quic)")]
    NoTransport,
    /// The peer proved another identity.
    #[error("another peer answered: {obtained}")]
    WrongPeerId {
        /// Who answered.
        obtained: PeerId,
    },
    /// It was ourselves.
    #[error("the address is our own")]
    Myself,
    /// Our limits refused the connection.
    #[error("refused by our own limits: {0}")]
    Denied(String),
    /// A connection to the peer exists or is being made.
    #[error("already connected or dialling")]
    AlreadyConnected,
    /// The attempt was given up.
    #[error("the attempt was given up")]
    Aborted,
    /// The switch has stopped.
    #[error("the switch has stopped")]
    Stopped,
}

impl Classify for DialFailure {
    fn fault(&self) -> Fault {
        match self {
            Self::Addresses { fault, .. } => *fault,
            Self::NoTransport | Self::Myself => Fault::Incompatible,
            Self::WrongPeerId { .. } => Fault::Violation(Severity::Low),
            Self::Denied(_) | Self::AlreadyConnected | Self::Aborted | Self::Stopped => Fault::Local,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Addresses { reason, .. } => reason,
            Self::NoTransport => "no_transport",
            Self::WrongPeerId { .. } => "wrong_peer_id",
            Self::Myself => "self",
            Self::Denied(_) => "denied",
            Self::AlreadyConnected => "already_connected",
            Self::Aborted | Self::Stopped => "aborted",
        }
    }
}
