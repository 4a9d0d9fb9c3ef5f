//! What the receiver is measured against: libp2p's gossipsub as it is, that deduplicates and does nothing else.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use beacond::store::Identity;
use beacond::time::unix_now_ms;
use beacond::types::Multiaddr;
use futures::StreamExt;
use libp2p::core::Transport;
use libp2p::core::upgrade::Version;
use libp2p::gossipsub::{
    self, AllowAllSubscriptionFilter, IdentTopic, IdentityTransform, Message, MessageAuthenticity, MessageId,
    ValidationMode,
};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{Config, NetworkBehaviour, SwarmEvent};
use libp2p::{Swarm, identify, noise, tcp, yamux};
use sha2::{Digest, Sha256};

use crate::child::{heard, say};
use crate::load::topics;
use crate::scenario::Scenario;

type Gossip = gossipsub::Behaviour<IdentityTransform, AllowAllSubscriptionFilter>;

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    gossip: Gossip,
}

/// Runs until the parent is gone.
pub(crate) async fn run(scenario: Scenario) -> Result<()> {
    let mut parent = heard();
    let keypair = Identity::generate().keypair;
    let transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&keypair)?)
        .multiplex(yamux::Config::default())
        .boxed();
    let identify = identify::Behaviour::new(identify::Config::new("eth2/1.0.0".to_owned(), keypair.public()));
    let peer_id = keypair.public().to_peer_id();
    let config = Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(3600));
    let mut swarm = Swarm::new(transport, Behaviour { identify, gossip: gossip()? }, peer_id, config);
    let topics: Vec<_> = topics(&scenario).iter().map(ToString::to_string).collect();
    for topic in &topics {
        swarm.behaviour_mut().gossip.subscribe(&IdentTopic::new(topic))?;
    }
    swarm.listen_on(Multiaddr::from(Ipv4Addr::LOCALHOST).with(Protocol::Tcp(0)))?;
    loop {
        tokio::select! {
            event = swarm.select_next_some() => match event {
                SwarmEvent::NewListenAddr { address, .. } => say("listening", format!("{peer_id} {address}")),
                SwarmEvent::ConnectionEstablished { .. } => say("peer", ""),
                SwarmEvent::ConnectionClosed { cause, .. } => say("gone", format!("{cause:?}")),
                SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Message { message, .. }))
                    if message.topic.as_str().contains("voluntary_exit") =>
                {
                    say("end", unix_now_ms());
                }
                _ => {}
            },
            line = parent.recv() => if line.is_none() { return Ok(()) },
        }
    }
}

/// Bounds that cut nothing off.
fn gossip() -> Result<Gossip> {
    let large = 1 << 24;
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(message_id)
        .max_transmit_size(large)
        .max_control_message_size(large)
        .max_publish_messages(500)
        .flood_publish(false)
        .build()?;
    let filter = AllowAllSubscriptionFilter {};
    Gossip::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)
        .map_err(|err| anyhow::anyhow!(err))
}

/// As short and as hard to guess as Ethereum's.
fn message_id(message: &Message) -> MessageId {
    let mut hasher = Sha256::new();
    hasher.update(message.topic.as_str());
    hasher.update(&message.data);
    hasher.finalize()[..20].into()
}
