//! Turns libp2p's errors into [`DialFailure`]s: which address failed how, and what that says.

use std::io;

use libp2p::core::transport::TransportError;
use libp2p::swarm::{DialError, ListenError};

use super::event::DialFailure;
use crate::fault::{Classify, Fault, describe};
use crate::transport::UpgradeFailure;
use crate::types::Multiaddr;

impl DialFailure {
    /// Reads the outcome of an outbound attempt.
    pub(super) fn from_dial_error(error: DialError) -> Self {
        match error {
            DialError::LocalPeerId { .. } => Self::Myself,
            DialError::NoAddresses => Self::NoTransport,
            DialError::DialPeerConditionFalse(_) => Self::AlreadyConnected,
            DialError::Aborted => Self::Aborted,
            DialError::WrongPeerId { obtained, .. } => Self::WrongPeerId { obtained },
            DialError::Denied { cause } => Self::Denied(describe(&cause)),
            DialError::Transport(failures) => Self::from_addresses(failures),
        }
    }

    /// Reads the outcome of an inbound attempt.
    pub(super) fn from_listen_error(error: ListenError) -> Self {
        match error {
            ListenError::Aborted => Self::Aborted,
            ListenError::WrongPeerId { obtained, .. } => Self::WrongPeerId { obtained },
            ListenError::LocalPeerId { .. } => Self::Myself,
            ListenError::Denied { cause } => Self::Denied(describe(&cause)),
            ListenError::Transport(error) => {
                let verdict = verdict(&error);
                let details = transport_text(&error);
                Self::Addresses { reason: verdict.reason, fault: verdict.fault, details, silent: Vec::new() }
            }
        }
    }

    fn from_addresses(failures: Vec<(Multiaddr, TransportError<io::Error>)>) -> Self {
        let Some(worst) = failures.iter().map(|(_, error)| verdict(error)).max_by_key(|verdict| verdict.weight) else {
            return Self::NoTransport;
        };
        if worst.weight == 0 {
            return Self::NoTransport;
        }
        let details: Vec<_> =
            failures.iter().map(|(address, error)| format!("{address}: {}", transport_text(error))).collect();
        let silent = failures.iter().filter(|(_, error)| verdict(error).is_silence());
        Self::Addresses {
            reason: worst.reason,
            fault: worst.fault,
            details: details.join("; "),
            silent: silent.map(|(address, _)| address.clone()).collect(),
        }
    }
}

/// What one address says; the heaviest decides for the peer.
struct Verdict {
    weight: u8,
    reason: &'static str,
    fault: Fault,
}

impl Verdict {
    /// Nobody was there: the address is to blame, whoever claims it.
    fn is_silence(&self) -> bool {
        matches!(self.reason, "timeout" | "refused" | "unreachable")
    }
}

fn verdict(error: &TransportError<io::Error>) -> Verdict {
    let TransportError::Other(error) = error else {
        return Verdict { weight: 0, reason: "no_transport", fault: Fault::Incompatible };
    };
    let Some(failure) = UpgradeFailure::inside(error) else {
        return Verdict { weight: 1, reason: "other", fault: Fault::Transient };
    };
    Verdict { weight: failure.weight(), reason: failure.reason(), fault: failure.fault() }
}

/// The text of a transport error, without libp2p's wrapping.
pub(super) fn transport_text(error: &TransportError<io::Error>) -> String {
    match error {
        TransportError::MultiaddrNotSupported(_) => "no transport of ours".to_owned(),
        TransportError::Other(error) => match UpgradeFailure::inside(error) {
            Some(failure) => failure.to_string(),
            None => describe(error),
        },
    }
}
