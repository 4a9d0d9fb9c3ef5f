//! The data directory: the key, our own record, the metadata, the peer book, and the lock that keeps a second daemon
//! out.
//!
//! `node` opens it once at start; `cli` reads the record from it without the lock. Every file is replaced
//! atomically, the book by its own means, so a crash leaves the old content or the new, never a mixture. Nothing here
//! knows when a record changes; it only keeps what it is given and says which number comes next.

mod atomic;
mod data_dir;
mod error;
mod identity;
mod metadata;
mod peer_book;
pub mod sequence;

pub use data_dir::{DataDir, read_enr, read_identity};
pub use error::StoreError;
pub use identity::Identity;
pub use peer_book::PeerBook;
