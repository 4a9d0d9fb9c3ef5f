//! `Eth2Node`: owns discovery, switch, handshakes and peers; its loop dispatches, nothing more.
//!
//! Built by [`super::Eth2NodeBuilder`], run by `BeaconNode` or by a test. Attempts and errands run as tasks of their
//! own and come back as values; the loop never awaits the network. Here, and only here, a fault becomes a back-off,
//! a goodbye or a disconnect.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use tokio::sync::{mpsc, watch};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::actions::{cover_of, cover_of_plan};
use super::attempt::{Attempt, shake_hands};
use super::connection::{Connection, Handshaker, Ready, Refused, close};
use super::discovery_loop::DiscoveryLoop;
use super::errand::{Errand, ask_for_record, run_errand};
use super::handle::{NodeCommand, NodeSnapshot};
use super::hearing::Hearing;
use super::report::PeerReport;
use super::tell;
use crate::chain::{ChainNow, check_status};
use crate::discovery::{Candidate as Found, Discovery, EnrUpdateReason, Predicate, Refusal};
use crate::events::NodeEvent;
use crate::fault::{Classify, Fault};
use crate::gossip::{Conduct, Duties, Plan, Subscriptions};
use crate::handshake::{CLOCK_TOLERANCE_SLOTS, Heard, LocalView, Rejection};
use crate::peers::{
    Admission, BootstrapFailure, Candidate, Cause, Cover, Exceeded, IpGroup, Misbehaviour, Outcome, PeerManager,
    Removal, Source, Upkeep, UpkeepAction,
};
use crate::rpc::{Asker, Origin};
use crate::store::{PeerBook, sequence};
use crate::switch::{ConnectionId, DialFailure, RawConnection, StreamOpener, SwitchEvent};
use crate::tasks::TaskGroup;
use crate::time::{milliseconds, unix_now_ms};
use crate::transport::ip_of;
use crate::types::{BookEntry, Direction, Epoch, GoodbyeReason, KnownPeer, MetaData, Multiaddr, PeerId, StatusMessage};

/// All goodbyes of a shutdown together.
const FAREWELL: Duration = Duration::from_secs(1);

/// Handshakes that peers behind one public address, or one IPv6 /64, may have under way.
///
/// One host then holds an eighth of the places for the deadline of a handshake.
const INBOUND_PER_GROUP: usize = 8;

/// Refused peers that are told so at once; whoever comes beyond that is hung up on without a word.
///
/// Each holds its connection for up to a second: without a bound, those who are refused would take the room of those who
/// are not.
pub(super) const TURNED_AWAY: usize = 16;

/// From hanging up until a peer counts as gone although its connection has not closed.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// A goodbye that found no attempt to end is forgotten after this, four times the deadline of the handshakes.
const EARLY_GOODBYE_LIFE: Duration = Duration::from_secs(60);

/// A ping that takes longer counts against a peer: half a dozen times the round trip to the far side of the world.
const SLOW: Duration = Duration::from_secs(2);

/// Errands that may run at once: upkeep waits beyond it, closings do not. About two for each of the 130 peers that the
/// default target admits.
const ERRANDS: usize = 256;

/// The network node. Cancel its token to stop it in order.
#[must_use = "a node does nothing until run"]
#[derive(Debug)]
pub struct Eth2Node {
    pub(super) handshaker: Handshaker,
    pub(super) discovery: Arc<dyn Discovery>,
    /// Started when the node runs.
    pub(super) lookups: Option<DiscoveryLoop>,
    pub(super) predicate: Predicate,
    pub(super) manager: PeerManager<ConnectionId>,
    pub(super) rng: ChaCha8Rng,
    /// Peers given by flag, file or network as bootstrap nodes.
    pub(super) bootnodes: usize,
    /// Those of them without an address that we could dial.
    pub(super) undialable_bootnodes: usize,
    pub(super) started: Instant,
    pub(super) sessions: BTreeMap<ConnectionId, Session>,
    /// Goodbyes over connections whose handshakes are under way; as many as peers say in [`EARLY_GOODBYE_LIFE`].
    pub(super) early_goodbyes: BTreeMap<ConnectionId, (GoodbyeReason, Instant)>,
    /// What peers that dialled us say while their handshakes are under way.
    pub(super) hearing: Hearing,
    /// Attempts at candidates, at most [`Limits::max_pending_outbound`](crate::peers::Limits).
    pub(super) outbound: JoinSet<Attempt>,
    /// Attempts that peers began, at most [`Limits::max_pending_inbound`](crate::peers::Limits).
    pub(super) inbound: JoinSet<Attempt>,
    /// With whom the attempts of either direction are.
    pub(super) attempted: HashMap<task::Id, PeerId>,
    /// From where the attempts of peers come, unless from a private network.
    pub(super) inbound_groups: HashMap<task::Id, IpGroup>,
    pub(super) errands: JoinSet<Option<Errand>>,
    /// Leaves of peers for whom there is no place: at most [`TURNED_AWAY`] are told goodbye, the others are hung up on at
    /// once.
    pub(super) turned_away: JoinSet<()>,
    pub(super) postponed: VecDeque<Upkeep<ConnectionId>>,
    pub(super) switch_events: mpsc::Receiver<SwitchEvent>,
    pub(super) reports: mpsc::Receiver<PeerReport>,
    pub(super) commands: mpsc::Receiver<NodeCommand>,
    pub(super) candidates: mpsc::Receiver<Found>,
    pub(super) now: watch::Receiver<ChainNow>,
    pub(super) fork_since: Epoch,
    /// Attempts that came to nothing since the last summary, by reason; labels are few.
    pub(super) refusals: BTreeMap<&'static str, usize>,
    /// What is remembered of peers, where that is wanted.
    pub(super) book: Option<PeerBook>,
    /// What a former run left, until the node runs.
    pub(super) recalled: Vec<BookEntry>,
    /// Whether a targeted lookup is under way.
    pub(super) looking: bool,
    pub(super) subscriptions: Subscriptions,
    /// What we take part in this epoch; **newest wins**. Record, metadata and topics are made of it.
    pub(super) plan: watch::Sender<Arc<Plan>>,
    /// What we tell of ourselves; **newest wins**.
    pub(super) metadata: watch::Sender<MetaData>,
    /// What the router finds wrong with peers.
    pub(super) conduct: mpsc::Receiver<(PeerId, Conduct)>,
    pub(super) demand: watch::Sender<bool>,
    pub(super) snapshot: watch::Sender<NodeSnapshot>,
    pub(super) tasks: TaskGroup,
}

/// The connection of a ready peer, or its spare one.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer_id: PeerId,
    pub(super) opener: StreamOpener,
    pub(super) asker: Asker,
    /// Why it ends, once that is known.
    ending: Option<Ending>,
}

impl Session {
    pub(super) const fn is_ending(&self) -> bool {
        self.ending.is_some()
    }
}

/// Why a session ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) reason: &'static str,
    pub(super) goodbye: Option<GoodbyeReason>,
    pub(super) cause: Cause,
}

/// What a node did until it stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Farewell {
    /// Peers that were told goodbye.
    pub goodbyes: usize,
}

impl Eth2Node {
    /// Adds a peer to the routing table (if it has a record) and to the dial queue. Of one that is known by an address for
    /// discovery alone, the record is asked for first.
    pub(super) fn add_known_peer(&mut self, peer: KnownPeer, source: Source) {
        if let Some(address) = peer.discovery_address() {
            self.errands.spawn(ask_for_record(self.discovery.clone(), address, source));
            return;
        }
        let (peer_id, addresses, cover) = match peer {
            KnownPeer::Multiaddr { peer_id, address } => (peer_id, vec![address], Cover::default()),
            KnownPeer::Enr(enr) => {
                if let Err(error) = self.discovery.add_enr((*enr).clone()) {
                    tracing::debug!(%error, enr = %enr.to_base64(), "record not added to the routing table");
                }
                match self.predicate.judge_bootnode(&enr) {
                    Ok(found) => (found.peer_id, found.addresses, cover_of(&found.enr)),
                    Err(refusal) => return self.on_undialable(source, refusal),
                }
            }
        };
        let pushed = self.manager.on_candidate(Candidate { peer_id, addresses, source }, cover, Instant::now());
        tracing::debug!(%peer_id, ?pushed, source = source.as_str(), "known peer added");
    }

    fn on_undialable(&mut self, source: Source, refusal: Refusal) {
        tracing::debug!(reason = refusal.as_str(), source = source.as_str(), "known peer cannot be dialled");
        match (source, refusal) {
            // the first node of a network is a boot node itself
            (Source::BootNode, Refusal::OwnRecord) => self.bootnodes -= 1,
            (Source::BootNode, _) => self.undialable_bootnodes += 1,
            (Source::KnownPeer | Source::Discovered, _) => {}
        }
    }

    /// Drives the node until `stop` is cancelled or a critical task ends, then says goodbye to everyone.
    ///
    /// Must be polled by one task. Not cancel safe: dropping it leaves peers without a goodbye.
    pub async fn run(mut self, stop: CancellationToken) -> Farewell {
        let group = self.tasks.token().clone();
        self.recall();
        if self.now.borrow().slot.is_some() {
            self.begin_dialling();
        }
        if let Some(lookups) = self.lookups.take() {
            self.tasks.spawn_critical("discovery_loop", lookups.run_discovery_loop(group.clone()));
        }
        loop {
            let wakeup = self.act();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = group.cancelled() => break,
                Some(report) = self.reports.recv() => self.on_report(report),
                Some(done) = self.outbound.join_next_with_id() => self.on_attempt(done),
                Some(done) = self.inbound.join_next_with_id() => self.on_attempt(done),
                Some(done) = self.errands.join_next() => self.on_errand(done),
                Some(_) = self.turned_away.join_next() => {}
                Some(event) = self.switch_events.recv() => self.on_switch_event(event),
                Some(command) = self.commands.recv() => self.on_command(command),
                Some((peer_id, conduct)) = self.conduct.recv() => self.on_conduct(peer_id, conduct),
                Ok(()) = self.now.changed() => self.on_slot(),
                Some(found) = self.candidates.recv(), if self.manager.takes_discovered(Instant::now()) => self.on_candidate(found),
                () = sleep_until(wakeup) => {}
            }
        }
        self.say_farewell().await
    }

    /// Dialling may begin, and with it the time in which a bootstrap node must have been reached.
    fn begin_dialling(&mut self) {
        self.manager.begin_dialling();
        if self.bootnodes > 0 {
            self.manager.begin_bootstrap(self.undialable_bootnodes, Instant::now());
        }
    }

    // --- attempts

    pub(super) fn on_candidate(&mut self, found: Found) {
        let cover = cover_of(&found.enr);
        let candidate = Candidate { peer_id: found.peer_id, addresses: found.addresses, source: Source::Discovered };
        // refused: discovery will find it again
        let _ = self.manager.on_candidate(candidate, cover, Instant::now());
    }

    fn on_inbound(&mut self, raw: RawConnection) {
        if !self.manager.is_known(&raw.peer_id) && self.inbound_is_full(&raw.address) {
            return self.shut_out(raw);
        }
        if let Err(exceeded) = self.manager.check(Direction::Inbound, &raw.peer_id, &raw.address) {
            return self.turn_away(raw, exceeded);
        }
        self.manager.on_connected(raw.peer_id, Instant::now());
        let (peer_id, group) = (raw.peer_id, IpGroup::of(&raw.address));
        let heard = Some(self.hearing.begin(raw.connection_id));
        let attempt = self.inbound.spawn(shake_hands(self.handshaker.clone(), Connection::new(raw), heard));
        self.attempted.insert(attempt.id(), peer_id);
        if let Some(group) = group {
            self.inbound_groups.insert(attempt.id(), group);
        }
    }

    /// Whether too many handshakes that peers began are under way, in all or with this address's neighbours.
    fn inbound_is_full(&self, address: &Multiaddr) -> bool {
        let group = IpGroup::of(address);
        let same = || self.inbound_groups.values().filter(|other| Some(**other) == group).count();
        self.inbound.len() >= self.manager.limits().max_pending_inbound
            || (group.is_some() && same() >= INBOUND_PER_GROUP)
    }

    /// Closes a connection that there is no hand free to shake; whoever floods us gets no goodbye and no long line.
    fn shut_out(&mut self, raw: RawConnection) {
        self.emit(NodeEvent::ConnectionFailed {
            address: raw.address.to_string(),
            reason: "denied",
            fault: Fault::Local,
            error: "too many handshakes under way".to_owned(),
        });
        self.hang_up(raw.peer_id, raw.connection_id, raw.opener, None);
    }

    /// Refuses a connection for want of a place, or because its peer is banned.
    fn turn_away(&mut self, raw: RawConnection, exceeded: Exceeded) {
        *self.refusals.entry(exceeded.as_str()).or_default() += 1;
        let goodbye = Some(exceeded.goodbye()).filter(|_| self.turned_away.len() < TURNED_AWAY);
        let farewell = self.farewell(raw.peer_id, raw.connection_id, raw.opener.clone(), goodbye);
        self.turned_away.spawn(farewell);
        let error = match exceeded {
            Exceeded::Banned => "banned for a while for what it did".to_owned(),
            _ => "no place for another peer (see --target-peers)".to_owned(),
        };
        let rejection = Rejection { goodbye, fault: Fault::Local, reason: exceeded.as_str(), error };
        let refused = Refused { step: "limits", rejection, after: Duration::ZERO, raw };
        self.emit(tell::handshake_rejected(&refused, None, self.manager.is_bootstrap(&refused.raw.peer_id)));
    }

    fn on_attempt(&mut self, done: Result<(task::Id, Attempt), JoinError>) {
        let id = done.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        self.attempted.remove(&id);
        self.inbound_groups.remove(&id);
        let attempt = match done {
            Ok((_, attempt)) => attempt,
            // the queue gives the peer up by itself once the attempt's time is over
            Err(error) => return tracing::error!(%error, "an attempt died"),
        };
        match attempt {
            Attempt::Failed { candidate, failure, duration } => self.on_dial_failed(candidate, &failure, duration),
            Attempt::Refused(refused) => self.on_refused(&refused),
            Attempt::Ready(connection) => self.on_ready(connection),
        }
    }

    fn on_dial_failed(&mut self, candidate: Candidate, failure: &DialFailure, duration: Duration) {
        let now = Instant::now();
        let Candidate { peer_id, addresses, source } = candidate;
        if let DialFailure::Addresses { silent, .. } = failure {
            for address in silent {
                self.manager.on_address_silent(address, now, &mut self.rng);
            }
        }
        let outcome = Outcome::Failed { direction: Direction::Outbound, cause: tell::cause(failure) };
        let retry_in = self.manager.on_outcome(peer_id, outcome, now, &mut self.rng);
        if matches!(failure, DialFailure::AlreadyConnected) {
            // that is what the dial was for
            return tracing::debug!(%peer_id, "dialled a peer that was connected meanwhile");
        }
        self.charge(peer_id, Misbehaviour::Handshake(failure.fault()), addresses.first());
        *self.refusals.entry(failure.reason()).or_default() += 1;
        let bootstrap = source == Source::BootNode;
        if bootstrap {
            self.manager.on_bootstrap_failure(tell::bootstrap_failure(failure.reason(), failure.fault()));
        }
        self.emit(NodeEvent::DialFailed {
            peer_id,
            reason: failure.reason(),
            fault: failure.fault(),
            error: tell::dial_error(failure, &addresses),
            duration_ms: milliseconds(duration),
            retry_in_ms: milliseconds(retry_in),
            bootstrap,
        });
    }

    fn on_refused(&mut self, refused: &Refused) {
        self.hearing.end(refused.raw.connection_id);
        let (peer_id, direction, fault) = (refused.raw.peer_id, refused.raw.direction, refused.rejection.fault);
        let goodbye = self.early_goodbyes.remove(&refused.raw.connection_id).map(|(goodbye, _)| goodbye);
        // both sides had dialled, and the peer has closed the connection that both give up
        let second = refused.rejection.goodbye.is_none() && goodbye.is_none() && self.is_met_otherwise(&peer_id);
        let cause =
            if second { Cause::Local } else { goodbye.map_or_else(|| tell::cause(&refused.rejection), Cause::from) };
        self.manager.on_outcome(peer_id, Outcome::Failed { direction, cause }, Instant::now(), &mut self.rng);
        if second {
            return tracing::debug!(%peer_id, step = refused.step, "second connection closed");
        }
        if goodbye.is_none() {
            self.charge(peer_id, Misbehaviour::Handshake(fault), Some(&refused.raw.address));
        }
        *self.refusals.entry(refused.rejection.reason).or_default() += 1;
        let bootstrap = self.manager.is_bootstrap(&peer_id);
        if direction == Direction::Outbound && bootstrap {
            self.manager.on_bootstrap_failure(match goodbye {
                Some(GoodbyeReason::TOO_MANY_PEERS) => BootstrapFailure::Busy,
                Some(GoodbyeReason::IRRELEVANT_NETWORK) => BootstrapFailure::WrongNetwork,
                _ => tell::bootstrap_failure(refused.rejection.reason, fault),
            });
        }
        self.emit(tell::handshake_rejected(refused, goodbye, bootstrap));
    }

    /// Whether the peer is ready, or is being attempted, over another connection than the one that has just ended.
    fn is_met_otherwise(&self, peer_id: &PeerId) -> bool {
        self.manager.table().get(peer_id).is_some() || self.attempted.values().any(|other| other == peer_id)
    }

    fn on_ready(&mut self, connection: Connection<Ready>) {
        let now = Instant::now();
        let Connection { raw, state } = connection;
        self.hearing.end(raw.connection_id);
        if raw.opener.is_closed() || self.early_goodbyes.contains_key(&raw.connection_id) {
            return self.on_left(raw, state.duration);
        }
        let (peer_id, direction) = (raw.peer_id, raw.direction);
        let known = self.manager.is_known(&peer_id);
        let Some(record) = tell::peer_record(&raw, &state, known, now) else {
            // a registry without the Status step makes no peers
            self.hang_up(peer_id, raw.connection_id, raw.opener, None);
            return;
        };
        let completed = match self.manager.table().get(&peer_id) {
            Some(former) => tell::replaced(&record, former),
            None => tell::handshake_completed(&raw, &state, &record, self.manager.is_bootstrap(&peer_id)),
        };
        match self.manager.try_admit(record, now) {
            Admission::Refused(exceeded) => return self.on_no_place(raw, exceeded),
            Admission::Surplus => {
                self.end_needless_attempt(peer_id, direction);
                return self.hang_up(peer_id, raw.connection_id, raw.opener, None);
            }
            Admission::Spare(settlement) => {
                self.end_needless_attempt(peer_id, direction);
                self.sessions.insert(raw.connection_id, self.session(peer_id, raw.opener));
                return self.settle_soon(peer_id, settlement);
            }
            Admission::Replaced(settlement) => self.settle_soon(peer_id, settlement),
            Admission::Accepted => {}
        }
        if direction == Direction::Outbound {
            self.manager.on_address_reached(&raw.address);
        }
        self.manager.on_outcome(peer_id, Outcome::Ready { direction }, now, &mut self.rng);
        if let Some(seq_number) = state.transcript.ping_seq {
            self.manager.on_ping(&peer_id, seq_number, now);
        }
        self.sessions.insert(raw.connection_id, self.session(peer_id, raw.opener));
        self.emit(completed);
        if self.manager.is_bootstrap(&peer_id) && self.manager.on_bootstrap_success() {
            let duration_ms = milliseconds(self.started.elapsed());
            self.emit(NodeEvent::BootstrapCompleted { peer_id, duration_ms });
        }
        self.remember(&peer_id);
        self.publish();
    }

    /// The peer answered every handshake and left before it was ready, with or without a goodbye.
    fn on_left(&mut self, raw: RawConnection, after: Duration) {
        if !raw.opener.is_closed() {
            self.hang_up(raw.peer_id, raw.connection_id, raw.opener.clone(), None);
        }
        let error = "the peer closed the connection as the handshakes ended".to_owned();
        let rejection = Rejection { goodbye: None, fault: Fault::Transient, reason: "closed", error };
        self.on_refused(&Refused { step: "end", rejection, after, raw });
    }

    fn on_no_place(&mut self, raw: RawConnection, exceeded: Exceeded) {
        let outcome = Outcome::Failed { direction: raw.direction, cause: exceeded.cause() };
        self.manager.on_outcome(raw.peer_id, outcome, Instant::now(), &mut self.rng);
        self.turn_away(raw, exceeded);
    }

    // --- what the network says

    fn on_switch_event(&mut self, event: SwitchEvent) {
        match event {
            SwitchEvent::Inbound(raw) => self.on_inbound(raw),
            SwitchEvent::Closed { connection_id, cause, .. } => self.on_closed(connection_id, cause),
            SwitchEvent::InboundFailed { address, failure } => self.emit(NodeEvent::ConnectionFailed {
                address: address.to_string(),
                reason: failure.reason(),
                fault: failure.fault(),
                error: failure.to_string(),
            }),
            SwitchEvent::ListenOpened(address) => {
                self.on_link_changed(&address);
                self.emit(NodeEvent::ListenOpened { address: address.to_string() });
            }
            SwitchEvent::ListenExpired(address) => {
                self.on_link_changed(&address);
                self.emit(NodeEvent::ListenExpired { address: address.to_string() });
            }
            SwitchEvent::ListenClosed { addresses, error } => {
                let addresses = tell::joined(&addresses);
                self.emit(NodeEvent::ListenClosed { addresses, error });
            }
            SwitchEvent::InboundStreamDropped { peer_id, protocol } => self.emit(NodeEvent::RpcRejected {
                peer_id,
                method: tell::method(&protocol),
                reason: "overloaded",
                fault: Fault::Local,
                error: "too many streams wait to be served".to_owned(),
            }),
        }
    }

    /// An interface came or went: connections over it may be dead, and failures without it are void.
    fn on_link_changed(&mut self, address: &Multiaddr) {
        if ip_of(address).is_some_and(|ip| !ip.is_loopback()) {
            self.manager.on_link_changed(Instant::now());
        }
    }

    fn on_closed(&mut self, connection_id: ConnectionId, cause: Option<String>) {
        self.hearing.end(connection_id);
        let Some(session) = self.sessions.remove(&connection_id) else { return };
        let record = match self.manager.remove(&session.peer_id, connection_id) {
            Removal::Gone(record) => record,
            Removal::Replaced(former) => return self.on_replaced(&session.peer_id, Some(former)),
            Removal::Unneeded => return,
        };
        if let Some(cause) = &cause {
            tracing::debug!(peer_id = %record.peer_id, error = %cause, "connection closed");
        }
        let ending = session.ending.unwrap_or_else(|| {
            // both sides had dialled, and the peer has decided first
            let second = self.is_met_otherwise(&record.peer_id);
            let lost = || (tell::close_reason(cause.as_deref()), Cause::Closed);
            let (reason, cause) = if second { ("duplicate", Cause::Local) } else { lost() };
            Ending { reason, goodbye: None, cause }
        });
        self.emit(tell::disconnected(&record, ending.reason, ending.goodbye));
        self.note(&record);
        self.manager.on_outcome(record.peer_id, Outcome::Gone { cause: ending.cause }, Instant::now(), &mut self.rng);
        self.publish();
    }

    fn on_report(&mut self, report: PeerReport) {
        let now = Instant::now();
        match report {
            PeerReport::Status(origin, status) => {
                self.hear(origin, |heard| heard.status = Some(status));
                self.on_status(origin.peer_id, status);
            }
            PeerReport::Ping(origin, seq_number) => {
                self.hear(origin, |heard| heard.ping_seq = Some(seq_number));
                self.manager.on_ping(&origin.peer_id, seq_number, now);
            }
            PeerReport::Goodbye(origin, goodbye) => self.on_goodbye(origin, goodbye),
            PeerReport::Fault(origin, fault) => self.charge(origin.peer_id, Misbehaviour::Request(fault), None),
        }
    }

    /// What is said over the connection of a ready peer is of no use to handshakes.
    fn hear(&mut self, Origin { connection_id, .. }: Origin, note: impl FnOnce(&mut Heard)) {
        if !self.sessions.contains_key(&connection_id) {
            self.hearing.note(connection_id, note);
        }
    }

    /// A goodbye ends the connection that it came over, and no other of the same peer.
    fn on_goodbye(&mut self, Origin { peer_id, connection_id }: Origin, goodbye: GoodbyeReason) {
        if self.manager.table().get(&peer_id).is_none_or(|record| record.connection != connection_id) {
            if self.attempted.values().any(|other| *other == peer_id) {
                let now = Instant::now();
                self.forget_early_goodbyes(now);
                self.early_goodbyes.insert(connection_id, (goodbye, now));
            }
            return;
        }
        let ending = Ending { reason: "goodbye_received", goodbye: Some(goodbye), cause: goodbye.into() };
        self.end_session(connection_id, ending, None);
    }

    /// Forgets what came too late for its attempt.
    fn forget_early_goodbyes(&mut self, now: Instant) {
        self.early_goodbyes.retain(|_, (_, at)| now.duration_since(*at) < EARLY_GOODBYE_LIFE);
    }

    fn on_status(&mut self, peer_id: PeerId, status: StatusMessage) {
        let Some(record) = self.manager.table().get(&peer_id) else { return };
        let connection_id = record.connection;
        self.manager.on_status(&peer_id, status, Instant::now());
        let local = &self.handshaker.local;
        let (digests, wall) = (local.accepted_digests(), local.wall_slot());
        if let Err(mismatch) = check_status(&local.status(), &status, &digests, wall, CLOCK_TOLERANCE_SLOTS) {
            tracing::debug!(%peer_id, error = %mismatch, "status no longer fits");
            let goodbye = Rejection::from_error(&mismatch).goodbye;
            let ending = Ending { reason: mismatch.reason(), goodbye, cause: tell::cause(&mismatch) };
            self.end_session(connection_id, ending, goodbye);
        }
    }

    /// The router finds something wrong with a peer. Whom it no longer listens to, we leave, unless somebody vouches for
    /// it.
    fn on_conduct(&mut self, peer_id: PeerId, conduct: Conduct) {
        let connection = self.manager.table().get(&peer_id).map(|record| record.connection);
        let stays = |session: &Session| session.ending.is_none();
        if connection.and_then(|connection| self.sessions.get(&connection)).is_some_and(stays) {
            let deed = match conduct {
                Conduct::LowScore => Misbehaviour::GossipScore,
                Conduct::TakesLong => Misbehaviour::Slow,
            };
            self.charge(peer_id, deed, None);
        }
    }

    fn session(&self, peer_id: PeerId, opener: StreamOpener) -> Session {
        let Handshaker { local, events, .. } = &self.handshaker;
        let asker = Asker::new(peer_id, opener.clone(), local.schedule(), events.clone());
        Session { peer_id, opener, asker, ending: None }
    }

    fn on_command(&mut self, command: NodeCommand) {
        match command {
            NodeCommand::AddKnownPeer(peer) => self.add_known_peer(peer, Source::KnownPeer),
            NodeCommand::Ask(query) => self.on_ask(query),
            NodeCommand::Fault(peer_id, fault) => self.on_answer_fault(peer_id, fault),
        }
    }

    // --- upkeep

    pub(super) fn run_upkeep(&mut self) {
        while self.errands.len() < ERRANDS {
            let Some(Upkeep { peer_id, connection, action }) = self.postponed.pop_front() else { return };
            let Some(session) = self.sessions.get(&connection) else { continue };
            if action == UpkeepAction::Disconnect {
                let goodbye = Some(GoodbyeReason::FAULT);
                let ending = Ending { reason: "ping_timeout", goodbye, cause: Cause::Transient };
                self.end_session(connection, ending, goodbye);
                continue;
            }
            let opener = session.opener.clone();
            self.errands.spawn(run_errand(self.handshaker.clone(), peer_id, opener, action));
        }
    }

    fn on_errand(&mut self, done: Result<Option<Errand>, JoinError>) {
        match done {
            Ok(Some(Errand::Pong { peer_id, seq_number, took })) => {
                self.manager.on_ping(&peer_id, seq_number, Instant::now());
                if took > SLOW {
                    self.charge(peer_id, Misbehaviour::Slow, None);
                }
            }
            Ok(Some(Errand::Status(peer_id, status))) => self.on_status(peer_id, status),
            Ok(Some(Errand::Metadata(peer_id, metadata))) => {
                self.manager.on_metadata(&peer_id, *metadata, Instant::now());
            }
            Ok(Some(Errand::Failed(peer_id, fault))) => self.charge(peer_id, Misbehaviour::Request(fault), None),
            Ok(Some(Errand::Found(found))) => {
                self.looking = false;
                self.manager.on_looked(found.len(), Instant::now());
                found.into_iter().for_each(|found| self.on_candidate(found));
            }
            Ok(Some(Errand::Record(enr, source))) => self.add_known_peer(KnownPeer::Enr(enr), source),
            Ok(Some(Errand::HungUp(connection_id))) => self.on_closed(connection_id, None),
            Ok(Some(Errand::Settled { peer_id, keep, lives })) => self.on_settled(peer_id, keep, lives),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "an errand died"),
        }
        self.run_upkeep();
    }

    /// A slot has begun.
    fn on_slot(&mut self) {
        let chain = self.now.borrow_and_update().clone();
        let now = Instant::now();
        let Some(slot) = chain.slot else { return };
        self.begin_dialling();
        self.manager.on_clock(unix_now_ms(), now);
        if chain.fork.since != self.fork_since {
            self.fork_since = chain.fork.since;
            self.on_fork(&chain);
        }
        let planned = self.plan.borrow().epoch;
        if planned != slot.epoch() {
            self.on_epoch(slot.epoch());
        }
        // a Status of the other side is accepted near a boundary; past it, whoever sent one must have followed
        let digests = self.handshaker.local.accepted_digests();
        let is_stale = |status: &StatusMessage| !digests.contains(status.fork_digest);
        self.manager.table_mut().refresh_status_where(is_stale, now, &mut self.rng);
        let census = self.manager.census(now);
        self.emit(NodeEvent::NodeHeartbeat {
            slot,
            epoch: slot.epoch(),
            peers: census.ready.total(),
            inbound: census.ready.inbound,
            outbound: census.ready.outbound,
            dialing: census.connecting,
            queued: census.queued,
            table_size: self.discovery.table_size(),
            fork_digest: chain.fork.fork_digest,
        });
        self.forget_early_goodbyes(now);
        let heard = self.hearing.len() + self.early_goodbyes.len();
        let held = tell::Held { sessions: self.sessions.len(), attempts: self.attempted.len(), heard };
        let refusals = std::mem::take(&mut self.refusals);
        self.emit(tell::peers_summarized(slot, &census, self.manager.table(), &refusals, &held));
    }

    /// Our record, our Status and what we ask of peers have changed with the fork.
    fn on_fork(&mut self, chain: &ChainNow) {
        let fork = &chain.fork;
        let updated = self.discovery.update_enr(EnrUpdateReason::Fork, &mut |content| {
            content.eth2 = fork.enr_fork_id;
            content.nfd = fork.nfd;
        });
        if let Err(error) = updated {
            tracing::error!(%error, "the record does not follow the fork");
        }
        self.manager.forgive(Cause::Incompatible);
        self.manager.table_mut().refresh_status_all(Instant::now(), &mut self.rng);
        self.publish();
    }

    /// Subnets rotate, and topics come and go, when an epoch begins.
    fn on_epoch(&mut self, epoch: Epoch) {
        let plan = Arc::new(self.subscriptions.plan_at(epoch));
        self.manager.set_wanted(cover_of_plan(&plan));
        let former = self.plan.send_replace(plan.clone());
        if former.duties != plan.duties {
            self.announce(&plan.duties);
        }
    }

    /// Our record and our metadata say what we take part in; peers hear of a new number with the next ping.
    fn announce(&self, duties: &Duties) {
        self.metadata.send_modify(|metadata| {
            *metadata = sequence::next_metadata(Some(metadata), duties.metadata(0), metadata.seq_number);
        });
        let updated = self.discovery.update_enr(EnrUpdateReason::Subnets, &mut |content| {
            content.attnets = duties.attnets.clone();
            content.syncnets = duties.syncnets.clone();
            content.cgc = duties.custody_group_count;
        });
        if let Err(error) = updated {
            tracing::error!(%error, "the record does not follow the subnets");
        }
        self.publish();
    }

    // --- endings

    /// Ends a ready peer's session: the reason is told when the connection has closed.
    pub(super) fn end_session(&mut self, connection_id: ConnectionId, ending: Ending, goodbye: Option<GoodbyeReason>) {
        let Some(session) = self.sessions.get_mut(&connection_id) else { return };
        if session.ending.is_some() {
            return;
        }
        session.ending = Some(ending);
        let (peer_id, opener) = (session.peer_id, session.opener.clone());
        // what ends the peer's session ends it for good
        if let Some(spare) = self.manager.settle(&peer_id, connection_id, true) {
            self.hang_up_spare(spare);
        }
        let Handshaker { switch, events, .. } = self.handshaker.clone();
        self.errands.spawn(async move {
            close(&opener, peer_id, connection_id, goodbye, &switch, &events).await;
            // a muxer whose peer does not read may never close
            sleep(CLOSE_PATIENCE).await;
            Some(Errand::HungUp(connection_id))
        });
    }

    /// Closes a connection in the background, after a goodbye if there is one.
    pub(super) fn hang_up(
        &mut self,
        peer_id: PeerId,
        connection_id: ConnectionId,
        opener: StreamOpener,
        goodbye: Option<GoodbyeReason>,
    ) {
        let farewell = self.farewell(peer_id, connection_id, opener, goodbye);
        self.errands.spawn(async move {
            farewell.await;
            None
        });
    }

    /// Closes a connection, after a goodbye if there is one.
    fn farewell(
        &self,
        peer_id: PeerId,
        connection_id: ConnectionId,
        opener: StreamOpener,
        goodbye: Option<GoodbyeReason>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let Handshaker { switch, events, .. } = self.handshaker.clone();
        async move { close(&opener, peer_id, connection_id, goodbye, &switch, &events).await }
    }

    async fn say_farewell(mut self) -> Farewell {
        self.discovery.shutdown();
        self.handshaker.stopping.cancel();
        // upkeep is of no use any more
        self.errands = JoinSet::new();
        self.turned_away = JoinSet::new();
        let goodbyes = self.manager.table().counts().total();
        for (connection_id, session) in std::mem::take(&mut self.sessions) {
            if let Removal::Gone(record) = self.manager.remove(&session.peer_id, connection_id) {
                self.emit(tell::disconnected(&record, "shutdown", Some(GoodbyeReason::CLIENT_SHUTDOWN)));
            }
            self.hang_up(session.peer_id, connection_id, session.opener, Some(GoodbyeReason::CLIENT_SHUTDOWN));
        }
        // late: the rest learns it by the close
        let _ = timeout(FAREWELL, self.end_attempts_and_errands()).await;
        self.close_book().await;
        self.tasks.cancel();
        Farewell { goodbyes }
    }

    async fn end_attempts_and_errands(&mut self) {
        loop {
            let attempt = tokio::select! {
                Some(attempt) = self.outbound.join_next() => attempt,
                Some(attempt) = self.inbound.join_next() => attempt,
                Some(_) = self.errands.join_next() => continue,
                else => return,
            };
            // ready at the last moment
            if let Ok(Attempt::Ready(Connection { raw, .. })) = attempt {
                self.hang_up(raw.peer_id, raw.connection_id, raw.opener, Some(GoodbyeReason::CLIENT_SHUTDOWN));
            }
        }
    }

    // --- small things

    pub(super) fn emit(&self, event: NodeEvent) {
        self.handshaker.events.emit(event);
    }

    /// Where the swarm listens is known to the builder and does not change.
    pub(super) fn publish(&self) {
        let peers = self.manager.table().iter().map(|record| (record.peer_id, record.direction)).collect();
        let enr = Some(self.discovery.local_enr());
        // newest wins
        self.snapshot.send_modify(|snapshot| {
            snapshot.peers = peers;
            snapshot.enr = enr;
        });
    }
}
