//! Gossip with the network core of Lodestar 1.44 over meshsub 1.2: a slot of Fulu and one of Gloas, each half published by
//! Lodestar and half by a node of this crate, all of it heard by a daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use beacond::chain::ChainConfig;
use beacond::config::{
    Advertise, DiscoveryConfig, GossipConfig, ListenConfig, ListenOn, PeersConfig, SubnetChoice, TransportConfig,
};
use beacond::events::{Events, NodeEvent, Subscription};
use beacond::gossip::NotPublished;
use beacond::handshake::HandshakeRegistry;
use beacond::node::{Eth2NodeBuilder, Find, NodeHandle};
use beacond::store::Identity;
use beacond::switch;
use beacond::tasks::TaskGroup;
use beacond::types::containers::{fulu, gloas};
use beacond::types::{ForkName, Muxer, PeerId, Slot, TopicKind, TopicName};
use serde_json::{Value, json};
use ssz::{Decode, Encode};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::beacond::Beacond;
use crate::fixture::Fixture;
use crate::lodestar_core::Core;
use crate::process::Line;
use crate::scenario::{self, Scenario, unix_time};

/// Long, so that the slot of the fixture is not over before everyone has started.
const SLOT: Duration = Duration::from_secs(900);

/// Within the slot: when light-client updates may come.
const OFFSET: Duration = Duration::from_secs(330);

/// Time for everything that was published to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_slot_of_fulu_goes_through_lodestar_both_ways() -> Result<()> {
    scenario::run(|scenario| play(scenario, "fulu", &[]))
}

#[test]
fn a_slot_of_gloas_goes_through_lodestar_both_ways() -> Result<()> {
    // the parent of the bid's block, and the block that preferences depend on, are older than the fixture
    let older = [TopicKind::ExecutionPayloadBid, TopicKind::ProposerPreferences];
    scenario::run(|scenario| play(scenario, "gloas", &older))
}

/// Plays the first slot of a fixture. The daemon knows what the messages of the `older` kinds refer to no more than the
/// publishing node does, which would refuse them.
fn play(scenario: &Scenario, folder: &str, older: &[TopicKind]) -> Result<()> {
    let fixture = Fixture::read(folder)?;
    let slot = *fixture.slots()?.first().context("no slot")?;
    let chain = now_at(fixture.chain()?, slot);
    let mut stage = Stage::set(scenario, &chain, older)?;
    for (name, ssz) in messages(&fixture, &chain, slot)? {
        stage.publish(name, ssz)?;
    }
    stage.lodestar_heard_ours_under_our_ids()?;
    stage.the_daemon_heard_everything_once()?;
    stage.nobody_is_to_blame()?;
    let (all, ours) = (stage.expected.values().sum::<usize>(), stage.published.len());
    scenario::notice(&format!("{folder}: {all} messages of {} kinds, {ours} of them ours", stage.turns.len()));
    Ok(())
}

/// Everyone who takes part, and what was published.
struct Stage<'a> {
    core: Core,
    daemon: Beacond,
    runtime: Runtime,
    publisher: Publisher,
    older: &'a [TopicKind],
    /// Messages by topic.
    expected: BTreeMap<String, usize>,
    /// Message ids and topics of ours.
    published: BTreeMap<String, String>,
    /// Messages by kind.
    turns: BTreeMap<TopicKind, usize>,
}

impl<'a> Stage<'a> {
    /// Starts everyone: Lodestar in the middle, the others know it alone.
    fn set(scenario: &Scenario, chain: &ChainConfig, older: &'a [TopicKind]) -> Result<Self> {
        let core = Core::start(scenario, chain.genesis_time, options(chain))?;
        let flags = ["--gossip-sample", "1", "--subscribe-all-subnets", "--subscribe-all-data-columns"];
        let daemon = Beacond::start(scenario, "beacond", &core.network, &[&core.enr], &flags)?;
        let ready = daemon.event("handshake.completed", &core.peer_id, PATIENCE)?;
        ensure!(ready.str("client") == "lodestar", "{}", ready.text);
        let runtime = Runtime::new()?;
        let publisher = runtime.block_on(Publisher::start(chain, &core.enr))?;
        core.event("peerConnected", &publisher.peer_id.to_string(), PATIENCE)?;
        let (expected, published, turns) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Ok(Self { core, daemon, runtime, publisher, older, expected, published, turns })
    }

    /// Publishes a message: by turns, within each kind, Lodestar and we.
    fn publish(&mut self, name: TopicName, ssz: Vec<u8>) -> Result<()> {
        let kind = name.kind();
        let topic = format!("/eth2/{}/{name}/ssz_snappy", self.core.fork_digest.trim_start_matches("0x"));
        *self.expected.entry(topic.clone()).or_default() += 1;
        let turn = self.turns.entry(kind).or_default();
        *turn += 1;
        let is_first = *turn == 1;
        if turn.is_multiple_of(2) && !self.older.contains(&kind) {
            let sent = self.runtime.block_on(self.publisher.publish(name, ssz))?;
            self.published.insert(sent.message_id.to_string(), topic);
        } else {
            let command = json!({ "publish": topic, "data": hex::encode(ssz), "to": 2 });
            self.core.process.send(&command.to_string())?;
        }
        if kind == TopicKind::BeaconBlock && is_first {
            // what refers to the block must not overtake it
            let is_block = |line: &Line| is_received(line) && line.str("topic_kind") == kind.as_str();
            self.daemon.log().wait_for("block", PATIENCE, is_block)?;
            self.runtime.block_on(self.publisher.hears_a_block())?;
        }
        Ok(())
    }

    fn lodestar_heard_ours_under_our_ids(&self) -> Result<()> {
        let (process, us) = (&self.core.process, self.publisher.peer_id.to_string());
        for (message_id, topic) in &self.published {
            let heard = process.wait_for(&format!("message {message_id}"), PATIENCE, |line| {
                line.event() == "gossip" && line.str("messageId").trim_start_matches("0x") == message_id
            })?;
            ensure!(heard.str("topic") == topic && heard.str("peer") == us, "{}", heard.text);
        }
        let heard = process.read(|lines| lines.iter().filter(|line| line.event() == "gossip").count());
        ensure!(heard == self.published.len(), "Lodestar heard {heard} messages of {}", self.published.len());
        Ok(())
    }

    /// Lodestar's messages come from Lodestar, and so do ours, which it accepts and forwards.
    fn the_daemon_heard_everything_once(&self) -> Result<()> {
        let (log, all) = (self.daemon.log(), self.expected.values().sum::<usize>());
        let received = |lines: &[Line]| lines.iter().filter(|line| is_received(line)).cloned().collect::<Vec<_>>();
        let lines = log.poll("all messages", PATIENCE, || {
            let lines = log.read(received);
            Ok((lines.len() >= all).then_some(lines))
        })?;
        let ids: BTreeSet<&str> = lines.iter().map(|line| line.str("message_id")).collect();
        ensure!(ids.len() == lines.len(), "{} messages, {} ids", lines.len(), ids.len());
        ensure!(self.published.keys().all(|message_id| ids.contains(message_id.as_str())), "ids differ");
        let mut heard = BTreeMap::new();
        for line in &lines {
            let is_older = self.older.iter().any(|kind| kind.as_str() == line.str("topic_kind"));
            let reason = if is_older { "block_unknown" } else { "unverifiable" };
            ensure!((line.str("verdict"), line.str("reason")) == ("ignore", reason), "{}", line.text);
            *heard.entry(line.str("topic").to_owned()).or_default() += 1;
        }
        ensure!(heard == self.expected, "{heard:?} instead of {:?}", self.expected);
        Ok(())
    }

    /// Nothing was invalid for anybody, nor of another type than Lodestar's, and everyone keeps everyone.
    fn nobody_is_to_blame(&self) -> Result<()> {
        let process = &self.core.process;
        for peer_id in [self.daemon.peer_id(), &self.publisher.peer_id.to_string()] {
            process.send(&json!({ "standing": peer_id }).to_string())?;
            let standing = self.core.event("standing", peer_id, PATIENCE)?;
            let number = |name: &str| standing.field(name).as_f64();
            ensure!(number("behaviourPenalty") == Some(0.0) && number("invalid") == Some(0.0), "{}", standing.text);
            ensure!(number("score").is_some_and(|score| score >= 0.0), "{}", standing.text);
            ensure!(standing.text.contains("/meshsub/1.2.0"), "another gossipsub: {}", standing.text);
        }
        process.ensure_none("failure to publish", Duration::ZERO, |line| line.event() == "publishFailed")?;
        process.ensure_none("message of another type", Duration::ZERO, |line| line.field("fault").is_string())?;
        process.ensure_none("disconnection", Duration::ZERO, |line| line.event() == "peerDisconnected")?;
        let log = self.daemon.log();
        log.ensure_none("invalid message", Duration::ZERO, |line| line.event() == "gossip.rejected")?;
        self.daemon.keeps(&self.core.peer_id, Duration::ZERO)
    }
}

/// The network of a fixture, with time such that the slot is under way.
fn now_at(chain: ChainConfig, slot: Slot) -> ChainConfig {
    let genesis_time = unix_time() - slot.0 * SLOT.as_secs() - OFFSET.as_secs();
    ChainConfig { genesis_time, slot_duration: SLOT, ..chain }
}

/// What Lodestar is told of a network.
fn options(chain: &ChainConfig) -> Value {
    let mut config = json!({
        "SECONDS_PER_SLOT": SLOT.as_secs().to_string(),
        "SLOT_DURATION_MS": SLOT.as_millis().to_string(),
    });
    for (fork, parameters) in &chain.forks {
        let name = if *fork == ForkName::Phase0 { "GENESIS".to_owned() } else { fork.to_string().to_uppercase() };
        config[format!("{name}_FORK_VERSION")] = json!(parameters.version.to_string());
        if let Some(epoch) = parameters.epoch.filter(|_| *fork != ForkName::Phase0) {
            config[format!("{name}_FORK_EPOCH")] = json!(epoch.0.to_string());
        }
    }
    let limits = chain.blob_schedule.iter();
    config["BLOB_SCHEDULE"] = limits
        .map(|limit| json!({ "EPOCH": limit.epoch.0.to_string(), "MAX_BLOBS_PER_BLOCK": limit.max_blobs.to_string() }))
        .collect();
    json!({
        "genesisValidatorsRoot": chain.genesis_validators_root.to_string(),
        "config": config,
        "everything": true,
    })
}

/// The messages of a slot, its block first and once more by another proposer.
fn messages(fixture: &Fixture, chain: &ChainConfig, slot: Slot) -> Result<Vec<(TopicName, Vec<u8>)>> {
    let (mut blocks, mut messages) = (Vec::new(), Vec::new());
    for record in fixture.messages(slot)? {
        if record.topic.kind() == TopicKind::BeaconBlock {
            blocks.extend(two_blocks(chain, &record.ssz)?.map(|ssz| (record.topic, ssz)));
        } else {
            messages.push((record.topic, record.ssz));
        }
    }
    blocks.extend(messages);
    Ok(blocks)
}

/// A block, and the same by another proposer. Where it has its payload inside, that gets the time that the slot has here.
fn two_blocks(chain: &ChainConfig, ssz: &[u8]) -> Result<[Vec<u8>; 2]> {
    let unreadable = |error| anyhow::anyhow!("the block of the fixture: {error:?}");
    if chain.forks.get(&ForkName::Gloas).is_some_and(|gloas| gloas.epoch.is_some()) {
        let mut other = gloas::SignedBeaconBlock::from_ssz_bytes(ssz).map_err(unreadable)?;
        other.message.proposer_index += 1;
        return Ok([ssz.to_owned(), other.as_ssz_bytes()]);
    }
    let mut block = fulu::SignedBeaconBlock::from_ssz_bytes(ssz).map_err(unreadable)?;
    block.message.body.execution_payload.timestamp = chain.genesis_time + block.message.slot.0 * SLOT.as_secs();
    let first = block.as_ssz_bytes();
    block.message.proposer_index += 1;
    Ok([first, block.as_ssz_bytes()])
}

/// A node of this crate, in this process, that publishes.
struct Publisher {
    peer_id: PeerId,
    handle: NodeHandle,
    events: Subscription,
    tasks: TaskGroup,
}

impl Publisher {
    /// Starts a node in every topic that dials one peer.
    async fn start(chain: &ChainConfig, peer: &str) -> Result<Self> {
        let identity = Identity::generate();
        let peer_id = identity.peer_id;
        let on = ListenOn { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), tcp_port: 0, discovery_port: 0, quic_port: 0 };
        let all = |kind: TopicKind| SubnetChoice::These((0..kind.subnets().unwrap_or_default()).collect());
        let gossip = GossipConfig {
            attestation_subnets: all(TopicKind::BeaconAttestation),
            data_columns: all(TopicKind::DataColumnSidecar),
            ..GossipConfig::default()
        };
        let discovery = DiscoveryConfig {
            enabled: true,
            packet_filter: false,
            boot_nodes: Vec::new(),
            use_network_boot_nodes: false,
            advertise: Advertise::default(),
            enr_auto_update: false,
        };
        let transports = TransportConfig { tcp: true, quic: false, memory: false, muxers: vec![Muxer::Mplex] };
        let peers = PeersConfig { target: 10, known_peers: vec![peer.parse()?], ..PeersConfig::default() };
        let listen = ListenConfig { v4: Some(on), v6: None };
        let (tasks, events) = (TaskGroup::new(), Events::default());
        let subscription = events.subscribe();
        let (node, handle) = Eth2NodeBuilder::new(identity, chain.clone(), listen, transports, discovery, peers)
            .events(events)
            .registry(HandshakeRegistry::eth2())
            .gossip(gossip)
            .find(Find::Nobody)
            .build(&tasks)
            .await?;
        let stop: CancellationToken = tasks.token().clone();
        tasks.spawn_critical("node", async move {
            // whoever drops it does not ask how it fared
            let _ = node.run(stop).await;
        });
        Ok(Self { peer_id, handle, events: subscription, tasks })
    }

    /// Waits until it has judged a block.
    async fn hears_a_block(&mut self) -> Result<()> {
        let heard = async {
            while let Some(event) = self.events.next().await {
                if matches!(&*event, NodeEvent::GossipReceived { topic_kind: TopicKind::BeaconBlock, .. }) {
                    return Ok(());
                }
            }
            anyhow::bail!("the node is gone")
        };
        tokio::time::timeout(PATIENCE, heard).await.context("the publisher hears no block")?
    }

    /// Publishes a message, as soon as there is a peer that wants it.
    async fn publish(&self, name: TopicName, ssz: Vec<u8>) -> Result<switch::Published> {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let published = async {
            loop {
                match self.handle.gossip().publish(name, ssz.clone()).await {
                    Err(NotPublished::Router(switch::PublishError::NoPeers)) => look.tick().await,
                    published => return published.with_context(|| format!("publishing on {name}")),
                };
            }
        };
        tokio::time::timeout(PATIENCE, published).await.with_context(|| format!("nobody is subscribed to {name}"))?
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

fn is_received(line: &Line) -> bool {
    line.event() == "gossip.received"
}
