//! Answers of many chunks, as they arrive: one stream each, every chunk checked before it is handed on.
//!
//! Whoever reads slowly is waited for: nothing is read ahead but what the muxer's window holds (256 KiB over Yamux). Two
//! requests of a method run at once over a connection, as the specification wants it; more wait for their turn.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libp2p::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tracing::error;

use super::answers::{AnswerCheck, Checked};
use super::call::CallError;
use super::client::{ResponseReader, RpcTimeouts, exchange};
use super::error::RpcError;
use super::method::{Chunk, negotiated, protocols};
use crate::chain::ForkSchedule;
use crate::events::{Events, NodeEvent};
use crate::fault::Classify;
use crate::switch::StreamOpener;
use crate::time::fine_milliseconds;
use crate::types::PeerId;

/// `MAX_CONCURRENT_REQUESTS`, which is for each protocol id and peer: here for each method and connection, of which the
/// node keeps one with a peer.
///
/// [consensus-specs a08d8a6e2, configuration](https://github.com/ethereum/consensus-specs/blob/a08d8a6e2/specs/phase0/p2p-interface.md#configuration)
const AT_ONCE: usize = 2;

/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// One peer over one connection, to be asked for anything. Cheap to clone; clones share the turns.
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
    /// [`CallError`], when its turn does not come within 10 s, no stream comes about or the request cannot be sent.
    ///
    /// Cancel safe: the stream is reset.
    pub async fn fetch<M: Checked>(&self, request: &M::Request) -> Result<Fetch<M>, CallError> {
        let Self { peer_id, opener, shared } = self;
        let load = shared.load.clone();
        let turn = shared.turn(M::NAME).await?;
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
}

impl Shared {
    async fn turn(&self, method: &'static str) -> Result<OwnedSemaphorePermit, CallError> {
        let turns = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.entry(method).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
        };
        let turn = timeout(TURN, turns.acquire_owned()).await.map_err(|_| CallError::NoTurn { method })?;
        Ok(turn.expect("semaphore is never closed"))
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
    /// [`CallError::Exchange`] with what is wrong with the answer. It is over then: from the next call on, there is
    /// `Ok(None)`.
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

    async fn next_checked(&mut self, check: M::Check) -> Result<Option<<M::Check as AnswerCheck>::Item>, RpcError> {
        let Some(chunk) = self.reader.next_chunk().await? else { return Ok(None) };
        self.receipt.chunks += 1;
        self.receipt.ssz_bytes += chunk.response.len();
        let (check, item) = check_apart(check, chunk).await?;
        self.check = Some(check);
        Ok(Some(item))
    }
}

/// Checks a chunk on a thread for such work.
async fn check_apart<C: AnswerCheck>(mut check: C, chunk: Chunk<Vec<u8>>) -> Result<(C, C::Item), RpcError> {
    let checking = spawn_blocking(move || check.check(chunk).map(|item| (check, item)));
    checking.await.unwrap_or_else(|err| {
        if err.is_panic() {
            error!(error = %err, "the check of an answer panicked; this is a bug");
        }
        Err(RpcError::Unchecked)
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{ChainConfig, NetworkName};
    use crate::fault::Fault;

    fn shared() -> Shared {
        let schedule = Arc::new(ForkSchedule::new(&ChainConfig::embedded(NetworkName::Mainnet)));
        let (timeouts, events) = (RpcTimeouts::default(), Events::default());
        Shared { schedule, timeouts, events, turns: Mutex::default(), load: Arc::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_does_not_come_is_given_up() {
        let (shared, start) = (shared(), Instant::now());
        let held = (shared.turn("blocks").await.unwrap(), shared.turn("blocks").await.unwrap());
        drop(shared.turn("columns").await.unwrap());
        assert!(start.elapsed().is_zero(), "two at once, of each method");
        let error = shared.turn("blocks").await.unwrap_err();
        assert_eq!((error.fault(), error.reason(), start.elapsed()), (Fault::Local, "no_turn", TURN));
        drop(held);
        drop(shared.turn("blocks").await.unwrap());
        assert_eq!(start.elapsed(), TURN);
    }

    #[derive(Debug)]
    struct Broken;

    impl AnswerCheck for Broken {
        type Item = ();

        fn check(&mut self, chunk: Chunk<Vec<u8>>) -> Result<(), RpcError> {
            assert!(chunk.response.is_empty(), "a bug");
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_check_that_panics_is_our_fault_and_nobody_dies_of_it() {
        let chunk = |response| Chunk { context: None, response };
        assert!(check_apart(Broken, chunk(Vec::new())).await.is_ok());
        let error = check_apart(Broken, chunk(vec![1])).await.unwrap_err();
        assert_eq!((error.fault(), error.reason()), (Fault::Local, "unchecked"));
    }
}
