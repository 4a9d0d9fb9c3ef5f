//! What the chunks of an answer must be, checked one by one while they come: context and type, order, range, parent
//! links, what was asked for, proofs of columns and blobs.
//!
//! A check is pure and takes up to some milliseconds a chunk (blocks are hashed, columns proven), so
//! [`Fetch`](super::Fetch) runs it on a thread for such work. It remembers what it must of the chunks before, at most a
//! root and an index for each sidecar that was asked for: 16384 × 40 bytes = 640 KiB.

mod blobs;
mod blocks;
mod columns;
mod envelopes;
mod light_client;
mod sidecars;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use super::error::RpcError;
use super::method::{Chunk, Method};
use super::methods;
use crate::chain::ForkSchedule;
use crate::fault::{Classify, Fault, Severity};
use crate::types::containers::sizes::MessageType;
use crate::types::{ForkDigest, ForkName, Root, Slot};

pub use blobs::{BlobCheck, FetchedBlob};
pub use blocks::{Block, BlockCheck};
pub use columns::{ColumnCheck, FetchedColumn};
pub use envelopes::{EnvelopeCheck, FetchedEnvelope};
pub use light_client::{LightClientCheck, LightClientObject};

/// Reads and checks the chunks of one answer, in the order in which they come.
pub trait AnswerCheck: Send + 'static {
    /// What a chunk holds.
    type Item: Debug + Send + 'static;

    /// Reads the next chunk.
    ///
    /// # Errors
    /// [`RpcError::WrongContext`], [`RpcError::Ssz`], [`RpcError::LengthOutOfBounds`], [`RpcError::Misanswer`]. The answer
    /// is over then.
    fn check(&mut self, chunk: Chunk<Vec<u8>>) -> Result<Self::Item, RpcError>;
}

/// A method whose chunks are read by a check.
pub trait Checked: Method<Response = Vec<u8>> {
    /// What reads them.
    type Check: AnswerCheck;

    /// The check of the answer to one request, on a network of these forks.
    fn check(request: &Self::Request, schedule: &Arc<ForkSchedule>) -> Self::Check;

    /// What a peer must have to answer; nothing in particular where there is no telling.
    fn need(_request: &Self::Request) -> Need {
        Need::default()
    }
}

/// What a peer must have to answer a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Blocks from this slot on.
    pub since: Option<Slot>,
    /// At least one of these columns; any peer will do where there are none.
    pub columns: BTreeSet<u64>,
}

impl Need {
    fn since(slot: Slot) -> Self {
        Self { since: Some(slot), columns: BTreeSet::new() }
    }
}

/// What is wrong with a chunk that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misanswer {
    /// Of a slot or a period that was not asked for.
    #[error("slot {0} was not asked for")]
    OutOfRange(Slot),
    /// Not after the chunk before it, or not before it where the newest come first.
    #[error("slot {0} is out of order")]
    OutOfOrder(Slot),
    /// A block that is not the child of the one before it, or a column or blob of another block of the same slot.
    #[error("block {0} does not follow the one before it")]
    BrokenChain(Root),
    /// A block, or a column of one, that was not asked for, or was sent already.
    #[error("{0} was not asked for, or was sent before")]
    Unasked(Root),
    /// A column's lists are not of the length that they must have, or of more blobs than its epoch allows.
    #[error("column {0} is malformed")]
    Malformed(u64),
    /// A column or a blob whose commitments are not those of its block.
    #[error("column or blob {0} does not belong to its header")]
    BadInclusionProof(u64),
    /// A column or a blob that does not belong to its commitments.
    #[error("the proof of column or blob {0} is wrong")]
    BadKzgProof(u64),
}

impl Classify for Misanswer {
    /// Order and range go wrong by bugs; a wrong proof is made.
    fn fault(&self) -> Fault {
        match self {
            Self::OutOfRange(_)
            | Self::OutOfOrder(_)
            | Self::BrokenChain(_)
            | Self::Unasked(_)
            | Self::Malformed(_) => Fault::Violation(Severity::Medium),
            Self::BadInclusionProof(_) | Self::BadKzgProof(_) => Fault::Violation(Severity::High),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::OutOfRange(_) => "out_of_range",
            Self::OutOfOrder(_) => "out_of_order",
            Self::BrokenChain(_) => "broken_chain",
            Self::Unasked(_) => "unasked",
            Self::Malformed(_) => "malformed",
            Self::BadInclusionProof(_) => "bad_inclusion_proof",
            Self::BadKzgProof(_) => "bad_kzg_proof",
        }
    }
}

/// The forks by which chunks are read.
#[derive(Clone, Debug)]
struct Contexts(Arc<ForkSchedule>);

impl Contexts {
    /// The fork that a chunk's context names, if a message of that type can be so large in it.
    fn fork(&self, message: MessageType, chunk: &Chunk<Vec<u8>>) -> Result<(ForkDigest, ForkName), RpcError> {
        let digest = chunk.context.unwrap_or_default();
        let fork = self.0.boundary_of(digest).map(|boundary| boundary.fork);
        let (fork, size) =
            fork.and_then(|fork| Some((fork, message.size(fork)?))).ok_or(RpcError::WrongContext(digest))?;
        let length = chunk.response.len();
        if size.contains(length) {
            Ok((digest, fork))
        } else {
            Err(RpcError::LengthOutOfBounds { size: length as u64, min: size.min, max: size.max })
        }
    }

    /// The context is that of the slot's epoch.
    fn belongs(&self, digest: ForkDigest, slot: Slot) -> Result<(), RpcError> {
        if self.0.digest_at(slot.epoch()) == digest { Ok(()) } else { Err(RpcError::WrongContext(digest)) }
    }

    /// The most blobs of a block of that slot; `None` before Fulu.
    fn max_blobs(&self, slot: Slot) -> Option<u64> {
        self.0.state_at(slot.epoch()).max_blobs
    }
}

fn require(holds: bool, otherwise: Misanswer) -> Result<(), RpcError> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

macro_rules! checked {
    ($($method:ident => $check:ty, |$request:ident, $contexts:ident| $make:expr $(, $need:expr)?;)+) => {
        $(impl Checked for methods::$method {
            type Check = $check;

            fn check($request: &Self::Request, schedule: &Arc<ForkSchedule>) -> $check {
                let $contexts = Contexts(schedule.clone());
                $make
            }

            $(fn need($request: &Self::Request) -> Need {
                $need
            })?
        })+
    };
}

checked! {
    BeaconBlocksByRange => BlockCheck, |request, contexts| BlockCheck::by_range(contexts, request),
        Need::since(request.start_slot);
    BeaconBlocksByRoot => BlockCheck, |request, contexts| BlockCheck::by_root(contexts, request);
    BeaconBlocksByHead => BlockCheck, |request, contexts| BlockCheck::by_head(contexts, request);
    DataColumnSidecarsByRange => ColumnCheck, |request, contexts| ColumnCheck::by_range(contexts, request),
        Need { columns: request.columns.iter().copied().collect(), ..Need::since(request.start_slot) };
    DataColumnSidecarsByRoot => ColumnCheck, |request, contexts| ColumnCheck::by_root(contexts, request),
        Need { since: None, columns: request.iter().flat_map(|block| block.columns.iter().copied()).collect() };
    BlobSidecarsByRange => BlobCheck, |request, contexts| BlobCheck::by_range(contexts, request),
        Need::since(request.start_slot);
    BlobSidecarsByRoot => BlobCheck, |request, contexts| BlobCheck::by_root(contexts, request);
    ExecutionPayloadEnvelopesByRange => EnvelopeCheck, |request, contexts| EnvelopeCheck::by_range(contexts, request),
        Need::since(request.start_slot);
    ExecutionPayloadEnvelopesByRoot => EnvelopeCheck, |request, contexts| EnvelopeCheck::by_root(contexts, request);
    LightClientBootstrap => LightClientCheck, |request, contexts| LightClientCheck::bootstrap(contexts, *request);
    LightClientUpdatesByRange => LightClientCheck, |request, contexts| LightClientCheck::updates(contexts, request);
    LightClientFinalityUpdate => LightClientCheck, |_request, contexts| LightClientCheck::finality(contexts);
    LightClientOptimisticUpdate => LightClientCheck, |_request, contexts| LightClientCheck::optimistic(contexts);
}

#[cfg(test)]
mod tests;
