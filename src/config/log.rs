//! Where and how to log.

use std::path::PathBuf;

use clap::value_parser;
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use super::ConfigError;

/// Options about logs.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args, Serialize)]
#[command(next_help_heading = "Logs")]
#[serde(rename_all = "kebab-case")]
pub struct LogOptions {
    /// Form of log lines: text for people, json for machines
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What to log: a level for this program (libraries then log at warn), or a list such as
    /// `info,discv5=debug,evt::dial=debug`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log_level: String,
    /// Log to this file too
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_file: Option<PathBuf>,
    /// Size at which the log file is set aside and a new one begun
    #[arg(long, value_name = "MB", default_value_t = 200, value_parser = value_parser!(u64).range(1..=1_000_000))]
    pub log_file_max_size: u64,
    /// Number of log files set aside before the oldest is deleted; 0 keeps none
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u16).range(0..=1000))]
    pub log_file_max_number: u16,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// Where and how to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The form of lines.
    pub format: LogFormat,
    /// Directives of `tracing_subscriber::EnvFilter` that parse.
    pub filter: String,
    /// A file besides stderr.
    pub file: Option<LogFile>,
}

/// A log file that is set aside when it is full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// The file being written; older ones are `PATH.1`, `PATH.2`, ….
    pub path: PathBuf,
    /// Bytes.
    pub max_size: u64,
    /// Older files kept.
    pub keep: u16,
}

impl LogOptions {
    pub(super) fn validate(&self) -> Result<LogConfig, ConfigError> {
        let max_size = self.log_file_max_size.saturating_mul(1_000_000);
        let keep = self.log_file_max_number;
        Ok(LogConfig {
            format: self.log_format,
            filter: filter(&self.log_level)?,
            file: self.log_file.clone().map(|path| LogFile { path, max_size, keep }),
        })
    }
}

/// Expands a bare level to our own targets and checks everything else.
///
/// discv5 warns of every peer that does not answer, and of our own record in a peer's answer: none of it is for an
/// operator.
///
/// A word that is no level would pass the parser as the name of a target; such a typing error silences the log, so
/// it is refused here.
fn filter(text: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    if is_level(text) {
        return Ok(match text.to_ascii_lowercase().as_str() {
            "off" => "off".to_owned(),
            "error" => "error".to_owned(),
            level => format!("warn,discv5=off,beacond={level},evt={level}"),
        });
    }
    for directive in text.split(',') {
        let bare = !directive.contains(['=', '[']);
        if (bare && !is_level(directive.trim())) || EnvFilter::builder().parse(directive).is_err() {
            return Err(ConfigError::LogLevel { directive: directive.to_owned() });
        }
    }
    Ok(text.to_owned())
}

fn is_level(text: &str) -> bool {
    ["off", "error", "warn", "info", "debug", "trace"].iter().any(|level| level.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_is_for_this_program_alone() {
        assert_eq!(filter("info").unwrap(), "warn,discv5=off,beacond=info,evt=info");
        assert_eq!(filter("TRACE").unwrap(), "warn,discv5=off,beacond=trace,evt=trace");
        assert_eq!(filter("error").unwrap(), "error");
        assert_eq!(filter("off").unwrap(), "off");
    }

    #[test]
    fn targets_are_used_as_given() {
        for text in ["info,discv5=debug", "evt::dial=trace", "warn,beacond[conn{peer_id=a}]=debug"] {
            assert_eq!(filter(text).unwrap(), text);
        }
    }

    #[test]
    fn typing_errors_do_not_become_targets() {
        for (text, wrong) in [("inof", "inof"), ("info,discv5=debgu", "discv5=debgu"), ("info,,", ""), ("", "")] {
            let error = filter(text).unwrap_err();
            assert!(matches!(&error, ConfigError::LogLevel { directive } if directive == wrong), "{text}: {error}");
        }
    }
}
