//! Strangers that do not get as far as a connection, stage by stage: each is one classified event.

use anyhow::Result;
use beacond::events::NodeEvent;
use beacond::fault::{Fault, Severity};
use beacond::types::KnownPeer;
use futures::future::try_join_all;
use tokio::net::UdpSocket;

use crate::support::{Besieged, Find, Hostile, Options, Script, network, wire};

/// What happened to the next inbound connection that failed.
async fn failure(besieged: &mut Besieged) -> Result<(&'static str, Fault)> {
    let is_it = |event: &NodeEvent| matches!(event, NodeEvent::ConnectionFailed { .. });
    match &*besieged.node.wait("connection.failed", is_it).await? {
        NodeEvent::ConnectionFailed { reason, fault, .. } => Ok((*reason, *fault)),
        _ => unreachable!("waited for it"),
    }
}

const VIOLATION: Fault = Fault::Violation(Severity::Medium);

/// Long enough: the first letter is taken for a length.
const HTTP: &[u8] = b"GET /eth/v1/node/health HTTP/1.1\r\nHost: beacon.example\r\nAccept: application/json\r\n\r\n";

/// Neither a length of multistream-select, nor of Noise, nor a frame of a muxer.
fn garbage() -> Vec<u8> {
    std::iter::repeat_with(|| rand::random_range(0x80..=0xff)).take(512).collect()
}

#[tokio::test]
async fn garbage_instead_of_multistream() -> Result<()> {
    let mut besieged = Besieged::start(40).await?;
    let node = besieged.node.multiaddr("/tcp/")?;
    for bytes in [garbage(), HTTP.to_vec()] {
        wire::provoke(&mut wire::connect(&node).await?, &bytes).await?;
        assert_eq!(failure(&mut besieged).await?, ("negotiation", VIOLATION));
    }
    besieged.stands().await
}

#[tokio::test]
async fn a_socket_that_closes_at_once() -> Result<()> {
    let mut besieged = Besieged::start(41).await?;
    drop(wire::connect(&besieged.node.multiaddr("/tcp/")?).await?);
    // multistream-select takes an early end for a polite no
    assert_eq!(failure(&mut besieged).await?, ("negotiation", Fault::Incompatible));
    besieged.stands().await
}

#[tokio::test]
async fn a_half_open_socket_is_given_up() -> Result<()> {
    let mut besieged = Besieged::start(42).await?;
    let node = besieged.node.multiaddr("/tcp/")?;
    let mut silent = wire::connect(&node).await?;
    let mut falls_silent = wire::connect(&node).await?;
    assert_eq!(wire::propose(&mut falls_silent, "/noise").await?, "/noise");
    for stream in [&mut silent, &mut falls_silent] {
        wire::provoke(stream, &[]).await?;
        assert_eq!(failure(&mut besieged).await?, ("timeout", Fault::Transient));
    }
    besieged.stands().await
}

#[tokio::test]
async fn a_protocol_that_we_do_not_speak() -> Result<()> {
    let mut besieged = Besieged::start(43).await?;
    let mut stranger = wire::connect(&besieged.node.multiaddr("/tcp/")?).await?;
    assert_eq!(wire::propose(&mut stranger, "/tls/1.0.0").await?, "na");
    drop(stranger);
    let (reason, fault) = failure(&mut besieged).await?;
    assert_eq!((reason, fault), ("negotiation", Fault::Incompatible));
    besieged.stands().await
}

#[tokio::test]
async fn garbage_instead_of_noise() -> Result<()> {
    let mut besieged = Besieged::start(44).await?;
    let mut stranger = wire::connect(&besieged.node.multiaddr("/tcp/")?).await?;
    assert_eq!(wire::propose(&mut stranger, "/noise").await?, "/noise");
    // a whole message, and not a handshake
    let message = [&512_u16.to_be_bytes()[..], &garbage()].concat();
    wire::provoke(&mut stranger, &message).await?;
    assert_eq!(failure(&mut besieged).await?, ("noise", VIOLATION));
    besieged.stands().await
}

#[tokio::test]
async fn garbage_instead_of_a_muxer() -> Result<()> {
    let mut besieged = Besieged::start(45).await?;
    let node = besieged.node.multiaddr("/tcp/")?;
    wire::provoke(&mut wire::secure(&node).await?, &garbage()).await?;
    assert_eq!(failure(&mut besieged).await?, ("negotiation", VIOLATION));
    let mut stranger = wire::secure(&node).await?;
    assert_eq!(wire::propose(&mut stranger, "/sctp/1.0.0").await?, "na");
    drop(stranger);
    assert_eq!(failure(&mut besieged).await?, ("no_muxer", Fault::Incompatible));
    besieged.stands().await
}

#[tokio::test]
async fn garbage_inside_a_muxer() -> Result<()> {
    let mut besieged = Besieged::start(46).await?;
    for muxer in ["/yamux/1.0.0", "/mplex/6.7.0"] {
        let mut stranger = wire::secure(&besieged.node.multiaddr("/tcp/")?).await?;
        assert_eq!(wire::propose(&mut stranger, muxer).await?, muxer);
        wire::provoke(&mut stranger, &garbage()).await?;
        let is_it = |event: &NodeEvent| matches!(event, NodeEvent::HandshakeRejected { .. });
        let rejected = besieged.node.wait("handshake.rejected", is_it).await?;
        let NodeEvent::HandshakeRejected { step, fault, goodbye_code, .. } = &*rejected else {
            unreachable!("waited for it")
        };
        assert_eq!((*step, *fault, *goodbye_code), ("status", Fault::Transient, None), "{muxer}");
    }
    besieged.stands().await
}

#[tokio::test]
async fn garbage_by_udp() -> Result<()> {
    let options = Options { find: Find::Discv5, ..Options::new(&network(47)) };
    let mut besieged = Besieged::start_with(options).await?;
    let KnownPeer::Enr(enr) = besieged.node.enr() else { unreachable!("it is one") };
    let discovery_port = enr.udp4().unwrap();
    let KnownPeer::Multiaddr { address, .. } = besieged.node.multiaddr("/quic-v1")? else { unreachable!("it is one") };
    let stranger = UdpSocket::bind("127.0.0.1:0").await?;
    for length in [0, 1, 62, 63, 500, 1280, 1500, 9000] {
        let datagram: Vec<u8> = std::iter::repeat_with(rand::random).take(length).collect();
        for port in [discovery_port, wire::port(&address)?] {
            stranger.send_to(&datagram, ("127.0.0.1", port)).await?;
        }
    }
    let is_it = |event: &NodeEvent| matches!(event, NodeEvent::DiscoveryGarbage { datagrams } if *datagrams > 0);
    besieged.node.wait("discovery.garbage", is_it).await?;
    besieged.answers().await?;
    besieged.stands().await
}

#[tokio::test]
async fn two_hundred_at_once_disturb_nobody() -> Result<()> {
    let mut besieged = Besieged::start(48).await?;
    let node = besieged.node.multiaddr("/tcp/")?;
    let (stranger, script) = (Hostile::start().await?, Script::honest(&besieged.chain));
    let connection = stranger.dial(&node).await?;
    let (flood, answered) = tokio::join!(
        try_join_all((0..200).map(|_| async { wire::provoke(&mut wire::connect(&node).await?, &garbage()).await })),
        stranger.ask_status(&connection, &script),
    );
    flood?;
    assert_eq!(answered?, script.status);
    let failed = |event: &NodeEvent| matches!(event, NodeEvent::ConnectionFailed { .. });
    besieged
        .node
        .until("200 classified failures", |history| history.iter().filter(|event| failed(event)).count() >= 200)
        .await?;
    for event in besieged.node.history() {
        if let NodeEvent::ConnectionFailed { reason, .. } = &**event {
            // there is room for 64 at once
            assert!(["negotiation", "denied", "closed"].contains(reason), "{event:?}");
        }
    }
    besieged.stands().await
}
