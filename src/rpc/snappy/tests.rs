//! The snappy framing against its vectors, against the `snap` crate, and against whoever sends garbage.

use std::io::{Read, Write};

use futures::executor::block_on;
use futures::io::Cursor;
use proptest::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::*;
use crate::fault::{Classify, Fault, Severity};

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    data: Option<String>,
    valid: bool,
    output: Option<String>,
}

fn vectors() -> Vec<Case> {
    serde_json::from_str::<Vectors>(include_str!("../../../tests/vectors/snappy_frames.json")).unwrap().cases
}

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text.strip_prefix("0x").unwrap()).unwrap()
}

/// Reads `size` bytes and then the end.
fn read(frames: &[u8], size: usize) -> Result<Vec<u8>, RpcError> {
    let mut cursor = Cursor::new(frames);
    let mut reader = FrameReader::new(&mut cursor, size);
    let payload = block_on(reader.read_payload())?;
    reader.check_trailer()?;
    Ok(payload)
}

fn write(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = FrameWriter::start(&mut out);
    payload.chunks(MAX_BLOCK).for_each(|block| writer.append(block, &mut out));
    out
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&[kind], &len[..3], body].concat()
}

/// A data frame whose checksum is right for `payload`.
fn data_frame(kind: u8, payload: &[u8], body: &[u8]) -> Vec<u8> {
    frame(kind, &[&masked_checksum(payload), body].concat())
}

#[test]
fn reads_every_valid_vector() {
    for case in vectors().into_iter().filter(|case| case.valid) {
        let (data, output) = (unhex(&case.data.unwrap()), case.output.unwrap());
        let wanted = match output.strip_prefix("sha256:") {
            None => unhex(&output),
            Some(digest) => {
                let payload = vec![0; MAX_BLOCK];
                assert_eq!(hex::encode(Sha256::digest(&payload)), digest.trim_start_matches("0x"));
                payload
            }
        };
        assert_eq!(read(&data, wanted.len()).unwrap(), wanted, "{}", case.name);
    }
}

#[test]
fn classifies_every_invalid_vector() {
    let mut seen = 0;
    for case in vectors().into_iter().filter(|case| !case.valid) {
        let data = case.data.map_or_else(
            || [&IDENTIFIER[..], &data_frame(UNCOMPRESSED, &[0; 65_537], &[0; 65_537])].concat(),
            |data| unhex(&data),
        );
        let err = read(&data, 63).unwrap_err();
        let as_expected = match case.name.as_str() {
            "missing stream identifier" => matches!(err, RpcError::Snappy(SnappyError::MissingIdentifier { kind: 1 })),
            "wrong stream identifier" => matches!(err, RpcError::Snappy(SnappyError::BadIdentifier)),
            "bad checksum" => matches!(err, RpcError::Snappy(SnappyError::Checksum)),
            "unskippable reserved chunk 0x02" => {
                matches!(err, RpcError::Snappy(SnappyError::ReservedFrame { kind: 2 }))
            }
            "truncated chunk body" => matches!(err, RpcError::Truncated),
            "uncompressed chunk of 65537 bytes" => {
                matches!(err, RpcError::Snappy(SnappyError::FrameLength { kind: 1, len: 65_541 }))
            }
            "chunk shorter than its checksum" => {
                matches!(err, RpcError::Snappy(SnappyError::FrameLength { kind: 1, len: 2 }))
            }
            "corrupt compressed block" => matches!(err, RpcError::Snappy(SnappyError::Corrupt(_))),
            _ => false,
        };
        assert!(as_expected, "{}: {err:?}", case.name);
        assert!(matches!(err.fault(), Fault::Violation(_)), "{}", case.name);
        seen += 1;
    }
    assert_eq!(seen, 8);
}

#[test]
fn writes_what_the_snap_crate_writes_and_reads() {
    for size in [1, 16, 100, 65_535, 65_536, 65_537, 200_000] {
        for payload in [vec![7; size], (0..size).map(|i| ((i * i) >> 3) as u8).collect::<Vec<u8>>()] {
            let mut rival = snap::write::FrameEncoder::new(Vec::new());
            rival.write_all(&payload).unwrap();
            let ours = write(&payload);
            assert_eq!(ours, rival.into_inner().unwrap(), "{size} bytes");
            assert!(ours.len() <= max_compressed_len(size), "{size} bytes");
            let mut back = Vec::new();
            snap::read::FrameDecoder::new(&ours[..]).read_to_end(&mut back).unwrap();
            assert_eq!(back, payload, "{size} bytes");
        }
    }
}

#[test]
fn refuses_a_bomb_before_it_unpacks() {
    // 64 KiB of zeros in 3 KiB, where 100 bytes were declared
    let bomb = write(&[0; MAX_BLOCK]);
    let bomb_of_100 = &bomb[..IDENTIFIER.len() + 8 + 4];
    let mut cursor = Cursor::new(&bomb[..]);
    let mut reader = FrameReader::new(&mut cursor, 20_000);
    let err = block_on(reader.read_payload()).unwrap_err();
    assert!(matches!(err, RpcError::Snappy(SnappyError::Overrun { held: MAX_BLOCK, left: 20_000 })), "{err:?}");
    assert_eq!(err.fault(), Fault::Violation(Severity::High));
    assert_eq!(reader.payload.capacity(), 0);
    // declared so small that the frame cannot even be honest: refused by its length alone
    let err = read(bomb_of_100, 100).unwrap_err();
    assert!(matches!(err, RpcError::Snappy(SnappyError::OverBudget { limit: 148 })), "{err:?}");
}

#[test]
fn refuses_a_block_that_claims_more_than_a_block_may_hold() {
    // a raw snappy header of 2^31 bytes
    let body = [0x80, 0x80, 0x80, 0x80, 0x08, 0x00];
    let frames = [&IDENTIFIER[..], &data_frame(COMPRESSED, &[], &body)].concat();
    let mut cursor = Cursor::new(&frames[..]);
    let mut reader = FrameReader::new(&mut cursor, 10 << 20);
    let err = block_on(reader.read_payload()).unwrap_err();
    assert!(matches!(err, RpcError::Snappy(SnappyError::FrameLength { kind: COMPRESSED, .. })), "{err:?}");
    assert_eq!(reader.payload.capacity(), 0);
}

#[test]
fn never_reads_past_the_budget_of_the_declared_size() {
    // padding for ever
    let frames = [&IDENTIFIER[..], &frame(0xfe, &[0; 10]).repeat(1000)].concat();
    let mut cursor = Cursor::new(&frames[..]);
    let err = block_on(FrameReader::new(&mut cursor, 8).read_payload()).unwrap_err();
    assert!(matches!(err, RpcError::Snappy(SnappyError::OverBudget { limit: 41 })), "{err:?}");
    assert!(cursor.position() <= 41);
}

#[test]
fn holds_nothing_for_a_peer_that_declares_much_and_sends_nothing() {
    let mut silent = Silent;
    let mut reader = FrameReader::new(&mut silent, 10 << 20);
    assert!(reader.read_payload().now_or_never().is_none());
    assert_eq!((reader.payload.capacity(), reader.block.capacity()), (0, 0));
}

#[test]
fn memory_grows_with_what_has_arrived() {
    let mut frames = write(&vec![1; 3 * MAX_BLOCK]);
    frames.truncate(frames.len() - 1);
    let mut cursor = Cursor::new(&frames[..]);
    let mut reader = FrameReader::new(&mut cursor, 10 << 20);
    assert!(matches!(block_on(reader.read_payload()), Err(RpcError::Truncated)));
    assert_eq!(reader.payload.capacity(), 4 * MAX_BLOCK);
}

#[test]
fn tells_surplus_data_from_frames_without_data() {
    let payload = [5; 40];
    let frames = write(&payload);
    let padded = [&frames[..], &frame(0xfe, &[0; 1])].concat();
    assert_eq!(read(&padded, 40).unwrap(), payload);
    for surplus in [&b"\0"[..], &write(&[1]), &data_frame(UNCOMPRESSED, &[1], &[1])] {
        let err = read(&[&frames[..], surplus].concat(), 40).unwrap_err();
        assert!(matches!(err, RpcError::SurplusBytes), "{err:?}");
    }
    assert!(matches!(read(b"\0", 0), Err(RpcError::SurplusBytes)));
}

/// A peer that sends nothing.
struct Silent;

impl AsyncRead for Silent {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
        _buf: &mut [u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::task::Poll::Pending
    }
}

/// Frames of every type with plausible and implausible bodies, after an identifier or not.
fn mangled_frames() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..300);
    let honest = body.clone().prop_map(|payload| write(&payload));
    let forged = (any::<u8>(), body.clone()).prop_map(|(kind, body)| frame(kind, &body));
    let checked = (0..2_u8, body.clone()).prop_map(|(kind, body)| data_frame(kind, &body, &body));
    let part = prop_oneof![honest, forged, checked, body, Just(IDENTIFIER.to_vec())];
    (any::<bool>(), prop::collection::vec(part, 0..8)).prop_map(|(identified, parts)| {
        let head = if identified { &IDENTIFIER[..] } else { &[] };
        [head, &parts.concat()].concat()
    })
}

proptest! {
    #[test]
    fn any_payload_survives_the_round_trip(payload in prop::collection::vec(any::<u8>(), 0..200_000)) {
        prop_assert_eq!(read(&write(&payload), payload.len()).unwrap(), payload);
    }

    #[test]
    fn arbitrary_frames_neither_panic_nor_allocate_beyond_the_declared_size(
        frames in mangled_frames(),
        size in prop_oneof![0..2_000_usize, Just(10 << 20)],
    ) {
        let mut cursor = Cursor::new(&frames[..]);
        let mut reader = FrameReader::new(&mut cursor, size);
        match block_on(reader.read_payload()) {
            Ok(payload) => prop_assert!(payload.len() == size && payload.capacity() <= size),
            Err(err) => {
                prop_assert!(matches!(err.fault(), Fault::Violation(_)));
                prop_assert!(reader.payload.capacity() <= size);
            }
        }
        prop_assert!(reader.block.capacity() <= max_compressed_len(MAX_BLOCK).min(max_compressed_len(size)).max(8));
        prop_assert!(cursor.position() <= max_compressed_len(size) as u64);
    }
}
