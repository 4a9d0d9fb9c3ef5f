//! beacond: a stand-alone network node of the Ethereum beacon chain.

pub mod chain;
pub mod cli;
pub mod config;
pub mod discovery;
pub mod events;
pub mod fault;
pub mod handshake;
pub mod logging;
pub mod metrics;
pub mod node;
pub mod peers;
pub mod rpc;
pub mod store;
pub mod switch;
pub mod tasks;
pub mod time;
pub mod transport;
pub mod types;
