//! beacond: a stand-alone network node of the Ethereum beacon chain.

pub mod chain;
pub mod discovery;
pub mod events;
pub mod fault;
pub mod tasks;
pub mod time;
pub mod types;
