//! A targeted lookup: records at hand first, then walks whose every record is looked at.
//!
//! The service's own search with a predicate walks towards one target and returns only matches that answered; with a
//! narrow predicate that is often nobody after half a minute. So the walks here are plain ones, several at once,
//! towards independent targets, and the predicate is our own.

use std::sync::Arc;
use std::time::Duration;

use ::discv5::Discv5;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::super::target::{LookupTarget, Matches};
use super::super::{LookupError, MAX_LOOKUP_RECORDS};
use super::recent::RecentRecords;
use crate::tasks::TaskGroup;
use crate::types::{Enr, NodeId};

/// Walks of one lookup: a walk meets about a hundred records, of which a wanted subnet has three in a hundred.
const WALKS: usize = 12;

/// Walks at once, beside those of random lookups.
const CONCURRENT_WALKS: usize = 3;

/// The whole lookup, whatever it found.
const DEADLINE: Duration = Duration::from_secs(30);

/// Records met and not looked at; **drop and count** as the cache does, which has them all: the next lookup looks there.
///
/// 256 × about 1.5 KiB = 384 KiB.
const MET: usize = 256;

/// What walks need.
#[derive(Clone)]
pub(super) struct Walker {
    pub(super) discv5: Arc<Discv5>,
    pub(super) recent: Arc<RecentRecords>,
    pub(super) tasks: TaskGroup,
    pub(super) token: CancellationToken,
}

impl Walker {
    /// Cancel safe: walks under way go on and fill the cache.
    pub(super) async fn search(&self, target: &LookupTarget) -> Result<Vec<Enr>, LookupError> {
        let mut matches = Matches::new(target);
        let table = self.discv5.table_entries_enr();
        if table.is_empty() {
            return Ok(Vec::new());
        }
        table.into_iter().chain(self.recent.snapshot(Instant::now())).for_each(|enr| matches.offer(enr));
        // late: what was found by then will do
        let _ = timeout_at(Instant::now() + DEADLINE, self.walk(&mut matches)).await;
        if self.token.is_cancelled() { Err(LookupError::Stopped) } else { Ok(matches.into_records()) }
    }

    /// Walks until there is enough, or all walks are over.
    async fn walk(&self, matches: &mut Matches<'_>) {
        let (sender, mut met) = mpsc::channel(MET);
        let (mut begun, mut under_way) = (0, 0);
        while !matches.is_enough() {
            while begun < WALKS && under_way < CONCURRENT_WALKS && !self.token.is_cancelled() {
                self.spawn_walk(sender.clone());
                (begun, under_way) = (begun + 1, under_way + 1);
            }
            if under_way == 0 {
                return;
            }
            match met.recv().await {
                Some(Met::Record(enr)) => matches.offer(*enr),
                Some(Met::End) => under_way -= 1,
                None => return,
            }
        }
    }

    /// One walk, to its end, even when nobody waits any more: what it meets is cached.
    fn spawn_walk(&self, met: mpsc::Sender<Met>) {
        let (recent, tell, own) = (self.recent.clone(), met.clone(), self.discv5.local_enr().node_id());
        let note = move |enr: &Enr| {
            if enr.node_id() == own {
                return true;
            }
            recent.note(enr, Instant::now());
            // full or not listened to: the cache has it
            let _ = tell.try_send(Met::Record(Box::new(enr.clone())));
            true
        };
        let walk = self.discv5.find_node_predicate(NodeId::random(), Box::new(note), MAX_LOOKUP_RECORDS);
        let token = self.token.clone();
        self.tasks.spawn("discovery_walk", async move {
            // its records were told one by one; an error, or none: the service is gone
            let _ = token.run_until_cancelled(walk).await;
            // nobody waits any more
            let _ = met.send(Met::End).await;
        });
    }
}

/// What a walk tells.
enum Met {
    /// It met a record.
    Record(Box<Enr>),
    /// It is over.
    End,
}
