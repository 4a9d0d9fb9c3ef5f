//! Blobs in answers.

use super::sidecars::Sidecars;
use super::{AnswerCheck, Contexts, Misanswer, require};
use crate::kzg;
use crate::rpc::error::RpcError;
use crate::rpc::method::Chunk;
use crate::rpc::methods::SlotRange;
use crate::types::containers::deneb::{BlobIdentifier, BlobSidecar};
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkDigest, ForkName, Root};

/// A blob of an answer: it belongs to the header that it brings.
#[derive(Debug)]
pub struct FetchedBlob {
    /// The digest of its epoch.
    pub fork_digest: ForkDigest,
    /// Its fork.
    pub fork: ForkName,
    /// Root of its block.
    pub block_root: Root,
    /// As it came.
    pub ssz: Vec<u8>,
    /// The same, decoded.
    pub sidecar: Box<BlobSidecar>,
}

/// Checks an answer of blobs.
#[derive(Debug)]
pub struct BlobCheck {
    contexts: Contexts,
    asked: Sidecars,
}

impl BlobCheck {
    pub(super) fn by_range(contexts: Contexts, request: &SlotRange) -> Self {
        Self { contexts, asked: Sidecars::range(request.start_slot, request.count, None) }
    }

    pub(super) fn by_root(contexts: Contexts, request: &[BlobIdentifier]) -> Self {
        let listed = request.iter().map(|blob| (blob.block_root, blob.index)).collect();
        Self { contexts, asked: Sidecars::Listed(listed) }
    }
}

impl AnswerCheck for BlobCheck {
    type Item = FetchedBlob;

    fn check(&mut self, chunk: Chunk<Vec<u8>>) -> Result<FetchedBlob, RpcError> {
        let (fork_digest, fork) = self.contexts.fork(MessageType::BlobSidecar, &chunk)?;
        let sidecar: BlobSidecar = ssz::Decode::from_ssz_bytes(&chunk.response).map_err(RpcError::Ssz)?;
        let header = &sidecar.signed_block_header.message;
        self.contexts.belongs(fork_digest, header.slot)?;
        let block_root = header.root();
        self.asked.take(header.slot, block_root, sidecar.index)?;
        require(sidecar.has_valid_inclusion_proof(), Misanswer::BadInclusionProof(sidecar.index))?;
        let is_proven = kzg::is_valid_blob(&sidecar.blob, &sidecar.kzg_commitment, &sidecar.kzg_proof);
        require(is_proven, Misanswer::BadKzgProof(sidecar.index))?;
        Ok(FetchedBlob { fork_digest, fork, block_root, ssz: chunk.response, sidecar: Box::new(sidecar) })
    }
}
