//! A network of nodes in one process: real TCP, QUIC and UDP on loopback, free ports, one bus of events each.

use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use beacond::chain::{ChainConfig, NetworkName};
use beacond::config::{Advertise, DiscoveryConfig, GossipConfig, ListenConfig, ListenOn, PeersConfig, TransportConfig};
use beacond::events::{Events, NodeEvent, Subscription};
use beacond::gossip::{Answer, Question};
use beacond::handshake::HandshakeRegistry;
use beacond::node::{Eth2NodeBuilder, Farewell, Find, NodeHandle};
use beacond::store::Identity;
use beacond::tasks::TaskGroup;
use beacond::time::SlotClock;
use beacond::types::{KnownPeer, Multiaddr, Muxer, PeerId, Root, TopicKind};
use futures::FutureExt;
use futures::future::select_all;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

/// Generous: a scenario that needs it has failed, however slow the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// What a test may choose of a node.
pub(crate) struct Options {
    pub(crate) identity: Identity,
    pub(crate) chain: ChainConfig,
    pub(crate) on: ListenOn,
    pub(crate) find: Find,
    pub(crate) transports: TransportConfig,
    pub(crate) boot_nodes: Vec<KnownPeer>,
    pub(crate) known_peers: Vec<KnownPeer>,
    /// Trusted by their ids alone.
    pub(crate) trusted: Vec<PeerId>,
    pub(crate) target: usize,
    pub(crate) gossip: GossipConfig,
    /// Another time than the system's.
    pub(crate) clock: Option<SlotClock>,
    pub(crate) handshake_deadline: Duration,
}

impl Options {
    /// Free ports.
    pub(crate) const fn anywhere() -> ListenOn {
        ListenOn { ip: LOCALHOST, tcp_port: 0, discovery_port: 0, quic_port: 0 }
    }

    pub(crate) fn new(chain: &ChainConfig) -> Self {
        Self {
            identity: Identity::generate(),
            chain: chain.clone(),
            on: Self::anywhere(),
            find: Find::Nobody,
            transports: TransportConfig {
                tcp: true,
                quic: true,
                memory: false,
                muxers: vec![Muxer::Yamux, Muxer::Mplex],
            },
            boot_nodes: Vec::new(),
            known_peers: Vec::new(),
            trusted: Vec::new(),
            target: 20,
            gossip: GossipConfig::default(),
            clock: None,
            handshake_deadline: Duration::from_secs(15),
        }
    }
}

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Ports that a node can have again after it stopped: free now, and below the range from which systems give out free
/// ports, so that no other test is given one meanwhile.
pub(crate) fn fixed_ports() -> ListenOn {
    let is_free = |port| TcpListener::bind((LOCALHOST, port)).is_ok() && UdpSocket::bind((LOCALHOST, port)).is_ok();
    let port = || std::iter::repeat_with(|| rand::random_range(10_000..32_000)).find(|port| is_free(*port)).unwrap();
    let (tcp_port, discovery_port) = (port(), port());
    let quic_port = std::iter::repeat_with(port).find(|port| *port != discovery_port).unwrap();
    ListenOn { ip: LOCALHOST, tcp_port, discovery_port, quic_port }
}

/// Waits until nobody has these ports any more: QUIC keeps its socket for a moment after its node has ended, to drain
/// connections, and no event tells when that is over.
pub(crate) async fn freed(on: ListenOn) -> Result<()> {
    let freed = async {
        let mut look = interval(Duration::from_millis(5));
        while [on.quic_port, on.discovery_port].iter().any(|port| UdpSocket::bind((on.ip, *port)).is_err()) {
            look.tick().await;
        }
    };
    timeout(PATIENCE, freed).await.context("the ports stay in use")
}

/// A network like mainnet under other genesis values, at Fulu with all of its blobs.
pub(crate) fn network(seed: u8) -> ChainConfig {
    ChainConfig {
        name: format!("testnet-{seed}"),
        genesis_validators_root: Root([seed; 32]),
        genesis_block_root: None,
        bootnodes: Vec::new(),
        ..ChainConfig::embedded(NetworkName::Mainnet)
    }
}

/// A running node.
pub(crate) struct TestNode {
    pub(crate) peer_id: PeerId,
    pub(crate) handle: NodeHandle,
    events: Subscription,
    history: Vec<Arc<NodeEvent>>,
    stop: CancellationToken,
    running: JoinSet<Farewell>,
    jurors: JoinSet<()>,
    tasks: TaskGroup,
}

impl TestNode {
    pub(crate) async fn start(options: Options) -> Result<Self> {
        let peer_id = options.identity.peer_id;
        let events = Events::default();
        let subscription = events.subscribe();
        let tasks = TaskGroup::new();
        let discovery = DiscoveryConfig {
            enabled: true,
            packet_filter: false,
            boot_nodes: options.boot_nodes,
            use_network_boot_nodes: false,
            advertise: Advertise::default(),
            enr_auto_update: false,
        };
        let Options { target, known_peers, trusted, .. } = options;
        let peers = PeersConfig { target, known_peers, trusted, ..PeersConfig::default() };
        let listen = ListenConfig { v4: Some(options.on), v6: None };
        let builder =
            Eth2NodeBuilder::new(options.identity, options.chain, listen, options.transports, discovery, peers)
                .events(events)
                .registry(HandshakeRegistry::eth2().with_deadline(options.handshake_deadline))
                .gossip(options.gossip)
                .find(options.find);
        let builder = match options.clock {
            Some(clock) => builder.clock(clock),
            None => builder,
        };
        let (node, handle) = builder.build(&tasks).await?;
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(node.run(stop.clone()));
        Ok(Self {
            peer_id,
            handle,
            events: subscription,
            history: Vec::new(),
            stop,
            running,
            jurors: JoinSet::new(),
            tasks,
        })
    }

    /// Judges messages of these kinds for the node, where its rules cannot.
    pub(crate) fn judge(&mut self, kinds: &[TopicKind], verdict: impl Fn(&Question) -> Answer + Send + 'static) {
        let mut juror = self.handle.gossip().appoint_juror(kinds);
        self.jurors.spawn(async move {
            while let Some(question) = juror.next().await {
                // late: the node has decided without it
                let _ = juror.answer(question.message_id, verdict(&question));
            }
        });
    }

    async fn next(&mut self) -> Result<Arc<NodeEvent>> {
        let event = self.events.next().await.context("the bus is closed")?;
        self.history.push(event.clone());
        Ok(event)
    }

    /// Waits until something happens; what happened before the last wait is not seen again.
    pub(crate) async fn wait(
        &mut self,
        what: &str,
        mut is_it: impl FnMut(&NodeEvent) -> bool,
    ) -> Result<Arc<NodeEvent>> {
        let peer_id = self.peer_id;
        let seen = async {
            loop {
                let event = self.next().await?;
                if is_it(&event) {
                    return Ok(event);
                }
            }
        };
        timeout(PATIENCE, seen).await.with_context(|| format!("{peer_id} waits in vain for {what}"))?
    }

    /// Waits until everything that has happened so far is enough.
    pub(crate) async fn until(&mut self, what: &str, enough: impl Fn(&[Arc<NodeEvent>]) -> bool) -> Result<()> {
        let peer_id = self.peer_id;
        let seen = async {
            while !enough(self.history()) {
                self.next().await?;
            }
            Ok(())
        };
        timeout(PATIENCE, seen).await.with_context(|| format!("{peer_id} waits in vain for {what}"))?
    }

    /// Everything that has happened so far.
    pub(crate) fn history(&mut self) -> &[Arc<NodeEvent>] {
        while let Some(Some(event)) = self.events.next().now_or_never() {
            self.history.push(event);
        }
        assert_eq!(self.events.dropped(), 0, "events were lost: the test looks too seldom");
        &self.history
    }

    /// Forgets everything that has happened so far, for what lasts long.
    pub(crate) fn forget(&mut self) {
        self.history.clear();
    }

    /// How often something has happened so far.
    pub(crate) fn count(&mut self, is_it: impl Fn(&NodeEvent) -> bool) -> usize {
        self.history().iter().filter(|event| is_it(event)).count()
    }

    /// Waits until handshakes with `peer_id` are complete.
    pub(crate) async fn ready(&mut self, peer_id: PeerId) -> Result<Arc<NodeEvent>> {
        let is_it = |event: &NodeEvent| match event {
            NodeEvent::HandshakeCompleted { peer_id: seen, .. } => *seen == peer_id,
            _ => false,
        };
        self.wait("handshake.completed", is_it).await
    }

    /// Waits until the two are ready at both ends: one end may be done while the other still shakes hands.
    pub(crate) async fn met(&mut self, peer: &mut Self) -> Result<()> {
        self.ready(peer.peer_id).await?;
        peer.ready(self.peer_id).await?;
        Ok(())
    }

    /// Waits until a ready peer is gone, and says why and with which goodbye.
    pub(crate) async fn gone(&mut self, peer_id: PeerId) -> Result<(&'static str, Option<u64>)> {
        let is_it = |event: &NodeEvent| match event {
            NodeEvent::PeerDisconnected { peer_id: seen, .. } => *seen == peer_id,
            _ => false,
        };
        match &*self.wait("peer.disconnected", is_it).await? {
            NodeEvent::PeerDisconnected { reason, goodbye_code, .. } => Ok((*reason, *goodbye_code)),
            _ => unreachable!("waited for it"),
        }
    }

    /// The first listening address of this transport, as a peer to dial.
    pub(crate) fn multiaddr(&self, transport: &str) -> Result<KnownPeer> {
        let listening = self.handle.snapshot().listening;
        let address = listening.iter().find(|address| address.to_string().contains(transport));
        let address: Multiaddr = address.context("no such listener")?.clone();
        Ok(KnownPeer::Multiaddr { peer_id: self.peer_id, address })
    }

    pub(crate) fn enr(&self) -> KnownPeer {
        KnownPeer::Enr(Box::new(self.handle.snapshot().enr.unwrap()))
    }

    pub(crate) fn peers(&self) -> Vec<PeerId> {
        self.handle.snapshot().peers.into_iter().map(|(peer_id, _)| peer_id).collect()
    }

    /// Stops in order and waits for it.
    pub(crate) async fn stop(mut self) -> Result<Farewell> {
        self.stop.cancel();
        let farewell = timeout(PATIENCE, self.running.join_next()).await?.context("it ran")??;
        timeout(PATIENCE, self.tasks.wait()).await.context("tasks outlive the node")?;
        Ok(farewell)
    }

    /// Ends without a word, as a process that is killed, and waits until the sockets are closed.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.running.shutdown().await;
        self.tasks.cancel();
        timeout(PATIENCE, self.tasks.wait()).await.context("tasks outlive the node")
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

/// Nodes of one network.
pub(crate) struct Testnet {
    pub(crate) nodes: Vec<TestNode>,
}

impl Testnet {
    /// Starts `count` nodes of which all but the first know the first as their boot node, found by discv5.
    pub(crate) async fn discovering(chain: &ChainConfig, count: usize, target: usize) -> Result<Self> {
        let options = || Options { find: Find::Discv5, target, ..Options::new(chain) };
        let first = TestNode::start(options()).await?;
        let boot_node = first.enr();
        let mut nodes = vec![first];
        for _ in 1..count {
            nodes.push(TestNode::start(Options { boot_nodes: vec![boot_node.clone()], ..options() }).await?);
        }
        Ok(Self { nodes })
    }

    /// Waits until something holds of all nodes together; looks whenever something happened at one of them.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&[TestNode]) -> bool) -> Result<()> {
        let held = async {
            while !holds(&self.nodes) {
                select_all(self.nodes.iter_mut().map(|node| node.next().boxed())).await.0?;
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, held).await.with_context(|| format!("waiting in vain for {what}"))?
    }

    /// Starts a node, and one that is told to dial it over this transport.
    pub(crate) async fn pair(chain: &ChainConfig, transport: &str) -> Result<[TestNode; 2]> {
        let listener = TestNode::start(Options::new(chain)).await?;
        let known_peers = vec![listener.multiaddr(transport)?];
        let dialler = TestNode::start(Options { known_peers, ..Options::new(chain) }).await?;
        Ok([dialler, listener])
    }
}
