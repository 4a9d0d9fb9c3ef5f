//! Negotiation of the stream muxer over a secured TCP connection: Yamux preferred, Mplex accepted.
//!
//! The specification demands Mplex and lets Yamux win where both sides have it; Lodestar still speaks Mplex alone
//! over TCP. [spec v1.6.0, multiplexing](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#multiplexing)

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite, FutureExt};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent, SubstreamBox};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::yamux;
use libp2p_mplex::{Config as MplexConfig, MaxBufferBehaviour};

use super::cork::{Cork, Corked, CorkedSocket, cork};
use crate::types::Muxer;

const YAMUX: &str = "/yamux/1.0.0";
const MPLEX: &str = "/mplex/6.7.0";

/// Streams that one Yamux peer may hold open, as over QUIC.
const YAMUX_STREAMS: usize = 256;

/// Streams that one Mplex peer may hold open: 16 that rpc holds, two of gossip, identify, ping, and room to spare.
const MPLEX_STREAMS: usize = 64;

/// Frames that a stream may hold unread before the whole connection waits.
///
/// Mplex has no flow control and its frames may have 1 MiB: a hostile peer can make us hold 64 × 16 × 1 MiB = 1 GiB,
/// an honest one (8 to 64 KiB a frame, one stream that stalls) 1 MiB. `--muxers yamux` does without it.
const MPLEX_UNREAD_FRAMES: usize = 16;

/// Offers the configured muxers in order of preference.
#[derive(Clone, Debug)]
pub(super) struct MuxerUpgrade {
    protocols: Vec<&'static str>,
}

impl MuxerUpgrade {
    pub(super) fn new(muxers: &[Muxer]) -> Self {
        let protocols = muxers.iter().filter_map(|muxer| match muxer {
            Muxer::Yamux => Some(YAMUX),
            Muxer::Mplex => Some(MPLEX),
            // QUIC brings its own
            Muxer::Quic => None,
        });
        Self { protocols: protocols.collect() }
    }
}

impl UpgradeInfo for MuxerUpgrade {
    type Info = &'static str;
    type InfoIter = std::vec::IntoIter<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.protocols.clone().into_iter()
    }
}

impl<C> InboundConnectionUpgrade<C> for MuxerUpgrade
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = TaggedMuxer;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TaggedMuxer>>;

    fn upgrade_inbound(self, socket: C, info: &'static str) -> Self::Future {
        if info == MPLEX {
            let upgrade = mplex().upgrade_inbound(socket, info);
            return upgrade.map(|muxer| muxer.map(|muxer| TaggedMuxer::new(Muxer::Mplex, muxer))).boxed();
        }
        let (socket, cork) = cork(socket);
        let upgrade = yamux().upgrade_inbound(socket, info);
        upgrade.map(|muxer| corked_yamux(muxer, cork)).boxed()
    }
}

impl<C> OutboundConnectionUpgrade<C> for MuxerUpgrade
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = TaggedMuxer;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TaggedMuxer>>;

    fn upgrade_outbound(self, socket: C, info: &'static str) -> Self::Future {
        if info == MPLEX {
            let upgrade = mplex().upgrade_outbound(socket, info);
            return upgrade.map(|muxer| muxer.map(|muxer| TaggedMuxer::new(Muxer::Mplex, muxer))).boxed();
        }
        let (socket, cork) = cork(socket);
        let upgrade = yamux().upgrade_outbound(socket, info);
        upgrade.map(|muxer| corked_yamux(muxer, cork)).boxed()
    }
}

fn yamux() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(YAMUX_STREAMS);
    config
}

fn corked_yamux<C>(muxer: io::Result<yamux::Muxer<CorkedSocket<C>>>, cork: Cork<C>) -> io::Result<TaggedMuxer>
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    Ok(TaggedMuxer::new(Muxer::Yamux, Corked::new(muxer?, cork)))
}

fn mplex() -> MplexConfig {
    let mut config = MplexConfig::new();
    config
        .set_max_num_streams(MPLEX_STREAMS)
        .set_max_buffer_size(MPLEX_UNREAD_FRAMES)
        .set_max_buffer_behaviour(MaxBufferBehaviour::Block);
    config
}

/// A muxer that remembers its kind until [`super::MuxerLog`] has written it down.
pub(super) struct TaggedMuxer {
    pub(super) kind: Muxer,
    pub(super) inner: StreamMuxerBox,
}

impl TaggedMuxer {
    fn new<M>(kind: Muxer, muxer: M) -> Self
    where
        M: StreamMuxer + Send + 'static,
        M::Substream: Send + 'static,
        M::Error: Send + Sync + 'static,
    {
        Self { kind, inner: StreamMuxerBox::new(muxer) }
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut StreamMuxerBox> {
        Pin::new(&mut self.get_mut().inner)
    }
}

impl StreamMuxer for TaggedMuxer {
    type Substream = SubstreamBox;
    type Error = io::Error;

    fn poll_inbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<SubstreamBox>> {
        self.inner().poll_inbound(cx)
    }

    fn poll_outbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<SubstreamBox>> {
        self.inner().poll_outbound(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_close(cx)
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        self.inner().poll(cx)
    }
}
