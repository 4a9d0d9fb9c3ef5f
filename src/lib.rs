//! beacond: a stand-alone network node of the Ethereum beacon chain.

pub mod events;
pub mod fault;
pub mod rpc;
pub mod tasks;
pub mod time;
pub mod types;
