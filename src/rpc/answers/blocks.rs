//! Blocks in answers.

use std::collections::BTreeSet;

use super::{AnswerCheck, Contexts, Misanswer, require};
use crate::rpc::error::RpcError;
use crate::rpc::method::Chunk;
use crate::rpc::methods::{BlocksByHead, BlocksByRange};
use crate::types::containers::sizes::MessageType;
use crate::types::containers::{SignedBlock, decode_signed_block};
use crate::types::{ForkDigest, ForkName, Root, Slot};

/// A block of an answer. That it is valid, or of anybody's chain, nobody has checked.
#[derive(Debug)]
pub struct Block {
    /// The digest of its epoch.
    pub fork_digest: ForkDigest,
    /// Its fork.
    pub fork: ForkName,
    /// Its root, computed from what came.
    pub block_root: Root,
    /// As it came.
    pub ssz: Vec<u8>,
    /// The same, decoded.
    pub block: Box<dyn SignedBlock>,
}

/// Checks an answer of blocks.
#[derive(Debug)]
pub struct BlockCheck {
    contexts: Contexts,
    asked: Asked,
    /// Slot, root and parent of the block before.
    last: Option<(Slot, Root, Root)>,
}

#[derive(Debug)]
enum Asked {
    /// Ascending slots, from the first to before the second, each block the child of the one before.
    Range(Slot, Slot),
    /// These roots, each once, in any order. At most 1024 × 32 bytes = 32 KiB.
    Roots(BTreeSet<Root>),
    /// This block, then the parent of each.
    Head(Root),
}

impl BlockCheck {
    pub(super) fn by_range(contexts: Contexts, request: &BlocksByRange) -> Self {
        let end = Slot(request.start_slot.0.saturating_add(request.count));
        Self { contexts, asked: Asked::Range(request.start_slot, end), last: None }
    }

    pub(super) fn by_root(contexts: Contexts, request: &[Root]) -> Self {
        Self { contexts, asked: Asked::Roots(request.iter().copied().collect()), last: None }
    }

    pub(super) fn by_head(contexts: Contexts, request: &BlocksByHead) -> Self {
        Self { contexts, asked: Asked::Head(request.beacon_root), last: None }
    }

    fn place(&mut self, slot: Slot, root: Root, parent: Root) -> Result<(), RpcError> {
        match &mut self.asked {
            Asked::Range(start, end) => {
                require((*start..*end).contains(&slot), Misanswer::OutOfRange(slot))?;
                if let Some((last_slot, last_root, _)) = self.last {
                    require(slot > last_slot, Misanswer::OutOfOrder(slot))?;
                    require(parent == last_root, Misanswer::BrokenChain(root))?;
                }
            }
            Asked::Roots(roots) => require(roots.remove(&root), Misanswer::Unasked(root))?,
            Asked::Head(head) => match self.last {
                None => require(root == *head, Misanswer::Unasked(root))?,
                Some((last_slot, _, last_parent)) => {
                    require(slot < last_slot, Misanswer::OutOfOrder(slot))?;
                    require(root == last_parent, Misanswer::BrokenChain(root))?;
                }
            },
        }
        self.last = Some((slot, root, parent));
        Ok(())
    }
}

impl AnswerCheck for BlockCheck {
    type Item = Block;

    fn check(&mut self, chunk: Chunk<Vec<u8>>) -> Result<Block, RpcError> {
        let (fork_digest, fork) = self.contexts.fork(MessageType::SignedBeaconBlock, &chunk)?;
        let block = decode_signed_block(fork, &chunk.response).map_err(RpcError::Ssz)?;
        self.contexts.belongs(fork_digest, block.slot())?;
        let block_root = block.block_root();
        self.place(block.slot(), block_root, block.parent_root())?;
        Ok(Block { fork_digest, fork, block_root, ssz: chunk.response, block })
    }
}
