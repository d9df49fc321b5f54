//! Microsoft Defender's quarantine.

use super::{Artifact, ArtifactError, Completion, FileInput, Out, Reads, Record};
use crate::bytes::read_up_to;
use crate::formats::defender_quarantine;
use crate::model::{Descriptor, Field, Host, Kind, Loss, Meaning};

static QUARANTINE: Descriptor = Descriptor {
    name: "windows:defender:quarantine",
    doc: "Defender put something aside.",
    message: "Defender put {path} into quarantine as {detection_name}",
    data_type: None,
    fields: &[
        Field::new("path", Kind::Text, "Where it lay: a file, or a registry key."),
        Field::new("detection_name", Kind::Text, "Defender's name of the threat."),
        Field::new("threat_id", Kind::Number, "Defender's number of it."),
        Field::new("resource_type", Kind::Text, "file, regkey, runkey, startup, taskscheduler …"),
        Field::new("content", Kind::Text, "Name of the content below ResourceData."),
        Field::new("size", Kind::Number, "Length of the content in bytes."),
    ],
};

/// Entries are some hundred bytes long, those of large threats some ten thousand.
const MAX_READ: u64 = 4 << 20;

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "defender_quarantine",
    doc: "\
The entries of Microsoft Defender's quarantine: for each thing that it put aside, the path where it lay, Defender's name of the \
threat, and when.

It proves that Defender found something of that name at that path and put it aside at that time.

It does not prove that it ran, nor that nothing else was there: Defender may have come late. Names of learned detections (!ml) can be \
wrong.

It lives until the user or Defender deletes the entry, by default 90 days.",
    references: &[
        "fox-it, dissect.target, Defender plugin, github.com/fox-it/dissect.target",
        "Fox-IT, Reverse, Reveal, Recover: Windows Defender Quarantine Forensics, 2023",
    ],
    emits: &[&QUARANTINE],
    reads: Reads::Files {
        paths: &[r"\ProgramData\Microsoft\Windows Defender\Quarantine\Entries\*"],
        recognise: |_| false,
        parse,
    },
};

fn parse(input: &FileInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let mut data = vec![0; usize::try_from(input.data.len().min(MAX_READ)).unwrap_or(0)];
    let n = read_up_to(input.data, 0, &mut data).map_err(|source| ArtifactError::Read { offset: 0, source })?;
    let Some(entry) = defender_quarantine::read(data.get(..n).unwrap_or_default()) else {
        return Ok(Completion::NotThisFormat);
    };
    if entry.unread > 0 {
        out.issue(None, Loss::Record, format!("{} of the resources that the entry counts can't be read", entry.unread));
    }
    for resource in entry.resources {
        out.give(
            Record::new(&QUARANTINE)
                .time(Meaning::DETECTED, entry.time)
                .set("path", resource.path)
                .set("detection_name", entry.threat.as_str())
                .set("threat_id", entry.threat_id)
                .set("resource_type", resource.kind)
                .set_some("content", resource.content)
                .set_some("size", resource.size),
        );
    }
    Ok(Completion::Complete)
}
