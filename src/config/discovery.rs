//! How peers are found.

use std::path::PathBuf;

use serde::Serialize;

use super::{Advertise, ConfigError, peer_list};
use crate::types::KnownPeer;

/// Options about discovery.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Serialize)]
#[command(next_help_heading = "Discovery")]
#[serde(rename_all = "kebab-case")]
pub struct DiscoveryOptions {
    /// Boot nodes instead of the network's own: ENR, multiaddr or @FILE; comma-separated or repeated
    #[arg(long, value_name = "PEER", value_delimiter = ',', visible_aliases = ["bootnodes", "bootstrap-node"])]
    pub boot_nodes: Vec<String>,
    /// File of boot nodes, a plain or a YAML list; may be repeated
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub boot_nodes_file: Vec<PathBuf>,
    /// Do not discover peers; boot nodes and --libp2p-addresses are still dialled
    #[arg(long)]
    pub disable_discovery: bool,
    /// Do not limit the rate of discovery packets
    #[arg(long)]
    pub disable_packet_filter: bool,
    /// Do not put the address that peers see into our own record
    #[arg(long)]
    pub disable_enr_auto_update: bool,
}

/// How peers are found, and what our own record says.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscoveryConfig {
    /// Whether discv5 runs at all.
    pub enabled: bool,
    /// Whether the rate of packets is limited, per address and in total.
    pub packet_filter: bool,
    /// Boot nodes of flags and files; their keys are all secp256k1.
    pub boot_nodes: Vec<KnownPeer>,
    /// Whether the network's own boot nodes are used too: only when none are given.
    pub use_network_boot_nodes: bool,
    /// What our own record says from the start.
    pub advertise: Advertise,
    /// Whether the address that peers see goes into our own record.
    pub enr_auto_update: bool,
}

impl DiscoveryOptions {
    pub(super) fn validate(&self, advertise: Advertise) -> Result<DiscoveryConfig, ConfigError> {
        let mut boot_nodes = peer_list::parse("boot-nodes", &self.boot_nodes)?;
        for path in &self.boot_nodes_file {
            boot_nodes.extend(peer_list::read("boot-nodes-file", path)?);
        }
        Ok(DiscoveryConfig {
            enabled: !self.disable_discovery,
            packet_filter: !self.disable_packet_filter,
            boot_nodes,
            use_network_boot_nodes: self.boot_nodes.is_empty() && self.boot_nodes_file.is_empty(),
            advertise,
            enr_auto_update: !self.disable_enr_auto_update,
        })
    }
}
