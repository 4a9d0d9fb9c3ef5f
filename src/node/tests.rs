//! A node whose handshakes end when the test says so, and strangers that are nothing but a switch.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures::future::BoxFuture;
use libp2p::identity::Keypair;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::chain::{ChainConfig, NetworkName};
use crate::config::{Advertise, DiscoveryConfig, ListenConfig, ListenOn, PeersConfig, TransportConfig};
use crate::events::{Events, NodeEvent};
use crate::handshake::{HandshakeContext, HandshakeRegistry, HandshakeStep, Learnt, ProtocolInfo, StepOutcome};
use crate::store::Identity;
use crate::switch::{RouterSettings, Switch, SwitchEnds, SwitchLimits, SwitchSettings};
use crate::tasks::TaskGroup;
use crate::transport;
use crate::types::{Multiaddr, Muxer, PeerId};

const PATIENCE: Duration = Duration::from_secs(30);

/// The only handshake: passes once it may.
struct Held(watch::Receiver<bool>);

impl HandshakeStep for Held {
    fn name(&self) -> &'static str {
        "held"
    }

    fn run<'a>(&'a self, cx: &'a HandshakeContext<'_>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async {
            self.0.clone().wait_for(|may| *may).await.expect("the test holds the sender");
            StepOutcome::Continue(Learnt::Status(cx.local.status()))
        })
    }
}

struct Stranger {
    peer_id: PeerId,
    ends: SwitchEnds,
}

fn tcp() -> TransportConfig {
    TransportConfig { tcp: true, quic: false, memory: false, muxers: vec![Muxer::Yamux] }
}

fn stranger(tasks: &TaskGroup) -> anyhow::Result<Stranger> {
    let keypair = Keypair::generate_secp256k1();
    let peer_id = keypair.public().to_peer_id();
    let (transport, muxers) = transport::build(&keypair, &tcp())?;
    let limits = SwitchLimits { pending_inbound: 8, pending_outbound: 8, established_inbound: 8, established: 8 };
    let gossip = RouterSettings::default();
    let settings = SwitchSettings { keypair, transport, muxers, protocols: Vec::new(), limits, metrics: None, gossip };
    let (switch, ends) = Switch::new(settings);
    tasks.spawn("stranger", switch.run(tasks.token().clone()));
    Ok(Stranger { peer_id, ends })
}

async fn node(
    identity: Identity,
    events: Events,
    held: Held,
    tasks: &TaskGroup,
) -> anyhow::Result<(Eth2Node, NodeHandle)> {
    let on = ListenOn { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), tcp_port: 0, discovery_port: 0, quic_port: 0 };
    let discovery = DiscoveryConfig {
        enabled: false,
        packet_filter: false,
        boot_nodes: Vec::new(),
        use_network_boot_nodes: false,
        advertise: Advertise::default(),
        enr_auto_update: false,
    };
    let builder = Eth2NodeBuilder::new(
        identity,
        ChainConfig::embedded(NetworkName::Mainnet),
        ListenConfig { v4: Some(on), v6: None },
        tcp(),
        discovery,
        PeersConfig { target: 8, ..PeersConfig::default() },
    );
    let protocol = ProtocolInfo { name: "held", version: "1", steps: vec![Box::new(held)] };
    Ok(builder.events(events).registry(HandshakeRegistry::new(vec![protocol])).build(tasks).await?)
}

#[tokio::test]
async fn a_connection_that_closed_as_its_handshakes_passed_makes_no_peer() -> anyhow::Result<()> {
    let (events, tasks) = (Events::default(), TaskGroup::new());
    let mut told = events.subscribe();
    let (release, held) = watch::channel(false);
    let identity = Identity::generate();
    let peer_id = identity.peer_id;
    let (node, handle) = node(identity, events, Held(held), &tasks).await?;
    let address: Multiaddr = handle.snapshot().listening[0].clone();
    let stop = CancellationToken::new();
    let running = node.run(stop.clone());
    let (leaver, stayer) = (stranger(&tasks)?, stranger(&tasks)?);

    let scenario = async {
        let connection = leaver.ends.handle.dial(peer_id, vec![address.clone()]).await?;
        told.wait_for(|event| matches!(event, NodeEvent::PeerConnected { .. })).await;
        leaver.ends.handle.disconnect(connection.connection_id).await;
        // what comes later by the same way shows that the node knows of the close
        let _connection = stayer.ends.handle.dial(peer_id, vec![address]).await?;
        let is_stayer =
            |event: &NodeEvent| matches!(event, NodeEvent::PeerConnected { peer_id, .. } if *peer_id == stayer.peer_id);
        told.wait_for(is_stayer).await;

        release.send(true)?;
        let (mut came, mut went) = (false, false);
        while !(came && went) {
            match &*told.next().await.ok_or_else(|| anyhow::anyhow!("the bus is closed"))? {
                NodeEvent::HandshakeCompleted { peer_id, .. } => came |= *peer_id == stayer.peer_id,
                NodeEvent::HandshakeRejected { peer_id, .. } | NodeEvent::PeerDisconnected { peer_id, .. } => {
                    went |= *peer_id == leaver.peer_id;
                }
                _ => {}
            }
        }
        let peers: Vec<_> = handle.snapshot().peers.into_iter().map(|(peer_id, _)| peer_id).collect();
        assert_eq!(peers, [stayer.peer_id]);
        anyhow::Ok(())
    };
    tokio::select! {
        done = timeout(PATIENCE, scenario) => done??,
        _ = running => anyhow::bail!("the node ended by itself"),
    }
    tasks.cancel();
    Ok(())
}
