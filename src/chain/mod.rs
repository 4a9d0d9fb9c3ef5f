//! The coordinates of one beacon chain: its constants, its forks, its clock, and what we say of it in Status.
//!
//! `node` loads a [`ChainConfig`], builds a [`ForkSchedule`] from it, which Status and the accepted digests are derived
//! from, and runs the [`ChainClock`], whose [`ChainNow`] its loop follows. Apart from the clock task all of it is pure: epochs and slots come as arguments. Knows nothing of peers, sockets or blocks.

mod boot_nodes;
mod clock;
mod config;
mod config_yaml;
mod custody;
mod digest;
mod fork_schedule;
pub mod forks;
mod network_dir;
mod status;

pub use boot_nodes::{BootNodesError, read_boot_nodes};
pub use clock::{ChainClock, ChainNow};
pub use config::{BlobParameters, ChainConfig, ForkParameters, NetworkName, ScheduleError, UnknownNetwork};
pub use custody::{covered_groups, custody_groups, sampled_columns};
pub use digest::{fork_data_root, fork_digest};
pub use fork_schedule::{AcceptedDigests, Boundary, ForkSchedule, ForkState, NEAR_BOUNDARY_SLOTS};
pub use network_dir::ChainConfigError;
pub use status::{ChainHead, StatusMismatch, check_status, derive_status};
