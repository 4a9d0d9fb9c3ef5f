//! Encoding and decoding of ssz_snappy payloads, 100 B to 10 MiB, against the `snap` crate's own blocking framing.
//!
//! `beacond` is what one exchange costs: a fresh coder each time, the asynchronous reader, every check. `snap` is
//! `snap::write::FrameEncoder` and `snap::read::FrameDecoder`, fresh each time as well, over memory. The payloads are
//! noise, which does not compress and is what signatures and roots look like, and records, which compress by half.
//!
//! `cargo bench --bench ssz_snappy`

use std::hint::black_box;
use std::io::{Read, Write};

use beacond::rpc::codec::{MAX_PAYLOAD_SIZE, SizeBounds, encode_message, read_message, write_message};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::executor::block_on;
use futures::io::{Cursor, sink};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SIZES: [usize; 6] = [100, 1_000, 10_000, 100_000, 1_000_000, MAX_PAYLOAD_SIZE];

fn payloads(size: usize) -> [(&'static str, Vec<u8>); 2] {
    let mut noise = vec![0; size];
    ChaCha8Rng::seed_from_u64(size as u64).fill_bytes(&mut noise);
    let mut records = noise.clone();
    for record in records.chunks_mut(64) {
        let half = record.len() / 2;
        record[half..].fill(0);
    }
    [("noise", noise), ("records", records)]
}

fn snap_encode(ssz: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(ssz).expect("memory takes all");
    encoder.into_inner().expect("memory takes all")
}

fn encode(criterion: &mut Criterion) {
    for (kind, index) in [("noise", 0), ("records", 1)] {
        let mut group = criterion.benchmark_group(format!("encode/{kind}"));
        for size in SIZES {
            let ssz = &payloads(size)[index].1;
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_with_input(BenchmarkId::new("beacond", size), ssz, |bencher, ssz| {
                bencher.iter(|| block_on(write_message(&mut sink(), &[0], black_box(ssz))));
            });
            group.bench_with_input(BenchmarkId::new("snap", size), ssz, |bencher, ssz| {
                bencher.iter(|| {
                    let mut encoder = snap::write::FrameEncoder::new(std::io::sink());
                    encoder.write_all(black_box(ssz)).and_then(|()| encoder.flush())
                });
            });
        }
        group.finish();
    }
}

fn decode(criterion: &mut Criterion) {
    for (kind, index) in [("noise", 0), ("records", 1)] {
        let mut group = criterion.benchmark_group(format!("decode/{kind}"));
        for size in SIZES {
            let ssz = &payloads(size)[index].1;
            let (ours, theirs) = (encode_message(ssz), snap_encode(ssz));
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_with_input(BenchmarkId::new("beacond", size), &ours, |bencher, wire| {
                let bounds = SizeBounds::between(0, MAX_PAYLOAD_SIZE);
                bencher.iter(|| block_on(read_message(&mut Cursor::new(black_box(&wire[..])), bounds)));
            });
            group.bench_with_input(BenchmarkId::new("snap", size), &theirs, |bencher, wire| {
                bencher.iter(|| {
                    let mut out = Vec::with_capacity(size);
                    snap::read::FrameDecoder::new(black_box(&wire[..])).read_to_end(&mut out).map(|_| out)
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, encode, decode);
criterion_main!(benches);
