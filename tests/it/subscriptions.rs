//! What a node says of its subnets and columns, while they change.

use std::collections::BTreeSet;
use std::iter;
use std::time::Duration;

use anyhow::{Context, Result};
use beacond::chain::ChainConfig;
use beacond::config::{GossipConfig, SubnetChoice};
use beacond::discovery::EnrExt;
use beacond::events::NodeEvent;
use beacond::gossip::{next_rotation, subscribed_subnets};
use beacond::store::Identity;
use beacond::time::unix_now_ms;
use beacond::types::{Epoch, ForkName, MetaData, SLOTS_PER_EPOCH, TopicKind};

use crate::support::{Hostile, Options, TestNode, network, subscriptions};

const SLOT: Duration = Duration::from_millis(250);

/// Fulu from the start, and `epoch` in seven to eight seconds.
fn shortly_before(epoch: Epoch, seed: u8) -> Result<ChainConfig> {
    let mut chain = network(seed);
    for (fork, parameters) in &mut chain.forks {
        parameters.epoch = (*fork <= ForkName::Fulu).then_some(Epoch(0));
    }
    chain.blob_schedule.clear();
    chain.slot_duration = SLOT;
    let slots = u32::try_from(epoch.0 * SLOTS_PER_EPOCH)?;
    chain.genesis_time = (unix_now_ms() + 8000 - u64::try_from((SLOT * slots).as_millis())?) / 1000;
    chain.validate()?;
    Ok(chain)
}

/// An identity whose first rotation leads to other subnets, and when that is.
fn rotating() -> Result<(Identity, Epoch)> {
    let candidates = iter::repeat_with(|| {
        let identity = Identity::generate();
        let epoch = next_rotation(&identity.node_id, Epoch(0));
        (identity, epoch)
    });
    let moves = |(identity, epoch): &(Identity, Epoch)| {
        let at = |epoch| subscribed_subnets(&identity.node_id, epoch);
        at(Epoch(0)) != at(*epoch)
    };
    candidates.take(100).find(moves).context("no identity moves")
}

/// Asks the node for its metadata, and checks that its record and its topics say the same.
async fn said(node: &TestNode) -> Result<MetaData> {
    let stranger = Hostile::start().await?;
    let connection = stranger.dial(&node.multiaddr("/tcp/")?).await?;
    let metadata = stranger.ask_metadata(&connection).await?;
    let enr = node.handle.snapshot().enr.context("a record")?;
    assert_eq!(enr.attnets().as_ref(), Some(&metadata.attnets));
    assert_eq!(enr.syncnets(), metadata.syncnets);
    assert_eq!(enr.cgc(), metadata.custody_group_count);

    // what the router tells everybody, and not only what was planned
    let planned = node.handle.plan().topics.clone();
    let topics = subscriptions(&node.multiaddr("/tcp/")?, planned.len()).await?;
    assert_eq!(topics, planned);
    let joined = |kind| -> BTreeSet<usize> {
        let topics = topics.iter().filter(|topic| topic.name.kind() == kind);
        topics.filter_map(|topic| topic.name.subnet()).map(usize::from).collect()
    };
    let attnets = metadata.attnets.iter().enumerate().filter(|(_, bit)| *bit).map(|(subnet, _)| subnet);
    assert_eq!(joined(TopicKind::BeaconAttestation), attnets.collect());
    assert!(joined(TopicKind::DataColumnSidecar).len() as u64 >= metadata.custody_group_count.unwrap_or_default());
    Ok(metadata)
}

#[tokio::test]
async fn a_node_moves_to_other_subnets_and_its_peers_learn_of_it() -> Result<()> {
    let (identity, rotation) = rotating()?;
    let subnets = |epoch| -> BTreeSet<usize> {
        subscribed_subnets(&identity.node_id, epoch).into_iter().map(usize::from).collect()
    };
    let (former, latter) = (subnets(Epoch(0)), subnets(rotation));
    let chain = shortly_before(rotation, 63)?;
    let mut node = TestNode::start(Options { identity, ..Options::new(&chain) }).await?;
    let known_peers = vec![node.multiaddr("/tcp/")?];
    let mut peer = TestNode::start(Options { known_peers, ..Options::new(&chain) }).await?;
    node.met(&mut peer).await?;
    let before = said(&node).await?;
    let is_update = |event: &NodeEvent| matches!(event, NodeEvent::EnrUpdated { reason: "subnets", .. });
    assert_eq!(node.count(is_update), 0, "too slow a machine");
    let bits = |metadata: &MetaData| -> BTreeSet<usize> {
        metadata.attnets.iter().enumerate().filter(|(_, bit)| *bit).map(|(subnet, _)| subnet).collect()
    };
    assert_eq!((bits(&before), before.custody_group_count), (former, Some(4)));

    node.wait("enr.updated", is_update).await?;
    // the heartbeat of that slot closes the change
    node.wait("node.heartbeat", |event| matches!(event, NodeEvent::NodeHeartbeat { .. })).await?;
    let after = said(&node).await?;
    assert_eq!(bits(&after), latter);
    assert_eq!(after, MetaData { seq_number: before.seq_number + 1, attnets: after.attnets.clone(), ..before });

    let peer_id = peer.peer_id;
    let is_asked = |event: &NodeEvent| match event {
        NodeEvent::RpcServed { peer_id: by, method: "metadata/3", .. } => *by == peer_id,
        _ => false,
    };
    node.wait("the peer to ask for the metadata", is_asked).await?;
    assert_eq!(node.count(is_update), 1);
    Ok(())
}

#[tokio::test]
async fn a_node_claims_what_it_was_told_to_join_and_nothing_else() -> Result<()> {
    let gossip = GossipConfig {
        attestation_subnets: SubnetChoice::These([3, 4, 5].into()),
        data_columns: SubnetChoice::These([].into()),
        sync_subnets: SubnetChoice::These([1].into()),
        ..GossipConfig::default()
    };
    let node = TestNode::start(Options { gossip, ..Options::new(&network(64)) }).await?;
    let metadata = said(&node).await?;
    let bits: Vec<_> = metadata.attnets.iter().enumerate().filter(|(_, bit)| *bit).map(|(subnet, _)| subnet).collect();
    assert_eq!(bits, [3, 4, 5]);
    assert_eq!(metadata.syncnets.map(|syncnets| syncnets.iter().collect()), Some(vec![false, true, false, false]));
    assert_eq!(metadata.custody_group_count, Some(0));
    Ok(())
}
