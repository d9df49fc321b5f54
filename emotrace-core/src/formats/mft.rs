//! Records of the master file table (`$MFT`) and the attributes in them.
//!
//! A record (1024 or 4096 bytes), little-endian:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | `FILE`; `BAAD` if Windows once found it torn |
//! | 4 | 2+2 | update sequence, see [`super::fixup`] |
//! | 8 | 8 | LSN of the last change in `$LogFile` |
//! | 16 | 2 | sequence number: grows each time the record is freed |
//! | 18 | 2 | number of hard links |
//! | 20 | 2 | offset of the first attribute |
//! | 22 | 2 | flags: 1 in use, 2 directory, 4 in `$Extend`, 8 view index |
//! | 24 | 4 | bytes used |
//! | 28 | 4 | bytes of the record |
//! | 32 | 8 | base record, 0 if this is one |
//! | 40 | 2 | next attribute id |
//! | 44 | 4 | number of this record (NTFS 3.1; there the update sequence begins at 48) |
//!
//! An attribute:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | type; 0xffffffff ends the list |
//! | 4 | 4 | length |
//! | 8 | 1 | 1 = non-resident |
//! | 9 | 1 | name length in UTF-16 units |
//! | 10 | 2 | offset of the name |
//! | 12 | 2 | flags: 0x00ff compression (1 = LZNT1), 0x4000 encrypted, 0x8000 sparse |
//! | 14 | 2 | id |
//! | 16 | 4+2+1 | resident: length of the value, its offset, 1 = indexed |
//! | 16 | 8+8 | non-resident: first and last virtual cluster (VCN) of this extent |
//! | 32 | 2 | offset of the mapping pairs |
//! | 34 | 1 | compression unit: two to this power clusters, 0 = none |
//! | 40 | 8+8+8 | allocated, real and initialized size; valid in the first extent only |
//! | 64 | 8 | bytes on disk, if the flags say compressed or sparse |
//!
//! Mapping pairs: a byte whose lower half is the size of the run's length and whose upper half is the size of its start,
//! then both. The start counts from the previous run's start and is signed. A size of 0 for the start, and only that, is a
//! hole: cluster 0 is a place like any other (`$Boot` lies there). A byte of 0 ends the list.
//!
//! Sources: Microsoft, "Master File Table" (DevIO) and the structures it links to; the linux-ntfs project's documentation.

use super::fixup;
use crate::bytes::{Cursor, FormatError, text};
use crate::model::{FileReference, MacbTimes, Namespace, StandardInformation, Timestamp};

/// Type codes of attributes.
pub mod attribute_type {
    /// `$STANDARD_INFORMATION`.
    pub const STANDARD_INFORMATION: u32 = 0x10;
    /// `$ATTRIBUTE_LIST`.
    pub const ATTRIBUTE_LIST: u32 = 0x20;
    /// `$FILE_NAME`.
    pub const FILE_NAME: u32 = 0x30;
    /// `$OBJECT_ID`.
    pub const OBJECT_ID: u32 = 0x40;
    /// `$SECURITY_DESCRIPTOR`; from NTFS 3.0 on most files have theirs in `$Secure`.
    pub const SECURITY_DESCRIPTOR: u32 = 0x50;
    /// `$VOLUME_NAME`.
    pub const VOLUME_NAME: u32 = 0x60;
    /// `$VOLUME_INFORMATION`.
    pub const VOLUME_INFORMATION: u32 = 0x70;
    /// `$DATA`.
    pub const DATA: u32 = 0x80;
    /// `$INDEX_ROOT`.
    pub const INDEX_ROOT: u32 = 0x90;
    /// `$INDEX_ALLOCATION`.
    pub const INDEX_ALLOCATION: u32 = 0xa0;
    /// `$BITMAP`.
    pub const BITMAP: u32 = 0xb0;
    /// `$REPARSE_POINT`.
    pub const REPARSE_POINT: u32 = 0xc0;
    /// The end of a record's attributes.
    pub const END: u32 = 0xffff_ffff;
}

/// The record is in use.
pub const RECORD_IN_USE: u16 = 1;
/// The record is a directory.
pub const RECORD_DIRECTORY: u16 = 2;

/// The bits of an attribute's flags that tell how it is compressed.
pub const ATTRIBUTE_COMPRESSION_MASK: u16 = 0x00ff;
/// EFS.
pub const ATTRIBUTE_ENCRYPTED: u16 = 0x4000;
/// Has holes.
pub const ATTRIBUTE_SPARSE: u16 = 0x8000;

/// Bytes of a record's head that every version has.
const HEADER_LEN: usize = 42;

/// A record's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// The record is marked `BAAD`, or its update sequence does not fit: it was torn when it was written, or damaged.
    pub bad_fixup: bool,
    /// Log file sequence number of the last change; 0 where nothing was logged.
    pub lsn: u64,
    /// Grows each time the record is freed.
    pub sequence: u16,
    /// Hard links, as counted by the record.
    pub links: u16,
    /// `RECORD_*`.
    pub flags: u16,
    /// Bytes used, as the record says.
    pub used: u32,
    /// The base record if this is an extension record, else 0-0.
    pub base: FileReference,
    /// The record's own number, from NTFS 3.1 on.
    pub number: Option<u32>,
    first_attribute: u16,
}

impl RecordHeader {
    /// A file or directory that is there.
    pub const fn in_use(&self) -> bool {
        self.flags & RECORD_IN_USE != 0
    }

    /// A directory.
    pub const fn is_directory(&self) -> bool {
        self.flags & RECORD_DIRECTORY != 0
    }

    /// Holds attributes of another record, its base.
    pub const fn is_extension(&self) -> bool {
        self.base.record != 0 || self.base.sequence != 0
    }
}

/// One MFT record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its head.
    pub header: RecordHeader,
    data: &'a [u8],
    offset: u64,
}

impl<'a> Record<'a> {
    /// Puts the update sequence back, in place, and reads the head. `offset` is the record's place in `$MFT`.
    ///
    /// # Errors
    /// If it begins with neither `FILE` nor `BAAD`, or is shorter than a head. An update sequence that does not fit is
    /// no error, see [`RecordHeader::bad_fixup`].
    pub fn parse(data: &'a mut [u8], offset: u64) -> Result<Self, FormatError> {
        let (available, whole) = (data.len() as u64, data.first_chunk::<HEADER_LEN>().is_some());
        if !whole {
            return Err(FormatError::Short { what: "MFT record", offset, needed: HEADER_LEN as u64, available });
        }
        let signature: [u8; 4] = bytes(data, 0).unwrap_or_default();
        if signature != *b"FILE" && signature != *b"BAAD" {
            return Err(FormatError::Signature {
                what: "MFT record",
                offset,
                expected: b"FILE".to_vec(),
                actual: signature.to_vec(),
            });
        }
        let good = fixup::apply(data);
        let data: &'a [u8] = data;
        let has_number = u16_at(data, 4).is_some_and(|fixups| fixups >= 48);
        let header = RecordHeader {
            bad_fixup: !good || signature == *b"BAAD",
            lsn: u64_at(data, 8).unwrap_or_default(),
            sequence: u16_at(data, 16).unwrap_or_default(),
            links: u16_at(data, 18).unwrap_or_default(),
            flags: u16_at(data, 22).unwrap_or_default(),
            used: u32_at(data, 24).unwrap_or_default(),
            base: FileReference::from_u64(u64_at(data, 32).unwrap_or_default()),
            number: u32_at(data, 44).filter(|_| has_number),
            first_attribute: u16_at(data, 20).unwrap_or_default(),
        };
        Ok(Self { header, data, offset })
    }

    /// The record's bytes, update sequence put back.
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Place of the record in `$MFT`.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Its attributes, in their order.
    pub fn attributes(&self) -> Attributes<'a> {
        let first = usize::from(self.header.first_attribute);
        let used = usize::try_from(self.header.used).unwrap_or(usize::MAX);
        let mut fault = None;
        let mut end = used;
        if used > self.data.len() || used < first {
            end = self.data.len();
            let problem = "not between the first attribute and the end of the record";
            fault = Some(self.value("bytes used of an MFT record", 24, used as u64, problem));
        }
        let mut at = first;
        if first < HEADER_LEN || first >= self.data.len() {
            at = end;
            let problem = "not within the record";
            fault = Some(self.value("offset of the first attribute", 20, first as u64, problem));
        }
        let data = self.data.get(..end).unwrap_or_default();
        Attributes { data, whole: self.data, offset: self.offset, at, fault, done: false }
    }

    const fn value(&self, what: &'static str, at: u64, value: u64, problem: &'static str) -> FormatError {
        FormatError::Value { what, offset: self.offset.saturating_add(at), value, problem }
    }
}

/// The attributes of a record. A damaged one is an error, and the next one follows if its place is known.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    /// As far as the record says that it is used.
    data: &'a [u8],
    /// All of the record.
    whole: &'a [u8],
    offset: u64,
    at: usize,
    fault: Option<FormatError>,
    done: bool,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(fault) = self.fault.take() {
            return Some(Err(fault));
        }
        if self.done {
            return None;
        }
        let at = self.at;
        let offset = self.offset.saturating_add(at as u64);
        let type_code = u32_at(self.data, at);
        if type_code == Some(attribute_type::END) {
            self.done = true;
            return None;
        }
        if self.goes_on() {
            let value = std::mem::replace(&mut self.data, self.whole).len() as u64;
            let problem = "less than its attributes take; they are read on to the record's end";
            let (what, offset) = ("bytes used of an MFT record", self.offset.saturating_add(24));
            return Some(Err(FormatError::Value { what, offset, value, problem }));
        }
        let (Some(type_code), Some(length)) = (type_code, u32_at(self.data, at.saturating_add(4))) else {
            self.done = true;
            let available = self.data.len().saturating_sub(at) as u64;
            return Some(Err(FormatError::Short { what: "attribute list of a record", offset, needed: 8, available }));
        };
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        let end = at.saturating_add(size);
        let Some(data) = self.data.get(at..end).filter(|d| d.len() >= Attribute::MIN_LEN && type_code != 0) else {
            self.done = true;
            let problem = "no attribute of the record can have that length; what follows it is lost";
            let value = length.into();
            return Some(Err(FormatError::Value { what: "length of an attribute", offset, value, problem }));
        };
        self.at = end;
        Some(Attribute::parse(data, type_code, offset))
    }
}

impl Attributes<'_> {
    /// True if the attribute that comes next lies in the record, but behind what the record says that it uses. A record that is as
    /// it should be ends with its end mark before that; one that was tampered with may hide attributes so.
    fn goes_on(&self) -> bool {
        let (type_code, length) = (u32_at(self.whole, self.at), u32_at(self.whole, self.at.saturating_add(4)));
        let (Some(type_code), Some(length)) = (type_code, length) else { return false };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let end = self.at.saturating_add(length);
        let plausible =
            type_code != 0 && type_code.is_multiple_of(16) && length >= Attribute::MIN_LEN && length.is_multiple_of(8);
        plausible && end > self.data.len() && end <= self.whole.len()
    }
}

/// One attribute, or one extent of it.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// See [`attribute_type`].
    pub type_code: u32,
    /// Number within the record.
    pub id: u16,
    /// `ATTRIBUTE_*`.
    pub flags: u16,
    /// Place of the attribute in `$MFT`.
    pub offset: u64,
    /// The value, or where it lies.
    pub body: Body<'a>,
    name: &'a [u8],
}

/// An attribute's value, or where it lies.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// In the record.
    Resident {
        /// The value.
        value: &'a [u8],
        /// Place of the value in `$MFT`.
        offset: u64,
    },
    /// In clusters.
    NonResident(NonResident<'a>),
}

/// One extent of a non-resident attribute.
#[derive(Clone, Copy, Debug)]
pub struct NonResident<'a> {
    /// First virtual cluster.
    pub lowest_vcn: u64,
    /// Last virtual cluster; -1 (all ones) for an attribute without clusters, sometimes 0 where it should be more.
    pub highest_vcn: u64,
    /// Two to this power clusters are compressed together; 0 = no compression.
    pub compression_unit: u8,
    /// Bytes of all virtual clusters; valid if `lowest_vcn` is 0, as all sizes.
    pub allocated: u64,
    /// Length of the value.
    pub size: u64,
    /// How far it was ever written.
    pub initialized: u64,
    /// Bytes on disk, of a compressed or sparse attribute.
    pub on_disk: Option<u64>,
    mapping_pairs: &'a [u8],
    /// Place of the mapping pairs in `$MFT`.
    pub offset: u64,
}

impl<'a> Attribute<'a> {
    const MIN_LEN: usize = 24;
    const MIN_NON_RESIDENT_LEN: usize = 64;

    /// `data` is the attribute alone, at least [`Self::MIN_LEN`] bytes.
    fn parse(data: &'a [u8], type_code: u32, offset: u64) -> Result<Self, FormatError> {
        let byte = |at: usize| data.get(at).copied().unwrap_or_default();
        let half = |at: usize| u16_at(data, at).unwrap_or_default();
        let long = |at: usize| u64_at(data, at).unwrap_or_default();
        let lies = |what, at: u64, value: u64| FormatError::Value {
            what,
            offset: offset.saturating_add(at),
            value,
            problem: "not within the attribute",
        };

        let name = match usize::from(byte(9)).saturating_mul(2) {
            0 => Default::default(),
            len => {
                let start = usize::from(half(10));
                data.get(start..start.saturating_add(len)).ok_or_else(|| lies("attribute name", 10, start as u64))?
            }
        };
        let flags = half(12);
        let body = if byte(8) == 0 {
            let length = u32_at(data, 16).unwrap_or_default();
            let (start, len) = (usize::from(half(20)), usize::try_from(length).unwrap_or(usize::MAX));
            let value = data.get(start..start.saturating_add(len)).ok_or_else(|| lies("value", 16, length.into()))?;
            Body::Resident { value, offset: offset.saturating_add(start as u64) }
        } else {
            if data.len() < Self::MIN_NON_RESIDENT_LEN {
                return Err(lies("non-resident attribute", 4, data.len() as u64));
            }
            let start = usize::from(half(32));
            Body::NonResident(NonResident {
                lowest_vcn: long(16),
                highest_vcn: long(24),
                compression_unit: byte(34),
                allocated: long(40),
                size: long(48),
                initialized: long(56),
                on_disk: if flags & (ATTRIBUTE_COMPRESSION_MASK | ATTRIBUTE_SPARSE) == 0 {
                    None
                } else {
                    u64_at(data, 64)
                },
                mapping_pairs: data.get(start..).ok_or_else(|| lies("mapping pairs", 32, start as u64))?,
                offset: offset.saturating_add(start as u64),
            })
        };
        Ok(Self { type_code, id: half(14), flags, offset, body, name })
    }

    /// Name, empty for most.
    pub fn name(&self) -> String {
        text::from_utf16le(self.name)
    }

    /// True if the attribute has no name.
    pub const fn is_unnamed(&self) -> bool {
        self.name.is_empty()
    }

    /// The value of a resident attribute.
    pub const fn resident(&self) -> Option<&'a [u8]> {
        match self.body {
            Body::Resident { value, .. } => Some(value),
            Body::NonResident(_) => None,
        }
    }
}

/// Clusters that lie side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First virtual cluster.
    pub vcn: u64,
    /// Number of clusters.
    pub clusters: u64,
    /// First cluster on the volume; absent for a hole.
    pub lcn: Option<u64>,
}

impl NonResident<'_> {
    /// The runs of this extent, and what was wrong with the first one that could not be read.
    pub fn runs(&self) -> (Vec<Run>, Option<FormatError>) {
        let mut runs = Vec::new();
        let fault = self.each_run(&mut |run| runs.push(run)).err();
        (runs, fault)
    }

    /// Gives the runs of this extent one by one.
    ///
    /// # Errors
    /// If one can't be read; those before it were given.
    pub fn each_run(&self, give: &mut dyn FnMut(Run)) -> Result<(), FormatError> {
        let mut cursor = Cursor::new(self.mapping_pairs, "mapping pairs", self.offset);
        let (mut vcn, mut lcn) = (self.lowest_vcn, 0i64);
        while cursor.remaining() > 0 {
            let offset = cursor.offset();
            let head = cursor.u8()?;
            if head == 0 {
                break;
            }
            let bad = |value, problem| FormatError::Value { what: "mapping pair", offset, value, problem };
            let length = number(cursor.take(usize::from(head & 0x0f))?);
            let start = cursor.take(usize::from(head >> 4))?;
            let Some(clusters) = length.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0) else {
                return Err(bad(head.into(), "a run without length"));
            };
            let next = vcn.checked_add(clusters).filter(|n| *n <= i64::MAX as u64);
            let Some(next) = next else { return Err(bad(clusters, "a run beyond every file's end")) };
            let place = if start.is_empty() {
                None
            } else {
                let moved = number(start).and_then(|n| lcn.checked_add(n)).filter(|n| *n >= 0);
                lcn = moved.ok_or_else(|| bad(head.into(), "a run before the volume's beginning"))?;
                u64::try_from(lcn).ok()
            };
            give(Run { vcn, clusters, lcn: place });
            vcn = next;
        }
        Ok(())
    }
}

/// A signed little-endian number of up to eight bytes; `None` if there are none, or more.
fn number(bytes: &[u8]) -> Option<i64> {
    let sign = if bytes.last()? & 0x80 == 0 { 0 } else { 0xff };
    let mut wide = [sign; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(wide))
}

/// Reads `$STANDARD_INFORMATION`: created (0), modified (8), changed (16) and accessed (24), attributes (32); from NTFS 3.0
/// on the security id (52) and the USN (64). `offset` is the place of the value.
///
/// # Errors
/// If it is shorter than 36 bytes.
pub fn standard_information(value: &[u8], offset: u64) -> Result<StandardInformation, FormatError> {
    let short =
        || FormatError::Short { what: "$STANDARD_INFORMATION", offset, needed: 36, available: value.len() as u64 };
    let times = times(value, 0).ok_or_else(short)?;
    let attributes = u32_at(value, 32).ok_or_else(short)?;
    let new = value.len() >= 72;
    Ok(StandardInformation {
        times,
        attributes,
        security_id: u32_at(value, 52).filter(|id| new && *id != 0),
        usn: u64_at(value, 64).filter(|usn| new && *usn != 0),
    })
}

/// `$FILE_NAME`, in a record or as the key of a directory's index.
#[derive(Clone, Copy, Debug)]
pub struct FileNameAttribute<'a> {
    /// The directory that holds the name.
    pub parent: FileReference,
    /// `$FN` times.
    pub times: MacbTimes,
    /// Bytes on disk; not kept up to date in the record, only in the index.
    pub allocated: u64,
    /// Length of the main stream; not kept up to date in the record, only in the index.
    pub size: u64,
    /// `FILE_ATTRIBUTE_*`, and 0x10000000 for a directory.
    pub attributes: u32,
    /// Namespace.
    pub namespace: Namespace,
    name: &'a [u8],
}

impl<'a> FileNameAttribute<'a> {
    /// Reads it: parent (0), created (8), modified (16), changed (24), accessed (32), allocated (40) and real size (48),
    /// attributes (56), length of the name in units (64), namespace (65), name (66). `offset` is the place of the value.
    ///
    /// # Errors
    /// If it is too short for its name, or its namespace is unknown.
    pub fn parse(value: &'a [u8], offset: u64) -> Result<Self, FormatError> {
        let units = value.get(64).copied().unwrap_or_default();
        let end = 66usize.saturating_add(usize::from(units).saturating_mul(2));
        let (Some(name), Some(times)) = (value.get(66..end), times(value, 8)) else {
            let available = value.len() as u64;
            return Err(FormatError::Short { what: "$FILE_NAME", offset, needed: end as u64, available });
        };
        let namespace = match value.get(65) {
            Some(0) => Namespace::Posix,
            Some(1) => Namespace::Win32,
            Some(2) => Namespace::Dos,
            Some(3) => Namespace::Win32AndDos,
            other => {
                return Err(FormatError::Value {
                    what: "namespace of a $FILE_NAME",
                    offset: offset.saturating_add(65),
                    value: other.copied().unwrap_or_default().into(),
                    problem: "unknown",
                });
            }
        };
        Ok(Self {
            parent: FileReference::from_u64(u64_at(value, 0).unwrap_or_default()),
            times,
            allocated: u64_at(value, 40).unwrap_or_default(),
            size: u64_at(value, 48).unwrap_or_default(),
            attributes: u32_at(value, 56).unwrap_or_default(),
            namespace,
            name,
        })
    }

    /// The name, lone surrogates kept.
    pub fn name(&self) -> String {
        text::from_utf16le(self.name)
    }

    /// The name's UTF-16 units.
    pub fn units(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.name.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair))
    }
}

/// The four times as both attributes hold them: created, modified, changed, accessed.
fn times(value: &[u8], at: usize) -> Option<MacbTimes> {
    let mut fields = value.get(at..at.checked_add(32)?)?.as_chunks::<8>().0.iter();
    let mut time = || fields.next().and_then(|f| Timestamp::from_filetime_field(u64::from_le_bytes(*f)));
    let (created, modified, changed, accessed) = (time(), time(), time(), time());
    Some(MacbTimes { modified, accessed, changed, created })
}

/// One entry of an `$ATTRIBUTE_LIST`: where one attribute, or one extent of it, lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeListEntry {
    /// See [`attribute_type`].
    pub type_code: u32,
    /// Name.
    pub name: String,
    /// First virtual cluster of the extent; 0 for a resident attribute.
    pub lowest_vcn: u64,
    /// The record that holds it.
    pub reference: FileReference,
    /// The attribute's number within that record.
    pub id: u16,
}

/// Reads an `$ATTRIBUTE_LIST`: type (0), length of the entry (4), length (6) and offset (7) of the name, first VCN (8),
/// record (16), id (24). `offset` is the place of the value. The second value is what was wrong with the first entry that
/// could not be read; those behind it are lost.
pub fn attribute_list(value: &[u8], offset: u64) -> (Vec<AttributeListEntry>, Option<FormatError>) {
    let mut entries = Vec::new();
    let mut at = 0usize;
    while at < value.len() {
        let rest = value.get(at..).unwrap_or_default();
        match list_entry(rest) {
            Some((entry, length)) => {
                entries.push(entry);
                at = at.saturating_add(length);
            }
            // The value is padded with zeros, on some volumes.
            None if rest.iter().all(|b| *b == 0) => break,
            None => {
                let fault = FormatError::Value {
                    what: "length of an entry in $ATTRIBUTE_LIST",
                    offset: offset.saturating_add(at as u64),
                    value: u16_at(rest, 4).unwrap_or_default().into(),
                    problem: "the entry, or its name, does not fit into it",
                };
                return (entries, Some(fault));
            }
        }
    }
    (entries, None)
}

fn list_entry(data: &[u8]) -> Option<(AttributeListEntry, usize)> {
    let length = usize::from(u16_at(data, 4)?);
    let data = data.get(..length)?;
    let (name_units, name_start) = (usize::from(*data.get(6)?), usize::from(*data.get(7)?));
    let name = match name_units.saturating_mul(2) {
        0 => String::new(),
        len => text::from_utf16le(data.get(name_start..name_start.saturating_add(len))?),
    };
    let entry = AttributeListEntry {
        type_code: u32_at(data, 0)?,
        name,
        lowest_vcn: u64_at(data, 8)?,
        reference: FileReference::from_u64(u64_at(data, 16)?),
        id: u16_at(data, 24)?,
    };
    Some((entry, length))
}

/// `$REPARSE_POINT`.
#[derive(Clone, Copy, Debug)]
pub struct ReparsePoint<'a> {
    /// Kind of the point.
    pub tag: u32,
    /// What the kind keeps there.
    pub data: &'a [u8],
}

/// A volume mounted on a folder, or a junction.
pub const REPARSE_MOUNT_POINT: u32 = 0xa000_0003;
/// A symbolic link.
pub const REPARSE_SYMLINK: u32 = 0xa000_000c;

impl<'a> ReparsePoint<'a> {
    /// Reads it: tag (0), length of the data (4), data (8). Tags that are not Microsoft's have a GUID before the data,
    /// which is left in it. `offset` is the place of the value.
    ///
    /// # Errors
    /// If it is shorter than its head. Data that is cut is given as far as it goes.
    pub fn parse(value: &'a [u8], offset: u64) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(value, "$REPARSE_POINT", offset);
        let (tag, length) = (cursor.u32()?, usize::from(cursor.u16()?));
        cursor.skip(2)?;
        let data = cursor.take(length.min(cursor.remaining()))?;
        Ok(Self { tag, data })
    }

    /// Where a symbolic link or a mount point leads: the name that Windows follows (not the one that it shows), without the
    /// `\??\` of the object manager. A relative link stays relative.
    pub fn target(&self) -> Option<String> {
        let names = match self.tag {
            REPARSE_MOUNT_POINT => 8usize,
            REPARSE_SYMLINK => 12,
            _ => return None,
        };
        let start = names.checked_add(u16_at(self.data, 0)?.into())?;
        let end = start.checked_add(u16_at(self.data, 2)?.into())?;
        let name = text::from_utf16le(self.data.get(start..end)?);
        Some(name.strip_prefix(r"\??\").map(str::to_owned).unwrap_or(name))
    }
}

/// `$VOLUME_INFORMATION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeInformation {
    /// Major version of NTFS.
    pub major: u8,
    /// Minor version of NTFS.
    pub minor: u8,
    /// 1 = dirty, and others.
    pub flags: u16,
}

/// The volume was not put away in order, or a fault was found: Windows checks it at the next start.
const VOLUME_DIRTY: u16 = 1;

impl VolumeInformation {
    /// True if the volume is marked as not put away in order.
    pub const fn is_dirty(&self) -> bool {
        self.flags & VOLUME_DIRTY != 0
    }

    /// Reads it: major (8) and minor version (9), flags (10). `offset` is the place of the value.
    ///
    /// # Errors
    /// If it is shorter than 12 bytes.
    pub fn parse(value: &[u8], offset: u64) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(value, "$VOLUME_INFORMATION", offset);
        cursor.skip(8)?;
        Ok(Self { major: cursor.u8()?, minor: cursor.u8()?, flags: cursor.u16()? })
    }
}

fn bytes<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..)?.first_chunk().copied()
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    bytes(data, at).map(u16::from_le_bytes)
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    bytes(data, at).map(u32::from_le_bytes)
}

fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    bytes(data, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::ntfs_samples::{self as samples, Extent, Head, Random};
    use super::*;

    fn sample() -> Vec<u8> {
        let head = Head { number: 41, sequence: 7, flags: 1, base: 0 };
        let data = Extent { name: "täg", highest: 9, allocated: 10_240, size: 9000, ..Extent::default() };
        samples::record(
            head,
            &[
                samples::standard_information(0x20),
                samples::file_name(samples::reference(5, 5), "a.txt", 3),
                samples::resident(attribute_type::DATA, "", b"hello"),
                samples::extent(Extent { pairs: &[0x11, 0x0a, 0x10, 0], ..data }),
            ],
        )
    }

    #[test]
    fn a_record_gives_its_head_and_attributes() {
        let mut bytes = sample();
        let record = Record::parse(&mut bytes, 0xa400).unwrap();
        let header = record.header;
        assert!(!header.bad_fixup && header.in_use() && !header.is_directory() && !header.is_extension());
        assert_eq!((header.sequence, header.links, header.lsn, header.number), (7, 1, 77, Some(41)));
        let attributes: Vec<_> = record.attributes().map(Result::unwrap).collect();
        let kinds: Vec<_> = attributes.iter().map(|a| (a.type_code, a.id, a.name())).collect();
        let expected =
            [(0x10, 0, String::new()), (0x30, 1, String::new()), (0x80, 2, String::new()), (0x80, 3, "täg".into())];
        assert_eq!(kinds, expected);
        assert_eq!(attributes[0].offset, 0xa400 + 56);
        assert_eq!(attributes[2].resident(), Some(&b"hello"[..]));
        let Body::NonResident(part) = attributes[3].body else { panic!("resident") };
        assert_eq!((part.highest_vcn, part.allocated, part.size, part.on_disk), (9, 10_240, 9000, None));
        assert_eq!(part.runs(), (vec![Run { vcn: 0, clusters: 10, lcn: Some(16) }], None));
    }

    #[test]
    fn times_stand_where_they_belong() {
        let mut bytes = sample();
        let record = Record::parse(&mut bytes, 0).unwrap();
        let attributes: Vec<_> = record.attributes().map(Result::unwrap).collect();
        let information = standard_information(attributes[0].resident().unwrap(), 0).unwrap();
        let ticks = |t: MacbTimes| [t.created, t.modified, t.changed, t.accessed].map(|t| t.unwrap().filetime());
        assert_eq!(ticks(information.times), [1, 2, 3, 4]);
        assert_eq!(
            (information.attributes, information.security_id, information.usn),
            (0x20, Some(0x103), Some(0x2000))
        );
        let name = FileNameAttribute::parse(attributes[1].resident().unwrap(), 0).unwrap();
        assert_eq!(ticks(name.times), [11, 12, 13, 14]);
        assert_eq!((name.name().as_str(), name.namespace), ("a.txt", Namespace::Win32AndDos));
        assert_eq!(name.parent, FileReference { record: 5, sequence: 5 });
    }

    /// The short form is that of NTFS 1.2: no security id, no USN, and none is made up.
    #[test]
    fn the_old_standard_information_is_shorter() {
        let mut value = vec![0; 48];
        value[32] = 0x20;
        let information = standard_information(&value, 0).unwrap();
        assert_eq!((information.security_id, information.usn, information.times.created), (None, None, None));
        assert!(standard_information(&value[..35], 0).is_err());
    }

    /// Attributes that the record's own length leaves out, in part or as a whole, are read all the same, and told.
    #[test]
    fn attributes_behind_the_used_bytes() {
        let head = Head { number: 7, sequence: 1, flags: 1, base: 0 };
        let attributes = [samples::standard_information(0x20), samples::file_name(5, "a", 3)];
        let whole = samples::record(head, &attributes);
        let first = usize::from(u16_at(&whole, 20).unwrap());
        let ends = [first + attributes[0].len(), first + attributes[0].len() + 40];
        for used in ends {
            let mut record = whole.clone();
            record[24..28].copy_from_slice(&(used as u32).to_le_bytes());
            let record = Record::parse(&mut record, 0).unwrap();
            let found: Vec<_> = record.attributes().collect();
            let types: Vec<_> = found.iter().flatten().map(|a| a.type_code).collect();
            assert_eq!(types, [attribute_type::STANDARD_INFORMATION, attribute_type::FILE_NAME], "{used}");
            assert_eq!((found.len(), found[1].is_err()), (3, true), "one issue, where the used bytes end");
        }
    }

    #[test]
    fn torn_and_marked_records_are_flagged_not_refused() {
        let mut torn = sample();
        torn[1022] ^= 1;
        assert!(Record::parse(&mut torn, 0).unwrap().header.bad_fixup);
        let mut marked = sample();
        marked[..4].copy_from_slice(b"BAAD");
        assert!(Record::parse(&mut marked, 0).unwrap().header.bad_fixup);
        assert!(Record::parse(&mut vec![0; 1024], 0).is_err());
        assert!(Record::parse(&mut sample()[..41].to_vec(), 0).is_err());
    }

    #[test]
    fn a_lying_length_is_told_with_its_place_and_what_came_before_is_kept() {
        let mut bytes = sample();
        // Length of the value of $FILE_NAME: the second attribute, at 56 + 96.
        bytes[56 + 96 + 16] = 0xff;
        let record = Record::parse(&mut bytes, 0x400).unwrap();
        let results: Vec<_> = record.attributes().collect();
        assert_eq!(results.len(), 4, "the attributes behind it are found");
        assert_eq!(results[1].as_ref().unwrap_err().offset(), 0x400 + 56 + 96 + 16);

        let mut bytes = sample();
        bytes[56 + 96 + 5] = 0xff;
        let record = Record::parse(&mut bytes, 0).unwrap();
        let results: Vec<_> = record.attributes().collect();
        assert!(results[0].is_ok() && results[1].is_err());
        assert_eq!(results.len(), 2, "nobody knows where the next one begins");
    }

    fn runs(pairs: &[u8]) -> (Vec<(u64, u64, Option<u64>)>, bool) {
        let attribute = samples::extent(Extent { lowest: 100, highest: 9999, pairs, ..Extent::default() });
        let attribute = Attribute::parse(&attribute, attribute_type::DATA, 0).unwrap();
        let Body::NonResident(part) = attribute.body else { panic!("resident") };
        let (runs, fault) = part.runs();
        (runs.iter().map(|r| (r.vcn, r.clusters, r.lcn)).collect(), fault.is_some())
    }

    #[test]
    fn mapping_pairs() {
        // 0x21 = one byte of length, two of start; then one that goes back, a hole, and one that counts from before the hole.
        let pairs = [0x21, 0x18, 0x34, 0x56, 0x11, 0x05, 0xf0, 0x01, 0x30, 0x12, 0x00, 0x01, 0x10, 0];
        let expected = [(100, 24, Some(0x5634)), (124, 5, Some(0x5624)), (129, 48, None), (177, 256, Some(0x5634))];
        assert_eq!(runs(&pairs), (expected.to_vec(), false));
        assert_eq!(runs(&[0x11, 0x08, 0x00, 0]), (vec![(100, 8, Some(0))], false), "cluster 0 is a place");
        assert_eq!(runs(&[0]), (vec![], false));
    }

    #[test]
    fn damaged_mapping_pairs_keep_what_came_before() {
        let good = vec![(100, 8, Some(16))];
        for bad in [
            &[0x11, 8, 16, 0x10, 5, 0][..],                                          // no length
            &[0x11, 8, 16, 0x11, 5, 0x80, 0],                                        // before the beginning
            &[0x11, 8, 16, 0x11, 0x80, 1, 0],                                        // negative length
            &[0x11, 8, 16, 0x11, 0, 1, 0],                                           // length 0
            &[0x11, 8, 16, 0x99, 1, 2, 3, 4, 5, 6, 7, 8, 9],                         // cut
            &[0x11, 8, 16, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1], // beyond all ends
        ] {
            assert_eq!(runs(bad), (good.clone(), true), "{bad:02x?}");
        }
    }

    #[test]
    fn attribute_lists() {
        let list = [
            samples::list_entry(0x10, "", 0, samples::reference(41, 7)),
            samples::list_entry(0x80, "ads", 300, samples::reference(99, 2)),
        ]
        .concat();
        let (entries, fault) = attribute_list(&list, 0);
        assert!(fault.is_none());
        let expected = AttributeListEntry {
            type_code: 0x80,
            name: "ads".into(),
            lowest_vcn: 300,
            reference: FileReference { record: 99, sequence: 2 },
            id: 0,
        };
        assert_eq!(entries[1], expected);
        let (kept, fault) = attribute_list(&list[..list.len() - 1], 0x50);
        assert_eq!(kept.len(), 1);
        assert_eq!(fault.unwrap().offset(), 0x50 + 32);
        assert_eq!(attribute_list(&[0; 24], 0), (vec![], None));
    }

    /// The first 16 bytes of data: offset and length of the name that is followed, then of the one that is shown.
    #[test]
    fn reparse_points() {
        let point = |tag: u32, extra: usize, followed: &str, shown: &str| {
            let (followed, shown) = (samples::utf16(followed), samples::utf16(shown));
            let mut data = Vec::new();
            for n in [0, followed.len(), followed.len(), shown.len()] {
                data.extend((n as u16).to_le_bytes());
            }
            data.resize(data.len() + extra, 0);
            data.extend([followed, shown].concat());
            let mut value = tag.to_le_bytes().to_vec();
            value.extend((data.len() as u16).to_le_bytes());
            value.extend([0, 0]);
            value.extend(data);
            value
        };
        let target = |value: &[u8]| ReparsePoint::parse(value, 0).unwrap().target();
        let junction = point(REPARSE_MOUNT_POINT, 0, r"\??\C:\Users", r"D:\shown");
        assert_eq!(target(&junction).as_deref(), Some(r"C:\Users"));
        assert_eq!(target(&point(REPARSE_SYMLINK, 4, r"..\x", "")).as_deref(), Some(r"..\x"));
        assert_eq!(target(&point(0x8000_0017, 0, "x", "")), None);
        assert_eq!(target(&junction[..12]), None);
        assert!(ReparsePoint::parse(&junction[..7], 0).is_err());
    }

    #[test]
    fn any_damage_ends_in_bounded_work() {
        let whole = sample();
        let mut random = Random(0x1234_5678_9abc_def1);
        for _ in 0..5000 {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(6) {
                let at = random.below(300);
                bytes[at] = random.below(256) as u8;
            }
            bytes.truncate(RECORD_MIN.max(random.below(2048)).min(1024));
            let Ok(record) = Record::parse(&mut bytes, 0) else { continue };
            let mut count = 0;
            for attribute in record.attributes().flatten() {
                count += 1;
                let _ = attribute.name();
                match attribute.body {
                    Body::NonResident(part) => assert!(part.runs().0.len() <= 1024),
                    Body::Resident { value, offset } => {
                        let _ = standard_information(value, offset);
                        let _ = FileNameAttribute::parse(value, offset).map(|name| name.name());
                        let _ = attribute_list(value, offset);
                        let _ = ReparsePoint::parse(value, offset).map(|point| point.target());
                    }
                }
            }
            assert!(count <= 1024 / Attribute::MIN_LEN);
        }
    }

    const RECORD_MIN: usize = 100;
}
