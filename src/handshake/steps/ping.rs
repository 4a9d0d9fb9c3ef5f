//! Ping: is the peer alive? The sequence number in its answer tells the node whether the metadata is the latest.

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::handshake::step::{HandshakeContext, HandshakeStep, Rejection, StepOutcome};
use crate::rpc::{call, methods};

/// Exchanges metadata sequence numbers.
#[derive(Debug)]
pub(in crate::handshake) struct Ping;

impl HandshakeStep for Ping {
    fn name(&self) -> &'static str {
        "ping"
    }

    fn run<'a>(&'a self, cx: &'a mut HandshakeContext<'_>) -> BoxFuture<'a, StepOutcome> {
        async move {
            let seq = cx.local.metadata().seq_number;
            match call::<methods::Ping>(cx.opener, cx.peer_id, &seq, cx.timeouts, cx.events).await {
                Ok(seq) => {
                    cx.transcript.ping_seq = Some(seq);
                    StepOutcome::Continue
                }
                Err(error) if error.is_refusal() => StepOutcome::Skip("refused by the peer"),
                Err(error) => StepOutcome::Reject(Rejection::from_call(&error)),
            }
        }
        .boxed()
    }
}
