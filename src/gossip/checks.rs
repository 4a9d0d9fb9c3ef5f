//! What a topic's check sees and what it answers: the context of one message, and the [`Judgement`].
//!
//! `judge` makes a [`CheckContext`] for every message; the files of `topics` use its rules, each of which is one line of
//! the specification and returns the verdict that ends the matter. It has no lock and does no IO.

use ssz::Decode;

use super::bls::ChangeDomain;
use super::headers::{HEADER_SLOTS, HeaderSeen, Headers};
use super::seen::{Claims, Key, Seen, Votes};
use super::verdict::{IgnoreReason, RejectReason, Verdict};
use super::windows::Windows;
use crate::chain::{Boundary, ForkSchedule};
use crate::types::containers::phase0::BeaconBlockHeader;
use crate::types::{Epoch, ForkName, GossipTopic, PeerId, Root, Slot};

/// `Err` is the verdict of the first rule that failed. `Ok` is no verdict yet: every rule that needs no state passed,
/// and whether the message is valid only somebody with a state can say.
pub type Judgement = Result<Passed, Verdict>;

/// A message that passed every rule that needs no state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a message is accepted only once it is admitted"]
pub struct Passed {
    /// The slot that it belongs to; `None` for exits, slashings and changes, which belong to none.
    pub slot: Option<Slot>,
    /// The header that came with it, where one did.
    pub header: Option<HeaderSeen>,
    /// What is to be remembered once it is accepted, and not before.
    pub claims: Claims,
}

impl Passed {
    pub(super) const fn new(slot: Option<Slot>, claims: Claims) -> Self {
        Self { slot, header: None, claims }
    }

    pub(super) fn with_header(mut self, header: HeaderSeen) -> Self {
        self.header = Some(header);
        self
    }
}

/// Limits of blobs that the schedule does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlobLimits {
    /// In a block of Deneb.
    pub deneb: u64,
    /// In a block of Electra.
    pub electra: u64,
}

/// All that a check may ask about.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckContext<'a> {
    /// Where the message was sent.
    pub topic: GossipTopic,
    /// Who sent it; `None` for ourselves.
    pub sender: Option<PeerId>,
    /// What the topic's digest stands for: its fork decides the type of the message.
    pub boundary: Boundary,
    /// When it arrived.
    pub windows: Windows,
    /// The forks of the network.
    pub schedule: &'a ForkSchedule,
    /// What blocks before Fulu may hold.
    pub blob_limits: BlobLimits,
    /// What changes of credentials are signed for.
    pub change_domain: ChangeDomain,
    /// Start of the finalized epoch; `None` while nobody told, and the rules that need it do not apply.
    pub finalized: Option<Slot>,
    /// What valid messages said.
    pub seen: &'a Seen,
    /// Recent headers.
    pub headers: &'a Headers,
}

impl CheckContext<'_> {
    /// The fork of the topic's digest.
    #[must_use]
    pub(super) const fn fork(&self) -> ForkName {
        self.boundary.fork
    }

    /// The topic's subnet; 0 for a global topic.
    #[must_use]
    pub(super) fn subnet(&self) -> u64 {
        u64::from(self.topic.name.subnet().unwrap_or_default())
    }

    /// Reads a message. [`super::Judge`] has checked its size.
    ///
    /// # Errors
    /// [`RejectReason::BadSsz`].
    pub(super) fn decode<T: Decode>(&self, ssz: &[u8]) -> Result<T, Verdict> {
        T::from_ssz_bytes(ssz).map_err(|_err| RejectReason::BadSsz.into())
    }

    /// The message belongs to the epochs of its topic's digest.
    ///
    /// The specification has no rule for a message on the other side's topic. It is ignored, never rejected: traffic on
    /// the topics before a fork must not be scored down after it, and around a boundary honest clients publish by the
    /// digest of their clock rather than of the message. Nor is it judged any further: forwarding it would republish it
    /// on a topic where it does not belong, and its type may be another in its own fork.
    ///
    /// [spec v1.6.0, transitioning the gossip](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#transitioning-the-gossip)
    ///
    /// # Errors
    /// [`IgnoreReason::WrongFork`].
    pub(super) fn belongs(&self, slot: Slot) -> Result<(), Verdict> {
        ignore_unless(self.schedule.digest_at(slot.epoch()) == self.topic.fork_digest, IgnoreReason::WrongFork)
    }

    /// The topic's digest is in force by somebody's clock. For messages that belong to no slot; the others' windows say
    /// it of the slot.
    ///
    /// # Errors
    /// [`IgnoreReason::WrongFork`]: before a fork, traffic on its topics may be ignored.
    pub(super) fn has_begun(&self) -> Result<(), Verdict> {
        ignore_unless(!self.windows.is_future(self.boundary.epoch.start_slot()), IgnoreReason::WrongFork)
    }

    /// Whether the topic's digest is no longer in force by somebody's clock: peers are not to pay for traffic on topics
    /// from before a fork.
    ///
    /// [spec v1.6.0, transitioning the gossip](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/altair/p2p-interface.md#transitioning-the-gossip)
    #[must_use]
    pub(super) fn is_over(&self) -> bool {
        let end = self.schedule.end_of(self.boundary.epoch);
        end.is_some_and(|end| !self.windows.is_future(end.start_slot()))
    }

    /// The slot has begun by somebody's clock.
    ///
    /// # Errors
    /// [`IgnoreReason::Future`].
    pub(super) fn not_future(&self, slot: Slot) -> Result<(), Verdict> {
        ignore_unless(!self.windows.is_future(slot), IgnoreReason::Future)
    }

    /// It may be one of the slots from `slot` to `slot` + `range`.
    ///
    /// # Errors
    /// [`IgnoreReason::Future`] or [`IgnoreReason::Past`].
    pub(super) fn within(&self, slot: Slot, range: u64) -> Result<(), Verdict> {
        self.not_future(slot)?;
        ignore_unless(!self.windows.is_over(slot, range), IgnoreReason::Past)
    }

    /// What has to be hashed or proven is worth it: it is of recent slots, and its sender has not brought too many blocks
    /// of that slot. This is no rule of the specification but what bounds the work that forged blocks can cause; `root` is
    /// the block's where it is known.
    ///
    /// # Errors
    /// [`IgnoreReason::Past`] or [`IgnoreReason::TooManyHeaders`].
    pub(super) fn is_worth_it(&self, slot: Slot, root: Option<Root>) -> Result<(), Verdict> {
        let Some(sender) = self.sender else { return Ok(()) };
        ignore_unless(slot.0.saturating_add(HEADER_SLOTS) >= self.windows.wall_slot().0, IgnoreReason::Past)?;
        ignore_unless(self.headers.may_bring(sender, slot, root), IgnoreReason::TooManyHeaders)
    }

    /// The slot is after the start of the finalized epoch, where that is known.
    ///
    /// # Errors
    /// [`IgnoreReason::Finalized`].
    pub(super) fn not_finalized(&self, slot: Slot) -> Result<(), Verdict> {
        ignore_unless(self.finalized.is_none_or(|finalized| slot > finalized), IgnoreReason::Finalized)
    }

    /// No valid message had this key.
    ///
    /// # Errors
    /// [`IgnoreReason::AlreadySeen`].
    pub(super) fn unseen(&self, key: Key) -> Result<(), Verdict> {
        ignore_unless(!self.seen.has(key), IgnoreReason::AlreadySeen)
    }

    /// No valid message had all these votes.
    ///
    /// # Errors
    /// [`IgnoreReason::Superset`].
    pub(super) fn no_superset(&self, votes: &Votes) -> Result<(), Verdict> {
        ignore_unless(!self.seen.has_superset(votes), IgnoreReason::Superset)
    }

    /// The slot is after the parent's, where the parent is known. Where it is not, others may know it.
    ///
    /// # Errors
    /// [`RejectReason::NotAfterParent`].
    pub(super) fn after_parent(&self, slot: Slot, parent_root: Root) -> Result<(), Verdict> {
        let parent = self.headers.get(parent_root);
        reject_unless(parent.is_none_or(|parent| slot > parent.slot), RejectReason::NotAfterParent)
    }

    /// The block that a message refers to.
    ///
    /// # Errors
    /// [`IgnoreReason::BlockUnknown`].
    pub(super) fn known_block(&self, root: Root) -> Result<HeaderSeen, Verdict> {
        self.headers.get(root).ok_or_else(|| IgnoreReason::BlockUnknown.into())
    }

    /// The block has no more blobs than its epoch allows.
    ///
    /// # Errors
    /// [`RejectReason::TooManyBlobs`].
    pub(super) fn blobs_allowed(&self, epoch: Epoch, blobs: usize) -> Result<(), Verdict> {
        let allowed = self.max_blobs(epoch);
        reject_unless(u64::try_from(blobs).is_ok_and(|blobs| blobs <= allowed), RejectReason::TooManyBlobs)
    }

    /// Blobs that a block of an epoch may have; 0 before Deneb.
    ///
    /// [spec v1.6.0, blob schedule](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/fulu/beacon-chain.md#blob-schedule)
    #[must_use]
    pub(super) fn max_blobs(&self, epoch: Epoch) -> u64 {
        let state = self.schedule.state_at(epoch);
        state.max_blobs.unwrap_or(match state.fork {
            ForkName::Phase0 | ForkName::Altair | ForkName::Bellatrix | ForkName::Capella => 0,
            ForkName::Deneb => self.blob_limits.deneb,
            ForkName::Electra | ForkName::Fulu | ForkName::Gloas | ForkName::Heze => self.blob_limits.electra,
        })
    }
}

/// A header as the index has it; hashes it.
pub(super) fn header_seen(header: &BeaconBlockHeader) -> HeaderSeen {
    HeaderSeen {
        root: header.root(),
        slot: header.slot,
        proposer_index: header.proposer_index,
        parent_root: header.parent_root,
    }
}

/// The rule holds, or the message is ignored.
pub(super) fn ignore_unless(holds: bool, reason: IgnoreReason) -> Result<(), Verdict> {
    if holds { Ok(()) } else { Err(reason.into()) }
}

/// The rule holds, or the message is rejected.
pub(super) fn reject_unless(holds: bool, reason: RejectReason) -> Result<(), Verdict> {
    if holds { Ok(()) } else { Err(reason.into()) }
}
