//! What is said, what is joined, and when.

use proptest::prelude::*;

use super::*;
use crate::chain::custody_groups;
use crate::chain::{BlobParameters, ForkParameters, NetworkName};
use crate::gossip::subnets::next_rotation;
use crate::types::{ForkDigest, ForkVersion};

/// A network on which each of the first forks comes so many epochs after the one before, then blob-parameter forks.
fn network(gaps: &[u64], blobs: &[u64]) -> ChainConfig {
    let mut chain = ChainConfig::embedded(NetworkName::Mainnet);
    let mut epoch = 0;
    chain.forks.clear();
    for (index, (fork, gap)) in ForkName::ALL.into_iter().zip(gaps).enumerate() {
        epoch += if index == 0 { 0 } else { *gap };
        let version = ForkVersion([index as u8, 0, 0, 9]);
        chain.forks.insert(fork, ForkParameters { version, epoch: Some(Epoch(epoch)) });
    }
    chain.blob_schedule.clear();
    if let Some(Epoch(mut epoch)) = chain.fork_epoch(ForkName::Fulu) {
        for (index, gap) in blobs.iter().enumerate() {
            epoch += gap + 1;
            chain.blob_schedule.push(BlobParameters { epoch: Epoch(epoch), max_blobs: 10 + index as u64 });
        }
    }
    chain.validate().unwrap();
    chain
}

fn subscriptions(chain: &ChainConfig, node_id: [u8; 32], choices: &GossipConfig) -> Subscriptions {
    Subscriptions::new(NodeId::new(&node_id), choices, chain, Arc::new(ForkSchedule::new(chain)))
}

fn bits<N: ssz_types::typenum::Unsigned + Clone>(field: &ssz_types::BitVector<N>) -> BTreeSet<u16> {
    field.iter().enumerate().filter(|(_, bit)| *bit).map(|(index, _)| index as u16).collect()
}

fn subnets(topics: &BTreeSet<GossipTopic>, fork_digest: ForkDigest, kind: TopicKind) -> BTreeSet<u16> {
    let ours = topics.iter().filter(|topic| topic.fork_digest == fork_digest && topic.name.kind() == kind);
    ours.filter_map(|topic| topic.name.subnet()).collect()
}

fn digests(topics: &BTreeSet<GossipTopic>) -> BTreeSet<ForkDigest> {
    topics.iter().map(|topic| topic.fork_digest).collect()
}

#[test]
fn a_node_by_default_is_in_two_subnets_and_samples_twice_what_it_keeps() {
    let chain = network(&[0; 7], &[]);
    let node = subscriptions(&chain, [7; 32], &GossipConfig::default());
    let Plan { duties, topics, .. } = node.plan_at(Epoch(1000));
    let node_id = NodeId::new(&[7; 32]);
    assert_eq!(bits(&duties.attnets), subscribed_subnets(&node_id, Epoch(1000)).into());
    assert_eq!(bits(&duties.syncnets), BTreeSet::from([0, 1, 2, 3]));
    assert_eq!((duties.custody_group_count, &duties.columns), (4, &custody_groups(&node_id, 8)));
    let global = TopicKind::ALL.iter().filter(|kind| kind.subnets().is_none());
    let in_fulu = global.filter(|kind| row(**kind).count_in(ForkName::Fulu) > 0).count();
    assert_eq!((in_fulu, topics.len()), (9, 9 + 2 + 4 + 8));
}

#[test]
fn a_digest_is_joined_two_epochs_ahead_and_left_two_epochs_after() {
    // Electra from the start, Fulu at 10, blob parameters at 20
    let chain = network(&[0, 0, 0, 0, 0, 0, 10], &[9]);
    let schedule = ForkSchedule::new(&chain);
    let node = subscriptions(&chain, [7; 32], &GossipConfig::default());
    let at = |epoch| digests(&node.wanted_topics(Epoch(epoch)));
    let of = |epochs: &[u64]| epochs.iter().map(|epoch| schedule.digest_at(Epoch(*epoch))).collect::<BTreeSet<_>>();
    for (epoch, held) in [
        (0, of(&[0])),
        (7, of(&[0])),
        (8, of(&[0, 10])),
        (11, of(&[0, 10])),
        (12, of(&[10])),
        (17, of(&[10])),
        (18, of(&[10, 20])),
        (21, of(&[10, 20])),
        (22, of(&[20])),
    ] {
        assert_eq!(at(epoch), held, "epoch {epoch}");
    }
}

#[test]
fn boundaries_in_a_row_are_all_held() {
    let chain = network(&[0, 0, 0, 0, 0, 0, 1], &[0]);
    let node = subscriptions(&chain, [7; 32], &GossipConfig::default());
    let held = [0, 1, 2, 3, 4].map(|epoch| digests(&node.wanted_topics(Epoch(epoch))).len());
    assert_eq!(held, [3, 3, 3, 2, 1]);
}

#[test]
fn columns_are_claimed_from_when_they_are_scheduled_and_joined_with_their_fork() {
    let scheduled = network(&[0, 0, 0, 0, 0, 0, 100], &[]);
    let node = subscriptions(&scheduled, [7; 32], &GossipConfig::default());
    let Plan { duties, topics, .. } = node.plan_at(Epoch(0));
    assert_eq!(duties.custody_group_count, 4);
    assert!(topics.iter().all(|topic| topic.name.kind() != TopicKind::DataColumnSidecar));

    let never = network(&[0; 6], &[]);
    let node = subscriptions(&never, [7; 32], &GossipConfig::default());
    assert_eq!(node.duties_at(Epoch(0)).custody_group_count, 0);
}

#[test]
fn subnets_move_at_the_nodes_own_epoch_on_every_digest_in_force() {
    let chain = network(&[0; 7], &[]);
    let mut node_id = [7; 32];
    node_id[31] = 56;
    let node = subscriptions(&chain, node_id, &GossipConfig::default());
    let id = NodeId::new(&node_id);
    assert_eq!(next_rotation(&id, Epoch(0)), Epoch(200));
    let digest = ForkSchedule::new(&chain).digest_at(Epoch(0));
    let joined = |epoch| subnets(&node.wanted_topics(Epoch(epoch)), digest, TopicKind::BeaconAttestation);
    assert_eq!(joined(199), joined(0));
    assert_ne!(joined(200), joined(199));
    assert_eq!(joined(200), subscribed_subnets(&id, Epoch(200)).into());
}

#[test]
fn a_topic_that_is_left_out_is_not_claimed() {
    let chain = network(&[0; 7], &[]);
    let choices = GossipConfig { topics: [TopicKind::BeaconBlock].into(), ..GossipConfig::default() };
    let Plan { duties, topics, .. } = subscriptions(&chain, [7; 32], &choices).plan_at(Epoch(9));
    assert_eq!(duties, Duties::default());
    assert_eq!(topics.len(), 1);
}

fn choice(end: u16) -> impl Strategy<Value = SubnetChoice> {
    prop_oneof![
        Just(SubnetChoice::Auto),
        Just(SubnetChoice::These((0..end).collect())),
        prop::collection::btree_set(0..end, 0..usize::from(end)).prop_map(SubnetChoice::These),
    ]
}

fn choices() -> impl Strategy<Value = GossipConfig> {
    let kinds = prop::sample::subsequence(TopicKind::ALL, 0..=TopicKind::ALL.len());
    let all = GossipConfig::default().topics;
    let topics = prop_oneof![Just(all), kinds.prop_map(|kinds| kinds.into_iter().collect())];
    (topics, choice(64), choice(128), choice(4)).prop_map(
        |(topics, attestation_subnets, data_columns, sync_subnets)| GossipConfig {
            topics,
            attestation_subnets,
            data_columns,
            sync_subnets,
            ..GossipConfig::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_said_and_what_is_joined_agree_at_every_epoch(
        choices in choices(),
        node_id: [u8; 32],
        gaps in prop::collection::vec(0u64..6, 1..=9),
        blobs in prop::collection::vec(0u64..4, 0..4),
        epoch in 0u64..60,
    ) {
        let chain = network(&gaps, &blobs);
        let schedule = ForkSchedule::new(&chain);
        let Plan { duties, topics, .. } = subscriptions(&chain, node_id, &choices).plan_at(Epoch(epoch));
        let current = schedule.state_at(Epoch(epoch));
        let joined = |kind| subnets(&topics, current.fork_digest, kind);

        // said and joined
        let metadata = duties.metadata(3);
        prop_assert_eq!(joined(TopicKind::BeaconAttestation), bits(&metadata.attnets));
        prop_assert_eq!(joined(TopicKind::SyncCommittee), metadata.syncnets.as_ref().map(bits).unwrap_or_default());
        let count = metadata.custody_group_count.unwrap_or_default();
        let custody = |count| custody_groups(&NodeId::new(&node_id), count);
        let columns = joined(TopicKind::DataColumnSidecar);
        let has_columns = row(TopicKind::DataColumnSidecar).count_in(current.fork) > 0;
        prop_assert!(!has_columns || columns.is_superset(&custody(count)));
        if choices.data_columns != SubnetChoice::Auto && has_columns {
            prop_assert!(count == 128 || !columns.is_superset(&custody(count + 1)));
        }

        // each digest within its window and no other
        let boundaries: Vec<_> = schedule.boundaries().collect();
        let held: BTreeSet<_> = boundaries.iter().enumerate().filter(|(index, boundary)| {
            let end = boundaries.get(index + 1).map(|next| next.epoch.0);
            boundary.epoch.0 <= epoch + 2 && end.is_none_or(|end| epoch < end + 2)
        }).map(|(_, boundary)| boundary.fork_digest).collect();
        if choices.topics.contains(&TopicKind::BeaconBlock) {
            prop_assert_eq!(&digests(&topics), &held);
        }
        prop_assert!(digests(&topics).is_subset(&held));

        // each topic wanted, and of a fork that has it
        for topic in &topics {
            let fork = boundaries.iter().find(|boundary| boundary.fork_digest == topic.fork_digest).map(|it| it.fork);
            let kind = topic.name.kind();
            prop_assert!(choices.topics.contains(&kind));
            let count = row(kind).count_in(fork.unwrap());
            prop_assert!(count > 0 && topic.name.subnet().is_none_or(|subnet| subnet < count), "{}", topic);
        }
    }
}
