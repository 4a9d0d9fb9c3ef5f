//! At which stage an upgrade died, and who is to blame.

use std::error::Error;
use std::io;

use either::Either;
use libp2p::core::transport::timeout::TransportTimeoutError;
use libp2p::core::upgrade::{NegotiationError, ProtocolError};
use libp2p::{dns, noise, quic};

use crate::fault::{Classify, Fault, Severity};

/// Why a connection could not be secured and multiplexed.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeFailure {
    /// The stages together took longer than [`super::UPGRADE_TIMEOUT`].
    #[error("connection upgrade timed out")]
    Timeout,
    /// The socket failed, at whichever stage.
    #[error("socket error: {0}")]
    Socket(io::ErrorKind),
    /// The other end does not speak multistream-select.
    #[error("not a libp2p peer: {0}")]
    Multistream(String),
    /// The other end does not offer Noise.
    #[error("the peer does not offer noise")]
    NoNoise,
    /// The Noise handshake broke.
    #[error("noise handshake: {0}")]
    Noise(String),
    /// The other end offers none of our muxers.
    #[error("no muxer in common: the peer accepts none of those we offer (see --muxers)")]
    NoMuxer,
    /// The muxer broke before it carried a stream.
    #[error("muxer: {0}")]
    Muxer(String),
    /// QUIC or its TLS handshake failed.
    #[error("quic: {0}")]
    Quic(quic::Error),
    /// A name did not resolve.
    #[error("name resolution: {0}")]
    Dns(String),
    /// None of our transports dials such an address.
    #[error("no transport of ours")]
    NoTransport,
}

impl UpgradeFailure {
    /// Reads what the stacked upgrades report: socket, then Noise, then muxer.
    ///
    /// libp2p keeps the type of an upgrade's error private, so its causes are found by type instead.
    pub(super) fn from_tcp<N, M>(error: TransportTimeoutError<Either<Either<io::Error, N>, M>>) -> Self
    where
        N: Error + 'static,
        M: Error + 'static,
    {
        match error {
            TransportTimeoutError::Timeout => Self::Timeout,
            TransportTimeoutError::TimerError(error)
            | TransportTimeoutError::Other(Either::Left(Either::Left(error))) => Self::Socket(error.kind()),
            TransportTimeoutError::Other(Either::Left(Either::Right(error))) => {
                Self::from_stage(&error, Self::NoNoise, Self::Noise)
            }
            TransportTimeoutError::Other(Either::Right(error)) => Self::from_stage(&error, Self::NoMuxer, Self::Muxer),
        }
    }

    fn from_stage(error: &(dyn Error + 'static), refused: Self, broken: fn(String) -> Self) -> Self {
        // snow's wrapper shows the socket's error as its own, not as its cause
        let noise = cause::<noise::Error>(error);
        let socket = match noise {
            Some(noise::Error::Io(error)) => Some(error),
            _ => cause::<io::Error>(error),
        };
        if let Some(kind) = socket.map(io::Error::kind).filter(|kind| is_socket(*kind)) {
            return Self::Socket(kind);
        }
        match cause::<NegotiationError>(error) {
            Some(NegotiationError::Failed) => refused,
            Some(NegotiationError::ProtocolError(ProtocolError::IoError(error))) if is_socket(error.kind()) => {
                Self::Socket(error.kind())
            }
            Some(error) => Self::Multistream(error.to_string()),
            None => broken(noise.map_or_else(|| error.to_string(), ToString::to_string)),
        }
    }

    pub(super) const fn from_quic(error: quic::Error) -> Self {
        Self::Quic(error)
    }

    pub(super) fn from_dns(error: dns::Error<Self>) -> Self {
        match error {
            dns::Error::Transport(failure) => failure,
            dns::Error::MultiaddrNotSupported(_) => Self::NoTransport,
            dns::Error::Dial(failures) => failures
                .into_iter()
                .map(Self::from_dns)
                .max_by_key(Self::weight)
                .unwrap_or_else(|| Self::Dns("the name has no address that we can dial".to_owned())),
            other => Self::Dns(other.to_string()),
        }
    }

    /// Which of several failures tells most of a peer: somebody who answered wrongly says more than silence.
    #[must_use]
    pub fn weight(&self) -> u8 {
        match self.fault() {
            _ if matches!(self, Self::NoTransport) => 0,
            Fault::Violation(_) => 4,
            Fault::Incompatible => 3,
            Fault::Transient | Fault::Busy | Fault::Local if self.reason() == "timeout" => 1,
            Fault::Transient | Fault::Busy | Fault::Local => 2,
        }
    }

    /// Finds the failure inside the boxed error that a swarm reports.
    #[must_use]
    pub fn inside(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl Classify for UpgradeFailure {
    fn fault(&self) -> Fault {
        match self {
            Self::Timeout | Self::Socket(_) | Self::Muxer(_) | Self::Quic(_) | Self::Dns(_) => Fault::Transient,
            Self::NoNoise | Self::NoMuxer | Self::NoTransport => Fault::Incompatible,
            Self::Multistream(_) | Self::Noise(_) => Fault::Violation(Severity::Medium),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Timeout | Self::Quic(quic::Error::HandshakeTimedOut) => "timeout",
            Self::Socket(kind) => socket_reason(*kind),
            Self::Quic(quic::Error::Io(error)) => socket_reason(error.kind()),
            Self::Multistream(_) | Self::NoNoise => "negotiation",
            Self::Noise(_) => "noise",
            Self::NoMuxer => "no_muxer",
            Self::Muxer(_) => "muxer",
            Self::Quic(_) => "quic",
            Self::Dns(_) => "dns",
            Self::NoTransport => "no_transport",
        }
    }
}

/// The first cause of a type, the error itself included.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
        .find_map(|error| error.downcast_ref())
}

fn is_socket(kind: io::ErrorKind) -> bool {
    socket_reason(kind) != "other"
}

/// The label of a socket error.
pub(crate) const fn socket_reason(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => "refused",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            "unreachable"
        }
        io::ErrorKind::TimedOut => "timeout",
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => "closed",
        _ => "other",
    }
}
