//! Every decoder has a fuzz target that is named for it. The targets are a workspace of their own (`fuzz/README.md`), so
//! nothing else would tell that one is missing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files of `formats/` without a target of their own, and why.
const NONE: &[(&str, &str)] = &[
    ("guard", "decodes nothing"),
    ("huffman", "reached by xpress and lzx alone"),
    ("ntfs_crate", "a witness for tests; no evidence goes through it"),
    ("ntfs_samples", "samples for tests"),
    ("regf_cell", "reached by regf"),
    ("regf_live", "reached by regf"),
    ("shell_names", "a table of names"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Names of a folder's Rust files; those of a folder in it bear its name in front, but for its `mod.rs`.
fn names(folder: &Path, before: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(names(&path, &format!("{stem}_")));
        } else if stem == "mod" {
            found.extend(before.strip_suffix('_').map(str::to_owned));
        } else {
            found.insert(format!("{before}{stem}"));
        }
    }
    found
}

#[test]
fn every_decoder_has_a_fuzz_target() {
    let formats = names(&root().join("emotrace-core/src/formats"), "");
    let targets = names(&root().join("fuzz/fuzz_targets"), "");
    let excused: BTreeSet<&str> = NONE.iter().map(|(name, _)| *name).collect();
    let missing: Vec<&String> =
        formats.iter().filter(|name| !targets.contains(*name) && !excused.contains(name.as_str())).collect();
    assert_eq!(missing, Vec::<&String>::new(), "fuzz/fuzz_targets/<name>.rs is missing");
    let stale: Vec<&&str> =
        excused.iter().filter(|name| !formats.contains(**name) || targets.contains(**name)).collect();
    assert_eq!(stale, Vec::<&&str>::new(), "these need no excuse any more");
}

#[test]
fn every_target_is_built_and_bounded() {
    let fuzz = root().join("fuzz");
    let targets = names(&fuzz.join("fuzz_targets"), "");
    let manifest: toml::Table = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap().parse().unwrap();
    let built: BTreeSet<String> =
        manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(built, targets, "[[bin]] in fuzz/Cargo.toml");
    for target in targets {
        let text = fs::read_to_string(fuzz.join(format!("fuzz_targets/{target}.rs"))).unwrap();
        let longest = text.lines().next().unwrap().strip_prefix("// max_len: ").and_then(|n| n.parse::<u32>().ok());
        assert!(longest.is_some(), "{target}: its first line says the length of the longest input");
    }
}
