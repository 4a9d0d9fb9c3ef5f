//! Strangers in numbers, against one node with few places: whom it had it keeps, whom it trusts it takes in, and of all
//! others it takes no more than its limits say.
//!
//! Peers behind one address, and behind one network, have limits of their own, and loopback is exempt from these
//! (`src/peers/limits.rs`): all of 127.0.0.0/8 is one machine. So the limits that hold here are those on all peers
//! together, whatever address of loopback they come from; the others are shown beside the peer table.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use beacond::chain::ChainConfig;
use beacond::discovery::{Endpoint, EnrContent, MemoryDirectory, build_enr};
use beacond::events::NodeEvent;
use beacond::fault::Fault;
use beacond::peers::Limits;
use beacond::store::Identity;
use beacond::time::milliseconds;
use beacond::types::{
    Attnets, Direction, Enr, EnrForkId, ForkDigest, GoodbyeReason, KnownPeer, MetaData, PeerId, Syncnets,
};
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::wire::{self, Relay};
use crate::support::{Find, Hostile, Options, PATIENCE, Script, TestNode, Testnet, fixed_ports, network};

/// Peers that the node wants: at most 12 in all, 8 of which may have dialled it, and at least 2 of its own choice.
const TARGET: usize = 8;

/// Strangers that try at once: the node has hands for 64.
const AT_ONCE: usize = 16;

/// Of the honest peers those that dialled the node.
const CALLERS: usize = 2;

/// A node with few places, some of which honest peers have.
struct Fortress {
    chain: ChainConfig,
    node: TestNode,
    /// What the node finds.
    directory: MemoryDirectory,
    /// Two that dialled it, the first of which it trusts, and two that it found and dialled.
    honest: Vec<TestNode>,
    /// Trusted, and not here yet.
    latecomer: Identity,
}

impl Fortress {
    async fn start(seed: u8) -> Result<Self> {
        Self::start_with(Options::new(&network(seed))).await
    }

    async fn start_with(options: Options) -> Result<Self> {
        let chain = options.chain.clone();
        let (friend, latecomer) = (Identity::generate(), Identity::generate());
        let directory = MemoryDirectory::default();
        let find = Find::Memory(directory.clone());
        let trusted = vec![friend.peer_id, latecomer.peer_id];
        let mut node = TestNode::start(Options { find, trusted, target: TARGET, ..options }).await?;
        let known_peers = || Ok::<_, anyhow::Error>(vec![node.multiaddr("/tcp/")?]);
        let mut honest = vec![
            TestNode::start(Options { identity: friend, known_peers: known_peers()?, ..Options::new(&chain) }).await?,
            TestNode::start(Options { known_peers: known_peers()?, ..Options::new(&chain) }).await?,
        ];
        for _ in 0..2 {
            let chosen = TestNode::start(Options::new(&chain)).await?;
            directory.insert(chosen.handle.snapshot().enr.context("it has a record")?);
            honest.push(chosen);
        }
        let peer_ids: Vec<_> = honest.iter().map(|peer| peer.peer_id).collect();
        node.until("every honest peer", |history| peer_ids.iter().all(|peer_id| ready(history).contains_key(peer_id)))
            .await?;
        for peer in &mut honest {
            peer.ready(node.peer_id).await?;
        }
        Ok(Self { chain, node, directory, honest, latecomer })
    }

    fn script(&self) -> Script {
        Script::honest(&self.chain)
    }

    /// One that the node trusts comes, however full it is.
    async fn takes_in_whom_it_trusts(&mut self) -> Result<TestNode> {
        let (identity, known_peers) = (self.latecomer.clone(), vec![self.node.multiaddr("/tcp/")?]);
        let mut latecomer = TestNode::start(Options { identity, known_peers, ..Options::new(&self.chain) }).await?;
        self.node.met(&mut latecomer).await?;
        Ok(latecomer)
    }

    /// An honest peer that nobody knows dials the node until it is let in.
    async fn welcomes_a_newcomer(&mut self) -> Result<()> {
        let known_peers = vec![self.node.multiaddr("/tcp/")?];
        let mut newcomer = TestNode::start(Options { known_peers, ..Options::new(&self.chain) }).await?;
        self.node.met(&mut newcomer).await?;
        self.honest.push(newcomer);
        Ok(())
    }

    /// The node is told of an honest peer, and dials it.
    async fn reaches_out(&mut self) -> Result<()> {
        let mut host = TestNode::start(Options::new(&self.chain)).await?;
        self.node.handle.add_known_peer(host.multiaddr("/tcp/")?).await?;
        self.node.met(&mut host).await?;
        self.honest.push(host);
        Ok(())
    }

    /// Waits until so many slots have begun.
    async fn slots(&mut self, slots: usize) -> Result<()> {
        let began = |event: &NodeEvent| matches!(event, NodeEvent::NodeHeartbeat { .. });
        for _ in 0..slots {
            self.node.wait("node.heartbeat", began).await?;
        }
        Ok(())
    }

    /// Checks that no honest peer was lost, and that no limit was exceeded but by one whom the node trusts.
    fn held(&mut self) {
        let honest: Vec<_> = self.honest.iter().map(|peer| peer.peer_id).collect();
        let lost = |event: &NodeEvent| match event {
            NodeEvent::PeerDisconnected { peer_id, .. } => honest.contains(peer_id),
            _ => false,
        };
        assert_eq!(self.node.count(lost), 0, "an honest peer has lost its place");
        let left = |event: &NodeEvent| matches!(event, NodeEvent::PeerDisconnected { .. });
        for peer in &mut self.honest {
            assert_eq!(peer.count(left), 0, "{} was left", peer.peer_id);
        }
        let peers = self.node.peers();
        assert!(honest.iter().all(|peer_id| peers.contains(peer_id)), "{peers:?}");

        let limits = Limits::for_target(TARGET);
        let most = Most::of(self.node.history());
        // the reserve is for those who claim to be of use, and whoever is trusted comes on top
        let extra = limits.reserved_needed + 1;
        assert!(most.inbound <= limits.max_inbound + extra, "{most:?}");
        assert!(most.outbound <= limits.max_outbound + extra, "{most:?}");
        assert!(most.total <= limits.max_total + extra, "{most:?}");
        let outbound = ready(self.node.history()).into_values().filter(|direction| *direction == Direction::Outbound);
        assert!(outbound.count() >= limits.min_outbound, "the outbound floor is gone");
    }
}

/// The most ready peers that there ever were.
#[derive(Debug, Default)]
struct Most {
    inbound: usize,
    outbound: usize,
    total: usize,
}

impl Most {
    fn of(history: &[Arc<NodeEvent>]) -> Self {
        let mut most = Self::default();
        fold_ready(history, |ready| {
            let inbound = ready.values().filter(|direction| **direction == Direction::Inbound).count();
            most.inbound = most.inbound.max(inbound);
            most.outbound = most.outbound.max(ready.len() - inbound);
            most.total = most.total.max(ready.len());
        });
        most
    }
}

/// Who is ready at the end, and who had dialled.
fn ready(history: &[Arc<NodeEvent>]) -> BTreeMap<PeerId, Direction> {
    fold_ready(history, |_| {})
}

fn fold_ready(
    history: &[Arc<NodeEvent>],
    mut look: impl FnMut(&BTreeMap<PeerId, Direction>),
) -> BTreeMap<PeerId, Direction> {
    let mut ready = BTreeMap::new();
    for event in history {
        match &**event {
            NodeEvent::HandshakeCompleted { peer_id, direction, .. }
            | NodeEvent::PeerReplaced { peer_id, direction, .. } => {
                ready.insert(*peer_id, *direction);
            }
            NodeEvent::PeerDisconnected { peer_id, .. } => {
                ready.remove(peer_id);
            }
            _ => continue,
        }
        look(&ready);
    }
    ready
}

/// How many of those that dialled were refused one way or another, or became ready.
fn received(history: &[Arc<NodeEvent>]) -> usize {
    let is_it = |event: &NodeEvent| match event {
        NodeEvent::HandshakeRejected { direction, .. } | NodeEvent::HandshakeCompleted { direction, .. } => {
            *direction == Direction::Inbound
        }
        NodeEvent::ConnectionFailed { .. } => true,
        _ => false,
    };
    history.iter().filter(|event| is_it(event)).count()
}

/// The most handshakes of those that dialled that were ever under way.
fn most_shaking(history: &[Arc<NodeEvent>]) -> usize {
    let (mut shaking, mut most) = (BTreeSet::new(), 0);
    for event in history {
        match &**event {
            NodeEvent::PeerConnected { peer_id, direction: Direction::Inbound, .. } => {
                shaking.insert(*peer_id);
            }
            NodeEvent::HandshakeCompleted { peer_id, .. } | NodeEvent::HandshakeRejected { peer_id, .. } => {
                shaking.remove(peer_id);
            }
            _ => {}
        }
        most = most.max(shaking.len());
    }
    most
}

/// A stranger with a key of its own that does what an honest peer does, until it may go or is sent away.
async fn stranger(node: &KnownPeer, script: &Script, leave: &CancellationToken) -> Result<Option<GoodbyeReason>> {
    let mut stranger = Hostile::start().await?;
    // sent away meanwhile: the node's events say how
    let Ok(_connection) = stranger.knock(node, script).await else { return Ok(None) };
    tokio::select! {
        told = stranger.stay(script) => Ok(told.unwrap_or_default()),
        () = leave.cancelled() => Ok(None),
    }
}

/// So many strangers come one after the other, some at once; who is let in stays. Then comes one that the node trusts.
async fn storm(fortress: &mut Fortress, strangers: usize, from: impl Fn(usize) -> Option<Ipv4Addr>) -> Result<()> {
    let (node, script, leave) = (fortress.node.multiaddr("/tcp/")?, fortress.script(), CancellationToken::new());
    let (node, script, leave) = (&node, &script, &leave);
    let visit = |number| {
        let source = from(number);
        async move {
            match source {
                Some(source) => stranger(&Relay::from(source, node).await?.node, script, leave).await,
                None => stranger(node, script, leave).await,
            }
        }
    };
    let crowd = stream::iter(0..strangers).map(visit).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>();
    let siege = async {
        let all = |history: &[Arc<NodeEvent>]| received(history) >= strangers + CALLERS;
        fortress.node.until("every stranger to have had its turn", all).await?;
        let latecomer = fortress.takes_in_whom_it_trusts().await?;
        leave.cancel();
        anyhow::Ok(latecomer)
    };
    let (told, latecomer) = tokio::join!(crowd, siege);
    let (told, mut latecomer) = (told?, latecomer?);

    let limits = Limits::for_target(TARGET);
    let most = Most::of(fortress.node.history());
    assert!(most.inbound >= limits.max_inbound, "strangers left places: {most:?}");
    let too_many = told.iter().filter(|told| **told == Some(GoodbyeReason::TOO_MANY_PEERS)).count();
    assert!(too_many > strangers / 2, "{too_many} of {strangers} were told why");
    for event in fortress.node.history() {
        match &**event {
            NodeEvent::HandshakeRejected { step, reason, fault, goodbye_code, .. } => {
                assert_eq!((*step, *reason, *fault), ("limits", "max_inbound", Fault::Local));
                // where too many are told at once, some are not
                assert!(goodbye_code.is_none_or(|code| code == GoodbyeReason::TOO_MANY_PEERS.0), "{event:?}");
            }
            NodeEvent::ConnectionFailed { reason, fault, .. } => {
                assert_eq!((*reason, *fault), ("denied", Fault::Local));
            }
            NodeEvent::PeerPenalized { .. } | NodeEvent::PeerBanned { .. } => {
                panic!("nobody did anything wrong: {event:?}");
            }
            _ => {}
        }
    }
    fortress.held();
    let lost = latecomer.count(|event| matches!(event, NodeEvent::PeerDisconnected { .. }));
    assert_eq!(lost, 0, "who is trusted was sent away");
    Ok(())
}

#[tokio::test]
async fn five_hundred_identities_of_one_address_take_no_place_of_others() -> Result<()> {
    let mut fortress = Fortress::start(120).await?;
    storm(&mut fortress, 500, |_| None).await
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn five_hundred_identities_of_as_many_networks_take_no_place_of_others() -> Result<()> {
    let mut fortress = Fortress::start(121).await?;
    let network = |number: usize| Ipv4Addr::new(127, 100 + (number / 100) as u8, (number % 100) as u8, 1);
    storm(&mut fortress, 500, |number| Some(network(number))).await?;
    let from = fortress.node.history().iter().filter_map(|event| match &**event {
        NodeEvent::PeerConnected { address, .. } => address.split('/').nth(2).map(str::to_owned),
        _ => None,
    });
    let sources = from.collect::<BTreeSet<_>>();
    ensure!(sources.len() > Limits::for_target(TARGET).max_inbound / 2, "strangers came from {sources:?}");
    Ok(())
}

#[tokio::test]
async fn two_hundred_silent_sockets_keep_honest_peers_out_for_a_while_and_our_own_dials_not_at_all() -> Result<()> {
    let mut fortress = Fortress::start(122).await?;
    let node = fortress.node.multiaddr("/tcp/")?;
    let silent = (0..200).map(|_| async { wire::provoke(&mut wire::connect(&node).await?, &[]).await });
    let siege = async {
        fortress.node.wait("the first to be denied", |event| failure(event) == Some("denied")).await?;
        fortress.reaches_out().await?;
        fortress.welcomes_a_newcomer().await
    };
    let (silent, siege) = tokio::join!(try_join_all(silent), siege);
    silent.and(siege)?;

    let failures: Vec<_> = fortress.node.history().iter().filter_map(|event| failure(event)).collect();
    assert!(failures.len() >= 200, "{} of 200 were told of", failures.len());
    assert!(failures.iter().all(|reason| ["denied", "timeout"].contains(reason)), "{failures:?}");
    // those that were held when the last one was denied
    let held = failures.iter().rev().take_while(|reason| **reason == "timeout").count();
    let limit = Limits::for_target(TARGET).max_pending_inbound;
    assert!(held <= limit, "{held} half-open sockets were held");
    fortress.held();
    Ok(())
}

fn failure(event: &NodeEvent) -> Option<&'static str> {
    match event {
        NodeEvent::ConnectionFailed { reason, .. } => Some(*reason),
        _ => None,
    }
}

#[tokio::test]
async fn a_hundred_peers_that_never_say_their_status_keep_nobody_out_that_is_trusted() -> Result<()> {
    let handshake_deadline = Duration::from_secs(3);
    let mut fortress = Fortress::start_with(Options { handshake_deadline, ..Options::new(&network(123)) }).await?;
    let node = fortress.node.multiaddr("/tcp/")?;
    let silent = (0..100).map(|_| mute(&node));
    let siege = async {
        fortress.node.wait("the first to be denied", |event| failure(event) == Some("denied")).await?;
        let latecomer = fortress.takes_in_whom_it_trusts().await?;
        fortress.reaches_out().await?;
        fortress.welcomes_a_newcomer().await?;
        let all = |history: &[Arc<NodeEvent>]| received(history) >= 100;
        fortress.node.until("every silent one to be told of", all).await?;
        anyhow::Ok(latecomer)
    };
    let (silent, latecomer) = tokio::join!(try_join_all(silent), siege);
    silent?;
    let mut latecomer = latecomer?;
    assert_eq!(latecomer.count(|event| matches!(event, NodeEvent::PeerDisconnected { .. })), 0);

    let shaking = most_shaking(fortress.node.history());
    let limit = Limits::for_target(TARGET).max_pending_inbound;
    assert!(shaking > AT_ONCE && shaking <= limit + 1, "{shaking} handshakes at once");
    for event in fortress.node.history() {
        match &**event {
            NodeEvent::HandshakeRejected { step, reason, fault, goodbye_code, .. } => {
                let expected = ("deadline", "timeout", Fault::Transient, Some(GoodbyeReason::FAULT.0));
                assert_eq!((*step, *reason, *fault, *goodbye_code), expected);
            }
            NodeEvent::ConnectionFailed { reason, fault, .. } => {
                assert_eq!((*reason, *fault), ("denied", Fault::Local), "{event:?}");
            }
            _ => {}
        }
    }
    fortress.held();
    Ok(())
}

/// A stranger that connects and says nothing, not even goodbye.
async fn mute(node: &KnownPeer) -> Result<()> {
    let mut mute = Hostile::start().await?;
    // denied before it was a connection
    let Ok(_connection) = mute.dial(node).await else { return Ok(()) };
    mute.ignore().await
}

#[tokio::test]
async fn refused_peers_that_linger_leave_room_for_our_own_dials_and_whom_we_trust() -> Result<()> {
    let handshake_deadline = Duration::from_secs(60);
    let mut fortress = Fortress::start_with(Options { handshake_deadline, ..Options::new(&network(124)) }).await?;
    let (node, script, limits) = (fortress.node.multiaddr("/tcp/")?, fortress.script(), Limits::for_target(TARGET));
    let mut crowd = JoinSet::new();
    let guest = || {
        let (node, script) = (node.clone(), script.clone());
        async move { stranger(&node, &script, &CancellationToken::new()).await.map(drop) }
    };
    // one place is free, and nearly all hands are full
    let guests = limits.max_inbound - CALLERS - 1;
    crowd.extend_with(guests, guest);
    let honest = fortress.honest.len();
    fortress.node.until("guests", |history| ready(history).len() == honest + guests).await?;
    let silent = limits.max_pending_inbound - 1;
    crowd.extend_with(silent, || {
        let node = node.clone();
        async move { mute(&node).await }
    });
    fortress.node.until("silent ones", |history| most_shaking(history) >= silent).await?;
    crowd.extend_with(1, guest);
    fortress.node.until("the last guest", |history| ready(history).len() == honest + guests + 1).await?;
    // from now on everybody is refused, and takes the second that a goodbye may take
    crowd.extend_with(2 * AT_ONCE, || {
        let node = node.clone();
        async move {
            loop {
                mute(&node).await?;
            }
        }
    });
    let refused = |event: &NodeEvent| matches!(event, NodeEvent::HandshakeRejected { step: "limits", .. });
    let many = |history: &[Arc<NodeEvent>]| history.iter().filter(|event| refused(event)).count() >= 2 * AT_ONCE;
    fortress.node.until("many to be refused", many).await?;

    fortress.reaches_out().await?;
    let failed = |event: &NodeEvent| matches!(event, NodeEvent::DialFailed { .. });
    assert_eq!(fortress.node.count(failed), 0, "a dial of ours found no room");
    let mut latecomer = fortress.takes_in_whom_it_trusts().await?;
    assert_eq!(latecomer.count(failed), 0, "one that is trusted found no room");
    fortress.held();
    Ok(())
}

/// Strangers in the background.
trait Crowd {
    fn extend_with<F: Future<Output = Result<()>> + Send + 'static>(&mut self, count: usize, one: impl Fn() -> F);
}

impl Crowd for JoinSet<Result<()>> {
    fn extend_with<F: Future<Output = Result<()>> + Send + 'static>(&mut self, count: usize, one: impl Fn() -> F) {
        (0..count).for_each(|_| drop(self.spawn(one())));
    }
}

#[tokio::test]
async fn strangers_that_only_take_places_leave_those_of_our_own_choice() -> Result<()> {
    let mut fortress = Fortress::start(125).await?;
    let (node, limits) = (fortress.node.multiaddr("/tcp/")?, Limits::for_target(TARGET));
    let plain = fortress.script();
    let all = MetaData {
        seq_number: 1,
        attnets: Attnets::from_bytes([0xff; 8].as_slice().into()).ok().context("64 bits")?,
        syncnets: Some(Syncnets::from_bytes([0x0f].as_slice().into()).ok().context("4 bits")?),
        custody_group_count: Some(128),
    };
    // some claim to be of use for everything
    let useful = plain.clone().with_metadata(all);
    let mut crowd = JoinSet::new();
    for script in [plain, useful] {
        crowd.extend_with(2 * AT_ONCE, || {
            let (node, script) = (node.clone(), script.clone());
            async move { stranger(&node, &script, &CancellationToken::new()).await.map(drop) }
        });
    }
    let told = |history: &[Arc<NodeEvent>]| received(history) >= 4 * AT_ONCE + CALLERS;
    fortress.node.until("everybody to have had their turn", told).await?;
    let inbound = |history: &[Arc<NodeEvent>]| {
        ready(history).into_values().filter(|direction| *direction == Direction::Inbound).count()
    };
    assert!(inbound(fortress.node.history()) >= limits.max_inbound);
    let latecomer = fortress.takes_in_whom_it_trusts().await?;
    fortress.honest.push(latecomer);

    // those that the node had chosen go, and it finds others in their stead
    for chosen in fortress.honest.drain(CALLERS..2 * CALLERS) {
        let peer_id = chosen.peer_id;
        chosen.stop().await?;
        fortress.node.gone(peer_id).await?;
    }
    for _ in 0..limits.min_outbound {
        let chosen = TestNode::start(Options::new(&fortress.chain)).await?;
        fortress.directory.insert(chosen.handle.snapshot().enr.context("it has a record")?);
        fortress.honest.push(chosen);
    }
    let chosen: Vec<_> = fortress.honest.iter().rev().take(limits.min_outbound).map(|peer| peer.peer_id).collect();
    let is_there = |history: &[Arc<NodeEvent>]| {
        let ready = ready(history);
        chosen.iter().all(|peer_id| ready.get(peer_id) == Some(&Direction::Outbound))
    };
    fortress.node.until("peers of its own choice", is_there).await?;
    fortress.held();
    Ok(())
}

#[tokio::test]
async fn forged_records_are_tried_once_and_left_alone() -> Result<()> {
    let chain = ChainConfig { slot_duration: Duration::from_secs(1), ..network(126) };
    let identity = Identity::generate();
    let mut fortress = Fortress::start_with(Options { identity: identity.clone(), ..Options::new(&chain) }).await?;
    let forger = Forger::new(&fortress)?;
    let dials = Dials::watch(&mut fortress.node);
    let closed = fixed_ports().tcp_port;
    let (mut elsewhere, mut together, mut foreign) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for _ in 0..FORGED {
        // where somebody else is, and where we are ourselves
        elsewhere.extend([forger.lie(forger.honest, forger.fork)?, forger.lie(forger.node, forger.fork)?]);
        // where nobody is
        together.insert(forger.lie(closed, forger.fork)?);
        foreign.insert(forger.lie(closed, EnrForkId { fork_digest: ForkDigest([0xff; 4]), ..forger.fork })?);
    }
    // the operator is misled as well: by our own name at another place, in either form
    let address = format!("/ip4/127.0.0.1/tcp/{closed}").parse()?;
    let known = [
        KnownPeer::Enr(Box::new(forger.sign(&identity, closed, forger.fork)?)),
        KnownPeer::Multiaddr { peer_id: identity.peer_id, address },
    ];
    for peer in known {
        fortress.node.handle.add_known_peer(peer).await?;
    }
    let all = |history: &[Arc<NodeEvent>]| elsewhere.is_subset(&dials.of(history).ended);
    fortress.node.until("every forged record to be tried", all).await?;
    fortress.slots(5).await?;

    let dials = dials.of(fortress.node.history());
    dials.kept_to_their_pauses();
    // one address has one back-off, whoever claims to be there
    let at_once = dials.paused_ms.keys().filter(|peer_id| together.contains(peer_id)).count();
    assert!(at_once > 0 && at_once < FORGED, "{at_once} dials to one address where nobody is");
    assert!(dials.paused_ms.keys().all(|peer_id| !foreign.contains(peer_id)), "dialled in another network");
    assert!(!dials.paused_ms.contains_key(&identity.peer_id), "dialled under our own name");
    for event in fortress.node.history() {
        match &**event {
            // libp2p takes our own address for none
            NodeEvent::DialFailed { reason, .. } => {
                assert!(["refused", "wrong_peer_id", "no_transport"].contains(reason), "{event:?}");
            }
            NodeEvent::NodeHeartbeat { queued, dialing, .. } => {
                assert!(*queued <= 3 * FORGED, "{event:?}");
                assert!(*dialing <= Limits::for_target(TARGET).max_pending_outbound, "{event:?}");
            }
            NodeEvent::PeerBanned { .. } => panic!("nobody did anything: {event:?}"),
            _ => {}
        }
    }
    fortress.welcomes_a_newcomer().await?;
    fortress.held();
    Ok(())
}

/// So many dials in vain may look as if it were us who are cut off, and the first answer as if that were over.
#[tokio::test]
async fn many_records_of_nobody_are_not_dialled_again_for_one_that_answers() -> Result<()> {
    let chain = ChainConfig { slot_duration: Duration::from_secs(1), ..network(127) };
    let mut fortress = Fortress::start_with(Options::new(&chain)).await?;
    let forger = Forger::new(&fortress)?;
    let dials = Dials::watch(&mut fortress.node);
    let mut dead = BTreeSet::new();
    for _ in 0..4 * FORGED {
        dead.insert(forger.lie(fixed_ports().tcp_port, forger.fork)?);
    }
    let all = |history: &[Arc<NodeEvent>]| dead.is_subset(&dials.of(history).ended);
    fortress.node.until("every dead record to be tried", all).await?;
    let mut alive = BTreeSet::new();
    for _ in 0..FORGED {
        alive.insert(forger.lie(forger.honest, forger.fork)?);
    }
    let all = |history: &[Arc<NodeEvent>]| alive.is_subset(&dials.of(history).ended);
    fortress.node.until("every other one to be tried", all).await?;
    fortress.slots(3).await?;
    dials.of(fortress.node.history()).kept_to_their_pauses();
    fortress.held();
    Ok(())
}

/// Writes records that are not true.
struct Forger {
    directory: MemoryDirectory,
    content: EnrContent,
    fork: EnrForkId,
    /// The TCP port of an honest peer.
    honest: u16,
    /// The TCP port of the node.
    node: u16,
}

impl Forger {
    fn new(fortress: &Fortress) -> Result<Self> {
        let honest = fortress.honest.last().context("there are honest peers")?;
        let record = honest.handle.snapshot().enr.context("it has a record")?;
        let content = EnrContent::of(&record).context("its record has a fork")?;
        let port = |node: &TestNode| match node.multiaddr("/tcp/")? {
            KnownPeer::Multiaddr { address, .. } => wire::port(&address),
            KnownPeer::Enr(_) => bail!("a multiaddr was asked for"),
        };
        let (honest, node) = (port(honest)?, port(&fortress.node)?);
        Ok(Self { directory: fortress.directory.clone(), fork: content.eth2, content, honest, node })
    }

    /// A new identity's record, to be found, of a place where it is not.
    fn lie(&self, tcp_port: u16, fork: EnrForkId) -> Result<PeerId> {
        let liar = Identity::generate();
        self.directory.insert(self.sign(&liar, tcp_port, fork)?);
        Ok(liar.peer_id)
    }

    fn sign(&self, identity: &Identity, tcp_port: u16, fork: EnrForkId) -> Result<Enr> {
        let ip4 = Some(Endpoint { ip: Ipv4Addr::LOCALHOST, udp: None, tcp: Some(tcp_port), quic: None });
        Ok(build_enr(&identity.enr_key, None, &EnrContent { eth2: fork, ip4, ..self.content.clone() })?)
    }
}

/// `garbage.rs` has single datagrams; loopback has no packet filter, as all of it is one machine, so that every packet of
/// these is looked at and those of the latter kind are answered with a challenge.
#[tokio::test]
async fn a_flood_of_datagrams_hinders_no_newcomer_and_bars_nobody() -> Result<()> {
    let chain = ChainConfig { slot_duration: Duration::from_secs(1), ..network(128) };
    let mut net = Testnet::discovering(&chain, 2, TARGET).await?;
    net.until("both to meet", |nodes| nodes.iter().all(|node| node.peers().len() == 1)).await?;
    let record = net.nodes[0].handle.snapshot().enr.context("it has a record")?;
    let (node_id, target) = (record.node_id(), (Ipv4Addr::LOCALHOST, record.udp4().context("it has a port")?));
    let prober = UdpSocket::bind("127.0.0.1:0").await?;
    prober.send_to(&wire::of_nobody(&node_id), target).await?;
    let mut challenge = [0; 1280];
    let length = timeout(PATIENCE, prober.recv(&mut challenge)).await.context("no challenge")??;
    assert_eq!(length, wire::WHOAREYOU_BYTES);

    let mut flood = JoinSet::new();
    flood.extend_with(AT_ONCE, || async move {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let mut tick = interval(Duration::from_millis(10));
        loop {
            let garbage: Vec<u8> = std::iter::repeat_with(rand::random).take(rand::random_range(0..1_280)).collect();
            socket.send_to(&garbage, target).await?;
            socket.send_to(&wire::of_nobody(&node_id), target).await?;
            tick.tick().await;
        }
    });
    let garbage = |event: &NodeEvent| matches!(event, NodeEvent::DiscoveryGarbage { datagrams } if *datagrams > 0);
    net.nodes[0].wait("discovery.garbage", garbage).await?;
    let (boot_nodes, find) = (vec![net.nodes[0].enr()], Find::Discv5);
    net.nodes.push(TestNode::start(Options { boot_nodes, find, target: TARGET, ..Options::new(&chain) }).await?);
    net.until("all to know each other", |nodes| nodes.iter().all(|node| node.peers().len() == 2)).await?;
    net.nodes[0].wait("a slot", |event| matches!(event, NodeEvent::NodeHeartbeat { .. })).await?;
    for event in net.nodes[0].history() {
        match &**event {
            NodeEvent::NodeHeartbeat { table_size, .. } => {
                assert!(*table_size <= 2, "nobody is in the table: {event:?}")
            }
            NodeEvent::PeerPenalized { .. } | NodeEvent::PeerBanned { .. } | NodeEvent::PeerDisconnected { .. } => {
                panic!("nobody did anything: {event:?}");
            }
            _ => {}
        }
    }
    assert!(flood.try_join_next().is_none(), "the flood has ended");
    Ok(())
}

/// Forged records of each kind.
const FORGED: usize = 8;

/// What was dialled from some moment on.
#[derive(Debug, Default)]
struct Dials {
    /// Whoever was dialled in vain.
    ended: BTreeSet<PeerId>,
    /// For how long each must have been left alone between its dials, all pauses together.
    paused_ms: BTreeMap<PeerId, u64>,
    elapsed_ms: u64,
}

/// A moment in the history of a node.
struct Watch {
    events: usize,
    since: Instant,
}

impl Dials {
    fn watch(node: &mut TestNode) -> Watch {
        Watch { events: node.history().len(), since: Instant::now() }
    }

    fn kept_to_their_pauses(&self) {
        let Self { paused_ms, elapsed_ms, .. } = self;
        let early: Vec<_> = paused_ms.iter().filter(|(_, paused_ms)| *paused_ms > elapsed_ms).collect();
        assert!(early.is_empty(), "within {elapsed_ms} ms and inside their back-offs were dialled {early:?}");
    }
}

impl Watch {
    fn of(&self, history: &[Arc<NodeEvent>]) -> Dials {
        let mut dials = Dials { elapsed_ms: milliseconds(self.since.elapsed()), ..Dials::default() };
        let (mut under_way, mut pauses) = (BTreeSet::new(), BTreeMap::new());
        for event in &history[self.events..] {
            match &**event {
                NodeEvent::DialStarted { peer_id, .. } => {
                    assert!(under_way.insert(*peer_id), "{peer_id} is dialled twice at once");
                    *dials.paused_ms.entry(*peer_id).or_default() += pauses.remove(peer_id).unwrap_or_default();
                }
                NodeEvent::DialFailed { peer_id, retry_in_ms, .. } => {
                    under_way.remove(peer_id);
                    dials.ended.insert(*peer_id);
                    pauses.insert(*peer_id, *retry_in_ms);
                }
                NodeEvent::PeerConnected { peer_id, direction: Direction::Outbound, .. } => {
                    under_way.remove(peer_id);
                }
                _ => {}
            }
        }
        dials
    }
}
