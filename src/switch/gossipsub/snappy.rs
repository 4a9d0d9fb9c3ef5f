//! Raw snappy, the compression of gossip, with every bound checked before anything is allocated. Pure.
//!
//! The framed form of req/resp is `rpc`'s.

use super::event::Invalid;

/// How much snappy can take for `len` bytes at most, bytes.
///
/// [spec v1.6.0, max_compressed_len](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#max_compressed_len)
pub(super) const fn max_compressed_len(len: usize) -> usize {
    32 + len + len / 6
}

/// Decompresses what declares at most `max` bytes. Allocates exactly the declared length, and only when data of this
/// length can hold that much: no element of the format makes more than 64 bytes of 3.
pub(super) fn decompress(data: &[u8], max: usize) -> Result<Vec<u8>, Invalid> {
    if data.is_empty() {
        return Err(Invalid::BadSnappy);
    }
    if data.len() > max_compressed_len(max) {
        return Err(Invalid::TooLarge);
    }
    let declared = snap::raw::decompress_len(data).map_err(|_| Invalid::BadSnappy)?;
    if declared > max {
        return Err(Invalid::TooLarge);
    }
    if declared / 64 > data.len() / 3 + 1 {
        return Err(Invalid::BadSnappy);
    }
    let mut ssz = vec![0; declared];
    let written = snap::raw::Decoder::new().decompress(data, &mut ssz).map_err(|_| Invalid::BadSnappy)?;
    if written == declared { Ok(ssz) } else { Err(Invalid::BadSnappy) }
}

/// Compresses one message; `None` beyond 4 GiB.
pub(super) fn compress(ssz: &[u8]) -> Option<Vec<u8>> {
    snap::raw::Encoder::new().compress_vec(ssz).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 4096;

    #[test]
    fn a_declared_length_above_the_bound_is_refused_although_the_data_is_valid() {
        let data = compress(&[7; MAX + 1]).unwrap();
        assert!(data.len() < MAX);
        assert_eq!(decompress(&data, MAX), Err(Invalid::TooLarge));
        assert_eq!(decompress(&data, MAX + 1), Ok(vec![7; MAX + 1]));
    }

    #[test]
    fn a_declared_length_that_the_data_cannot_hold_is_refused() {
        // declares 4 GiB - 1, then 10 MiB, in a few bytes
        assert_eq!(decompress(&[0xff, 0xff, 0xff, 0xff, 0x0f], usize::MAX / 2), Err(Invalid::BadSnappy));
        assert_eq!(decompress(&[0x80, 0x80, 0x80, 0x05, 0, 0], 10 << 20), Err(Invalid::BadSnappy));
    }

    #[test]
    fn more_data_than_the_bound_could_need_is_refused_unread() {
        assert_eq!(decompress(&vec![0xff; max_compressed_len(MAX) + 1], MAX), Err(Invalid::TooLarge));
    }

    #[test]
    fn what_compresses_best_is_not_mistaken_for_a_lie() {
        for len in [0, 1, 63, 64, 65, 1_000, 65_536, 1 << 20] {
            let ssz = vec![0; len];
            assert_eq!(decompress(&compress(&ssz).unwrap(), len), Ok(ssz));
        }
    }

    proptest! {
        #[test]
        fn any_message_survives(ssz in proptest::collection::vec(any::<u8>(), 0..MAX)) {
            let data = compress(&ssz).unwrap();
            prop_assert!(data.len() <= max_compressed_len(ssz.len()));
            prop_assert_eq!(decompress(&data, MAX), Ok(ssz));
        }

        #[test]
        fn arbitrary_bytes_neither_panic_nor_exceed_the_bound(
            data in proptest::collection::vec(any::<u8>(), 0..2 * MAX),
            max in 0..MAX,
        ) {
            if let Ok(ssz) = decompress(&data, max) {
                prop_assert!(ssz.len() <= max && ssz.capacity() <= max);
            }
        }
    }
}
