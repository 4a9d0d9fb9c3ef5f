//! A peer that speaks libp2p properly and the consensus protocols as the test tells it to.

use anyhow::{Context, Result};
use beacond::chain::{ChainConfig, ChainHead, ForkSchedule, derive_status};
use beacond::config::TransportConfig;
use beacond::events::Events;
use beacond::rpc::codec::{SizeBounds, encode_message, read_message};
use beacond::rpc::{Method, RpcTimeouts, call, methods};
use beacond::switch::{
    InboundStream, RawConnection, RouterSettings, Switch, SwitchEnds, SwitchEvent, SwitchLimits, SwitchSettings,
};
use beacond::tasks::TaskGroup;
use beacond::time::SlotClock;
use beacond::transport;
use beacond::types::{GoodbyeReason, KnownPeer, MetaData, Multiaddr, Muxer, PeerId, StatusMessage};
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::identity::Keypair;
use tokio::time::timeout;

use super::testnet::PATIENCE;

/// A switch without a node behind it.
pub(crate) struct Hostile {
    pub(crate) peer_id: PeerId,
    pub(crate) address: Multiaddr,
    keypair: Keypair,
    ends: SwitchEnds,
    tasks: TaskGroup,
}

/// What such a peer answers.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) status: StatusMessage,
    pub(crate) metadata: MetaData,
    raw: Option<(&'static str, Vec<u8>)>,
}

impl Script {
    /// The answers of an honest peer of this network that has nothing but genesis.
    pub(crate) fn honest(chain: &ChainConfig) -> Self {
        let epoch = SlotClock::system(chain.genesis_time, chain.slot_duration).epoch();
        let fork = ForkSchedule::new(chain).state_at(epoch);
        let status = derive_status(&fork, &ChainHead::Genesis { block_root: chain.genesis_block_root });
        Self { status, metadata: MetaData::default(), raw: None }
    }

    /// The same with another Status.
    pub(crate) fn with_status(self, status: StatusMessage) -> Self {
        Self { status, ..self }
    }

    /// The same with other metadata.
    pub(crate) fn with_metadata(self, metadata: MetaData) -> Self {
        Self { metadata, ..self }
    }

    /// The same, but these bytes as the whole answer to one method.
    pub(crate) fn answering(self, method: &'static str, bytes: Vec<u8>) -> Self {
        Self { raw: Some((method, bytes)), ..self }
    }

    fn answer(&self, protocol: &str) -> Vec<u8> {
        if let Some((method, bytes)) = &self.raw
            && protocol.contains(method)
        {
            return bytes.clone();
        }
        let (method, protocol) = methods::find(protocol).unwrap();
        let ssz = match method.name {
            "status" => methods::Status::encode_response(&self.status, protocol),
            "metadata" => methods::Metadata::encode_response(&self.metadata, protocol),
            "ping" => methods::Ping::encode_response(&self.metadata.seq_number, protocol),
            other => unreachable!("{other} has no answer in a script"),
        };
        [vec![0], encode_message(&ssz)].concat()
    }
}

impl Hostile {
    /// Speaks every protocol.
    pub(crate) async fn start() -> Result<Self> {
        Self::speaking(methods::protocol_ids().collect()).await
    }

    /// Speaks every protocol over the memory of the process, and only dials: the cheapest of peers.
    pub(crate) async fn in_memory() -> Result<Self> {
        let transports = TransportConfig { tcp: false, memory: true, ..over_tcp() };
        Self::start_as(Keypair::generate_secp256k1(), methods::protocol_ids().collect(), &transports).await
    }

    /// Speaks these protocols alone.
    pub(crate) async fn speaking(protocols: Vec<StreamProtocol>) -> Result<Self> {
        Self::start_as(Keypair::generate_secp256k1(), protocols, &over_tcp()).await
    }

    /// The same peer, started again while this one has not ended.
    pub(crate) async fn again(&self) -> Result<Self> {
        Self::start_as(self.keypair.clone(), methods::protocol_ids().collect(), &over_tcp()).await
    }

    async fn start_as(keypair: Keypair, protocols: Vec<StreamProtocol>, transports: &TransportConfig) -> Result<Self> {
        let peer_id = keypair.public().to_peer_id();
        let (transport, muxers) = transport::build(&keypair, transports)?;
        let limits =
            SwitchLimits { pending_inbound: 64, pending_outbound: 64, established_inbound: 64, established: 64 };
        let gossip = RouterSettings::default();
        let settings =
            SwitchSettings { keypair: keypair.clone(), transport, muxers, protocols, limits, metrics: None, gossip };
        let (mut switch, ends) = Switch::new(settings);
        // libp2p never forgets a listener in memory
        let address = match transports.memory {
            true => Multiaddr::empty(),
            false => switch.listen("/ip4/127.0.0.1/tcp/0".parse()?, "--port").await?,
        };
        let tasks = TaskGroup::new();
        tasks.spawn("hostile", switch.run(tasks.token().clone()));
        Ok(Self { peer_id, address, keypair, ends, tasks })
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
        timeout(PATIENCE, inbound).await.context("nobody dials")?
    }

    /// A connection to a node.
    pub(crate) async fn dial(&self, peer: &KnownPeer) -> Result<RawConnection> {
        let KnownPeer::Multiaddr { peer_id, address } = peer else { anyhow::bail!("a multiaddr is dialled") };
        Ok(self.ends.handle.dial(*peer_id, vec![address.clone()]).await?)
    }

    /// Answers by the script until the node asks by this method; that stream, nothing read from it.
    pub(crate) async fn play_until(&mut self, method: &str, script: &Script) -> Result<InboundStream> {
        let asked = async {
            loop {
                let stream = self.ends.inbound_streams.recv().await.context("the switch runs")?;
                if stream.protocol.as_ref().contains(method) {
                    return Ok(stream);
                }
                Self::answer(stream, script).await?;
            }
        };
        timeout(PATIENCE, asked).await.context("nobody asks")?
    }

    /// Answers one request by the script.
    pub(crate) async fn answer(stream: InboundStream, script: &Script) -> Result<()> {
        let InboundStream { protocol, mut stream, .. } = stream;
        stream.read_to_end(&mut Vec::new()).await?;
        stream.write_all(&script.answer(protocol.as_ref())).await?;
        Ok(stream.close().await?)
    }

    /// Answers by the script until the node says goodbye or hangs up; the goodbye, if there was one.
    pub(crate) async fn play(&mut self, script: &Script) -> Result<Option<GoodbyeReason>> {
        timeout(PATIENCE, self.stay(script)).await.context("the node neither hangs up nor says goodbye")?
    }

    /// As [`Self::play`], for as long as the node likes.
    pub(crate) async fn stay(&mut self, script: &Script) -> Result<Option<GoodbyeReason>> {
        loop {
            tokio::select! {
                biased;
                stream = self.ends.inbound_streams.recv() => {
                    let InboundStream { protocol, mut stream, .. } = stream.context("the switch runs")?;
                    let mut request = Vec::new();
                    stream.read_to_end(&mut request).await?;
                    if protocol.as_ref().contains("goodbye") {
                        let reason = read_message(&mut &request[..], SizeBounds::exactly(8)).await?;
                        return Ok(Some(GoodbyeReason(u64::from_le_bytes(reason.as_slice().try_into()?))));
                    }
                    stream.write_all(&script.answer(protocol.as_ref())).await?;
                    stream.close().await?;
                }
                event = self.ends.events.recv() => {
                    if let SwitchEvent::Closed { .. } = event.context("the switch runs")? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Waits until the node hangs up, and says nothing meanwhile, not even to a goodbye.
    pub(crate) async fn ignore(&mut self) -> Result<()> {
        let closed = async {
            while !matches!(self.ends.events.recv().await.context("the switch runs")?, SwitchEvent::Closed { .. }) {}
            Ok(())
        };
        timeout(PATIENCE, closed).await.context("the node does not hang up")?
    }

    /// Dials a node and says what an honest dialler says: the node has only to ask, and [`Self::stay`] to answer.
    ///
    /// # Errors
    /// Any, when the node hangs up meanwhile.
    pub(crate) async fn knock(&self, node: &KnownPeer, script: &Script) -> Result<RawConnection> {
        let connection = self.dial(node).await?;
        self.ask_status(&connection, script).await?;
        self.ping(&connection).await?;
        Ok(connection)
    }

    /// Asks over a connection for Status, in the newest version.
    pub(crate) async fn ask_status(&self, connection: &RawConnection, script: &Script) -> Result<StatusMessage> {
        let RawConnection { opener, peer_id, .. } = connection;
        let (timeouts, events) = (RpcTimeouts::default(), Events::default());
        Ok(call::<methods::Status>(opener, *peer_id, &script.status, &timeouts, &events).await?)
    }

    /// Pings over a connection.
    pub(crate) async fn ping(&self, connection: &RawConnection) -> Result<u64> {
        let RawConnection { opener, peer_id, .. } = connection;
        let (timeouts, events) = (RpcTimeouts::default(), Events::default());
        Ok(call::<methods::Ping>(opener, *peer_id, &7, &timeouts, &events).await?)
    }

    /// Asks over a connection for metadata, in the newest version.
    pub(crate) async fn ask_metadata(&self, connection: &RawConnection) -> Result<MetaData> {
        let RawConnection { opener, peer_id, .. } = connection;
        let (timeouts, events) = (RpcTimeouts::default(), Events::default());
        Ok(call::<methods::Metadata>(opener, *peer_id, &(), &timeouts, &events).await?)
    }

    /// Sends these bytes as a whole request and returns the whole answer.
    pub(crate) async fn request(&self, connection: &RawConnection, protocol: &str, bytes: &[u8]) -> Result<Vec<u8>> {
        let protocol = StreamProtocol::try_from_owned(protocol.to_owned())?;
        let exchange = async {
            let mut stream = connection.opener.open(vec![protocol]).await?.stream;
            stream.write_all(bytes).await?;
            stream.close().await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok(answer)
        };
        timeout(PATIENCE, exchange).await.context("no answer to a request")?
    }

    /// Says goodbye over a connection; the node hangs up.
    pub(crate) async fn say_goodbye(&self, connection: &RawConnection, reason: GoodbyeReason) -> Result<()> {
        let RawConnection { opener, peer_id, .. } = connection;
        let (timeouts, events) = (RpcTimeouts::default(), Events::default());
        call::<methods::Goodbye>(opener, *peer_id, &reason, &timeouts, &events).await?;
        Ok(())
    }

    /// Closes a connection.
    pub(crate) async fn hang_up(&self, connection: &RawConnection) {
        self.ends.handle.disconnect(connection.connection_id).await;
    }
}

fn over_tcp() -> TransportConfig {
    TransportConfig { tcp: true, quic: false, memory: false, muxers: vec![Muxer::Yamux] }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}
