//! Messages between nodes: what is forwarded, what stops where, and what it costs to send what is invalid.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use beacond::chain::{ChainConfig, ForkSchedule};
use beacond::config::{GossipConfig, SubnetChoice, TransportConfig};
use beacond::events::NodeEvent;
use beacond::gossip::{Answer, NotPublished, NotWaiting};
use beacond::switch;
use beacond::time::SlotClock;
use beacond::types::containers::phase0::{AttestationData, Checkpoint};
use beacond::types::containers::{electra, fulu};
use beacond::types::{Epoch, GoodbyeReason, KnownPeer, MessageId, Muxer, Root, Slot, TopicKind, TopicName};
use ssz::Encode;

use crate::support::{Options, TestNode, network};

/// Slots that are short enough to wait for a summary, and long enough for an attestation to stay in its epochs.
const SLOT: Duration = Duration::from_millis(500);

/// A network in its third epoch, so that attestations of the epoch before exist.
fn quick(seed: u8) -> ChainConfig {
    let mut chain = ChainConfig { slot_duration: SLOT, ..network(seed) };
    let since_genesis = SLOT * 32 * 3;
    chain.genesis_time = beacond::time::unix_now_ms() / 1000 - since_genesis.as_secs();
    for parameters in chain.forks.values_mut().filter(|parameters| parameters.epoch.is_some()) {
        parameters.epoch = Some(Epoch(0));
    }
    chain.blob_schedule.clear();
    chain.validate().unwrap();
    chain
}

/// Attestations of the first subnet alone, every one of them told.
fn gossip() -> GossipConfig {
    GossipConfig {
        topics: BTreeSet::from([TopicKind::BeaconAttestation, TopicKind::BeaconBlock]),
        attestation_subnets: SubnetChoice::These(BTreeSet::from([0])),
        sample: 1.0,
        ..GossipConfig::default()
    }
}

fn subnet_0() -> TopicName {
    TopicName::subnet_of(TopicKind::BeaconAttestation, 0).unwrap()
}

/// An attestation of now that nobody can verify, told apart by its attester.
fn attestation(chain: &ChainConfig, attester_index: u64) -> Vec<u8> {
    vote(chain, attester_index, Root::default())
}

/// An attestation of now for a block.
fn vote(chain: &ChainConfig, attester_index: u64, beacon_block_root: Root) -> Vec<u8> {
    let slot = SlotClock::system(chain.genesis_time, chain.slot_duration).slot().unwrap();
    let target = Checkpoint { epoch: slot.epoch(), ..Checkpoint::default() };
    let data = AttestationData { slot, target, beacon_block_root, ..AttestationData::default() };
    electra::SingleAttestation { attester_index, data, ..Default::default() }.as_ssz_bytes()
}

/// A node that dials `others`, all within the memory of this process.
async fn joined(chain: &ChainConfig, gossip: GossipConfig, others: &[&TestNode]) -> Result<TestNode> {
    let known_peers = others.iter().map(|node| node.multiaddr("/memory/")).collect::<Result<Vec<KnownPeer>>>()?;
    let transports = TransportConfig { tcp: false, quic: false, memory: true, muxers: vec![Muxer::Yamux] };
    TestNode::start(Options { gossip, known_peers, transports, ..Options::new(chain) }).await
}

/// Waits until a node has `peers` peers in the mesh of a kind.
async fn meshed(node: &mut TestNode, kind: TopicKind, peers: usize) -> Result<()> {
    node.wait("the mesh", |event| {
        matches!(event, NodeEvent::GossipTopicSummarized { topic_kind, mesh_peers, .. } if *topic_kind == kind && *mesh_peers >= peers)
    })
    .await?;
    Ok(())
}

fn is_received(event: &NodeEvent, wanted: MessageId) -> bool {
    matches!(event, NodeEvent::GossipReceived { message_id, .. } if *message_id == wanted)
}

/// Waits until a node has judged a message; how it was relayed.
async fn received(node: &mut TestNode, wanted: MessageId) -> Result<(&'static str, &'static str)> {
    match &*node.wait("gossip.received", |event| is_received(event, wanted)).await? {
        NodeEvent::GossipReceived { reason, relay, .. } => Ok((*reason, *relay)),
        _ => unreachable!("waited for it"),
    }
}

#[tokio::test]
async fn what_ten_nodes_accept_arrives_at_all_of_them_once() -> Result<()> {
    let chain = quick(80);
    let mut nodes: Vec<TestNode> = Vec::new();
    for index in 0..10usize {
        // two ways from everyone to everyone: a copy that comes the second way must not count
        let others: Vec<&TestNode> = nodes.iter().skip(index.saturating_sub(2)).collect();
        let mut node = joined(&chain, gossip(), &others).await?;
        node.judge(&[TopicKind::BeaconAttestation], |_| Answer::Accept);
        nodes.push(node);
    }
    for node in &mut nodes {
        meshed(node, TopicKind::BeaconAttestation, 2).await?;
    }
    let sent = nodes[0].handle.gossip().publish(subnet_0(), attestation(&chain, 1)).await?;
    assert!(sent.peers >= 2, "{sent:?}");
    for node in &mut nodes[1..] {
        assert_eq!(received(node, sent.message_id).await?, ("valid", "accepted"));
    }
    for node in &mut nodes {
        meshed(node, TopicKind::BeaconAttestation, 2).await?;
        assert!(node.count(|event| is_received(event, sent.message_id)) <= 1);
    }
    Ok(())
}

#[tokio::test]
async fn what_the_second_hop_ignores_stops_there() -> Result<()> {
    let chain = quick(81);
    let first = joined(&chain, gossip(), &[]).await?;
    let mut second = joined(&chain, gossip(), &[&first]).await?;
    let mut third = joined(&chain, gossip(), &[&second]).await?;
    // by the attester's index, far into the message's fixed part
    second.judge(&[TopicKind::BeaconAttestation], |question| match question.ssz[8] {
        1 => Answer::Ignore,
        _ => Answer::Accept,
    });
    meshed(&mut second, TopicKind::BeaconAttestation, 2).await?;
    meshed(&mut third, TopicKind::BeaconAttestation, 1).await?;

    let ignored = first.handle.gossip().publish(subnet_0(), attestation(&chain, 1)).await?.message_id;
    assert_eq!(received(&mut second, ignored).await?, ("judged", "none"));
    let accepted = first.handle.gossip().publish(subnet_0(), attestation(&chain, 2)).await?.message_id;
    assert_eq!(received(&mut second, accepted).await?, ("valid", "accepted"));
    // the same way, later: what had been forwarded would have come before
    received(&mut third, accepted).await?;
    assert_eq!(third.count(|event| is_received(event, ignored)), 0);
    Ok(())
}

#[tokio::test]
async fn one_liar_gets_nothing_corroborated_and_two_do() -> Result<()> {
    let chain = quick(82);
    let relay = GossipConfig { corroborating_copies: Some(2), ..gossip() };
    let mut relayer = joined(&chain, relay, &[]).await?;
    let mut witness = joined(&chain, gossip(), &[&relayer]).await?;
    let mut liars = [joined(&chain, gossip(), &[&relayer]).await?, joined(&chain, gossip(), &[&relayer]).await?];
    meshed(&mut relayer, TopicKind::BeaconAttestation, 3).await?;
    for node in liars.iter_mut().chain([&mut witness]) {
        meshed(node, TopicKind::BeaconAttestation, 1).await?;
    }

    let alone = liars[0].handle.gossip().publish(subnet_0(), attestation(&chain, 1)).await?.message_id;
    assert_eq!(received(&mut relayer, alone).await?, ("unverifiable", "none"));
    let together = attestation(&chain, 2);
    let mut message_id = alone;
    for liar in &liars {
        message_id = liar.handle.gossip().publish(subnet_0(), together.clone()).await?.message_id;
    }
    assert_eq!(received(&mut relayer, message_id).await?, ("unverifiable", "corroborated"));
    assert_eq!(received(&mut witness, message_id).await?, ("unverifiable", "none"));
    assert_eq!(witness.count(|event| is_received(event, alone)), 0);
    Ok(())
}

#[tokio::test]
async fn of_two_votes_of_one_attester_that_are_corroborated_one_goes_on() -> Result<()> {
    let chain = quick(89);
    let relay = GossipConfig { corroborating_copies: Some(2), ..gossip() };
    let mut relayer = joined(&chain, relay, &[]).await?;
    let mut witness = joined(&chain, gossip(), &[&relayer]).await?;
    let mut liars = Vec::new();
    for _ in 0..4 {
        liars.push(joined(&chain, gossip(), &[&relayer]).await?);
    }
    meshed(&mut relayer, TopicKind::BeaconAttestation, 5).await?;
    for node in liars.iter_mut().chain([&mut witness]) {
        meshed(node, TopicKind::BeaconAttestation, 1).await?;
    }

    let mut relays = Vec::new();
    for (vote, liars) in [1, 2].map(|root| vote(&chain, 1, Root([root; 32]))).into_iter().zip(liars.chunks(2)) {
        let mut message_id = MessageId([0; 20]);
        for liar in liars {
            message_id = liar.handle.gossip().publish(subnet_0(), vote.clone()).await?.message_id;
        }
        relays.push((message_id, received(&mut relayer, message_id).await?));
    }
    let [(first, relayed), (second, kept)] = relays[..] else { unreachable!("two votes") };
    assert_eq!((relayed, kept), (("unverifiable", "corroborated"), ("unverifiable", "none")));
    received(&mut witness, first).await?;
    // the same way, later: what had been forwarded would have come before
    let mut later = second;
    for liar in &liars[..2] {
        later = liar.handle.gossip().publish(subnet_0(), attestation(&chain, 2)).await?.message_id;
    }
    received(&mut witness, later).await?;
    assert_eq!(witness.count(|event| is_received(event, second)), 0);
    Ok(())
}

#[tokio::test]
async fn without_an_answer_in_time_a_message_is_ignored_and_a_late_one_counts_for_nothing() -> Result<()> {
    let chain = quick(87);
    let sender = joined(&chain, gossip(), &[]).await?;
    let mut receiver = joined(&chain, gossip(), &[&sender]).await?;
    let mut juror = receiver.handle.gossip().appoint_juror(&[TopicKind::BeaconAttestation]);
    meshed(&mut receiver, TopicKind::BeaconAttestation, 1).await?;

    let sent = sender.handle.gossip().publish(subnet_0(), attestation(&chain, 1)).await?.message_id;
    let question = juror.next().await.context("the node runs")?;
    assert_eq!((question.message_id, question.topic.name), (sent, subnet_0()));
    assert_eq!(received(&mut receiver, sent).await?, ("unanswered", "none"));
    assert_eq!(juror.answer(sent, Answer::Accept), Err(NotWaiting));

    // nobody is asked any more
    drop(juror);
    let sent = sender.handle.gossip().publish(subnet_0(), attestation(&chain, 2)).await?.message_id;
    assert_eq!(received(&mut receiver, sent).await?, ("unverifiable", "none"));
    Ok(())
}

#[tokio::test]
async fn of_two_votes_of_one_attester_that_are_judged_valid_one_is_accepted() -> Result<()> {
    let chain = quick(88);
    let mut receiver = joined(&chain, gossip(), &[]).await?;
    let senders = [joined(&chain, gossip(), &[&receiver]).await?, joined(&chain, gossip(), &[&receiver]).await?];
    let mut juror = receiver.handle.gossip().appoint_juror(&[TopicKind::BeaconAttestation]);
    meshed(&mut receiver, TopicKind::BeaconAttestation, 2).await?;

    let votes = [1, 2].map(|root| vote(&chain, 1, Root([root; 32])));
    for (sender, vote) in senders.iter().zip(votes) {
        sender.handle.gossip().publish(subnet_0(), vote).await?;
    }
    // both have passed the rules before either is answered
    let asked = [juror.next().await.context("the node runs")?, juror.next().await.context("the node runs")?];
    for question in &asked {
        juror.answer(question.message_id, Answer::Accept)?;
    }
    assert_eq!(received(&mut receiver, asked[0].message_id).await?, ("valid", "accepted"));
    assert_eq!(received(&mut receiver, asked[1].message_id).await?, ("already_seen", "none"));
    Ok(())
}

/// A block of now whose payload has the time of another genesis.
fn block(chain: &ChainConfig, proposer_index: u64) -> Vec<u8> {
    let slot = SlotClock::system(chain.genesis_time, chain.slot_duration).slot().unwrap();
    let mut block = fulu::SignedBeaconBlock::default();
    block.message.slot = slot;
    block.message.proposer_index = proposer_index;
    let Slot(slot) = slot;
    block.message.body.execution_payload.timestamp =
        chain.genesis_time + slot * u64::try_from(chain.slot_duration.as_millis()).unwrap() / 1000;
    block.as_ssz_bytes()
}

#[tokio::test]
async fn a_peer_that_sends_what_is_invalid_is_cut_off_and_the_others_stay() -> Result<()> {
    // the digest does not tell genesis times apart, the timestamps of payloads do
    let chain = ChainConfig { slot_duration: Duration::from_secs(1), ..quick(83) };
    let other_genesis = ChainConfig { genesis_time: chain.genesis_time + 1, ..chain.clone() };
    let mut judge = joined(&chain, gossip(), &[]).await?;
    let mut honest = joined(&chain, gossip(), &[&judge]).await?;
    let mut hostile = joined(&other_genesis, gossip(), &[&judge]).await?;
    honest.met(&mut judge).await?;
    meshed(&mut hostile, TopicKind::BeaconBlock, 1).await?;

    let block_topic = TopicName::global(TopicKind::BeaconBlock).unwrap();
    let mut sent = 0;
    let gone = loop {
        let published = hostile.handle.gossip().publish(block_topic, block(&other_genesis, sent)).await;
        match published {
            Ok(_) => sent += 1,
            Err(NotPublished::Router(switch::PublishError::NoPeers)) => break judge.gone(hostile.peer_id).await?,
            Err(error) => return Err(error.into()),
        }
        anyhow::ensure!(sent < 200, "still listened to after {sent} invalid blocks");
    };
    assert_eq!(gone, ("gossip_score", Some(GoodbyeReason::SCORE_TOO_LOW.0)));
    let hostile_id = hostile.peer_id;
    let rejected = judge.count(|event| {
        matches!(event, NodeEvent::GossipRejected { peer_id, reason, .. } if *peer_id == hostile_id && *reason == "bad_timestamp")
    });
    assert!(rejected > 1, "one mistake must not cost a peer: {rejected}");
    assert_eq!(judge.peers(), [honest.peer_id]);
    Ok(())
}

#[tokio::test]
async fn the_router_forgets_peers_that_are_gone() -> Result<()> {
    let chain = quick(84);
    let mut stayer = joined(&chain, gossip(), &[]).await?;
    let leaver = joined(&chain, gossip(), &[&stayer]).await?;
    meshed(&mut stayer, TopicKind::BeaconAttestation, 1).await?;
    let leaver_id = leaver.peer_id;
    leaver.kill().await?;
    stayer.gone(leaver_id).await?;
    let known = |event: &NodeEvent, wanted: usize| matches!(event, NodeEvent::GossipSlotSummarized { router_peers, .. } if *router_peers == wanted);
    stayer.wait("a router that knows nobody", |event| known(event, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn what_would_be_refused_is_not_published() -> Result<()> {
    let chain = quick(85);
    let node = joined(&chain, gossip(), &[]).await?;
    let gossip = node.handle.gossip();
    let refused = gossip.publish(subnet_0(), vec![0; 240]).await.unwrap_err();
    assert!(matches!(refused, NotPublished::Refused(_)), "{refused}");
    // what reached nobody may be tried again
    let message = attestation(&chain, 1);
    for _ in 0..2 {
        let nobody = gossip.publish(subnet_0(), message.clone()).await.unwrap_err();
        assert_eq!(nobody, NotPublished::Router(switch::PublishError::NoPeers));
    }
    Ok(())
}

/// The digests whose topics are held, after each change, and the epoch of the heartbeat before it.
fn held_digests(history: &[Arc<NodeEvent>]) -> Vec<(u64, BTreeSet<String>)> {
    let mut epoch = 0;
    let mut held = Vec::new();
    for event in history {
        match &**event {
            NodeEvent::NodeHeartbeat { epoch: now, .. } => epoch = now.0,
            NodeEvent::GossipTopicsChanged { fork_digests, .. } => {
                held.push((epoch, fork_digests.split(',').map(str::to_owned).collect()));
            }
            _ => {}
        }
    }
    held
}

/// Digests on whose topics messages of a kind arrived.
fn arrived_on(node: &mut TestNode, kind: TopicKind) -> BTreeSet<String> {
    let digest = |event: &Arc<NodeEvent>| match &**event {
        NodeEvent::GossipReceived { topic, topic_kind, .. } if *topic_kind == kind => {
            Some(topic.fork_digest.to_string())
        }
        _ => None,
    };
    node.history().iter().filter_map(digest).collect()
}

#[tokio::test]
async fn messages_flow_on_across_a_fork_and_a_blob_parameter_fork() -> Result<()> {
    let chain = crate::forks::crossing(86, Duration::from_millis(250));
    let mut sender = joined(&chain, gossip(), &[]).await?;
    let mut receiver = joined(&chain, gossip(), &[&sender]).await?;
    for kind in [TopicKind::BeaconAttestation, TopicKind::BeaconBlock] {
        meshed(&mut sender, kind, 1).await?;
        meshed(&mut receiver, kind, 1).await?;
    }
    let block_topic = TopicName::global(TopicKind::BeaconBlock).unwrap();
    let mut attester_index = 0;
    // one epoch before the fork to the end of the overlap after the second boundary
    while held_digests(sender.history()).len() < 3 {
        sender.wait("a slot", |event| matches!(event, NodeEvent::NodeHeartbeat { .. })).await?;
        attester_index += 1;
        let sent = sender.handle.gossip().publish(subnet_0(), attestation(&chain, attester_index)).await;
        let sent = sent.with_context(|| format!("message {attester_index}"))?;
        received(&mut receiver, sent.message_id).await?;
        // a block has the same form on both sides of the fork
        let sent = sender.handle.gossip().publish(block_topic, block(&chain, attester_index)).await;
        let sent = sent.with_context(|| format!("block {attester_index}"))?;
        received(&mut receiver, sent.message_id).await?;
    }
    // what was sent last may still be on its way through the other's overlap
    receiver.until("the other to leave its old topics", |history| held_digests(history).len() >= 3).await?;
    let schedule = ForkSchedule::new(&chain);
    let digest = |epoch| schedule.digest_at(Epoch(epoch)).to_string();
    for node in [&mut sender, &mut receiver] {
        // all three digests, since the boundaries are close to each other; then the old ones go, two epochs after they end
        let held: Vec<_> = held_digests(node.history()).into_iter().map(|(_, digests)| digests).collect();
        assert_eq!(held, [[0, 1, 2].map(digest).into(), [1, 2].map(digest).into(), [2].map(digest).into()]);
        let left: Vec<_> = held_digests(node.history()).into_iter().map(|(epoch, _)| epoch).skip(1).collect();
        assert!(left.iter().zip([3, 4]).all(|(epoch, end)| (end - 1..=end).contains(epoch)), "{left:?}");
        assert_eq!(node.count(|event| matches!(event, NodeEvent::ForkActivated { .. })), 2);
    }
    for kind in [TopicKind::BeaconAttestation, TopicKind::BeaconBlock] {
        assert_eq!(arrived_on(&mut receiver, kind), [0, 1, 2].map(digest).into(), "{kind:?}");
    }
    Ok(())
}
