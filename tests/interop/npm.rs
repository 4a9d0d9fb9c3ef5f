//! Installs the npm packages of the JavaScript peers, pinned by their locks, into a cache outside the tree.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::scenario::notice;

/// One of the directories in `peers/`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Package {
    /// Lodestar 1.5.1, whole.
    Chain,
    /// The network core of Lodestar 1.44.
    Core,
    /// @chainsafe/discv5.
    Discv5,
    /// js-libp2p.
    Libp2p,
}

impl Package {
    const ALL: [Self; 4] = [Self::Chain, Self::Core, Self::Discv5, Self::Libp2p];

    const fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Core => "core",
            Self::Discv5 => "discv5",
            Self::Libp2p => "libp2p",
        }
    }

    /// Where the sources stand in the tree.
    pub(crate) fn source(self) -> PathBuf {
        peers().join(self.name())
    }

    /// Where the installation stands, or will: its name changes with everything that shapes it.
    pub(crate) fn installation(self) -> Result<PathBuf> {
        let mut hash = Sha256::new();
        for file in self.files()? {
            hash.update(file.to_string_lossy().as_bytes());
            hash.update(fs::read(self.source().join(&file))?);
        }
        let digest = hex::encode(&hash.finalize()[..6]);
        Ok(cache()?.join(format!("{}-{digest}", self.name())))
    }

    /// The files that shape the installation, relative and in order; `peer.mjs` runs over it and is no part.
    fn files(self) -> Result<Vec<PathBuf>> {
        let root = self.source();
        let mut files = Vec::new();
        let mut open = vec![root.clone()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                } else if !path.ends_with("peer.mjs") {
                    files.push(path.strip_prefix(&root)?.to_owned());
                }
            }
        }
        files.sort();
        Ok(files)
    }

    fn install(self) -> Result<()> {
        let target = self.installation()?;
        if target.exists() {
            return Ok(());
        }
        notice(&format!("installing the interop peer `{}` with npm, once, into {}", self.name(), target.display()));
        let partial = target.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        for file in self.files()? {
            let to = partial.join(&file);
            fs::create_dir_all(to.parent().expect("a file in a directory"))?;
            fs::copy(self.source().join(&file), to)?;
        }
        // Not `npm ci`: it refuses a lock that lists the optional packages of one platform only.
        run(Command::new("npm")
            .args(["install", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&partial))?;
        if partial.join("prepare.mjs").exists() {
            run(Command::new("node").arg("prepare.mjs").current_dir(&partial))?;
        }
        Ok(fs::rename(partial, target)?)
    }
}

/// Installs whatever is missing; other processes that do the same wait.
pub(crate) fn install_all() -> Result<()> {
    let cache = cache()?;
    fs::create_dir_all(&cache).with_context(|| format!("creating {}", cache.display()))?;
    let lock = File::create(cache.join(".lock"))?;
    lock.lock()?;
    Package::ALL.into_iter().try_for_each(|package| {
        package.install().with_context(|| format!("installing the interop peer `{}`", package.name()))
    })
}

/// The directory with the sources of all peers.
pub(crate) fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/peers")
}

fn cache() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("BEACOND_INTEROP_CACHE") {
        return Ok(path.into());
    }
    let home = std::env::home_dir().context("no home directory: set BEACOND_INTEROP_CACHE")?;
    Ok(home.join(".cache/beacond-interop"))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Ok(())
}
