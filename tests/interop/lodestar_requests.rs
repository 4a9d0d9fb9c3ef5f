//! `beacond request` against a chain of Lodestar 1.5.1: every method that it serves, compared with what its REST API says.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::chain::{Chain, Node, Shape};
use crate::scenario::{self, Scenario, notice, remove_variables};

/// Slots of the chain before it is asked; 160 are the long form, with 128 blocks by range and a chain that is final.
const SLOTS: u64 = 12;

/// Slots after which the chain has finalized something, with one epoch to spare.
const FINAL_AFTER: u64 = 5 * 32;

/// A slot of the chain.
const SLOT: Duration = Duration::from_secs(4);

#[test]
fn lodestar_answers_what_beacond_asks() -> Result<()> {
    scenario::run(|scenario| {
        let slots =
            std::env::var("BEACOND_REQUEST_SLOTS").ok().map(|slots| slots.parse()).transpose()?.unwrap_or(SLOTS);
        let chain = Chain::start(scenario, Shape::default())?;
        let node = &chain.nodes[0];
        let patience = SLOT * u32::try_from(slots)? + Duration::from_secs(120);
        node.process.poll("the chain to be old enough", patience, || Ok((head_slot(node)? > slots).then_some(())))?;
        let asker = Asker { scenario, chain: &chain, node };

        let count = slots.min(128);
        let by_range = asker.answer("beacon_blocks_by_range", &["--start-slot", "1", "--count", &count.to_string()])?;
        let asked: BTreeMap<u64, String> = by_range.iter().map(slot_and_root).collect::<Result<_>>()?;
        for slot in 1..=count {
            for root in node.block_roots(slot)? {
                ensure!(asked.get(&slot) == Some(&root), "slot {slot}: {:?} instead of {root}", asked.get(&slot));
            }
        }
        for (slot, root) in &asked {
            // asked for one by one: of the finalized block the list of a slot's headers does not tell
            let block = node.get(&format!("/eth/v1/beacon/blocks/{slot}/root"))?;
            ensure!(block["root"] == root.as_str(), "slot {slot}: {root} instead of {block}");
        }
        ensure!(asked.len() as u64 * 4 >= count * 3, "only {} blocks", asked.len());
        notice(&format!("requests: {} blocks by range, as the REST API has them", asked.len()));

        let roots: Vec<&str> = asked.values().rev().take(3).map(String::as_str).collect();
        let by_root = asker.answer("beacon_blocks_by_root", &["--root", &roots.join(",")])?;
        let found = by_root.iter().map(slot_and_root).collect::<Result<Vec<_>>>()?;
        ensure!(
            found.len() == roots.len() && found.iter().all(|(_, root)| roots.contains(&root.as_str())),
            "{found:?}"
        );

        let optimistic = asker.answer("light_client_optimistic_update", &[])?;
        let (slot, root) = slot_and_root(optimistic.first().context("no update")?)?;
        ensure!(node.block_roots(slot)? == [root], "slot {slot}");

        let unknown = asker.run("beacon_blocks_by_head", &["--root", roots[0]])?;
        let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
        ensure!(unknown.status.code() == Some(1) && said.contains("not supported"), "{said}");

        if slots >= FINAL_AFTER {
            asker.final_objects()?;
        }
        Ok(())
    })
}

fn head_slot(node: &Node) -> Result<u64> {
    let syncing = node.get("/eth/v1/node/syncing")?;
    syncing["head_slot"].as_str().and_then(|slot| slot.parse().ok()).with_context(|| format!("no head in {syncing}"))
}

fn slot_and_root(row: &Value) -> Result<(u64, String)> {
    let slot = row["slot"].as_u64().with_context(|| format!("no slot in {row}"))?;
    let root = row["block_root"].as_str().with_context(|| format!("no root in {row}"))?;
    Ok((slot, root.to_owned()))
}

struct Asker<'a> {
    scenario: &'a Scenario,
    chain: &'a Chain,
    node: &'a Node,
}

impl Asker<'_> {
    /// The rows of a complete answer, of which every chunk is kept as well.
    fn answer(&self, method: &str, fields: &[&str]) -> Result<Vec<Value>> {
        let raw = self.scenario.subdirectory(&format!("raw-{method}"))?;
        let output = self.run(method, &[fields, &["--raw", &raw.display().to_string()]].concat())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{method}: {said}");
        let text = String::from_utf8(output.stdout)?;
        let rows = text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect::<Result<Vec<Value>>>()?;
        let kept = fs::read_dir(&raw)?.count();
        ensure!(kept == rows.len(), "{kept} files for {} chunks", rows.len());
        ensure!(rows.iter().all(|row| row["peer_id"] == self.node.peer_id), "{text}");
        Ok(rows)
    }

    fn run(&self, method: &str, fields: &[&str]) -> Result<Output> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_beacond"));
        remove_variables(&mut command, "BEACOND_");
        command.args(["request", method]).args(fields);
        command.arg("--network-dir").arg(&self.chain.network);
        Ok(command.args(["--peer", &self.node.enr, "--timeout", "30"]).output()?)
    }

    /// What there is once the chain is final.
    fn final_objects(&self) -> Result<()> {
        let update = self.answer("light_client_finality_update", &[])?;
        let (slot, root) = slot_and_root(update.first().context("no update")?)?;
        ensure!(self.node.block_roots(slot)? == [root], "slot {slot}");

        let checkpoints = self.node.get("/eth/v1/beacon/states/head/finality_checkpoints")?;
        let root = checkpoints["finalized"]["root"].as_str().context("no root")?;
        let bootstrap = self.answer("light_client_bootstrap", &["--root", root])?;
        ensure!(bootstrap.len() == 1 && bootstrap[0]["block_root"] == root, "{bootstrap:?}");

        let updates = self.answer("light_client_updates_by_range", &["--start-period", "0"])?;
        ensure!(updates.len() == 1, "{updates:?}");
        notice("requests: finality update, bootstrap and the update of the first period");
        Ok(())
    }
}
