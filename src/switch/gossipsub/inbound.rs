//! The way of a message from the wire to its judge.
//!
//! This is the hot path: with all subnets, 60 000 copies a second in bursts. Each copy is looked up by the bytes it
//! arrived in; only bytes that were not seen before are decompressed and hashed. Of a message that was settled, libp2p's
//! router sees no further copies: they would move no score.

use std::collections::VecDeque;

use libp2p::gossipsub::{self, MessageAcceptance, RawMessage, ValidationError};
use libp2p::swarm::ConnectionId;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use super::corroboration::Network;
use super::fingerprints::Fingerprint;
use super::message_id::{Payload, message_id};
use super::params::FRESH;
use super::seen::{Sighting, Standing};
use super::snappy::SnappyError;
use super::{GossipMessage, HeldBytes, JoinedTopic, PendingVerdict, Router, RouterEvent, snappy};
use crate::types::{GossipTopic, MessageId, PeerId};

/// A new message that libp2p's router was given.
#[derive(Debug)]
pub(super) struct Arrival {
    id: MessageId,
    topic: GossipTopic,
    fingerprint: Fingerprint,
    wire_bytes: usize,
    arrived: Instant,
}

/// What is to become of a copy.
enum Admission {
    /// libp2p's router is to see it.
    Pass,
    /// It is a further copy of this message, which waits for its verdict: libp2p's router is to see it if that matters.
    Wait(MessageId),
    /// It is not.
    Drop,
    /// Its sender is to pay for it.
    Invalid,
}

/// Where a copy came from.
#[derive(Clone, Copy)]
struct Source {
    peer_id: PeerId,
    network: Network,
}

impl Router {
    /// Leaves in `messages` what libp2p's router is to see, and lays payloads and ids ready for it. Returns the id if that
    /// is nothing but one further copy of a message that waits for its verdict.
    pub(super) fn admit_all(
        &mut self,
        peer_id: PeerId,
        connection_id: ConnectionId,
        messages: &mut Vec<RawMessage>,
        invalid: &mut Vec<(RawMessage, ValidationError)>,
    ) -> Option<MessageId> {
        if messages.is_empty() {
            return None;
        }
        let network = self.networks.get(&connection_id).copied().filter(|_| !self.low.contains(&peer_id));
        let Some(network) = network else {
            // a peer that is not listened to
            messages.clear();
            return None;
        };
        let (source, now) = (Source { peer_id, network }, Instant::now());
        let mut waiting = None;
        messages.retain_mut(|raw| match self.admit(raw, source, now) {
            Admission::Pass => true,
            Admission::Wait(id) => {
                waiting = Some(id);
                true
            }
            Admission::Drop => false,
            Admission::Invalid => {
                let raw = RawMessage { data: std::mem::take(&mut raw.data), ..raw.clone() };
                invalid.push((raw, ValidationError::TransformFailed));
                false
            }
        });
        waiting.filter(|_| messages.len() == 1 && invalid.is_empty())
    }

    fn admit(&mut self, raw: &mut RawMessage, source: Source, now: Instant) -> Admission {
        let Some(&joined) = self.book.get(&raw.topic) else { return Admission::Drop };
        let counts = self.counts.of_mut(joined.topic.name.kind());
        counts.bytes += raw.data.len() as u64;

        let fingerprint = self.fingerprints.of(joined.serial, &raw.data);
        if let Some(id) = self.fingerprints.get(fingerprint)
            && let Some(admission) = self.admit_again(id, &joined, raw, source, now)
        {
            return admission;
        }
        let ssz = match snappy::decompress(&raw.data, joined.max_ssz_bytes) {
            Ok(ssz) => ssz,
            Err(error) => {
                self.on_undecodable(&joined, raw, source.peer_id, error);
                return Admission::Invalid;
            }
        };
        let id = message_id(joined.rule, raw.topic.as_str(), Payload::Decompressed(&ssz));
        if let Some(admission) = self.admit_again(id, &joined, raw, source, now) {
            return admission;
        }
        self.fingerprints.insert(fingerprint, id, now);
        if let Some(table) = self.corroboration.as_mut().filter(|_| joined.corroborable) {
            table.note_first(id, joined.topic, source.network, now);
        }
        let wire_bytes = raw.data.len();
        self.arrivals.push_back(Arrival { id, topic: joined.topic, fingerprint, wire_bytes, arrived: now });
        self.laid.push_back((id, ssz));
        Admission::Pass
    }

    /// Counts and tells of a message that cannot be read.
    fn on_undecodable(&mut self, joined: &JoinedTopic, raw: &RawMessage, peer_id: PeerId, error: SnappyError) {
        let topic = joined.topic;
        self.counts.of_mut(topic.name.kind()).undecodable += 1;
        let message_id = message_id(joined.rule, raw.topic.as_str(), Payload::AsReceived(&raw.data));
        let wire_bytes = raw.data.len();
        self.tell(RouterEvent::Undecodable { peer_id, topic, message_id, reason: error.into(), wire_bytes });
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
            self.decided.extend(table.and_then(|table| table.note_again(id, source.network, now)));
        }
        match standing {
            Standing::Settled if age < FRESH => Some(Admission::Drop),
            // libp2p's router needs the id alone. Of one that it has forgotten it may have asked for a copy, which counts
            // as delivered now, and comes out as a message that did not arrive
            Standing::Settled | Standing::Pending | Standing::Rejected => {
                raw.data = Vec::new();
                self.laid.push_back((id, Vec::new()));
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
        let Some(Arrival { id, topic, wire_bytes, arrived, .. }) = arrival else {
            // an old one, without its payload
            self.inner.report_message_validation_result(inner_id, &peer_id, MessageAcceptance::Ignore);
            return;
        };
        let counts = self.counts.of_mut(topic.name.kind());
        counts.unique += 1;
        let place = self.reports_in.clone().try_reserve_owned().ok();
        let share = u32::try_from(ssz.len()).ok();
        let share = share.and_then(|share| self.bytes.clone().try_acquire_many_owned(share).ok());
        let Some((place, bytes)) = place.zip(share) else {
            counts.overflow += 1;
            self.conclude(id, peer_id, MessageAcceptance::Ignore);
            return;
        };
        let verdict = PendingVerdict::new(id, peer_id, place);
        let ssz = HeldBytes::new(ssz, bytes);
        let message = GossipMessage { topic, peer_id, ssz, wire_bytes, arrived, verdict };
        if let Err(TrySendError::Full(message) | TrySendError::Closed(message)) = self.messages.try_send(message) {
            counts.overflow += 1;
            message.verdict.report(super::Acceptance::Ignore);
        }
    }
}

/// The arrival of an id, and away with those before it: messages come out in the order in which they went in.
fn take_arrival(arrivals: &mut VecDeque<Arrival>, inner_id: &gossipsub::MessageId) -> Option<Arrival> {
    let position = arrivals.iter().position(|arrival| arrival.id.0.as_slice() == inner_id.0.as_slice())?;
    arrivals.drain(..=position).next_back()
}
