//! Gossip on a whole chain of Lodestar 1.5.1, heard by two daemons: one of each relay policy.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::beacond::Beacond;
use crate::chain::{Chain, Node, Shape};
use crate::peer_score::{Parameters, Standing};
use crate::process::Line;
use crate::scenario::{self, Scenario, notice};

/// Slots observed, unless `BEACOND_GOSSIP_SLOTS` names another number: enough for two aggregates.
const SLOTS: u64 = 8;

/// From this many slots on the chain has twice the nodes, which also score deliveries in the mesh as those of an old chain do.
const LONG: u64 = 65;

/// Slots after which the chain has finalized something, with one epoch to spare.
const FINALITY: u64 = 6 * 32;

/// Time for one slot to end, and more where the machine is busy.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn every_block_of_the_chain_is_heard_once_and_we_stay_in_its_meshes() -> Result<()> {
    scenario::run(|scenario| {
        let slots = slots()?;
        let is_long = slots >= LONG;
        let shape = if is_long { Shape { nodes: 4, scores_deliveries: true } } else { Shape::default() };
        let chain = Chain::start(scenario, shape)?;
        let daemons = [
            Daemon::start(scenario, &chain, "strict", &["--relay", "strict"])?,
            Daemon::start(
                scenario,
                &chain,
                "corroborated",
                &["--relay", "corroborated", "--relay-copies", "2", "--subscribe-all-subnets"],
            )?,
        ];
        let first = daemons.iter().map(Daemon::settled).collect::<Result<Vec<_>>>()?.into_iter().max().unwrap_or(0) + 1;
        let last = first + slots - 1;
        let mut observed = Observed::new(&chain, &daemons)?;
        let watched = observed.watch(first..=last);
        if is_long {
            observed.report();
        }
        watched?;
        for daemon in &daemons {
            daemon.heard_every_block(&chain.nodes[0], first..=last)?;
            daemon.heard_everything_else(last)?;
            daemon
                .beacond
                .log()
                .ensure_none("invalid message", Duration::ZERO, |line| line.event() == "gossip.rejected")?;
            for node in &chain.nodes {
                daemon.beacond.keeps(&node.peer_id, Duration::ZERO)?;
                node.ensure_content(daemon.beacond.peer_id())?;
            }
        }
        observed.corroborated_was_always_welcome()
    })
}

/// A daemon and its policy.
struct Daemon {
    policy: &'static str,
    beacond: Beacond,
    peers: usize,
}

impl Daemon {
    fn start(scenario: &Scenario, chain: &Chain, policy: &'static str, flags: &[&str]) -> Result<Self> {
        let flags = [flags, &["--gossip-sample", "1"]].concat();
        let name = format!("beacond-{policy}");
        let beacond = Beacond::start(scenario, &name, &chain.network, &chain.enrs(), &flags)?;
        Ok(Self { policy, beacond, peers: chain.nodes.len() })
    }

    /// Waits until the daemon is in everyone's mesh of blocks, as far as it knows, and blocks come; the slot that ended.
    fn settled(&self) -> Result<u64> {
        let of_blocks =
            |line: &Line| line.event() == "gossip.topic_summarized" && line.str("topic_kind") == "beacon_block";
        let settled = self.beacond.log().wait_for("mesh of blocks", Duration::from_secs(60), |line| {
            of_blocks(line) && count(line, "mesh_peers") >= self.peers && count(line, "unique") > 0
        })?;
        settled.field("slot").as_u64().context("no slot")
    }

    /// Waits for the summary of a slot.
    fn ended(&self, slot: u64) -> Result<Line> {
        self.beacond.log().wait_for(&format!("summary of slot {slot}"), PATIENCE, |line| {
            line.event() == "gossip.slot_summarized" && line.field("slot").as_u64() == Some(slot)
        })
    }

    /// Every block that the chain has was told of once, and nothing was found wrong with it.
    fn heard_every_block(&self, node: &Node, slots: impl Iterator<Item = u64>) -> Result<()> {
        let (mut blocks, mut all) = (0, 0);
        for slot in slots {
            all += 1;
            for root in node.block_roots(slot)? {
                blocks += 1;
                let heard: Vec<Line> = self.beacond.log().read(|lines| {
                    lines
                        .iter()
                        .filter(|line| is_received(line, "beacon_block") && line.str("block_root") == root)
                        .cloned()
                        .collect()
                });
                ensure!(heard.len() == 1, "{}: block {root} of slot {slot}: {heard:?}", self.policy);
                let line = &heard[0];
                ensure!(line.field("slot").as_u64() == Some(slot), "{}", line.text);
                ensure!((line.str("verdict"), line.str("reason")) == ("ignore", "unverifiable"), "{}", line.text);
            }
        }
        ensure!(blocks * 4 >= all * 3, "only {blocks} blocks in {all} slots");
        notice(&format!("{}: {blocks} blocks in {all} slots, each once", self.policy));
        Ok(())
    }

    fn heard_everything_else(&self, last: u64) -> Result<()> {
        let mut kinds = vec![
            "beacon_aggregate_and_proof",
            "sync_committee",
            "sync_committee_contribution_and_proof",
            "light_client_optimistic_update",
        ];
        if self.policy == "corroborated" {
            kinds.push("beacon_attestation");
        }
        if last >= FINALITY {
            kinds.push("light_client_finality_update");
        }
        let verdicts = self.verdicts();
        for kind in kinds {
            let good = verdicts.get(&(kind.to_owned(), "unverifiable".to_owned())).copied().unwrap_or_default();
            ensure!(good > 0, "{}: no {kind}: {verdicts:?}", self.policy);
        }
        Ok(())
    }

    /// Messages by kind and reason.
    fn verdicts(&self) -> BTreeMap<(String, String), usize> {
        let mut verdicts = BTreeMap::new();
        self.beacond.log().read(|lines| {
            for line in lines.iter().filter(|line| line.event() == "gossip.received") {
                let key = (line.str("topic_kind").to_owned(), line.str("reason").to_owned());
                *verdicts.entry(key).or_default() += 1;
            }
        });
        verdicts
    }

    /// Messages forwarded although only corroborated, by kind.
    fn corroborated(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        self.beacond.log().read(|lines| {
            for line in lines.iter().filter(|line| line.event() == "gossip.topic_summarized") {
                *kinds.entry(line.str("topic_kind").to_owned()).or_default() += count(line, "corroborated");
            }
        });
        kinds.retain(|_, messages| *messages > 0);
        kinds
    }

    /// When each block came, in milliseconds from the start of its slot, sorted.
    fn block_offsets(&self) -> Vec<i64> {
        let mut offsets: Vec<i64> = self.beacond.log().read(|lines| {
            let blocks = lines.iter().filter(|line| is_received(line, "beacon_block"));
            blocks.filter_map(|line| line.field("slot_offset_ms").as_i64()).collect()
        });
        offsets.sort_unstable();
        offsets
    }
}

/// How the daemons stood with the nodes, slot by slot.
struct Observed<'a> {
    chain: &'a Chain,
    daemons: &'a [Daemon; 2],
    parameters: Vec<Parameters>,
    /// Slot, node, daemon.
    standings: Vec<(u64, usize, usize, Standing)>,
}

impl<'a> Observed<'a> {
    fn new(chain: &'a Chain, daemons: &'a [Daemon; 2]) -> Result<Self> {
        let parameters = chain.nodes.iter().map(Parameters::of).collect::<Result<_>>()?;
        Ok(Self { chain, daemons, parameters, standings: Vec::new() })
    }

    /// Looks at the end of every slot, and waits for one more, in which comes what is late.
    fn watch(&mut self, slots: RangeInclusive<u64>) -> Result<()> {
        let daemons = self.daemons;
        let ended = |slot| daemons.iter().try_for_each(|daemon| daemon.ended(slot).map(drop));
        let last = *slots.end();
        for slot in slots {
            ended(slot)?;
            self.look(slot)?;
        }
        ended(last + 1)
    }

    fn look(&mut self, slot: u64) -> Result<()> {
        for (node_index, node) in self.chain.nodes.iter().enumerate() {
            for (daemon_index, daemon) in self.daemons.iter().enumerate() {
                let standing = self.parameters[node_index].standing(node, daemon.beacond.peer_id())?;
                self.standings.push((slot, node_index, daemon_index, standing));
            }
        }
        Ok(())
    }

    /// Of one node and daemon.
    fn of(&self, node: usize, daemon: usize) -> impl Iterator<Item = (u64, Standing)> + '_ {
        let wanted = move |at: &&(u64, usize, usize, Standing)| (at.1, at.2) == (node, daemon);
        self.standings.iter().filter(wanted).map(|(slot, _, _, standing)| (*slot, *standing))
    }

    fn corroborated_was_always_welcome(&self) -> Result<()> {
        for (slot, node, daemon, standing) in &self.standings {
            if self.daemons[*daemon].policy == "corroborated" {
                ensure!(standing.in_block_mesh && standing.score >= 0.0, "slot {slot}, node {node}: {standing:?}");
            }
        }
        Ok(())
    }

    /// Says what each policy came to.
    fn report(&self) {
        let slot = |at: Option<&(u64, usize, usize, Standing)>| at.map_or(0, |at| at.0);
        let (first, last) = (slot(self.standings.first()), slot(self.standings.last()));
        notice(&format!("slots {first} to {last}, {} nodes", self.chain.nodes.len()));
        notice("policy node in_mesh min_score mean_score last_score min_P3 min_P3b last_deliveries");
        for (daemon_index, daemon) in self.daemons.iter().enumerate() {
            for node in 0..self.chain.nodes.len() {
                let standings: Vec<Standing> = self.of(node, daemon_index).map(|(_, standing)| standing).collect();
                let samples = f64::from(u32::try_from(standings.len()).unwrap_or(u32::MAX).max(1));
                let mean = |value: fn(&Standing) -> f64| standings.iter().map(value).sum::<f64>() / samples;
                let least = |value: fn(&Standing) -> f64| standings.iter().map(value).fold(f64::INFINITY, f64::min);
                let last = standings.last().copied().unwrap_or_default();
                notice(&format!(
                    "{} {} {:.0}% {:.1} {:.1} {:.1} {:.1} {:.1} {:.2}",
                    daemon.policy,
                    node + 1,
                    100.0 * mean(|standing| f64::from(u8::from(standing.in_block_mesh))),
                    least(|standing| standing.score),
                    mean(|standing| standing.score),
                    last.score,
                    least(|standing| standing.deficits),
                    least(|standing| standing.past_deficits),
                    last.block_deliveries,
                ));
            }
        }
        for (daemon_index, daemon) in self.daemons.iter().enumerate() {
            for node in 0..self.chain.nodes.len() {
                let series = self.of(node, daemon_index).step_by(16);
                let series: Vec<String> = series
                    .map(|(slot, at)| format!("{slot}:{}{:.0}", if at.in_block_mesh { "+" } else { "-" }, at.score))
                    .collect();
                notice(&format!("{} {} score by slot (+ in mesh): {}", daemon.policy, node + 1, series.join(" ")));
            }
        }
        for daemon in self.daemons {
            let offsets = daemon.block_offsets();
            let at =
                |percent: usize| offsets.get(offsets.len().saturating_sub(1) * percent / 100).copied().unwrap_or(-1);
            notice(&format!(
                "{}: block_ms p50 {} p90 {} p99 {} max {} of {}",
                daemon.policy,
                at(50),
                at(90),
                at(99),
                at(100),
                offsets.len()
            ));
            notice(&format!("{}: verdicts {:?}", daemon.policy, daemon.verdicts()));
            notice(&format!("{}: corroborated {:?}", daemon.policy, daemon.corroborated()));
        }
    }
}

fn is_received(line: &Line, kind: &str) -> bool {
    line.event() == "gossip.received" && line.str("topic_kind") == kind
}

/// A field that is a number of things; 0 where it is not.
fn count(line: &Line, name: &str) -> usize {
    line.field(name).as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default()
}

fn slots() -> Result<u64> {
    match std::env::var("BEACOND_GOSSIP_SLOTS") {
        Ok(slots) => slots.parse().context("BEACOND_GOSSIP_SLOTS is not a number of slots"),
        Err(_) => Ok(SLOTS),
    }
}
