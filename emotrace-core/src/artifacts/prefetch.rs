//! Prefetch: programs that were run, and when.

use super::{Artifact, ArtifactError, Completion, FileInput, Out, Reads, Record};
use crate::bytes::FormatError;
use crate::formats::prefetch::{self, LoadedFile, Prefetch, Volume};
use crate::model::{Descriptor, Field, FileReference, Host, Kind, Loss, Meaning, Value};

/// Prefetch files of Windows XP to 11.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "prefetch",
    doc: "\
A prefetch file is what Windows keeps of each program so that it starts faster the next time: which files and directories \
it read in about its first ten seconds, on which volumes, how often it was run, and when. There is one for each pair of \
program name and path; for host programs such as svchost.exe, rundll32.exe and dllhost.exe one for each command line. \
Windows writes it some ten seconds after the start.

It proves that a program of that name was started from that path at those times: the newest run since Windows XP, the last \
eight since Windows 8. It stays when the program is deleted. The list of files names what was loaded with it, and often \
documents or scripts that it was given. The creation time of the file itself is close to the first run.

It does not prove who started the program, that it did its work, or that it was the same content each time. A file in the \
list may have been looked for without being there for long; a run shorter than the recording may leave no time. The count \
can be higher than the number of runs by this user. Servers and some systems on solid-state disks do not record programs at \
all, so that nothing here is no proof that nothing ran.

Windows keeps 128 files up to version 7 and 1,024 later, and drops the oldest. Cleaning programs delete the folder; deleted \
prefetch files can often be recovered.",
    references: &[
        "J. Metz, Windows Prefetch File (PF) format, https://github.com/libyal/libscca",
        "Microsoft, [MS-XCA]: Xpress Compression Algorithm, section 2.2",
    ],
    emits: &[&EXECUTION, &VOLUME],
    reads: Reads::Files {
        paths: &["\\Windows\\Prefetch\\*.pf", "\\WINNT\\Prefetch\\*.pf"],
        recognise: prefetch::recognise,
        parse,
    },
};

static EXECUTION: Descriptor = Descriptor {
    name: "windows:prefetch:execution",
    doc: "A program was started. One row for each of the last runs; the newest one carries what the file lists.",
    message: "{executable} was run[ (run count {run_count})][ from {executable_path}]",
    data_type: Some("windows:prefetch:execution"),
    fields: &[
        Field::new("executable", Kind::Text, "Name of the program, upper case, cut after 29 characters."),
        Field::new("run_count", Kind::Number, "How often it was run in all, as counted by Windows."),
        Field::new(
            "run_index",
            Kind::Number,
            "Which of the last runs this is: 1 is the newest, 8 the oldest that is kept.",
        ),
        Field::new(
            "path_hash",
            Kind::Text,
            "Hash of the path (for some programs with the command line), 8 upper-case hex digits.",
        ),
        Field::new(
            "executable_path",
            Kind::Text,
            "Path of the program with the device path of its volume. Present if the list of files holds one file of that name, \
             or the hash tells which one it is.",
        ),
        Field::new(
            "hashed",
            Kind::Text,
            "What Windows made the hash of: the device path of the program, or the full name of its package (late Windows 10, 11).",
        ),
        Field::new(
            "scenario",
            Kind::Bool,
            "True for the start of the system (NTOSBOOT) or an operation (Op-…): no program's run.",
        ),
        Field::new("version", Kind::Number, "17 XP and 2003, 23 Vista and 7, 26 8 and 8.1, 30 10 and early 11, 31 11."),
        Field::new("files", Kind::List, "Files that were read, in the order of the record. On the newest run only."),
        Field::new(
            "file_references",
            Kind::List,
            "MFT record of each file as record-sequence, in the order of files, empty where none is stored. On the newest run only.",
        ),
        Field::new("directories", Kind::List, "Directories that were read. On the newest run only."),
        Field::new(
            "volumes",
            Kind::List,
            "Volumes of the files: device_path, serial (8 upper-case hex digits, the lower half on NTFS) and created (UTC). On \
             the newest run only.",
        ),
    ],
};

static VOLUME: Descriptor = Descriptor {
    name: "windows:prefetch:volume",
    doc: "A volume that a program read from was formatted.",
    message: "Volume {device_path} (serial number {serial}) was formatted, as kept in the prefetch of {executable}",
    data_type: Some("windows:volume:creation"),
    fields: &[
        Field::new("device_path", Kind::Text, "Device path of the volume."),
        Field::new("serial", Kind::Text, "Serial number, 8 upper-case hex digits; on NTFS the lower half."),
        Field::new("executable", Kind::Text, "The program that read from it."),
    ],
};

fn parse(input: &FileInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let bytes = input.read_whole()?;
    let found = match prefetch::read(&bytes) {
        Err(FormatError::Signature { .. }) => return Ok(Completion::NotThisFormat),
        found => found?,
    };
    out.set_len(found.content_len);
    for error in &found.issues {
        let loss = if matches!(error, FormatError::Checksum { .. }) { Loss::None } else { Loss::Record };
        out.issue(Some(error.offset()), loss, error);
    }
    if found.more_issues > 0 {
        out.issue(None, Loss::Record, format!("{} more pieces could not be read", found.more_issues));
    }
    let cut_at = found.cut_at;
    for volume in found.volumes.iter().filter(|volume| volume.created.is_some()) {
        out.give(formatted(volume, &found));
    }
    give_runs(found, out);
    Ok(cut_at.map_or(Completion::Complete, |at| Completion::Truncated { at }))
}

/// One event for each run, so that two runs at the same instant stay two. A file without any is undated evidence of a run.
fn give_runs(found: Prefetch, out: &mut Out<'_>) {
    let short = |at: Option<usize>| {
        let run = at.and_then(|at| found.runs.get(at));
        let record = Record::new(&EXECUTION)
            .set("executable", found.executable.as_str())
            .set_some("run_count", found.run_count)
            .set_some("run_index", at.map(|at| at.saturating_add(1) as u64))
            .set("path_hash", format!("{:08X}", found.path_hash))
            .set_some("executable_path", found.executable_path())
            .set_some("hashed", found.hashed.as_deref())
            .set_some("scenario", Some(true).filter(|_| found.scenario))
            .set("version", found.version)
            .time(Meaning::EXECUTED, run.map(|run| run.time));
        match run {
            Some(run) => record.at(run.offset),
            None => record,
        }
    };
    for at in 1..found.runs.len() {
        out.give(short(Some(at)));
    }
    let newest = short(if found.runs.is_empty() { None } else { Some(0) });
    out.give(with_lists(newest, found.files, found.volumes));
}

fn with_lists(record: Record, files: Vec<LoadedFile>, volumes: Vec<Volume>) -> Record {
    let references: Vec<Option<FileReference>> = files.iter().map(|file| file.reference).collect();
    let references = references.iter().any(Option::is_some).then(|| {
        let text = |reference: FileReference| Value::from(reference.to_string());
        references.into_iter().map(|reference| reference.map_or(Value::Null, text)).collect::<Vec<_>>()
    });
    let paths: Vec<String> = files.into_iter().map(|file| file.path).collect();
    let facts: Vec<Value> = volumes.iter().map(volume_facts).collect();
    let directories: Vec<String> = volumes.into_iter().flat_map(|volume| volume.directories).collect();
    record
        .set_some("files", Some(paths).filter(|paths| !paths.is_empty()))
        .set_some("file_references", references)
        .set_some("directories", Some(directories).filter(|directories| !directories.is_empty()))
        .set_some("volumes", Some(facts).filter(|facts| !facts.is_empty()))
}

fn volume_facts(volume: &Volume) -> Value {
    let mut facts = vec![
        ("device_path".into(), Value::from(volume.device_path.as_str())),
        ("serial".into(), Value::from(format!("{:08X}", volume.serial))),
    ];
    facts.extend(volume.created.map(|created| ("created".into(), Value::from(created))));
    Value::Map(facts)
}

fn formatted(volume: &Volume, found: &Prefetch) -> Record {
    Record::new(&VOLUME)
        .set("device_path", volume.device_path.as_str())
        .set("serial", format!("{:08X}", volume.serial))
        .set("executable", found.executable.as_str())
        .time(Meaning::FORMATTED, volume.created)
        .at(volume.offset)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::bytes::FormatError;
    use crate::formats::prefetch::Run;
    use crate::model::{Collect, Event, State, Timestamp};

    fn run(data: &[u8]) -> (Result<Completion, ArtifactError>, Collect) {
        let mut sink = Collect::default();
        let data = data.to_vec();
        let input = FileInput::alone(Arc::default(), &data);
        let mut out = Out::new(&mut sink, "prefetch", Arc::default(), State::Live);
        let result = parse(&input, &Host::default(), &mut out);
        (result, sink)
    }

    fn runs_of(found: Prefetch) -> Vec<Event> {
        let mut sink = Collect::default();
        give_runs(found, &mut Out::new(&mut sink, "prefetch", Arc::default(), State::Live));
        sink.events
    }

    fn sample(times: &[u64]) -> Prefetch {
        let runs =
            (0..).zip(times).map(|(i, t)| Run { time: Timestamp::from_filetime(*t), offset: 128 + 8 * i }).collect();
        let file = |path: &str, record| LoadedFile {
            path: path.to_owned(),
            reference: Some(FileReference { record, sequence: 3 }).filter(|_| record > 0),
            flags: 0,
        };
        let created = Some(Timestamp::from_filetime(1));
        let (directories, references) = (vec![r"\V\D".to_owned()], vec![]);
        let volume = Volume { device_path: r"\V".into(), created, serial: 0xab, directories, references, offset: 0 };
        Prefetch {
            version: 30,
            executable: "A.EXE".into(),
            path_hash: 0xbe,
            run_count: Some(9),
            runs,
            files: vec![file(r"\V\A.EXE", 7), file(r"\V\B.DLL", 0)],
            volumes: vec![volume],
            ..Prefetch::default()
        }
    }

    #[test]
    fn each_run_is_an_event_and_the_newest_has_the_lists() {
        let events = runs_of(sample(&[900, 900, 800]));
        let rows: Vec<_> = events
            .iter()
            .map(|e| {
                let index = e.values.get("run_index").unwrap().as_number().unwrap();
                (index, e.time.unwrap().filetime(), e.origin.offset.unwrap(), e.values.get("files").is_some())
            })
            .collect();
        assert_eq!(rows, [(2, 900, 136, false), (3, 800, 144, false), (1, 900, 128, true)]);
        let newest = &events[2];
        assert_eq!(newest.meaning, Meaning::EXECUTED);
        assert_eq!(newest.message(), r"A.EXE was run (run count 9) from \V\A.EXE");
        let text = |field: &str| newest.values.get(field).unwrap().to_string();
        assert_eq!((text("path_hash"), text("file_references")), ("000000BE".into(), "7-3; ".into()));
        assert_eq!(text("volumes"), r"device_path=\V; serial=000000AB; created=1601-01-01T00:00:00.0000001Z");
        assert_eq!(newest.values.get("scenario"), None);
        assert_eq!(events[0].values.get("executable_path").unwrap().as_text(), Some(r"\V\A.EXE"));
    }

    /// What has no date is kept, and what is not there is absent.
    #[test]
    fn without_run_times_there_is_one_undated_event() {
        let bare = Prefetch { executable: "A.EXE".into(), version: 17, ..Prefetch::default() };
        let events = runs_of(bare);
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].time, events[0].origin.offset), (None, None));
        assert_eq!(events[0].message(), "A.EXE was run");
        for absent in ["run_count", "run_index", "files", "file_references", "directories", "volumes", "hashed"] {
            assert_eq!(events[0].values.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn other_content_is_no_prefetch_and_damage_is_an_error() {
        assert!(matches!(run(b"MZ......").0, Ok(Completion::NotThisFormat)));
        let (result, sink) = run(b"\x1e\0\0\0SCCA");
        assert!(matches!(result, Err(ArtifactError::Format(FormatError::Short { .. }))));
        assert!(sink.events.is_empty());
        // A frame of which nothing can be decompressed is damage, not another format.
        assert!(matches!(run(b"MAM\x04\x10\0\0\0").0, Err(ArtifactError::Format(FormatError::Other { .. }))));
    }
}
