//! Records that lookups met lately, whether they were wanted then or not.
//!
//! A walk meets a hundred records and returns sixteen; a targeted lookup looks here before it walks.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::types::{Enr, NodeId};

/// Records kept; 1024 × about 1.5 KiB = 1.5 MiB.
const CAPACITY: usize = 1024;

/// How long a record is worth a dial without another look.
const LIFE: Duration = Duration::from_secs(600);

/// A bounded cache of records, shared by the handle and the service's task.
#[derive(Debug, Default)]
pub(super) struct RecentRecords {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// When each was met first, oldest first; as many as there are records.
    order: VecDeque<(NodeId, Instant)>,
    records: HashMap<NodeId, Enr>,
}

impl RecentRecords {
    /// Notes a record; of several versions the newest stays, for as long as the first.
    pub(super) fn note(&self, enr: &Enr, now: Instant) {
        let node_id = enr.node_id();
        // every critical section leaves queue and map in step, so a poisoned cache is whole
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = inner.records.get_mut(&node_id) {
            if known.seq() < enr.seq() {
                *known = enr.clone();
            }
            return;
        }
        if inner.records.len() >= CAPACITY {
            inner.forget_oldest();
        }
        inner.records.insert(node_id, enr.clone());
        inner.order.push_back((node_id, now));
    }

    /// Everything that is not too old, the latest first.
    pub(super) fn snapshot(&self, now: Instant) -> Vec<Enr> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        while inner.order.front().is_some_and(|(_, met)| now.duration_since(*met) > LIFE) {
            inner.forget_oldest();
        }
        inner.order.iter().rev().filter_map(|(node_id, _)| inner.records.get(node_id).cloned()).collect()
    }
}

impl Inner {
    fn forget_oldest(&mut self) {
        if let Some((node_id, _)) = self.order.pop_front() {
            self.records.remove(&node_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use enr::CombinedKey;

    use super::*;

    #[test]
    fn forgets_the_oldest_when_full_and_the_old_with_time() {
        let (cache, start) = (RecentRecords::default(), Instant::now());
        let record = || Enr::empty(&CombinedKey::generate_secp256k1()).unwrap();
        let first = record();
        cache.note(&first, start);
        for _ in 1..CAPACITY {
            cache.note(&record(), start);
        }
        assert!(cache.snapshot(start).contains(&first));
        let late = record();
        cache.note(&late, start + LIFE);
        let kept = cache.snapshot(start + LIFE);
        assert_eq!((kept.len(), &kept[0]), (CAPACITY, &late));
        assert!(!kept.contains(&first));
        assert_eq!(cache.snapshot(start + LIFE * 2), [late]);
    }
}
