//! The ordered list of handshakes and the deadline that holds them together.

use std::fmt;
use std::time::Duration;

use futures::future::try_join_all;
use tokio::time::{Instant, timeout_at};

use super::step::{HandshakeContext, HandshakeStep, Learnt, Rejection, StepOutcome, Transcript};
use super::steps::{Agent, Metadata, Ping, Status};
use crate::fault::Fault;
use crate::types::GoodbyeReason;

/// From an upgraded connection to a ready peer, all steps together.
///
/// Teku, Prysm and Nimbus each wait 10 s for the Status alone; three exchanges get half as much again.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(15);

/// A protocol that has something to say before two nodes are peers.
pub struct ProtocolInfo {
    /// Its name.
    pub name: &'static str,
    /// Its version, as far as it has one.
    pub version: &'static str,
    /// What it does, in order.
    pub steps: Vec<Box<dyn HandshakeStep>>,
}

impl fmt::Debug for ProtocolInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(|step| step.name()).collect();
        f.debug_struct("ProtocolInfo").field("name", &self.name).field("steps", &steps).finish_non_exhaustive()
    }
}

/// Every handshake, in the order in which they run: order is meaning.
#[derive(Debug)]
pub struct HandshakeRegistry {
    protocols: Vec<ProtocolInfo>,
    deadline: Duration,
}

impl HandshakeRegistry {
    /// The consensus network's handshakes: Status decides, the rest informs.
    #[must_use]
    pub fn eth2() -> Self {
        let eth2: Vec<Box<dyn HandshakeStep>> = vec![Box::new(Status), Box::new(Metadata), Box::new(Ping)];
        Self::new(vec![
            ProtocolInfo { name: "eth2", version: "2", steps: eth2 },
            ProtocolInfo { name: "identify", version: "1.0.0", steps: vec![Box::new(Agent)] },
        ])
    }

    /// Handshakes of one's own choice.
    #[must_use]
    pub const fn new(protocols: Vec<ProtocolInfo>) -> Self {
        Self { protocols, deadline: HANDSHAKE_DEADLINE }
    }

    /// The same handshakes under another deadline.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs every step, in order, under one deadline; the first rejection wins.
    ///
    /// # Errors
    /// The name of the step that refused, and its [`Rejection`]; the step `deadline` when time ran out.
    ///
    /// Cancel safe.
    pub async fn run(&self, cx: HandshakeContext<'_>) -> Result<Transcript, (&'static str, Rejection)> {
        let deadline = Instant::now() + self.deadline;
        let mut transcript = Transcript::default();
        for protocol in &self.protocols {
            for together in protocol.steps.chunk_by(|_, next| next.beside_previous()) {
                let steps = try_join_all(together.iter().map(|step| run_step(&**step, &cx)));
                let Ok(ended) = timeout_at(deadline, steps).await else {
                    return Err(("deadline", out_of_time(&names(together), self.deadline)));
                };
                for passed in ended?.into_iter().flatten() {
                    transcript.durations.push((passed.step, passed.duration));
                    transcript.note(passed.learnt);
                }
            }
        }
        Ok(transcript)
    }
}

/// A step that passed.
struct Passed {
    step: &'static str,
    duration: Duration,
    learnt: Learnt,
}

/// Runs one step; `None` when it does not apply.
async fn run_step(
    step: &dyn HandshakeStep,
    cx: &HandshakeContext<'_>,
) -> Result<Option<Passed>, (&'static str, Rejection)> {
    let started = Instant::now();
    match step.run(cx).await {
        StepOutcome::Continue(learnt) => Ok(Some(Passed { step: step.name(), duration: started.elapsed(), learnt })),
        StepOutcome::Skip(why) => {
            tracing::debug!(step = step.name(), why, "handshake step skipped");
            Ok(None)
        }
        StepOutcome::Reject(rejection) => Err((step.name(), rejection)),
    }
}

fn names(steps: &[Box<dyn HandshakeStep>]) -> String {
    steps.iter().map(|step| step.name()).collect::<Vec<_>>().join(" and ")
}

fn out_of_time(step: &str, deadline: Duration) -> Rejection {
    Rejection {
        goodbye: Some(GoodbyeReason::FAULT),
        fault: Fault::Transient,
        reason: "timeout",
        error: format!("no answer to {step} within {} s of connecting", deadline.as_secs()),
    }
}
