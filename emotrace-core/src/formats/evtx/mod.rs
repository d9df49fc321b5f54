//! Windows XML event logs (EVTX, Windows Vista and later).
//!
//! A log is a file header and chunks of 64 KiB. Each chunk stands for itself: it holds records, and the element names and
//! templates that its records refer to.
//!
//! | place | length | content |
//! |---|---|---|
//! | file 0 | 4096 | header: `ElfFile\0`, chunk numbers, next record id, flags at 120 (1 not closed cleanly, 2 full), CRC-32 at 124 |
//! | file 4096 + n · 65536 | 65536 | chunk n; slots that were never used hold zeros |
//! | chunk 0 | 512 | header: `ElfChnk\0`, record numbers and ids, end of the records at 48, CRC-32 of the records at 52, names at 128, templates at 384 |
//! | chunk 512 | | records |
//! | record 0 | 24 | `**\0\0`, size (u32), record id (u64), time of writing (FILETIME) |
//! | record 24 | size − 28 | BinXml: as a rule one instance of a template, which is the template's offset and its values |
//! | record size − 4 | 4 | size again |
//!
//! Chunks go one of two ways. A chunk in good order, whose records have the usual shape, is read by `binxml`: one typed
//! value per record, without a detour over JSON. Every other chunk is walked by the crate `evtx`, which finds the live
//! records behind damaged ones; what `binxml` can't read is taken from the crate's JSON. Then records are carved out of
//! what is left of the chunk. Logs without a file header, cut logs and chunks without a signature, which the crate
//! refuses, are read as well.
//!
//! Source: Microsoft, MS-EVEN6 section 2.2 (BinXml); J. Metz, "Windows XML Event Log (EVTX) format".

mod binxml;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use evtx::err::{ChunkError, EvtxError};
use evtx::{EvtxChunk, EvtxChunkData, EvtxFileHeader, HeaderFlags, ParserSettings};

use self::binxml::{Field, Part, Reader, Stop, is_namespace};
use super::guard::guarded;
use crate::bytes::{FormatError, ReadAt, read_up_to};
use crate::model::{SmolStr, Timestamp, Value};

/// What errors name that concern no record in use, but what is left of old ones between them.
pub const UNUSED_SPACE: &str = "unused space of the log";

/// Length of a chunk.
pub const CHUNK_SIZE: u64 = 0x1_0000;
const FILE_HEADER_SIZE: u64 = 0x1000;
const CHUNK_HEADER_SIZE: usize = 0x200;
const RECORD_HEADER_SIZE: usize = 24;
const FILE_SIGNATURE: &[u8; 8] = b"ElfFile\0";
const CHUNK_SIGNATURE: &[u8; 8] = b"ElfChnk\0";
const RECORD_SIGNATURE: &[u8; 4] = b"**\0\0";
/// A log whose header is gone is searched for chunks in steps of a sector.
const SEARCH_STEP: usize = 512;

/// True if these first bytes of a file look like an event log.
pub fn recognise(start: &[u8]) -> bool {
    has_file_header(start) || start.starts_with(CHUNK_SIGNATURE)
}

/// True if these first bytes of a file are those of a log's header.
pub fn has_file_header(start: &[u8]) -> bool {
    start.starts_with(FILE_SIGNATURE)
}

/// One record of an event log. What the record does not hold is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvtxRecord {
    /// Offset of the record in the log.
    pub offset: u64,
    /// Id in the record's header. It counts on within one log.
    pub record_id: u64,
    /// Time in the record's header, in UTC with a resolution of 100 ns: when the record was written.
    pub written: Option<Timestamp>,
    /// `System/TimeCreated`: when the event was logged, in UTC with a resolution of 100 ns.
    pub time_created: Option<Timestamp>,
    /// `System/Provider`, name.
    pub provider: Option<SmolStr>,
    /// `System/Provider`, GUID in braces.
    pub provider_guid: Option<SmolStr>,
    /// `System/Provider`, name under the older event log service.
    pub event_source_name: Option<SmolStr>,
    /// `System/EventID`.
    pub event_id: Option<u64>,
    /// `System/EventID`, the upper half of an older event's 32-bit id.
    pub qualifiers: Option<u64>,
    /// `System/Version`.
    pub version: Option<u64>,
    /// `System/Level`.
    pub level: Option<u64>,
    /// `System/Task`.
    pub task: Option<u64>,
    /// `System/Opcode`.
    pub opcode: Option<u64>,
    /// `System/Keywords`, as `0x8020000000000000`.
    pub keywords: Option<SmolStr>,
    /// `System/EventRecordID`. Differs from the header's id in forwarded records.
    pub event_record_id: Option<u64>,
    /// `System/Correlation`, GUID in braces.
    pub activity_id: Option<SmolStr>,
    /// `System/Correlation`, GUID in braces.
    pub related_activity_id: Option<SmolStr>,
    /// `System/Execution`.
    pub process_id: Option<u64>,
    /// `System/Execution`.
    pub thread_id: Option<u64>,
    /// `System/Channel`.
    pub channel: Option<SmolStr>,
    /// `System/Computer`.
    pub computer: Option<SmolStr>,
    /// `System/Security`, the SID of the account that logged the event.
    pub user_sid: Option<SmolStr>,
    /// Attribute `Name` of `EventData`.
    pub data_name: Option<SmolStr>,
    /// `EventData`, a [`Value::Map`]. `<Data Name="X">v</Data>` is `X`; data without a name stand as a list under `Data`.
    /// A name that comes back gets `_1`, `_2` …; data of one name that follow each other are one list.
    pub data: Option<Value>,
    /// Name of the element in `UserData`.
    pub user_data_name: Option<SmolStr>,
    /// The content of that element, a [`Value::Map`]. An element with attributes is a map with its text under `#text`.
    pub user_data: Option<Value>,
    /// All else in the record, a [`Value::Map`]: `RenderingInfo` of forwarded records, `ProcessingErrorData`, further
    /// attributes of the `System` part.
    pub rest: Option<Value>,
    /// The record lies in unused space: it was not part of the log any more.
    pub recovered: bool,
    /// Names or templates were overwritten, as happens to recovered records. The values are whole; those whose name is lost
    /// stand under an empty name, those whose template is lost under `values` in [`rest`](Self::rest).
    pub damaged: bool,
}

/// What the header of the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvtxHeader {
    /// Version, `(3, 1)` or `(3, 2)`.
    pub version: (u16, u16),
    /// Id that the next record would get.
    pub next_record_id: u64,
    /// Chunks in use.
    pub chunks: u16,
    /// The log was not closed cleanly: what the header says may be behind what the chunks hold.
    pub dirty: bool,
    /// The log had reached its largest size.
    pub full: bool,
}

/// An event log. Nothing but its header is held in memory; records are read chunk by chunk.
pub struct EvtxFile<'a> {
    data: &'a dyn ReadAt,
    header: Option<EvtxHeader>,
    problems: Vec<FormatError>,
    /// Offsets of the chunks where the file header is gone and they had to be looked for.
    found: Option<Vec<u64>>,
}

impl<'a> EvtxFile<'a> {
    /// Reads the file header. If there is none, the whole file is searched for chunks.
    ///
    /// # Errors
    /// When the start of the file can't be read, or there is neither a header nor a chunk.
    pub fn open(data: &'a dyn ReadAt) -> Result<Self, FormatError> {
        let mut start = [0; 128];
        let n = read_up_to(data, 0, &mut start).map_err(|e| unreadable("the file header", 0, &e))?;
        let start = start.get(..n).unwrap_or_default();
        if has_file_header(start) {
            let mut problems = Vec::new();
            let header = answer("the file header", 0, || EvtxFileHeader::from_bytes(start))
                .inspect_err(|e| problems.push(e.clone()))
                .ok()
                .inspect(|h| {
                    if !h.validate_checksum() {
                        problems.push(FormatError::Checksum {
                            what: "the file header",
                            offset: 0,
                            stored: h.checksum.into(),
                            computed: h.computed_checksum.into(),
                        });
                    }
                })
                .map(|h| EvtxHeader {
                    version: (h.major_version, h.minor_version),
                    next_record_id: h.next_record_id,
                    chunks: h.chunk_count,
                    dirty: h.flags.contains(HeaderFlags::DIRTY),
                    full: h.flags.contains(HeaderFlags::FULL),
                });
            return Ok(Self { data, header, problems, found: None });
        }
        let (found, mut problems) = search(data);
        let bad = signature("an event log", 0, FILE_SIGNATURE, start);
        if found.is_empty() {
            return Err(bad);
        }
        problems.insert(0, bad);
        Ok(Self { data, header: None, problems, found: Some(found) })
    }

    /// What the file header says; `None` if it is gone.
    pub const fn header(&self) -> Option<&EvtxHeader> {
        self.header.as_ref()
    }

    /// What is wrong with the file header. The records are read all the same.
    pub fn problems(&self) -> &[FormatError] {
        &self.problems
    }

    /// The fault if the file ends before the chunks that its header counts. A last chunk that is cut is told of with its records,
    /// and a damaged header tells nothing.
    pub fn cut(&self) -> Option<FormatError> {
        let header = self.header.as_ref().filter(|_| self.problems.is_empty())?;
        let counted = u64::from(header.chunks);
        let needed = counted.saturating_mul(CHUNK_SIZE).saturating_add(FILE_HEADER_SIZE);
        let available = self.data.len();
        if available >= needed {
            return None;
        }
        let mut start = [0; 8];
        let last = self.chunk_offset(self.chunks().saturating_sub(1))?;
        let begins = read_up_to(self.data, last, &mut start).is_ok_and(|n| n > 0) && start == *CHUNK_SIGNATURE;
        let told = self.chunks() == counted && begins;
        (!told).then_some(FormatError::Short { what: "the chunks of the log", offset: available, needed, available })
    }

    /// Number of chunks. The header's own count is not used: it is behind in a log that was not closed cleanly.
    pub fn chunks(&self) -> u64 {
        match &self.found {
            Some(found) => found.len() as u64,
            None => self.data.len().saturating_sub(FILE_HEADER_SIZE).div_ceil(CHUNK_SIZE),
        }
    }

    fn chunk_offset(&self, chunk: u64) -> Option<u64> {
        match &self.found {
            Some(found) => found.get(usize::try_from(chunk).ok()?).copied(),
            None => chunk.checked_mul(CHUNK_SIZE)?.checked_add(FILE_HEADER_SIZE),
        }
    }

    /// Reads the records of some chunks in the order in which they lie in the file, and what can't be read of them.
    /// Chunks do not depend on each other: disjoint ranges can be read at the same time from several threads.
    ///
    /// [`FormatError::Checksum`] comes before records that may still be whole; a last chunk that is cut comes as
    /// [`FormatError::Short`] behind its records; every other error is a loss.
    pub fn records(&self, chunks: Range<u64>, visit: &mut dyn FnMut(Result<EvtxRecord, FormatError>)) {
        // Checksums are compared below, so that a chunk with a bad one is still read.
        let settings = Arc::new(ParserSettings::new().indent(false));
        let mut buffer = Vec::new();
        let end = chunks.end.min(self.chunks());
        let mut next = chunks.start;
        while next < end {
            let chunk = if self.found.is_none() { next_chunk(self.data, next) } else { next };
            next = chunk.saturating_add(1);
            let Some(offset) = self.chunk_offset(chunk).filter(|_| chunk < end) else { break };
            buffer.resize(CHUNK_SIZE as usize, 0);
            match read_up_to(self.data, offset, &mut buffer) {
                Ok(n) => {
                    if let Some(missing) = buffer.get_mut(n..) {
                        missing.fill(0);
                    }
                    let used = buffer.starts_with(CHUNK_SIGNATURE);
                    // The crate wants whole chunks: a cut one keeps zeros where its end is missing.
                    buffer = read_chunk(std::mem::take(&mut buffer), n, offset, &settings, visit);
                    if used && (n as u64) < CHUNK_SIZE {
                        let available = n as u64;
                        visit(Err(FormatError::Short { what: "a chunk", offset, needed: CHUNK_SIZE, available }));
                    }
                }
                Err(e) => visit(Err(unreadable("a chunk", offset, &e))),
            }
        }
    }
}

/// The first chunk from this one on that does not lie in a hole of the file as a whole. In a hole there are no records.
pub fn next_chunk(data: &dyn ReadAt, chunk: u64) -> u64 {
    let start = chunk.saturating_mul(CHUNK_SIZE).saturating_add(FILE_HEADER_SIZE);
    let at = data.next_data(start);
    if at <= start { chunk } else { at.saturating_sub(FILE_HEADER_SIZE).checked_div(CHUNK_SIZE).unwrap_or(chunk) }
}

/// Looks for chunks in the whole file.
fn search(data: &dyn ReadAt) -> (Vec<u64>, Vec<FormatError>) {
    const WINDOW: usize = 1 << 20;
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let mut window = vec![0; WINDOW];
    let (mut at, mut next) = (0u64, 0u64);
    while at < data.len() {
        let step = SEARCH_STEP as u64;
        at = data.next_data(at).checked_div(step).unwrap_or(0).saturating_mul(step).max(at);
        let n = match read_up_to(data, at, &mut window) {
            Ok(n) => n,
            Err(e) => {
                problems.push(unreadable("a part of the log", at, &e));
                0
            }
        };
        for (i, sector) in window.get(..n).unwrap_or_default().chunks(SEARCH_STEP).enumerate() {
            let offset = at.saturating_add(i.saturating_mul(SEARCH_STEP) as u64);
            if offset >= next && sector.starts_with(CHUNK_SIGNATURE) {
                found.push(offset);
                // A chunk inside a chunk is the content of a record, unless the outer one is no chunk.
                let chunk = || EvtxChunkData::new(sector.to_vec(), false).map(|c| c.validate_header_checksum());
                if answer("a chunk", offset, chunk) == Ok(true) {
                    next = offset.saturating_add(CHUNK_SIZE);
                }
            }
        }
        at = at.saturating_add(WINDOW as u64);
    }
    (found, problems)
}

/// Reads one chunk, of which so many bytes are there, and gives its buffer back.
fn read_chunk(
    bytes: Vec<u8>,
    available: usize,
    offset: u64,
    settings: &Arc<ParserSettings>,
    visit: &mut dyn FnMut(Result<EvtxRecord, FormatError>),
) -> Vec<u8> {
    let mut walk = Walk { base: offset, available, end: CHUNK_HEADER_SIZE, spans: Vec::new(), given: Vec::new() };
    if !bytes.starts_with(CHUNK_SIGNATURE) {
        if bytes.iter().any(|b| *b != 0) {
            visit(Err(signature("a chunk", offset, CHUNK_SIGNATURE, &bytes)));
            walk.carve(&bytes, visit);
        }
        return bytes;
    }
    let mut data = match answer("a chunk", offset, || EvtxChunkData::new(bytes, false)) {
        Ok(data) => data,
        Err(e) => {
            visit(Err(e));
            return Vec::new();
        }
    };
    // The checksum of a cut chunk can't fit, which is no news.
    if available == data.data.len()
        && let Some(fault) = check(&data, offset)
    {
        visit(Err(fault));
    }
    if !walk.orderly(&data.data, visit)
        && let Err(e) = answer("the names of a chunk", offset, || data.parse(Arc::clone(settings)))
            .map(|mut chunk| walk.disorderly(&mut chunk, visit))
    {
        // The table of names is broken. Without it, the crate reads each name where it is used.
        visit(Err(e));
        let mut bytes = data.data.clone();
        if let Some(names) = bytes.get_mut(128..384) {
            names.fill(0);
        }
        let again = answer("a chunk", offset, || EvtxChunkData::new(bytes, false)).and_then(|mut again| {
            answer("a chunk", offset, || again.parse(Arc::clone(settings)))
                .map(|mut chunk| walk.disorderly(&mut chunk, visit))
        });
        if let Err(e) = again {
            visit(Err(e));
        }
    }
    walk.carve(&data.data, visit);
    data.data
}

/// What is wrong with the checksums of a chunk.
fn check(data: &EvtxChunkData, offset: u64) -> Option<FormatError> {
    let whole = guarded(|| data.validate_header_checksum() && data.validate_data_checksum());
    if whole == Ok(true) {
        return None;
    }
    match guarded(|| EvtxChunkData::new(data.data.clone(), true)) {
        Ok(Ok(_)) => None,
        Ok(Err(ChunkError::InvalidChunkHeaderChecksum { expected, found })) => {
            Some(checksum("the header of a chunk", offset, expected, found))
        }
        Ok(Err(ChunkError::InvalidChunkChecksum { expected, found })) => {
            Some(checksum("the records of a chunk", offset, expected, found))
        }
        Ok(Err(e)) => Some(other("the header of a chunk", offset, &e)),
        Err(problem) => Some(FormatError::Other { what: "the header of a chunk", offset, problem }),
    }
}

/// The way through one chunk.
struct Walk {
    /// Offset of the chunk in the file.
    base: u64,
    /// Bytes of the chunk that are there; what follows is filled up with zeros.
    available: usize,
    /// Where the live records end that have been read or told as lost.
    end: usize,
    /// Places of the live records, whole or damaged, in their order.
    spans: Vec<(usize, usize)>,
    /// Id and time of writing of every record that was given.
    given: Vec<(u64, Option<Timestamp>)>,
}

impl Walk {
    /// Reads the live records as long as record follows record in good order and usual shape. False if they do not do so
    /// up to the end that the chunk's header names.
    fn orderly(&mut self, bytes: &[u8], visit: &mut dyn FnMut(Result<EvtxRecord, FormatError>)) -> bool {
        let (Some(last_id), Some(end)) = (u64_at(bytes, 32), u32_at(bytes, 48)) else { return false };
        let end = end as usize;
        let mut reader = Reader::new(bytes);
        while self.end < end {
            let start = self.end;
            let next = record_end(bytes, start).filter(|next| *next <= end.min(self.available));
            let Some(next) = next else { return false };
            let Ok(record) = read_record(&mut reader, start, next, self.base, false) else { return false };
            // The header's last record has to be the last.
            if record.record_id == last_id && next != end {
                return false;
            }
            self.took(start, next);
            self.given.push((record.record_id, record.written));
            visit(Ok(record));
        }
        end <= bytes.len()
    }

    /// Reads the live records of any chunk with the crate's walk, from where [`Self::orderly`] stopped.
    fn disorderly(&mut self, chunk: &mut EvtxChunk<'_>, visit: &mut dyn FnMut(Result<EvtxRecord, FormatError>)) {
        let bytes = chunk.data;
        let mut reader = Reader::new(bytes);
        let Ok(mut records) = guarded(|| chunk.iter()) else { return };
        loop {
            let record = match guarded(|| records.next()) {
                Ok(Some(record)) => record,
                Ok(None) => break,
                // What lies behind it is carved.
                Err(problem) => {
                    let offset = self.base.saturating_add(self.end as u64);
                    visit(Err(FormatError::Other { what: "the records of a chunk", offset, problem }));
                    break;
                }
            };
            let (start, end, record) = match record {
                Ok(record) => {
                    let binxml = usize::try_from(record.binxml_offset).unwrap_or(0);
                    let end = binxml.saturating_add(record.binxml_size as usize).saturating_add(4);
                    (binxml.saturating_sub(RECORD_HEADER_SIZE), end, Ok(record))
                }
                Err(e) => {
                    let start = match &e {
                        EvtxError::FailedToReadRecordAt { offset, .. } => usize::try_from(*offset).unwrap_or(self.end),
                        EvtxError::FailedToParseRecord { record_id, .. } => find_record(bytes, self.end, *record_id),
                        _ => self.end,
                    };
                    let end = record_end(bytes, start).unwrap_or(start.saturating_add(RECORD_SIGNATURE.len()));
                    (start, end, Err(e))
                }
            };
            if start < self.end {
                continue;
            }
            self.took(start, end);
            let offset = self.base.saturating_add(start as u64);
            if end > self.available {
                // Its missing values would be read as zeros.
                let needed = end.saturating_sub(start) as u64;
                let available = self.available.saturating_sub(start) as u64;
                visit(Err(FormatError::Short { what: "a record", offset, needed, available }));
                continue;
            }
            let read = match (read_record(&mut reader, start, end, self.base, false), record) {
                (Ok(record), _) => Ok(record),
                (Err(_), Err(e)) => Err(other("a record", offset, &e)),
                (Err(Stop::TooMuch), _) => Err(problem(offset, TOO_MUCH)),
                (Err(Stop::Unusual), Ok(record)) => {
                    from_json_record(&mut reader, record, start, self.base).map_err(|e| problem(offset, e))
                }
            };
            if let Ok(record) = &read {
                self.given.push((record.record_id, record.written));
            }
            visit(read);
        }
    }

    /// Looks for records where no live ones are. What is still live, or was found already, is not told twice.
    fn carve(&self, bytes: &[u8], visit: &mut dyn FnMut(Result<EvtxRecord, FormatError>)) {
        let mut reader = Reader::new(bytes);
        let mut seen: Option<HashSet<_>> = None;
        let mut live = self.spans.iter().copied().peekable();
        let mut lost = (0u32, 0);
        let mut at = CHUNK_HEADER_SIZE;
        while let Some(start) = find_signature(bytes, at) {
            while live.next_if(|(_, end)| *end <= start).is_some() {}
            let limit = match live.peek() {
                Some((first, end)) if *first <= start => {
                    at = *end;
                    continue;
                }
                next => next.map_or(self.available, |(first, _)| *first),
            };
            at = start.saturating_add(1);
            let Some(end) = record_end(bytes, start).filter(|end| *end <= limit) else { continue };
            match read_record(&mut reader, start, end, self.base, true) {
                Ok(record) => {
                    at = end;
                    let seen = seen.get_or_insert_with(|| self.given.iter().copied().collect());
                    if seen.insert((record.record_id, record.written)) {
                        visit(Ok(record));
                    }
                }
                Err(_) => lost = (lost.0.saturating_add(1), if lost.0 == 0 { start } else { lost.1 }),
            }
        }
        if let (count @ 1.., first) = lost {
            let offset = self.base.saturating_add(first as u64);
            let problem = format!("{count} record(s) can't be read any more");
            visit(Err(FormatError::Other { what: UNUSED_SPACE, offset, problem }));
        }
    }

    fn took(&mut self, start: usize, end: usize) {
        self.end = end;
        match self.spans.last_mut() {
            Some((_, last)) if *last == start => *last = end,
            _ => self.spans.push((start, end)),
        }
    }
}

/// Reads one record between two places in a chunk.
fn read_record(
    reader: &mut Reader<'_>,
    start: usize,
    end: usize,
    base: u64,
    recovered: bool,
) -> Result<EvtxRecord, Stop> {
    let bytes = reader.chunk().get(start..end).ok_or(Stop::Unusual)?;
    let mut record = EvtxRecord {
        offset: base.saturating_add(start as u64),
        record_id: u64_at(bytes, 8).unwrap_or_default(),
        written: u64_at(bytes, 16).and_then(Timestamp::from_filetime_field),
        recovered,
        ..EvtxRecord::default()
    };
    reader.event(start.saturating_add(RECORD_HEADER_SIZE), end.saturating_sub(4), &mut record)?;
    Ok(record)
}

/// Where the record at a place in a chunk ends, if there is one that is whole.
fn record_end(bytes: &[u8], at: usize) -> Option<usize> {
    let record = bytes.get(at..)?;
    let size = u32_at(record, 4).filter(|size| *size >= 28 && record.starts_with(RECORD_SIGNATURE))?;
    let end = usize::try_from(size).ok()?;
    (u32_at(record, end.checked_sub(4)?) == Some(size)).then(|| at.saturating_add(end))
}

/// The next place at which a record may begin.
fn find_signature(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    for block in bytes.get(from..)?.chunks(64) {
        // Unused space is zero for the most part.
        if block.iter().fold(0, |all, byte| all | byte) != 0 {
            let beyond = block.len().saturating_add(RECORD_SIGNATURE.len()).saturating_sub(1);
            let rest = bytes.get(at..)?;
            let window = rest.get(..beyond.min(rest.len()))?;
            if let Some(found) = window.windows(RECORD_SIGNATURE.len()).position(|w| w == RECORD_SIGNATURE) {
                return Some(at.saturating_add(found));
            }
        }
        at = at.saturating_add(block.len());
    }
    None
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Offset in the chunk of the record with that id, at or behind a place; that place if there is none.
fn find_record(bytes: &[u8], from: usize, id: u64) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(16)
        .position(|w| w.starts_with(RECORD_SIGNATURE) && w.ends_with(&id.to_le_bytes()))
        .map_or(from, |at| from.saturating_add(at))
}

/// What the crate answers; its refusal and its panic are errors alike.
fn answer<T, E: std::error::Error>(
    what: &'static str,
    offset: u64,
    ask: impl FnOnce() -> Result<T, E>,
) -> Result<T, FormatError> {
    let answer = guarded(ask).and_then(|answer| answer.map_err(|error| in_full(&error)));
    answer.map_err(|problem| FormatError::Other { what, offset, problem })
}

fn other(what: &'static str, offset: u64, error: &dyn std::error::Error) -> FormatError {
    FormatError::Other { what, offset, problem: in_full(error) }
}

/// An error with its causes.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut problem = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        problem.push_str(": ");
        problem.push_str(&cause.to_string());
        source = cause.source();
    }
    problem
}

fn problem(offset: u64, problem: impl Into<String>) -> FormatError {
    FormatError::Other { what: "a record", offset, problem: problem.into() }
}

fn unreadable(what: &'static str, offset: u64, error: &std::io::Error) -> FormatError {
    FormatError::Other { what, offset, problem: format!("can't be read: {error}") }
}

fn checksum(what: &'static str, offset: u64, stored: u32, computed: u32) -> FormatError {
    FormatError::Checksum { what, offset, stored: stored.into(), computed: computed.into() }
}

fn signature(what: &'static str, offset: u64, expected: &[u8; 8], bytes: &[u8]) -> FormatError {
    let actual = bytes.iter().take(expected.len()).copied().collect();
    FormatError::Signature { what, offset, expected: expected.to_vec(), actual }
}

const TOO_MUCH: &str = "the records of this chunk would take more memory than 64 KiB of real records ever do";

/// A record of an unusual shape: the crate renders it, and its JSON is read. Types that JSON does not have (times,
/// bytes) are text then.
fn from_json_record(
    reader: &mut Reader<'_>,
    record: evtx::EvtxRecord<'_>,
    start: usize,
    base: u64,
) -> Result<EvtxRecord, String> {
    let mut out = EvtxRecord {
        offset: base.saturating_add(start as u64),
        record_id: record.event_record_id,
        written: u64_at(reader.chunk(), start.saturating_add(16)).and_then(Timestamp::from_filetime_field),
        recovered: record.recovered,
        ..EvtxRecord::default()
    };
    let rendered = guarded(|| record.into_json())?.map_err(|e| in_full(&e))?;
    reader.pay(rendered.data.len().saturating_mul(2)).map_err(|_| TOO_MUCH.to_owned())?;
    let json: serde_json::Value = serde_json::from_str(&rendered.data).map_err(|e| e.to_string())?;
    let event = json.get("Event").and_then(serde_json::Value::as_object).ok_or("the record holds no Event")?;
    for (name, content) in event {
        match (&**name, content) {
            ("#attributes", _) => {}
            ("System", serde_json::Value::Object(system)) => {
                for (name, content) in system {
                    out.set_system_json(name, content);
                }
            }
            ("EventData", serde_json::Value::Object(data)) => {
                let mut entries = Vec::with_capacity(data.len());
                for (name, content) in data {
                    match (&**name, content) {
                        ("#attributes", attributes) => {
                            out.data_name = attributes.get("Name").map(|n| from_json(n).to_text());
                        }
                        ("Data", serde_json::Value::Object(data)) if data.contains_key("#text") => {
                            let items = match data.get("#text").map(from_json) {
                                Some(Value::List(items)) => items,
                                one => one.into_iter().collect(),
                            };
                            entries.push((name.into(), Value::List(items)));
                        }
                        _ => entries.push((name.into(), from_json(content))),
                    }
                }
                out.data = Some(Value::Map(entries));
            }
            ("UserData", content) => match from_json(content) {
                Value::Map(mut entries) if entries.len() == 1 => {
                    if let Some((name, content)) = entries.pop() {
                        out.user_data_name = Some(name);
                        out.user_data = Some(content);
                    }
                }
                all => out.user_data = Some(all),
            },
            (name, content) => {
                let entry = (name.into(), from_json(content));
                match &mut out.rest {
                    Some(Value::Map(entries)) => entries.push(entry),
                    rest => *rest = Some(Value::Map(vec![entry])),
                }
            }
        }
    }
    Ok(out)
}

impl EvtxRecord {
    fn set_system_json(&mut self, name: &str, content: &serde_json::Value) {
        use serde_json::Value as J;
        let part = Part::of(name);
        let mut left = Vec::new();
        let text = match content {
            J::Object(object) => {
                if let Some(J::Object(attributes)) = object.get("#attributes") {
                    for (attribute, value) in attributes {
                        let value = self.set_field(Field::of_attribute(part, attribute), from_json(value));
                        left.extend(value.map(|v| (smol_str::format_smolstr!("{name}_{attribute}"), v)));
                    }
                }
                object.get("#text")
            }
            J::Null => None,
            J::String(text) if text.is_empty() => None,
            content => Some(content),
        };
        let value = text.and_then(|text| self.set_field(Field::of_content(part), from_json(text)));
        left.extend(value.map(|v| (name.into(), v)));
        if !left.is_empty() {
            match &mut self.rest {
                Some(Value::Map(entries)) => entries.append(&mut left),
                rest => *rest = Some(Value::Map(left)),
            }
        }
    }
}

fn from_json(json: &serde_json::Value) -> Value {
    use serde_json::Value as J;
    match json {
        J::Null => Value::Null,
        J::Bool(yes) => Value::Bool(*yes),
        J::Number(n) => match (n.as_u64(), n.as_i64(), n.as_f64()) {
            (Some(n), ..) => Value::Number(n),
            (_, Some(n), _) => Value::Signed(n),
            (.., Some(n)) => Value::Float(n),
            _ => Value::from(n.to_string()),
        },
        J::String(text) => Value::from(text.as_str()),
        J::Array(items) => Value::List(items.iter().map(from_json).collect()),
        J::Object(entries) => {
            let mut map: Vec<(SmolStr, Value)> = Vec::with_capacity(entries.len());
            for (name, value) in entries {
                match value {
                    J::Object(attributes) if name == "#attributes" => map.extend(
                        attributes.iter().filter(|(n, _)| !is_namespace(n)).map(|(n, v)| (n.into(), from_json(v))),
                    ),
                    value => map.push((name.into(), from_json(value))),
                }
            }
            Value::Map(map)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every type of value; made by `testdata/make/event_log.py` and read by evtxexport and evtx_dump.
    const VALUES: &[u8] = include_bytes!("../../../../testdata/artifacts/event_log/values.evtx");
    /// Records 1000 to 1119 in two chunks, 111 in the first.
    const CHUNKS: &[u8] = include_bytes!("../../../../testdata/artifacts/event_log/chunks.evtx");

    fn read(data: &[u8]) -> (Vec<EvtxRecord>, Vec<FormatError>) {
        let data = data.to_vec();
        let (mut records, mut errors) = (Vec::new(), Vec::new());
        if let Ok(file) = EvtxFile::open(&data) {
            errors.extend(file.problems().iter().cloned());
            file.records(0..u64::MAX, &mut |result| match result {
                Ok(record) => records.push(record),
                Err(error) => errors.push(error),
            });
        }
        (records, errors)
    }

    fn ids(records: &[EvtxRecord], recovered: bool) -> Vec<u64> {
        records.iter().filter(|r| r.recovered == recovered).map(|r| r.record_id).collect()
    }

    fn put(data: &mut [u8], at: usize, bytes: &[u8]) {
        data[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The crate is guarded, the visitor is not: its fault is the caller's to see, in a chunk of either kind.
    #[test]
    fn a_panic_of_the_visitor_is_its_own() {
        let mut disorderly = CHUNKS.to_vec();
        let at = place(&disorderly, 3);
        disorderly[at] = 0;
        for (log, nth) in [(CHUNKS.to_vec(), 1), (disorderly, 50)] {
            let mut left = nth;
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                EvtxFile::open(&log).unwrap().records(0..1, &mut |_| {
                    left -= 1;
                    assert!(left > 0, "the visitor's own fault");
                });
            }));
            assert_eq!((caught.is_err(), left), (true, 0));
        }
    }

    /// Offset of the n-th record of a log's first chunk in the file.
    fn place(data: &[u8], n: usize) -> usize {
        (0..n).fold(0x1200, |at, _| at + u32_at(data, at + 4).unwrap() as usize)
    }

    /// Witness: `evtx_dump 0.15.1 -o jsonl`; `evtxexport 20181227` gives the same but for negative numbers, which it
    /// misprints, and its own forms of hex and floats.
    #[test]
    fn every_type_of_value() {
        let (records, errors) = read(VALUES);
        assert_eq!(errors, []);
        assert_eq!(ids(&records, false), [1, 2, 3, 4, 5, 6]);
        let logon = &records[0];
        assert_eq!(logon.offset, 0x1200);
        assert_eq!(logon.event_id, Some(4624));
        assert_eq!(logon.provider_guid.as_deref(), Some("{54849625-5478-4994-a5ba-3e3b0328c30d}"));
        assert_eq!(logon.keywords.as_deref(), Some("0x8020000000000000"));
        assert_eq!((logon.version, logon.level, logon.task, logon.opcode), (Some(2), Some(0), Some(12544), Some(0)));
        assert_eq!((logon.process_id, logon.thread_id, logon.qualifiers), (Some(640), Some(700), None));
        assert_eq!((&logon.user_sid, &logon.activity_id), (&None, &None));
        assert_eq!(logon.time_created.unwrap().to_string(), "2020-08-26T05:09:33.5046471Z");
        assert_eq!(logon.written, logon.time_created);
        let Some(Value::Map(data)) = &logon.data else { panic!("no EventData") };
        let text: Vec<_> = data.iter().map(|(name, value)| (name.as_str(), value.to_string())).collect();
        let expected = [
            ("TargetUserName", "clippy"),
            ("TargetDomainName", "DESKTOP-FIXTURE"),
            ("TargetLogonId", "0x3e7"),
            ("LogonType", "2"),
            ("LogonGuid", "{00000001-0002-0003-0405-060708090a0b}"),
            ("TargetUserSid", "S-1-5-21-1004336348-1177238915-682003330-1001"),
            ("Time", "2020-08-26T05:09:33.5046471Z"),
            ("Clock", "2020-08-26T05:09:33.5040000Z"),
            ("Bytes", "01abff"),
            ("Yes", "true"),
            ("No", "false"),
            ("Minus64", "-5"),
            ("Minus8", "-1"),
            ("Minus16", "-3"),
            ("Minus32", "-4"),
            ("Plus8", "255"),
            ("Plus16", "65535"),
            ("Plus64", "18446744073709551615"),
            ("Real32", "1.5"),
            ("Real64", "2.25"),
            ("Hex32", "0x1f4"),
            ("Pointer32", "0x7ffe0000"),
            ("Pointer64", "0x7ff612340000"),
            ("Nothing", ""),
            ("Ansi", "café"),
            ("Empty", ""),
            ("Many", "a; ; c,d"),
            ("Twice", "1; 2"),
            ("Again", "x"),
            ("Other", "y"),
            ("Again_1", "z"),
            ("Signs", "<&>\"' é 天 😀"),
        ];
        assert_eq!(text, expected.map(|(name, value)| (name, value.to_owned())));
        let get = |name| logon.data.as_ref().unwrap().get(name).unwrap();
        assert_eq!(get("LogonType"), &Value::Number(2));
        assert_eq!(get("Minus64"), &Value::Signed(-5));
        assert_eq!(get("Bytes"), &Value::Bytes(vec![1, 0xab, 0xff]));
        assert_eq!(get("Yes"), &Value::Bool(true));
        assert_eq!(get("Time"), &Value::Time(logon.time_created.unwrap()));
        assert_eq!((get("Nothing"), get("Empty")), (&Value::Null, &Value::from("")));
    }

    #[test]
    fn the_other_shapes_of_records() {
        let (records, _) = read(VALUES);
        let service = &records[1];
        assert_eq!((service.event_id, service.qualifiers), (Some(7045), Some(16384)));
        assert_eq!(service.event_source_name.as_deref(), Some("Service Control Manager"));
        assert_eq!(service.user_sid.as_deref(), Some("S-1-5-18"));
        assert_eq!(service.activity_id.as_deref(), Some("{11111111-2222-3333-4444-555555555555}"));

        let classic = records[2].data.as_ref().unwrap();
        assert_eq!(classic.get("Data"), Some(&Value::List(vec!["one".into(), "two".into()])));
        assert_eq!(classic.get("Binary"), Some(&Value::Bytes(b"abc".to_vec())));

        let cleared = &records[3];
        assert_eq!((cleared.data.as_ref(), cleared.user_data_name.as_deref()), (None, Some("LogFileCleared")));
        let user_data = cleared.user_data.as_ref().unwrap();
        assert_eq!(user_data.get("SubjectUserName"), Some(&Value::from("clippy")));
        assert_eq!(user_data.get("Inner").unwrap().get("Deep"), Some(&Value::from("1")));

        // plaso and EvtxECmd lose such records.
        assert_eq!((records[4].event_id, records[4].level), (Some(1116), None));
        assert_eq!((records[5].event_id, records[5].level, records[5].data.as_ref()), (None, None, None));
    }

    #[test]
    fn ranges_of_chunks_make_up_the_whole() {
        let data = CHUNKS.to_vec();
        let file = EvtxFile::open(&data).unwrap();
        assert_eq!(file.chunks(), 2);
        assert_eq!(file.header().map(|h| (h.version, h.next_record_id, h.dirty)), Some(((3, 1), 1120, false)));
        let mut found = Vec::new();
        for range in [1..2, 0..1, 2..9] {
            file.records(range, &mut |r| found.push(r.unwrap().record_id));
        }
        assert_eq!(found, (1111..1120).chain(1000..1111).collect::<Vec<_>>());
    }

    #[test]
    fn a_log_without_its_file_header() {
        let (whole, _) = read(CHUNKS);
        let mut zeroed = CHUNKS.to_vec();
        zeroed[..4096].fill(0);
        let (records, errors) = read(&zeroed);
        assert_eq!(records, whole);
        assert!(matches!(errors[..], [FormatError::Signature { offset: 0, .. }]), "{errors:?}");
        // Carved from a disk: sectors in front, header cut off.
        let carved = [vec![0xaa; 1536], CHUNKS[4096..].to_vec()].concat();
        let (records, _) = read(&carved);
        assert_eq!(ids(&records, false), ids(&whole, false));
        assert_eq!(records[0].offset, 1536 + 512);
        let mut bad = CHUNKS.to_vec();
        bad[16] ^= 1;
        let (records, errors) = read(&bad);
        assert_eq!(records, whole);
        assert!(matches!(errors[..], [FormatError::Checksum { offset: 0, .. }]), "{errors:?}");
        assert_eq!(read(b"ElfFile\0").0, []);
        assert!(EvtxFile::open(&b"no log".to_vec()).is_err());
    }

    #[test]
    fn a_cut_chunk_keeps_its_records() {
        let cut = place(CHUNKS, 40) + 100;
        let (records, errors) = read(&CHUNKS[..cut]);
        assert_eq!(ids(&records, false), (1000..1040).collect::<Vec<_>>());
        let last = errors.last().unwrap();
        assert!(matches!(last, FormatError::Short { offset: 0x1000, .. }), "{errors:?}");
        assert!(errors.iter().any(|e| e.offset() == place(CHUNKS, 40) as u64), "the cut record is named: {errors:?}");
    }

    #[test]
    fn a_bad_checksum_is_told_and_the_records_are_read() {
        let mut data = CHUNKS.to_vec();
        // A letter in a text of the first record.
        let at = place(&data, 1) - 20;
        data[at] ^= 1;
        let (records, errors) = read(&data);
        assert_eq!(records.len(), 120);
        assert!(matches!(errors[..], [FormatError::Checksum { offset: 0x1000, .. }]), "{errors:?}");
    }

    /// Cut within its header or between two chunks, the log holds no sign of it but the header's count.
    #[test]
    fn a_log_without_its_last_chunks_says_so() {
        let chunk = 65_536;
        let cuts = [
            (CHUNKS.len(), false),
            (0x23e, true),
            (4096 + chunk, true),
            (4096 + chunk + 4, true),
            (4096 + chunk + 600, false),
        ];
        for (len, told) in cuts {
            let data = CHUNKS[..len].to_vec();
            let cut = EvtxFile::open(&data).unwrap().cut();
            assert_eq!(cut.map(|error| error.offset()), told.then_some(len as u64), "{len}");
        }
    }

    #[test]
    fn a_damaged_record_does_not_take_others_along() {
        let mut data = CHUNKS.to_vec();
        let at = place(&data, 30);
        data[at] = 0;
        let (records, errors) = read(&data);
        assert_eq!(ids(&records, false), (1000..1120).filter(|id| *id != 1030).collect::<Vec<_>>());
        assert!(errors.iter().any(|e| e.offset() == at as u64), "{errors:?}");
    }

    #[test]
    fn a_chunk_without_its_signature_is_carved() {
        let mut data = CHUNKS.to_vec();
        put(&mut data, 0x1000, &[0; 8]);
        let (records, errors) = read(&data);
        assert_eq!(ids(&records, true), (1000..1111).collect::<Vec<_>>());
        assert_eq!(ids(&records, false), (1111..1120).collect::<Vec<_>>());
        assert!(matches!(errors[..], [FormatError::Signature { offset: 0x1000, .. }]), "{errors:?}");
        // The records themselves are what they were.
        let (whole, _) = read(CHUNKS);
        assert!(records.iter().zip(&whole).all(|(a, b)| *a == EvtxRecord { recovered: a.recovered, ..b.clone() }));
    }

    /// Ends the records of the first chunk before record `n`, as a cleared log does.
    fn cleared(n: usize) -> Vec<u8> {
        let mut data = CHUNKS.to_vec();
        let end = place(&data, n) - 0x1000;
        put(&mut data, 0x1000 + 32, &(1000 + n as u64 - 1).to_le_bytes());
        put(&mut data, 0x1000 + 48, &(end as u32).to_le_bytes());
        data
    }

    #[test]
    fn records_in_unused_space_are_recovered() {
        let (records, _) = read(&cleared(100));
        assert_eq!(ids(&records, false), (1000..1100).chain(1111..1120).collect::<Vec<_>>());
        assert_eq!(ids(&records, true), (1100..1111).collect::<Vec<_>>());
        assert!(records.iter().all(|r| !r.damaged && r.data.is_some()));
    }

    #[test]
    fn a_recovered_record_that_is_still_live_is_not_told_twice() {
        let mut data = cleared(100);
        // Over the first record in unused space goes a copy of a live one of the same length.
        let (from, to) = (place(CHUNKS, 50), place(CHUNKS, 100));
        let copy = CHUNKS[from..place(CHUNKS, 51)].to_vec();
        assert_eq!(copy.len(), place(CHUNKS, 101) - to);
        put(&mut data, to, &copy);
        let (records, _) = read(&data);
        assert_eq!(ids(&records, true), (1101..1111).collect::<Vec<_>>());
    }

    /// Another template in the place of the record's own would give its values wrong names.
    #[test]
    fn a_record_whose_template_is_gone_keeps_its_values() {
        let mut data = cleared(100);
        // The first four bytes of the GUID of the first template, which stands in the first record.
        let guid = 0x1200 + 24 + 4 + 10 + 4;
        data[guid] ^= 1;
        let (records, _) = read(&data);
        let lost = records.iter().find(|r| r.record_id == 1105).unwrap();
        assert!(lost.recovered && lost.damaged);
        assert_eq!((lost.provider.as_deref(), lost.event_id), (None, None));
        // EventData has a template of its own, which is whole.
        let name = lost.data.as_ref().and_then(|d| d.get("NewProcessName"));
        assert_eq!(name, Some(&Value::from("C:\\Program Files\\Fixture\\0105.exe")));
        let Some(Value::List(values)) = lost.rest.as_ref().and_then(|r| r.get("values")) else { panic!("{lost:?}") };
        assert!(values.contains(&Value::Number(4688)) && values.contains(&"DESKTOP-FIXTURE".into()));
    }

    #[test]
    fn data_whose_element_name_is_gone_stay_data() {
        let mut data = cleared(100);
        let name: Vec<u8> = "EventData".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let at = data.windows(name.len()).position(|w| w == name).unwrap();
        put(&mut data, at, &[b'?'; 18]);
        let (records, _) = read(&data);
        let record = records.iter().find(|r| r.record_id == 1105).unwrap();
        assert!(record.damaged && record.provider.is_some());
        let name = record.data.as_ref().and_then(|d| d.get("NewProcessName"));
        assert_eq!(name, Some(&Value::from("C:\\Program Files\\Fixture\\0105.exe")));
    }

    /// The crate's walk and its JSON against our own reading: two readers of the same bytes.
    #[test]
    fn both_ways_give_the_same() {
        for log in [VALUES, CHUNKS] {
            let (ours, _) = read(log);
            for (i, bytes) in log[4096..].chunks(CHUNK_SIZE as usize).enumerate() {
                let base = 4096 + i as u64 * CHUNK_SIZE;
                let ours: Vec<_> = ours.iter().filter(|r| (r.offset - 4096) / CHUNK_SIZE == i as u64).collect();
                let mut data = EvtxChunkData::new(bytes.to_vec(), true).unwrap();
                let mut walked = Vec::new();
                let mut chunk = data.parse(Arc::new(ParserSettings::new())).unwrap();
                let (available, end) = (bytes.len(), CHUNK_HEADER_SIZE);
                let mut walk = Walk { base, available, end, spans: Vec::new(), given: Vec::new() };
                walk.disorderly(&mut chunk, &mut |r| walked.push(r.unwrap()));
                assert_eq!(walked.iter().collect::<Vec<_>>(), ours);
                let mut reader = Reader::new(bytes);
                for (record, ours) in chunk.iter().zip(ours) {
                    let record = record.unwrap();
                    let start = record.binxml_offset as usize - RECORD_HEADER_SIZE;
                    let json = from_json_record(&mut reader, record, start, base).unwrap();
                    let text = |r: &EvtxRecord| format!("{:?}{:?}", r.data, r.user_data);
                    let plain = |r: EvtxRecord| EvtxRecord { data: None, user_data: None, ..r };
                    assert_eq!(plain(json.clone()), plain(ours.clone()));
                    if log == CHUNKS {
                        assert_eq!(text(&json), text(ours));
                    }
                }
            }
        }
    }

    /// A log with one record of this BinXml, and names and templates at offsets that the BinXml itself fills.
    fn log_of(binxml: &[u8]) -> Vec<u8> {
        let mut data = VALUES[..4096].to_vec();
        let mut chunk = vec![0; CHUNK_SIZE as usize];
        let size = 28 + binxml.len();
        put(&mut chunk, 0, CHUNK_SIGNATURE);
        put(&mut chunk, 32, &1u64.to_le_bytes());
        put(&mut chunk, 48, &(512 + size as u32).to_le_bytes());
        put(&mut chunk, 120, &4u32.to_le_bytes()); // no checksums
        put(&mut chunk, 512, RECORD_SIGNATURE);
        put(&mut chunk, 516, &(size as u32).to_le_bytes());
        put(&mut chunk, 520, &1u64.to_le_bytes());
        put(&mut chunk, 528, &132_000_000_000_000_000u64.to_le_bytes());
        put(&mut chunk, 536, binxml);
        put(&mut chunk, 508 + size, &(size as u32).to_le_bytes());
        data.extend(chunk);
        data
    }

    /// An element's start with its name in place; `at` is where it will stand in the chunk.
    fn open(at: usize, name: &str) -> Vec<u8> {
        let mut bytes = vec![0x01, 0xff, 0xff, 0, 0, 0, 0];
        let hash = name.encode_utf16().fold(0u32, |h, u| h.wrapping_mul(65599).wrapping_add(u.into())) as u16;
        bytes.extend((at as u32 + 11).to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(hash.to_le_bytes());
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        bytes.extend([0; 2]);
        bytes
    }

    /// Fragment header, template instance with its definition: `Event` that holds `content`.
    fn with_template(content: &[u8]) -> Vec<u8> {
        let start = 536;
        let mut body = vec![0x0f, 1, 1, 0];
        body.extend(open(start + 14 + 24 + 4, "Event"));
        body.push(0x02);
        body.extend(content);
        body.extend([0x04, 0x00]);
        let mut bytes = vec![0x0f, 1, 1, 0, 0x0c, 1, 7, 0, 0, 0];
        bytes.extend((start as u32 + 14).to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend([7; 1]);
        bytes.extend([0; 15]);
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn a_template_that_nests_itself_ends() {
        // <Event>%0</Event>, where %0 is an instance of the same template, and so on 2,000 times.
        let mut inner = Vec::new();
        for _ in 0..2000 {
            let mut level = vec![0x0c, 1, 7, 0, 0, 0];
            level.extend(550u32.to_le_bytes());
            level.extend(1u32.to_le_bytes());
            level.extend((inner.len() as u16).to_le_bytes());
            level.extend([0x21, 0]);
            level.extend(&inner);
            inner = level;
        }
        let mut binxml = with_template(&[0x0d, 0, 0, 0x21]);
        binxml.extend(1u32.to_le_bytes());
        binxml.extend((inner.len() as u16).to_le_bytes());
        binxml.extend([0x21, 0]);
        binxml.extend(inner);
        binxml.push(0);
        let (records, errors) = read(&log_of(&binxml));
        assert_eq!((records.len(), errors.len()), (0, 1), "{errors:?}");
    }

    #[test]
    fn elements_nested_too_deep_end() {
        let mut content = Vec::new();
        for _ in 0..5000 {
            content.extend([0x01, 0xff, 0xff, 0, 0, 0, 0]);
            content.extend(589u32.to_le_bytes());
            content.push(0x02);
        }
        let mut binxml = with_template(&content);
        binxml.extend(0u32.to_le_bytes());
        binxml.push(0);
        let (records, errors) = read(&log_of(&binxml));
        assert_eq!((records.len(), errors.len()), (0, 1), "{errors:?}");
    }

    /// 9,000 times the same value of 20 KB would be 180 MB out of a chunk of 64 KB.
    #[test]
    fn a_value_placed_thousands_of_times_is_refused() {
        let value = [b'A', 0].repeat(10_000);
        let mut binxml = with_template(&[0x0d, 0, 0, 0x01].repeat(9_000));
        binxml.extend(1u32.to_le_bytes());
        binxml.extend((value.len() as u16).to_le_bytes());
        binxml.extend([0x01, 0]);
        binxml.extend(value);
        binxml.push(0);
        let (records, errors) = read(&log_of(&binxml));
        assert_eq!((records.len(), errors.len()), (0, 1), "{errors:?}");
    }

    /// The same bytes without the bomb are a record: the tests above fail for the reason that they name.
    #[test]
    fn a_made_record_is_read() {
        let at = 536 + 14 + 24 + 4 + 11 + 20 + 1;
        let mut content = open(at, "EventData");
        content.push(0x02);
        let data_at = at + content.len();
        content.extend(open(data_at, "Data"));
        content.extend([0x02, 0x0d, 0, 0, 0x01, 0x04, 0x04]);
        let mut binxml = with_template(&content);
        binxml.extend(1u32.to_le_bytes());
        binxml.extend([4, 0, 0x01, 0, b'h', 0, b'i', 0, 0]);
        let (records, errors) = read(&log_of(&binxml));
        assert_eq!(errors, []);
        let data = records[0].data.as_ref().unwrap();
        assert_eq!(data.get("Data"), Some(&Value::List(vec!["hi".into()])));
    }

    /// Cuts and flips: no panic, no hang, and never more records than bytes could hold.
    #[test]
    fn damage() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let used = 4096 + u32_at(VALUES, 0x1000 + 48).unwrap() as usize;
        for round in 0..1500 {
            let mut data = VALUES.to_vec();
            for _ in 0..=random(6) {
                let at = if round % 3 == 0 { random(0x1200) } else { 0x1200 + random(used - 0x1200) };
                data[at] = if round % 2 == 0 { random(256) as u8 } else { data[at] ^ (1 << random(8)) };
            }
            if round % 10 == 0 {
                data.truncate(random(VALUES.len()));
            }
            let (records, _) = read(&data);
            assert!(records.len() < 64);
        }
    }
}
