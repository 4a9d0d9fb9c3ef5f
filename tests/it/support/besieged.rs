//! A node with an honest peer: whatever strangers do to the node, the two stay connected.

use anyhow::Result;
use beacond::chain::ChainConfig;
use beacond::events::NodeEvent;
use beacond::fault::Fault;
use beacond::switch::RawConnection;
use beacond::types::PeerId;

use super::{Find, Hostile, Options, Script, TestNode, network};

/// The node, its peer and their network.
pub(crate) struct Besieged {
    pub(crate) chain: ChainConfig,
    pub(crate) node: TestNode,
    honest: TestNode,
}

/// How a handshake was refused.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) step: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) fault: Fault,
    pub(crate) goodbye: Option<u64>,
}

impl Besieged {
    pub(crate) async fn start(seed: u8) -> Result<Self> {
        Self::start_with(Options::new(&network(seed))).await
    }

    pub(crate) async fn start_with(options: Options) -> Result<Self> {
        let (chain, find) = (options.chain.clone(), options.find.clone());
        let mut node = TestNode::start(options).await?;
        let known_peers = match find {
            Find::Discv5 => vec![node.enr()],
            Find::Memory(_) | Find::Nobody => vec![node.multiaddr("/tcp/")?],
        };
        let mut honest = TestNode::start(Options { known_peers, find, ..Options::new(&chain) }).await?;
        node.met(&mut honest).await?;
        Ok(Self { chain, node, honest })
    }

    /// Waits until the node has refused this peer.
    pub(crate) async fn refusal(&mut self, peer: PeerId) -> Result<Refusal> {
        let is_it =
            |event: &NodeEvent| matches!(event, NodeEvent::HandshakeRejected { peer_id, .. } if *peer_id == peer);
        match &*self.node.wait("handshake.rejected", is_it).await? {
            NodeEvent::HandshakeRejected { step, reason, fault, goodbye_code, .. } => {
                Ok(Refusal { step, reason, fault: *fault, goodbye: *goodbye_code })
            }
            _ => unreachable!("waited for it"),
        }
    }

    /// A stranger dials, says its Status and answers by the script: the code that it is told, and the node's view.
    pub(crate) async fn meet(&mut self, script: &Script) -> Result<(Option<u64>, Refusal)> {
        let mut stranger = Hostile::start().await?;
        let connection = stranger.dial(&self.node.multiaddr("/tcp/")?).await?;
        stranger.ask_status(&connection, script).await?;
        let told = stranger.play(script).await?;
        Ok((told.map(|goodbye| goodbye.0), self.refusal(stranger.peer_id).await?))
    }

    /// The node dials a stranger, which answers by the script: the code that it is told, and the node's view.
    pub(crate) async fn visit(&mut self, script: &Script) -> Result<(Option<u64>, Refusal)> {
        let mut stranger = Hostile::start().await?;
        let _connection = self.dial(&mut stranger).await?;
        let told = stranger.play(script).await?;
        Ok((told.map(|goodbye| goodbye.0), self.refusal(stranger.peer_id).await?))
    }

    /// The node dials a stranger; its end of the connection.
    pub(crate) async fn dial(&self, stranger: &mut Hostile) -> Result<RawConnection> {
        self.node.handle.add_known_peer(stranger.multiaddr()).await?;
        stranger.accept().await
    }

    /// Checks that strangers are answered.
    pub(crate) async fn answers(&self) -> Result<()> {
        let (script, stranger) = (Script::honest(&self.chain), Hostile::start().await?);
        let connection = stranger.dial(&self.node.multiaddr("/tcp/")?).await?;
        assert_eq!(stranger.ask_status(&connection, &script).await?, script.status);
        Ok(())
    }

    /// Checks that the honest peer is there as it was, that a new one is welcome, and that nobody else is held.
    pub(crate) async fn stands(mut self) -> Result<()> {
        let lost = |event: &NodeEvent| matches!(event, NodeEvent::PeerDisconnected { .. });
        assert_eq!((self.node.count(lost), self.honest.count(lost)), (0, 0));
        let known_peers = vec![self.node.multiaddr("/quic-v1")?];
        let mut newcomer = TestNode::start(Options { known_peers, ..Options::new(&self.chain) }).await?;
        let mut peer_ids = [self.honest.peer_id, newcomer.peer_id];
        self.node.met(&mut newcomer).await?;
        peer_ids.sort();
        assert_eq!(self.node.peers(), peer_ids);
        for peer in [newcomer, self.honest] {
            let peer_id = peer.peer_id;
            peer.stop().await?;
            assert_eq!(self.node.gone(peer_id).await?, ("goodbye_received", Some(1)));
        }
        assert_eq!(self.node.peers(), []);
        assert_eq!(self.node.stop().await?.goodbyes, 0);
        Ok(())
    }
}
