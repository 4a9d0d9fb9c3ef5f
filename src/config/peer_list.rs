//! Lists of peers in options and in the files that they name.

use std::path::Path;

use super::ConfigError;
use super::error::PeerTextError;
use crate::types::{KnownPeer, PeerId};

/// Reads the values of an option: a peer each, or `@FILE`.
pub(super) fn parse(key: &'static str, values: &[String]) -> Result<Vec<KnownPeer>, ConfigError> {
    parse_as(key, values, parse_one)
}

/// A peer that is trusted: where it can be dialled, or by its id alone.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trusted {
    /// To be dialled.
    Peer(KnownPeer),
    /// To be known when it is found, or dials us.
    Id(PeerId),
}

/// As [`parse`], for an option that takes bare peer ids as well.
pub(super) fn parse_trusted(key: &'static str, values: &[String]) -> Result<Vec<Trusted>, ConfigError> {
    parse_as(key, values, |text| match text.parse() {
        Ok(peer_id) => Ok(Trusted::Id(peer_id)),
        Err(_) => parse_one(text).map(Trusted::Peer),
    })
}

type ParseOne<T> = fn(&str) -> Result<T, PeerTextError>;

fn parse_as<T>(key: &'static str, values: &[String], parse_one: ParseOne<T>) -> Result<Vec<T>, ConfigError> {
    let mut peers = Vec::with_capacity(values.len());
    for text in values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()) {
        match text.strip_prefix('@') {
            Some(path) => peers.extend(read_as(key, Path::new(path), parse_one)?),
            None => peers.push(parse_one(text).map_err(|source| ConfigError::Peer {
                key,
                text: text.to_owned(),
                source,
            })?),
        }
    }
    Ok(peers)
}

/// Reads a file: peers on lines of their own, as a YAML list in either form, `#` starts a comment.
pub(super) fn read(key: &'static str, path: &Path) -> Result<Vec<KnownPeer>, ConfigError> {
    read_as(key, path, parse_one)
}

fn read_as<T>(key: &'static str, path: &Path, parse_one: ParseOne<T>) -> Result<Vec<T>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        key,
        path: path.to_owned(),
        source,
    })?;
    let mut peers = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for text in words(line) {
            let peer = parse_one(text).map_err(|source| ConfigError::PeerInFile {
                key,
                path: path.to_owned(),
                line: number + 1,
                text: text.to_owned(),
                source,
            })?;
            peers.push(peer);
        }
    }
    Ok(peers)
}

/// The entries of one line. No character of YAML's list syntax occurs in an ENR or a multiaddr, but for `-`.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let line = line.split('#').next().unwrap_or_default();
    line.split(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '"' | '\''))
        .filter(|word| !matches!(*word, "" | "-" | "---"))
}

fn parse_one(text: &str) -> Result<KnownPeer, PeerTextError> {
    let peer: KnownPeer = text.parse()?;
    match peer.peer_id() {
        Some(_) => Ok(peer),
        None => Err(PeerTextError::Key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "/ip4/192.0.2.1/tcp/9000/p2p/16Uiu2HAmSH2XVgZqYHWucap5kuPzLnt2TsNQkoppVxB5eJGvaXwm";
    const ENR: &str = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8";

    #[test]
    fn reads_plain_lines_and_both_forms_of_yaml_lists() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("boot");
        let forms = [
            format!("# two peers\n{ENR}\n\n{PEER} # the second\n"),
            format!("---\n- {ENR}\n- \"{PEER}\"\n"),
            format!("[\"{ENR}\",\n '{PEER}']"),
        ];
        for text in forms {
            std::fs::write(&path, &text).unwrap();
            let peers = read("boot-nodes-file", &path).unwrap();
            let texts: Vec<_> = peers.iter().map(ToString::to_string).collect();
            assert_eq!(texts, [ENR, PEER], "{text}");
            assert_eq!(parse("boot-nodes", &[format!("@{}", path.display())]).unwrap(), peers);
        }
    }

    #[test]
    fn names_the_line_that_is_no_peer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("boot");
        std::fs::write(&path, format!("{ENR}\n- {PEER}x\n")).unwrap();
        let error = read("boot-nodes-file", &path).unwrap_err();
        assert!(matches!(error, ConfigError::PeerInFile { line: 2, .. }), "{error}");
    }

    #[test]
    fn an_address_without_identity_is_refused() {
        let error = parse("boot-nodes", &["/ip4/192.0.2.1/tcp/9000".to_owned()]).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert!(error.to_string().starts_with("\"/ip4/192.0.2.1/tcp/9000\" is no peer; give "), "{error}");
        assert_eq!(source.as_deref(), Some("the multiaddr does not end in /p2p/PEER_ID"));
    }
}
