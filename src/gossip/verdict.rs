//! What gossip rules can say of a message: the verdict, and the closed lists of reasons.
//!
//! Every rule of `topics` ends in one of these; they are the labels of events and metrics.

use std::fmt;

/// The judgement of one message, given exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every rule passed, by our own authority or by that of whoever judges for us.
    Accept,
    /// Not to be forwarded; nobody is to blame.
    Ignore(IgnoreReason),
    /// Invalid; whoever sent it is to blame.
    Reject(RejectReason),
}

impl Verdict {
    /// `accept`, `ignore` or `reject`: the label for events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Ignore(_) => "ignore",
            Self::Reject(_) => "reject",
        }
    }

    /// Why, `snake_case`; `valid` when accepted.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Accept => "valid",
            Self::Ignore(reason) => reason.as_str(),
            Self::Reject(reason) => reason.as_str(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.as_str(), self.reason())
    }
}

impl From<IgnoreReason> for Verdict {
    fn from(reason: IgnoreReason) -> Self {
        Self::Ignore(reason)
    }
}

impl From<RejectReason> for Verdict {
    fn from(reason: RejectReason) -> Self {
        Self::Reject(reason)
    }
}

/// Defines a closed list of reasons, one stable label each.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $label:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every reason, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable label, `snake_case`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }
    };
}

reasons! {
    /// Why a message is not forwarded although nobody is to blame.
    IgnoreReason {
        /// Passed every rule that can be checked without a state, and nobody vouched for it.
        Unverifiable = "unverifiable",
        /// As `unverifiable`, but whoever judges for us did not answer in time, or there was no time left to ask.
        Unanswered = "unanswered",
        /// Whoever judges for us said so.
        Judged = "judged",
        /// A fault of our own kept it from being judged.
        OwnFault = "own_fault",
        /// Too much waited to be judged.
        Overflow = "overflow",
        /// Of a slot or an epoch that has not begun.
        Future = "future",
        /// Of a slot or an epoch that is over.
        Past = "past",
        /// Not newer than the finalized checkpoint.
        Finalized = "finalized",
        /// A valid message of the same key has been seen.
        AlreadySeen = "already_seen",
        /// All of its votes have been seen in a valid message.
        Superset = "superset",
        /// On the topic of a digest that is not in force yet, or not that of the message's own epoch.
        WrongFork = "wrong_fork",
        /// Slashes nobody: no attester is in both votes.
        NobodySlashed = "nobody_slashed",
        /// Votes on a block of another slot.
        OtherSlot = "other_slot",
        /// Refers to a block that has not been seen.
        BlockUnknown = "block_unknown",
        /// Its sender brought too many blocks of one slot already.
        TooManyHeaders = "too_many_headers",
        /// Sent before what it is made of could be complete.
        TooEarly = "too_early",
        /// Not better than one that has been forwarded.
        NotBetter = "not_better",
    }
}

reasons! {
    /// What makes a message invalid.
    RejectReason {
        /// No raw snappy, or more than the topic allows.
        BadSnappy = "bad_snappy",
        /// Has a signature, a sequence number, an author or a key.
        Signed = "signed",
        /// Not the SSZ of the topic's type.
        BadSsz = "bad_ssz",
        /// Whoever judges for us said so.
        Judged = "judged",
        /// On the topic of another subnet.
        WrongSubnet = "wrong_subnet",
        /// On a topic that its fork does not have.
        UnknownTopic = "unknown_topic",
        /// An index beyond what the specification allows.
        IndexOutOfRange = "index_out_of_range",
        /// The attestation's index field must be zero, or one of those that the fork allows.
        BadDataIndex = "bad_data_index",
        /// A vote for a block of its own slot says that the payload was there already.
        PayloadTooEarly = "payload_too_early",
        /// Exactly one committee must be named.
        NotOneCommittee = "not_one_committee",
        /// Exactly one aggregation bit must be set.
        NotOneBit = "not_one_bit",
        /// No vote is set.
        NoBits = "no_bits",
        /// The target is not of the slot's epoch.
        TargetEpochMismatch = "target_epoch_mismatch",
        /// The selection proof does not select its sender.
        NotSelected = "not_selected",
        /// The payload's timestamp is not that of the slot.
        BadTimestamp = "bad_timestamp",
        /// More blobs than the epoch allows.
        TooManyBlobs = "too_many_blobs",
        /// No blob at all where there must be one.
        NoBlobs = "no_blobs",
        /// Lists that must be equally long are not.
        LengthMismatch = "length_mismatch",
        /// More operations than a block may hold.
        TooManyOperations = "too_many_operations",
        /// More requests of the execution layer than a payload may bring.
        TooManyRequests = "too_many_requests",
        /// More withdrawals than a payload may have.
        TooManyWithdrawals = "too_many_withdrawals",
        /// The parent's slot is not before the block's.
        NotAfterParent = "not_after_parent",
        /// The bid was made for another parent.
        ParentMismatch = "parent_mismatch",
        /// The slot is not that of the block referred to.
        SlotMismatch = "slot_mismatch",
        /// The commitments are not in the block.
        BadInclusionProof = "bad_inclusion_proof",
        /// The blob or its cells do not match the commitments.
        BadKzgProof = "bad_kzg_proof",
        /// A signature that can be checked without a state is wrong.
        BadSignature = "bad_signature",
        /// The two headers of a slashing are of different slots.
        SlotsDiffer = "slots_differ",
        /// The two headers of a slashing are of different proposers.
        ProposersDiffer = "proposers_differ",
        /// The two headers of a slashing are the same.
        HeadersEqual = "headers_equal",
        /// The two votes of a slashing are compatible.
        VotesNotSlashable = "votes_not_slashable",
        /// Attester indices are empty, unsorted or repeated.
        BadIndices = "bad_indices",
        /// An exit for an epoch that has not begun.
        ExitInFuture = "exit_in_future",
        /// A payment that must be zero is not.
        PaymentNotZero = "payment_not_zero",
        /// The dependent block is too late for the proposal.
        DependentTooLate = "dependent_too_late",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn labels_are_distinct_within_their_list() {
        let ignored: BTreeSet<_> = IgnoreReason::ALL.iter().map(|reason| reason.as_str()).collect();
        let rejected: BTreeSet<_> = RejectReason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!((ignored.len(), rejected.len()), (IgnoreReason::ALL.len(), RejectReason::ALL.len()));
    }
}
