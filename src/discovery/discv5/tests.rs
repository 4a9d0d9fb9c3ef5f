//! Real discv5 nodes on loopback, with real time and free ports.

use std::collections::BTreeSet;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use anyhow::{Context, Result, ensure};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::super::enr::tests::content;
use super::super::target::tests::on_fork;
use super::super::{Endpoint, EnrExt, LookupTarget, build_enr};
use super::*;
use crate::events::{NodeEvent, Subscription};
use crate::types::ForkDigest;

/// Enough for any of these on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Node {
    discovery: Arc<Discv5Discovery>,
    events: Subscription,
    tasks: TaskGroup,
}

/// How a test's node differs from the usual.
struct Options {
    bootnodes: Vec<Enr>,
    advertise: bool,
    packet_filter: bool,
    listen: Ipv4Addr,
}

impl Options {
    fn new(bootnodes: &[Enr]) -> Self {
        Self { bootnodes: bootnodes.to_vec(), advertise: true, packet_filter: false, listen: Ipv4Addr::LOCALHOST }
    }
}

async fn start(options: Options) -> Result<Node> {
    let sockets = BoundSockets::bind(Some(SocketAddrV4::new(options.listen, 0)), None).await?;
    let udp = sockets.address4().map(|address| address.port());
    let here = Endpoint { ip: Ipv4Addr::LOCALHOST, udp, tcp: None, quic: None };
    start_with(sockets, EnrContent { ip4: options.advertise.then_some(here), ..content() }, options).await
}

async fn start_with(sockets: BoundSockets, content: EnrContent, options: Options) -> Result<Node> {
    let key = CombinedKey::generate_secp256k1();
    let enr = build_enr(&key, None, &content)?;
    let ports = PublicPorts { tcp: Some(4000), quic: Some(4001) };
    let settings = DiscoverySettings {
        key,
        enr,
        sockets,
        ports4: ports,
        ports6: ports,
        bootnodes: options.bootnodes,
        packet_filter: options.packet_filter,
        enr_auto_update: true,
    };
    let (events, tasks) = (Events::default(), TaskGroup::new());
    let subscription = events.subscribe();
    let discovery = Discv5Discovery::start(settings, events, &tasks).await?;
    Ok(Node { discovery, events: subscription, tasks })
}

/// `count` nodes of which all but the first know the first alone.
async fn network(count: usize, options: impl Fn(&[Enr]) -> Options) -> Result<Vec<Node>> {
    let mut nodes = vec![start(options(&[])).await?];
    let bootnode = [nodes[0].discovery.local_enr()];
    for _ in 1..count {
        nodes.push(start(options(&bootnode)).await?);
    }
    Ok(nodes)
}

/// Looks up, at most once in `pace`, until every node has found every other.
async fn find_everyone(nodes: &[Node], pace: Duration) -> Result<()> {
    let mut pace = tokio::time::interval(pace);
    let everyone: BTreeSet<_> = nodes.iter().map(|node| node.discovery.local_enr().node_id().raw()).collect();
    for node in nodes {
        let mut found = BTreeSet::from([node.discovery.local_enr().node_id().raw()]);
        while found != everyone {
            pace.tick().await;
            let records = node.discovery.lookup_random().await?;
            ensure!(records.len() <= MAX_LOOKUP_RECORDS);
            found.extend(records.iter().map(|enr| enr.node_id().raw()));
        }
    }
    Ok(())
}

#[tokio::test]
async fn ten_nodes_find_each_other_from_one_bootnode() -> Result<()> {
    let nodes = network(10, Options::new).await?;
    timeout(PATIENCE, find_everyone(&nodes, Duration::from_millis(5))).await.context("not all found")??;
    let counts = nodes[0].discovery.counts();
    ensure!(counts.sessions >= 9 && counts.inserted >= 9, "{counts:?}");
    ensure!(nodes[0].discovery.table_size() >= 9);
    // the bootnode was contacted, by all from the one address, and says so once
    assert_eq!(nodes[0].discovery.take_inbound(), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    Ok(())
}

#[tokio::test]
async fn the_packet_filter_does_not_ban_the_nodes_of_one_machine() -> Result<()> {
    let filtered =
        |bootnodes: &[Enr]| Options { packet_filter: true, listen: Ipv4Addr::UNSPECIFIED, ..Options::new(bootnodes) };
    let nodes = network(4, filtered).await?;
    // a node that asks another more than eight times a second is banned by its id
    timeout(PATIENCE, find_everyone(&nodes, Duration::from_millis(300))).await.context("not all found")?
}

#[tokio::test]
async fn an_address_that_peers_agree_on_reaches_the_record_with_libp2p_ports() -> Result<()> {
    let nodes = network(12, Options::new).await?;
    let bootnode = nodes[0].discovery.local_enr();
    let mut nowhere = start(Options { advertise: false, ..Options::new(&[bootnode]) }).await?;
    ensure!(nowhere.discovery.local_enr().ip4().is_none());
    let mut enr = nowhere.discovery.subscribe_enr();
    let lookups = async {
        loop {
            nowhere.discovery.lookup_random().await?;
            tokio::task::yield_now().await;
        }
    };
    let learned = async {
        let wanted = |event: &NodeEvent| matches!(event, NodeEvent::DiscoveryAddressChanged { .. });
        nowhere.events.wait_for(wanted).await.context("bus closed")?;
        anyhow::Ok(enr.borrow_and_update().clone())
    };
    let learned = timeout(PATIENCE, async {
        tokio::select! { learned = learned => learned, stopped = lookups => stopped }
    });
    let enr = learned.await.context("no address learned")??;
    assert_eq!((enr.ip4(), enr.tcp4(), enr.quic4()), (Some(Ipv4Addr::LOCALHOST), Some(4000), Some(4001)));
    assert!(enr.udp4().is_some() && enr.seq() > 1);
    assert_eq!(enr, nowhere.discovery.local_enr());
    Ok(())
}

#[tokio::test]
async fn a_fork_boundary_reaches_the_record_with_a_higher_sequence_number() -> Result<()> {
    let mut node = start(Options::new(&[])).await?;
    let before = node.discovery.local_enr();
    let mut watched = node.discovery.subscribe_enr();
    let digest = ForkDigest([1, 2, 3, 4]);
    let mut cross = |content: &mut EnrContent| {
        content.eth2.fork_digest = digest;
        content.nfd = digest;
    };
    let after = node.discovery.update_enr(EnrUpdateReason::Fork, &mut cross)?;
    assert_eq!((after.seq(), after.nfd()), (before.seq() + 1, Some(digest)));
    assert_eq!((after.udp4_socket(), node.discovery.local_enr()), (before.udp4_socket(), after.clone()));
    assert!(watched.has_changed()?);
    assert_eq!(*watched.borrow_and_update(), after);
    let event = node.events.next().await.context("bus closed")?;
    let expected = NodeEvent::EnrUpdated { seq: after.seq(), reason: "fork", enr: after.to_base64() };
    assert_eq!(*event, expected);

    assert_eq!(node.discovery.update_enr(EnrUpdateReason::Fork, &mut cross)?, after);
    assert!(!watched.has_changed()?);
    Ok(())
}

#[tokio::test]
async fn a_changed_record_reaches_connected_peers_at_once() -> Result<()> {
    let nodes = network(2, Options::new).await?;
    let (peer, node) = (&nodes[0].discovery, &nodes[1].discovery);
    let node_id = node.local_enr().node_id();
    let known = |seq| peer.discv5.find_enr(&node_id).is_some_and(|enr| enr.seq() == seq);
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    let mut looks_up = async |seq| {
        while !known(seq) {
            pace.tick().await;
            node.lookup_random().await?;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, looks_up(1)).await.context("not in the peer's table")??;
    node.update_enr(EnrUpdateReason::Subnets, &mut |content: &mut EnrContent| content.cgc = 8)?;
    timeout(PATIENCE, looks_up(2)).await.context("the peer keeps the old record")?
}

#[tokio::test]
async fn a_refused_update_leaves_the_record_alone() -> Result<()> {
    let node = start(Options::new(&[])).await?;
    let before = node.discovery.local_enr();
    let nowhere = Endpoint { ip: Ipv4Addr::UNSPECIFIED, udp: None, tcp: None, quic: None };
    let refused = node
        .discovery
        .update_enr(EnrUpdateReason::Address, &mut |content: &mut EnrContent| content.ip4 = Some(nowhere));
    assert!(matches!(refused, Err(EnrError::UnusableAddress { .. })));
    assert_eq!(node.discovery.local_enr(), before);
    Ok(())
}

#[tokio::test]
async fn an_emptied_table_is_reseeded_with_the_bootnodes() -> Result<()> {
    let mut nodes = network(2, Options::new).await?;
    let bootnode = nodes[0].discovery.local_enr();
    let node = nodes.pop().context("two nodes")?;
    let mut events = node.events;
    assert_eq!((node.discovery.table_size(), node.discovery.table.reseed()), (1, 0));
    assert!(node.discovery.discv5.remove_node(&bootnode.node_id()));
    assert_eq!(node.discovery.lookup_random().await?, []);
    assert_eq!(node.discovery.table.reseed(), 1);
    let reseeded = events.wait_for(|event| matches!(event, NodeEvent::DiscoveryReseeded { .. })).await;
    assert_eq!(*reseeded.context("bus closed")?, NodeEvent::DiscoveryReseeded { bootnodes: 1, table_size: 1 });
    assert_eq!(node.discovery.lookup_random().await?, [bootnode]);
    Ok(())
}

#[tokio::test]
async fn takes_only_records_that_can_be_contacted() -> Result<()> {
    let node = start(Options::new(&[])).await?;
    let (other, nowhere) =
        (start(Options::new(&[])).await?, start(Options { advertise: false, ..Options::new(&[]) }).await?);
    let own = node.discovery.local_enr();
    assert_eq!(node.discovery.add_enr(own), Err(AddEnrError::OwnRecord));
    assert_eq!(node.discovery.add_enr(nowhere.discovery.local_enr()), Err(AddEnrError::NotContactable));
    assert_eq!(node.discovery.add_enr(other.discovery.local_enr()), Ok(()));
    assert_eq!(node.discovery.add_enr(other.discovery.local_enr()), Ok(()));
    assert_eq!(node.discovery.table_size(), 1);
    Ok(())
}

#[tokio::test]
async fn garbage_is_counted_and_reported() -> Result<()> {
    let mut node = start(Options::new(&[])).await?;
    let target = node.discovery.local_enr().udp4_socket().context("advertised")?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    for length in [1, 63, 200, 1280] {
        socket.send_to(&vec![0xa5; length], target).await?;
    }
    let mut reported = 0;
    while reported < 4 {
        let event = timeout(PATIENCE, node.events.next()).await?.context("bus closed")?;
        if let NodeEvent::DiscoveryGarbage { datagrams } = *event {
            reported += datagrams;
        }
    }
    assert_eq!((reported, node.discovery.counts().garbage), (4, 4));
    Ok(())
}

#[tokio::test]
async fn shutdown_ends_lookups_and_frees_the_port_without_failing_the_group() -> Result<()> {
    let node = start(Options::new(&[])).await?;
    let Some(SocketAddr::V4(address)) = node.discovery.local_enr().udp4_socket().map(SocketAddr::V4) else {
        anyhow::bail!("advertised")
    };
    node.discovery.shutdown();
    assert_eq!(node.discovery.lookup_random().await, Err(LookupError::Stopped));
    node.tasks.cancel();
    timeout(PATIENCE, node.tasks.wait()).await?;
    assert!(futures::FutureExt::now_or_never(node.tasks.failed()).is_none());
    drop(node.discovery);
    BoundSockets::bind(Some(address), None).await?;
    Ok(())
}

#[tokio::test]
async fn both_families_find_each_other_through_one_that_has_both() -> Result<()> {
    let listen6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0);
    let Ok(ip6_alone) = BoundSockets::bind(None, Some(listen6)).await else {
        eprintln!("skipped: this machine has no IPv6 loopback");
        return Ok(());
    };
    let here6 = |sockets: &BoundSockets| {
        let udp = sockets.address6().map(|address| address.port());
        Some(Endpoint { ip: Ipv6Addr::LOCALHOST, udp, tcp: None, quic: None })
    };
    let both = BoundSockets::bind(Some(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)), Some(listen6)).await?;
    let udp = both.address4().map(|address| address.port());
    let here4 = Some(Endpoint { ip: Ipv4Addr::LOCALHOST, udp, tcp: None, quic: None });
    let content_both = EnrContent { ip4: here4, ip6: here6(&both), ..content() };
    let middle = start_with(both, content_both, Options::new(&[])).await?;
    let bootnodes = [middle.discovery.local_enr()];
    let content6 = EnrContent { ip6: here6(&ip6_alone), ..content() };
    let six = start_with(ip6_alone, content6, Options::new(&bootnodes)).await?;
    let four = start(Options::new(&bootnodes)).await?;
    for node in [&six, &four] {
        assert_eq!(timeout(PATIENCE, node.discovery.lookup_random()).await??, bootnodes);
    }
    let (six, four) = (six.discovery.local_enr().node_id(), four.discovery.local_enr().node_id());
    timeout(PATIENCE, async {
        let mut found = BTreeSet::new();
        while !(found.contains(&six.raw()) && found.contains(&four.raw())) {
            found.extend(middle.discovery.lookup_random().await?.iter().map(|enr| enr.node_id().raw()));
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    })
    .await?
}

#[tokio::test]
async fn a_record_of_another_key_is_refused() -> Result<()> {
    let sockets = BoundSockets::bind(Some(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)), None).await?;
    let settings = DiscoverySettings {
        key: CombinedKey::generate_secp256k1(),
        enr: build_enr(&CombinedKey::generate_secp256k1(), None, &content())?,
        sockets,
        ports4: PublicPorts::default(),
        ports6: PublicPorts::default(),
        bootnodes: Vec::new(),
        packet_filter: false,
        enr_auto_update: false,
    };
    let refused = Discv5Discovery::start(settings, Events::default(), &TaskGroup::new()).await;
    assert!(matches!(refused, Err(StartError::Record)));
    Ok(())
}

/// A node of the right fork on the given attestation subnet.
async fn on_subnet(subnet: Option<usize>, bootnodes: &[Enr]) -> Result<Node> {
    let sockets = BoundSockets::bind(Some(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)), None).await?;
    let udp = sockets.address4().map(|address| address.port());
    let (_, mut content) = on_fork();
    content.ip4 = Some(Endpoint { ip: Ipv4Addr::LOCALHOST, udp, tcp: None, quic: None });
    if let Some(subnet) = subnet {
        content.attnets.set(subnet, true).map_err(|_| anyhow::anyhow!("no such subnet"))?;
    }
    start_with(sockets, content, Options::new(bootnodes)).await
}

fn wanted(subnet: usize, matches: usize) -> Result<LookupTarget> {
    let mut target = LookupTarget::new(on_fork().0, matches);
    target.attnets.set(subnet, true).map_err(|_| anyhow::anyhow!("no such subnet"))?;
    Ok(target)
}

#[tokio::test]
async fn a_targeted_lookup_finds_the_few_on_a_subnet_and_leaves_the_rest() -> Result<()> {
    let mut nodes = vec![on_subnet(None, &[]).await?];
    let bootnodes = [nodes[0].discovery.local_enr()];
    for subnet in [Some(3), None, None, Some(3), Some(9), None, None, None] {
        nodes.push(on_subnet(subnet, &bootnodes).await?);
    }
    let expected: BTreeSet<_> = [1, 4].map(|index: usize| nodes[index].discovery.local_enr().node_id().raw()).into();
    let seeker = on_subnet(None, &bootnodes).await?;
    let mut target = wanted(3, 8)?;
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    let all = async {
        let mut found = BTreeSet::new();
        while found != expected {
            pace.tick().await;
            // the others are still making themselves known
            for node in &nodes {
                node.discovery.lookup_random().await?;
            }
            let records = seeker.discovery.lookup_for(&target).await?;
            ensure!(records.iter().all(|enr| target.is_met_by(enr)));
            found.extend(records.iter().map(|enr| enr.node_id().raw()));
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, all).await.context("not both found")??;

    target.except.insert(nodes[1].discovery.local_enr().node_id());
    assert_eq!(seeker.discovery.lookup_for(&target).await?, [nodes[4].discovery.local_enr()]);
    Ok(())
}

#[tokio::test]
async fn a_targeted_lookup_is_answered_from_the_table_without_a_walk() -> Result<()> {
    let (seeker, known) = (on_subnet(None, &[]).await?, on_subnet(Some(5), &[]).await?);
    assert_eq!(seeker.discovery.lookup_for(&wanted(5, 1)?).await?, [], "nobody to ask");
    seeker.discovery.add_enr(known.discovery.local_enr())?;
    known.discovery.shutdown();
    known.tasks.cancel();
    known.tasks.wait().await;
    assert_eq!(seeker.discovery.lookup_for(&wanted(5, 1)?).await?, [known.discovery.local_enr()]);
    Ok(())
}

#[tokio::test]
async fn a_targeted_lookup_without_a_match_comes_to_an_end() -> Result<()> {
    let first = on_subnet(None, &[]).await?;
    let seeker = on_subnet(None, &[first.discovery.local_enr()]).await?;
    assert_eq!(timeout(PATIENCE, seeker.discovery.lookup_for(&wanted(5, 1)?)).await??, []);
    seeker.discovery.shutdown();
    assert_eq!(seeker.discovery.lookup_for(&wanted(5, 1)?).await, Err(LookupError::Stopped));
    Ok(())
}
