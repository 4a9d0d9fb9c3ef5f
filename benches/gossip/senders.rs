//! The peers: eight that play a load, others that are only there.
//!
//! Each is a switch of ours with a server of Status, Metadata and Ping; what it gossips goes as bytes made beforehand over
//! a stream of its own, so that sending costs little.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use beacond::chain::{ChainHead, ForkSchedule, derive_status};
use beacond::config::TransportConfig;
use beacond::events::Events;
use beacond::rpc::{Origin, RpcHandler, RpcLimits, RpcServer, RpcTimeouts, call, methods};
use beacond::store::Identity;
use beacond::switch::{RawConnection, RouterSettings, Switch, SwitchEnds, SwitchLimits, SwitchSettings};
use beacond::tasks::TaskGroup;
use beacond::time::unix_now_ms;
use beacond::transport;
use beacond::types::{GoodbyeReason, MetaData, Multiaddr, Muxer, PeerId, StatusMessage};
use futures::io::{AsyncReadExt, AsyncWriteExt, WriteHalf};
use libp2p::StreamProtocol;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use crate::chain::{FIRST_SLOT, chain};
use crate::child::{heard, say, say_json};
use crate::figures::percentile;
use crate::frame;
use crate::load::{Load, SENDERS, topics};
use crate::scenario::Scenario;

const GOSSIP: StreamProtocol = StreamProtocol::new("/meshsub/1.1.0");

/// Bytes that are written at once when they are due.
const CHUNK: usize = 64 * 1024;

/// Between two requests of a sender: within what a peer may ask.
const ASKING: Duration = Duration::from_millis(2_000);

/// How a part went, as the senders see it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) copies: usize,
    pub(crate) messages: u64,
    /// How much later than it was due a copy was handed to the socket: half of them, 99 %, the last.
    pub(crate) late_ms: [f64; 3],
    pub(crate) status_ms: Vec<f64>,
}

/// One peer.
struct Sender {
    connection: RawConnection,
    status: StatusMessage,
    events: Events,
    _ends: Vec<Box<dyn std::any::Any + Send + Sync>>,
    gossip: Option<WriteHalf<libp2p::Stream>>,
}

/// Runs until the parent is gone.
pub(crate) async fn run(scenario: Scenario, address: &str, handshakes: bool) -> Result<()> {
    let mut parent = heard();
    let (peer_id, address) = address.split_once(' ').context("peer and address")?;
    let (peer_id, address): (PeerId, Multiaddr) = (peer_id.parse()?, address.parse()?);
    let tasks = TaskGroup::new();
    let mut senders = Vec::new();
    for _ in 0..SENDERS + scenario.silent {
        senders.push(Sender::connect(&scenario, peer_id, &address, handshakes, &tasks).await?);
    }
    let loads: Vec<_> = Load::of(&scenario)?.into_iter().map(Arc::new).collect();
    let silent = senders.split_off(SENDERS);
    say("ready", "");
    while let Some(line) = parent.recv().await {
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["open"] => {
                for sender in &mut senders {
                    sender.open(&scenario, &tasks).await?;
                }
                say("open", "");
            }
            ["play", part, at_ms] => {
                let load = &loads[part.parse::<usize>()?];
                let left = Duration::from_millis(at_ms.parse::<u64>()?.saturating_sub(unix_now_ms()));
                let sent = play(&mut senders, load, Instant::now() + left, scenario.asks).await?;
                say_json("played", &sent)?;
            }
            _ => anyhow::bail!("cannot {line}"),
        }
    }
    drop(silent);
    Ok(())
}

impl Sender {
    async fn connect(
        scenario: &Scenario,
        receiver: PeerId,
        address: &Multiaddr,
        handshakes: bool,
        tasks: &TaskGroup,
    ) -> Result<Self> {
        let identity = Identity::generate();
        let transports =
            TransportConfig { tcp: true, quic: false, memory: false, muxers: vec![Muxer::Yamux, Muxer::Mplex] };
        let (transport, muxers) = transport::build(&identity.keypair, &transports)?;
        let (switch, ends) = Switch::new(SwitchSettings {
            keypair: identity.keypair,
            transport,
            muxers,
            protocols: methods::protocol_ids().collect(),
            limits: SwitchLimits { pending_inbound: 1, pending_outbound: 1, established_inbound: 1, established: 1 },
            metrics: None,
            gossip: RouterSettings::default(),
        });
        let (events, token) = (Events::default(), tasks.token().clone());
        let fork =
            ForkSchedule::new(&chain(scenario.genesis_time, scenario.slot_duration())).state_at(FIRST_SLOT.epoch());
        let status = derive_status(&fork, &ChainHead::Genesis { block_root: None });
        let server = RpcServer::new(Arc::new(Answers { status }), events.clone(), tasks.clone(), RpcLimits::default());
        let SwitchEnds { handle, events: switch_events, inbound_streams, gossip } = ends;
        tasks.spawn("switch", switch.run(token.clone()));
        tasks.spawn("rpc_server", server.run(inbound_streams, token));
        let connection = handle.dial(receiver, vec![address.clone()]).await?;
        let sender =
            Self { connection, status, events, _ends: vec![Box::new((handle, switch_events, gossip))], gossip: None };
        if handshakes {
            sender.ask_status().await?;
            let Self { connection, events, .. } = &sender;
            call::<methods::Ping>(&connection.opener, receiver, &0, &RpcTimeouts::default(), events).await?;
        }
        Ok(sender)
    }

    /// Milliseconds until the answer is complete.
    async fn ask_status(&self) -> Result<f64> {
        let started = Instant::now();
        let (opener, peer_id) = (&self.connection.opener, self.connection.peer_id);
        call::<methods::Status>(opener, peer_id, &self.status, &RpcTimeouts::default(), &self.events).await?;
        Ok(started.elapsed().as_secs_f64() * 1000.0)
    }

    /// Opens the stream for gossip and subscribes to everything that is sent.
    async fn open(&mut self, scenario: &Scenario, tasks: &TaskGroup) -> Result<()> {
        let stream = self.connection.opener.open(vec![GOSSIP]).await?.stream;
        let (mut read, mut write) = stream.split();
        tasks.spawn("unread", async move {
            // what is said on this stream is an agreement on its protocol, and nothing more
            let _ = futures::io::copy(&mut read, &mut futures::io::sink()).await;
        });
        let topics: Vec<_> = topics(scenario).iter().map(ToString::to_string).collect();
        write.write_all(&frame::subscribe(topics.iter().map(String::as_str))).await?;
        write.flush().await?;
        self.gossip = Some(write);
        Ok(())
    }
}

async fn play(senders: &mut [Sender], load: &Arc<Load>, start: Instant, asks: bool) -> Result<Sent> {
    let mut playing = JoinSet::new();
    let mut late = Vec::new();
    let mut status_ms = Vec::new();
    for (number, sender) in senders.iter_mut().enumerate() {
        let stream = sender.gossip.take().context("opened")?;
        playing.spawn(stream_out(stream, load.clone(), number, start));
    }
    let mut asking = interval_at(start, ASKING / u32::try_from(SENDERS)?);
    asking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turn = 0;
    while !playing.is_empty() {
        tokio::select! {
            biased;
            Some(played) = playing.join_next() => {
                let (number, stream, of_sender) = played??;
                senders[number].gossip = Some(stream);
                late.extend(of_sender);
            }
            _ = asking.tick(), if asks => {
                status_ms.push(senders[turn % SENDERS].ask_status().await?);
                turn += 1;
            }
        }
    }
    let late_ms = [50, 99, 100].map(|percent| percentile(&mut late, percent));
    Ok(Sent { copies: load.copies(), messages: load.messages, late_ms, status_ms })
}

/// Writes what is due when it is due; how late it was.
async fn stream_out(
    mut stream: WriteHalf<libp2p::Stream>,
    load: Arc<Load>,
    number: usize,
    start: Instant,
) -> Result<(usize, WriteHalf<libp2p::Stream>, Vec<f64>)> {
    let queue = &load.queues[number];
    let due = |at: u64| start + Duration::from_micros(at);
    let (mut next, mut late, mut chunk) = (0, Vec::with_capacity(queue.len()), Vec::new());
    while let Some((at, _)) = queue.get(next) {
        sleep_until(due(*at)).await;
        let (now, first) = (Instant::now(), next);
        chunk.clear();
        while let Some((at, range)) = queue.get(next).filter(|(at, _)| due(*at) <= now && chunk.len() < CHUNK) {
            let _: &u64 = at;
            chunk.extend_from_slice(load.frame(range));
            next += 1;
        }
        stream.write_all(&chunk).await?;
        stream.flush().await?;
        let written = Instant::now();
        late.extend(queue[first..next].iter().map(|(at, _)| (written - due(*at)).as_secs_f64() * 1000.0));
    }
    Ok((number, stream, late))
}

/// What the receiver hears when it asks.
struct Answers {
    status: StatusMessage,
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
