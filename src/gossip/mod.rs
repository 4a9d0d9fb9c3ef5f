//! Gossip: what this node takes part in, and what messages are worth.
//!
//! [`Subscriptions`] says at any epoch which subnets and columns are ours and which topics to be in; the record, the
//! metadata and the router follow one [`Plan`] of it.

mod custody;
mod presence;
mod subnets;
mod subscriptions;
mod verdict;

pub use custody::{covered_groups, custody_groups, sampled_columns};
pub use subnets::{next_rotation, subscribed_subnets};
pub use subscriptions::{Duties, LEAD_EPOCHS, LINGER_EPOCHS, Plan, Subscriptions};
pub use verdict::{IgnoreReason, RejectReason, Verdict};
