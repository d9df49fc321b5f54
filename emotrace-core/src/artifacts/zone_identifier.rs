//! `Zone.Identifier` streams: the mark of the web.

use crate::bytes::read_up_to;
use crate::formats::zone_identifier::{self, ZoneIdentifier};
use crate::model::{Descriptor, Field, FileEntry, Host, Kind, Loss, Meaning, Timestamp, Value};

use super::{Artifact, ArtifactError, Completion, FileInput, Out, Reads, Record};

static MARK: Descriptor = Descriptor {
    name: "windows:zone_identifier:mark",
    doc: "A file bears a note of where it came from. NTFS keeps no time for a stream: the row stands at the time when the \
          file itself was created, and `time_source` says which of its times that is. The note may be younger.",
    message: "{file_path} bears a mark of its origin[: zone {zone}][, {host_url}][, by way of {referrer_url}]",
    data_type: None,
    fields: &[
        Field::new("file_path", Kind::Text, "The file that bears the stream"),
        Field::new("zone_id", Kind::Number, "0 local machine, 1 intranet, 2 trusted, 3 internet, 4 untrusted"),
        Field::new("zone", Kind::Text, "The zone in words"),
        Field::new("host_url", Kind::Text, "Address that the file was loaded from"),
        Field::new("referrer_url", Kind::Text, "Page that led to it, or the archive that it was unpacked from"),
        Field::new("host_ip_address", Kind::Text, "Address of the host"),
        Field::new("app_zone_id", Kind::Text, "Zone that an app gave"),
        Field::new("last_writer", Kind::Text, "Package family name of the app that wrote the file"),
        Field::new("other", Kind::Map, "Everything else that the stream says, by its own keys"),
        Field::new(
            "time_source",
            Kind::Text,
            "Which time the row stands at: `$FN created` of the file's primary name, or `$SI created`",
        ),
        Field::new("file_size", Kind::Number, "Length of the file's main stream in bytes"),
    ],
};

/// Such streams are a few hundred bytes long.
const MAX_READ: u64 = 64 << 10;

/// `Zone.Identifier` streams.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "zone_identifier",
    doc: "Browsers, mail programs, chat programs and archivers that honour it write a stream Zone.Identifier beside the \
          content of every file that they save from elsewhere: the zone, and since Windows 10 often the address of the \
          file and of the page before it. Office opens such files in Protected View, and Windows asks before it runs \
          them.\n\n\
          It shows that a program which writes such marks saved the file, and from where. For a document that began an \
          infection it often names the server.\n\n\
          It does not show who asked for the file, nor when: the stream has no time of its own. The row stands at the \
          file's own creation time; only the change journal may tell when the stream was made (NAMED_DATA_EXTEND, \
          STREAM_CHANGE). Programs that do not honour it leave none; a file without a mark may still come from the \
          internet. Everyone who may write the file can change or forge the mark.\n\n\
          It lives as long as the file, goes with it through copies on NTFS, and is lost on other file systems, when the \
          user unblocks the file, and in archives.",
    references: &[
        "Microsoft, MS-FSCC 5.6.1: Known Alternate Stream Names",
        "Microsoft, IZoneIdentifier and IZoneIdentifier2 (urlmon.h)",
    ],
    emits: &[&MARK],
    reads: Reads::Files { paths: &["**:Zone.Identifier"], recognise: zone_identifier::recognise, parse },
};

fn parse(input: &FileInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let len = input.data.len();
    let mut data = vec![0; usize::try_from(len.min(MAX_READ)).unwrap_or(0)];
    let n = read_up_to(input.data, 0, &mut data).map_err(|source| ArtifactError::Read { offset: 0, source })?;
    data.truncate(n);
    let mark = zone_identifier::read(&data);
    if mark.is_foreign() {
        return Ok(Completion::NotThisFormat);
    }
    let zone = mark.get("ZoneId").and_then(|id| id.parse::<u64>().ok());
    let (time, source) = input.entry.and_then(created).unzip();
    out.give(
        Record::new(&MARK)
            .time(Meaning::CREATED, time)
            .set("file_path", input.locator.path.as_str())
            .set_some("zone_id", zone)
            .set_some("zone", zone.and_then(zone_identifier::zone_name))
            .set_some("host_url", mark.get("HostUrl"))
            .set_some("referrer_url", mark.get("ReferrerUrl"))
            .set_some("host_ip_address", mark.get("HostIpAddress"))
            .set_some("app_zone_id", mark.get("AppZoneId"))
            .set_some("last_writer", mark.get("LastWriterPackageFamilyName"))
            .set_some("other", other(&mark))
            .set_some("time_source", source)
            .set_some("file_size", input.entry.and_then(FileEntry::main_stream).map(|s| s.size)),
    );
    if mark.other_lines > 0 {
        out.issue(None, Loss::Record, format!("{} lines of the stream are no entries", mark.other_lines));
    }
    if len > MAX_READ {
        out.issue(Some(MAX_READ), Loss::Rest, format!("the stream has {len} bytes, far more than a zone identifier"));
        return Ok(Completion::Truncated { at: MAX_READ });
    }
    Ok(Completion::Complete)
}

/// When the file was created: `$FN` first, because programs can set `$SI`.
fn created(entry: &FileEntry) -> Option<(Timestamp, &'static str)> {
    let name = entry.primary_name().and_then(|n| n.times.created).map(|t| (t, "$FN created"));
    let information = || entry.standard_information.and_then(|s| s.times.created).map(|t| (t, "$SI created"));
    name.or_else(information)
}

/// Entries that have no field of their own; also an unreadable `ZoneId` and whatever is said twice.
fn other(mark: &ZoneIdentifier) -> Option<Value> {
    const OWN: [&str; 6] =
        ["ZoneId", "HostUrl", "ReferrerUrl", "HostIpAddress", "AppZoneId", "LastWriterPackageFamilyName"];
    let own = |key: &str, value: &str| {
        let field = OWN.iter().find(|own| own.eq_ignore_ascii_case(key));
        field.is_some_and(|f| mark.get(f) == Some(value) && (*f != "ZoneId" || value.parse::<u64>().is_ok()))
    };
    let rest = mark.entries.iter().filter(|(key, value)| !own(key, value) && !value.is_empty());
    let map: Vec<_> = rest.map(|(key, value)| (key.into(), Value::from(value.as_str()))).collect();
    if map.is_empty() { None } else { Some(Value::Map(map)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Collect, FileName, FileReference, Locator, MacbTimes, Namespace, StandardInformation, State};

    fn run(data: &[u8], entry: Option<&FileEntry>) -> (Completion, Collect) {
        let mut sink = Collect::default();
        let data = data.to_vec();
        let locator = Arc::new(Locator {
            path: r"C:\Users\Clippy\Downloads\Rechnung_2020_08_7749.doc".to_owned(),
            stream: Some("Zone.Identifier".to_owned()),
            ..Locator::default()
        });
        let input = FileInput { entry, ..FileInput::alone(Arc::clone(&locator), &data) };
        let mut out = Out::new(&mut sink, ARTIFACT.name, locator, State::Live);
        let completion = parse(&input, &Host::default(), &mut out).unwrap();
        (completion, sink)
    }

    fn entry(fn_created: Option<Timestamp>, si_created: Option<Timestamp>) -> FileEntry {
        let times = |created| MacbTimes { created, ..MacbTimes::default() };
        FileEntry {
            names: vec![FileName {
                name: "a".to_owned(),
                path: r"\a".to_owned(),
                parent: FileReference::default(),
                namespace: Namespace::Win32,
                times: times(fn_created),
                orphan: false,
            }],
            standard_information: Some(StandardInformation { times: times(si_created), ..Default::default() }),
            ..FileEntry::default()
        }
    }

    const DOWNLOAD: &[u8] = include_bytes!("../../../testdata/artifacts/zone_identifier/download.bin");

    #[test]
    fn the_row_stands_at_the_files_creation_and_says_so() {
        let t = |text| Timestamp::parse(text);
        let (name, information) = (t("2020-08-26T05:07:41.5Z"), t("2019-01-01"));
        let field = |sink: &Collect, name: &str| sink.events[0].values.get(name).map(ToString::to_string);

        let (completion, sink) = run(DOWNLOAD, Some(&entry(name, information)));
        assert_eq!((completion, sink.issues.len()), (Completion::Complete, 0));
        assert_eq!((sink.events[0].time, sink.events[0].meaning), (name, Meaning::CREATED));
        assert_eq!(field(&sink, "time_source").as_deref(), Some("$FN created"));
        assert_eq!(field(&sink, "zone_id").as_deref(), Some("3"));
        assert_eq!(
            field(&sink, "host_url").as_deref(),
            Some("http://files.example/Rechnung_2020_08_7749.doc?id=4&x=1")
        );
        assert_eq!(field(&sink, "other").as_deref(), Some("Custom=kept"));

        let (_, sink) = run(DOWNLOAD, Some(&entry(None, information)));
        assert_eq!(field(&sink, "time_source").as_deref(), Some("$SI created"));
        let (_, sink) = run(DOWNLOAD, None);
        assert_eq!((sink.events[0].time, field(&sink, "time_source")), (None, None));
    }

    #[test]
    fn unreadable_and_foreign_streams() {
        let (_, sink) = run(b"[ZoneTransfer]\nZoneId=three\nrubbish", None);
        assert_eq!(sink.events[0].values.get("zone_id"), None);
        assert_eq!(sink.events[0].values.get("other").unwrap().to_string(), "ZoneId=three");
        assert_eq!(sink.issues.len(), 1);
        assert_eq!(run(b"MZ", None).0, Completion::NotThisFormat);
        let mut long = b"[ZoneTransfer]\nZoneId=3\n".to_vec();
        long.resize(100_000, b'\n');
        assert_eq!(run(&long, None).0, Completion::Truncated { at: MAX_READ });
    }
}
