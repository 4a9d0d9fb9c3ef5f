//! Gossip: what this node takes part in, every topic, and the judgement of every message, across the forks.
//!
//! [`Subscriptions`] says at any epoch which subnets and columns are ours and which topics to be in; the record, the
//! metadata and the router follow one [`Plan`] of it. [`Judge`] runs the rules that need no state, which the files of
//! `topics` hold, one for each kind of topic; it is pure of IO and shared by the threads of `pool`. What only somebody
//! with a state can judge waits in `docket` for a [`Juror`]; `settler` gives every message its verdict. `task` keeps all of
//! it in step with the chain. Routing is the business of [`switch`](crate::switch).
//!
//! # What is absent
//!
//! - **Columns from Gloas on are judged without KZG.** Their commitments are in the bid of the block, and of blocks only
//!   headers are kept; what passes is unverifiable, and a [`Juror`] with the block may say more.
//! - **No retroactive scoring.** A message gets one verdict. What refers to a block that has not been seen is ignored
//!   for good rather than queued, so whoever forwarded a column that turns out to be invalid later is not charged, as
//!   Gloas asks of those who queue it.
//! - **Nobody tells of finality.** [`Judge::set_finalized`] has no caller until there is a light client; until then the
//!   rules about the finalized slot do not apply.

mod bls;
mod case;
mod checks;
mod docket;
mod handle;
mod headers;
mod judge;
mod pool;
mod publish;
mod seen;
mod selection;
mod settler;
mod subnets;
mod subscriptions;
mod summary;
mod tally;
mod task;
mod topic;
mod topics;
mod turns;
mod verdict;
mod windows;

pub use checks::{Judgement, Passed};
pub use docket::{ANSWER_TIME, Answer, Juror, NotWaiting, Question};
pub use handle::{Conduct, Gossip, GossipSettings};
pub use judge::Judge;
pub use publish::NotPublished;
pub use subnets::{next_rotation, subscribed_subnets};
pub use subscriptions::{Duties, Plan, Subscriptions};
pub use verdict::{IgnoreReason, RejectReason, Verdict};
