//! Records of the NTFS change journal (`\$Extend\$UsnJrnl`, stream `$J`).
//!
//! The stream is a row of records, each on a multiple of 8 bytes. A record does not cross a page of 4 KiB: what is left of the
//! page is zero. The head of the stream is a hole, which Windows frees as the journal grows. The update sequence number (USN)
//! of a record is its offset in the stream. All numbers are little-endian.
//!
//! | version 2 | version 3 | version 4 | size | what |
//! |---|---|---|---|---|
//! | 0 | 0 | 0 | 4 | length of the record |
//! | 4 | 4 | 4 | 2, 2 | major and minor version |
//! | 8 | 8 | 8 | 8, or 16 from version 3 | file reference |
//! | 16 | 24 | 24 | 8, or 16 | parent's file reference |
//! | 24 | 40 | 40 | 8 | USN |
//! | 32 | 48 | – | 8 | time (FILETIME) |
//! | 40 | 56 | 48 | 4 | reasons |
//! | 44 | 60 | 52 | 4 | source |
//! | 48 | 64 | – | 4 | security id |
//! | 52 | 68 | – | 4 | file attributes |
//! | 56 | 72 | – | 2, 2 | name: length in bytes, offset in the record |
//! | – | – | 56 | 4, 2, 2 | extents: remaining, number, bytes of each |
//! | – | – | 64 | 16 each | extents: offset and length in the file |
//!
//! Source: Microsoft, `USN_RECORD_V2`, `USN_RECORD_V3`, `USN_RECORD_V4` (winioctl.h).

use std::borrow::Cow;

use crate::bytes::{FormatError, text};
use crate::model::{FileReference, Timestamp};

/// The longest record that is believed: with a name of 255 characters one of version 3 has 592 bytes; extents make one longer.
pub const MAX_RECORD: usize = 65_536;
/// Records begin on multiples of this.
const STEP: usize = 8;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsnRecord<'a> {
    /// Offset in the stream.
    pub offset: u64,
    /// 2, 3 or 4.
    pub version: u16,
    /// The file; of the 128 bits of later versions NTFS uses 64.
    pub reference: FileReference,
    /// The directory that it lay in.
    pub parent: FileReference,
    /// Update sequence number: the record's offset in the journal as Windows counts it.
    pub usn: u64,
    /// When, UTC, 100 ns. Version 4 has none.
    pub time: Option<Timestamp>,
    /// What was changed since the file was opened, `USN_REASON_*`.
    pub reason: u32,
    /// Who changed it, `USN_SOURCE_*`; 0 for usual programs.
    pub source: u32,
    /// Key into `$Secure`; 0 where it is not filled in.
    pub security_id: u32,
    /// `FILE_ATTRIBUTE_*`. Version 4 has none.
    pub attributes: Option<u32>,
    /// Name as UTF-16 bytes; empty in version 4.
    name: &'a [u8],
    /// Extents of version 4 as bytes.
    extents: &'a [u8],
}

impl UsnRecord<'_> {
    /// Name of the file, lone surrogates kept. Version 4 has none.
    pub fn name(&self) -> Option<String> {
        (!self.name.is_empty()).then(|| text::from_utf16le(self.name))
    }

    /// Offset and length in the file of each stretch that was changed. Version 4 only.
    pub fn extents(&self) -> impl Iterator<Item = (u64, u64)> {
        let (extents, _) = self.extents.as_chunks::<16>();
        extents.iter().map(|[a, b, c, d, e, f, g, h, length @ ..]| {
            (u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), u64::from_le_bytes(*length))
        })
    }

    /// True for a directory.
    pub fn is_directory(&self) -> bool {
        self.attributes.is_some_and(|attributes| attributes & 0x10 != 0)
    }
}

/// The records in a stretch of the stream. Zeros are gaps; what is neither zero nor a record is given once as an error with its
/// length, and reading goes on with the next record.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    position: usize,
    base: u64,
    last: bool,
}

impl<'a> Records<'a> {
    /// `base` is the offset of `bytes` in the stream, a multiple of 8. `last` says that nothing follows; else a record that the
    /// end of `bytes` cuts is left for the next stretch (see [`Records::offset`]).
    pub const fn new(bytes: &'a [u8], base: u64, last: bool) -> Self {
        Self { bytes, position: 0, base, last }
    }

    /// Offset of what was not read yet: where the next stretch has to begin. Given at least [`MAX_RECORD`] bytes, it is always
    /// behind the stretch's own beginning.
    pub const fn offset(&self) -> u64 {
        self.base.saturating_add(self.position as u64)
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    fn skip_zeros(&mut self) {
        let (words, tail) = self.rest().as_chunks::<STEP>();
        let zeros = words.iter().take_while(|word| u64::from_ne_bytes(**word) == 0).count();
        self.position = self.position.saturating_add(zeros.saturating_mul(STEP));
        if zeros == words.len() && tail.iter().all(|byte| *byte == 0) {
            self.position = self.bytes.len();
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<UsnRecord<'a>, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_zeros();
        let start = self.offset();
        match parse(self.rest(), start) {
            Parsed::Record(record, len) => {
                self.position = self.position.saturating_add(len);
                return Some(Ok(record));
            }
            Parsed::Cut if !self.last || self.rest().is_empty() => return None,
            Parsed::Cut | Parsed::Nothing => {}
        }
        // Damage: go on where a record or a gap begins.
        loop {
            self.position = self.position.saturating_add(STEP).min(self.bytes.len());
            let rest = self.rest();
            match parse(rest, self.offset()) {
                Parsed::Nothing if rest.first_chunk() != Some(&[0; 2 * STEP]) => {}
                Parsed::Cut if self.last && !rest.is_empty() => {}
                _ => break,
            }
        }
        let len = self.offset().saturating_sub(start);
        Some(Err(FormatError::Other {
            what: "change journal",
            offset: start,
            problem: format!("{len} bytes are no whole record"),
        }))
    }
}

enum Parsed<'a> {
    /// A record and its length.
    Record(UsnRecord<'a>, usize),
    /// What is there could be the beginning of a record, but the bytes end first.
    Cut,
    /// Not a record.
    Nothing,
}

fn parse(bytes: &[u8], offset: u64) -> Parsed<'_> {
    let Some([l0, l1, l2, l3, major, 0, 0, 0]) = bytes.first_chunk().copied() else {
        return if bytes.len() < STEP { Parsed::Cut } else { Parsed::Nothing };
    };
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let shortest = match major {
        2 => 60,
        3 => 76,
        4 => 64,
        _ => return Parsed::Nothing,
    };
    if len < shortest || !len.is_multiple_of(STEP) || len > MAX_RECORD {
        return Parsed::Nothing;
    }
    let Some(record) = bytes.get(..len) else { return Parsed::Cut };
    let parsed = match major {
        2 => version_2(record, offset),
        3 => version_3(record, offset),
        _ => version_4(record, offset),
    };
    parsed.map_or(Parsed::Nothing, |parsed| Parsed::Record(parsed, len))
}

fn version_2(record: &[u8], offset: u64) -> Option<UsnRecord<'_>> {
    let head: &[u8; 60] = record.first_chunk()?;
    let name = name(record, u16_at(head, 56), u16_at(head, 58), 60)?;
    Some(UsnRecord {
        offset,
        version: 2,
        reference: FileReference::from_u64(u64_at(head, 8)),
        parent: FileReference::from_u64(u64_at(head, 16)),
        usn: u64_at(head, 24),
        time: Timestamp::from_filetime_field(u64_at(head, 32)),
        reason: u32_at(head, 40),
        source: u32_at(head, 44),
        security_id: u32_at(head, 48),
        attributes: Some(u32_at(head, 52)),
        name,
        extents: &[],
    })
}

fn version_3(record: &[u8], offset: u64) -> Option<UsnRecord<'_>> {
    let head: &[u8; 76] = record.first_chunk()?;
    let name = name(record, u16_at(head, 72), u16_at(head, 74), 76)?;
    Some(UsnRecord {
        offset,
        version: 3,
        reference: FileReference::from_u64(u64_at(head, 8)),
        parent: FileReference::from_u64(u64_at(head, 24)),
        usn: u64_at(head, 40),
        time: Timestamp::from_filetime_field(u64_at(head, 48)),
        reason: u32_at(head, 56),
        source: u32_at(head, 60),
        security_id: u32_at(head, 64),
        attributes: Some(u32_at(head, 68)),
        name,
        extents: &[],
    })
}

fn version_4(record: &[u8], offset: u64) -> Option<UsnRecord<'_>> {
    let (head, extents): (&[u8; 64], _) = record.split_first_chunk()?;
    let (number, size) = (usize::from(u16_at(head, 60)), u16_at(head, 62));
    if size != 16 {
        return None;
    }
    Some(UsnRecord {
        offset,
        version: 4,
        reference: FileReference::from_u64(u64_at(head, 8)),
        parent: FileReference::from_u64(u64_at(head, 24)),
        usn: u64_at(head, 40),
        time: None,
        reason: u32_at(head, 48),
        source: u32_at(head, 52),
        security_id: 0,
        attributes: None,
        name: &[],
        extents: extents.get(..number.checked_mul(16)?)?,
    })
}

/// The name's bytes, if they lie in the record and behind its fields.
fn name(record: &[u8], len: u16, at: u16, fields: usize) -> Option<&[u8]> {
    let (len, at) = (usize::from(len), usize::from(at));
    if at < fields || len == 0 || len % 2 != 0 {
        return None;
    }
    record.get(at..at.checked_add(len)?)
}

fn u16_at<const N: usize>(head: &[u8; N], at: usize) -> u16 {
    head.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |field| u16::from_le_bytes(*field))
}

fn u32_at<const N: usize>(head: &[u8; N], at: usize) -> u32 {
    head.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |field| u32::from_le_bytes(*field))
}

fn u64_at<const N: usize>(head: &[u8; N], at: usize) -> u64 {
    head.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |field| u64::from_le_bytes(*field))
}

/// `USN_REASON_*` without the prefix, by bit.
static REASONS: [(u32, &str); 24] = [
    (0x0000_0001, "DATA_OVERWRITE"),
    (0x0000_0002, "DATA_EXTEND"),
    (0x0000_0004, "DATA_TRUNCATION"),
    (0x0000_0010, "NAMED_DATA_OVERWRITE"),
    (0x0000_0020, "NAMED_DATA_EXTEND"),
    (0x0000_0040, "NAMED_DATA_TRUNCATION"),
    (0x0000_0100, "FILE_CREATE"),
    (0x0000_0200, "FILE_DELETE"),
    (0x0000_0400, "EA_CHANGE"),
    (0x0000_0800, "SECURITY_CHANGE"),
    (0x0000_1000, "RENAME_OLD_NAME"),
    (0x0000_2000, "RENAME_NEW_NAME"),
    (0x0000_4000, "INDEXABLE_CHANGE"),
    (0x0000_8000, "BASIC_INFO_CHANGE"),
    (0x0001_0000, "HARD_LINK_CHANGE"),
    (0x0002_0000, "COMPRESSION_CHANGE"),
    (0x0004_0000, "ENCRYPTION_CHANGE"),
    (0x0008_0000, "OBJECT_ID_CHANGE"),
    (0x0010_0000, "REPARSE_POINT_CHANGE"),
    (0x0020_0000, "STREAM_CHANGE"),
    (0x0040_0000, "TRANSACTED_CHANGE"),
    (0x0080_0000, "INTEGRITY_CHANGE"),
    (0x0100_0000, "DESIRED_STORAGE_CLASS_CHANGE"),
    (0x8000_0000, "CLOSE"),
];

/// `USN_SOURCE_*` without the prefix, by bit.
static SOURCES: [(u32, &str); 4] = [
    (1, "DATA_MANAGEMENT"),
    (2, "AUXILIARY_DATA"),
    (4, "REPLICATION_MANAGEMENT"),
    (8, "CLIENT_REPLICATION_MANAGEMENT"),
];

/// `FILE_ATTRIBUTE_*` without the prefix, by bit.
static ATTRIBUTES: [(u32, &str); 20] = [
    (0x0000_0001, "READONLY"),
    (0x0000_0002, "HIDDEN"),
    (0x0000_0004, "SYSTEM"),
    (0x0000_0010, "DIRECTORY"),
    (0x0000_0020, "ARCHIVE"),
    (0x0000_0040, "DEVICE"),
    (0x0000_0080, "NORMAL"),
    (0x0000_0100, "TEMPORARY"),
    (0x0000_0200, "SPARSE_FILE"),
    (0x0000_0400, "REPARSE_POINT"),
    (0x0000_0800, "COMPRESSED"),
    (0x0000_1000, "OFFLINE"),
    (0x0000_2000, "NOT_CONTENT_INDEXED"),
    (0x0000_4000, "ENCRYPTED"),
    (0x0000_8000, "INTEGRITY_STREAM"),
    (0x0001_0000, "VIRTUAL"),
    (0x0002_0000, "NO_SCRUB_DATA"),
    (0x0004_0000, "RECALL_ON_OPEN"),
    (0x0008_0000, "PINNED"),
    (0x0040_0000, "RECALL_ON_DATA_ACCESS"),
];

/// The names of reason flags in the order of the bits; a bit without a name as hex.
pub fn reason_names(reason: u32) -> impl Iterator<Item = Cow<'static, str>> {
    names(&REASONS, reason)
}

/// The names of source flags; empty for usual programs.
pub fn source_names(source: u32) -> impl Iterator<Item = Cow<'static, str>> {
    names(&SOURCES, source)
}

/// The names of file attributes.
pub fn attribute_names(attributes: u32) -> impl Iterator<Item = Cow<'static, str>> {
    names(&ATTRIBUTES, attributes)
}

fn names(table: &'static [(u32, &'static str)], flags: u32) -> impl Iterator<Item = Cow<'static, str>> {
    let unknown = table.iter().fold(flags, |rest, (bit, _)| rest & !bit);
    let known = table.iter().filter(move |(bit, _)| flags & bit != 0).map(|(_, name)| Cow::Borrowed(*name));
    known.chain((unknown != 0).then(|| Cow::Owned(format!("{unknown:#010x}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first record of a journal that Windows 10 wrote, field by field as `fsutil usn readjournal` prints it.
    fn version_2_record(name: &str, usn: u64) -> Vec<u8> {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let len = (60 + name.len()).next_multiple_of(8);
        let mut record = Vec::new();
        record.extend((len as u32).to_le_bytes());
        record.extend([2, 0, 0, 0]);
        record.extend(0x0001_0000_0000_0028u64.to_le_bytes());
        record.extend(0x0005_0000_0000_0005u64.to_le_bytes());
        record.extend(usn.to_le_bytes());
        record.extend(0x01d4_b29a_7e00_4ce3u64.to_le_bytes());
        record.extend(0x8000_0100u32.to_le_bytes());
        record.extend([0, 0, 0, 0, 7, 1, 0, 0, 0x10, 0, 0, 0]);
        record.extend((name.len() as u16).to_le_bytes());
        record.extend(60u16.to_le_bytes());
        record.extend(name);
        record.resize(len, 0);
        record
    }

    fn version_3_record() -> Vec<u8> {
        let mut record = vec![80, 0, 0, 0, 3, 0, 0, 0];
        record.extend(0x28u128.to_le_bytes());
        record.extend(5u128.to_le_bytes());
        record.extend(80u64.to_le_bytes());
        record.extend(1000u64.to_le_bytes());
        record.extend([2, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0x20, 0, 0, 0, 4, 0, 76, 0]);
        record.extend(*b"a\0b\0");
        record
    }

    fn version_4_record() -> Vec<u8> {
        let mut record = vec![80, 0, 0, 0, 4, 0, 0, 0];
        record.extend(0x0002_0000_0000_0029u128.to_le_bytes());
        record.extend(5u128.to_le_bytes());
        record.extend(160u64.to_le_bytes());
        record.extend([2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 16, 0]);
        record.extend(4096u64.to_le_bytes());
        record.extend(512u64.to_le_bytes());
        record
    }

    fn all(bytes: &[u8]) -> Vec<Result<UsnRecord<'_>, FormatError>> {
        Records::new(bytes, 0, true).collect()
    }

    #[test]
    fn the_three_versions() {
        let bytes = [version_2_record("New folder", 0), version_3_record(), version_4_record()].concat();
        let found: Vec<UsnRecord<'_>> = all(&bytes).into_iter().map(Result::unwrap).collect();
        let [a, b, c] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((a.version, a.offset, a.usn, a.reference.to_string()), (2, 0, 0, "40-1".into()));
        assert_eq!((a.parent.to_string(), a.name().as_deref()), ("5-5".into(), Some("New folder")));
        assert_eq!(a.time.unwrap().to_string(), "2019-01-22T21:36:10.9243619Z");
        assert_eq!((reason_names(a.reason).collect::<Vec<_>>().join("|"), a.source), ("FILE_CREATE|CLOSE".into(), 0));
        assert_eq!((a.security_id, a.is_directory()), (263, true));
        assert_eq!((b.version, b.offset, b.name().as_deref(), b.usn), (3, 80, Some("ab"), 80));
        assert_eq!((b.security_id, b.attributes, b.source, b.reason), (9, Some(0x20), 1, 2));
        assert_eq!((c.version, c.offset, c.time, c.name(), c.attributes), (4, 160, None, None, None));
        assert_eq!((c.usn, c.extents().collect::<Vec<_>>()), (160, vec![(4096, 512)]));
        assert_eq!(c.reference.to_string(), "41-2");
    }

    #[test]
    fn gaps_and_a_hole_at_the_head_are_no_damage() {
        let mut bytes = vec![0; 8192];
        bytes.extend(version_2_record("a", 8192));
        bytes.extend([0; 40]);
        bytes.extend(version_2_record("b", 9000));
        bytes.extend([0; 13]);
        let names: Vec<_> = all(&bytes).into_iter().map(|r| r.unwrap().name().unwrap()).collect();
        assert_eq!(names, ["a", "b"]);
    }

    /// Damage is one error with its length; the records behind it are found again.
    #[test]
    fn reading_goes_on_after_damage() {
        let record = version_2_record("abcdef", 0);
        let mut bytes = record.repeat(5);
        bytes[record.len() + 4] = 9;
        bytes[2 * record.len() + 3] = 0xff;
        let found = all(&bytes);
        let offsets: Vec<_> = found.iter().map(|r| r.as_ref().map(|r| r.offset).map_err(FormatError::offset)).collect();
        let len = record.len() as u64;
        assert_eq!(offsets, [Ok(0), Err(len), Ok(3 * len), Ok(4 * len)]);
        assert!(found[1].as_ref().unwrap_err().to_string().contains(&format!("{} bytes", 2 * len)));
    }

    #[test]
    fn a_cut_record_waits_for_the_next_stretch_or_is_damage() {
        let record = version_2_record("abcdef", 0);
        let bytes = record.repeat(2);
        for cut in 1..record.len() {
            let part = &bytes[..record.len() + cut];
            let mut records = Records::new(part, 4096, false);
            assert_eq!(records.by_ref().filter(Result::is_ok).count(), 1);
            assert_eq!(records.offset(), 4096 + record.len() as u64, "cut after {cut}");
            let found: Vec<_> = all(part);
            assert_eq!((found.len(), found[1].is_err()), (2, true), "cut after {cut}");
        }
    }

    #[test]
    fn a_name_outside_its_record_is_damage() {
        let mut record = version_2_record("ab", 0);
        record[56] = 200;
        assert!(all(&record)[0].is_err());
        let mut record = version_2_record("ab", 0);
        record[58] = 10;
        assert!(all(&record)[0].is_err());
    }

    #[test]
    fn unknown_flags_are_shown_as_they_are() {
        assert_eq!(reason_names(0x4000_0001).collect::<Vec<_>>(), ["DATA_OVERWRITE", "0x40000000"]);
        assert_eq!(attribute_names(0x20).collect::<Vec<_>>(), ["ARCHIVE"]);
        assert_eq!(source_names(0).count(), 0);
    }

    /// Seeded cuts and flips: no panic, every step goes forward, and no byte is given twice.
    #[test]
    fn damage_is_survived() {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        let mut whole = Vec::new();
        for i in 0..20 {
            whole.extend([version_2_record(&"n".repeat(1 + i), 0), version_3_record(), version_4_record()].concat());
            whole.extend(vec![0; 8 * (i % 3)]);
        }
        for _ in 0..3000 {
            let mut bytes = whole.clone();
            for _ in 0..=next(10) {
                let at = next(bytes.len());
                bytes[at] = [0, 0xff, bytes[at] ^ 1 << next(8)][next(3)];
            }
            bytes.truncate(bytes.len() - next(200));
            let mut records = Records::new(&bytes, 0, next(2) == 0);
            let mut end = 0;
            while let Some(record) = records.next() {
                let start = record.map_or_else(|error| error.offset(), |record| record.offset);
                assert!(start >= end && records.offset() > start);
                end = records.offset();
            }
        }
    }
}
