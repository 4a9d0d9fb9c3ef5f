//! Genesis and fork boundaries crossed while the node runs, on a schedule with short slots.

use std::time::Duration;

use anyhow::Result;
use beacond::chain::{BlobParameters, ChainConfig, ForkSchedule};
use beacond::discovery::{EnrExt, MemoryDirectory};
use beacond::events::NodeEvent;
use beacond::time::unix_now_ms;
use beacond::types::{Epoch, ForkName, GoodbyeReason, PeerId};
use tokio::try_join;

use crate::support::{Find, Hostile, Options, Script, TestNode, Testnet, network};

const SLOTS_PER_EPOCH: u32 = 32;

/// Fulu in seven to eight seconds, a blob-parameter fork an epoch later.
pub(crate) fn crossing(seed: u8, slot_duration: Duration) -> ChainConfig {
    crossing_in(8, seed, slot_duration)
}

/// Fulu in so many seconds, or one less.
fn crossing_in(seconds: u64, seed: u8, slot_duration: Duration) -> ChainConfig {
    let mut chain = network(seed);
    for (fork, parameters) in &mut chain.forks {
        parameters.epoch = match fork {
            ForkName::Fulu => Some(Epoch(1)),
            fork if *fork < ForkName::Fulu => Some(Epoch(0)),
            _ => None,
        };
    }
    chain.blob_schedule = vec![BlobParameters { epoch: Epoch(2), max_blobs: 15 }];
    chain.slot_duration = slot_duration;
    let epoch_ms = u64::try_from((slot_duration * SLOTS_PER_EPOCH).as_millis()).unwrap();
    chain.genesis_time = (unix_now_ms() + 1000 * seconds - epoch_ms) / 1000;
    chain.validate().unwrap();
    chain
}

/// The same network without Fulu: what a node runs that was not upgraded.
fn old_schedule(chain: &ChainConfig) -> ChainConfig {
    let mut chain = chain.clone();
    chain.forks.remove(&ForkName::Fulu);
    chain.blob_schedule.clear();
    chain.validate().unwrap();
    chain
}

#[tokio::test]
async fn a_node_follows_a_fork_and_a_blob_parameter_fork_and_keeps_its_peers() -> Result<()> {
    let chain = crossing(60, Duration::from_millis(250));
    let Testnet { mut nodes } = Testnet::discovering(&chain, 2, 20).await?;
    let [one, other] = &mut nodes[..] else { unreachable!("there are two") };
    let (one_id, other_id) = (one.peer_id, other.peer_id);
    try_join!(one.ready(other_id), other.ready(one_id))?;
    try_join!(crosses(one, &chain, other_id), crosses(other, &chain, one_id))?;
    Ok(())
}

/// Crosses both boundaries: digest, record and Status are those of the new fork, the peer is the old one.
async fn crosses(node: &mut TestNode, chain: &ChainConfig, peer: PeerId) -> Result<()> {
    let schedule = ForkSchedule::new(chain);
    let mut seq = node.handle.snapshot().enr.unwrap().seq();
    for (boundary, max_blobs) in [(1, chain.electra_max_blobs), (2, 15)] {
        let state = schedule.state_at(Epoch(boundary));
        let activated = node.wait("fork.activated", |event| matches!(event, NodeEvent::ForkActivated { .. })).await?;
        let NodeEvent::ForkActivated { fork, fork_digest, epoch, max_blobs: blobs, next_epoch } = &*activated else {
            unreachable!("waited for it")
        };
        let next = state.next.map(|next| next.epoch);
        assert_eq!((*fork, *fork_digest, *epoch), (ForkName::Fulu, state.fork_digest, Epoch(boundary)));
        assert_eq!((*blobs, *next_epoch), (Some(max_blobs), next));

        // the heartbeat of the first slot after the boundary closes the change
        let is_it = |event: &NodeEvent| matches!(event, NodeEvent::NodeHeartbeat { epoch, .. } if epoch.0 == boundary);
        node.wait("node.heartbeat", is_it).await?;
        let enr = node.handle.snapshot().enr.unwrap();
        assert_eq!((enr.eth2(), enr.nfd()), (Some(state.enr_fork_id), Some(state.nfd)));
        assert!(enr.seq() > seq, "{} after {seq}", enr.seq());
        seq = enr.seq();

        let is_status = |event: &NodeEvent| match event {
            NodeEvent::RpcServed { method, .. } => *method == "status/2",
            NodeEvent::RpcRequestFinished { method, result, .. } => (*method, *result) == ("status/2", "ok"),
            _ => false,
        };
        node.wait("another exchange of status", is_status).await?;
        assert_eq!(node.peers(), [peer]);
    }
    let lost = node.count(|event| matches!(event, NodeEvent::PeerDisconnected { .. }));
    assert_eq!(lost, 0);
    Ok(())
}

#[tokio::test]
async fn peers_that_miss_a_fork_are_dropped_and_no_longer_found() -> Result<()> {
    // the margin of two slots is as long as the time over which Status is asked for after a fork
    // time to meet even on a busy machine
    let mut chain = crossing_in(20, 61, Duration::from_secs(1));
    chain.blob_schedule.clear();
    let directory = MemoryDirectory::default();
    let find = || Find::Memory(directory.clone());
    let mut node = TestNode::start(Options { find: find(), ..Options::new(&chain) }).await?;
    let outdated = TestNode::start(Options { find: find(), ..Options::new(&old_schedule(&chain)) }).await?;
    let mut silent = Hostile::start().await?;
    let connection = silent.dial(&node.multiaddr("/tcp/")?).await?;

    let script = Script::honest(&old_schedule(&chain));
    silent.ask_status(&connection, &script).await?;
    let (outdated_id, silent_id) = (outdated.peer_id, silent.peer_id);
    let missed = async {
        let is_ready = |event: &NodeEvent| match event {
            NodeEvent::HandshakeCompleted { peer_id, .. } => [outdated_id, silent_id].contains(peer_id),
            _ => false,
        };
        node.until("both handshakes", |history| history.iter().filter(|event| is_ready(event)).count() >= 2).await?;
        assert_eq!(node.count(|event| matches!(event, NodeEvent::ForkActivated { .. })), 0, "too slow a machine");
        let gone = |event: &NodeEvent, peer| match event {
            NodeEvent::PeerDisconnected { peer_id, goodbye_code: Some(2), .. } => *peer_id == peer,
            _ => false,
        };
        let (told, itself) = (|event: &NodeEvent| gone(event, silent_id), |event: &NodeEvent| gone(event, outdated_id));
        node.until("both to be gone", |history| {
            history.iter().any(|event| told(event)) && history.iter().any(|event| itself(event))
        })
        .await
    };
    let (goodbye, missed) = tokio::join!(silent.play(&script), missed);
    missed?;
    assert_eq!(goodbye?, Some(GoodbyeReason::IRRELEVANT_NETWORK));
    let dropped = node.count(|event| match event {
        NodeEvent::PeerDisconnected { peer_id, reason, .. } => (*peer_id, *reason) == (silent_id, "wrong_fork_digest"),
        _ => false,
    });
    assert_eq!(dropped, 1);

    let outdated_node = hex::encode(outdated.handle.snapshot().enr.unwrap().node_id().raw());
    let refused = |event: &NodeEvent| match event {
        NodeEvent::DiscoveryRefused { node_id, reason } => *node_id == outdated_node && *reason == "wrong_fork",
        _ => false,
    };
    node.until("discovery.refused", |history| history.iter().any(|event| refused(event))).await?;
    assert_eq!(node.peers(), []);
    Ok(())
}

#[tokio::test]
async fn nobody_is_dialled_before_genesis() -> Result<()> {
    let genesis_time = unix_now_ms() / 1000 + 4;
    let chain = ChainConfig { genesis_time, slot_duration: Duration::from_millis(500), ..network(62) };
    let [mut dialler, mut listener] = Testnet::pair(&chain, "/tcp/").await?;
    for node in [&mut dialler, &mut listener] {
        let is_it = |event: &NodeEvent| matches!(event, NodeEvent::NodeWaitingForGenesis { .. });
        let waiting = node.wait("node.waiting_for_genesis", is_it).await?;
        let NodeEvent::NodeWaitingForGenesis { genesis_time: told, .. } = &*waiting else {
            unreachable!("waited for it")
        };
        assert_eq!(*told, genesis_time);
    }
    dialler.wait("dial.started", |event| matches!(event, NodeEvent::DialStarted { .. })).await?;
    assert!(unix_now_ms() >= genesis_time * 1000);
    dialler.met(&mut listener).await
}
