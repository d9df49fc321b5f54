//! Programs and libraries where malware likes to lie: what the head of the file says, whatever its name is.
//!
//! Only the first bytes of each file are read: the DOS header and the COFF and optional headers of the PE format.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0x00 | 2 | `MZ` |
//! | 0x3C | 4 | offset of the PE header (`PE\0\0`) |
//! | PE+0x04 | 2 | machine |
//! | PE+0x06 | 2 | number of sections |
//! | PE+0x08 | 4 | link time, seconds since 1970 |
//! | PE+0x16 | 2 | characteristics: 0x2000 is a DLL |
//! | PE+0x18 | 2 | 0x10B PE32, 0x20B PE32+ |
//! | PE+0x5C | 2 | subsystem |
//!
//! Source: Microsoft, "PE Format" (<https://learn.microsoft.com/en-us/windows/win32/debug/pe-format>).

use super::artifact::{Artifact, ArtifactError, Completion, FileInput, Out, Reads, Record};
use crate::bytes::fields::uint_at;
use crate::bytes::read_up_to;
use crate::model::{Descriptor, Field, Host, Kind, Loss, Recoverability, Timestamp};

static PE: Descriptor = Descriptor {
    name: "windows:file:pe",
    doc: "A file begins like a program or library (MZ), whatever its name says.",
    message: "{path} is a program file[ for {machine}][, linked {link_time}]",
    data_type: Some("pe_coff:file"),
    fields: &[
        Field::new("path", Kind::Text, "Path of the file"),
        Field::new("size", Kind::Number, "Length of the file in bytes"),
        Field::new("pe_header", Kind::Bool, "A PE header follows the DOS header; false for a bare MZ"),
        Field::new("machine", Kind::Text, "Processor: x86, x64, arm64, or its number in hex"),
        Field::new("library", Kind::Bool, "The header says that it is a DLL"),
        Field::new("pe32_plus", Kind::Bool, "True for the 64-bit form of the header, false for the 32-bit one"),
        Field::new("subsystem", Kind::Number, "Subsystem: 1 native, 2 graphical, 3 console"),
        Field::new("sections", Kind::Number, "Number of sections"),
        Field::new(
            "link_time",
            Kind::Time,
            "The header's time stamp as a time. Linkers for reproducible builds, Microsoft's own among them, put a hash there",
        ),
    ],
};

/// See the module's text.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "pe_files",
    doc: "The head of every file that lies one folder deep in a user's local application data or in the system folders, where \
Emotet and its kin put themselves: programs and libraries begin with MZ, whatever their name ends in.\n\n\
It proves that the file's content is that of a program file, and what the linker wrote into its head.\n\n\
It does not prove that it ran, nor when it was made: the link time is whatever the linker wrote, a hash in reproducible \
builds and easily forged, so a row has no date of its own. A deleted file's space may since hold another file's bytes.\n\n\
It lives as long as the file.",
    references: &["https://learn.microsoft.com/en-us/windows/win32/debug/pe-format"],
    emits: &[&PE],
    reads: Reads::Files {
        paths: &[
            r"\Users\*\AppData\Local\*\*",
            r"\Windows\System32\*\*",
            r"\Windows\SysWOW64\*\*",
            r"\Windows\System32\config\systemprofile\AppData\Local\*\*",
            r"\Windows\SysWOW64\config\systemprofile\AppData\Local\*\*",
        ],
        recognise: |_| false,
        parse,
    },
};

/// As much as is read of each file: headers that begin later are left.
const HEAD: usize = 4096;

fn parse(input: &FileInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    // All its clusters are other files' now: what lies there says nothing of it.
    let name = input.locator.stream.as_deref().unwrap_or_default();
    let stream = input.entry.and_then(|entry| entry.streams.iter().find(|s| s.name == name));
    if stream.and_then(|s| s.recoverable) == Some(Recoverability::Reused) {
        return Ok(Completion::NotThisFormat);
    }
    let mut head = [0; HEAD];
    let n = read_up_to(input.data, 0, &mut head).map_err(|source| ArtifactError::Read { offset: 0, source })?;
    let head = head.get(..n).unwrap_or_default();
    if !head.starts_with(b"MZ") {
        return Ok(Completion::NotThisFormat);
    }
    let record =
        Record::new(&PE).set("path", input.locator.path.as_str()).set("size", input.data.len()).set("pe_header", false);
    let header = uint_at(head, 0x3c, 4).and_then(|at| usize::try_from(at).ok()).and_then(|at| head.get(at..));
    let Some(header) = header.filter(|h| h.starts_with(b"PE\0\0")) else {
        out.give(record);
        return Ok(Completion::Complete);
    };
    let machine = uint_at(header, 0x04, 2).map(machine);
    let linked = uint_at(header, 0x08, 4).filter(|t| *t != 0 && *t != 0xffff_ffff);
    let characteristics = uint_at(header, 0x16, 2);
    let magic = uint_at(header, 0x18, 2);
    out.give(
        record
            .set("pe_header", true)
            .set_some("machine", machine)
            .set_some("library", characteristics.map(|c| c & 0x2000 != 0))
            .set_some("pe32_plus", magic.filter(|m| matches!(m, 0x10b | 0x20b)).map(|m| m == 0x20b))
            .set_some("subsystem", uint_at(header, 0x5c, 2))
            .set_some("sections", uint_at(header, 0x06, 2))
            .set_some("link_time", linked.and_then(|t| Timestamp::from_unix_seconds(i64::try_from(t).ok()?))),
    );
    if characteristics.is_none() || magic.is_none() {
        let error = "the PE header is cut off";
        out.issue(Some(n as u64), Loss::Rest, error);
    }
    Ok(Completion::Complete)
}

fn machine(number: u64) -> String {
    match number {
        0x14c => "x86".to_owned(),
        0x8664 => "x64".to_owned(),
        0xaa64 => "arm64".to_owned(),
        other => format!("{other:#06x}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Collect, Event, FileEntry, Locator, State, StreamFacts, Value};

    fn run(data: &[u8]) -> (Completion, Vec<Event>) {
        run_as(data, None)
    }

    fn run_as(data: &[u8], entry: Option<&FileEntry>) -> (Completion, Vec<Event>) {
        let mut sink = Collect::default();
        let locator = Arc::new(Locator { path: r"C:\Windows\System32\a\b.dll".to_owned(), ..Locator::default() });
        let bytes = data.to_vec();
        let input = FileInput { entry, ..FileInput::alone(Arc::clone(&locator), &bytes) };
        let mut out = Out::new(&mut sink, ARTIFACT.name, locator, State::Live);
        let completion = parse(&input, &Host::default(), &mut out).unwrap();
        (completion, sink.events)
    }

    const DLL: &[u8] = include_bytes!("../../../testdata/artifacts/pe_files/dll.czi");

    #[test]
    fn heads() {
        let (completion, events) = run(DLL);
        assert_eq!(completion, Completion::Complete);
        let value = |name: &str| events[0].values.get(name).cloned();
        assert_eq!(value("machine"), Some(Value::from("x64")));
        assert_eq!((value("library"), value("pe32_plus")), (Some(Value::Bool(true)), Some(Value::Bool(true))));
        assert_eq!(value("link_time").unwrap().to_string(), "2022-11-01T19:43:55.0000000Z");
        assert_eq!(events[0].time, None, "a linker's stamp is no instant of this machine");
        let (_, bare) = run(b"MZ and nothing else");
        assert_eq!(bare[0].values.get("pe_header"), Some(&Value::Bool(false)));
        assert_eq!(run(b"text"), (Completion::NotThisFormat, vec![]));
        assert_eq!(run(b"").0, Completion::NotThisFormat);
    }

    /// The head at the place of a deleted file is its own only while its clusters are not all another's.
    #[test]
    fn a_deleted_file_whose_space_was_given_away() {
        let deleted = |recoverable| {
            let stream = StreamFacts { recoverable: Some(recoverable), ..StreamFacts::default() };
            FileEntry { deleted: true, streams: vec![stream], ..FileEntry::default() }
        };
        assert_eq!(run_as(DLL, Some(&deleted(Recoverability::Free))).1.len(), 1);
        assert_eq!(run_as(DLL, Some(&deleted(Recoverability::Reused))), (Completion::NotThisFormat, vec![]));
    }

    #[test]
    fn damage_does_no_harm() {
        let mut seed = 11u64;
        for _ in 0..3000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut bytes = DLL.to_vec();
            let at = (seed >> 33) as usize % bytes.len();
            bytes[at] ^= (seed >> 24) as u8;
            bytes.truncate(bytes.len() - (seed >> 50) as usize % bytes.len());
            assert!(run(&bytes).1.len() <= 1);
        }
    }
}
