//! The composed libp2p behaviour: limits first, so that what they refuse costs nothing else.

use std::time::Duration;

use libp2p::gossipsub::{
    self, AllowAllSubscriptionFilter, IdentityTransform, MaxCountSubscriptionFilter, MessageAuthenticity,
    ValidationMode,
};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, connection_limits, identify};
use tokio::sync::mpsc;

use super::late_ping;
use super::streams::{self, InboundStream};

/// `max_message_size()` of the specification, bytes.
///
/// [spec v1.6.0, max_message_size](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#max_message_size)
const MAX_MESSAGE_SIZE: usize = 12_234_442;

/// Control messages of one RPC, bytes. A supernode's topics of two digests, around a fork, take 30 KiB; the default of
/// 16 KiB would break the stream.
const MAX_CONTROL_SIZE: usize = 256 * 1024;

/// Topics that a peer may be subscribed to: twice a supernode's 206, around a fork, and room to grow. About 100 bytes
/// each: 100 KiB a peer at worst.
const MAX_TOPICS: usize = 1_000;

/// Topics of one RPC: all of a supernode's, at once.
const MAX_TOPICS_PER_REQUEST: usize = 500;

/// A router that counts what peers subscribe to.
type Gossipsub = gossipsub::Behaviour<IdentityTransform, MaxCountSubscriptionFilter<AllowAllSubscriptionFilter>>;

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
    pub(super) streams: streams::Behaviour,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: late_ping::Behaviour,
    pub(super) gossipsub: Gossipsub,
}

impl Behaviour {
    pub(super) fn new(
        keypair: &Keypair,
        limits: connection_limits::ConnectionLimits,
        protocols: Vec<StreamProtocol>,
        inbound: mpsc::Sender<InboundStream>,
    ) -> Self {
        // listen addresses stay private: discovery announces where we are, and LAN addresses are nobody's business
        let identify = identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), keypair.public())
            .with_agent_version(AGENT.to_owned())
            .with_hide_listen_addrs(true)
            .with_cache_size(0);
        Self {
            limits: connection_limits::Behaviour::new(limits),
            streams: streams::Behaviour::new(protocols, inbound),
            identify: identify::Behaviour::new(identify),
            ping: late_ping::Behaviour::new(PING_INTERVAL),
            gossipsub: gossipsub(),
        }
    }
}

/// A gossipsub router that joins no topic yet: clients ban peers that do not speak it.
fn gossipsub() -> Gossipsub {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .max_transmit_size(MAX_MESSAGE_SIZE)
        .max_control_message_size(MAX_CONTROL_SIZE)
        .flood_publish(false)
        .build()
        .expect("the constants above satisfy gossipsub's own checks");
    let filter = MaxCountSubscriptionFilter {
        filter: AllowAllSubscriptionFilter {},
        max_subscribed_topics: MAX_TOPICS,
        max_subscriptions_per_request: MAX_TOPICS_PER_REQUEST,
    };
    Gossipsub::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)
        .expect("anonymous authenticity matches anonymous validation")
}
