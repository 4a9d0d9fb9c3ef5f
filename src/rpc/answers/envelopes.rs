//! Payloads in answers, from Gloas on.

use std::collections::BTreeSet;

use super::{AnswerCheck, Contexts, Misanswer, require};
use crate::rpc::error::RpcError;
use crate::rpc::method::Chunk;
use crate::rpc::methods::SlotRange;
use crate::types::containers::gloas::SignedExecutionPayloadEnvelope;
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkDigest, ForkName, Root, Slot};

/// A payload of an answer. That it is its block's only the block's bid can tell.
#[derive(Debug)]
pub struct FetchedEnvelope {
    /// The digest of its epoch.
    pub fork_digest: ForkDigest,
    /// Its fork.
    pub fork: ForkName,
    /// Root of its block.
    pub block_root: Root,
    /// As it came.
    pub ssz: Vec<u8>,
    /// The same, decoded.
    pub envelope: Box<SignedExecutionPayloadEnvelope>,
}

/// Checks an answer of payloads.
#[derive(Debug)]
pub struct EnvelopeCheck {
    contexts: Contexts,
    asked: Asked,
}

#[derive(Debug)]
enum Asked {
    /// Ascending slots, from the first to before the second; with the last of them.
    Range(Slot, Slot, Option<Slot>),
    /// Of these blocks, each once, in any order; 128 at most.
    Roots(BTreeSet<Root>),
}

impl EnvelopeCheck {
    pub(super) const fn by_range(contexts: Contexts, request: &SlotRange) -> Self {
        let end = Slot(request.start_slot.0.saturating_add(request.count));
        Self { contexts, asked: Asked::Range(request.start_slot, end, None) }
    }

    pub(super) fn by_root(contexts: Contexts, request: &[Root]) -> Self {
        Self { contexts, asked: Asked::Roots(request.iter().copied().collect()) }
    }

    fn place(&mut self, slot: Slot, root: Root) -> Result<(), RpcError> {
        match &mut self.asked {
            Asked::Range(start, end, last) => {
                require((*start..*end).contains(&slot), Misanswer::OutOfRange(slot))?;
                require(last.is_none_or(|last| slot > last), Misanswer::OutOfOrder(slot))?;
                *last = Some(slot);
                Ok(())
            }
            Asked::Roots(roots) => require(roots.remove(&root), Misanswer::Unasked(root)),
        }
    }
}

impl AnswerCheck for EnvelopeCheck {
    type Item = FetchedEnvelope;

    fn check(&mut self, chunk: Chunk<Vec<u8>>) -> Result<FetchedEnvelope, RpcError> {
        let (fork_digest, fork) = self.contexts.fork(MessageType::SignedExecutionPayloadEnvelope, &chunk)?;
        let envelope: SignedExecutionPayloadEnvelope =
            ssz::Decode::from_ssz_bytes(&chunk.response).map_err(RpcError::Ssz)?;
        let (slot, block_root) = (Slot(envelope.message.payload.slot_number), envelope.message.beacon_block_root);
        self.contexts.belongs(fork_digest, slot)?;
        self.place(slot, block_root)?;
        Ok(FetchedEnvelope { fork_digest, fork, block_root, ssz: chunk.response, envelope: Box::new(envelope) })
    }
}
