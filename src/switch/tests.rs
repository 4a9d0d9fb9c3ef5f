//! Two real switches on loopback.

use std::net::TcpListener;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::identity::Keypair;

use super::*;
use crate::config::TransportConfig;
use crate::fault::{Classify, Fault};
use crate::tasks::TaskGroup;
use crate::transport;

const ECHO: StreamProtocol = StreamProtocol::new("/test/echo/1");

struct Node {
    peer_id: PeerId,
    address: Multiaddr,
    handle: SwitchHandle,
    events: mpsc::Receiver<SwitchEvent>,
    streams: mpsc::Receiver<InboundStream>,
    tasks: TaskGroup,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

fn quic() -> (TransportConfig, &'static str) {
    (TransportConfig { tcp: false, quic: true, memory: false, muxers: vec![] }, "/ip4/127.0.0.1/udp/0/quic-v1")
}

fn tcp(muxers: &[Muxer]) -> (TransportConfig, &'static str) {
    (TransportConfig { tcp: true, quic: false, memory: false, muxers: muxers.to_vec() }, "/ip4/127.0.0.1/tcp/0")
}

async fn start((config, listen): (TransportConfig, &str)) -> anyhow::Result<Node> {
    let keypair = Keypair::generate_secp256k1();
    let peer_id = keypair.public().to_peer_id();
    let (transport, muxers) = transport::build(&keypair, &config)?;
    let limits = SwitchLimits { pending_inbound: 8, pending_outbound: 8, established_inbound: 8, established: 8 };
    let gossip = RouterSettings::default();
    let settings = SwitchSettings { keypair, transport, muxers, protocols: vec![ECHO], limits, metrics: None, gossip };
    let (mut switch, ends) = Switch::new(settings);
    let address = switch.listen(listen.parse()?, "--port").await?;
    let tasks = TaskGroup::new();
    tasks.spawn_critical("switch", switch.run(tasks.token().clone()));
    let SwitchEnds { handle, events, inbound_streams: streams, .. } = ends;
    Ok(Node { peer_id, address, handle, events, streams, tasks })
}

async fn inbound(node: &mut Node) -> RawConnection {
    loop {
        match node.events.recv().await.expect("the switch runs") {
            SwitchEvent::Inbound(connection) => return connection,
            _ => continue,
        }
    }
}

async fn connects_and_carries_a_stream(
    dialler: (TransportConfig, &str),
    listener: (TransportConfig, &str),
    muxer: Muxer,
) -> anyhow::Result<()> {
    let (a, mut b) = (start(dialler).await?, start(listener).await?);
    let (dialled, accepted) = tokio::join!(a.handle.dial(b.peer_id, vec![b.address.clone()]), inbound(&mut b));
    let mut dialled = dialled?;
    assert_eq!((dialled.direction, accepted.direction), (Direction::Outbound, Direction::Inbound));
    assert_eq!((dialled.muxer, accepted.muxer), (muxer, muxer));

    let mut ours = dialled.opener.open(vec![ECHO]).await?;
    ours.stream.write_all(b"hello").await?;
    ours.stream.close().await?;
    let mut theirs = b.streams.recv().await.expect("the switch runs");
    assert_eq!((theirs.peer_id, &theirs.protocol), (a.peer_id, &ECHO));
    let mut text = String::new();
    theirs.stream.read_to_string(&mut text).await?;
    assert_eq!(text, "hello");

    let mut unknown = dialled.opener.open(vec![StreamProtocol::new("/test/unknown/1")]).await?;
    let refused = unknown.stream.read(&mut [0]).await.expect_err("the protocol is unknown");
    assert!(was_refused(&refused), "{refused:?}");
    let identity = dialled.identity.wait_for(Option::is_some).await?.clone().expect("waited for it");
    assert_eq!((identity.agent.as_str(), identity.gossipsub), (behaviour::AGENT, true));
    Ok(())
}

#[tokio::test]
async fn connects_over_quic() -> anyhow::Result<()> {
    connects_and_carries_a_stream(quic(), quic(), Muxer::Quic).await
}

#[tokio::test]
async fn prefers_yamux_where_both_have_it() -> anyhow::Result<()> {
    let both = [Muxer::Yamux, Muxer::Mplex];
    connects_and_carries_a_stream(tcp(&both), tcp(&both), Muxer::Yamux).await
}

#[tokio::test]
async fn falls_back_to_mplex_where_the_listener_has_nothing_else() -> anyhow::Result<()> {
    connects_and_carries_a_stream(tcp(&[Muxer::Yamux, Muxer::Mplex]), tcp(&[Muxer::Mplex]), Muxer::Mplex).await
}

#[tokio::test]
async fn says_plainly_that_no_muxer_is_shared() -> anyhow::Result<()> {
    let (a, mut b) = (start(tcp(&[Muxer::Yamux])).await?, start(tcp(&[Muxer::Mplex])).await?);
    let failure = a.handle.dial(b.peer_id, vec![b.address.clone()]).await.expect_err("no muxer is shared");
    assert_eq!((failure.reason(), failure.fault()), ("no_muxer", Fault::Incompatible), "{failure}");
    loop {
        if let SwitchEvent::InboundFailed { failure, .. } = b.events.recv().await.expect("the switch runs") {
            assert_ne!(failure.reason(), "other", "{failure}");
            return Ok(());
        }
    }
}

#[tokio::test]
async fn classifies_what_can_go_wrong_with_a_dial() -> anyhow::Result<()> {
    let both = [Muxer::Yamux, Muxer::Mplex];
    let (a, b) = (start(tcp(&both)).await?, start(tcp(&both)).await?);
    let stranger = PeerId::random();
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let cases = [
        (stranger, format!("/ip4/127.0.0.1/tcp/{closed}"), "refused"),
        (stranger, b.address.to_string(), "wrong_peer_id"),
        (stranger, "/ip4/127.0.0.1/udp/9/quic-v1".to_owned(), "no_transport"),
    ];
    for (peer_id, address, reason) in cases {
        let failure = a.handle.dial(peer_id, vec![address.parse()?]).await.expect_err(reason);
        assert_eq!(failure.reason(), reason, "{failure}");
    }
    Ok(())
}

#[tokio::test]
async fn an_opener_knows_of_the_close_before_the_switch_tells_of_it() -> anyhow::Result<()> {
    for (a, b) in [(quic(), quic()), (tcp(&[Muxer::Yamux]), tcp(&[Muxer::Yamux]))] {
        let (mut a, mut b) = (start(a).await?, start(b).await?);
        let (dialled, accepted) = tokio::join!(a.handle.dial(b.peer_id, vec![b.address.clone()]), inbound(&mut b));
        let dialled = dialled?;
        assert!(!dialled.opener.is_closed() && !accepted.opener.is_closed());
        a.handle.disconnect(dialled.connection_id).await;
        for (node, connection) in [(&mut a, dialled), (&mut b, accepted)] {
            while !matches!(node.events.recv().await.expect("the switch runs"), SwitchEvent::Closed { .. }) {}
            assert!(connection.opener.is_closed());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_taken_port_names_the_flag() -> anyhow::Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr()?.port());
    let error = start((tcp(&[Muxer::Yamux]).0, address.as_str())).await.err().expect("the port is taken").to_string();
    assert!(error.contains("--port") && error.contains("in use"), "{error}");

    let taken = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let address = format!("/ip4/127.0.0.1/udp/{}/quic-v1", taken.local_addr()?.port());
    let error = start((quic().0, address.as_str())).await.err().expect("the port is taken").to_string();
    assert!(error.contains("in use"), "{error}");
    Ok(())
}

#[tokio::test]
async fn both_families_share_a_port() -> anyhow::Result<()> {
    if TcpListener::bind("[::]:0").is_err() {
        // a machine without IPv6 has no second family
        return Ok(());
    }
    let keypair = Keypair::generate_secp256k1();
    let (transport, muxers) = transport::build(&keypair, &tcp(&[Muxer::Yamux]).0)?;
    let limits = SwitchLimits { pending_inbound: 8, pending_outbound: 8, established_inbound: 8, established: 8 };
    let gossip = RouterSettings::default();
    let settings = SwitchSettings { keypair, transport, muxers, protocols: vec![ECHO], limits, metrics: None, gossip };
    let (mut switch, _ends) = Switch::new(settings);
    let four = switch.listen("/ip4/0.0.0.0/tcp/0".parse()?, "--port").await?;
    let port = four.iter().find_map(|part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    let six = Multiaddr::from(std::net::Ipv6Addr::UNSPECIFIED).with(Protocol::Tcp(port.expect("a TCP address")));
    switch.listen(six, "--port6").await?;
    Ok(())
}

#[tokio::test]
async fn garbage_on_an_accepted_socket_is_one_classified_event() -> anyhow::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    let mut b = start(tcp(&[Muxer::Yamux])).await?;
    let port = b.address.iter().find_map(|part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port.expect("a TCP address"))).await?;
    socket.write_all(&b"GET / HTTP/1.1\r\nHost: example\r\n\r\n".repeat(4)).await?;
    loop {
        if let SwitchEvent::InboundFailed { failure, .. } = b.events.recv().await.expect("the switch runs") {
            assert!(matches!(failure.fault(), Fault::Violation(_)), "{failure:?}");
            assert_eq!(failure.reason(), "negotiation", "{failure}");
            return Ok(());
        }
    }
}
