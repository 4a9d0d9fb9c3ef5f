//! The transports against js-libp2p: connection, identify and ping over each stack, and peers that speak no eth2.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::beacond::Beacond;
use crate::network;
use crate::npm::Package;
use crate::process::Process;
use crate::scenario::{self, Scenario, free_port, unix_time};

#[test]
fn js_libp2p_connects_identifies_and_pings_over_every_stack() -> Result<()> {
    scenario::run(|scenario| {
        let network = fulu_network(scenario)?;
        // Silence on Status leaves time for everything else.
        let peer = Peer::start(scenario, "libp2p-silent", true)?;
        let stacks = [
            ("tcp", "yamux", &["--transports", "tcp", "--muxers", "yamux"][..]),
            ("tcp", "mplex", &["--transports", "tcp", "--muxers", "mplex"][..]),
            ("quic", "quic", &["--transports", "quic"][..]),
        ];
        let mut daemons = Vec::new();
        for (transport, muxer, flags) in stacks {
            let name = format!("beacond-{transport}-{muxer}");
            let address = peer.address(transport)?;
            daemons.push((transport, muxer, Beacond::start(scenario, &name, &network, &[&address], flags)?));
        }
        for (transport, muxer, beacond) in &daemons {
            let connected = beacond.event("peer.connected", &peer.id, Duration::from_secs(10))?;
            ensure!(connected.str("transport") == *transport && connected.str("muxer") == *muxer, "{}", connected.text);
            let identified = peer.event("identify", beacond.peer_id())?;
            ensure!(identified.str("agent").starts_with("beacond/"), "{}", identified.text);
            ensure!(identified.text.contains("/meshsub/1.1.0"), "gossipsub is not offered: {}", identified.text);
            peer.event("ping", beacond.peer_id())?;
            peer.event("open", beacond.peer_id())?;
        }
        for (_, _, beacond) in &daemons {
            let rejected = beacond.event("handshake.rejected", &peer.id, Duration::from_secs(30))?;
            ensure!(rejected.str("step") == "status" && rejected.str("fault") == "transient", "{}", rejected.text);
        }
        Ok(())
    })
}

#[test]
fn a_peer_without_eth2_protocols_is_refused_as_incompatible() -> Result<()> {
    scenario::run(|scenario| {
        let peer = Peer::start(scenario, "libp2p", false)?;
        let beacond = Beacond::start(scenario, "beacond", &fulu_network(scenario)?, &[&peer.address("tcp")?], &[])?;
        let rejected = beacond.event("handshake.rejected", &peer.id, Duration::from_secs(20))?;
        ensure!(rejected.str("step") == "status" && rejected.str("fault") == "incompatible", "{}", rejected.text);
        peer.event("close", beacond.peer_id())?;
        Ok(())
    })
}

fn fulu_network(scenario: &Scenario) -> Result<std::path::PathBuf> {
    network::write(scenario.subdirectory("network")?, &network::fulu_config(), &network::genesis_head(unix_time() - 60))
}

struct Peer {
    process: Process,
    id: String,
    addresses: Vec<String>,
}

impl Peer {
    fn start(scenario: &Scenario, name: &str, silent: bool) -> Result<Self> {
        let options = json!({ "port": free_port()?, "quicPort": free_port()?, "silent": silent });
        let process =
            scenario.spawn(name, scenario.node(name, Package::Libp2p)?.arg("peer.mjs").arg(options.to_string()))?;
        let ready = process.wait_for("start", Duration::from_secs(60), |line| line.event() == "ready")?;
        let addresses = ready.field("addresses").as_array().context("no addresses")?;
        let addresses = addresses.iter().filter_map(|address| address.as_str().map(str::to_owned)).collect();
        Ok(Self { process, id: ready.str("peer").to_owned(), addresses })
    }

    fn address(&self, transport: &str) -> Result<String> {
        let address = self.addresses.iter().find(|address| address.contains(transport));
        address.cloned().with_context(|| format!("no {transport} in {:?}", self.addresses))
    }

    /// Waits for the event `name` about the peer `peer_id`.
    fn event(&self, name: &str, peer_id: &str) -> Result<crate::process::Line> {
        self.process.wait_for(&format!("{name} of {peer_id}"), Duration::from_secs(15), |line| {
            line.event() == name && line.str("peer") == peer_id
        })
    }
}
