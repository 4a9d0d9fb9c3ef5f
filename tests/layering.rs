//! Holds the table of which module may import which, and reads the sources against it: in a single package nothing else would.
//!
//! Works on the text: comments and literals are blanked, `use` trees expanded, `self` and `super` resolved. It knows nothing of macros'
//! expansions and of names that reach a module by a re-export.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A module imports lower ranks, itself and its children.
const RANKS: [(&str, u8); 25] = [
    ("main", 9),
    ("cli", 9),
    ("api", 8),
    ("modes", 8),
    ("node", 7),
    ("handshake", 6),
    ("light_client", 6),
    ("rpc", 5),
    ("gossip", 5),
    ("switch", 4),
    ("transport", 3),
    ("discovery", 3),
    ("nat", 3),
    ("chain", 2),
    ("peers", 2),
    ("metrics", 2),
    ("store", 2),
    ("events", 1),
    ("tasks", 1),
    ("kzg", 1),
    ("config", 1),
    ("logging", 1),
    ("types", 0),
    ("time", 0),
    ("fault", 0),
];

/// The imports that stay within a rank.
const WITHIN_RANK: [(&str, &str); 3] = [("main", "cli"), ("logging", "config"), ("time", "types")];

/// What may be named only in some modules, with the reason.
const RESERVED: [(&[&str], &[&str], &str); 2] = [
    (&["libp2p", "swarm"], &["switch", "transport"], "the swarm is behind the Switch"),
    (&["discv5"], &["discovery"], "discv5 is behind Discovery"),
];

/// Where the variants of `ForkName` may be named: nothing else changes when a fork is added.
const KNOWS_FORKS: [&str; 3] = ["chain", "gossip", "types"];

/// What the top level holds besides dotfiles and licences.
const TOP_LEVEL: [&str; 7] = ["Cargo.toml", "Cargo.lock", "src", "tests", "benches", "config", "README.md"];

#[test]
fn imports_follow_the_table() {
    let mut faults = Vec::new();
    for file in rust_files("src") {
        let source = Source::read(&file);
        faults.extend(source.paths().into_iter().filter_map(|path| source.judge(&path)));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(rust_files)
        .filter(|file| !fs::read_to_string(file).expect("a readable source").starts_with("//!"))
        .collect();
    assert!(silent.is_empty(), "these do not open with `//!`: {silent:?}");
}

#[test]
fn top_level_is_closed() {
    let Ok(listed) = Command::new("git").arg("ls-files").current_dir(root()).output() else { return };
    if !listed.status.success() {
        return; // not a checkout
    }
    let listed = String::from_utf8(listed.stdout).expect("names are UTF-8");
    let names: BTreeSet<_> =
        listed.lines().map(|path| path.split('/').next().expect("split yields one part")).collect();
    let known = |name: &str| TOP_LEVEL.contains(&name) || name.starts_with('.') || name.starts_with("LICENSE");
    let strangers: Vec<_> = names.into_iter().filter(|name| !known(name)).collect();
    assert!(strangers.is_empty(), "not for the top level: {strangers:?}");
}

#[test]
fn an_upward_edge_is_seen_in_every_spelling() {
    let edges = [
        "use crate::node::X;",
        "use crate::{types::Slot, node::{X, Y}};",
        "fn f() { crate::node::run() }",
        "use super::super::node::X;",
        "mod tests { use super::super::super::node::X; }",
        "fn f() -> Vec<crate::node::X> { vec![] }",
    ];
    for edge in edges {
        let source = Source::new("src/rpc/client.rs", edge);
        assert!(!source.faults().is_empty(), "{edge}: {:?}", source.paths());
    }
}

#[test]
fn what_the_table_permits_passes() {
    let fine = [
        "use crate::switch::Handle; use super::codec::Codec; use self::inner::X;",
        "// use crate::node::X;\n/* crate::node */ const A: &str = \"crate::node::X\"; const B: &str = r#\"crate::node\"\"#;",
        "mod tests { use super::*; use super::super::codec::X; }",
        "pub(crate) fn f<'a>(x: &'a str) -> char { '{' }",
        "use enr::discv5::Thing; use crate::rpc::method::Method;",
        "fn f(fork: ForkName) -> usize { ForkName::ALL.len() }",
        "mod tests { fn f() { g(ForkName::Fulu) } }",
    ];
    for text in fine {
        assert_eq!(Source::new("src/rpc/client.rs", text).faults(), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn reserved_names_are_seen() {
    for text in [
        "use libp2p::{PeerId, swarm::Swarm};",
        "use discv5::Enr;",
        "fn f() { g(ForkName::Fulu) }",
        "use crate::types::ForkName::*;",
    ] {
        assert_eq!(Source::new("src/rpc/client.rs", text).faults().len(), 1, "{text}");
    }
}

/// One file: where it stands in the module tree, and its tokens.
struct Source {
    file: PathBuf,
    module: Vec<String>,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq)]
struct Token {
    text: String,
    line: usize,
}

/// A path as written, made absolute where it is ours.
#[derive(Debug)]
struct Reference {
    segments: Vec<String>,
    line: usize,
    in_tests: bool,
    is_macro: bool,
}

impl Source {
    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).expect("a readable source");
        Self::new(file.strip_prefix(root()).expect("a file of this package"), &text)
    }

    fn new(file: impl AsRef<Path>, text: &str) -> Self {
        let file = file.as_ref().to_owned();
        let inside = file.strip_prefix("src").expect("a file of src").with_extension("");
        let mut module: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if module.last().is_some_and(|last| last == "mod" || last == "lib") {
            module.pop();
        }
        Self { file, module, tokens: tokens(&blank(text)) }
    }

    fn faults(&self) -> Vec<String> {
        self.paths().iter().filter_map(|path| self.judge(path)).collect()
    }

    /// The rule that the reference breaks, if it does.
    fn judge(&self, reference: &Reference) -> Option<String> {
        let module = self.module.first()?; // lib.rs, which has none, declares them all
        let says = |what: String| Some(format!("{}:{}: {what}", self.file.display(), reference.line));
        let segments: Vec<_> = reference.segments.iter().map(String::as_str).collect();
        let own_root = if module == "main" { "beacond" } else { "crate" };

        if let ["crate", target, ..] | ["beacond", target, ..] = segments.as_slice()
            && segments[0] == own_root
            && target != module
            && !WITHIN_RANK.contains(&(module, target))
            && !(reference.is_macro && segments.len() == 2)
        {
            match (rank(module), rank(target)) {
                (None, _) => return says(format!("`{module}` has no rank")),
                (_, None) => return says(format!("`{target}` has no rank")),
                (Some(own), Some(other)) if other >= own => {
                    return says(format!("`{module}` ({own}) may not import `{target}` ({other})"));
                }
                _ => {}
            }
        }
        for (name, homes, why) in RESERVED {
            if segments.starts_with(name) && !homes.contains(&module.as_str()) {
                return says(format!("`{}` is for {homes:?}: {why}", name.join("::")));
            }
        }
        let variant = segments.iter().skip_while(|segment| **segment != "ForkName").nth(1);
        let names_fork = variant.is_some_and(|name| {
            *name == "*" || (name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase))
        });
        if names_fork && !reference.in_tests && !KNOWS_FORKS.contains(&module.as_str()) {
            return says(format!("forks are named in {KNOWS_FORKS:?} alone"));
        }
        None
    }

    /// Every path of two segments or more, and every import.
    fn paths(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        // The inline modules that enclose the position; an unnamed brace is `None`.
        let mut scopes: Vec<Option<String>> = Vec::new();
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            let text = token.text.as_str();
            match text {
                "mod" if self.text(at + 2) == "{" => {
                    scopes.push(Some(self.text(at + 1).to_owned()));
                    at += 3;
                    continue;
                }
                "{" => scopes.push(None),
                "}" => drop(scopes.pop()),
                _ => {}
            }
            let continues = at > 0 && self.text(at - 1) == "::" && at > 1 && is_ident(self.text(at - 2));
            if is_ident(text) && !continues && (text == "use" || self.text(at + 1) == "::") {
                let start = if text == "use" { at + 1 } else { at };
                let mut end = start;
                let mut paths = Vec::new();
                self.tree(&mut end, &[], &mut paths);
                let inline: Vec<_> = scopes.iter().flatten().cloned().collect();
                let here = [self.module.as_slice(), &inline].concat();
                found.extend(paths.into_iter().map(|segments| Reference {
                    segments: absolute(&here, segments),
                    line: token.line,
                    in_tests: here.iter().any(|name| name == "tests"),
                    is_macro: self.text(end) == "!",
                }));
                at = end.max(at + 1);
            } else {
                at += 1;
            }
        }
        found
    }

    /// Reads one path or `use` tree from `at` on, leaving `at` behind it.
    fn tree(&self, at: &mut usize, prefix: &[String], paths: &mut Vec<Vec<String>>) {
        let mut path = prefix.to_vec();
        loop {
            match self.text(*at) {
                "::" => *at += 1,
                "{" if self.text(at.wrapping_sub(1)) == "::" || self.text(at.wrapping_sub(1)) == "use" => {
                    *at += 1;
                    while !matches!(self.text(*at), "}" | "") {
                        self.tree(at, &path, paths);
                        if self.text(*at) == "as" {
                            *at += 2;
                        }
                        if self.text(*at) == "," {
                            *at += 1;
                        } else if self.text(*at) != "}" {
                            break; // no tree after all
                        }
                    }
                    *at += 1;
                    return;
                }
                text if (is_ident(text) && text != "as") || text == "*" => {
                    path.push(text.to_owned());
                    *at += 1;
                    if self.text(*at) != "::" {
                        break;
                    }
                }
                _ => break,
            }
        }
        paths.push(path);
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }
}

fn rank(module: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

/// Replaces leading `self` and `super` by the module they mean.
fn absolute(here: &[String], mut segments: Vec<String>) -> Vec<String> {
    let climbs = segments.iter().take_while(|segment| *segment == "super").count();
    let relative = climbs > 0 || segments.first().is_some_and(|first| first == "self");
    if !relative {
        return segments;
    }
    let rest = segments.split_off(climbs.max(1));
    let base = &here[..here.len().saturating_sub(climbs)];
    [&["crate".to_owned()], base, &rest].concat()
}

fn is_ident(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Identifiers, `::`, and every other character by itself.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_ident(rest) {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (token, tail) = rest.split_at(length);
            tokens.push(Token { text: token.to_owned(), line: line + 1 });
            rest = tail.trim_start();
        }
    }
    tokens
}

/// Blanks comments, strings and characters, keeping the lines.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_name = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' | 'b' | 'c' if !after_name => literal_with_prefix(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    out
}

/// The length of the comment at the start, which may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string at the start.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the raw, byte or C string, or byte, at the start; 0 where there is none.
fn literal_with_prefix(text: &str) -> usize {
    let prefix = text.find(|c: char| !matches!(c, 'r' | 'b' | 'c')).unwrap_or(text.len());
    let body = &text[prefix..];
    let hashes = body.len() - body.trim_start_matches('#').len();
    match body.as_bytes().get(hashes) {
        Some(b'"') if text[..prefix].ends_with('r') => {
            let end = format!("\"{}", "#".repeat(hashes));
            let from = hashes + 1;
            prefix + body[from..].find(&end).map_or(body.len(), |at| from + at + end.len())
        }
        Some(b'"') if hashes == 0 => prefix + string(body),
        Some(b'\'') if hashes == 0 && &text[..prefix] == "b" => prefix + character(body),
        _ => 0,
    }
}

/// The length of the character at the start; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, c))) => {
            let from = at + c.len_utf8();
            text[from..].find('\'').map_or(0, |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Every Rust file below a directory of the package, in order.
fn rust_files(directory: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![root().join(directory)];
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for path in entries.map(|entry| entry.expect("a readable directory").path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
