//! The client against peers that answer, dawdle, break off and lie.

use futures::io::AsyncReadExt;

use super::*;
use crate::fault::{Classify, Fault, Severity};
use crate::rpc::codec::{RawChunk, SizeBounds, encode_message, write_chunk, write_error};
use crate::rpc::error::ErrorCode;
use crate::rpc::methods::{Goodbye, Metadata, Ping, Status};
use crate::rpc::testing::{CONTEXT, Columns, Pipe, column, metadata, pass_time, pipe, status};
use crate::types::{ForkDigest, GoodbyeReason, StatusMessage};

const TIMEOUTS: RpcTimeouts = RpcTimeouts {
    request: Duration::from_secs(5),
    first_chunk: Duration::from_secs(10),
    next_chunk: Duration::from_secs(7),
    end: Duration::from_millis(250),
};

fn newest<M: Method>() -> &'static Protocol {
    &M::PROTOCOLS[0]
}

/// Reads what the client sends, to the end.
async fn read_all(peer: &mut Pipe) -> Vec<u8> {
    let mut request = Vec::new();
    peer.read_to_end(&mut request).await.unwrap();
    request
}

/// Runs `request_one` against a peer that sends `answer` once it has the whole request, and then closes.
async fn ask<M: Method>(
    protocol: &'static Protocol,
    request: &M::Request,
    answer: &[u8],
) -> (Vec<u8>, Result<M::Response, RpcError>) {
    let (ours, mut theirs) = pipe(1 << 20);
    let peer = async {
        let sent = read_all(&mut theirs).await;
        theirs.write_all(answer).await.unwrap();
        theirs.close().await.unwrap();
        sent
    };
    tokio::join!(peer, request_one::<M, _>(ours, protocol, request, &TIMEOUTS))
}

fn answer_of(ssz: &[u8]) -> Vec<u8> {
    [&[0], &encode_message(ssz)[..]].concat()
}

#[tokio::test(start_paused = true)]
async fn sends_the_request_closes_and_reads_the_answer() {
    let protocol = newest::<Status>();
    let ssz = Status::encode_request(&status(), protocol);
    let (sent, answer) = ask::<Status>(protocol, &status(), &answer_of(&ssz)).await;
    assert_eq!(sent, encode_message(&ssz));
    assert_eq!(answer.unwrap(), status());
}

#[tokio::test(start_paused = true)]
async fn falls_back_to_the_version_that_was_negotiated() {
    let protocol = &Status::PROTOCOLS[1];
    let ssz = Status::encode_request(&status(), protocol);
    let (sent, answer) = ask::<Status>(protocol, &status(), &answer_of(&ssz)).await;
    assert_eq!((sent[0], ssz.len()), (84, 84));
    assert_eq!(answer.unwrap(), StatusMessage { earliest_available_slot: None, ..status() });
}

#[tokio::test(start_paused = true)]
async fn a_method_without_body_sends_nothing_but_the_end() {
    let protocol = newest::<Metadata>();
    let (sent, answer) =
        ask::<Metadata>(protocol, &(), &answer_of(&Metadata::encode_response(&metadata(), protocol))).await;
    assert!(sent.is_empty());
    assert_eq!(answer.unwrap(), metadata());
}

#[tokio::test(start_paused = true)]
async fn every_bad_answer_has_its_name_and_its_fault() {
    let good = answer_of(&[1; 8]);
    let medium = Fault::Violation(Severity::Medium);
    let error = |code| [&[code], &encode_message(b"no")[..]].concat();
    let cases: [(&str, Vec<u8>, &str, Fault); 12] = [
        ("nothing", vec![], "closed", Fault::Transient),
        ("half", good[..20].to_vec(), "truncated", Fault::Violation(Severity::Low)),
        ("size", answer_of(&[1; 9]), "length_out_of_bounds", medium),
        ("varint", [&[0], &[0xff; 30][..]].concat(), "bad_varint", medium),
        ("two", [&good[..], &good].concat(), "too_many_chunks", medium),
        ("frames", [&[0, 8], &[3; 30][..]].concat(), "bad_snappy", medium),
        ("invalid", error(1), "invalid_request", Fault::Local),
        ("server", error(2), "server_error", Fault::Transient),
        ("unavailable", error(3), "resource_unavailable", Fault::Busy),
        ("limited", error(139), "rate_limited", Fault::Busy),
        ("reserved", error(77), "reserved_code", Fault::Transient),
        ("custom", error(200), "other_code", Fault::Transient),
    ];
    for (name, answer, reason, fault) in cases {
        let err = ask::<Ping>(newest::<Ping>(), &1, &answer).await.1.unwrap_err();
        assert_eq!((err.reason(), err.fault()), (reason, fault), "{name}: {err}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_is_not_answered_is_a_closed_stream() {
    let (sent, answer) = ask::<Goodbye>(newest::<Goodbye>(), &GoodbyeReason::TOO_MANY_PEERS, &[]).await;
    assert_eq!(sent, encode_message(&129_u64.to_le_bytes()));
    assert!(matches!(answer, Err(RpcError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn gives_up_on_a_peer_that_does_not_take_the_request() {
    let start = tokio::time::Instant::now();
    let (ours, _theirs) = pipe(4);
    let err = request_one::<Status, _>(ours, newest::<Status>(), &status(), &TIMEOUTS).await.unwrap_err();
    assert!(matches!(err, RpcError::Timeout(Phase::SendingRequest)), "{err:?}");
    assert_eq!((start.elapsed(), err.fault()), (TIMEOUTS.request, Fault::Transient));
}

#[tokio::test(start_paused = true)]
async fn gives_up_on_a_peer_that_does_not_answer() {
    let start = tokio::time::Instant::now();
    let (ours, _theirs) = pipe(1024);
    let err = request_one::<Ping, _>(ours, newest::<Ping>(), &1, &TIMEOUTS).await.unwrap_err();
    assert!(matches!(err, RpcError::Timeout(Phase::AwaitingFirstChunk)), "{err:?}");
    assert_eq!(start.elapsed(), TIMEOUTS.first_chunk);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_trickles_has_one_deadline_for_the_whole_chunk() {
    let (ours, mut theirs) = pipe(1024);
    let trickle = async {
        for byte in answer_of(&[1; 8]) {
            pass_time(1).await;
            if theirs.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    };
    let (answer, ()) = tokio::join!(request_one::<Ping, _>(ours, newest::<Ping>(), &1, &TIMEOUTS), trickle);
    assert!(matches!(answer, Err(RpcError::Timeout(Phase::AwaitingFirstChunk))));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_and_stays_open_costs_a_moment_and_is_forgiven() {
    let start = tokio::time::Instant::now();
    let (ours, mut theirs) = pipe(1024);
    theirs.write_all(&answer_of(&[1; 8])).await.unwrap();
    let answer = request_one::<Ping, _>(ours, newest::<Ping>(), &1, &TIMEOUTS).await;
    assert_eq!((answer.unwrap(), start.elapsed()), (u64::from_le_bytes([1; 8]), TIMEOUTS.end));
}

#[tokio::test(start_paused = true)]
async fn streams_many_chunks_with_their_contexts() {
    let (ours, mut theirs) = pipe(4096);
    let serve = async {
        read_all(&mut theirs).await;
        for index in 0..5 {
            write_chunk(&mut theirs, &RawChunk { context: Some(CONTEXT), ssz: column(index) }).await.unwrap();
        }
        theirs.close().await.unwrap();
    };
    let read = async {
        let mut answer = exchange::<Columns, _>(ours, newest::<Columns>(), &20, &TIMEOUTS).await.unwrap();
        let mut chunks = Vec::new();
        while let Some(chunk) = answer.next_chunk().await.unwrap() {
            chunks.push(chunk);
        }
        assert!(answer.next_chunk().await.unwrap().is_none());
        chunks
    };
    let ((), chunks) = tokio::join!(serve, read);
    let wanted: Vec<_> = (0..5).map(|index| Chunk { context: Some(CONTEXT), response: column(index) }).collect();
    assert!(chunks == wanted);
}

#[tokio::test(start_paused = true)]
async fn an_answer_ends_with_its_error_chunk() {
    let (ours, mut theirs) = pipe(1 << 20);
    write_chunk(&mut theirs, &RawChunk { context: Some(CONTEXT), ssz: column(0) }).await.unwrap();
    write_error(&mut theirs, ErrorCode::ResourceUnavailable, "pruned").await.unwrap();
    write_chunk(&mut theirs, &RawChunk { context: Some(CONTEXT), ssz: column(1) }).await.unwrap();
    let mut answer = exchange::<Columns, _>(ours, newest::<Columns>(), &20, &TIMEOUTS).await.unwrap();
    assert!(answer.next_chunk().await.unwrap().is_some());
    let Err(RpcError::Responded { code: ErrorCode::ResourceUnavailable, message }) = answer.next_chunk().await else {
        panic!("no error chunk");
    };
    assert_eq!(message, "pruned");
    assert!(answer.next_chunk().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn more_chunks_than_asked_for_are_an_error_and_an_empty_list_is_none() {
    let (ours, mut theirs) = pipe(1 << 20);
    for index in 0..3 {
        write_chunk(&mut theirs, &RawChunk { context: Some(CONTEXT), ssz: column(index) }).await.unwrap();
    }
    let mut answer = exchange::<Columns, _>(ours, newest::<Columns>(), &2, &TIMEOUTS).await.unwrap();
    assert!(answer.next_chunk().await.unwrap().is_some());
    assert!(answer.next_chunk().await.unwrap().is_some());
    assert!(matches!(answer.next_chunk().await, Err(RpcError::TooManyChunks { limit: 2 })));

    let (ours, theirs) = pipe(1024);
    let mut answer = exchange::<Columns, _>(ours, newest::<Columns>(), &2, &TIMEOUTS).await.unwrap();
    drop(theirs);
    assert!(answer.next_chunk().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn each_further_chunk_has_its_own_deadline() {
    let (ours, mut theirs) = pipe(1 << 20);
    write_chunk(&mut theirs, &RawChunk { context: Some(CONTEXT), ssz: vec![1] }).await.unwrap();
    let mut answer = exchange::<Columns, _>(ours, newest::<Columns>(), &9, &TIMEOUTS).await.unwrap();
    assert!(answer.next_chunk().await.unwrap().is_some());
    let start = tokio::time::Instant::now();
    assert!(matches!(answer.next_chunk().await, Err(RpcError::Timeout(Phase::AwaitingNextChunk))));
    assert_eq!(start.elapsed(), TIMEOUTS.next_chunk);
}

#[tokio::test(start_paused = true)]
async fn a_context_of_no_known_fork_is_refused() {
    let (ours, mut theirs) = pipe(1024);
    let context = ForkDigest([9; 4]);
    write_chunk(&mut theirs, &RawChunk { context: Some(context), ssz: vec![1] }).await.unwrap();
    let mut answer = exchange::<Columns, _>(ours, newest::<Columns>(), &9, &TIMEOUTS).await.unwrap();
    assert!(matches!(answer.next_chunk().await, Err(RpcError::WrongContext(digest)) if digest == context));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_was_dropped_half_way_ends_the_answer() {
    let (ours, mut theirs) = pipe(1024);
    let bytes = [&[0], &CONTEXT.0[..], &encode_message(&[1; 100])].concat();
    theirs.write_all(&bytes[..15]).await.unwrap();
    let mut answer = exchange::<Columns, _>(ours, newest::<Columns>(), &9, &TIMEOUTS).await.unwrap();
    let dropped = tokio::time::timeout(Duration::from_secs(1), answer.next_chunk()).await;
    assert!(dropped.is_err());
    theirs.write_all(&bytes[15..]).await.unwrap();
    assert!(answer.next_chunk().await.unwrap().is_none());
}

#[test]
fn sizes_of_the_methods_fit_the_bounds_of_the_specification() {
    assert_eq!(newest::<Metadata>().response, SizeBounds::exactly(25));
    assert_eq!(newest::<Status>().request, Some(SizeBounds::exactly(92)));
}
