//! The network core of Lodestar 1.44 at Fulu: handshakes at the newest versions over QUIC and over TCP + Mplex.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::beacond::Beacond;
use crate::network::{self, VALIDATORS_ROOT};
use crate::npm::Package;
use crate::process::{Line, Process};
use crate::scenario::{self, Scenario, free_port, heavy_start, unix_time};

/// Long enough for the peer's heartbeat (30 s) to judge everyone once.
const STAY: Duration = Duration::from_secs(35);

#[test]
fn lodestar_at_fulu_holds_us_over_quic_and_over_tcp() -> Result<()> {
    scenario::run(|scenario| {
        let core = Core::start(scenario, unix_time() - 60, json!({}))?;
        let start = |name, flags| Beacond::start(scenario, name, &core.network, &[&core.enr], flags);
        let quic = start("beacond-quic", &["--transports", "quic"])?;
        let tcp = start("beacond-tcp", &["--transports", "tcp"])?;
        let yamux = start("beacond-yamux", &["--transports", "tcp", "--muxers", "yamux"])?;

        for (beacond, transport, muxer) in [(&quic, "quic", "quic"), (&tcp, "tcp", "mplex")] {
            let ready = beacond.event("handshake.completed", &core.peer_id, Duration::from_secs(30))?;
            ensure!(ready.str("transport") == transport && ready.str("muxer") == muxer, "{}", ready.text);
            ensure!(ready.str("client") == "lodestar", "{}", ready.text);
            ensure!(ready.field("custody_group_count").as_u64() == Some(4), "metadata v3 was not read: {}", ready.text);
            let held = core.event("peerConnected", beacond.peer_id(), Duration::from_secs(15))?;
            ensure!(held.field("status")["forkDigest"].as_str() == Some(&core.fork_digest), "{}", held.text);
            ensure!(held.field("status")["finalizedEpoch"].as_u64() == Some(0), "{}", held.text);
        }

        // The peer offers Mplex alone on TCP, and no address of its own is left to try.
        let failed = yamux.event("dial.failed", &core.peer_id, Duration::from_secs(30))?;
        ensure!(failed.str("reason") == "no_muxer" && failed.str("fault") == "incompatible", "{}", failed.text);

        quic.keeps(&core.peer_id, scenario::soak(STAY)?)?;
        tcp.keeps(&core.peer_id, Duration::ZERO)?;
        core.process.ensure_none("disconnection", Duration::ZERO, |line| line.event() == "peerDisconnected")?;

        let peer_id = quic.peer_id().to_owned();
        let status = quic.stop()?;
        ensure!(status.success(), "SIGTERM ended beacond with {status}");
        let goodbye = core.process.wait_for("goodbye", Duration::from_secs(5), |line| {
            line.event() == "request" && line.str("peer") == peer_id && line.str("method") == "goodbye"
        })?;
        ensure!(goodbye.field("body").as_str() == Some("1"), "{}", goodbye.text);
        Ok(())
    })
}

/// The running peer.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) process: Process,
    pub(crate) peer_id: String,
    pub(crate) enr: String,
    pub(crate) fork_digest: String,
    /// What `--network-dir` takes.
    pub(crate) network: PathBuf,
}

impl Core {
    /// Starts the peer. `over` replaces what it would be told otherwise; its script names the options.
    pub(crate) fn start(scenario: &Scenario, genesis_time: u64, over: Value) -> Result<Self> {
        let _heavy = heavy_start();
        let mut options = json!({
            "port": free_port()?,
            "quicPort": free_port()?,
            "genesisTime": genesis_time,
            "genesisValidatorsRoot": format!("0x{}", hex::encode(VALIDATORS_ROOT)),
        });
        if let (Some(options), Value::Object(over)) = (options.as_object_mut(), over) {
            options.extend(over);
        }
        let process =
            scenario.spawn("core", scenario.node("core", Package::Core)?.arg("peer.mjs").arg(options.to_string()))?;
        let ready = process.wait_for("start", Duration::from_secs(120), |line| line.event() == "ready")?;
        let config = ready.field("config").as_object().context("no config")?;
        let root = options["genesisValidatorsRoot"].as_str().unwrap_or_default().trim_start_matches("0x");
        let root = <[u8; 32]>::try_from(hex::decode(root)?).ok().context("a root is 32 bytes")?;
        let genesis = network::genesis_head_of(genesis_time, root);
        let network = network::write(scenario.subdirectory("network")?, config, &genesis)?;
        let text = |name| ready.str(name).to_owned();
        Ok(Self { peer_id: text("peerId"), enr: text("enr"), fork_digest: text("forkDigest"), network, process })
    }

    /// Waits for the event `name` about the peer `peer_id`.
    pub(crate) fn event(&self, name: &str, peer_id: &str, timeout: Duration) -> Result<Line> {
        self.process.wait_for(&format!("{name} of {peer_id}"), timeout, |line| {
            line.event() == name && line.str("peer") == peer_id
        })
    }
}
