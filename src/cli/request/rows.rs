//! What is printed and kept of each chunk.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::{Map, Value};

use crate::cli::{Failure, print};
use crate::rpc::answers::{Block, FetchedBlob, FetchedColumn, FetchedEnvelope, LightClientObject};
use crate::types::{ForkDigest, ForkName, PeerId};

/// A chunk that can be printed.
pub(super) trait Row {
    /// Adds the fields that are its own.
    fn fill(&self, row: &mut Map<String, Value>);

    /// Its SSZ.
    fn ssz(&self) -> &[u8];

    /// Its fork, and the digest that it came with.
    fn fork(&self) -> (ForkName, ForkDigest);

    /// The name of its file, without the ending.
    fn name(&self) -> String;
}

fn fields<const N: usize>(row: &mut Map<String, Value>, fields: [(&str, Value); N]) {
    row.extend(fields.map(|(name, value)| (name.to_owned(), value)));
}

impl Row for Block {
    fn fill(&self, row: &mut Map<String, Value>) {
        let Self { block_root, block, .. } = self;
        fields(
            row,
            [
                ("slot", block.slot().0.into()),
                ("block_root", block_root.to_string().into()),
                ("parent_root", block.parent_root().to_string().into()),
                ("state_root", block.state_root().to_string().into()),
                ("proposer_index", block.proposer_index().into()),
                ("blobs", block.blob_commitments().into()),
            ],
        );
    }

    fn ssz(&self) -> &[u8] {
        &self.ssz
    }

    fn fork(&self) -> (ForkName, ForkDigest) {
        (self.fork, self.fork_digest)
    }

    fn name(&self) -> String {
        format!("block-{}-{}", self.block.slot(), self.block_root)
    }
}

impl Row for FetchedColumn {
    fn fill(&self, row: &mut Map<String, Value>) {
        let Self { block_root, column, .. } = self;
        fields(
            row,
            [
                ("slot", column.slot().0.into()),
                ("block_root", block_root.to_string().into()),
                ("index", column.index().into()),
                ("blobs", column.cells().0.len().into()),
            ],
        );
    }

    fn ssz(&self) -> &[u8] {
        &self.ssz
    }

    fn fork(&self) -> (ForkName, ForkDigest) {
        (self.fork, self.fork_digest)
    }

    fn name(&self) -> String {
        format!("column-{}-{}-{}", self.column.slot(), self.block_root, self.column.index())
    }
}

impl Row for FetchedBlob {
    fn fill(&self, row: &mut Map<String, Value>) {
        let Self { block_root, sidecar, .. } = self;
        fields(
            row,
            [
                ("slot", sidecar.signed_block_header.message.slot.0.into()),
                ("block_root", block_root.to_string().into()),
                ("index", sidecar.index.into()),
            ],
        );
    }

    fn ssz(&self) -> &[u8] {
        &self.ssz
    }

    fn fork(&self) -> (ForkName, ForkDigest) {
        (self.fork, self.fork_digest)
    }

    fn name(&self) -> String {
        let slot = self.sidecar.signed_block_header.message.slot;
        format!("blob-{slot}-{}-{}", self.block_root, self.sidecar.index)
    }
}

impl Row for FetchedEnvelope {
    fn fill(&self, row: &mut Map<String, Value>) {
        let Self { block_root, envelope, .. } = self;
        fields(
            row,
            [
                ("slot", envelope.message.payload.slot_number.into()),
                ("block_root", block_root.to_string().into()),
                ("builder_index", envelope.message.builder_index.into()),
                ("block_hash", envelope.message.payload.block_hash.to_string().into()),
            ],
        );
    }

    fn ssz(&self) -> &[u8] {
        &self.ssz
    }

    fn fork(&self) -> (ForkName, ForkDigest) {
        (self.fork, self.fork_digest)
    }

    fn name(&self) -> String {
        format!("payload-{}-{}", self.envelope.message.payload.slot_number, self.block_root)
    }
}

impl Row for LightClientObject {
    fn fill(&self, row: &mut Map<String, Value>) {
        let Self { message, header, .. } = self;
        fields(
            row,
            [
                ("object", message.as_str().into()),
                ("slot", header.slot.0.into()),
                ("block_root", header.root().to_string().into()),
                ("state_root", header.state_root.to_string().into()),
            ],
        );
    }

    fn ssz(&self) -> &[u8] {
        &self.ssz
    }

    fn fork(&self) -> (ForkName, ForkDigest) {
        (self.fork, self.fork_digest)
    }

    fn name(&self) -> String {
        format!("{}-{}-{}", self.message.as_str(), self.header.slot, self.header.root())
    }
}

/// Where the SSZ of chunks is kept, if it is.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    dir: Option<PathBuf>,
}

impl Raw {
    /// Makes the directory.
    pub(super) fn new(dir: Option<PathBuf>) -> Result<Self, Failure> {
        if let Some(dir) = &dir {
            let made = fs::create_dir_all(dir);
            made.map_err(|error| Failure::Usage(format!("--raw: cannot make directory {dir:?}: {error}")))?;
        }
        Ok(Self { dir })
    }

    /// Keeps and prints a chunk; how many bytes of SSZ it has. Blocks.
    pub(super) fn put(&self, method: &'static str, peer_id: PeerId, row: &impl Row) -> Result<usize, Failure> {
        self.keep(row)?;
        let mut object = Map::new();
        fields(&mut object, [("method", method.into()), ("peer_id", peer_id.to_string().into())]);
        row.fill(&mut object);
        let ((fork, fork_digest), ssz_bytes) = (row.fork(), row.ssz().len());
        let digest = fork_digest.to_string();
        let shared = [("fork", fork.as_str().into()), ("fork_digest", digest.into()), ("ssz_bytes", ssz_bytes.into())];
        fields(&mut object, shared);
        print::text(&format!("{}\n", Value::from(object)))?;
        Ok(ssz_bytes)
    }

    fn keep(&self, row: &impl Row) -> Result<(), Failure> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let path = dir.join(format!("{}.ssz", row.name()));
        fs::write(&path, row.ssz()).with_context(|| format!("--raw: cannot write {path:?}")).map_err(Failure::start)
    }
}
