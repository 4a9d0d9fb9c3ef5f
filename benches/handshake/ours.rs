//! Our nodes: one that listens to everything, and fresh ones that dial it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use beacond::chain::{ChainConfig, ChainHead, ForkSchedule, NetworkName, derive_status};
use beacond::config::{Advertise, DiscoveryConfig, ListenConfig, ListenOn, PeersConfig, TransportConfig};
use beacond::events::{Events, NodeEvent, Subscription};
use beacond::node::{Eth2NodeBuilder, Farewell, Find, NodeHandle};
use beacond::rpc::{Origin, RpcHandler, RpcLimits, RpcServer, RpcTimeouts, call, methods};
use beacond::store::Identity;
use beacond::switch::{RouterSettings, StreamOpener, Switch, SwitchLimits, SwitchSettings};
use beacond::tasks::TaskGroup;
use beacond::time::SlotClock;
use beacond::transport;
use beacond::types::{GoodbyeReason, KnownPeer, MetaData, Muxer, PeerId, StatusMessage};
use futures::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::since;
use crate::way::Way;

/// A connect that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Status requests that a peer may send at once before it is slowed down, but the one by which it becomes a peer.
const STATUS_BURST: usize = 4;

/// Room for every dialler.
const TARGET: usize = 4000;

/// A running node.
struct Node {
    peer_id: PeerId,
    handle: NodeHandle,
    events: Events,
    stop: CancellationToken,
    running: JoinSet<Farewell>,
    tasks: TaskGroup,
}

impl Node {
    async fn start(transports: TransportConfig, listens: bool) -> Result<Self> {
        let identity = Identity::generate();
        let peer_id = identity.peer_id;
        let on = ListenOn { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), tcp_port: 0, discovery_port: 0, quic_port: 0 };
        let listen = ListenConfig { v4: listens.then_some(on), v6: None };
        let discovery = DiscoveryConfig {
            enabled: false,
            packet_filter: false,
            boot_nodes: Vec::new(),
            use_network_boot_nodes: false,
            advertise: Advertise::default(),
            enr_auto_update: false,
        };
        let peers = PeersConfig { target: TARGET, ..PeersConfig::default() };
        let (events, tasks, stop) = (Events::default(), TaskGroup::new(), CancellationToken::new());
        let (node, handle) = Eth2NodeBuilder::new(identity, chain(), listen, transports, discovery, peers)
            .events(events.clone())
            .find(Find::Nobody)
            .build(&tasks)
            .await?;
        let mut running = JoinSet::new();
        running.spawn(node.run(stop.clone()));
        Ok(Self { peer_id, handle, events, stop, running, tasks })
    }

    async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        self.running.join_next().await.context("it ran")??;
        self.tasks.cancel();
        self.tasks.wait().await;
        Ok(())
    }
}

/// The node that everybody dials, over every transport.
pub(crate) struct Listener(Node);

impl Listener {
    pub(crate) async fn start(on: &Handle) -> Result<Self> {
        let transports =
            TransportConfig { tcp: true, quic: true, memory: false, muxers: vec![Muxer::Yamux, Muxer::Mplex] };
        on.spawn(Node::start(transports, true)).await?.map(Self)
    }

    fn to_dial(&self, way: Way) -> Result<KnownPeer> {
        let listening = self.0.handle.snapshot().listening;
        let address = listening.into_iter().find(|address| way.fits(address)).context("no such listener")?;
        Ok(KnownPeer::Multiaddr { peer_id: self.0.peer_id, address })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.tasks.cancel();
    }
}

/// How long a connect took, milliseconds from the command to dial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connected {
    /// Until the dialler's `handshake.completed`.
    pub(crate) dialler: f64,
    /// Until that of the listener as well.
    pub(crate) listener: f64,
    /// What the dialler reports of dial, status, metadata and ping.
    pub(crate) steps: [f64; 4],
}

/// A fresh node that dials once.
pub(crate) struct Dialler {
    node: Node,
    events: Subscription,
    way: Way,
}

impl Dialler {
    pub(crate) async fn new(way: Way) -> Result<Self> {
        let node = Node::start(way.transports(), false).await?;
        Ok(Self { events: node.events.subscribe(), node, way })
    }

    /// Connects and watches the listener as well.
    pub(crate) async fn connect(&mut self, listener: &Listener) -> Result<Connected> {
        let peer = listener.to_dial(self.way)?;
        let own = self.node.peer_id;
        let mut elsewhere = listener.0.events.subscribe();
        let started = Instant::now();
        self.node.handle.add_known_peer(peer).await?;
        let completed = async {
            let event = completed_with(&mut self.events, listener.0.peer_id).await?;
            anyhow::Ok((since(started), event))
        };
        let accepted = async {
            completed_with(&mut elsewhere, own).await?;
            anyhow::Ok(since(started))
        };
        let both = timeout(PATIENCE, async { tokio::try_join!(completed, accepted) }).await?;
        let ((dialler, event), accepted) = both?;
        let NodeEvent::HandshakeCompleted { dial_ms, status_ms, metadata_ms, ping_ms, .. } = *event else {
            unreachable!("waited for it")
        };
        let steps = [dial_ms, status_ms, metadata_ms, ping_ms];
        Ok(Connected { dialler, listener: accepted.max(dialler), steps })
    }

    /// Connects, and lets the listener be: a crowd that watches it would be part of what is measured.
    pub(crate) async fn connect_among_many(&mut self, listener: &Listener) -> Result<()> {
        self.node.handle.add_known_peer(listener.to_dial(self.way)?).await?;
        timeout(PATIENCE, completed_with(&mut self.events, listener.0.peer_id)).await?.map(drop)
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.node.stop().await
    }
}

async fn completed_with(events: &mut Subscription, peer: PeerId) -> Result<Arc<NodeEvent>> {
    let is_it = |event: &NodeEvent| match event {
        NodeEvent::HandshakeCompleted { peer_id, .. }
        | NodeEvent::HandshakeRejected { peer_id, .. }
        | NodeEvent::DialFailed { peer_id, .. } => *peer_id == peer,
        _ => false,
    };
    let event = events.wait_for(is_it).await.context("the node has stopped")?;
    anyhow::ensure!(matches!(*event, NodeEvent::HandshakeCompleted { .. }), "no handshake: {event:?}");
    Ok(event)
}

/// How long exchanges on one live connection took, milliseconds each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Status, through to the end of its stream.
    pub(crate) status: Vec<f64>,
    /// As many bytes through libp2p's own ping: a stream, its negotiation, one round trip.
    pub(crate) echo: Vec<f64>,
}

/// Connects without a node of one's own, waits until the listener counts us as a peer, and asks for its Status.
pub(crate) async fn ask_status(way: Way, listener: &Listener) -> Result<Asked> {
    let identity = Identity::generate();
    let (events, tasks) = (Events::default(), TaskGroup::new());
    let (transport, muxers) = transport::build(&identity.keypair, &way.transports())?;
    let (switch, ends) = Switch::new(SwitchSettings {
        keypair: identity.keypair,
        transport,
        muxers,
        protocols: methods::protocol_ids().collect(),
        limits: SwitchLimits { pending_inbound: 1, pending_outbound: 1, established_inbound: 1, established: 1 },
        metrics: None,
        gossip: RouterSettings::default(),
    });
    let token = tasks.token().clone();
    let answers = Arc::new(Answers::new());
    let server = RpcServer::new(answers.clone(), events.clone(), tasks.clone(), RpcLimits::default());
    tasks.spawn("switch", switch.run(token.clone()));
    tasks.spawn("rpc_server", server.run(ends.inbound_streams, token));

    let KnownPeer::Multiaddr { peer_id, address } = listener.to_dial(way)? else {
        unreachable!("a listener is known by its address")
    };
    let mut elsewhere = listener.0.events.subscribe();
    let connection = ends.handle.dial(peer_id, vec![address]).await?;
    let (ours, timeouts) = (answers.status, RpcTimeouts::default());
    call::<methods::Status>(&connection.opener, peer_id, &ours, &timeouts, &events).await?;
    call::<methods::Ping>(&connection.opener, peer_id, &0, &timeouts, &events).await?;
    timeout(PATIENCE, completed_with(&mut elsewhere, identity.peer_id)).await??;
    let mut asked = Asked::default();
    for _ in 0..STATUS_BURST {
        let started = Instant::now();
        call::<methods::Status>(&connection.opener, peer_id, &ours, &timeouts, &events).await?;
        asked.status.push(since(started));
        let started = Instant::now();
        timeout(PATIENCE, echo(&connection.opener)).await??;
        asked.echo.push(since(started));
    }
    tasks.cancel();
    tasks.wait().await;
    Ok(asked)
}

async fn echo(opener: &StreamOpener) -> Result<()> {
    let mut stream = opener.open(vec![libp2p::ping::PROTOCOL_NAME]).await?.stream;
    stream.write_all(&[7; 32]).await?;
    stream.flush().await?;
    let mut back = [0; 32];
    stream.read_exact(&mut back).await?;
    anyhow::ensure!(back == [7; 32], "another echo");
    Ok(())
}

/// What the listener hears when it asks back.
struct Answers {
    status: StatusMessage,
}

impl Answers {
    fn new() -> Self {
        let chain = chain();
        let now = SlotClock::system(chain.genesis_time, chain.slot_duration).epoch();
        let fork = ForkSchedule::new(&chain).state_at(now);
        Self { status: derive_status(&fork, &ChainHead::Genesis { block_root: None }) }
    }
}

impl RpcHandler for Answers {
    fn status(&self) -> StatusMessage {
        self.status
    }

    fn metadata(&self) -> MetaData {
        MetaData { syncnets: Some(Default::default()), custody_group_count: Some(4), ..MetaData::default() }
    }

    fn on_status(&self, _: Origin, _: StatusMessage) {}

    fn on_ping(&self, _: Origin, _: u64) {}

    fn on_goodbye(&self, _: Origin, _: GoodbyeReason) {}
}

fn chain() -> ChainConfig {
    ChainConfig { bootnodes: Vec::new(), ..ChainConfig::embedded(NetworkName::Mainnet) }
}
