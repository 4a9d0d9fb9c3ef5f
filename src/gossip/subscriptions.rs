//! What this node takes part in at an epoch: its duties, and the topics that follow from them.
//!
//! Pure. `node` makes the [`Plan`] of each epoch and publishes it: record, metadata and the router's topics are all
//! made of that one value, so that what is said and what is done cannot part.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::custody::{covered_groups, sampled_columns};
use super::subnets::subscribed_subnets;
use super::topic::row;
use crate::chain::{Boundary, ChainConfig, ForkSchedule};
use crate::config::{GossipConfig, SubnetChoice};
use crate::types::{Attnets, Epoch, ForkName, GossipTopic, MetaData, NodeId, Syncnets, TopicKind, TopicName};

/// How long before its first epoch the topics of a digest are joined, in epochs.
///
/// The specification leaves it open, but for one epoch of
/// [proposer_preferences](https://github.com/ethereum/consensus-specs/blob/a08d8a6e2/specs/gloas/p2p-interface.md#proposer_preferences).
/// Two: long enough to be in the meshes when messages come, and as long as the old ones are kept.
pub(super) const LEAD_EPOCHS: u64 = 2;

/// How long after its last epoch the topics of a digest are kept, in epochs.
///
/// [spec v1.6.0, transitioning the gossip](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#transitioning-the-gossip)
pub(super) const LINGER_EPOCHS: u64 = 2;

/// What this node takes upon itself: what the record and the metadata say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duties {
    /// Attestation subnets that are joined. All of them are long-lived: nothing here follows a validator.
    pub attnets: Attnets,
    /// Sync-committee subnets that are joined.
    pub syncnets: Syncnets,
    /// Data columns that are joined, or will be with the first fork that has them; each below 128.
    pub columns: BTreeSet<u16>,
    /// Custody groups claimed, at most 128: the columns of this count are all among `columns`.
    pub custody_group_count: u64,
}

impl Duties {
    /// The metadata that says this, under a sequence number.
    #[must_use]
    pub fn metadata(&self, seq_number: u64) -> MetaData {
        MetaData {
            seq_number,
            attnets: self.attnets.clone(),
            syncnets: Some(self.syncnets.clone()),
            custody_group_count: Some(self.custody_group_count),
        }
    }
}

/// What this node takes part in during an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Of this epoch; epoch 0 before genesis.
    pub epoch: Epoch,
    /// What we say of ourselves.
    pub duties: Duties,
    /// Every topic to be in: at most 209 of each digest, and 5 digests if every epoch had one; 1045 × 12 bytes = 13 KiB.
    pub topics: BTreeSet<GossipTopic>,
}

/// Tells what this node takes part in at any epoch.
#[derive(Clone, Debug)]
pub struct Subscriptions {
    node_id: NodeId,
    schedule: Arc<ForkSchedule>,
    topics: BTreeSet<TopicKind>,
    attestation_subnets: SubnetChoice,
    sync_subnets: Vec<u16>,
    columns: BTreeSet<u16>,
    custody_group_count: u64,
}

impl Subscriptions {
    /// The choices of an operator for a node on a network; `schedule` is that network's.
    #[must_use]
    pub fn new(node_id: NodeId, choices: &GossipConfig, chain: &ChainConfig, schedule: Arc<ForkSchedule>) -> Self {
        let has_columns = choices.topics.contains(&TopicKind::DataColumnSidecar)
            && schedule.boundaries().any(|boundary| row(TopicKind::DataColumnSidecar).count_in(boundary.fork) > 0);
        let requirement = chain.custody_requirement();
        let (columns, custody_group_count) = match &choices.data_columns {
            _ if !has_columns => Default::default(),
            // what is only sampled is not kept, so it is not claimed
            SubnetChoice::Auto => (sampled_columns(&node_id, requirement), requirement),
            SubnetChoice::These(columns) => (columns.clone(), covered_groups(&node_id, columns)),
        };
        let sync_subnets = match &choices.sync_subnets {
            SubnetChoice::Auto => (0..TopicKind::SyncCommittee.subnets().unwrap_or_default()).collect(),
            SubnetChoice::These(subnets) => subnets.iter().copied().collect(),
        };
        Self {
            node_id,
            schedule,
            topics: choices.topics.clone(),
            attestation_subnets: choices.attestation_subnets.clone(),
            sync_subnets,
            columns,
            custody_group_count,
        }
    }

    /// What is to be done and said during an epoch.
    #[must_use]
    pub fn plan_at(&self, epoch: Epoch) -> Plan {
        Plan { epoch, duties: self.duties_at(epoch), topics: self.wanted_topics(epoch) }
    }

    /// What this node takes upon itself at an epoch.
    #[must_use]
    pub fn duties_at(&self, epoch: Epoch) -> Duties {
        let fork = self.schedule.state_at(epoch).fork;
        let mut duties = Duties {
            columns: self.columns.clone(),
            custody_group_count: self.custody_group_count,
            ..Duties::default()
        };
        if self.is_joined(TopicKind::BeaconAttestation, fork) {
            let subnets = match &self.attestation_subnets {
                SubnetChoice::Auto => subscribed_subnets(&self.node_id, epoch).to_vec(),
                SubnetChoice::These(subnets) => subnets.iter().copied().collect(),
            };
            for subnet in subnets {
                duties.attnets.set(subnet.into(), true).expect("a subnet is below 64");
            }
        }
        if self.is_joined(TopicKind::SyncCommittee, fork) {
            for subnet in &self.sync_subnets {
                duties.syncnets.set((*subnet).into(), true).expect("a subnet is below 4");
            }
        }
        duties
    }

    /// Every topic to be in at an epoch: those of the digest in force, of one that begins within `LEAD_EPOCHS`, and
    /// of one that ended at most `LINGER_EPOCHS` ago.
    ///
    /// A digest that is not in force has the subnets of the nearest of its own epochs: those we will have when it
    /// comes into force, or had when it went out of force.
    #[must_use]
    pub fn wanted_topics(&self, epoch: Epoch) -> BTreeSet<GossipTopic> {
        let mut topics = BTreeSet::new();
        for (boundary, end) in held(&self.schedule, epoch) {
            let last = Epoch(end.0 - 1);
            let duties = self.duties_at(epoch.clamp(boundary.epoch, last));
            let fork_digest = boundary.fork_digest;
            let names = self.names_in(boundary.fork, &duties);
            topics.extend(names.map(|name| GossipTopic { fork_digest, name }));
        }
        topics
    }

    fn names_in<'a>(&'a self, fork: ForkName, duties: &'a Duties) -> impl Iterator<Item = TopicName> + 'a {
        let is_ours = |name: &TopicName| match (name.kind(), name.subnet()) {
            (TopicKind::BeaconAttestation, Some(subnet)) => duties.attnets.get(subnet.into()).unwrap_or_default(),
            (TopicKind::SyncCommittee, Some(subnet)) => duties.syncnets.get(subnet.into()).unwrap_or_default(),
            (TopicKind::DataColumnSidecar, Some(column)) => duties.columns.contains(&column),
            // global topics, and blobs, which every node takes
            (_, _) => true,
        };
        self.topics.iter().flat_map(move |kind| row(*kind).names_in(fork)).filter(is_ours)
    }

    fn is_joined(&self, kind: TopicKind, fork: ForkName) -> bool {
        self.topics.contains(&kind) && row(kind).count_in(fork) > 0
    }
}

/// The digests whose topics are joined at an epoch, each with the first epoch in which it is over.
pub(super) fn held(schedule: &ForkSchedule, epoch: Epoch) -> impl Iterator<Item = (Boundary, Epoch)> {
    let with_end = |boundary: Boundary| (boundary, schedule.end_of(boundary.epoch).unwrap_or(Epoch::FAR_FUTURE));
    schedule.boundaries().map(with_end).filter(move |(boundary, end)| is_held(epoch, boundary.epoch, *end))
}

/// Whether a digest in force from `since` until before `end` has its topics joined at an epoch.
const fn is_held(epoch: Epoch, since: Epoch, end: Epoch) -> bool {
    epoch.0 >= since.0.saturating_sub(LEAD_EPOCHS) && epoch.0 < end.0.saturating_add(LINGER_EPOCHS)
}

#[cfg(test)]
mod tests;
