//! Two honest nodes.

use anyhow::Result;
use beacond::events::NodeEvent;
use beacond::types::{Client, Direction, Muxer, Transport};

use crate::support::{Testnet, network};

#[tokio::test]
async fn both_sides_complete_the_handshakes_over_either_transport() -> Result<()> {
    for (address, transport, muxer) in
        [("/tcp/", Transport::Tcp, Muxer::Yamux), ("/quic-v1", Transport::Quic, Muxer::Quic)]
    {
        let [mut dialler, mut listener] = Testnet::pair(&network(1), address).await?;
        let (dialled, accepted) = (dialler.ready(listener.peer_id).await?, listener.ready(dialler.peer_id).await?);
        for (event, expected) in [(dialled, Direction::Outbound), (accepted, Direction::Inbound)] {
            let NodeEvent::HandshakeCompleted { client, direction, transport: over, muxer: by, .. } = &*event else {
                unreachable!("waited for it")
            };
            assert_eq!((*client, *direction, *over, *by), (Client::Beacond, expected, transport, muxer));
        }
        assert_eq!(dialler.stop().await?.goodbyes, 1);
    }
    Ok(())
}
