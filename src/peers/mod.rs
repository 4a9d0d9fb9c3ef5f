//! Who is dialled, who is kept, who must wait: every policy about peers, as pure values.
//!
//! Owned by the node's event loop, which feeds in what happened and carries out what comes back. Nothing here
//! runs a task, opens a socket or reads a clock: each entry takes `now`, and randomness is passed in. All maps
//! are bounded, and all refusals name their reason.

mod backoff;
mod bootstrap;
mod coverage;
mod dial_queue;
mod limits;
mod manager;
mod prune;
mod score;
mod source;
mod suspect;
mod table;
#[cfg(test)]
mod tests;
mod upkeep;

pub use backoff::{Backoffs, Cause, Schedule};
pub use bootstrap::{BOOTSTRAP_CHECK_AFTER, BootstrapCheck, BootstrapFailure, BootstrapReport};
pub use coverage::{Cover, CoverTargets, Coverage, Item, Need};
pub use dial_queue::{Candidate, DialQueue, DialQueueConfig, DialState, Outcome, Prospect, Pushed, Want};
pub use limits::{Counts, Exceeded, IpGroup, Limits, Neighbours, NetGroup, Seat};
pub use manager::{Action, Census, Custody, ManagerConfig, PeerManager, PeerState};
pub use prune::{PRUNE_EVERY, PruneReason, Pruner, ROTATE_EVERY, Resident, STALLED_AFTER};
pub use score::{
    BAN_BELOW, BANNED_PER_GROUP, BanChange, BanTarget, FIRST_BAN, LEAVE_BELOW, LONGEST_BAN, Misbehaviour, Scores,
    Standing,
};
pub use source::Source;
pub use suspect::{FAULT_WINDOW, LOSS_WINDOW, STALL, Suspect, SuspectChange, Suspicion, UNANSWERED_DIALS, Verdict};
pub use table::{Admission, PeerRecord, Peers, Removal, SETTLE_AFTER, SETTLE_PATIENCE, Settlement};
pub use upkeep::{Upkeep, UpkeepAction};
