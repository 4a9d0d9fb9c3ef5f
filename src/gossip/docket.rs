//! Messages that wait for somebody else's verdict: a light client, an application.
//!
//! Whoever can judge a kind of message becomes its [`Juror`] and is asked about every message of that kind that passed
//! the rules. An answer in time has the effect of a verdict of our own; without one the message is ignored. The docket
//! owns the waiting cases, so that each gets its verdict exactly once, and their bytes until the juror takes them, so that
//! those of which the time is over are free again whether the juror looks or not.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::case::Case;
use super::settler::Settler;
use super::verdict::{IgnoreReason, RejectReason, Verdict};
use crate::switch::HeldBytes;
use crate::types::{GossipTopic, MessageId, PeerId, Slot, TopicKind};

/// How long a juror has, from the arrival of the message. The router forgets a message after five to six heartbeats of
/// 0.7 s; what is left is for looking at the docket.
pub const ANSWER_TIME: Duration = Duration::from_secs(3);

/// How often the docket is looked at: answers are late by that much at most.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Questions that may wait for a juror; **drop**: the message is unverifiable then, as without a juror.
/// 1024 × 20 bytes = 20 KiB: the messages stay with the docket until the juror takes them or their time is over.
const QUESTIONS: usize = 1024;

/// A message about which a juror is asked.
#[derive(Debug)]
pub struct Question {
    /// To be named in the answer.
    pub message_id: MessageId,
    /// Where it was sent.
    pub topic: GossipTopic,
    /// Who sent it first.
    pub peer_id: PeerId,
    /// Its slot, if it has one.
    pub slot: Option<Slot>,
    /// SSZ. Counts among the 64 MiB of messages that may wait in the whole node until it is dropped: who keeps
    /// questions keeps gossip from being heard.
    pub ssz: HeldBytes,
    /// When it arrived.
    pub arrived: Instant,
    /// Until when an answer counts.
    pub deadline: Instant,
}

/// What a juror says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Valid: it is forwarded, and remembered as seen.
    Accept,
    /// Neither forwarded nor held against anyone.
    Ignore,
    /// Invalid: held against whoever sent it.
    Reject,
}

impl From<Answer> for Verdict {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Accept => Self::Accept,
            Answer::Ignore => Self::Ignore(IgnoreReason::Judged),
            Answer::Reject => Self::Reject(RejectReason::Judged),
        }
    }
}

/// The message is not, or no longer, waiting for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such message waits for an answer")]
pub struct NotWaiting;

/// The waiting cases and who is asked about them.
#[derive(Debug)]
pub(super) struct Docket {
    settler: Arc<Settler>,
    jurors: Mutex<HashMap<TopicKind, mpsc::Sender<MessageId>>>,
    waiting: Mutex<Waiting>,
}

/// As many cases at most as the router lets wait for a verdict: 32 768 × about 500 bytes = 16 MiB, and the 64 MiB of SSZ
/// that the router allows.
#[derive(Debug, Default)]
struct Waiting {
    cases: HashMap<MessageId, Pending>,
    /// Of exactly these cases, the earliest first. Messages do not come in the order in which they arrived: some take
    /// long to judge.
    deadlines: BTreeSet<(Instant, MessageId)>,
}

#[derive(Debug)]
struct Pending {
    case: Case,
    /// Until the juror takes it.
    ssz: Option<HeldBytes>,
    deadline: Instant,
}

impl Waiting {
    fn insert(&mut self, case: Case, ssz: HeldBytes, deadline: Instant) {
        let message_id = case.message_id();
        self.deadlines.insert((deadline, message_id));
        // the router hands out an id once
        self.cases.insert(message_id, Pending { case, ssz: Some(ssz), deadline });
    }

    fn remove(&mut self, message_id: MessageId) -> Option<Case> {
        let Pending { case, deadline, .. } = self.cases.remove(&message_id)?;
        self.deadlines.remove(&(deadline, message_id));
        Some(case)
    }

    fn overdue(&self, now: Instant) -> Option<MessageId> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, message_id)| *message_id)
    }
}

impl Docket {
    pub(super) fn new(settler: Arc<Settler>) -> Self {
        Self { settler, jurors: Mutex::default(), waiting: Mutex::default() }
    }

    /// Appoints a juror for kinds of topics, in place of whoever judged them before.
    pub(super) fn appoint(self: &Arc<Self>, kinds: &[TopicKind]) -> Juror {
        // drop: without a place the message counts as unverifiable
        let (sender, questions) = mpsc::channel(QUESTIONS);
        let mut jurors = self.jurors.lock().unwrap_or_else(PoisonError::into_inner);
        for kind in kinds {
            jurors.insert(*kind, sender.clone());
        }
        Juror { questions, docket: Arc::downgrade(self) }
    }

    /// Takes a case in which every rule has passed; settles it at once when nobody can be asked, or not in time.
    pub(super) fn submit(&self, case: Case, ssz: HeldBytes) {
        let Some(juror) = self.juror(case.kind()) else {
            return self.settler.settle(case, IgnoreReason::Unverifiable.into());
        };
        let deadline = case.arrived + ANSWER_TIME;
        if deadline <= Instant::now() {
            return self.settler.settle(case, IgnoreReason::Unanswered.into());
        }
        let Ok(place) = juror.try_reserve_owned() else {
            return self.settler.settle(case, IgnoreReason::Unverifiable.into());
        };
        let message_id = case.message_id();
        self.waiting().insert(case, ssz, deadline);
        place.send(message_id);
    }

    /// What a juror is asked about a message, once; `None` when the message no longer waits or its time is over.
    fn question(&self, message_id: MessageId) -> Option<Question> {
        let mut waiting = self.waiting();
        let Pending { case, ssz, deadline } = waiting.cases.get_mut(&message_id)?;
        if *deadline <= Instant::now() {
            return None;
        }
        Some(Question {
            message_id,
            topic: case.topic,
            peer_id: case.peer_id,
            slot: case.slot(),
            ssz: ssz.take()?,
            arrived: case.arrived,
            deadline: *deadline,
        })
    }

    /// Gives a waiting message the verdict of a juror.
    pub(super) fn answer(&self, message_id: MessageId, answer: Answer) -> Result<(), NotWaiting> {
        let case = self.waiting().remove(message_id).ok_or(NotWaiting)?;
        let verdict = self.settler.judge.spared(case.topic, case.arrived_ms, answer.into());
        self.settler.settle(case, verdict);
        Ok(())
    }

    /// Ignores what was not answered in time.
    pub(super) fn expire(&self, now: Instant) {
        while let Some(case) = self.take_overdue(now) {
            self.settler.settle(case, IgnoreReason::Unanswered.into());
        }
    }

    fn take_overdue(&self, now: Instant) -> Option<Case> {
        let mut waiting = self.waiting();
        waiting.overdue(now).and_then(|message_id| waiting.remove(message_id))
    }

    /// Who is asked about a kind; whoever has left is forgotten.
    fn juror(&self, kind: TopicKind) -> Option<mpsc::Sender<MessageId>> {
        let mut jurors = self.jurors.lock().unwrap_or_else(PoisonError::into_inner);
        if jurors.get(&kind)?.is_closed() {
            jurors.remove(&kind);
        }
        jurors.get(&kind).cloned()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who judges what the node alone cannot. Dropping it leaves its kinds unverifiable again.
#[must_use = "a juror that asks for no question keeps messages waiting"]
#[derive(Debug)]
pub struct Juror {
    questions: mpsc::Receiver<MessageId>,
    docket: Weak<Docket>,
}

impl Juror {
    /// The next message to judge for which there is still time; `None` when the node has stopped.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Question> {
        loop {
            let message_id = self.questions.recv().await?;
            let question = self.docket.upgrade()?.question(message_id);
            if question.is_some() {
                return question;
            }
        }
    }

    /// Gives a verdict.
    ///
    /// # Errors
    /// [`NotWaiting`] when the time is over, or the message was answered already.
    pub fn answer(&self, message_id: MessageId, answer: Answer) -> Result<(), NotWaiting> {
        self.docket.upgrade().ok_or(NotWaiting)?.answer(message_id, answer)
    }
}

#[cfg(test)]
mod tests;
