//! The ways in which bytes and streams go between two nodes.

use std::fmt;
use std::net::Ipv4Addr;

use beacond::config::TransportConfig;
use beacond::types::{Multiaddr, Muxer};
use libp2p::multiaddr::Protocol;

/// One transport with one muxer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    TcpYamux,
    TcpMplex,
    Quic,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::TcpYamux, Self::TcpMplex, Self::Quic];

    /// What a dialler that goes no other way is configured with.
    ///
    /// A preference for Yamux is what a node has anyway; Mplex comes about when nothing else is spoken.
    pub(crate) fn transports(self) -> TransportConfig {
        let muxers = match self {
            Self::TcpMplex => vec![Muxer::Mplex],
            Self::TcpYamux | Self::Quic => vec![Muxer::Yamux, Muxer::Mplex],
        };
        TransportConfig { tcp: self != Self::Quic, quic: self == Self::Quic, memory: false, muxers }
    }

    /// Any free port of loopback.
    pub(crate) fn loopback(self) -> Multiaddr {
        let loopback = Multiaddr::from(Ipv4Addr::LOCALHOST);
        match self {
            Self::TcpYamux | Self::TcpMplex => loopback.with(Protocol::Tcp(0)),
            Self::Quic => loopback.with(Protocol::Udp(0)).with(Protocol::QuicV1),
        }
    }

    /// Whether an address is dialled this way.
    pub(crate) fn fits(self, address: &Multiaddr) -> bool {
        address.iter().any(|part| match part {
            Protocol::QuicV1 => self == Self::Quic,
            Protocol::Tcp(_) => self != Self::Quic,
            _ => false,
        })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::TcpYamux => "TCP, Yamux",
            Self::TcpMplex => "TCP, Mplex",
            Self::Quic => "QUIC",
        })
    }
}
