//! Reading multiaddrs: which transport they name, which IP they hold.

use std::net::IpAddr;

use libp2p::multiaddr::Protocol;

use crate::types::{Multiaddr, Transport};

/// The transport that an address names; `None` for one that we do not speak.
#[must_use]
pub fn transport_of(address: &Multiaddr) -> Option<Transport> {
    address.iter().fold(None, |found, protocol| match protocol {
        Protocol::Tcp(_) => Some(Transport::Tcp),
        Protocol::QuicV1 => Some(Transport::Quic),
        Protocol::Memory(_) => Some(Transport::Memory),
        // other layers over TCP are other transports
        Protocol::Ws(_) | Protocol::Wss(_) | Protocol::P2pCircuit => None,
        _ => found,
    })
}

/// The IP of an address; `None` for DNS names.
#[must_use]
pub fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|protocol| match protocol {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_transport_of_an_address() {
        let cases = [
            ("/ip4/127.0.0.1/tcp/9000", Some(Transport::Tcp)),
            ("/ip6/::1/udp/9001/quic-v1", Some(Transport::Quic)),
            ("/dns4/boot.example/tcp/9000", Some(Transport::Tcp)),
            ("/ip4/127.0.0.1/udp/9000", None),
            ("/ip4/127.0.0.1/tcp/80/ws", None),
            ("/memory/7", Some(Transport::Memory)),
        ];
        for (text, transport) in cases {
            let address: Multiaddr = text.parse().expect("test address");
            assert_eq!(transport_of(&address), transport, "{text}");
        }
    }
}
