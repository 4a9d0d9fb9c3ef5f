//! Discovery without a network, for tests: nodes of one process share a directory of records.
//!
//! Whoever joined a [`MemoryDirectory`] is found by everyone else in it. No time passes and no task runs, so it
//! goes with paused clocks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use enr::CombinedKey;
use futures::future::BoxFuture;
use rand::SeedableRng;
use rand::seq::IteratorRandom;
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;

use super::{
    AddEnrError, Discovery, DiscoveryCounts, EnrContent, EnrError, EnrUpdateReason, LookupError, LookupTarget,
    MAX_LOOKUP_RECORDS, build_enr,
};
use crate::events::{Events, NodeEvent};
use crate::types::{Enr, NodeId};

/// The records of everyone in the process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryDirectory {
    records: Arc<Mutex<BTreeMap<[u8; 32], Enr>>>,
}

impl MemoryDirectory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Enr>> {
        // every critical section is one map operation, so a poisoned map is whole
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record that no node stands behind, such as a forged one.
    pub fn insert(&self, enr: Enr) {
        self.lock().insert(enr.node_id().raw(), enr);
    }

    /// Removes a record.
    pub fn remove(&self, node_id: &NodeId) {
        self.lock().remove(&node_id.raw());
    }
}

/// One node's view of a [`MemoryDirectory`].
pub struct MemoryDiscovery {
    directory: MemoryDirectory,
    key: CombinedKey,
    local: watch::Sender<Enr>,
    stopped: AtomicBool,
    rng: Mutex<ChaCha8Rng>,
    events: Events,
}

impl MemoryDiscovery {
    /// Joins `directory` with a record that `key` has signed. `seed` decides the order in which others are found.
    #[must_use]
    pub fn join(directory: &MemoryDirectory, key: CombinedKey, enr: Enr, seed: u64, events: Events) -> Self {
        directory.insert(enr.clone());
        Self {
            directory: directory.clone(),
            key,
            local: watch::Sender::new(enr),
            stopped: AtomicBool::new(false),
            rng: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            events,
        }
    }

    /// Some of the others that pass, in random order.
    fn lookup(&self, passes: impl Fn(&Enr) -> bool, limit: usize) -> Result<Vec<Enr>, LookupError> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(LookupError::Stopped);
        }
        let own = self.local.borrow().node_id().raw();
        let records = self.directory.lock();
        let others = records.iter().filter(|(node_id, enr)| **node_id != own && passes(enr));
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(others.map(|(_, enr)| enr).choose_multiple(&mut *rng, limit).into_iter().cloned().collect())
    }
}

impl fmt::Debug for MemoryDiscovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDiscovery").field("local", &*self.local.borrow()).finish_non_exhaustive()
    }
}

impl Discovery for MemoryDiscovery {
    fn lookup_random(&self) -> BoxFuture<'_, Result<Vec<Enr>, LookupError>> {
        Box::pin(async { self.lookup(|_| true, MAX_LOOKUP_RECORDS) })
    }

    fn lookup_for<'a>(&'a self, target: &'a LookupTarget) -> BoxFuture<'a, Result<Vec<Enr>, LookupError>> {
        Box::pin(async { self.lookup(|enr| target.is_met_by(enr), target.limit()) })
    }

    fn add_enr(&self, enr: Enr) -> Result<(), AddEnrError> {
        if enr.node_id() == self.local.borrow().node_id() {
            return Err(AddEnrError::OwnRecord);
        }
        self.directory.insert(enr);
        Ok(())
    }

    fn local_enr(&self) -> Enr {
        self.local.borrow().clone()
    }

    fn subscribe_enr(&self) -> watch::Receiver<Enr> {
        self.local.subscribe()
    }

    fn update_enr(&self, reason: EnrUpdateReason, change: &mut dyn FnMut(&mut EnrContent)) -> Result<Enr, EnrError> {
        let before = self.local_enr();
        let mut content = EnrContent::of(&before).ok_or(EnrError::NoFork)?;
        change(&mut content);
        let enr = build_enr(&self.key, Some(&before), &content)?;
        if enr != before {
            self.directory.insert(enr.clone());
            self.local.send_replace(enr.clone());
            self.events.emit(NodeEvent::EnrUpdated { seq: enr.seq(), reason: reason.as_str(), enr: enr.to_base64() });
        }
        Ok(enr)
    }

    fn table_size(&self) -> usize {
        self.directory.lock().len().saturating_sub(1)
    }

    fn counts(&self) -> DiscoveryCounts {
        DiscoveryCounts::default()
    }

    fn shutdown(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.directory.remove(&self.local.borrow().node_id());
    }
}

#[cfg(test)]
mod tests {
    use super::super::enr::tests::content;
    use super::super::target::tests::on_fork;
    use super::*;
    use crate::types::ForkDigest;

    fn join(directory: &MemoryDirectory, seed: u64) -> MemoryDiscovery {
        let key = CombinedKey::generate_secp256k1();
        let enr = build_enr(&key, None, &content()).unwrap();
        MemoryDiscovery::join(directory, key, enr, seed, Events::default())
    }

    #[tokio::test]
    async fn finds_everyone_else_and_at_most_a_bucket_of_them() {
        let directory = MemoryDirectory::default();
        let alone = join(&directory, 0);
        assert_eq!(alone.lookup_random().await, Ok(Vec::new()));
        let others: Vec<_> = (1..=20).map(|seed| join(&directory, seed)).collect();
        let found = alone.lookup_random().await.unwrap();
        assert_eq!((found.len(), alone.table_size()), (MAX_LOOKUP_RECORDS, 20));
        assert!(found.iter().all(|enr| others.iter().any(|other| other.local_enr() == *enr)));
    }

    #[tokio::test]
    async fn a_targeted_lookup_returns_matches_alone_and_as_many_as_asked() {
        let directory = MemoryDirectory::default();
        let (digests, content) = on_fork();
        let seeker = join(&directory, 0);
        for cgc in [0, 0, 128, 128, 128] {
            let key = CombinedKey::generate_secp256k1();
            directory.insert(build_enr(&key, None, &EnrContent { cgc, ..content.clone() }).unwrap());
        }
        let target = |matches| LookupTarget { columns: [7].into(), ..LookupTarget::new(digests, matches) };
        let found = seeker.lookup_for(&target(9)).await.unwrap();
        assert!(found.len() == 3 && found.iter().all(|enr| target(9).is_met_by(enr)));
        assert_eq!(seeker.lookup_for(&target(2)).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn an_update_reaches_the_others_and_shutdown_hides_the_node() {
        let directory = MemoryDirectory::default();
        let (first, second) = (join(&directory, 0), join(&directory, 1));
        let digest = ForkDigest([1, 2, 3, 4]);
        first.update_enr(EnrUpdateReason::Fork, &mut |content| content.nfd = digest).unwrap();
        let found = second.lookup_random().await.unwrap();
        assert_eq!(found, [first.local_enr()]);
        assert_eq!(found[0].seq(), 2);
        first.shutdown();
        assert_eq!(first.lookup_random().await, Err(LookupError::Stopped));
        assert_eq!(second.lookup_random().await, Ok(Vec::new()));
    }
}
