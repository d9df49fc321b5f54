//! `emotrace ls`: files of the evidence.

use std::io::{self, BufWriter, Write, stdout};

use emotrace_core::export::escape::visible;
use emotrace_core::filesystem::FileSystemIssue;
use emotrace_core::model::{FileEntry, Loss, Recoverability};
use emotrace_core::pipeline::{Mounted, Target};

use super::open_place;
use crate::args::Ls;
use crate::exit::{Exit, Failure};

/// Folders within folders that are followed.
const MAX_DEPTH: usize = 512;

pub(crate) fn run(arguments: &Ls) -> Result<Exit, Failure> {
    let (evidence, address) = open_place(&arguments.evidence, &arguments.segments, &arguments.place)?;
    let failed = |error: io::Error| Failure::Output(arguments.place.clone(), error);
    let volume = address.volume(&evidence).map_err(failed)?;
    let mut out = BufWriter::new(stdout().lock());
    let mut whole = true;
    if arguments.deleted {
        for part in 0..volume.files.parts() {
            let mut lines = Vec::new();
            volume.files.walk(
                part,
                &mut |entry| {
                    if entry.deleted {
                        lines.push(entry)
                    }
                },
                &mut |issue| whole &= tell("", &issue),
            );
            for entry in lines {
                line(&entry, None, &mut out)?;
            }
        }
    } else {
        let entry = address.entry(volume).map_err(failed)?;
        if entry.directory {
            let root = match &address.target {
                Target::Path(path) => path.trim_end_matches('\\').to_owned(),
                Target::Record(_) => entry.primary_name().map(|n| n.path.clone()).unwrap_or_default(),
            };
            whole = list(volume, &entry, &root, arguments.recursive, 0, &mut out)?;
        } else {
            line(&entry, None, &mut out)?;
        }
    }
    out.flush()?;
    Ok(if whole { Exit::Done } else { Exit::Incomplete })
}

/// Tells on stderr what could not be read. True if nothing was lost by it.
fn tell(path: &str, issue: &FileSystemIssue) -> bool {
    let record = issue.record.map(|record| format!("#{record}")).unwrap_or_default();
    eprintln!("{}: {}", visible(&format!("{path} {record}")).trim(), visible(&issue.error));
    issue.loss == Loss::None
}

/// Lists a folder. True if all of it could be read.
fn list(
    volume: &Mounted,
    directory: &FileEntry,
    path: &str,
    recursive: bool,
    depth: usize,
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    let mut whole = true;
    let entries = match volume.files.list_with_issues(directory, &mut |issue| whole &= tell(path, &issue)) {
        Ok(entries) => entries,
        Err(error) => {
            eprintln!("{}: {error}", visible(path));
            return Ok(false);
        }
    };
    for entry in entries {
        // A file with several links is shown by the name that this folder gives it.
        let own = entry.names.iter().find(|n| Some(n.parent) == directory.reference && n.path.starts_with(path));
        let place = own.or(entry.primary_name()).map(|n| n.path.clone()).unwrap_or_default();
        line(&entry, Some(&place), out)?;
        let is_self = entry.reference == directory.reference && entry.reference.is_some();
        if recursive && entry.directory && !is_self && depth < MAX_DEPTH {
            whole &= list(volume, &entry, &place, recursive, depth + 1, out)?;
        }
    }
    Ok(whole)
}

/// Kind, record, size, time of modification, for a deleted file what may still be there of its content, and path; named
/// streams on lines of their own.
fn line(entry: &FileEntry, path: Option<&str>, out: &mut dyn Write) -> Result<(), Failure> {
    let kind = match (entry.directory, entry.reparse_tag) {
        (_, Some(_)) => 'l',
        (true, None) => 'd',
        (false, None) => '-',
    };
    let state = if entry.deleted { '*' } else { ' ' };
    let record = entry.reference.map(|r| r.to_string()).unwrap_or_default();
    let path = path.map_or_else(|| entry.primary_name().map(|n| n.path.clone()).unwrap_or_default(), str::to_owned);
    let modified = entry.standard_information.and_then(|s| s.times.modified).map(|t| t.to_string()).unwrap_or_default();
    let size = entry.main_stream().map(|s| s.size.to_string()).unwrap_or_default();
    let target = entry.reparse_target.as_ref().map(|t| format!(" -> {t}")).unwrap_or_default();
    let grade = |grade: Option<Recoverability>| match (entry.deleted, grade) {
        (false, _) => String::new(),
        (true, None) => format!("{:20} ", ""),
        (true, Some(grade)) => match grade.clusters() {
            Some((free, total)) => format!("{:20} ", format!("{} {free}/{total}", grade.name())),
            None => format!("{:20} ", grade.name()),
        },
    };
    let (name, recoverable) = (format!("{path}{target}"), grade(entry.recoverable()));
    writeln!(out, "{kind}{state} {record:>14} {size:>14} {modified:28} {recoverable}{}", visible(&name))?;
    for stream in entry.streams.iter().filter(|s| !s.name.is_empty()) {
        let name = format!("{path}:{}", stream.name);
        writeln!(
            out,
            "s{state} {record:>14} {:>14} {:28} {}{}",
            stream.size,
            "",
            grade(stream.recoverable),
            visible(&name)
        )?;
    }
    Ok(())
}
