//! Containers whose parts alone change from fork to fork: signed things, aggregates, attester slashings.

use ssz_derive::{Decode, Encode};
use tree_hash_derive::TreeHash;

use super::{BlsSignature, Container};

/// A message and the signature over it; the specification's `Signed…` containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode, TreeHash)]
pub struct Signed<M: Container> {
    /// What is signed.
    pub message: M,
    /// Over the message's signing root.
    pub signature: BlsSignature,
}

/// An aggregate attestation `A` with the proof that its sender was to aggregate.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct AggregateAndProof<A: Container> {
    /// Index of the validator that aggregated.
    pub aggregator_index: u64,
    /// The aggregate.
    pub aggregate: A,
    /// The aggregator's signature over the slot.
    pub selection_proof: BlsSignature,
}

/// Two indexed attestations `I` that contradict each other.
#[derive(Clone, Debug, PartialEq, Encode, Decode, TreeHash)]
pub struct AttesterSlashing<I: Container> {
    /// The one.
    pub attestation_1: I,
    /// The other.
    pub attestation_2: I,
}
