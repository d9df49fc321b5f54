//! NTFS: the volume, its files live and deleted, their streams, and their paths.
//!
//! The walk reads `$MFT` once from its beginning to its end. Beside that a directory is read at most once, when a child asks
//! for its name before the walk has met it, and an extension record when its base is read. Memory grows with the number
//! of directories, not of files.

mod bitmap;
mod directory;
mod extend;
mod open;
mod paths;
mod reader;
mod records;
mod secure;
mod slack;
mod table;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, OnceLock};

pub use open::NtfsError;
pub use reader::{AttributeReader, Extent, Place};

use self::bitmap::{Bitmap, RecordsInUse};
use self::directory::Upcase;
use self::paths::{Paths, ROOT};
use self::records::{Claims, Draft, Issues};
use self::secure::Owners;
use self::table::Table;
use super::{FileSystem, FileSystemFacts, FileSystemIssue, Registers};
use crate::bytes::{ReadAt, read_exact_at, read_up_to};
use crate::formats::mft::{Record, RecordHeader, ReparsePoint, attribute_type};
use crate::formats::ntfs_boot::BootSector;
use crate::formats::wof;
use crate::model::{FileEntry, FileReference, Loss, SlackName, Timestamp};

/// Records of one part of the walk.
const RECORDS_PER_PART: u64 = 4096;
/// Bytes of `$MFT` that are read at once.
const READ_LEN: u64 = 1 << 20;
/// Records before this one are the file system's own or reserved for it.
const FIRST_USER_RECORD: u64 = 24;
/// Longest reparse point of a file that the overlay filter compresses; Windows writes 24 bytes.
const MAX_WOF_POINT: u64 = 1024;

/// An NTFS volume, opened for reading.
///
/// All reading is positional: one volume serves many threads.
pub struct NtfsVolume {
    source: Arc<dyn ReadAt>,
    boot: BootSector,
    mft: AttributeReader,
    records: u64,
    facts: FileSystemFacts,
    issues: Vec<FileSystemIssue>,
    paths: Paths,
    upcase: OnceLock<Upcase>,
    owners: OnceLock<Owners>,
    bitmap: OnceLock<Option<Bitmap>>,
    records_in_use: OnceLock<RecordsInUse>,
    /// Only `$MFT` is at hand.
    table: Option<Table>,
}

impl NtfsVolume {
    /// The boot sector, or its copy at the end of the volume if the first is damaged. `None` where only `$MFT` is at hand.
    pub const fn boot_sector(&self) -> Option<&BootSector> {
        if self.table.is_some() { None } else { Some(&self.boot) }
    }

    /// Opens any attribute of an entry by its type code ([`attribute_type`]) and name, compressed ones as their content.
    ///
    /// # Errors
    /// `NotFound` if there is no such attribute, `Unsupported` if it is encrypted, or a read error.
    pub fn open_attribute(&self, entry: &FileEntry, type_code: u32, name: &str) -> io::Result<AttributeReader> {
        self.attribute(entry.reference.ok_or(io::ErrorKind::InvalidInput)?, type_code, name)
    }

    /// The path of a live record by its primary name, if the sequence number fits.
    pub fn path_of(&self, reference: FileReference) -> Option<String> {
        let entry = self.entry_of(reference).ok().filter(|entry| !entry.deleted)?;
        entry.primary_name().map(|name| name.path.clone())
    }

    /// The content of a file that Windows' overlay filter (CompactOS) keeps compressed in a stream of its own.
    fn open_overlay(&self, entry: &FileEntry) -> io::Result<Arc<dyn ReadAt>> {
        let point = self.open_attribute(entry, attribute_type::REPARSE_POINT, "")?;
        let mut value = vec![0; usize::try_from(point.len().min(MAX_WOF_POINT)).unwrap_or_default()];
        let got = read_up_to(&point, 0, &mut value)?;
        let unsupported = |error| io::Error::new(io::ErrorKind::Unsupported, error);
        let point = ReparsePoint::parse(value.get(..got).unwrap_or_default(), 0).map_err(unsupported)?;
        let algorithm = wof::Algorithm::from_reparse_data(point.data).map_err(unsupported)?;
        let stream = self.open_attribute(entry, attribute_type::DATA, wof::STREAM)?;
        let len = entry.main_stream().map_or(0, |main| main.size);
        Ok(Arc::new(wof::reader(stream, algorithm, len)))
    }

    /// The SID of the owner that a security id stands for.
    fn owner(&self, security_id: u32) -> Option<&str> {
        self.owners.get_or_init(|| Owners::read(self)).of(security_id)
    }

    fn upcase(&self) -> &Upcase {
        self.upcase.get_or_init(|| Upcase::read(self))
    }

    fn entry_of(&self, reference: FileReference) -> io::Result<FileEntry> {
        let mut buf = self.record_buffer();
        let record = self.record(reference, &mut buf)?;
        let base = record.header.base;
        if record.header.is_extension()
            && self.extensions_of(base.record).is_some_and(|c| c.hold(reference.record, &record.header))
        {
            let text = format!("record {reference} is an extension record of {base}");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        Ok(self.entry_from(reference.record, &record, &mut |_| ()).entry)
    }

    fn entry_from(&self, number: u64, record: &Record<'_>, issue: Issues<'_>) -> Draft {
        let mut draft = self.draft(number, record, issue);
        // An extension record without a base is what is left of a file that is gone.
        draft.entry.deleted |= record.header.is_extension();
        self.resolve(&mut draft);
        draft
    }
}

impl FileSystem for NtfsVolume {
    fn facts(&self) -> FileSystemFacts {
        self.facts.clone()
    }

    fn issues(&self) -> Vec<FileSystemIssue> {
        self.issues.clone()
    }

    fn parts(&self) -> usize {
        usize::try_from(self.records.div_ceil(RECORDS_PER_PART)).unwrap_or(usize::MAX)
    }

    fn walk(&self, part: usize, visit: &mut dyn FnMut(FileEntry), issue: &mut dyn FnMut(FileSystemIssue)) {
        let first = (part as u64).saturating_mul(RECORDS_PER_PART);
        let end = first.saturating_add(RECORDS_PER_PART).min(self.records);
        Walk { volume: self, visit, issue, claims: None, lost: None }.run(first, end);
    }

    fn open(&self, entry: &FileEntry, stream: &str) -> io::Result<Arc<dyn ReadAt>> {
        if stream.is_empty() && entry.reparse_tag == Some(wof::REPARSE_TAG) {
            return self.open_overlay(entry);
        }
        Ok(Arc::new(self.open_attribute(entry, attribute_type::DATA, stream)?))
    }

    fn folder_modified(&self, folder: FileReference) -> Option<Timestamp> {
        self.directory_modified(folder)
    }

    fn has_content(&self, entry: &FileEntry, stream: &str) -> bool {
        self.is_at_hand(entry, stream)
    }

    fn allocated_ranges(&self, entry: &FileEntry, stream: &str) -> Option<Vec<(u64, u64)>> {
        if stream.is_empty() && entry.reparse_tag == Some(wof::REPARSE_TAG) {
            return None;
        }
        let reader = self.open_attribute(entry, attribute_type::DATA, stream).ok()?;
        let extents = reader.extents().iter().filter(|extent| extent.place != Place::Hole);
        Some(extents.map(|extent| (extent.start, extent.end.saturating_sub(extent.start))).collect())
    }

    fn volume_ranges(&self, entry: &FileEntry, stream: &str) -> Option<Vec<(u64, u64)>> {
        let reader = self.open_attribute(entry, attribute_type::DATA, stream).ok()?;
        let mut ranges = Vec::new();
        for extent in reader.extents() {
            match extent.place {
                Place::Volume(at) => ranges.push((at, extent.end.saturating_sub(extent.start))),
                Place::Hole => {}
                Place::Missing => return None,
            }
        }
        Some(ranges)
    }

    fn lookup(&self, path: &str) -> io::Result<FileEntry> {
        let mut at = FileReference { record: ROOT, sequence: 0 };
        for name in path.split(['\\', '/']).filter(|name| !name.is_empty()) {
            at = self.find(at, name).map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
        }
        let entry = self.entry_of(at)?;
        if entry.deleted {
            let text = format!("{path}: the directory names record {at}, which is not in use");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        Ok(entry)
    }

    fn entry(&self, reference: FileReference) -> io::Result<FileEntry> {
        self.entry_of(reference)
    }

    fn list(&self, directory: &FileEntry) -> io::Result<Vec<FileEntry>> {
        self.read_directory(directory, &mut |_| ())
    }

    fn list_with_issues(
        &self,
        directory: &FileEntry,
        issue: &mut dyn FnMut(FileSystemIssue),
    ) -> io::Result<Vec<FileEntry>> {
        self.read_directory(directory, issue)
    }

    fn registers(&self, issue: &mut dyn FnMut(FileSystemIssue)) -> Registers {
        self.read_registers(issue)
    }

    fn index_times(&self, directory: &FileEntry) -> Vec<(String, Timestamp)> {
        self.directory_times(directory)
    }

    fn index_slack(&self, give: &mut dyn FnMut(SlackName), issue: &mut dyn FnMut(FileSystemIssue)) {
        self.each_slack_name(give, issue);
    }
}

/// The walk over one part.
struct Walk<'w> {
    volume: &'w NtfsVolume,
    visit: &'w mut dyn FnMut(FileEntry),
    issue: Issues<'w>,
    /// The base record that was asked for last: extension records of one file often follow each other.
    claims: Option<(u64, Option<Claims>)>,
    /// Records in a row that were lost for the same reason.
    lost: Option<Lost>,
}

struct Lost {
    first: u64,
    last: u64,
    what: &'static str,
    /// Of the first one.
    error: String,
}

impl Walk<'_> {
    fn run(&mut self, first: u64, end: u64) {
        let record_size = self.volume.record_size().max(1);
        let step = READ_LEN.checked_div(record_size).unwrap_or(0).max(1);
        let mut buf = vec![0; usize::try_from(step.saturating_mul(record_size)).unwrap_or_default()];
        let mut at = first;
        while at < end {
            let count = step.min(end.saturating_sub(at));
            let len = usize::try_from(count.saturating_mul(record_size)).unwrap_or_default();
            let chunk = buf.get_mut(..len).unwrap_or_default();
            let whole = read_exact_at(&self.volume.mft, at.saturating_mul(record_size), chunk).is_ok();
            let size = usize::try_from(record_size).unwrap_or(usize::MAX);
            for (number, bytes) in (at..).zip(chunk.chunks_exact_mut(size)) {
                // Where a chunk can't be read as a whole, its records are read one by one.
                match if whole { Ok(()) } else { self.volume.read_record(number, bytes).map(|_| ()) } {
                    Ok(()) => self.record(number, bytes),
                    Err(error) => self.lose(number, "unreadable", &error.to_string()),
                }
            }
            at = at.saturating_add(count);
        }
        self.report_lost();
    }

    fn record(&mut self, number: u64, bytes: &mut [u8]) {
        if bytes.starts_with(&[0; 4]) && bytes.iter().all(|b| *b == 0) {
            let in_use = self.volume.records_in_use.get_or_init(|| RecordsInUse::read(self.volume));
            // Else it was never used. Formatters reserve the first records without writing them.
            if number >= FIRST_USER_RECORD && in_use.has(number) {
                self.lose(number, "lost", "the record is zeros, but the bitmap of $MFT says that it is in use");
            }
            return;
        }
        let offset = number.saturating_mul(self.volume.record_size());
        if number < 4 && !records::is_whole(bytes) && self.volume.read_mirror(number, bytes) {
            (self.issue)(FileSystemIssue {
                record: Some(number),
                offset: Some(offset),
                loss: Loss::None,
                error: "the record is damaged; its copy in $MFTMirr is used".into(),
            });
        }
        let record = match Record::parse(bytes, offset) {
            Ok(record) => record,
            Err(error) => return self.lose(number, "no MFT record", &error.to_string()),
        };
        let header = record.header;
        if header.is_extension() {
            if self.has_base(number, &header) {
                return;
            }
            if header.in_use() {
                let base = header.base;
                return (self.issue)(FileSystemIssue {
                    record: Some(number),
                    offset: Some(offset),
                    loss: Loss::Record,
                    error: format!("an extension record in use, of which its base record {base} knows nothing"),
                });
            }
        }
        let draft = self.volume.entry_from(number, &record, self.issue);
        // Records are formatted ahead of their use: no attribute, nothing to tell.
        if draft.blank && draft.entry.deleted {
            return;
        }
        // Some formatters leave the number of reserved records at 0.
        if let Some(own) = header.number.filter(|own| *own != 0 && u64::from(*own) != number & 0xffff_ffff) {
            (self.issue)(FileSystemIssue {
                record: Some(number),
                offset: Some(offset),
                loss: Loss::None,
                error: format!("the record says that it is number {own}"),
            });
        }
        (self.visit)(draft.entry);
    }

    /// True if the base of an extension record names it: then it is a part of that entry.
    fn has_base(&mut self, number: u64, header: &RecordHeader) -> bool {
        let base = header.base.record;
        if self.claims.as_ref().is_none_or(|(known, _)| *known != base) {
            self.claims = Some((base, self.volume.extensions_of(base)));
        }
        self.claims.as_ref().and_then(|(_, claims)| claims.as_ref()).is_some_and(|claims| claims.hold(number, header))
    }

    fn lose(&mut self, number: u64, what: &'static str, error: &str) {
        match &mut self.lost {
            Some(lost) if lost.last.checked_add(1) == Some(number) && lost.what == what => lost.last = number,
            _ => {
                self.report_lost();
                self.lost = Some(Lost { first: number, last: number, what, error: error.into() });
            }
        }
    }

    fn report_lost(&mut self) {
        let Some(Lost { first, last, what, error }) = self.lost.take() else { return };
        let error = match last.saturating_sub(first) {
            0 => format!("record {first}: {what}: {error}"),
            _ => format!("records {first} to {last}: {what}: {error}"),
        };
        (self.issue)(FileSystemIssue {
            record: Some(first),
            offset: Some(first.saturating_mul(self.volume.record_size())),
            loss: Loss::Record,
            error,
        });
    }
}
