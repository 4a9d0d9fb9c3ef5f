//! The form of the metadata on disk.

use serde::{Deserialize, Serialize};
use ssz::{Decode, Encode};

use crate::types::{Attnets, MetaData, Syncnets};

/// `metadata.json`: bit vectors as hex of their SSZ bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredMetaData {
    seq_number: u64,
    attnets: String,
    syncnets: Option<String>,
    custody_group_count: Option<u64>,
}

impl StoredMetaData {
    pub(super) fn new(metadata: &MetaData) -> Self {
        Self {
            seq_number: metadata.seq_number,
            attnets: hex::encode(metadata.attnets.as_ssz_bytes()),
            syncnets: metadata.syncnets.as_ref().map(|bits| hex::encode(bits.as_ssz_bytes())),
            custody_group_count: metadata.custody_group_count,
        }
    }

    /// `None` when a bit vector is not one.
    pub(super) fn decode(&self) -> Option<MetaData> {
        let attnets = Attnets::from_ssz_bytes(&hex::decode(&self.attnets).ok()?).ok()?;
        let syncnets = match &self.syncnets {
            Some(text) => Some(Syncnets::from_ssz_bytes(&hex::decode(text).ok()?).ok()?),
            None => None,
        };
        Some(MetaData { seq_number: self.seq_number, attnets, syncnets, custody_group_count: self.custody_group_count })
    }
}
