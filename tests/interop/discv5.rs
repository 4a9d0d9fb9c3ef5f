//! Discovery against @chainsafe/discv5: sessions, FINDNODE in both directions, and our record read by others.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::beacond::Beacond;
use crate::network::{self, FULU_DIGEST};
use crate::npm::Package;
use crate::process::Process;
use crate::scenario::{self, Scenario, free_port, unix_time};

#[test]
fn discv5_peers_find_us_and_read_our_record() -> Result<()> {
    scenario::run(|scenario| {
        let boot = Peer::start(scenario, "discv5-boot", &[], &[])?;
        let config = network::write(
            scenario.subdirectory("network")?,
            &network::fulu_config(),
            &network::genesis_head(unix_time() - 60),
        )?;
        let beacond = Beacond::start(scenario, "beacond", &config, &[&boot.enr], &[])?;
        ensure!(beacond.started.str("fork_digest").trim_start_matches("0x") == FULU_DIGEST, "{}", beacond.started.text);
        let node_id = beacond.started.str("node_id").trim_start_matches("0x");

        let met = boot.process.wait_for("session with us", Duration::from_secs(20), |line| {
            line.event() == "enrAdded" && line.str("nodeId") == node_id
        })?;
        ensure!(met.str("peerId") == beacond.peer_id(), "the record's key is not the libp2p identity: {}", met.text);

        // It knows the boot node alone: our record reaches it in the answer to a FINDNODE.
        let seeker = Peer::start(scenario, "discv5-seeker", &[&boot.enr], &[node_id])?;
        let found = seeker.process.wait_for("our record", Duration::from_secs(30), |line| {
            line.event() == "found" && line.str("nodeId") == node_id
        })?;
        let entries = found.field("entries");
        ensure!(
            entries["eth2"].as_str().is_some_and(|eth2| eth2.starts_with(FULU_DIGEST) && eth2.len() == 32),
            "{}",
            found.text
        );
        ensure!(found.str("ip") == "127.0.0.1", "{}", found.text);
        for key in ["udp", "tcp", "quic", "cgc", "nfd"] {
            ensure!(entries[key].is_string(), "no `{key}` in {}", found.text);
        }
        let asked = seeker.process.wait_for("our answer", Duration::from_secs(10), |line| line.event() == "asked")?;
        ensure!(asked.str("nodeId") == node_id, "FINDNODE at distance 0 did not return our own record: {}", asked.text);

        // And the other way: our own lookups find the seeker, which passes the predicate.
        beacond.log().wait_for("lookup that found the seeker", Duration::from_secs(30), |line| {
            line.event() == "discovery.lookup_finished" && line.field("accepted").as_u64() > Some(0)
        })?;
        Ok(())
    })
}

struct Peer {
    process: Process,
    enr: String,
}

impl Peer {
    fn start(scenario: &Scenario, name: &str, boot_enrs: &[&str], find: &[&str]) -> Result<Self> {
        let options = json!({
            "port": free_port()?,
            "eth2": format!("{FULU_DIGEST}06000000ffffffffffffffff"),
            "bootEnrs": boot_enrs,
            "find": find,
        });
        let command: &mut Command = &mut scenario.node(name, Package::Discv5)?;
        let process = scenario.spawn(name, command.arg("peer.mjs").arg(options.to_string()))?;
        let ready = process.wait_for("start", Duration::from_secs(60), |line| line.event() == "ready")?;
        Ok(Self { process, enr: ready.str("enr").to_owned() })
    }
}
