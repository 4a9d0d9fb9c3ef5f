//! Every container of every fork by its two names, with what can be done to any of them.

use std::collections::BTreeMap;

use ssz::{Decode, DecodeError};

use crate::types::Root;
use crate::types::containers::{Container, altair, bellatrix, capella, deneb, electra, fulu, gloas, heze, phase0};

/// The bytes of what was read, and its root.
type Reading = Result<(Vec<u8>, Root), DecodeError>;

/// A container behind functions of bytes.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// Decodes, encodes again and hashes.
    pub(super) read: fn(&[u8]) -> Reading,
    /// The bytes of a type of fixed size.
    pub(super) fixed_size: Option<usize>,
}

/// The entry of `T`.
fn entry<T: Container>() -> Entry {
    Entry {
        read: |ssz| T::from_ssz_bytes(ssz).map(|value| (value.as_ssz_bytes(), value.root())),
        fixed_size: <T as Decode>::is_ssz_fixed_len().then(<T as Decode>::ssz_fixed_len),
    }
}

/// The key of an entry: the names as the specification writes them, with `BLS` as Rust does.
pub(super) fn key(fork: &str, name: &str) -> (String, String) {
    (fork.to_owned(), name.replace("BLS", "Bls"))
}

macro_rules! registry {
    ($($fork:ident: $($name:ident)+;)+) => {
        /// Every container by fork and name.
        pub(super) fn registry() -> BTreeMap<(String, String), Entry> {
            BTreeMap::from([
                $($((key(stringify!($fork), stringify!($name)), entry::<$fork::$name>())),+),+
            ])
        }
    };
}

registry! {
    phase0: SignedBeaconBlock BeaconBlock BeaconBlockBody Attestation IndexedAttestation AggregateAndProof SignedAggregateAndProof AttestationData Checkpoint BeaconBlockHeader SignedBeaconBlockHeader ProposerSlashing AttesterSlashing SignedVoluntaryExit Deposit;
    altair: SignedBeaconBlock BeaconBlock BeaconBlockBody Attestation IndexedAttestation AggregateAndProof SignedAggregateAndProof AttestationData Checkpoint BeaconBlockHeader SignedBeaconBlockHeader ProposerSlashing AttesterSlashing SignedVoluntaryExit Deposit SyncAggregate SyncCommittee SyncCommitteeMessage SyncCommitteeContribution ContributionAndProof SignedContributionAndProof LightClientHeader LightClientBootstrap LightClientUpdate LightClientFinalityUpdate LightClientOptimisticUpdate;
    bellatrix: SignedBeaconBlock BeaconBlock BeaconBlockBody ExecutionPayload Attestation IndexedAttestation AggregateAndProof SignedAggregateAndProof AttestationData Checkpoint BeaconBlockHeader SignedBeaconBlockHeader ProposerSlashing AttesterSlashing SignedVoluntaryExit Deposit SyncAggregate SyncCommittee SyncCommitteeMessage SyncCommitteeContribution ContributionAndProof SignedContributionAndProof LightClientHeader LightClientBootstrap LightClientUpdate LightClientFinalityUpdate LightClientOptimisticUpdate;
    capella: SignedBeaconBlock BeaconBlock BeaconBlockBody ExecutionPayload ExecutionPayloadHeader Attestation IndexedAttestation AggregateAndProof SignedAggregateAndProof AttestationData Checkpoint BeaconBlockHeader SignedBeaconBlockHeader ProposerSlashing AttesterSlashing SignedVoluntaryExit Deposit SyncAggregate SyncCommittee SyncCommitteeMessage SyncCommitteeContribution ContributionAndProof SignedContributionAndProof SignedBlsToExecutionChange Withdrawal LightClientHeader LightClientBootstrap LightClientUpdate LightClientFinalityUpdate LightClientOptimisticUpdate;
    deneb: SignedBeaconBlock BeaconBlock BeaconBlockBody ExecutionPayload ExecutionPayloadHeader Attestation IndexedAttestation AggregateAndProof SignedAggregateAndProof AttestationData Checkpoint BeaconBlockHeader SignedBeaconBlockHeader ProposerSlashing AttesterSlashing SignedVoluntaryExit Deposit SyncAggregate SyncCommittee SyncCommitteeMessage SyncCommitteeContribution ContributionAndProof SignedContributionAndProof SignedBlsToExecutionChange Withdrawal BlobSidecar BlobIdentifier LightClientHeader LightClientBootstrap LightClientUpdate LightClientFinalityUpdate LightClientOptimisticUpdate;
    electra: SignedBeaconBlock BeaconBlock BeaconBlockBody ExecutionPayload ExecutionPayloadHeader Attestation SingleAttestation IndexedAttestation AggregateAndProof SignedAggregateAndProof AttestationData Checkpoint BeaconBlockHeader SignedBeaconBlockHeader ProposerSlashing AttesterSlashing SignedVoluntaryExit Deposit SyncAggregate SyncCommittee SyncCommitteeMessage SyncCommitteeContribution ContributionAndProof SignedContributionAndProof SignedBlsToExecutionChange Withdrawal BlobSidecar BlobIdentifier ExecutionRequests DepositRequest WithdrawalRequest ConsolidationRequest LightClientHeader LightClientBootstrap LightClientUpdate LightClientFinalityUpdate LightClientOptimisticUpdate;
    fulu: SignedBeaconBlock BeaconBlock BeaconBlockBody ExecutionPayload ExecutionPayloadHeader Attestation SingleAttestation IndexedAttestation AggregateAndProof SignedAggregateAndProof AttestationData Checkpoint BeaconBlockHeader SignedBeaconBlockHeader ProposerSlashing AttesterSlashing SignedVoluntaryExit Deposit SyncAggregate SyncCommittee SyncCommitteeMessage SyncCommitteeContribution ContributionAndProof SignedContributionAndProof SignedBlsToExecutionChange Withdrawal DataColumnSidecar DataColumnsByRootIdentifier ExecutionRequests DepositRequest WithdrawalRequest ConsolidationRequest LightClientHeader LightClientBootstrap LightClientUpdate LightClientFinalityUpdate LightClientOptimisticUpdate PartialDataColumnSidecar PartialDataColumnHeader PartialDataColumnPartsMetadata PartialDataColumnGroupID;
    gloas: SignedBeaconBlock BeaconBlock BeaconBlockBody ExecutionPayload Attestation SingleAttestation IndexedAttestation AggregateAndProof SignedAggregateAndProof AttestationData Checkpoint BeaconBlockHeader SignedBeaconBlockHeader ProposerSlashing AttesterSlashing SignedVoluntaryExit Deposit SyncAggregate SyncCommittee SyncCommitteeMessage SyncCommitteeContribution ContributionAndProof SignedContributionAndProof SignedBlsToExecutionChange Withdrawal DataColumnSidecar DataColumnsByRootIdentifier ExecutionRequests DepositRequest WithdrawalRequest ConsolidationRequest LightClientHeader LightClientBootstrap LightClientUpdate LightClientFinalityUpdate LightClientOptimisticUpdate PartialDataColumnSidecar PartialDataColumnPartsMetadata PartialDataColumnGroupID SignedExecutionPayloadBid ExecutionPayloadBid SignedExecutionPayloadEnvelope ExecutionPayloadEnvelope PayloadAttestation PayloadAttestationData PayloadAttestationMessage SignedProposerPreferences ProposerPreferences BuilderDepositRequest BuilderExitRequest;
    heze: SignedBeaconBlock BeaconBlock BeaconBlockBody ExecutionPayload Attestation SingleAttestation IndexedAttestation AggregateAndProof SignedAggregateAndProof AttestationData Checkpoint BeaconBlockHeader SignedBeaconBlockHeader ProposerSlashing AttesterSlashing SignedVoluntaryExit Deposit SyncAggregate SyncCommittee SyncCommitteeMessage SyncCommitteeContribution ContributionAndProof SignedContributionAndProof SignedBlsToExecutionChange Withdrawal DataColumnSidecar DataColumnsByRootIdentifier ExecutionRequests DepositRequest WithdrawalRequest ConsolidationRequest LightClientHeader LightClientBootstrap LightClientUpdate LightClientFinalityUpdate LightClientOptimisticUpdate PartialDataColumnSidecar PartialDataColumnPartsMetadata PartialDataColumnGroupID SignedExecutionPayloadBid ExecutionPayloadBid SignedExecutionPayloadEnvelope ExecutionPayloadEnvelope PayloadAttestation PayloadAttestationData PayloadAttestationMessage SignedProposerPreferences ProposerPreferences BuilderDepositRequest BuilderExitRequest InclusionList SignedInclusionList;
    phase0: ForkData SigningData;
}
