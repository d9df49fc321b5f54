//! The NTFS change journal: what happened to each file, with the path that it had then.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::{Artifact, ArtifactError, Completion, Out, Reads, Record, VolumeInput, VolumeView};
use crate::bytes::{FormatError, ReadAt, read_up_to};
use crate::formats::usn::{self, Records, UsnRecord};
use crate::model::{Descriptor, Field, FileReference, Host, Kind, Locator, Loss, Meaning, SmolStr, Value};

/// The NTFS change journal.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "usn_journal",
    doc: "\
The change journal of an NTFS volume ($Extend\\$UsnJrnl, stream $J). For each file or directory that is changed, Windows adds \
a record with its name, its directory, the time and the kind of change: created, written, renamed, deleted, attributes or \
security changed. Between the opening and the closing of a file the reasons add up; the record with CLOSE sums them.

It proves that a file of that name lay in that directory at that time and was changed in that way, also when nothing else is \
left of it. The path here is the one of that time: it is put together from the MFT and from what the journal itself says of \
directories that were renamed, moved or deleted later; the sequence numbers of the records keep a deleted directory apart from \
a new one in the same place.

It does not prove who made the change or by which program, and it holds no content. A path below $Orphan begins at a directory \
of which neither the MFT nor the journal knows any more where it lay. A change of the clock shows as times that run backwards \
while the numbers go up.

It is kept on the system volume by default, some 32 MiB, older records are dropped: days on a busy system, weeks on a quiet \
one. It can be deleted (fsutil usn deletejournal), which ransomware and cleaners do; then a new one begins.",
    references: &[
        "Microsoft, USN_RECORD_V2, USN_RECORD_V3, USN_RECORD_V4 (winioctl.h)",
        "Microsoft, Change Journals, https://learn.microsoft.com/windows/win32/fileio/change-journals",
    ],
    emits: &[&CHANGE],
    reads: Reads::Volume { parse },
};

static CHANGE: Descriptor = Descriptor {
    name: "windows:usn_journal:change",
    doc: "A file or directory was changed in the ways that the reasons name.",
    message: "[{path} ](record {file_reference}): {reasons}",
    data_type: Some("fs:ntfs:usn_change"),
    fields: &[
        Field::new(
            "path",
            Kind::Text,
            "Path at that time from the root of the volume; below \\$Orphan where a directory of it is not known.",
        ),
        Field::new("name", Kind::Text, "Name at that time. Records of version 4 have none."),
        Field::new(
            "reasons",
            Kind::List,
            "What was changed since the file was opened: names of USN_REASON_* without the prefix.",
        ),
        Field::new(
            "source",
            Kind::List,
            "Who changed it, where it was no usual program: names of USN_SOURCE_* without the prefix.",
        ),
        Field::new("attributes", Kind::List, "File attributes: names of FILE_ATTRIBUTE_* without the prefix."),
        Field::new("file_reference", Kind::Text, "MFT record of the file as record-sequence."),
        Field::new("parent_reference", Kind::Text, "MFT record of the directory as record-sequence."),
        Field::new("usn", Kind::Number, "Update sequence number: the record's offset as Windows counts it."),
        Field::new("security_id", Kind::Number, "Key into $Secure, where it is filled in."),
        Field::new(
            "created_before_journal_seconds",
            Kind::Number,
            "At the record of a file's creation: $STANDARD_INFORMATION says today that the file was created so many whole seconds \
             before this record was written. Forging does that; so do programs that carry times over, and Windows where a file of the \
             same name was deleted or renamed less than 15 seconds before (tunneling).",
        ),
        Field::new(
            "created_after_journal_seconds",
            Kind::Number,
            "The same, for a creation time after this record: the clock was set back between, or the time was forged.",
        ),
        Field::new(
            "extents",
            Kind::List,
            "Stretches of the file that were changed: offset and length in bytes (version 4).",
        ),
    ],
};

const PATH: &str = "\\$Extend\\$UsnJrnl";
const STREAM: &str = "$J";
const ROOT: u64 = 5;
const ORPHAN: &str = "\\$Orphan";
/// Bytes that are read at once.
const WINDOW: u64 = 1 << 20;
/// Bytes that are given up at once where reading fails.
const PAGE: u64 = 4096;
/// Bound on what is remembered of directories: some 100 MB.
const MAX_STATES: usize = 1 << 20;
/// Bounds on a path: one that is longer goes round in circles.
const MAX_DEPTH: usize = 1024;
const MAX_PATH: usize = 32_767;
/// Bounds on the caches; a full one starts anew.
const MAX_KNOWN_BYTES: usize = 64 << 20;
const MAX_NOW: usize = 1 << 20;
/// Reasons of the first record of a new file.
const FILE_CREATE: u32 = 0x100;
/// Seconds by which the creation time of a file and the time of its first record may differ: the one is written a little later.
const CREATION_SLACK: u64 = 2;
const TICKS_PER_SECOND: u64 = 10_000_000;
/// Issues that are given one by one; the others are counted.
const MAX_ISSUES: u64 = 1000;

fn parse(input: &VolumeInput<'_>, _: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let Some(journal) = input.volume.open(PATH, STREAM) else { return Ok(Completion::NotThisFormat) };
    out.enter(Arc::new(Locator {
        path: PATH.to_owned(),
        stream: Some(STREAM.to_owned()),
        record: None,
        ..(*input.locator).clone()
    }));
    let ranges = input.volume.allocated_ranges(PATH, STREAM);
    let ranges = merged(ranges.unwrap_or_else(|| vec![(0, journal.len())]), journal.len());

    let mut history = History::default();
    walk(&*journal, &ranges, &mut |found| {
        if let Ok(record) = found {
            history.learn(&record);
        }
    });
    if history.full {
        out.issue(None, Loss::None, "more directories were changed than are remembered: later paths may be today's");
    }
    let mut paths = Paths::new(&history, input.volume);
    let mut issues = 0u64;
    walk(&*journal, &ranges, &mut |found| match found {
        Ok(record) => out.give(event(&record, &mut paths)),
        Err(error) => {
            issues = issues.saturating_add(1);
            if issues <= MAX_ISSUES {
                out.issue(Some(error.offset()), Loss::Record, error);
            }
        }
    });
    if issues > MAX_ISSUES {
        let more = issues.saturating_sub(MAX_ISSUES);
        out.issue(None, Loss::Record, format!("{more} more stretches could not be read"));
    }
    Ok(Completion::Complete)
}

fn event(record: &UsnRecord<'_>, paths: &mut Paths<'_>) -> Record {
    let name = record.name();
    let path = name.as_deref().map(|name| paths.file(record.parent, name, record.offset));
    let names = |names: &mut dyn Iterator<Item = Cow<'static, str>>| names.map(Value::from).collect::<Vec<_>>();
    let some = |list: Vec<Value>| (!list.is_empty()).then_some(list);
    let attributes = record.attributes.map(|bits| names(&mut usn::attribute_names(bits)));
    let extents: Vec<Value> = record.extents().map(extent).collect();
    let (before, after) = creation_differs(record, paths.volume);
    Record::new(&CHANGE)
        .push_some("path", path)
        .push_some("name", name)
        .push("reasons", names(&mut usn::reason_names(record.reason)))
        .push_some("source", some(names(&mut usn::source_names(record.source))))
        .push_some("attributes", attributes.and_then(some))
        .push("file_reference", record.reference)
        .push("parent_reference", record.parent)
        .push("usn", record.usn)
        .push_some("security_id", Some(record.security_id).filter(|id| *id != 0))
        .push_some("created_before_journal_seconds", before)
        .push_some("created_after_journal_seconds", after)
        .push_some("extents", some(extents))
        .time(meaning(record.reason), record.time)
        .at(record.offset)
}

/// At the first record of a new file: whole seconds by which its creation time, as it is now, lies before and after.
fn creation_differs(record: &UsnRecord<'_>, volume: &dyn VolumeView) -> (Option<u64>, Option<u64>) {
    if record.reason != FILE_CREATE {
        return (None, None);
    }
    let Some((then, now)) = record.time.zip(volume.created(record.reference)) else { return (None, None) };
    let (then, now) = (then.filetime(), now.filetime());
    let seconds = |later: u64, earlier: u64| {
        let seconds = later.checked_sub(earlier)?.checked_div(TICKS_PER_SECOND)?;
        (seconds >= CREATION_SLACK).then_some(seconds)
    };
    (seconds(then, now), seconds(now, then))
}

fn extent((offset, length): (u64, u64)) -> Value {
    Value::Map(vec![("offset".into(), offset.into()), ("length".into(), length.into())])
}

/// What the reasons say in the timeline's words.
fn meaning(reason: u32) -> Meaning {
    let words = [
        (0x0000_0100, Meaning::CREATED),
        (0x0000_0200, Meaning::DELETED),
        (0x0000_3000, Meaning::RENAMED),
        (0x0000_0077, Meaning::MODIFIED),
        (0x7fff_cc88, Meaning::CHANGED),
    ];
    let found =
        words.into_iter().filter(|(bits, _)| reason & bits != 0).fold(Meaning::default(), |all, (_, one)| all | one);
    if found == Meaning::default() { Meaning::CHANGED } else { found }
}

/// Sorted, without overlap, inside the stream; neighbours made one.
fn merged(mut ranges: Vec<(u64, u64)>, len: u64) -> Vec<(u64, u64)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (start, length) in ranges {
        let (start, end) = (start.min(len), start.saturating_add(length).min(len));
        match merged.last_mut() {
            Some((_, last)) if *last >= start => *last = end.max(*last),
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// Gives every record and every piece of damage of the ranges (start and end), in order.
fn walk(journal: &dyn ReadAt, ranges: &[(u64, u64)], visit: &mut dyn FnMut(Result<UsnRecord<'_>, FormatError>)) {
    let mut buffer = vec![0; usize::try_from(WINDOW).unwrap_or(0)];
    for &(start, end) in ranges {
        let mut at = start.next_multiple_of(8);
        // Where the last record of this stretch ended, if nothing was lost behind it.
        let mut whole_to: Option<u64> = None;
        while at < end {
            let wanted = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(buffer.len());
            let Some(window) = buffer.get_mut(..wanted) else { break };
            let n = match read_up_to(journal, at, window) {
                Ok(n) => n,
                // Some page in the window is bad: take the good ones before it.
                Err(error) => match read_good_pages(journal, at, window) {
                    0 => {
                        whole_to = None;
                        let problem = format!("{PAGE} bytes can't be read: {error}");
                        visit(Err(FormatError::Other { what: "change journal", offset: at, problem }));
                        at = (at | PAGE.saturating_sub(1)).saturating_add(1);
                        continue;
                    }
                    n => n,
                },
            };
            if n == 0 {
                break;
            }
            let last = n < wanted || at.saturating_add(n as u64) >= end;
            let mut records = Records::new(window.get(..n).unwrap_or_default(), at, last);
            while let Some(found) = records.next() {
                if let (Ok(record), Some(end)) = (&found, whole_to)
                    && let Some(error) = erased(end, record.offset)
                {
                    visit(Err(error));
                }
                whole_to = found.is_ok().then(|| records.offset());
                visit(found);
            }
            // At least one step each round, whatever the bytes are.
            at = records.offset().max(at.saturating_add(8));
        }
    }
}

/// The fault if there are more zeros between two records than Windows leaves: it leaves them at the end of a page, less than
/// a page long.
fn erased(end: u64, next: u64) -> Option<FormatError> {
    let zeros = next.saturating_sub(end);
    let usual = zeros == 0 || (zeros < PAGE && next.is_multiple_of(PAGE));
    let problem = || format!("{zeros} zeros lie between two records: what stood there is lost");
    (!usual).then(|| FormatError::Other { what: "change journal", offset: end, problem: problem() })
}

/// Reads page by page up to the first one that fails, and returns how many bytes that gave.
fn read_good_pages(journal: &dyn ReadAt, at: u64, window: &mut [u8]) -> usize {
    let mut done = 0usize;
    while let Some(rest) = window.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = at.saturating_add(done as u64);
        let to_page_end = PAGE.saturating_sub(at % PAGE);
        let n = rest.len().min(usize::try_from(to_page_end).unwrap_or(usize::MAX));
        match rest.get_mut(..n).map(|page| read_up_to(journal, at, page)) {
            Some(Ok(read)) if read > 0 => done = done.saturating_add(read),
            _ => break,
        }
    }
    done
}

/// Name and place of a directory from one record of the journal on.
struct State {
    /// Offset of that record.
    from: u64,
    name: Box<str>,
    parent: FileReference,
    /// The record says that it bore another name before.
    renamed: bool,
}

/// What the journal itself says of directories, by record and sequence, in the order of the journal.
#[derive(Default)]
struct History {
    directories: HashMap<FileReference, Vec<State>>,
    states: usize,
    full: bool,
}

impl History {
    fn learn(&mut self, record: &UsnRecord<'_>) {
        if !record.is_directory() {
            return;
        }
        let Some(name) = record.name() else { return };
        let states = self.directories.entry(record.reference).or_default();
        if states.last().is_some_and(|last| *last.name == *name && last.parent == record.parent) {
            return;
        }
        if self.states >= MAX_STATES {
            self.full = true;
            return;
        }
        self.states = self.states.saturating_add(1);
        let renamed = record.reason & 0x2000 != 0;
        states.push(State { from: record.offset, name: name.into(), parent: record.parent, renamed });
    }

    /// The state at a place in the journal, and from where to where it holds.
    ///
    /// Before the first record the first one's name held already, unless that one says that it is a new name.
    fn at(&self, reference: FileReference, offset: u64) -> Option<(Option<&State>, u64, u64)> {
        let states = self.directories.get(&reference).filter(|states| !states.is_empty())?;
        let next = states.partition_point(|state| state.from <= offset);
        let until = states.get(next).map_or(u64::MAX, |state| state.from);
        match next.checked_sub(1).and_then(|last| states.get(last)) {
            Some(state) => Some((Some(state), state.from, until)),
            None => Some((states.first().filter(|first| !first.renamed), 0, until)),
        }
    }
}

/// Paths of directories at a place in the journal.
struct Paths<'a> {
    history: &'a History,
    volume: &'a dyn VolumeView,
    /// Paths that were put together, as output shows them, each with the stretch of the journal in which it holds.
    known: HashMap<FileReference, (u64, u64, Arc<str>)>,
    known_bytes: usize,
    /// The path that was put together last.
    path: String,
    /// Names and parents in the MFT.
    now: HashMap<FileReference, Option<(String, FileReference)>>,
}

impl<'a> Paths<'a> {
    fn new(history: &'a History, volume: &'a dyn VolumeView) -> Self {
        Self { history, volume, known: HashMap::new(), known_bytes: 0, path: String::new(), now: HashMap::new() }
    }

    /// Path of a file as output shows it.
    fn file(&mut self, parent: FileReference, name: &str, offset: u64) -> SmolStr {
        let directory = self.directory(parent, offset);
        self.path.clear();
        self.path.extend([&*directory, "\\", name]);
        SmolStr::new(&self.path)
    }

    /// Path of a directory as output shows it, without a `\` at its end.
    fn directory(&mut self, reference: FileReference, offset: u64) -> Arc<str> {
        if let Some((from, until, path)) = self.known.get(&reference)
            && (*from..*until).contains(&offset)
        {
            return Arc::clone(path);
        }
        let (from, until, path) = self.find(reference, offset);
        let path: Arc<str> = self.volume.display_path(&path).into();
        let cost = path.len().saturating_add(100);
        if self.known_bytes.saturating_add(cost) > MAX_KNOWN_BYTES {
            self.known.clear();
            self.known_bytes = 0;
        }
        self.known_bytes = self.known_bytes.saturating_add(cost);
        self.known.insert(reference, (from, until, Arc::clone(&path)));
        path
    }

    /// Path from the root, which itself is empty, and from where to where in the journal it holds.
    fn find(&mut self, reference: FileReference, offset: u64) -> (u64, u64, String) {
        let history = self.history;
        let (mut from, mut until) = (0, u64::MAX);
        let mut names: Vec<Cow<'_, str>> = Vec::new();
        let mut at = reference;
        let mut len = 0usize;
        let root = loop {
            if at.record == ROOT {
                break String::new();
            }
            let (name, parent) = match history.at(at, offset) {
                Some((state, since, to)) => {
                    (from, until) = (since.max(from), to.min(until));
                    let Some(state) = state else { break ORPHAN.to_owned() };
                    (Cow::Borrowed(&*state.name), state.parent)
                }
                None => match self.name_now(at) {
                    Some((name, parent)) => (Cow::Owned(name), parent),
                    // The volume may know the path as a whole.
                    None => match self.volume.path_of(at) {
                        Some(path) => break path.trim_end_matches('\\').to_owned(),
                        None => break ORPHAN.to_owned(),
                    },
                },
            };
            len = len.saturating_add(name.len());
            names.push(name);
            at = parent;
            if names.len() > MAX_DEPTH || len > MAX_PATH {
                names.clear();
                break ORPHAN.to_owned();
            }
        };
        let path = names.iter().rev().fold(root, |path, name| path + "\\" + name);
        (from, until, path)
    }

    fn name_now(&mut self, reference: FileReference) -> Option<(String, FileReference)> {
        if self.now.len() >= MAX_NOW {
            self.now.clear();
        }
        let volume = self.volume;
        self.now.entry(reference).or_insert_with(|| volume.name_of(reference)).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::Limits;
    use crate::model::{Collect, Event, State as EventState, Timestamp};

    /// A volume with a journal and a few directories.
    #[derive(Default)]
    struct Volume {
        journal: Vec<u8>,
        names: HashMap<FileReference, (String, FileReference)>,
        ranges: Option<Vec<(u64, u64)>>,
        /// Pages of the journal that can't be read.
        bad: Vec<u64>,
        created: HashMap<FileReference, u64>,
    }

    struct Journal {
        bytes: Vec<u8>,
        bad: Vec<u64>,
        allowed: Option<Vec<(u64, u64)>>,
    }

    impl ReadAt for Journal {
        fn len(&self) -> u64 {
            self.bytes.len() as u64
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
            let end = offset + buf.len() as u64;
            if self.bad.iter().any(|page| page * PAGE < end && (page + 1) * PAGE > offset) {
                return Err(std::io::Error::other("bad sector"));
            }
            if let Some(allowed) = &self.allowed {
                assert!(allowed.iter().any(|(at, len)| *at <= offset && end <= at + len), "a hole was read");
            }
            self.bytes.read_at(offset, buf)
        }
    }

    impl VolumeView for Volume {
        fn open(&self, path: &str, stream: &str) -> Option<Arc<dyn ReadAt>> {
            assert_eq!((path, stream), ("\\$Extend\\$UsnJrnl", "$J"));
            let (bytes, bad, allowed) = (self.journal.clone(), self.bad.clone(), self.ranges.clone());
            (!bytes.is_empty()).then(|| Arc::new(Journal { bytes, bad, allowed }) as Arc<dyn ReadAt>)
        }
        fn path_of(&self, reference: FileReference) -> Option<String> {
            (reference == at(900, 1)).then(|| "\\whole\\path".to_owned())
        }
        fn name_of(&self, reference: FileReference) -> Option<(String, FileReference)> {
            self.names.get(&reference).cloned()
        }
        fn allocated_ranges(&self, _: &str, _: &str) -> Option<Vec<(u64, u64)>> {
            self.ranges.clone()
        }
        fn created(&self, reference: FileReference) -> Option<Timestamp> {
            self.created.get(&reference).map(|ticks| Timestamp::from_filetime(*ticks))
        }
    }

    const fn at(record: u64, sequence: u16) -> FileReference {
        FileReference { record, sequence }
    }

    const ROOT_DIRECTORY: FileReference = at(ROOT, 5);
    const CREATE: u32 = 0x100;
    const DELETE: u32 = 0x200;
    const OLD: u32 = 0x1000;
    const NEW: u32 = 0x2000;

    /// A record of version 2; its time is its number.
    fn add(
        journal: &mut Vec<u8>,
        file: FileReference,
        parent: FileReference,
        name: &str,
        reason: u32,
        directory: bool,
    ) {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let len = (60 + name.len()).next_multiple_of(8);
        let start = journal.len();
        journal.extend((len as u32).to_le_bytes());
        journal.extend([2, 0, 0, 0]);
        for reference in [file, parent] {
            journal.extend((reference.record | u64::from(reference.sequence) << 48).to_le_bytes());
        }
        journal.extend((start as u64).to_le_bytes());
        journal.extend((1 + start as u64).to_le_bytes());
        for field in [reason, 0, 0, if directory { 0x10 } else { 0x20 }] {
            journal.extend(field.to_le_bytes());
        }
        journal.extend((name.len() as u16).to_le_bytes());
        journal.extend(60u16.to_le_bytes());
        journal.extend(name);
        journal.resize(start + len, 0);
    }

    fn run(volume: &Volume) -> (Completion, Collect) {
        let mut sink = Collect::default();
        let input = VolumeInput { locator: Arc::default(), volume, limits: Limits::default() };
        let mut out = Out::new(&mut sink, "usn_journal", Arc::default(), EventState::Live);
        let completion = parse(&input, &Host::default(), &mut out).unwrap();
        (completion, sink)
    }

    fn text(event: &Event, field: &str) -> String {
        event.values.get(field).map(ToString::to_string).unwrap_or_default()
    }

    fn paths(volume: &Volume) -> Vec<String> {
        run(volume).1.events.iter().map(|event| text(event, "path")).collect()
    }

    #[test]
    fn a_record_as_an_event() {
        let mut volume = Volume::default();
        add(&mut volume.journal, at(40, 2), ROOT_DIRECTORY, "a.exe", 0x8000_0102, false);
        let (completion, sink) = run(&volume);
        let event = &sink.events[0];
        assert_eq!((completion, sink.events.len(), sink.issues.len()), (Completion::Complete, 1, 0));
        assert_eq!(event.message(), r"\a.exe (record 40-2): DATA_EXTEND; FILE_CREATE; CLOSE");
        assert_eq!(event.meaning, Meaning::CREATED | Meaning::MODIFIED);
        assert_eq!((event.time.unwrap().filetime(), event.origin.offset), (1, Some(0)));
        assert_eq!(event.origin.locator.to_string(), r" \$Extend\$UsnJrnl:$J");
        assert_eq!((text(event, "parent_reference"), text(event, "attributes")), ("5-5".into(), "ARCHIVE".into()));
        for absent in ["source", "security_id", "extents"] {
            assert_eq!(event.values.get(absent), None);
        }
    }

    /// Told once for each file, at the record of its creation, and by its record and sequence.
    #[test]
    fn a_creation_time_that_the_journal_contradicts() {
        let mut volume = Volume::default();
        for number in 1..=5 {
            add(&mut volume.journal, at(number, 1), ROOT_DIRECTORY, "x", CREATE, false);
            add(&mut volume.journal, at(number, 1), ROOT_DIRECTORY, "x", CREATE | 1, false);
        }
        // Its records are so young that a time of 20 seconds lies after all of them.
        let created = [(1, 20 * TICKS_PER_SECOND), (2, 200), (3, 2 * TICKS_PER_SECOND - 1)];
        volume.created = created.into_iter().map(|(number, ticks)| (at(number, 1), ticks)).collect();
        volume.created.insert(at(4, 2), 90 * TICKS_PER_SECOND);
        let (_, sink) = run(&volume);
        let found: Vec<(String, String)> = sink
            .events
            .iter()
            .map(|e| (text(e, "created_before_journal_seconds"), text(e, "created_after_journal_seconds")))
            .collect();
        assert_eq!(found[0], (String::new(), "19".to_owned()), "20 s less the record's own 100 ns");
        assert!(found[1..].iter().all(|(before, after)| before.is_empty() && after.is_empty()));
        let mut backdated = Volume::default();
        add(&mut backdated.journal, at(1, 1), ROOT_DIRECTORY, "x", CREATE, false);
        let time = 9 * TICKS_PER_SECOND;
        backdated.journal[32..40].copy_from_slice(&time.to_le_bytes());
        backdated.created.insert(at(1, 1), time - 7 * TICKS_PER_SECOND);
        assert_eq!(text(&run(&backdated).1.events[0], "created_before_journal_seconds"), "7");
    }

    /// Older records have the old path, though the MFT knows the new one only.
    #[test]
    fn a_directory_that_was_renamed_later() {
        let (top, sub, file) = (at(30, 1), at(31, 1), at(40, 1));
        let mut volume = Volume::default();
        volume.names.insert(top, ("innocent".into(), ROOT_DIRECTORY));
        volume.names.insert(sub, ("sub".into(), top));
        let journal = &mut volume.journal;
        add(journal, file, sub, "x", CREATE, false);
        add(journal, top, ROOT_DIRECTORY, "evil", OLD, true);
        add(journal, file, sub, "x", 1, false);
        add(journal, top, ROOT_DIRECTORY, "innocent", NEW, true);
        add(journal, file, sub, "x", DELETE, false);
        let wanted = [r"\evil\sub\x", r"\evil", r"\evil\sub\x", r"\innocent", r"\innocent\sub\x"];
        assert_eq!(paths(&volume), wanted);
    }

    #[test]
    fn a_directory_that_was_moved_and_one_that_was_deleted() {
        let (from, to, moved, file) = (at(30, 1), at(31, 1), at(32, 7), at(40, 1));
        let mut volume = Volume::default();
        volume.names.insert(from, ("from".into(), ROOT_DIRECTORY));
        volume.names.insert(to, ("to".into(), ROOT_DIRECTORY));
        // The record of the moved directory is in use again, with the next sequence number.
        volume.names.insert(at(32, 8), ("new".into(), ROOT_DIRECTORY));
        let journal = &mut volume.journal;
        add(journal, file, moved, "x", CREATE, false);
        add(journal, moved, from, "d", OLD, true);
        add(journal, moved, to, "d", NEW, true);
        add(journal, file, moved, "x", DELETE, false);
        add(journal, moved, to, "d", DELETE, true);
        add(journal, at(41, 1), at(32, 8), "y", CREATE, false);
        let wanted = [r"\from\d\x", r"\from\d", r"\to\d", r"\to\d\x", r"\to\d", r"\new\y"];
        assert_eq!(paths(&volume), wanted);
    }

    /// What can't be known is not invented.
    #[test]
    fn unknown_directories() {
        let mut volume = Volume::default();
        let journal = &mut volume.journal;
        add(journal, at(40, 1), at(77, 3), "x", CREATE, false);
        add(journal, at(40, 1), at(900, 1), "x", CREATE, false);
        // The record before the rename, with the old name, is gone.
        add(journal, at(40, 1), at(50, 1), "x", CREATE, false);
        add(journal, at(50, 1), ROOT_DIRECTORY, "after", NEW, true);
        add(journal, at(40, 1), at(50, 1), "x", DELETE, false);
        let wanted = [r"\$Orphan\x", r"\whole\path\x", r"\$Orphan\x", r"\after", r"\after\x"];
        assert_eq!(paths(&volume), wanted);
    }

    /// Directories that lie in each other end, in time and in memory.
    #[test]
    fn circles_end() {
        let mut volume = Volume::default();
        add(&mut volume.journal, at(30, 1), at(31, 1), "a", CREATE, true);
        add(&mut volume.journal, at(31, 1), at(30, 1), "b", CREATE, true);
        add(&mut volume.journal, at(40, 1), at(31, 1), "x", CREATE, false);
        assert_eq!(paths(&volume)[2], r"\$Orphan\x");
    }

    #[test]
    fn only_what_is_allocated_is_read() {
        let mut volume = Volume { journal: vec![0; 1 << 16], ..Volume::default() };
        add(&mut volume.journal, at(40, 1), ROOT_DIRECTORY, "x", CREATE, false);
        let len = volume.journal.len() as u64;
        volume.ranges = Some(vec![(1 << 16, len - (1 << 16))]);
        let (_, sink) = run(&volume);
        assert_eq!(sink.events[0].origin.offset, Some(1 << 16));
        volume.ranges = None;
        assert_eq!(run(&volume).1.events, sink.events, "the same with the hole read as zeros");
    }

    #[test]
    fn ranges_are_put_in_order() {
        assert_eq!(merged(vec![(20, 10), (0, 5), (25, 10), (5, 1)], 32), [(0, 6), (20, 32)]);
        assert_eq!(merged(vec![(u64::MAX, 1), (4, u64::MAX)], 10), [(4, 10)]);
    }

    /// A bad page costs the records on it.
    #[test]
    fn bad_pages_are_reported_and_passed() {
        let mut volume = Volume { bad: vec![2], ..Volume::default() };
        while volume.journal.len() < 5 * PAGE as usize {
            add(&mut volume.journal, at(40, 1), ROOT_DIRECTORY, "xx", CREATE, false);
        }
        let (completion, sink) = run(&volume);
        let offsets: Vec<u64> = sink.events.iter().map(|event| event.origin.offset.unwrap()).collect();
        assert_eq!(offsets, (0..volume.journal.len() as u64).step_by(64).filter(|o| o / PAGE != 2).collect::<Vec<_>>());
        assert_eq!((completion, sink.issues.len(), sink.issues[0].offset), (Completion::Complete, 1, Some(2 * PAGE)));
    }

    /// A page that is zeros, and a sector of one: the records behind it are found, and it is told that some are lost.
    #[test]
    fn erased_records_are_reported() {
        for (at, len) in [(2 * PAGE, PAGE), (2 * PAGE + 512, 512)] {
            let mut volume = Volume::default();
            while volume.journal.len() < 5 * PAGE as usize {
                add(&mut volume.journal, at_record(), ROOT_DIRECTORY, "xx", CREATE, false);
            }
            let whole = run(&volume).1;
            assert_eq!(whole.issues, []);
            volume.journal[at as usize..(at + len) as usize].fill(0);
            let (_, sink) = run(&volume);
            assert_eq!(sink.events.len() as u64, whole.events.len() as u64 - len / 64);
            let told: Vec<_> = sink.issues.iter().map(|issue| (issue.offset, issue.loss)).collect();
            assert_eq!(told, [(Some(at), Loss::Record)]);
        }
    }

    fn at_record() -> FileReference {
        at(40, 1)
    }

    #[test]
    fn no_journal() {
        assert_eq!(run(&Volume::default()).0, Completion::NotThisFormat);
    }

    #[test]
    fn every_reason_has_a_meaning() {
        assert_eq!(meaning(0x8000_0000), Meaning::CHANGED);
        assert_eq!(meaning(OLD), Meaning::RENAMED);
        assert_eq!(meaning(0x200 | 0x800), Meaning::DELETED | Meaning::CHANGED);
        for bit in 0..32 {
            assert_ne!(meaning(1 << bit), Meaning::default());
        }
    }
}
