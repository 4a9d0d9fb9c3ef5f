//! The composed libp2p behaviour: limits first, so that what they refuse costs nothing else.

use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, connection_limits, identify};
use tokio::sync::mpsc;

use super::bans;
use super::gossipsub::Router;
use super::late_ping;
use super::streams::{self, InboundStream};

/// What we call ourselves to every peer.
pub(super) const AGENT: &str = concat!("beacond/", env!("CARGO_PKG_VERSION"));

/// The protocol version string that the clients agree on by custom.
const IDENTIFY_PROTOCOL: &str = "eth2/1.0.0";

/// libp2p's own ping keeps NAT bindings open; liveness is judged by the consensus ping.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// What runs on every connection.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) limits: connection_limits::Behaviour,
    pub(super) bans: bans::Behaviour,
    pub(super) streams: streams::Behaviour,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: late_ping::Behaviour,
    /// Last: whatever denies a connection does so before the router knows of the peer.
    pub(super) gossip: Router,
}

impl Behaviour {
    pub(super) fn new(
        keypair: &Keypair,
        limits: connection_limits::ConnectionLimits,
        protocols: Vec<StreamProtocol>,
        inbound: mpsc::Sender<InboundStream>,
        gossip: Router,
    ) -> Self {
        // listen addresses stay private: discovery announces where we are, and LAN addresses are nobody's business
        let identify = identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), keypair.public())
            .with_agent_version(AGENT.to_owned())
            .with_hide_listen_addrs(true)
            .with_cache_size(0);
        Self {
            limits: connection_limits::Behaviour::new(limits),
            bans: bans::Behaviour::default(),
            streams: streams::Behaviour::new(protocols, inbound),
            identify: identify::Behaviour::new(identify),
            ping: late_ping::Behaviour::new(PING_INTERVAL),
            gossip,
        }
    }
}
