//! What two nodes tell each other before they count as peers.
//!
//! `node` runs the [`HandshakeRegistry`] on every fresh connection, dialled or accepted. A handshake is a
//! [`ProtocolInfo`] with [`HandshakeStep`]s; steps run one after another, because the state of a connection is then
//! easy to reason about, and write what they learn into the [`Transcript`]. Adding one is one file in `steps` and one
//! line in the registry. Nothing here closes a connection or keeps a score: a step says [`StepOutcome::Reject`], with
//! the goodbye that fits, and the node acts.

mod registry;
mod step;
mod steps;

/// How far a peer's clock may run ahead of ours, in slots, before its head is refused.
///
/// One slot is what honest clocks differ by; the second is a message on its way.
pub const CLOCK_TOLERANCE_SLOTS: u64 = 2;

pub use registry::{HANDSHAKE_DEADLINE, HandshakeRegistry, ProtocolInfo};
pub use step::{HandshakeContext, HandshakeStep, LocalView, Rejection, StepOutcome, Transcript};
