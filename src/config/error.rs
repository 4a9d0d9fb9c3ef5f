//! What can be wrong with the options. Each variant knows the options that it concerns; `cli` knows whether they
//! were flags, variables or keys, and writes their names in front of the message.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::fault::{Classify, Fault};
use crate::types::{KnownPeerError, TopicKind};

/// A mistake in the options. The message follows the names of [`ConfigError::keys`] and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A network by name and one by directory.
    #[error("give only one of the two")]
    TwoNetworks,
    /// The directory of the network is not one.
    #[error("{path:?} is not a directory that can be read")]
    NetworkDir {
        /// What was given.
        path: PathBuf,
    },
    /// There is no home directory to put the data in.
    #[error("neither HOME nor XDG_DATA_HOME is set, so say where the node keeps its data")]
    NoHome,
    /// Two addresses of one family.
    #[error("{first} and {second} are of one family; give at most one IPv4 and one IPv6 address")]
    SameFamily {
        /// The option.
        key: &'static str,
        /// First address.
        first: IpAddr,
        /// Second address.
        second: IpAddr,
    },
    /// An address that no host can have.
    #[error("{address} is no address of a host")]
    UnusableAddress {
        /// The option.
        key: &'static str,
        /// What was given.
        address: IpAddr,
    },
    /// The port after this one does not exist.
    #[error("there is no port after 65535 for QUIC; choose the QUIC port yourself")]
    NoNextPort {
        /// The option that is missing.
        key: &'static str,
    },
    /// Peers and metrics are to come to one TCP port.
    #[error("peers and metrics cannot share TCP port {port}; choose another for one of them")]
    SharedTcpPort {
        /// The options.
        keys: [&'static str; 2],
        /// The port.
        port: u16,
    },
    /// Both protocols want one UDP port.
    #[error("discovery and QUIC cannot share UDP port {port}; choose another for one of them")]
    SharedUdpPort {
        /// The options of the family.
        keys: [&'static str; 2],
        /// The port.
        port: u16,
    },
    /// An IPv6 option without an IPv6 socket, or the same for IPv4.
    #[error("has no effect without an {family} socket; add --listen-address {any}")]
    FamilyNotListening {
        /// The option.
        key: &'static str,
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// The address to listen on.
        any: &'static str,
    },
    /// QUIC both wanted and unwanted.
    #[error("ask for QUIC and forbid it; leave one of them out")]
    QuicContradiction,
    /// The port of a transport that is off is advertised.
    #[error("advertises a port of {transport}, which is switched off")]
    TransportOff {
        /// The option.
        key: &'static str,
        /// The transport.
        transport: &'static str,
    },
    /// Ports are advertised, but there will never be an address to go with them.
    #[error("advertises a port without an address; add --enr-address or leave the record's automatic update on")]
    PortWithoutAddress {
        /// The option.
        key: &'static str,
    },
    /// A host name that does not resolve.
    #[error("cannot resolve {host:?}; give an IP address, or a name that resolves")]
    Unresolved {
        /// The host name.
        host: String,
        /// Why, if the resolver said so.
        source: Option<io::Error>,
    },
    /// A peer that is none.
    #[error("{} is no peer; give an ENR, or a multiaddr that ends in /p2p/PEER_ID", quoted(.text))]
    Peer {
        /// The option.
        key: &'static str,
        /// What was given.
        text: String,
        /// What is wrong with it.
        source: PeerTextError,
    },
    /// A line of a file of peers that names none.
    #[error("{path:?} line {line}: {} is no peer; correct or remove it", quoted(.text))]
    PeerInFile {
        /// The option.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the line says.
        text: String,
        /// What is wrong with it.
        source: PeerTextError,
    },
    /// A file that an option names cannot be read.
    #[error("cannot read {path:?}; give a file of text that this user may read")]
    Unreadable {
        /// The option.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A node without peers makes no sense.
    #[error("must be at least 1")]
    NoPeersWanted,
    /// A word for a whole list is one item of a list.
    #[error("{word} is a list of its own; leave it or the other items out")]
    NotAlone {
        /// The option.
        key: &'static str,
        /// `auto`, `none` or `all`.
        word: String,
    },
    /// Every subnet is asked for, and some are not.
    #[error("ask for all and for fewer; leave one of them out")]
    AllAndFewer {
        /// The list, and the switch for all.
        keys: [&'static str; 2],
    },
    /// Subnets of a topic that is left out.
    #[error("ask for subnets of {kind} and leave that topic out; change one of them")]
    TopicLeftOut {
        /// The list of subnets, or the switch for all; and the list of topics.
        keys: [&'static str; 2],
        /// The topic.
        kind: TopicKind,
    },
    /// Copies are counted for a policy that is off.
    #[error("has no effect under the policy strict; leave it out, or add --relay corroborated")]
    CopiesWithoutEffect,
    /// The log filter does not parse.
    #[error("{directive:?} is neither a level (off, error, warn, info, debug, trace) nor TARGET=LEVEL")]
    LogLevel {
        /// The part that is wrong.
        directive: String,
    },
}

/// Why a text is no peer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum PeerTextError {
    /// It does not parse.
    #[error(transparent)]
    Parse(#[from] KnownPeerError),
    /// It parses, but libp2p has no use for its key.
    #[error("the record's key is not secp256k1")]
    Key,
}

impl ConfigError {
    /// The options that the message is about, as keys of the file.
    #[must_use]
    pub fn keys(&self) -> Vec<&'static str> {
        match self {
            Self::TwoNetworks => vec!["network", "network-dir"],
            Self::NetworkDir { .. } => vec!["network-dir"],
            Self::NoHome => vec!["data-dir"],
            Self::QuicContradiction => vec!["transports", "disable-quic"],
            Self::Unresolved { .. } => vec!["enr-address"],
            Self::NoPeersWanted => vec!["target-peers"],
            Self::LogLevel { .. } => vec!["log-level"],
            Self::CopiesWithoutEffect => vec!["relay-copies"],
            Self::SharedTcpPort { keys, .. }
            | Self::SharedUdpPort { keys, .. }
            | Self::AllAndFewer { keys }
            | Self::TopicLeftOut { keys, .. } => keys.to_vec(),
            Self::SameFamily { key, .. }
            | Self::UnusableAddress { key, .. }
            | Self::NoNextPort { key }
            | Self::FamilyNotListening { key, .. }
            | Self::TransportOff { key, .. }
            | Self::PortWithoutAddress { key }
            | Self::NotAlone { key, .. }
            | Self::Peer { key, .. }
            | Self::PeerInFile { key, .. }
            | Self::Unreadable { key, .. } => vec![key],
        }
    }

    /// Whether the same options may work at another time, so that starting again makes sense.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Unresolved { .. })
    }
}

impl Classify for ConfigError {
    fn fault(&self) -> Fault {
        Fault::Local
    }

    fn reason(&self) -> &'static str {
        "bad_config"
    }
}

/// Options that are legal and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigWarning {
    /// No discovery and no peer given.
    #[error(
        "--disable-discovery without --boot-nodes or --libp2p-addresses: only the network's own boot nodes are dialled"
    )]
    NobodyToFind,
    /// A variable that looks like one of ours and is none.
    #[error("{name} is the variable of no option and changes nothing; {hint}")]
    UnknownVariable {
        /// The variable.
        name: String,
        /// What was probably meant.
        hint: String,
    },
}

impl ConfigWarning {
    /// The stable label, `snake_case`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NobodyToFind => "no_discovery",
            Self::UnknownVariable { .. } => "unknown_variable",
        }
    }
}

/// The text, cut to what fits on a line.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{dots}")
}
