//! Data columns in answers.

use super::sidecars::Sidecars;
use super::{AnswerCheck, Contexts, Misanswer, require};
use crate::kzg;
use crate::rpc::error::RpcError;
use crate::rpc::method::Chunk;
use crate::rpc::methods::ColumnsByRange;
use crate::types::containers::Column;
use crate::types::containers::fulu::DataColumnsByRootIdentifier;
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkDigest, ForkName, Root};

/// A column of an answer: it belongs to the header that it brings. That the block is of anybody's chain, nobody has
/// checked; from Gloas on the commitments are in the block, and what compares with them is left to who has it.
#[derive(Debug)]
pub struct FetchedColumn {
    /// The digest of its epoch.
    pub fork_digest: ForkDigest,
    /// Its fork.
    pub fork: ForkName,
    /// Root of its block.
    pub block_root: Root,
    /// As it came.
    pub ssz: Vec<u8>,
    /// The same, decoded.
    pub column: Column,
}

/// Checks an answer of columns.
#[derive(Debug)]
pub struct ColumnCheck {
    contexts: Contexts,
    asked: Sidecars,
}

impl ColumnCheck {
    pub(super) fn by_range(contexts: Contexts, request: &ColumnsByRange) -> Self {
        let columns = request.columns.iter().copied().collect();
        Self { contexts, asked: Sidecars::range(request.start_slot, request.count, Some(columns)) }
    }

    pub(super) fn by_root(contexts: Contexts, request: &[DataColumnsByRootIdentifier]) -> Self {
        let of = |block: &DataColumnsByRootIdentifier| {
            let root = block.block_root;
            block.columns.iter().map(move |column| (root, *column)).collect::<Vec<_>>()
        };
        Self { contexts, asked: Sidecars::Listed(request.iter().flat_map(of).collect()) }
    }
}

impl AnswerCheck for ColumnCheck {
    type Item = FetchedColumn;

    fn check(&mut self, chunk: Chunk<Vec<u8>>) -> Result<FetchedColumn, RpcError> {
        let (fork_digest, fork) = self.contexts.fork(MessageType::DataColumnSidecar, &chunk)?;
        let column = Column::from_ssz(fork, &chunk.response).map_err(RpcError::Ssz)?;
        self.contexts.belongs(fork_digest, column.slot())?;
        let block_root = column.block_root();
        self.asked.take(column.slot(), block_root, column.index())?;
        // from Fulu on the schedule tells for every epoch; before any proof, whose cost is by the blob
        let max_blobs = self.contexts.max_blobs(column.slot());
        let blobs = u64::try_from(column.cells().0.len()).unwrap_or(u64::MAX);
        require(max_blobs.is_some_and(|max| blobs <= max), Misanswer::Malformed(column.index()))?;
        prove(&column)?;
        Ok(FetchedColumn { fork_digest, fork, block_root, ssz: chunk.response, column })
    }
}

/// Structure, inclusion proof and KZG proofs, as far as the column brings what they need.
///
/// [spec v1.6.0, DataColumnSidecarsByRange v1](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#datacolumnsidecarsbyrange-v1)
fn prove(column: &Column) -> Result<(), RpcError> {
    let index = column.index();
    let (cells, proofs) = column.cells();
    require(!cells.is_empty() && cells.len() == proofs.len(), Misanswer::Malformed(index))?;
    let Some(commitments) = column.commitments() else { return Ok(()) };
    require(cells.len() == commitments.len(), Misanswer::Malformed(index))?;
    require(column.has_valid_inclusion_proof() != Some(false), Misanswer::BadInclusionProof(index))?;
    require(kzg::is_valid_column(index, cells, commitments, proofs), Misanswer::BadKzgProof(index))
}
