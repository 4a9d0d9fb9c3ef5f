//! Gossip: what this node takes part in, every topic, and the judgement of every message, across the forks.
//!
//! [`Subscriptions`] says at any epoch which subnets and columns are ours and which topics to be in; the record, the
//! metadata and the router follow one [`Plan`] of it. [`Judge`] runs the rules that need no state, which the files of
//! [`topics`] hold, one for each kind of topic; it is pure of IO and shared by the threads of `pool`. What only somebody
//! with a state can judge waits in `docket` for a [`Juror`]; `settler` gives every message its verdict. `task` keeps all of
//! it in step with the chain. Routing is the business of [`switch`](crate::switch).

mod bls;
mod case;
mod checks;
mod custody;
mod docket;
mod handle;
mod headers;
mod judge;
mod kzg;
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
pub mod topics;
mod verdict;
mod windows;

pub use checks::{BlobLimits, CheckContext, Judgement, Passed};
pub use custody::{covered_groups, custody_groups, sampled_columns};
pub use docket::{ANSWER_TIME, Answer, Juror, NotWaiting, Question};
pub use handle::{Gossip, GossipSettings};
pub use headers::{HEADER_SLOTS, HeaderSeen, Headers};
pub use judge::Judge;
pub use publish::PublishError;
pub use seen::{Auction, Claims, Finality, Key, Seen, Subject, Votes};
pub use subnets::{next_rotation, subscribed_subnets};
pub use subscriptions::{Duties, LEAD_EPOCHS, LINGER_EPOCHS, Plan, Subscriptions};
pub use topic::{Topic, row};
pub use verdict::{IgnoreReason, RejectReason, Verdict};
pub use windows::{MAXIMUM_GOSSIP_CLOCK_DISPARITY_MS, Windows};
