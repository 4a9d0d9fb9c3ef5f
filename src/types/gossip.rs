//! Names on gossip: topics, their kinds and subnets, and message ids.
//!
//! [spec v1.6.0, topics and messages](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#topics-and-messages)

use std::fmt;
use std::str::FromStr;

use super::ForkDigest;
use super::peer::labelled;

/// Subnets of attestations.
///
/// [spec v1.6.0, ATTESTATION_SUBNET_COUNT](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#configuration)
pub const ATTESTATION_SUBNETS: u16 = 64;

/// Subnets of the sync committee, one to a subcommittee.
///
/// [spec v1.6.0, SYNC_COMMITTEE_SUBNET_COUNT](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/validator.md#misc)
pub const SYNC_COMMITTEE_SUBNETS: u16 = 4;

/// Subnets of data columns, one to a column.
///
/// [spec v1.6.0, DATA_COLUMN_SIDECAR_SUBNET_COUNT](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/p2p-interface.md#configuration)
pub const DATA_COLUMN_SUBNETS: u16 = 128;

labelled! {
    /// What a topic carries, whatever its fork and subnet. The label is the topic's name without its subnet.
    TopicKind {
        /// Signed blocks.
        BeaconBlock = "beacon_block",
        /// Aggregated attestations.
        BeaconAggregateAndProof = "beacon_aggregate_and_proof",
        /// Attestations of one subnet.
        BeaconAttestation = "beacon_attestation",
        /// Voluntary exits.
        VoluntaryExit = "voluntary_exit",
        /// Proof that a proposer signed two blocks of one slot.
        ProposerSlashing = "proposer_slashing",
        /// Proof that attesters voted twice.
        AttesterSlashing = "attester_slashing",
        /// Aggregated sync-committee messages.
        SyncCommitteeContributionAndProof = "sync_committee_contribution_and_proof",
        /// Sync-committee messages of one subcommittee.
        SyncCommittee = "sync_committee",
        /// Finalized headers for light clients.
        LightClientFinalityUpdate = "light_client_finality_update",
        /// Recent headers for light clients.
        LightClientOptimisticUpdate = "light_client_optimistic_update",
        /// Changes of withdrawal credentials.
        BlsToExecutionChange = "bls_to_execution_change",
        /// Blobs, before Fulu.
        BlobSidecar = "blob_sidecar",
        /// Columns of all blobs of a block, from Fulu on.
        DataColumnSidecar = "data_column_sidecar",
        /// Bids of builders, from Gloas on.
        ExecutionPayloadBid = "execution_payload_bid",
        /// Revealed payloads, from Gloas on.
        ExecutionPayload = "execution_payload",
        /// Votes of the payload timeliness committee, from Gloas on.
        PayloadAttestationMessage = "payload_attestation_message",
        /// What proposers want of builders, from Gloas on.
        ProposerPreferences = "proposer_preferences",
    }
}

impl TopicKind {
    /// How many subnets the kind has at most in any fork; `None` for a global topic.
    ///
    /// [spec v1.6.0, configuration](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#configuration)
    #[must_use]
    pub const fn subnets(self) -> Option<u16> {
        match self {
            Self::BeaconAttestation => Some(ATTESTATION_SUBNETS),
            Self::SyncCommittee => Some(SYNC_COMMITTEE_SUBNETS),
            Self::BlobSidecar => Some(9),
            Self::DataColumnSidecar => Some(DATA_COLUMN_SUBNETS),
            Self::BeaconBlock
            | Self::BeaconAggregateAndProof
            | Self::VoluntaryExit
            | Self::ProposerSlashing
            | Self::AttesterSlashing
            | Self::SyncCommitteeContributionAndProof
            | Self::LightClientFinalityUpdate
            | Self::LightClientOptimisticUpdate
            | Self::BlsToExecutionChange
            | Self::ExecutionPayloadBid
            | Self::ExecutionPayload
            | Self::PayloadAttestationMessage
            | Self::ProposerPreferences => None,
        }
    }
}

/// A topic's name without its fork: a kind, and the subnet where the kind has subnets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName {
    kind: TopicKind,
    subnet: Option<u16>,
}

impl TopicName {
    /// The name of a global topic; `None` for a kind that has subnets.
    #[must_use]
    pub fn global(kind: TopicKind) -> Option<Self> {
        kind.subnets().is_none().then_some(Self { kind, subnet: None })
    }

    /// The name of a subnet's topic; `None` when the kind has no such subnet.
    #[must_use]
    pub fn subnet_of(kind: TopicKind, subnet: u16) -> Option<Self> {
        (subnet < kind.subnets()?).then_some(Self { kind, subnet: Some(subnet) })
    }

    /// Every name of a kind.
    pub fn all_of(kind: TopicKind) -> impl Iterator<Item = Self> {
        let subnets = kind.subnets();
        (0..subnets.unwrap_or(1)).map(move |subnet| Self { kind, subnet: subnets.map(|_| subnet) })
    }

    /// What the topic carries.
    #[must_use]
    pub const fn kind(self) -> TopicKind {
        self.kind
    }

    /// The subnet, for kinds that have subnets.
    #[must_use]
    pub const fn subnet(self) -> Option<u16> {
        self.subnet
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subnet {
            None => f.write_str(self.kind.as_str()),
            Some(subnet) => write!(f, "{}_{subnet}", self.kind),
        }
    }
}

/// Text that names no topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such topic")]
pub struct UnknownTopic;

impl FromStr for TopicName {
    type Err = UnknownTopic;

    fn from_str(text: &str) -> Result<Self, UnknownTopic> {
        let kind = |label: &str| TopicKind::ALL.iter().copied().find(|kind| kind.as_str() == label);
        if let Some(name) = kind(text).and_then(Self::global) {
            return Ok(name);
        }
        let (label, digits) = text.rsplit_once('_').ok_or(UnknownTopic)?;
        let subnet = digits.parse::<u16>().map_err(|_| UnknownTopic)?;
        let name = kind(label).and_then(|kind| Self::subnet_of(kind, subnet)).ok_or(UnknownTopic)?;
        // topics are compared as text: `+1` and `01` are other topics than `1`
        if subnet.to_string() == digits { Ok(name) } else { Err(UnknownTopic) }
    }
}

/// A topic as it is on the wire: `/eth2/{fork digest}/{name}/ssz_snappy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GossipTopic {
    /// Digest of the epoch of its messages.
    pub fork_digest: ForkDigest,
    /// The rest.
    pub name: TopicName,
}

impl fmt::Display for GossipTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/eth2/{}/{}/ssz_snappy", self.fork_digest, self.name)
    }
}

impl FromStr for GossipTopic {
    type Err = UnknownTopic;

    fn from_str(text: &str) -> Result<Self, UnknownTopic> {
        let inner =
            text.strip_prefix("/eth2/").and_then(|rest| rest.strip_suffix("/ssz_snappy")).ok_or(UnknownTopic)?;
        let (digest, name) = inner.split_once('/').ok_or(UnknownTopic)?;
        if digest.len() != 8 || digest.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(UnknownTopic);
        }
        let fork_digest = digest.parse().map_err(|_| UnknownTopic)?;
        Ok(Self { fork_digest, name: name.parse()? })
    }
}

/// A gossip message's id, 20 bytes.
///
/// [spec v1.6.0, message id](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#topics-and-messages)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub [u8; 20]);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_reads_back_from_its_text() {
        let fork_digest = ForkDigest([0x8c, 0x9f, 0x62, 0xfe]);
        for name in TopicKind::ALL.iter().flat_map(|kind| TopicName::all_of(*kind)) {
            let topic = GossipTopic { fork_digest, name };
            assert_eq!(topic.to_string().parse(), Ok(topic), "{topic}");
        }
    }

    #[test]
    fn what_only_resembles_a_topic_is_none() {
        let strangers = [
            "beacon_block",
            "/eth2/8c9f62fe/beacon_block/ssz",
            "/eth2/8C9F62FE/beacon_block/ssz_snappy",
            "/eth2/0x8c9f62/beacon_block/ssz_snappy",
            "/eth2/8c9f62fe/beacon_blocks/ssz_snappy",
            "/eth2/8c9f62fe/beacon_block_0/ssz_snappy",
            "/eth2/8c9f62fe/beacon_attestation/ssz_snappy",
            "/eth2/8c9f62fe/beacon_attestation_64/ssz_snappy",
            "/eth2/8c9f62fe/beacon_attestation_01/ssz_snappy",
            "/eth2/8c9f62fe/beacon_attestation_+1/ssz_snappy",
            "/eth2/8c9f62fe/data_column_sidecar_128/ssz_snappy",
        ];
        for text in strangers {
            assert_eq!(text.parse::<GossipTopic>(), Err(UnknownTopic), "{text}");
        }
    }
}
