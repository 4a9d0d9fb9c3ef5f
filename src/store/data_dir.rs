//! The data directory itself: who holds it, and the files in it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::metadata::StoredMetaData;
use super::{Identity, StoreError, atomic, sequence};
use crate::time::unix_now_ms;
use crate::types::{Enr, MetaData, enr_peer_id};

/// An exclusively held data directory.
///
/// The lock is the operating system's: it ends with the process, however that ends. All methods block on the disk.
#[derive(Debug)]
#[must_use = "the directory is free for others as soon as this is dropped"]
pub struct DataDir {
    path: PathBuf,
    identity: Identity,
    key_is_new: bool,
    _lock: File,
}

impl DataDir {
    /// Creates the directory if needed (0700), locks it, tidies up after a crash, and reads the key or makes one.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process holds it; [`StoreError::Exposed`] and [`StoreError::BadKey`]
    /// when the key cannot be trusted; the rest is the disk's.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let unusable = |source| StoreError::Directory { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let lock = lock(path)?;
        atomic::remove_leftovers(path).map_err(unusable)?;
        let key_path = path.join(KEY_FILE);
        let stored = Identity::read(&key_path)?;
        let key_is_new = stored.is_none();
        let identity = stored.map_or_else(
            || {
                let identity = Identity::generate();
                identity.write(&key_path).map(|()| identity)
            },
            Ok,
        )?;
        Ok(Self { path: path.to_owned(), identity, key_is_new, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The identity of the key file.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The sequence number of a record when [`Self::load_enr`] finds none; at least 1.
    #[must_use]
    pub fn first_enr_sequence(&self) -> u64 {
        sequence::first(self.key_is_new, 1, unix_now_ms())
    }

    /// The sequence number of metadata when [`Self::load_metadata`] finds none.
    #[must_use]
    pub fn first_metadata_sequence(&self) -> u64 {
        sequence::first(self.key_is_new, 0, unix_now_ms())
    }

    /// The record that was saved last; `None` if there is none of this key.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`]. Writes here are atomic, so damage means that the disk or another program did it,
    /// and the key lies on the same disk: an operator should look before the node goes on. Deleting the file is
    /// safe, because [`Self::first_enr_sequence`] then starts above.
    pub fn load_enr(&self) -> Result<Option<Enr>, StoreError> {
        let enr = read_enr(&self.path)?;
        Ok(enr.filter(|enr| enr_peer_id(enr) == Some(self.identity.peer_id)))
    }

    /// Keeps the record. Save before it is announced, so that a crash cannot make its number fall back.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn save_enr(&self, enr: &Enr) -> Result<(), StoreError> {
        atomic::write(&self.path.join(ENR_FILE), format!("{}\n", enr.to_base64()).as_bytes())
    }

    /// The metadata that was saved last; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], for the same reason as [`Self::load_enr`].
    pub fn load_metadata(&self) -> Result<Option<MetaData>, StoreError> {
        let path = self.path.join(METADATA_FILE);
        let Some(text) = atomic::read(&path)? else {
            return Ok(None);
        };
        let corrupt = |problem| StoreError::Corrupt { path: path.clone(), problem };
        let stored: StoredMetaData = serde_json::from_str(&text).map_err(|error| corrupt(error.to_string()))?;
        let metadata = stored.decode().ok_or_else(|| corrupt("a bit vector is not one".to_owned()))?;
        Ok(Some(metadata))
    }

    /// Keeps the metadata. Save before it is announced.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn save_metadata(&self, metadata: &MetaData) -> Result<(), StoreError> {
        let json = serde_json::to_string(&StoredMetaData::new(metadata)).expect("numbers and strings are valid JSON");
        atomic::write(&self.path.join(METADATA_FILE), format!("{json}\n").as_bytes())
    }
}

/// Reads the identity of a data directory without holding it; `None` if it has none yet.
///
/// # Errors
/// As [`DataDir::open`], but for the lock.
pub fn read_identity(path: &Path) -> Result<Option<Identity>, StoreError> {
    Identity::read(&path.join(KEY_FILE))
}

/// Reads the record of a data directory without holding it; `None` if it has none yet.
///
/// # Errors
/// [`StoreError::Corrupt`] when it does not decode, [`StoreError::Read`] when it cannot be read.
pub fn read_enr(path: &Path) -> Result<Option<Enr>, StoreError> {
    let path = path.join(ENR_FILE);
    let Some(text) = atomic::read(&path)? else {
        return Ok(None);
    };
    text.trim().parse().map(Some).map_err(|problem| StoreError::Corrupt { path, problem })
}

/// Takes the lock and leaves the process id in it, for the message that a second daemon prints.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let unusable = |source| StoreError::Directory { path: dir.to_owned(), source };
    let path = dir.join(LOCK_FILE);
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Locked { path: dir.to_owned(), holder: holder(file) });
        }
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    write_pid(&mut file).map_err(unusable)?;
    Ok(file)
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

const LOCK_FILE: &str = ".lock";
const KEY_FILE: &str = "node.key";
const ENR_FILE: &str = "enr.txt";
const METADATA_FILE: &str = "metadata.json";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::types::{Attnets, Syncnets};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_identity_outlives_the_process_and_is_for_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let first = DataDir::open(&path).unwrap();
        let peer_id = first.identity().peer_id;
        assert_eq!(first.first_enr_sequence(), 1);
        assert_eq!((mode(&path), mode(&path.join(KEY_FILE))), (0o700, 0o600));
        let text = fs::read_to_string(path.join(KEY_FILE)).unwrap();
        assert_eq!((text.len(), text.ends_with('\n')), (65, true));
        drop(first);
        let second = DataDir::open(&path).unwrap();
        assert_eq!(second.identity().peer_id, peer_id);
        assert!(second.first_enr_sequence() > 1_000_000_000);
        assert_eq!(read_identity(&path).unwrap().unwrap().node_id, second.identity().node_id);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn a_second_daemon_is_locked_out_until_the_first_ends() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        let error = DataDir::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Locked { holder: Some(pid), .. } if pid == std::process::id()), "{error}");
        assert!(error.to_string().contains("--data-dir"), "{error}");
        drop(first);
        assert!(DataDir::open(dir.path()).is_ok());
    }

    #[test]
    fn what_a_crash_left_half_written_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        drop(DataDir::open(dir.path()).unwrap());
        let leftover = tempfile::Builder::new().prefix(".tmp").tempfile_in(dir.path()).unwrap();
        let (_, leftover) = leftover.keep().unwrap();
        fs::write(dir.path().join("notes.txt"), "the operator's own").unwrap();
        drop(DataDir::open(dir.path()).unwrap());
        assert!(!leftover.exists() && dir.path().join("notes.txt").exists());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(DataDir::open(dir.path()).unwrap());
        let key = dir.path().join(KEY_FILE);
        for exposed in [0o640, 0o604, 0o660] {
            fs::set_permissions(&key, fs::Permissions::from_mode(exposed)).unwrap();
            let error = DataDir::open(dir.path()).unwrap_err();
            assert!(matches!(error, StoreError::Exposed { mode, .. } if mode == exposed), "{error}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_malformed_key_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join(KEY_FILE);
        for content in [&b""[..], b"abc\n", &[b'0'; 64], &[b'f'; 64], &[b'1'; 66], &[0xff; 64], &[b'1'; 100_000]] {
            fs::write(&key, content).unwrap();
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
            let error = DataDir::open(dir.path()).unwrap_err();
            assert!(matches!(error, StoreError::BadKey { .. } | StoreError::Read { .. }), "{error}");
            assert_eq!(fs::read(&key).unwrap(), content);
        }
    }

    #[test]
    fn a_path_that_is_no_directory_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(DataDir::open(file.path()), Err(StoreError::Directory { .. })));
    }

    #[test]
    fn record_and_metadata_come_back_as_they_were_saved() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        assert!(data.load_enr().unwrap().is_none() && data.load_metadata().unwrap().is_none());
        let enr = Enr::builder().seq(9).udp4(9000).build(&data.identity().enr_key).unwrap();
        data.save_enr(&enr).unwrap();
        let mut attnets = Attnets::default();
        attnets.set(63, true).unwrap();
        let metadata = MetaData {
            seq_number: u64::MAX,
            attnets,
            syncnets: Some(Syncnets::default()),
            custody_group_count: Some(4),
        };
        data.save_metadata(&metadata).unwrap();
        assert_eq!(data.load_enr().unwrap(), Some(enr));
        assert_eq!(data.load_metadata().unwrap(), Some(metadata));
    }

    #[test]
    fn the_record_of_another_key_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        data.save_enr(&Enr::empty(&Identity::generate().enr_key).unwrap()).unwrap();
        assert_eq!(data.load_enr().unwrap(), None);
    }

    #[test]
    fn damaged_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        fs::write(dir.path().join(ENR_FILE), "enr:-xyz").unwrap();
        let error = data.load_enr().unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt { path, .. } if path.ends_with(ENR_FILE)), "{error}");
        for damaged in [&b"{\"seq_number\": 1"[..], b"", b"\xff", br#"{"seq_number":1,"attnets":"00"}"#] {
            fs::write(dir.path().join(METADATA_FILE), damaged).unwrap();
            let error = data.load_metadata().unwrap_err();
            assert!(matches!(&error, StoreError::Corrupt { path, .. } if path.ends_with(METADATA_FILE)), "{error}");
        }
    }
}
