//! A chain of Lodestar 1.5.1 at Capella: nodes that share the validators among them, so that each makes blocks; 4 s slots.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::time::Instant;

use crate::network;
use crate::npm::Package;
use crate::process::Process;
use crate::scenario::{Scenario, free_port, heavy_start, unix_time};

const VALIDATORS: usize = 16;

/// Seconds for one node to start, so that all have started at genesis and nobody has blocks to catch up with.
const START_SECONDS: u64 = 10;

/// What a scenario may choose of a chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// How many nodes, 1 to 16.
    pub(crate) nodes: usize,
    /// Whether the nodes score deliveries in the mesh (P3) of blocks and aggregates. A node does so that was started when
    /// its chain was older than 160 slots; these are as young as their chain, and have to be told.
    pub(crate) scores_deliveries: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self { nodes: 2, scores_deliveries: false }
    }
}

/// The running chain.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) nodes: Vec<Node>,
    /// What `--network-dir` takes.
    pub(crate) network: PathBuf,
}

impl Chain {
    /// Starts a chain and returns shortly before or after its first slot.
    pub(crate) fn start(scenario: &Scenario, shape: Shape) -> Result<Self> {
        let _heavy = heavy_start();
        let genesis_time = unix_time() + START_SECONDS * u64::try_from(shape.nodes)?;
        let mut nodes: Vec<Node> = Vec::new();
        for index in 0..shape.nodes {
            let share = VALIDATORS * index / shape.nodes..VALIDATORS * (index + 1) / shape.nodes;
            let mut flags = vec![
                "--genesisValidators".to_owned(),
                VALIDATORS.to_string(),
                "--startValidators".to_owned(),
                format!("{}..{}", share.start, share.end - 1),
                "--genesisTime".to_owned(),
                genesis_time.to_string(),
            ];
            if !nodes.is_empty() {
                // A boot node is asked for records, but not dialled, unless told.
                flags.extend(["--network.connectToDiscv5Bootnodes", "true", "--bootnodes"].map(str::to_owned));
                flags.extend(nodes.iter().map(|node| node.enr.clone()));
            }
            nodes.push(Node::start(scenario, &format!("chain-{}", index + 1), shape, &flags)?);
        }
        let config = nodes[0].get("/eth/v1/config/spec")?;
        let config = config.as_object().context("the config is no object")?;
        // `dev` makes the genesis state, the same for every node, and writes it into its working directory.
        let genesis = network::read_genesis(&scenario.subdirectory("chain-1")?.join("genesis.ssz"))?;
        let network = network::write(scenario.subdirectory("network")?, config, &genesis)?;
        Ok(Self { nodes, network })
    }

    /// The records of all nodes.
    pub(crate) fn enrs(&self) -> Vec<&str> {
        self.nodes.iter().map(|node| node.enr.as_str()).collect()
    }
}

/// One node of the chain, with its share of the validators.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) process: Process,
    name: String,
    command: Command,
    /// How often it was started; numbers its logs.
    starts: u32,
    port: u16,
    rest_port: u16,
    pub(crate) peer_id: String,
    pub(crate) enr: String,
}

impl Node {
    fn start(scenario: &Scenario, name: &str, shape: Shape, flags: &[String]) -> Result<Self> {
        let (port_number, rest_port) = (free_port()?, free_port()?);
        let (port, rest) = (port_number.to_string(), rest_port.to_string());
        let mut node: Command = scenario.node(name, Package::Chain)?;
        node.env("NODE_BACKEND", "js"); // bcrypto without its native add-on
        node.env("SKIP_FETCH_NETWORK_BOOTNODES", "1"); // asks no public host
        if shape.scores_deliveries {
            node.env("INTEROP_SCORED_AT_SLOT", "161");
        }
        node.args(["node_modules/@chainsafe/lodestar/lib/index.js", "dev", "--preset", "mainnet", "--network", "dev"]);
        for fork in ["ALTAIR", "BELLATRIX", "CAPELLA"] {
            node.args([&format!("--params.{fork}_FORK_EPOCH"), "0"]);
        }
        node.args(["--params.SECONDS_PER_SLOT", "4", "--eth1", "false", "--execution.engineMock"]);
        node.args(["--rest", "true", "--rest.namespace", "*", "--rest.address", "127.0.0.1", "--rest.port", &rest]);
        // Without it the validators ask another node, on the default port.
        node.args(["--beaconNodes", &format!("http://127.0.0.1:{rest}")]);
        node.args(["--listenAddress", "127.0.0.1", "--port", &port, "--discoveryPort", &port, "--mdns", "false"]);
        node.args(["--enr.ip", "127.0.0.1", "--enr.tcp", &port, "--enr.udp", &port]);
        node.args(["--dataDir", "./data", "--logLevel", "debug"]);
        node.args(flags);
        let process = scenario.spawn(name, &mut node)?;
        let identity =
            process.poll("identity", Duration::from_secs(120), || get(rest_port, "/eth/v1/node/identity").map(Some))?;
        let text =
            |name: &str| identity[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {identity}"));
        let (peer_id, enr) = (text("peer_id")?, text("enr")?);
        Ok(Self {
            process,
            name: name.to_owned(),
            command: node,
            starts: 1,
            port: port_number,
            rest_port,
            peer_id,
            enr,
        })
    }

    /// Ends the node as its operator would, with goodbyes.
    pub(crate) fn stop(&mut self) {
        self.process.end();
    }

    /// Starts it once more, where it was and with what it had, and returns when its port for peers is open.
    pub(crate) fn start_again(&mut self, scenario: &Scenario) -> Result<Instant> {
        let _heavy = heavy_start();
        self.starts += 1;
        self.process = scenario.spawn(&format!("{}-start-{}", self.name, self.starts), &mut self.command)?;
        let end = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            ensure!(Instant::now() < end, "{}: does not listen again", self.name);
            self.process.ends_within(Duration::from_millis(20));
        }
        Ok(Instant::now())
    }

    /// The `data` of the REST API's answer.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        get(self.rest_port, path)
    }

    /// The roots of the blocks that the node has of a slot.
    pub(crate) fn block_roots(&self, slot: u64) -> Result<Vec<String>> {
        let headers = self.get(&format!("/eth/v1/beacon/headers?slot={slot}"))?;
        let headers = headers.as_array().context("the headers are no list")?;
        let root = |header: &Value| header["root"].as_str().map(str::to_owned).context("a header without root");
        headers.iter().map(root).collect()
    }

    /// Whether the node counts the peer `peer_id` among its connected ones.
    pub(crate) fn lists(&self, peer_id: &str) -> Result<Option<()>> {
        let peers = self.get("/eth/v1/node/peers?state=connected")?;
        let peers = peers.as_array().context("the peers are no list")?;
        let listed = peers.iter().any(|peer| peer["peer_id"] == peer_id && peer["state"] == "connected");
        Ok(listed.then_some(()))
    }

    /// Fails where the node has something against the peer `peer_id`: each failed request is a penalty in its books, and a goodbye the end.
    pub(crate) fn ensure_content(&self, peer_id: &str) -> Result<()> {
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
