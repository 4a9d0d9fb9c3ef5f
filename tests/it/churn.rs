//! Peers that come and go for as long as one likes: what a node keeps of them goes with them.
//!
//! `BEACOND_CHURN_SECONDS` says for how long, 20 s unless set. From twenty minutes on, resident memory must be the
//! same after the second half as after the first; in less time it is told alone, because the scores of peers that are gone are kept
//! for an epoch, back-offs until there are 4,096 of them, and the heap takes minutes to reach its greatest extent.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use beacond::chain::ChainConfig;
use beacond::config::TransportConfig;
use beacond::events::NodeEvent;
use beacond::peers::Limits;
use beacond::types::{GoodbyeReason, KnownPeer};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{Hostile, Options, Script, TestNode, network};

/// Peers at once.
const PEERS: usize = 200;

/// Of the node: 90 of those who dial it find a place.
const TARGET: usize = 100;

/// From here on memory has had the time to settle.
const LONG: Duration = Duration::from_secs(1_200);

#[tokio::test]
async fn of_two_hundred_peers_that_come_and_go_nothing_stays() -> Result<()> {
    let lasts = lasts()?;
    let chain = ChainConfig { slot_duration: Duration::from_secs(1), ..network(130) };
    let options = Options::new(&chain);
    let transports = TransportConfig { tcp: false, quic: false, memory: true, ..options.transports };
    let handshake_deadline = Duration::from_secs(2);
    let mut node = TestNode::start(Options { transports, handshake_deadline, target: TARGET, ..options }).await?;
    emptied(&mut node).await?;

    churn(&mut node, &chain, lasts / 2).await?;
    emptied(&mut node).await?;
    let warm = resident_kib()?;
    let came = churn(&mut node, &chain, lasts / 2).await?;
    emptied(&mut node).await?;
    let end = resident_kib()?;
    println!("{came} peers were ready; {warm} KiB resident before them, {end} KiB after");
    if lasts >= LONG {
        assert!(end <= warm + warm / 10, "memory grew from {warm} to {end} KiB");
    }
    assert_eq!(node.stop().await?.goodbyes, 0);
    Ok(())
}

fn lasts() -> Result<Duration> {
    match std::env::var("BEACOND_CHURN_SECONDS") {
        Ok(seconds) => Ok(Duration::from_secs(seconds.parse().context("BEACOND_CHURN_SECONDS is a number")?)),
        Err(_) => Ok(Duration::from_secs(20)),
    }
}

/// Has peers come and go for this long; how many were ready.
async fn churn(node: &mut TestNode, chain: &ChainConfig, lasts: Duration) -> Result<usize> {
    let (address, over) = (node.multiaddr("/memory/")?, CancellationToken::new());
    let mut crowd = JoinSet::new();
    for number in 0..PEERS {
        let (address, script, over) = (address.clone(), Script::honest(chain), over.clone());
        crowd.spawn(async move {
            for visit in number.. {
                if over.is_cancelled() {
                    break;
                }
                // refused, or sent away: as good as any other way to go
                let _ = pay_a_visit(&address, &script, Manner::of(visit), &over).await;
            }
        });
    }
    let is_ready = |event: &NodeEvent| matches!(event, NodeEvent::HandshakeCompleted { .. });
    let (mut ready, end) = (0, Instant::now() + lasts);
    loop {
        let summary = tokio::select! {
            () = sleep_until(end) => break,
            summary = next_summary(node) => summary?,
        };
        ensure_bounded(&summary)?;
        ready += node.count(is_ready);
        node.forget();
    }
    over.cancel();
    while let Some(done) = crowd.join_next().await {
        done?;
    }
    ready += node.count(is_ready);
    node.forget();
    ensure!(ready > 0, "nobody was let in");
    Ok(ready)
}

/// How a peer goes.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// With a goodbye.
    Polite,
    /// By closing the connection.
    Curt,
    /// Without a word: its process ends.
    Abrupt,
    /// It never answers, and is sent away.
    Mute,
}

impl Manner {
    const fn of(visit: usize) -> Self {
        match visit % 4 {
            0 => Self::Polite,
            1 => Self::Curt,
            2 => Self::Abrupt,
            _ => Self::Mute,
        }
    }
}

/// Comes, stays for a while unless it is sent away or all is over, and goes.
async fn pay_a_visit(node: &KnownPeer, script: &Script, manner: Manner, over: &CancellationToken) -> Result<()> {
    let mut peer = Hostile::in_memory().await?;
    if let Manner::Mute = manner {
        let _connection = peer.dial(node).await?;
        tokio::select! {
            told = peer.ignore() => return told,
            () = over.cancelled() => return Ok(()),
        }
    }
    let connection = peer.knock(node, script).await?;
    let while_there = Duration::from_millis(rand::random_range(0..6_000));
    tokio::select! {
        told = timeout(while_there, peer.stay(script)) => if let Ok(told) = told { return told.map(drop) },
        () = over.cancelled() => {}
    }
    match manner {
        Manner::Polite => peer.say_goodbye(&connection, GoodbyeReason::CLIENT_SHUTDOWN).await,
        Manner::Curt => {
            peer.hang_up(&connection).await;
            peer.ignore().await
        }
        Manner::Abrupt | Manner::Mute => Ok(()),
    }
}

async fn next_summary(node: &mut TestNode) -> Result<Arc<NodeEvent>> {
    node.wait("peers.summarized", |event| matches!(event, NodeEvent::PeersSummarized { .. })).await
}

/// Whatever comes, this is the most.
fn ensure_bounded(summary: &NodeEvent) -> Result<()> {
    let NodeEvent::PeersSummarized {
        inbound,
        outbound,
        connecting,
        connected,
        queued,
        remembered,
        sessions,
        attempts,
        heard,
        ..
    } = summary
    else {
        unreachable!("waited for it")
    };
    let limits = Limits::for_target(TARGET);
    ensure!(*inbound <= limits.max_inbound, "{summary:?}");
    ensure!((*outbound, *connecting, *queued) == (0, 0, 0), "{summary:?}");
    ensure!(*sessions <= *inbound, "a session without its peer: {summary:?}");
    ensure!(*connected <= limits.max_pending_inbound && *attempts <= limits.max_pending_inbound, "{summary:?}");
    ensure!(*heard <= limits.max_pending_inbound + MOST_EARLY, "{summary:?}");
    ensure!(*remembered <= MOST_REMEMBERED, "{summary:?}");
    Ok(())
}

/// Connections that the node has heard of before it knew of them.
const MOST_EARLY: usize = 256;

/// Peers that back off, or have a record.
const MOST_REMEMBERED: usize = 4_096;

/// Waits until nobody is there, and nothing is held of anybody.
async fn emptied(node: &mut TestNode) -> Result<()> {
    let is_summary = |event: &NodeEvent| matches!(event, NodeEvent::PeersSummarized { .. });
    let emptied = node.wait("nobody to be held", holds_nobody).await;
    let last = node.history().iter().rev().find(|event| is_summary(event));
    emptied.with_context(|| format!("at last {last:?}"))?;
    let forgotten = |event: &NodeEvent| matches!(event, NodeEvent::GossipSlotSummarized { router_peers: 0, .. });
    node.wait("the router to know nobody", forgotten).await?;
    node.forget();
    Ok(())
}

fn holds_nobody(event: &NodeEvent) -> bool {
    match event {
        NodeEvent::PeersSummarized {
            inbound,
            outbound,
            connecting,
            connected,
            queued,
            sessions,
            attempts,
            heard,
            ..
        } => {
            [inbound, outbound, connecting, connected, queued, sessions, attempts, heard].iter().all(|held| **held == 0)
        }
        _ => false,
    }
}

/// Of the whole process, which is that of the peers as well.
fn resident_kib() -> Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").context("memory is read on Linux")?;
    let pages: u64 = statm.split(' ').nth(1).context("a second field")?.parse()?;
    Ok(pages * 4)
}
