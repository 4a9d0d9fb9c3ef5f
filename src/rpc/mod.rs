//! Requests and responses between peers: the ssz_snappy framing, the methods, one exchange as client and as server.
//!
//! Every exchange is a straight-line async function over a raw negotiated stream that the Switch hands in, so a
//! response of many chunks streams instead of being gathered. The handshake and the upkeep of peers ask; the
//! [`RpcServer`] answers. Nothing here knows who the peers are or what an error costs them: errors carry a
//! [`Fault`](crate::fault::Fault).
//!
//! A method is one file under `methods/` and one line in [`methods::ALL`].

pub mod answers;
mod call;
pub mod client;
pub mod codec;
pub mod error;
mod fetch;
pub mod method;
pub mod methods;
pub mod quota;
pub mod serve;
pub mod server;
mod snappy;
#[cfg(test)]
mod testing;

pub use answers::{AnswerCheck, Checked, Misanswer, Need};
pub use call::{CallError, call};
pub use client::{ResponseReader, RpcTimeouts, exchange, request_one};
pub use error::{ErrorCode, Phase, RpcError, Unaskable};
pub use fetch::{Asker, Fetch};
pub use method::{Chunk, Method, Protocol, askable};
pub use serve::{Origin, RpcHandler, ServeTimeouts, serve_stream};
pub use server::{Inbound, RpcLimits, RpcServer};
pub use snappy::SnappyError;
