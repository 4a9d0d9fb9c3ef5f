//! What we say of our chain in Status, and whether a peer's Status fits ours.
//!
//! Called by the Status handshake, the Status server and the refresh of ready peers. Pure; never invents a head and
//! never echoes a peer's.

use super::fork_schedule::{AcceptedDigests, ForkState};
use crate::fault::{Classify, Fault, Severity};
use crate::types::{Epoch, ForkDigest, Root, SLOTS_PER_EPOCH, Slot, StatusMessage};

/// The chain as this node knows it by its own judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainHead {
    /// Nothing is verified beyond genesis.
    Genesis {
        /// Root of the genesis block, where the network's configuration tells it.
        block_root: Option<Root>,
    },
}

/// The Status that follows from the wall clock and our head.
///
/// Of genesis: no finality, the genesis block as head, everything from slot 0 on "available", as light clients say.
///
/// [spec v1.6.0, light client p2p](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/light-client/p2p-interface.md#light-clients)
#[must_use]
pub fn derive_status(fork: &ForkState, head: &ChainHead) -> StatusMessage {
    match head {
        ChainHead::Genesis { block_root } => StatusMessage {
            fork_digest: fork.fork_digest,
            finalized_root: Root::default(),
            finalized_epoch: Epoch(0),
            head_root: block_root.unwrap_or_default(),
            head_slot: Slot(0),
            earliest_available_slot: Some(Slot(0)),
        },
    }
}

/// Why a peer's Status does not fit ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatusMismatch {
    /// The peer is on another network, or on another side of a fork.
    #[error("fork digest {theirs}, ours is {ours}")]
    WrongForkDigest {
        /// In our Status.
        ours: ForkDigest,
        /// In the peer's.
        theirs: ForkDigest,
    },
    /// Both sides finalized the same epoch with different blocks.
    #[error("finalized root {theirs} at epoch {epoch}, ours is {ours}")]
    FinalizedConflict {
        /// The epoch.
        epoch: Epoch,
        /// In our Status.
        ours: Root,
        /// In the peer's.
        theirs: Root,
    },
    /// The peer finalized an epoch that has not begun: one of the two clocks is wrong.
    #[error("finalized epoch {theirs} lies ahead of wall epoch {wall}")]
    FinalizedAhead {
        /// By our clock.
        wall: Epoch,
        /// In the peer's Status.
        theirs: Epoch,
    },
    /// The peer's head is of a slot that has not begun: one of the two clocks is wrong.
    #[error("head slot {theirs} lies ahead of wall slot {wall}")]
    HeadInFuture {
        /// By our clock.
        wall: Slot,
        /// In the peer's Status.
        theirs: Slot,
    },
    /// The peer finalized an epoch that starts after its own head, which no chain can.
    #[error("finalized epoch {finalized_epoch} starts after head slot {head_slot}")]
    FinalizedAfterHead {
        /// In the peer's Status.
        finalized_epoch: Epoch,
        /// In the peer's Status.
        head_slot: Slot,
    },
}

impl Classify for StatusMismatch {
    fn fault(&self) -> Fault {
        match self {
            Self::WrongForkDigest { .. }
            | Self::FinalizedConflict { .. }
            | Self::FinalizedAhead { .. }
            | Self::HeadInFuture { .. } => Fault::Incompatible,
            Self::FinalizedAfterHead { .. } => Fault::Violation(Severity::Medium),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::WrongForkDigest { .. } => "wrong_fork_digest",
            Self::FinalizedConflict { .. } => "finalized_conflict",
            Self::FinalizedAhead { .. } => "finalized_in_future",
            Self::HeadInFuture { .. } => "head_in_future",
            Self::FinalizedAfterHead { .. } => "finalized_after_head",
        }
    }
}

/// Checks a peer's Status against ours at a wall slot (0 before genesis).
///
/// `clock_tolerance_slots` is how far the peer's clock may run ahead of ours. Another finalized root at another epoch
/// is no conflict: without the chain between the two it cannot be judged.
///
/// [spec v1.6.0, Status](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#status-v1)
///
/// # Errors
/// The first mismatch: the digest first, since on another network nothing else means anything.
pub fn check_status(
    ours: &StatusMessage,
    theirs: &StatusMessage,
    accepted: &AcceptedDigests,
    wall_slot: Slot,
    clock_tolerance_slots: u64,
) -> Result<(), StatusMismatch> {
    if !accepted.contains(theirs.fork_digest) {
        return Err(StatusMismatch::WrongForkDigest { ours: ours.fork_digest, theirs: theirs.fork_digest });
    }
    check_finalized_before_head(theirs)?;
    check_clock(theirs, wall_slot, clock_tolerance_slots)?;
    check_finalized_root(ours, theirs)
}

/// At genesis both are zero, so epoch 0 passes with any head.
fn check_finalized_before_head(theirs: &StatusMessage) -> Result<(), StatusMismatch> {
    let &StatusMessage { finalized_epoch, head_slot, .. } = theirs;
    // the checkpoint's block may be of an earlier slot, when the first ones of its epoch are empty
    if finalized_epoch.start_slot().0 > head_slot.0.saturating_add(SLOTS_PER_EPOCH) {
        return Err(StatusMismatch::FinalizedAfterHead { finalized_epoch, head_slot });
    }
    Ok(())
}

/// An honest finalized epoch lies two epochs back, so it needs no tolerance.
fn check_clock(theirs: &StatusMessage, wall: Slot, tolerance_slots: u64) -> Result<(), StatusMismatch> {
    if theirs.finalized_epoch > wall.epoch() {
        return Err(StatusMismatch::FinalizedAhead { wall: wall.epoch(), theirs: theirs.finalized_epoch });
    }
    if theirs.head_slot.0 > wall.0.saturating_add(tolerance_slots) {
        return Err(StatusMismatch::HeadInFuture { wall, theirs: theirs.head_slot });
    }
    Ok(())
}

/// A zero root says that its sender finalized nothing yet.
fn check_finalized_root(ours: &StatusMessage, theirs: &StatusMessage) -> Result<(), StatusMismatch> {
    let is_comparable = ours.finalized_epoch == theirs.finalized_epoch
        && ours.finalized_epoch > Epoch(0)
        && ours.finalized_root != Root::default()
        && theirs.finalized_root != Root::default();
    if is_comparable && ours.finalized_root != theirs.finalized_root {
        return Err(StatusMismatch::FinalizedConflict {
            epoch: ours.finalized_epoch,
            ours: ours.finalized_root,
            theirs: theirs.finalized_root,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
