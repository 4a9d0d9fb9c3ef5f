//! A whole chain of Lodestar 1.5.1, of which we are told one record, and how it likes us.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::beacond::Beacond;
use crate::chain::{Chain, Shape};
use crate::scenario::{self, Scenario};

/// How long the chain must keep us at least.
const STAY: Duration = Duration::from_secs(60);

#[test]
fn lodestar_chain_holds_us_as_a_good_peer() -> Result<()> {
    scenario::run(|scenario| {
        let chain = Chain::start(scenario, Shape::default())?;
        let first = &chain.nodes[0];
        let beacond = Beacond::start(scenario, "beacond", &chain.network, &[&first.enr], &[])?;
        let began = tokio::time::Instant::now();
        for node in &chain.nodes {
            let left = Duration::from_secs(30).saturating_sub(began.elapsed());
            let ready = beacond.event("handshake.completed", &node.peer_id, left)?;
            ensure!(ready.str("client") == "lodestar", "{}", ready.text);
            ensure!(ready.str("transport") == "tcp" && ready.str("muxer") == "mplex", "{}", ready.text);
            node.process.poll("state `connected` for us", Duration::from_secs(10), || node.lists(beacond.peer_id()))?;
        }
        quic_alone_reaches_us_and_says_why_nobody_else(scenario, &chain, beacond.peer_id())?;
        // Being at genesis for ever, and having no blocks, must not count against us.
        beacond.keeps(&first.peer_id, scenario::soak(STAY)?.saturating_sub(began.elapsed()))?;
        for node in &chain.nodes {
            beacond.keeps(&node.peer_id, Duration::ZERO)?;
            node.ensure_content(beacond.peer_id())?;
            node.lists(beacond.peer_id())?.context("no longer listed as connected")?;
        }
        Ok(())
    })
}

/// Lodestar 1.5.1 speaks no QUIC.
fn quic_alone_reaches_us_and_says_why_nobody_else(scenario: &Scenario, chain: &Chain, peer_id: &str) -> Result<()> {
    let flags = ["--transports", "quic"];
    let beacond = Beacond::start(scenario, "beacond-quic", &chain.network, &[&chain.nodes[0].enr], &flags)?;
    let ready = beacond.event("handshake.completed", peer_id, Duration::from_secs(30))?;
    ensure!(ready.str("transport") == "quic" && ready.str("client") == "beacond", "{}", ready.text);
    let failed = beacond
        .log()
        .wait_for("bootstrap.failed", Duration::from_secs(40), |line| line.event() == "bootstrap.failed")?;
    let count = |reason| failed.field(reason).as_u64().unwrap_or_default();
    ensure!(count("incompatible") + count("no_address") > 0, "{}", failed.text);
    beacond.log().wait_for("refusal for want of a transport", Duration::ZERO, |line| {
        line.event() == "discovery.refused" && line.str("reason") == "no_transport"
    })?;
    Ok(())
}
