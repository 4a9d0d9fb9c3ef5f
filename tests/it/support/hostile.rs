//! A peer that speaks libp2p properly and the consensus protocols as the test tells it to.

use std::time::Duration;

use anyhow::{Context, Result};
use beacond::config::TransportConfig;
use beacond::rpc::methods;
use beacond::switch::{InboundStream, RawConnection, Switch, SwitchEnds, SwitchEvent, SwitchLimits, SwitchSettings};
use beacond::tasks::TaskGroup;
use beacond::transport;
use beacond::types::{KnownPeer, Multiaddr, Muxer, PeerId};
use libp2p::identity::Keypair;
use tokio::time::timeout;

/// A switch without a node behind it.
pub(crate) struct Hostile {
    pub(crate) peer_id: PeerId,
    pub(crate) address: Multiaddr,
    ends: SwitchEnds,
    tasks: TaskGroup,
}

impl Hostile {
    pub(crate) async fn start() -> Result<Self> {
        let keypair = Keypair::generate_secp256k1();
        let peer_id = keypair.public().to_peer_id();
        let transports = TransportConfig { tcp: true, quic: false, muxers: vec![Muxer::Yamux] };
        let (transport, muxers) = transport::build(&keypair, &transports)?;
        let limits = SwitchLimits { pending_inbound: 64, pending_outbound: 64, established: 64 };
        let protocols = methods::protocol_ids().collect();
        let settings = SwitchSettings { keypair, transport, muxers, protocols, limits, metrics: None };
        let (mut switch, ends) = Switch::new(settings);
        let address = switch.listen("/ip4/127.0.0.1/tcp/0".parse()?, "--port").await?;
        let tasks = TaskGroup::new();
        tasks.spawn("hostile", switch.run(tasks.token().clone()));
        Ok(Self { peer_id, address, ends, tasks })
    }

    pub(crate) fn multiaddr(&self) -> KnownPeer {
        KnownPeer::Multiaddr { peer_id: self.peer_id, address: self.address.clone() }
    }

    /// The connection that a node makes to us.
    pub(crate) async fn accept(&mut self) -> Result<RawConnection> {
        let inbound = async {
            loop {
                if let SwitchEvent::Inbound(connection) = self.ends.events.recv().await.context("the switch runs")? {
                    return anyhow::Ok(connection);
                }
            }
        };
        timeout(Duration::from_secs(40), inbound).await.context("nobody dials")?
    }

    /// A connection to a node.
    pub(crate) async fn dial(&self, peer: &KnownPeer) -> Result<RawConnection> {
        let KnownPeer::Multiaddr { peer_id, address } = peer else { anyhow::bail!("a multiaddr is dialled") };
        Ok(self.ends.handle.dial(*peer_id, vec![address.clone()]).await?)
    }

    /// The next stream that a node opens with us, whatever it is for.
    pub(crate) async fn stream(&mut self) -> Result<InboundStream> {
        let stream = timeout(Duration::from_secs(40), self.ends.inbound_streams.recv()).await;
        stream.context("nobody asks")?.context("the switch runs")
    }

    /// The next stream for a method, others are reset.
    pub(crate) async fn stream_for(&mut self, method: &str) -> Result<InboundStream> {
        loop {
            let stream = self.stream().await?;
            if stream.protocol.as_ref().contains(method) {
                return Ok(stream);
            }
        }
    }

    /// Closes a connection.
    pub(crate) async fn hang_up(&self, connection: &RawConnection) {
        self.ends.handle.disconnect(connection.connection_id).await;
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}
