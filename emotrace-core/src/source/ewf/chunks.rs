//! Where the chunks of a segment file lie.
//!
//! | offset | size | `table` and `table2` |
//! |---|---|---|
//! | 0 | 4 | number of entries |
//! | 8 | 8 | base that is added to every entry (EnCase 6.7 and later; else 0) |
//! | 20 | 4 | Adler-32 of bytes 0..20 |
//! | 24 | 4 each | place of a chunk; bit 31 set: compressed |
//! | then | 4 | Adler-32 of the entries (not in the original format and SMART) |
//!
//! In the original format, SMART and EnCase 1 the chunks lie in the `table` section behind the entries, else in the
//! `sectors` section before it. EnCase 6.7.1 wrote places above 2 GiB into all 32 bits of an entry, with uncompressed
//! chunks only; from the first entry that goes back in 31 bits and on in 32, entries are read that way.
//!
//! Where no table is whole, the chunks are found by walking: a compressed chunk is a zlib stream and ends by itself, an
//! uncompressed one is the chunk size and an Adler-32. Both prove themselves by their checksum.
//!
//! Source: libewf, "Expert Witness Compression Format", table section and corruption scenarios.

use std::ops::Range;

use flate2::{Decompress, FlushDecompress, Status};

use super::super::gaps::GapReason;
use super::section::{Kind, Section, Sections};
use crate::bytes::{Cursor, ReadAt, read_up_to};

/// Bit 31 of an entry.
const COMPRESSED: u32 = 1 << 31;
/// Length of the table's header.
const TABLE_HEADER: u64 = 24;

/// Chunks that follow each other on the media, all in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Index of the segment file.
    pub(super) file: usize,
    base: u64,
    entries: Vec<u32>,
    /// First entry whose 32 bits are all place.
    wide_from: usize,
    /// Where the area of the chunks ends in the file.
    end: u64,
}

/// Where one chunk is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) offset: u64,
    /// Bytes up to the next chunk. An upper bound: a compressed chunk may end before.
    pub(super) len: u64,
    pub(super) compressed: bool,
}

impl Run {
    pub(super) fn count(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Where the chunk with this number in the run is stored.
    pub(super) fn stored(&self, number: u64) -> Option<Stored> {
        let i = usize::try_from(number).ok()?;
        let (offset, compressed) = self.place(i)?;
        let next = self.place(i.saturating_add(1)).map(|(next, _)| next).filter(|next| *next > offset);
        Some(Stored { offset, len: next.unwrap_or(self.end).saturating_sub(offset), compressed })
    }

    fn place(&self, i: usize) -> Option<(u64, bool)> {
        let entry = *self.entries.get(i)?;
        let wide = i >= self.wide_from;
        let offset = if wide { entry } else { entry & !COMPRESSED };
        Some((self.base.saturating_add(offset.into()), !wide && entry & COMPRESSED != 0))
    }
}

/// A piece of the media in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Chunks that are there.
    Run(Run),
    /// Chunks that are not.
    Hole {
        /// How many, if that is known.
        count: Option<u64>,
        reason: GapReason,
    },
}

/// The chunks of one segment file, in order, and the damage that was met.
pub(super) struct SegmentChunks {
    pub(super) pieces: Vec<Piece>,
    pub(super) notes: Vec<(u64, String)>,
}

/// Finds the chunks of one segment file.
pub(super) fn find(file: &impl ReadAt, index: usize, sections: &Sections, chunk_size: usize) -> SegmentChunks {
    let out = SegmentChunks { pieces: Vec::new(), notes: Vec::new() };
    let mut finder = Finder { file, index, chunk_size, out, areas: Vec::new(), count: None, last: None };
    for section in &sections.list {
        match section.kind {
            Kind::Sectors => {
                finder.leave_group();
                finder.areas.push(*section);
            }
            Kind::Lost => finder.areas.push(*section),
            Kind::Table | Kind::Table2 => finder.table(section),
            _ => {}
        }
    }
    finder.leave_group();
    finder.out
}

/// Goes through the sections of one file. A group is a `sectors` section and the tables behind it.
struct Finder<'a, F> {
    file: &'a F,
    index: usize,
    chunk_size: usize,
    out: SegmentChunks,
    /// Areas that may hold chunks and have no table yet.
    areas: Vec<Section>,
    /// Number of chunks in the group by a damaged table whose header is whole.
    count: Option<u64>,
    /// Entries and base of the table that was used last, to know its mirror.
    last: Option<Run>,
}

impl<F: ReadAt> Finder<'_, F> {
    fn table(&mut self, section: &Section) {
        match self.read_table(section) {
            Ok(run) => self.take(run, section),
            Err(TableError { problem, count }) => {
                self.out.notes.push((section.offset, problem));
                if section.kind == Kind::Table2 && self.last.is_some() {
                    return; // The table that it mirrors is good.
                }
                self.count = self.count.or(count);
                // Without a `sectors` section before it, the table may hold the chunks itself.
                let len = section.end.saturating_sub(section.start);
                if self.areas.is_empty() && section.kind == Kind::Table && len > self.chunk_size as u64 / 64 {
                    let start = self.first_inside(section, count.unwrap_or(0));
                    self.areas.push(Section { kind: Kind::Sectors, start, ..*section });
                }
            }
        }
    }

    /// Where the chunks begin in a damaged table section that holds them: the first entry says it, else the entries end
    /// there.
    fn first_inside(&self, section: &Section, count: u64) -> u64 {
        let entries = section.start.saturating_add(TABLE_HEADER);
        let mut first = [0; 4];
        let n = read_up_to(self.file, entries, &mut first).unwrap_or(0);
        let place = u64::from(u32::from_le_bytes(first) & !COMPRESSED);
        if n == 4 && place > entries && place < section.end {
            return place;
        }
        entries.saturating_add(count.saturating_mul(4)).min(section.end)
    }

    /// Takes a good table.
    fn take(&mut self, run: Run, section: &Section) {
        let first = run.place(0).map_or(u64::MAX, |(place, _)| place);
        if let Some(last) = &self.last {
            let end = last.entries.len().checked_sub(1).and_then(|i| last.place(i)).map_or(0, |(place, _)| place);
            if last.base == run.base && last.entries == run.entries {
                return; // The mirror of the table before it.
            }
            if first <= end {
                let problem = "a table contradicts the one before it and is left out".to_owned();
                self.out.notes.push((section.offset, problem));
                return;
            }
        }
        self.count = None;
        // Areas before the table's first chunk belong to chunks whose own table is lost.
        let mut own = Vec::new();
        for area in std::mem::take(&mut self.areas) {
            if area.end <= first || (area.kind == Kind::Lost && area.start < first) {
                self.areas.push(Section { end: area.end.min(first), ..area });
            }
            own.push(area);
        }
        self.walk_areas();
        let cut = own.iter().find(|area| area.start <= first && first < area.end).copied();
        self.add_run(Run { end: cut.map_or(run.end, |area| area.end), ..run });
    }

    fn add_run(&mut self, run: Run) {
        self.last = Some(run.clone());
        self.count = None;
        if run.count() > 0 {
            self.out.pieces.push(Piece::Run(run));
        }
    }

    /// The end of a group: what no table has claimed is walked.
    fn leave_group(&mut self) {
        self.walk_areas();
        self.last = None;
    }

    fn walk_areas(&mut self) {
        let areas = std::mem::take(&mut self.areas);
        let expected = self.count.take();
        let certain = areas.iter().any(|a| a.kind == Kind::Sectors);
        let mut pieces = Vec::new();
        for area in &areas {
            let mut walk = Walk::new(self.file, self.index, area, self.chunk_size);
            walk.run();
            // Bytes where a descriptor was lost need not hold chunks at all; short ones without a chunk do not.
            let roomy = area.end.saturating_sub(area.start) > self.chunk_size as u64;
            if area.kind == Kind::Sectors || walk.found() || (roomy && !certain) {
                pieces.append(&mut walk.pieces);
            }
        }
        if areas.is_empty() {
            if let Some(expected) = expected {
                self.out.pieces.push(Piece::Hole { count: Some(expected), reason: GapReason::NoTable });
            }
            return;
        }
        let found: u64 = pieces.iter().map(|p| if let Piece::Run(run) = p { run.count() } else { 0 }).sum();
        if let Some(area) = areas.first().filter(|_| !pieces.is_empty()) {
            let problem = format!("no good table for the chunks here; {found} were found by walking");
            self.out.notes.push((area.offset, problem));
        }
        if let Some(expected) = expected {
            settle(&mut pieces, expected);
            let known = pieces.iter().map(Piece::count).try_fold(0u64, |sum, count| Some(sum.saturating_add(count?)));
            if let Some(rest) = known.and_then(|known| expected.checked_sub(known)).filter(|rest| *rest > 0) {
                pieces.push(Piece::Hole { count: Some(rest), reason: GapReason::NoTable });
            }
        }
        self.out.pieces.append(&mut pieces);
    }

    fn read_table(&self, section: &Section) -> Result<Run, TableError> {
        let bad = |problem: &str, count| TableError { problem: format!("table: {problem}"), count };
        let mut header = [0; TABLE_HEADER as usize];
        let n = read_up_to(self.file, section.start, &mut header).map_err(|e| bad(&e.to_string(), None))?;
        if n < header.len() || section.end.saturating_sub(section.start) < TABLE_HEADER {
            return Err(bad("the file ends in its header", None));
        }
        let mut cursor = Cursor::new(&header, "EWF table", section.start);
        let broken = |_| bad("its header is short", None);
        let count = cursor.u32().map_err(broken)?;
        cursor.seek(8);
        let base = cursor.u64().map_err(broken)?;
        cursor.seek(20);
        let stored = cursor.u32().map_err(broken)?;
        if header.get(..20).map(adler2::adler32_slice) != Some(stored) {
            return Err(bad("the checksum of its header differs", None));
        }
        let known = Some(u64::from(count));
        let entries_start = section.start.saturating_add(TABLE_HEADER);
        let entries_end = entries_start.saturating_add(u64::from(count).saturating_mul(4));
        if entries_end > section.end {
            return Err(bad("it ends before its last entry", known));
        }
        // The entries lie within the file, so the file's length bounds this allocation.
        let len = usize::try_from(entries_end.saturating_sub(entries_start)).unwrap_or(usize::MAX);
        let footer = usize::try_from(section.end.saturating_sub(entries_end)).unwrap_or(usize::MAX).min(4);
        let mut bytes = vec![0; len.saturating_add(footer)];
        let n = read_up_to(self.file, entries_start, &mut bytes).map_err(|e| bad(&e.to_string(), known))?;
        let (Some(raw), true) = (bytes.get(..len), n == bytes.len()) else {
            return Err(bad("the file ends in its entries", known));
        };
        let entries: Vec<u32> = raw.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
        let area = self.area_of(section, &entries, base);
        let run = Run { file: self.index, base, wide_from: wide_from(&entries, base, &area), entries, end: area.end };
        let first = run.place(0).map_or(u64::MAX, |(place, _)| place);
        let checksum = bytes.get(len..).and_then(|b| b.first_chunk::<4>()).map(|b| u32::from_le_bytes(*b));
        if first == entries_end || checksum.is_none() {
            // The original format and SMART have no checksum here: the chunks follow at once. The order must do.
            return if in_order(&run) { Ok(run) } else { Err(bad("its entries are not in order", known)) };
        }
        if checksum != Some(adler2::adler32_slice(raw)) {
            return Err(bad("the checksum of its entries differs", known));
        }
        Ok(run)
    }

    /// The part of the file where a table's chunks lie: a `sectors` section before it, or the table itself.
    fn area_of(&self, section: &Section, entries: &[u32], base: u64) -> Range<u64> {
        let first = entries.first().map_or(0, |e| base.saturating_add(u64::from(e & !COMPRESSED)));
        let inside = section.start..section.end;
        if inside.contains(&first) {
            return inside;
        }
        match (self.areas.first(), self.areas.last()) {
            (Some(a), Some(b)) => a.start..b.end,
            _ => 0..section.offset,
        }
    }
}

struct TableError {
    problem: String,
    count: Option<u64>,
}

/// The first entry that uses all 32 bits for the place (see the module's text).
fn wide_from(entries: &[u32], base: u64, area: &Range<u64>) -> usize {
    let mut before = area.start.saturating_sub(base);
    for (i, entry) in entries.iter().enumerate() {
        let narrow = u64::from(entry & !COMPRESSED);
        let wide = u64::from(*entry);
        if narrow < before && wide >= before && base.saturating_add(wide) < area.end {
            return i;
        }
        before = narrow;
    }
    usize::MAX
}

fn in_order(run: &Run) -> bool {
    let mut before = 0;
    (0..run.entries.len()).all(|i| {
        let place = run.place(i).map_or(0, |(place, _)| place);
        let fits = place > before && place < run.end;
        before = place;
        fits
    })
}

/// Gives the holes of unknown size theirs where the known total leaves one answer: a single hole has what is left, and
/// between good chunks of one area lies at least one bad one, so as many holes as missing chunks have one each.
fn settle(pieces: &mut [Piece], total: u64) {
    let known: u64 = pieces.iter().filter_map(Piece::count).fold(0, u64::saturating_add);
    let unknown: Vec<&mut Piece> = pieces.iter_mut().filter(|p| p.count().is_none()).collect();
    let left = total.saturating_sub(known);
    let bad = |p: &Piece| matches!(p, Piece::Hole { reason: GapReason::BadChunk, .. });
    let each = match unknown.len() as u64 {
        1 => left,
        n if n == left && unknown.iter().all(|p| bad(p)) => 1,
        _ => return,
    };
    for piece in unknown {
        if let Piece::Hole { count, .. } = piece {
            *count = Some(each);
        }
    }
}

impl Piece {
    /// How many chunks it stands for, if that is known.
    pub(super) fn count(&self) -> Option<u64> {
        match self {
            Self::Run(run) => Some(run.count()),
            Self::Hole { count, .. } => *count,
        }
    }
}

/// Finds chunks without a table.
struct Walk<'a, F> {
    file: &'a F,
    index: usize,
    chunk_size: usize,
    /// Where the next chunk should begin, and where the area ends.
    place: u64,
    end: u64,
    cut: bool,
    /// True for a `sectors` section, false for bytes whose descriptor is lost.
    certain: bool,
    /// Bytes of the file from `buf_start`.
    buf: Vec<u8>,
    buf_start: u64,
    inflated: Vec<u8>,
    zlib: Decompress,
    /// Bytes that may still be inflated in vain.
    budget: u64,
    pieces: Vec<Piece>,
}

impl<'a, F: ReadAt> Walk<'a, F> {
    fn new(file: &'a F, index: usize, area: &Section, chunk_size: usize) -> Self {
        let len = area.end.saturating_sub(area.start);
        Self {
            file,
            index,
            chunk_size,
            place: area.start,
            end: area.end,
            cut: area.cut,
            certain: area.kind == Kind::Sectors,
            buf: Vec::new(),
            buf_start: 0,
            inflated: vec![0; chunk_size],
            zlib: Decompress::new(true),
            budget: len.saturating_mul(4).saturating_add(256 << 20),
            pieces: Vec::new(),
        }
    }

    fn found(&self) -> bool {
        self.pieces.iter().any(|p| matches!(p, Piece::Run(_)))
    }

    fn run(&mut self) {
        while self.place < self.end {
            if let Some((len, compressed)) = self.chunk_at(self.place) {
                self.add(compressed);
                self.place = self.place.saturating_add(len);
                continue;
            }
            let (next, count) = match self.resync() {
                Some((next, count)) => (Some(next), count),
                None => (None, None),
            };
            let reason = if next.is_none() && self.cut { GapReason::FileCut } else { GapReason::BadChunk };
            self.pieces.push(Piece::Hole { count, reason });
            self.place = next.unwrap_or(self.end);
        }
        if self.cut && !matches!(self.pieces.last(), Some(Piece::Hole { count: None, .. })) {
            self.pieces.push(Piece::Hole { count: None, reason: GapReason::FileCut });
        }
    }

    fn add(&mut self, compressed: bool) {
        let flag = if compressed { COMPRESSED } else { 0 };
        if let Some(Piece::Run(run)) = self.pieces.last_mut()
            && let Ok(offset) = u32::try_from(self.place.saturating_sub(run.base))
            && offset < COMPRESSED
        {
            run.entries.push(offset | flag);
            return;
        }
        let (file, base, entries) = (self.index, self.place, vec![flag]);
        self.pieces.push(Piece::Run(Run { file, base, entries, wide_from: usize::MAX, end: self.end }));
    }

    /// Bytes from a place on: as many as a chunk can need, fewer at the end of the area.
    fn load(&mut self, place: u64) {
        let most = self.longest();
        let have = self.buf_start.saturating_add(self.buf.len() as u64);
        let needed = place.saturating_add(most as u64).min(self.end);
        if self.buf_start <= place && needed <= have && !self.buf.is_empty() {
            return;
        }
        let len = usize::try_from(self.end.saturating_sub(place)).unwrap_or(usize::MAX).min(most.max(4 << 20));
        self.buf.resize(len, 0);
        let n = read_up_to(self.file, place, &mut self.buf).unwrap_or(0);
        self.buf.truncate(n);
        self.buf_start = place;
    }

    /// Header and volume sections look like a short chunk: a zlib stream, or bytes and their Adler-32. Where it is not
    /// sure that chunks lie here, a short one is believed behind a whole one only.
    fn may_be_short(&self) -> bool {
        self.certain || matches!(self.pieces.last(), Some(Piece::Run(_)))
    }

    /// A compressed chunk may be longer than the data, but not by much: deflate stores what it can't compress.
    fn longest(&self) -> usize {
        longest_stored(self.chunk_size)
    }

    /// The length of the chunk at a place and whether it is compressed, if there is one.
    fn chunk_at(&mut self, place: u64) -> Option<(u64, bool)> {
        self.load(place);
        if let Some(len) = self.compressed_at(place) {
            return Some((len, true));
        }
        let bytes = self.bytes_at(place)?;
        let left = usize::try_from(self.end.saturating_sub(place)).unwrap_or(usize::MAX);
        // The last chunk of the media may be shorter; it then ends where the area does.
        let data = self.chunk_size.min(left.checked_sub(4)?);
        if data < self.chunk_size && !self.may_be_short() {
            return None;
        }
        let (content, rest) = bytes.split_at_checked(data)?;
        let stored = u32::from_le_bytes(*rest.first_chunk::<4>()?);
        (data > 0 && adler2::adler32_slice(content) == stored).then_some((data.saturating_add(4) as u64, false))
    }

    fn bytes_at(&self, place: u64) -> Option<&[u8]> {
        let from = usize::try_from(place.checked_sub(self.buf_start)?).ok()?;
        let to = from.saturating_add(self.longest()).min(self.buf.len());
        self.buf.get(from..to)
    }

    /// The length of the zlib stream at a place in the buffer, if it gives a chunk.
    fn compressed_at(&mut self, place: u64) -> Option<u64> {
        let from = usize::try_from(place.checked_sub(self.buf_start)?).ok()?;
        let to = from.saturating_add(self.longest()).min(self.buf.len());
        let bytes = self.buf.get(from..to)?;
        let [method, flags, ..] = bytes else { return None };
        // RFC 1950: method 8 (deflate) and a header that is a multiple of 31.
        if method & 15 != 8 || !u16::from_be_bytes([*method, *flags]).is_multiple_of(31) || self.budget == 0 {
            return None;
        }
        self.zlib.reset(true);
        let status = self.zlib.decompress(bytes, &mut self.inflated, FlushDecompress::Finish);
        let (len, gave) = (self.zlib.total_in(), self.zlib.total_out());
        let last = place.saturating_add(len) == self.end && self.may_be_short();
        let whole = gave == self.chunk_size as u64 || last;
        if matches!(status, Ok(Status::StreamEnd)) && gave > 0 && whole {
            return Some(len);
        }
        self.budget = self.budget.saturating_sub(gave.max(64));
        None
    }

    /// The next good chunk, and how many bad ones lie before it if that is known.
    ///
    /// Damaged uncompressed chunks have the length of whole ones, so the next good chunk is some of them away. If a good
    /// chunk comes before that, some of the damaged ones were compressed and their number is not known. Both are looked for
    /// in one stretch after the other, so that the work is in proportion to the damage.
    fn resync(&mut self) -> Option<(u64, Option<u64>)> {
        /// Uncompressed chunks in a stretch.
        const STRETCH: u64 = 16;
        let step = (self.chunk_size as u64).saturating_add(4);
        let mut from = self.place.saturating_add(1);
        let mut count = 0u64;
        while from < self.end && self.budget > 0 {
            let aligned = self.next_aligned(count, count.saturating_add(STRETCH));
            count = count.saturating_add(STRETCH);
            let stretch_end = self.place.saturating_add(count.saturating_mul(step)).saturating_add(1).min(self.end);
            let limit = aligned.map_or(stretch_end, |(place, _)| place);
            if let Some(place) = self.next_unaligned(from, limit) {
                return Some((place, None));
            }
            if let Some((place, lost)) = aligned {
                return Some((place, Some(lost)));
            }
            from = stretch_end;
        }
        None
    }

    /// The first good chunk more than `after` and at most `most` uncompressed chunks away, and how many those are.
    fn next_aligned(&mut self, after: u64, most: u64) -> Option<(u64, u64)> {
        let step = (self.chunk_size as u64).saturating_add(4);
        for count in after.saturating_add(1)..=most {
            let place = self.place.saturating_add(count.saturating_mul(step));
            if place >= self.end {
                return None;
            }
            if self.chunk_at(place).is_some() {
                return Some((place, count));
            }
            self.budget = self.budget.saturating_sub(step);
        }
        None
    }

    /// The first place from `from` and before `limit` where a whole chunk begins, at any byte.
    fn next_unaligned(&mut self, from: u64, limit: u64) -> Option<u64> {
        let size = self.chunk_size as u64;
        let mut rolling: Option<Rolling> = None;
        let mut place = from;
        while place < limit && self.budget > 0 {
            self.load(place);
            if self.compressed_at(place).is_some() {
                return Some(place);
            }
            let bytes = self.bytes_at(place)?;
            if let Some((content, rest)) = bytes.split_at_checked(self.chunk_size) {
                let sum = match (&mut rolling, content.last()) {
                    (Some(sum), Some(last)) => sum.roll(*last),
                    _ => rolling.insert(Rolling::new(content)),
                };
                sum.first = content.first().copied().unwrap_or(0);
                let equal = rest.first_chunk::<4>().is_some_and(|b| u32::from_le_bytes(*b) == sum.value());
                let behind = place.saturating_add(size).saturating_add(4);
                // At so many places an Adler-32 fits by chance, so the chunk behind it must be good too.
                if equal && (behind == self.end || self.chunk_at(behind).is_some()) {
                    return Some(place);
                }
            }
            place = place.saturating_add(1);
        }
        None
    }
}

/// An Adler-32 over a window that moves on byte by byte.
struct Rolling {
    low: u64,
    high: u64,
    len: u64,
    /// The byte that leaves the window next.
    first: u8,
}

impl Rolling {
    /// The modulus of Adler-32 (RFC 1950).
    const MODULUS: u64 = 65_521;

    fn new(window: &[u8]) -> Self {
        let sum = adler2::adler32_slice(window);
        Self { low: (sum & 0xffff).into(), high: (sum >> 16).into(), len: window.len() as u64, first: 0 }
    }

    /// Takes the next byte in and the first one out: with n bytes, low' = low - out + in and
    /// high' = high - n * out + low' - 1.
    fn roll(&mut self, last: u8) -> &mut Self {
        let out = u64::from(self.first);
        let minus = Self::MODULUS.saturating_sub(out);
        self.low = self.low.saturating_add(minus).saturating_add(last.into()) % Self::MODULUS;
        let weight = self.len.saturating_mul(out) % Self::MODULUS;
        let high = self.high.saturating_add(Self::MODULUS).saturating_sub(weight);
        self.high = high.saturating_add(self.low).saturating_add(Self::MODULUS).saturating_sub(1) % Self::MODULUS;
        self
    }

    fn value(&self) -> u32 {
        // Both halves are below the modulus, so they fit 16 bits each.
        u32::try_from(self.high << 16 | self.low).unwrap_or(0)
    }
}

/// The most bytes that a stored chunk can have.
pub(super) const fn longest_stored(chunk_size: usize) -> usize {
    chunk_size.saturating_add(chunk_size / 8).saturating_add(4096)
}

/// The chunks of all files, numbered.
#[derive(Debug, Default)]
pub(super) struct ChunkMap {
    /// First number and run, by number.
    pub(super) runs: Vec<(u64, Run)>,
    /// First number, count and reason of what is not there.
    pub(super) holes: Vec<(u64, u64, GapReason)>,
    /// Chunks that were found, but whose place on the media is not known.
    pub(super) unplaced: u64,
    /// Number of chunks on the media.
    pub(super) total: u64,
}

impl ChunkMap {
    /// Numbers the pieces. The numbers run on from the front up to the first hole of unknown size; behind it they can
    /// only be known from the back, so from the total.
    pub(super) fn number(mut pieces: Vec<Piece>, total: Option<u64>) -> Self {
        let mut map = Self::default();
        if let Some(total) = total {
            settle(&mut pieces, total);
        }
        let unknown = |p: &Piece| p.count().is_none();
        let first_hole = pieces.iter().position(unknown);
        let last_hole = pieces.iter().rposition(unknown);
        let counted = |pieces: &[Piece]| pieces.iter().filter_map(Piece::count).fold(0, u64::saturating_add);
        let known = counted(&pieces);
        map.total = total.unwrap_or(known);

        let tail = last_hole.and_then(|i| pieces.get(i.saturating_add(1)..)).map_or(0, counted);
        let reason = match first_hole.and_then(|i| pieces.get(i)) {
            Some(Piece::Hole { reason, .. }) => *reason,
            _ => GapReason::NoTable,
        };
        let mut next = 0u64;
        for (i, piece) in pieces.into_iter().enumerate() {
            if Some(i) == first_hole {
                let behind = if total.is_some() { map.total.saturating_sub(tail).max(next) } else { next };
                map.hole(next, behind.saturating_sub(next), reason);
                next = behind;
            }
            let inside = first_hole.is_some_and(|f| f < i) && last_hole.is_some_and(|l| i < l);
            // Without a total nothing behind the first hole has a place.
            let lost = inside || (total.is_none() && first_hole.is_some_and(|f| f < i));
            match piece {
                Piece::Run(run) if lost => map.unplaced = map.unplaced.saturating_add(run.count()),
                Piece::Hole { count: None, .. } => {}
                Piece::Hole { .. } if lost => {}
                Piece::Hole { count: Some(count), reason } => {
                    map.hole(next, count, reason);
                    next = next.saturating_add(count);
                }
                Piece::Run(run) => {
                    let count = run.count();
                    map.runs.push((next, run));
                    next = next.saturating_add(count);
                }
            }
        }
        if total.is_none() {
            map.total = next;
        }
        map.hole(next, map.total.saturating_sub(next), GapReason::NoTable);
        map
    }

    fn hole(&mut self, first: u64, count: u64, reason: GapReason) {
        if count > 0 {
            self.holes.push((first, count, reason));
        }
    }

    /// Where a chunk is stored: the file's index and the place in it.
    pub(super) fn find(&self, chunk: u64) -> Option<(usize, Stored)> {
        let behind = self.runs.partition_point(|(first, _)| *first <= chunk);
        let (first, run) = self.runs.get(behind.checked_sub(1)?)?;
        Some((run.file, run.stored(chunk.saturating_sub(*first))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(count: usize) -> Piece {
        Piece::Run(Run { file: 0, base: 0, entries: vec![0; count], wide_from: usize::MAX, end: 0 })
    }

    fn hole(count: Option<u64>) -> Piece {
        Piece::Hole { count, reason: GapReason::MissingSegment }
    }

    fn firsts(map: &ChunkMap) -> Vec<u64> {
        map.runs.iter().map(|(first, _)| *first).collect()
    }

    #[test]
    fn one_hole_has_the_size_that_is_left() {
        let map = ChunkMap::number(vec![run(10), hole(None), run(5)], Some(100));
        assert_eq!(firsts(&map), [0, 95]);
        assert_eq!(map.holes, [(10, 85, GapReason::MissingSegment)]);
    }

    #[test]
    fn what_lies_between_two_holes_has_no_place() {
        let map = ChunkMap::number(vec![run(10), hole(None), run(7), hole(None), run(5)], Some(100));
        assert_eq!((firsts(&map), map.unplaced), (vec![0, 95], 7));
        assert_eq!(map.holes, [(10, 85, GapReason::MissingSegment)]);
    }

    #[test]
    fn as_many_damaged_places_as_missing_chunks_have_one_each() {
        let bad = Piece::Hole { count: None, reason: GapReason::BadChunk };
        let pieces = vec![run(10), bad.clone(), run(7), bad.clone(), run(5)];
        let map = ChunkMap::number(pieces.clone(), Some(24));
        assert_eq!((firsts(&map), map.unplaced), (vec![0, 11, 19], 0));
        let map = ChunkMap::number(pieces, Some(25));
        assert_eq!((firsts(&map), map.unplaced), (vec![0, 20], 7));
    }

    #[test]
    fn known_holes_keep_the_count() {
        let map = ChunkMap::number(vec![run(10), hole(Some(2)), run(5)], Some(20));
        assert_eq!(firsts(&map), [0, 12]);
        assert_eq!(map.holes, [(10, 2, GapReason::MissingSegment), (17, 3, GapReason::NoTable)]);
    }

    #[test]
    fn without_a_total_only_the_front_has_a_place() {
        let map = ChunkMap::number(vec![run(10), hole(None), run(5)], None);
        assert_eq!((firsts(&map), map.unplaced, map.total), (vec![0], 5, 10));
    }

    #[test]
    fn a_rolling_sum_is_the_sum_of_its_window() {
        let bytes: Vec<u8> = (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut sum = Rolling::new(&bytes[..1024]);
        for start in 1..3000 {
            sum.first = bytes[start - 1];
            sum.roll(bytes[start + 1023]);
            assert_eq!(sum.value(), adler2::adler32_slice(&bytes[start..start + 1024]));
        }
    }

    /// Three chunks before 2 GiB, two after it, as EnCase 6.7.1 writes them.
    #[test]
    fn places_above_31_bits() {
        let entries = [0x7fff_0000, 0x7fff_8004, 0x8000_0008, 0x8000_800c];
        let area = 0x1000..0x8001_0010;
        assert_eq!(wide_from(&entries, 0, &area), 2);
        // The same bits in a table that begins above 2 GiB.
        assert_eq!(wide_from(&[0x8000_0008, 0x8000_800c], 0, &(0x8000_0008..0x8001_0010)), 0);
        // Compressed chunks from a low place on.
        assert_eq!(wide_from(&[0x8000_1000, 0x8000_1800], 0, &(0x1000..0x2000)), usize::MAX);
        let run = Run { file: 0, base: 0, entries: entries.to_vec(), wide_from: 2, end: area.end };
        assert_eq!(run.stored(2), Some(Stored { offset: 0x8000_0008, len: 0x8004, compressed: false }));
        assert_eq!(run.stored(3), Some(Stored { offset: 0x8000_800c, len: 0x8004, compressed: false }));
    }
}
