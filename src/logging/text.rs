//! The line for people: time, level, what happened, fields.
//!
//! `2026-11-22T18:00:00.123Z INFO  handshake.completed peer_id=16Uiu… client=lodestar` for an event,
//! `2026-11-22T18:00:00.123Z DEBUG beacond::switch: dial failed error="timed out"` for free text. Values come from
//! strangers, so nothing in them can end the line or steer a terminal.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::timestamp::Timestamp;

/// Formats events as lines for people.
pub(super) struct TextLines;

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let metadata = event.metadata();

        Timestamp.format_time(&mut writer)?;
        write_level(&mut writer, *metadata.level())?;
        match (&parts.event, &parts.message) {
            (Some(name), None) => write!(writer, "{}", Escaped(name))?,
            (_, message) => {
                let target = parts.log_target.as_deref().unwrap_or_else(|| metadata.target());
                write!(writer, "{}:", Escaped(target))?;
                if let Some(message) = message {
                    write!(writer, " {}", Escaped(message))?;
                }
            }
        }
        writeln!(writer, "{}", parts.fields)
    }
}

/// The level in a column of its own, coloured where the writer wants colour.
fn write_level(writer: &mut Writer<'_>, level: Level) -> fmt::Result {
    if !writer.has_ansi_escapes() {
        return write!(writer, " {:<5} ", level.as_str());
    }
    let colour = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    };
    write!(writer, " \x1b[{colour}m{:<5}\x1b[0m ", level.as_str())
}

/// An event taken apart.
#[derive(Default)]
struct Parts {
    event: Option<String>,
    message: Option<String>,
    /// Where a record of the `log` crate came from; its own target is `log`.
    log_target: Option<String>,
    /// ` name=value` for each other field.
    fields: String,
}

impl Parts {
    fn take(&mut self, field: &Field, value: String) {
        match field.name() {
            "event" => self.event = Some(value),
            "message" => self.message = Some(value),
            "log.target" => self.log_target = Some(value),
            name if name.starts_with("log.") => {}
            name => self.push(name, &value),
        }
    }

    fn push(&mut self, name: &str, value: &str) {
        let plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '='));
        // writing to a string cannot fail
        let _ = match plain {
            true => write!(self.fields, " {name}={}", Escaped(value)),
            false => write!(self.fields, " {name}=\"{}\"", Escaped(&value.replace('\\', r"\\").replace('"', "\\\""))),
        };
    }
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // microseconds of a field in ms; more digits are noise to a reader
        self.take(field, ((value * 1000.0).round() / 1000.0).to_string());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.take(field, value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"));
    }
}

/// Shows a text without the characters that end lines, steer terminals or turn the reading direction.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    write!(f, "{}", c.escape_unicode())?;
                }
                c if c.is_control() => write!(f, "{}", c.escape_unicode())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
