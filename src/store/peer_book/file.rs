//! The database file: opened whole or put aside, written in batches, kept within its bounds.
//!
//! Used by the one thread that owns the book. redb keeps two commits and the sums of all pages, so a process that is
//! killed loses its last batch at most. What no sum protects against is damage by others: the library may then panic,
//! so each call into it is caught, and what cannot be read is moved aside.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, ReadableTable, ReadableTableMetadata, TableDefinition};

use super::record;
use crate::store::StoreError;
use crate::types::BookEntry;

/// Peer id to [`record::StoredEntry`]. The number is that of the value's shape.
const PEERS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("peers/1");

/// Bytes of pages that redb may hold in memory; its default is 1 GiB.
const CACHE: usize = 2 * 1024 * 1024;

const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

/// The byte that follows; redb calls it the god byte.
const STATE: usize = MAGIC.len();
const RECOVERY_REQUIRED: u8 = 2;
const TWO_PHASE_COMMIT: u8 = 4;

/// Where the pages of a region's header and of its data are counted.
const REGION_SIZES: [usize; 2] = [16, 20];

/// Pages of 4 KiB in a region: redb's are 4 GiB at most.
const MAX_REGION_PAGES: u32 = 1 << 20;

/// Where the page numbers of the roots are: the tables' and redb's own, of the commits at 64 and at 192.
const ROOTS: [usize; 4] = [64 + 8, 64 + 40, 192 + 8, 192 + 40];

/// 4 KiB × 2^8 = 1 MiB; a page of the book is one of 4 KiB, since an entry is smaller.
const MAX_PAGE_ORDER: u32 = 8;

/// What the book keeps at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Entries; the one that was seen longest ago goes first, a sixteenth of them at a time.
    pub(super) entries: usize,
    /// Seconds since an entry was last seen.
    pub(super) life_s: u64,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// Its content makes no sense.
    #[error("{0}")]
    Damaged(String),
    /// The system refuses.
    #[error(transparent)]
    Io(io::Error),
}

impl<E: Into<redb::Error>> From<E> for FileError {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Io(error) => match error.kind() {
                // what redb says of a file that is not its own, or too short
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Damaged(error.to_string()),
                _ => Self::Io(error),
            },
            redb::Error::DatabaseAlreadyOpen => Self::Io(io::ErrorKind::ResourceBusy.into()),
            error => Self::Damaged(error.to_string()),
        }
    }
}

/// The open database.
#[derive(Debug)]
pub(super) struct BookFile {
    database: Option<Database>,
    bounds: Bounds,
}

impl BookFile {
    /// Opens the book, or begins one, and returns what it holds. One that is damaged is moved aside, with a warning
    /// that names it, and the book begins anew.
    ///
    /// # Errors
    /// [`StoreError::PeerBook`]: the system refuses, or the path is no file.
    pub(super) fn open(path: &Path, bounds: Bounds, now_s: u64) -> Result<(Self, Vec<BookEntry>), StoreError> {
        let unusable = |source| StoreError::PeerBook { path: path.to_owned(), source };
        if path.try_exists().map_err(unusable)? {
            let problem = match Self::try_open(path, bounds, now_s) {
                Ok(opened) => return Ok(opened),
                Err(FileError::Damaged(problem)) => problem,
                Err(FileError::Io(source)) => return Err(unusable(source)),
            };
            let aside = move_aside(path, now_s).map_err(unusable)?;
            tracing::warn!(file = %path.display(), moved_to = %aside.display(), problem, "the peer book is damaged, and begins anew");
        }
        Self::begin(path, bounds, now_s).map_err(|error| match error {
            FileError::Damaged(problem) => unusable(io::Error::other(problem)),
            FileError::Io(source) => unusable(source),
        })
    }

    /// Begins a book under another name, so that a process that is killed meanwhile leaves none that makes no sense.
    fn begin(path: &Path, bounds: Bounds, now_s: u64) -> Result<(Self, Vec<BookEntry>), FileError> {
        let unfinished = path.with_extension("redb.new");
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(FileError::Io(error)),
            Ok(()) | Err(_) => {}
        }
        let begun = Self::try_open(&unfinished, bounds, now_s)?;
        fs::rename(&unfinished, path).map_err(FileError::Io)?;
        Ok(begun)
    }

    fn try_open(path: &Path, bounds: Bounds, now_s: u64) -> Result<(Self, Vec<BookEntry>), FileError> {
        // opened here, since redb would let others read it
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        distrust(&file)?;
        guarded(|| {
            let database = Builder::new().set_cache_size(CACHE).create_file(file)?;
            let book = Self { database: Some(database), bounds };
            let entries = book.read(now_s)?;
            Ok((book, entries))
        })
    }

    /// Everything but what is too old, which is removed.
    fn read(&self, now_s: u64) -> Result<Vec<BookEntry>, FileError> {
        let bounds = self.bounds;
        let transaction = self.database()?.begin_write()?;
        let mut entries = Vec::new();
        {
            let mut table = transaction.open_table(PEERS)?;
            // another program's table, or another clock's entries, are no reason to lose the rest
            table.retain(|key, value| {
                let entry =
                    record::decode(key, value).filter(|entry| now_s.saturating_sub(entry.last_seen_s) <= bounds.life_s);
                let kept = entry.is_some();
                entries.extend(entry);
                kept
            })?;
        }
        transaction.commit()?;
        Ok(entries)
    }

    /// Writes a batch, as one commit that is on disk when this returns; entries beyond the bounds leave with it.
    ///
    /// After an error the file must be opened again.
    pub(super) fn write<'a>(&self, batch: impl IntoIterator<Item = &'a BookEntry>) -> Result<(), FileError> {
        guarded(|| {
            let transaction = self.database()?.begin_write()?;
            {
                let mut table = transaction.open_table(PEERS)?;
                for entry in batch {
                    table.insert(entry.peer_id.to_bytes().as_slice(), record::encode(entry).as_slice())?;
                }
                let surplus = table.len()?.saturating_sub(self.bounds.entries as u64);
                if surplus > 0 {
                    let spare = self.bounds.entries / 16;
                    remove_oldest(&mut table, usize::try_from(surplus).unwrap_or(usize::MAX).saturating_add(spare))?;
                }
            }
            Ok(transaction.commit()?)
        })
    }

    fn database(&self) -> Result<&Database, FileError> {
        self.database.as_ref().ok_or_else(|| FileError::Io(io::ErrorKind::NotConnected.into()))
    }
}

impl Drop for BookFile {
    fn drop(&mut self) {
        // closing writes, too, and damage shows here as well; there is nobody left to tell
        let _ = guarded(|| {
            drop(self.database.take());
            Ok(())
        });
    }
}

fn remove_oldest(table: &mut redb::Table<'_, &[u8], &[u8]>, count: usize) -> Result<(), FileError> {
    let mut ages = Vec::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        ages.push((record::last_seen(value.value()), key.value().to_vec()));
    }
    ages.sort_unstable();
    for (_, key) in ages.into_iter().take(count) {
        table.remove(key.as_slice())?;
    }
    Ok(())
}

/// Tells redb to trust no page before its sum was checked, as it does after a crash. With that, a full book opens in
/// 0.4 s (20,000 entries, development build).
///
/// A file that was closed in order is read without sums otherwise, and a page number that is none then has the library
/// allocate gigabytes, which ends the process. What redb uses without a sum, or in spite of a wrong one when a page
/// elsewhere is damaged as well, is checked for sense here: the regions' sizes and the roots of both commits.
/// [redb v4.1.0, file format](https://github.com/cberner/redb/blob/v4.1.0/docs/design.md#super-header)
fn distrust(file: &File) -> Result<(), FileError> {
    let mut header = [0; 320];
    match file.read_exact_at(&mut header, 0) {
        // empty, or too short: redb makes or refuses it
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
        Err(error) => return Err(FileError::Io(error)),
        Ok(()) => {}
    }
    if header[..MAGIC.len()] != MAGIC {
        return Err(FileError::Damaged("not a database".to_owned()));
    }
    let number = |at: usize| header[at..].first_chunk().map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes));
    if REGION_SIZES.into_iter().any(|at| number(at) > MAX_REGION_PAGES) {
        return Err(FileError::Damaged("its regions are too large".to_owned()));
    }
    // the upper five bits of a page number, of eight bytes, are the logarithm of its size
    if ROOTS.into_iter().any(|at| number(at + 4) >> 27 > MAX_PAGE_ORDER) {
        return Err(FileError::Damaged("a root page is too large".to_owned()));
    }
    let state = (header[STATE] | RECOVERY_REQUIRED) & !TWO_PHASE_COMMIT;
    file.write_all_at(&[state], STATE as u64).map_err(FileError::Io)
}

/// Runs what touches pages: on a damaged file the library may panic instead of returning an error.
fn guarded<T>(action: impl FnOnce() -> Result<T, FileError>) -> Result<T, FileError> {
    let panicked = |_| Err(FileError::Damaged("redb gave up on it".to_owned()));
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(panicked)
}

/// Moves the file beside itself, and removes what was moved there before: one is enough to look into.
fn move_aside(path: &Path, now_s: u64) -> io::Result<PathBuf> {
    let prefix = format!("{}.corrupt-", path.file_name().unwrap_or_default().to_string_lossy());
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            fs::remove_file(entry.path())?;
        }
    }
    let aside = dir.join(format!("{prefix}{now_s}"));
    fs::rename(path, &aside)?;
    Ok(aside)
}
