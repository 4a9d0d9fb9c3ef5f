//! What our own record says from the start, before any peer has told us how it sees us.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};

use clap::value_parser;
use serde::Serialize;

use super::listen::one_of_each_family;
use super::{ConfigError, ListenConfig, TransportConfig};

/// Options about our own record.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Serialize)]
#[command(next_help_heading = "Own record")]
#[serde(rename_all = "kebab-case")]
pub struct AdvertiseOptions {
    /// Address that others reach this node at, an IP or a host name; give a second one for IPv6
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub enr_address: Vec<String>,
    /// Do not ask the router to map ports to this node (UPnP)
    #[arg(long)]
    pub disable_upnp: bool,
    /// UDP port that others reach discovery at [default: the one in use]
    #[arg(long, value_name = "PORT", value_parser = value_parser!(u16).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enr_udp_port: Option<u16>,
    /// TCP port that others reach this node at [default: the one in use]
    #[arg(long, value_name = "PORT", value_parser = value_parser!(u16).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enr_tcp_port: Option<u16>,
    /// UDP port that others reach QUIC at [default: the one in use]
    #[arg(long, value_name = "PORT", value_parser = value_parser!(u16).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enr_quic_port: Option<u16>,
    /// The same as --enr-udp-port over IPv6
    #[arg(long, value_name = "PORT", value_parser = value_parser!(u16).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enr_udp6_port: Option<u16>,
    /// The same as --enr-tcp-port over IPv6
    #[arg(long, value_name = "PORT", value_parser = value_parser!(u16).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enr_tcp6_port: Option<u16>,
    /// The same as --enr-quic-port over IPv6
    #[arg(long, value_name = "PORT", value_parser = value_parser!(u16).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enr_quic6_port: Option<u16>,
}

/// What our own record says from the start. A port that is absent is the one in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advertise {
    /// External IPv4 address; never the unspecified one.
    pub ip4: Option<Ipv4Addr>,
    /// External IPv6 address; never the unspecified one.
    pub ip6: Option<Ipv6Addr>,
    /// External port of discovery over IPv4.
    pub udp4: Option<u16>,
    /// External TCP port over IPv4.
    pub tcp4: Option<u16>,
    /// External port of QUIC over IPv4.
    pub quic4: Option<u16>,
    /// External port of discovery over IPv6.
    pub udp6: Option<u16>,
    /// External TCP port over IPv6.
    pub tcp6: Option<u16>,
    /// External port of QUIC over IPv6.
    pub quic6: Option<u16>,
    /// Host names that gave addresses of above; they are resolved again while the node runs.
    pub hosts: Vec<AdvertisedHost>,
    /// Whether the router is asked to map ports to us.
    pub upnp: bool,
}

/// A host name that stands for us, with what it meant at the start; at least one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertisedHost {
    /// As the operator wrote it.
    pub name: String,
    /// Its IPv4 address, if we listen there.
    pub ip4: Option<Ipv4Addr>,
    /// Its IPv6 address, if we listen there.
    pub ip6: Option<Ipv6Addr>,
}

impl AdvertiseOptions {
    pub(super) fn validate(
        &self,
        listen: &ListenConfig,
        transports: &TransportConfig,
        fixed: bool,
    ) -> Result<Advertise, ConfigError> {
        self.check_families(listen)?;
        self.check_transports(transports)?;
        let (ip4, ip6, hosts) = self.addresses(listen)?;
        let advertise = Advertise {
            ip4,
            ip6,
            udp4: self.enr_udp_port,
            tcp4: self.enr_tcp_port,
            quic4: self.enr_quic_port,
            udp6: self.enr_udp6_port,
            tcp6: self.enr_tcp6_port,
            quic6: self.enr_quic6_port,
            hosts,
            upnp: !self.disable_upnp,
        };
        let without_address = |is_v6| fixed && if is_v6 { ip6.is_none() } else { ip4.is_none() };
        match self.ports().into_iter().find(|port| port.value.is_some() && without_address(port.is_v6)) {
            Some(port) => Err(ConfigError::PortWithoutAddress { key: port.key }),
            None => Ok(advertise),
        }
    }

    const fn ports(&self) -> [PortOption; 6] {
        const fn port(key: &'static str, value: Option<u16>, is_v6: bool) -> PortOption {
            PortOption { key, value, is_v6 }
        }
        [
            port("enr-udp-port", self.enr_udp_port, false),
            port("enr-tcp-port", self.enr_tcp_port, false),
            port("enr-quic-port", self.enr_quic_port, false),
            port("enr-udp6-port", self.enr_udp6_port, true),
            port("enr-tcp6-port", self.enr_tcp6_port, true),
            port("enr-quic6-port", self.enr_quic6_port, true),
        ]
    }

    fn check_families(&self, listen: &ListenConfig) -> Result<(), ConfigError> {
        for port in self.ports().into_iter().filter(|port| port.value.is_some()) {
            require_family(listen, port.is_v6, port.key)?;
        }
        Ok(())
    }

    fn check_transports(&self, transports: &TransportConfig) -> Result<(), ConfigError> {
        for port in self.ports().into_iter().filter(|port| port.value.is_some()) {
            let off = match port.key {
                "enr-tcp-port" | "enr-tcp6-port" if !transports.tcp => "TCP",
                "enr-quic-port" | "enr-quic6-port" if !transports.quic => "QUIC",
                _ => continue,
            };
            return Err(ConfigError::TransportOff { key: port.key, transport: off });
        }
        Ok(())
    }

    fn addresses(&self, listen: &ListenConfig) -> Result<Advertised, ConfigError> {
        let mut addresses = Vec::new();
        let mut hosts = Vec::new();
        for host in self.enr_address.iter().map(|host| host.trim()) {
            match host.parse::<IpAddr>() {
                Ok(address) if address.is_unspecified() || address.is_multicast() => {
                    return Err(ConfigError::UnusableAddress { key: KEY, address });
                }
                Ok(address) => {
                    require_family(listen, address.is_ipv6(), KEY)?;
                    addresses.push(address);
                }
                Err(_) => {
                    let found = resolve(host, listen)?;
                    let (ip4, ip6) = by_family(&found)?;
                    addresses.extend(found);
                    hosts.push(AdvertisedHost { name: host.to_owned(), ip4, ip6 });
                }
            }
        }
        let (ip4, ip6) = by_family(&addresses)?;
        Ok((ip4, ip6, hosts))
    }
}

type Advertised = (Option<Ipv4Addr>, Option<Ipv6Addr>, Vec<AdvertisedHost>);

fn by_family(addresses: &[IpAddr]) -> Result<(Option<Ipv4Addr>, Option<Ipv6Addr>), ConfigError> {
    let (v4, v6) = one_of_each_family(KEY, addresses)?;
    let ip4 = v4.and_then(|ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None });
    let ip6 = v6.and_then(|ip| if let IpAddr::V6(ip) = ip { Some(ip) } else { None });
    Ok((ip4, ip6))
}

/// An option that names a port.
struct PortOption {
    key: &'static str,
    value: Option<u16>,
    is_v6: bool,
}

/// The first address of a host for each family that the node listens on.
fn resolve(host: &str, listen: &ListenConfig) -> Result<Vec<IpAddr>, ConfigError> {
    let unresolved = |source| ConfigError::Unresolved { host: host.to_owned(), source };
    let found: Vec<IpAddr> =
        (host, 0).to_socket_addrs().map_err(|error| unresolved(Some(error)))?.map(|address| address.ip()).collect();
    let v4 = found.iter().find(|ip| ip.is_ipv4() && listen.v4.is_some());
    let v6 = found.iter().find(|ip| ip.is_ipv6() && listen.v6.is_some());
    let used: Vec<IpAddr> = v4.into_iter().chain(v6).copied().collect();
    if used.is_empty() { Err(unresolved(None)) } else { Ok(used) }
}

const fn require_family(listen: &ListenConfig, is_v6: bool, key: &'static str) -> Result<(), ConfigError> {
    match (is_v6, listen.v4, listen.v6) {
        (true, _, None) => Err(ConfigError::FamilyNotListening { key, family: "IPv6", any: "::" }),
        (false, None, _) => Err(ConfigError::FamilyNotListening { key, family: "IPv4", any: "0.0.0.0" }),
        _ => Ok(()),
    }
}

const KEY: &str = "enr-address";
