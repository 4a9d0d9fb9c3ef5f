//! How many peers, and which ones for certain.

use serde::Serialize;

use super::{ConfigError, peer_list};
use crate::types::KnownPeer;

/// Options about peers.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args, Serialize)]
#[command(next_help_heading = "Peers")]
#[serde(rename_all = "kebab-case")]
pub struct PeersOptions {
    /// Number of peers to keep
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub target_peers: usize,
    /// Peers to dial besides those found: multiaddr, ENR or @FILE; comma-separated or repeated
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    pub libp2p_addresses: Vec<String>,
}

/// How many peers, and which ones for certain.
#[derive(Clone, Debug, PartialEq)]
pub struct PeersConfig {
    /// Ready peers to keep; at least 1.
    pub target: usize,
    /// Dialled without discovery; their keys are usable by libp2p.
    pub known_peers: Vec<KnownPeer>,
}

impl PeersOptions {
    pub(super) fn validate(&self) -> Result<PeersConfig, ConfigError> {
        if self.target_peers == 0 {
            return Err(ConfigError::NoPeersWanted);
        }
        let known_peers = peer_list::parse("libp2p-addresses", &self.libp2p_addresses)?;
        Ok(PeersConfig { target: self.target_peers, known_peers })
    }
}
