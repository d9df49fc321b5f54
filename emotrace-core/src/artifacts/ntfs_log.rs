//! `$LogFile`: files made, freed, named, renamed and given other times, in the order in which NTFS did it.

use super::artifact::{Artifact, ArtifactError, Completion, Out, Reads, Record, VolumeInput};
use crate::bytes::{ReadAt, Window, read_up_to};
use crate::formats::index;
use crate::formats::log_file::{Change, LogFile, Place, operation};
use crate::formats::mft::{self, FileNameAttribute, attribute_type};
use crate::formats::ntfs_boot::{BOOT_SECTOR_LEN, BootSector};
use crate::model::{Descriptor, Field, FileReference, Host, Kind, Loss, MacbTimes, Namespace, State, Timestamp};

/// The artifact.
pub(super) static ARTIFACT: Artifact = Artifact {
    name: "ntfs_log",
    doc: "\
NTFS writes each change to its own structures into $LogFile before it makes it, with what is needed to redo and to undo it. \
From that come here: MFT records that were made and freed, names that were added to and taken out of folders and records \
(creation, deletion, rename, move), and changes to the four times of $STANDARD_INFORMATION with the values before and after. It is read \
only when it is asked for: --artifact ntfs_log, or --artifact all.

It proves that the change was made on this volume, in the order of the log sequence numbers (LSN), also where the file, its MFT \
record and the change journal are gone or were tidied. A time that was set backwards shows with its old value.

It does not tell when: records of the log have no time. The events here are undated; the field lsn orders them, and the fields \
dated_before and dated_after hold the times that the nearest changes before and behind wrote of themselves: between them it was \
made, unless the clock or those times were set. The other times are those that the change itself wrote. Paths are put together \
from folders as they are today. A change may have been undone again.

It is written round and round: 64 MiB on most volumes, hours on a busy system volume, longer on others.",
    references: &[
        "B. Carrier, File System Forensic Analysis, chapter 12 ($LogFile)",
        "The linux-ntfs project, NTFS documentation, $LogFile",
    ],
    emits: &[&CREATED, &FREED, &NAME, &TIMES],
    reads: Reads::Volume { parse },
};

const LSN: Field = Field::new("lsn", Kind::Number, "Log sequence number: the order of the changes.");
const PREVIOUS: Field = Field::new("previous_lsn", Kind::Number, "The change of the same transaction before it.");
const TRANSACTION: Field = Field::new("transaction", Kind::Number, "Transaction, re-used when it has ended.");
const REFERENCE: Field = Field::new(
    "file_reference",
    Kind::Text,
    "MFT record of the file, as record-sequence; 0 where the change does not tell the sequence. Absent where neither $Boot nor the \
     log tells how large clusters and records are.",
);
const DATED_BEFORE: Field = Field::new(
    "dated_before",
    Kind::Time,
    "Time of the nearest change before this one that wrote when it was made (record changed, in $STANDARD_INFORMATION). This one was \
     made then or later, if neither the clock nor that time was set.",
);
const DATED_AFTER: Field = Field::new(
    "dated_after",
    Kind::Time,
    "Time of the nearest change behind this one that wrote when it was made. This one was made then or before, with the same \
     reserve.",
);
const PATH: Field =
    Field::new("path", Kind::Text, "Path by the parent as it is now; absent where that is gone or another one.");
const NAMED: Field = Field::new("name", Kind::Text, "Name of the file.");
const PARENT: Field = Field::new("parent", Kind::Text, "MFT record of the folder, as record-sequence.");
const MODIFIED: Field = Field::new("modified", Kind::Time, "Content modified, as the change wrote it.");
const ACCESSED: Field = Field::new("accessed", Kind::Time, "Last access, as the change wrote it.");
const CHANGED: Field = Field::new("changed", Kind::Time, "MFT record changed, as the change wrote it.");
const MADE: Field = Field::new("created", Kind::Time, "Creation time, as the change wrote it.");

static CREATED: Descriptor = Descriptor {
    name: "windows:ntfs_log:record_made",
    doc: "An MFT record with a name was written anew: a file or folder was created.",
    message: "[{path} ][(record {file_reference}) ]made, LSN {lsn}",
    data_type: None,
    fields: &[
        LSN,
        PREVIOUS,
        TRANSACTION,
        DATED_BEFORE,
        DATED_AFTER,
        REFERENCE,
        PATH,
        NAMED,
        PARENT,
        Field::new("directory", Kind::Bool, "It is a folder."),
        MADE,
        MODIFIED,
        CHANGED,
        ACCESSED,
    ],
};

static FREED: Descriptor = Descriptor {
    name: "windows:ntfs_log:record_freed",
    doc: "An MFT record was freed: a file or folder was deleted.",
    message: "[record {file_reference} ]freed, LSN {lsn}",
    data_type: None,
    fields: &[LSN, PREVIOUS, TRANSACTION, DATED_BEFORE, DATED_AFTER, REFERENCE],
};

static NAME: Descriptor = Descriptor {
    name: "windows:ntfs_log:name",
    doc: "A name was added to or taken out of the index of a folder or a file's MFT record.",
    message: "[{path} ][(record {file_reference})]: name {name} {change} ({structure}), LSN {lsn}",
    data_type: None,
    fields: &[
        LSN,
        PREVIOUS,
        TRANSACTION,
        DATED_BEFORE,
        DATED_AFTER,
        REFERENCE,
        PATH,
        NAMED,
        Field::new("namespace", Kind::Text, "win32, dos, win32+dos or posix."),
        PARENT,
        Field::new("change", Kind::Text, "added or removed."),
        Field::new("structure", Kind::Text, "index (of the folder) or record (of the file)."),
        Field::new("size", Kind::Number, "Length of the main stream in bytes, as the name says."),
        MADE,
        MODIFIED,
        CHANGED,
        ACCESSED,
    ],
};

static TIMES: Descriptor = Descriptor {
    name: "windows:ntfs_log:times",
    doc: "Times of $STANDARD_INFORMATION were written. Only those that the change holds as a whole are given.",
    message: "times[ of record {file_reference}] set[, created {created}][, modified {modified}], LSN {lsn}",
    data_type: None,
    fields: &[
        LSN,
        PREVIOUS,
        TRANSACTION,
        DATED_BEFORE,
        DATED_AFTER,
        REFERENCE,
        MADE,
        MODIFIED,
        CHANGED,
        ACCESSED,
        Field::new("created_before", Kind::Time, "Creation time before the change."),
        Field::new("modified_before", Kind::Time, "Content modified, before the change."),
        Field::new("changed_before", Kind::Time, "MFT record changed, before the change."),
        Field::new("accessed_before", Kind::Time, "Last access, before the change."),
    ],
};

/// Bytes of the head of a resident attribute without a name, as `$STANDARD_INFORMATION` has it.
const ATTRIBUTE_HEADER: usize = 24;

/// What is needed to read a change.
struct Log<'i> {
    input: &'i VolumeInput<'i>,
    sizes: Option<Sizes>,
}

/// Bytes of a cluster and of an MFT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sizes {
    cluster: u32,
    record: u32,
}

fn parse(input: &VolumeInput<'_>, _host: &Host, out: &mut Out<'_>) -> Result<Completion, ArtifactError> {
    let Some(stream) = input.volume.open(r"\$LogFile", "") else { return Ok(Completion::Complete) };
    // Windows makes logs of 64 MiB, and of 4 GiB at most. Where the limit is less, its beginning is read.
    let limit = input.limits.max_whole_file;
    if stream.len() > limit {
        let error = format!("$LogFile is {} bytes long, its first {limit} are read", stream.len());
        out.issue(Some(limit), Loss::Rest, error);
    }
    let len = stream.len().min(limit);
    let stream = Window::new(stream, 0, len);
    let log = match LogFile::open(&stream) {
        Ok(log) => log,
        // Formatters of other systems leave the log empty: Windows begins it anew.
        Err(_) if is_blank(&stream) => return Ok(Completion::Complete),
        Err(error) => return Err(error.into()),
    };
    let mut issues = Vec::new();
    let places = log.places(&mut |error| issues.push(error));
    let boot = boot_sector(input)?.map(|boot| Sizes { cluster: boot.cluster_size, record: boot.record_size });
    let sizes = boot.or_else(|| sizes_by_log(&log, &places));
    if sizes.is_none() {
        let why = "neither $Boot nor the log tells how large clusters and records are: changes to records come without their number";
        out.issue(None, Loss::None, why);
    }
    let view = Log { input, sizes };
    let dates = view.dates(&log, &places);
    for place in places {
        match log.change(&place) {
            Ok(Some(change)) => {
                if let Some(record) = view.record(&change) {
                    let (before, after) = neighbours(&dates, change.lsn);
                    let record = record
                        .set("lsn", change.lsn)
                        .set_some("dated_before", before)
                        .set_some("dated_after", after)
                        .set_some("previous_lsn", Some(change.previous_lsn).filter(|lsn| *lsn != 0))
                        .set("transaction", change.transaction)
                        .at(place.offset);
                    out.give(if place.slack { record.state(State::Slack) } else { record });
                }
            }
            Ok(None) => {}
            // Of a record of an earlier round the end may be written over: that is how the log works.
            Err(_) if is_old(&place, &log) => {}
            Err(error) => issues.push(error),
        }
    }
    issues.iter().for_each(|error| out.issue(Some(error.offset()), Loss::Record, error));
    Ok(Completion::Complete)
}

/// True if the record need not be whole any more, or not yet: behind its page's end, or newer than the restart area knows.
const fn is_old(place: &Place, log: &LogFile<'_>) -> bool {
    place.slack || place.lsn > log.current_lsn
}

fn boot_sector(input: &VolumeInput<'_>) -> Result<Option<BootSector>, ArtifactError> {
    let Some(stream) = input.volume.open(r"\$Boot", "") else { return Ok(None) };
    let mut sector = [0; BOOT_SECTOR_LEN];
    let got = read_up_to(&*stream, 0, &mut sector).map_err(|source| ArtifactError::Read { offset: 0, source })?;
    Ok(BootSector::parse(sector.get(..got).unwrap_or_default(), 0).ok())
}

/// The times of the nearest dated changes before and behind a change. `dates` are in the order of the LSN.
fn neighbours(dates: &[(u64, Timestamp)], lsn: u64) -> (Option<Timestamp>, Option<Timestamp>) {
    let before = dates.partition_point(|(at, _)| *at < lsn).checked_sub(1).and_then(|last| dates.get(last));
    let after = dates.get(dates.partition_point(|(at, _)| *at <= lsn));
    (before.map(|(_, time)| *time), after.map(|(_, time)| *time))
}

/// The sizes of clusters and records, from the records that the log writes anew: each of them tells its own number and size, and
/// the log the place of it. All have to tell the same.
fn sizes_by_log(log: &LogFile<'_>, places: &[Place]) -> Option<Sizes> {
    let mut fits: Option<Vec<Sizes>> = None;
    for place in places.iter().filter(|place| !place.slack) {
        let Ok(Some(change)) = log.change(place) else { continue };
        if change.redo != operation::INITIALIZE_FILE_RECORD {
            continue;
        }
        let mut data = change.redo_data.clone();
        let record = data.get(28..).and_then(|rest| rest.first_chunk()).map_or(0, |raw| u32::from_le_bytes(*raw));
        let Ok(parsed) = mft::Record::parse(&mut data, 0) else { continue };
        // At the beginning of the table, records lie at the same place whatever the size of a cluster is.
        let Some(number) = parsed.header.number.filter(|number| *number != 0 && record != 0 && change.vcn != 0) else {
            continue;
        };
        let fit = |sizes: &Sizes| change.mft_record(sizes.cluster, sizes.record) == Some(number.into());
        fits = Some(match fits {
            Some(known) => known.into_iter().filter(|sizes| sizes.record == record && fit(sizes)).collect(),
            None => {
                let clusters = (9u32..=21).filter_map(|power| 1u32.checked_shl(power));
                clusters.map(|cluster| Sizes { cluster, record }).filter(|sizes| fit(sizes)).collect()
            }
        });
    }
    match fits.as_deref() {
        Some([only]) => Some(*only),
        _ => None,
    }
}

fn is_blank(stream: &dyn ReadAt) -> bool {
    let mut head = [0; 4096];
    let got = read_up_to(stream, 0, &mut head).unwrap_or(0);
    let head = head.get(..got).unwrap_or_default();
    [0u8, 0xff].iter().any(|byte| head.iter().all(|b| b == byte))
}

impl Log<'_> {
    fn record(&self, change: &Change) -> Option<Record> {
        match change.redo {
            operation::INITIALIZE_FILE_RECORD => self.made(change),
            operation::DEALLOCATE_FILE_RECORD => {
                // What undoes it is the head of the record, where the log holds it.
                let sequence = change.undo_data.get(16..).and_then(|rest| rest.first_chunk::<2>());
                let sequence = sequence.map_or(0, |raw| u16::from_le_bytes(*raw));
                Some(Record::new(&FREED).set_some("file_reference", self.reference(change, sequence)))
            }
            operation::ADD_INDEX_ENTRY_ROOT | operation::ADD_INDEX_ENTRY_ALLOCATION => {
                self.index_entry(&change.redo_data, "added")
            }
            operation::DELETE_INDEX_ENTRY_ROOT | operation::DELETE_INDEX_ENTRY_ALLOCATION => {
                self.index_entry(&change.undo_data, "removed")
            }
            operation::CREATE_ATTRIBUTE => self.attribute(change, &change.redo_data, "added"),
            operation::DELETE_ATTRIBUTE => self.attribute(change, &change.undo_data, "removed"),
            operation::UPDATE_RESIDENT_VALUE => self.times(change),
            _ => None,
        }
    }

    /// The changes that wrote when they were made, in the order of the LSN.
    fn dates(&self, log: &LogFile<'_>, places: &[Place]) -> Vec<(u64, Timestamp)> {
        let changes = places.iter().filter_map(|place| log.change(place).ok().flatten());
        changes.filter_map(|change| Some((change.lsn, self.date(&change)?))).collect()
    }

    /// When a change was made, if it wrote that: the time at which NTFS last changed the record.
    fn date(&self, change: &Change) -> Option<Timestamp> {
        match change.redo {
            operation::INITIALIZE_FILE_RECORD => {
                let mut data = change.redo_data.clone();
                let record = mft::Record::parse(&mut data, 0).ok()?;
                let mut found = record.attributes().flatten();
                let information = found.find(|a| a.type_code == attribute_type::STANDARD_INFORMATION)?.resident()?;
                mft::standard_information(information, 0).ok()?.times.changed
            }
            operation::UPDATE_RESIDENT_VALUE => times_in(&change.redo_data, self.place_in_information(change)?).changed,
            _ => None,
        }
    }

    /// Where the changed bytes lie in the value of `$STANDARD_INFORMATION`, if that is what is changed.
    fn place_in_information(&self, change: &Change) -> Option<usize> {
        // It is the first attribute: it begins behind the head and the update sequence of the record. Without sizes a record of
        // 1024 bytes is taken, as nearly all volumes have.
        let words = self.sizes.map_or(1024, |sizes| sizes.record).checked_div(512)?.checked_add(1)?;
        let first = words.checked_mul(2)?.checked_add(48)?.checked_next_multiple_of(8)?;
        if u32::from(change.record_offset) != first {
            return None;
        }
        usize::from(change.attribute_offset).checked_sub(ATTRIBUTE_HEADER)
    }

    fn reference(&self, change: &Change, sequence: u16) -> Option<String> {
        let Sizes { cluster, record } = self.sizes?;
        let record = change.mft_record(cluster, record)?;
        Some(FileReference { record, sequence }.to_string())
    }

    fn made(&self, change: &Change) -> Option<Record> {
        let mut data = change.redo_data.clone();
        let parsed = mft::Record::parse(&mut data, 0).ok()?;
        let sequence = parsed.header.sequence;
        // The record tells its own number, from NTFS 3.1 on.
        let own = parsed.header.number.filter(|number| *number != 0);
        let own = own.map(|number| FileReference { record: number.into(), sequence }.to_string());
        let reference = self.reference(change, sequence).or(own);
        let (mut information, mut name) = (None, None);
        for attribute in parsed.attributes().flatten() {
            match (attribute.type_code, attribute.resident()) {
                (attribute_type::STANDARD_INFORMATION, Some(value)) => {
                    information = mft::standard_information(value, 0).ok();
                }
                // Of several names the first long one counts.
                (attribute_type::FILE_NAME, Some(value)) => {
                    let found = FileNameAttribute::parse(value, 0).ok()?;
                    if name.as_ref().is_none_or(|known| !is_long(known) && is_long(&found)) {
                        name = Some(found);
                    }
                }
                _ => {}
            }
        }
        // Records without a name are formatted ahead of their use, or hold a part of another one.
        let name = name?;
        let times = information.map(|information| information.times).unwrap_or_default();
        let record = Record::new(&CREATED)
            .set_some("file_reference", reference)
            .set_some("path", self.path(&name))
            .set("name", name.name())
            .set("parent", name.parent.to_string())
            .set("directory", parsed.header.is_directory());
        Some(with_times(record, &times))
    }

    fn path(&self, name: &FileNameAttribute<'_>) -> Option<String> {
        let parent = self.input.volume.path_of(name.parent)?;
        Some(format!("{}\\{}", parent.trim_end_matches('\\'), name.name()))
    }

    fn index_entry(&self, data: &[u8], what: &'static str) -> Option<Record> {
        // Other indexes than those of folders have no `$FILE_NAME` in their entries.
        let entry = index::remains(data, 0, 0).into_iter().next()?;
        self.name(Some(entry.reference?.to_string()), entry.key, what, "index")
    }

    fn attribute(&self, change: &Change, data: &[u8], what: &'static str) -> Option<Record> {
        let type_code = u32::from_le_bytes(*data.first_chunk::<4>()?);
        let start = u16::from_le_bytes(*data.get(20..)?.first_chunk::<2>()?);
        let value = (type_code == attribute_type::FILE_NAME).then(|| data.get(usize::from(start)..)).flatten()?;
        self.name(self.reference(change, 0), value, what, "record")
    }

    fn name(&self, file: Option<String>, key: &[u8], what: &'static str, structure: &'static str) -> Option<Record> {
        let name = FileNameAttribute::parse(key, 0).ok()?;
        let record = Record::new(&NAME)
            .set_some("file_reference", file)
            .set_some("path", self.path(&name))
            .set("name", name.name())
            .set("namespace", name.namespace.name())
            .set("parent", name.parent.to_string())
            .set("change", what)
            .set("structure", structure)
            .set("size", name.size);
        Some(with_times(record, &name.times))
    }

    fn times(&self, change: &Change) -> Option<Record> {
        let at = self.place_in_information(change)?;
        let (after, before) = (times_in(&change.redo_data, at), times_in(&change.undo_data, at));
        if after == MacbTimes::default() && before == MacbTimes::default() {
            return None;
        }
        let record = Record::new(&TIMES)
            .set_some("file_reference", self.reference(change, 0))
            .set_some("created_before", before.created)
            .set_some("modified_before", before.modified)
            .set_some("changed_before", before.changed)
            .set_some("accessed_before", before.accessed);
        Some(with_times(record, &after))
    }
}

fn is_long(name: &FileNameAttribute<'_>) -> bool {
    name.namespace != Namespace::Dos
}

/// The times of `$STANDARD_INFORMATION` that a part of it holds as a whole; `at` is the part's place in the value.
fn times_in(part: &[u8], at: usize) -> MacbTimes {
    let time = |place: usize| -> Option<Timestamp> {
        let raw = part.get(place.checked_sub(at)?..)?.first_chunk::<8>()?;
        Timestamp::from_filetime_field(u64::from_le_bytes(*raw))
    };
    MacbTimes { created: time(0), modified: time(8), changed: time(16), accessed: time(24) }
}

fn with_times(record: Record, times: &MacbTimes) -> Record {
    record
        .set_some("created", times.created)
        .set_some("modified", times.modified)
        .set_some("changed", times.changed)
        .set_some("accessed", times.accessed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::artifacts::{Limits, VolumeView};
    use crate::formats::log_file::tests::{Sample, log};
    use crate::formats::ntfs_samples::{self as samples, Head};
    use crate::model::{Collect, Event, Locator};

    struct View {
        log: Vec<u8>,
        boot: bool,
    }

    impl VolumeView for View {
        fn open(&self, path: &str, stream: &str) -> Option<Arc<dyn ReadAt>> {
            let mut boot = vec![0u8; 512];
            boot[3..11].copy_from_slice(b"NTFS    ");
            // Clusters of 1024 bytes, records of one cluster.
            boot[11..14].copy_from_slice(&[0, 2, 2]);
            (boot[40], boot[48], boot[56], boot[64], boot[68]) = (200, 4, 20, 1, 1);
            boot[510..].copy_from_slice(&[0x55, 0xaa]);
            match (path, stream) {
                (r"\$Boot", "") if self.boot => Some(Arc::new(boot)),
                (r"\$LogFile", "") => Some(Arc::new(self.log.clone())),
                _ => None,
            }
        }
        fn path_of(&self, reference: FileReference) -> Option<String> {
            (reference == FileReference { record: 30, sequence: 2 }).then(|| r"C:\dir".to_owned())
        }
    }

    fn run(log: Vec<u8>) -> Collect {
        run_with(View { log, boot: true })
    }

    fn run_with(view: View) -> Collect {
        let mut sink = Collect::default();
        let locator = Arc::new(Locator::default());
        let mut out = Out::new(&mut sink, "ntfs_log", Arc::clone(&locator), State::Live);
        let input = VolumeInput { locator, volume: &view, limits: Limits::default() };
        assert_eq!(parse(&input, &Host::default(), &mut out).unwrap(), Completion::Complete);
        sink
    }

    fn text(event: &Event, field: &str) -> Option<String> {
        event.values.get(field).map(ToString::to_string)
    }

    fn change(redo: u16, redo_data: Vec<u8>, undo_data: Vec<u8>) -> Sample {
        Sample { redo, undo: 0, redo_data, undo_data, at: (0, 0, 0), vcn: 40 }
    }

    #[test]
    fn the_life_of_a_file() {
        let parent = samples::reference(30, 2);
        let name = samples::file_name(parent, "a.exe", 3);
        let mut key = samples::file_name_value(parent, "a.exe", 3);
        for at in [15, 23, 31, 39] {
            key[at] = 1;
        }
        let entry = samples::index_entry(samples::reference(40, 7), Some(&key), None);
        let head = Head { number: 40, sequence: 7, flags: 1, base: 0 };
        let record = samples::record(head, &[samples::standard_information(0x20), name.clone()]);
        let bare = samples::record(head, &[samples::standard_information(0x20)]);
        // Created stays; modified and changed are given as a whole, of accessed one byte.
        let mut times = vec![0; 17];
        (times[7], times[15]) = (1, 1);
        let mut set = change(operation::UPDATE_RESIDENT_VALUE, times, vec![1; 17]);
        set.at = (0x38, 0x18 + 8, 0);
        let mut elsewhere = change(operation::UPDATE_RESIDENT_VALUE, vec![1; 32], vec![]);
        elsewhere.at = (0x98, 0x18, 0);
        let sink = run(log(&[
            change(operation::ADD_INDEX_ENTRY_ALLOCATION, entry.clone(), vec![]),
            change(operation::INITIALIZE_FILE_RECORD, record, vec![]),
            change(operation::INITIALIZE_FILE_RECORD, bare, vec![]),
            set,
            elsewhere,
            change(operation::DELETE_ATTRIBUTE, vec![], name),
            change(operation::DELETE_INDEX_ENTRY_ROOT, vec![], entry),
            change(operation::ADD_INDEX_ENTRY_ROOT, samples::index_entry(5, Some(&[1; 20]), None), vec![]),
            change(operation::DEALLOCATE_FILE_RECORD, vec![], vec![7; 24]),
        ]));
        assert_eq!(sink.issues.len(), 0);
        let names: Vec<_> = sink.events.iter().map(|e| e.descriptor.name.rsplit(':').next().unwrap()).collect();
        assert_eq!(names, ["name", "record_made", "times", "name", "name", "record_freed"]);
        let get = |n: usize, field: &str| text(&sink.events[n], field);
        assert_eq!((get(0, "path").as_deref(), get(0, "change").as_deref()), (Some(r"C:\dir\a.exe"), Some("added")));
        assert_eq!(get(0, "file_reference").as_deref(), Some("40-7"));
        assert_eq!((get(1, "file_reference").as_deref(), get(1, "parent").as_deref()), (Some("40-7"), Some("30-2")));
        assert_eq!((get(2, "created"), get(2, "accessed")), (None, None));
        assert!(get(2, "modified").is_some() && get(2, "changed").is_some() && get(2, "changed_before").is_some());
        assert_eq!((get(3, "structure").as_deref(), get(3, "change").as_deref()), (Some("record"), Some("removed")));
        assert_eq!((get(4, "structure").as_deref(), get(4, "change").as_deref()), (Some("index"), Some("removed")));
        assert_eq!(get(5, "file_reference").as_deref(), Some("40-1799"), "the sequence stands in the undo data");
        assert!(sink.events.iter().all(|e| e.time.is_none()));
        // The record's own time and the one that was set stand between the others.
        assert_eq!((get(0, "dated_before"), get(1, "dated_before")), (None, None));
        assert_eq!(get(0, "dated_after"), get(1, "changed"));
        assert_eq!((get(2, "dated_after"), get(2, "dated_before").is_some()), (None, true));
        assert!((3..6).all(|n| get(n, "dated_before") == get(2, "changed") && get(n, "dated_after").is_none()));
        let order: Vec<u64> = sink.events.iter().map(|e| get_number(e, "lsn")).collect();
        assert!(order.is_sorted());
    }

    /// A log by itself: the records that it writes anew tell the sizes, and where they tell nothing there is no number.
    #[test]
    fn without_a_boot_sector() {
        let made = |number: u32, vcn: u64| {
            let head = Head { number, sequence: 7, flags: 1, base: 0 };
            let name = samples::file_name(samples::reference(30, 2), "a.exe", 3);
            let record = samples::record(head, &[samples::standard_information(0x20), name]);
            Sample { vcn, ..change(operation::INITIALIZE_FILE_RECORD, record, vec![]) }
        };
        let freed = || Sample { vcn: 50, ..change(operation::DEALLOCATE_FILE_RECORD, vec![], vec![]) };
        let references = |sink: &Collect| -> Vec<Option<String>> {
            sink.events.iter().map(|event| text(event, "file_reference")).collect()
        };
        // Record 40 in cluster 10: clusters of 4096 bytes.
        let sink = run_with(View { log: log(&[made(40, 10), freed()]), boot: false });
        assert_eq!(references(&sink), [Some("40-7".to_owned()), Some("200-0".to_owned())]);
        assert_eq!(sink.issues.len(), 0);
        // Two that contradict each other.
        let sink = run_with(View { log: log(&[made(40, 10), made(41, 10), freed()]), boot: false });
        assert_eq!(references(&sink), [Some("40-7".to_owned()), Some("41-7".to_owned()), None]);
        assert_eq!(sink.issues.len(), 1);
    }

    fn get_number(event: &Event, field: &str) -> u64 {
        text(event, field).unwrap().parse().unwrap()
    }

    #[test]
    fn an_empty_log_is_no_damage() {
        assert_eq!(run(vec![0xff; 65_536]).issues.len(), 0);
        let sink = run(log(&[]));
        assert_eq!((sink.events.len(), sink.issues.len()), (0, 0));
    }
}
