//! Plain libp2p over the same transports: connect, identify, nothing else.

use anyhow::{Context, Result, bail};
use beacond::store::Identity;
use beacond::transport::BoxedTransport;
use beacond::types::{Multiaddr, PeerId};
use futures::StreamExt;
use libp2p::core::Transport;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{Config, SwarmEvent};
use libp2p::{Swarm, identify, noise, quic, tcp, yamux};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::since;
use crate::way::Way;

/// A swarm that everybody dials.
#[derive(Debug)]
pub(crate) struct PlainListener {
    peer_id: PeerId,
    address: Multiaddr,
    _running: JoinSet<()>,
}

impl PlainListener {
    pub(crate) async fn start(way: Way, on: &Handle) -> Result<Self> {
        on.spawn(Self::listen(way)).await?
    }

    async fn listen(way: Way) -> Result<Self> {
        let mut swarm = swarm(way)?;
        swarm.listen_on(way.loopback())?;
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let peer_id = *swarm.local_peer_id();
        let mut running = JoinSet::new();
        running.spawn(async move { while swarm.next().await.is_some() {} });
        Ok(Self { peer_id, address, _running: running })
    }

    fn to_dial(&self) -> DialOpts {
        DialOpts::peer_id(self.peer_id).addresses(vec![self.address.clone()]).build()
    }
}

/// A swarm that dials once.
pub(crate) struct PlainDialler(Swarm<identify::Behaviour>);

impl PlainDialler {
    pub(crate) fn new(way: Way) -> Result<Self> {
        swarm(way).map(Self)
    }

    /// From the dial until the listener has told who it is, milliseconds.
    pub(crate) async fn connect(&mut self, listener: &PlainListener) -> Result<f64> {
        let started = Instant::now();
        self.0.dial(listener.to_dial())?;
        loop {
            match self.0.select_next_some().await {
                SwarmEvent::Behaviour(identify::Event::Received { .. }) => {
                    return Ok(since(started));
                }
                SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error).context("plain dial"),
                SwarmEvent::ConnectionClosed { cause, .. } => bail!("closed before identify: {cause:?}"),
                _ => {}
            }
        }
    }
}

fn swarm(way: Way) -> Result<Swarm<identify::Behaviour>> {
    let keypair = Identity::generate().keypair;
    let behaviour = identify::Behaviour::new(identify::Config::new("eth2/1.0.0".to_owned(), keypair.public()));
    let peer_id = keypair.public().to_peer_id();
    Ok(Swarm::new(transport(way, &keypair)?, behaviour, peer_id, Config::with_tokio_executor()))
}

/// As `SwarmBuilder` composes it.
fn transport(way: Way, keypair: &Keypair) -> Result<BoxedTransport> {
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default().nodelay(true)).upgrade(Version::V1Lazy);
    Ok(match way {
        Way::TcpYamux => tcp().authenticate(noise::Config::new(keypair)?).multiplex(yamux::Config::default()).boxed(),
        Way::TcpMplex => {
            tcp().authenticate(noise::Config::new(keypair)?).multiplex(libp2p_mplex::Config::default()).boxed()
        }
        Way::Quic => quic::tokio::Transport::new(quic::Config::new(keypair))
            .map(|(peer_id, connection), _| (peer_id, StreamMuxerBox::new(connection)))
            .boxed(),
    })
}
