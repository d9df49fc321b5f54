//! The cell layer: the structures of a hive, straight from the bytes, each read as far as it is whole.
//!
//! A hive is a base block of 4,096 bytes, then hive bins. A bin holds cells; a cell is a signed size and a structure.
//! Structures name each other by the offset of the cell, counted from the first bin.
//!
//! | structure | offset | field |
//! |---|---|---|
//! | base block | 0 | `regf` |
//! | | 4, 8 | primary and secondary sequence number; they differ while a write is under way |
//! | | 12 | last written, FILETIME |
//! | | 20, 24 | version, major and minor |
//! | | 28, 32 | file type (0 hive, 1, 2 and 6 log), file format |
//! | | 36, 40 | cell of the root key, size of all bins |
//! | | 48 | tail of the hive's own path, UTF-16, 64 bytes |
//! | | 144, 168 | flags, last reorganized |
//! | | 508 | XOR of the 127 words before it |
//! | bin | 0 | `hbin`, offset from the first bin (4), size (8), FILETIME (20); cells from 32 |
//! | cell | 0 | size: negative if in use; with these four bytes; a multiple of 8 |
//! | `nk` key | 2, 4 | flags (0x04 root, 0x20 name in one-byte characters), last written |
//! | | 16 | cell of the parent |
//! | | 20, 28 | count and list of subkeys |
//! | | 36, 40 | count and list of values |
//! | | 44, 48 | security cell, class name cell |
//! | | 72, 74, 76 | length of the name, length of the class name, name |
//! | `vk` value | 2, 4, 8 | length of the name, length of the data (top bit: the data is the next field itself), cell of the data |
//! | | 12, 16, 20 | type, flags (1: name in one-byte characters), name |
//! | `lf`, `lh` | 2, 4 | count, then cell and hash of each subkey |
//! | `li`, `ri` | 2, 4 | count, then the cell of each subkey, or of each further list |
//! | `db` | 2, 4 | count of segments, cell of the list of segments; 16,344 bytes each, the last one shorter |
//! | `sk` | 16, 20 | length of the security descriptor, descriptor |
//!
//! Sources: Maxim Suhanov, "Windows registry file format specification"; Joachim Metz, "Windows NT Registry File (REGF)
//! format"; and the hives of the test corpus.

use std::borrow::Cow;

use crate::bytes::{FormatError, text};
use crate::model::Timestamp;

/// Size of the base block: where the first bin begins.
pub(super) const BASE_BLOCK: usize = 4096;
/// Granularity of bins.
pub(super) const PAGE: usize = 4096;
/// Size of a bin's header.
pub(super) const BIN_HEADER: usize = 32;
/// Where the name of a key begins in its structure.
pub(super) const KEY_NAME: usize = 76;
/// Where the name of a value begins in its structure.
const VALUE_NAME: usize = 20;
/// Data of more than this is cut into segments, in versions from 1.4 on.
pub(super) const SEGMENT: usize = 16_344;
/// No cell.
pub(super) const NONE: u32 = u32::MAX;
/// How many lists of lists may lie under each other. Windows makes one.
const LIST_DEPTH: u32 = 2;

/// A little-endian field of a slice, 0 where the slice is too short: for structures whose length was checked before.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b))
}

/// See [`u16_at`].
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
}

/// See [`u16_at`].
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
}

/// The base block. It is there even if it is damaged; its fields then say what the bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseBlock {
    /// Begins with `regf`.
    pub signature: bool,
    /// Sequence number written before a write to the hive.
    pub primary_sequence: u32,
    /// Sequence number written after it. Both are the same in a clean hive.
    pub secondary_sequence: u32,
    /// When the hive was last written, where it says so. From Windows 10 on it often stays 0.
    pub last_written: Option<Timestamp>,
    /// Major version, 1.
    pub major: u32,
    /// Minor version: 3 (NT 4) to 6.
    pub minor: u32,
    /// 0 for a hive; 1, 2 or 6 in a log's copy.
    pub file_type: u32,
    /// Cell of the root key.
    pub root: u32,
    /// Size of all bins, in bytes.
    pub bins_size: u32,
    /// Tail of the path under which the hive was loaded, as the hive itself says.
    pub file_name: String,
    /// When the hive was last compacted, where it says so.
    pub last_reorganized: Option<Timestamp>,
    /// Stored and computed checksum.
    pub checksums: (u32, u32),
}

impl BaseBlock {
    /// Reads the first 512 bytes. Missing bytes count as zeros.
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self {
            signature: bytes.starts_with(b"regf"),
            primary_sequence: u32_at(bytes, 4),
            secondary_sequence: u32_at(bytes, 8),
            last_written: Timestamp::from_filetime_field(u64_at(bytes, 12)),
            major: u32_at(bytes, 20),
            minor: u32_at(bytes, 24),
            file_type: u32_at(bytes, 28),
            root: u32_at(bytes, 36),
            bins_size: u32_at(bytes, 40),
            file_name: text::from_utf16le_until_nul(bytes.get(48..112).unwrap_or_default()),
            // Bits 0 and 1 of such a time are flags.
            last_reorganized: Timestamp::from_filetime_field(u64_at(bytes, 168) & !3),
            checksums: (u32_at(bytes, 508), checksum(bytes)),
        }
    }

    /// Signature and checksum are right.
    pub fn valid(&self) -> bool {
        self.signature && self.checksums.0 == self.checksums.1
    }
}

/// XOR of the 127 words before the checksum; 0 and all ones are not used.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let words = bytes.get(..508).unwrap_or_default().as_chunks::<4>().0;
    match words.iter().fold(0, |sum, word| sum ^ u32::from_le_bytes(*word)) {
        0 => 1,
        u32::MAX => u32::MAX.saturating_sub(1),
        sum => sum,
    }
}

/// One cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell<'h> {
    /// Offset of its size field, counted from the first bin.
    pub(super) at: u32,
    /// In use.
    pub(super) allocated: bool,
    /// What follows the size field.
    pub(super) data: &'h [u8],
}

impl Cell<'_> {
    /// Offset of its size field in the file.
    pub(super) fn offset(&self) -> u64 {
        file_offset(self.at)
    }
}

/// Offset in the file of a cell.
pub(super) fn file_offset(at: u32) -> u64 {
    u64::from(at).saturating_add(BASE_BLOCK as u64)
}

/// All cells of a hive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells<'h> {
    /// The file.
    pub(super) bytes: &'h [u8],
    /// Minor version.
    pub(super) minor: u32,
    /// Size of all bins, as the base block gives it.
    pub(super) bins_size: u32,
}

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) kind: RegionKind,
    /// Offsets from the first bin; a cell begins with its size field.
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What a part of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegionKind {
    /// A cell in use.
    Used,
    /// A free cell.
    Free,
    /// The rest of a bin that can't be divided into cells.
    Broken,
    /// A page that belongs to no bin.
    Outside,
}

impl<'h> Cells<'h> {
    /// The cell at that offset, in use or not.
    pub(super) fn cell(&self, at: u32, what: &'static str) -> Result<Cell<'h>, FormatError> {
        let offset = file_offset(at);
        if !at.is_multiple_of(8) {
            return Err(FormatError::Value {
                what,
                offset,
                value: at.into(),
                problem: "cells begin at multiples of 8",
            });
        }
        let rest = usize::try_from(offset).ok().and_then(|start| self.bytes.get(start..)).unwrap_or_default();
        let Some((size, data)) = rest.split_first_chunk::<4>() else {
            return Err(FormatError::Short { what, offset, needed: 4, available: rest.len() as u64 });
        };
        let size = i32::from_le_bytes(*size);
        let length = usize::try_from(size.unsigned_abs()).unwrap_or(usize::MAX);
        let Some(wanted) = length.checked_sub(4).filter(|_| length >= 8) else {
            let problem = "a cell is no shorter than 8 bytes";
            return Err(FormatError::Value { what, offset, value: length as u64, problem });
        };
        match data.get(..wanted) {
            Some(data) => Ok(Cell { at, allocated: size < 0, data }),
            None => Err(FormatError::Short { what, offset, needed: length as u64, available: rest.len() as u64 }),
        }
    }

    /// The key at that cell. A free cell is refused: what it held is not part of the live tree.
    pub(super) fn key(&self, at: u32) -> Result<Nk<'h>, FormatError> {
        let what = "the key";
        let cell = self.in_use(self.cell(at, what)?, what)?;
        Nk::read(cell)
    }

    /// The value at that cell.
    pub(super) fn value(&self, at: u32) -> Result<Vk<'h>, FormatError> {
        let what = "the value";
        let cell = self.in_use(self.cell(at, what)?, what)?;
        Vk::read(cell)
    }

    fn in_use(&self, cell: Cell<'h>, what: &'static str) -> Result<Cell<'h>, FormatError> {
        if cell.allocated {
            return Ok(cell);
        }
        let problem = "the cell is marked as free";
        Err(FormatError::Value { what, offset: cell.offset(), value: cell.data.len() as u64, problem })
    }

    /// The cells of all subkeys in a list, in stored order, and the cells of the lists themselves. `limit` bounds the
    /// entries read. What can't be read is in the list as an error.
    pub(super) fn subkeys(&self, list: u32, limit: usize) -> SubkeyList {
        let mut out = SubkeyList::default();
        self.add_subkeys(list, limit, LIST_DEPTH, &mut out);
        out
    }

    fn add_subkeys(&self, list: u32, limit: usize, depth: u32, out: &mut SubkeyList) {
        const WHAT: &str = "the list of subkeys";
        let cell = match self.cell(list, WHAT).and_then(|cell| self.in_use(cell, WHAT)) {
            Ok(cell) => cell,
            Err(error) => return out.entries.push(Err(error)),
        };
        out.lists.push(list);
        let data = cell.data;
        let count = usize::from(u16_at(data, 2));
        let (entry, nested) = match data.get(..2) {
            Some(b"lf" | b"lh") => (8, false),
            Some(b"li") => (4, false),
            Some(b"ri") => (4, true),
            _ => {
                let actual = data.get(..2).unwrap_or_default().to_vec();
                let error =
                    FormatError::Signature { what: WHAT, offset: cell.offset(), expected: b"l".to_vec(), actual };
                return out.entries.push(Err(error));
            }
        };
        let entries = data.get(4..).unwrap_or_default().chunks_exact(entry);
        let there = entries.len();
        for found in entries.take(count) {
            if out.entries.len().saturating_add(out.lists.len()) > limit {
                let (value, limit) = (count as u64, limit as u64);
                let error = FormatError::Limit { what: WHAT, offset: cell.offset(), value, limit };
                return out.entries.push(Err(error));
            }
            let at = u32_at(found, 0);
            match (nested, depth.checked_sub(1)) {
                (false, _) => out.entries.push(Ok(at)),
                (true, Some(depth)) => self.add_subkeys(at, limit, depth, out),
                (true, None) => {
                    let problem = "lists of subkeys lie inside each other in a way that Windows does not make";
                    let error = FormatError::Value { what: WHAT, offset: cell.offset(), value: at.into(), problem };
                    out.entries.push(Err(error));
                }
            }
        }
        if there < count {
            let (needed, available) = (count.saturating_mul(entry) as u64, there.saturating_mul(entry) as u64);
            out.entries.push(Err(FormatError::Short { what: WHAT, offset: cell.offset(), needed, available }));
        }
    }

    /// The cell of a list of subkeys and, if it is a list of lists, the cells of those.
    pub(super) fn lists_at(&self, list: u32) -> Vec<u32> {
        let mut lists = vec![list];
        if let Ok(cell) = self.cell(list, "the list of subkeys")
            && cell.data.starts_with(b"ri")
        {
            let entries = cell.data.get(4..).unwrap_or_default().as_chunks::<4>().0;
            let count = usize::from(u16_at(cell.data, 2));
            lists.extend(entries.iter().take(count).map(|entry| u32::from_le_bytes(*entry)));
        }
        lists
    }

    /// Entries of a list of subkeys whose hash is not that of the key's name: one of both is damaged, and who looks for the
    /// name will not find it. Names of other characters than ASCII are left out, because how they are made upper case
    /// depends on the system.
    pub(super) fn wrong_hashes(&self, list: u32) -> Vec<FormatError> {
        let Ok(list) = self.cell(list, "the list of subkeys") else { return Vec::new() };
        let hash: fn(&[u8]) -> u32 = match list.data.get(..2) {
            Some(b"lh") => hash_of,
            Some(b"lf") => hint_of,
            _ => return Vec::new(),
        };
        let entries = list.data.get(4..).unwrap_or_default().as_chunks::<8>().0;
        let mut wrong = Vec::new();
        for entry in entries.iter().take(usize::from(u16_at(list.data, 2))) {
            let Ok(key) = self.key(u32_at(entry, 0)) else { continue };
            let Some(name) = key.ascii_name() else { continue };
            let (stored, computed) = (u32_at(entry, 4), hash(name));
            // The case of a hint's characters is not the name's in hives of every system.
            if stored != computed && !stored.to_le_bytes().eq_ignore_ascii_case(&computed.to_le_bytes()) {
                let (stored, computed) = (stored.into(), computed.into());
                let (what, offset) = ("the name of a subkey", key.cell.offset());
                wrong.push(FormatError::Checksum { what, offset, stored, computed });
            }
        }
        wrong
    }

    /// The bytes between two offsets from the first bin, as far as there are any.
    pub(super) fn slice(&self, start: u32, end: u32) -> &'h [u8] {
        let start = usize::try_from(file_offset(start)).unwrap_or(usize::MAX);
        let end = usize::try_from(file_offset(end)).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Every part of the file behind the base block, in order, and what is wrong with bins. Faults behind the end that
    /// the base block gives are not faults: what lies there belongs to nothing.
    pub(super) fn regions(&self, part: &mut dyn FnMut(Region)) -> Vec<FormatError> {
        let mut faults = Vec::new();
        let length = self.bytes.len().saturating_sub(BASE_BLOCK);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let mut start = 0u32;
        while start < length {
            let header = self.slice(start, start.saturating_add(BIN_HEADER as u32));
            let stored = (u32_at(header, 4), u32_at(header, 8));
            let page = start.saturating_add(PAGE as u32).min(length);
            let end = start.saturating_add(stored.1).min(length);
            let what = "the bin";
            let offset = file_offset(start);
            if !header.starts_with(b"hbin") {
                if start < self.bins_size {
                    let (expected, actual) = (b"hbin".to_vec(), header.iter().take(4).copied().collect());
                    faults.push(FormatError::Signature { what, offset, expected, actual });
                }
                part(Region { kind: RegionKind::Outside, start, end: page });
                start = page;
                continue;
            }
            let whole = stored.1 != 0 && stored.1.is_multiple_of(PAGE as u32);
            if start < self.bins_size && (stored.0 != start || !whole) {
                let (value, problem) = if whole {
                    (stored.0, "the bin says that it lies elsewhere")
                } else {
                    (stored.1, "the size of a bin is a multiple of 4,096")
                };
                faults.push(FormatError::Value { what, offset, value: value.into(), problem });
            }
            let end = if whole { end } else { page };
            let broken = self.cells_of_bin(start, end, part);
            faults.extend(broken.filter(|_| start < self.bins_size));
            start = end;
        }
        faults
    }

    fn cells_of_bin(&self, start: u32, end: u32, part: &mut dyn FnMut(Region)) -> Option<FormatError> {
        let mut at = start.saturating_add(BIN_HEADER as u32);
        while at < end {
            let size = u32_at(self.slice(at, end), 0).cast_signed();
            let length = size.unsigned_abs();
            let next = at.saturating_add(length);
            if length < 8 || !length.is_multiple_of(8) || next > end {
                part(Region { kind: RegionKind::Broken, start: at, end });
                let (what, problem) = ("the size of a cell", "the rest of the bin can't be divided into cells");
                return Some(FormatError::Value { what, offset: file_offset(at), value: length.into(), problem });
            }
            let kind = if size < 0 { RegionKind::Used } else { RegionKind::Free };
            part(Region { kind, start: at, end: next });
            at = next;
        }
        None
    }

    /// Cells of the segments of big data and of their list; none for other data.
    pub(super) fn segments_of(&self, value: &Vk<'h>) -> Vec<u32> {
        if usize::try_from(value.data_size).unwrap_or(0) <= SEGMENT || self.minor <= 3 {
            return Vec::new();
        }
        let cell = self.cell(value.data_cell, "the value's data").ok().filter(|cell| cell.data.starts_with(b"db"));
        cell.and_then(|cell| self.segment_cells(cell).ok()).unwrap_or_default()
    }

    /// The data of a deleted value: its cell need not be in use any more.
    pub(super) fn deleted_data(&self, value: &Vk<'h>) -> Result<Cow<'h, [u8]>, FormatError> {
        self.read_data(value, false)
    }

    /// The data of a value. Segments are put together; data that lies in one piece is not copied.
    pub(super) fn data(&self, value: &Vk<'h>) -> Result<Cow<'h, [u8]>, FormatError> {
        self.read_data(value, true)
    }

    fn read_data(&self, value: &Vk<'h>, live: bool) -> Result<Cow<'h, [u8]>, FormatError> {
        const WHAT: &str = "the value's data";
        if let Some(inline) = value.inline {
            return Ok(Cow::Borrowed(inline));
        }
        if value.data_size == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        let wanted = usize::try_from(value.data_size).unwrap_or(usize::MAX);
        let cell = self.cell(value.data_cell, WHAT)?;
        let cell = if live { self.in_use(cell, WHAT)? } else { cell };
        if wanted > SEGMENT && self.minor > 3 && cell.data.starts_with(b"db") {
            return self.segments(cell, wanted).map(Cow::Owned);
        }
        cell.data.get(..wanted).map(Cow::Borrowed).ok_or(FormatError::Short {
            what: WHAT,
            offset: cell.offset(),
            needed: wanted as u64,
            available: cell.data.len() as u64,
        })
    }

    /// The cells that hold the segments of big data, with the cell of their list first.
    pub(super) fn segment_cells(&self, cell: Cell<'h>) -> Result<Vec<u32>, FormatError> {
        const WHAT: &str = "the list of data segments";
        let list_at = u32_at(cell.data, 4);
        let list = self.cell(list_at, WHAT)?;
        let count = usize::from(u16_at(cell.data, 2));
        let mut cells = vec![list_at];
        cells.extend(list.data.as_chunks::<4>().0.iter().take(count).map(|at| u32::from_le_bytes(*at)));
        if cells.len() <= count {
            let (needed, available) = (count.saturating_mul(4) as u64, list.data.len() as u64);
            return Err(FormatError::Short { what: WHAT, offset: list.offset(), needed, available });
        }
        Ok(cells)
    }

    fn segments(&self, cell: Cell<'h>, wanted: usize) -> Result<Vec<u8>, FormatError> {
        const WHAT: &str = "the data segment";
        let mut data = Vec::new();
        for at in self.segment_cells(cell)?.into_iter().skip(1) {
            let left = wanted.saturating_sub(data.len());
            if left == 0 {
                break;
            }
            let segment = self.cell(at, WHAT)?;
            let take = left.min(SEGMENT);
            let Some(part) = segment.data.get(..take) else {
                let (needed, available) = (take as u64, segment.data.len() as u64);
                return Err(FormatError::Short { what: WHAT, offset: segment.offset(), needed, available });
            };
            data.extend_from_slice(part);
        }
        if data.len() < wanted {
            let (needed, available) = (wanted as u64, data.len() as u64);
            return Err(FormatError::Short { what: WHAT, offset: cell.offset(), needed, available });
        }
        Ok(data)
    }
}

/// The hash of a name in an `lh` list.
fn hash_of(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, byte| hash.wrapping_mul(37).wrapping_add(byte.to_ascii_uppercase().into()))
}

/// The first four characters, as an `lf` list holds them.
fn hint_of(name: &[u8]) -> u32 {
    let mut hint = [0; 4];
    hint.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    u32::from_le_bytes(hint)
}

/// What a list of subkeys gave.
#[derive(Debug, Default)]
pub(super) struct SubkeyList {
    /// Cells of the keys in stored order, and what could not be read.
    pub(super) entries: Vec<Result<u32, FormatError>>,
    /// Cells of the lists.
    pub(super) lists: Vec<u32>,
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nk<'h> {
    /// Its cell.
    pub(super) cell: Cell<'h>,
}

impl<'h> Nk<'h> {
    /// The name, if it is stored in one-byte characters and all of them are ASCII.
    fn ascii_name(&self) -> Option<&'h [u8]> {
        const ONE_BYTE: u16 = 0x20;
        let name = self.cell.data.get(KEY_NAME..)?.get(..usize::from(u16_at(self.cell.data, 72)))?;
        (self.flags() & ONE_BYTE != 0 && name.is_ascii()).then_some(name)
    }

    /// Takes a cell that begins with `nk` and is long enough for the fixed fields.
    pub(super) fn read(cell: Cell<'h>) -> Result<Self, FormatError> {
        const WHAT: &str = "the key";
        if !cell.data.starts_with(b"nk") {
            let actual = cell.data.get(..2).unwrap_or_default().to_vec();
            let (offset, expected) = (cell.offset(), b"nk".to_vec());
            return Err(FormatError::Signature { what: WHAT, offset, expected, actual });
        }
        if cell.data.len() < KEY_NAME {
            let (needed, available) = (KEY_NAME as u64, cell.data.len() as u64);
            return Err(FormatError::Short { what: WHAT, offset: cell.offset(), needed, available });
        }
        Ok(Self { cell })
    }

    pub(super) fn flags(&self) -> u16 {
        u16_at(self.cell.data, 2)
    }
    pub(super) fn last_written(&self) -> Option<Timestamp> {
        Timestamp::from_filetime_field(u64_at(self.cell.data, 4))
    }
    pub(super) fn parent(&self) -> u32 {
        u32_at(self.cell.data, 16)
    }
    pub(super) fn subkey_count(&self) -> u32 {
        u32_at(self.cell.data, 20)
    }
    pub(super) fn subkey_list(&self) -> u32 {
        u32_at(self.cell.data, 28)
    }
    pub(super) fn value_count(&self) -> u32 {
        u32_at(self.cell.data, 36)
    }
    pub(super) fn value_list(&self) -> u32 {
        u32_at(self.cell.data, 40)
    }
    pub(super) fn security(&self) -> u32 {
        u32_at(self.cell.data, 44)
    }
    pub(super) fn class(&self) -> u32 {
        u32_at(self.cell.data, 48)
    }
    pub(super) fn name_length(&self) -> usize {
        u16_at(self.cell.data, 72).into()
    }
    pub(super) fn class_length(&self) -> usize {
        u16_at(self.cell.data, 74).into()
    }
    /// Bytes of the structure with its name.
    pub(super) fn length(&self) -> usize {
        self.name_length().saturating_add(KEY_NAME)
    }
    /// The name, as far as the cell holds it.
    pub(super) fn name(&self) -> Name<'h> {
        let bytes = self.cell.data.get(KEY_NAME..).unwrap_or_default();
        let bytes = bytes.get(..self.name_length()).unwrap_or(bytes);
        Name { bytes, narrow: self.flags() & 0x20 != 0 }
    }
}

/// A value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vk<'h> {
    /// Its cell.
    pub(super) cell: Cell<'h>,
    /// Length of the data.
    pub(super) data_size: u32,
    /// Cell of the data, where the data is not inline.
    pub(super) data_cell: u32,
    /// Data of up to four bytes, which lies in the value itself.
    pub(super) inline: Option<&'h [u8]>,
}

impl<'h> Vk<'h> {
    /// Takes a cell that begins with `vk` and is long enough for the fixed fields.
    pub(super) fn read(cell: Cell<'h>) -> Result<Self, FormatError> {
        const WHAT: &str = "the value";
        if !cell.data.starts_with(b"vk") {
            let actual = cell.data.get(..2).unwrap_or_default().to_vec();
            let (offset, expected) = (cell.offset(), b"vk".to_vec());
            return Err(FormatError::Signature { what: WHAT, offset, expected, actual });
        }
        if cell.data.len() < VALUE_NAME {
            let (needed, available) = (VALUE_NAME as u64, cell.data.len() as u64);
            return Err(FormatError::Short { what: WHAT, offset: cell.offset(), needed, available });
        }
        let size = u32_at(cell.data, 4);
        let data_size = size & 0x7fff_ffff;
        let inline = if size == data_size {
            None
        } else {
            // More than four bytes can't lie here; Windows takes four.
            let length = usize::try_from(data_size).unwrap_or(4).min(4);
            cell.data.get(8..12).and_then(|field| field.get(..length))
        };
        Ok(Self { cell, data_size, data_cell: u32_at(cell.data, 8), inline })
    }

    pub(super) fn kind(&self) -> u32 {
        u32_at(self.cell.data, 12)
    }
    pub(super) fn flags(&self) -> u16 {
        u16_at(self.cell.data, 16)
    }
    pub(super) fn name_length(&self) -> usize {
        u16_at(self.cell.data, 2).into()
    }
    /// Bytes of the structure with its name.
    pub(super) fn length(&self) -> usize {
        self.name_length().saturating_add(VALUE_NAME)
    }
    /// The name, as far as the cell holds it; empty for the key's default value.
    pub(super) fn name(&self) -> Name<'h> {
        let bytes = self.cell.data.get(VALUE_NAME..).unwrap_or_default();
        let bytes = bytes.get(..self.name_length()).unwrap_or(bytes);
        Name { bytes, narrow: self.flags() & 1 != 0 }
    }
}

/// A name as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'h> {
    /// The stored bytes.
    pub(super) bytes: &'h [u8],
    /// One byte for a character (U+0000 to U+00FF), else UTF-16.
    pub(super) narrow: bool,
}

impl Name<'_> {
    /// As text.
    pub(super) fn text(&self) -> String {
        if self.narrow { self.bytes.iter().map(|b| char::from(*b)).collect() } else { text::from_utf16le(self.bytes) }
    }

    /// The same name as `other` without regard to case.
    pub(super) fn is(&self, other: &str) -> bool {
        if self.narrow && other.is_ascii() {
            return self.bytes.eq_ignore_ascii_case(other.as_bytes());
        }
        same_name(&self.text(), other)
    }
}

/// Compares names as Windows does: unit by unit in upper case, where upper case is a single character.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    a.chars().map(upper).eq(b.chars().map(upper))
}

fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}
