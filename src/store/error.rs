//! What can go wrong with the data directory, each with what the operator can do.

use std::io;
use std::path::PathBuf;

use crate::fault::{Classify, Fault};

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the lock.
    #[error("{path:?} is in use by another beacond{}; stop it or choose another --data-dir", pid(.holder))]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// The process that holds it, if it could say so.
        holder: Option<u32>,
    },
    /// The directory cannot be created or locked.
    #[error("cannot use {path:?} as --data-dir")]
    Directory {
        /// The data directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path:?}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The peer book cannot be opened, and not for damage: that is mended.
    #[error("cannot use {path:?} as the peer book; check its owner and mode, or move it away: peers are found anew")]
    PeerBook {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read the key.
    #[error("{path:?} can be read by others (mode {mode:03o}); run: chmod 600 {path:?}")]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The key file does not hold a key.
    #[error(
        "{path:?} is not 64 hex digits of a secp256k1 key; restore it from a copy, or move it away to get a new identity"
    )]
    BadKey {
        /// The key file.
        path: PathBuf,
    },
    /// A record or metadata file was damaged by something other than this program.
    #[error(
        "{path:?} is damaged ({problem}); check the disk, then delete the file: numbering goes on above the old one"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl Classify for StoreError {
    fn fault(&self) -> Fault {
        Fault::Local
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "data_dir_locked",
            Self::Directory { .. } => "data_dir_unusable",
            Self::Read { .. } => "read_error",
            Self::Write { .. } => "write_error",
            Self::PeerBook { .. } => "peer_book_unusable",
            Self::Exposed { .. } => "key_exposed",
            Self::BadKey { .. } => "bad_key",
            Self::Corrupt { .. } => "corrupt_file",
        }
    }
}

fn pid(holder: &Option<u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
