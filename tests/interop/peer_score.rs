//! What a node of Lodestar thinks of a gossip peer: its counters of the API, weighed by the parameters that it logs at start.
//!
//! The API has no score, so it is computed here as `js-libp2p-gossipsub` does; the address does not count in these scenarios.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::chain::Node;
use crate::process::Line;

/// What a node's parameters are: the last words of a line of its log.
#[derive(Debug)]
pub(crate) struct Parameters(Value);

/// How a peer stood with a node at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    /// All in all.
    pub(crate) score: f64,
    /// Whether the peer was in the mesh of blocks.
    pub(crate) in_block_mesh: bool,
    /// Deliveries in the mesh of blocks, decayed.
    pub(crate) block_deliveries: f64,
    /// Weighted by topic, summed over topics: too few deliveries in the mesh (P3), at most 0.
    pub(crate) deficits: f64,
    /// The same of meshes that the peer was in (P3b), at most 0.
    pub(crate) past_deficits: f64,
}

impl Parameters {
    /// Those that a node started with.
    pub(crate) fn of(node: &Node) -> Result<Self> {
        let is_it = |line: &Line| line.text.contains("Gossipsub score params");
        let line = node.process.read(|lines| lines.iter().find(|line| is_it(line)).cloned());
        let line = line.context("the score parameters were not logged")?.text;
        let (_, json) = line.split_once("params=").context("no parameters in the line")?;
        let mut parameters: Value = serde_json::from_str(json)?;
        // The API writes every name in snake case, those of topics too.
        let topics = parameters["topics"].as_object_mut().context("no parameters of topics")?;
        *topics = std::mem::take(topics).into_iter().map(|(topic, of)| (topic.replace('/', "_"), of)).collect();
        Ok(Self(parameters))
    }

    /// How the peer `peer_id` stands with the node of these parameters; an error where it has done anything that no
    /// peer may.
    pub(crate) fn standing(&self, node: &Node, peer_id: &str) -> Result<Standing> {
        let peers = node.get("/eth/v1/lodestar/gossip-peer-score-stats")?;
        let peer = peers.as_array().context("the scores are no list")?.iter().find(|peer| peer["peer_id"] == peer_id);
        let peer = peer.with_context(|| format!("{peer_id} is no gossip peer"))?;
        ensure!(number(peer, "behaviour_penalty") == 0.0, "a penalty for behaviour: {peer}");
        ensure!(peer["connected"] == true, "not connected: {peer}");
        let mut standing = Standing::default();
        for (topic, counters) in peer["topics"].as_object().context("no topics")? {
            ensure!(number(counters, "invalid_message_deliveries") == 0.0, "invalid messages on {topic}: {counters}");
            if topic.contains("_beacon_block_") {
                standing.in_block_mesh = counters["in_mesh"] == true;
                standing.block_deliveries = number(counters, "mesh_message_deliveries");
            }
            let parameters = &self.0["topics"][topic];
            if !parameters.is_null() {
                standing.add_topic(parameters, counters);
            }
        }
        standing.score = standing.score.min(number(&self.0, "topicScoreCap"));
        Ok(standing)
    }
}

impl Standing {
    /// P1 to P3b of one topic; P4 is known to be 0.
    fn add_topic(&mut self, parameters: &Value, counters: &Value) {
        let [of, have] = [parameters, counters].map(|value| move |name: &str| number(value, name));
        let weight = of("topicWeight");
        if counters["in_mesh"] == true {
            let time = (have("mesh_time") / of("timeInMeshQuantum")).min(of("timeInMeshCap"));
            self.score += weight * time * of("timeInMeshWeight");
        }
        let first = have("first_message_deliveries").min(of("firstMessageDeliveriesCap"));
        self.score += weight * first * of("firstMessageDeliveriesWeight");
        let deficit = (of("meshMessageDeliveriesThreshold") - have("mesh_message_deliveries")).max(0.0);
        if counters["mesh_message_deliveries_active"] == true {
            self.deficits += weight * deficit * deficit * of("meshMessageDeliveriesWeight");
            self.score += weight * deficit * deficit * of("meshMessageDeliveriesWeight");
        }
        let past = weight * have("mesh_failure_penalty") * of("meshFailurePenaltyWeight");
        self.past_deficits += past;
        self.score += past;
    }
}

/// A number of an object; 0 where there is none.
fn number(object: &Value, name: &str) -> f64 {
    object[name].as_f64().unwrap_or_default()
}
