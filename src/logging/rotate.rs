//! A log file that is set aside when it is full.
//!
//! Size is what an operator can plan a disk by, and a node's log grows with what its peers do, not with the calendar;
//! `tracing-appender` rotates by time alone. So this is here: `PATH` is written, `PATH.1` is the youngest of the
//! older ones. At most `(keep + 1) × max_size` bytes, and one line, lie on the disk.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use crate::config::LogFile;

/// The file being written. Owned by the thread that writes the log.
#[derive(Debug)]
pub(super) struct RotatingFile {
    config: LogFile,
    file: File,
    size: u64,
}

impl RotatingFile {
    /// Goes on at the end of the file, or begins it.
    pub(super) fn open(config: &LogFile) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(&config.path)?;
        let size = file.metadata()?.len();
        Ok(Self { config: config.clone(), file, size })
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.config.keep).rev() {
            rename_if_present(self.older(number), self.older(number + 1))?;
        }
        if self.config.keep == 0 {
            fs::remove_file(&self.config.path)?;
        } else {
            rename_if_present(self.config.path.clone(), self.older(1))?;
        }
        *self = Self::open(&self.config)?;
        Ok(())
    }

    fn older(&self, number: u16) -> PathBuf {
        let mut name = OsString::from(&self.config.path);
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }
}

impl Write for RotatingFile {
    /// Never splits a line: the writer above hands over whole ones.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let full = self.size.saturating_add(line.len() as u64) > self.config.max_size;
        if full && self.size > 0 && self.rotate().is_err() {
            // a file that grows too long is better than a line lost; the next line tries again
        }
        let written = self.file.write(line)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn rename_if_present(from: PathBuf, to: PathBuf) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(keep: u16, lines: &[&str]) -> Vec<(String, String)> {
        let dir = tempfile::tempdir().unwrap();
        let config = LogFile { path: dir.path().join("log"), max_size: 8, keep };
        for line in lines {
            // opened afresh each time, as after a restart
            RotatingFile::open(&config).unwrap().write_all(line.as_bytes()).unwrap();
        }
        let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
    }

    fn files(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn full_files_are_set_aside_and_the_oldest_deleted() {
        let lines = ["one\n", "two\n", "three\n", "four\n", "five\n"];
        assert_eq!(written(2, &lines), files(&[("log", "five\n"), ("log.1", "four\n"), ("log.2", "three\n")]));
        assert_eq!(written(9, &lines[..3]), files(&[("log", "three\n"), ("log.1", "one\ntwo\n")]));
    }

    #[test]
    fn without_older_files_the_log_starts_over() {
        assert_eq!(written(0, &["one\n", "two\n", "three\n"]), files(&[("log", "three\n")]));
    }

    #[test]
    fn a_line_longer_than_the_limit_has_a_file_of_its_own() {
        assert_eq!(written(1, &["much too long\n", "x\n"]), files(&[("log", "x\n"), ("log.1", "much too long\n")]));
    }

    #[test]
    fn lines_are_kept_when_the_file_cannot_be_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let config = LogFile { path: dir.path().join("log"), max_size: 8, keep: 1 };
        fs::create_dir_all(dir.path().join("log.1/in-the-way")).unwrap();
        let mut file = RotatingFile::open(&config).unwrap();
        for _ in 0..3 {
            file.write_all(b"12345\n").unwrap();
        }
        assert_eq!(fs::read_to_string(&config.path).unwrap().lines().count(), 3);
    }
}
