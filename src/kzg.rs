//! KZG proofs of blobs and of columns' cells, against the trusted setup of the ceremony.
//!
//! The setup is a constant of the protocol, so it is one for the process: loaded by whoever needs it first, while others
//! wait, or by [`warm_up_once`]. That takes 1 to 2 s of one core, most of it for tables of the prover that the crate makes
//! along with the verifier's, and 12 MiB that stay. Verification is one thread's work without locks or shared state: a
//! column of 6 blobs takes 5.5 ms, one of 21 blobs 11.4 ms, a single blob 2.9 ms (best of 30, `rust_eth_kzg` 0.10 without
//! precomputation at opt-level 2).

use std::sync::{LazyLock, Once};

use rust_eth_kzg::DASContext;
use tokio::task::spawn_blocking;

use crate::types::containers::{Blob, Cell, KzgCommitment, KzgProof};

static CONTEXT: LazyLock<DASContext> = LazyLock::new(DASContext::default);

/// Loads the trusted setup on a thread of its own, the first time it is called: what the blobs of the first block will
/// need. A node that hears no block never pays. Must be called within a tokio runtime.
pub fn warm_up_once() {
    static CALLED: Once = Once::new();
    // not waited for: whoever needs it first loads it, or waits
    CALLED.call_once(|| drop(spawn_blocking(|| LazyLock::force(&CONTEXT))));
}

/// Whether every cell of a column belongs to its row's commitment, checked in one batch.
///
/// `column` is the column's index, and so that of each cell in its row. Lists of unequal length are not valid, empty
/// ones are.
///
/// [spec v1.6.0, verify_data_column_sidecar_kzg_proofs](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#verify_data_column_sidecar_kzg_proofs)
#[must_use]
pub fn is_valid_column(column: u64, cells: &[Cell], commitments: &[KzgCommitment], proofs: &[KzgProof]) -> bool {
    let indices = vec![column; cells.len()];
    let commitments = commitments.iter().map(|commitment| &commitment.0).collect();
    let cells = cells.iter().map(|cell| &cell.0).collect();
    let proofs = proofs.iter().map(|proof| &proof.0).collect();
    CONTEXT.verify_cell_kzg_proof_batch(commitments, &indices, cells, proofs).is_ok()
}

/// Whether a blob belongs to its commitment.
///
/// [spec v1.6.0, verify_blob_kzg_proof](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/deneb/polynomial-commitments.md#verify_blob_kzg_proof)
#[must_use]
pub fn is_valid_blob(blob: &Blob, commitment: &KzgCommitment, proof: &KzgProof) -> bool {
    let Ok(bytes) = blob.as_bytes().try_into() else { return false };
    CONTEXT.verify_blob_kzg_proof(bytes, &commitment.0, &proof.0).is_ok()
}

#[cfg(test)]
pub(crate) mod testing {
    //! Makes true commitments and proofs for the tests.

    use super::*;

    /// What the owner of a blob computes: its commitment, its proof, and its cells with theirs.
    pub(crate) struct Proven {
        pub(crate) blob: Vec<u8>,
        pub(crate) commitment: KzgCommitment,
        pub(crate) proof: KzgProof,
    }

    /// A blob filled with small field elements that depend on `seed`, at least 1.
    pub(crate) fn blob(seed: u8) -> Proven {
        let mut blob = vec![0; Blob::SIZE];
        blob.chunks_exact_mut(32).enumerate().for_each(|(at, element)| {
            element[31] = seed;
            element[30] = u8::try_from(at * usize::from(seed) % 251).unwrap();
        });
        let bytes: &[u8; Blob::SIZE] = blob.as_slice().try_into().unwrap();
        let commitment = CONTEXT.blob_to_kzg_commitment(bytes).unwrap();
        let proof = CONTEXT.compute_blob_kzg_proof(bytes, &commitment).unwrap();
        Proven { commitment: KzgCommitment(commitment), proof: KzgProof(proof), blob }
    }

    impl Proven {
        /// Every cell with its proof, by column. Seconds in an unoptimised build.
        pub(crate) fn cells(&self) -> Vec<(Cell, KzgProof)> {
            let bytes: &[u8; Blob::SIZE] = self.blob.as_slice().try_into().unwrap();
            let (cells, proofs) = CONTEXT.compute_cells_and_kzg_proofs(bytes).unwrap();
            cells.into_iter().zip(proofs).map(|(cell, proof)| (Cell(*cell), KzgProof(proof))).collect()
        }
    }
}

#[cfg(test)]
mod tests;
