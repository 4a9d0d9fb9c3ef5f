//! The gossip router: libp2p's gossipsub, set for Ethereum.

mod message;
mod score;

pub use message::{Acceptance, GossipMessage, PendingVerdict};
pub use score::TopicScore;
