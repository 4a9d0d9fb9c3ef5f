//! Status: are we on the same chain?
//!
//! The dialler must ask first, and asks; the accepting side asks as well, since both may have dialled at once.
//! [spec v1.6.0, Status](https://github.com/ethereum/consensus-specs/blob/v1.6.0/specs/phase0/p2p-interface.md#status-v1)

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::chain::check_status;
use crate::handshake::CLOCK_TOLERANCE_SLOTS;
use crate::handshake::step::{HandshakeContext, HandshakeStep, Rejection, StepOutcome};
use crate::rpc::{call, methods};

/// Exchanges Status, the newest version that the peer speaks, and holds the peer's against ours.
#[derive(Debug)]
pub(in crate::handshake) struct Status;

impl HandshakeStep for Status {
    fn name(&self) -> &'static str {
        "status"
    }

    fn run<'a>(&'a self, cx: &'a mut HandshakeContext<'_>) -> BoxFuture<'a, StepOutcome> {
        async move {
            let ours = cx.local.status();
            let theirs = match call::<methods::Status>(cx.opener, cx.peer_id, &ours, cx.timeouts, cx.events).await {
                Ok(theirs) => theirs,
                Err(error) => return StepOutcome::Reject(Rejection::from_call(&error)),
            };
            let (digests, wall) = (cx.local.accepted_digests(), cx.local.wall_slot());
            let checked = check_status(&ours, &theirs, &digests, wall, CLOCK_TOLERANCE_SLOTS);
            if let Err(mismatch) = checked {
                return StepOutcome::Reject(Rejection::from_error(&mismatch));
            }
            cx.transcript.status = Some(theirs);
            StepOutcome::Continue
        }
        .boxed()
    }
}
