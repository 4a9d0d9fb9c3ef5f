//! The libp2p transport: QUIC, and TCP with Noise and Yamux or Mplex, behind DNS. Nodes within one program may also meet
//! in its memory, secured and multiplexed as over TCP.
//!
//! The `switch` builds one transport here and never looks inside. This module knows nothing of peers,
//! behaviours or policy; what it knows beyond bytes is which muxer a connection settled on ([`MuxerLog`])
//! and at which stage an upgrade died ([`UpgradeFailure`]).

mod addr;
mod cork;
mod failure;
mod fresh_port;
mod muxer_log;
mod upgrade;

use std::io;
use std::time::Duration;

pub use addr::{ip_of, transport_of};
pub use failure::UpgradeFailure;
pub use muxer_log::MuxerLog;

use futures::{AsyncRead, AsyncWrite};
use libp2p::PeerId;
use libp2p::core::Transport;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, MemoryTransport, OptionalTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{dns, noise, quic, tcp};
use tokio::time::Instant;

use crate::config::TransportConfig;
use crate::time::fine_milliseconds;
use crate::types::Muxer;
use fresh_port::FreshPort;
use upgrade::MuxerUpgrade;

/// From the first byte to a secured and multiplexed connection, either side.
///
/// Clients use 10 s (Lighthouse, Prysm); a dead host must not hold a dial slot longer.
pub const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// QUIC's own handshake, shorter so that TCP still gets its turn inside [`UPGRADE_TIMEOUT`].
const QUIC_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// A silent QUIC connection is dead after this; keep-alives go out every half of it, so that the death of a peer shows
/// within 15 s. The default of rust-libp2p, and so what holds with most clients anyway: the lower of both sides counts.
const QUIC_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Streams that one QUIC peer may hold open: 256, as go-libp2p and rust-libp2p.
const QUIC_STREAMS: u32 = 256;

/// A transport whose output a `Swarm` takes.
pub type BoxedTransport = Boxed<(PeerId, StreamMuxerBox)>;

/// Why the transport could not be built.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The identity key cannot sign a Noise handshake.
    #[error("the identity key cannot be used with noise")]
    Noise(#[from] noise::Error),
}

/// Builds the transport that `config` describes, and the log of muxers that it fills.
///
/// # Errors
/// [`TransportError::Noise`] when the key cannot sign.
pub fn build(keypair: &Keypair, config: &TransportConfig) -> Result<(BoxedTransport, MuxerLog), TransportError> {
    let log = MuxerLog::default();
    let transport = match dns::tokio::Transport::system(dialable(keypair, config, &log)?) {
        Ok(resolving) => resolving.map_err(UpgradeFailure::from_dns).boxed(),
        // A machine without /etc/resolv.conf still dials IP addresses; names then fail one by one, with a reason.
        Err(error) => {
            tracing::debug!(%error, "no resolver configuration: /dns multiaddrs cannot be dialled");
            dialable(keypair, config, &log)?.boxed()
        }
    };
    Ok((transport, log))
}

/// Draws from the TLS library's random source once, so that the first QUIC handshake does not wait for its seed.
///
/// Blocks for a tenth of a second or more: call it beside the start-up, not in it.
pub fn warm_up() {
    let started = Instant::now();
    // a source that fails now fails at the first handshake again, and is reported there
    let _ = aws_lc_rs::rand::fill(&mut [0; 32]);
    tracing::debug!(duration_ms = fine_milliseconds(started.elapsed()), "random source of TLS seeded");
}

/// QUIC and TCP as configured, for IP addresses only.
fn dialable(
    keypair: &Keypair,
    config: &TransportConfig,
    log: &MuxerLog,
) -> Result<
    impl Transport<Output = (PeerId, StreamMuxerBox), Error = UpgradeFailure, Dial: Send, ListenerUpgrade: Send>
    + Send
    + Unpin
    + use<>,
    TransportError,
> {
    let tcp = if config.tcp {
        let tcp = FreshPort(tcp::tokio::Transport::new(tcp::Config::default().nodelay(true)));
        OptionalTransport::some(secured(tcp, keypair, config, log)?)
    } else {
        OptionalTransport::none()
    };
    let memory = if config.memory {
        OptionalTransport::some(secured(MemoryTransport::default().map_err(io::Error::other), keypair, config, log)?)
    } else {
        OptionalTransport::none()
    };
    let quic = if config.quic {
        let log = log.clone();
        let quic = quic::tokio::Transport::new(quic_config(keypair))
            .map(move |(peer_id, connection), endpoint| {
                log.record(peer_id, &endpoint, Muxer::Quic);
                (peer_id, StreamMuxerBox::new(connection))
            })
            .map_err(UpgradeFailure::from_quic);
        OptionalTransport::some(quic)
    } else {
        OptionalTransport::none()
    };
    let tcp_or_quic = tcp.or_transport(quic).map(|either, _| either.into_inner()).map_err(|either| either.into_inner());
    Ok(tcp_or_quic.or_transport(memory).map(|either, _| either.into_inner()).map_err(|either| either.into_inner()))
}

/// Noise and a muxer over what carries bytes alone.
fn secured<T>(
    bytes: T,
    keypair: &Keypair,
    config: &TransportConfig,
    log: &MuxerLog,
) -> Result<
    impl Transport<Output = (PeerId, StreamMuxerBox), Error = UpgradeFailure, Dial: Send, ListenerUpgrade: Send>
    + Send
    + Unpin
    + use<T>,
    TransportError,
>
where
    T: Transport<Error = io::Error, Output: AsyncRead + AsyncWrite + Send + Unpin + 'static> + Send + Unpin + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let log = log.clone();
    Ok(bytes
        .upgrade(negotiation(&config.muxers))
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(MuxerUpgrade::new(&config.muxers))
        .timeout(UPGRADE_TIMEOUT)
        .map(move |output, endpoint| log.tagged(output, &endpoint))
        .map_err(UpgradeFailure::from_tcp))
}

/// With a choice of muxers the last proposal may ride on the first data; with a single one the answer is
/// awaited, so that a peer without it is reported as such and not as a broken connection.
const fn negotiation(muxers: &[Muxer]) -> Version {
    if muxers.len() > 1 { Version::V1Lazy } else { Version::V1 }
}

fn quic_config(keypair: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(keypair);
    config.handshake_timeout = QUIC_HANDSHAKE_TIMEOUT;
    config.max_idle_timeout = QUIC_IDLE_TIMEOUT.as_millis() as u32;
    config.keep_alive_interval = QUIC_IDLE_TIMEOUT / 2;
    config.max_concurrent_stream_limit = QUIC_STREAMS;
    config
}
