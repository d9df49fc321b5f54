//! The commands. Each takes its arguments as typed, does its work and says how it ended.

pub(crate) mod analyze;
pub(crate) mod cat;
pub(crate) mod completions;
pub(crate) mod emocheck;
pub(crate) mod explain;
pub(crate) mod extract;
pub(crate) mod hive;
pub(crate) mod info;
pub(crate) mod judgement;
pub(crate) mod ls;
pub(crate) mod rules;
pub(crate) mod timeline;
pub(crate) mod verify;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use emotrace_core::export::escape::visible;
use emotrace_core::export::json;
use emotrace_core::model::{Coverage, Loss, ParseIssue};
use emotrace_core::pipeline::{Address, Evidence, Extraction, Options, PathPattern, Selection, Vss};

use crate::args::{Running, Selecting};
use crate::exit::{Exit, Failure};

/// Issues that are shown one by one on stderr; the rest is counted.
const SHOWN_ISSUES: usize = 10;

/// The options of a run. Ctrl-C asks it to stop; panics of decoders are issues, not talk on the terminal.
fn options(running: &Running, selecting: Option<&Selecting>) -> Options {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    // Without a handler Ctrl-C still ends the program; temporary files stay behind then.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    std::panic::set_hook(Box::new(|_| {}));
    Options {
        threads: running.threads,
        temporary: running.temp.clone(),
        replay: selecting.is_none_or(|s| !s.no_replay),
        selection: selecting
            .map(|s| Selection {
                artifacts: s.artifacts.clone(),
                paths: s.paths.iter().map(|p| PathPattern::new(p)).collect(),
                from: s.from,
                to: s.to,
            })
            .unwrap_or_default(),
        cancel,
        ..Options::default()
    }
}

/// Refuses an output place that is evidence or lies in it, by whatever name it is called.
fn check_output(output: &Path, evidence: &[PathBuf]) -> Result<(), Failure> {
    let output = absolute(output);
    match evidence.iter().find(|path| touches(&output, path)) {
        Some(path) => Err(lies_in_evidence("the output", &output, path)),
        None => Ok(()),
    }
}

/// The same for the files of an image that were found beside the given ones.
fn check_segments(output: &Path, evidence: &Evidence) -> Result<(), Failure> {
    let output = absolute(output);
    let found = evidence.source.iter().flat_map(|source| source.paths());
    match found.into_iter().find(|path| touches(&output, path)) {
        Some(path) => Err(lies_in_evidence("the output", &output, path)),
        None => Ok(()),
    }
}

/// Refuses a place for temporary files that lies in the evidence.
fn check_temporary(running: &Running, evidence: &[PathBuf]) -> Result<(), Failure> {
    let place = absolute(&running.temp.clone().unwrap_or_else(std::env::temp_dir));
    match evidence.iter().find(|path| touches(&place, path)) {
        Some(path) => Err(lies_in_evidence("the folder for temporary files (--temp)", &place, path)),
        None => Ok(()),
    }
}

fn lies_in_evidence(what: &str, output: &Path, evidence: &Path) -> Failure {
    let (output, place) = (output.display(), absolute(evidence));
    let place = place.display();
    Failure::Message(format!(
        "{what} {output} lies in the evidence {place}; nothing is ever written there, name another place"
    ))
}

/// A path without links. It need not exist yet: its nearest folder that does decides.
fn absolute(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    let mut at = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    loop {
        match at.canonicalize() {
            Ok(found) => return rest.iter().rev().fold(found, |place, name| place.join(name)),
            Err(_) => match (at.file_name().map(ToOwned::to_owned), at.parent().map(Path::to_owned)) {
                (Some(name), Some(parent)) => {
                    rest.push(name);
                    at = parent;
                }
                _ => return at,
            },
        }
    }
}

/// True if a place is evidence, or lies in a folder that is: by path, and by what the system says is the same file (a hard
/// link, another mount of a folder, another node of a device).
fn touches(output: &Path, evidence: &Path) -> bool {
    let place = absolute(evidence);
    if output == place || (place.is_dir() && output.starts_with(&place)) {
        return true;
    }
    let Some(evidence) = same_file(&place) else { return false };
    output.ancestors().enumerate().any(|(n, at)| (n == 0 || place.is_dir()) && same_file(at) == Some(evidence))
}

/// What two names of one file have in common.
#[cfg(unix)]
fn same_file(path: &Path) -> Option<(bool, u64, u64)> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let facts = std::fs::metadata(path).ok()?;
    Some(match facts.file_type().is_block_device() {
        true => (true, facts.rdev(), 0),
        false => (false, facts.dev(), facts.ino()),
    })
}

/// Elsewhere the path has to do.
#[cfg(not(unix))]
fn same_file(_path: &Path) -> Option<(bool, u64, u64)> {
    None
}

/// Makes the output folder, which must be new or empty.
fn new_folder(folder: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Output(folder.display().to_string(), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    if std::fs::read_dir(folder).map_err(failed)?.next().is_some() {
        return Err(Failure::Message(format!("{} is not empty; name a new folder", folder.display())));
    }
    Ok(())
}

/// Tells on stderr what could not be read, and gives the exit code that goes with it.
fn tell_issues<'i>(issues: impl Iterator<Item = &'i ParseIssue>, where_all: &str) -> Exit {
    let mut count = 0usize;
    let mut lost = 0usize;
    for issue in issues {
        count += 1;
        lost += usize::from(issue.loss != Loss::None);
        if count <= SHOWN_ISSUES {
            let offset = issue.offset.map(|o| format!(" at {o:#x}")).unwrap_or_default();
            let place = issue.locator.to_string();
            eprintln!("{}", visible(&format!("[{}] {place}{offset}: {}", issue.artifact, issue.error)));
        }
    }
    if count > SHOWN_ISSUES {
        eprintln!("… and {} more{where_all}", count - SHOWN_ISSUES);
    }
    if lost > 0 { Exit::Incomplete } else { Exit::Done }
}

/// One line on what the run found.
fn summary(evidence: &Evidence, extraction: &Extraction) -> String {
    let unreadable: u64 = evidence.source.iter().flat_map(|s| s.gaps()).map(|gap| gap.len).sum();
    let total = evidence.source.as_ref().map(|s| emotrace_core::bytes::ReadAt::len(&**s));
    let image = match (unreadable, total) {
        (0, _) | (_, None) => String::new(),
        (lost, Some(total)) => format!(", {lost} of {total} bytes of the image could not be read"),
    };
    let issues = extraction.issues().count();
    let registry = registry(&extraction.coverage);
    format!("{} events, {issues} issues{image}{registry}", extraction.timeline.len())
}

/// What the transaction logs of dirty hives gave.
fn registry(coverage: &Coverage) -> String {
    let (hives, dirty) = (coverage.hives.len(), coverage.hives.iter().filter(|hive| hive.dirty).count());
    if dirty == 0 {
        return String::new();
    }
    let replayed = coverage.hives.iter().filter_map(|hive| hive.replayed.as_ref());
    let (entries, pages) = replayed.fold((0, 0), |(e, p), replayed| (e + replayed.entries, p + replayed.pages));
    let events: u64 = coverage.artifacts.values().map(|artifact| artifact.from_logs).sum();
    format!(
        "; {dirty} of {hives} registry hives not written to their end: {entries} log entries with {pages} pages replayed, \
         {events} events come from them"
    )
}

/// Opens evidence and reads a place in it, as `ls` and `cat` take them.
fn open_place(evidence: &Path, segments: &[PathBuf], place: &str) -> Result<(Evidence, Address), Failure> {
    let mut paths = vec![evidence.to_owned()];
    paths.extend(segments.iter().cloned());
    let mut evidence = Evidence::open(&paths)?;
    let labels: Vec<&str> = evidence.volumes.iter().filter_map(|v| v.label.as_deref()).collect();
    let address = Address::parse(place, &labels).map_err(|error| Failure::Message(format!("{place}: {error}")))?;
    if let Some(number) = address.snapshot {
        evidence.mount_snapshots(&Vss::Only(vec![number]))?;
    }
    Ok((evidence, address))
}

/// A value as JSON on several lines.
fn json_text(value: &impl serde::Serialize) -> Result<String, Failure> {
    let mut text = Vec::new();
    json::pretty(value, &mut text).map_err(|error| Failure::Message(error.to_string()))?;
    String::from_utf8(text).map_err(|error| Failure::Message(error.to_string()))
}

/// JSON for the terminal or a pipe.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    print(&json_text(value)?)
}

/// Text for the terminal or a pipe.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
