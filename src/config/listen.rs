//! Which sockets the node opens.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::ConfigError;

/// Options about sockets.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args, Serialize)]
#[command(next_help_heading = "Listening")]
#[serde(rename_all = "kebab-case")]
pub struct ListenOptions {
    /// Address to listen on; give a second one for IPv6, such as `::`
    #[arg(long, value_name = "IP", value_delimiter = ',', default_value = "0.0.0.0")]
    pub listen_address: Vec<IpAddr>,
    /// TCP port; 0 takes any free port
    #[arg(long, value_name = "PORT", default_value_t = 9000)]
    pub port: u16,
    /// UDP port of discovery [default: --port]
    #[arg(long, value_name = "PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_port: Option<u16>,
    /// UDP port of QUIC [default: --port plus 1]
    #[arg(long, value_name = "PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quic_port: Option<u16>,
    /// TCP port over IPv6 [default: --port]
    #[arg(long, value_name = "PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port6: Option<u16>,
    /// UDP port of discovery over IPv6 [default: --port6 if given, else --discovery-port]
    #[arg(long, value_name = "PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_port6: Option<u16>,
    /// UDP port of QUIC over IPv6 [default: --port6 plus 1 if given, else --quic-port]
    #[arg(long, value_name = "PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quic_port6: Option<u16>,
}

/// The sockets of at least one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    /// IPv4, if it is used.
    pub v4: Option<ListenOn>,
    /// IPv6, if it is used.
    pub v6: Option<ListenOn>,
}

/// The sockets of one address family. Port 0 is any free port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenOn {
    /// The local address; may be the unspecified one.
    pub ip: IpAddr,
    /// TCP.
    pub tcp_port: u16,
    /// UDP, discv5.
    pub discovery_port: u16,
    /// UDP, QUIC; differs from the discovery port when both are used.
    pub quic_port: u16,
}

impl ListenOptions {
    pub(super) fn resolve(&mut self) -> Result<(), ConfigError> {
        let discovery_port = *self.discovery_port.get_or_insert(self.port);
        let quic_port = self.quic_port.map_or_else(|| next_port(self.port, "quic-port"), Ok)?;
        self.quic_port = Some(quic_port);
        if !self.listen_address.iter().any(IpAddr::is_ipv6) {
            return Ok(());
        }
        let (discovery_port6, quic_port6) = match self.port6 {
            None => (discovery_port, quic_port),
            Some(port) => (port, self.quic_port6.map_or_else(|| next_port(port, "quic-port6"), Ok)?),
        };
        self.port6.get_or_insert(self.port);
        self.discovery_port6.get_or_insert(discovery_port6);
        self.quic_port6.get_or_insert(quic_port6);
        Ok(())
    }

    /// Expects the options resolved.
    pub(super) fn validate(&self) -> Result<ListenConfig, ConfigError> {
        let (v4, v6) = one_of_each_family("listen-address", &self.listen_address)?;
        if let Some(address) = self.listen_address.iter().find(|ip| ip.is_multicast()) {
            return Err(ConfigError::UnusableAddress { key: "listen-address", address: *address });
        }
        let only_v6 =
            [("port6", self.port6), ("discovery-port6", self.discovery_port6), ("quic-port6", self.quic_port6)];
        if v6.is_none()
            && let Some((key, _)) = only_v6.into_iter().find(|(_, port)| port.is_some())
        {
            return Err(ConfigError::FamilyNotListening { key, family: "IPv6", any: "::" });
        }
        let listen_on = |ip, tcp_port, discovery_port: Option<u16>, quic_port: Option<u16>| ListenOn {
            ip,
            tcp_port,
            discovery_port: discovery_port.unwrap_or(tcp_port),
            quic_port: quic_port.unwrap_or_default(),
        };
        Ok(ListenConfig {
            v4: v4.map(|ip| listen_on(ip, self.port, self.discovery_port, self.quic_port)),
            v6: v6.map(|ip| listen_on(ip, self.port6.unwrap_or(self.port), self.discovery_port6, self.quic_port6)),
        })
    }
}

impl ListenConfig {
    /// Whether a TCP listener for metrics would meet one of ours.
    pub(super) fn check_metrics_port(&self, metrics: SocketAddr) -> Result<(), ConfigError> {
        for (listen, key) in [(self.v4, "port"), (self.v6, "port6")] {
            let Some(on) = listen else { continue };
            let same_family = on.ip.is_ipv4() == metrics.is_ipv4();
            let same_ip = on.ip == metrics.ip() || on.ip.is_unspecified() || metrics.ip().is_unspecified();
            if same_family && same_ip && on.tcp_port != 0 && on.tcp_port == metrics.port() {
                return Err(ConfigError::SharedTcpPort { keys: ["metrics-port", key], port: on.tcp_port });
            }
        }
        Ok(())
    }

    pub(super) fn check_udp_ports(&self, both_used: bool) -> Result<(), ConfigError> {
        let families = [(self.v4, ["discovery-port", "quic-port"]), (self.v6, ["discovery-port6", "quic-port6"])];
        for (listen, keys) in families {
            if let Some(on) = listen
                && both_used
                && on.discovery_port != 0
                && on.discovery_port == on.quic_port
            {
                return Err(ConfigError::SharedUdpPort { keys, port: on.quic_port });
            }
        }
        Ok(())
    }
}

/// Splits addresses by family and refuses a second one of either.
pub(super) fn one_of_each_family(
    key: &'static str,
    addresses: &[IpAddr],
) -> Result<(Option<IpAddr>, Option<IpAddr>), ConfigError> {
    let (mut v4, mut v6) = (None, None);
    for &address in addresses {
        let slot = if address.is_ipv4() { &mut v4 } else { &mut v6 };
        if let Some(first) = slot.replace(address) {
            return Err(ConfigError::SameFamily { key, first, second: address });
        }
    }
    Ok((v4, v6))
}

/// The default of a QUIC port: any free port stays any free port.
fn next_port(port: u16, key: &'static str) -> Result<u16, ConfigError> {
    match port {
        0 => Ok(0),
        _ => port.checked_add(1).ok_or(ConfigError::NoNextPort { key }),
    }
}
