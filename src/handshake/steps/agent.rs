//! Agent: who does the peer say it is? Identify runs by itself; this step only waits for it, and not long.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::timeout;

use crate::handshake::step::{HandshakeContext, HandshakeStep, StepOutcome};

/// Identify is usually done before Status is; a peer that is slower stays `unknown`, nothing else.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes the agent string into the transcript.
#[derive(Debug)]
pub(in crate::handshake) struct Agent;

impl HandshakeStep for Agent {
    fn name(&self) -> &'static str {
        "agent"
    }

    fn run<'a>(&'a self, cx: &'a mut HandshakeContext<'_>) -> BoxFuture<'a, StepOutcome> {
        async move {
            let known = match timeout(PATIENCE, cx.identity.wait_for(Option::is_some)).await {
                Ok(Ok(identity)) => identity.clone(),
                // gone or late
                Ok(Err(_)) | Err(_) => None,
            };
            if known.is_none() {
                return StepOutcome::Skip("no identify yet");
            }
            cx.transcript.identity = known;
            StepOutcome::Continue
        }
        .boxed()
    }
}
