//! Nodes in-process on real loopback sockets, through the public API: what peers do to each other, and what hostile
//! ones may try.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod attack;
mod churn;
mod discovery;
mod fixtures;
mod forks;
mod garbage;
mod gossip;
mod handshake;
mod heard;
mod hostile;
mod recovery;
mod request;
mod subscriptions;
mod support;
