//! Peers that go away and come back as the same node at the same place.

use std::time::Duration;

use anyhow::Result;
use beacond::events::NodeEvent;
use beacond::store::Identity;
use beacond::types::{Direction, KnownPeer};
use tokio::time::Instant;

use crate::support::{Hostile, Options, Script, TestNode, fixed_ports, freed, network};

/// From the moment that a peer is back.
const BACK_WITHIN: Duration = Duration::from_secs(30);

/// Starts a node that can be started again.
async fn start(seed: u8, identity: &Identity, on: beacond::config::ListenOn, knows: &[KnownPeer]) -> Result<TestNode> {
    freed(on).await?;
    let (identity, known_peers) = (identity.clone(), knows.to_vec());
    TestNode::start(Options { identity, on, known_peers, ..Options::new(&network(seed)) }).await
}

#[tokio::test]
async fn a_peer_that_stopped_is_found_again_when_it_is_back() -> Result<()> {
    let (identity, on) = (Identity::generate(), fixed_ports());
    for transport in ["/tcp/", "/quic-v1"] {
        let mut peer = start(100, &identity, on, &[]).await?;
        let mut node = start(100, &Identity::generate(), Options::anywhere(), &[peer.multiaddr(transport)?]).await?;
        node.met(&mut peer).await?;
        peer.stop().await?;
        assert_eq!(node.gone(identity.peer_id).await?, ("goodbye_received", Some(1)));
        assert_eq!(node.peers(), []);
        let back = Instant::now();
        let _peer = start(100, &identity, on, &[]).await?;
        node.ready(identity.peer_id).await?;
        assert!(back.elapsed() < BACK_WITHIN, "{transport}: {:?}", back.elapsed());
    }
    Ok(())
}

#[tokio::test]
async fn a_peer_that_was_killed_is_found_again_when_it_is_back() -> Result<()> {
    let (identity, on) = (Identity::generate(), fixed_ports());
    let mut peer = start(101, &identity, on, &[]).await?;
    let mut node = start(101, &Identity::generate(), Options::anywhere(), &[peer.multiaddr("/tcp/")?]).await?;
    node.met(&mut peer).await?;
    peer.kill().await?;
    assert_eq!(node.gone(identity.peer_id).await?, ("closed_by_peer", None));
    let back = Instant::now();
    let _peer = start(101, &identity, on, &[]).await?;
    node.ready(identity.peer_id).await?;
    assert!(back.elapsed() < BACK_WITHIN, "{:?}", back.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_killed_node_has_its_peers_again_whether_or_not_they_noticed() -> Result<()> {
    for transport in ["/tcp/", "/quic-v1"] {
        let mut node = start(102, &Identity::generate(), Options::anywhere(), &[]).await?;
        let (identity, on, knows) = (Identity::generate(), fixed_ports(), [node.multiaddr(transport)?]);
        let mut peer = start(102, &identity, on, &knows).await?;
        node.met(&mut peer).await?;
        peer.kill().await?;
        let back = Instant::now();
        let mut peer = start(102, &identity, on, &knows).await?;
        node.met(&mut peer).await?;
        assert!(back.elapsed() < BACK_WITHIN, "{transport}: {:?}", back.elapsed());
        assert_eq!(node.peers(), [identity.peer_id]);
        let gone = |event: &NodeEvent| matches!(event, NodeEvent::PeerDisconnected { .. });
        assert_eq!((node.count(gone), peer.count(gone)), (1, 0), "{transport}");
    }
    Ok(())
}

#[tokio::test]
async fn a_peer_that_dials_back_is_not_kept_out_by_a_connection_that_is_dead() -> Result<()> {
    let chain = network(103);
    let mut node = TestNode::start(Options::new(&chain)).await?;
    let (mut lost, script) = (Hostile::start().await?, Script::honest(&chain));
    node.handle.add_known_peer(lost.multiaddr()).await?;
    let peer_id = lost.peer_id;
    tokio::select! {
        ready = node.ready(peer_id) => ready?,
        ended = lost.play(&script) => anyhow::bail!("refused: {:?}", ended?),
    };
    // from here on nothing is answered over that connection, and it does not close
    let mut back = lost.again().await?;
    let since = Instant::now();
    let connection = back.dial(&node.multiaddr("/tcp/")?).await?;
    back.ask_status(&connection, &script).await?;
    let replaced = |event: &NodeEvent| matches!(event, NodeEvent::PeerReplaced { direction: Direction::Inbound, .. });
    tokio::select! {
        replaced = node.wait("peer.replaced", replaced) => replaced?,
        ended = back.play(&script) => anyhow::bail!("refused: {:?}", ended?),
    };
    assert!(since.elapsed() < BACK_WITHIN, "{:?}", since.elapsed());
    assert_eq!(node.peers(), [peer_id]);
    back.hang_up(&connection).await;
    assert_eq!(node.gone(peer_id).await?, ("closed_by_peer", None));
    Ok(())
}

/// Lodestar and others answer two pings in ten seconds, which the handshakes of two connections take, and bar whoever
/// sends a third.
#[tokio::test]
async fn one_of_two_connections_is_closed_without_a_third_ping() -> Result<()> {
    let chain = network(104);
    let mut node = TestNode::start(Options::new(&chain)).await?;
    let (mut first, script) = (Hostile::start().await?, Script::honest(&chain));
    node.handle.add_known_peer(first.multiaddr()).await?;
    let peer_id = first.peer_id;
    tokio::select! {
        ready = node.ready(peer_id) => ready?,
        ended = first.play(&script) => anyhow::bail!("refused: {:?}", ended?),
    };
    let mut second = first.again().await?;
    let connection = second.dial(&node.multiaddr("/tcp/")?).await?;
    second.ask_status(&connection, &script).await?;
    tokio::select! {
        ended = second.play(&script) => assert_eq!(ended?, None),
        asked = first.play_until("ping", &script) => anyhow::bail!("asked for {}", asked?.protocol),
    };
    assert_eq!(node.peers(), [peer_id]);
    Ok(())
}
