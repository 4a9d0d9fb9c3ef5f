//! True and false proofs of one blob and of one column.

use ssz::Decode;

use super::testing::blob;
use super::*;

#[test]
fn a_blob_and_a_column_match_their_commitments_and_no_others() {
    let (one, other) = (blob(3), blob(4));
    let bytes = Blob::from_ssz_bytes(&one.blob).unwrap();
    assert!(is_valid_blob(&bytes, &one.commitment, &one.proof));
    assert!(!is_valid_blob(&bytes, &other.commitment, &one.proof));
    assert!(!is_valid_blob(&bytes, &one.commitment, &other.proof));

    let cells = one.cells();
    let (cell, proof) = &cells[100];
    let column = |index, commitment| is_valid_column(index, std::slice::from_ref(cell), &[commitment], &[*proof]);
    assert!(column(100, one.commitment));
    assert!(!column(101, one.commitment));
    assert!(!column(100, other.commitment));
    assert!(!column(128, one.commitment));
}

#[test]
fn lists_of_unequal_length_are_not_valid_and_empty_ones_are() {
    let one = blob(3);
    assert!(!is_valid_column(0, &[], &[one.commitment], &[]));
    assert!(!is_valid_column(0, &[Cell([0; 2048])], &[one.commitment], &[]));
    assert!(is_valid_column(0, &[], &[], &[]));
}
