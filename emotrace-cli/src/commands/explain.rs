//! `emotrace explain`: what an artifact is, what it proves, what it does not prove.

use std::fmt::Write;

use emotrace_core::artifacts::{ARTIFACTS, Artifact, Reads, by_name};

use super::print;
use crate::args::Explain;
use crate::exit::{Exit, Failure};

pub(crate) fn run(arguments: &Explain) -> Result<Exit, Failure> {
    match &arguments.name {
        None => {
            let width = ARTIFACTS.iter().map(|a| a.name.len()).max().unwrap_or(0);
            let first = |doc: &str| doc.split(". ").next().unwrap_or_default().to_owned();
            let lines: String = ARTIFACTS
                .iter()
                .map(|a| format!("{:width$}  {}.\n", a.name, first(a.doc).trim_end_matches('.')))
                .collect();
            print(&lines)?;
        }
        Some(name) => {
            let artifact = by_name(name).ok_or_else(|| {
                let names: Vec<&str> = ARTIFACTS.iter().map(|a| a.name).collect();
                Failure::Message(format!("there is no artifact {name:?}; there are {}", names.join(", ")))
            })?;
            print(&text(artifact))?;
        }
    }
    Ok(Exit::Done)
}

fn text(artifact: &Artifact) -> String {
    let mut text = format!("{}\n\n{}\n\nWhere it lies\n", artifact.name, wrapped(artifact.doc));
    match artifact.reads {
        Reads::Files { paths: places, .. }
        | Reads::Parts { paths: places, .. }
        | Reads::RegKeys { keys: places, .. } => {
            for place in places {
                let _ = writeln!(text, "  {place}");
            }
        }
        Reads::Entries { .. } => text.push_str("  every record of the Master File Table\n"),
        Reads::Volume { .. } => text.push_str("  the volume as a whole\n"),
    }
    text.push_str("\nEvents and their fields\n");
    for descriptor in artifact.emits {
        let _ = writeln!(text, "  {}: {}", descriptor.name, descriptor.doc);
        for field in descriptor.fields {
            let _ = writeln!(text, "    {:20} {}", field.name, field.doc);
        }
    }
    text.push_str("\nReferences\n");
    for reference in artifact.references {
        let _ = writeln!(text, "  {reference}");
    }
    text
}

/// Paragraphs in lines of at most 100 characters.
fn wrapped(doc: &str) -> String {
    const WIDTH: usize = 100;
    let paragraph = |paragraph: &str| {
        let mut lines = vec![String::new()];
        for word in paragraph.split_whitespace() {
            let full =
                lines.last().is_some_and(|l| !l.is_empty() && l.chars().count() + 1 + word.chars().count() > WIDTH);
            if full {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        lines.join("\n")
    };
    doc.split("\n\n").map(paragraph).collect::<Vec<_>>().join("\n\n")
}
