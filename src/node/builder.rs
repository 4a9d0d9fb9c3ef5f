//! `Eth2NodeBuilder`: every part of a network node, put together and bound, nothing running on its own yet.
//!
//! Used by `BeaconNode` for the daemon and by tests for nodes in-process. Sockets are opened here, so that a port in
//! use is a start-up error that names its flag.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use enr::CombinedKey;
use libp2p::metrics::Metrics as Libp2pMetrics;
use libp2p::multiaddr::Protocol;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::actions::{column_bits, cover_of_plan};
use super::connection::Handshaker;
use super::discovery_loop::{DiscoveryLoop, Recent};
use super::eth2_node::{Eth2Node, TURNED_AWAY};
use super::handle::{COMMANDS, NodeHandle, NodeSnapshot};
use super::hearing::Hearing;
use super::local::LocalChain;
use super::places::Places;
use super::report::{REPORTS, Responder};
use crate::chain::{ChainClock, ChainConfig, ChainHead, ForkSchedule};
use crate::config::{DiscoveryConfig, GossipConfig, ListenConfig, PeersConfig, TransportConfig};
use crate::discovery::{
    BoundSockets, Candidate, Discovery, DiscoverySettings, Discv5Discovery, EnrContent, EnrError, MemoryDirectory,
    MemoryDiscovery, Predicate, Reach, StartError as DiscoveryError, build_enr,
};
use crate::events::{Events, NodeEvent};
use crate::gossip::{Duties, Gossip, GossipSettings, Subscriptions};
use crate::handshake::HandshakeRegistry;
use crate::peers::{CoverTargets, DialQueueConfig, Limits, ManagerConfig, PeerManager, Source};
use crate::rpc::{RpcLimits, RpcServer, methods};
use crate::store::{Identity, PeerBook, sequence};
use crate::switch::{ListenError, RelayPolicy, RouterSettings, Switch, SwitchEnds, SwitchLimits, SwitchSettings};
use crate::tasks::TaskGroup;
use crate::time::SlotClock;
use crate::transport::{self, TransportError};
use crate::types::{BookEntry, Enr, KnownPeer, MetaData, Multiaddr, PeerId};

/// Candidates that discovery found and the node has not taken; **wait**: lookups pause.
///
/// 256 × about 1.5 KiB = 384 KiB.
const CANDIDATES: usize = 256;

/// How peers are found.
#[derive(Clone, Debug)]
pub enum Find {
    /// By discv5, over UDP.
    Discv5,
    /// In a directory that all nodes of a test share.
    Memory(MemoryDirectory),
    /// Not at all.
    Nobody,
}

/// Why a node could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The identity key is unusable.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A libp2p port could not be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Discovery did not start.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// Our own record could not be written.
    #[error("cannot write our own record")]
    Enr(#[from] EnrError),
}

/// Puts an [`Eth2Node`] together.
#[expect(missing_debug_implementations, reason = "libp2p's metrics cannot be shown")]
#[must_use = "a builder does nothing until it builds"]
pub struct Eth2NodeBuilder {
    identity: Identity,
    chain: ChainConfig,
    events: Events,
    clock: SlotClock,
    listen: ListenConfig,
    transports: TransportConfig,
    find: Find,
    discovery: DiscoveryConfig,
    peers: PeersConfig,
    gossip: GossipConfig,
    registry: HandshakeRegistry,
    previous_enr: Option<Enr>,
    first_enr_seq: u64,
    previous_metadata: Option<MetaData>,
    first_metadata_seq: u64,
    metrics: Option<Libp2pMetrics>,
    book: Option<(PeerBook, Vec<BookEntry>)>,
    open_files: u64,
    seed: u64,
}

impl Eth2NodeBuilder {
    /// A node of this identity on this network, with the handshakes of the consensus network.
    pub fn new(
        identity: Identity,
        chain: ChainConfig,
        listen: ListenConfig,
        transports: TransportConfig,
        discovery: DiscoveryConfig,
        peers: PeersConfig,
    ) -> Self {
        let find = if discovery.enabled { Find::Discv5 } else { Find::Nobody };
        let clock = SlotClock::system(chain.genesis_time, chain.slot_duration);
        Self {
            identity,
            chain,
            events: Events::default(),
            clock,
            listen,
            transports,
            find,
            discovery,
            peers,
            gossip: GossipConfig::default(),
            registry: HandshakeRegistry::eth2(),
            previous_enr: None,
            first_enr_seq: 1,
            previous_metadata: None,
            first_metadata_seq: 0,
            metrics: None,
            book: None,
            open_files: u64::MAX,
            seed: rand::random(),
        }
    }

    /// Reports to `events`.
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// Lives at another time than the system's; for tests.
    pub const fn clock(mut self, clock: SlotClock) -> Self {
        self.clock = clock;
        self
    }

    /// Finds peers another way.
    pub fn find(mut self, find: Find) -> Self {
        self.find = find;
        self
    }

    /// Runs other handshakes.
    pub fn registry(mut self, registry: HandshakeRegistry) -> Self {
        self.registry = registry;
        self
    }

    /// Listens to other topics and subnets on gossip than by default.
    pub fn gossip(mut self, gossip: GossipConfig) -> Self {
        self.gossip = gossip;
        self
    }

    /// Goes on from the record that an earlier run left; the number is that of a record if it left none.
    pub fn continues_enr(mut self, previous: Option<Enr>, first_seq: u64) -> Self {
        (self.previous_enr, self.first_enr_seq) = (previous, first_seq);
        self
    }

    /// Goes on from the metadata that an earlier run left; the number is that of metadata if it left none.
    pub fn continues_metadata(mut self, previous: Option<MetaData>, first_seq: u64) -> Self {
        (self.previous_metadata, self.first_metadata_seq) = (previous, first_seq);
        self
    }

    /// Feeds libp2p's own metric families.
    pub fn metrics(mut self, metrics: Libp2pMetrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Remembers peers in a book, and begins with those that are in it.
    pub fn remembers(mut self, book: PeerBook, entries: Vec<BookEntry>) -> Self {
        self.book = Some((book, entries));
        self
    }

    /// Has so many attempts under way at once as this many open files allow.
    pub const fn open_files(mut self, allowed: u64) -> Self {
        self.open_files = allowed;
        self
    }

    /// What this node would tell of its subnets and custody if it were built now.
    pub(super) fn metadata(&self) -> MetaData {
        let subscriptions = self.subscriptions(Arc::new(ForkSchedule::new(&self.chain)));
        self.numbered(&subscriptions.duties_at(self.clock.epoch()))
    }

    fn subscriptions(&self, schedule: Arc<ForkSchedule>) -> Subscriptions {
        Subscriptions::new(self.identity.node_id, &self.gossip, &self.chain, schedule)
    }

    fn numbered(&self, duties: &Duties) -> MetaData {
        sequence::next_metadata(self.previous_metadata.as_ref(), duties.metadata(0), self.first_metadata_seq)
    }

    /// Opens every socket, starts discovery and puts the rest together. Its tasks run in `tasks`, the node itself
    /// when [`Eth2Node::run`] is polled. Bootstrap nodes and operator's peers are queued.
    ///
    /// # Errors
    /// [`BuildError`] names the flag to change.
    ///
    /// Not cancel safe: cancel `tasks` after dropping the future.
    pub async fn build(mut self, tasks: &TaskGroup) -> Result<(Eth2Node, NodeHandle), BuildError> {
        let limits = Limits::for_target(self.peers.target).with_open_files(self.open_files);
        let schedule = Arc::new(ForkSchedule::new(&self.chain));
        let subscriptions = self.subscriptions(schedule.clone());
        let plan = subscriptions.plan_at(self.clock.epoch());
        let (metadata, told) = watch::channel(self.numbered(&plan.duties));
        let head = ChainHead::Genesis { block_root: self.chain.genesis_block_root };
        let local = Arc::new(LocalChain::new(self.clock, schedule.clone(), head, told));

        let (transport, muxers) = transport::build(&self.identity.keypair, &self.transports)?;
        let (mut switch, ends) = Switch::new(SwitchSettings {
            keypair: self.identity.keypair.clone(),
            transport,
            muxers,
            protocols: methods::protocol_ids().collect(),
            limits: switch_limits(&limits),
            metrics: self.metrics.take(),
            gossip: router_settings(&schedule, &self.chain, relay_policy(&self.gossip), self.peers.direct.clone()),
        });
        let listening = self.listen(&mut switch).await?;
        let SwitchEnds { handle: switch_handle, events: switch_events, inbound_streams, gossip: gossip_ends } = ends;

        let discovery = self.start_discovery(&local, &plan.duties, &listening, tasks).await?;

        let (clock, now) = ChainClock::new(self.clock, schedule.clone(), self.events.clone());
        let (reports_sender, reports) = mpsc::channel(REPORTS);
        let responder = Arc::new(Responder::new(local.clone(), reports_sender, self.events.clone()));
        let server = RpcServer::new(responder, self.events.clone(), tasks.clone(), RpcLimits::default());
        let (candidates_sender, candidates) = mpsc::channel(CANDIDATES);
        let (demand, demanded) = watch::channel(true);
        let lookups = self.lookups(discovery.clone(), local.clone(), demanded, candidates_sender);
        let predicate = lookups.predicate;
        let token = || tasks.token().clone();
        if self.transports.quic {
            warm_up(tasks);
        }
        tasks.spawn_critical("switch", switch.run(token()));
        tasks.spawn_critical("chain_clock", clock.run(token()));
        tasks.spawn_critical("rpc_server", server.run(inbound_streams, token()));

        let (command_sender, commands) = mpsc::channel(COMMANDS);
        let snapshot = NodeSnapshot { enr: Some(discovery.local_enr()), listening, peers: Vec::new() };
        let (snapshot_sender, snapshot) = watch::channel(snapshot);
        let (plan_sender, plan) = watch::channel(Arc::new(plan));
        let gossip = GossipSettings {
            chain: &self.chain,
            schedule,
            clock: self.clock,
            events: self.events.clone(),
            relay: relay_policy(&self.gossip),
            sample: self.gossip.sample,
            switch: switch_handle.clone(),
            ends: gossip_ends,
            plan: plan.clone(),
            now: now.clone(),
        };
        let (gossip, conduct) = Gossip::start(gossip, tasks);
        let fork_since = now.borrow().fork.since;
        let bootnodes = self.boot_nodes();
        let mut manager =
            PeerManager::new(self.identity.peer_id, manager_config(limits, self.chain.slot_duration), Instant::now());
        manager.set_wanted(cover_of_plan(&plan.borrow()));
        for peer_id in &self.peers.trusted {
            manager.trust(*peer_id);
        }
        let (book, recalled) = self.book.take().unzip();
        let recalled = recalled.unwrap_or_default();
        let mut node = Eth2Node {
            handshaker: Handshaker {
                registry: Arc::new(self.registry),
                local,
                switch: switch_handle,
                events: self.events,
                stopping: CancellationToken::new(),
            },
            discovery,
            lookups: (!matches!(self.find, Find::Nobody)).then_some(lookups),
            predicate,
            manager,
            rng: ChaCha8Rng::seed_from_u64(self.seed),
            bootnodes: bootnodes.len(),
            undialable_bootnodes: 0,
            started: Instant::now(),
            sessions: Default::default(),
            early_goodbyes: Default::default(),
            hearing: Hearing::default(),
            outbound: JoinSet::new(),
            inbound: JoinSet::new(),
            attempted: Default::default(),
            inbound_groups: Default::default(),
            errands: JoinSet::new(),
            turned_away: JoinSet::new(),
            postponed: VecDeque::new(),
            switch_events,
            reports,
            commands,
            candidates,
            now,
            fork_since,
            refusals: Default::default(),
            book,
            recalled,
            looking: false,
            subscriptions,
            plan: plan_sender,
            conduct,
            metadata,
            demand,
            snapshot: snapshot_sender,
            tasks: tasks.clone(),
        };
        for peer in bootnodes {
            node.add_known_peer(peer, Source::BootNode);
        }
        for peer in self.peers.known_peers {
            node.add_known_peer(peer, Source::KnownPeer);
        }
        Ok((node, NodeHandle { commands: command_sender, snapshot, plan, gossip }))
    }

    fn lookups(
        &self,
        discovery: Arc<dyn Discovery>,
        local: Arc<LocalChain>,
        demand: watch::Receiver<bool>,
        candidates: mpsc::Sender<Candidate>,
    ) -> DiscoveryLoop {
        let predicate = Predicate { own_node_id: self.identity.node_id, reach: self.reach() };
        let (events, recent) = (self.events.clone(), Recent::default());
        DiscoveryLoop { discovery, predicate, local, demand, candidates, events, recent }
    }

    /// The operator's boot nodes, and the network's own unless the operator gave some.
    fn boot_nodes(&self) -> Vec<KnownPeer> {
        let mut all = self.discovery.boot_nodes.clone();
        if self.discovery.use_network_boot_nodes {
            all.extend(self.chain.bootnodes.iter().cloned());
        }
        all
    }

    fn reach(&self) -> Reach {
        Reach {
            // dialling needs no listener of the family; QUIC over a family that we do not listen on opens its own
            ip4: true,
            ip6: true,
            tcp: self.transports.tcp,
            quic: self.transports.quic,
        }
    }

    /// Opens a listener for each transport and family; returns where they ended up.
    async fn listen(&self, switch: &mut Switch) -> Result<Vec<Multiaddr>, ListenError> {
        let mut listening = Vec::new();
        if self.transports.memory {
            listening.push(switch.listen(Multiaddr::empty().with(Protocol::Memory(0)), "--transports").await?);
        }
        let families = [(&self.listen.v4, "--port", "--quic-port"), (&self.listen.v6, "--port6", "--quic-port6")];
        for (on, tcp_flag, quic_flag) in families {
            let Some(on) = on else { continue };
            if self.transports.quic {
                let address = Multiaddr::from(on.ip).with(Protocol::Udp(on.quic_port)).with(Protocol::QuicV1);
                listening.push(as_asked(switch.listen(address, quic_flag).await?, on.ip));
            }
            if self.transports.tcp {
                let address = Multiaddr::from(on.ip).with(Protocol::Tcp(on.tcp_port));
                listening.push(as_asked(switch.listen(address, tcp_flag).await?, on.ip));
            }
        }
        Ok(listening)
    }

    async fn start_discovery(
        &self,
        local: &LocalChain,
        duties: &Duties,
        listening: &[Multiaddr],
        tasks: &TaskGroup,
    ) -> Result<Arc<dyn Discovery>, BuildError> {
        let fork = local.fork();
        let places = Places::new(&self.listen, &self.discovery.advertise, listening);
        let content = |bound4, bound6| EnrContent {
            eth2: fork.enr_fork_id,
            attnets: duties.attnets.clone(),
            syncnets: duties.syncnets.clone(),
            cgc: duties.custody_group_count,
            nfd: fork.nfd,
            ip4: places.endpoint4(bound4),
            ip6: places.endpoint6(bound6),
        };
        let key = self.identity.clone().enr_key;
        let directory = match &self.find {
            Find::Discv5 => return self.start_discv5(key, places, content, tasks).await,
            Find::Memory(directory) => directory.clone(),
            Find::Nobody => MemoryDirectory::default(),
        };
        let enr = self.own_record(&content(None, None))?;
        Ok(Arc::new(MemoryDiscovery::join(&directory, key, enr, self.seed, self.events.clone())))
    }

    async fn start_discv5(
        &self,
        key: CombinedKey,
        places: Places<'_>,
        content: impl Fn(Option<SocketAddr>, Option<SocketAddr>) -> EnrContent,
        tasks: &TaskGroup,
    ) -> Result<Arc<dyn Discovery>, BuildError> {
        let sockets = self.bind_discovery().await?;
        let advertise = &self.discovery.advertise;
        let settings = DiscoverySettings {
            enr: self.own_record(&content(sockets.address4(), sockets.address6()))?,
            key,
            sockets,
            ports4: places.ports4,
            ports6: places.ports6,
            bootnodes: self.boot_nodes().into_iter().filter_map(record_of).collect(),
            packet_filter: self.discovery.packet_filter,
            // votes would overrule the address that the operator gave
            enr_auto_update: self.discovery.enr_auto_update && advertise.ip4.is_none() && advertise.ip6.is_none(),
        };
        Ok(Discv5Discovery::start(settings, self.events.clone(), tasks).await?)
    }

    fn own_record(&self, content: &EnrContent) -> Result<Enr, EnrError> {
        let mut enr = build_enr(&self.identity.enr_key, self.previous_enr.as_ref(), content)?;
        if self.previous_enr.is_none() && self.first_enr_seq > enr.seq() {
            enr.set_seq(self.first_enr_seq, &self.identity.enr_key).map_err(EnrError::Signing)?;
        }
        Ok(enr)
    }

    async fn bind_discovery(&self) -> Result<BoundSockets, DiscoveryError> {
        let v4 = self.listen.v4.as_ref().and_then(|on| match on.ip {
            IpAddr::V4(ip) => Some(SocketAddrV4::new(ip, on.discovery_port)),
            IpAddr::V6(_) => None,
        });
        let v6 = self.listen.v6.as_ref().and_then(|on| match on.ip {
            IpAddr::V6(ip) => Some(SocketAddrV6::new(ip, on.discovery_port, 0, 0)),
            IpAddr::V4(_) => None,
        });
        let sockets = BoundSockets::bind(v4, v6).await?;
        if v6.is_some() && sockets.address6().is_none() {
            let advice = "no route to the IPv6 internet: discovery uses IPv4 alone (see --listen-address)".to_owned();
            self.events.emit(NodeEvent::NodeWarned { reason: "no_ipv6_route", advice });
        }
        Ok(sockets)
    }
}

/// A listening address with the IP that was asked for, which may stand for all interfaces, and the port it got.
fn as_asked(bound: Multiaddr, ip: IpAddr) -> Multiaddr {
    bound.replace(0, |_| Some(ip.into())).unwrap_or(bound)
}

/// Seeds the random source of TLS beside the start-up.
fn warm_up(tasks: &TaskGroup) {
    tasks.spawn("warm_up", async {
        // a panic in there is the library's, and shows again at the first dial
        let _ = tokio::task::spawn_blocking(transport::warm_up).await;
    });
}

fn record_of(peer: KnownPeer) -> Option<Enr> {
    match peer {
        KnownPeer::Enr(enr) => Some(*enr),
        KnownPeer::Multiaddr { .. } => None,
    }
}

fn manager_config(limits: Limits, slot_duration: Duration) -> ManagerConfig {
    let queue = DialQueueConfig::default();
    ManagerConfig {
        limits,
        queue: DialQueueConfig { awaited_pause: (slot_duration / 2).clamp(LEAST_PAUSE, queue.awaited_pause), ..queue },
        cover_targets: CoverTargets::default(),
        score_capacity: 4096,
        custody: column_bits,
    }
}

/// A peer that left is not dialled more often than this, however short the slots.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// The swarm's limits lie a little outside the table's, which alone knows who is vouched for.
///
/// Peers that are refused hold their connection while they are told so; of those who come beyond all of that, none is
/// let in before others have gone. As many places as there are for ready peers are left to our own dials.
fn switch_limits(limits: &Limits) -> SwitchLimits {
    let whole = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let ready = limits.max_total.saturating_add(limits.reserved_needed);
    let inbound = ready.saturating_add(limits.max_pending_inbound).saturating_add(TURNED_AWAY);
    SwitchLimits {
        pending_inbound: whole(limits.max_pending_inbound),
        pending_outbound: whole(limits.max_pending_outbound),
        established_inbound: whole(inbound),
        established: whole(inbound.saturating_add(ready)),
    }
}

/// What is forwarded besides what was accepted.
fn relay_policy(gossip: &GossipConfig) -> RelayPolicy {
    gossip.corroborating_copies.map_or(RelayPolicy::Strict, |copies| RelayPolicy::Corroborated { copies })
}

/// The router knows every digest of the schedule; the first alone has the message ids of phase0.
fn router_settings(
    schedule: &ForkSchedule,
    chain: &ChainConfig,
    relay: RelayPolicy,
    direct: Vec<PeerId>,
) -> RouterSettings {
    let digests = schedule.boundaries().map(|boundary| (boundary.fork_digest, boundary.fork.has_phase0_message_ids()));
    RouterSettings { digests: digests.collect(), relay, slot_duration: chain.slot_duration, direct }
}
