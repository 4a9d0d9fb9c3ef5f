//! Light-client objects in answers. What they prove is the light client's to check.

use super::{AnswerCheck, Contexts, Misanswer, require};
use crate::rpc::error::RpcError;
use crate::rpc::method::Chunk;
use crate::rpc::methods::UpdatesByRange;
use crate::types::containers::light_client_header;
use crate::types::containers::phase0::BeaconBlockHeader;
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkDigest, ForkName, Root, SLOTS_PER_EPOCH, Slot};

/// Slots of a sync committee period: 256 epochs.
///
/// [spec v1.6.0, EPOCHS_PER_SYNC_COMMITTEE_PERIOD](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/beacon-chain.md#time-parameters)
const SLOTS_PER_PERIOD: u64 = 256 * SLOTS_PER_EPOCH;

/// An object of an answer.
#[derive(Debug)]
pub struct LightClientObject {
    /// The digest of its epoch.
    pub fork_digest: ForkDigest,
    /// Its fork.
    pub fork: ForkName,
    /// What it is.
    pub message: MessageType,
    /// The header that it starts from, or that the committee signed.
    pub header: BeaconBlockHeader,
    /// As it came.
    pub ssz: Vec<u8>,
}

/// Checks an answer of light-client objects.
#[derive(Debug)]
pub struct LightClientCheck {
    contexts: Contexts,
    message: MessageType,
    asked: Asked,
}

#[derive(Debug)]
enum Asked {
    /// Whatever there is.
    Newest,
    /// Of this block.
    Block(Root),
    /// Of the periods from the first to before the second, one after the other; with the one that is next, once the first
    /// has come.
    Periods { start: u64, end: u64, next: Option<u64> },
}

impl LightClientCheck {
    pub(super) const fn bootstrap(contexts: Contexts, block_root: Root) -> Self {
        Self { contexts, message: MessageType::LightClientBootstrap, asked: Asked::Block(block_root) }
    }

    pub(super) const fn updates(contexts: Contexts, request: &UpdatesByRange) -> Self {
        let UpdatesByRange { start_period, count } = *request;
        let asked = Asked::Periods { start: start_period, end: start_period.saturating_add(count), next: None };
        Self { contexts, message: MessageType::LightClientUpdate, asked }
    }

    pub(super) const fn finality(contexts: Contexts) -> Self {
        Self { contexts, message: MessageType::LightClientFinalityUpdate, asked: Asked::Newest }
    }

    pub(super) const fn optimistic(contexts: Contexts) -> Self {
        Self { contexts, message: MessageType::LightClientOptimisticUpdate, asked: Asked::Newest }
    }

    fn place(&mut self, header: &BeaconBlockHeader) -> Result<(), RpcError> {
        match &mut self.asked {
            Asked::Newest => Ok(()),
            Asked::Block(block_root) => {
                let root = header.root();
                require(root == *block_root, Misanswer::Unasked(root))
            }
            Asked::Periods { start, end, next } => {
                let Slot(slot) = header.slot;
                let period = slot / SLOTS_PER_PERIOD;
                require((*start..*end).contains(&period), Misanswer::OutOfRange(header.slot))?;
                require(next.is_none_or(|next| period == next), Misanswer::OutOfOrder(header.slot))?;
                *next = Some(period + 1);
                Ok(())
            }
        }
    }
}

impl AnswerCheck for LightClientCheck {
    type Item = LightClientObject;

    fn check(&mut self, chunk: Chunk<Vec<u8>>) -> Result<LightClientObject, RpcError> {
        let message = self.message;
        let (fork_digest, fork) = self.contexts.fork(message, &chunk)?;
        let header = light_client_header(message, fork, &chunk.response).map_err(RpcError::Ssz)?;
        self.contexts.belongs(fork_digest, header.slot)?;
        self.place(&header)?;
        Ok(LightClientObject { fork_digest, fork, message, header, ssz: chunk.response })
    }
}
