//! Port mappings: asks the router, by UPnP, to let others reach us through it.
//!
//! `node` starts one task for all ports of a node, TCP, QUIC and discv5 alike, and follows what it publishes into our
//! record. IPv4 alone: IPv6 has no translation. Knows neither the record nor who connects.

mod gateway;
mod task;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::sync::watch;

pub use self::task::Mapper;
use crate::events::Events;
use crate::tasks::TaskGroup;
use crate::types::Service;

/// One port per service, where there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// libp2p over TCP.
    pub tcp: Option<u16>,
    /// libp2p over QUIC.
    pub quic: Option<u16>,
    /// discv5.
    pub discovery: Option<u16>,
}

impl Ports {
    /// The port of a service.
    #[must_use]
    pub const fn of(&self, service: Service) -> Option<u16> {
        match service {
            Service::Tcp => self.tcp,
            Service::Quic => self.quic,
            Service::Discovery => self.discovery,
        }
    }

    const fn set(&mut self, service: Service, port: u16) {
        match service {
            Service::Tcp => self.tcp = Some(port),
            Service::Quic => self.quic = Some(port),
            Service::Discovery => self.discovery = Some(port),
        }
    }
}

/// What to map.
#[derive(Clone, Copy, Debug)]
pub struct NatSettings {
    /// Where we listen; the unspecified address stands for the one that the router sees.
    pub listen: Ipv4Addr,
    /// Ports that we listen on.
    pub ports: Ports,
    /// Where to look for a router.
    pub search: SocketAddr,
}

impl NatSettings {
    /// The multicast address and port at which routers listen, by the protocol.
    ///
    /// [UPnP Device Architecture 2.0, 1.1](https://openconnectivity.org/upnp-specs/UPnP-arch-DeviceArchitecture-v2.0-20200417.pdf)
    pub const SEARCH: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)), 1900);

    /// Whether a mapping could help anybody: nobody reaches a loopback address through a router.
    #[must_use]
    pub fn are_useful(&self) -> bool {
        !self.listen.is_loopback() && Service::ALL.iter().any(|service| self.ports.of(*service).is_some())
    }
}

/// What the router maps to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The router's address towards the internet; a public one.
    pub ip: Ipv4Addr,
    /// Its ports.
    pub ports: Ports,
}

/// Starts the task that maps and renews, and that removes the mappings when `tasks` is cancelled. The receiver says
/// what is mapped now; **newest wins**.
#[must_use = "the mappings are of no use unless they are advertised"]
pub fn start(settings: NatSettings, events: Events, tasks: &TaskGroup) -> watch::Receiver<Option<Mapped>> {
    let (mapper, mapped) = Mapper::new(settings, events);
    tasks.spawn("nat", mapper.run(tasks.token().clone()));
    mapped
}

/// How long a mapping holds unless it is renewed, and when it is: as Lighthouse does.
const LEASE: Duration = Duration::from_secs(3600);
const RENEW_EVERY: Duration = Duration::from_secs(1800);

/// From a search that found no router, or none that maps, to the next.
const SEARCH_EVERY: Duration = Duration::from_secs(900);

/// How long a router may take: to be found, and for each request.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long all mappings together may take to be removed at shutdown.
const FAREWELL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
