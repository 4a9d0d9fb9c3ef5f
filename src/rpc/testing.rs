//! What the tests of `rpc` share: in-memory streams.
//!
//! Compiled for tests alone.

use tokio::io::DuplexStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

/// One end of an in-memory stream.
pub(super) type Pipe = Compat<DuplexStream>;

/// Both ends of an in-memory stream that holds `capacity` bytes in each direction.
pub(super) fn pipe(capacity: usize) -> (Pipe, Pipe) {
    let (left, right) = tokio::io::duplex(capacity);
    (left.compat(), right.compat())
}
