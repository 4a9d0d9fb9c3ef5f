//! Gossip: every topic and the judgement of every message, across the forks.
//!
//! [`Judge`] runs the rules that need no state, which the files of [`topics`] hold, one for each kind of topic; it is pure
//! of IO and shared by the workers that judge. Joining topics, carrying messages to the workers and verdicts back is the
//! business of this module's other files, routing that of [`switch`](crate::switch).

mod bls;
mod checks;
mod headers;
mod judge;
mod kzg;
mod seen;
mod selection;
mod topic;
pub mod topics;
mod verdict;
mod windows;

pub use checks::{BlobLimits, CheckContext, Claims, Judgement, Passed};
pub use headers::{HeaderSeen, Headers, KEPT_SLOTS};
pub use judge::Judge;
pub use kzg::warm_up;
pub use seen::{Auction, Finality, Key, Seen, Subject, Votes};
pub use topic::{Topic, row};
pub use verdict::{IgnoreReason, RejectReason, Verdict};
pub use windows::{MAXIMUM_GOSSIP_CLOCK_DISPARITY_MS, Windows};
