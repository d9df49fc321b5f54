//! `emotrace ls`: files of the evidence.

use std::io::{self, BufWriter, Write, stdout};

use emotrace_core::export::escape::visible;
use emotrace_core::model::FileEntry;
use emotrace_core::pipeline::{Address, Evidence, Mounted, Target, Vss};

use crate::args::Ls;
use crate::exit::{Exit, Failure};

/// Folders within folders that are followed.
const MAX_DEPTH: usize = 512;

pub(crate) fn run(arguments: &Ls) -> Result<Exit, Failure> {
    let mut paths = vec![arguments.evidence.clone()];
    paths.extend(arguments.segments.iter().cloned());
    let mut evidence = Evidence::open(&paths)?;
    let labels: Vec<&str> = evidence.volumes.iter().filter_map(|v| v.label.as_deref()).collect();
    let failed = |error: io::Error| Failure::Output(arguments.place.clone(), error);
    let address = Address::parse(&arguments.place, &labels)
        .map_err(|error| Failure::Message(format!("{}: {error}", arguments.place)))?;
    if let Some(number) = address.snapshot {
        evidence.mount_snapshots(&Vss::Only(vec![number]))?;
    }
    let volume = address.volume(&evidence).map_err(failed)?;
    let mut out = BufWriter::new(stdout().lock());
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
                &mut |_| {},
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
            list(volume, &entry, &root, arguments.recursive, 0, &mut out)?;
        } else {
            line(&entry, None, &mut out)?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn list(
    volume: &Mounted,
    directory: &FileEntry,
    path: &str,
    recursive: bool,
    depth: usize,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let entries = match volume.files.list(directory) {
        Ok(entries) => entries,
        Err(error) => {
            eprintln!("{}: {error}", visible(path));
            return Ok(());
        }
    };
    for entry in entries {
        // A file with several links is shown by the name that this folder gives it.
        let own = entry.names.iter().find(|n| Some(n.parent) == directory.reference && n.path.starts_with(path));
        let place = own.or(entry.primary_name()).map(|n| n.path.clone()).unwrap_or_default();
        line(&entry, Some(&place), out)?;
        let is_self = entry.reference == directory.reference && entry.reference.is_some();
        if recursive && entry.directory && !is_self && depth < MAX_DEPTH {
            list(volume, &entry, &place, recursive, depth + 1, out)?;
        }
    }
    Ok(())
}

/// Kind, record, size, time of modification and path; named streams on lines of their own.
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
    writeln!(out, "{kind}{state} {record:>14} {size:>14} {modified:28} {}", visible(&format!("{path}{target}")))?;
    for stream in entry.streams.iter().filter(|s| !s.name.is_empty()) {
        let name = format!("{path}:{}", stream.name);
        writeln!(out, "s{state} {record:>14} {:>14} {:28} {}", stream.size, "", visible(&name))?;
    }
    Ok(())
}
