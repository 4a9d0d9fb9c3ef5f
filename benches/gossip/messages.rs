//! Messages that pass every rule that needs no state, of mainnet's sizes.

use std::path::PathBuf;

use anyhow::{Context, Result};
use beacond::types::containers::{BlsSignature, Branch, Container, KzgProof, List, Transactions, altair, fulu};
use beacond::types::containers::{electra, phase0};
use beacond::types::{Root, SLOTS_PER_EPOCH, Slot, TopicKind, TopicName};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use ssz::{Decode, Encode};
use ssz_types::{BitList, BitVector};

/// Columns that are sent: those that a node keeps and samples by default.
pub(crate) const COLUMNS: u16 = 8;

/// Blobs of a block: a column has 30 KB.
const BLOBS: usize = 14;

/// Transactions of a block, bytes.
const BLOCK_BYTES: usize = 100_000;

/// Members of a committee.
const MEMBERS: usize = 512;

/// One in so many is drawn to aggregate: members, and members of a subcommittee, over 16.
const AGGREGATORS: u64 = 512 / 16;
const CONTRIBUTORS: u64 = 128 / 16;

/// Makes messages, each unlike all before.
pub(crate) struct Maker {
    rng: ChaCha8Rng,
    genesis_time: u64,
    slot_seconds: u64,
    columns: Vec<fulu::DataColumnSidecar>,
    next: u64,
}

impl Maker {
    pub(crate) fn new(seed: u64, genesis_time: u64, slot_seconds: u64) -> Result<Self> {
        let columns = columns().context("tests/fixtures/fulu")?;
        Ok(Self { rng: ChaCha8Rng::seed_from_u64(seed), genesis_time, slot_seconds, columns, next: 0 })
    }

    /// A message of a kind: its topic and its SSZ. Kinds with subnets go round those below `subnets`.
    pub(crate) fn make(&mut self, kind: TopicKind, subnets: u16, slot: Slot) -> Result<(TopicName, Vec<u8>)> {
        let number = self.next;
        self.next += 1;
        let subnet = u16::try_from(number % u64::from(subnets.max(1)))?;
        let ssz = match kind {
            TopicKind::BeaconAttestation => self.attestation(number, subnet, slot),
            TopicKind::BeaconAggregateAndProof => self.aggregate(number, slot)?,
            TopicKind::SyncCommittee => self.sync_message(number, slot),
            TopicKind::SyncCommitteeContributionAndProof => self.contribution(number, slot)?,
            TopicKind::DataColumnSidecar => self.column(number, subnet, slot),
            TopicKind::BeaconBlock => self.block(number, slot)?,
            TopicKind::VoluntaryExit => exit(number),
            other => anyhow::bail!("no load of {other}"),
        };
        let name = match kind.subnets() {
            Some(_) => TopicName::subnet_of(kind, subnet),
            None => TopicName::global(kind),
        };
        Ok((name.context("subnets are of the kind")?, ssz))
    }

    fn signature(&mut self) -> BlsSignature {
        let mut signature = BlsSignature([0; 96]);
        self.rng.fill_bytes(&mut signature.0);
        signature
    }

    /// A proof that is drawn.
    fn selection_proof(&mut self, modulo: u64) -> BlsSignature {
        loop {
            let proof = self.signature();
            let hash: [u8; 32] = Sha256::digest(proof.0).into();
            let lot = hash[..8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
            if u64::is_multiple_of(lot, modulo) {
                return proof;
            }
        }
    }

    fn attestation(&mut self, attester_index: u64, subnet: u16, slot: Slot) -> Vec<u8> {
        let (data, signature) = (vote(slot), self.signature());
        electra::SingleAttestation { committee_index: subnet.into(), attester_index, data, signature }.as_ssz_bytes()
    }

    fn aggregate(&mut self, aggregator_index: u64, slot: Slot) -> Result<Vec<u8>> {
        let mut aggregation_bits = BitList::with_capacity(MEMBERS).map_err(|_| anyhow::anyhow!("members"))?;
        let mut committee_bits = BitVector::default();
        for member in 0..MEMBERS {
            let votes = self.rng.next_u32() % 100 > 1;
            aggregation_bits.set(member, votes).map_err(|_| anyhow::anyhow!("a member"))?;
        }
        let committee = usize::try_from(aggregator_index % 64)?;
        committee_bits.set(committee, true).map_err(|_| anyhow::anyhow!("a committee"))?;
        let aggregate =
            electra::Attestation { aggregation_bits, data: vote(slot), signature: self.signature(), committee_bits };
        let selection_proof = self.selection_proof(AGGREGATORS);
        let message = electra::AggregateAndProof { aggregator_index, aggregate, selection_proof };
        Ok(electra::SignedAggregateAndProof { message, signature: self.signature() }.as_ssz_bytes())
    }

    fn sync_message(&mut self, validator_index: u64, slot: Slot) -> Vec<u8> {
        let (beacon_block_root, signature) = (root(slot), self.signature());
        altair::SyncCommitteeMessage { slot, beacon_block_root, validator_index, signature }.as_ssz_bytes()
    }

    fn contribution(&mut self, aggregator_index: u64, slot: Slot) -> Result<Vec<u8>> {
        let mut aggregation_bits = BitVector::default();
        for member in 0..128 {
            let signs = self.rng.next_u32() % 100 > 1;
            aggregation_bits.set(member, signs).map_err(|_| anyhow::anyhow!("a member"))?;
        }
        let contribution = altair::SyncCommitteeContribution {
            slot,
            beacon_block_root: root(slot),
            subcommittee_index: aggregator_index % 4,
            aggregation_bits,
            signature: self.signature(),
        };
        let selection_proof = self.selection_proof(CONTRIBUTORS);
        let message = altair::ContributionAndProof { aggregator_index, contribution, selection_proof };
        Ok(altair::SignedContributionAndProof { message, signature: self.signature() }.as_ssz_bytes())
    }

    /// True cells and proofs under another header.
    fn column(&mut self, number: u64, subnet: u16, slot: Slot) -> Vec<u8> {
        let sidecar = &mut self.columns[usize::from(subnet)];
        let header = &mut sidecar.signed_block_header.message;
        (header.slot, header.proposer_index) = (slot, number);
        sidecar.as_ssz_bytes()
    }

    fn block(&mut self, proposer_index: u64, slot: Slot) -> Result<Vec<u8>> {
        // one transaction: its offset, and bytes that do not compress
        let mut transactions = vec![0; 4 + BLOCK_BYTES];
        self.rng.fill_bytes(&mut transactions);
        transactions[..4].copy_from_slice(&4_u32.to_le_bytes());
        let execution_payload = fulu::ExecutionPayload {
            timestamp: self.genesis_time + slot.0 * self.slot_seconds,
            transactions: Transactions::from_ssz_bytes(&transactions).map_err(|err| anyhow::anyhow!("{err:?}"))?,
            ..Default::default()
        };
        let body = fulu::BeaconBlockBody { execution_payload, ..Default::default() };
        let message = fulu::BeaconBlock { slot, proposer_index, body, ..Default::default() };
        Ok(fulu::SignedBeaconBlock { message, signature: self.signature() }.as_ssz_bytes())
    }
}

fn exit(validator_index: u64) -> Vec<u8> {
    let message = phase0::VoluntaryExit { validator_index, ..Default::default() };
    phase0::SignedVoluntaryExit { message, ..Default::default() }.as_ssz_bytes()
}

/// What everyone votes for.
fn vote(slot: Slot) -> phase0::AttestationData {
    let epoch = slot.epoch();
    let target = phase0::Checkpoint { epoch, root: root(Slot(epoch.0 * SLOTS_PER_EPOCH)) };
    let source = phase0::Checkpoint { epoch: beacond::types::Epoch(epoch.0.saturating_sub(1)), root: root(Slot(1)) };
    phase0::AttestationData { slot, index: 0, beacon_block_root: root(slot), source, target }
}

/// The root of a block that nobody has.
fn root(slot: Slot) -> Root {
    Root(Sha256::digest(slot.0.to_le_bytes()).into())
}

/// The first columns, with the cells, proofs and commitments of all blobs of the fixtures, and again the first ones, until
/// there are enough; the headers are made to prove them.
fn columns() -> Result<Vec<fulu::DataColumnSidecar>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fulu");
    let mut of_slots = Vec::new();
    for slot in [9665, 9666, 9668] {
        of_slots.extend(columns_of(&std::fs::read(folder.join(format!("slot_{slot}.bin")))?)?);
    }
    (0..COLUMNS.into()).map(|index| merged(of_slots.iter().filter(|sidecar| sidecar.index == index))).collect()
}

fn merged<'a>(parts: impl Iterator<Item = &'a fulu::DataColumnSidecar> + Clone) -> Result<fulu::DataColumnSidecar> {
    let first = parts.clone().next().context("no such column")?;
    let err = |_| anyhow::anyhow!("too many blobs");
    let blobs = parts.clone().map(|part| part.column.len()).sum();
    let order = || (0..blobs).cycle().take(BLOBS);
    let cells: Vec<_> = parts.clone().flat_map(|part| part.column.iter().cloned()).collect();
    let proofs: Vec<KzgProof> = parts.clone().flat_map(|part| part.kzg_proofs.iter().copied()).collect();
    let commitments: Vec<_> = parts.flat_map(|part| part.kzg_commitments.iter().copied()).collect();
    let kzg_commitments = List::new(order().map(|blob| commitments[blob]).collect()).map_err(err)?;
    let mut signed_block_header = first.signed_block_header;
    let branch = first.kzg_commitments_inclusion_proof;
    signed_block_header.message.body_root = body_root(&kzg_commitments, &branch);
    Ok(fulu::DataColumnSidecar {
        index: first.index,
        column: List::new(order().map(|blob| cells[blob].clone()).collect()).map_err(err)?,
        kzg_proofs: List::new(order().map(|blob| proofs[blob]).collect()).map_err(err)?,
        kzg_commitments,
        signed_block_header,
        kzg_commitments_inclusion_proof: branch,
    })
}

/// The root of the body in which the commitments are leaf 11 of 16, with these siblings.
fn body_root(commitments: &fulu::BlobKzgCommitments, branch: &Branch<4>) -> Root {
    let hash = |left: Root, right: Root| Root(Sha256::digest([left.0, right.0].concat()).into());
    let (root, _) = branch.0.iter().fold((commitments.root(), 11), |(node, index), sibling| {
        (if index % 2 == 1 { hash(*sibling, node) } else { hash(node, *sibling) }, index / 2)
    });
    root
}

/// The columns among the records of a slot; the format is that of `tests/fixtures/README.md`.
fn columns_of(mut rest: &[u8]) -> Result<Vec<fulu::DataColumnSidecar>> {
    let mut columns = Vec::new();
    while !rest.is_empty() {
        let length = u16::from_le_bytes(take(&mut rest, 2)?.try_into()?);
        let topic: TopicName = std::str::from_utf8(take(&mut rest, length.into())?)?.parse()?;
        let _offset = take(&mut rest, 4)?;
        let length = u32::from_le_bytes(take(&mut rest, 4)?.try_into()?);
        let data = take(&mut rest, usize::try_from(length)?)?;
        if topic.kind() == TopicKind::DataColumnSidecar && topic.subnet().is_some_and(|subnet| subnet < COLUMNS) {
            let ssz = snap::raw::Decoder::new().decompress_vec(data)?;
            let sidecar = fulu::DataColumnSidecar::from_ssz_bytes(&ssz).map_err(|err| anyhow::anyhow!("{err:?}"))?;
            columns.push(sidecar);
        }
    }
    Ok(columns)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count).context("a record is cut off")?;
    *rest = left;
    Ok(taken)
}
