//! `emotrace info`: what the evidence is.

use std::fmt::Write;

use emotrace_core::export::escape::visible;
use emotrace_core::pipeline::Evidence;
use emotrace_core::source::form;
use serde_json::{Value, json};

use super::{print, print_json};
use crate::args::Info;
use crate::exit::{Exit, Failure};

pub(crate) fn run(arguments: &Info) -> Result<Exit, Failure> {
    std::panic::set_hook(Box::new(|_| {}));
    let evidence = Evidence::open(&arguments.evidence.paths)?;
    let mut facts = facts(&evidence);
    facts["given"] = given(&evidence);
    if let Some(image) = image(&evidence) {
        facts["image"] = image;
    }
    if arguments.json {
        print_json(&facts)?;
    } else {
        let mut text = String::new();
        outline(&facts, 0, &mut text);
        print(&text)?;
    }
    let bad = evidence.source.as_ref().is_some_and(|s| !s.gaps().is_empty());
    Ok(if bad { Exit::Incomplete } else { Exit::Done })
}

/// Everything that is known of the evidence as a whole, and is the same however it was packed and wherever it lies: the disk,
/// its partitions and file systems, the installed systems. [`image`] and [`given`] tell the rest.
pub(crate) fn facts(evidence: &Evidence) -> Value {
    let file_systems: Vec<Value> = evidence
        .volumes
        .iter()
        .filter(|v| v.snapshot.is_none())
        .map(|v| {
            let (files, copies) = (v.files.facts(), &v.shadow_copies.copies);
            let mut lost: Vec<String> = Vec::new();
            let registers = v.files.registers(&mut |issue| lost.push(issue.error));
            json!({
                "volume": v.label,
                "letter": v.letter,
                "file_system": files,
                "shadow_copies": copies,
                "object_ids": registers.object_ids,
                "quotas": registers.quotas,
                "problems": v.files.issues().into_iter().map(|issue| issue.error).chain(lost).collect::<Vec<_>>(),
            })
        })
        .collect();
    let gaps: Vec<String> = evidence.source.iter().flat_map(|s| s.gaps()).map(|g| g.to_string()).collect();
    let mut facts = json!({
        "evidence": evidence.label,
        "size": evidence.source.as_ref().map(|s| s.facts().size),
        "partitions": evidence.layout.as_ref().map(|l| json!(l)),
        "file_systems": file_systems,
        "hosts": evidence.hosts,
        "unreadable": gaps,
    });
    prune(&mut facts);
    facts
}

/// What the image's files say of themselves: container, segments, what was written down at the acquisition, stored hashes.
pub(crate) fn image(evidence: &Evidence) -> Option<Value> {
    let mut facts = json!(evidence.source.as_ref()?.facts());
    prune(&mut facts);
    Some(facts)
}

/// What was given on the command line, and what it is on this machine: a file, a folder, a device, a symbolic link to one.
pub(crate) fn given(evidence: &Evidence) -> Value {
    evidence.paths.iter().map(|path| json!({"path": path.display().to_string(), "is": form(path)})).collect()
}

/// What is not known is left out.
fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(prune);
            map.retain(|_, v| !v.is_null() && v.as_array().is_none_or(|a| !a.is_empty()));
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

/// JSON as an indented outline for people.
fn outline(value: &Value, depth: usize, text: &mut String) {
    let pad = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let name = name.replace('_', " ");
                if value.is_object() || value.is_array() {
                    let _ = writeln!(text, "{pad}{name}");
                    outline(value, depth + 1, text);
                } else {
                    let _ = writeln!(text, "{pad}{name:20} {}", visible(&plain(value)));
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                if item.is_object() {
                    let mut inner = String::new();
                    outline(item, 0, &mut inner);
                    for (n, line) in inner.lines().enumerate() {
                        let _ = writeln!(text, "{pad}{} {line}", if n == 0 { "-" } else { " " });
                    }
                } else {
                    let _ = writeln!(text, "{pad}- {}", visible(&plain(item)));
                }
            }
        }
        other => {
            let _ = writeln!(text, "{pad}{}", visible(&plain(other)));
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
