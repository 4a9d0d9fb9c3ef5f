//! What an operator may choose: raw options in, one checked value out.
//!
//! Each file owns the options of one module, as they are written on the command line, in the environment and in
//! the file, and the checks that turn them into what that module takes. `cli` fills [`Config`]; the node gets
//! [`ValidConfig`] and checks nothing again. Where a value came from is the business of `cli`.

mod advertise;
mod discovery;
mod error;
mod gossip;
mod listen;
mod log;
mod metrics;
mod network;
mod peer_list;
mod peers;
mod transport;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

pub use advertise::{Advertise, AdvertiseOptions};
pub use discovery::{DiscoveryConfig, DiscoveryOptions};
pub use error::{ConfigError, ConfigWarning};
pub use gossip::{GossipConfig, GossipOptions, RelayPolicyName, SubnetChoice, SubnetTerm, TopicTerm};
pub use listen::{ListenConfig, ListenOn, ListenOptions};
pub use log::{LogConfig, LogFile, LogFormat, LogOptions};
pub use metrics::MetricsOptions;
pub use network::{NETWORKS, NetworkOptions, NetworkSource};
pub use peers::{PeersConfig, PeersOptions};
pub use transport::{TransportConfig, TransportOptions};

/// The options of `beacond run` as they were written, before any check across options.
///
/// The name of a field, with dashes, is the flag and the key of the file.
#[derive(Clone, Debug, PartialEq, clap::Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Config {
    /// The network and the data directory.
    #[command(flatten)]
    #[serde(flatten)]
    pub network: NetworkOptions,
    /// Sockets.
    #[command(flatten)]
    #[serde(flatten)]
    pub listen: ListenOptions,
    /// What carries connections.
    #[command(flatten)]
    #[serde(flatten)]
    pub transport: TransportOptions,
    /// Finding peers.
    #[command(flatten)]
    #[serde(flatten)]
    pub discovery: DiscoveryOptions,
    /// What our own record says.
    #[command(flatten)]
    #[serde(flatten)]
    pub advertise: AdvertiseOptions,
    /// Peers.
    #[command(flatten)]
    #[serde(flatten)]
    pub peers: PeersOptions,
    /// Gossip.
    #[command(flatten)]
    #[serde(flatten)]
    pub gossip: GossipOptions,
    /// Metrics.
    #[command(flatten)]
    #[serde(flatten)]
    pub metrics: MetricsOptions,
    /// Logs.
    #[command(flatten)]
    #[serde(flatten)]
    pub log: LogOptions,
    /// Seconds that an orderly shutdown may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = parse_grace, help_heading = "Process")]
    pub shutdown_grace: u64,
}

impl Config {
    /// Fills in every default that follows from another option, so that the result says all that is in force.
    ///
    /// Doing it twice changes nothing.
    ///
    /// # Errors
    /// [`ConfigError`] where no default can be derived.
    pub fn resolve(mut self) -> Result<Self, ConfigError> {
        self.network.resolve(|name| std::env::var_os(name))?;
        self.listen.resolve()?;
        self.transport.resolve()?;
        self.gossip.resolve();
        Ok(self)
    }

    /// Checks every option and every pair of options that can contradict each other.
    ///
    /// Reads the files that options name and resolves host names, so it may block.
    ///
    /// # Errors
    /// The first mistake, with the options that it concerns.
    pub fn validate(self) -> Result<(ValidConfig, Vec<ConfigWarning>), ConfigError> {
        let config = self.resolve()?;
        let (data_dir, network) = config.network.validate()?;
        let listen = config.listen.validate()?;
        let transports = config.transport.validate();
        let peers = config.peers.validate()?;
        let gossip = config.gossip.validate()?;
        let advertise = config.advertise.validate(&listen, &transports, config.discovery.disable_enr_auto_update)?;
        let discovery = config.discovery.validate(advertise)?;
        listen.check_udp_ports(discovery.enabled && transports.quic)?;
        let metrics = config.metrics.validate();
        if let Some(address) = metrics.filter(|_| transports.tcp) {
            listen.check_metrics_port(address)?;
        }

        let mut warnings = Vec::new();
        if !discovery.enabled && discovery.boot_nodes.is_empty() && peers.known_peers.is_empty() {
            warnings.push(ConfigWarning::NobodyToFind);
        }
        let valid = ValidConfig {
            data_dir,
            network,
            listen,
            transports,
            discovery,
            peers,
            gossip,
            metrics,
            log: config.log.validate()?,
            shutdown_grace: Duration::from_secs(config.shutdown_grace),
        };
        Ok((valid, warnings))
    }
}

/// Whole seconds, with or without their unit.
fn parse_grace(text: &str) -> Result<u64, &'static str> {
    let number = text.trim().strip_suffix('s').unwrap_or(text).trim().parse().ok();
    number.filter(|seconds| (1..=600).contains(seconds)).ok_or("expected seconds from 1 to 600, such as 10 or 10s")
}

/// What the node runs by. Nothing in it contradicts anything else.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidConfig {
    /// Where key, record and metadata live.
    pub data_dir: PathBuf,
    /// Which network to join.
    pub network: NetworkSource,
    /// Sockets to open.
    pub listen: ListenConfig,
    /// What carries connections.
    pub transports: TransportConfig,
    /// How peers are found and what our own record says.
    pub discovery: DiscoveryConfig,
    /// How many peers, and which ones for certain.
    pub peers: PeersConfig,
    /// What is listened to on gossip, and what is passed on.
    pub gossip: GossipConfig,
    /// Where metrics are served, if at all.
    pub metrics: Option<SocketAddr>,
    /// Where and how to log.
    pub log: LogConfig,
    /// How long an orderly shutdown may take.
    pub shutdown_grace: Duration,
}

impl ValidConfig {
    /// Whether the operator named no peer; the network's own boot nodes are not counted.
    #[must_use]
    pub fn nobody_to_dial(&self) -> bool {
        self.discovery.boot_nodes.is_empty() && self.peers.known_peers.is_empty()
    }
}

#[cfg(test)]
mod tests;
