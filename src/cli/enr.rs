//! `beacond enr`: node records for people to read.

use std::fmt::Display;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value, json};
use ssz::Decode;
use ssz_types::BitVector;
use ssz_types::typenum::Unsigned;

use super::{Failure, print};
use crate::config::{NETWORKS, NetworkOptions};
use crate::store;
use crate::types::{Attnets, Enr, EnrForkId, Epoch, ForkDigest, Syncnets, enr_peer_id};

/// Read node records
#[derive(Debug, Subcommand)]
pub(super) enum EnrCommand {
    /// Print what a record says
    #[command(after_help = "Example:\n  beacond enr decode enr:-Iu4QLm7bZGdAt9N…")]
    Decode {
        /// The record
        #[arg(value_name = "ENR")]
        enr: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the record of the node that runs, or ran, on a data directory
    #[command(after_help = "Examples:\n  beacond enr show --network hoodi\n  beacond enr show --network-dir ./devnet")]
    Show(ShowArgs),
}

/// Which node's record to show.
#[derive(Clone, Debug, Args)]
pub(super) struct ShowArgs {
    /// Data directory of the node [default: that of the network]
    #[arg(long, value_name = "DIR", env = "BEACOND_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Network of the node, if it uses the default data directory [default: mainnet]
    #[arg(long, value_name = "NAME", value_parser = NETWORKS, env = "BEACOND_NETWORK", conflicts_with = "network_dir")]
    network: Option<String>,
    /// Network of the node, by its directory, if it uses the default data directory
    #[arg(long, value_name = "DIR", visible_alias = "testnet-dir", env = "BEACOND_NETWORK_DIR")]
    network_dir: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(command: &EnrCommand) -> Result<(), Failure> {
    match command {
        EnrCommand::Decode { enr, json } => {
            let enr = enr.trim().parse().map_err(|why| Failure::Usage(format!("ENR: not a valid record: {why}")))?;
            show(&enr, *json)
        }
        EnrCommand::Show(args) => show(&stored(args)?, args.json),
    }
}

fn stored(args: &ShowArgs) -> Result<Enr, Failure> {
    let ShowArgs { network, network_dir, data_dir, .. } = args.clone();
    let options = NetworkOptions { network, network_dir, data_dir };
    let dir = options.data_dir(|name| std::env::var_os(name));
    let dir = dir.ok_or_else(|| Failure::Usage("--data-dir: HOME is not set, so say where the data is".to_owned()))?;
    let none = || Failure::start(anyhow!("no record in {dir:?}; start the node once, or choose another --data-dir"));
    store::read_enr(&dir).map_err(Failure::start)?.ok_or_else(none)
}

fn show(enr: &Enr, json: bool) -> Result<(), Failure> {
    let fields = fields(enr);
    if json {
        let object: Map<String, Value> = fields.into_iter().map(|field| (field.name, field.json)).collect();
        return print::json(&object);
    }
    let rows: Vec<(&str, String)> = fields.iter().map(|field| (field.name.as_str(), field.text.clone())).collect();
    print::rows(&rows)
}

/// One line of the answer.
struct Field {
    name: String,
    text: String,
    json: Value,
}

impl Field {
    fn new(name: impl Into<String>, value: impl Display + Serialize) -> Self {
        Self { name: name.into(), text: value.to_string(), json: json!(value) }
    }
}

/// Everything that a record says: the frame first, then its pairs in their order.
fn fields(enr: &Enr) -> Vec<Field> {
    let mut fields = vec![
        Field::new("enr", enr.to_base64()),
        Field::new("seq", enr.seq()),
        Field::new("node_id", format!("0x{}", hex::encode(enr.node_id().raw()))),
    ];
    fields.extend(enr_peer_id(enr).map(|peer_id| Field::new("peer_id", peer_id.to_string())));
    for (key, rlp) in enr.iter() {
        let name = String::from_utf8_lossy(key).escape_debug().to_string();
        let malformed = || Field::new(name.clone(), format!("malformed (0x{})", hex::encode(rlp)));
        fields.push(pair(enr, &name).unwrap_or_else(malformed));
    }
    fields.push(Field::new("signature_valid", enr.verify()));
    fields.push(Field::new("size", enr.size()));
    fields
}

/// A pair as its key defines it; `None` when the value does not fit.
fn pair(enr: &Enr, key: &str) -> Option<Field> {
    Some(match key {
        "id" => Field::new(key, enr.id()?.escape_debug().to_string()),
        "ip" => Field::new(key, enr.ip4()?),
        "ip6" => Field::new(key, enr.ip6()?),
        "tcp" | "tcp6" | "udp" | "udp6" | "quic" | "quic6" => Field::new(key, enr.get_decodable::<u16>(key)?.ok()?),
        "secp256k1" => Field::new(key, hex_of::<33>(enr, key)?),
        "eth2" => eth2(&EnrForkId::from_ssz_bytes(&bytes_of::<16>(enr, key)?).ok()?),
        "attnets" => subnets(key, &Attnets::from_ssz_bytes(&bytes_of::<8>(enr, key)?).ok()?),
        "syncnets" => subnets(key, &Syncnets::from_ssz_bytes(&bytes_of::<1>(enr, key)?).ok()?),
        "cgc" => Field::new(key, enr.get_decodable::<u64>(key)?.ok()?),
        "nfd" => Field::new(key, ForkDigest(bytes_of::<4>(enr, key)?).to_string()),
        _ => Field::new(key, format!("0x{} (RLP)", hex::encode(enr.get_raw_rlp(key)?))),
    })
}

fn eth2(value: &EnrForkId) -> Field {
    let EnrForkId { fork_digest, next_fork_version, next_fork_epoch } = *value;
    let scheduled = (next_fork_epoch != Epoch::FAR_FUTURE).then_some(next_fork_epoch);
    let epoch = scheduled.map_or_else(|| "none".to_owned(), |epoch| epoch.to_string());
    Field {
        name: "eth2".to_owned(),
        text: format!("fork_digest {fork_digest}, next_fork_version {next_fork_version}, next_fork_epoch {epoch}"),
        json: json!({
            "fork_digest": fork_digest.to_string(),
            "next_fork_version": next_fork_version.to_string(),
            "next_fork_epoch": scheduled,
        }),
    }
}

/// The numbers of the bits that are set.
fn subnets<N: Unsigned + Clone>(key: &str, bits: &BitVector<N>) -> Field {
    let set: Vec<usize> = bits.iter().enumerate().filter_map(|(number, is_set)| is_set.then_some(number)).collect();
    let text = if set.is_empty() {
        "none".to_owned()
    } else {
        set.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    };
    Field { name: key.to_owned(), text, json: json!(set) }
}

fn bytes_of<const N: usize>(enr: &Enr, key: &str) -> Option<[u8; N]> {
    enr.get_decodable(key)?.ok()
}

fn hex_of<const N: usize>(enr: &Enr, key: &str) -> Option<String> {
    bytes_of::<N>(enr, key).map(|bytes| format!("0x{}", hex::encode(bytes)))
}
