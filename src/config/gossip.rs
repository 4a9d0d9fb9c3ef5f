//! What is listened to on gossip, and what is passed on.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use clap::value_parser;
use serde::{Serialize, Serializer};

use super::ConfigError;
use crate::types::TopicKind;

/// Options about gossip.
#[derive(Clone, Debug, PartialEq, clap::Args, Serialize)]
#[command(next_help_heading = "Gossip")]
#[serde(rename_all = "kebab-case")]
pub struct GossipOptions {
    /// Kinds of topics to join: all, none, or a list such as `beacon_block,beacon_aggregate_and_proof`
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_topic, default_value = "all")]
    pub topics: Vec<TopicTerm>,
    /// Attestation subnets to join: auto (the two that the node id stands for), none, all, or a list such as `0,5,10-15`
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_attestation_subnet, default_value = "auto")]
    pub attestation_subnets: Vec<SubnetTerm>,
    /// Data columns to join: auto (those to keep and to sample, eight), none, all, or a list; peers may refuse a node
    /// that keeps fewer than four of those that the node id stands for
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_data_column, default_value = "auto")]
    pub data_columns: Vec<SubnetTerm>,
    /// Sync-committee subnets to join: auto (all four, as no validator prefers one), none, all, or a list
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_sync_subnet, default_value = "auto")]
    pub sync_subnets: Vec<SubnetTerm>,
    /// Join every attestation and sync-committee subnet
    #[arg(long)]
    pub subscribe_all_subnets: bool,
    /// Join every data column
    #[arg(long)]
    pub subscribe_all_data_columns: bool,
    /// Which messages of others to pass on; what breaks a rule never is
    #[arg(long, value_name = "POLICY", value_enum, default_value_t = RelayPolicyName::Strict)]
    pub relay: RelayPolicyName,
    /// Networks that must have sent a message before it is passed on, with --relay corroborated alone [default: 2]
    #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(2..=8))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay_copies: Option<u8>,
    /// Share of votes, aggregates, sync messages and bids to report as `gossip.received`, 0 to 1; all else always is
    #[arg(long, value_name = "SHARE", value_parser = parse_share, default_value_t = DEFAULT_SAMPLE)]
    pub gossip_sample: f64,
}

/// One item of `--topics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicTerm {
    /// Every kind.
    All,
    /// No kind.
    None,
    /// This kind.
    Kind(TopicKind),
}

/// One item of a list of subnets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubnetTerm {
    /// What the node would choose.
    Auto,
    /// No subnet.
    None,
    /// Every subnet.
    All,
    /// These, first and last; a single one is both.
    Range(u16, u16),
}

/// The name of a relay policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RelayPolicyName {
    /// Only what has been verified, by this node or by who judges for it: without a state, few kinds of messages
    Strict,
    /// Also what passed every check that needs no state, once it came from --relay-copies networks
    Corroborated,
}

/// What is listened to on gossip, and what is passed on.
#[derive(Clone, Debug, PartialEq)]
pub struct GossipConfig {
    /// The kinds of topics to join where a fork has them.
    pub topics: BTreeSet<TopicKind>,
    /// Which attestation subnets, each below 64.
    pub attestation_subnets: SubnetChoice,
    /// Which data columns, each below 128.
    pub data_columns: SubnetChoice,
    /// Which sync-committee subnets, each below 4.
    pub sync_subnets: SubnetChoice,
    /// Networks that must have sent an unverifiable message before it is passed on, 2 to 8; `None`: it never is.
    pub corroborating_copies: Option<usize>,
    /// Share of the frequent kinds of messages that are reported one by one, 0 to 1.
    pub sample: f64,
}

/// Which subnets of a kind are joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubnetChoice {
    /// Those that the node has a duty on.
    Auto,
    /// These, which may be none.
    These(BTreeSet<u16>),
}

impl GossipOptions {
    pub(super) fn resolve(&mut self) {
        let all_if = |wanted, terms: &mut Vec<SubnetTerm>| {
            if wanted && terms.iter().all(|term| *term == SubnetTerm::Auto) {
                *terms = vec![SubnetTerm::All];
            }
        };
        all_if(self.subscribe_all_subnets, &mut self.attestation_subnets);
        all_if(self.subscribe_all_subnets, &mut self.sync_subnets);
        all_if(self.subscribe_all_data_columns, &mut self.data_columns);
        if self.relay == RelayPolicyName::Corroborated {
            self.relay_copies.get_or_insert(DEFAULT_COPIES);
        }
    }

    /// Expects the options resolved.
    pub(super) fn validate(&self) -> Result<GossipConfig, ConfigError> {
        let topics = kinds(&self.topics)?;
        let chosen = |key, terms: &[SubnetTerm], kind, all: Option<&'static str>| {
            let choice = choice(key, terms, kind)?;
            match (&choice, all) {
                (_, Some(all)) if terms != [SubnetTerm::All] => Err(ConfigError::AllAndFewer { keys: [key, all] }),
                (SubnetChoice::These(subnets), _) if !subnets.is_empty() && !topics.contains(&kind) => {
                    Err(ConfigError::TopicLeftOut { keys: [all.unwrap_or(key), TOPICS], kind })
                }
                _ => Ok(choice),
            }
        };
        let all_subnets = self.subscribe_all_subnets.then_some("subscribe-all-subnets");
        let all_columns = self.subscribe_all_data_columns.then_some("subscribe-all-data-columns");
        Ok(GossipConfig {
            attestation_subnets: chosen(
                "attestation-subnets",
                &self.attestation_subnets,
                TopicKind::BeaconAttestation,
                all_subnets,
            )?,
            sync_subnets: chosen("sync-subnets", &self.sync_subnets, TopicKind::SyncCommittee, all_subnets)?,
            data_columns: chosen("data-columns", &self.data_columns, TopicKind::DataColumnSidecar, all_columns)?,
            corroborating_copies: self.copies()?,
            sample: self.gossip_sample,
            topics,
        })
    }

    fn copies(&self) -> Result<Option<usize>, ConfigError> {
        match (self.relay, self.relay_copies) {
            (RelayPolicyName::Strict, None) => Ok(None),
            (RelayPolicyName::Strict, Some(_)) => Err(ConfigError::CopiesWithoutEffect),
            (RelayPolicyName::Corroborated, copies) => Ok(Some(copies.unwrap_or(DEFAULT_COPIES).into())),
        }
    }
}

impl Default for GossipConfig {
    /// What is in force when no option is given.
    fn default() -> Self {
        Self {
            topics: TopicKind::ALL.iter().copied().collect(),
            attestation_subnets: SubnetChoice::Auto,
            data_columns: SubnetChoice::Auto,
            sync_subnets: SubnetChoice::Auto,
            corroborating_copies: None,
            sample: DEFAULT_SAMPLE,
        }
    }
}

impl fmt::Display for TopicTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => ALL,
            Self::None => NONE,
            Self::Kind(kind) => kind.as_str(),
        })
    }
}

impl Serialize for TopicTerm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for SubnetTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str(AUTO),
            Self::None => f.write_str(NONE),
            Self::All => f.write_str(ALL),
            Self::Range(first, last) if first == last => first.fmt(f),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl Serialize for SubnetTerm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a list of kinds comes to.
fn kinds(terms: &[TopicTerm]) -> Result<BTreeSet<TopicKind>, ConfigError> {
    match terms {
        [TopicTerm::All] => return Ok(TopicKind::ALL.iter().copied().collect()),
        [TopicTerm::None] => return Ok(BTreeSet::new()),
        _ => {}
    }
    let kind = |term: &TopicTerm| match term {
        TopicTerm::Kind(kind) => Ok(*kind),
        TopicTerm::All | TopicTerm::None => Err(ConfigError::NotAlone { key: TOPICS, word: term.to_string() }),
    };
    terms.iter().map(kind).collect()
}

/// What a list of subnets of a kind comes to.
fn choice(key: &'static str, terms: &[SubnetTerm], kind: TopicKind) -> Result<SubnetChoice, ConfigError> {
    match terms {
        [SubnetTerm::Auto] => return Ok(SubnetChoice::Auto),
        [SubnetTerm::All] => return Ok(SubnetChoice::These((0..kind.subnets().unwrap_or_default()).collect())),
        [SubnetTerm::None] => return Ok(SubnetChoice::These(BTreeSet::new())),
        _ => {}
    }
    let range = |term: &SubnetTerm| match *term {
        SubnetTerm::Range(first, last) => Ok(first..=last),
        SubnetTerm::Auto | SubnetTerm::All | SubnetTerm::None => {
            Err(ConfigError::NotAlone { key, word: term.to_string() })
        }
    };
    let ranges: Vec<RangeInclusive<u16>> = terms.iter().map(range).collect::<Result<_, _>>()?;
    Ok(SubnetChoice::These(ranges.into_iter().flatten().collect()))
}

fn parse_topic(text: &str) -> Result<TopicTerm, String> {
    match text.trim() {
        ALL => Ok(TopicTerm::All),
        NONE => Ok(TopicTerm::None),
        text => TopicKind::ALL.iter().find(|kind| kind.as_str() == text).map(|kind| TopicTerm::Kind(*kind)).ok_or_else(
            || {
                let names: Vec<_> = TopicKind::ALL.iter().map(|kind| kind.as_str()).collect();
                format!("expected all, none, {}", names.join(", "))
            },
        ),
    }
}

fn parse_attestation_subnet(text: &str) -> Result<SubnetTerm, String> {
    parse_subnet(text, TopicKind::BeaconAttestation)
}

fn parse_data_column(text: &str) -> Result<SubnetTerm, String> {
    parse_subnet(text, TopicKind::DataColumnSidecar)
}

fn parse_sync_subnet(text: &str) -> Result<SubnetTerm, String> {
    parse_subnet(text, TopicKind::SyncCommittee)
}

fn parse_subnet(text: &str, kind: TopicKind) -> Result<SubnetTerm, String> {
    let end = kind.subnets().unwrap_or_default();
    let number = |text: &str| text.trim().parse::<u16>().ok().filter(|subnet| *subnet < end);
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (number(first)?, number(last)?);
        (first <= last).then_some(SubnetTerm::Range(first, last))
    };
    match text.trim() {
        AUTO => Ok(SubnetTerm::Auto),
        NONE => Ok(SubnetTerm::None),
        ALL => Ok(SubnetTerm::All),
        text => {
            range(text).ok_or_else(|| match text.split_once('-').map(|(first, last)| (number(first), number(last))) {
                Some((Some(first), Some(last))) => format!("a range counts upwards: {last}-{first}"),
                _ => format!(
                    "expected auto, none, all, a number from 0 to {}, or a range such as 1-3",
                    end.saturating_sub(1)
                ),
            })
        }
    }
}

fn parse_share(text: &str) -> Result<f64, &'static str> {
    let share = text.trim().parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or("expected a number from 0 to 1")
}

const AUTO: &str = "auto";
const NONE: &str = "none";
const ALL: &str = "all";
const TOPICS: &str = "topics";
const DEFAULT_COPIES: u8 = 2;

/// About three events a second when each of the 2,800 attestations a second of mainnet is heard.
const DEFAULT_SAMPLE: f64 = 0.001;
