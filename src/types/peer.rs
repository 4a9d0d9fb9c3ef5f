//! Closed enums that describe a connection and who is at its other end; each doubles as a metric label.

use std::fmt;

/// Defines a closed enum with one stable lower-case label per variant.
macro_rules! labelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $label:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $label)] $variant),+ }

        impl $name {
            /// Every variant, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable label for logs and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(super) use labelled;

labelled! {
    /// Who opened the connection.
    Direction {
        /// The remote dialled us.
        Inbound = "inbound",
        /// We dialled the remote.
        Outbound = "outbound",
    }
}

labelled! {
    /// What carries the bytes.
    Transport {
        /// QUIC over UDP.
        Quic = "quic",
        /// TCP with Noise and a muxer.
        Tcp = "tcp",
        /// Memory of this process, with Noise and a muxer: between the nodes of a test.
        Memory = "memory",
    }
}

labelled! {
    /// An address family.
    Family {
        /// IPv4.
        Ip4 = "ip4",
        /// IPv6.
        Ip6 = "ip6",
    }
}

impl Family {
    /// That of an address; IPv4 in IPv6 is IPv4.
    #[must_use]
    pub fn of(ip: std::net::IpAddr) -> Self {
        if ip.to_canonical().is_ipv4() { Self::Ip4 } else { Self::Ip6 }
    }
}

labelled! {
    /// What others come to: a port of ours.
    Service {
        /// libp2p over TCP.
        Tcp = "tcp",
        /// libp2p over QUIC, a UDP port.
        Quic = "quic",
        /// discv5, a UDP port.
        Discovery = "discovery",
    }
}

labelled! {
    /// What carries many streams over one connection.
    Muxer {
        /// `/yamux/1.0.0`.
        Yamux = "yamux",
        /// `/mplex/6.7.0`.
        Mplex = "mplex",
        /// QUIC's own streams.
        Quic = "quic",
    }
}

labelled! {
    /// The client software at the other end, from its agent string.
    Client {
        /// beacond, this program.
        Beacond = "beacond",
        /// Caplin, Erigon's consensus client.
        Caplin = "caplin",
        /// Grandine.
        Grandine = "grandine",
        /// Lighthouse.
        Lighthouse = "lighthouse",
        /// Lodestar.
        Lodestar = "lodestar",
        /// Nimbus.
        Nimbus = "nimbus",
        /// Prysm.
        Prysm = "prysm",
        /// Ream.
        Ream = "ream",
        /// Teku.
        Teku = "teku",
        /// An agent string that names none of these.
        Other = "other",
        /// No agent string was seen.
        Unknown = "unknown",
    }
}

impl Client {
    /// Reads the client from an identify agent string such as `Lighthouse/v7.0.0-…`; the version is ignored.
    #[must_use]
    pub fn from_agent(agent: &str) -> Self {
        let name = agent.split(['/', ' ']).next().unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "" => Self::Unknown,
            "beacond" => Self::Beacond,
            "caplin" | "erigon" => Self::Caplin,
            "grandine" => Self::Grandine,
            "lighthouse" => Self::Lighthouse,
            "lodestar" | "js-libp2p" => Self::Lodestar,
            "nimbus" => Self::Nimbus,
            "prysm" => Self::Prysm,
            "ream" => Self::Ream,
            "teku" => Self::Teku,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_client_from_real_agent_strings() {
        let cases = [
            ("Lighthouse/v7.0.0-54f7bc5/x86_64-linux", Client::Lighthouse),
            ("lodestar/v1.44.0", Client::Lodestar),
            ("Prysm/v6.0.0/a1b2", Client::Prysm),
            ("teku/teku/v25.1.0/linux-x86_64", Client::Teku),
            ("nimbus", Client::Nimbus),
            ("erigon/caplin", Client::Caplin),
            ("beacond/0.1.0", Client::Beacond),
            ("rust-libp2p/0.46", Client::Other),
            ("", Client::Unknown),
        ];
        for (agent, client) in cases {
            assert_eq!(Client::from_agent(agent), client, "{agent}");
        }
    }
}
