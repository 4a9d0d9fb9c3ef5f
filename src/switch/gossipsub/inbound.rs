//! The way of a message from the wire to its judge.
//!
//! This is the hot path: with all subnets, 60 000 copies a second in bursts. Each copy is looked up by the bytes it
//! arrived in; only bytes that were not seen before are decompressed and hashed. Of a message that was settled, libp2p's
//! router sees no further copies: they would move no score.

use std::collections::VecDeque;

use libp2p::gossipsub::{self, MessageAcceptance, RawMessage, ValidationError};
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use super::corroboration::Witness;
use super::fingerprints::Fingerprint;
use super::message::Report;
use super::message_id::{Payload, message_id};
use super::params::FRESH;
use super::room::Share;
use super::seen::{Sighting, Standing};
use super::{GossipMessage, HeldBytes, Invalid, JoinedTopic, PendingVerdict, Router, RouterEvent, snappy};
use crate::types::{GossipTopic, MessageId, PeerId};

/// A new message on its way through libp2p's router.
#[derive(Debug)]
pub(super) struct Arrival {
    id: MessageId,
    topic: GossipTopic,
    fingerprint: Fingerprint,
    wire_bytes: usize,
    arrived: Instant,
    ticket: Ticket,
}

/// What a message needs to be judged.
#[derive(Debug)]
struct Ticket {
    /// A place among those that wait.
    share: Share,
    /// Its verdict's.
    report: OwnedPermit<Report>,
}

/// What is to become of a copy.
enum Admission {
    /// libp2p's router is to see it.
    Pass,
    /// It is a further copy of this message, which waits for its verdict: libp2p's router is to see it if that matters.
    Wait(MessageId),
    /// Nobody is to see it.
    Drop,
    /// Its sender is to pay for it.
    Invalid,
}

/// What an RPC brought for libp2p's router.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// The new messages.
    pub(super) arrivals: Vec<Arrival>,
    /// Id and SSZ of every message, in order; no SSZ where it is not new.
    pub(super) payloads: Vec<(MessageId, Vec<u8>)>,
}

impl Brought {
    pub(super) fn clear(&mut self) {
        self.arrivals.clear();
        self.payloads.clear();
    }
}

/// What the messages of an RPC are, of which libp2p's router is to see any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inflow {
    /// There are none.
    Nothing,
    /// There is one, a further copy of this message, which waits for its verdict.
    Copy(MessageId),
    /// Anything else.
    Mixed,
}

impl Inflow {
    const fn and(self, next: Self) -> Self {
        match (self, next) {
            (Self::Nothing, other) => other,
            _ => Self::Mixed,
        }
    }
}

/// Where a copy came from.
#[derive(Clone, Copy)]
struct Source {
    peer_id: PeerId,
    witness: Witness,
}

impl Router {
    /// Leaves in `messages` what libp2p's router is to see, and notes what the RPC brought.
    /// `witness` is whoever sent it; nobody for one who is not listened to.
    pub(super) fn admit_all(
        &mut self,
        peer_id: PeerId,
        witness: Option<Witness>,
        messages: &mut Vec<RawMessage>,
        invalid: &mut Vec<(RawMessage, ValidationError)>,
    ) -> Inflow {
        let Some(witness) = witness else {
            messages.clear();
            invalid.clear();
            return Inflow::Nothing;
        };
        invalid.retain(|(raw, error)| self.blames(peer_id, raw, invalid_reason(*error)));
        let (source, now) = (Source { peer_id, witness }, Instant::now());
        let mut inflow = Inflow::Nothing;
        messages.retain_mut(|raw| {
            let next = match self.admit(raw, source, now) {
                Admission::Pass => Inflow::Mixed,
                Admission::Wait(id) => Inflow::Copy(id),
                Admission::Drop => return false,
                Admission::Invalid => {
                    let raw = RawMessage { data: std::mem::take(&mut raw.data), ..raw.clone() };
                    invalid.push((raw, ValidationError::TransformFailed));
                    return false;
                }
            };
            inflow = inflow.and(next);
            true
        });
        inflow
    }

    fn admit(&mut self, raw: &mut RawMessage, source: Source, now: Instant) -> Admission {
        let Some(&joined) = self.book.get(&raw.topic) else {
            self.counts.not_joined += 1;
            return Admission::Drop;
        };
        let counts = self.counts.of_mut(joined.topic.name.kind());
        counts.bytes += raw.data.len() as u64;

        let fingerprint = self.fingerprints.of(joined.serial, &raw.data);
        if let Some(id) = self.fingerprints.get(fingerprint)
            && let Some(admission) = self.admit_again(id, &joined, raw, source, now)
        {
            return admission;
        }
        let ssz = match read(raw, joined.max_ssz_bytes) {
            Ok(ssz) => ssz,
            Err(reason) if self.blames(source.peer_id, raw, reason) => return Admission::Invalid,
            Err(_) => return Admission::Drop,
        };
        let id = message_id(joined.rule, raw.topic.as_str(), Payload::Decompressed(&ssz));
        if let Some(admission) = self.admit_again(id, &joined, raw, source, now) {
            return admission;
        }
        let Some(ticket) = self.ticket(&joined, source.peer_id, ssz.len()) else {
            // as if it had never come, so that a copy is judged that finds room
            self.seen.forget(&id);
            self.counts.of_mut(joined.topic.name.kind()).overflow += 1;
            return Admission::Drop;
        };
        self.fingerprints.insert(fingerprint, id, now);
        if let Some(table) = self.corroboration.as_mut().filter(|_| joined.corroborable) {
            table.note_first(id, joined.topic, source.witness, now);
        }
        let wire_bytes = raw.data.len();
        let arrival = Arrival { id, topic: joined.topic, fingerprint, wire_bytes, arrived: now, ticket };
        self.brought.arrivals.push(arrival);
        self.brought.payloads.push((id, ssz));
        Admission::Pass
    }

    /// Room for a message of so many bytes to wait for its verdict.
    fn ticket(&self, joined: &JoinedTopic, peer_id: PeerId, bytes: usize) -> Option<Ticket> {
        let report = self.reports_in.clone().try_reserve_owned().ok()?;
        Some(Ticket { share: self.room.take(joined.lane, peer_id, bytes)?, report })
    }

    /// Counts and tells of an invalid message; whether its sender is to pay for it.
    fn blames(&mut self, peer_id: PeerId, raw: &RawMessage, reason: Invalid) -> bool {
        let Some(&joined) = self.book.get(&raw.topic) else {
            self.counts.not_joined += 1;
            return false;
        };
        let topic = joined.topic;
        let counts = self.counts.of_mut(topic.name.kind());
        if joined.outdated {
            counts.outdated += 1;
            return false;
        }
        match reason {
            Invalid::TooLarge | Invalid::BadSnappy => counts.undecodable += 1,
            Invalid::Signed => counts.signed += 1,
        }
        let message_id = message_id(joined.rule, raw.topic.as_str(), Payload::AsReceived(&raw.data));
        let wire_bytes = raw.data.len();
        self.tell(RouterEvent::Invalid { peer_id, topic, message_id, reason, wire_bytes });
        true
    }

    /// What becomes of a further copy; `None` when it is the first, which is remembered then.
    fn admit_again(
        &mut self,
        id: MessageId,
        joined: &JoinedTopic,
        raw: &mut RawMessage,
        source: Source,
        now: Instant,
    ) -> Option<Admission> {
        let Sighting::Again { age, standing } = self.seen.look(&id, now) else { return None };
        self.counts.of_mut(joined.topic.name.kind()).duplicates += 1;
        if standing == Standing::Pending {
            let table = self.corroboration.as_mut();
            self.decided.extend(table.and_then(|table| table.note_again(id, source.witness, now)));
        }
        match standing {
            Standing::Settled if age < FRESH => Some(Admission::Drop),
            // libp2p's router needs the id alone. Of one that it has forgotten it may have asked for a copy, which counts
            // as delivered now, and comes out as a message that did not arrive
            Standing::Settled | Standing::Pending | Standing::Rejected => {
                raw.data = Vec::new();
                self.brought.payloads.push((id, Vec::new()));
                Some(if standing == Standing::Pending { Admission::Wait(id) } else { Admission::Pass })
            }
        }
    }

    /// Takes back what was remembered of the arrivals from `start` on: libp2p's router did not look at them.
    pub(super) fn unsee(&mut self, start: usize) {
        for arrival in self.arrivals.drain(start..) {
            self.seen.forget(&arrival.id);
            self.fingerprints.remove(arrival.fingerprint);
            if let Some(table) = &mut self.corroboration {
                table.forget(&arrival.id);
            }
        }
    }

    /// A message that is new to libp2p's router, too: to the judges.
    pub(super) fn on_message(&mut self, peer_id: PeerId, inner_id: &gossipsub::MessageId, ssz: Vec<u8>) {
        let arrival = take_arrival(&mut self.arrivals, inner_id);
        let Some(Arrival { id, topic, wire_bytes, arrived, ticket, .. }) = arrival else {
            // an old one, without its payload
            self.inner.report_message_validation_result(inner_id, &peer_id, MessageAcceptance::Ignore);
            return;
        };
        let counts = self.counts.of_mut(topic.name.kind());
        counts.unique += 1;
        let Ticket { share, report } = ticket;
        let verdict = PendingVerdict::new(id, peer_id, report);
        let ssz = HeldBytes::new(ssz, share);
        let message = GossipMessage { topic, peer_id, ssz, wire_bytes, arrived, verdict };
        if let Err(TrySendError::Full(message) | TrySendError::Closed(message)) = self.messages.try_send(message) {
            counts.overflow += 1;
            message.verdict.report(super::Acceptance::Ignore);
        }
    }
}

/// The SSZ of a message. libp2p has looked at the other fields that `StrictNoSign` forbids.
fn read(raw: &RawMessage, max: usize) -> Result<Vec<u8>, Invalid> {
    if raw.key.is_some() { Err(Invalid::Signed) } else { snappy::decompress(&raw.data, max) }
}

/// What libp2p found fault with.
const fn invalid_reason(error: ValidationError) -> Invalid {
    match error {
        ValidationError::TransformFailed => Invalid::BadSnappy,
        ValidationError::MessageSizeTooLargeForTopic => Invalid::TooLarge,
        ValidationError::InvalidSignature
        | ValidationError::EmptySequenceNumber
        | ValidationError::InvalidSequenceNumber
        | ValidationError::InvalidPeerId
        | ValidationError::SignaturePresent
        | ValidationError::SequenceNumberPresent
        | ValidationError::MessageSourcePresent => Invalid::Signed,
    }
}

/// The arrival of an id, and away with those before it: messages come out in the order in which they went in.
fn take_arrival(arrivals: &mut VecDeque<Arrival>, inner_id: &gossipsub::MessageId) -> Option<Arrival> {
    let position = arrivals.iter().position(|arrival| arrival.id.0.as_slice() == inner_id.0.as_slice())?;
    arrivals.drain(..=position).next_back()
}
