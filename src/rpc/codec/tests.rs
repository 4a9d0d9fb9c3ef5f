//! The encoding against its vectors, whole and broken.

use futures::executor::block_on;
use futures::io::Cursor;
use proptest::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::*;
use crate::fault::{Classify, Fault};
use crate::rpc::snappy::masked_checksum;
use crate::rpc::testing::pipe;

const ANY: SizeBounds = SizeBounds::between(0, MAX_PAYLOAD_SIZE);

#[derive(Deserialize)]
struct Varint {
    hex: String,
    value: Option<String>,
    ok: bool,
}

#[derive(Deserialize)]
struct ReqResp {
    objects: Vec<Object>,
    chunks: Vec<ChunkVector>,
}

#[derive(Deserialize)]
struct Object {
    what: String,
    ssz: String,
    wire_uncompressed_frames: String,
    wire_library_frames: String,
}

#[derive(Deserialize)]
struct ChunkVector {
    what: String,
    bytes: Option<String>,
    bytes_sha256: Option<String>,
    head: Option<String>,
    message: Option<String>,
}

fn vectors() -> ReqResp {
    serde_json::from_str(include_str!("../../../tests/vectors/reqresp.json")).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text.strip_prefix("0x").unwrap()).unwrap()
}

fn request(bytes: &[u8], bounds: SizeBounds) -> Result<Vec<u8>, RpcError> {
    block_on(read_request(&mut Cursor::new(bytes), Some(bounds)))
}

fn chunk(bytes: &[u8], has_context: bool) -> Result<Option<RawChunk>, RpcError> {
    block_on(read_chunk(&mut Cursor::new(bytes), ANY, has_context))
}

/// A message in uncompressed frames, as the shortest encoder writes it.
fn uncompressed(ssz: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append_size(ssz.len(), &mut out);
    out.extend_from_slice(b"\xff\x06\x00\x00sNaPpY");
    for block in ssz.chunks(MAX_BLOCK) {
        let len = u32::try_from(block.len() + 4).unwrap().to_le_bytes();
        out.extend_from_slice(&[1, len[0], len[1], len[2]]);
        out.extend_from_slice(&masked_checksum(block));
        out.extend_from_slice(block);
    }
    out
}

#[test]
fn reads_varints_as_the_vectors_say() {
    let vectors: Vec<Varint> = serde_json::from_str(include_str!("../../../tests/vectors/varint.json")).unwrap();
    for vector in vectors {
        let bytes = unhex(&vector.hex);
        let read = block_on(read_varint(&mut Cursor::new(&bytes[..])));
        match (vector.ok, vector.value) {
            (true, Some(value)) => assert_eq!(read.unwrap().to_string(), value, "{}", vector.hex),
            _ if bytes.len() < 10 => assert!(matches!(read, Err(RpcError::Truncated)), "{}", vector.hex),
            _ => assert!(matches!(read, Err(RpcError::BadVarint)), "{}", vector.hex),
        }
    }
}

#[test]
fn an_over_long_varint_is_given_up_after_ten_bytes() {
    let mut endless = Cursor::new([0x80; 100]);
    assert!(matches!(block_on(read_varint(&mut endless)), Err(RpcError::BadVarint)));
    assert_eq!(endless.position(), 10);
}

#[test]
fn reads_and_writes_every_object_of_the_vectors() {
    for object in vectors().objects {
        let ssz = unhex(&object.ssz);
        for wire in [&object.wire_uncompressed_frames, &object.wire_library_frames] {
            assert_eq!(request(&unhex(wire), ANY).unwrap(), ssz, "{}", object.what);
        }
        assert_eq!(encode_message(&ssz), unhex(&object.wire_library_frames), "{}", object.what);
        assert_eq!(uncompressed(&ssz), unhex(&object.wire_uncompressed_frames), "{}", object.what);
    }
}

#[test]
fn reads_every_chunk_of_the_vectors() {
    for vector in vectors().chunks {
        match (vector.bytes, vector.message) {
            (Some(bytes), Some(message)) => match chunk(&unhex(&bytes), true) {
                Err(RpcError::Responded { code, message: read }) => {
                    assert_eq!((code, read), (ErrorCode::ResourceUnavailable, message), "{}", vector.what);
                }
                other => panic!("{}: {other:?}", vector.what),
            },
            (Some(bytes), None) if bytes == "0x" => {
                assert!(block_on(read_request(&mut Cursor::new([]), None)).unwrap().is_empty(), "{}", vector.what);
            }
            (Some(bytes), None) if bytes.starts_with("0x01") => match chunk(&unhex(&bytes), false) {
                Err(RpcError::Responded { code: ErrorCode::InvalidRequest, message }) => assert_eq!(message, ""),
                other => panic!("{}: {other:?}", vector.what),
            },
            (Some(bytes), None) => {
                let read = chunk(&unhex(&bytes), false).unwrap().unwrap();
                assert_eq!((read.context, read.ssz.len()), (None, 92), "{}", vector.what);
            }
            (None, _) => {
                let ssz: Vec<u8> = (0..70_000_u32).map(|i| (7 * i) as u8).collect();
                let bytes = [&[0, 0x8c, 0x9f, 0x62, 0xfe], &uncompressed(&ssz)[..]].concat();
                assert!(bytes.starts_with(&unhex(&vector.head.unwrap())), "{}", vector.what);
                assert_eq!(hex::encode(Sha256::digest(&bytes)), vector.bytes_sha256.unwrap(), "{}", vector.what);
                let context = Some(ForkDigest([0x8c, 0x9f, 0x62, 0xfe]));
                assert_eq!(chunk(&bytes, true).unwrap(), Some(RawChunk { context, ssz }), "{}", vector.what);
            }
        }
    }
}

#[test]
fn refuses_a_size_outside_the_type_before_reading_on() {
    for (declared, bounds) in [
        (7, SizeBounds::exactly(8)),
        (9, SizeBounds::exactly(8)),
        (MAX_PAYLOAD_SIZE + 1, SizeBounds::between(0, usize::MAX)),
        (usize::MAX, ANY),
    ] {
        let mut wire = Vec::new();
        append_size(declared, &mut wire);
        let prefix = wire.len() as u64;
        wire.extend_from_slice(&[0; 64]);
        let mut cursor = Cursor::new(wire);
        let err = block_on(read_message(&mut cursor, bounds)).unwrap_err();
        assert!(matches!(err, RpcError::LengthOutOfBounds { size, .. } if size == declared as u64), "{err:?}");
        assert_eq!(cursor.position(), prefix);
    }
}

#[test]
fn refuses_bytes_that_come_with_a_request_and_after_it() {
    let ping = encode_message(&[1; 8]);
    assert!(matches!(request(&[&ping[..], b"x"].concat(), SizeBounds::exactly(8)), Err(RpcError::SurplusBytes)));
    assert!(matches!(block_on(read_request(&mut Cursor::new(b"\0"), None)), Err(RpcError::SurplusBytes)));
}

#[tokio::test]
async fn does_not_wait_for_the_end_of_a_request() {
    let (mut peer, mut stream) = pipe(64);
    peer.write_all(&encode_message(&[1; 8])).await.unwrap();
    let read = read_request(&mut stream, Some(SizeBounds::exactly(8))).await;
    assert_eq!(read.unwrap(), [1; 8]);
    assert!(read_request(&mut stream, None).await.unwrap().is_empty());
}

#[tokio::test]
async fn reads_a_stream_that_trickles_byte_by_byte() {
    let ssz: Vec<u8> = (0..150_000_u32).map(|i| (i >> 4) as u8).collect();
    let (mut peer, mut stream) = pipe(1);
    let sent = RawChunk { context: Some(ForkDigest([9; 4])), ssz };
    let write = async {
        write_chunk(&mut peer, &sent).await.unwrap();
        write_error(&mut peer, ErrorCode::ServerError, &"é\n".repeat(200)).await.unwrap();
        peer.close().await.unwrap();
    };
    let read = async {
        let first = read_chunk(&mut stream, ANY, true).await.unwrap();
        (first, read_chunk(&mut stream, ANY, true).await.unwrap_err(), read_end(&mut stream).await)
    };
    let ((), (first, error, end)) = tokio::join!(write, read);
    assert_eq!(first.as_ref(), Some(&sent));
    let RpcError::Responded { code: ErrorCode::ServerError, message } = error else {
        panic!("{error:?}");
    };
    assert!(message.starts_with("é\\né\\n") && message.ends_with('\u{fffd}'), "{message}");
    end.unwrap();
}

#[test]
fn an_error_code_without_a_message_is_still_an_error_code() {
    let Err(RpcError::Responded { code, message }) = chunk(&[139], true) else {
        panic!("not an error chunk");
    };
    assert_eq!((code, message.as_str()), (ErrorCode::RateLimited, ""));
    assert_eq!(RpcError::Responded { code, message }.fault(), Fault::Busy);
}

#[test]
fn an_error_message_beyond_256_bytes_is_refused() {
    let bytes = [&[1], &encode_message(&[b'x'; 257])[..]].concat();
    assert!(matches!(chunk(&bytes, false), Err(RpcError::LengthOutOfBounds { size: 257, .. })));
}

proptest! {
    #[test]
    fn varints_round_trip(size: usize) {
        let mut wire = Vec::new();
        append_size(size, &mut wire);
        prop_assert_eq!(block_on(read_varint(&mut Cursor::new(wire))).unwrap(), size as u64);
    }

    #[test]
    fn arbitrary_bytes_neither_panic_nor_allocate_beyond_the_bounds(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        max in 0..300_usize,
        has_context: bool,
    ) {
        let bounds = SizeBounds::between(0, max);
        if let Ok(Some(chunk)) = block_on(read_chunk(&mut Cursor::new(&bytes[..]), bounds, has_context)) {
            prop_assert!(chunk.ssz.capacity() <= max);
        }
        if let Ok(ssz) = block_on(read_request(&mut Cursor::new(&bytes[..]), Some(bounds))) {
            prop_assert!(ssz.capacity() <= max);
        }
    }

    #[test]
    fn a_bit_flip_is_noticed_or_harmless(
        ssz in prop::collection::vec(any::<u8>(), 1..200),
        position: prop::sample::Index,
        bit in 0..8_u8,
    ) {
        let mut wire = encode_message(&ssz);
        let position = position.index(wire.len());
        wire[position] ^= 1 << bit;
        match request(&wire, ANY) {
            Ok(read) => prop_assert_eq!(read, ssz),
            Err(err) => prop_assert!(matches!(err.fault(), Fault::Violation(_)), "{:?}", err),
        }
    }
}
