//! Nodes that find each other, and what is said when a boot node does not answer.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use beacond::chain::ForkSchedule;
use beacond::discovery::{EnrContent, build_enr};
use beacond::events::NodeEvent;
use beacond::store::Identity;
use beacond::types::{Attnets, Direction, Epoch, KnownPeer, PeerId, Syncnets};
use tokio::time::Instant;

use crate::support::{Find, Options, TestNode, Testnet, fixed_ports, network};

#[tokio::test]
async fn three_nodes_of_which_two_know_the_first_are_all_connected() -> Result<()> {
    let mut net = Testnet::discovering(&network(80), 3, 20).await?;
    net.until("a full mesh", |nodes| nodes.iter().all(|node| node.peers().len() == 2)).await?;
    let first = net.nodes[0].peer_id;
    for node in &mut net.nodes[1..] {
        let completed =
            |event: &NodeEvent| matches!(event, NodeEvent::BootstrapCompleted { peer_id, .. } if *peer_id == first);
        assert_eq!(node.count(completed), 1);
    }
    Ok(())
}

#[tokio::test]
async fn nodes_find_each_other_although_their_ids_are_close_to_that_of_their_boot_node() -> Result<()> {
    let chain = network(84);
    let options = || Options { find: Find::Discv5, ..Options::new(&chain) };
    let identity = Identity::generate();
    let first = identity.node_id.raw();
    let boot_node = TestNode::start(Options { identity, ..options() }).await?;
    // one in 512 is as close: log distance 247 or less
    let is_close = |id: &Identity| id.node_id.raw()[0] == first[0] && (id.node_id.raw()[1] ^ first[1]) < 0x80;
    let close = || std::iter::repeat_with(Identity::generate).find(is_close);
    let boot_nodes = vec![boot_node.enr()];
    let mut nodes = vec![boot_node];
    for identity in [close(), close()].into_iter().flatten() {
        nodes.push(TestNode::start(Options { identity, boot_nodes: boot_nodes.clone(), ..options() }).await?);
    }
    let since = Instant::now();
    let mut net = Testnet { nodes };
    net.until("a full mesh", |nodes| nodes.iter().all(|node| node.peers().len() == 2)).await?;
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    Ok(())
}

#[tokio::test]
async fn twelve_nodes_of_few_peers_become_one_network() -> Result<()> {
    let mut net = Testnet::discovering(&network(81), 12, 4).await?;
    net.until("one network", is_one_network).await
}

/// Whether everyone is reached from the first node, over connections that both ends hold.
fn is_one_network(nodes: &[TestNode]) -> bool {
    let holds = |node: &TestNode, peer_id: PeerId| node.peers().contains(&peer_id);
    let mut reached = BTreeSet::from([0]);
    let mut fresh = vec![0];
    while let Some(at) = fresh.pop() {
        for (index, node) in nodes.iter().enumerate() {
            if holds(node, nodes[at].peer_id) && holds(&nodes[at], node.peer_id) && reached.insert(index) {
                fresh.push(index);
            }
        }
    }
    reached.len() == nodes.len()
}

#[tokio::test]
async fn after_thirty_seconds_one_event_says_why_no_boot_node_answered() -> Result<()> {
    let chain = network(82);
    let dead = Identity::generate().peer_id;
    let dead = format!("/ip4/127.0.0.1/tcp/{}/p2p/{dead}", fixed_ports().tcp_port).parse()?;
    let stranger = TestNode::start(Options::new(&network(83))).await?;
    let boot_nodes = vec![dead, nowhere(&chain)?, stranger.multiaddr("/tcp/")?];
    let mut node = TestNode::start(Options { boot_nodes, ..Options::new(&chain) }).await?;

    let failed = |event: &NodeEvent| matches!(event, NodeEvent::BootstrapFailed { .. });
    let report = node.wait("bootstrap.failed", failed).await?;
    let history: Vec<_> = node.history().iter().take_while(|event| !failed(event)).cloned().collect();
    let count = |is_it: &dyn Fn(&NodeEvent) -> bool| history.iter().filter(|event| is_it(event)).count();
    let dials = count(&|event| matches!(event, NodeEvent::DialFailed { bootstrap: true, reason: "refused", .. }));
    let rejections = count(&|event| match event {
        NodeEvent::HandshakeRejected { bootstrap, direction, .. } => *bootstrap && *direction == Direction::Outbound,
        _ => false,
    });
    let NodeEvent::BootstrapFailed { bootnodes, refused, wrong_network, no_address, peers, .. } = &*report else {
        unreachable!("waited for it")
    };
    assert_eq!((*bootnodes, *refused, *wrong_network, *no_address, *peers), (3, dials, rejections, 1, 0));
    let NodeEvent::BootstrapFailed { timeout, unreachable, incompatible, busy, handshake, other, .. } = &*report else {
        unreachable!("waited for it")
    };
    assert_eq!([timeout, unreachable, incompatible, busy, handshake, other], [&0; 6]);
    assert!(dials > 1 && rejections > 0, "{dials} dials, {rejections} rejections");

    let friend = TestNode::start(Options::new(&chain)).await?;
    node.handle.add_known_peer(friend.multiaddr("/tcp/")?).await?;
    node.ready(friend.peer_id).await?;
    assert_eq!(node.count(failed), 1);
    Ok(())
}

/// The record of a node of this network that says nothing of where it is.
fn nowhere(chain: &beacond::chain::ChainConfig) -> Result<KnownPeer> {
    let fork = ForkSchedule::new(chain).state_at(Epoch(0));
    let content = EnrContent {
        eth2: fork.enr_fork_id,
        attnets: Attnets::default(),
        syncnets: Syncnets::default(),
        cgc: 4,
        nfd: fork.nfd,
        ip4: None,
        ip6: None,
    };
    Ok(KnownPeer::Enr(Box::new(build_enr(&Identity::generate().enr_key, None, &content)?)))
}
