//! How many bytes a message of a type may have in a fork, after snappy: what gossip and the response codec check first.
//!
//! Where the type's own bound is out of reach, the cap is the one of consensus-specs `a08d8a6e2`: an override for what
//! became limitless in Gloas, else [`MAX_PAYLOAD_SIZE`].

use crate::types::ForkName;

/// The most bytes of any message, uncompressed; 10 MiB.
///
/// [spec v1.6.0, configuration](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#configuration)
pub const MAX_PAYLOAD_SIZE: usize = 10 * 1024 * 1024;

/// The fewest and the most bytes that SSZ of a type has, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SszSize {
    /// Bytes of the smallest value.
    pub min: usize,
    /// Bytes of the largest value that is accepted.
    pub max: usize,
}

impl SszSize {
    /// A type of one size.
    const fn exactly(size: usize) -> Self {
        Self { min: size, max: size }
    }

    /// A type of many sizes.
    const fn between(min: usize, max: usize) -> Self {
        Self { min, max }
    }

    /// A type that only the message's own limit bounds.
    const fn from(min: usize) -> Self {
        Self { min, max: MAX_PAYLOAD_SIZE }
    }

    /// Whether `size` bytes can be a value.
    #[must_use]
    pub const fn contains(&self, size: usize) -> bool {
        self.min <= size && size <= self.max
    }
}

/// Defines the closed set of messages.
macro_rules! messages {
    ($($name:ident,)+) => {
        /// A type that is a message of gossip, or a chunk of a response, by the specification's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each is the container of that name")]
        pub enum MessageType { $($name),+ }

        impl MessageType {
            /// Every type of message.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name in the specification.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

messages! {
    SignedBeaconBlock,
    SignedAggregateAndProof,
    Attestation,
    SingleAttestation,
    SignedVoluntaryExit,
    ProposerSlashing,
    AttesterSlashing,
    SyncCommitteeMessage,
    SignedContributionAndProof,
    SignedBlsToExecutionChange,
    BlobSidecar,
    DataColumnSidecar,
    PartialDataColumnSidecar,
    LightClientBootstrap,
    LightClientUpdate,
    LightClientFinalityUpdate,
    LightClientOptimisticUpdate,
    SignedExecutionPayloadBid,
    SignedExecutionPayloadEnvelope,
    PayloadAttestationMessage,
    SignedProposerPreferences,
    SignedInclusionList,
}

impl MessageType {
    /// The size of this message in `fork`; `None` if the fork has no such message.
    ///
    /// Derived from the containers of consensus-specs `a08d8a6e2`, with the limits of its p2p documents.
    #[must_use]
    pub const fn size(self, fork: ForkName) -> Option<SszSize> {
        use ForkName::{Altair, Bellatrix, Capella, Deneb, Electra, Fulu, Gloas, Heze, Phase0};
        Some(match (self, fork) {
            // what a fork does not have yet, or no longer
            (
                Self::SyncCommitteeMessage
                | Self::SignedContributionAndProof
                | Self::LightClientBootstrap
                | Self::LightClientUpdate
                | Self::LightClientFinalityUpdate
                | Self::LightClientOptimisticUpdate,
                Phase0,
            )
            | (Self::SignedBlsToExecutionChange, Phase0 | Altair | Bellatrix)
            | (Self::BlobSidecar, Phase0 | Altair | Bellatrix | Capella | Fulu | Gloas | Heze)
            | (Self::Attestation, Electra | Fulu | Gloas | Heze)
            | (Self::SingleAttestation, Phase0 | Altair | Bellatrix | Capella | Deneb)
            | (
                Self::DataColumnSidecar | Self::PartialDataColumnSidecar,
                Phase0 | Altair | Bellatrix | Capella | Deneb | Electra,
            )
            | (
                Self::SignedExecutionPayloadBid
                | Self::SignedExecutionPayloadEnvelope
                | Self::PayloadAttestationMessage
                | Self::SignedProposerPreferences,
                Phase0 | Altair | Bellatrix | Capella | Deneb | Electra | Fulu,
            )
            | (Self::SignedInclusionList, Phase0 | Altair | Bellatrix | Capella | Deneb | Electra | Fulu | Gloas) => {
                return None;
            }
            (Self::SignedBeaconBlock, Phase0) => SszSize::between(404, 157_756),
            (Self::SignedBeaconBlock, Altair) => SszSize::between(564, 157_916),
            (Self::SignedBeaconBlock, Bellatrix) => SszSize::from(1076),
            (Self::SignedBeaconBlock, Capella) => SszSize::from(1084),
            (Self::SignedBeaconBlock, Deneb) => SszSize::from(1104),
            (Self::SignedBeaconBlock, Electra | Fulu) => SszSize::from(1120),
            (Self::SignedBeaconBlock, Gloas) => SszSize::from(924),
            (Self::SignedBeaconBlock, Heze) => SszSize::from(926),
            (Self::SignedAggregateAndProof, Phase0 | Altair | Bellatrix | Capella | Deneb) => {
                SszSize::between(437, 693)
            }
            (Self::SignedAggregateAndProof, Electra | Fulu | Gloas | Heze) => SszSize::between(445, 16_829),
            (Self::Attestation, Phase0 | Altair | Bellatrix | Capella | Deneb) => SszSize::between(229, 485),
            (Self::SingleAttestation, Electra | Fulu | Gloas | Heze) => SszSize::exactly(240),
            (Self::SignedVoluntaryExit, _) => SszSize::exactly(112),
            (Self::ProposerSlashing, _) => SszSize::exactly(416),
            (Self::AttesterSlashing, Phase0 | Altair | Bellatrix | Capella | Deneb) => SszSize::between(464, 33_232),
            (Self::AttesterSlashing, Electra | Fulu | Gloas | Heze) => SszSize::between(464, 2_097_616),
            (Self::SyncCommitteeMessage, _) => SszSize::exactly(144),
            (Self::SignedContributionAndProof, _) => SszSize::exactly(360),
            (Self::SignedBlsToExecutionChange, Capella | Deneb | Electra | Fulu | Gloas | Heze) => {
                SszSize::exactly(172)
            }
            (Self::BlobSidecar, Deneb | Electra) => SszSize::exactly(131_928),
            (Self::DataColumnSidecar, Fulu) => SszSize::between(356, 8_782_180),
            (Self::DataColumnSidecar, Gloas | Heze) => SszSize::between(56, 8_585_272),
            (Self::PartialDataColumnSidecar, Fulu) => SszSize::between(17, 8_782_697),
            (Self::PartialDataColumnSidecar, Gloas | Heze) => SszSize::between(13, 8_585_741),
            (Self::LightClientBootstrap, Altair | Bellatrix) => SszSize::exactly(24_896),
            (Self::LightClientBootstrap, Capella) => SszSize::between(25_600, 25_632),
            (Self::LightClientBootstrap, Deneb) => SszSize::between(25_616, 25_648),
            (Self::LightClientBootstrap, Electra | Fulu) => SszSize::between(25_648, 25_680),
            (Self::LightClientBootstrap, Gloas | Heze) => SszSize::exactly(25_472),
            (Self::LightClientUpdate, Altair | Bellatrix) => SszSize::exactly(25_368),
            (Self::LightClientUpdate, Capella) => SszSize::between(26_776, 26_840),
            (Self::LightClientUpdate, Deneb) => SszSize::between(26_808, 26_872),
            (Self::LightClientUpdate, Electra | Fulu) => SszSize::between(26_872, 26_936),
            (Self::LightClientUpdate, Gloas | Heze) => SszSize::exactly(26_424),
            (Self::LightClientFinalityUpdate, Altair | Bellatrix) => SszSize::exactly(584),
            (Self::LightClientFinalityUpdate, Capella) => SszSize::between(1992, 2056),
            (Self::LightClientFinalityUpdate, Deneb) => SszSize::between(2024, 2088),
            (Self::LightClientFinalityUpdate, Electra | Fulu) => SszSize::between(2056, 2120),
            (Self::LightClientFinalityUpdate, Gloas | Heze) => SszSize::exactly(1448),
            (Self::LightClientOptimisticUpdate, Altair | Bellatrix) => SszSize::exactly(280),
            (Self::LightClientOptimisticUpdate, Capella) => SszSize::between(984, 1016),
            (Self::LightClientOptimisticUpdate, Deneb | Electra | Fulu) => SszSize::between(1000, 1032),
            (Self::LightClientOptimisticUpdate, Gloas | Heze) => SszSize::exactly(664),
            (Self::SignedExecutionPayloadBid, Gloas) => SszSize::between(324, 196_932),
            (Self::SignedExecutionPayloadBid, Heze) => SszSize::between(326, 196_934),
            (Self::SignedExecutionPayloadEnvelope, Gloas | Heze) => SszSize::from(740),
            (Self::PayloadAttestationMessage, Gloas | Heze) => SszSize::exactly(146),
            (Self::SignedProposerPreferences, Gloas | Heze) => SszSize::exactly(172),
            (Self::SignedInclusionList, Heze) => SszSize::between(152, 8348),
        })
    }
}
