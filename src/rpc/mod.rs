//! Requests and responses between peers: the ssz_snappy framing.
//!
//! Errors carry a [`Fault`](crate::fault::Fault): nothing here knows who the peers are or what an error costs them.

pub mod codec;
pub mod error;
mod snappy;
#[cfg(test)]
mod testing;

pub use error::{ErrorCode, Phase, RpcError};
pub use snappy::SnappyError;
