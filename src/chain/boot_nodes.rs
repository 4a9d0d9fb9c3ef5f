//! Lists of boot nodes as people and devnets write them.
//!
//! Called for the files of a network directory; knows nothing of files itself.

use crate::fault::{Classify, Fault};
use crate::types::{KnownPeer, KnownPeerError};

/// An entry that names no peer.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {entry:?} is no boot node; correct or remove it")]
pub struct BootNodesError {
    /// Where, from 1.
    pub line: usize,
    /// The entry, cut to 64 characters.
    pub entry: String,
    /// What is wrong with it.
    pub source: KnownPeerError,
}

impl Classify for BootNodesError {
    fn fault(&self) -> Fault {
        Fault::Local
    }

    fn reason(&self) -> &'static str {
        "bad_boot_node"
    }
}

/// Reads ENRs and multiaddrs from plain lines, comma-separated lines or a YAML list, quoted or not.
///
/// `#` starts a comment, which no ENR and no multiaddr contains. An empty text is an empty list.
///
/// # Errors
/// The first entry that is neither an ENR nor a multiaddr with a peer id, and its line.
pub fn read_boot_nodes(text: &str) -> Result<Vec<KnownPeer>, BootNodesError> {
    let entries = text.lines().enumerate().flat_map(|(index, line)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let line = if line == "---" { "" } else { line.strip_prefix('-').unwrap_or(line) };
        line.split(',').map(strip_yaml).filter(|entry| !entry.is_empty()).map(move |entry| (index + 1, entry))
    });
    entries.map(|(line, entry)| parse_entry(line, entry)).collect()
}

/// Takes off what a YAML list, block or flow, leaves around an entry.
fn strip_yaml(entry: &str) -> &str {
    entry.trim_matches(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | '"' | '\''))
}

fn parse_entry(line: usize, entry: &str) -> Result<KnownPeer, BootNodesError> {
    entry.parse().map_err(|source| BootNodesError { line, entry: entry.chars().take(64).collect(), source })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chain::{ChainConfig, NetworkName};

    const MULTIADDR: &str = "/ip4/10.0.0.1/udp/9001/quic-v1/p2p/16Uiu2HAmPh4Hfzqc4RTXz8tsUZDqFD1hJmLmwPyhfgLb34NhwRZa";

    fn two_enrs() -> (KnownPeer, KnownPeer) {
        let mut bootnodes = ChainConfig::embedded(NetworkName::Sepolia).bootnodes;
        (bootnodes.swap_remove(0), bootnodes.swap_remove(1))
    }

    #[test]
    fn reads_every_way_of_writing_a_list() {
        let (a, b) = two_enrs();
        let expected = [a.clone(), b.clone(), MULTIADDR.parse().unwrap()];
        let texts = [
            format!("{a}\n{b}\n{MULTIADDR}"),
            format!("{a},{b}, {MULTIADDR}\r\n"),
            format!("# ours\n---\n- {a}\n- \"{b}\" # the second\n\n-  '{MULTIADDR}'\n"),
            format!("['{a}', \"{b}\",\n  {MULTIADDR},\n]\n"),
        ];
        for text in texts {
            assert_eq!(read_boot_nodes(&text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn empty_lists_are_no_error() {
        for text in ["", "\n# nothing yet\n", "[]", "---\n"] {
            assert_eq!(read_boot_nodes(text).unwrap(), []);
        }
    }

    #[test]
    fn names_the_line_of_a_bad_entry() {
        let (a, _) = two_enrs();
        let error = read_boot_nodes(&format!("# first\n{a}\nenr:-garbage\n")).unwrap_err();
        assert_eq!((error.line, error.entry.as_str()), (3, "enr:-garbage"));
        assert!(matches!(error.source, KnownPeerError::Enr(_)));
        let error = read_boot_nodes("enode://abc@1.2.3.4:30303").unwrap_err();
        assert!(matches!(error.source, KnownPeerError::Neither));
    }

    proptest! {
        #[test]
        fn survives_any_text(text in "(\\PC|\n|enr:-|[-,'#\\[\\]/]){0,200}") {
            let entries = text.split([',', '\n']).count();
            if let Ok(peers) = read_boot_nodes(&text) {
                prop_assert!(peers.len() <= entries);
            }
        }
    }
}
