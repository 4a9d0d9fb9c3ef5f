//! Metadata: which subnets and columns has the peer? And, where the peer dialled: does it answer what it is asked?
//!
//! It is the one thing that is asked for in either direction. Whoever says no to it has answered; whoever is silent is
//! refused.

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::handshake::step::{HandshakeContext, HandshakeStep, Learnt, Rejection, StepOutcome};
use crate::rpc::{call, methods};

/// Fetches the peer's metadata, the newest version that it speaks.
#[derive(Debug)]
pub(in crate::handshake) struct Metadata;

impl HandshakeStep for Metadata {
    fn name(&self) -> &'static str {
        "metadata"
    }

    fn run<'a>(&'a self, cx: &'a HandshakeContext<'_>) -> BoxFuture<'a, StepOutcome> {
        async move {
            match call::<methods::Metadata>(cx.opener, cx.peer_id, &(), cx.timeouts, cx.events).await {
                Ok(metadata) => StepOutcome::Continue(Learnt::Metadata(metadata)),
                // some peers learn their own metadata late or answer it grudgingly: it informs, it does not decide
                Err(error) if error.is_refusal() => StepOutcome::Skip("refused by the peer"),
                Err(error) => StepOutcome::Reject(Rejection::from_call(&error)),
            }
        }
        .boxed()
    }
}
