//! Where values of options come from: flag over environment over file over default.
//!
//! The environment and the file are laid under the flags by making their values the defaults of clap's arguments, so
//! that clap alone reads values. Each is tried by itself first, so that a mistake is reported where it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{BoolishValueParser, OsStr, Resettable};
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::{Table, Value};

use super::exit::clap_line;
use super::{Env, Failure, is_set};
use crate::config::ConfigWarning;

/// A command whose defaults are being replaced, and by what.
pub(super) struct Layers {
    command: Command,
    origins: BTreeMap<String, Origin>,
}

/// Where a default came from.
#[derive(Clone, Debug)]
enum Origin {
    Environment,
    File(PathBuf),
}

impl Layers {
    pub(super) const fn new(command: Command) -> Self {
        Self { command, origins: BTreeMap::new() }
    }

    /// Lays a file under what comes later.
    pub(super) fn file(mut self, path: &Path, text: &str) -> Result<Self, Failure> {
        let wrong = |what: String| Failure::Usage(format!("{}: {what}", path.display()));
        let table: Table = text.parse().map_err(|error| wrong(toml_line(text, &error)))?;
        for (key, value) in table {
            let arg = self.option(&key).ok_or_else(|| wrong(self.unknown_key(&key)))?;
            let values = scalars(&value)
                .ok_or_else(|| wrong(format!("{key}: expected text, a number, true or false, or a list of them")))?;
            // an empty list is the same as no key
            if !values.is_empty() {
                check(arg, &values).map_err(|what| wrong(format!("{key}: {what}")))?;
                self.set(&key, values, Origin::File(path.to_owned()));
            }
        }
        Ok(self)
    }

    /// Lays the environment over what came before.
    pub(super) fn environment(mut self, env: &impl Env) -> Result<Self, Failure> {
        let keys: Vec<String> = self.command.get_arguments().filter_map(Arg::get_long).map(str::to_owned).collect();
        for key in keys {
            let name = variable(&key);
            let (Some(value), Some(arg)) = (env(&name).filter(is_set), self.find(&key)) else {
                continue;
            };
            let values = vec![value];
            check(arg, &values).map_err(|what| Failure::Usage(format!("{name}: {what}")))?;
            self.set(&key, values, Origin::Environment);
        }
        Ok(self)
    }

    /// Variables that are named as if they were ours, and belong to no option.
    pub(super) fn unknown_variables(&self, names: impl Iterator<Item = OsString>) -> Vec<ConfigWarning> {
        let known: BTreeSet<String> = self.command.get_arguments().filter_map(Arg::get_long).map(variable).collect();
        let names = names.filter_map(|name| name.into_string().ok());
        let unknown = names.filter(|name| !known.contains(name)).filter_map(|name| {
            let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace('_', "-");
            let hint = self.meant(&key).map_or_else(
                || "beacond run --help lists the options".to_owned(),
                |key| format!("did you mean {} (--{key})?", variable(&key)),
            );
            Some(ConfigWarning::UnknownVariable { name, hint })
        });
        unknown.collect()
    }

    /// The command with its new defaults, and the memory of their origin.
    pub(super) fn finish(self) -> (Command, Origins) {
        (self.command, Origins(self.origins))
    }

    fn set(&mut self, key: &str, values: Vec<OsString>, origin: Origin) {
        let Some(id) = self.find(key).map(|arg| arg.get_id().to_string()) else {
            return;
        };
        let command = std::mem::take(&mut self.command);
        self.command = command.mut_arg(id, |arg| arg.default_values(values));
        self.origins.insert(key.to_owned(), origin);
    }

    fn find(&self, key: &str) -> Option<&Arg> {
        self.command.get_arguments().find(|arg| arg.get_long() == Some(key))
    }

    /// The argument that a key of the file sets; those about the file itself are none.
    fn option(&self, key: &str) -> Option<&Arg> {
        self.find(key).filter(|_| !NOT_IN_FILES.contains(&key))
    }

    fn unknown_key(&self, key: &str) -> String {
        let meant = self.meant(key);
        let hint =
            meant.map_or_else(|| "keys are the long options of run".to_owned(), |key| format!("did you mean {key}?"));
        format!("unknown key {key:?}; {hint}")
    }

    /// The option that has this alias, or a similar name.
    fn meant(&self, key: &str) -> Option<String> {
        let is_alias = |arg: &&Arg| arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&key));
        let alias = self.command.get_arguments().find(is_alias).and_then(Arg::get_long);
        alias.map(str::to_owned).or_else(|| self.similar(key))
    }

    /// What clap would suggest for a flag of this name.
    fn similar(&self, key: &str) -> Option<String> {
        let command = self.command.clone().no_binary_name(true);
        let error = command.try_get_matches_from([format!("--{key}")]).err()?;
        match error.get(ContextKind::SuggestedArg)? {
            ContextValue::String(flag) => {
                flag.strip_prefix("--").filter(|flag| !NOT_IN_FILES.contains(flag)).map(str::to_owned)
            }
            _ => None,
        }
    }
}

/// Knows what to call an option in a message: as the operator wrote it.
#[derive(Debug)]
pub(super) struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// `--port`, `BEACOND_PORT` or `port in beacond.toml`.
    pub(super) fn name(&self, key: &str, matches: &ArgMatches) -> String {
        let from_flag = matches.value_source(&key.replace('-', "_")) == Some(ValueSource::CommandLine);
        match self.0.get(key).filter(|_| !from_flag) {
            None => format!("--{key}"),
            Some(Origin::Environment) => variable(key),
            Some(Origin::File(path)) => format!("{key} in {}", path.display()),
        }
    }
}

/// Takes `-5` as a value, wrong as it may be, and not as an unknown flag.
pub(super) fn negative_value(arg: Arg) -> Arg {
    let takes_values = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    if takes_values { arg.allow_negative_numbers(true) } else { arg }
}

/// Takes an empty variable for none, where clap itself reads the environment.
pub(super) fn unset_if_empty(arg: Arg) -> Arg {
    let is_empty = arg.get_env().and_then(std::env::var_os).is_some_and(|value| !is_set(&value));
    if is_empty { arg.env(Resettable::<OsStr>::Reset) } else { arg }
}

/// Lets a switch also be given as `--switch=false`, so that a flag can overrule environment and file both ways.
pub(super) fn two_way_switch(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        .value_parser(BoolishValueParser::new())
        .value_name("true|false")
        .hide_possible_values(true)
        .hide_default_value(true)
}

/// The variable of an option: `BEACOND_LOG_LEVEL` for `log-level`.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('-', "_").to_ascii_uppercase())
}

/// Whether an option takes these values; what is wrong with them otherwise.
fn check(arg: &Arg, values: &[OsString]) -> Result<(), String> {
    if values.len() > 1 && !matches!(arg.get_action(), ArgAction::Append) {
        return Err("takes one value, not a list".to_owned());
    }
    let long = arg.get_long().unwrap_or_default();
    let flags = values.iter().map(|value| {
        let mut flag = OsString::from(format!("--{long}="));
        flag.push(value);
        flag
    });
    let command = Command::new("option").no_binary_name(true).disable_help_flag(true).arg(arg.clone());
    command.try_get_matches_from(flags).map(drop).map_err(|error| clap_line(&error))
}

/// The text of each scalar of a value; `None` when it holds anything else.
fn scalars(value: &Value) -> Option<Vec<OsString>> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(OsString::from(text)),
        Value::Integer(number) => Some(number.to_string().into()),
        Value::Boolean(switch) => Some(switch.to_string().into()),
        Value::Float(number) => Some(number.to_string().into()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    };
    match value {
        Value::Array(values) => values.iter().map(scalar).collect(),
        value => scalar(value).map(|value| vec![value]),
    }
}

/// Where a file is no TOML, and why.
fn toml_line(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.matches('\n').count() + 1, error.message())
}

/// What the names of variables begin with.
const PREFIX: &str = "BEACOND_";

const NOT_IN_FILES: [&str; 2] = ["config", "dump-config"];
