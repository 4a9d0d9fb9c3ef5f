//! beacond: a stand-alone network node of the Ethereum beacon chain.

pub mod fault;
pub mod peers;
pub mod tasks;
pub mod time;
pub mod types;
