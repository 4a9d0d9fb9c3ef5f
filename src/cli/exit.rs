//! How the program ends when it cannot do what it was asked: one line on stderr, one code.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// Why the program ends, by exit code.
#[derive(Debug)]
pub enum Failure {
    /// 64: the command line, the environment or the file is wrong.
    Usage(String),
    /// 1: what was asked cannot be done here and now.
    Start(anyhow::Error),
    /// 70: a critical task died while the node was running.
    Task(&'static str),
    /// 130: a second signal cut the shutdown short.
    Interrupted,
}

impl Failure {
    /// What was asked cannot be done.
    pub fn start(error: impl Into<anyhow::Error>) -> Self {
        Self::Start(error.into())
    }

    /// A mistake in what `names` says.
    pub(super) fn usage(names: &str, error: impl Error + Send + Sync + 'static) -> Self {
        Self::Usage(format!("{names}: {:#}", anyhow::Error::new(error)))
    }

    /// clap's message without its usage block, and where to find that.
    pub(super) fn from_clap(error: &clap::Error) -> Self {
        Self::Usage(format!("{} (see --help)", clap_line(error)))
    }

    /// The exit code.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(64),
            Self::Start(_) => ExitCode::from(1),
            Self::Task(_) => ExitCode::from(70),
            Self::Interrupted => ExitCode::from(130),
        }
    }
}

impl fmt::Display for Failure {
    /// One line, whatever the causes contain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Usage(message) => message.clone(),
            Self::Start(error) => format!("{error:#}"),
            Self::Interrupted => "stopped at once by a second signal".to_owned(),
            Self::Task(name) => format!("the task {name:?} ended; this is a bug, please report it with the log"),
        };
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        f.write_str(line.trim_end())
    }
}

/// What a clap error says, on one line.
pub(super) fn clap_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said = text.split("\nUsage:").next().unwrap_or_default();
    let said = said.split("\nFor more information").next().unwrap_or_default();
    let mut parts: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if let Some(first) = parts.first_mut() {
        *first = first.strip_prefix("error: ").unwrap_or(first);
    }
    parts.join("; ").replace(":; ", ": ").replace("invalid digit found in string", "not a whole number")
}
