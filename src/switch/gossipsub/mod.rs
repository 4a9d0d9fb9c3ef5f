//! The gossip router: libp2p's gossipsub, set for Ethereum, with what Ethereum asks beyond it.
//!
//! [`Router`] is a behaviour around libp2p's. It joins topics and publishes for [`SwitchHandle`](super::SwitchHandle),
//! reads every message that arrives within the bounds of its topic, hands the first copy of each to whoever judges
//! ([`GossipEnds`]), and takes the verdicts. All of that happens inside the swarm's poll: the switch's loop sees no
//! single message. It knows the names of topics and the sizes that it was told, and nothing of what messages mean.
//!
//! ```text
//!  RPC ─► joined? ─► seen? ─► snappy, id ─► room? ─► libp2p's router ─► judges [32 768, 64 MiB]
//!                      │ copies count: corroboration                         │ PendingVerdict
//!  forwarded ◄── libp2p's router ◄── ACCEPT · IGNORE · REJECT ◄──────────────┘
//! ```

mod control;
mod corroboration;
mod counts;
mod event;
mod filter;
mod fingerprints;
mod handle;
mod held;
mod inbound;
mod message;
mod message_id;
mod params;
mod prepared;
mod rivals;
mod room;
mod score;
mod seen;
mod snappy;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::RandomState;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, MessageAuthenticity, TopicHash};
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tracing::warn;

pub use counts::{GossipCounts, KindCounts};
pub use event::{Invalid, RouterEvent};
pub(super) use handle::RouterHandle;
pub use handle::{PublishError, Published, TopicSubscription};
#[cfg(test)]
pub(crate) use message::testing;
pub use message::{Acceptance, GossipMessage, HeldBytes, PendingVerdict};
pub use rivals::Rivalry;
pub use room::Lane;
pub use score::{TOTAL_WEIGHT, TopicScore};

use crate::types::{ForkDigest, GossipTopic, MessageId, Multiaddr, PeerId};
use corroboration::{Asked, Corroboration, Outcome, Witness};
use filter::Filter;
use fingerprints::Fingerprints;
use handle::{COMMANDS, Outgoing, RouterCommand, id_rule};
use held::{Held, HeldCopy};
use inbound::{Arrival, Brought, Inflow};
use message::Report;
use message_id::IdRule;
use prepared::{Prepared, inner_id};
use room::{Room, WAITING};
use score::ScoreClock;
use seen::{SeenCache, Sighting, Standing};

/// Events that may wait; **drop and count**. 2048 × about 150 bytes = 300 KiB.
const EVENTS: usize = 2_048;

/// How often waits for copies are looked at; they end that much late at most.
const TICK: Duration = Duration::from_millis(250);

/// Scores are looked at every so many ticks: 3 s.
const TICKS_PER_SWEEP: u32 = 12;

/// Verdicts that are taken at once.
const REPORTS_AT_ONCE: usize = 256;

type Inner = gossipsub::Behaviour<Prepared, Filter>;

/// What connections tell libp2p's router; its type cannot be named otherwise.
type InnerEvent = THandlerOutEvent<Inner>;

/// How the router is set up.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterSettings {
    /// Fork digests of the network, past and scheduled, each with whether its topics' message ids follow the rule of
    /// phase0. Peers' subscriptions of other digests are not taken note of.
    pub digests: Vec<(ForkDigest, bool)>,
    /// What happens to messages that are merely unverifiable.
    pub relay: RelayPolicy,
    /// Slot time: what scores decay by.
    pub slot_duration: Duration,
    /// Peers that get everything that is forwarded, outside the meshes; they must do the same for us.
    pub direct: Vec<PeerId>,
}

impl Default for RouterSettings {
    /// A router of no network: it can join nothing.
    fn default() -> Self {
        Self {
            digests: Vec::new(),
            relay: RelayPolicy::Strict,
            slot_duration: Duration::from_secs(12),
            direct: Vec::new(),
        }
    }
}

/// What is forwarded besides what was accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RelayPolicy {
    /// Nothing.
    #[default]
    Strict,
    /// Messages that passed every rule that can be checked, once peers on enough distinct networks sent them within 2 s.
    Corroborated {
        /// How many networks, the first sender's included; 2 to 8.
        copies: usize,
    },
}

/// Where the router's messages and events come out. With nobody at the far end, messages are ignored and counted as
/// overflow.
#[derive(Debug)]
pub struct GossipEnds {
    /// First copies of messages, each to be given its verdict.
    pub messages: mpsc::Receiver<GossipMessage>,
    /// Everything else.
    pub events: mpsc::Receiver<RouterEvent>,
}

/// A topic that we have joined.
#[derive(Clone, Copy, Debug)]
struct JoinedTopic {
    topic: GossipTopic,
    rule: IdRule,
    max_ssz_bytes: usize,
    lane: Lane,
    corroborable: bool,
    outdated: bool,
    /// Stands for the topic in fingerprints; never used twice.
    serial: u32,
}

/// The behaviour.
pub(super) struct Router {
    inner: Inner,
    prepared: Prepared,
    digests: Arc<[(ForkDigest, IdRule)]>,
    score_clock: ScoreClock,
    book: HashMap<TopicHash, JoinedTopic>,
    next_serial: u32,
    /// Every connection, with who is at its far end.
    witnesses: HashMap<ConnectionId, Witness>,
    witness_key: RandomState,
    /// Connected peers that are not listened to.
    low: HashSet<PeerId>,
    seen: SeenCache,
    fingerprints: Fingerprints,
    corroboration: Option<Corroboration>,
    held: Held,
    /// By the RPC that is being looked at. Empty between calls; kept for its memory.
    brought: Brought,
    /// New messages that libp2p's router was given and has not brought out yet.
    arrivals: VecDeque<Arrival>,
    /// Corroborations that the copies of one call decided, at most one a copy. They wait until libp2p's router has noted
    /// who sent those copies: it does not forward to a sender. Empty between calls.
    decided: Vec<Outcome>,
    commands: mpsc::Receiver<RouterCommand>,
    reports_in: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
    report_buffer: Vec<Report>,
    messages: mpsc::Sender<GossipMessage>,
    room: Room,
    events: mpsc::Sender<RouterEvent>,
    counts: GossipCounts,
    tick: Interval,
    ticks: u32,
}

impl Router {
    /// A router that has joined nothing. Must be called within a tokio runtime.
    pub(super) fn new(settings: RouterSettings) -> (Self, RouterHandle, GossipEnds) {
        let RouterSettings { digests, relay, slot_duration, direct } = settings;
        let rule = |phase0| if phase0 { IdRule::Phase0 } else { IdRule::Altair };
        let digests: Arc<[_]> = digests.into_iter().map(|(digest, phase0)| (digest, rule(phase0))).collect();
        let score_clock = ScoreClock::new(slot_duration);
        let prepared = Prepared::default();
        let mut inner = inner(&prepared, digests.iter().map(|(digest, _)| *digest).collect(), score_clock);
        direct.iter().for_each(|peer_id| inner.add_explicit_peer(peer_id));
        let (command_sender, commands) = mpsc::channel(COMMANDS);
        let (reports_in, reports) = mpsc::channel(WAITING);
        let (messages, message_receiver) = mpsc::channel(WAITING);
        let (events, event_receiver) = mpsc::channel(EVENTS);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let now = Instant::now();
        let router = Self {
            inner,
            prepared,
            digests: digests.clone(),
            score_clock,
            book: HashMap::new(),
            next_serial: 0,
            witnesses: HashMap::new(),
            witness_key: RandomState::new(),
            low: HashSet::new(),
            seen: SeenCache::new(now),
            fingerprints: Fingerprints::new(now),
            corroboration: match relay {
                RelayPolicy::Strict => None,
                RelayPolicy::Corroborated { copies } => Some(Corroboration::new(copies, now)),
            },
            held: Held::default(),
            brought: Brought::default(),
            arrivals: VecDeque::new(),
            decided: Vec::new(),
            commands,
            reports_in,
            reports,
            report_buffer: Vec::with_capacity(REPORTS_AT_ONCE),
            messages,
            room: Room::default(),
            events,
            counts: GossipCounts::new(),
            tick,
            ticks: 0,
        };
        let handle = RouterHandle { commands: command_sender, digests };
        (router, handle, GossipEnds { messages: message_receiver, events: event_receiver })
    }

    fn on_command(&mut self, command: RouterCommand) {
        match command {
            RouterCommand::Subscribe(topics) => topics.into_iter().for_each(|topic| self.subscribe(topic)),
            RouterCommand::Unsubscribe(topics) => topics.into_iter().for_each(|topic| self.unsubscribe(topic)),
            RouterCommand::Publish { message, reply } => {
                // receiver gone: nobody wants to know
                let _ = reply.send(self.publish(message));
            }
            RouterCommand::TakeCounts(reply) => {
                // receiver gone: these counts are lost
                let _ = reply.send(self.take_counts());
            }
        }
    }

    fn subscribe(&mut self, subscription: TopicSubscription) {
        let TopicSubscription { topic, max_ssz_bytes, lane, score, corroborable, outdated } = subscription;
        let Some(rule) = id_rule(&self.digests, topic.fork_digest) else {
            warn!(%topic, "topic of an unknown digest is not joined");
            return;
        };
        let inner_topic = IdentTopic::new(topic.to_string());
        let serial = self.next_serial;
        self.next_serial += 1;
        let joined = JoinedTopic { topic, rule, max_ssz_bytes, lane, corroborable, outdated, serial };
        self.book.insert(inner_topic.hash(), joined);
        let params = score::topic_params(score, self.score_clock);
        let scored = self.inner.set_topic_params(inner_topic.clone(), params).map_err(str::to_owned);
        let joined = self.inner.subscribe(&inner_topic).map_err(|error| error.to_string());
        if let Err(error) = scored.and(joined) {
            // scores are on, and the filter knows every digest of ours: a bug
            warn!(%topic, error, "topic is not joined");
            self.book.remove(&inner_topic.hash());
        }
    }

    fn unsubscribe(&mut self, topic: GossipTopic) {
        let topic = IdentTopic::new(topic.to_string());
        self.book.remove(&topic.hash());
        self.inner.unsubscribe(&topic);
    }

    fn publish(&mut self, message: Outgoing) -> Result<Published, PublishError> {
        let Outgoing { topic, message_id, data } = message;
        if let Sighting::Again { .. } = self.seen.look(&message_id, Instant::now()) {
            return Err(PublishError::Duplicate);
        }
        let topic = TopicHash::from_raw(topic);
        let peers = self.reach(&topic);
        self.prepared.lay_outbound(message_id, data);
        let Err(failure) = self.inner.publish(topic, Vec::new()) else {
            self.seen.settle(&message_id, Standing::Settled);
            return Ok(Published { message_id, peers });
        };
        match failure {
            gossipsub::PublishError::Duplicate => Err(PublishError::Duplicate),
            gossipsub::PublishError::AllQueuesFull(peers) => {
                self.seen.settle(&message_id, Standing::Settled);
                Err(PublishError::QueuesFull { peers })
            }
            gossipsub::PublishError::MessageTooLarge => {
                self.seen.forget(&message_id);
                Err(PublishError::TooLarge)
            }
            // nothing is signed, and transforming cannot fail
            gossipsub::PublishError::NoPeersSubscribedToTopic
            | gossipsub::PublishError::SigningError(_)
            | gossipsub::PublishError::TransformFailed(_) => {
                self.seen.forget(&message_id);
                Err(PublishError::NoPeers)
            }
        }
    }

    /// How many peers libp2p's router sends a message of ours to: all of the mesh, and as many others as bring it to D,
    /// of those that are subscribed and in good standing. A topic that is not joined goes to D of them.
    fn reach(&self, topic: &TopicHash) -> usize {
        let in_good_standing =
            |peer_id: &PeerId| self.inner.peer_score(peer_id).is_none_or(|score| score >= score::PUBLISH);
        let subscribed = self.inner.all_peers().filter(|(_, topics)| topics.contains(&topic));
        let candidates = subscribed.filter(|(peer_id, _)| in_good_standing(peer_id)).count();
        let mesh = self.inner.mesh_peers(topic).filter(|peer_id| in_good_standing(peer_id)).count();
        mesh.max(candidates.min(params::MESH_N))
    }

    fn take_counts(&mut self) -> GossipCounts {
        let mut counts = std::mem::replace(&mut self.counts, GossipCounts::new());
        counts.peers = self.inner.all_peers().count();
        counts.seen_ids = self.seen.len();
        counts.seen_bytes = self.seen.bytes();
        counts.waiting = self.reports_in.max_capacity() - self.reports_in.capacity();
        for topic in self.inner.topics() {
            let Some(joined) = self.book.get(topic) else { continue };
            let kind = counts.of_mut(joined.topic.name.kind());
            kind.topics += 1;
            kind.mesh_peers += self.inner.mesh_peers(topic).count();
        }
        counts
    }

    fn on_report(&mut self, report: Report) {
        let Report { message_id, peer_id, acceptance, lost } = report;
        self.counts.lost_verdicts += u64::from(lost);
        match acceptance {
            Acceptance::Accept => self.conclude(message_id, peer_id, MessageAcceptance::Accept),
            Acceptance::Ignore => self.conclude(message_id, peer_id, MessageAcceptance::Ignore),
            Acceptance::Reject => self.conclude(message_id, peer_id, MessageAcceptance::Reject),
            Acceptance::Corroborate(rivalry) => {
                let table = self.corroboration.as_mut();
                match table.map(|table| table.ask(message_id, peer_id, rivalry, Instant::now())) {
                    Some(Asked::Waiting) => {}
                    Some(Asked::Decided(outcome)) => self.on_corroboration(outcome),
                    Some(Asked::Unknown) | None => self.conclude(message_id, peer_id, MessageAcceptance::Ignore),
                }
            }
        }
    }

    fn on_corroboration(&mut self, outcome: Outcome) {
        let Outcome { message_id, topic, peer_id, relayed, networks } = outcome;
        let acceptance = if relayed { MessageAcceptance::Accept } else { MessageAcceptance::Ignore };
        self.counts.of_mut(topic.name.kind()).corroborated += u64::from(relayed);
        self.conclude(message_id, peer_id, acceptance);
        self.tell(RouterEvent::Corroborated { message_id, topic, relayed, networks });
    }

    /// The verdict of a message, for libp2p's router.
    fn conclude(&mut self, message_id: MessageId, peer_id: PeerId, acceptance: MessageAcceptance) {
        if let Some(table) = &mut self.corroboration {
            table.forget(&message_id);
        }
        let rejected = matches!(acceptance, MessageAcceptance::Reject);
        let standing = if rejected { Standing::Rejected } else { Standing::Settled };
        self.seen.settle(&message_id, standing);
        let copies = self.held.take(&message_id);
        let senders: Vec<_> = copies.iter().map(|copy| copy.peer_id).chain([peer_id]).filter(|_| rejected).collect();
        if !matches!(acceptance, MessageAcceptance::Ignore) {
            copies.into_iter().for_each(|copy| self.release(message_id, copy));
        }
        let in_time = self.inner.report_message_validation_result(&inner_id(message_id), &peer_id, acceptance);
        self.counts.late_verdicts += u64::from(!in_time);
        senders.into_iter().for_each(|peer_id| self.check_score(peer_id));
    }

    /// Gives a copy that was held to libp2p's router, unless its sender is gone.
    fn release(&mut self, message_id: MessageId, copy: HeldCopy) {
        let HeldCopy { peer_id, connection_id, event } = copy;
        if self.witnesses.contains_key(&connection_id) {
            let brought = Brought { payloads: vec![(message_id, Vec::new())], ..Brought::default() };
            self.pass_on(peer_id, connection_id, event, brought);
        }
    }

    /// Gives libp2p's router what a connection brought.
    fn pass_on(&mut self, peer_id: PeerId, connection_id: ConnectionId, event: InnerEvent, brought: Brought) {
        let start = self.arrivals.len();
        self.arrivals.extend(brought.arrivals);
        self.prepared.lay_inbound(brought.payloads);
        self.inner.on_connection_handler_event(peer_id, connection_id, event);
        if self.prepared.clear_inbound() {
            self.unsee(start);
        }
    }

    /// Looks at what an RPC brings; whether libp2p's router is to see any of it, and how.
    fn look_at(&mut self, peer_id: PeerId, connection_id: ConnectionId, event: &mut InnerEvent) -> Inflow {
        let InnerEvent::Message { rpc, invalid_messages } = event else { return Inflow::Mixed };
        let controls = rpc.control_msgs.len();
        rpc.control_msgs.retain(control::ids_are_well_formed);
        self.counts.bad_control += (controls - rpc.control_msgs.len()) as u64;
        let witness = self.witnesses.get(&connection_id).copied().filter(|_| !self.low.contains(&peer_id));
        let inflow = self.admit_all(peer_id, witness, &mut rpc.messages, invalid_messages);
        let messages_alone = rpc.subscriptions.is_empty() && rpc.control_msgs.is_empty() && invalid_messages.is_empty();
        if messages_alone { inflow } else { Inflow::Mixed }
    }

    /// Reports a peer whose score has just fallen too low.
    fn check_score(&mut self, peer_id: PeerId) {
        if let Some(score) = self.low_score(peer_id)
            && self.low.insert(peer_id)
        {
            self.tell(RouterEvent::ScoreTooLow { peer_id, score });
        }
    }

    /// The score of a connected peer that is too low to listen to it.
    fn low_score(&self, peer_id: PeerId) -> Option<f64> {
        let score = self.inner.peer_score(&peer_id).filter(|score| *score < score::GRAYLIST)?;
        self.inner.all_peers().any(|(known, _)| *known == peer_id).then_some(score)
    }

    /// Reports every peer whose score is too low, known or not: whoever should have left it may not have heard.
    fn sweep_scores(&mut self) {
        let scores =
            self.inner.all_peers().filter_map(|(peer_id, _)| Some((*peer_id, self.inner.peer_score(peer_id)?)));
        let low: Vec<_> = scores.filter(|(_, score)| *score < score::GRAYLIST).collect();
        self.low = low.iter().map(|(peer_id, _)| *peer_id).collect();
        for (peer_id, score) in low {
            self.tell(RouterEvent::ScoreTooLow { peer_id, score });
        }
    }

    fn on_tick(&mut self) {
        let now = Instant::now();
        if let Some(table) = &mut self.corroboration {
            for outcome in table.expire(now) {
                self.on_corroboration(outcome);
            }
        }
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(TICKS_PER_SWEEP) {
            self.seen.prune(now);
            self.held.prune(now);
            self.sweep_scores();
        }
    }

    fn tell(&mut self, event: RouterEvent) {
        self.counts.events_dropped += u64::from(self.events.try_send(event).is_err());
    }

    /// What libp2p's router brings out; what is left of it is for libp2p's metrics.
    fn on_inner_event(&mut self, event: gossipsub::Event) -> Option<gossipsub::Event> {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                self.on_message(propagation_source, &message_id, message.data);
                None
            }
            gossipsub::Event::SlowPeer { peer_id, failed_messages } => {
                let dropped = failed_messages.priority.saturating_add(failed_messages.non_priority);
                self.tell(RouterEvent::SlowPeer { peer_id, dropped });
                None
            }
            event @ (gossipsub::Event::Subscribed { .. }
            | gossipsub::Event::Unsubscribed { .. }
            // never, since a stream is taken to be agreed on before its peer has answered
            | gossipsub::Event::GossipsubNotSupported { .. }) => Some(event),
        }
    }

    fn poll_reports(&mut self, cx: &mut Context<'_>) {
        let mut buffer = std::mem::take(&mut self.report_buffer);
        while let Poll::Ready(1..) = self.reports.poll_recv_many(cx, &mut buffer, REPORTS_AT_ONCE) {
            for report in buffer.drain(..) {
                self.on_report(report);
            }
        }
        self.report_buffer = buffer;
    }
}

/// libp2p's router, set for Ethereum.
fn inner(prepared: &Prepared, digests: Vec<ForkDigest>, clock: ScoreClock) -> Inner {
    let ids = prepared.clone();
    let config = params::config(move |_| ids.take_id());
    let mut inner = Inner::new_with_subscription_filter_and_transform(
        MessageAuthenticity::Anonymous,
        config,
        filter::filter(digests),
        prepared.clone(),
    )
    .expect("anonymous authenticity matches anonymous validation");
    inner
        .with_peer_score(score::peer_params(clock), score::thresholds())
        .expect("the parameters of any slot time are valid: see score's tests");
    inner
}

impl NetworkBehaviour for Router {
    type ConnectionHandler = THandler<Inner>;
    type ToSwarm = gossipsub::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection_id: ConnectionId,
        peer_id: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(connection_id, peer_id, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection_id: ConnectionId,
        peer_id: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(connection_id, peer_id, address, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(connection) => {
                let address = connection.endpoint.get_remote_address();
                let witness = Witness::new(address, &connection.peer_id, &self.witness_key);
                self.witnesses.insert(connection.connection_id, witness);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, remaining_established, .. }) => {
                self.witnesses.remove(&connection_id);
                if remaining_established == 0 {
                    self.low.remove(&peer_id);
                }
            }
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer_id: PeerId,
        connection_id: ConnectionId,
        mut event: THandlerOutEvent<Self>,
    ) {
        let inflow = self.look_at(peer_id, connection_id, &mut event);
        match inflow {
            Inflow::Nothing => {}
            // the copy that decided a corroboration is noted at once: its outcome waits for nothing else
            Inflow::Copy(id) if self.decided.is_empty() && self.held.has_room(&id) => {
                self.brought.clear();
                self.held.hold(id, HeldCopy { peer_id, connection_id, event }, Instant::now());
            }
            Inflow::Copy(_) | Inflow::Mixed => {
                let blamed =
                    matches!(&event, InnerEvent::Message { invalid_messages, .. } if !invalid_messages.is_empty());
                let brought = std::mem::take(&mut self.brought);
                self.pass_on(peer_id, connection_id, event, brought);
                if blamed {
                    self.check_score(peer_id);
                }
            }
        }
        while let Some(outcome) = self.decided.pop() {
            self.on_corroboration(outcome);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.poll_reports(cx);
        while let Poll::Ready(Some(command)) = self.commands.poll_recv(cx) {
            self.on_command(command);
        }
        while self.tick.poll_tick(cx).is_ready() {
            self.on_tick();
        }
        loop {
            match self.inner.poll(cx) {
                Poll::Ready(ToSwarm::GenerateEvent(event)) => {
                    if let Some(event) = self.on_inner_event(event) {
                        return Poll::Ready(ToSwarm::GenerateEvent(event));
                    }
                }
                // direct peers that are away: who is dialled, and when, is decided elsewhere
                Poll::Ready(ToSwarm::Dial { .. }) => {}
                other => return other,
            }
        }
    }
}
