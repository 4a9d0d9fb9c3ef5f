//! Binds the UDP sockets of discovery, before the record that names their ports is written.
//!
//! Owns nothing but the sockets. Both families may have the same port: IPv6 sockets do not take IPv4 packets.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket as StdUdpSocket};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::StartError;

const FLAG4: &str = "--discovery-port";
const FLAG6: &str = "--discovery-port6";

/// Any global address: connecting a UDP socket to it sends nothing, but asks the system for a route.
const SOMEWHERE6: (Ipv6Addr, u16) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1), 9);

/// At least one UDP socket, with its port.
#[derive(Debug)]
pub struct BoundSockets {
    ip4: Option<Arc<UdpSocket>>,
    ip6: Option<Arc<UdpSocket>>,
}

impl BoundSockets {
    /// Binds one socket per family that is given; port 0 takes a free one.
    ///
    /// With both families and an unspecified IPv6 address, a machine without a route to the IPv6 internet is
    /// served over IPv4 alone, as [`Self::address6`] tells: discv5 prefers IPv6 and would never fall back.
    ///
    /// # Errors
    /// [`StartError::PortInUse`], [`StartError::Bind`] and [`StartError::NoSocket`] name the flag to change.
    ///
    /// Cancel safe: never waits.
    pub async fn bind(listen4: Option<SocketAddrV4>, listen6: Option<SocketAddrV6>) -> Result<Self, StartError> {
        let listen6 = listen6.filter(|address| listen4.is_none() || !address.ip().is_unspecified() || has_route6());
        if listen4.is_none() && listen6.is_none() {
            return Err(StartError::NoSocket);
        }
        let ip4 = listen4.map(|address| bind(address.into(), FLAG4)).transpose()?;
        let ip6 = listen6.map(|address| bind(address.into(), FLAG6)).transpose()?;
        Ok(Self { ip4, ip6 })
    }

    /// Where the IPv4 socket listens, with the port that it has; `None` without one.
    #[must_use]
    pub fn address4(&self) -> Option<SocketAddr> {
        self.ip4.as_ref()?.local_addr().ok()
    }

    /// Where the IPv6 socket listens, with the port that it has; `None` without one.
    #[must_use]
    pub fn address6(&self) -> Option<SocketAddr> {
        self.ip6.as_ref()?.local_addr().ok()
    }

    pub(super) fn handles(&self) -> (Option<Arc<UdpSocket>>, Option<Arc<UdpSocket>>) {
        (self.ip4.clone(), self.ip6.clone())
    }

    pub(super) fn only_loopback(&self) -> bool {
        self.address4().into_iter().chain(self.address6()).all(|address| address.ip().is_loopback())
    }
}

fn bind(address: SocketAddr, flag: &'static str) -> Result<Arc<UdpSocket>, StartError> {
    match try_bind(address) {
        Ok(socket) => Ok(Arc::new(socket)),
        Err(err) if err.kind() == io::ErrorKind::AddrInUse => Err(StartError::PortInUse { address, flag }),
        Err(source) => Err(StartError::Bind { address, flag, source }),
    }
}

fn try_bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

fn has_route6() -> bool {
    StdUdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).and_then(|socket| socket.connect(SOMEWHERE6)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn a_port_in_use_names_address_and_flag() {
        let first = BoundSockets::bind(Some(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)), None).await.unwrap();
        let Some(SocketAddr::V4(taken)) = first.address4() else { panic!("bound to IPv4") };
        assert_ne!(taken.port(), 0);
        let err = BoundSockets::bind(Some(taken), None).await.unwrap_err();
        let expected = format!("udp {taken} is already in use: choose another port with --discovery-port");
        assert_eq!(err.to_string(), expected);
    }

    #[tokio::test]
    async fn an_address_that_is_not_ours_names_the_flag() {
        let documentation = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 0);
        let err = BoundSockets::bind(Some(documentation), None).await.unwrap_err();
        assert_eq!(err.to_string(), "cannot listen on udp 192.0.2.1:0: check --listen-address and --discovery-port");
        assert!(matches!(BoundSockets::bind(None, None).await, Err(StartError::NoSocket)));
    }

    #[tokio::test]
    async fn both_families_may_share_a_port() {
        let ip4 = BoundSockets::bind(Some(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)), None).await.unwrap();
        let port = ip4.address4().unwrap().port();
        let listen6 = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0);
        match BoundSockets::bind(None, Some(listen6)).await {
            Ok(ip6) => assert_eq!(ip6.address6().unwrap().port(), port),
            // a machine without IPv6
            Err(err) => assert!(matches!(err, StartError::Bind { .. }), "{err}"),
        }
    }
}
