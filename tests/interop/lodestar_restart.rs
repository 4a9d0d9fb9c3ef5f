//! Restarts around a chain of Lodestar 1.5.1: whoever was a peer of ours is one again within a slot of its return.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;

use crate::beacond::Beacond;
use crate::chain::{Chain, Node, Shape};
use crate::scenario::{self, Scenario, notice};

/// One slot of the chain: the longest time from the return to a session that both sides know of.
const SLOT: Duration = Duration::from_secs(4);

/// After this long nobody comes back any more; what is late is measured until then.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn lodestar_restart_of_one_of_all_and_of_us_is_over_within_a_slot() -> Result<()> {
    scenario::run(|scenario| {
        let mut chain = Chain::start(scenario, Shape::default())?;
        // The other one is nobody's word, but a find.
        let beacond = Beacond::start(scenario, "beacond", &chain.network, &[&chain.nodes[0].enr], &[])?;
        for node in &chain.nodes {
            beacond.event("handshake.completed", &node.peer_id, Duration::from_secs(30))?;
            is_listed(&beacond, node, Duration::from_secs(10))?;
        }

        let (one, all) = chain.nodes.split_at_mut(1);
        restart(scenario, "the node that was found", &beacond, all)?;
        restart(scenario, "the boot node", &beacond, one)?;
        restart(scenario, "one of all nodes", &beacond, &mut chain.nodes)?;

        let beacond = beacond.crash_and_start(scenario)?;
        let listens = Instant::now();
        for node in &chain.nodes {
            is_back_within_a_slot("we", &beacond, node, 0, listens)?;
        }
        Ok(())
    })
}

/// Lets three slots end: a peer that leaves within seconds looks as if it had no place for us, and is not awaited.
fn settle(beacond: &Beacond) -> Result<()> {
    let ended =
        || beacond.log().read(|lines| lines.iter().filter(|line| line.event() == "gossip.slot_summarized").count());
    let before = ended();
    beacond.log().poll("three slots", PATIENCE, || Ok((ended() >= before + 3).then_some(())))
}

/// Stops all of these nodes, and then starts one after the other again.
fn restart(scenario: &Scenario, who: &str, beacond: &Beacond, nodes: &mut [Node]) -> Result<()> {
    settle(beacond)?;
    for node in &mut *nodes {
        node.stop();
    }
    for node in &*nodes {
        beacond.lost(&node.peer_id)?;
    }
    for node in nodes {
        let before = beacond.handshakes(&node.peer_id);
        let listens = node.start_again(scenario)?;
        is_back_within_a_slot(who, beacond, node, before, listens)?;
    }
    Ok(())
}

/// Waits until both sides call each other a peer again; we had become one so often `before`.
fn is_back_within_a_slot(who: &str, beacond: &Beacond, node: &Node, before: usize, listens: Instant) -> Result<()> {
    let is_ready = || Ok((beacond.handshakes(&node.peer_id) > before).then_some(()));
    beacond.log().poll("session after the return", PATIENCE, is_ready)?;
    let ready = listens.elapsed();
    node.process.poll("answer of the API", PATIENCE, || node.get("/eth/v1/node/identity").map(Some))?;
    let answers = Instant::now();
    is_listed(beacond, node, PATIENCE)?;
    let (listed, late) = (listens.elapsed(), answers.elapsed());
    notice(&format!("{who}: ready {ready:.1?} and listed by Lodestar {listed:.1?} after the port was open"));
    ensure!(ready <= SLOT, "{who}: ready only after {ready:?}");
    ensure!(late <= SLOT, "{who}: listed only {late:?} after the API answered");
    Ok(())
}

fn is_listed(beacond: &Beacond, node: &Node, timeout: Duration) -> Result<()> {
    node.process.poll("state `connected` for us", timeout, || node.lists(beacond.peer_id()))
}
