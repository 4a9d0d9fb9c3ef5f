//! What strict decoding refuses, one rule a test.

use ssz::{Decode, Encode};
use ssz_types::BitVector;
use ssz_types::typenum::{U4, U512};

use crate::types::containers::{
    ByteList, List, ProgressiveBitlist, ProgressiveList, Transactions, electra, fulu, gloas, phase0,
};

/// An attestation of phase 0 with four bits, none set.
fn attestation() -> Vec<u8> {
    let mut ssz = vec![0; 229];
    ssz[0] = 228;
    ssz[228] = 0b1_0000;
    ssz
}

fn reads_attestation(ssz: &[u8]) -> bool {
    phase0::Attestation::from_ssz_bytes(ssz).is_ok()
}

#[test]
fn rejects_trailing_bytes_after_a_container_of_fixed_size() {
    assert!(phase0::Checkpoint::from_ssz_bytes(&[0; 40]).is_ok());
    assert!(phase0::Checkpoint::from_ssz_bytes(&[0; 41]).is_err());
    assert!(phase0::Checkpoint::from_ssz_bytes(&[0; 39]).is_err());
}

#[test]
fn rejects_trailing_bytes_after_the_last_item_of_a_list() {
    assert!(List::<u64, 4>::from_ssz_bytes(&[0; 16]).is_ok());
    assert!(List::<u64, 4>::from_ssz_bytes(&[0; 17]).is_err());
}

#[test]
fn rejects_a_first_offset_that_is_not_the_length_of_the_fixed_part() {
    assert!(reads_attestation(&attestation()));
    for first in [0, 224, 227, 229, 255] {
        let mut ssz = attestation();
        ssz[0] = first;
        assert!(!reads_attestation(&ssz), "{first}");
    }
}

#[test]
fn rejects_offsets_that_decrease_or_leave_the_bytes() {
    let metadata = |first: u8, second: u8| {
        let ssz = [first, 0, 0, 0, second, 0, 0, 0, 1, 1];
        fulu::PartialDataColumnPartsMetadata::from_ssz_bytes(&ssz).is_ok()
    };
    assert!(metadata(8, 9));
    assert!(!metadata(8, 7));
    assert!(!metadata(8, 11));
    assert!(!metadata(8, 255));
}

#[test]
fn rejects_bad_tables_of_offsets_in_lists() {
    let read =
        |ssz: &[u8]| (Transactions::from_ssz_bytes(ssz).is_ok(), List::<ByteList<8>, 4>::from_ssz_bytes(ssz).is_ok());
    assert_eq!(read(&[]), (true, true));
    assert_eq!(read(&[4, 0, 0, 0]), (true, true));
    assert_eq!(read(&[8, 0, 0, 0, 9, 0, 0, 0, 1, 2]), (true, true));
    assert_eq!(read(&[0, 0, 0, 0]), (false, false), "no items, yet bytes");
    assert_eq!(read(&[5, 0, 0, 0, 0]), (false, false), "no multiple of four");
    assert_eq!(read(&[12, 0, 0, 0, 12, 0, 0, 0]), (false, false), "table longer than the bytes");
    assert_eq!(read(&[8, 0, 0, 0, 7, 0, 0, 0, 1, 2]), (false, false), "decreasing");
    assert_eq!(read(&[8, 0, 0, 0, 11, 0, 0, 0, 1, 2]), (false, false), "out of range");
    assert_eq!(read(&[4, 0, 0]), (false, false), "half an offset");
}

#[test]
fn rejects_more_items_than_the_limit() {
    assert!(List::<u64, 4>::from_ssz_bytes(&[0; 32]).is_ok());
    assert!(List::<u64, 4>::from_ssz_bytes(&[0; 40]).is_err());
    assert!(ByteList::<32>::from_ssz_bytes(&[0; 33]).is_err());
    assert!(List::<ByteList<8>, 1>::from_ssz_bytes(&[8, 0, 0, 0, 8, 0, 0, 0]).is_err());
    assert!(List::<ByteList<1>, 2>::from_ssz_bytes(&[4, 0, 0, 0, 1, 1]).is_err());
    assert!(List::<u64, 4>::new(vec![0; 5]).is_err());
    assert!(ProgressiveList::<u64>::from_ssz_bytes(&[0; 40_000]).is_ok());
}

#[test]
fn rejects_a_bit_list_without_delimiter_or_beyond_its_limit() {
    let mut ssz = attestation();
    ssz[228] = 0;
    assert!(!reads_attestation(&ssz), "no delimiter");
    ssz.pop();
    assert!(!reads_attestation(&ssz), "no bytes");
    let mut ssz = attestation();
    ssz.push(0);
    assert!(!reads_attestation(&ssz), "delimiter not in the last byte");
    let mut ssz = attestation();
    ssz.extend([0; 255]);
    ssz.push(1);
    assert!(reads_attestation(&ssz), "2048 bits");
    ssz[484] = 2;
    assert!(!reads_attestation(&ssz), "2049 bits");
}

#[test]
fn rejects_a_progressive_bit_list_without_delimiter() {
    assert!(ProgressiveBitlist::from_ssz_bytes(&[]).is_err());
    assert!(ProgressiveBitlist::from_ssz_bytes(&[0]).is_err());
    assert!(ProgressiveBitlist::from_ssz_bytes(&[1, 0]).is_err());
    assert!(ProgressiveBitlist::from_ssz_bytes(&[1]).is_ok());
}

#[test]
fn rejects_padding_bits_in_a_bit_vector() {
    assert!(BitVector::<U4>::from_ssz_bytes(&[0x0f]).is_ok());
    assert!(BitVector::<U4>::from_ssz_bytes(&[0x10]).is_err());
    assert!(BitVector::<U512>::from_ssz_bytes(&[0xff; 64]).is_ok());
    assert!(BitVector::<U512>::from_ssz_bytes(&[0xff; 65]).is_err());
}

#[test]
fn rejects_booleans_that_are_neither_0_nor_1() {
    for (at, value, fine) in [(40, 0, true), (40, 1, true), (40, 2, false), (41, 1, true), (41, 255, false)] {
        let mut ssz = [0; 42];
        ssz[at] = value;
        assert_eq!(gloas::PayloadAttestationData::from_ssz_bytes(&ssz).is_ok(), fine, "{at} {value}");
    }
}

#[test]
fn refuses_a_table_of_offsets_that_no_items_stand_behind() {
    // 10 MiB of offsets announce millions of attestations; room for them would be more than a gigabyte
    let size = 10_485_760_u32;
    let ssz: Vec<u8> = std::iter::repeat_n(size.to_le_bytes(), size as usize / 4).flatten().collect();
    assert!(ProgressiveList::<gloas::Attestation>::from_ssz_bytes(&ssz).is_err());
    assert!(List::<electra::Attestation, 8>::from_ssz_bytes(&ssz).is_err());
}

#[test]
fn transactions_are_read_one_by_one_from_one_piece() {
    let strings: Vec<Vec<u8>> = vec![vec![1], vec![], vec![2, 3]];
    let transactions = Transactions::from_ssz_bytes(&strings.as_ssz_bytes()).unwrap();
    assert_eq!(transactions.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(), strings);
    assert_eq!((transactions.len(), transactions.total_bytes()), (3, 3));
    assert_eq!(format!("{transactions:?}"), "[3 in 3 bytes]");
    assert!(Transactions::default().iter().next().is_none());
}
