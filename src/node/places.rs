//! Where this node can be reached, as far as it knows at the start: what flags say, else what it listens on.
//!
//! Used by the builder for our record. What peers report later is discovery's business.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libp2p::multiaddr::Protocol;

use crate::config::{Advertise, ListenConfig, ListenOn};
use crate::discovery::{Endpoint, PublicPorts};
use crate::transport::ip_of;
use crate::types::Multiaddr;

/// Addresses and ports of both families.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    listen: &'a ListenConfig,
    advertise: &'a Advertise,
    /// libp2p's ports over IPv4.
    pub(super) ports4: PublicPorts,
    /// libp2p's ports over IPv6.
    pub(super) ports6: PublicPorts,
}

impl<'a> Places<'a> {
    /// `listening` are libp2p's listeners, with the ports that they got.
    pub(super) fn new(listen: &'a ListenConfig, advertise: &'a Advertise, listening: &[Multiaddr]) -> Self {
        let (bound4, bound6) = (bound_ports(listening, IpAddr::is_ipv4), bound_ports(listening, IpAddr::is_ipv6));
        let ports4 = PublicPorts { tcp: advertise.tcp4.or(bound4.tcp), quic: advertise.quic4.or(bound4.quic) };
        let ports6 = PublicPorts { tcp: advertise.tcp6.or(bound6.tcp), quic: advertise.quic6.or(bound6.quic) };
        Self { listen, advertise, ports4, ports6 }
    }

    /// What our record says of IPv4; nothing unless an address is known.
    pub(super) fn endpoint4(&self, discovery: Option<SocketAddr>) -> Option<Endpoint<Ipv4Addr>> {
        let listened = match specified(self.listen.v4.as_ref()) {
            Some(IpAddr::V4(ip)) => Some(ip),
            Some(IpAddr::V6(_)) | None => None,
        };
        let udp = self.advertise.udp4.or_else(|| discovery.map(|address| address.port()));
        let PublicPorts { tcp, quic } = self.ports4;
        Some(Endpoint { ip: self.advertise.ip4.or(listened)?, udp, tcp, quic })
    }

    /// What our record says of IPv6; nothing unless an address is known.
    pub(super) fn endpoint6(&self, discovery: Option<SocketAddr>) -> Option<Endpoint<Ipv6Addr>> {
        let listened = match specified(self.listen.v6.as_ref()) {
            Some(IpAddr::V6(ip)) => Some(ip),
            Some(IpAddr::V4(_)) | None => None,
        };
        let udp = self.advertise.udp6.or_else(|| discovery.map(|address| address.port()));
        let PublicPorts { tcp, quic } = self.ports6;
        Some(Endpoint { ip: self.advertise.ip6.or(listened)?, udp, tcp, quic })
    }
}

/// The address that an operator chose to listen on; an unspecified one says nothing of where we are.
fn specified(on: Option<&ListenOn>) -> Option<IpAddr> {
    on.map(|on| on.ip).filter(|ip| !ip.is_unspecified())
}

/// The ports of libp2p's listeners over one family.
pub(super) fn bound_ports(listening: &[Multiaddr], is_family: fn(&IpAddr) -> bool) -> PublicPorts {
    let mut ports = PublicPorts::default();
    for address in listening.iter().filter(|address| ip_of(address).as_ref().is_some_and(is_family)) {
        for part in address {
            match part {
                Protocol::Tcp(port) => ports.tcp = Some(port),
                Protocol::Udp(port) => ports.quic = Some(port),
                _ => {}
            }
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(ip: &str) -> ListenConfig {
        let on = ListenOn { ip: ip.parse().unwrap(), tcp_port: 0, discovery_port: 0, quic_port: 0 };
        if on.ip.is_ipv4() { ListenConfig { v4: Some(on), v6: None } } else { ListenConfig { v4: None, v6: Some(on) } }
    }

    fn listeners(addresses: &[&str]) -> Vec<Multiaddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn an_address_that_is_listened_on_is_advertised_with_the_ports_that_were_bound() {
        let (listen, advertise) = (listen("127.0.0.1"), Advertise::default());
        let listening = listeners(&["/ip4/127.0.0.1/udp/7/quic-v1", "/ip4/127.0.0.1/tcp/8", "/ip6/::1/tcp/9"]);
        let places = Places::new(&listen, &advertise, &listening);
        let expected = Endpoint { ip: Ipv4Addr::LOCALHOST, udp: Some(6), tcp: Some(8), quic: Some(7) };
        assert_eq!(places.endpoint4(Some(([127, 0, 0, 1], 6).into())), Some(expected));
        assert_eq!(places.endpoint6(None), None);
    }

    #[test]
    fn all_interfaces_are_no_address() {
        let (listen, advertise) = (listen("0.0.0.0"), Advertise::default());
        assert_eq!(Places::new(&listen, &advertise, &[]).endpoint4(None), None);
    }

    #[test]
    fn flags_win_over_what_is_bound() {
        let advertise = Advertise {
            ip6: Some("2001:db8::1".parse().unwrap()),
            tcp6: Some(1),
            quic6: Some(2),
            udp6: Some(3),
            ..Advertise::default()
        };
        let (listen, listening) = (listen("::"), listeners(&["/ip6/::/tcp/9", "/ip6/::/udp/9/quic-v1"]));
        let endpoint = Places::new(&listen, &advertise, &listening).endpoint6(Some(([0; 16], 9).into()));
        let expected = Endpoint { ip: "2001:db8::1".parse().unwrap(), udp: Some(3), tcp: Some(1), quic: Some(2) };
        assert_eq!(endpoint, Some(expected));
    }
}
