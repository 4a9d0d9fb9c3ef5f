//! A network at one fork and a judge of it, and how tables of cases run against it.

use std::sync::Arc;
use std::time::Duration;

use ssz::Encode;

use crate::chain::{BlobParameters, ChainConfig, ForkParameters, ForkSchedule};
use crate::gossip::{IgnoreReason, Judge, Judgement, Passed, RejectReason, Verdict};
use crate::types::containers::BlsSignature;
use crate::types::{Epoch, ForkName, ForkVersion, GossipTopic, Root, Slot, TopicKind, TopicName};

/// The epoch and the slot in which the cases take place: the sixth of its epoch.
pub(super) const EPOCH: Epoch = Epoch(300);
pub(super) const SLOT: Slot = Slot(300 * 32 + 5);

/// Where the next fork begins, and before it, from Fulu on, a blob-parameter fork.
pub(super) const NEXT_FORK: Epoch = Epoch(1000);
pub(super) const NEXT_BLOBS: Epoch = Epoch(900);

/// Blobs in a block of Fulu and Gloas.
pub(super) const MAX_BLOBS: usize = 6;

pub(super) const GENESIS_TIME: u64 = 1_600_000_000;
const SLOT_MS: u64 = 12_000;

pub(super) struct World {
    pub(super) judge: Judge,
    pub(super) schedule: Arc<ForkSchedule>,
    pub(super) config: ChainConfig,
}

impl World {
    /// `fork` since genesis, the one after it at [`NEXT_FORK`].
    pub(super) fn at(fork: ForkName) -> Self {
        Self::with(fork, |_| {})
    }

    /// The same, with the configuration changed.
    pub(super) fn with(fork: ForkName, change: impl FnOnce(&mut ChainConfig)) -> Self {
        let epoch = |name: ForkName| match (name as usize).checked_sub(fork as usize) {
            None | Some(0) => Some(Epoch(0)),
            Some(1) => Some(NEXT_FORK),
            Some(_) => None,
        };
        let parameters =
            |name: ForkName| ForkParameters { version: ForkVersion([name as u8, 0, 0, 9]), epoch: epoch(name) };
        let blobs = |epoch, max_blobs| BlobParameters { epoch, max_blobs };
        let blob_schedule = vec![blobs(Epoch(0), MAX_BLOBS as u64), blobs(NEXT_BLOBS, 12)];
        let mut config = ChainConfig {
            name: "test".to_owned(),
            genesis_time: GENESIS_TIME,
            genesis_validators_root: Root([7; 32]),
            genesis_block_root: None,
            slot_duration: Duration::from_millis(SLOT_MS),
            forks: ForkName::ALL.into_iter().map(|name| (name, parameters(name))).collect(),
            deneb_max_blobs: 6,
            electra_max_blobs: 9,
            blob_schedule: if fork >= ForkName::Fulu { blob_schedule } else { Vec::new() },
            bootnodes: Vec::new(),
        };
        change(&mut config);
        config.validate().unwrap();
        let schedule = Arc::new(ForkSchedule::new(&config));
        Self { judge: Judge::new(&config, schedule.clone()), schedule, config }
    }

    pub(super) fn topic(&self, kind: TopicKind) -> GossipTopic {
        self.topic_at(EPOCH, TopicName::global(kind).unwrap())
    }

    pub(super) fn subnet(&self, kind: TopicKind, subnet: u16) -> GossipTopic {
        self.topic_at(EPOCH, TopicName::subnet_of(kind, subnet).unwrap())
    }

    pub(super) fn topic_at(&self, epoch: Epoch, name: TopicName) -> GossipTopic {
        GossipTopic { fork_digest: self.schedule.digest_at(epoch), name }
    }

    pub(super) fn judge(&self, topic: GossipTopic, message: &impl Encode, now_ms: u64) -> Judgement {
        self.judge.judge(topic, &message.as_ssz_bytes(), now_ms)
    }

    /// What passing the message said.
    pub(super) fn pass(&self, topic: GossipTopic, message: &impl Encode, now_ms: u64) -> Passed {
        self.judge(topic, message, now_ms).unwrap()
    }

    /// The message passes.
    pub(super) fn passes(&self, topic: GossipTopic, message: &impl Encode, now_ms: u64) {
        assert_eq!(self.verdict(topic, message, now_ms), Ok(()));
    }

    /// The message passes, and is accepted.
    pub(super) fn accept(&self, topic: GossipTopic, message: &impl Encode, now_ms: u64) {
        let passed = self.pass(topic, message, now_ms);
        self.judge.admit(&passed, now_ms).unwrap();
    }

    pub(super) fn verdict(&self, topic: GossipTopic, message: &impl Encode, now_ms: u64) -> Result<(), Verdict> {
        self.judge(topic, message, now_ms).map(drop)
    }

    /// The valid message passes; with each mutation alone it gets the verdict of its case. Nothing is accepted.
    pub(super) fn table<M: Encode + Clone>(&self, topic: GossipTopic, valid: &M, now_ms: u64, cases: &[Case<'_, M>]) {
        self.passes(topic, valid, now_ms);
        for (name, mutate, expected) in cases {
            let mut message = valid.clone();
            mutate(&mut message);
            assert_eq!(self.verdict(topic, &message, now_ms), Err(*expected), "{name}");
        }
        self.passes(topic, valid, now_ms);
    }

    /// The valid message gets the verdict of each time at which it arrives.
    pub(super) fn times(&self, topic: GossipTopic, valid: &impl Encode, cases: &[(u64, Result<(), Verdict>)]) {
        for (now_ms, expected) in cases {
            assert_eq!(self.verdict(topic, valid, *now_ms), *expected, "{now_ms}");
        }
    }

    /// The message is ignored for `reason` once `accepted` is accepted, and not because it merely passed.
    pub(super) fn once(
        &self,
        topic: GossipTopic,
        accepted: &impl Encode,
        message: &impl Encode,
        now_ms: u64,
        reason: IgnoreReason,
    ) {
        self.passes(topic, accepted, now_ms);
        self.passes(topic, message, now_ms);
        self.accept(topic, accepted, now_ms);
        assert_eq!(self.verdict(topic, message, now_ms), ignore(reason));
    }
}

/// Its name, what is changed in the valid message, and the verdict.
pub(super) type Case<'a, M> = (&'static str, &'a dyn Fn(&mut M), Verdict);

/// Milliseconds after the start of a slot, as a wall clock shows them.
pub(super) fn ms(slot: Slot, after: u64) -> u64 {
    GENESIS_TIME * 1000 + slot.0 * SLOT_MS + after
}

/// Milliseconds before the start of a slot.
pub(super) fn ms_before(slot: Slot, before: u64) -> u64 {
    ms(slot, 0) - before
}

/// In the middle of the cases' slot.
pub(super) fn now() -> u64 {
    ms(SLOT, 6000)
}

pub(super) fn ignore(reason: IgnoreReason) -> Result<(), Verdict> {
    Err(reason.into())
}

pub(super) fn reject(reason: RejectReason) -> Result<(), Verdict> {
    Err(reason.into())
}

/// The first signature, counting up, that fits.
pub(super) fn find_proof(fits: impl Fn(&BlsSignature) -> bool) -> BlsSignature {
    let numbered = |number: u64| {
        let mut bytes = [0; 96];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        BlsSignature(bytes)
    };
    (0..).map(numbered).find(fits).unwrap()
}
