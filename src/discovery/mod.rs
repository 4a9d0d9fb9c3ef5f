//! Finds peers: the routing table, random lookups, our own record and the judgement of others'.
//!
//! `node` holds one [`Discovery`] and paces it; nothing above this module knows discv5. Discovery returns records
//! and keeps its table alive; whom to dial, how often to look and what a fault costs are the node's business.

pub mod discv5;
pub mod enr;
pub mod memory;
pub mod predicate;
pub mod reachability;
pub mod target;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;

pub use self::discv5::{BoundSockets, DiscoverySettings, Discv5Discovery, PublicPorts, StartError};
pub use self::enr::{Endpoint, EnrContent, EnrError, EnrExt, MAX_ENR_SIZE, Reach, build_enr};
pub use self::memory::{MemoryDirectory, MemoryDiscovery};
pub use self::predicate::{Candidate, Predicate, Refusal, RefusalCounts};
pub use self::reachability::{AddressSource, Change, Reachability, Verdict};
pub use self::target::{LookupTarget, MAX_MATCHES};
use crate::fault::{Classify, Fault};
use crate::types::{Enr, Multiaddr, NodeId};

/// Records that one lookup returns at most: one bucket.
pub const MAX_LOOKUP_RECORDS: usize = 16;

/// A way to find peers and to be found.
pub trait Discovery: fmt::Debug + Send + Sync + 'static {
    /// Walks towards a random target and returns the records closest to it, at most [`MAX_LOOKUP_RECORDS`].
    ///
    /// Several may run at once. An empty table returns an empty list at once: the caller paces.
    ///
    /// # Errors
    /// [`LookupError::Stopped`] after [`Self::shutdown`].
    ///
    /// Cancel safe: a dropped lookup ends by itself and its records are lost.
    fn lookup_random(&self) -> BoxFuture<'_, Result<Vec<Enr>, LookupError>>;

    /// Looks for records that match `target`: first among those at hand, then on several walks towards random targets,
    /// until enough are found, the walks are over, or 30 s have passed. Returns what was found, at most
    /// [`LookupTarget::matches`] and [`MAX_MATCHES`].
    ///
    /// Costs up to a dozen random lookups, so one at a time is plenty. An empty table returns an empty list at once:
    /// the caller paces.
    ///
    /// # Errors
    /// [`LookupError::Stopped`] after [`Self::shutdown`].
    ///
    /// Cancel safe: walks under way end by themselves and fill the cache of records at hand.
    fn lookup_for<'a>(&'a self, target: &'a LookupTarget) -> BoxFuture<'a, Result<Vec<Enr>, LookupError>>;

    /// Offers a record to the routing table.
    ///
    /// # Errors
    /// Why the table did not take it; none of them is worth a retry.
    fn add_enr(&self, enr: Enr) -> Result<(), AddEnrError>;

    /// Our own record, as peers get it now.
    fn local_enr(&self) -> Enr;

    /// Our own record, now and whenever it changes; **newest wins**.
    fn subscribe_enr(&self) -> watch::Receiver<Enr>;

    /// Changes our own record: `change` sees what it says now, addresses learned from peers included. Returns the
    /// record in force; its sequence number rises only if something changed.
    ///
    /// # Errors
    /// [`EnrError`]; the record then stays as it was.
    fn update_enr(&self, reason: EnrUpdateReason, change: &mut dyn FnMut(&mut EnrContent)) -> Result<Enr, EnrError>;

    /// Records in the routing table.
    fn table_size(&self) -> usize;

    /// From where nodes came by themselves since the last call; at most the latest 16. None where nobody can tell.
    fn take_inbound(&self) -> Vec<IpAddr> {
        Vec::new()
    }

    /// Talks to somebody no more for so long, or again with `None`. Nothing where nobody is talked to.
    fn bar(&self, _whom: Barred, _lasts: Option<Duration>) {}

    /// The record of a node, if it is at hand.
    fn record_of(&self, _node_id: &NodeId) -> Option<Enr> {
        None
    }

    /// Asks whoever answers discovery at an address, which ends in `/udp/PORT/p2p/PEER_ID`, for its record. `None` when
    /// nobody answers, or where nobody can be asked.
    ///
    /// Cancel safe.
    fn request_enr(&self, _address: Multiaddr) -> BoxFuture<'static, Option<Enr>> {
        Box::pin(std::future::ready(None))
    }

    /// What happened since start.
    fn counts(&self) -> DiscoveryCounts;

    /// Stops finding and being found. Lookups under way end with an error; idempotent.
    fn shutdown(&self);
}

/// With whom discovery is not to talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// One node.
    Node(NodeId),
    /// Whoever sends from there.
    Address(IpAddr),
}

/// Why our own record changes; the label of `enr.updated`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrUpdateReason {
    /// A boundary of the fork schedule, or a new schedule.
    Fork,
    /// Our external address.
    Address,
    /// Our listening ports.
    Ports,
    /// Attestation or sync-committee subnets, or the custody group count.
    Subnets,
}

impl EnrUpdateReason {
    /// The stable label for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Address => "address",
            Self::Ports => "ports",
            Self::Subnets => "subnets",
        }
    }
}

/// Monotonic counters since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiscoveryCounts {
    /// Nodes that entered the routing table after a session with them.
    pub inserted: u64,
    /// Sessions established, both directions.
    pub sessions: u64,
    /// Sessions dropped from the cache.
    pub sessions_expired: u64,
    /// Peers whose record advertises another address than they send from.
    pub unverifiable: u64,
    /// Datagrams that are not discv5; a lower bound, since a flood is dropped before it is counted.
    pub garbage: u64,
}

/// Why a lookup returned nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Discovery is shut down.
    #[error("discovery is shut down")]
    Stopped,
}

impl Classify for LookupError {
    fn fault(&self) -> Fault {
        match self {
            Self::Stopped => Fault::Local,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
        }
    }
}

/// Why the routing table did not take a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddEnrError {
    /// It is our own.
    #[error("the record is our own")]
    OwnRecord,
    /// It has no UDP address of a family that we listen on.
    #[error("the record has no UDP address that we can contact")]
    NotContactable,
    /// Its bucket is full, or holds enough neighbours of its subnet.
    #[error("the routing table has no room for the record: {0}")]
    NoRoom(&'static str),
}

impl Classify for AddEnrError {
    fn fault(&self) -> Fault {
        match self {
            Self::OwnRecord | Self::NotContactable => Fault::Incompatible,
            Self::NoRoom(_) => Fault::Local,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::OwnRecord => "self",
            Self::NotContactable => "not_contactable",
            Self::NoRoom(_) => "no_room",
        }
    }
}
