//! `emotrace timeline`: one ordered timeline to stdout or a file.

use std::io::{BufWriter, Write, stdout};

use emotrace_core::export::{Context, OutputFile};
use emotrace_core::pipeline::{Evidence, Written, extract, write_timeline};

use super::{check_output, check_segments, check_temporary, options, summary, tell_issues};
use crate::args::Timeline;
use crate::commands::verify;
use crate::exit::{Exit, Failure};
use crate::progress::display;

pub(crate) fn run(arguments: &Timeline) -> Result<Exit, Failure> {
    let paths = &arguments.evidence.paths;
    if let Some(output) = &arguments.output {
        check_output(output, paths)?;
    }
    check_temporary(&arguments.running, paths)?;
    let options = options(&arguments.running, Some(&arguments.selecting));
    let mut evidence = Evidence::open(paths)?;
    evidence.mount_snapshots(&arguments.selecting.vss)?;
    if let Some(output) = &arguments.output {
        check_segments(output, &evidence)?;
    }
    let progress = display(arguments.running.progress);
    let (extraction, hashes) =
        verify::beside(&evidence, arguments.hash, &options, || extract(&evidence, &options, &*progress));
    let mut extraction = extraction?;
    let hashes = hashes.transpose()?;
    extraction.note_gaps(&evidence);
    let context = Context { hosts: extraction.hosts.clone(), zone: arguments.tz, from: arguments.selecting.from };
    let write =
        |out: &mut dyn Write| write_timeline(&extraction, arguments.format, context.clone(), &options, &*progress, out);
    let written = match &arguments.output {
        None => write(&mut BufWriter::with_capacity(1 << 18, stdout().lock()))?,
        Some(path) => {
            let failed = |error| Failure::Output(path.display().to_string(), error);
            let mut file = OutputFile::create(path).map_err(failed)?;
            let written = write(&mut file).map_err(|error| Failure::from(error).at(path))?;
            file.finish().map_err(failed)?;
            written
        }
    };
    drop(progress);
    if let Some(hashes) = hashes {
        eprint!("{}", verify::text(&hashes));
    }
    eprintln!("{}", summary(&evidence, &extraction));
    if let Some(note) = left_out(written) {
        eprintln!("{note}");
    }
    Ok(tell_issues(extraction.issues(), "; `emotrace analyze` writes them all to issues.jsonl"))
}

/// What a format had no place for.
pub(crate) fn left_out(written: Written) -> Option<String> {
    let n = written.left_out;
    (n > 0).then(|| format!("{n} events have no date that this format can show; the JSON lines hold them"))
}
