//! What the peer manager wants done, carried out: dials, upkeep, leaves, bans in every place, lookups, events.
//!
//! A part of [`Eth2Node`]'s loop, which calls it before it waits. Decides nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::attempt::attempt_outbound;
use super::errand::look_for;
use super::eth2_node::{Ending, Eth2Node};
use super::tell;
use crate::chain::custody_groups;
use crate::discovery::{Barred, EnrExt, LookupTarget};
use crate::events::NodeEvent;
use crate::gossip::Plan;
use crate::handshake::LocalView;
use crate::peers::{Action, BanChange, BanTarget, Candidate, Cause, Cover, Item, Misbehaviour, SuspectChange};
use crate::switch::ConnectionId;
use crate::types::{Enr, GoodbyeReason, Multiaddr, NodeId, PeerId, TopicKind, peer_node_id};

/// With nothing due the loop still looks around once in a while; the clock is compared as often.
const IDLE: Duration = Duration::from_secs(30);

/// Records that one targeted lookup brings: a third of them are alive.
const MATCHES: usize = 16;

impl Eth2Node {
    /// Does everything that is to be done now; returns when to look again.
    pub(super) fn act(&mut self) -> Instant {
        let now = Instant::now();
        while let Some(action) = self.manager.next_action(now) {
            self.carry_out(action);
        }
        self.run_upkeep();
        let wanted = self.manager.demand();
        // newest wins
        self.demand.send_if_modified(|demand| std::mem::replace(demand, wanted) != wanted);
        self.manager.wakeup(now).unwrap_or(now + IDLE).min(now + IDLE)
    }

    fn carry_out(&mut self, action: Action<ConnectionId>) {
        match action {
            Action::Dial(candidate) => self.dial(candidate),
            Action::Upkeep(upkeep) => self.postponed.push_back(upkeep),
            Action::Disconnect { connection, goodbye, reason, .. } => {
                let cause = match goodbye {
                    GoodbyeReason::TOO_MANY_PEERS => Cause::Pruned,
                    _ => Cause::Violation,
                };
                self.end_session(connection, Ending { reason, goodbye: Some(goodbye), cause }, Some(goodbye));
            }
            Action::Mirror(change) => self.mirror(change),
            Action::Lookup(cover) => self.look_for(cover),
            Action::Suspect(change) => self.tell_of_suspicion(change),
            Action::BootstrapFailed(report) => {
                let peers = self.manager.table().counts().total();
                self.emit(tell::bootstrap_failed(&report, self.bootnodes, peers));
            }
        }
    }

    fn dial(&mut self, candidate: Candidate) {
        let peer_id = candidate.peer_id;
        let attempt = self.outbound.spawn(attempt_outbound(self.handshaker.clone(), candidate));
        self.attempted.insert(attempt.id(), peer_id);
    }

    /// Charges a peer for what it did, at an address if it is not ready, and tells of it.
    pub(super) fn charge(&mut self, peer_id: PeerId, deed: Misbehaviour, address: Option<&Multiaddr>) {
        let now = Instant::now();
        let before = self.manager.scores().score(&peer_id, now);
        let standing = self.manager.on_misbehaviour(peer_id, deed, address, now);
        let score = self.manager.scores().score(&peer_id, now);
        if score < before {
            let (deed, standing) = (deed.as_str(), standing.as_str());
            self.emit(NodeEvent::PeerPenalized { peer_id, deed, score, standing });
        }
    }

    /// Bars, or lets in again, in the swarm and in discovery whom the manager bans or bans no more.
    fn mirror(&mut self, change: BanChange) {
        let (BanChange::Ban { target, .. } | BanChange::Unban { target }) = change;
        let until = match change {
            BanChange::Ban { until, .. } => Some(until),
            BanChange::Unban { .. } => None,
        };
        let lasts = until.map(|until| until.saturating_duration_since(Instant::now()));
        if let BanTarget::Peer(peer_id) = target {
            self.remember_ban(peer_id, lasts);
        }
        // neither knows who calls before the handshake, and a trusted peer may live there; every ban that was begun ends
        let spared = matches!(target, BanTarget::Group(group) if lasts.is_some() && self.manager.hosts_known(group));
        if !spared {
            if let Some(barred) = barred(target) {
                self.discovery.bar(barred, lasts);
            }
            let (switch, banned) = (self.handshaker.switch.clone(), lasts.is_some());
            self.errands.spawn(async move {
                switch.set_banned(target, banned).await;
                None
            });
        }
        self.emit(match lasts {
            Some(lasts) => tell::banned(target, lasts),
            None => tell::unbanned(target),
        });
    }

    /// Starts a lookup for records that cover at least one of these.
    fn look_for(&mut self, cover: Cover) {
        if std::mem::replace(&mut self.looking, true) {
            return;
        }
        let mut target = LookupTarget::new(self.handshaker.local.accepted_digests(), MATCHES);
        for item in cover.items() {
            let set = match item {
                Item::Attnet(subnet) => target.attnets.set(subnet.into(), true),
                Item::Syncnet(subnet) => target.syncnets.set(subnet.into(), true),
                Item::Column(column) => {
                    target.columns.insert(column.into());
                    Ok(())
                }
            };
            set.expect("a cover holds subnets that there are");
        }
        target.except = self.manager.table().iter().filter_map(|record| peer_node_id(&record.peer_id)).collect();
        let (discovery, events) = (self.discovery.clone(), self.handshaker.events.clone());
        self.errands.spawn(look_for(discovery, self.predicate, target, events));
    }

    fn tell_of_suspicion(&self, change: SuspectChange) {
        let (SuspectChange::Began(verdict) | SuspectChange::Ended(verdict)) = change;
        let state = match change {
            SuspectChange::Began(_) => "began",
            SuspectChange::Ended(_) => "ended",
        };
        let peers = self.manager.table().counts().total();
        self.emit(tell::suspect(&verdict, state, peers));
    }
}

/// What a record says that its node covers.
pub(super) fn cover_of(enr: &Enr) -> Cover {
    let columns = enr.cgc().map_or(0, |count| column_bits(&enr.node_id(), count));
    Cover::new(&enr.attnets().unwrap_or_default(), enr.syncnets().as_ref(), columns)
}

/// The subnets and columns whose topics are joined.
pub(super) fn cover_of_plan(plan: &Plan) -> Cover {
    let mut cover = Cover::default();
    for topic in &plan.topics {
        match (topic.name.kind(), topic.name.subnet()) {
            (TopicKind::BeaconAttestation, Some(subnet)) => cover.attnets |= 1 << subnet,
            (TopicKind::SyncCommittee, Some(subnet)) => cover.syncnets |= 1 << subnet,
            (TopicKind::DataColumnSidecar, Some(column)) => cover.columns |= 1 << column,
            _ => {}
        }
    }
    cover
}

/// The columns of a node id with a custody group count, one bit each.
pub(super) fn column_bits(node_id: &NodeId, count: u64) -> u128 {
    custody_groups(node_id, count).into_iter().fold(0, |bits, column| bits | 1 << column)
}

/// What discovery can bar of it: it knows single addresses, and of a wider group would bar none of those that matter.
fn barred(target: BanTarget) -> Option<Barred> {
    match target {
        BanTarget::Peer(peer_id) => peer_node_id(&peer_id).map(Barred::Node),
        BanTarget::Group(group) => match group.network() {
            (ip, 32) => Some(Barred::Address(ip)),
            _ => None,
        },
    }
}
