//! Gossip on a whole chain of Lodestar 1.5.1, heard by daemons of each relay policy.

use std::collections::BTreeMap;
use std::fmt;
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
        let nodes = chain.nodes.len();
        let corroborated = ["--relay", "corroborated", "--relay-copies", "2", "--subscribe-all-subnets"];
        let mut daemons = vec![
            Daemon::start(scenario, &chain, "strict", nodes, &["--relay", "strict"])?,
            Daemon::start(scenario, &chain, "corroborated", nodes, &corroborated)?,
        ];
        if is_long {
            // Lodestar sends its own blocks to all of its peers. This one has one peer, and depends on its mesh for the rest.
            daemons.push(Daemon::start(scenario, &chain, "far", 1, &["--relay", "strict", "--disable-discovery"])?);
        }
        let first = daemons.iter().map(Daemon::settled).collect::<Result<Vec<_>>>()?.into_iter().max().unwrap_or(0) + 1;
        let last = first + slots - 1;
        let mut observed = Observed::new(&chain, &daemons)?;
        let watched = observed.watch(first..=last);
        if is_long {
            observed.report();
        }
        watched?;
        for daemon in &daemons {
            // advertisements promise nothing: who depends on them alone misses a block now and then
            let may_miss = if daemon.nodes < nodes { slots as usize / 100 } else { 0 };
            daemon.heard_every_block(&chain.nodes[0], first..=last, may_miss)?;
            daemon.heard_everything_else(last)?;
            daemon
                .beacond
                .log()
                .ensure_none("invalid message", Duration::ZERO, |line| line.event() == "gossip.rejected")?;
            for node in &chain.nodes[..daemon.nodes] {
                daemon.beacond.keeps(&node.peer_id, Duration::ZERO)?;
                node.ensure_content(daemon.beacond.peer_id())?;
            }
        }
        observed.corroborated_was_always_welcome()
    })
}

/// A daemon, named by its policy.
struct Daemon {
    name: &'static str,
    beacond: Beacond,
    /// How many nodes of the chain it knows, the first ones.
    nodes: usize,
}

impl Daemon {
    fn start(scenario: &Scenario, chain: &Chain, name: &'static str, nodes: usize, flags: &[&str]) -> Result<Self> {
        let flags = [flags, &["--gossip-sample", "1"]].concat();
        let beacond =
            Beacond::start(scenario, &format!("beacond-{name}"), &chain.network, &chain.enrs()[..nodes], &flags)?;
        Ok(Self { name, beacond, nodes })
    }

    /// Waits until the daemon is in everyone's mesh of blocks, as far as it knows, and blocks come; the slot that ended.
    fn settled(&self) -> Result<u64> {
        let of_blocks =
            |line: &Line| line.event() == "gossip.topic_summarized" && line.str("topic_kind") == "beacon_block";
        let settled = self.beacond.log().wait_for("mesh of blocks", Duration::from_secs(60), |line| {
            of_blocks(line) && count(line, "mesh_peers") >= self.nodes && count(line, "unique") > 0
        })?;
        settled.field("slot").as_u64().context("no slot")
    }

    /// Waits for the summary of a slot.
    fn ended(&self, slot: u64) -> Result<Line> {
        self.beacond.log().wait_for(&format!("summary of slot {slot}"), PATIENCE, |line| {
            line.event() == "gossip.slot_summarized" && line.field("slot").as_u64() == Some(slot)
        })
    }

    /// Every block that the chain has was told of once, but for so many, and nothing was found wrong with it.
    fn heard_every_block(&self, node: &Node, slots: impl Iterator<Item = u64>, may_miss: usize) -> Result<()> {
        let (mut blocks, mut all, mut missed) = (0, 0, 0);
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
                if heard.is_empty() && missed < may_miss {
                    missed += 1;
                    continue;
                }
                ensure!(heard.len() == 1, "{}: block {root} of slot {slot}: {heard:?}", self.name);
                let line = &heard[0];
                ensure!(line.field("slot").as_u64() == Some(slot), "{}", line.text);
                ensure!((line.str("verdict"), line.str("reason")) == ("ignore", "unverifiable"), "{}", line.text);
            }
        }
        ensure!(blocks * 4 >= all * 3, "only {blocks} blocks in {all} slots");
        notice(&format!("{}: {blocks} blocks in {all} slots, each once, but for {missed} missed", self.name));
        Ok(())
    }

    fn heard_everything_else(&self, last: u64) -> Result<()> {
        let mut kinds = vec![
            "beacon_aggregate_and_proof",
            "sync_committee",
            "sync_committee_contribution_and_proof",
            "light_client_optimistic_update",
        ];
        if self.name == "corroborated" {
            kinds.push("beacon_attestation");
        }
        if last >= FINALITY {
            kinds.push("light_client_finality_update");
        }
        let verdicts = self.verdicts();
        for kind in kinds {
            let good = verdicts.get(&(kind.to_owned(), "unverifiable".to_owned())).copied().unwrap_or_default();
            ensure!(good > 0, "{}: no {kind}: {verdicts:?}", self.name);
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

    /// How many messages came from a peer first. None at all: the peer sends us nothing.
    fn first_copies(&self, peer_id: &str) -> usize {
        self.beacond.log().read(|lines| lines.iter().filter(|line| line.is("gossip.received", peer_id)).count())
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

    /// Slots, and when their blocks came: in milliseconds from the start of the slot.
    fn block_offsets(&self) -> Vec<(u64, i64)> {
        self.beacond.log().read(|lines| {
            let blocks = lines.iter().filter(|line| is_received(line, "beacon_block"));
            blocks
                .filter_map(|line| Some((line.field("slot").as_u64()?, line.field("slot_offset_ms").as_i64()?)))
                .collect()
        })
    }
}

/// How the daemons stood with the nodes, slot by slot.
struct Observed<'a> {
    chain: &'a Chain,
    daemons: &'a [Daemon],
    parameters: Vec<Parameters>,
    /// Slot, node, daemon.
    standings: Vec<(u64, usize, usize, Standing)>,
}

impl<'a> Observed<'a> {
    fn new(chain: &'a Chain, daemons: &'a [Daemon]) -> Result<Self> {
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
        for (daemon_index, daemon) in self.daemons.iter().enumerate() {
            for (node_index, node) in self.chain.nodes[..daemon.nodes].iter().enumerate() {
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
            if self.daemons[*daemon].name == "corroborated" {
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
            for node in 0..daemon.nodes {
                let standings: Vec<Standing> = self.of(node, daemon_index).map(|(_, standing)| standing).collect();
                let samples = f64::from(u32::try_from(standings.len()).unwrap_or(u32::MAX).max(1));
                let mean = |value: fn(&Standing) -> f64| standings.iter().map(value).sum::<f64>() / samples;
                let least = |value: fn(&Standing) -> f64| standings.iter().map(value).fold(f64::INFINITY, f64::min);
                let last = standings.last().copied().unwrap_or_default();
                notice(&format!(
                    "{} {} {:.0}% {:.1} {:.1} {:.1} {:.1} {:.1} {:.2}",
                    daemon.name,
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
            for node in 0..daemon.nodes {
                let series = self.of(node, daemon_index).step_by(16);
                let series: Vec<String> = series
                    .map(|(slot, at)| format!("{slot}:{}{:.0}", if at.in_block_mesh { "+" } else { "-" }, at.score))
                    .collect();
                notice(&format!("{} {} score by slot (+ in mesh): {}", daemon.name, node + 1, series.join(" ")));
            }
        }
        for (daemon_index, daemon) in self.daemons.iter().enumerate() {
            let in_a_mesh = |slot: u64| {
                let of_slot = |at: &&(u64, usize, usize, Standing)| (at.0, at.2) == (slot, daemon_index);
                self.standings.iter().filter(of_slot).any(|at| at.3.in_block_mesh)
            };
            let mut blocks = daemon.block_offsets();
            blocks.retain(|(slot, _)| (first..=last).contains(slot));
            let (within, without): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|(slot, _)| in_a_mesh(*slot));
            notice(&format!("{}: block_ms in a mesh: {}", daemon.name, Offsets::of(within)));
            notice(&format!("{}: block_ms in no mesh: {}", daemon.name, Offsets::of(without)));
            let first_copies: Vec<usize> =
                self.chain.nodes.iter().map(|node| daemon.first_copies(&node.peer_id)).collect();
            notice(&format!("{}: first copies by node {first_copies:?}", daemon.name));
            notice(&format!("{}: verdicts {:?}", daemon.name, daemon.verdicts()));
            notice(&format!("{}: corroborated {:?}", daemon.name, daemon.corroborated()));
        }
    }
}

/// How long blocks took, in milliseconds, sorted.
struct Offsets(Vec<i64>);

impl Offsets {
    fn of(blocks: Vec<(u64, i64)>) -> Self {
        let mut offsets: Vec<i64> = blocks.into_iter().map(|(_, offset_ms)| offset_ms).collect();
        offsets.sort_unstable();
        Self(offsets)
    }

    fn at(&self, percent: usize) -> i64 {
        self.0.get(self.0.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
    }
}

impl fmt::Display for Offsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = self.0.len();
        write!(f, "p50 {} p90 {} p99 {} max {} of {blocks}", self.at(50), self.at(90), self.at(99), self.at(100))
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
