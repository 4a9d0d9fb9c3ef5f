//! Bytes that are almost a ssz_snappy message, each wrong in one way.

use beacond::fault::Severity;
use beacond::rpc::codec::encode_message;
use snap::raw::Encoder;

/// A message, what it is classified as, and how bad that is.
pub(crate) struct Malformed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) reason: &'static str,
    pub(crate) severity: Severity,
}

/// Every way to spoil the message that `ssz` would make. Complete to the last byte, so nobody waits for more; what
/// follows a whole message is not among them, since requests and answers name it differently.
pub(crate) fn all(ssz: &[u8]) -> Vec<Malformed> {
    use Severity::{High, Low, Medium};
    let message = encode_message(ssz);
    let frames = &message[1..];
    let declaring = |size: &[u8]| [size, frames].concat();
    let mut bad_checksum = message.clone();
    bad_checksum[CHECKSUM] ^= 0xff;
    let mut bad_identifier = message.clone();
    bad_identifier[1 + 4] ^= 0xff;
    let truncated = message[..message.len() - 1].to_vec();
    let cases = [
        (vec![0xff; 11], "bad_varint", Medium),
        // 10 MiB and beyond, no more than the type's size and no less
        (declaring(&[0x80, 0x80, 0x80, 0x05]), "length_out_of_bounds", Medium),
        (declaring(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), "length_out_of_bounds", Medium),
        (declaring(&[ssz.len() as u8 + 1]), "length_out_of_bounds", Medium),
        (declaring(&[ssz.len() as u8 - 1]), "length_out_of_bounds", Medium),
        (bomb(ssz.len()), "bad_snappy", High),
        (bad_checksum, "bad_checksum", Medium),
        (bad_identifier, "bad_snappy", Medium),
        (truncated, "truncated", Low),
    ];
    cases.into_iter().map(|(bytes, reason, severity)| Malformed { bytes, reason, severity }).collect()
}

/// Declares `size` bytes and unpacks to a thousand.
fn bomb(size: usize) -> Vec<u8> {
    let data = [0; 1000];
    let block = Encoder::new().compress_vec(&data).unwrap();
    let checksum = crc32c::crc32c(&data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
    let frame_length = (block.len() + checksum.len()) as u8;
    [&[size as u8][..], b"\xff\x06\x00\x00sNaPpY", &[0, frame_length, 0, 0], &checksum, &block].concat()
}

/// Where the checksum of the only frame starts: after the size, the identifier and the frame's header.
const CHECKSUM: usize = 1 + 10 + 4;
