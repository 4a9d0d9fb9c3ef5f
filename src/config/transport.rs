//! What carries connections: transports, and muxers over TCP.

use serde::Serialize;

use super::ConfigError;
use crate::types::{Muxer, Transport};

/// Options about transports and muxers.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args, Serialize)]
#[command(next_help_heading = "Transports")]
#[serde(rename_all = "kebab-case")]
pub struct TransportOptions {
    /// Transports to use, for tests and odd networks [default: quic,tcp]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_transport)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transports: Option<Vec<Transport>>,
    /// Muxers to offer over TCP, the preferred one first
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_muxer, default_value = "yamux,mplex")]
    pub muxers: Vec<Muxer>,
    /// Neither listen nor dial over QUIC
    #[arg(long)]
    pub disable_quic: bool,
}

/// What carries connections: at least one transport, at least one muxer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportConfig {
    /// TCP with Noise and one of the muxers.
    pub tcp: bool,
    /// QUIC.
    pub quic: bool,
    /// Memory of this process, which no option switches on: for nodes that are built in one program.
    pub memory: bool,
    /// Offered over TCP, in order of preference; each once.
    pub muxers: Vec<Muxer>,
}

impl TransportOptions {
    pub(super) fn resolve(&mut self) -> Result<(), ConfigError> {
        match &self.transports {
            Some(given) if self.disable_quic && given.contains(&Transport::Quic) => Err(ConfigError::QuicContradiction),
            Some(_) => Ok(()),
            None => {
                let all = [Transport::Quic, Transport::Tcp].into_iter();
                self.transports = Some(all.filter(|kind| *kind == Transport::Tcp || !self.disable_quic).collect());
                Ok(())
            }
        }
    }

    /// Expects the options resolved.
    pub(super) fn validate(&self) -> TransportConfig {
        let uses = |kind| self.transports.as_ref().is_none_or(|given| given.contains(&kind));
        let mut muxers = Vec::new();
        for muxer in &self.muxers {
            if !muxers.contains(muxer) {
                muxers.push(*muxer);
            }
        }
        TransportConfig {
            tcp: uses(Transport::Tcp),
            quic: uses(Transport::Quic) && !self.disable_quic,
            memory: false,
            muxers,
        }
    }
}

fn parse_transport(text: &str) -> Result<Transport, &'static str> {
    match text.trim() {
        "quic" => Ok(Transport::Quic),
        "tcp" => Ok(Transport::Tcp),
        _ => Err("expected quic or tcp"),
    }
}

fn parse_muxer(text: &str) -> Result<Muxer, &'static str> {
    match text.trim() {
        "yamux" => Ok(Muxer::Yamux),
        "mplex" => Ok(Muxer::Mplex),
        _ => Err("expected yamux or mplex"),
    }
}
