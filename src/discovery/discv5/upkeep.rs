//! The task beside the service: drains its events, looks after record and bootnodes, counts.
//!
//! The service drops events that find its queue of 30 full, so the queue is always drained and nothing depends on
//! an event alone: the record is compared every second as well.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::discv5::Event;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::super::DiscoveryCounts;
use super::record::LocalRecord;
use super::table::{THIN_TABLE, Table};
use crate::events::{Events, NodeEvent};

/// How often the record is compared and garbage is reported.
const TICK: Duration = Duration::from_secs(1);

/// How often a thin table gets its bootnodes back.
const RESEED_EVERY: Duration = Duration::from_secs(10);

/// How often bootnodes are pinged, as Teku does; the service alone pings connected nodes every 5 minutes.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(120);

/// Addresses from which nodes came, kept until somebody asks.
const INBOUND: usize = 16;

/// What the task needs; see [`Self::run`].
pub(super) struct Upkeep {
    pub(super) record: Arc<LocalRecord>,
    pub(super) table: Arc<Table>,
    pub(super) counters: Arc<Counters>,
    pub(super) events: Events,
    pub(super) stopped: CancellationToken,
}

impl Upkeep {
    /// Runs until discovery is stopped, or the service ends by itself.
    pub(super) async fn run(&self, mut stream: mpsc::Receiver<Event>) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reseed = interval_at(Instant::now() + RESEED_EVERY, RESEED_EVERY);
        let mut keep_alive = interval(KEEP_ALIVE_EVERY);
        let mut reported = 0;
        loop {
            tokio::select! {
                biased;
                () = self.stopped.cancelled() => return,
                _ = tick.tick() => self.on_tick(&mut reported),
                _ = reseed.tick() => self.on_reseed(),
                _ = keep_alive.tick() => self.table.ping_bootnodes(),
                event = stream.recv() => match event {
                    Some(event) => self.on_event(event),
                    None => return,
                },
            }
        }
    }

    fn on_tick(&self, reported: &mut u64) {
        self.record.sync();
        let garbage = self.counters.garbage.load(Ordering::Relaxed);
        if garbage > *reported {
            self.events.emit(NodeEvent::DiscoveryGarbage { datagrams: garbage - *reported });
            *reported = garbage;
        }
    }

    fn on_reseed(&self) {
        if self.table.size() < THIN_TABLE {
            self.table.reseed();
        }
    }

    fn on_event(&self, event: Event) {
        let counters = &self.counters;
        match event {
            Event::SocketUpdated(_) => self.record.sync(),
            Event::NodeInserted { .. } => count(&counters.inserted, 1),
            Event::SessionEstablished(enr, socket) => {
                count(&counters.sessions, 1);
                if self.table.came_by_itself(&enr.node_id()) {
                    counters.note_inbound(socket.ip());
                }
            }
            Event::SessionsExpired(sessions) => count(&counters.sessions_expired, sessions.len()),
            Event::UnrecognizedFrame(_) => count(&counters.garbage, 1),
            Event::UnverifiableEnr { enr, socket, node_id } => {
                count(&counters.unverifiable, 1);
                let (advertised4, advertised6) = (enr.udp4_socket(), enr.udp6_socket());
                debug!(%node_id, ?advertised4, ?advertised6, arrives_from = %socket, "peer advertises another address");
            }
            // a talk request, which dropping answers with nothing, as the protocol asks; or what is switched off
            _ => {}
        }
    }
}

/// What is counted, written by the task and read by the handle.
#[derive(Debug, Default)]
pub(super) struct Counters {
    inserted: AtomicU64,
    sessions: AtomicU64,
    sessions_expired: AtomicU64,
    unverifiable: AtomicU64,
    garbage: AtomicU64,
    /// The latest [`INBOUND`], different ones.
    inbound: Mutex<VecDeque<IpAddr>>,
}

impl Counters {
    fn note_inbound(&self, ip: IpAddr) {
        // every critical section leaves a whole queue
        let mut inbound = self.inbound.lock().unwrap_or_else(PoisonError::into_inner);
        if !inbound.contains(&ip) {
            if inbound.len() >= INBOUND {
                inbound.pop_front();
            }
            inbound.push_back(ip);
        }
    }

    pub(super) fn take_inbound(&self) -> Vec<IpAddr> {
        self.inbound.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    pub(super) fn snapshot(&self) -> DiscoveryCounts {
        DiscoveryCounts {
            inserted: self.inserted.load(Ordering::Relaxed),
            sessions: self.sessions.load(Ordering::Relaxed),
            sessions_expired: self.sessions_expired.load(Ordering::Relaxed),
            unverifiable: self.unverifiable.load(Ordering::Relaxed),
            garbage: self.garbage.load(Ordering::Relaxed),
        }
    }
}

fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
