//! Whole slots made with the executable specification, played through one node to another.

use std::collections::BTreeSet;

use anyhow::Result;
use beacond::config::{GossipConfig, SubnetChoice};
use beacond::events::NodeEvent;
use beacond::gossip::{IgnoreReason, NotPublished, Verdict};
use beacond::switch;
use beacond::time::SlotClock;
use beacond::types::{MessageId, Slot, TopicKind};

use crate::support::{Fixture, Options, TestNode};

/// Within the slot: when sync messages are due, so that light-client updates may come, and long before its end.
const OFFSET_MS: u64 = 4_000;

/// What the messages of one slot came to at the node that heard them.
#[derive(Debug, Default)]
struct Heard {
    sent: BTreeSet<MessageId>,
    columns: BTreeSet<u16>,
    /// Kinds of what refers to blocks from before the slot, which nobody has seen.
    unknown: BTreeSet<TopicKind>,
}

/// Plays a slot from a node that is in every topic to one of the default profile, and waits until it has judged all.
async fn play(fixture: &Fixture, slot: Slot) -> Result<Heard> {
    let chain = fixture.chain()?;
    let now_ms = (chain.genesis_time + slot.0 * 12) * 1000 + OFFSET_MS;
    let clock = SlotClock::anchored(now_ms, chain.genesis_time, chain.slot_duration);
    let everything = |kind: TopicKind| SubnetChoice::These((0..kind.subnets().unwrap_or_default()).collect());
    let told = GossipConfig { sample: 1.0, ..GossipConfig::default() };
    let in_everything = GossipConfig {
        attestation_subnets: everything(TopicKind::BeaconAttestation),
        data_columns: everything(TopicKind::DataColumnSidecar),
        ..told.clone()
    };
    let mut listener = TestNode::start(Options { gossip: told, clock: Some(clock), ..Options::new(&chain) }).await?;
    let known_peers = vec![listener.multiaddr("/tcp/")?];
    let options = Options { gossip: in_everything, known_peers, clock: Some(clock), ..Options::new(&chain) };
    let mut publisher = TestNode::start(options).await?;
    publisher.met(&mut listener).await?;
    // the router knows what a peer is in a moment after they have met; a topic that every node is in tells when
    let mut records = fixture.messages(slot)?;
    // what is of its slot alone goes first
    let is_fleeting = |kind| matches!(kind, TopicKind::SyncCommittee | TopicKind::SyncCommitteeContributionAndProof);
    records.sort_by_key(|record| !is_fleeting(record.topic.kind()));
    let mut heard = Heard::default();
    for record in &records {
        let sent = loop {
            match publisher.handle.gossip().publish(record.topic, record.ssz.clone()).await {
                Err(NotPublished::Router(switch::PublishError::NoPeers)) if heard.sent.is_empty() => {
                    tokio::task::yield_now().await;
                }
                sent => break sent,
            }
        };
        match sent {
            Ok(published) => {
                heard.sent.insert(published.message_id);
                if record.topic.kind() == TopicKind::DataColumnSidecar {
                    heard.columns.extend(record.topic.subnet());
                }
            }
            // a subnet or column that the listener is not in
            Err(NotPublished::Router(switch::PublishError::NoPeers)) if record.topic.subnet().is_some() => {}
            Err(NotPublished::Refused(Verdict::Ignore(IgnoreReason::BlockUnknown))) => {
                heard.unknown.insert(record.topic.kind());
            }
            Err(error) => return Err(anyhow::Error::new(error).context(format!("{} of slot {slot}", record.topic))),
        }
    }
    let sent = heard.sent.clone();
    let judged = |event: &NodeEvent| matches!(event, NodeEvent::GossipReceived { message_id, verdict, reason, .. } if sent.contains(message_id) && (*verdict, *reason) == ("ignore", "unverifiable"));
    listener
        .until("every message, judged unverifiable", |history| {
            history.iter().filter(|event| judged(event)).count() >= sent.len()
        })
        .await?;
    // each once, and nothing else
    assert_eq!(listener.count(|event| matches!(event, NodeEvent::GossipReceived { .. })), sent.len(), "slot {slot}");
    assert_eq!(listener.count(|event| matches!(event, NodeEvent::GossipRejected { .. })), 0, "slot {slot}");
    let ours: BTreeSet<u16> = listener.handle.plan().duties.columns.iter().copied().collect();
    assert!(heard.columns.is_empty() || heard.columns == ours, "{:?} of {ours:?}", heard.columns);
    Ok(heard)
}

#[tokio::test]
async fn whole_slots_of_fulu_are_judged_and_nothing_is_lost() -> Result<()> {
    let fixture = Fixture::read("fulu")?;
    let mut columns = 0;
    for slot in fixture.slots()? {
        let heard = play(&fixture, slot).await?;
        assert!(heard.sent.len() > 100, "slot {slot}: {heard:?}");
        assert_eq!(heard.unknown, BTreeSet::new());
        columns += heard.columns.len();
    }
    // three of the four slots have blobs, and eight columns are ours
    assert_eq!(columns, 24);
    Ok(())
}

#[tokio::test]
async fn whole_slots_of_deneb_and_gloas_are_judged_and_nothing_is_lost() -> Result<()> {
    // the parent of the bid's block, and the block that preferences depend on, are older than the fixture
    let older = BTreeSet::from([TopicKind::ExecutionPayloadBid, TopicKind::ProposerPreferences]);
    for (folder, unknown) in [("deneb", BTreeSet::new()), ("gloas", older)] {
        let fixture = Fixture::read(folder)?;
        for slot in fixture.slots()? {
            let heard = play(&fixture, slot).await?;
            assert!(heard.sent.len() > 5, "{folder} {slot}: {heard:?}");
            assert_eq!(heard.unknown, unknown, "{folder}");
        }
    }
    Ok(())
}
