//! The routing table as we use it: what enters by our hand, and bootnodes that stay in it.
//!
//! Shared by the handle and the upkeep task; the table itself belongs to the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::discv5::Discv5;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::super::AddEnrError;
use super::target::lookup_target;
use crate::events::{Events, NodeEvent};
use crate::tasks::TaskGroup;
use crate::types::{Enr, NodeId};

/// A table with fewer records than this is thin: one bucket's worth.
pub(super) const THIN_TABLE: usize = 16;

/// The routing table and the records that must not be missing from it.
pub(super) struct Table {
    discv5: Arc<Discv5>,
    bootnodes: Vec<Enr>,
    /// Lookups so far.
    lookups: AtomicUsize,
    events: Events,
    tasks: TaskGroup,
    token: CancellationToken,
}

impl Table {
    /// Takes the bootnodes that can be contacted; the others, and our own record, are passed over.
    pub(super) fn new(
        discv5: Arc<Discv5>,
        bootnodes: Vec<Enr>,
        events: Events,
        tasks: TaskGroup,
        token: CancellationToken,
    ) -> Self {
        let lookups = AtomicUsize::new(0);
        let mut table = Self { discv5, bootnodes: Vec::new(), lookups, events, tasks, token };
        table.bootnodes = bootnodes.into_iter().filter(|enr| table.check(enr).is_ok()).collect();
        table.add_bootnodes();
        table
    }

    /// How many records the table holds.
    pub(super) fn size(&self) -> usize {
        self.discv5.with_kbuckets(|table| table.read().iter_ref().count())
    }

    /// What the next lookup looks for.
    pub(super) fn next_target(&self) -> NodeId {
        let n = self.lookups.fetch_add(1, Ordering::Relaxed);
        lookup_target(n, &self.discv5.table_entries_id(), THIN_TABLE, &mut rand::rng())
    }

    /// Adds a record, or takes up a newer version of one; `false` when the table has it already.
    pub(super) fn add(&self, enr: Enr) -> Result<bool, AddEnrError> {
        self.check(&enr)?;
        // adding a node again would mark it as disconnected
        if self.discv5.find_enr(&enr.node_id()).is_some_and(|known| known.seq() >= enr.seq()) {
            return Ok(false);
        }
        self.discv5.add_enr(enr).map(|()| true).map_err(AddEnrError::NoRoom)
    }

    /// Adds the bootnodes that are missing and pings them; says so if there were any.
    pub(super) fn reseed(&self) -> usize {
        let added = self.add_bootnodes();
        if added > 0 {
            self.ping_bootnodes();
            self.events.emit(NodeEvent::DiscoveryReseeded { bootnodes: added, table_size: self.size() });
        }
        added
    }

    /// Pings every bootnode: an answer opens a session, which marks it as connected.
    pub(super) fn ping_bootnodes(&self) {
        // the table may know a newer record, with another address
        let newest = |enr: &Enr| self.discv5.find_enr(&enr.node_id()).unwrap_or_else(|| enr.clone());
        self.ping_all(self.bootnodes.iter().map(newest).collect());
    }

    /// Pings every connected node: the ping carries our sequence number, so that they fetch our new record now and
    /// not at their own next ping, up to 5 minutes later.
    pub(super) fn announce_record(&self) {
        let connected = self.discv5.table_entries().into_iter().filter(|(_, _, status)| status.is_connected());
        self.ping_all(connected.map(|(_, enr, _)| enr).collect());
    }

    /// Pings in the background, one task for all.
    fn ping_all(&self, enrs: Vec<Enr>) {
        let pings: Vec<_> = enrs.into_iter().map(|enr| (enr.node_id(), self.discv5.send_ping(enr))).collect();
        let pings = pings.into_iter().map(|(node_id, ping)| async move {
            if let Err(err) = ping.await {
                debug!(%node_id, error = %err, "no answer to our ping");
            }
        });
        let (token, pings) = (self.token.clone(), join_all(pings));
        self.tasks.spawn("discovery_ping", async move {
            // none: discovery was shut down
            let _ = token.run_until_cancelled(pings).await;
        });
    }

    fn add_bootnodes(&self) -> usize {
        let mut added = 0;
        for enr in &self.bootnodes {
            match self.add(enr.clone()) {
                Ok(new) => added += usize::from(new),
                Err(err) => debug!(node_id = %enr.node_id(), error = %err, "bootnode not added"),
            }
        }
        added
    }

    fn check(&self, enr: &Enr) -> Result<(), AddEnrError> {
        if enr.node_id() == self.discv5.local_enr().node_id() {
            return Err(AddEnrError::OwnRecord);
        }
        let address = self.discv5.ip_mode().get_contactable_addr(enr);
        address.map(|_| ()).ok_or(AddEnrError::NotContactable)
    }
}
