//! The server: takes the inbound streams, holds each peer to its quota, and serves every stream in a task.
//!
//! Started by `node`, fed by the Switch over a bounded channel. Its loop owns the [`Admission`] of peers; what an
//! answer says comes from the [`RpcHandler`].

use std::sync::Arc;
use std::time::Duration;

use futures::io::{AsyncRead, AsyncWrite};
use libp2p::{Stream, StreamProtocol};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::events::{Events, NodeEvent};
use crate::fault::{Classify, Fault, describe};
use crate::switch::{ConnectionId, InboundStream};
use crate::tasks::TaskGroup;
use crate::time::fine_milliseconds;
use crate::types::PeerId;

use super::error::RpcError;
use super::method::{MethodEntry, Protocol};
use super::methods;
use super::quota::{Admission, HeldLimits};
use super::serve::{
    Origin, RpcHandler, ServeTimeouts, Served, is_bulky, is_malformed, linger, read_request, send_answer,
};

/// How often idle peers are forgotten: the longest window of the quotas.
const FORGET_INTERVAL: Duration = Duration::from_secs(15);

/// A negotiated stream that a peer has opened.
#[derive(Debug)]
pub struct Inbound<S> {
    /// Who opened it.
    pub peer_id: PeerId,
    /// On which connection.
    pub connection_id: ConnectionId,
    /// What was negotiated.
    pub protocol: StreamProtocol,
    /// The stream, nothing read from it yet.
    pub stream: S,
}

impl From<InboundStream> for Inbound<Stream> {
    fn from(InboundStream { peer_id, connection_id, protocol, stream }: InboundStream) -> Self {
        Self { peer_id, connection_id, protocol, stream }
    }
}

/// The bounds of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpcLimits {
    /// Requests of all peers that are answered at once; the others, read already, wait for their turn. As many of the
    /// bulky ones, of more than 256 bytes by their protocol, are read at once; the small ones are read as they come.
    pub serving: usize,
    /// Streams held, and for how long a request may be delayed.
    pub held: HeldLimits,
    /// Deadlines of one exchange.
    pub timeouts: ServeTimeouts,
}

impl Default for RpcLimits {
    /// 16 streams a peer are two, the specification's `MAX_CONCURRENT_REQUESTS`, for each protocol id and one to spare;
    /// 1024 × ~4 KiB = 4 MiB are held when every stream stalls, and 256 × ~70 KiB = 17.5 MiB more when bulky requests
    /// do: 32 KiB of blocks by root and 37 KiB of a frame. An answer delayed by more than 10 s would reach nobody: that
    /// is the longest that clients wait.
    fn default() -> Self {
        Self {
            serving: 256,
            held: HeldLimits { total: 1024, per_peer: 16, delay: Duration::from_secs(10) },
            timeouts: ServeTimeouts::default(),
        }
    }
}

/// Answers the requests of all peers.
#[must_use = "a server does nothing until run"]
pub struct RpcServer {
    handler: Arc<dyn RpcHandler>,
    events: Events,
    tasks: TaskGroup,
    limits: RpcLimits,
}

impl std::fmt::Debug for RpcServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RpcServer").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl RpcServer {
    /// A server that answers from `handler` and spawns into `tasks`.
    pub fn new(handler: Arc<dyn RpcHandler>, events: Events, tasks: TaskGroup, limits: RpcLimits) -> Self {
        Self { handler, events, tasks, limits }
    }

    /// Serves until `token` is cancelled or the channel is closed. The body of a critical task.
    ///
    /// `I` is whatever the Switch hands over, with a conversion.
    ///
    /// Cancel safe: streams that are being served go on in their own tasks until `token` is cancelled.
    pub async fn run<I, S>(self, inbound: mpsc::Receiver<I>, token: CancellationToken)
    where
        I: Into<Inbound<S>> + Send,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut admission = Admission::new(self.limits.held);
        self.run_with(&mut admission, inbound, token).await;
    }

    async fn run_with<I, S>(self, admission: &mut Admission, mut inbound: mpsc::Receiver<I>, token: CancellationToken)
    where
        I: Into<Inbound<S>> + Send,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // never full, so never waited for: one message for each stream held, and no more are held
        let (released, mut releases) = mpsc::channel(self.limits.held.total.max(1));
        let server = Arc::new(Shared {
            handler: self.handler,
            events: self.events,
            reading_bulky: Semaphore::new(self.limits.serving),
            serving: Semaphore::new(self.limits.serving),
            timeouts: self.limits.timeouts,
        });
        let mut forget = tokio::time::interval(FORGET_INTERVAL);
        forget.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                Some(peer_id) = releases.recv() => admission.release(peer_id, Instant::now()),
                _ = forget.tick(), if admission.peers() > 0 => admission.forget_idle(Instant::now()),
                stream = inbound.recv() => match stream {
                    Some(stream) => {
                        if let Some(job) = server.admit(admission, stream.into(), &released) {
                            let (server, token) = (server.clone(), token.clone());
                            self.tasks.spawn("rpc_in", async move {
                                // cancelled: the stream is reset
                                let _ = token.run_until_cancelled(server.serve(job)).await;
                            });
                        }
                    }
                    None => return,
                },
            }
        }
    }
}

/// What the loop and its tasks share; nothing in it changes.
struct Shared {
    handler: Arc<dyn RpcHandler>,
    events: Events,
    reading_bulky: Semaphore,
    serving: Semaphore,
    timeouts: ServeTimeouts,
}

/// One stream that was taken in.
struct Job<S> {
    stream: S,
    method: &'static MethodEntry,
    protocol: &'static Protocol,
    arrived: Instant,
    delay: Duration,
    slot: Slot,
}

/// The place that a stream takes; given back when dropped, however the task ends.
struct Slot {
    origin: Origin,
    released: mpsc::Sender<PeerId>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        // cannot be full; closed when the loop is gone, and its books with it
        let _ = self.released.try_send(self.origin.peer_id);
    }
}

impl Shared {
    fn admit<S>(
        &self,
        admission: &mut Admission,
        inbound: Inbound<S>,
        released: &mpsc::Sender<PeerId>,
    ) -> Option<Job<S>> {
        let Inbound { peer_id, connection_id, protocol, stream } = inbound;
        let Some((method, protocol)) = methods::find(protocol.as_ref()) else {
            self.reject(peer_id, "unknown", &RpcError::Unsupported);
            return None;
        };
        let arrived = Instant::now();
        match admission.admit(peer_id, method.name, method.quota, arrived) {
            Ok(delay) => {
                let origin = Origin { peer_id, connection_id };
                let slot = Slot { origin, released: released.clone() };
                Some(Job { stream, method, protocol, arrived, delay, slot })
            }
            Err(err) => {
                self.reject(peer_id, protocol.label, &err);
                None
            }
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(&self, mut job: Job<S>) {
        // even a timer that is due fires at the next millisecond only: whoever is within the quota does not wait for it
        if !job.delay.is_zero() {
            tokio::time::sleep_until(job.arrived + job.delay).await;
        }
        let peer_id = job.slot.origin.peer_id;
        let answered = match self.exchange(&mut job).await {
            Ok(Served { chunks, ssz_bytes, .. }) => {
                let (method, duration_ms) = (job.protocol.label, fine_milliseconds(job.arrived.elapsed()));
                self.events.emit(NodeEvent::RpcServed { peer_id, method, chunks, ssz_bytes, duration_ms });
                true
            }
            Err(err) => {
                self.reject(peer_id, job.protocol.label, &err);
                if let fault @ Fault::Violation(_) = err.fault() {
                    self.handler.on_fault(job.slot.origin, fault);
                }
                is_malformed(&err)
            }
        };
        if answered {
            linger(&mut job.stream, self.timeouts.linger).await;
        }
    }

    /// Takes a turn only when the request is there: one that is never finished keeps nobody else from an answer.
    async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send>(&self, job: &mut Job<S>) -> Result<Served, RpcError> {
        // held to the end, as the request may be
        let _bulky = if is_bulky(job.protocol) { Some(turn(&self.reading_bulky).await) } else { None };
        let ssz = read_request(&mut job.stream, job.protocol, &self.timeouts).await?;
        let _turn = turn(&self.serving).await;
        let answer = (job.method.answer)(&*self.handler, job.slot.origin, &ssz, job.protocol);
        send_answer(&mut job.stream, job.protocol, answer, &self.timeouts).await
    }

    fn reject<E: Classify + std::error::Error + 'static>(&self, peer_id: PeerId, method: &'static str, err: &E) {
        self.events.emit(NodeEvent::RpcRejected {
            peer_id,
            method,
            reason: err.reason(),
            fault: err.fault(),
            error: describe(err),
        });
    }
}

async fn turn(semaphore: &Semaphore) -> SemaphorePermit<'_> {
    semaphore.acquire().await.expect("semaphore is never closed")
}

#[cfg(test)]
mod tests;
