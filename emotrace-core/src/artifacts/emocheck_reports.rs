//! Reports of JPCERT/CC's EmoCheck that lie on the disk.

use super::{Artifact, ArtifactError, Completion, FileInput, Out, Reads, Record};
use crate::bytes::read_up_to;
use crate::formats::emocheck_report;
use crate::model::{Descriptor, Field, Host, Kind, Meaning, Value};

static REPORT: Descriptor = Descriptor {
    name: "windows:emocheck:report",
    doc: "EmoCheck was run and left its answer. The row stands at the time when the file was made; the report's own time is \
          local, without a zone.",
    message: "EmoCheck[ {version}] says {result}[ on {hostname}][: {images}]",
    data_type: None,
    fields: &[
        Field::new("path", Kind::Text, "The report."),
        Field::new("result", Kind::Text, "infected, not infected or unknown."),
        Field::new("version", Kind::Text, "Version of EmoCheck."),
        Field::new("hostname", Kind::Text, "Computer name that the report gives."),
        Field::new("scan_time", Kind::Text, "The report's own time: local, as it writes it."),
        Field::new("processes", Kind::List, "Names of the processes that it took for Emotet."),
        Field::new("images", Kind::List, "Their programs."),
    ],
};

/// Reports are a few hundred bytes long.
const MAX_READ: u64 = 1 << 20;

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "emocheck_reports",
    doc: "\
EmoCheck, the tool that JPCERT/CC gave to the public, writes its answer to a file <computer>_<time>_emocheck.txt or .json in the \
folder that it was started in.

It proves that someone ran EmoCheck and what it answered. A positive answer names a process that was running then and fitted \
one of its five methods.

It does not prove the infection by itself: the later methods can fit innocent programs. A negative answer does not clear the \
machine: EmoCheck sees running processes alone, and old versions do not know later waves.

It lives until someone deletes it.",
    references: &["JPCERT/CC, EmoCheck, github.com/JPCERTCC/EmoCheck (source of version 2.0.0)"],
    emits: &[&REPORT],
    reads: Reads::Files {
        paths: &[r"**\*_emocheck.txt", r"**\*_emocheck.json"],
        recognise: emocheck_report::recognise,
        parse,
    },
};

fn parse(input: &FileInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let mut data = vec![0; usize::try_from(input.data.len().min(MAX_READ)).unwrap_or(0)];
    let n = read_up_to(input.data, 0, &mut data).map_err(|source| ArtifactError::Read { offset: 0, source })?;
    let Some(report) = emocheck_report::read(data.get(..n).unwrap_or_default()) else {
        return Ok(Completion::NotThisFormat);
    };
    let result = match report.infected {
        Some(true) => "infected",
        Some(false) => "not infected",
        None => "unknown",
    };
    let list =
        |texts: Vec<String>| (!texts.is_empty()).then(|| Value::List(texts.into_iter().map(Value::from).collect()));
    out.give(
        Record::new(&REPORT)
            .time(Meaning::CREATED, input.entry.and_then(super::file_times::named))
            .set("path", input.locator.path.as_str())
            .set("result", result)
            .set_some("version", report.version)
            .set_some("hostname", report.hostname)
            .set_some("scan_time", report.scan_time)
            .set_some("processes", list(report.processes))
            .set_some("images", list(report.images)),
    );
    Ok(Completion::Complete)
}
