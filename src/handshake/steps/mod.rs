//! The steps, one file each.

mod agent;
mod metadata;
mod ping;
mod status;

pub(super) use agent::Agent;
pub(super) use metadata::Metadata;
pub(super) use ping::Ping;
pub(super) use status::Status;
