//! How many peers, and which ones for certain.

use serde::Serialize;

use super::ConfigError;
use super::peer_list::{self, Trusted};
use crate::types::{KnownPeer, PeerId};

/// Options about peers.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args, Serialize)]
#[command(next_help_heading = "Peers")]
#[serde(rename_all = "kebab-case")]
pub struct PeersOptions {
    /// Number of peers to keep
    #[arg(long, value_name = "N", default_value_t = DEFAULT_TARGET)]
    pub target_peers: usize,
    /// Peers to dial besides those found: multiaddr, ENR or @FILE; comma-separated or repeated
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    pub libp2p_addresses: Vec<String>,
    /// Peers to trust: never banned, pruned or refused, always dialled again; peer id, multiaddr, ENR or @FILE
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    pub trusted_peers: Vec<String>,
    /// Trusted peers that get every message that is forwarded, outside the meshes; both sides must name each other
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    pub direct_peers: Vec<String>,
}

/// How many peers, and which ones for certain.
#[derive(Clone, Debug, PartialEq)]
pub struct PeersConfig {
    /// Ready peers to keep; at least 1.
    pub target: usize,
    /// Dialled without discovery; their keys are usable by libp2p.
    pub known_peers: Vec<KnownPeer>,
    /// Trusted by their ids, wherever they are found.
    pub trusted: Vec<PeerId>,
    /// Of the known peers those to whom everything goes that is forwarded.
    pub direct: Vec<PeerId>,
}

impl Default for PeersConfig {
    fn default() -> Self {
        Self { target: DEFAULT_TARGET, known_peers: Vec::new(), trusted: Vec::new(), direct: Vec::new() }
    }
}

/// Ready peers unless an operator wants another number.
const DEFAULT_TARGET: usize = 100;

impl PeersOptions {
    pub(super) fn validate(&self) -> Result<PeersConfig, ConfigError> {
        if self.target_peers == 0 {
            return Err(ConfigError::NoPeersWanted);
        }
        let mut known_peers = peer_list::parse("libp2p-addresses", &self.libp2p_addresses)?;
        let mut trusted = Vec::new();
        for peer in peer_list::parse_trusted("trusted-peers", &self.trusted_peers)? {
            match peer {
                Trusted::Peer(peer) => known_peers.push(peer),
                Trusted::Id(peer_id) => trusted.push(peer_id),
            }
        }
        let direct_peers = peer_list::parse("direct-peers", &self.direct_peers)?;
        let direct = direct_peers.iter().filter_map(KnownPeer::peer_id).collect();
        known_peers.extend(direct_peers);
        Ok(PeersConfig { target: self.target_peers, known_peers, trusted, direct })
    }
}
