//! `beacond request`: one question to one peer, or to whoever of the network can answer; a JSON object for each chunk of
//! the answer.
//!
//! A node of its own asks, with a key that nobody has seen before, which takes no part in gossip and is gone afterwards.

mod rows;

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, FromArgMatches, Subcommand};
use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Failure, print};
use crate::config::{Config, LogConfig, NETWORKS, ValidConfig};
use crate::events::{NodeEvent, Subscription};
use crate::node::{Answer, BeaconNode, NodeHandle, RequestError, Whom};
use crate::rpc::{AnswerCheck, Checked, methods};
use crate::types::containers::List;
use crate::types::containers::deneb::BlobIdentifier;
use crate::types::containers::fulu::DataColumnsByRootIdentifier;
use crate::types::{KnownPeer, PeerId, Root, Slot, TopicKind, enr_peer_id};
use rows::{Raw, Row};

/// Ask a peer, or the network, for something
///
/// The answer is one JSON object a line, for each chunk, once it was checked: its type, its order, that it is what was
/// asked for, the proofs of columns. Progress goes to stderr. The exit code is 0 once the answer is complete, which an
/// empty one is, too, and 1 otherwise.
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
        #[arg(long, value_name = "BLOCKS", default_value_t = 1)]
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
        #[arg(long, value_name = "PERIOD")]
        start_period: u64,
        /// How many periods, at most 128
        #[arg(long, value_name = "PERIODS", default_value_t = 1)]
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
    /// How many slots, at most 128 from Deneb on
    #[arg(long, value_name = "SLOTS", default_value_t = 1)]
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

impl ColumnArgs {
    fn list(&self) -> Result<List<u64, 128>, Failure> {
        let mut columns = self.columns.clone();
        columns.sort_unstable();
        columns.dedup();
        List::new(columns).map_err(|_| Failure::Usage("--columns: there are 128".to_owned()))
    }
}

/// A question that is ready to be asked.
#[derive(Debug)]
pub struct Question {
    args: RequestArgs,
    config: ValidConfig,
    _data_dir: TempDir,
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
    let data_dir = tempfile::Builder::new().prefix("beacond-request-").tempdir();
    let data_dir = data_dir.context("cannot make a directory for the key of a moment").map_err(Failure::start)?;
    let common = &args.common;
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
    if common.peer.is_some() {
        flags.push("--disable-discovery".to_owned());
    }
    let command = Config::augment_args(clap::Command::new("request").no_binary_name(true));
    let matches = command.try_get_matches_from(flags).map_err(|error| Failure::from_clap(&error))?;
    let options = Config::from_arg_matches(&matches).map_err(|error| Failure::from_clap(&error))?;
    let (config, _warnings) = options.validate().map_err(|error| Failure::usage("request", error))?;
    Ok(Question { args, config, _data_dir: data_dir })
}

/// Asks, and prints the answer.
///
/// # Errors
/// [`Failure::Start`] when the node cannot start, when nobody answers in time, and when the answer is wrong or breaks off.
///
/// Not cancel safe: dropping the future ends the node without a word to its peers.
pub async fn ask(question: Question) -> Result<(), Failure> {
    let Question { args, config, _data_dir } = question;
    let node = BeaconNode::build(config, &[]).map_err(Failure::start)?;
    let node = node.connect_to_network().await.map_err(Failure::start)?;
    let (handle, events) = (node.handle().clone(), node.subscribe());
    let (done, stop) = oneshot::channel::<()>();
    let running = node.run(async move {
        // either way the question is answered
        let _ = stop.await;
        "answered"
    });
    let asking = async move {
        let answered = Asking::new(&args.common, handle, events).ask(args.method).await;
        drop(done);
        answered
    };
    let (_ending, answered) = tokio::join!(running, asking);
    answered
}

/// A question on its way.
struct Asking<'a> {
    common: &'a CommonArgs,
    handle: NodeHandle,
    events: Subscription,
    deadline: Instant,
    raw: Raw,
    /// Why the last dial or handshake came to nothing.
    trouble: Option<String>,
}

impl<'a> Asking<'a> {
    fn new(common: &'a CommonArgs, handle: NodeHandle, events: Subscription) -> Self {
        let deadline = Instant::now() + Duration::from_secs(common.timeout);
        Self { common, handle, events, deadline, raw: Raw::new(common.raw.clone()), trouble: None }
    }

    async fn ask(mut self, method: MethodArgs) -> Result<(), Failure> {
        let slot = Slot;
        match method {
            MethodArgs::BeaconBlocksByRange(RangeArgs { start_slot, count }) => {
                let request = methods::BlocksByRange { start_slot: slot(start_slot), count, step: 1 };
                self.exchange::<methods::BeaconBlocksByRange>(request).await
            }
            MethodArgs::BeaconBlocksByRoot(RootsArgs { roots }) => {
                self.exchange::<methods::BeaconBlocksByRoot>(roots).await
            }
            MethodArgs::BeaconBlocksByHead { root, count } => {
                let request = methods::BlocksByHead { beacon_root: root, count };
                self.exchange::<methods::BeaconBlocksByHead>(request).await
            }
            MethodArgs::DataColumnSidecarsByRange { range: RangeArgs { start_slot, count }, columns } => {
                let request = methods::ColumnsByRange { start_slot: slot(start_slot), count, columns: columns.list()? };
                self.exchange::<methods::DataColumnSidecarsByRange>(request).await
            }
            MethodArgs::DataColumnSidecarsByRoot { roots: RootsArgs { roots }, columns } => {
                let columns = columns.list()?;
                let of = |block_root| DataColumnsByRootIdentifier { block_root, columns: columns.clone() };
                let request = List::new(roots.into_iter().map(of).collect());
                let request = request.map_err(|_| Failure::Usage("--root: at most 128 blocks".to_owned()))?;
                self.exchange::<methods::DataColumnSidecarsByRoot>(request).await
            }
            MethodArgs::BlobSidecarsByRange(RangeArgs { start_slot, count }) => {
                let request = methods::SlotRange { start_slot: slot(start_slot), count };
                self.exchange::<methods::BlobSidecarsByRange>(request).await
            }
            MethodArgs::BlobSidecarsByRoot { roots: RootsArgs { roots }, blobs } => {
                let of = |block_root| blobs.iter().map(move |index| BlobIdentifier { block_root, index: *index });
                let request = roots.into_iter().flat_map(of).collect();
                self.exchange::<methods::BlobSidecarsByRoot>(request).await
            }
            MethodArgs::ExecutionPayloadEnvelopesByRange(RangeArgs { start_slot, count }) => {
                let request = methods::SlotRange { start_slot: slot(start_slot), count };
                self.exchange::<methods::ExecutionPayloadEnvelopesByRange>(request).await
            }
            MethodArgs::ExecutionPayloadEnvelopesByRoot(RootsArgs { roots }) => {
                self.exchange::<methods::ExecutionPayloadEnvelopesByRoot>(roots).await
            }
            MethodArgs::LightClientBootstrap { root } => self.exchange::<methods::LightClientBootstrap>(root).await,
            MethodArgs::LightClientUpdatesByRange { start_period, count } => {
                let request = methods::UpdatesByRange { start_period, count };
                self.exchange::<methods::LightClientUpdatesByRange>(request).await
            }
            MethodArgs::LightClientFinalityUpdate => self.exchange::<methods::LightClientFinalityUpdate>(()).await,
            MethodArgs::LightClientOptimisticUpdate => self.exchange::<methods::LightClientOptimisticUpdate>(()).await,
        }
    }

    async fn exchange<M>(&mut self, request: M::Request) -> Result<(), Failure>
    where
        M: Checked,
        <M::Check as AnswerCheck>::Item: Row,
    {
        let mut answer = self.answer::<M>(&request).await?;
        let peer_id = answer.peer_id();
        let (mut chunks, mut bytes) = (0, 0);
        loop {
            let item = answer.next().await;
            let item = item.with_context(|| format!("the answer broke off after {chunks} chunks"));
            let Some(item) = item.map_err(Failure::start)? else { break };
            let mut row = Map::new();
            row.insert("method".to_owned(), Value::from(M::NAME));
            row.insert("peer_id".to_owned(), Value::from(peer_id.to_string()));
            item.fill(&mut row);
            self.raw.keep(&item)?;
            print::text(&format!("{}\n", Value::from(row)))?;
            chunks += 1;
            bytes += item.ssz().len();
        }
        progress(&format!("{chunks} chunks, {bytes} bytes of SSZ, from {peer_id}"));
        Ok(())
    }

    /// Waits for somebody who answers.
    async fn answer<M: Checked>(&mut self, request: &M::Request) -> Result<Answer<M>, Failure> {
        let whom = self.whom().await?;
        loop {
            match timeout_at(self.deadline, self.handle.request::<M>(whom.clone(), request)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(RequestError::NotReady(_) | RequestError::Nobody)) => {}
                Ok(Err(error @ RequestError::Call { .. })) if whom == Whom::Any => {
                    self.trouble = Some(format!("{:#}", anyhow::Error::new(error)));
                }
                Ok(Err(error)) => return Err(Failure::start(error)),
                Err(_) => return Err(self.too_late()),
            }
            self.next_peer().await?;
        }
    }

    async fn whom(&self) -> Result<Whom, Failure> {
        let Some(peer) = &self.common.peer else {
            progress("looking for peers");
            return Ok(Whom::Any);
        };
        let no_key = || Failure::Usage("--peer: the record has no key of a peer".to_owned());
        let peer_id = peer_id_of(peer).ok_or_else(no_key)?;
        progress(&format!("connecting to {peer_id}"));
        self.handle.add_known_peer(peer.clone()).await.map_err(Failure::start)?;
        Ok(Whom::Peer(peer_id))
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
                NodeEvent::HandshakeCompleted { client, .. } => {
                    progress(&format!("connected to a {client} peer"));
                    return Ok(());
                }
                NodeEvent::DialFailed { reason, .. } => self.trouble = Some(format!("dial failed: {reason}")),
                NodeEvent::HandshakeRejected { step, reason, error, .. } => {
                    self.trouble = Some(format!("refused at {step}: {reason} ({error})"));
                }
                _ => {}
            }
        }
    }

    fn too_late(&self) -> Failure {
        let trouble = self.trouble.as_deref().unwrap_or("nobody was found (see --peer)");
        Failure::start(anyhow!("no answer within {} s (--timeout): {trouble}", self.common.timeout))
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
