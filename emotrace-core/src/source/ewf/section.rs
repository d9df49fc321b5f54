//! The sections of an EWF1 segment file.
//!
//! | offset | size | segment file header (13 bytes) |
//! |---|---|---|
//! | 0 | 8 | `EVF\t\r\n\xff\0` |
//! | 8 | 1 | 1 |
//! | 9 | 2 | segment number, from 1 |
//! | 11 | 2 | 0 |
//!
//! | offset | size | section descriptor (76 bytes), sections lie back to back |
//! |---|---|---|
//! | 0 | 16 | type, NUL-padded |
//! | 16 | 8 | place of the next section in the file; its own place for `next` and `done` |
//! | 24 | 8 | size with this descriptor; 0 from some writers |
//! | 72 | 4 | Adler-32 of bytes 0..72 |
//!
//! Source: libewf, "Expert Witness Compression Format"; looked at in files of EnCase, FTK Imager, linen and libewf.

use crate::bytes::{Cursor, FormatError, ReadAt, read_exact_at, read_up_to, text};

/// Length of the segment file header.
pub(super) const FILE_HEADER: u64 = 13;
/// Length of a section descriptor.
pub(super) const DESCRIPTOR: u64 = 76;
/// The signature of an EWF1 segment file.
pub(super) const SIGNATURE: &[u8; 8] = b"EVF\t\r\n\xff\0";
/// More sections than this in one file are not read: a segment of 1 TiB of media has some 6,000.
const MOST_SECTIONS: usize = 1 << 18;
/// Sections that are read whole (headers, hashes, errors) may not be longer.
const LONGEST_CONTENT: u64 = 16 << 20;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `header`, text.
    Header,
    /// `header2`, UTF-16 text.
    Header2,
    /// `xheader`, XML.
    XHeader,
    /// `volume`, `disk` or `data`: the facts of the media.
    Media,
    /// `sectors`: the chunks.
    Sectors,
    /// `table`: where the chunks lie (in the oldest variants the chunks too).
    Table,
    /// `table2`: its mirror.
    Table2,
    /// `hash`: MD5.
    Hash,
    /// `digest`: MD5 and SHA-1.
    Digest,
    /// `xhash`, XML.
    XHash,
    /// `error2`: sectors that could not be read when the image was made.
    Error2,
    /// `session`: tracks of an optical disc.
    Session,
    /// `next`: the last section, other files follow.
    Next,
    /// `done`: the last section of the last file.
    Done,
    /// Another name.
    Other,
    /// No section: bytes between a damaged descriptor and the next good one.
    Lost,
}

/// The names that the formats know, as they stand in a descriptor.
const NAMES: &[(&[u8], Kind)] = &[
    (b"header", Kind::Header),
    (b"header2", Kind::Header2),
    (b"xheader", Kind::XHeader),
    (b"volume", Kind::Media),
    (b"disk", Kind::Media),
    (b"data", Kind::Media),
    (b"sectors", Kind::Sectors),
    (b"table", Kind::Table),
    (b"table2", Kind::Table2),
    (b"hash", Kind::Hash),
    (b"digest", Kind::Digest),
    (b"xhash", Kind::XHash),
    (b"error2", Kind::Error2),
    (b"session", Kind::Session),
    (b"next", Kind::Next),
    (b"done", Kind::Done),
    (b"incomplete", Kind::Other),
    (b"ltypes", Kind::Other),
    (b"ltree", Kind::Other),
    (b"map", Kind::Other),
];

/// A section and where its content lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) kind: Kind,
    /// Where the descriptor lies.
    pub(super) offset: u64,
    /// Where the content begins.
    pub(super) start: u64,
    /// Where the content ends; never behind the end of the file.
    pub(super) end: u64,
    /// True if the file ends before the section does.
    pub(super) cut: bool,
}

/// How a segment file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With `done`: it is the last of its set.
    Done,
    /// With `next`: others follow.
    Next,
    /// With neither: it is cut or its end is damaged.
    Cut,
}

/// The sections of one file.
#[derive(Debug)]
pub(super) struct Sections {
    pub(super) list: Vec<Section>,
    pub(super) ending: Ending,
    /// Damage that was met: place and words.
    pub(super) notes: Vec<(u64, String)>,
}

impl Sections {
    /// Walks the sections of a file; where the chain is broken it goes on at the next good descriptor.
    pub(super) fn read(file: &impl ReadAt) -> Self {
        let mut sections = Self { list: Vec::new(), ending: Ending::Cut, notes: Vec::new() };
        let mut offset = FILE_HEADER;
        while sections.list.len() < MOST_SECTIONS && offset < file.len() {
            let descriptor = Descriptor::read(file, offset);
            match descriptor.filter(|d| d.leads_on(offset)) {
                Some(descriptor) => {
                    if let Some(size) = descriptor.other_size(offset) {
                        sections.notes.push((
                            offset,
                            format!("a section's size says that it ends at {size:#x}, but the next one is said to be at {:#x}", descriptor.next),
                        ));
                    }
                    let section = descriptor.section(offset, file.len());
                    sections.list.push(section);
                    match section.kind {
                        Kind::Next => sections.ending = Ending::Next,
                        Kind::Done => sections.ending = Ending::Done,
                        _ => {
                            offset = descriptor.next;
                            continue;
                        }
                    }
                    break;
                }
                None => {
                    // A descriptor that points nowhere still says what its content is.
                    let kind = descriptor.map_or(Kind::Lost, |d| d.kind);
                    let found = find_descriptor(file, offset.saturating_add(1));
                    let end = found.unwrap_or(file.len());
                    sections.notes.push((
                        offset,
                        match found {
                            Some(end) => format!("the chain of sections is broken; it goes on at {end:#x}"),
                            None => "the chain of sections is broken and no section follows".to_owned(),
                        },
                    ));
                    let start = offset.saturating_add(DESCRIPTOR).min(end);
                    sections.list.push(Section { kind, offset, start, end, cut: found.is_none() });
                    offset = end;
                }
            }
        }
        sections
    }

    /// The sections of one kind.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Section> {
        self.list.iter().filter(move |s| s.kind == kind)
    }
}

impl Section {
    /// The whole content of a small section.
    pub(super) fn content(&self, file: &impl ReadAt) -> Result<Vec<u8>, FormatError> {
        let len = self.end.saturating_sub(self.start);
        if len > LONGEST_CONTENT {
            let what = "EWF section";
            return Err(FormatError::Limit { what, offset: self.offset, value: len, limit: LONGEST_CONTENT });
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        let n = read_up_to(file, self.start, &mut bytes).map_err(|e| unreadable(self.offset, &e))?;
        bytes.truncate(n);
        Ok(bytes)
    }
}

pub(super) fn unreadable(offset: u64, error: &std::io::Error) -> FormatError {
    FormatError::Other { what: "EWF section", offset, problem: error.to_string() }
}

/// A descriptor whose checksum is right.
#[derive(Clone, Copy, Debug)]
struct Descriptor {
    kind: Kind,
    next: u64,
    size: u64,
}

impl Descriptor {
    fn read(file: &impl ReadAt, offset: u64) -> Option<Self> {
        let mut bytes = [0; 76];
        read_exact_at(file, offset, &mut bytes).ok()?;
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8; 76]) -> Option<Self> {
        let (content, stored) = bytes.split_last_chunk::<4>()?;
        if adler2::adler32_slice(content) != u32::from_le_bytes(*stored) {
            return None;
        }
        let name = bytes.first_chunk::<16>()?;
        let name = name.split(|b| *b == 0).next()?;
        // An all-zero block has a checksum that fits no Adler-32 (it is never 0), so a name is always there.
        let kind = NAMES.iter().find(|(n, _)| *n == name).map_or(Kind::Other, |(_, kind)| *kind);
        let mut cursor = Cursor::new(bytes, "EWF section descriptor", 0);
        cursor.seek(16);
        Some(Self { kind, next: cursor.u64().ok()?, size: cursor.u64().ok()? })
    }

    const fn last(self) -> bool {
        matches!(self.kind, Kind::Next | Kind::Done)
    }

    const fn leads_on(self, offset: u64) -> bool {
        self.last() || self.next >= offset.saturating_add(DESCRIPTOR)
    }

    /// Where the section ends by its size, if that contradicts the next section's place.
    fn other_size(self, offset: u64) -> Option<u64> {
        let end = offset.saturating_add(self.size);
        (!self.last() && self.size != 0 && end != self.next).then_some(end)
    }

    fn section(self, offset: u64, file_len: u64) -> Section {
        let start = offset.saturating_add(DESCRIPTOR);
        let end = if self.last() { start } else { self.next };
        let whole = end.min(file_len);
        Section { kind: self.kind, offset, start: start.min(whole), end: whole, cut: end > file_len }
    }
}

/// The place of the first good descriptor from `from` on.
///
/// Evidence may hold EWF files of its own. Their descriptors name places in those files, which are not the places here,
/// so one is taken only if it leads to another descriptor or to the end of the file.
fn find_descriptor(file: &impl ReadAt, from: u64) -> Option<u64> {
    const BLOCK: usize = 1 << 20;
    let mut buf = vec![0; BLOCK];
    let mut place = from;
    while place < file.len() {
        let n = read_up_to(file, place, &mut buf).ok()?;
        let bytes = buf.get(..n)?;
        for (i, window) in bytes.windows(DESCRIPTOR as usize).enumerate() {
            // The first byte of every name, and the zeros that pad a name; the checksum comes after these cheap tests.
            let [first, .., _] = window else { continue };
            if !b"hxvdstnielm".contains(first) || window.get(10..16) != Some(&[0; 6]) {
                continue;
            }
            let offset = place.saturating_add(i as u64);
            let found = window.first_chunk::<76>().and_then(Descriptor::parse);
            if found.is_some_and(|d| d.kind != Kind::Other && fits(file, d, offset)) {
                return Some(offset);
            }
        }
        let step = n.saturating_sub((DESCRIPTOR as usize).saturating_sub(1));
        if step == 0 {
            return None;
        }
        place = place.saturating_add(step as u64);
    }
    None
}

/// True if a descriptor belongs to this file and not to a file inside the evidence.
fn fits(file: &impl ReadAt, descriptor: Descriptor, offset: u64) -> bool {
    if descriptor.last() {
        return descriptor.next == offset;
    }
    if !descriptor.leads_on(offset) {
        return false;
    }
    if descriptor.next >= file.len() {
        return matches!(descriptor.kind, Kind::Sectors | Kind::Table | Kind::Table2) || descriptor.next == file.len();
    }
    Descriptor::read(file, descriptor.next).is_some()
}

/// True if a file with a damaged header goes on as a segment file does.
pub(super) fn first_section_fits(file: &impl ReadAt) -> bool {
    Descriptor::read(file, FILE_HEADER).is_some_and(|d| d.kind != Kind::Other && fits(file, d, FILE_HEADER))
}

/// The facts of the media, from a `volume`, `disk` or `data` section.
///
/// | offset | size | E01: 1,052 bytes | | offset | size | SMART: 94 bytes |
/// |---|---|---|---|---|---|---|
/// | 0 | 1 | media: 0 removable, 1 fixed, 3 optical, 0x10 memory | | 0 | 4 | 1 |
/// | 4 | 4 | chunks | | 4 | 4 | chunks |
/// | 8 | 4 | sectors per chunk | | 8 | 4 | sectors per chunk |
/// | 12 | 4 | bytes per sector | | 12 | 4 | bytes per sector |
/// | 16 | 8 | sectors | | 16 | 4 | sectors |
/// | 36 | 1 | flags: 1 image, 2 physical device, 4 Fastbloc, 8 Tableau | | | | |
/// | 52 | 1 | compression: 0 none, 1 fast, 2 best | | | | |
/// | 56 | 4 | sectors skipped around a read error | | | | |
/// | 64 | 16 | GUID of the set | | | | |
/// | 1,048 | 4 | Adler-32 | | 90 | 4 | Adler-32 |
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Media {
    pub(super) kind: Option<u8>,
    pub(super) chunks: u32,
    pub(super) sectors_per_chunk: u32,
    pub(super) bytes_per_sector: u32,
    pub(super) sectors: u64,
    pub(super) flags: Option<u8>,
    /// GUID of the set, `None` where the writer stored none.
    pub(super) set: Option<String>,
}

impl Media {
    pub(super) fn parse(bytes: &[u8], offset: u64) -> Result<Self, FormatError> {
        let what = "EWF volume section";
        // Some writers append padding, so the length tells no more than which of the two layouts it is.
        let long = bytes.len() >= 1052;
        let content = bytes.get(..if long { 1052 } else { 94 }).and_then(|b| b.split_last_chunk::<4>());
        let Some((content, stored)) = content else {
            return Err(FormatError::Short { what, offset, needed: 94, available: bytes.len() as u64 });
        };
        let (stored, computed) = (u32::from_le_bytes(*stored), adler2::adler32_slice(content));
        if stored != computed {
            return Err(FormatError::Checksum { what, offset, stored: stored.into(), computed: computed.into() });
        }
        let mut cursor = Cursor::new(content, what, offset);
        let kind = cursor.u8()?;
        cursor.skip(3)?;
        let (chunks, sectors_per_chunk, bytes_per_sector) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
        let sectors = if long { cursor.u64()? } else { cursor.u32()?.into() };
        let mut media =
            Self { kind: None, chunks, sectors_per_chunk, bytes_per_sector, sectors, flags: None, set: None };
        if long {
            media.kind = Some(kind);
            cursor.seek(36);
            media.flags = Some(cursor.u8()?);
            cursor.seek(64);
            let guid = cursor.array::<16>()?;
            media.set = (guid != [0; 16]).then(|| text::guid(&guid));
        }
        Ok(media)
    }

    /// Bytes in a chunk, 0 if the fields make no sense.
    pub(super) fn chunk_size(&self) -> u64 {
        u64::from(self.sectors_per_chunk).saturating_mul(self.bytes_per_sector.into())
    }

    /// True if the number of chunks is the one that the sectors need.
    pub(super) fn agrees(&self) -> bool {
        self.sectors_per_chunk > 0 && self.sectors.div_ceil(self.sectors_per_chunk.into()) == u64::from(self.chunks)
    }
}

/// A stored hash of the media, in lower-case hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hashes {
    pub(super) md5: Option<String>,
    pub(super) sha1: Option<String>,
}

impl Hashes {
    /// From a `hash` section: MD5 (16), unknown (16), Adler-32 (4).
    pub(super) fn parse_hash(bytes: &[u8], offset: u64) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(checked(bytes, 36, "EWF hash section", offset)?, "EWF hash section", offset);
        Ok(Self { md5: hex_unless_zero(cursor.take(16)?), sha1: None })
    }

    /// From a `digest` section: MD5 (16), SHA-1 (20), zeros (40), Adler-32 (4).
    pub(super) fn parse_digest(bytes: &[u8], offset: u64) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(checked(bytes, 80, "EWF digest section", offset)?, "EWF digest section", offset);
        Ok(Self { md5: hex_unless_zero(cursor.take(16)?), sha1: hex_unless_zero(cursor.take(20)?) })
    }
}

/// A content of fixed length with its Adler-32 in the last four bytes.
fn checked<'a>(bytes: &'a [u8], len: usize, what: &'static str, offset: u64) -> Result<&'a [u8], FormatError> {
    let Some((content, stored)) = bytes.get(..len).and_then(|b| b.split_last_chunk::<4>()) else {
        return Err(FormatError::Short { what, offset, needed: len as u64, available: bytes.len() as u64 });
    };
    let (stored, computed) = (u32::from_le_bytes(*stored), adler2::adler32_slice(content));
    if stored != computed {
        return Err(FormatError::Checksum { what, offset, stored: stored.into(), computed: computed.into() });
    }
    Ok(content)
}

/// A writer that did not compute a hash leaves zeros.
fn hex_unless_zero(bytes: &[u8]) -> Option<String> {
    bytes.iter().any(|b| *b != 0).then(|| text::hex(bytes))
}

/// The ranges of an `error2` section as (first sector, sectors): header of 520 bytes with the count at 0 and the
/// Adler-32 at 516, then 8 bytes each, then an Adler-32.
pub(super) fn parse_errors(bytes: &[u8], offset: u64) -> Result<Vec<(u64, u64)>, FormatError> {
    let what = "EWF error2 section";
    let mut cursor = Cursor::new(checked(bytes, 520, what, offset)?, what, offset);
    let count = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX).saturating_mul(8);
    let entries = bytes.get(520..).unwrap_or_default();
    let entries = checked(entries, count.saturating_add(4), what, offset)?;
    let (pairs, _) = entries.as_chunks::<8>();
    Ok(pairs
        .iter()
        .map(|[a, b, c, d, e, f, g, h]| {
            (u32::from_le_bytes([*a, *b, *c, *d]).into(), u32::from_le_bytes([*e, *f, *g, *h]).into())
        })
        .collect())
}

/// The tracks of a `session` section as (first sector, audio): header of 36 bytes with the count at 0 and the Adler-32
/// at 32, then 32 bytes each (flags, first sector), then an Adler-32.
pub(super) fn parse_sessions(bytes: &[u8], offset: u64) -> Result<Vec<(u64, bool)>, FormatError> {
    let what = "EWF session section";
    let mut cursor = Cursor::new(checked(bytes, 36, what, offset)?, what, offset);
    let count = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX).saturating_mul(32);
    let entries = bytes.get(36..).unwrap_or_default();
    let entries = checked(entries, count.saturating_add(4), what, offset)?;
    let mut sessions = Vec::new();
    for entry in entries.as_chunks::<32>().0 {
        let mut cursor = Cursor::new(entry, what, offset);
        let flags = cursor.u32()?;
        sessions.push((cursor.u32()?.into(), flags & 1 != 0));
    }
    Ok(sessions)
}
