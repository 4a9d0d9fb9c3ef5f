//! beacond: a stand-alone network node of the Ethereum beacon chain.

pub mod chain;
pub mod cli;
pub mod config;
pub mod fault;
pub mod logging;
pub mod store;
pub mod tasks;
pub mod time;
pub mod types;
