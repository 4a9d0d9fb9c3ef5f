//! `BeaconNode`: the daemon. Composes what an operator configured, joins the network, supervises, shuts down in order.
//!
//! Run by `cli`. It owns the data directory and the metrics; what happens on the network is `Eth2Node`'s.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use libp2p::multiaddr::Protocol;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::builder::{BuildError, Eth2NodeBuilder};
use super::eth2_node::{Eth2Node, Farewell};
use super::handle::NodeHandle;
use super::tell;
use super::whereabouts::Whereabouts;
use crate::chain::{ChainConfig, ChainConfigError, NetworkName, UnknownNetwork};
use crate::config::{ConfigWarning, NetworkSource, ValidConfig};
use crate::events::{Events, NodeEvent, Subscription};
use crate::metrics::{self, BindError, Metrics};
use crate::store::{DataDir, Identity, PeerBook, StoreError};
use crate::tasks::TaskGroup;
use crate::time::milliseconds;
use crate::types::BookEntry;

/// Why the daemon could not start; each text names the flag or file to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory is unusable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network is none of those that are built in.
    #[error(transparent)]
    Network(#[from] UnknownNetwork),
    /// The network directory is unusable.
    #[error(transparent)]
    Chain(#[from] ChainConfigError),
    /// A socket could not be opened, or our record not written.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The metrics port could not be opened.
    #[error(transparent)]
    Metrics(#[from] BindError),
}

/// How the daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it was told to.
    Stopped,
    /// A critical task ended by itself.
    TaskDied(&'static str),
}

/// The daemon, configured and not yet on the network.
#[must_use = "a node does nothing until it is connected and run"]
#[derive(Debug)]
pub struct BeaconNode {
    config: ValidConfig,
    chain: ChainConfig,
    data_dir: Arc<DataDir>,
    metrics: Metrics,
    events: Events,
    tasks: TaskGroup,
    started: Instant,
    book: Option<(PeerBook, Vec<BookEntry>)>,
    open_files: u64,
}

/// The daemon on the network: listening, with its bootstrap nodes queued.
#[must_use = "a node does nothing until run"]
#[derive(Debug)]
pub struct ConnectedNode {
    node: Eth2Node,
    handle: NodeHandle,
    events: Events,
    tasks: TaskGroup,
    grace: Duration,
}

impl BeaconNode {
    /// Takes the data directory and reads the network; what was questionable about the options is told.
    ///
    /// # Errors
    /// [`StartError::Store`], [`StartError::Network`], [`StartError::Chain`].
    pub fn build(config: ValidConfig, warnings: &[ConfigWarning]) -> Result<Self, StartError> {
        let started = Instant::now();
        let chain = match &config.network {
            NetworkSource::Named(name) => ChainConfig::embedded(name.parse::<NetworkName>()?),
            NetworkSource::Dir(dir) => ChainConfig::from_dir(dir)?,
        };
        let data_dir = Arc::new(DataDir::open(&config.data_dir)?);
        let (metrics, recorder) = Metrics::new();
        let events = Events::new(vec![recorder]);
        for warning in warnings {
            events.emit(NodeEvent::NodeWarned { reason: warning.as_str(), advice: warning.to_string() });
        }
        let open_files = raise_open_files(&events);
        let book = PeerBook::open(data_dir.path())?;
        Ok(Self {
            book: Some(book),
            open_files,
            config,
            chain,
            data_dir,
            metrics,
            events,
            tasks: TaskGroup::new(),
            started,
        })
    }

    /// Opens every socket, starts discovery and queues the bootstrap nodes.
    ///
    /// # Errors
    /// [`StartError::Build`], [`StartError::Metrics`], [`StartError::Store`].
    ///
    /// Not cancel safe: tasks may stay behind.
    pub async fn connect_to_network(mut self) -> Result<ConnectedNode, StartError> {
        let scrape = match self.config.metrics {
            Some(address) => Some(metrics::bind(address).await?),
            None => None,
        };
        let Identity { peer_id, node_id, .. } = *self.data_dir.identity();
        let libp2p = libp2p::metrics::Metrics::new(self.metrics.registry_mut());
        let mut builder = self.builder()?.metrics(libp2p).open_files(self.open_files);
        if let Some((book, entries)) = self.book.take() {
            builder = builder.remembers(book, entries);
        }
        let (node, handle) = builder.build(&self.tasks).await?;
        self.keep_enr(&node)?;
        self.keep_metadata(&node)?;

        let snapshot = handle.snapshot();
        Whereabouts::new(&self.config, &snapshot.listening, node.discovery.clone(), self.events.clone())
            .follow(&self.tasks);
        let addresses: Vec<_> =
            snapshot.listening.iter().map(|address| address.clone().with(Protocol::P2p(peer_id))).collect();
        let fork = node.handshaker.local.fork();
        self.events.emit(NodeEvent::NodeStarted {
            peer_id,
            node_id: hex::encode(node_id.raw()),
            enr: snapshot.enr.map(|enr| enr.to_base64()).unwrap_or_default(),
            addresses: tell::joined(&addresses),
            network: self.chain.name.clone(),
            fork: fork.fork,
            fork_digest: fork.fork_digest,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            duration_ms: milliseconds(self.started.elapsed()),
        });
        let Self { metrics, events, tasks, config, chain, .. } = self;
        if config.nobody_to_dial() && (chain.bootnodes.is_empty() || !config.discovery.use_network_boot_nodes) {
            let advice = "give --boot-nodes or --libp2p-addresses, or wait until somebody dials us".to_owned();
            events.emit(NodeEvent::NodeWarned { reason: "nobody_to_dial", advice });
        }
        let (claimed, required) = (handle.plan().duties.custody_group_count, chain.custody_requirement());
        if claimed < required {
            let advice = format!(
                "peers may refuse us: we keep {claimed} of {required} custody groups (see --data-columns, --topics)"
            );
            events.emit(NodeEvent::NodeWarned { reason: "few_columns", advice });
        }
        if let Some(listener) = scrape {
            serve_metrics(listener, metrics, &events, &tasks);
        }
        Ok(ConnectedNode { node, handle, events, tasks, grace: config.shutdown_grace })
    }

    fn builder(&self) -> Result<Eth2NodeBuilder, StartError> {
        let config = &self.config;
        let builder = Eth2NodeBuilder::new(
            self.data_dir.identity().clone(),
            self.chain.clone(),
            config.listen.clone(),
            config.transports.clone(),
            config.discovery.clone(),
            config.peers.clone(),
        );
        let data_dir = &self.data_dir;
        let builder = builder
            .gossip(config.gossip.clone())
            .events(self.events.clone())
            .continues_enr(data_dir.load_enr()?, data_dir.first_enr_sequence())
            .continues_metadata(data_dir.load_metadata()?, data_dir.first_metadata_sequence());
        data_dir.save_metadata(&builder.metadata())?;
        Ok(builder)
    }

    /// Keeps our record on disk, now and whenever it changes.
    fn keep_enr(&self, node: &Eth2Node) -> Result<(), StoreError> {
        self.keep("keep_enr", node.discovery.subscribe_enr(), DataDir::save_enr)
    }

    /// Keeps our metadata on disk, now and whenever it changes.
    fn keep_metadata(&self, node: &Eth2Node) -> Result<(), StoreError> {
        self.keep("keep_metadata", node.metadata.subscribe(), DataDir::save_metadata)
    }

    fn keep<T: Clone + Send + Sync + 'static>(
        &self,
        name: &'static str,
        mut values: watch::Receiver<T>,
        save: Save<T>,
    ) -> Result<(), StoreError> {
        save(&self.data_dir, &values.borrow_and_update())?;
        let (data_dir, token) = (self.data_dir.clone(), self.tasks.token().clone());
        self.tasks.spawn(name, async move {
            // none: cancelled; the last change may be lost, and is made again at the next start
            let _ = token.run_until_cancelled(keep_values(values, data_dir, name, save)).await;
        });
        Ok(())
    }
}

/// Writes a value to the data directory; blocks.
type Save<T> = fn(&DataDir, &T) -> Result<(), StoreError>;

async fn keep_values<T: Clone + Send + Sync + 'static>(
    mut values: watch::Receiver<T>,
    data_dir: Arc<DataDir>,
    name: &'static str,
    save: Save<T>,
) {
    while values.changed().await.is_ok() {
        let value = values.borrow_and_update().clone();
        let data_dir = data_dir.clone();
        match tokio::task::spawn_blocking(move || save(&data_dir, &value)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, name, "what we tell of ourselves could not be saved"),
            Err(error) => tracing::error!(%error, name, "saving what we tell of ourselves died"),
        }
    }
}

impl ConnectedNode {
    /// Talks to the node while it runs.
    #[must_use]
    pub const fn handle(&self) -> &NodeHandle {
        &self.handle
    }

    /// Everything that happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        self.events.subscribe()
    }

    /// Runs until `stop` yields a reason or a critical task ends, then shuts down within the grace time: goodbyes
    /// first, then everything else.
    ///
    /// Not cancel safe: dropping it leaves peers without a goodbye.
    pub async fn run(self, stop: impl Future<Output = &'static str>) -> Ending {
        let Self { node, handle: _handle, events, tasks, grace } = self;
        let stopping = CancellationToken::new();
        let running = node.run(stopping.clone());
        tokio::pin!(running);
        let (reason, ending) = tokio::select! {
            biased;
            reason = stop => (reason, Ending::Stopped),
            name = tasks.failed() => (name, Ending::TaskDied(name)),
            _ = &mut running => ("eth2_node", Ending::TaskDied("eth2_node")),
        };
        let begun = Instant::now();
        events.emit(NodeEvent::NodeStopping { reason: reason.to_owned() });
        stopping.cancel();
        let deadline = begun + grace;
        let farewell = if ending == Ending::TaskDied("eth2_node") {
            Farewell::default()
        } else {
            timeout_at(deadline, running).await.unwrap_or_default()
        };
        tasks.cancel();
        if timeout_at(deadline, tasks.wait()).await.is_err() {
            tracing::warn!(alive = tasks.alive(), "tasks outlived the grace time (see --shutdown-grace)");
        }
        events.emit(NodeEvent::NodeStopped { goodbyes: farewell.goodbyes, duration_ms: milliseconds(begun.elapsed()) });
        ending
    }
}

fn serve_metrics(listener: TcpListener, metrics: Metrics, events: &Events, tasks: &TaskGroup) {
    if let Ok(address) = listener.local_addr() {
        // with --metrics-port 0 nobody else can tell
        events.emit(NodeEvent::MetricsOpened { address: address.to_string() });
    }
    let (metrics, token) = (Arc::new(metrics), tasks.token().clone());
    tasks.spawn("metrics", async move {
        if let Err(error) = metrics::serve(listener, metrics, token).await {
            tracing::error!(%error, "metrics are no longer served");
        }
    });
}

/// Sockets and files that a node of the default target needs with room to spare: three dials a peer at start.
const OPEN_FILES: u64 = 4096;

/// Raises the soft limit of open files towards the hard one, and says so when that is not enough. Returns what is allowed.
fn raise_open_files(events: &Events) -> u64 {
    let raised = rlimit::increase_nofile_limit(rlimit::INFINITY);
    let allowed = match &raised {
        Ok(limit) if *limit >= OPEN_FILES => return *limit,
        Ok(limit) => format!("{limit} open files are allowed"),
        Err(error) => format!("how many open files are allowed cannot be read or raised ({error})"),
    };
    let advice = format!("{allowed}, {OPEN_FILES} are wanted: raise the hard limit (ulimit -Hn)");
    events.emit(NodeEvent::NodeWarned { reason: "few_open_files", advice });
    raised.unwrap_or(OPEN_FILES)
}
