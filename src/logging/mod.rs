//! Log lines: on stderr, and in a file if the operator wants one. `main` sets it up once, before anything else runs.
//!
//! It knows the two shapes of a line, not what is logged: events and free text arrive through `tracing` alike. An
//! event line has a target `evt::…` and a field `event`, and no message.

mod rotate;
mod text;
mod timestamp;

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::{LogConfig, LogFile, LogFormat};
use crate::fault::{Classify, Fault};
use rotate::RotatingFile;
use text::TextLines;
use timestamp::Timestamp;

/// Keeps the log file's writer alive; what is queued is written when it is dropped.
#[derive(Debug)]
#[must_use = "log lines are lost when the guard is dropped early"]
pub struct LogGuard {
    file: Option<(WorkerGuard, ErrorCounter)>,
}

impl LogGuard {
    /// Lines that the log file lost because the disk was slower than the node.
    #[must_use]
    pub fn dropped_lines(&self) -> usize {
        self.file.as_ref().map_or(0, |(_, counter)| counter.dropped_lines())
    }
}

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log file cannot be opened.
    #[error("cannot write {path:?}; choose another --log-file")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The filter does not parse; `ValidConfig` excludes it.
    #[error("--log-level does not parse")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in the process has set a logger.
    #[error("another logger is already set")]
    AlreadySet(#[from] tracing_subscriber::util::TryInitError),
}

impl Classify for LogError {
    fn fault(&self) -> Fault {
        Fault::Local
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::File { .. } => "log_file",
            Self::Filter(_) => "log_filter",
            Self::AlreadySet(_) => "logger_already_set",
        }
    }
}

/// Starts logging for the whole process.
///
/// Lines go to stderr at once, in the thread that logs; the file has a queue, so that a slow disk stops nobody.
///
/// # Errors
/// [`LogError::File`] is the operator's; the others are mistakes of this program.
pub fn init(config: &LogConfig) -> Result<LogGuard, LogError> {
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut layers = vec![lines(config.format, io::stderr, colour)];
    let mut guard = LogGuard { file: None };
    if let Some(file) = &config.file {
        let (writer, worker) = queue(file)?;
        guard.file = Some((worker, writer.error_counter()));
        layers.push(lines(config.format, writer, false));
    }
    let filter = EnvFilter::builder().parse(&config.filter)?;
    tracing_subscriber::registry().with(layers).with(filter).try_init()?;
    Ok(guard)
}

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// The layer that writes one line for each event to `writer`.
///
/// A line that cannot be written is lost silently: complaining on stderr would panic when stderr is what broke.
fn lines<W>(format: LogFormat, writer: W, colour: bool) -> Lines
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer).with_ansi(colour).log_internal_errors(false);
    match format {
        LogFormat::Text => layer.event_format(TextLines).boxed(),
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
            layer.with_timer(Timestamp).boxed()
        }
    }
}

fn queue(file: &LogFile) -> Result<(NonBlocking, WorkerGuard), LogError> {
    let writer = RotatingFile::open(file).map_err(|source| LogError::File { path: file.path.clone(), source })?;
    Ok(NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED_LINES)
        .lossy(true)
        .thread_name("log-file")
        .finish(writer))
}

/// Drop and count: 8192 lines of rarely more than 1 KiB = 8 MiB held when the disk stalls.
const QUEUED_LINES: usize = 8192;

#[cfg(test)]
mod tests;
