//! A router that maps ports, behind the one library that speaks with it. Every wait is bounded.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use igd_next::aio::Gateway as IgdGateway;
use igd_next::aio::tokio::{Tokio, search_gateway};
use igd_next::{AddPortError, PortMappingProtocol, SearchOptions};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{LEASE, PATIENCE};
use crate::types::Service;

/// What the router shows its owner.
const DESCRIPTION: &str = "beacond";

/// Why nothing is mapped.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NatError {
    /// Nobody answers, as in most data centres.
    #[error("no router answers")]
    NoGateway,
    /// Whoever answers is not in our network: it may be anybody.
    #[error("what answers is at {0}, outside of our network")]
    Stranger(IpAddr),
    /// The router's own address is not public: there is another one behind it.
    #[error("the router is at {0}, behind another one")]
    NotPublic(IpAddr),
    /// The router does not answer a request in time.
    #[error("the router does not answer")]
    Timeout,
    /// The router refuses.
    #[error("the router refuses: {0}")]
    Refused(String),
}

impl NatError {
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::NoGateway => "no_gateway",
            Self::Stranger(_) => "stranger",
            Self::NotPublic(_) => "not_public",
            Self::Timeout => "timeout",
            Self::Refused(_) => "refused",
        }
    }
}

/// A router that was found.
#[derive(Debug)]
pub(super) struct Gateway {
    inner: IgdGateway<Tokio>,
    /// Our address as the router sees it.
    local: Ipv4Addr,
}

impl Gateway {
    /// Looks for a router; a specific `listen` address is the one to map to.
    ///
    /// Cancel safe.
    pub(super) async fn find(search: SocketAddr, listen: Ipv4Addr) -> Result<Self, NatError> {
        let mut options = SearchOptions::default();
        options.bind_addr = (listen, 0).into();
        options.broadcast_address = search;
        options.timeout = Some(PATIENCE);
        options.single_search_timeout = Some(PATIENCE);
        // whoever is asked by address rather than by multicast may be anywhere, on loopback as well
        options.allowed_gateway_ips = Some(search.ip()).filter(|ip| !ip.is_multicast()).into_iter().collect();
        // the library's texts say no more than that nobody answered in sense
        let inner = search_gateway(options).await.map_err(|_| NatError::NoGateway)?;
        if !is_nearby(inner.addr.ip()) {
            return Err(NatError::Stranger(inner.addr.ip()));
        }
        let local =
            if listen.is_unspecified() { towards(inner.addr).await.ok_or(NatError::NoGateway)? } else { listen };
        Ok(Self { inner, local })
    }

    /// The router's address towards the internet.
    pub(super) async fn external_ip(&self) -> Result<IpAddr, NatError> {
        bounded(self.inner.get_external_ip()).await
    }

    /// Maps a port, or renews the mapping: the same one outside if it is free, else any. Returns the one outside.
    ///
    /// Not cancel safe: the mapping may stay for as long as its lease.
    pub(super) async fn map(&self, service: Service, port: u16) -> Result<u16, NatError> {
        let local = SocketAddr::V4(SocketAddrV4::new(self.local, port));
        let mut lease = u32::try_from(LEASE.as_secs()).unwrap_or(u32::MAX);
        let protocol = protocol(service);
        let add = |lease| timeout(PATIENCE, self.inner.add_port(protocol, port, local, lease, DESCRIPTION));
        let mut added = add(lease).await.map_err(|_| NatError::Timeout)?;
        if matches!(added, Err(AddPortError::OnlyPermanentLeasesSupported)) {
            lease = 0;
            added = add(lease).await.map_err(|_| NatError::Timeout)?;
        }
        match added {
            Ok(()) => Ok(port),
            Err(AddPortError::PortInUse) => bounded(self.inner.add_any_port(protocol, local, lease, DESCRIPTION)).await,
            Err(error) => Err(refused(error)),
        }
    }

    /// Removes a mapping of ours.
    pub(super) async fn unmap(&self, service: Service, external: u16) -> Result<(), NatError> {
        bounded(self.inner.remove_port(protocol(service), external)).await
    }
}

async fn bounded<T, E: Display>(request: impl Future<Output = Result<T, E>>) -> Result<T, NatError> {
    timeout(PATIENCE, request).await.map_err(|_| NatError::Timeout)?.map_err(refused)
}

/// The router's words: truncated, since anybody on the network may write them, and without line breaks.
fn refused(error: impl Display) -> NatError {
    NatError::Refused(error.to_string().chars().filter(|c| !c.is_control()).take(128).collect())
}

const fn protocol(service: Service) -> PortMappingProtocol {
    match service {
        Service::Tcp => PortMappingProtocol::TCP,
        Service::Quic | Service::Discovery => PortMappingProtocol::UDP,
    }
}

/// Whether a router can be at this address: one of a private network, or of this machine.
fn is_nearby(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(_) => false,
    }
}

/// Our own address on the way to `gateway`; connecting a UDP socket sends nothing.
async fn towards(gateway: SocketAddr) -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.ok()?;
    socket.connect(gateway).await.ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}
