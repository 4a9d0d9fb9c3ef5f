//! How many messages a thread judges in a second, kind by kind; nothing around it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use beacond::chain::ForkSchedule;
use beacond::gossip::Judge;
use beacond::types::{GossipTopic, TopicKind};

use crate::chain::{FIRST_SLOT, chain, digest};
use crate::figures::{Aim, Table};
use crate::messages::{COLUMNS, Maker};

const GENESIS_TIME: u64 = 1_700_000_000;
const SLOT: Duration = Duration::from_secs(12);

/// Messages of each kind that are made; those of the large kinds are fewer.
const KINDS: [(TopicKind, u16, usize); 7] = [
    (TopicKind::BeaconAttestation, 64, 20_000),
    (TopicKind::BeaconAggregateAndProof, 1, 5_000),
    (TopicKind::SyncCommittee, 4, 20_000),
    (TopicKind::SyncCommitteeContributionAndProof, 1, 5_000),
    (TopicKind::VoluntaryExit, 1, 20_000),
    (TopicKind::BeaconBlock, 1, 50),
    (TopicKind::DataColumnSidecar, COLUMNS, 64),
];

/// Measures for so long each.
#[expect(clippy::disallowed_methods, reason = "no runtime: tokio's clock adds nothing")]
pub(crate) fn section(table: &mut Table, each: Duration) -> Result<()> {
    let chain = chain(GENESIS_TIME, SLOT);
    let judge = Judge::new(&chain, Arc::new(ForkSchedule::new(&chain)));
    let fork_digest = digest(&chain);
    let arrived_ms = (GENESIS_TIME + FIRST_SLOT.0 * SLOT.as_secs()) * 1000 + 5_000;
    let mut maker = Maker::new(1, GENESIS_TIME, SLOT.as_secs())?;
    for (kind, subnets, count) in KINDS {
        let made = (0..count).map(|_| maker.make(kind, subnets, FIRST_SLOT)).collect::<Result<Vec<_>>>()?;
        let bytes = made.first().map_or(0, |(_, ssz)| ssz.len());
        // the first column waits for the trusted setup
        if let Some((name, ssz)) = made.first() {
            drop(judge.judge(GossipTopic { fork_digest, name: *name }, ssz, arrived_ms));
        }
        let (started, mut judged) = (Instant::now(), 0_u64);
        while started.elapsed() < each {
            for (name, ssz) in &made {
                let topic = GossipTopic { fork_digest, name: *name };
                let passed = judge.judge(topic, ssz, arrived_ms);
                drop(passed.map_err(|verdict| anyhow::anyhow!("{verdict}")).with_context(|| format!("{topic}"))?);
                judged += 1;
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        table.add(
            "judge",
            format!("{kind} of {bytes} B, judged on one thread"),
            judged as f64 / seconds,
            "/s",
            Aim::None,
        );
        if kind == TopicKind::BeaconAttestation {
            table.add("judge", format!("{kind}, each"), seconds * 1e6 / judged as f64, "us", Aim::None);
        }
    }
    Ok(())
}
