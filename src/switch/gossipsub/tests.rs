//! Routers in real switches on loopback.

use std::time::Duration;

use futures::AsyncWriteExt;
use libp2p::StreamProtocol;
use libp2p::identity::Keypair;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::room::Load;
use super::*;
use crate::config::TransportConfig;
use crate::switch::{RawConnection, Switch, SwitchEnds, SwitchEvent, SwitchHandle, SwitchLimits, SwitchSettings};
use crate::tasks::TaskGroup;
use crate::transport;
use crate::types::{Muxer, TopicKind, TopicName};

const DIGEST: ForkDigest = ForkDigest([0x8c, 0x9f, 0x62, 0xfe]);
const KIND: TopicKind = TopicKind::BeaconAttestation;

/// Longer than any wait of these tests on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Node {
    peer_id: PeerId,
    address: Multiaddr,
    handle: SwitchHandle,
    events: mpsc::Receiver<SwitchEvent>,
    gossip: GossipEnds,
    tasks: TaskGroup,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

impl Node {
    async fn start(relay: RelayPolicy) -> anyhow::Result<Self> {
        Self::prepared(relay, |_| {}).await
    }

    async fn prepared(relay: RelayPolicy, prepare: impl FnOnce(&mut Router)) -> anyhow::Result<Self> {
        let keypair = Keypair::generate_secp256k1();
        let peer_id = keypair.public().to_peer_id();
        let config = TransportConfig { tcp: true, quic: false, memory: false, muxers: vec![Muxer::Yamux] };
        let (transport, muxers) = transport::build(&keypair, &config)?;
        let limits = SwitchLimits { pending_inbound: 8, pending_outbound: 8, established_inbound: 8, established: 8 };
        let gossip = RouterSettings { digests: vec![(DIGEST, false)], relay, ..RouterSettings::default() };
        let protocols = Vec::new();
        let settings = SwitchSettings { keypair, transport, muxers, protocols, limits, metrics: None, gossip };
        let (mut switch, SwitchEnds { handle, events, gossip, .. }) = Switch::new(settings);
        prepare(&mut switch.swarm.behaviour_mut().gossip);
        let address = switch.listen("/ip4/127.0.0.1/tcp/0".parse()?, "--port").await?;
        let tasks = TaskGroup::new();
        tasks.spawn_critical("switch", switch.run(tasks.token().clone()));
        let node = Self { peer_id, address, handle, events, gossip, tasks };
        node.handle.subscribe(vec![subscription(topic(1))]).await;
        Ok(node)
    }

    /// Connects, and waits until both have each other in the mesh of the topic.
    async fn connect(&self, other: &Self) -> anyhow::Result<RawConnection> {
        let before = (self.meshed().await, other.meshed().await);
        let connection = self.handle.dial(other.peer_id, vec![other.address.clone()]).await?;
        let both = async {
            while self.meshed().await == before.0 || other.meshed().await == before.1 {
                yield_now().await;
            }
        };
        timeout(PATIENCE, both).await?;
        Ok(connection)
    }

    async fn counts(&self) -> GossipCounts {
        self.handle.take_counts().await.expect("the switch runs")
    }

    async fn meshed(&self) -> usize {
        self.counts().await.of(KIND).mesh_peers
    }

    async fn publish(&self, ssz: &[u8]) -> Published {
        self.handle.publish(topic(1), ssz.to_vec()).await.expect("somebody is subscribed")
    }

    async fn message(&mut self) -> GossipMessage {
        self.message_or_end().await.expect("the switch runs")
    }

    async fn message_or_end(&mut self) -> Option<GossipMessage> {
        timeout(PATIENCE, self.gossip.messages.recv()).await.expect("a message or the end")
    }

    async fn event(&mut self) -> RouterEvent {
        timeout(PATIENCE, self.gossip.events.recv()).await.expect("an event comes").expect("the switch runs")
    }

    /// Judges the next message, which is to be this one.
    async fn judge(&mut self, ssz: &[u8], acceptance: Acceptance) {
        let message = self.message().await;
        assert_eq!(message.ssz, ssz);
        message.verdict.report(acceptance);
    }
}

fn topic(subnet: u16) -> GossipTopic {
    GossipTopic { fork_digest: DIGEST, name: TopicName::subnet_of(KIND, subnet).expect("there are 64") }
}

fn subscription(topic: GossipTopic) -> TopicSubscription {
    let score = TopicScore { weight: 0.5, per_slot: 1.0 };
    TopicSubscription { topic, max_ssz_bytes: 1_024, lane: Lane::Quick, score, corroborable: true, outdated: false }
}

/// A publisher, one in the middle, and one who is connected to that one alone.
async fn chain(relay: RelayPolicy) -> anyhow::Result<[Node; 3]> {
    let nodes =
        [Node::start(RelayPolicy::Strict).await?, Node::start(relay).await?, Node::start(RelayPolicy::Strict).await?];
    let [a, b, c] = &nodes;
    a.connect(b).await?;
    b.connect(c).await?;
    Ok(nodes)
}

#[tokio::test]
async fn a_message_is_judged_once_and_goes_on_when_accepted() -> anyhow::Result<()> {
    let [a, mut b, mut c] = chain(RelayPolicy::Strict).await?;
    b.counts().await;
    let published = a.publish(b"one").await;
    assert_eq!(published.peers, 1);
    let message = b.message().await;
    assert_eq!((message.topic, message.peer_id, &message.ssz[..]), (topic(1), a.peer_id, b"one".as_slice()));
    assert_eq!(message.verdict.message_id(), published.message_id);
    message.verdict.report(Acceptance::Accept);
    let relayed = c.message().await;
    assert_eq!((relayed.peer_id, &relayed.ssz[..]), (b.peer_id, b"one".as_slice()));

    // what comes after it is the next message, not a copy of it
    a.publish(b"two").await;
    b.judge(b"two", Acceptance::Accept).await;
    let counts = b.counts().await;
    let of = counts.of(KIND);
    assert_eq!((of.unique, of.duplicates, of.overflow, of.topics, of.mesh_peers), (2, 0, 0, 1, 2));
    assert_eq!((counts.seen_ids, counts.lost_verdicts, counts.late_verdicts), (2, 0, 0));
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_ignored_stops_there() -> anyhow::Result<()> {
    for acceptance in [Acceptance::Ignore, Acceptance::Corroborate(None)] {
        let [a, mut b, mut c] = chain(RelayPolicy::Strict).await?;
        a.publish(b"ignored").await;
        b.judge(b"ignored", acceptance).await;
        a.publish(b"accepted").await;
        b.judge(b"accepted", Acceptance::Accept).await;
        assert_eq!(c.message().await.ssz, b"accepted");
    }
    Ok(())
}

#[tokio::test]
async fn copies_are_counted_and_judged_no_more() -> anyhow::Result<()> {
    let [a, mut b, _c] = chain(RelayPolicy::Strict).await?;
    let second = Node::start(RelayPolicy::Strict).await?;
    second.connect(&b).await?;
    b.counts().await;
    a.publish(b"same").await;
    let held = b.message().await;
    second.publish(b"same").await;
    let mut copies = 0;
    while copies == 0 {
        copies += b.counts().await.of(KIND).duplicates;
        yield_now().await;
    }
    held.verdict.report(Acceptance::Ignore);
    second.publish(b"next").await;
    b.judge(b"next", Acceptance::Ignore).await;
    assert_eq!(copies, 1);
    assert_eq!(b.handle.publish(topic(1), b"same".to_vec()).await, Err(PublishError::Duplicate));
    Ok(())
}

#[tokio::test]
async fn whoever_sends_invalid_messages_is_cut_off_and_nobody_else() -> anyhow::Result<()> {
    let [a, mut b, c] = chain(RelayPolicy::Strict).await?;
    for number in 0..9_u8 {
        a.publish(&[number]).await;
        b.judge(&[number], Acceptance::Reject).await;
    }
    let RouterEvent::ScoreTooLow { peer_id, score } = b.event().await else { panic!("another event") };
    assert_eq!(peer_id, a.peer_id);
    assert!(score < score::GRAYLIST, "{score}");

    // it is not listened to any more, and others are
    a.handle.publish(topic(1), b"unheard".to_vec()).await?;
    c.publish(b"heard").await;
    assert_eq!(b.message().await.ssz, b"heard");
    // whoever should have left it may not have been listening
    let RouterEvent::ScoreTooLow { peer_id, .. } = b.event().await else { panic!("another event") };
    assert_eq!(peer_id, a.peer_id, "told again while it stays");
    Ok(())
}

#[tokio::test]
async fn whoever_sent_a_copy_before_the_verdict_pays_as_well() -> anyhow::Result<()> {
    let [a, mut b, _c] = chain(RelayPolicy::Strict).await?;
    let second = Node::start(RelayPolicy::Strict).await?;
    second.connect(&b).await?;
    for number in 0..9_u8 {
        a.publish(&[number]).await;
        let held = b.message().await;
        b.counts().await;
        second.publish(&[number]).await;
        while b.counts().await.of(KIND).duplicates == 0 {
            yield_now().await;
        }
        held.verdict.report(Acceptance::Reject);
    }
    let mut low = HashSet::new();
    while low.len() < 2 {
        let RouterEvent::ScoreTooLow { peer_id, .. } = b.event().await else { panic!("another event") };
        low.insert(peer_id);
    }
    assert_eq!(low, HashSet::from([a.peer_id, second.peer_id]));
    Ok(())
}

#[tokio::test]
async fn whoever_sent_a_copy_before_the_verdict_is_not_sent_it() -> anyhow::Result<()> {
    let [a, mut b, mut c] = chain(RelayPolicy::Strict).await?;
    let second = Node::start(RelayPolicy::Strict).await?;
    second.connect(&b).await?;
    a.publish(b"same").await;
    let held = b.message().await;
    b.counts().await;
    second.publish(b"same").await;
    while b.counts().await.of(KIND).duplicates == 0 {
        yield_now().await;
    }
    held.verdict.report(Acceptance::Accept);
    assert_eq!(c.message().await.ssz, b"same");
    // by the same way, later: had the copy been sent, it would have come before
    a.publish(b"next").await;
    b.judge(b"next", Acceptance::Accept).await;
    let (mut unique, mut duplicates) = (0, 0);
    while unique == 0 {
        let counts = second.counts().await;
        unique += counts.of(KIND).unique;
        duplicates += counts.of(KIND).duplicates;
        yield_now().await;
    }
    assert_eq!(duplicates, 0);
    Ok(())
}

#[tokio::test]
async fn a_corroborated_message_goes_on_once_a_second_network_sent_it() -> anyhow::Result<()> {
    let [a, mut b, mut c] = chain(RelayPolicy::Corroborated { copies: 2 }).await?;
    let second = Node::start(RelayPolicy::Strict).await?;
    second.connect(&b).await?;
    let Published { message_id, .. } = a.publish(b"unverifiable").await;
    b.judge(b"unverifiable", Acceptance::Corroborate(None)).await;
    second.publish(b"unverifiable").await;
    assert_eq!(c.message().await.ssz, b"unverifiable");
    let told = RouterEvent::Corroborated { message_id, topic: topic(1), relayed: true, networks: 2 };
    assert_eq!(b.event().await, told);
    Ok(())
}

#[tokio::test]
async fn a_corroborated_message_does_not_go_back_to_who_corroborated_it() -> anyhow::Result<()> {
    let [a, mut b, mut c] = chain(RelayPolicy::Corroborated { copies: 2 }).await?;
    let mut second = Node::start(RelayPolicy::Strict).await?;
    second.connect(&b).await?;
    a.publish(b"unverifiable").await;
    b.judge(b"unverifiable", Acceptance::Corroborate(None)).await;
    second.publish(b"unverifiable").await;
    assert_eq!(c.message().await.ssz, b"unverifiable");
    // the same way, later: an echo would have come before
    a.publish(b"accepted").await;
    b.judge(b"accepted", Acceptance::Accept).await;
    assert_eq!(second.message().await.ssz, b"accepted");
    assert_eq!(second.counts().await.of(KIND).duplicates, 0);
    Ok(())
}

#[tokio::test]
async fn one_peer_alone_corroborates_nothing() -> anyhow::Result<()> {
    let [a, mut b, mut c] = chain(RelayPolicy::Corroborated { copies: 2 }).await?;
    let Published { message_id, .. } = a.publish(b"unverifiable").await;
    b.judge(b"unverifiable", Acceptance::Corroborate(None)).await;
    let told = RouterEvent::Corroborated { message_id, topic: topic(1), relayed: false, networks: 1 };
    assert_eq!(b.event().await, told);
    a.publish(b"accepted").await;
    b.judge(b"accepted", Acceptance::Accept).await;
    assert_eq!(c.message().await.ssz, b"accepted");
    assert_eq!(b.counts().await.late_verdicts, 0, "decided while the message was cached");
    Ok(())
}

#[tokio::test]
async fn a_topic_that_must_not_be_corroborated_is_not() -> anyhow::Result<()> {
    let [a, mut b, mut c] = chain(RelayPolicy::Corroborated { copies: 2 }).await?;
    let second = Node::start(RelayPolicy::Strict).await?;
    second.connect(&b).await?;
    b.handle.subscribe(vec![TopicSubscription { corroborable: false, ..subscription(topic(1)) }]).await;
    a.publish(b"unverifiable").await;
    let held = b.message().await;
    second.publish(b"unverifiable").await;
    while b.counts().await.of(KIND).duplicates == 0 {
        yield_now().await;
    }
    held.verdict.report(Acceptance::Corroborate(None));
    a.publish(b"accepted").await;
    b.judge(b"accepted", Acceptance::Accept).await;
    assert_eq!(c.message().await.ssz, b"accepted");
    Ok(())
}

#[tokio::test]
async fn what_finds_no_room_is_ignored_and_counted() -> anyhow::Result<()> {
    let a = Node::start(RelayPolicy::Strict).await?;
    let mut b = Node::prepared(RelayPolicy::Strict, |router| {
        let load = Load { messages: 10, bytes: 100 };
        router.room = Room::of(load, load);
    })
    .await?;
    a.connect(&b).await?;
    b.counts().await;
    a.publish(&[1; 80]).await;
    let held = b.message().await;
    a.publish(&[2; 80]).await;
    let mut overflow = 0;
    while overflow == 0 {
        overflow += b.counts().await.of(KIND).overflow;
        yield_now().await;
    }
    let GossipMessage { verdict, ssz, .. } = held;
    verdict.report(Acceptance::Accept);
    drop(ssz);
    a.publish(&[3; 80]).await;
    b.judge(&[3; 80], Acceptance::Accept).await;
    Ok(())
}

#[tokio::test]
async fn what_a_flooder_brings_in_vain_is_judged_when_another_sends_it() -> anyhow::Result<()> {
    let (flooder, honest) = (Node::start(RelayPolicy::Strict).await?, Node::start(RelayPolicy::Strict).await?);
    let mut b = Node::prepared(RelayPolicy::Strict, |router| {
        let load = Load { messages: 10, bytes: 100 };
        router.room = Room::of(load, load);
    })
    .await?;
    flooder.connect(&b).await?;
    honest.connect(&b).await?;
    flooder.publish(&[1; 80]).await;
    let held = b.message().await;
    flooder.publish(&[2; 15]).await;
    while b.counts().await.of(KIND).overflow == 0 {
        yield_now().await;
    }
    honest.publish(&[2; 15]).await;
    b.judge(&[2; 15], Acceptance::Accept).await;
    held.verdict.report(Acceptance::Ignore);
    Ok(())
}

#[tokio::test]
async fn without_judges_messages_are_ignored_and_counted() -> anyhow::Result<()> {
    let [a, mut b, mut c] = chain(RelayPolicy::Strict).await?;
    b.gossip.messages.close();
    a.publish(b"one").await;
    while b.counts().await.of(KIND).overflow == 0 {
        yield_now().await;
    }
    c.gossip.messages.close();
    assert!(c.message_or_end().await.is_none(), "nothing went on");
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_dropped_counts_as_a_lost_verdict() -> anyhow::Result<()> {
    let [a, mut b, mut c] = chain(RelayPolicy::Strict).await?;
    a.publish(b"lost").await;
    drop(b.message().await);
    let mut lost = 0;
    while lost == 0 {
        lost += b.counts().await.lost_verdicts;
        yield_now().await;
    }
    a.publish(b"accepted").await;
    b.judge(b"accepted", Acceptance::Accept).await;
    assert_eq!((lost, &c.message().await.ssz[..]), (1, b"accepted".as_slice()));
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_published_says_why() -> anyhow::Result<()> {
    let a = Node::start(RelayPolicy::Strict).await?;
    let publish = |topic, ssz| a.handle.publish(topic, ssz);
    assert_eq!(publish(topic(1), vec![1]).await, Err(PublishError::NoPeers));
    assert_eq!(publish(topic(1), vec![0; params::MAX_PAYLOAD_SIZE + 1]).await, Err(PublishError::TooLarge));
    let unknown = GossipTopic { fork_digest: ForkDigest([0; 4]), ..topic(1) };
    assert_eq!(publish(unknown, vec![1]).await, Err(PublishError::UnknownDigest));
    let b = Node::start(RelayPolicy::Strict).await?;
    a.connect(&b).await?;
    assert_eq!(publish(topic(1), vec![1]).await.map(|published| published.peers), Ok(1));
    assert_eq!(publish(topic(1), vec![1]).await, Err(PublishError::Duplicate));
    assert_eq!(publish(topic(2), vec![1]).await, Err(PublishError::NoPeers));
    Ok(())
}

#[tokio::test]
async fn a_topic_that_we_left_brings_nothing_and_one_that_we_joined_again_does() -> anyhow::Result<()> {
    let [a, mut b, _c] = chain(RelayPolicy::Strict).await?;
    b.handle.unsubscribe(vec![topic(1)]).await;
    let mut number = 0_u64;
    while a.handle.publish(topic(1), number.to_le_bytes().to_vec()).await != Err(PublishError::NoPeers) {
        number += 1;
        yield_now().await;
    }
    b.handle.subscribe(vec![subscription(topic(1))]).await;
    while a.handle.publish(topic(1), b"joined".to_vec()).await.is_err() {
        yield_now().await;
    }
    assert_eq!(b.message().await.ssz, b"joined");
    Ok(())
}

#[tokio::test]
async fn peers_that_gossip_knows_never_exceed_those_that_are_connected() -> anyhow::Result<()> {
    let mut hub = Node::start(RelayPolicy::Strict).await?;
    let (a, b) = (Node::start(RelayPolicy::Strict).await?, Node::start(RelayPolicy::Strict).await?);
    for round in 0..3 {
        let connections = [a.connect(&hub).await?, b.connect(&hub).await?];
        assert_eq!(hub.counts().await.peers, 2, "round {round}");
        for (left, (node, connection)) in [(1, (&a, &connections[0])), (0, (&b, &connections[1]))] {
            node.handle.disconnect(connection.connection_id).await;
            let closed = async {
                while !matches!(hub.events.recv().await.expect("the switch runs"), SwitchEvent::Closed { .. }) {}
            };
            timeout(PATIENCE, closed).await?;
            let counts = hub.counts().await;
            assert_eq!((counts.peers, counts.of(KIND).mesh_peers), (left, left), "round {round}");
            while node.counts().await.peers > 0 {
                yield_now().await;
            }
        }
        // back-offs of the mesh would make the next round wait a minute
        for node in [&hub, &a, &b] {
            node.handle.unsubscribe(vec![topic(1)]).await;
            node.handle.subscribe(vec![subscription(topic(1))]).await;
        }
    }
    Ok(())
}

/// A field of protobuf: bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut buffer = unsigned_varint::encode::usize_buffer();
    let length = unsigned_varint::encode::usize(bytes.len(), &mut buffer);
    [&[number << 3 | 2], length, bytes].concat()
}

fn raw_message(topic: GossipTopic, data: &[u8]) -> Vec<u8> {
    field(2, &[field(2, data), field(4, topic.to_string().as_bytes())].concat())
}

/// With a field that `StrictNoSign` forbids: author 1, sequence number 3, signature 5, key 6.
fn signed_message(topic: GossipTopic, data: &[u8], forbidden: u8) -> Vec<u8> {
    let value: &[u8] = if forbidden == 1 { &[0, 1, 7] } else { &[7; 8] };
    field(2, &[field(2, data), field(4, topic.to_string().as_bytes()), field(forbidden, value)].concat())
}

async fn write_rpc(stream: &mut libp2p::Stream, rpc: &[u8]) -> anyhow::Result<()> {
    let mut buffer = unsigned_varint::encode::usize_buffer();
    stream.write_all(unsigned_varint::encode::usize(rpc.len(), &mut buffer)).await?;
    stream.write_all(rpc).await?;
    Ok(stream.flush().await?)
}

/// A control message of one kind: IHAVE 1, with a topic, IWANT 2, IDONTWANT 5.
fn raw_control(kind: u8, ids: &[&[u8]]) -> Vec<u8> {
    let (topic, number) = if kind == 1 { (field(1, topic(1).to_string().as_bytes()), 2) } else { (Vec::new(), 1) };
    let ids = ids.iter().flat_map(|id| field(number, id));
    field(3, &field(kind, &topic.into_iter().chain(ids).collect::<Vec<_>>()))
}

#[tokio::test]
async fn what_a_hostile_peer_writes_never_reaches_the_judges() -> anyhow::Result<()> {
    let (a, mut b) = (Node::start(RelayPolicy::Strict).await?, Node::start(RelayPolicy::Strict).await?);
    let connection = a.connect(&b).await?;
    b.counts().await;
    let good = snappy::compress(b"good").expect("small");
    let too_large = snappy::compress(&[0; 1_025]).expect("small");
    let id: &[u8] = &[7; 20];
    let rpc = [
        raw_message(topic(2), &good),
        raw_message(topic(1), b"\x05no snappy"),
        raw_message(topic(1), &too_large),
        signed_message(topic(1), &good, 1),
        signed_message(topic(1), &good, 3),
        signed_message(topic(1), &good, 5),
        signed_message(topic(1), &good, 6),
        raw_control(1, &[id, &[7; 21]]),
        raw_message(topic(1), &good),
    ];
    let opener = connection.opener;
    let mut stream = opener.open(vec![StreamProtocol::new("/meshsub/1.1.0")]).await?.stream;
    let others = [
        raw_control(1, &[id, id]),
        raw_control(2, &[&[7; 19]]),
        raw_control(2, &[id]),
        raw_control(5, &[b""]),
        raw_control(5, &[id]),
    ];
    for rpc in others.into_iter().chain([rpc.concat()]) {
        write_rpc(&mut stream, &rpc).await?;
    }

    b.judge(b"good", Acceptance::Accept).await;
    let mut reasons = Vec::new();
    while reasons.len() < 6 {
        match b.event().await {
            RouterEvent::Invalid { peer_id, reason, .. } if peer_id == a.peer_id => reasons.push(reason),
            other => panic!("{other:?}"),
        }
    }
    let signed = [Invalid::Signed; 4];
    assert_eq!(reasons, [&signed[..3], &[Invalid::BadSnappy, Invalid::TooLarge], &signed[3..]].concat());
    let counts = b.counts().await;
    let of = counts.of(KIND);
    assert_eq!((of.undecodable, of.signed, of.unique), (2, 4, 1));
    assert_eq!((counts.bad_control, counts.not_joined), (3, 1));
    assert!(b.gossip.messages.try_recv().is_err());
    Ok(())
}

#[tokio::test]
async fn whoever_breaks_strict_no_sign_is_cut_off() -> anyhow::Result<()> {
    let (a, mut b) = (Node::start(RelayPolicy::Strict).await?, Node::start(RelayPolicy::Strict).await?);
    let connection = a.connect(&b).await?;
    let mut stream = connection.opener.open(vec![StreamProtocol::new("/meshsub/1.1.0")]).await?.stream;
    for number in 0..9 {
        write_rpc(&mut stream, &signed_message(topic(1), &snappy::compress(&[number]).expect("small"), 6)).await?;
    }
    loop {
        match b.event().await {
            RouterEvent::Invalid { reason: Invalid::Signed, .. } => {}
            RouterEvent::ScoreTooLow { peer_id, .. } => break assert_eq!(peer_id, a.peer_id),
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

#[tokio::test]
async fn nobody_pays_for_invalid_messages_on_a_topic_whose_digest_is_over() -> anyhow::Result<()> {
    let (a, mut b) = (Node::start(RelayPolicy::Strict).await?, Node::start(RelayPolicy::Strict).await?);
    let connection = a.connect(&b).await?;
    b.handle.subscribe(vec![TopicSubscription { outdated: true, ..subscription(topic(1)) }]).await;
    let mut stream = connection.opener.open(vec![StreamProtocol::new("/meshsub/1.1.0")]).await?.stream;
    let good = snappy::compress(b"good").expect("small");
    for _ in 0..9 {
        write_rpc(&mut stream, &raw_message(topic(1), b"\x05no snappy")).await?;
        write_rpc(&mut stream, &signed_message(topic(1), &good, 5)).await?;
    }
    write_rpc(&mut stream, &raw_message(topic(1), &good)).await?;
    b.judge(b"good", Acceptance::Accept).await;
    let counts = b.counts().await;
    let of = counts.of(KIND);
    assert_eq!((of.outdated, of.undecodable, of.signed), (18, 0, 0));
    assert!(b.gossip.events.try_recv().is_err());
    Ok(())
}

/// The copy that decides goes through the router alone, with nothing after it that would wake anyone.
#[tokio::test]
async fn the_copy_that_decides_a_corroboration_waits_for_nothing_else() -> anyhow::Result<()> {
    let [a, mut b, mut c] = chain(RelayPolicy::Corroborated { copies: 2 }).await?;
    let second = Node::start(RelayPolicy::Strict).await?;
    let connection = second.connect(&b).await?;
    let mut stream = connection.opener.open(vec![StreamProtocol::new("/meshsub/1.1.0")]).await?.stream;
    let Published { message_id, .. } = a.publish(b"unverifiable").await;
    b.judge(b"unverifiable", Acceptance::Corroborate(None)).await;
    write_rpc(&mut stream, &raw_message(topic(1), &snappy::compress(b"unverifiable").expect("small"))).await?;
    let told = RouterEvent::Corroborated { message_id, topic: topic(1), relayed: true, networks: 2 };
    assert_eq!(b.event().await, told);
    assert_eq!(c.message().await.ssz, b"unverifiable");
    assert_eq!(b.counts().await.of(KIND).corroborated, 1);
    Ok(())
}
