//! Ping: is the peer alive? Its sequence number tells the node whether the metadata is the latest.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::handshake::step::{HandshakeContext, HandshakeStep, Learnt, Rejection, StepOutcome};
use crate::rpc::{call, methods};

/// How long a peer that dialled us has for a Ping of its own, until it is asked.
///
/// Not every client pings when it has dialled, and the peer is not ready before: no longer than a slow round trip.
const PATIENCE: Duration = Duration::from_millis(250);

/// Exchanges metadata sequence numbers, by whichever side's Ping; beside Metadata, which it does not need.
#[derive(Debug)]
pub(in crate::handshake) struct Ping;

impl HandshakeStep for Ping {
    fn name(&self) -> &'static str {
        "ping"
    }

    fn beside_previous(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, cx: &'a HandshakeContext<'_>) -> BoxFuture<'a, StepOutcome> {
        async move {
            if let Some(seq_number) = cx.hear(|heard| heard.ping_seq, PATIENCE).await {
                return StepOutcome::Continue(Learnt::PingSeq(seq_number));
            }
            let seq_number = cx.local.metadata().seq_number;
            match call::<methods::Ping>(cx.opener, cx.peer_id, &seq_number, cx.timeouts, cx.events).await {
                Ok(seq_number) => StepOutcome::Continue(Learnt::PingSeq(seq_number)),
                Err(error) if error.is_refusal() => StepOutcome::Skip("refused by the peer"),
                Err(error) => StepOutcome::Reject(Rejection::from_call(&error)),
            }
        }
        .boxed()
    }
}
