//! What the file system says of each file: `$STANDARD_INFORMATION` and `$FILE_NAME`, live and deleted.

use std::borrow::Cow;
use std::sync::Arc;

use super::artifact::{Artifact, ArtifactError, Completion, EntryInput, Out, Reads, Record};
use crate::model::{
    Descriptor, Field, FileEntry, FileName, Host, Kind, Locator, MacbTimes, Meaning, Namespace, Timestamp, Value,
};

/// The artifact.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "file_times",
    doc: "\
Every file and folder of an NTFS volume has a record in the Master File Table. It holds the four times of \
$STANDARD_INFORMATION (content modified, accessed, record changed, created), which Explorer shows, and four more for \
each of its names in $FILE_NAME. All have a resolution of 100 ns and are in UTC. Records of deleted files stay until \
they are used again.

It proves that a file of that name and size lay at that place, and when Windows last wrote each time. $FILE_NAME times \
are set when a name is made, moved or renamed; usual programs can't set them.

It does not prove when content came to be: $STANDARD_INFORMATION times can be set by any program, and are carried over \
by copying, unpacking and installing. A creation time before that of $FILE_NAME is a hint at forged or carried-over \
times, not a proof. The access time may be up to an hour late or not kept at all.

Records of live files stay as long as the file; those of deleted files until Windows needs the record, which on a busy \
system volume can be minutes.",
    references: &[
        "Microsoft, Master File Table (MFT_SEGMENT_REFERENCE, STANDARD_INFORMATION, FILE_NAME), learn.microsoft.com",
        "B. Carrier, File System Forensic Analysis, chapters 11 to 13",
    ],
    emits: &[&TIMES, &NAME_TIMES],
    reads: Reads::Entries { parse },
};

/// `$STANDARD_INFORMATION` of one file.
static TIMES: Descriptor = Descriptor {
    name: "windows:file:times",
    doc: "The times of $STANDARD_INFORMATION of one file or folder.",
    message: "[{path}][ -> {reparse_target}][ ({size} bytes)]",
    data_type: Some("fs:stat:ntfs"),
    fields: &[
        Field::new("path", Kind::Text, "Full path by the first long name."),
        Field::new("name", Kind::Text, "That name alone."),
        Field::new("size", Kind::Number, "Length of the main stream in bytes."),
        Field::new("directory", Kind::Bool, "It is a folder."),
        Field::new("modified", Kind::Time, "When content was modified."),
        Field::new("accessed", Kind::Time, "When content was last read."),
        Field::new("changed", Kind::Time, "When the MFT record was changed."),
        Field::new("created", Kind::Time, "When the file was created."),
        Field::new("attributes", Kind::List, "File attributes by their Windows names."),
        Field::new("links", Kind::List, "Other paths of the same file (hard links)."),
        Field::new("streams", Kind::List, "Alternate data streams: name and length in bytes."),
        Field::new("allocated", Kind::Number, "Bytes that the main stream takes on the volume."),
        Field::new("reparse_tag", Kind::Text, "Tag of the reparse point, hexadecimal."),
        Field::new(
            "reparse_kind",
            Kind::Text,
            "What that is: junction, mount_point (of a volume), symlink, wof (compressed by the overlay filter), cloud (a placeholder of \
             OneDrive or the like), dedup, app_exec_link, wsl_symlink, unix_socket, nfs, dfs, hsm, sis, wim, projfs, container or \
             storage_sync.",
        ),
        Field::new("reparse_target", Kind::Text, "Where a link or junction leads."),
        Field::new("encrypted", Kind::Bool, "The main stream is encrypted (EFS): its content can't be read."),
        Field::new("security_id", Kind::Number, "Key of the file's access rights in $Secure."),
        Field::new("owner_sid", Kind::Text, "SID of the file's owner, from $Secure."),
        Field::new("owner", Kind::Text, "Name of that account, where the host's registry tells it."),
        Field::new("usn", Kind::Number, "Place of the file's newest record in the change journal."),
        Field::new("lsn", Kind::Number, "Place of the record's last change in $LogFile."),
        Field::new("orphan", Kind::Bool, "The folder that held it is gone."),
        Field::new(
            "recoverable",
            Kind::Text,
            "Of a deleted file, its content: resident (in the record), free (no cluster in use now), partly_reused, reused or \
             unknown. Clusters that are free now may have been used in between.",
        ),
        Field::new("clusters_free", Kind::Number, "Clusters of a partly reused file that are free now."),
        Field::new("clusters", Kind::Number, "All clusters of a partly reused file."),
        Field::new(
            "created_before_name",
            Kind::Bool,
            "$STANDARD_INFORMATION says that the file was created before its first long name was made ($FILE_NAME). Copying, \
             moving between volumes, unpacking and installing do that too.",
        ),
        Field::new("created_before_name_seconds", Kind::Number, "Whole seconds between the two."),
        Field::new(
            "zero_subseconds",
            Kind::List,
            "Which times of $STANDARD_INFORMATION lie on a whole second: modified, accessed, changed, created. One in ten million \
             does so by chance; archives, FAT volumes and programs that set times without fractions do.",
        ),
        Field::new(
            "seven_days_before_folder",
            Kind::Bool,
            "The file was last written seven days before its folder, to 0.3 seconds, by $STANDARD_INFORMATION: the fifth generation of \
             Emotet sets its file's time so. What is written to the folder later hides it.",
        ),
        Field::new("bad_fixup", Kind::Bool, "The record was torn or damaged; values in it may be wrong."),
    ],
};

/// One `$FILE_NAME`.
static NAME_TIMES: Descriptor = Descriptor {
    name: "windows:file:name_times",
    doc: "The times of one $FILE_NAME of a file or folder.",
    message: "{path} ($FILE_NAME)",
    data_type: Some("fs:stat:ntfs"),
    fields: &[
        Field::new("path", Kind::Text, "Full path by this name."),
        Field::new("name", Kind::Text, "The name alone."),
        Field::new("namespace", Kind::Text, "win32, dos, win32+dos or posix."),
        Field::new("dos_name", Kind::Text, "The 8.3 name beside it, where it has the same times."),
        Field::new("directory", Kind::Bool, "It is a folder."),
        Field::new("modified", Kind::Time, "When content was modified."),
        Field::new("accessed", Kind::Time, "When content was last read."),
        Field::new("changed", Kind::Time, "When the MFT record was changed."),
        Field::new("created", Kind::Time, "When the file was created."),
        Field::new("parent", Kind::Text, "MFT record of the folder that holds it, as record-sequence."),
        Field::new("orphan", Kind::Bool, "The folder that held it is gone."),
    ],
};

const TICKS_PER_SECOND: u64 = 10_000_000;
/// Ticks between the last write of a file and of its folder: seven days, 0.3 seconds less or up to as many more.
const SEVEN_DAYS: std::ops::Range<u64> = 6_047_997_000_000..6_048_003_000_000;

fn parse(input: &EntryInput<'_>, host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let entry = input.entry;
    if entry.reference.is_none() {
        // A copy in a folder: that the file was there is all it tells.
        out.give(facts(input, host));
        return Ok(Completion::Complete);
    }
    standard_information(input, host, out);
    for name in &entry.names {
        if dos_twin_of(entry, name).is_none() {
            file_name(input, name, out);
        }
    }
    Ok(Completion::Complete)
}

fn standard_information(input: &EntryInput<'_>, host: &Host, out: &mut Out<'_>) {
    let entry = input.entry;
    // Without $STANDARD_INFORMATION there are no times of its kind; the names still give theirs.
    let Some(information) = &entry.standard_information else {
        if entry.names.is_empty() && !entry.streams.is_empty() {
            out.give(facts(input, host));
        }
        return;
    };
    let record = facts(input, host)
        .push("attributes", attribute_names(information.attributes))
        .push_some("security_id", information.security_id)
        .push_some("usn", information.usn);
    let stamp = information.times.modified.zip(input.folder_modified).filter(|_| !entry.directory);
    let stamp = stamp.is_some_and(|(file, folder)| {
        folder.filetime().checked_sub(file.filetime()).is_some_and(|ticks| SEVEN_DAYS.contains(&ticks))
    });
    let record = record.push_some("seven_days_before_folder", stamp.then_some(true));
    out.give(with_times(tampering(record, &information.times, entry.primary_name()), &information.times));
}

/// Facts about times that forging leaves behind, and much else does too.
fn tampering(record: Record, times: &MacbTimes, name: Option<&FileName>) -> Record {
    let made = name.and_then(|name| name.times.created);
    let before = times.created.zip(made).filter(|(created, made)| created < made);
    let seconds = before.map(|(created, made)| made.filetime().saturating_sub(created.filetime()) / TICKS_PER_SECOND);
    let named = [
        ("modified", times.modified),
        ("accessed", times.accessed),
        ("changed", times.changed),
        ("created", times.created),
    ];
    let whole = named.iter().filter(|(_, time)| time.is_some_and(|time| time.subsecond_ticks() == 0));
    let whole: Vec<Value> = whole.map(|(name, _)| (*name).into()).collect();
    record
        .push_some("created_before_name", before.map(|_| true))
        .push_some("created_before_name_seconds", seconds)
        .push_some("zero_subseconds", (!whole.is_empty()).then_some(whole))
}

/// What is known of the file beside its times.
fn facts(input: &EntryInput<'_>, host: &Host) -> Record {
    let entry = input.entry;
    let primary = entry.primary_name();
    let main = entry.main_stream();
    let grade = entry.recoverable();
    let account = entry.owner.as_deref().and_then(|sid| host.user_by_sid(sid));
    let links: Vec<Value> = entry
        .links()
        .filter(|link| primary.is_none_or(|p| p.path != link.path))
        .map(|link| link.path.as_str().into())
        .collect();
    let streams: Vec<Value> = entry
        .streams
        .iter()
        .filter(|s| !s.name.is_empty())
        .map(|s| Value::Map(vec![("name".into(), s.name.as_str().into()), ("size".into(), s.size.into())]))
        .collect();
    let some = |list: Vec<Value>| (!list.is_empty()).then_some(list);
    Record::new(&TIMES)
        // A record without a name lies nowhere.
        .push_some("path", primary.map(|_| input.locator.path.as_str()))
        .push_some("name", primary.map(|n| n.name.as_str()))
        .push_some("size", main.map(|s| s.size))
        .push_some("allocated", main.filter(|s| !s.resident).map(|s| s.allocated))
        .push("directory", entry.directory)
        .push_some("links", some(links))
        .push_some("streams", some(streams))
        .push_some("reparse_tag", entry.reparse_tag.map(|tag| format!("{tag:#010x}")))
        .push_some("reparse_kind", entry.reparse_tag.and_then(|tag| reparse_kind(tag, entry.reparse_target.as_deref())))
        .push_some("reparse_target", entry.reparse_target.as_deref())
        .push_some("encrypted", main.filter(|stream| stream.encrypted).map(|_| true))
        .push_some("owner_sid", entry.owner.as_deref())
        .push_some("owner", account.and_then(|user| user.name.as_deref()))
        .push_some("lsn", entry.lsn)
        .push_some("orphan", primary.filter(|n| n.orphan).map(|_| true))
        .push_some("recoverable", grade.map(|grade| grade.name()))
        .push_some("clusters_free", grade.and_then(|grade| grade.clusters()).map(|(free, _)| free))
        .push_some("clusters", grade.and_then(|grade| grade.clusters()).map(|(_, total)| total))
        .push_some("bad_fixup", entry.bad_fixup.then_some(true))
        .at(entry.offset)
}

fn file_name(input: &EntryInput<'_>, name: &FileName, out: &mut Out<'_>) {
    let entry = input.entry;
    let path = path_of(input, name);
    let dos = entry.names.iter().find(|other| dos_twin_of(entry, other).is_some_and(|long| std::ptr::eq(long, name)));
    let mut record = Record::new(&NAME_TIMES)
        .push("path", &*path)
        .push("name", name.name.as_str())
        .push("namespace", name.namespace.name())
        .push_some("dos_name", dos.map(|d| d.name.as_str()))
        .push("directory", entry.directory)
        .push("parent", name.parent)
        .push_some("orphan", name.orphan.then_some(true))
        .at(entry.offset);
    if path != input.locator.path {
        record = record.place(Arc::new(Locator { path: path.into_owned(), ..(*input.locator).clone() }));
    }
    out.give(with_times(record, &name.times));
}

/// The long name that a DOS name stands beside, if it holds the same folder and times: such a pair is one row.
fn dos_twin_of<'e>(entry: &'e FileEntry, dos: &FileName) -> Option<&'e FileName> {
    let is_twin = |n: &&FileName| n.namespace == Namespace::Win32 && n.parent == dos.parent && n.times == dos.times;
    (dos.namespace == Namespace::Dos).then(|| entry.names.iter().find(is_twin)).flatten()
}

/// The name's path with the drive letter that the caller gave the primary path.
fn path_of<'i>(input: &'i EntryInput<'_>, name: &FileName) -> Cow<'i, str> {
    let primary = input.entry.primary_name();
    if primary.is_some_and(|primary| primary.path == name.path) {
        return Cow::Borrowed(&input.locator.path);
    }
    let drive = primary.and_then(|p| input.locator.path.strip_suffix(p.path.as_str()));
    Cow::Owned(format!("{}{}", drive.unwrap_or_default(), name.path))
}

/// When the file's name was made: `$FN` first, because programs can set `$SI`.
pub(super) fn named(entry: &FileEntry) -> Option<Timestamp> {
    let name = entry.primary_name().and_then(|n| n.times.created);
    name.or_else(|| entry.standard_information.and_then(|s| s.times.created))
}

/// Each row shows all four times, beside the one that it stands at.
pub(super) fn with_times(record: Record, times: &MacbTimes) -> Record {
    record
        .push_some("modified", times.modified)
        .push_some("accessed", times.accessed)
        .push_some("changed", times.changed)
        .push_some("created", times.created)
        .time(Meaning::MODIFIED, times.modified)
        .time(Meaning::ACCESSED, times.accessed)
        .time(Meaning::CHANGED, times.changed)
        .time(Meaning::CREATED, times.created)
}

/// What a reparse point is. Source: Microsoft, `IO_REPARSE_TAG_*` (ntifs.h, winnt.h).
fn reparse_kind(tag: u32, target: Option<&str>) -> Option<&'static str> {
    const NAMES: &[(u32, &str)] = &[
        (0xa000_000c, "symlink"),
        (0xa000_001d, "wsl_symlink"),
        (0x8000_0017, "wof"),
        (0x8000_0013, "dedup"),
        (0x8000_001b, "app_exec_link"),
        (0x8000_0023, "unix_socket"),
        (0x8000_0014, "nfs"),
        (0x8000_000a, "dfs"),
        (0x8000_0012, "dfs"),
        (0xc000_0004, "hsm"),
        (0x8000_0006, "hsm"),
        (0x8000_0007, "sis"),
        (0x8000_0008, "wim"),
        (0x8000_0015, "cloud"),
        (0x8000_0021, "cloud"),
        (0x9000_001c, "projfs"),
        (0x8000_0018, "container"),
        (0xa000_0027, "container"),
        (0x8000_001e, "storage_sync"),
    ];
    match tag {
        0xa000_0003 if target.is_some_and(|target| target.contains("Volume{")) => Some("mount_point"),
        0xa000_0003 => Some("junction"),
        // Four bits tell providers apart.
        tag if tag & 0xffff_0fff == 0x9000_001a => Some("cloud"),
        tag => NAMES.iter().find(|(known, _)| *known == tag).map(|(_, name)| *name),
    }
}

/// File attributes by their names. Source: Microsoft, File Attribute Constants (winnt.h).
pub(super) fn attribute_names(bits: u32) -> Vec<Value> {
    const NAMES: &[(u32, &str)] = &[
        (0x1, "readonly"),
        (0x2, "hidden"),
        (0x4, "system"),
        (0x10, "directory"),
        (0x20, "archive"),
        (0x40, "device"),
        (0x80, "normal"),
        (0x100, "temporary"),
        (0x200, "sparse"),
        (0x400, "reparse_point"),
        (0x800, "compressed"),
        (0x1000, "offline"),
        (0x2000, "not_content_indexed"),
        (0x4000, "encrypted"),
        (0x8000, "integrity_stream"),
        (0x2_0000, "no_scrub_data"),
        (0x4_0000, "recall_on_open"),
        (0x8_0000, "pinned"),
        (0x10_0000, "unpinned"),
        (0x40_0000, "recall_on_data_access"),
    ];
    NAMES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| (*name).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Collect, Event, FileReference, Recoverability, StandardInformation, State, StreamFacts, Timestamp,
    };

    fn at(ticks: u64) -> MacbTimes {
        let t = Some(Timestamp::from_filetime(ticks));
        MacbTimes { modified: t, accessed: t, changed: t, created: t }
    }

    fn name(name: &str, namespace: Namespace, ticks: u64) -> FileName {
        FileName {
            name: name.to_owned(),
            path: format!(r"\dir\{name}"),
            parent: FileReference { record: 30, sequence: 1 },
            namespace,
            times: at(ticks),
            orphan: false,
        }
    }

    fn events(entry: &FileEntry) -> Vec<Event> {
        events_in(entry, None)
    }

    fn events_in(entry: &FileEntry, folder_modified: Option<Timestamp>) -> Vec<Event> {
        let path = entry.primary_name().map(|n| format!("C:{}", n.path)).unwrap_or_default();
        let locator = Arc::new(Locator { path, ..Locator::default() });
        let mut sink = Collect::default();
        let mut out = Out::new(&mut sink, "file_times", Arc::clone(&locator), State::Live);
        let done = parse(&EntryInput { locator, entry, folder_modified }, &Host::default(), &mut out).unwrap();
        assert_eq!(done, Completion::Complete);
        sink.events
    }

    #[test]
    fn a_dos_name_with_the_same_times_is_no_row_of_its_own() {
        let mut entry = FileEntry {
            reference: Some(FileReference { record: 40, sequence: 1 }),
            standard_information: Some(StandardInformation { times: at(1), attributes: 0x22, ..Default::default() }),
            names: vec![name("long name.txt", Namespace::Win32, 2), name("LONGNA~1.TXT", Namespace::Dos, 2)],
            streams: vec![StreamFacts { size: 5, ..StreamFacts::default() }],
            ..FileEntry::default()
        };
        let rows = events(&entry);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].meaning.macb(), "MACB");
        assert_eq!(rows[0].values.get("attributes").unwrap().to_string(), "hidden; archive");
        assert_eq!(rows[1].values.get("dos_name").unwrap().as_text(), Some("LONGNA~1.TXT"));
        entry.names[1].times = at(3);
        assert_eq!(events(&entry).len(), 3, "a DOS name with times of its own is shown");
    }

    #[test]
    fn every_hard_link_has_its_path_with_the_drive() {
        let entry = FileEntry {
            reference: Some(FileReference { record: 40, sequence: 1 }),
            standard_information: Some(StandardInformation { times: at(1), ..Default::default() }),
            names: vec![name("a", Namespace::Posix, 1), name("b", Namespace::Posix, 1)],
            ..FileEntry::default()
        };
        let rows = events(&entry);
        let paths: Vec<_> = rows.iter().map(|e| e.origin.locator.path.as_str()).collect();
        assert_eq!(paths, [r"C:\dir\a", r"C:\dir\a", r"C:\dir\b"]);
        assert_eq!(rows[0].values.get("links").unwrap().to_string(), r"\dir\b");
    }

    #[test]
    fn facts_about_forged_times() {
        let second = 10_000_000;
        let mut entry = FileEntry {
            reference: Some(FileReference { record: 40, sequence: 1 }),
            deleted: true,
            standard_information: Some(StandardInformation { times: at(5 * second), ..Default::default() }),
            names: vec![name("a", Namespace::Win32, 9 * second + 1)],
            streams: vec![StreamFacts {
                recoverable: Some(Recoverability::PartlyReused { free: 2, total: 3 }),
                ..StreamFacts::default()
            }],
            owner: Some("S-1-5-18".into()),
            ..FileEntry::default()
        };
        let text = |entry: &FileEntry, field: &str| events(entry)[0].values.get(field).map(ToString::to_string);
        assert_eq!(text(&entry, "created_before_name_seconds").as_deref(), Some("4"));
        assert_eq!(text(&entry, "zero_subseconds").as_deref(), Some("modified; accessed; changed; created"));
        assert_eq!(text(&entry, "recoverable").as_deref(), Some("partly_reused"));
        assert_eq!(text(&entry, "clusters_free").as_deref(), Some("2"));
        assert_eq!((text(&entry, "owner_sid").as_deref(), text(&entry, "owner")), (Some("S-1-5-18"), None));
        entry.standard_information = Some(StandardInformation { times: at(9 * second + 1), ..Default::default() });
        entry.streams[0].recoverable = Some(Recoverability::Free);
        for field in ["created_before_name", "created_before_name_seconds", "zero_subseconds", "clusters_free"] {
            assert_eq!(text(&entry, field), None, "{field}");
        }
    }

    /// A record without $STANDARD_INFORMATION gives its names and invents nothing.
    #[test]
    fn no_standard_information() {
        let reference = Some(FileReference { record: 40, sequence: 1 });
        let entry = FileEntry { reference, names: vec![name("a", Namespace::Posix, 1)], ..FileEntry::default() };
        assert_eq!(events(&entry).len(), 1);
    }

    /// Seven days to three tenths of a second, in whole tenths; folders have no stamp of their own.
    #[test]
    fn the_seven_day_stamp() {
        let day = 24 * 3600 * TICKS_PER_SECOND;
        let stamped = |ticks: u64, directory: bool| {
            let entry = FileEntry {
                directory,
                reference: Some(FileReference { record: 40, sequence: 1 }),
                standard_information: Some(StandardInformation { times: at(1), ..Default::default() }),
                names: vec![name("a.exe", Namespace::Win32, 1)],
                ..FileEntry::default()
            };
            let rows = events_in(&entry, Some(Timestamp::from_filetime(1 + ticks)));
            rows[0].values.get("seven_days_before_folder").is_some()
        };
        assert!(stamped(7 * day, false) && !stamped(7 * day, true));
        assert!(stamped(7 * day - 3_000_000, false) && !stamped(7 * day - 3_000_001, false));
        assert!(stamped(7 * day + 2_999_999, false) && !stamped(7 * day + 3_000_000, false));
        assert!(!stamped(0, false));
    }

    #[test]
    fn reparse_points_by_name() {
        assert_eq!(reparse_kind(0xa000_0003, Some(r"C:\Users")), Some("junction"));
        assert_eq!(reparse_kind(0xa000_0003, Some(r"\??\Volume{01234567-89ab}\")), Some("mount_point"));
        assert_eq!(reparse_kind(0xa000_000c, Some("x")), Some("symlink"));
        for cloud in [0x9000_001a, 0x9000_601a, 0x9000_f01a] {
            assert_eq!(reparse_kind(cloud, None), Some("cloud"));
        }
        assert_eq!(reparse_kind(0x1234, None), None);
    }

    /// A record that was freed long ago and has no name.
    #[test]
    fn without_a_name_there_is_no_path() {
        let entry = FileEntry {
            reference: Some(FileReference { record: 16, sequence: 16 }),
            standard_information: Some(StandardInformation { times: at(1), ..Default::default() }),
            ..FileEntry::default()
        };
        assert_eq!(events(&entry)[0].values.get("path"), None);
    }

    /// A folder's copy has no times and no $FILE_NAME.
    #[test]
    fn a_copy_is_one_undated_row() {
        let entry = FileEntry { names: vec![name("a", Namespace::Win32, 1)], ..FileEntry::default() };
        let rows = events(&entry);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].time, rows[0].origin.offset), (None, None));
    }
}
