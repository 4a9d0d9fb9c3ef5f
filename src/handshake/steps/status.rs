//! Status: are we on the same chain?
//!
//! The dialler must ask first, and tells its own Status by it: the accepting side takes that one, and asks only a peer
//! that says nothing. That it answers at all is found out by Metadata, which is asked for in either direction: silence
//! there is refused. What remains is a dialler that answers Metadata and would not have answered Status. It is a peer
//! all the same: its Status is known and was checked, and finding out would cost every dialler a round trip.
//! [spec v1.6.0, Status](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#status-v1)

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::chain::check_status;
use crate::handshake::CLOCK_TOLERANCE_SLOTS;
use crate::handshake::step::{HandshakeContext, HandshakeStep, Learnt, Rejection, StepOutcome};
use crate::rpc::{CallError, call, methods};
use crate::types::StatusMessage;

/// How long a peer that dialled us has to ask for our Status, until we ask for its own.
///
/// Lodestar waits for 15 s, which is all the time that our handshakes have. A dialler asks as soon as the connection is
/// up: after a few round trips, however far away it is.
const PATIENCE: Duration = Duration::from_secs(3);

/// Exchanges Status, the newest version that the peer speaks, and holds the peer's against ours.
#[derive(Debug)]
pub(in crate::handshake) struct Status;

impl HandshakeStep for Status {
    fn name(&self) -> &'static str {
        "status"
    }

    fn run<'a>(&'a self, cx: &'a HandshakeContext<'_>) -> BoxFuture<'a, StepOutcome> {
        async move {
            let theirs = match learn_status(cx).await {
                Ok(theirs) => theirs,
                Err(error) => return StepOutcome::Reject(Rejection::from_call(&error)),
            };
            let (digests, wall) = (cx.local.accepted_digests(), cx.local.wall_slot());
            match check_status(&cx.local.status(), &theirs, &digests, wall, CLOCK_TOLERANCE_SLOTS) {
                Ok(()) => StepOutcome::Continue(Learnt::Status(theirs)),
                Err(mismatch) => StepOutcome::Reject(Rejection::from_error(&mismatch)),
            }
        }
        .boxed()
    }
}

async fn learn_status(cx: &HandshakeContext<'_>) -> Result<StatusMessage, CallError> {
    match cx.hear(|heard| heard.status, PATIENCE).await {
        Some(theirs) => Ok(theirs),
        None => call::<methods::Status>(cx.opener, cx.peer_id, &cx.local.status(), cx.timeouts, cx.events).await,
    }
}
