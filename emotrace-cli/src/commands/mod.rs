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

/// Refuses an output place that is evidence or lies in it.
fn check_output(output: &Path, evidence: &[PathBuf]) -> Result<(), Failure> {
    let absolute = |path: &Path| -> PathBuf {
        // The output need not exist yet: its nearest folder that does decides.
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
    };
    let output = absolute(output);
    for path in evidence {
        let place = absolute(path);
        if output == place || (place.is_dir() && output.starts_with(&place)) {
            let (output, place) = (output.display(), place.display());
            return Err(Failure::Message(format!(
                "the output {output} lies in the evidence {place}; nothing is ever written there, name another place"
            )));
        }
    }
    Ok(())
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

/// Text for the terminal or a pipe.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
