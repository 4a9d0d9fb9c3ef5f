//! Renders the catalogue of events and metrics and compares it with the reviewed one in `tests/catalogue.txt`.
//!
//! The catalogue is an API: a change here is seen by everyone who reads the logs or the metrics.
//! `BEACOND_BLESS=1 cargo test --test events` writes the file anew.

use std::fmt::Write;
use std::path::Path;

use beacond::{events, metrics};

#[test]
fn the_catalogue_is_the_reviewed_one() -> anyhow::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/catalogue.txt");
    let rendered = render()?;
    if std::env::var_os("BEACOND_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &rendered)?;
    }
    let reviewed = std::fs::read_to_string(&path)?;
    assert!(
        reviewed == rendered,
        "the catalogue changed:\n{}\nif that is meant, run BEACOND_BLESS=1 cargo test --test events and commit {}",
        difference(&reviewed, &rendered),
        path.display(),
    );
    Ok(())
}

fn render() -> anyhow::Result<String> {
    let mut out = String::from("# Events: name, level, fields\n");
    for event in events::CATALOGUE {
        writeln!(out, "\n{} {}: {}", event.name, event.level.to_string().to_lowercase(), event.doc)?;
        for field in event.fields {
            writeln!(out, "  {} {}: {}", field.name, field.kind, field.doc)?;
        }
    }
    out.push_str("\n# Metrics: name, type, labels; sorted by name\n\n");
    let mut families: Vec<_> = metrics::families().map(|info| (info.full_name(), info)).collect();
    families.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, info) in families {
        let labels = if info.labels.is_empty() { String::new() } else { format!(" {{{}}}", info.labels.join(", ")) };
        writeln!(out, "{name} {}{labels}: {}", info.kind.as_str(), info.help)?;
    }
    Ok(out)
}

/// The lines between the common head and the common tail, old ones with `-`, new ones with `+`.
fn difference(old: &str, new: &str) -> String {
    let (mut old, mut new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    old.drain(..head);
    new.drain(..head);
    while !old.is_empty() && old.last() == new.last() {
        old.pop();
        new.pop();
    }
    let removed = old.iter().map(|line| format!("- {line}"));
    removed.chain(new.iter().map(|line| format!("+ {line}"))).collect::<Vec<_>>().join("\n")
}
