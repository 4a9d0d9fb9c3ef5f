//! A muxer whose frames of one turn leave in one packet.
//!
//! Yamux flushes after each frame, and below it every flush is an encrypted message of its own, a system call and a
//! wake-up of the peer: a request and the end of its stream would be two. [`cork`] gives the muxer a socket that only
//! takes note of a flush; [`Corked`] makes up for it whenever the muxer has been polled. Only for muxers that use their
//! socket nowhere but in the calls of [`StreamMuxer`], which Mplex does not.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};

/// The far ends of a corked socket: one for the muxer, one for [`Corked`].
pub(super) fn cork<C>(socket: C) -> (CorkedSocket<C>, Cork<C>) {
    let socket = Arc::new(Mutex::new(Corking { socket, behind: false }));
    (CorkedSocket(socket.clone()), Cork(socket))
}

/// A socket, and whether something was written to it that has not been flushed.
struct Corking<C> {
    socket: C,
    behind: bool,
}

/// What the muxer writes to. The lock has no contender: muxer and cork live in one task.
pub(super) struct CorkedSocket<C>(Arc<Mutex<Corking<C>>>);

/// Flushes what the muxer has written.
pub(super) struct Cork<C>(Arc<Mutex<Corking<C>>>);

fn lock<C>(corking: &Mutex<Corking<C>>) -> MutexGuard<'_, Corking<C>> {
    corking.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: AsyncRead + Unpin> AsyncRead for CorkedSocket<C> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut lock(&self.0).socket).poll_read(cx, buf)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for CorkedSocket<C> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut corking = lock(&self.0);
        corking.behind = true;
        Pin::new(&mut corking.socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // the cork does it
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.0).socket).poll_close(cx)
    }
}

impl<C: AsyncWrite + Unpin> Cork<C> {
    /// Flushes if there is anything to flush; pending when the socket does not take it yet, and wakes then.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut corking = lock(&self.0);
        if corking.behind {
            std::task::ready!(Pin::new(&mut corking.socket).poll_flush(cx))?;
            corking.behind = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// A muxer over a [`CorkedSocket`], with its [`Cork`].
pub(super) struct Corked<M, C> {
    muxer: M,
    cork: Cork<C>,
}

impl<M, C> Corked<M, C> {
    pub(super) const fn new(muxer: M, cork: Cork<C>) -> Self {
        Self { muxer, cork }
    }
}

impl<M, C> Corked<M, C>
where
    M: StreamMuxer<Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
    C: AsyncWrite + Unpin,
{
    /// Lets the muxer work, then flushes what that has written.
    fn poll_and_flush<T>(
        &mut self,
        cx: &mut Context<'_>,
        work: impl FnOnce(Pin<&mut M>, &mut Context<'_>) -> Poll<Result<T, M::Error>>,
    ) -> Poll<io::Result<T>> {
        let worked = work(Pin::new(&mut self.muxer), cx);
        // pending: the socket wakes this task, and the next poll goes on
        if let Poll::Ready(Err(error)) = self.cork.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        worked.map_err(io::Error::other)
    }
}

impl<M, C> StreamMuxer for Corked<M, C>
where
    M: StreamMuxer<Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
    C: AsyncWrite + Unpin,
{
    type Substream = M::Substream;
    type Error = io::Error;

    fn poll_inbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<M::Substream>> {
        self.get_mut().poll_and_flush(cx, M::poll_inbound)
    }

    fn poll_outbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<M::Substream>> {
        self.get_mut().poll_and_flush(cx, M::poll_outbound)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // closing the socket flushes it
        Pin::new(&mut self.get_mut().muxer).poll_close(cx).map_err(io::Error::other)
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        self.get_mut().poll_and_flush(cx, M::poll)
    }
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;

    /// Counts what reaches it.
    #[derive(Default)]
    struct Counting {
        written: usize,
        flushes: usize,
    }

    impl AsyncWrite for Counting {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.written += buf.len();
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Writes so many frames when it is polled next, and flushes after each.
    struct Chatty(CorkedSocket<Counting>, usize);

    impl StreamMuxer for Chatty {
        type Substream = Cursor<Vec<u8>>;
        type Error = io::Error;

        fn poll_inbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<Self::Substream>> {
            Poll::Pending
        }

        fn poll_outbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<Self::Substream>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
            for _ in 0..std::mem::take(&mut self.1) {
                assert!(Pin::new(&mut self.0).poll_write(cx, b"frame").is_ready());
                assert!(Pin::new(&mut self.0).poll_flush(cx).is_ready());
            }
            Poll::Pending
        }
    }

    #[test]
    fn frames_of_one_turn_are_flushed_once_and_nothing_is_not_flushed() {
        let (socket, cork) = cork(Counting::default());
        let seen = Cork(cork.0.clone());
        let mut muxer = Corked::new(Chatty(socket, 3), cork);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for _ in 0..2 {
            assert!(Pin::new(&mut muxer).poll(&mut cx).is_pending());
            let corking = lock(&seen.0);
            assert_eq!((corking.socket.written, corking.socket.flushes), (15, 1));
        }
    }
}
