//! The receiver under test: a whole node of ours.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use beacond::config::{
    Advertise, DiscoveryConfig, GossipConfig, ListenConfig, ListenOn, PeersConfig, SubnetChoice, TransportConfig,
};
use beacond::events::{Events, NodeEvent, Observer};
use beacond::node::{Eth2NodeBuilder, Find};
use beacond::store::Identity;
use beacond::tasks::TaskGroup;
use beacond::time::unix_now_ms;
use beacond::types::{Muxer, TopicKind};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::chain::chain;
use crate::child::{heard, say, say_json};
use crate::figures::percentile;
use crate::load::SENDERS;
use crate::scenario::Scenario;

/// What the node told, since it was last asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Messages told of one by one, by verdict and reason.
    pub(crate) told: BTreeMap<String, u64>,
    /// From arrival to verdict: half of them, 99 %, the last.
    pub(crate) judged_ms: [f64; 3],
    /// From the summaries of slots.
    pub(crate) unique: u64,
    pub(crate) duplicates: u64,
    pub(crate) judged: u64,
    pub(crate) rejected: u64,
    pub(crate) overflowed: u64,
    pub(crate) lost: u64,
}

/// Watches the node from within.
#[derive(Default)]
struct Watch(Mutex<(Report, Vec<f64>)>);

impl Observer for Watch {
    fn observe(&self, event: &NodeEvent) {
        match event {
            NodeEvent::GossipReceived { topic_kind: TopicKind::VoluntaryExit, .. } => say("end", unix_now_ms()),
            NodeEvent::GossipReceived { verdict, reason, judged_ms, .. } => {
                let (report, judged) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
                *report.told.entry(format!("{verdict} {reason}")).or_default() += 1;
                judged.push(*judged_ms);
            }
            NodeEvent::GossipSlotSummarized {
                unique,
                duplicates,
                accepted,
                ignored,
                rejected,
                overflowed,
                lost_verdicts,
                ..
            } => {
                let (report, _) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
                report.unique += unique;
                report.duplicates += duplicates;
                report.judged += accepted + ignored + rejected;
                report.rejected += rejected;
                report.overflowed += overflowed;
                report.lost += lost_verdicts;
                say("summary", unique);
            }
            NodeEvent::HandshakeCompleted { .. } => say("peer", ""),
            NodeEvent::PeerDisconnected { reason, .. } => say("gone", reason),
            _ => {}
        }
    }
}

impl Watch {
    fn take(&self) -> Report {
        let (mut report, mut judged) = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        report.judged_ms = [50, 99, 100].map(|percent| percentile(&mut judged, percent));
        report
    }
}

/// Runs until the parent is gone.
pub(crate) async fn run(scenario: Scenario) -> Result<()> {
    let mut parent = heard();
    let identity = Identity::generate();
    let peer_id = identity.peer_id;
    let on = ListenOn { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), tcp_port: 0, discovery_port: 0, quic_port: 0 };
    let discovery = DiscoveryConfig {
        enabled: false,
        packet_filter: false,
        boot_nodes: Vec::new(),
        use_network_boot_nodes: false,
        advertise: Advertise::default(),
        enr_auto_update: false,
    };
    let watch = Arc::new(Watch::default());
    let below = |kind| SubnetChoice::These((0..scenario.subnets(kind)).collect());
    let gossip = GossipConfig {
        attestation_subnets: below(TopicKind::BeaconAttestation),
        data_columns: below(TopicKind::DataColumnSidecar),
        sample: scenario.sample,
        ..GossipConfig::default()
    };
    let (tasks, stop) = (TaskGroup::new(), CancellationToken::new());
    let (node, handle) = Eth2NodeBuilder::new(
        identity,
        chain(scenario.genesis_time, scenario.slot_duration()),
        ListenConfig { v4: Some(on), v6: None },
        TransportConfig { tcp: true, quic: false, memory: false, muxers: vec![Muxer::Yamux, Muxer::Mplex] },
        discovery,
        PeersConfig { target: 2 * (SENDERS + scenario.silent), ..PeersConfig::default() },
    )
    .events(Events::new(vec![watch.clone()]))
    .gossip(gossip)
    .find(Find::Nobody)
    .build(&tasks)
    .await?;
    let mut running = JoinSet::new();
    running.spawn(node.run(stop));
    let address = handle.snapshot().listening.first().cloned().context("it listens")?;
    say("listening", format!("{peer_id} {address}"));
    while let Some(_report) = parent.recv().await {
        say_json("report", &watch.take())?;
    }
    Ok(())
}
