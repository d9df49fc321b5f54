//! `$LogFile`: the journal by which NTFS undoes and redoes changes to its own structures.
//!
//! Two restart pages, then pages with copies of the newest ones (2, or 32 from version 2.0 on), then the log itself, written
//! round and round. All pages are protected by an update sequence, see [`super::fixup`]. Little-endian.
//!
//! | place | size | field |
//! |---|---|---|
//! | restart page 0 | 4 | `RSTR` |
//! | 16 | 4+4 | bytes of a system page (the second restart page lies there) and of a log page |
//! | 24 | 2 | offset of the restart area |
//! | 26 | 2+2 | minor and major version |
//! | restart area 0 | 8 | newest LSN |
//! | 16 | 4 | bits of an LSN that count the rounds |
//! | 38 | 2 | offset of the data in a log page |
//! | log page 0 | 4 | `RCRD` |
//! | 24 | 2 | offset of the free space in the page |
//! | record 0 | 8+8+8 | LSN; the client's LSNs before it and to undo next |
//! | 24 | 4 | length of the client's data |
//! | 32 | 4 | 1 = a change, 2 = a checkpoint |
//! | 36 | 4 | transaction |
//! | 48 | 2+2 | redo and undo operation |
//! | 52 | 2+2+2+2 | offset and length of the redo and of the undo data, from byte 48 on |
//! | 60 | 2 | target attribute, an index into the open attribute table |
//! | 64 | 2+2 | offset of the record's part, and within that part |
//! | 68 | 2 | offset within the cluster, in 512 bytes |
//! | 72 | 8 | virtual cluster of the target |
//!
//! An LSN tells the place of its record: without the bits that count rounds it is the offset in the file, divided by 8. That makes
//! records recognizable wherever they stand, also those of an earlier round behind a page's end. A record may go on behind the
//! head of the next page.
//!
//! Source: the linux-ntfs project's documentation of `$LogFile`; B. Carrier, File System Forensic Analysis, chapter 12.

use super::fixup;
use crate::bytes::{Cursor, FormatError, ReadAt, read_exact_at};

const RECORD_HEADER: usize = 48;
const CHANGE_HEADER: usize = 32;
/// No change that NTFS logs is longer; most are some hundred bytes.
const MAX_DATA: u64 = 1 << 20;

/// What NTFS does to a structure.
pub mod operation {
    /// A file record is written anew.
    pub const INITIALIZE_FILE_RECORD: u16 = 0x02;
    /// A file record is freed.
    pub const DEALLOCATE_FILE_RECORD: u16 = 0x03;
    /// An attribute is added to a file record.
    pub const CREATE_ATTRIBUTE: u16 = 0x05;
    /// An attribute is taken out of a file record.
    pub const DELETE_ATTRIBUTE: u16 = 0x06;
    /// A value within a file record is changed.
    pub const UPDATE_RESIDENT_VALUE: u16 = 0x07;
    /// An entry is added to the root of an index.
    pub const ADD_INDEX_ENTRY_ROOT: u16 = 0x0c;
    /// An entry is taken out of the root of an index.
    pub const DELETE_INDEX_ENTRY_ROOT: u16 = 0x0d;
    /// An entry is added to a block of an index.
    pub const ADD_INDEX_ENTRY_ALLOCATION: u16 = 0x0e;
    /// An entry is taken out of a block of an index.
    pub const DELETE_INDEX_ENTRY_ALLOCATION: u16 = 0x0f;
}

/// A log that can be read.
pub struct LogFile<'s> {
    source: &'s dyn ReadAt,
    /// Major and minor version: 1.1, or 2.0 from Windows 8 on.
    pub version: (u16, u16),
    /// Newest LSN, as the restart area says.
    pub current_lsn: u64,
    page_size: u64,
    data_offset: usize,
    first_page: u64,
    /// The bits of an LSN that are a place.
    place_mask: u64,
    copies: Vec<PageCopy>,
}

/// A copy of a log page; the newest pages may stand nowhere else yet.
struct PageCopy {
    at: u64,
    target: u64,
    last_end_lsn: u64,
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Log sequence number.
    pub lsn: u64,
    /// Byte offset of its head in the file.
    pub offset: u64,
    /// It stands behind the end of what its page holds: of an earlier round.
    pub slack: bool,
    /// The page that it was found in: of the log, or a copy.
    stored: u64,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Log sequence number.
    pub lsn: u64,
    /// The LSN of the same transaction before it; 0 = none.
    pub previous_lsn: u64,
    /// Transaction.
    pub transaction: u32,
    /// What is done, see [`operation`].
    pub redo: u16,
    /// What undoes it.
    pub undo: u16,
    /// Data for the one.
    pub redo_data: Vec<u8>,
    /// Data for the other.
    pub undo_data: Vec<u8>,
    /// Index into the open attribute table.
    pub target_attribute: u16,
    /// In a file record, where the attribute begins.
    pub record_offset: u16,
    /// Offset within the attribute or the index block.
    pub attribute_offset: u16,
    /// Offset within the cluster, in 512 bytes.
    pub cluster_offset: u16,
    /// Virtual cluster of the target stream.
    pub vcn: u64,
}

impl Change {
    /// Number of the MFT record, for a change to a file record.
    pub fn mft_record(&self, cluster_size: u32, record_size: u32) -> Option<u64> {
        let start = self.vcn.checked_mul(cluster_size.into())?;
        start.checked_add(u64::from(self.cluster_offset).checked_mul(512)?)?.checked_div(record_size.into())
    }
}

impl<'s> LogFile<'s> {
    /// Reads the restart pages. Where both can be read, the newer one counts.
    ///
    /// # Errors
    /// If neither is a restart page.
    pub fn open(source: &'s dyn ReadAt) -> Result<Self, FormatError> {
        let first = Self::restart(source, 0);
        let size = first.as_ref().map_or(4096, |log| log.page_size);
        let mut log = match (first, Self::restart(source, size)) {
            (Ok(first), Ok(second)) => Ok(if second.current_lsn > first.current_lsn { second } else { first }),
            (Ok(log), Err(_)) | (Err(_), Ok(log)) => Ok(log),
            (Err(error), Err(_)) => Err(error),
        }?;
        log.copies = log.find_copies();
        Ok(log)
    }

    /// The pages between the restart pages and the log. In version 1 each names its place in the log; from version 2 on it
    /// follows from the last LSN in it, if that record stands there.
    fn find_copies(&self) -> Vec<PageCopy> {
        let mut page = vec![0; usize::try_from(self.page_size).unwrap_or_default()];
        let mut copies = Vec::new();
        let mut at = self.first_page.saturating_sub(copies_of(self.version.0).saturating_mul(self.page_size));
        while at < self.first_page {
            if self.stored_page(at, &mut page).is_ok_and(|written| written) {
                let (place, last_end_lsn) = (long_at(&page, 8), long_at(&page, 32));
                let target = if self.version.0 < 2 {
                    Some(place)
                } else {
                    self.offset_of(place).and_then(|offset| {
                        let within = offset.checked_rem(self.page_size)?;
                        let there = long_at(&page, usize::try_from(within).ok()?) == place;
                        there.then(|| offset.saturating_sub(within))
                    })
                };
                let target = target.filter(|target| target.checked_rem(self.page_size) == Some(0));
                copies.extend(target.map(|target| PageCopy { at, target, last_end_lsn }));
            }
            at = at.saturating_add(self.page_size);
        }
        copies
    }

    fn restart(source: &'s dyn ReadAt, offset: u64) -> Result<Self, FormatError> {
        let what = "restart page of $LogFile";
        let mut page = vec![0; 4096];
        if read_exact_at(source, offset, &mut page).is_err() {
            return Err(FormatError::Short { what, offset, needed: 4096, available: source.len() });
        }
        if !page.starts_with(b"RSTR") {
            let actual = page.get(..4).unwrap_or_default().to_vec();
            return Err(FormatError::Signature { what, offset, expected: b"RSTR".to_vec(), actual });
        }
        let mut cursor = Cursor::new(&page, what, offset);
        cursor.seek(16);
        let (system_page, log_page, area) = (cursor.u32()?, cursor.u32()?, usize::from(cursor.u16()?));
        let (minor, major) = (cursor.u16()?, cursor.u16()?);
        cursor.seek(area);
        let current_lsn = cursor.u64()?;
        cursor.seek(area.saturating_add(16));
        let round_bits = cursor.u32()?;
        cursor.seek(area.saturating_add(38));
        let data_offset = usize::from(cursor.u16()?);
        let bad = |what, value: u64, problem| Err(FormatError::Value { what, offset, value, problem });
        if ![system_page, log_page].iter().all(|size| size.is_power_of_two() && (4096..=65_536).contains(size)) {
            return bad("bytes of a page of $LogFile", log_page.into(), "no power of two between 4096 and 65,536");
        }
        if !(1..=60).contains(&round_bits) {
            return bad("bits of an LSN that count rounds", round_bits.into(), "not between 1 and 60");
        }
        if !(48..4096).contains(&data_offset) {
            return bad("offset of the data in a page of $LogFile", data_offset as u64, "not within the page");
        }
        let page_size = u64::from(log_page);
        let copies = copies_of(major).saturating_mul(page_size);
        let first_page = u64::from(system_page).saturating_mul(2).saturating_add(copies);
        let place_mask = u64::MAX.checked_shr(round_bits).unwrap_or(0);
        let version = (major, minor);
        let copies = Vec::new();
        Ok(Self { source, version, current_lsn, page_size, data_offset, first_page, place_mask, copies })
    }

    /// The places of all records, in the order of their LSN. Pages that are torn go to `issue`.
    pub fn places(&self, issue: &mut dyn FnMut(FormatError)) -> Vec<Place> {
        let mut places = Vec::new();
        let mut page = vec![0; usize::try_from(self.page_size).unwrap_or_default()];
        let mut offset = self.first_page;
        while offset < self.source.len() {
            // A hole is a stretch of blank pages.
            let data = self.source.next_data(offset);
            let pages = data.saturating_sub(offset).checked_div(self.page_size).unwrap_or(0);
            offset = offset.saturating_add(pages.saturating_mul(self.page_size));
            if offset >= self.source.len() {
                break;
            }
            match self.stored_page(offset, &mut page) {
                Ok(true) => self.places_in(&page, offset, offset, &mut places),
                Ok(false) => {}
                Err(error) => issue(error),
            }
            for copy in self.copies.iter().filter(|copy| copy.target == offset) {
                if self.stored_page(copy.at, &mut page).is_ok_and(|written| written) {
                    self.places_in(&page, offset, copy.at, &mut places);
                }
            }
            offset = offset.saturating_add(self.page_size);
        }
        places.sort_unstable();
        places.dedup_by_key(|place| place.lsn);
        places
    }

    /// Reads the page in which a record goes on, or its copy where the page is still the one of a round before.
    fn page(&self, offset: u64, lsn: u64, page: &mut [u8]) -> Result<bool, FormatError> {
        let own = self.stored_page(offset, page);
        if matches!(own, Ok(true)) && long_at(page, 32) >= lsn {
            return own;
        }
        let fitting = self.copies.iter().filter(|copy| copy.target == offset && copy.last_end_lsn >= lsn);
        match fitting.max_by_key(|copy| copy.last_end_lsn) {
            Some(copy) => self.stored_page(copy.at, page),
            None => own,
        }
    }

    fn stored_page(&self, offset: u64, page: &mut [u8]) -> Result<bool, FormatError> {
        let other = |problem: String| FormatError::Other { what: "page of $LogFile", offset, problem };
        read_exact_at(self.source, offset, page).map_err(|error| other(error.to_string()))?;
        if !page.starts_with(b"RCRD") {
            let blank = [0u8, 0xff].iter().any(|byte| page.iter().all(|b| b == byte));
            return if blank { Ok(false) } else { Err(other("it does not begin with RCRD".into())) };
        }
        if !fixup::apply(page) {
            return Err(other("its update sequence does not fit".into()));
        }
        Ok(true)
    }

    fn places_in(&self, page: &[u8], start: u64, stored: u64, places: &mut Vec<Place>) {
        let end = page.get(24..).and_then(|rest| rest.first_chunk::<2>()).map_or(0, |raw| u16::from_le_bytes(*raw));
        let mut at = self.data_offset.next_multiple_of(8);
        while let Some(head) = page.get(at..at.saturating_add(RECORD_HEADER)) {
            let offset = start.saturating_add(at as u64);
            at = match Head::parse(head, offset) {
                Ok(head) if head.lsn != 0 && self.offset_of(head.lsn) == Some(offset) && head.is_possible() => {
                    places.push(Place { lsn: head.lsn, offset, slack: at >= usize::from(end), stored });
                    let length = usize::try_from(head.length).unwrap_or(usize::MAX);
                    at.saturating_add(RECORD_HEADER).saturating_add(length).checked_next_multiple_of(8).unwrap_or(at)
                }
                _ => at.saturating_add(8),
            };
        }
    }

    fn offset_of(&self, lsn: u64) -> Option<u64> {
        (lsn & self.place_mask).checked_mul(8)
    }

    /// Reads the record at a place; `None` if it is no change.
    ///
    /// # Errors
    /// If it is cut: the pages that it goes on in are torn or written over.
    pub fn change(&self, place: &Place) -> Result<Option<Change>, FormatError> {
        let within = place.offset.checked_rem(self.page_size).unwrap_or(0);
        let mut offset = place.offset.saturating_sub(within);
        let mut page = vec![0; usize::try_from(self.page_size).unwrap_or_default()];
        let cut = |problem: &str| FormatError::Other {
            what: "record of $LogFile",
            offset: place.offset,
            problem: problem.to_owned(),
        };
        self.stored_page(place.stored, &mut page)?;
        let start = usize::try_from(within).unwrap_or(usize::MAX);
        let rest = page.get(start..).unwrap_or_default();
        let head = Head::parse(rest, place.offset)?;
        if head.kind != 1 {
            return Ok(None);
        }
        let length = usize::try_from(head.length.min(MAX_DATA)).unwrap_or_default();
        let mut data = rest.get(RECORD_HEADER..).unwrap_or_default().to_vec();
        while data.len() < length {
            offset = offset.saturating_add(self.page_size);
            if offset >= self.source.len() {
                // The log goes round.
                offset = self.first_page;
            }
            if !self.page(offset, head.lsn, &mut page)? {
                return Err(cut("the page that it goes on in was never written"));
            }
            let more = page.get(self.data_offset..).unwrap_or_default();
            if more.is_empty() {
                return Err(cut("there is no room in a page"));
            }
            data.extend_from_slice(more);
        }
        data.truncate(length);
        Change::parse(&head, &data, place.offset.saturating_add(RECORD_HEADER as u64)).map(Some)
    }
}

/// Pages that are kept for copies.
const fn copies_of(major: u16) -> u64 {
    if major >= 2 { 32 } else { 2 }
}

fn long_at(data: &[u8], at: usize) -> u64 {
    data.get(at..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |raw| u64::from_le_bytes(*raw))
}

/// The head that every record has.
struct Head {
    lsn: u64,
    previous_lsn: u64,
    length: u64,
    kind: u32,
    transaction: u32,
}

impl Head {
    fn parse(data: &[u8], offset: u64) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(data, "record of $LogFile", offset);
        let (lsn, previous_lsn) = (cursor.u64()?, cursor.u64()?);
        cursor.seek(24);
        let length = cursor.u32()?.into();
        cursor.seek(32);
        Ok(Self { lsn, previous_lsn, length, kind: cursor.u32()?, transaction: cursor.u32()? })
    }

    const fn is_possible(&self) -> bool {
        matches!(self.kind, 1 | 2) && self.length <= MAX_DATA && self.previous_lsn < self.lsn
    }
}

impl Change {
    fn parse(head: &Head, data: &[u8], offset: u64) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(data, "change in $LogFile", offset);
        let (redo, undo) = (cursor.u16()?, cursor.u16()?);
        let mut part = || {
            let (at, length) = (usize::from(cursor.u16()?), usize::from(cursor.u16()?));
            // Some operations name data that the log does not hold: it would begin where the record ends.
            let length = if at == data.len() { 0 } else { length };
            let part = data.get(at..at.saturating_add(length)).filter(|_| at >= CHANGE_HEADER || length == 0);
            part.map(<[u8]>::to_vec).ok_or(FormatError::Value {
                what: "data of a change in $LogFile",
                offset: offset.saturating_add(4),
                value: at as u64,
                problem: "not within the record",
            })
        };
        let (redo_data, undo_data) = (part()?, part()?);
        let target_attribute = cursor.u16()?;
        cursor.skip(2)?;
        let (record_offset, attribute_offset, cluster_offset) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
        cursor.skip(2)?;
        Ok(Self {
            lsn: head.lsn,
            previous_lsn: head.previous_lsn,
            transaction: head.transaction,
            redo,
            undo,
            redo_data,
            undo_data,
            target_attribute,
            record_offset,
            attribute_offset,
            cluster_offset,
            vcn: cursor.u64()?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::ntfs_samples::{Random, protect};
    use super::*;

    const PAGE: usize = 4096;
    /// LSNs: 45 bits count rounds, 19 bits are a place.
    const ROUND: u64 = 1 << 19;

    /// One change, as its record holds it.
    pub(crate) struct Sample {
        pub(crate) redo: u16,
        pub(crate) undo: u16,
        pub(crate) redo_data: Vec<u8>,
        pub(crate) undo_data: Vec<u8>,
        pub(crate) at: (u16, u16, u16),
        pub(crate) vcn: u64,
    }

    /// A log of version 1.1 with one restart page that can be read and eight pages of records.
    pub(crate) fn log(samples: &[Sample]) -> Vec<u8> {
        let mut log = vec![0xff; 12 * PAGE];
        let mut restart = vec![0; PAGE];
        restart[..4].copy_from_slice(b"RSTR");
        restart[16..20].copy_from_slice(&4096u32.to_le_bytes());
        restart[20..24].copy_from_slice(&4096u32.to_le_bytes());
        restart[24] = 48;
        restart[26] = 1;
        restart[28] = 1;
        restart[48..56].copy_from_slice(&(2 * ROUND + 0x1234).to_le_bytes());
        restart[64..68].copy_from_slice(&45u32.to_le_bytes());
        restart[86] = 64;
        protect(&mut restart, 30);
        log[..PAGE].copy_from_slice(&restart);
        let mut pages: Vec<Vec<u8>> = (0..8)
            .map(|_| {
                let mut page = vec![0; PAGE];
                page[..4].copy_from_slice(b"RCRD");
                page[24..26].copy_from_slice(&4096u16.to_le_bytes());
                page
            })
            .collect();
        let (mut number, mut at) = (0, 64);
        for sample in samples {
            if PAGE - at < 48 {
                (number, at) = (number + 1, 64);
            }
            let place = (4 + number) * PAGE + at;
            let mut data: Vec<u8> = [sample.redo, sample.undo].iter().flat_map(|n| n.to_le_bytes()).collect();
            let undo_at = 40 + sample.redo_data.len().next_multiple_of(8);
            let parts = [40, sample.redo_data.len(), undo_at, sample.undo_data.len()];
            data.extend(parts.iter().flat_map(|n| (*n as u16).to_le_bytes()));
            let (record, attribute, cluster) = sample.at;
            data.extend([24, 1, record, attribute, cluster, 0].iter().flat_map(|n| n.to_le_bytes()));
            data.extend(sample.vcn.to_le_bytes());
            data.resize(40, 0);
            data.extend(&sample.redo_data);
            data.resize(undo_at, 0);
            data.extend(&sample.undo_data);
            data.resize(data.len().next_multiple_of(8), 0);
            let mut record = (ROUND + place as u64 / 8).to_le_bytes().to_vec();
            record.extend([0; 16]);
            record.extend((data.len() as u32).to_le_bytes());
            record.extend([0, 0, 0, 0, 1, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            record.extend(data);
            for byte in record {
                if at == PAGE {
                    (number, at) = (number + 1, 64);
                }
                pages[number][at] = byte;
                at += 1;
            }
        }
        for (number, page) in pages.iter_mut().enumerate() {
            protect(page, 40);
            log[(4 + number) * PAGE..][..PAGE].copy_from_slice(page);
        }
        log
    }

    fn sample(redo: u16, length: usize) -> Sample {
        let redo_data = (0..length).map(|n| n as u8).collect();
        Sample { redo, undo: 0, redo_data, undo_data: vec![7; 3], at: (0x38, 0x18, 2), vcn: 9 }
    }

    fn changes(log: &[u8]) -> (Vec<Change>, usize) {
        let file = LogFile::open(&log).unwrap();
        let mut issues = 0;
        let places = file.places(&mut |_| issues += 1);
        let read = places.iter().filter_map(|place| file.change(place).inspect_err(|_| issues += 1).ok().flatten());
        (read.collect(), issues)
    }

    #[test]
    fn changes_in_their_order_and_across_pages() {
        let log = log(&[sample(2, 24), sample(7, 9000), sample(14, 1), sample(3, 0)]);
        let file = LogFile::open(&log.as_slice()).map(|file| (file.version, file.current_lsn)).unwrap();
        assert_eq!(file, ((1, 1), 2 * ROUND + 0x1234));
        let (found, issues) = changes(&log);
        assert_eq!(issues, 0);
        let seen: Vec<_> = found.iter().map(|c| (c.redo, c.redo_data.len(), c.undo_data.as_slice())).collect();
        assert_eq!(seen, [(2, 24, &[7; 3][..]), (7, 9000, &[7; 3]), (14, 1, &[7; 3]), (3, 0, &[7; 3])]);
        assert!(found[1].redo_data.iter().enumerate().all(|(n, byte)| *byte == n as u8), "joined over three pages");
        assert_eq!((found[0].lsn, found[0].vcn), (ROUND + (4 * 4096 + 64) / 8, 9));
        assert_eq!((found[0].record_offset, found[0].attribute_offset, found[0].cluster_offset), (0x38, 0x18, 2));
        assert_eq!(found[0].mft_record(512, 1024), Some(5));
        assert_eq!(found[0].mft_record(512, 0), None);
    }

    #[test]
    fn data_that_the_log_does_not_hold() {
        // The record's data: 40 bytes of head, 8 for redo, 3 for undo, filled up to 56.
        for (place, whole) in [(56, 1), (57, 0), (31, 0)] {
            let mut log = log(&[sample(0x16, 8)]);
            let mut page = log[4 * PAGE..5 * PAGE].to_vec();
            fixup::apply(&mut page);
            page[64 + 48 + 8] = place;
            protect(&mut page, 40);
            log[4 * PAGE..5 * PAGE].copy_from_slice(&page);
            let (found, issues) = changes(&log);
            assert_eq!((found.len(), issues), (whole, 1 - whole));
        }
    }

    /// The newest page was written to its copy only.
    #[test]
    fn copies_stand_in_for_pages_that_are_not_there_yet() {
        let mut log = log(&[sample(2, 24), sample(7, 5000), sample(14, 1)]);
        let mut copy = log[5 * PAGE..6 * PAGE].to_vec();
        fixup::apply(&mut copy);
        copy[8..16].copy_from_slice(&(5 * PAGE as u64).to_le_bytes());
        copy[32..40].copy_from_slice(&(2 * ROUND - 1).to_le_bytes());
        protect(&mut copy, 40);
        log[3 * PAGE..4 * PAGE].copy_from_slice(&copy);
        log[5 * PAGE..6 * PAGE].fill(0xff);
        let (found, issues) = changes(&log);
        assert_eq!((found.len(), issues), (3, 0));
        log[3 * PAGE..4 * PAGE].fill(0xff);
        assert_eq!(changes(&log).1, 1, "without the copy the record is cut");
    }

    #[test]
    fn a_torn_page_costs_what_lies_in_it() {
        let mut log = log(&[sample(2, 24), sample(7, 5000), sample(14, 1)]);
        log[5 * PAGE + 511] ^= 1;
        let (found, issues) = changes(&log);
        assert_eq!((found.len(), issues), (1, 2), "the page, and the record that goes on in it");
        log[0] = 0;
        assert!(LogFile::open(&log.as_slice()).is_err());
    }

    #[test]
    fn any_damage_ends_in_bounded_work() {
        let whole = log(&[sample(2, 24), sample(7, 9000), sample(14, 100), sample(3, 0)]);
        let mut random = Random(0x1099_ed00);
        for _ in 0..1500 {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(6) {
                let at = [random.below(120), 4 * PAGE + random.below(300), random.below(bytes.len())][random.below(3)];
                bytes[at] = random.below(256) as u8;
            }
            bytes.truncate(bytes.len() - random.below(3) * random.below(20_000));
            if LogFile::open(&bytes.as_slice()).is_ok() {
                assert!(changes(&bytes).0.len() <= 600);
            }
        }
    }
}
