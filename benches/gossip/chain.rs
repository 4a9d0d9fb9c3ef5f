//! The network that is played: mainnet's parameters at Fulu, its genesis at any time.

use std::time::Duration;

use beacond::chain::{BlobParameters, ChainConfig, ForkSchedule, NetworkName};
use beacond::types::{Epoch, ForkDigest, Root, Slot};

/// In which slot a load starts: the first of an epoch that has two before it.
pub(crate) const FIRST_SLOT: Slot = Slot(96);

/// Fulu from genesis on, with room for 21 blobs.
pub(crate) fn chain(genesis_time: u64, slot_duration: Duration) -> ChainConfig {
    let mut chain = ChainConfig {
        name: "bench".to_owned(),
        genesis_time,
        genesis_validators_root: Root([77; 32]),
        genesis_block_root: None,
        slot_duration,
        bootnodes: Vec::new(),
        blob_schedule: vec![BlobParameters { epoch: Epoch(0), max_blobs: 21 }],
        ..ChainConfig::embedded(NetworkName::Mainnet)
    };
    for parameters in chain.forks.values_mut().filter(|parameters| parameters.epoch.is_some()) {
        parameters.epoch = Some(Epoch(0));
    }
    chain
}

/// The digest of every topic.
pub(crate) fn digest(chain: &ChainConfig) -> ForkDigest {
    ForkSchedule::new(chain).digest_at(FIRST_SLOT.epoch())
}
