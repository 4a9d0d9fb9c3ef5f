//! [`Discovery`] over discv5, protocol 5.1: one node of the Ethereum discovery network.
//!
//! `node` binds the sockets, builds the record (whose ports it knows only then) and starts this. The crate's own
//! tasks run in our [`TaskGroup`]; one more task drains its events and keeps record and bootnodes alive.
//!
//! What the settings of the crate are and why:
//! - Requests time out after 2 s and 8 run in parallel per lookup: far peers miss the default second. A lookup
//!   ends after 30 s with what it has.
//! - 5000 sessions, so that forged handshakes cannot push out the real ones cheaply.
//! - Of 16 places in a bucket 8 may go to nodes that contacted us: the rest cannot be bought by knocking.
//! - At most 10 nodes of one IPv4 /24, 2 per bucket, but only where the bootnodes are on public addresses: in a
//!   private network everybody shares one /24. The crate has no such limit for IPv6.
//! - An address that peers agree on is withdrawn, for six hours, when fewer than two nodes contact us within five
//!   minutes (`auto_nat_listen_duration`); again only where the bootnodes are on public addresses: small networks would
//!   lose theirs.
//! - The packet filter bans by IP address, for an hour, in a list that all nodes of one process share. Loopback is
//!   exempt from those bans, and a node that listens on loopback alone runs without the filter, since all its
//!   peers share one address. A network behind one NAT address wants `--disable-packet-filter`.

mod recent;
mod record;
mod search;
mod sockets;
mod table;
mod target;
mod upkeep;

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::discv5::{Config, ConfigBuilder, Discv5, Executor, ListenConfig, PermitBanList};
use enr::CombinedKey;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::recent::RecentRecords;
use self::record::LocalRecord;
pub use self::record::PublicPorts;
use self::search::Walker;
pub use self::sockets::BoundSockets;
use self::table::Table;
use self::upkeep::{Counters, Upkeep};
use super::reachability::PROBATION;
use super::{
    AddEnrError, Barred, Discovery, DiscoveryCounts, EnrContent, EnrError, EnrUpdateReason, LookupError, LookupTarget,
    MAX_LOOKUP_RECORDS,
};
use crate::events::Events;
use crate::fault::{Classify, Fault};
use crate::tasks::TaskGroup;
use crate::types::{Enr, Multiaddr, NodeId};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);
const QUERY_PARALLELISM: usize = 8;
const SESSION_CACHE: usize = 5000;
const INCOMING_PER_BUCKET: usize = 8;

/// What a discv5 node is started with.
pub struct DiscoverySettings {
    /// Our identity; signs the record. secp256k1.
    pub key: CombinedKey,
    /// Our record, written by [`build_enr`](super::build_enr) with this key. Its UDP ports, if it has any, should
    /// be those of `sockets`, or what a router maps to them.
    pub enr: Enr,
    /// Where to listen.
    pub sockets: BoundSockets,
    /// libp2p's ports, advertised beside an external IPv4 address that peers report.
    pub ports4: PublicPorts,
    /// The same for IPv6.
    pub ports6: PublicPorts,
    /// Where to start. Kept alive and in the table; our own record among them is passed over.
    pub bootnodes: Vec<Enr>,
    /// Whether to limit and ban by source of unsolicited packets.
    pub packet_filter: bool,
    /// Whether our record follows the external address that ten peers or more agree on, even where the operator
    /// gave another.
    pub enr_auto_update: bool,
}

impl fmt::Debug for DiscoverySettings {
    /// Leaves the key out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiscoverySettings")
            .field("enr", &self.enr)
            .field("sockets", &self.sockets)
            .field("ports4", &self.ports4)
            .field("ports6", &self.ports6)
            .field("bootnodes", &self.bootnodes.len())
            .field("packet_filter", &self.packet_filter)
            .field("enr_auto_update", &self.enr_auto_update)
            .finish_non_exhaustive()
    }
}

/// Why discovery did not start; each text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else has the port.
    #[error("udp {address} is already in use: choose another port with {flag}")]
    PortInUse {
        /// Where we wanted to listen.
        address: std::net::SocketAddr,
        /// The flag to change.
        flag: &'static str,
    },
    /// The address is not ours, or the port is not allowed.
    #[error("cannot listen on udp {address}: check --listen-address and {flag}")]
    Bind {
        /// Where we wanted to listen.
        address: std::net::SocketAddr,
        /// The flag to check beside the address.
        flag: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Neither family was given an address.
    #[error("discovery has no address to listen on: give one with --listen-address or use --disable-discovery")]
    NoSocket,
    /// discv5 knows secp256k1 alone.
    #[error("the identity key is not secp256k1")]
    KeyType,
    /// The record is another key's, or has no `eth2` field.
    #[error("the local record does not belong to the identity key, or has no eth2 field")]
    Record,
    /// The service refused to start.
    #[error("discv5 did not start: {0}")]
    Service(::discv5::Error),
}

impl Classify for StartError {
    fn fault(&self) -> Fault {
        match self {
            Self::PortInUse { .. }
            | Self::Bind { .. }
            | Self::NoSocket
            | Self::KeyType
            | Self::Record
            | Self::Service(_) => Fault::Local,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::PortInUse { .. } => "port_in_use",
            Self::Bind { .. } => "bind",
            Self::NoSocket => "no_socket",
            Self::KeyType => "key_type",
            Self::Record => "record",
            Self::Service(_) => "service",
        }
    }
}

/// A running discv5 node. Its UDP ports are free again once it is shut down and the last handle is gone.
pub struct Discv5Discovery {
    discv5: Arc<Discv5>,
    record: Arc<LocalRecord>,
    table: Arc<Table>,
    walker: Walker,
    counters: Arc<Counters>,
    token: CancellationToken,
}

impl Discv5Discovery {
    /// Starts the service and its upkeep in `tasks`, with the bootnodes in the table and already pinged.
    ///
    /// The service's early end is a critical failure of the group, named `discovery`.
    ///
    /// # Errors
    /// [`StartError::Record`], [`StartError::KeyType`]: a mistake of the caller. [`StartError::Service`]: the
    /// service itself.
    ///
    /// Cancel safe: dropping the future leaves nothing running once `tasks` is cancelled.
    pub async fn start(
        settings: DiscoverySettings,
        events: Events,
        tasks: &TaskGroup,
    ) -> Result<Arc<Self>, StartError> {
        let token = tasks.token().child_token();
        let config = config(&settings, GroupExecutor { tasks: tasks.clone(), token: token.clone() });
        let DiscoverySettings { key, enr, ports4, ports6, bootnodes, .. } = settings;
        if EnrContent::of(&enr).is_none() {
            return Err(StartError::Record);
        }
        let service_key = copy_key(&key)?;
        let mut discv5 = Discv5::new(enr, service_key, config).map_err(|_| StartError::Record)?;
        discv5.start().await.map_err(StartError::Service)?;
        let stream = discv5.event_stream().await.map_err(StartError::Service)?;

        let discv5 = Arc::new(discv5);
        let record = Arc::new(LocalRecord::new(discv5.clone(), key, (ports4, ports6), events.clone()));
        let table = Arc::new(Table::new(discv5.clone(), bootnodes, events.clone(), tasks.clone(), token.clone()));
        let recent = Arc::<RecentRecords>::default();
        let walker = Walker { discv5: discv5.clone(), recent, tasks: tasks.clone(), token: token.clone() };
        let counters = Arc::<Counters>::default();
        let upkeep = Upkeep {
            record: record.clone(),
            table: table.clone(),
            counters: counters.clone(),
            events,
            stopped: token.clone(),
        };
        let group_token = tasks.token().clone();
        tasks.spawn_critical("discovery", async move {
            upkeep.run(stream).await;
            if upkeep.stopped.is_cancelled() {
                // stopping discovery alone, ahead of the group, is no failure
                group_token.cancelled().await;
            }
        });
        Ok(Arc::new(Self { discv5, record, table, walker, counters, token }))
    }
}

impl fmt::Debug for Discv5Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discv5Discovery")
            .field("node_id", &self.discv5.local_enr().node_id())
            .field("table_size", &self.table.size())
            .finish_non_exhaustive()
    }
}

impl Discovery for Discv5Discovery {
    fn lookup_random(&self) -> BoxFuture<'_, Result<Vec<Enr>, LookupError>> {
        Box::pin(async {
            if self.token.is_cancelled() {
                return Err(LookupError::Stopped);
            }
            if self.table.size() == 0 {
                // the service would answer the same, with a warning in the log each time
                return Ok(Vec::new());
            }
            // a lookup fails only when the service is gone
            let found = self.discv5.find_node(self.table.next_target()).await.map_err(|_| LookupError::Stopped)?;
            let now = Instant::now();
            found.iter().for_each(|enr| self.walker.recent.note(enr, now));
            Ok(found.into_iter().take(MAX_LOOKUP_RECORDS).collect())
        })
    }

    fn lookup_for<'a>(&'a self, target: &'a LookupTarget) -> BoxFuture<'a, Result<Vec<Enr>, LookupError>> {
        Box::pin(async {
            if self.token.is_cancelled() {
                return Err(LookupError::Stopped);
            }
            self.walker.search(target).await
        })
    }

    fn request_enr(&self, address: Multiaddr) -> BoxFuture<'static, Option<Enr>> {
        let asked = self.discv5.request_enr(address);
        Box::pin(async move {
            asked.await.inspect_err(|error| tracing::debug!(%error, "no record from an address for discovery")).ok()
        })
    }

    fn add_enr(&self, enr: Enr) -> Result<(), AddEnrError> {
        self.table.add(enr).map(|_| ())
    }

    fn local_enr(&self) -> Enr {
        self.discv5.local_enr()
    }

    fn subscribe_enr(&self) -> watch::Receiver<Enr> {
        self.record.subscribe()
    }

    fn update_enr(&self, reason: EnrUpdateReason, change: &mut dyn FnMut(&mut EnrContent)) -> Result<Enr, EnrError> {
        let before = self.local_enr().seq();
        let enr = self.record.update(reason, change)?;
        if enr.seq() != before {
            self.table.announce_record();
        }
        Ok(enr)
    }

    fn table_size(&self) -> usize {
        self.table.size()
    }

    fn take_inbound(&self) -> Vec<IpAddr> {
        self.counters.take_inbound()
    }

    /// discv5 keeps one list for the whole process: nodes beside this one in a process are bound by it as well.
    fn bar(&self, whom: Barred, lasts: Option<Duration>) {
        match (whom, lasts) {
            (Barred::Node(node_id), Some(_)) => self.discv5.ban_node(&node_id, lasts),
            (Barred::Node(node_id), None) => self.discv5.ban_node_remove(&node_id),
            (Barred::Address(ip), Some(_)) => self.discv5.ban_ip(ip, lasts),
            (Barred::Address(ip), None) => self.discv5.ban_ip_remove(&ip),
        }
    }

    fn record_of(&self, node_id: &NodeId) -> Option<Enr> {
        self.discv5.find_enr(node_id)
    }

    fn counts(&self) -> DiscoveryCounts {
        self.counters.snapshot()
    }

    fn shutdown(&self) {
        self.token.cancel();
    }
}

/// Runs the crate's tasks in our group, until discovery is shut down.
#[derive(Clone)]
struct GroupExecutor {
    tasks: TaskGroup,
    token: CancellationToken,
}

impl Executor for GroupExecutor {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let token = self.token.clone();
        self.tasks.spawn("discv5", async move {
            // none: cancelled
            let _ = token.run_until_cancelled(future).await;
        });
    }
}

fn config(settings: &DiscoverySettings, executor: GroupExecutor) -> Config {
    let (ipv4, ipv6) = settings.sockets.handles();
    let public = on_public_addresses(&settings.bootnodes);
    let mut builder = ConfigBuilder::new(ListenConfig::FromSockets { ipv4, ipv6 });
    builder
        .request_timeout(REQUEST_TIMEOUT)
        .query_peer_timeout(REQUEST_TIMEOUT)
        .query_timeout(QUERY_TIMEOUT)
        .query_parallelism(QUERY_PARALLELISM)
        .session_cache_capacity(SESSION_CACHE)
        .incoming_bucket_limit(INCOMING_PER_BUCKET)
        .auto_nat_listen_duration(public.then_some(PROBATION))
        .disable_report_discovered_peers()
        .permit_ban_list(permit_loopback())
        .executor(Box::new(executor));
    if settings.packet_filter && !settings.sockets.only_loopback() {
        builder.enable_packet_filter();
    }
    if !settings.enr_auto_update {
        builder.disable_enr_update();
    }
    if public {
        builder.ip_limit();
    }
    builder.build()
}

/// Packets from loopback come from this machine, and all its nodes share the address: banning it bans them all.
fn permit_loopback() -> PermitBanList {
    PermitBanList {
        permit_ips: [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].into(),
        ..PermitBanList::default()
    }
}

/// Whether these are the bootnodes of a public network: there are some, and every IPv4 address is a public one.
fn on_public_addresses(bootnodes: &[Enr]) -> bool {
    let mut addresses = bootnodes.iter().filter_map(Enr::ip4).peekable();
    addresses.peek().is_some()
        && addresses.all(|ip| !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()))
}

/// A second instance of the key: the service keeps one to itself, and the type has no `Clone`.
fn copy_key(key: &CombinedKey) -> Result<CombinedKey, StartError> {
    match key {
        CombinedKey::Secp256k1(key) => Ok(key.clone().into()),
        CombinedKey::Ed25519(_) => Err(StartError::KeyType),
    }
}

#[cfg(test)]
mod tests;
