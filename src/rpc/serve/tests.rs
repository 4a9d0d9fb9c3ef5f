//! One served stream, against peers that behave and peers that do not.

use futures::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::fault::Severity;
use crate::rpc::client::{RpcTimeouts, exchange, request_one};
use crate::rpc::codec::{SizeBounds, encode_message, read_chunk};
use crate::rpc::method::Method;
use crate::rpc::methods::{Goodbye, Metadata, Ping, Status};
use crate::rpc::testing::{Columns, Note, Notes, Pipe, column, metadata, pipe, status, stranger};

const PING: &str = "/eth2/beacon_chain/req/ping/1/ssz_snappy";

async fn serve(stream: &mut Pipe, id: &str, handler: &Arc<dyn RpcHandler>) -> Result<Served, RpcError> {
    serve_stream(stream, id, stranger(), handler, &ServeTimeouts::default()).await
}

/// Our client against our server.
async fn round_trip<M: Method>(version: usize, request: &M::Request) -> (M::Response, Vec<Note>, Origin) {
    let (notes, handler) = Notes::shared();
    let (ours, mut theirs) = pipe(64);
    let (protocol, origin) = (&M::PROTOCOLS[version], stranger());
    let (timeouts, patience) = (ServeTimeouts::default(), RpcTimeouts::default());
    let (answer, served) = tokio::join!(
        request_one::<M, _>(ours, protocol, request, &patience),
        serve_stream(&mut theirs, protocol.id, origin, &handler, &timeouts),
    );
    let ssz_bytes = protocol.response.max();
    assert_eq!(served.unwrap(), Served { protocol, chunks: 1, ssz_bytes, refused: None });
    (answer.unwrap(), notes.taken(), origin)
}

/// Sends `request`, half-closes, and returns what the server makes of it and the whole answer.
async fn answer_to(id: &str, request: &[u8]) -> (Result<Served, RpcError>, Vec<u8>) {
    let (_, handler) = Notes::shared();
    let (mut peer, mut stream) = pipe(4096);
    peer.write_all(request).await.unwrap();
    peer.close().await.unwrap();
    let served = serve(&mut stream, id, &handler).await;
    drop(stream);
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).await.unwrap();
    (served, answer)
}

#[tokio::test(start_paused = true)]
async fn answers_the_four_methods_in_every_version_and_tells_the_handler() {
    let (answer, notes, origin) = round_trip::<Status>(0, &status()).await;
    assert_eq!((answer, notes), (status(), vec![Note::Status(origin, status())]));
    let old = StatusMessage { earliest_available_slot: None, ..status() };
    let (answer, notes, origin) = round_trip::<Status>(1, &status()).await;
    assert_eq!((answer, notes), (old, vec![Note::Status(origin, old)]));

    assert_eq!(round_trip::<Metadata>(0, &()).await.0, metadata());
    let v2 = MetaData { custody_group_count: None, ..metadata() };
    assert_eq!(round_trip::<Metadata>(1, &()).await.0, v2);
    assert_eq!(round_trip::<Metadata>(2, &()).await.0, MetaData { syncnets: None, ..v2 });

    let (answer, notes, origin) = round_trip::<Ping>(0, &3).await;
    assert_eq!((answer, notes), (metadata().seq_number, vec![Note::Ping(origin, 3)]));
    let reason = GoodbyeReason::TOO_MANY_PEERS;
    let (answer, notes, origin) = round_trip::<Goodbye>(0, &reason).await;
    assert_eq!((answer, notes), (reason, vec![Note::Goodbye(origin, reason)]));
}

#[tokio::test(start_paused = true)]
async fn answers_a_request_for_blocks_with_none() {
    const ID: &str = "/eth2/beacon_chain/req/beacon_blocks_by_root/2/ssz_snappy";
    let (served, answer) = answer_to(ID, &encode_message(&[7; 64])).await;
    assert_eq!((served.unwrap().chunks, answer), (0, Vec::new()));
    let (served, answer) = answer_to(ID, &encode_message(&[7; 33])).await;
    assert_eq!((served.unwrap_err().reason(), answer.first()), ("bad_ssz", Some(&1)));
}

#[tokio::test(start_paused = true)]
async fn answers_a_peer_that_closes_its_side_only_after_the_answer() {
    let (_, handler) = Notes::shared();
    let (mut peer, mut stream) = pipe(1024);
    peer.write_all(&encode_message(&[1; 8])).await.unwrap();
    let start = tokio::time::Instant::now();
    serve(&mut stream, PING, &handler).await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    let answer = read_chunk(&mut peer, SizeBounds::exactly(8), false).await.unwrap().unwrap();
    assert_eq!(answer.ssz, metadata().seq_number.to_le_bytes());
}

#[tokio::test(start_paused = true)]
async fn answers_malformed_requests_with_invalid_request() {
    let ping = encode_message(&[1; 8]);
    let mut corrupt = ping.clone();
    *corrupt.last_mut().unwrap() ^= 1;
    let cases = [
        ("surplus_bytes", [&ping[..], b"x"].concat()),
        ("truncated", ping[..10].to_vec()),
        ("truncated", vec![]),
        ("bad_checksum", corrupt),
        ("length_out_of_bounds", encode_message(&[1; 16])),
        ("bad_varint", vec![0xff; 12]),
        ("bad_snappy", vec![8; 40]),
    ];
    for (reason, request) in cases {
        let (served, answer) = answer_to(PING, &request).await;
        let err = served.unwrap_err();
        assert_eq!(err.reason(), reason);
        assert!(matches!(err.fault(), Fault::Violation(Severity::Low | Severity::Medium)));
        assert_eq!(answer, [&[1], &encode_message(reason.as_bytes())[..]].concat(), "{reason}");
    }
    let (served, answer) = answer_to("/eth2/beacon_chain/req/metadata/2/ssz_snappy", &ping).await;
    assert_eq!((served.unwrap_err().reason(), answer[0]), ("surplus_bytes", 1));
}

#[tokio::test(start_paused = true)]
async fn a_malformed_request_does_not_reach_the_handler() {
    let (notes, handler) = Notes::shared();
    let (mut peer, mut stream) = pipe(1024);
    peer.write_all(&[&encode_message(&[1; 8])[..], b"x"].concat()).await.unwrap();
    assert!(serve(&mut stream, PING, &handler).await.is_err());
    assert_eq!(notes.taken(), []);
}

#[tokio::test(start_paused = true)]
async fn gives_up_on_a_half_open_peer_without_an_answer() {
    for sent in [&[][..], &encode_message(&[1; 8])[..20]] {
        let (_, handler) = Notes::shared();
        let (mut peer, mut stream) = pipe(1024);
        peer.write_all(sent).await.unwrap();
        let start = tokio::time::Instant::now();
        let err = serve(&mut stream, PING, &handler).await.unwrap_err();
        assert!(matches!(err, RpcError::Timeout(Phase::ReadingRequest)), "{err:?}");
        assert_eq!(start.elapsed(), ServeTimeouts::default().request);
        drop(stream);
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn gives_up_on_a_peer_that_does_not_take_the_answer() {
    let (_, handler) = Notes::shared();
    let (mut peer, mut stream) = pipe(40);
    peer.write_all(&encode_message(&[1; 8])).await.unwrap();
    let (mut narrow, _unread) = pipe(4);
    let mut split = Split { read: &mut stream, write: &mut narrow };
    let served = serve_stream(&mut split, PING, stranger(), &handler, &ServeTimeouts::default()).await.unwrap_err();
    assert!(matches!(served, RpcError::Timeout(Phase::SendingChunk)), "{served:?}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_protocol_is_unsupported() {
    let (served, answer) = answer_to("/eth2/beacon_chain/req/ping/2/ssz_snappy", &[]).await;
    assert!(matches!(served, Err(RpcError::Unsupported)));
    assert!(answer.is_empty());
}

#[tokio::test(start_paused = true)]
async fn streams_an_answer_of_many_chunks_through_a_narrow_pipe() {
    let (_, handler) = Notes::shared();
    let (ours, mut theirs) = pipe(1000);
    let (method, protocol) = (MethodEntry::of::<Columns>(), &Columns::PROTOCOLS[0]);
    let timeouts = ServeTimeouts::default();
    let serve = serve_method(&mut theirs, &method, protocol, stranger(), &*handler, &timeouts);
    let read = async {
        let mut answer = exchange::<Columns, _>(ours, protocol, &4, &RpcTimeouts::default()).await?;
        let mut chunks = Vec::new();
        while let Some(chunk) = answer.next_chunk().await? {
            chunks.push(chunk.response);
        }
        Ok::<_, RpcError>(chunks)
    };
    let (served, chunks) = tokio::join!(serve, read);
    let ssz_bytes = chunks.iter().flatten().map(Vec::len).sum();
    assert_eq!(served.unwrap(), Served { protocol, chunks: 4, ssz_bytes, refused: None });
    assert!(chunks.unwrap() == (0..4).map(column).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn sends_nothing_after_a_refusal() {
    let (_, handler) = Notes::shared();
    let (ours, mut theirs) = pipe(1 << 20);
    let (method, protocol) = (MethodEntry::of::<Columns>(), &Columns::PROTOCOLS[0]);
    let timeouts = ServeTimeouts::default();
    let mut answer = exchange::<Columns, _>(ours, protocol, &101, &RpcTimeouts::default()).await.unwrap();
    let served = serve_method(&mut theirs, &method, protocol, stranger(), &*handler, &timeouts).await.unwrap();
    assert_eq!((served.chunks, served.refused), (1, Some(ErrorCode::ResourceUnavailable)));
    drop(theirs);
    assert!(answer.next_chunk().await.unwrap().is_some());
    assert!(matches!(answer.next_chunk().await, Err(RpcError::Responded { .. })));
    assert!(answer.next_chunk().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn lingers_until_the_peer_closes_and_no_longer_than_its_limit() {
    let limit = Duration::from_secs(1);
    let start = tokio::time::Instant::now();
    let (mut peer, mut stream) = pipe(1024);
    peer.write_all(&[7; 500]).await.unwrap();
    linger(&mut stream, limit).await;
    assert_eq!(start.elapsed(), limit);
    peer.close().await.unwrap();
    linger(&mut stream, limit).await;
    assert_eq!(start.elapsed(), limit);
}

/// Reads from one stream and writes to another.
struct Split<'a> {
    read: &'a mut Pipe,
    write: &'a mut Pipe,
}

impl AsyncRead for Split<'_> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut [u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut *self.read).poll_read(cx, buf)
    }
}

impl AsyncWrite for Split<'_> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut *self.write).poll_write(cx, buf)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut *self.write).poll_flush(cx)
    }

    fn poll_close(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut *self.write).poll_close(cx)
    }
}
