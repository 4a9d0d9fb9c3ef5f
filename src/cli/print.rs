//! Answers on stdout. A reader that has gone away, as `head` does, is no error.

use std::io::{self, ErrorKind, Write};

use anyhow::Context;
use serde::Serialize;

use super::Failure;
use crate::config::ConfigWarning;

/// Prints a text that ends its own lines.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::start(anyhow::Error::new(error).context("cannot write to stdout")))
        }
        _ => Ok(()),
    }
}

/// Prints warnings to stderr, a line each, where there is no log to hold them.
pub(super) fn warnings(warnings: &[ConfigWarning]) -> Result<(), Failure> {
    let lines: String = warnings.iter().map(|warning| format!("beacond: warning: {warning}\n")).collect();
    let written = io::stderr().lock().write_all(lines.as_bytes());
    written.context("cannot write to stderr").map_err(Failure::start)
}

/// Prints a value as indented JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).context("cannot write JSON").map_err(Failure::start)?;
    text(&format!("{json}\n"))
}

/// Prints `name: value` lines, the values in one column.
pub(super) fn rows(rows: &[(&str, String)]) -> Result<(), Failure> {
    let width = rows.iter().map(|(name, _)| name.len() + 1).max().unwrap_or_default();
    let lines: String = rows.iter().map(|(name, value)| format!("{:<width$} {value}\n", format!("{name}:"))).collect();
    text(&lines)
}
