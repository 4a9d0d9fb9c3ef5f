//! A message on its way from the router to whoever judges it, and the verdict on its way back.
//!
//! The router makes a [`GossipMessage`] of the first copy of every message; `gossip` judges it. Every message carries
//! its [`PendingVerdict`], and a verdict has its place in the channel reserved before the message leaves the router:
//! a verdict cannot be lost, given twice or kept waiting.

use std::ops::Deref;

use tokio::sync::mpsc::OwnedPermit;
use tokio::time::Instant;

use super::rivals::Rivalry;
use super::room::Share;
use crate::types::{GossipTopic, MessageId, PeerId};

/// The first copy of a message, decompressed, not yet judged.
#[derive(Debug)]
pub struct GossipMessage {
    /// Where it was sent.
    pub topic: GossipTopic,
    /// Who sent it to us first.
    pub peer_id: PeerId,
    /// SSZ, within the size bounds of its topic.
    pub ssz: HeldBytes,
    /// Bytes of the compressed message.
    pub wire_bytes: usize,
    /// When the router read it.
    pub arrived: Instant,
    /// Owed to the router.
    pub verdict: PendingVerdict,
}

/// Bytes of a message with their share of those that may wait: wherever they go, they count until they are dropped.
#[derive(Debug)]
pub struct HeldBytes {
    bytes: Vec<u8>,
    /// After the bytes: dropped after them.
    _share: Share,
}

impl HeldBytes {
    /// The share is as large as the bytes, or larger.
    #[must_use]
    pub(super) const fn new(bytes: Vec<u8>, share: Share) -> Self {
        Self { bytes, _share: share }
    }
}

impl Deref for HeldBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T: AsRef<[u8]>> PartialEq<T> for HeldBytes {
    fn eq(&self, other: &T) -> bool {
        self.bytes == other.as_ref()
    }
}

/// What the router is to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is valid: forward it.
    Accept,
    /// Do not forward it, and blame nobody.
    Ignore,
    /// It is invalid: do not forward it, and blame whoever sent it.
    Reject,
    /// It passed every rule that can be checked, and others cannot be: do not forward it and blame nobody, unless the
    /// relay policy forwards what enough peers corroborate: of messages of one rivalry, the first.
    Corroborate(Option<Rivalry>),
}

/// A verdict on its way to the router.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) message_id: MessageId,
    /// Who sent the first copy.
    pub(super) peer_id: PeerId,
    pub(super) acceptance: Acceptance,
    /// Whether nobody gave one, which is a bug.
    pub(super) lost: bool,
}

/// The verdict that a message still needs. Dropping it reports [`Acceptance::Ignore`] and counts a bug.
#[must_use = "every message needs a verdict"]
#[derive(Debug)]
pub struct PendingVerdict {
    message_id: MessageId,
    peer_id: PeerId,
    /// The reserved place of the report; `None` once it is given.
    place: Option<OwnedPermit<Report>>,
}

impl PendingVerdict {
    pub(super) const fn new(message_id: MessageId, peer_id: PeerId, place: OwnedPermit<Report>) -> Self {
        Self { message_id, peer_id, place: Some(place) }
    }

    /// Which message.
    #[must_use]
    pub const fn message_id(&self) -> MessageId {
        self.message_id
    }

    /// Gives the verdict. Never waits.
    pub fn report(mut self, acceptance: Acceptance) {
        self.send(acceptance, false);
    }

    fn send(&mut self, acceptance: Acceptance, lost: bool) {
        if let Some(place) = self.place.take() {
            let Self { message_id, peer_id, .. } = *self;
            // the router may be gone, and nobody needs the verdict then
            place.send(Report { message_id, peer_id, acceptance, lost });
        }
    }
}

impl Drop for PendingVerdict {
    fn drop(&mut self) {
        self.send(Acceptance::Ignore, true);
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Makes messages for the tests of those who judge.

    use tokio::sync::mpsc;

    use super::*;
    pub(crate) use crate::switch::gossipsub::room::{Lane, Load, Room};

    /// A message that arrived, with its place in `room`, which must have one; nobody hears its verdict.
    pub(crate) fn message(
        topic: GossipTopic,
        message_id: MessageId,
        ssz: Vec<u8>,
        arrived: Instant,
        room: &Room,
    ) -> GossipMessage {
        let (reports, _nobody) = mpsc::channel(1);
        let place = reports.try_reserve_owned().unwrap();
        let (peer_id, wire_bytes) = (PeerId::random(), ssz.len());
        let share = room.take(Lane::Quick, peer_id, ssz.len()).unwrap();
        let verdict = PendingVerdict::new(message_id, peer_id, place);
        GossipMessage { topic, peer_id, ssz: HeldBytes::new(ssz, share), wire_bytes, arrived, verdict }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    async fn pending() -> (PendingVerdict, mpsc::Receiver<Report>) {
        let (sender, receiver) = mpsc::channel(1);
        let place = sender.reserve_owned().await.unwrap();
        (PendingVerdict::new(MessageId([7; 20]), PeerId::random(), place), receiver)
    }

    #[tokio::test]
    async fn a_verdict_arrives_once() {
        let (verdict, mut reports) = pending().await;
        verdict.report(Acceptance::Accept);
        let report = reports.recv().await.unwrap();
        assert_eq!((report.acceptance, report.lost), (Acceptance::Accept, false));
        assert!(reports.recv().await.is_none());
    }

    #[tokio::test]
    async fn a_message_that_is_dropped_without_a_verdict_is_ignored_and_counted() {
        let (verdict, mut reports) = pending().await;
        drop(verdict);
        let report = reports.recv().await.unwrap();
        assert_eq!((report.acceptance, report.lost), (Acceptance::Ignore, true));
    }
}
