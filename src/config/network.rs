//! Which network, and where its data lives.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::ConfigError;

/// The networks whose configuration is part of the program.
pub const NETWORKS: [&str; 3] = ["mainnet", "sepolia", "hoodi"];

/// Options about the network and the data directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Serialize)]
#[command(next_help_heading = "Network")]
#[serde(rename_all = "kebab-case")]
pub struct NetworkOptions {
    /// Network to join, by name [default: mainnet]
    #[arg(long, value_name = "NAME", value_parser = NETWORKS)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Network to join, by a directory with config.yaml, genesis.ssz and boot nodes, as devnets publish it
    #[arg(long, value_name = "DIR", visible_alias = "testnet-dir")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_dir: Option<PathBuf>,
    /// Where the node keeps its key and its record [default: $XDG_DATA_HOME/beacond/NETWORK or
    /// ~/.local/share/beacond/NETWORK]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
}

/// Where the configuration of the network comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkSource {
    /// One of [`NETWORKS`].
    Named(String),
    /// A directory that exists.
    Dir(PathBuf),
}

impl NetworkOptions {
    pub(super) fn resolve(&mut self, env: impl Fn(&str) -> Option<OsString>) -> Result<(), ConfigError> {
        if self.network.is_some() && self.network_dir.is_some() {
            return Err(ConfigError::TwoNetworks);
        }
        if self.network_dir.is_none() {
            self.network.get_or_insert_with(|| NETWORKS[0].to_owned());
        }
        self.data_dir = Some(self.data_dir(env).ok_or(ConfigError::NoHome)?);
        Ok(())
    }

    /// The data directory that these options stand for; `None` when it is the default one and there is no home.
    pub fn data_dir(&self, env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        self.data_dir.clone().or_else(|| default_data_dir(&self.label(), env))
    }

    /// The last part of the default data directory.
    fn label(&self) -> String {
        let Some(dir) = &self.network_dir else {
            return self.network.clone().unwrap_or_else(|| NETWORKS[0].to_owned());
        };
        // `.` and `..` have no name of their own
        let full = dir.canonicalize().unwrap_or_else(|_| dir.clone());
        full.file_name().map_or_else(|| "custom".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    pub(super) fn validate(&self) -> Result<(PathBuf, NetworkSource), ConfigError> {
        let data_dir = self.data_dir.clone().ok_or(ConfigError::NoHome)?;
        let source = match (&self.network, &self.network_dir) {
            (Some(_), Some(_)) => return Err(ConfigError::TwoNetworks),
            (_, Some(dir)) if !dir.is_dir() => return Err(ConfigError::NetworkDir { path: dir.clone() }),
            (_, Some(dir)) => NetworkSource::Dir(dir.clone()),
            (name, None) => NetworkSource::Named(name.clone().unwrap_or_else(|| NETWORKS[0].to_owned())),
        };
        Ok((data_dir, source))
    }
}

/// The data directory of a network when none is given: below `XDG_DATA_HOME`, else below `HOME`.
///
/// `None` when neither is set.
fn default_data_dir(network: &str, env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // the XDG specification tells to ignore a relative path
    let base = path("XDG_DATA_HOME").filter(|dir| dir.is_absolute());
    let base = base.or_else(|| path("HOME").map(|home| home.join(Path::new(".local/share"))))?;
    Some(base.join("beacond").join(network))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_goes_below_xdg_data_home_else_home() {
        let both = |name: &str| Some(OsString::from(if name == "HOME" { "/home/ann" } else { "/data" }));
        let home = |name: &str| (name == "HOME").then(|| OsString::from("/home/ann"));
        let relative = |name: &str| Some(OsString::from(if name == "HOME" { "/home/ann" } else { "data" }));
        assert_eq!(default_data_dir("hoodi", both), Some("/data/beacond/hoodi".into()));
        for env in [&home as &dyn Fn(&str) -> _, &relative] {
            assert_eq!(default_data_dir("hoodi", env), Some("/home/ann/.local/share/beacond/hoodi".into()));
        }
        assert_eq!(default_data_dir("hoodi", |_| None), None);
    }

    #[test]
    fn a_network_directory_gives_its_name_to_the_data_directory() {
        let mut options = NetworkOptions { network_dir: Some("/srv/devnet-7".into()), ..Default::default() };
        options.resolve(|name| (name == "HOME").then(|| "/home/ann".into())).unwrap();
        assert_eq!(options.data_dir, Some("/home/ann/.local/share/beacond/devnet-7".into()));
        assert_eq!(options.network, None);
    }

    #[test]
    fn without_a_home_the_data_directory_must_be_given() {
        let error = NetworkOptions::default().resolve(|_| None).unwrap_err();
        assert_eq!(error.keys(), ["data-dir"]);
    }
}
