//! What two nodes tell each other before they count as peers.
//!
//! `node` runs the [`HandshakeRegistry`] on every fresh connection, dialled or accepted. A handshake is a
//! [`ProtocolInfo`] with [`HandshakeStep`]s; steps run in order, because the state of a connection is then easy to
//! reason about, but for those that say they may run beside the one before; what they learn goes into the
//! [`Transcript`]. Adding one is one file in `steps` and one line in the registry. Nothing here closes a connection or
//! keeps a score: a step says [`StepOutcome::Reject`], with the goodbye that fits, and the node acts.
//!
//! The dialler must ask first. The accepting side therefore learns Status and Ping from what it is asked ([`Heard`]),
//! and asks itself only for what it has not been told in time.

mod registry;
mod step;
mod steps;

/// How far a peer's clock may run ahead of ours, in slots, before its head is refused.
///
/// One slot is what honest clocks differ by; the second is a message on its way.
pub const CLOCK_TOLERANCE_SLOTS: u64 = 2;

pub use registry::{HANDSHAKE_DEADLINE, HandshakeRegistry, ProtocolInfo};
pub use step::{HandshakeContext, HandshakeStep, Heard, Learnt, LocalView, Rejection, StepOutcome, Transcript};
