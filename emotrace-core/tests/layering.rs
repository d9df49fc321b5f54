//! Holds every `crate::…` path and every external crate name against the one-way rule of ARCHITECTURE.md.

use std::fs;
use std::path::{Path, PathBuf};

/// A room and the rooms that it may name.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("model", &["model"]),
    ("bytes", &["bytes"]),
    ("source", &["source", "model", "bytes"]),
    ("volume", &["volume", "model", "bytes", "formats"]),
    ("formats", &["formats", "model", "bytes"]),
    ("filesystem", &["filesystem", "source", "volume", "formats", "model", "bytes"]),
    ("artifacts", &["artifacts", "formats", "model", "bytes"]),
    ("timeline", &["timeline", "model"]),
    ("detect", &["detect", "model"]),
    ("export", &["export", "model"]),
];

/// An external crate and the only places that may name it.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("rayon", &["pipeline/extract.rs"]),
    ("ntfs", &["formats/"]),
    ("nt_hive", &["formats/"]),
    ("evtx", &["formats/"]),
    ("lnk", &["formats/"]),
];

/// Decoder crates that are named in one file each.
const ONE_FILE: &[&str] = &["ntfs", "nt_hive", "evtx", "lnk"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with its path from `src` and its code without comments.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            let text = fs::read_to_string(path).unwrap();
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            (name, lines.join("\n"))
        })
        .collect()
}

/// The names that follow `prefix` in the text.
fn names_after<'t>(text: &'t str, prefix: &'t str) -> impl Iterator<Item = &'t str> {
    text.match_indices(prefix).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back();
        let inside_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
        let rest = &text[at + prefix.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        (!inside_word).then_some(&rest[..end])
    })
}

#[test]
fn rooms_name_only_what_lies_below_them() {
    let mut faults = Vec::new();
    for (file, text) in code() {
        let room = file.split('/').next().unwrap().to_owned();
        let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == room) else { continue };
        // Tests may reach further: they build what they need.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for name in names_after(text, "crate::") {
            if !allowed.contains(&name) && !name.is_empty() {
                faults.push(format!("{file} names crate::{name}"));
            }
        }
        assert!(
            !text.contains("use crate::{"),
            "{file}: one `use crate::room::…` line per room keeps this test simple"
        );
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The paths of all `use` statements, each on one line.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    text.split(';').filter_map(|statement| {
        let at = statement.rfind("use ")?;
        let first = statement[..at].chars().next_back().is_none_or(char::is_whitespace);
        first.then(|| statement[at..].trim_start_matches("use ").trim())
    })
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word)
}

/// True if the text names that external crate. A room of the same name that the file declares or imports hides the crate.
fn names_crate(text: &str, name: &str) -> bool {
    let path = format!("{name}::");
    if text.contains(&format!("mod {name};")) {
        return false;
    }
    let imported = imports(text).any(|import| import.starts_with(&path) || import == name);
    let ours = |import: &str| ["crate::", "super::", "self::"].iter().any(|start| import.starts_with(start));
    let hidden = imports(text).any(|import| ours(import) && has_word(import, name));
    let plain = text
        .match_indices(&path)
        .any(|(at, _)| !text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':'));
    imported || (plain && !hidden)
}

#[test]
fn external_crates_stay_in_their_place() {
    let mut faults = Vec::new();
    for (name, places) in ONLY_IN {
        let users: Vec<String> =
            code().into_iter().filter(|(_, text)| names_crate(text, name)).map(|(file, _)| file).collect();
        faults.extend(
            users.iter().filter(|f| !places.iter().any(|p| f.starts_with(p))).map(|f| format!("{f} names {name}")),
        );
        if ONE_FILE.contains(name) && users.len() > 1 {
            faults.push(format!("{name} is named in {users:?}, not in one file"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Parsers neither print nor start threads, and open no file of the examiner's machine.
#[test]
fn parsers_touch_nothing_but_their_input() {
    const FORBIDDEN: &[&str] =
        &["std::fs", "std::thread", "std::process", "std::net", "println!", "File::open", "std::env"];
    let rooms = ["bytes/", "formats/", "artifacts/", "model/", "volume/"];
    for (file, text) in code() {
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        if rooms.iter().any(|room| file.starts_with(room)) {
            for word in FORBIDDEN {
                let used = text.match_indices(word).any(|(at, _)| !text[..at].ends_with(char::is_alphanumeric));
                assert!(!used, "{file} uses {word}");
            }
        }
    }
}
