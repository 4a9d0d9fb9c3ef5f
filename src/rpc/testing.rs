//! What the tests of `rpc` share: in-memory streams, a handler that takes notes, a method with many chunks.
//!
//! Compiled for tests alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use tokio::io::DuplexStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use crate::rpc::codec::SizeBounds;
use crate::rpc::error::{ErrorCode, RpcError};
use crate::rpc::method::{Answer, Chunk, Method, Protocol, Refusal, ServedMethod, decode_ssz, encode_ssz};
use crate::rpc::quota::Quota;
use crate::rpc::serve::{Origin, RpcHandler};
use crate::switch::ConnectionId;
use crate::types::{Attnets, Epoch, ForkDigest, GoodbyeReason, MetaData, PeerId, Root, Slot, StatusMessage, Syncnets};

/// One end of an in-memory stream.
pub(super) type Pipe = Compat<DuplexStream>;

/// Both ends of an in-memory stream that holds `capacity` bytes in each direction.
pub(super) fn pipe(capacity: usize) -> (Pipe, Pipe) {
    let (left, right) = tokio::io::duplex(capacity);
    (left.compat(), right.compat())
}

/// Where a stranger asks from.
pub(super) fn stranger() -> Origin {
    Origin { peer_id: PeerId::random(), connection_id: ConnectionId::new_unchecked(1) }
}

/// Lets `seconds` of paused time pass, while everything else runs.
pub(super) async fn pass_time(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// A status with every field set.
pub(super) fn status() -> StatusMessage {
    StatusMessage {
        fork_digest: ForkDigest([0x8c, 0x9f, 0x62, 0xfe]),
        finalized_root: Root([1; 32]),
        finalized_epoch: Epoch(411_000),
        head_root: Root([2; 32]),
        head_slot: Slot(13_152_200),
        earliest_available_slot: Some(Slot(13_000_000)),
    }
}

/// Metadata with every field set.
pub(super) fn metadata() -> MetaData {
    let mut attnets = Attnets::default();
    attnets.set(63, true).unwrap();
    let mut syncnets = Syncnets::default();
    syncnets.set(1, true).unwrap();
    MetaData { seq_number: 7, attnets, syncnets: Some(syncnets), custody_group_count: Some(128) }
}

/// What a [`Notes`] handler was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    Status(Origin, StatusMessage),
    Ping(Origin, u64),
    Goodbye(Origin, GoodbyeReason),
}

/// A handler that answers with [`status`] and [`metadata`] and takes notes.
#[derive(Debug, Default)]
pub(super) struct Notes {
    notes: Mutex<Vec<Note>>,
}

impl Notes {
    pub(super) fn shared() -> (Arc<Self>, Arc<dyn RpcHandler>) {
        let notes = Arc::new(Self::default());
        (notes.clone(), notes)
    }

    pub(super) fn taken(&self) -> Vec<Note> {
        self.notes.lock().unwrap().clone()
    }

    fn take(&self, note: Note) {
        self.notes.lock().unwrap().push(note);
    }
}

impl RpcHandler for Notes {
    fn status(&self) -> StatusMessage {
        status()
    }

    fn metadata(&self) -> MetaData {
        metadata()
    }

    fn on_status(&self, origin: Origin, status: StatusMessage) {
        self.take(Note::Status(origin, status));
    }

    fn on_ping(&self, origin: Origin, seq_number: u64) {
        self.take(Note::Ping(origin, seq_number));
    }

    fn on_goodbye(&self, origin: Origin, reason: GoodbyeReason) {
        self.take(Note::Goodbye(origin, reason));
    }
}

/// A method as blocks by range will be: a list of large chunks, each with a context that picks its type.
///
/// The request is how many chunks to send; above 100 the answer is a refusal after the first.
#[derive(Debug)]
pub(super) enum Columns {}

/// The one context that [`Columns`] knows.
pub(super) const CONTEXT: ForkDigest = ForkDigest([1, 2, 3, 4]);

impl Method for Columns {
    const NAME: &'static str = "columns";
    const PROTOCOLS: &'static [Protocol] = &[Protocol {
        id: "/eth2/beacon_chain/req/columns/1/ssz_snappy",
        label: "columns/1",
        version: 1,
        request: Some(SizeBounds::exactly(8)),
        response: SizeBounds::between(1, 1 << 20),
        context: true,
    }];
    type Request = u64;
    type Response = Vec<u8>;

    fn encode_request(request: &u64, _protocol: &Protocol) -> Vec<u8> {
        encode_ssz(request)
    }

    fn decode_request(ssz: &[u8], _protocol: &Protocol) -> Result<u64, RpcError> {
        decode_ssz(ssz)
    }

    fn encode_response(response: &Vec<u8>, _protocol: &Protocol) -> Vec<u8> {
        response.clone()
    }

    fn decode_response(ssz: Vec<u8>, context: Option<ForkDigest>, _protocol: &Protocol) -> Result<Vec<u8>, RpcError> {
        match context {
            Some(CONTEXT) => Ok(ssz),
            other => Err(RpcError::WrongContext(other.unwrap_or_default())),
        }
    }

    fn max_chunks(request: &u64, _protocol: &Protocol) -> usize {
        usize::try_from(*request).unwrap_or(usize::MAX).min(128)
    }
}

impl ServedMethod for Columns {
    const QUOTA: Quota = Quota::new(2, Duration::from_secs(10));

    fn serve<'a>(_handler: &'a dyn RpcHandler, _origin: Origin, request: u64) -> Answer<'a, Vec<u8>> {
        let chunk = |index| Ok(Chunk { context: Some(CONTEXT), response: column(index) });
        if request > 100 {
            let refusal = Refusal { code: ErrorCode::ResourceUnavailable, message: "pruned" };
            return futures::stream::iter([chunk(0), Err(refusal), chunk(1)]).boxed();
        }
        futures::stream::iter(0..request).map(chunk).boxed()
    }
}

/// The chunk that [`Columns`] sends at `index`: two frames, one of them compressible.
pub(super) fn column(index: u64) -> Vec<u8> {
    let mut state = index;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    });
    noise.take(65_536).chain([index as u8; 5_000]).collect()
}
