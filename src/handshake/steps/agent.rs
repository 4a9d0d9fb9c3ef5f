//! Agent: who does the peer say it is? Identify runs by itself; this step only waits for it, and not long.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::timeout;

use crate::handshake::step::{HandshakeContext, HandshakeStep, Learnt, StepOutcome};

/// Identify is usually done before Status is; a peer that is slower stays `unknown`, nothing else.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes the agent string into the transcript.
#[derive(Debug)]
pub(in crate::handshake) struct Agent;

impl HandshakeStep for Agent {
    fn name(&self) -> &'static str {
        "agent"
    }

    fn run<'a>(&'a self, cx: &'a HandshakeContext<'_>) -> BoxFuture<'a, StepOutcome> {
        async move {
            let mut identity = cx.identity.clone();
            let known = match timeout(PATIENCE, identity.wait_for(Option::is_some)).await {
                Ok(Ok(identity)) => identity.clone(),
                // gone or late
                Ok(Err(_)) | Err(_) => None,
            };
            known.map_or(StepOutcome::Skip("no identify yet"), |identity| {
                StepOutcome::Continue(Learnt::Identity(identity))
            })
        }
        .boxed()
    }
}
