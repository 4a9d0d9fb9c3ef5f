//! Two nodes that meet: who connects to whom, over what, and how they part.

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::Result;
use beacond::chain::ChainConfig;
use beacond::config::TransportConfig;
use beacond::events::NodeEvent;
use beacond::fault::Fault;
use beacond::types::{Client, Direction, GoodbyeReason, KnownPeer, Muxer, PeerId, Transport};
use libp2p::StreamProtocol;
use tokio::net::TcpListener;

use crate::support::{Hostile, Options, Script, TestNode, Testnet, network};

#[tokio::test]
async fn both_sides_complete_the_handshakes_over_either_transport() -> Result<()> {
    for (address, transport, muxer) in
        [("/tcp/", Transport::Tcp, Muxer::Yamux), ("/quic-v1", Transport::Quic, Muxer::Quic)]
    {
        let [mut dialler, mut listener] = Testnet::pair(&network(1), address).await?;
        let (dialled, accepted) = (dialler.ready(listener.peer_id).await?, listener.ready(dialler.peer_id).await?);
        for (event, expected) in [(dialled, Direction::Outbound), (accepted, Direction::Inbound)] {
            let NodeEvent::HandshakeCompleted { client, direction, transport: over, muxer: by, gossipsub, .. } =
                &*event
            else {
                unreachable!("waited for it")
            };
            assert_eq!((*client, *direction, *over, *by), (Client::Beacond, expected, transport, muxer));
            assert_eq!(*gossipsub, Some(true));
        }
        assert_eq!(dialler.stop().await?.goodbyes, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_node_that_stops_says_goodbye() -> Result<()> {
    let [mut leaver, mut stayer] = Testnet::pair(&network(2), "/tcp/").await?;
    let leaver_id = leaver.peer_id;
    leaver.met(&mut stayer).await?;
    assert_eq!(leaver.stop().await?.goodbyes, 1);
    let goodbye = GoodbyeReason::CLIENT_SHUTDOWN.0;
    assert_eq!(stayer.gone(leaver_id).await?, ("goodbye_received", Some(goodbye)));
    assert_eq!(stayer.peers(), []);
    Ok(())
}

#[tokio::test]
async fn nodes_that_dial_each_other_at_once_keep_one_connection() -> Result<()> {
    for address in ["/tcp/", "/quic-v1"].repeat(4) {
        // slots of a tenth of a second: the heartbeats tell when the dust has settled
        let chain = ChainConfig { slot_duration: Duration::from_millis(100), ..network(3) };
        let [one, other] = [TestNode::start(Options::new(&chain)).await?, TestNode::start(Options::new(&chain)).await?];
        let (to_one, to_other) = (one.multiaddr(address)?, other.multiaddr(address)?);
        let (told_one, told_other) =
            tokio::join!(one.handle.add_known_peer(to_other), other.handle.add_known_peer(to_one));
        told_one?;
        told_other?;

        let peer_ids = [one.peer_id, other.peer_id];
        let mut nodes = [one, other];
        for (node, peer_id) in nodes.iter_mut().zip([peer_ids[1], peer_ids[0]]) {
            node.ready(peer_id).await?;
        }
        for (node, peer_id) in nodes.iter_mut().zip([peer_ids[1], peer_ids[0]]) {
            for _ in 0..4 {
                node.wait("node.heartbeat", |event| matches!(event, NodeEvent::NodeHeartbeat { .. })).await?;
            }
            assert_eq!(node.peers(), [peer_id], "{address}");
            let lost = node
                .count(|event| matches!(event, NodeEvent::PeerDisconnected { reason, .. } if *reason != "duplicate"));
            let rejected = node.count(|event| matches!(event, NodeEvent::HandshakeRejected { .. }));
            assert_eq!((lost, rejected, node.count(is_goodbye)), (0, 0, 0), "{address}");
        }
        let [one, mut other] = nodes;
        assert_eq!(one.stop().await?.goodbyes, 1);
        assert_eq!(other.gone(peer_ids[0]).await?, ("goodbye_received", Some(1)), "{address}");
    }
    Ok(())
}

fn is_goodbye(event: &NodeEvent) -> bool {
    match event {
        NodeEvent::RpcServed { method, .. } | NodeEvent::RpcRequestFinished { method, .. } => {
            method.starts_with("goodbye")
        }
        _ => false,
    }
}

#[tokio::test]
async fn tries_quic_before_tcp() -> Result<()> {
    let tcp = TcpListener::bind("127.0.0.1:0").await?;
    let quic = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
    let peer_id = PeerId::random();
    let known_peer = |address: String| anyhow::Ok(KnownPeer::Multiaddr { peer_id, address: address.parse()? });
    let known_peers = vec![
        known_peer(format!("/ip4/127.0.0.1/tcp/{}", tcp.local_addr()?.port()))?,
        known_peer(format!("/ip4/127.0.0.1/udp/{}/quic-v1", quic.local_addr()?.port()))?,
    ];
    let _node = TestNode::start(Options { known_peers, ..Options::new(&network(4)) }).await?;
    let first = tokio::select! {
        biased;
        readable = quic.readable() => readable.map(|()| Transport::Quic)?,
        stream = tcp.accept() => stream.map(|_| Transport::Tcp)?,
    };
    assert_eq!(first, Transport::Quic);
    let _stream = tcp.accept().await?;
    Ok(())
}

#[tokio::test]
async fn falls_back_to_tcp_where_quic_is_silent() -> Result<()> {
    let chain = network(5);
    let tcp_only = TransportConfig { tcp: true, quic: false, memory: false, muxers: vec![Muxer::Yamux] };
    let listener = TestNode::start(Options { transports: tcp_only, ..Options::new(&chain) }).await?;
    let silent = UdpSocket::bind("127.0.0.1:0")?;
    let address = format!("/ip4/127.0.0.1/udp/{}/quic-v1", silent.local_addr()?.port()).parse()?;
    let quic = KnownPeer::Multiaddr { peer_id: listener.peer_id, address };
    let known_peers = vec![quic, listener.multiaddr("/tcp/")?];
    let mut dialler = TestNode::start(Options { known_peers, ..Options::new(&chain) }).await?;
    let ready = dialler.ready(listener.peer_id).await?;
    assert!(matches!(&*ready, NodeEvent::HandshakeCompleted { transport: Transport::Tcp, .. }), "{ready:?}");
    assert_eq!(dialler.count(|event| matches!(event, NodeEvent::DialFailed { .. })), 0);
    Ok(())
}

#[tokio::test]
async fn a_node_of_few_transports_reaches_what_it_can_and_says_why_not_otherwise() -> Result<()> {
    let chain = network(6);
    let yamux = || TransportConfig { tcp: true, quic: false, memory: false, muxers: vec![Muxer::Yamux] };
    let mplex = || TransportConfig { tcp: true, quic: false, memory: false, muxers: vec![Muxer::Mplex] };
    let quic = || TransportConfig { tcp: false, quic: true, memory: false, muxers: vec![Muxer::Yamux] };
    let start = |transports, known_peers| TestNode::start(Options { transports, known_peers, ..Options::new(&chain) });
    let listeners =
        [start(yamux(), Vec::new()).await?, start(mplex(), Vec::new()).await?, start(quic(), Vec::new()).await?];
    let all = || {
        let addresses = listeners.iter().zip(["/tcp/", "/tcp/", "/quic-v1"]);
        addresses.map(|(node, transport)| node.multiaddr(transport)).collect::<Result<Vec<_>>>()
    };
    let expected = [
        (yamux(), [None, Some("no_muxer"), Some("no_transport")]),
        (mplex(), [Some("no_muxer"), None, Some("no_transport")]),
        (quic(), [Some("no_transport"), Some("no_transport"), None]),
    ];
    for (transports, outcomes) in expected {
        let mut dialler = start(transports.clone(), all()?).await?;
        for (listener, outcome) in listeners.iter().zip(outcomes) {
            let seen = |event: &NodeEvent| match event {
                NodeEvent::HandshakeCompleted { peer_id, .. } => *peer_id == listener.peer_id && outcome.is_none(),
                NodeEvent::DialFailed { peer_id, reason, fault, .. } => {
                    *peer_id == listener.peer_id && outcome == Some(*reason) && *fault == Fault::Incompatible
                }
                _ => false,
            };
            let what = format!("{outcome:?} of {transports:?}");
            dialler.until(&what, |history| history.iter().any(|event| seen(event))).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_old_peer_is_ready_by_the_old_versions() -> Result<()> {
    let chain = network(7);
    let protocols = ["status/1", "metadata/2", "ping/1", "goodbye/1"]
        .map(|label| StreamProtocol::try_from_owned(format!("/eth2/beacon_chain/req/{label}/ssz_snappy")));
    let mut old = Hostile::speaking(protocols.into_iter().collect::<Result<_, _>>()?).await?;
    let known_peers = vec![old.multiaddr()];
    let mut node = TestNode::start(Options { known_peers, ..Options::new(&chain) }).await?;
    let _connection = old.accept().await?;
    let (peer_id, script) = (old.peer_id, Script::honest(&chain));
    let ready = tokio::select! {
        ready = node.ready(peer_id) => ready?,
        ended = old.play(&script) => anyhow::bail!("refused: {:?}", ended?),
    };
    assert!(matches!(&*ready, NodeEvent::HandshakeCompleted { custody_group_count: None, .. }), "{ready:?}");
    let mut asked = Vec::new();
    for event in node.history() {
        if let NodeEvent::RpcRequestFinished { method, result, .. } = &**event {
            asked.push((*method, *result));
        }
    }
    // metadata and ping at once
    asked[1..].sort_unstable();
    assert_eq!(asked, [("status/1", "ok"), ("metadata/2", "ok"), ("ping/1", "ok")]);
    Ok(())
}

#[tokio::test]
async fn a_peer_beyond_the_limits_is_told_that_we_are_full() -> Result<()> {
    let chain = network(8);
    // four inbound peers at most
    let mut full = TestNode::start(Options { target: 1, ..Options::new(&chain) }).await?;
    let mut guests = Vec::new();
    for _ in 0..4 {
        let known_peers = vec![full.multiaddr("/tcp/")?];
        let guest = TestNode::start(Options { known_peers, ..Options::new(&chain) }).await?;
        full.ready(guest.peer_id).await?;
        guests.push(guest);
    }
    let mut stranger = Hostile::start().await?;
    let _connection = stranger.dial(&full.multiaddr("/tcp/")?).await?;
    assert_eq!(stranger.play(&Script::honest(&chain)).await?, Some(GoodbyeReason::TOO_MANY_PEERS));
    let rejected =
        full.wait("handshake.rejected", |event| matches!(event, NodeEvent::HandshakeRejected { .. })).await?;
    let NodeEvent::HandshakeRejected { peer_id, step, reason, fault, goodbye_code, .. } = &*rejected else {
        unreachable!("waited for it")
    };
    let goodbye = GoodbyeReason::TOO_MANY_PEERS.0;
    let expected = (stranger.peer_id, "limits", "max_inbound", Fault::Local, Some(goodbye));
    assert_eq!((*peer_id, *step, *reason, *fault, *goodbye_code), expected);
    assert_eq!(full.peers().len(), guests.len());
    Ok(())
}

#[tokio::test]
async fn two_networks_that_meet_both_say_what_told_them_apart() -> Result<()> {
    let mut listener = TestNode::start(Options::new(&network(7))).await?;
    let known_peers = vec![listener.multiaddr("/tcp/")?];
    let mut dialler = TestNode::start(Options { known_peers, ..Options::new(&network(8)) }).await?;
    for node in [&mut dialler, &mut listener] {
        let is_refusal = |event: &NodeEvent| matches!(event, NodeEvent::HandshakeRejected { .. });
        let refusal = node.wait("handshake.rejected", is_refusal).await?;
        let NodeEvent::HandshakeRejected { step, reason, goodbye_code, .. } = &*refusal else {
            unreachable!("waited for it")
        };
        assert_eq!((*step, *reason, *goodbye_code), ("status", "wrong_fork_digest", Some(2)));
    }
    Ok(())
}
