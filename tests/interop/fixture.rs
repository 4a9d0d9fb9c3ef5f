//! Whole slots made with the executable specification, as `tests/it` reads them.

use beacond::chain::{ChainConfig, NetworkName};

#[path = "../it/support/fixture.rs"]
mod file;

pub(crate) use file::Fixture;

/// What a fixture says nothing of is mainnet's.
fn network(_seed: u8) -> ChainConfig {
    ChainConfig { genesis_block_root: None, bootnodes: Vec::new(), ..ChainConfig::embedded(NetworkName::Mainnet) }
}
