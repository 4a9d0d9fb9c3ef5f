//! What an error means for the peer and for us. Modules classify; `node` alone turns a fault into policy.

use std::error::Error;
use std::fmt;

/// How bad a [`Fault::Violation`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Could be a bug or an old version: many before anything happens.
    Low,
    /// Not explained by a bad network: several before a goodbye.
    Medium,
    /// Only an attacker or a broken peer does this: goodbye at once.
    High,
}

/// What an error means, the same five answers everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Ours: a full queue, a disk error, a bug. The peer pays nothing.
    Local,
    /// The network's: a timeout, a reset. Back off, no score.
    Transient,
    /// Nobody's: another network, no common protocol. Long back-off.
    Incompatible,
    /// The peer has no room for us. Medium back-off.
    Busy,
    /// The peer's: bytes that an honest peer does not send.
    Violation(Severity),
}

impl Fault {
    /// The stable label for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Transient => "transient",
            Self::Incompatible => "incompatible",
            Self::Busy => "busy",
            Self::Violation(_) => "violation",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Implemented by every module error, by a match without `_`.
pub trait Classify {
    /// What this error means for the peer and for us.
    fn fault(&self) -> Fault;

    /// A short closed label, `snake_case`, for logs and metrics: what happened, not who is to blame.
    fn reason(&self) -> &'static str;
}

/// An error with its causes on one line, colon-separated, each said once.
pub fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn says_each_cause_once() {
        assert_eq!(describe(&Outer(io::Error::other("inner"))), "outer: inner");
        assert_eq!(describe(&Outer(io::Error::other("outer"))), "outer");
    }
}
