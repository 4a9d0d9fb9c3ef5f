//! One entry as it lies on disk.

use ssz::{Decode, Encode};
use ssz_derive::{Decode, Encode};

use crate::types::{BookEntry, Client, EnrBytes, Multiaddr, PeerId};

/// The value beside a peer id, as SSZ: at most 745 bytes with a record of 300 and four of the longest addresses.
///
/// Another shape needs another table.
#[derive(Debug, Decode, Encode)]
pub(super) struct StoredEntry {
    last_seen_s: u64,
    /// 0 is never.
    last_success_s: u64,
    /// 0 is not at all.
    banned_until_s: u64,
    /// Bits of the number.
    score: u64,
    /// Stable label.
    client: Vec<u8>,
    /// RLP; empty without one.
    enr: Vec<u8>,
    /// Binary multiaddrs.
    addresses: Vec<Vec<u8>>,
}

/// Writes what there is room for.
pub(super) fn encode(entry: &BookEntry) -> Vec<u8> {
    let addresses = entry.addresses.iter().map(Multiaddr::to_vec);
    let stored = StoredEntry {
        last_seen_s: entry.last_seen_s,
        last_success_s: entry.last_success_s.unwrap_or_default(),
        banned_until_s: entry.banned_until_s.unwrap_or_default(),
        score: entry.score.to_bits(),
        client: entry.client.as_str().into(),
        enr: entry.enr.as_ref().filter(|enr| enr.as_slice().len() <= MAX_ENR_SIZE).map_or_else(Vec::new, bytes),
        addresses: addresses
            .filter(|address| address.len() <= BookEntry::MAX_ADDRESS_SIZE)
            .take(BookEntry::MAX_ADDRESSES)
            .collect(),
    };
    stored.as_ssz_bytes()
}

/// Reads back what [`encode`] wrote; `None` for anything else. An address that cannot be read is left out: a
/// later version may have written it.
pub(super) fn decode(peer_id: &[u8], value: &[u8]) -> Option<BookEntry> {
    let stored = StoredEntry::from_ssz_bytes(value).ok()?;
    let client = |label: &[u8]| Client::ALL.iter().copied().find(|client| client.as_str().as_bytes() == label);
    let score = f64::from_bits(stored.score);
    Some(BookEntry {
        peer_id: PeerId::from_bytes(peer_id).ok()?,
        addresses: stored.addresses.into_iter().filter_map(|bytes| Multiaddr::try_from(bytes).ok()).collect(),
        enr: Some(stored.enr).filter(|rlp| !rlp.is_empty()).map(EnrBytes::new),
        last_seen_s: stored.last_seen_s,
        last_success_s: Some(stored.last_success_s).filter(|at| *at != 0),
        score: if score.is_finite() { score } else { 0.0 },
        banned_until_s: Some(stored.banned_until_s).filter(|until| *until != 0),
        client: client(&stored.client).unwrap_or(Client::Other),
    })
}

/// When the entry was last seen, without reading the rest.
pub(super) fn last_seen(value: &[u8]) -> u64 {
    value.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn bytes(enr: &EnrBytes) -> Vec<u8> {
    enr.as_slice().to_vec()
}

/// Bytes of RLP. [EIP-778](https://eips.ethereum.org/EIPS/eip-778)
const MAX_ENR_SIZE: usize = 300;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::Identity;
    use crate::types::Enr;

    fn round_trip(entry: &BookEntry) -> Option<BookEntry> {
        decode(&entry.peer_id.to_bytes(), &encode(entry))
    }

    #[test]
    fn an_entry_comes_back_as_it_was_written() {
        let identity = Identity::generate();
        let enr = Enr::builder().seq(9).udp4(9000).build(&identity.enr_key).unwrap();
        let full = BookEntry {
            addresses: vec![
                "/ip4/10.0.0.1/tcp/9000".parse().unwrap(),
                "/dns4/a.example/udp/1/quic-v1".parse().unwrap(),
            ],
            enr: Some(EnrBytes::from(&enr)),
            last_success_s: Some(6),
            score: -2.5,
            banned_until_s: Some(u64::MAX),
            client: Client::Lighthouse,
            ..BookEntry::new(identity.peer_id, 7)
        };
        for entry in [BookEntry::new(identity.peer_id, 7), full] {
            assert_eq!(round_trip(&entry).as_ref(), Some(&entry));
            assert_eq!(last_seen(&encode(&entry)), 7);
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let address = |n: u16| format!("/ip4/10.0.0.1/tcp/{n}").parse().unwrap();
        let long = format!("/dns4/{}/tcp/1", "a".repeat(100)).parse().unwrap();
        let entry = BookEntry {
            addresses: std::iter::once(long).chain((1..=10).map(address)).collect(),
            enr: Some(EnrBytes::new(vec![0; MAX_ENR_SIZE + 1])),
            score: f64::NAN,
            ..BookEntry::new(PeerId::random(), 1)
        };
        let back = round_trip(&entry).unwrap();
        assert_eq!(back.addresses, (1..=4).map(address).collect::<Vec<Multiaddr>>());
        assert_eq!((back.enr, back.score), (None, 0.0));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_no_entry_or_one_of_bounded_size(key: Vec<u8>, value: Vec<u8>) {
            if let Some(entry) = decode(&key, &value) {
                prop_assert!(encode(&entry).len() <= value.len().max(745));
            }
        }
    }
}
