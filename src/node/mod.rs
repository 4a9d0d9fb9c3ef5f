//! The one place that wires: `BeaconNode` the daemon, `Eth2Node` the network node inside it.
//!
//! Everything below is assembled here and nothing below knows of it. The loop of `Eth2Node` turns faults into policy;
//! attempts, errands and lookups run beside it and come back as values.

mod actions;
mod attempt;
mod beacon_node;
mod builder;
mod connection;
mod discovery_loop;
mod errand;
mod eth2_node;
mod handle;
mod hearing;
mod hosts;
mod local;
mod places;
mod remember;
mod report;
mod request;
mod second;
mod tell;
mod whereabouts;

pub use beacon_node::{BeaconNode, ConnectedNode, Ending, StartError};
pub use builder::{BuildError, Eth2NodeBuilder, Find};
pub use connection::{
    Connection, Dialed, Handshaker, Initialized, Ready, Refused, dial_peer, initialize_connection,
    perform_protocol_handshakes,
};
pub use eth2_node::{Eth2Node, Farewell};
pub use handle::{NodeHandle, NodeSnapshot, NodeStopped};
pub use local::LocalChain;
pub use request::{Answer, RequestError, Whom};

#[cfg(test)]
mod tests;
