//! Peers that dial us: what they say by themselves is taken, and only the rest is asked for.

use anyhow::Result;
use beacond::events::NodeEvent;

use crate::support::{Hostile, Options, Script, TestNode, Testnet, network};

/// What a node has asked its only peer for, in no order.
fn asked(node: &mut TestNode) -> Vec<&'static str> {
    let mut asked: Vec<_> = node
        .history()
        .iter()
        .filter_map(|event| match &**event {
            NodeEvent::RpcRequestFinished { method, .. } => Some(*method),
            _ => None,
        })
        .collect();
    asked.sort_unstable();
    asked
}

/// A stranger that dials a node, says of itself what `says` names, and answers what it is asked until it is ready.
async fn meets(seed: u8, says: &[&str]) -> Result<Vec<&'static str>> {
    let chain = network(seed);
    let mut node = TestNode::start(Options::new(&chain)).await?;
    let (mut stranger, script) = (Hostile::start().await?, Script::honest(&chain));
    let connection = stranger.dial(&node.multiaddr("/tcp/")?).await?;
    if says.contains(&"status") {
        assert_eq!(stranger.ask_status(&connection, &script).await?, script.status);
    }
    if says.contains(&"ping") {
        stranger.ping(&connection).await?;
    }
    let peer_id = stranger.peer_id;
    tokio::select! {
        ready = node.ready(peer_id) => ready?,
        ended = stranger.play(&script) => anyhow::bail!("refused: {:?}", ended?),
    };
    Ok(asked(&mut node))
}

#[tokio::test]
async fn a_dialler_that_says_its_status_need_not_answer_ours() -> Result<()> {
    assert_eq!(meets(110, &["status"]).await?, ["metadata/3", "ping/1"]);
    Ok(())
}

#[tokio::test]
async fn a_dialler_that_pings_need_not_answer_ours() -> Result<()> {
    // whoever pings first is heard, although the handshake has got no further than Status
    assert_eq!(meets(111, &["ping", "status"]).await?, ["metadata/3"]);
    Ok(())
}

#[tokio::test]
async fn a_dialler_that_says_nothing_is_asked_for_everything() -> Result<()> {
    assert_eq!(meets(112, &[]).await?, ["metadata/3", "ping/1", "status/2"]);
    Ok(())
}

#[tokio::test]
async fn a_node_that_dials_is_not_asked_for_its_status() -> Result<()> {
    for (seed, transport) in [(113, "/tcp/"), (114, "/quic-v1")] {
        let [mut dialler, mut listener] = Testnet::pair(&network(seed), transport).await?;
        dialler.met(&mut listener).await?;
        assert_eq!(asked(&mut dialler), ["metadata/3", "ping/1", "status/2"]);
        let asked = asked(&mut listener);
        assert!(!asked.contains(&"status/2") && asked.contains(&"metadata/3"), "{asked:?}");
    }
    Ok(())
}
