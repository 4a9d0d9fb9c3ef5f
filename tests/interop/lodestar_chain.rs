//! A whole chain of Lodestar 1.5.1: two nodes, validators, blocks and finality, of which we are told one record.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::beacond::Beacond;
use crate::network;
use crate::npm::Package;
use crate::process::Process;
use crate::scenario::{self, Scenario, free_port, heavy_start, unix_time};

const VALIDATORS: u64 = 16;

/// From the start of the first node to its first slot: time for both to start, so that nobody has blocks to catch up with.
const GENESIS_DELAY: u64 = 20;

#[test]
fn lodestar_chain_holds_us_as_a_good_peer() -> Result<()> {
    scenario::run(|scenario| {
        let chain = Chain::start(scenario)?;
        let [first, _] = &chain.nodes;
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
        beacond.keeps(&first.peer_id, soak()?.saturating_sub(began.elapsed()))?;
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

struct Chain {
    nodes: [Node; 2],
    network: PathBuf,
}

impl Chain {
    fn start(scenario: &Scenario) -> Result<Self> {
        let _heavy = heavy_start();
        let genesis_time = (unix_time() + GENESIS_DELAY).to_string();
        let last = (VALIDATORS - 1).to_string();
        let first = Node::start(scenario, "chain-1", "dev", |own_api| {
            // `dev` makes the genesis state and writes it into its working directory.
            let validators = [
                "--genesisValidators".to_owned(),
                VALIDATORS.to_string(),
                "--startValidators".to_owned(),
                format!("0..{last}"),
            ];
            let genesis = ["--genesisTime".to_owned(), genesis_time, "--reset".to_owned()];
            // Without it the validators ask another node, on the default port.
            let api = ["--beaconNodes".to_owned(), own_api];
            [validators.as_slice(), &genesis, &api].concat()
        })?;
        let state = scenario.subdirectory("chain-1")?.join("genesis.ssz");
        let second = Node::start(scenario, "chain-2", "beacon", |_| {
            // A boot node is asked for records, but not dialled, unless told.
            let boot = [
                "--bootnodes".to_owned(),
                first.enr.clone(),
                "--network.connectToDiscv5Bootnodes".to_owned(),
                "true".to_owned(),
            ];
            [["--genesisStateFile".to_owned(), state.display().to_string()].as_slice(), &boot].concat()
        })?;
        let config = first.get("/eth/v1/config/spec")?;
        let config = config.as_object().context("the config is no object")?;
        let network = network::write(scenario.subdirectory("network")?, config, &network::read_genesis(&state)?)?;
        Ok(Self { nodes: [first, second], network })
    }
}

struct Node {
    process: Process,
    rest_port: u16,
    peer_id: String,
    enr: String,
}

impl Node {
    fn start(
        scenario: &Scenario,
        name: &str,
        command: &str,
        flags: impl FnOnce(String) -> Vec<String>,
    ) -> Result<Self> {
        let (port, rest_port) = (free_port()?.to_string(), free_port()?);
        let rest = rest_port.to_string();
        let mut node: Command = scenario.node(name, Package::Chain)?;
        node.env("NODE_BACKEND", "js"); // bcrypto without its native add-on
        node.env("SKIP_FETCH_NETWORK_BOOTNODES", "1"); // asks no public host
        node.args([
            "node_modules/@chainsafe/lodestar/lib/index.js",
            command,
            "--preset",
            "mainnet",
            "--network",
            "dev",
        ]);
        for fork in ["ALTAIR", "BELLATRIX", "CAPELLA"] {
            node.args([&format!("--params.{fork}_FORK_EPOCH"), "0"]);
        }
        node.args(["--params.SECONDS_PER_SLOT", "4", "--eth1", "false", "--execution.engineMock"]);
        node.args(["--rest", "true", "--rest.namespace", "*", "--rest.address", "127.0.0.1", "--rest.port", &rest]);
        node.args(["--listenAddress", "127.0.0.1", "--port", &port, "--discoveryPort", &port, "--mdns", "false"]);
        node.args(["--enr.ip", "127.0.0.1", "--enr.tcp", &port, "--enr.udp", &port]);
        node.args(["--dataDir", "./data", "--logLevel", "debug"]);
        node.args(flags(format!("http://127.0.0.1:{rest}")));
        let process = scenario.spawn(name, &mut node)?;
        let identity =
            process.poll("identity", Duration::from_secs(120), || get(rest_port, "/eth/v1/node/identity").map(Some))?;
        let text =
            |name: &str| identity[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {identity}"));
        Ok(Self { rest_port, peer_id: text("peer_id")?, enr: text("enr")?, process })
    }

    fn get(&self, path: &str) -> Result<Value> {
        get(self.rest_port, path)
    }

    /// Whether the node counts the peer `peer_id` among its connected ones.
    fn lists(&self, peer_id: &str) -> Result<Option<()>> {
        let peers = self.get("/eth/v1/node/peers?state=connected")?;
        let peers = peers.as_array().context("the peers are no list")?;
        let listed = peers.iter().any(|peer| peer["peer_id"] == peer_id && peer["state"] == "connected");
        Ok(listed.then_some(()))
    }

    /// Fails where the node has something against the peer `peer_id`: each failed request is a penalty in its books, and a goodbye the end.
    fn ensure_content(&self, peer_id: &str) -> Result<()> {
        // Peers are logged as `16...aBcDeF`.
        let label = format!("peer=16...{}", &peer_id[peer_id.len() - 6..]);
        let complaints = ["error", "goodbye", "disconnected", "Irrelevant", "rate limit"];
        self.process.ensure_none("complaint about us", Duration::ZERO, |line| {
            line.text.contains(&label) && complaints.iter().any(|complaint| line.text.contains(complaint))
        })?;
        // Whoever dialled tells its Status and its Ping by asking.
        for method in ["metadata", "status", "ping"] {
            let (asked, answered) =
                (format!("Req  request sent method={method}"), format!("Resp done method={method}"));
            self.process.wait_for(method, Duration::ZERO, |line| {
                line.text.contains(&label) && (line.text.contains(&asked) || line.text.contains(&answered))
            })?;
        }
        let stats = self.get("/eth/v1/lodestar/gossip-peer-score-stats")?;
        let ours = stats.as_array().context("the scores are no list")?.iter().find(|peer| peer["peer_id"] == peer_id);
        let ours = ours.context("no gossip score for us: gossipsub was not negotiated")?;
        ensure!(ours["behaviour_penalty"].as_f64() == Some(0.0), "a gossip penalty: {ours}");
        Ok(())
    }
}

/// The `data` of the answer to a GET request.
fn get(port: u16, path: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    // Version 1.0 asks for a plain body that ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no end of headers")?;
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        bail!("GET {path}: {status}: {body}");
    }
    let mut body: Value = serde_json::from_str(body)?;
    Ok(body["data"].take())
}

/// How long the chain must keep us.
fn soak() -> Result<Duration> {
    let seconds = std::env::var("BEACOND_SOAK_SECONDS").unwrap_or_else(|_| "60".to_owned());
    Ok(Duration::from_secs(seconds.parse().context("BEACOND_SOAK_SECONDS is not a number of seconds")?))
}
