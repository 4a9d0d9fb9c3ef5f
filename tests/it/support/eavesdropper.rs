//! Plain libp2p with nothing but gossipsub: what a node tells everybody of its topics.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use beacond::types::{GossipTopic, KnownPeer};
use futures::{FutureExt, StreamExt};
use libp2p::gossipsub::{self, MessageAuthenticity, ValidationMode};
use libp2p::swarm::SwarmEvent;
use libp2p::{SwarmBuilder, noise, tcp, yamux};
use tokio::time::timeout;

use super::testnet::PATIENCE;

/// The topics of which a node says that it is subscribed, once there are as many as that, and any that it says beyond.
pub(crate) async fn subscriptions(node: &KnownPeer, least: usize) -> Result<BTreeSet<GossipTopic>> {
    let KnownPeer::Multiaddr { address, .. } = node else { anyhow::bail!("a multiaddr is dialled") };
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .max_control_message_size(1 << 20)
        .build()
        .map_err(anyhow::Error::msg)?;
    let behaviour: gossipsub::Behaviour =
        gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, config).map_err(anyhow::Error::msg)?;
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|_| behaviour)?
        .build();
    swarm.dial(address.clone())?;
    let mut topics = BTreeSet::new();
    let hear = |event, topics: &mut BTreeSet<_>| {
        if let SwarmEvent::Behaviour(gossipsub::Event::Subscribed { topic, .. }) = event {
            topics.insert(topic.as_str().parse::<GossipTopic>()?);
        }
        anyhow::Ok(())
    };
    let all = async {
        while topics.len() < least {
            hear(swarm.select_next_some().await, &mut topics)?;
        }
        // a node tells them all at once: what is too much is there already
        while let Some(event) = swarm.select_next_some().now_or_never() {
            hear(event, &mut topics)?;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, all).await.context("too few topics")??;
    Ok(topics)
}
