//! A client that speaks the lower layers of libp2p by hand, as far as a test wants, and anything from there on.

use std::net::{Ipv4Addr, SocketAddr};

use aes::Aes128;
use anyhow::{Context, Result, ensure};
use beacond::types::{KnownPeer, Multiaddr, NodeId};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::core::upgrade::OutboundConnectionUpgrade;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::noise;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::testnet::PATIENCE;

/// Connects to a node's TCP listener.
pub(crate) async fn connect(node: &KnownPeer) -> Result<Compat<TcpStream>> {
    let KnownPeer::Multiaddr { address, .. } = node else { anyhow::bail!("a multiaddr is dialled") };
    Ok(TcpStream::connect(("127.0.0.1", port(address)?)).await?.compat())
}

/// Passes one connection on to a node's TCP listener, from another address of this machine: all of 127.0.0.0/8 is its
/// own on Linux.
pub(crate) struct Relay {
    /// The node, by way of the relay.
    pub(crate) node: KnownPeer,
    _running: JoinSet<Result<()>>,
}

impl Relay {
    pub(crate) async fn from(source: Ipv4Addr, node: &KnownPeer) -> Result<Self> {
        let KnownPeer::Multiaddr { peer_id, address } = node else { anyhow::bail!("a multiaddr is dialled") };
        let target = SocketAddr::from(([127, 0, 0, 1], port(address)?));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("/ip4/127.0.0.1/tcp/{}", listener.local_addr()?.port()).parse()?;
        let mut running = JoinSet::new();
        running.spawn(async move {
            let (mut client, _) = listener.accept().await?;
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from((source, 0)))?;
            let mut server = socket.connect(target).await?;
            copy_bidirectional(&mut client, &mut server).await?;
            Ok(())
        });
        Ok(Self { node: KnownPeer::Multiaddr { peer_id: *peer_id, address }, _running: running })
    }
}

/// The port of an address, TCP or UDP.
pub(crate) fn port(address: &Multiaddr) -> Result<u16> {
    let mut ports = address.iter().filter_map(|part| match part {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
        _ => None,
    });
    ports.next().context("an address without a port")
}

/// Proposes one protocol by multistream-select 1.0 and returns the answer: the protocol itself, or `na`.
pub(crate) async fn propose<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, protocol: &str) -> Result<String> {
    let proposal = async {
        stream.write_all(&[line("/multistream/1.0.0"), line(protocol)].concat()).await?;
        stream.flush().await?;
        let header = read_line(stream).await?;
        ensure!(header == "/multistream/1.0.0", "{header}");
        read_line(stream).await
    };
    timeout(PATIENCE, proposal).await.context("no answer to a proposal")?
}

/// Connects and secures the connection by Noise.
pub(crate) async fn secure(node: &KnownPeer) -> Result<noise::Output<Compat<TcpStream>>> {
    let mut stream = connect(node).await?;
    ensure!(propose(&mut stream, "/noise").await? == "/noise");
    let noise = noise::Config::new(&Keypair::generate_secp256k1())?;
    Ok(timeout(PATIENCE, noise.upgrade_outbound(stream, "/noise")).await??.1)
}

/// What a discv5 node sends to one that it has no session with: a message that nobody can read. The answer is a challenge,
/// of [`WHOAREYOU_BYTES`].
///
/// [discv5 v5.1, packet encoding](https://github.com/ethereum/devp2p/blob/master/discv5/discv5-wire.md#packet-encoding)
pub(crate) fn of_nobody(to: &NodeId) -> Vec<u8> {
    let (iv, nonce, from): ([u8; 16], [u8; 12], [u8; 32]) = (rand::random(), rand::random(), rand::random());
    let (version, flag, auth_size) = (1_u16.to_be_bytes(), [0], 32_u16.to_be_bytes());
    let mut header = [&b"discv5"[..], &version, &flag, &nonce, &auth_size, &from].concat();
    let key: [u8; 16] = std::array::from_fn(|at| to.raw()[at]);
    Ctr128BE::<Aes128>::new(&key.into(), &iv.into()).apply_keystream(&mut header);
    [&iv[..], &header, &rand::random::<[u8; 32]>(), &rand::random::<[u8; 12]>()].concat()
}

/// Masking, header and the number of the sender's record.
pub(crate) const WHOAREYOU_BYTES: usize = 63;

/// Sends bytes and waits until the node hangs up.
pub(crate) async fn provoke<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Result<()> {
    let provoked = async {
        // an error is a reset, and so an end
        if stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok() {
            while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
        }
    };
    timeout(PATIENCE, provoked).await.context("the node does not hang up")
}

fn line(text: &str) -> Vec<u8> {
    [&[text.len() as u8 + 1][..], text.as_bytes(), b"\n"].concat()
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut S) -> Result<String> {
    let mut length = [0];
    stream.read_exact(&mut length).await?;
    let mut text = vec![0; length[0].into()];
    stream.read_exact(&mut text).await?;
    Ok(String::from_utf8(text)?.trim_end().to_owned())
}
