//! Files that are replaced as a whole: temporary file, fsync, rename, fsync of the directory.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::StoreError;

/// Replaces `path` with `content`, readable by the owner alone. Blocks until it is on disk.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    replace(path, content).map_err(|source| StoreError::Write { path: path.to_owned(), source })
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    // created 0600 under a random name; removed again if anything below fails
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(dir)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(dir)?.sync_all()
}

/// Removes what processes that were killed in the middle of [`write()`] left in `dir`; parts of a key, for one.
///
/// Only for the holder of the lock: another process may be writing.
pub(super) fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Reads a small text file; `None` if there is none.
///
/// At most 64 KiB are read, so that a wrong file costs nothing; more than that is an error.
pub(super) fn read(path: &Path) -> Result<Option<String>, StoreError> {
    let read = || -> io::Result<String> {
        let mut text = String::new();
        File::open(path)?.take(MAX_SIZE + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_SIZE { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
    };
    match read() {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(StoreError::Corrupt { path: path.to_owned(), problem: "not text".to_owned() })
        }
        Err(source) => Err(StoreError::Read { path: path.to_owned(), source }),
    }
}

/// How the names of files begin that are not complete yet.
const TEMPORARY: &str = ".tmp";

/// Bytes; the largest file kept here is a record of at most 300 bytes.
const MAX_SIZE: u64 = 64 * 1024;
