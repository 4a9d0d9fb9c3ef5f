//! Whether others reach us, per family and service: one verdict each, from who came and who did not. Pure.
//!
//! Owned by whoever follows connections and our record; it takes `now` and returns what changed. Votes and mappings say
//! which address is ours, not that it can be reached (a full-cone NAT or an IPv6 firewall votes just as well), so
//! contacts from the internet alone make a verdict, and their absence alone unmakes it.
//!
//! The rules, all for addresses of the internet only, so that private networks are left alone:
//! - *Reachable* once [`CONTACTS`] different public addresses came to the service within [`MEMORY`].
//! - *Unreachable* once the address was advertised for [`PROBATION`] during which [`PEERS`] peers or more were
//!   connected, and fewer came. The time runs while peers are there to tell others of us, and stops with them: what
//!   fails with everything else is our link, not our router.
//! - A family of which no service is reachable by then has a wrong address: [`Change::Withdraw`], unless the operator
//!   gave it. It may be advertised again after [`WITHDRAWN`].
//! - Another address, and as long a silence as [`MEMORY`], make everything unknown again.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::types::{Family, Service, is_public};

/// Public addresses that must have come; one may be a peer that comes back through a port that we opened.
///
/// discv5 0.12 asks for as many.
pub const CONTACTS: usize = 2;

/// How long an address is advertised, with peers connected, before silence counts; discv5 0.12 waits as long.
pub const PROBATION: Duration = Duration::from_secs(300);

/// Peers that must be connected for the probation to run.
pub const PEERS: usize = 4;

/// How long a contact proves anything, and how long a withdrawn address stays away; discv5 0.12 waits as long.
pub const MEMORY: Duration = Duration::from_secs(6 * 60 * 60);

/// How long an address that proved wrong is not advertised.
pub const WITHDRAWN: Duration = MEMORY;

/// Contacts remembered for each family and service: 6 × 8 × 40 bytes = 2 KiB.
const REMEMBERED: usize = 8;

/// Whether others reach us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody can tell yet.
    #[default]
    Unknown,
    /// They came.
    Reachable,
    /// They did not, although they knew where to.
    Unreachable {
        /// When that was found.
        since: Instant,
    },
}

impl Verdict {
    /// The stable label for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Reachable => "reachable",
            Self::Unreachable { .. } => "unreachable",
        }
    }
}

/// Where an advertised address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressSource {
    /// The operator gave it: it stays, whatever happens.
    Operator,
    /// Peers' votes, or a mapping.
    Learned,
}

/// What is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A verdict is another one.
    Verdict {
        /// Of which family.
        family: Family,
        /// Of which service.
        service: Service,
        /// The verdict.
        verdict: Verdict,
        /// What it rests on: `inbound`, `nobody_came`, `address_changed`, `stale`.
        reason: &'static str,
    },
    /// Nobody reaches the advertised address: our record should not show it.
    Withdraw(Family),
}

/// What is known of both families.
#[derive(Debug, Default)]
pub struct Reachability {
    families: BTreeMap<Family, FamilyState>,
    peers: usize,
    ticked: Option<Instant>,
    news: Vec<Change>,
}

#[derive(Debug, Default)]
struct FamilyState {
    advertised: Option<(IpAddr, AddressSource)>,
    /// How long the address was advertised while peers were connected.
    probation: Duration,
    withdrawn: Option<(IpAddr, Instant)>,
    services: BTreeMap<Service, ServiceState>,
}

#[derive(Debug, Default)]
struct ServiceState {
    /// Different public addresses with their latest contact, the latest last; at most [`REMEMBERED`].
    contacts: VecDeque<(IpAddr, Instant)>,
    verdict: Verdict,
}

impl Reachability {
    /// Nothing is known, and no service is listened on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that we listen for `service` over `family`; the others have no verdict.
    pub fn listen(&mut self, family: Family, service: Service) {
        self.families.entry(family).or_default().services.entry(service).or_default();
    }

    /// Notes that somebody came. Addresses that are not of the internet prove nothing and are passed over.
    pub fn on_inbound(&mut self, service: Service, from: IpAddr, now: Instant) {
        let from = from.to_canonical();
        if !is_public(from) {
            return;
        }
        let state = self.families.get_mut(&Family::of(from)).and_then(|state| state.services.get_mut(&service));
        if let Some(state) = state {
            state.contacts.retain(|(ip, _)| *ip != from);
            if state.contacts.len() >= REMEMBERED {
                state.contacts.pop_front();
            }
            state.contacts.push_back((from, now));
        }
        self.judge(now);
    }

    /// Notes how many peers are connected.
    pub fn on_peers(&mut self, peers: usize, now: Instant) {
        self.on_tick(now);
        self.peers = peers;
    }

    /// Notes what our record shows of a family. Another address makes unknown what was known.
    pub fn on_advertised(&mut self, family: Family, advertised: Option<(IpAddr, AddressSource)>, now: Instant) {
        self.on_tick(now);
        let Some(state) = self.families.get_mut(&family) else { return };
        let before = std::mem::replace(&mut state.advertised, advertised);
        // an address that is only taken away leaves the verdict on it
        let Some((ip, _)) = advertised else { return };
        let known = before.map(|(ip, _)| ip).or_else(|| state.withdrawn.map(|(ip, _)| ip));
        if known != Some(ip) {
            (state.probation, state.withdrawn) = (Duration::ZERO, None);
        }
        if known.is_some_and(|known| known != ip) {
            for (service, state) in &mut state.services {
                // who came knew the old address
                state.contacts.clear();
                if state.verdict != Verdict::Unknown {
                    state.verdict = Verdict::Unknown;
                    let (verdict, reason) = (state.verdict, "address_changed");
                    self.news.push(Change::Verdict { family, service: *service, verdict, reason });
                }
            }
        }
        self.judge(now);
    }

    /// Whether an address may be advertised: it was not withdrawn lately.
    #[must_use]
    pub fn may_advertise(&self, ip: IpAddr, now: Instant) -> bool {
        let withdrawn = self.families.get(&Family::of(ip)).and_then(|state| state.withdrawn);
        withdrawn.is_none_or(|(wrong, at)| wrong != ip || now.duration_since(at) >= WITHDRAWN)
    }

    /// Lets time pass. Call it every few seconds.
    pub fn on_tick(&mut self, now: Instant) {
        let elapsed = self.ticked.replace(now).map_or(Duration::ZERO, |before| now.duration_since(before));
        if self.peers >= PEERS {
            for state in self.families.values_mut().filter(|state| state.is_judged()) {
                state.probation = state.probation.saturating_add(elapsed);
            }
        }
        self.judge(now);
    }

    /// The verdict on a service; `None` if we do not listen for it.
    #[must_use]
    pub fn verdict(&self, family: Family, service: Service) -> Option<Verdict> {
        Some(self.families.get(&family)?.services.get(&service)?.verdict)
    }

    /// The address that the verdicts of a family are about.
    #[must_use]
    pub fn advertised(&self, family: Family) -> Option<IpAddr> {
        self.families.get(&family)?.advertised.map(|(ip, _)| ip)
    }

    /// What changed since the last call, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.news)
    }

    fn judge(&mut self, now: Instant) {
        for &family in Family::ALL {
            let Some(state) = self.families.get_mut(&family) else { continue };
            let is_judged = state.is_judged();
            for (service, state_of) in &mut state.services {
                while state_of.contacts.front().is_some_and(|(_, at)| now.duration_since(*at) >= MEMORY) {
                    state_of.contacts.pop_front();
                }
                let came = state_of.contacts.len() >= CONTACTS;
                let judged = is_judged && state.probation >= PROBATION;
                let (verdict, reason) = match state_of.verdict {
                    Verdict::Reachable if came => continue,
                    Verdict::Reachable => {
                        // silence counts from now on
                        state.probation = Duration::ZERO;
                        (Verdict::Unknown, "stale")
                    }
                    Verdict::Unknown | Verdict::Unreachable { .. } if came => (Verdict::Reachable, "inbound"),
                    Verdict::Unknown if judged => (Verdict::Unreachable { since: now }, "nobody_came"),
                    Verdict::Unknown | Verdict::Unreachable { .. } => continue,
                };
                state_of.verdict = verdict;
                self.news.push(Change::Verdict { family, service: *service, verdict, reason });
            }
            if let Some((ip, AddressSource::Learned)) = state.advertised
                && state.is_wrong()
                && state.withdrawn.is_none_or(|(_, at)| now.duration_since(at) >= WITHDRAWN)
            {
                state.withdrawn = Some((ip, now));
                state.probation = Duration::ZERO;
                self.news.push(Change::Withdraw(family));
            }
        }
    }
}

impl FamilyState {
    /// Whether silence says anything: somebody on the internet was told where we are.
    fn is_judged(&self) -> bool {
        self.advertised.is_some_and(|(ip, _)| is_public(ip))
    }

    /// Whether nobody came to any service, for long enough.
    fn is_wrong(&self) -> bool {
        !self.services.is_empty()
            && self.is_judged()
            && self.probation >= PROBATION
            && self.services.values().all(|service| matches!(service.verdict, Verdict::Unreachable { .. }))
    }
}

#[cfg(test)]
mod tests;
