//! `beacond request`: one question to one peer, or to whoever of the network can answer; a JSON object for each chunk of
//! the answer.
//!
//! A node of its own asks, with a key that nobody has seen before, which is gone afterwards. Peers refuse a node that keeps
//! no columns, so it joins the topics of the data columns that it says it keeps; it takes no part in the rest of gossip.

mod rows;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, FromArgMatches, Subcommand};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::signals::Signals;
use super::{Failure, run};
use crate::config::{Config, LogConfig, NETWORKS, ValidConfig};
use crate::events::{NodeEvent, Subscription};
use crate::node::{Answer, Ending, NodeHandle, RequestError, Whom};
use crate::rpc::methods::{self, BlocksByHead, BlocksByRange, ColumnsByRange, SlotRange, UpdatesByRange};
use crate::rpc::{AnswerCheck, Checked, askable};
use crate::types::containers::List;
use crate::types::containers::deneb::BlobIdentifier;
use crate::types::containers::fulu::DataColumnsByRootIdentifier;
use crate::types::{KnownPeer, PeerId, Root, Slot, TopicKind, enr_peer_id};
use rows::{Raw, Row};

/// Ask a peer, or the network, for something
///
/// The answer is one JSON object a line, for each chunk, once it was checked: its type, its order, that it is what was
/// asked for, the proofs of columns. Progress goes to stderr. The exit code is 0 once the answer is complete, which an
/// empty one is, too, 64 for a mistake in the options, and 1 otherwise.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(super) struct RequestArgs {
    #[command(subcommand)]
    method: MethodArgs,
    #[command(flatten)]
    common: CommonArgs,
}

const EXAMPLES: &str = "\
Examples:
  beacond request beacon_blocks_by_range --start-slot 11649024 --count 16
  beacond request beacon_blocks_by_root --root 0x4b363d… --peer /ip4/192.0.2.1/tcp/9000/p2p/16Uiu2…
  beacond request light_client_finality_update --network-dir ./devnet --peer enr:-Iu4Q… --raw ./answers";

/// Who is asked, and where the answer goes.
#[derive(Clone, Debug, Args)]
struct CommonArgs {
    /// Network, by name [default: mainnet]
    #[arg(long, global = true, value_name = "NAME", value_parser = NETWORKS, env = "BEACOND_NETWORK")]
    network: Option<String>,
    /// Network, by a directory with its config.yaml
    #[arg(long, global = true, value_name = "DIR", visible_alias = "testnet-dir", env = "BEACOND_NETWORK_DIR")]
    network_dir: Option<PathBuf>,
    /// Ask this peer: an ENR, or a multiaddr that ends in /p2p/PEER_ID [default: whoever of the network can answer]
    #[arg(long, global = true, value_name = "PEER")]
    peer: Option<KnownPeer>,
    /// Keep the SSZ of each chunk in this directory, a file each
    #[arg(long, global = true, value_name = "DIR")]
    raw: Option<PathBuf>,
    /// Seconds in which somebody must begin to answer
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Log the node that asks, at this level or by such a filter
    #[arg(long, global = true, value_name = "LEVEL", default_value = "error")]
    log_level: String,
}

/// What is asked.
#[derive(Clone, Debug, Subcommand)]
#[command(rename_all = "snake_case")]
enum MethodArgs {
    /// Blocks of a stretch of slots, oldest first
    BeaconBlocksByRange(RangeArgs),
    /// Blocks by their roots
    BeaconBlocksByRoot(RootsArgs),
    /// A block and those before it, newest first
    BeaconBlocksByHead {
        /// Root of the newest block
        #[arg(long, value_name = "ROOT")]
        root: Root,
        /// How many blocks, at most 128
        #[arg(long, value_name = "BLOCKS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=128))]
        count: u64,
    },
    /// Data columns of the blocks in a stretch of slots
    DataColumnSidecarsByRange {
        #[command(flatten)]
        range: RangeArgs,
        #[command(flatten)]
        columns: ColumnArgs,
    },
    /// Data columns of blocks, by their roots
    DataColumnSidecarsByRoot {
        #[command(flatten)]
        roots: RootsArgs,
        #[command(flatten)]
        columns: ColumnArgs,
    },
    /// Blobs of the blocks in a stretch of slots, before Fulu
    BlobSidecarsByRange(RangeArgs),
    /// Blobs of blocks, by their roots, before Fulu
    BlobSidecarsByRoot {
        #[command(flatten)]
        roots: RootsArgs,
        /// Which blobs of each, separated by commas
        #[arg(long, value_name = "LIST", required = true, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(0..9))]
        blobs: Vec<u64>,
    },
    /// Payloads of the blocks in a stretch of slots, from Gloas on
    ExecutionPayloadEnvelopesByRange(RangeArgs),
    /// Payloads of blocks, by their roots, from Gloas on
    ExecutionPayloadEnvelopesByRoot(RootsArgs),
    /// Where a light client starts
    LightClientBootstrap {
        /// Root of a finalized block at the start of an epoch
        #[arg(long, value_name = "ROOT")]
        root: Root,
    },
    /// The best light-client updates of sync committee periods
    LightClientUpdatesByRange {
        /// First period: slot / 8192
        #[arg(long = "start-period", value_name = "PERIOD")]
        start_period: u64,
        /// How many periods, at most 128
        #[arg(long, value_name = "PERIODS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=128))]
        count: u64,
    },
    /// The newest light-client update about finality
    LightClientFinalityUpdate,
    /// The newest light-client update about the head
    LightClientOptimisticUpdate,
}

#[derive(Clone, Copy, Debug, Args)]
struct RangeArgs {
    /// First slot
    #[arg(long, value_name = "SLOT")]
    start_slot: u64,
    /// How many slots, at most 128 from Deneb on and 1024 before
    #[arg(long, value_name = "SLOTS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    count: u64,
}

#[derive(Clone, Debug, Args)]
struct RootsArgs {
    /// Root of a block; repeat it, or separate them by commas, at most 128
    #[arg(long = "root", value_name = "ROOT", required = true, value_delimiter = ',')]
    roots: Vec<Root>,
}

#[derive(Clone, Debug, Args)]
struct ColumnArgs {
    /// Which columns, 0 to 127, separated by commas
    #[arg(long, value_name = "LIST", required = true, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(0..128))]
    columns: Vec<u64>,
}

impl RootsArgs {
    /// `MAX_REQUEST_BLOCKS_DENEB` of them at most.
    fn list(self) -> Result<Vec<Root>, Failure> {
        let mut seen = BTreeSet::new();
        let roots: Vec<Root> = self.roots.into_iter().filter(|root| seen.insert(*root)).collect();
        if roots.len() > 128 { Err(Failure::Usage("--root: at most 128 blocks".to_owned())) } else { Ok(roots) }
    }
}

impl ColumnArgs {
    fn list(self) -> Result<List<u64, 128>, Failure> {
        List::new(ascending(self.columns)).map_err(|_| Failure::Usage("--columns: there are 128".to_owned()))
    }
}

fn ascending(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

impl MethodArgs {
    fn prepare(self) -> Result<Box<dyn Ask>, Failure> {
        match self {
            Self::BeaconBlocksByRange(range) => {
                let SlotRange { start_slot, count } = range.into();
                prepared::<methods::BeaconBlocksByRange>(BlocksByRange { start_slot, count, step: 1 })
            }
            Self::BeaconBlocksByRoot(roots) => prepared::<methods::BeaconBlocksByRoot>(roots.list()?),
            Self::BeaconBlocksByHead { root, count } => {
                prepared::<methods::BeaconBlocksByHead>(BlocksByHead { beacon_root: root, count })
            }
            Self::DataColumnSidecarsByRange { range, columns } => {
                let (SlotRange { start_slot, count }, columns) = (range.into(), columns.list()?);
                prepared::<methods::DataColumnSidecarsByRange>(ColumnsByRange { start_slot, count, columns })
            }
            Self::DataColumnSidecarsByRoot { roots, columns } => {
                let columns = columns.list()?;
                let of = |block_root| DataColumnsByRootIdentifier { block_root, columns: columns.clone() };
                let request = List::new(roots.list()?.into_iter().map(of).collect());
                let request = request.map_err(|_| Failure::Usage("--root: at most 128 blocks".to_owned()))?;
                prepared::<methods::DataColumnSidecarsByRoot>(request)
            }
            Self::BlobSidecarsByRange(range) => prepared::<methods::BlobSidecarsByRange>(range.into()),
            Self::BlobSidecarsByRoot { roots, blobs } => {
                let blobs = ascending(blobs);
                let of = |block_root| blobs.iter().map(move |index| BlobIdentifier { block_root, index: *index });
                prepared::<methods::BlobSidecarsByRoot>(roots.list()?.into_iter().flat_map(of).collect())
            }
            Self::ExecutionPayloadEnvelopesByRange(range) => {
                prepared::<methods::ExecutionPayloadEnvelopesByRange>(range.into())
            }
            Self::ExecutionPayloadEnvelopesByRoot(roots) => {
                prepared::<methods::ExecutionPayloadEnvelopesByRoot>(roots.list()?)
            }
            Self::LightClientBootstrap { root } => prepared::<methods::LightClientBootstrap>(root),
            Self::LightClientUpdatesByRange { start_period, count } => {
                prepared::<methods::LightClientUpdatesByRange>(UpdatesByRange { start_period, count })
            }
            Self::LightClientFinalityUpdate => prepared::<methods::LightClientFinalityUpdate>(()),
            Self::LightClientOptimisticUpdate => prepared::<methods::LightClientOptimisticUpdate>(()),
        }
    }
}

impl From<RangeArgs> for SlotRange {
    fn from(RangeArgs { start_slot, count }: RangeArgs) -> Self {
        Self { start_slot: Slot(start_slot), count }
    }
}

/// A request by whichever method.
trait Ask: Debug {
    /// Asks, and prints the answer.
    fn ask<'a>(&'a self, asking: &'a mut Asking) -> LocalBoxFuture<'a, Result<(), Failure>>;
}

#[derive(Debug)]
struct Prepared<M: Checked>(M::Request);

fn prepared<M>(request: M::Request) -> Result<Box<dyn Ask>, Failure>
where
    M: Checked + Debug,
    <M::Check as AnswerCheck>::Item: Row,
{
    askable::<M>(&request).map_err(|error| Failure::usage(M::NAME, error))?;
    Ok(Box::new(Prepared::<M>(request)))
}

impl<M> Ask for Prepared<M>
where
    M: Checked + Debug,
    <M::Check as AnswerCheck>::Item: Row,
{
    fn ask<'a>(&'a self, asking: &'a mut Asking) -> LocalBoxFuture<'a, Result<(), Failure>> {
        asking.exchange::<M>(&self.0).boxed_local()
    }
}

/// A question that is ready to be asked.
#[derive(Debug)]
pub struct Question {
    request: Box<dyn Ask>,
    /// Who is asked, if it is not anybody.
    peer: Option<PeerId>,
    timeout: Duration,
    raw: Raw,
    config: ValidConfig,
    data_dir: TempDir,
}

impl Question {
    /// How the node that asks is logged.
    #[must_use]
    pub const fn log(&self) -> &LogConfig {
        &self.config.log
    }
}

/// Checks the question, and configures the node that will ask it.
pub(super) fn read(args: RequestArgs) -> Result<Question, Failure> {
    let RequestArgs { method, common } = args;
    let request = method.prepare()?;
    let no_key = || Failure::Usage("--peer: the record has no key of a peer".to_owned());
    let peer = common.peer.as_ref().map(|peer| peer_id_of(peer).ok_or_else(no_key)).transpose()?;
    let data_dir = tempfile::Builder::new().prefix("beacond-request-").tempdir();
    let data_dir = data_dir.context("cannot make a directory for the key of a moment").map_err(Failure::start)?;
    let config = configure(&common, &data_dir)?;
    let raw = Raw::new(common.raw)?;
    Ok(Question { request, peer, timeout: Duration::from_secs(common.timeout), raw, config, data_dir })
}

fn configure(common: &CommonArgs, data_dir: &TempDir) -> Result<ValidConfig, Failure> {
    let mut flags: Vec<String> = Vec::new();
    let mut flag = |name: &str, value: String| flags.extend([name.to_owned(), value]);
    flag("--data-dir", data_dir.path().display().to_string());
    flag("--listen-address", "0.0.0.0".to_owned());
    flag("--port", "0".to_owned());
    flag("--log-level", common.log_level.clone());
    // peers refuse a node that keeps no columns, and what it says that it keeps it must join
    flag("--topics", TopicKind::DataColumnSidecar.as_str().to_owned());
    if let Some(network) = &common.network {
        flag("--network", network.clone());
    }
    if let Some(dir) = &common.network_dir {
        flag("--network-dir", dir.display().to_string());
    }
    flags.push("--disable-upnp".to_owned());
    if let Some(peer) = &common.peer {
        // in place of the network's own: nobody else is dialled
        flags.extend(["--disable-discovery".to_owned(), "--boot-nodes".to_owned(), peer.to_string()]);
    }
    let command = Config::augment_args(clap::Command::new("request").no_binary_name(true));
    let matches = command.try_get_matches_from(flags).map_err(|error| Failure::from_clap(&error))?;
    let options = Config::from_arg_matches(&matches).map_err(|error| Failure::from_clap(&error))?;
    let (config, _warnings) = options.validate().map_err(|error| {
        let names: Vec<String> = error.keys().into_iter().map(|key| format!("--{key}")).collect();
        Failure::usage(&names.join(" and "), error)
    })?;
    Ok(config)
}

/// Asks, and prints the answer. A signal ends it, as it ends a run.
///
/// # Errors
/// [`Failure::Usage`] for a network that cannot be read; [`Failure::Start`] when the node cannot start, when nobody
/// answers in time, when the answer is wrong or breaks off, and when a signal comes before it is complete;
/// [`Failure::Task`] when a critical task died, [`Failure::Interrupted`] at the second signal.
///
/// Not cancel safe: dropping the future ends the node without a word to its peers.
pub async fn ask(question: Question) -> Result<(), Failure> {
    let signals = Signals::new().map_err(Failure::start)?;
    let Question { request, peer, timeout, raw, config, data_dir: _data_dir } = question;
    let node = run::build(config, &[])?;
    let node = node.connect_to_network().await.map_err(Failure::start)?;
    let (handle, events) = (node.handle().clone(), node.subscribe());
    let mut asking = Asking { peer, handle, events, timeout, deadline: Instant::now() + timeout, raw, trouble: None };
    let (first, second) = signals.split();
    let (done, stop) = oneshot::channel();
    // gone without a word: the question is answered
    let mut running = pin!(node.run(async move { stop.await.unwrap_or("answered") }));
    let answering = async move {
        tokio::select! {
            biased;
            reason = first => {
                // receiver gone: the node is stopping already
                let _ = done.send(reason);
                Err(Failure::start(anyhow!("stopped by a signal before the answer was complete")))
            }
            answered = request.ask(&mut asking) => answered,
        }
    };
    let whole = async {
        tokio::select! {
            biased;
            ending = running.as_mut() => (Err(Failure::start(RequestError::Stopped)), ending),
            answered = answering => (answered, running.as_mut().await),
        }
    };
    tokio::select! {
        biased;
        (answered, ending) = whole => match ending {
            Ending::Stopped => answered,
            Ending::TaskDied(name) => Err(Failure::Task(name)),
        },
        () = second => Err(Failure::Interrupted),
    }
}

/// A question on its way.
#[derive(Debug)]
struct Asking {
    peer: Option<PeerId>,
    handle: NodeHandle,
    events: Subscription,
    timeout: Duration,
    deadline: Instant,
    raw: Raw,
    /// Why the last dial, handshake or request came to nothing.
    trouble: Option<String>,
}

impl Asking {
    async fn exchange<M>(&mut self, request: &M::Request) -> Result<(), Failure>
    where
        M: Checked,
        <M::Check as AnswerCheck>::Item: Row,
    {
        let mut answer = self.answer::<M>(request).await?;
        let peer_id = answer.peer_id();
        let (mut chunks, mut bytes) = (0, 0);
        loop {
            let item = answer.next().await;
            let item = item.with_context(|| format!("the answer broke off after {chunks} chunks"));
            let Some(item) = item.map_err(Failure::start)? else { break };
            let raw = self.raw.clone();
            // a disk, or a reader of stdout, that is slow must not hold up the network
            let written = spawn_blocking(move || raw.put(M::NAME, peer_id, &item)).await;
            bytes += written.context("cannot write").map_err(Failure::start)??;
            chunks += 1;
        }
        progress(&format!("{chunks} chunks, {bytes} bytes of SSZ, from {peer_id}"));
        Ok(())
    }

    /// Waits for somebody who answers.
    async fn answer<M: Checked>(&mut self, request: &M::Request) -> Result<Answer<M>, Failure> {
        self.announce();
        let named = self.peer;
        let mut tried = BTreeSet::new();
        loop {
            let asked = async {
                match named {
                    Some(peer_id) => self.handle.request(Whom::Peer(peer_id), request).await,
                    None => self.handle.request_untried(request, &mut tried).await,
                }
            };
            match timeout_at(self.deadline, asked).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(RequestError::NotReady(_) | RequestError::Nobody)) => self.next_peer().await?,
                // others may be ready
                Ok(Err(error @ RequestError::Call { .. })) if named.is_none() => {
                    self.trouble = Some(format!("{:#}", anyhow::Error::new(error)));
                }
                Ok(Err(error)) => return Err(Failure::start(error)),
                Err(_) => return Err(self.too_late()),
            }
        }
    }

    /// Says who is asked.
    fn announce(&self) {
        match self.peer {
            Some(peer_id) => progress(&format!("connecting to {peer_id}")),
            None => progress("looking for peers"),
        }
    }

    /// Whether what happens with a peer matters: everything, unless one was named.
    fn concerns(&self, peer_id: &PeerId) -> bool {
        self.peer.is_none_or(|named| named == *peer_id)
    }

    /// Waits until somebody else may be asked.
    async fn next_peer(&mut self) -> Result<(), Failure> {
        loop {
            let event = tokio::select! {
                event = self.events.next() => event,
                () = sleep_until(self.deadline) => return Err(self.too_late()),
            };
            let Some(event) = event else { return Err(Failure::start(RequestError::Stopped)) };
            match &*event {
                NodeEvent::HandshakeCompleted { peer_id, client, .. } if self.concerns(peer_id) => {
                    progress(&format!("connected to a {client} peer"));
                    return Ok(());
                }
                NodeEvent::DialFailed { peer_id, reason, .. } if self.concerns(peer_id) => {
                    self.fail(reason, format!("dial failed: {reason}"))?;
                }
                NodeEvent::HandshakeRejected { peer_id, step, reason, error, .. } if self.concerns(peer_id) => {
                    self.fail(reason, format!("refused at {step}: {reason} ({error})"))?;
                }
                _ => {}
            }
        }
    }

    /// Notes what went wrong; over at once if the peer that was named will never be the right one.
    fn fail(&mut self, reason: &str, trouble: String) -> Result<(), Failure> {
        let is_hopeless = matches!(reason, "wrong_peer_id" | "wrong_fork_digest" | "finalized_conflict");
        if self.peer.is_some() && is_hopeless {
            return Err(Failure::start(anyhow!("--peer: {trouble}")));
        }
        self.trouble = Some(trouble);
        Ok(())
    }

    fn too_late(&self) -> Failure {
        let nothing = if self.peer.is_some() { "the peer has not answered" } else { "nobody was found (see --peer)" };
        let trouble = self.trouble.as_deref().unwrap_or(nothing);
        Failure::start(anyhow!("no answer within {} s (--timeout): {trouble}", self.timeout.as_secs()))
    }
}

fn peer_id_of(peer: &KnownPeer) -> Option<PeerId> {
    match peer {
        KnownPeer::Multiaddr { peer_id, .. } => Some(*peer_id),
        KnownPeer::Enr(enr) => enr_peer_id(enr),
    }
}

/// Tells people what goes on; lost when stderr is.
fn progress(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "beacond: {text}");
}
