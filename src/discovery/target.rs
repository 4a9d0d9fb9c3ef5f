//! What a targeted lookup is after: peers on subnets or columns that are thinly covered. Pure.
//!
//! Made by whoever knows what is short; read by the implementations of [`Discovery`](super::Discovery).

use std::collections::{BTreeSet, HashMap, HashSet};

use super::enr::EnrExt;
use crate::chain::{AcceptedDigests, custody_groups};
use crate::types::{Attnets, Enr, NodeId, Syncnets};

/// Records that one targeted lookup returns at most, whatever is asked: 64 × about 1.5 KiB = 96 KiB.
pub const MAX_MATCHES: usize = 64;

/// A record matches when it is on the right fork and advertises any subnet or column that is wanted.
#[derive(Clone, Debug)]
pub struct LookupTarget {
    /// The fork schedule's answer at the current slot.
    pub digests: AcceptedDigests,
    /// Attestation subnets of which any will do.
    pub attnets: Attnets,
    /// Sync-committee subnets of which any will do.
    pub syncnets: Syncnets,
    /// Data columns of which any will do; a record stands for its custody groups.
    pub columns: BTreeSet<u16>,
    /// Whom not to return: those that are connected, or that are not to be dialled now.
    pub except: HashSet<NodeId>,
    /// After how many the lookup is content; at most [`MAX_MATCHES`].
    pub matches: usize,
}

impl LookupTarget {
    /// Wants nothing yet: no record meets it until a subnet or column is added.
    #[must_use]
    pub fn new(digests: AcceptedDigests, matches: usize) -> Self {
        Self {
            digests,
            attnets: Attnets::default(),
            syncnets: Syncnets::default(),
            columns: BTreeSet::new(),
            except: HashSet::new(),
            matches,
        }
    }

    /// Whether a record is what is looked for; the cheapest question first, the hashing for custody last.
    ///
    /// Whether it can be dialled is the business of the [`Predicate`](super::Predicate).
    #[must_use]
    pub fn is_met_by(&self, enr: &Enr) -> bool {
        let on_fork = || enr.eth2().is_some_and(|fork| self.digests.contains(fork.fork_digest));
        !self.except.contains(&enr.node_id()) && on_fork() && self.offers(enr)
    }

    pub(super) fn limit(&self) -> usize {
        self.matches.min(MAX_MATCHES)
    }

    fn offers(&self, enr: &Enr) -> bool {
        enr.attnets().is_some_and(|theirs| !theirs.intersection(&self.attnets).is_zero())
            || enr.syncnets().is_some_and(|theirs| !theirs.intersection(&self.syncnets).is_zero())
            || self.is_custodian(enr)
    }

    fn is_custodian(&self, enr: &Enr) -> bool {
        let Some(count) = enr.cgc().filter(|_| !self.columns.is_empty()) else { return false };
        custody_groups(&enr.node_id(), count).iter().any(|column| self.columns.contains(column))
    }
}

/// The matches that a lookup has gathered.
#[derive(Debug)]
pub(super) struct Matches<'a> {
    target: &'a LookupTarget,
    found: HashMap<NodeId, Enr>,
}

impl<'a> Matches<'a> {
    pub(super) fn new(target: &'a LookupTarget) -> Self {
        Self { target, found: HashMap::new() }
    }

    pub(super) fn is_enough(&self) -> bool {
        self.found.len() >= self.target.limit()
    }

    /// Takes a record if it matches and there is room; the newest version of each stays.
    pub(super) fn offer(&mut self, enr: Enr) {
        let node_id = enr.node_id();
        let news = self.found.get(&node_id).map_or_else(|| !self.is_enough(), |known| known.seq() < enr.seq());
        if news && self.target.is_met_by(&enr) {
            self.found.insert(node_id, enr);
        }
    }

    /// What was found, by node id.
    pub(super) fn into_records(self) -> Vec<Enr> {
        let mut records: Vec<_> = self.found.into_values().collect();
        records.sort_unstable_by_key(|enr| enr.node_id().raw());
        records
    }
}

#[cfg(test)]
pub(super) mod tests {
    use enr::CombinedKey;

    use super::super::enr::tests::content;
    use super::super::{EnrContent, build_enr};
    use super::*;
    use crate::chain::{ChainConfig, ForkSchedule, NetworkName};
    use crate::types::{ForkDigest, Slot};

    /// Digests of some network, and a record's content that is on its fork and offers nothing.
    pub(in super::super) fn on_fork() -> (AcceptedDigests, EnrContent) {
        let schedule = ForkSchedule::new(&ChainConfig::embedded(NetworkName::Mainnet));
        let digests = schedule.accepted_digests(Slot(20_000_000));
        let mut content = content();
        content.eth2.fork_digest = schedule.state_at(Slot(20_000_000).epoch()).fork_digest;
        (content.attnets, content.syncnets, content.cgc) = (Attnets::default(), Syncnets::default(), 0);
        (digests, content)
    }

    fn record(content: &EnrContent) -> Enr {
        build_enr(&CombinedKey::generate_secp256k1(), None, content).unwrap()
    }

    #[test]
    fn any_wanted_subnet_or_column_on_the_right_fork_will_do() {
        let (digests, content) = on_fork();
        let mut target = LookupTarget::new(digests, 1);
        let mut offer = content.clone();
        offer.attnets.set(3, true).unwrap();
        offer.syncnets.set(1, true).unwrap();
        let enr = record(&offer);
        assert!(!target.is_met_by(&enr), "nothing is wanted");
        target.attnets.set(4, true).unwrap();
        assert!(!target.is_met_by(&enr));
        target.attnets.set(3, true).unwrap();
        assert!(target.is_met_by(&enr) && !target.is_met_by(&record(&content)));
        target.attnets = Attnets::default();
        target.syncnets.set(1, true).unwrap();
        assert!(target.is_met_by(&enr));

        offer.eth2.fork_digest = ForkDigest([0xff; 4]);
        assert!(!target.is_met_by(&record(&offer)), "another fork");
        target.except.insert(enr.node_id());
        assert!(!target.is_met_by(&enr), "not wanted");
    }

    #[test]
    fn custody_follows_from_node_id_and_group_count() {
        let (digests, content) = on_fork();
        let enr = record(&EnrContent { cgc: 4, ..content.clone() });
        let custody = custody_groups(&enr.node_id(), 4);
        for column in 0..128 {
            let target = LookupTarget { columns: [column].into(), ..LookupTarget::new(digests, 1) };
            assert_eq!(target.is_met_by(&enr), custody.contains(&column), "{column}");
            assert!(target.is_met_by(&record(&EnrContent { cgc: u64::MAX, ..content.clone() })));
            assert!(!target.is_met_by(&record(&content)));
        }
    }

    #[test]
    fn gathers_the_newest_of_each_and_no_more_than_asked() {
        let (digests, content) = on_fork();
        let target = LookupTarget { columns: [0].into(), ..LookupTarget::new(digests, 2) };
        let everything = EnrContent { cgc: 128, ..content };
        let key = CombinedKey::generate_secp256k1();
        let old = build_enr(&key, None, &everything).unwrap();
        let mut attnets = Attnets::default();
        attnets.set(1, true).unwrap();
        let new = build_enr(&key, Some(&old), &EnrContent { attnets, ..everything.clone() }).unwrap();
        let mut matches = Matches::new(&target);
        matches.offer(old.clone());
        assert!(!matches.is_enough());
        matches.offer(record(&everything));
        assert!(matches.is_enough());
        for enr in [record(&everything), new.clone(), old] {
            matches.offer(enr);
        }
        let records = matches.into_records();
        assert!(records.len() == 2 && records.contains(&new));
    }
}
