//! Requests through the node's handle: what honest peers answer, what it costs to answer wrongly, who is asked instead.

use std::collections::BTreeSet;

use anyhow::Result;
use beacond::chain::{ChainConfig, ForkSchedule};
use beacond::events::NodeEvent;
use beacond::fault::{Classify, Fault};
use beacond::node::{RequestError, Whom};
use beacond::rpc::codec::encode_message;
use beacond::rpc::methods::{self, BeaconBlocksByRange, BeaconBlocksByRoot, BlocksByRange};
use beacond::rpc::{Method, method};
use beacond::time::SlotClock;
use beacond::types::containers::{Container, fulu};
use beacond::types::{PeerId, Root, Slot};
use ssz::Encode;

use crate::support::{Hostile, Options, Script, TestNode, network};

/// A method that peers need not speak, beside those of the handshake.
async fn peer_speaking<M: Method>() -> Result<Hostile> {
    Hostile::speaking(methods::protocol_ids().chain(method::protocols::<M>()).collect()).await
}

/// A chain of blocks, the last of them of now: root and chunk of each, oldest first.
fn blocks(chain: &ChainConfig, count: u64) -> (Slot, Vec<(Root, Vec<u8>)>) {
    let Slot(now) = SlotClock::system(chain.genesis_time, chain.slot_duration).slot().unwrap();
    let schedule = ForkSchedule::new(chain);
    let first = Slot(now + 1 - count);
    let mut parent_root = Root::default();
    let link = |slot| {
        let mut block = fulu::SignedBeaconBlock::default();
        (block.message.slot, block.message.parent_root) = (slot, parent_root);
        parent_root = block.message.root();
        let context = schedule.digest_at(slot.epoch()).0;
        (parent_root, [&[0][..], &context, &encode_message(&block.as_ssz_bytes())].concat())
    };
    (first, (first.0..=now).map(Slot).map(link).collect())
}

fn joined(chunks: &[(Root, Vec<u8>)]) -> Vec<u8> {
    chunks.iter().flat_map(|(_, chunk)| chunk.clone()).collect()
}

/// A status of somebody who has these blocks.
fn with_head(chain: &ChainConfig, slot: Slot) -> Script {
    let honest = Script::honest(chain);
    let status = beacond::types::StatusMessage { head_slot: slot, head_root: Root([7; 32]), ..honest.status };
    honest.with_status(status)
}

/// Lets a node meet a peer, which dials it.
async fn met(node: &mut TestNode, peer: &mut Hostile, script: &Script) -> Result<()> {
    let connection = peer.dial(&node.multiaddr("/tcp/")?).await?;
    peer.ask_status(&connection, script).await?;
    let peer_id = peer.peer_id;
    tokio::select! {
        ready = node.ready(peer_id) => ready.map(drop),
        ended = peer.play(script) => anyhow::bail!("refused: {:?}", ended?),
    }
}

#[tokio::test]
async fn blocks_come_one_by_one_and_the_request_is_told_of() -> Result<()> {
    let chain = network(110);
    let mut node = TestNode::start(Options::new(&chain)).await?;
    let mut peer = peer_speaking::<BeaconBlocksByRange>().await?;
    let (start_slot, chunks) = blocks(&chain, 3);
    let script = with_head(&chain, Slot(start_slot.0 + 2)).answering("beacon_blocks_by_range", joined(&chunks));
    met(&mut node, &mut peer, &script).await?;

    let request = BlocksByRange { start_slot, count: 3, step: 1 };
    let peer_id = peer.peer_id;
    for whom in [Whom::Peer(peer_id), Whom::Any] {
        let reading = async {
            let mut answer = node.handle.request::<BeaconBlocksByRange>(whom, &request).await?;
            assert_eq!(answer.peer_id(), peer_id);
            let mut roots = Vec::new();
            while let Some(block) = answer.next().await? {
                roots.push(block.block_root);
            }
            anyhow::Ok(roots)
        };
        let roots = tokio::select! {
            roots = reading => roots?,
            ended = peer.play(&script) => anyhow::bail!("hung up: {:?}", ended?),
        };
        assert_eq!(roots, chunks.iter().map(|(root, _)| *root).collect::<Vec<_>>());
        let told = |event: &NodeEvent| match event {
            NodeEvent::RpcRequestFinished { method, result, chunks, ssz_bytes, .. } => {
                (*method, *result, *chunks) == ("beacon_blocks_by_range/2", "ok", 3) && *ssz_bytes > 3 * 1_000
            }
            _ => false,
        };
        node.wait("rpc.request_finished", told).await?;
    }
    Ok(())
}

#[tokio::test]
async fn whoever_leaves_out_a_block_pays_for_it() -> Result<()> {
    let chain = network(111);
    let mut node = TestNode::start(Options::new(&chain)).await?;
    let mut peer = peer_speaking::<BeaconBlocksByRange>().await?;
    let (start_slot, mut chunks) = blocks(&chain, 3);
    chunks.remove(1);
    let script = with_head(&chain, Slot(start_slot.0 + 2)).answering("beacon_blocks_by_range", joined(&chunks));
    met(&mut node, &mut peer, &script).await?;

    let request = BlocksByRange { start_slot, count: 3, step: 1 };
    let peer_id = peer.peer_id;
    let reading = async {
        let mut answer = node.handle.request::<BeaconBlocksByRange>(Whom::Peer(peer_id), &request).await?;
        assert!(answer.next().await?.is_some(), "the first one is what was asked for");
        let error = answer.next().await.unwrap_err();
        assert_eq!((error.reason(), answer.next().await?.is_none()), ("broken_chain", true));
        anyhow::Ok(())
    };
    tokio::select! {
        read = reading => read?,
        ended = peer.play(&script) => anyhow::bail!("hung up: {:?}", ended?),
    }
    let charged = |event: &NodeEvent| match event {
        NodeEvent::PeerPenalized { peer_id: charged, deed, .. } => (*charged, *deed) == (peer_id, "request"),
        _ => false,
    };
    node.wait("peer.penalized", charged).await?;
    Ok(())
}

#[tokio::test]
async fn another_peer_is_asked_when_one_has_nothing() -> Result<()> {
    let chain = network(112);
    let mut node = TestNode::start(Options::new(&chain)).await?;
    let (start_slot, chunks) = blocks(&chain, 2);
    let unavailable = [vec![3], encode_message(b"pruned")].concat();
    let (mut able, mut unable) =
        (peer_speaking::<BeaconBlocksByRange>().await?, peer_speaking::<BeaconBlocksByRange>().await?);
    let honest = with_head(&chain, Slot(start_slot.0 + 1)).answering("beacon_blocks_by_range", joined(&chunks));
    let refusing = with_head(&chain, Slot(start_slot.0 + 1)).answering("beacon_blocks_by_range", unavailable);
    met(&mut node, &mut able, &honest).await?;
    met(&mut node, &mut unable, &refusing).await?;

    let request = BlocksByRange { start_slot, count: 2, step: 1 };
    let able_id = able.peer_id;
    let asking = async {
        // by chance the one or the other is asked first: that it is never the one that refuses is less likely than 2^-60
        for _ in 0..64 {
            let mut answer = node.handle.request::<BeaconBlocksByRange>(Whom::Any, &request).await?;
            assert_eq!(answer.peer_id(), able_id);
            while answer.next().await?.is_some() {}
        }
        let mut tried = BTreeSet::from([able_id]);
        let error = node.handle.request_untried::<BeaconBlocksByRange>(&request, &mut tried).await.unwrap_err();
        assert_eq!((error.reason(), tried.len()), ("resource_unavailable", 2), "only the other was asked");
        let error = node.handle.request_untried::<BeaconBlocksByRange>(&request, &mut tried).await.unwrap_err();
        assert!(matches!(error, RequestError::Nobody), "{error}");
        anyhow::Ok(())
    };
    tokio::select! {
        asked = asking => asked?,
        ended = able.play(&honest) => anyhow::bail!("hung up: {:?}", ended?),
        ended = unable.play(&refusing) => anyhow::bail!("hung up: {:?}", ended?),
    }
    let unable_id = unable.peer_id;
    let refused = node.count(|event| match event {
        NodeEvent::RpcRequestFinished { peer_id, result, .. } => {
            (*peer_id, *result) == (unable_id, "resource_unavailable")
        }
        _ => false,
    });
    assert!(refused >= 2, "at least once of itself, and once when it alone was left: {refused}");
    let penalized = node.count(|event| matches!(event, NodeEvent::PeerPenalized { .. }));
    assert_eq!(penalized, 0, "to have nothing is no fault");
    Ok(())
}

#[tokio::test]
async fn a_peer_that_is_not_there_and_one_that_has_nothing_of_it_are_told_apart() -> Result<()> {
    let chain = network(113);
    let mut node = TestNode::start(Options::new(&chain)).await?;
    let stranger = PeerId::random();
    let request = vec![Root::default()];
    let error = node.handle.request::<BeaconBlocksByRoot>(Whom::Peer(stranger), &request).await.unwrap_err();
    assert!(matches!(error, RequestError::NotReady(peer_id) if peer_id == stranger), "{error}");

    let mut peer = Hostile::start().await?;
    let script = Script::honest(&chain);
    met(&mut node, &mut peer, &script).await?;
    // its head is genesis
    let request = BlocksByRange { start_slot: Slot(1), count: 1, step: 1 };
    let error = node.handle.request::<BeaconBlocksByRange>(Whom::Any, &request).await.unwrap_err();
    assert!(matches!(error, RequestError::Nobody), "{error}");
    let error = node.handle.request::<BeaconBlocksByRange>(Whom::Peer(peer.peer_id), &request).await.unwrap_err();
    assert_eq!(error.reason(), "unsupported_protocol");
    for whom in [Whom::Any, Whom::Peer(peer.peer_id)] {
        let request = BlocksByRange { start_slot: Slot(1), count: 0, step: 1 };
        let error = node.handle.request::<BeaconBlocksByRange>(whom, &request).await.unwrap_err();
        assert_eq!((error.reason(), error.fault()), ("asks_for_nothing", Fault::Local));
    }
    Ok(())
}
