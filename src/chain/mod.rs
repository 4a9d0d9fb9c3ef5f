//! The coordinates of one beacon chain: its constants, its forks, its clock, and what we say of it in Status.
//!
//! All of it is pure: epochs and slots come as arguments. Knows nothing of peers, sockets or blocks.

mod config;
mod digest;
mod fork_schedule;
pub mod forks;
mod status;

pub use config::{BlobParameters, ChainConfig, ForkParameters, NetworkName, ScheduleError, UnknownNetwork};
pub use digest::{fork_data_root, fork_digest};
pub use fork_schedule::{AcceptedDigests, Boundary, ForkSchedule, ForkState, NEAR_BOUNDARY_SLOTS};
pub use status::{ChainHead, StatusMismatch, check_status, derive_status};
