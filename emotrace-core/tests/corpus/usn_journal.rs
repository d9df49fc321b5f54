//! Change journals, held against what Windows' own `fsutil` and other projects say of them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use emotrace_core::artifacts::{self, Completion, Limits, Out, Reads, VolumeInput, VolumeView};
use emotrace_core::bytes::ReadAt;
use emotrace_core::formats::usn::{self, Records, UsnRecord};
use emotrace_core::model::{Collect, FileReference, Host, State};

pub(crate) const CASES: &[super::Case] = &[
    ("usn_journal::fsutil", fsutil),
    ("usn_journal::counts", counts),
    ("usn_journal::plaso", plaso),
    ("usn_journal::paths_of_a_whole_journal", paths_of_a_whole_journal),
];

fn load(corpus: &Path, file: &str) -> Vec<u8> {
    std::fs::read(corpus.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn records(bytes: &[u8]) -> Vec<UsnRecord<'_>> {
    Records::new(bytes, 0, true).map(Result::unwrap).collect()
}

/// Every field of every record as `fsutil usn readjournal` of Windows 10 prints it. It prints records of version 2 as 3.
fn fsutil(corpus: &Path) {
    let bytes = load(corpus, "mft/dfir_ntfs/usnjrnlj.bin");
    let text = load(corpus, "mft/dfir_ntfs/usnjrnlj.fsutil.txt");
    let text = String::from_utf8_lossy(&text).replace('\r', "");
    let mut printed: Vec<HashMap<&str, &str>> = Vec::new();
    for line in text.lines().skip_while(|line| !line.starts_with("Usn  ")) {
        let Some((field, value)) = line.split_once(" : ") else { continue };
        if field.trim() == "Usn" {
            printed.push(HashMap::new());
        }
        printed.last_mut().unwrap().insert(field.trim(), value.trim());
    }
    let found = records(&bytes);
    // Three records were written after the text was made: its "Next USN" is 29792.
    assert_eq!((printed.len(), found.len()), (268, 271));
    for (wanted, record) in printed.iter().zip(&found) {
        let hex = |field: &str| {
            let digits = wanted[field].split(':').next().unwrap().trim_start_matches("0x");
            u128::from_str_radix(digits, 16).unwrap()
        };
        let what = wanted["Usn"];
        assert_eq!(what, record.usn.to_string());
        assert_eq!(record.offset, record.usn);
        assert_eq!(hex("Reason"), u128::from(record.reason), "{what}");
        assert_eq!(hex("Source info"), u128::from(record.source), "{what}");
        assert_eq!(FileReference::from_u64(hex("File ID") as u64), record.reference, "{what}");
        assert_eq!(FileReference::from_u64(hex("Parent file ID") as u64), record.parent, "{what}");
        let names: Vec<String> = usn::reason_names(record.reason).map(|n| n.replace('_', " ").to_lowercase()).collect();
        for name in wanted["Reason"].split_once(": ").unwrap().1.split(" | ") {
            let name = name.to_lowercase().replace("rename: ", "rename ");
            assert!(names.contains(&name), "{what}: {name} in {names:?}");
        }
        if record.version == 4 {
            let extents: Vec<String> =
                record.extents().map(|(offset, length)| format!("{offset}, {length}]")).collect();
            assert_eq!(wanted["Number of extents"], extents.len().to_string(), "{what}");
            assert!(text.contains(&format!("[1: {}", extents[0])), "{what}");
            assert_eq!((wanted["Major version"], record.time), ("4", None));
            continue;
        }
        assert_eq!(Some(wanted["File name"]), record.name().as_deref(), "{what}");
        assert_eq!(hex("File attributes"), u128::from(record.attributes.unwrap()), "{what}");
        assert_eq!(wanted["Security ID"], record.security_id.to_string(), "{what}");
        // 1/22/2019 21:36:10
        let time = record.time.unwrap().to_datetime().format("%-m/%-d/%Y %-H:%M:%S").to_string();
        assert_eq!(wanted["Time stamp"], time, "{what}");
    }
}

/// Witness for the counts: dissect.ntfs 3.16 where all are of version 2, the manifest of the collection (the big one).
fn counts(corpus: &Path) {
    for (file, count) in [
        ("big/usn/aptsim_J", 275_540),
        ("mft/dfir_ntfs/usnjrnlj.bin", 271),
        ("usn/janstarke/sample1.bin", 104),
        ("usn/plaso/UsnJrnl.raw", 19),
        ("mft/ez/Usn/record.usn", 1),
        ("mft/dfir_ntfs/usn_1170953448.bin", 1),
        ("mft/dfir_ntfs/usn_1170955904.bin", 1),
        ("mft/dfir_ntfs/usn_1170989584.bin", 1),
        ("mft/dfir_ntfs/usn_1170990440.bin", 1),
    ] {
        assert_eq!(records(&load(corpus, file)).len(), count, "{file}");
    }
}

/// A volume of which nothing is left but its journal.
struct JournalAlone(Arc<Vec<u8>>);

impl VolumeView for JournalAlone {
    fn open(&self, _: &str, _: &str) -> Option<Arc<dyn ReadAt>> {
        Some(Arc::clone(&self.0) as Arc<dyn ReadAt>)
    }
    fn path_of(&self, _: FileReference) -> Option<String> {
        None
    }
}

fn events(bytes: Vec<u8>) -> Collect {
    let artifact = artifacts::by_name("usn_journal").unwrap();
    let Reads::Volume { parse } = artifact.reads else { panic!("the journal is read from a volume") };
    let mut sink = Collect::default();
    let volume = JournalAlone(Arc::new(bytes));
    let input = VolumeInput { locator: Arc::default(), volume: &volume, limits: Limits::default() };
    let mut out = Out::new(&mut sink, artifact.name, Arc::default(), State::Live);
    assert_eq!(parse(&input, &Host::default(), &mut out).unwrap(), Completion::Complete);
    sink
}

/// Values of plaso, `tests/parsers/ntfs.py`: 19 events and the first of them.
fn plaso(corpus: &Path) {
    let sink = events(load(corpus, "usn/plaso/UsnJrnl.raw"));
    assert_eq!((sink.events.len(), sink.issues.len()), (19, 0));
    let first = &sink.events[0];
    let text = |field: &str| first.values.get(field).unwrap().to_string();
    assert_eq!(first.time.unwrap().to_string(), "2015-11-30T21:15:27.2031250Z");
    assert_eq!(text("name"), "Nieuw - Tekstdocument.txt");
    assert_eq!((text("file_reference"), text("parent_reference")), ("30-1".into(), "5-5".into()));
    assert_eq!(text("reasons"), "FILE_CREATE");
}

/// Paths out of the journal alone. Witness: the directory's own records, as dissect.ntfs lists them: record 109580-2 is created
/// at 38347160 as `$dpx$.tmp` and renamed at 38348808; 33894-5 is `$dpx$.tmp` up to 16283136, in 33885-3, which is
/// `Windows10.0-KB5011487-x64.cab` up to 37650640.
fn paths_of_a_whole_journal(corpus: &Path) {
    let sink = events(load(corpus, "big/usn/aptsim_J"));
    assert_eq!((sink.events.len(), sink.issues.len()), (275_540, 0));
    let path = |offset: u64| {
        let event = sink.events.iter().find(|event| event.origin.offset == Some(offset)).unwrap();
        event.values.get("path").unwrap().to_string()
    };
    assert_eq!(path(38_347_568), r"\$Orphan\$dpx$.tmp\9d17f4b9e7b6f443afd6522398435424.tmp");
    assert_eq!(path(38_348_808), r"\$Orphan\{5583C11A-9516-4EF9-91BF-D55B56DE1FC7}");
    let first = path(0);
    let wanted = r"\Windows10.0-KB5011487-x64.cab\$dpx$.tmp\0d2609cc702e2545904e927af87deece.tmp";
    assert!(first.starts_with(r"\$Orphan\") && first.ends_with(wanted), "{first}");
    for event in &sink.events {
        let (path, name) = (event.values.get("path").unwrap(), event.values.get("name").unwrap());
        assert!(path.to_string().ends_with(&format!("\\{name}")));
    }
}
