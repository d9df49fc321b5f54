//! Prints a registry hive as lines, for comparison with other tools:
//! `hive_dump [--no-replay] HIVE [LOG…]`
//!
//! `K <offset> <last write as FILETIME> <L if from a log> <path>`, `V <offset> <type> <L> <path> <name> <data as hex>`,
//! `E <offset> <loss> <error>` for what could not be read, `D…` for deleted keys and values. Columns are apart by tabs.

use std::process::ExitCode;

use emotrace_core::formats::regf::{DeletedValue, Hive, HiveKind, HiveOptions};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn deleted_value(of: &str, value: &DeletedValue<'_>) {
    let data = value.value.data().map_or_else(|_| "-".to_owned(), |data| hex(&data));
    let (offset, name, kind) = (value.value.offset(), value.value.name(), value.value.kind());
    println!("DV\t{offset:#x}\t{kind}\t{:?}\t{:?}\t{of}\t{name}\t{data}", value.state, value.certainty);
}

fn main() -> ExitCode {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    let replay = files.first().is_none_or(|first| first != "--no-replay");
    if !replay {
        files.remove(0);
    }
    let mut contents = Vec::new();
    for file in &files {
        match std::fs::read(file) {
            Ok(bytes) => contents.push(bytes),
            Err(error) => {
                eprintln!("{file}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    if contents.is_empty() {
        eprintln!("hive_dump [--no-replay] HIVE [LOG...]");
        return ExitCode::FAILURE;
    }
    let bytes = contents.remove(0);
    let hive = match Hive::parse(bytes, &contents, HiveOptions { replay, ..HiveOptions::default() }) {
        Ok(hive) => hive,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    println!("B\t{:?}\t{:?}", HiveKind::from_content(&hive), hive.base());
    let facts = hive.replay();
    println!("R\t{}\t{:?}\t{:?}\t{:?}", facts.dirty, facts.sequence_before, facts.sequence_after, facts.entries);
    for key in hive.keys() {
        let time = key.last_write().map_or(0, |t| t.filetime());
        let log = if key.from_log() { "L" } else { "" };
        let path = key.path();
        println!("K\t{:#x}\t{time}\t{log}\t{path}", key.offset());
        for value in key.values().into_iter().flatten() {
            let data = value.data().map_or_else(|_| "-".to_owned(), |data| hex(&data));
            let log = if value.from_log() { "L" } else { "" };
            println!("V\t{:#x}\t{}\t{log}\t{path}\t{}\t{data}", value.offset(), value.kind(), value.name());
        }
    }
    for issue in hive.issues() {
        println!("E\t{:#x}\t{}\t{}", issue.offset, issue.loss.name(), issue.error);
    }
    let deleted = hive.deleted();
    for key in &deleted.keys {
        let time = key.last_write.map_or(0, |t| t.filetime());
        println!(
            "DK\t{:#x}\t{time}\t{:?}\t{:?}\t{}\t{}",
            key.offset, key.state, key.certainty, key.path_known, key.path
        );
        key.values.iter().for_each(|value| deleted_value(&key.path, value));
    }
    for value in &deleted.values {
        deleted_value(value.key_path.as_deref().unwrap_or("?"), value);
    }
    ExitCode::SUCCESS
}
