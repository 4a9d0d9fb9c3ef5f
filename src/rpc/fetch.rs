//! Answers of many chunks, as they arrive: one stream each, every chunk checked before it is handed on.
//!
//! Whoever reads slowly is waited for: nothing is read ahead but what the muxer's window holds (256 KiB over Yamux). Two
//! requests of a method run at once with a peer, as the specification wants it; more wait for their turn.

use std::collections::HashMap;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use libp2p::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::answers::{AnswerCheck, Checked};
use super::call::CallError;
use super::client::{ResponseReader, RpcTimeouts, exchange};
use super::error::RpcError;
use super::method::{negotiated, protocols};
use crate::chain::ForkSchedule;
use crate::events::{Events, NodeEvent};
use crate::fault::Classify;
use crate::switch::StreamOpener;
use crate::time::fine_milliseconds;
use crate::types::PeerId;

/// `MAX_CONCURRENT_REQUESTS`, for each protocol id and peer.
///
/// [consensus-specs a08d8a6e2, configuration](https://github.com/ethereum/consensus-specs/blob/a08d8a6e2/specs/phase0/p2p-interface.md#configuration)
const AT_ONCE: usize = 2;

/// One peer, to be asked for anything. Cheap to clone; clones share the turns.
#[derive(Clone, Debug)]
pub struct Asker {
    peer_id: PeerId,
    opener: StreamOpener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    schedule: Arc<ForkSchedule>,
    timeouts: RpcTimeouts,
    events: Events,
    /// By the method's name; as many as there are methods at most.
    turns: Mutex<HashMap<&'static str, Arc<Semaphore>>>,
    /// Held by each request.
    load: Arc<()>,
}

impl Asker {
    /// Asks over one connection, on a network of these forks.
    #[must_use]
    pub fn new(peer_id: PeerId, opener: StreamOpener, schedule: Arc<ForkSchedule>, events: Events) -> Self {
        let shared = Shared {
            schedule,
            timeouts: RpcTimeouts::default(),
            events,
            turns: Mutex::default(),
            load: Arc::default(),
        };
        Self { peer_id, opener, shared: Arc::new(shared) }
    }

    /// Who is asked.
    #[must_use]
    pub const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// How many requests are on their way or wait for their turn.
    #[must_use]
    pub fn load(&self) -> usize {
        Arc::strong_count(&self.shared.load) - 1
    }

    /// Sends a request once it is its turn, and hands back its answer.
    ///
    /// # Errors
    /// [`CallError`], when no stream comes about or the request cannot be sent.
    ///
    /// Cancel safe: the stream is reset.
    pub async fn fetch<M: Checked>(&self, request: &M::Request) -> Result<Fetch<M>, CallError> {
        let Self { peer_id, opener, shared } = self;
        let load = shared.load.clone();
        let turn = self.turn(M::NAME).await;
        let mut receipt = Receipt {
            peer_id: *peer_id,
            method: M::NAME,
            started: Instant::now(),
            events: shared.events.clone(),
            chunks: 0,
            ssz_bytes: 0,
            result: ABANDONED,
        };
        let opened = opener.open(protocols::<M>()).await;
        let stream = opened.map_err(|source| receipt.note(CallError::Open { method: M::NAME, source }))?;
        let failed = |source| CallError::Exchange { method: M::NAME, source };
        let protocol = negotiated::<M>(stream.protocol.as_ref());
        let protocol = protocol.ok_or_else(|| receipt.note(failed(RpcError::Unsupported)))?;
        receipt.method = protocol.label;
        let asked = exchange::<M, _>(stream.stream, protocol, request, &shared.timeouts).await;
        let reader = asked.map_err(|source| receipt.note(failed(source)))?;
        Ok(Fetch { reader, check: Some(M::check(request, &shared.schedule)), receipt, _turn: (turn, load) })
    }

    async fn turn(&self, method: &'static str) -> OwnedSemaphorePermit {
        let turns = {
            let mut turns = self.shared.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.entry(method).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
        };
        turns.acquire_owned().await.expect("semaphore is never closed")
    }
}

/// An answer that is being read. Dropping it resets the stream and ends the turn.
#[must_use = "an answer that is not read is reset"]
pub struct Fetch<M: Checked> {
    reader: ResponseReader<M, Stream>,
    /// Away while it checks; gone for good once the answer is over.
    check: Option<M::Check>,
    receipt: Receipt,
    _turn: (OwnedSemaphorePermit, Arc<()>),
}

impl<M: Checked> Fetch<M> {
    /// The next chunk; `None` once all are there.
    ///
    /// # Errors
    /// [`CallError::Exchange`] with what is wrong with the answer, which is over then.
    ///
    /// Not cancel safe: when the future is dropped before it is ready, the answer is over.
    pub async fn next(&mut self) -> Result<Option<<M::Check as AnswerCheck>::Item>, CallError> {
        let Some(check) = self.check.take() else { return Ok(None) };
        match self.next_checked(check).await {
            Ok(Some(item)) => Ok(Some(item)),
            Ok(None) => {
                self.receipt.result = "ok";
                Ok(None)
            }
            Err(source) => Err(self.receipt.note(CallError::Exchange { method: self.receipt.method, source })),
        }
    }

    async fn next_checked(&mut self, mut check: M::Check) -> Result<Option<<M::Check as AnswerCheck>::Item>, RpcError> {
        let Some(chunk) = self.reader.next_chunk().await? else { return Ok(None) };
        self.receipt.chunks += 1;
        self.receipt.ssz_bytes += chunk.response.len();
        let checking = spawn_blocking(move || {
            let item = check.check(chunk);
            (check, item)
        });
        let (check, item) = checking.await.unwrap_or_else(|error| resume_unwind(error.into_panic()));
        let item = item?;
        self.check = Some(check);
        Ok(Some(item))
    }
}

impl<M: Checked> fmt::Debug for Fetch<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch").field("receipt", &self.receipt).finish_non_exhaustive()
    }
}

/// The result of an answer that nobody read to its end.
const ABANDONED: &str = "abandoned";

/// What is told of a request once it is over, however it ends.
#[derive(Debug)]
struct Receipt {
    peer_id: PeerId,
    method: &'static str,
    started: Instant,
    events: Events,
    chunks: usize,
    ssz_bytes: usize,
    result: &'static str,
}

impl Receipt {
    fn note(&mut self, error: CallError) -> CallError {
        self.result = error.reason();
        error
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let Self { peer_id, method, chunks, ssz_bytes, result, .. } = *self;
        let duration_ms = fine_milliseconds(self.started.elapsed());
        self.events.emit(NodeEvent::RpcRequestFinished { peer_id, method, result, chunks, ssz_bytes, duration_ms });
    }
}
