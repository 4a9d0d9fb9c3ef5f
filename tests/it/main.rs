//! Nodes in-process on real loopback sockets, through the public API: what peers do to each other, and what hostile
//! ones may try.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod discovery;
mod forks;
mod garbage;
mod handshake;
mod heard;
mod hostile;
mod recovery;
mod support;
