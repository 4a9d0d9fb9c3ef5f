//! The peer book: what is remembered of peers from one run to the next, so that a start dials known-good peers before
//! the first lookup.
//!
//! `node` opens it beside the data directory's files, gives the entries to the peer manager, and notes what changes.
//! Notes are written behind, by a thread of their own: whoever notes never waits for the disk, and what is noted of a
//! peer twice is written once. It knows no policy; when a ban ends or whom to dial is decided elsewhere.

mod file;
mod record;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::file::{BookFile, Bounds};
use super::StoreError;
use crate::time::unix_now_ms;
use crate::types::{BookEntry, PeerId};

/// The book's name in the data directory. Damaged ones become `peers.redb.corrupt-UNIX`; the newest of those stays.
const FILE: &str = "peers.redb";

/// 20,000 entries of under 1 KB each (842 bytes as measured, with a record and two addresses) are 17 MB on disk, and at
/// most 20 MB in memory, at start alone. Entries last 30 days.
const BOUNDS: Bounds = Bounds { entries: 20_000, life_s: 30 * 24 * 60 * 60 };

/// From the first note to its commit: notes of that time are one batch.
const PACE: Duration = Duration::from_secs(1);

/// From a commit that failed to the next attempt.
const RETRY: Duration = Duration::from_secs(10);

/// Peers with notes that are not written yet; **drop and count** beyond, for peers that have none waiting.
///
/// 4096 × about 1 KiB = 4 MiB when the disk stalls.
const QUEUE: usize = 4096;

/// The open book. Dropping it leaves what was noted within the last second to chance; see [`Self::close`].
#[derive(Debug)]
#[must_use = "the book is closed as soon as this is dropped"]
pub struct PeerBook {
    desk: Arc<Desk>,
    writer: Option<JoinHandle<()>>,
}

impl PeerBook {
    /// Opens the book of a data directory, or begins one; blocks on the disk. Returns what it holds, in the order of
    /// [`BookEntry::rank`].
    ///
    /// A book that cannot be read is moved aside, with a warning that names it. Only for the holder of the directory's
    /// lock.
    ///
    /// # Errors
    /// [`StoreError::PeerBook`] when the system refuses, such as for a directory of that name.
    pub fn open(dir: &Path) -> Result<(Self, Vec<BookEntry>), StoreError> {
        Self::open_within(dir, BOUNDS)
    }

    fn open_within(dir: &Path, bounds: Bounds) -> Result<(Self, Vec<BookEntry>), StoreError> {
        let (path, now_s) = (dir.join(FILE), unix_now_s());
        let (file, mut entries) = BookFile::open(&path, bounds, now_s)?;
        for entry in &mut entries {
            // seen by a clock that was ahead: it would outlive all others
            entry.last_seen_s = entry.last_seen_s.min(now_s);
        }
        BookEntry::rank(&mut entries, now_s);
        let desk = Arc::<Desk>::default();
        let writer = Writer { desk: desk.clone(), path: path.clone(), bounds, file: Some(file), failing: false };
        let thread = thread::Builder::new().name("peer_book".to_owned());
        let writer = thread.spawn(move || writer.run()).map_err(|source| StoreError::PeerBook { path, source })?;
        Ok((Self { desk, writer: Some(writer) }, entries))
    }

    /// Keeps an entry, in place of what was known of the peer. Never waits for the disk; the last note of a peer wins.
    pub fn note(&self, entry: BookEntry) {
        let mut queue = self.desk.lock();
        let known = queue.entries.contains_key(&entry.peer_id);
        if !known && queue.entries.len() >= QUEUE {
            queue.dropped += 1;
            return;
        }
        queue.entries.insert(entry.peer_id, entry);
        drop(queue);
        self.desk.changed.notify_all();
    }

    /// Notes that found no room since the book was opened.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.desk.lock().dropped
    }

    /// Writes what was noted so far, and returns whether it is on disk. Blocks on the disk.
    #[must_use]
    pub fn flush(&self) -> bool {
        let mut queue = self.desk.lock();
        queue.flushes_asked += 1;
        let ticket = queue.flushes_asked;
        self.desk.changed.notify_all();
        let pending = |queue: &mut Queue| queue.flushes_served < ticket && !queue.abandoned;
        let queue = self.desk.changed.wait_while(queue, pending).unwrap_or_else(PoisonError::into_inner);
        queue.flushes_served >= ticket && queue.flushed
    }

    /// Writes what was noted so far and closes the file; returns whether all of it is on disk. Blocks on the disk, so
    /// `node` calls it within the grace time, on a thread that may.
    #[must_use]
    pub fn close(mut self) -> bool {
        let flushed = self.flush();
        self.desk.end();
        if let Some(writer) = self.writer.take() {
            // a panic of the writer was told by its hook
            let _ = writer.join();
        }
        flushed
    }
}

impl Drop for PeerBook {
    fn drop(&mut self) {
        self.desk.end();
    }
}

/// Where notes wait for the writer.
#[derive(Debug, Default)]
struct Desk {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    entries: BTreeMap<PeerId, BookEntry>,
    dropped: u64,
    flushes_asked: u64,
    flushes_served: u64,
    /// Whether the last batch is on disk.
    flushed: bool,
    /// Nobody notes any more.
    closing: bool,
    /// Nobody writes any more.
    abandoned: bool,
}

impl Queue {
    const fn in_a_hurry(&self) -> bool {
        self.closing || self.flushes_asked > self.flushes_served
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // every critical section leaves a whole queue
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// Waits until there is something to do and `pace` has passed, unless somebody is in a hurry.
    fn wait(&self, pace: Duration) -> MutexGuard<'_, Queue> {
        let idle = |queue: &mut Queue| queue.entries.is_empty() && !queue.in_a_hurry();
        let queue = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let (queue, _) = self
            .changed
            .wait_timeout_while(queue, pace, |queue| !queue.in_a_hurry())
            .unwrap_or_else(PoisonError::into_inner);
        queue
    }
}

/// The thread that owns the file.
struct Writer {
    desk: Arc<Desk>,
    path: PathBuf,
    bounds: Bounds,
    /// `None` after an error: opened again, which mends it.
    file: Option<BookFile>,
    /// Whether that was said.
    failing: bool,
}

impl Writer {
    fn run(mut self) {
        let _leaves = Abandon(self.desk.clone());
        loop {
            let mut queue = self.desk.wait(if self.failing { RETRY } else { PACE });
            let (asked, closing) = (queue.flushes_asked, queue.closing);
            let batch = std::mem::take(&mut queue.entries);
            drop(queue);
            let written = batch.is_empty() || self.write(&batch);
            let mut queue = self.desk.lock();
            if !written {
                restore(&mut queue, batch);
            }
            (queue.flushes_served, queue.flushed) = (asked, written);
            drop(queue);
            self.desk.changed.notify_all();
            if closing {
                return;
            }
        }
    }

    fn write(&mut self, batch: &BTreeMap<PeerId, BookEntry>) -> bool {
        let result = self.open().and_then(|file| {
            let unusable = |error: file::FileError| StoreError::PeerBook {
                path: self.path.clone(),
                source: std::io::Error::other(error),
            };
            file.write(batch.values()).map(|()| file).map_err(unusable)
        });
        match result {
            Ok(file) => {
                (self.file, self.failing) = (Some(file), false);
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the peer book cannot be written, and is tried again"
                    );
                }
                false
            }
        }
    }

    fn open(&mut self) -> Result<BookFile, StoreError> {
        self.file.take().map_or_else(|| BookFile::open(&self.path, self.bounds, unix_now_s()).map(|(file, _)| file), Ok)
    }
}

/// Puts a batch back that was not written; what was noted since wins.
fn restore(queue: &mut Queue, batch: BTreeMap<PeerId, BookEntry>) {
    for (peer_id, entry) in batch {
        if queue.entries.len() >= QUEUE {
            queue.dropped += 1;
            continue;
        }
        queue.entries.entry(peer_id).or_insert(entry);
    }
}

/// Lets nobody wait for a writer that is gone.
struct Abandon(Arc<Desk>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.lock().abandoned = true;
        self.0.changed.notify_all();
    }
}

fn unix_now_s() -> u64 {
    unix_now_ms() / 1000
}

#[cfg(test)]
mod tests;
