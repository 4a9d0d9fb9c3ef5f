//! Messages that wait for somebody else's verdict: a light client, an application.
//!
//! Whoever can judge a kind of message becomes its [`Juror`] and is asked about every message of that kind that passed
//! the rules. An answer in time has the effect of a verdict of our own; without one the message is ignored. The docket
//! owns the waiting cases, so that each gets its verdict exactly once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::case::Case;
use super::settler::Settler;
use super::verdict::{IgnoreReason, RejectReason, Verdict};
use crate::types::{GossipTopic, MessageId, PeerId, Slot, TopicKind};

/// How long a juror has, from the arrival of the message. The router forgets a message after five to six heartbeats of
/// 0.7 s; what is left is for looking at the docket.
pub const ANSWER_TIME: Duration = Duration::from_secs(3);

/// How often the docket is looked at: answers are late by that much at most.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Questions that may wait for a juror; **drop**: the message is unverifiable then, as without a juror.
/// 1024 × about 150 bytes = 150 KiB, besides the messages' own bytes: 64 MiB, which the router bounds until the time to
/// answer is over, and [`Juror::next`] passes over what came too late.
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
    /// SSZ.
    pub ssz: Vec<u8>,
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
    jurors: Mutex<HashMap<TopicKind, mpsc::Sender<Question>>>,
    waiting: Mutex<Waiting>,
}

/// As many cases at most as the router lets wait for a verdict: 32 768. Their deadlines stay for 3.25 s: 2 MB at 15,000
/// questions a second.
#[derive(Debug, Default)]
struct Waiting {
    cases: HashMap<MessageId, Case>,
    /// By deadline; answered ones stay until theirs has come.
    deadlines: VecDeque<(Instant, MessageId)>,
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

    /// Takes a case in which every rule has passed; settles it at once when nobody can be asked.
    pub(super) fn submit(&self, mut case: Case) {
        let Some(place) = self.juror(case.kind()).and_then(|juror| juror.try_reserve_owned().ok()) else {
            return self.settler.settle(case, IgnoreReason::Unverifiable.into());
        };
        let deadline = case.message.arrived + ANSWER_TIME;
        let question = Question {
            message_id: case.message_id(),
            topic: case.message.topic,
            peer_id: case.message.peer_id,
            slot: case.slot(),
            ssz: std::mem::take(&mut case.message.ssz),
            arrived: case.message.arrived,
            deadline,
        };
        let mut waiting = self.waiting();
        waiting.deadlines.push_back((deadline, question.message_id));
        // the router hands out an id once
        waiting.cases.insert(question.message_id, case);
        drop(waiting);
        place.send(question);
    }

    /// Gives a waiting message the verdict of a juror.
    pub(super) fn answer(&self, message_id: MessageId, answer: Answer) -> Result<(), NotWaiting> {
        let case = self.waiting().cases.remove(&message_id).ok_or(NotWaiting)?;
        self.settler.settle(case, answer.into());
        Ok(())
    }

    /// Ignores what was not answered in time.
    pub(super) fn expire(&self, now: Instant) {
        for case in self.overdue(now) {
            self.settler.settle(case, IgnoreReason::Unanswered.into());
        }
    }

    fn overdue(&self, now: Instant) -> Vec<Case> {
        let mut waiting = self.waiting();
        let mut overdue = Vec::new();
        while let Some((deadline, message_id)) = waiting.deadlines.front().copied()
            && deadline <= now
        {
            waiting.deadlines.pop_front();
            overdue.extend(waiting.cases.remove(&message_id));
        }
        overdue
    }

    /// Who is asked about a kind; whoever has left is forgotten.
    fn juror(&self, kind: TopicKind) -> Option<mpsc::Sender<Question>> {
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
    questions: mpsc::Receiver<Question>,
    docket: Weak<Docket>,
}

impl Juror {
    /// The next message to judge for which there is still time; `None` when the node has stopped.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Question> {
        loop {
            let question = self.questions.recv().await?;
            if Instant::now() < question.deadline {
                return Some(question);
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
