//! What belongs to blocks, numbered: columns and blobs that were asked for, in the order in which they must come.

use std::collections::BTreeSet;

use super::{Misanswer, require};
use crate::rpc::error::RpcError;
use crate::types::{Root, Slot};

/// Which sidecars may come.
#[derive(Debug)]
pub(super) enum Sidecars {
    /// Of blocks in these slots, one in each, ascending by slot and index; with the last of them.
    Range {
        /// The first slot.
        start: Slot,
        /// The slot after the last.
        end: Slot,
        /// Which of each block; all of them if `None`.
        indices: Option<BTreeSet<u64>>,
        /// The one before.
        last: Option<(Slot, u64, Root)>,
    },
    /// These, each once, in any order. At most 16384 × 40 bytes = 640 KiB.
    Listed(BTreeSet<(Root, u64)>),
}

impl Sidecars {
    pub(super) fn range(start: Slot, count: u64, indices: Option<BTreeSet<u64>>) -> Self {
        Self::Range { start, end: Slot(start.0.saturating_add(count)), indices, last: None }
    }

    /// Takes the next one, if it may come.
    pub(super) fn take(&mut self, slot: Slot, root: Root, index: u64) -> Result<(), RpcError> {
        match self {
            Self::Range { start, end, indices, last } => {
                require((*start..*end).contains(&slot), Misanswer::OutOfRange(slot))?;
                let wanted = indices.as_ref().is_none_or(|indices| indices.contains(&index));
                require(wanted, Misanswer::Unasked(root))?;
                if let Some((last_slot, last_index, last_root)) = *last {
                    require((slot, index) > (last_slot, last_index), Misanswer::OutOfOrder(slot))?;
                    require(slot != last_slot || root == last_root, Misanswer::BrokenChain(root))?;
                }
                *last = Some((slot, index, root));
                Ok(())
            }
            Self::Listed(listed) => require(listed.remove(&(root, index)), Misanswer::Unasked(root)),
        }
    }
}
