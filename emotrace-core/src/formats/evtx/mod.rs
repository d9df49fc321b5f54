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
//! Chunks go one of two ways. A chunk in good order, whose records have the usual shape, is read by [`binxml`]: one typed
//! value per record, without a detour over JSON. Every other chunk is walked by the crate `evtx`, which finds records
//! behind damaged ones and carves them out of unused space; what [`binxml`] can't read is taken from the crate's JSON.
//! Logs without a file header, cut logs and chunks without a signature, which the crate refuses, are prepared for it here.
//!
//! Source: Microsoft, MS-EVEN6 section 2.2 (BinXml); J. Metz, "Windows XML Event Log (EVTX) format".

mod binxml;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use evtx::err::{ChunkError, EvtxError};
use evtx::{EvtxChunk, EvtxChunkData, EvtxFileHeader, HeaderFlags, ParserSettings};

use self::binxml::{Part, Reader, Stop, is_namespace};
use crate::bytes::{FormatError, ReadAt, read_up_to};
use crate::model::{Timestamp, Value};

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
    start.starts_with(FILE_SIGNATURE) || start.starts_with(CHUNK_SIGNATURE)
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
    pub provider: Option<String>,
    /// `System/Provider`, GUID in braces.
    pub provider_guid: Option<String>,
    /// `System/Provider`, name under the older event log service.
    pub event_source_name: Option<String>,
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
    pub keywords: Option<String>,
    /// `System/EventRecordID`. Differs from the header's id in forwarded records.
    pub event_record_id: Option<u64>,
    /// `System/Correlation`, GUID in braces.
    pub activity_id: Option<String>,
    /// `System/Correlation`, GUID in braces.
    pub related_activity_id: Option<String>,
    /// `System/Execution`.
    pub process_id: Option<u64>,
    /// `System/Execution`.
    pub thread_id: Option<u64>,
    /// `System/Channel`.
    pub channel: Option<String>,
    /// `System/Computer`.
    pub computer: Option<String>,
    /// `System/Security`, the SID of the account that logged the event.
    pub user_sid: Option<String>,
    /// Attribute `Name` of `EventData`.
    pub data_name: Option<String>,
    /// `EventData`, a [`Value::Map`]. `<Data Name="X">v</Data>` is `X`; data without a name stand as a list under `Data`.
    /// A name that comes back gets `_1`, `_2` …; data of one name that follow each other are one list.
    pub data: Option<Value>,
    /// Name of the element in `UserData`.
    pub user_data_name: Option<String>,
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
        if start.starts_with(FILE_SIGNATURE) {
            let mut problems = Vec::new();
            let header = EvtxFileHeader::from_bytes(start)
                .inspect_err(|e| problems.push(other("the file header", 0, e)))
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
        let settings = Arc::new(ParserSettings::new().recover_records(true).indent(false));
        let mut buffer = Vec::new();
        for chunk in chunks.start..chunks.end.min(self.chunks()) {
            let Some(offset) = self.chunk_offset(chunk) else { break };
            buffer.resize(CHUNK_SIZE as usize, 0);
            match read_up_to(self.data, offset, &mut buffer) {
                Ok(n) => {
                    if let Some(missing) = buffer.get_mut(n..) {
                        missing.fill(0);
                    }
                    let whole = n as u64 == CHUNK_SIZE;
                    let used = buffer.starts_with(CHUNK_SIGNATURE);
                    // The crate wants whole chunks: a cut one keeps zeros where its end is missing.
                    buffer = read_chunk(std::mem::take(&mut buffer), whole, offset, &settings, visit);
                    if used && !whole {
                        let available = n as u64;
                        visit(Err(FormatError::Short { what: "a chunk", offset, needed: CHUNK_SIZE, available }));
                    }
                }
                Err(e) => visit(Err(unreadable("a chunk", offset, &e))),
            }
        }
    }
}

/// Looks for chunks in the whole file.
fn search(data: &dyn ReadAt) -> (Vec<u64>, Vec<FormatError>) {
    const WINDOW: usize = 1 << 20;
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let mut window = vec![0; WINDOW];
    let (mut at, mut next) = (0u64, 0u64);
    while at < data.len() {
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
                if EvtxChunkData::new(sector.to_vec(), false).is_ok_and(|c| c.validate_header_checksum()) {
                    next = offset.saturating_add(CHUNK_SIZE);
                }
            }
        }
        at = at.saturating_add(WINDOW as u64);
    }
    (found, problems)
}

/// Reads one chunk and gives its buffer back.
fn read_chunk(
    mut bytes: Vec<u8>,
    whole: bool,
    offset: u64,
    settings: &Arc<ParserSettings>,
    visit: &mut dyn FnMut(Result<EvtxRecord, FormatError>),
) -> Vec<u8> {
    let signed = bytes.starts_with(CHUNK_SIGNATURE);
    if !signed {
        if bytes.iter().all(|b| *b == 0) {
            return bytes;
        }
        visit(Err(signature("a chunk", offset, CHUNK_SIGNATURE, &bytes)));
        // Nothing in this header can be believed. With an end of records before their start, all records are carved.
        if let Some(header) = bytes.get_mut(..CHUNK_HEADER_SIZE) {
            header.fill(0);
        }
        if let Some(start) = bytes.get_mut(..8) {
            start.copy_from_slice(CHUNK_SIGNATURE);
        }
    }
    let mut data = match EvtxChunkData::new(bytes, false) {
        Ok(data) => data,
        Err(e) => {
            visit(Err(other("a chunk", offset, &e)));
            return Vec::new();
        }
    };
    // The checksum of a cut chunk can't fit, which is no news.
    if signed && whole && !(data.validate_header_checksum() && data.validate_data_checksum()) {
        match EvtxChunkData::new(data.data.clone(), true) {
            Err(ChunkError::InvalidChunkHeaderChecksum { expected, found }) => {
                visit(Err(checksum("the header of a chunk", offset, expected, found)));
            }
            Err(ChunkError::InvalidChunkChecksum { expected, found }) => {
                visit(Err(checksum("the records of a chunk", offset, expected, found)));
            }
            Err(e) => visit(Err(other("the header of a chunk", offset, &e))),
            Ok(_) => {}
        }
    }
    let mut given = Given::default();
    if signed && read_orderly(&data.data, offset, &mut given, visit) {
        return data.data;
    }
    let result = data.parse(Arc::clone(settings));
    if let Err(e) = result.map(|mut chunk| read_disorderly(&mut chunk, offset, &mut given, visit)) {
        // The table of names is broken. Without it, the crate reads each name where it is used.
        visit(Err(other("the names of a chunk", offset, &e)));
        let mut bytes = data.data;
        if let Some(names) = bytes.get_mut(128..384) {
            names.fill(0);
        }
        match EvtxChunkData::new(bytes, false) {
            Ok(again) => data = again,
            Err(e) => {
                visit(Err(other("a chunk", offset, &e)));
                return Vec::new();
            }
        }
        match data.parse(Arc::clone(settings)) {
            Ok(mut chunk) => read_disorderly(&mut chunk, offset, &mut given, visit),
            Err(e) => visit(Err(other("a chunk", offset, &e))),
        }
    }
    data.data
}

/// What was already given of a chunk.
#[derive(Default)]
struct Given {
    /// Id and time of writing of every record. What is still live, or was carved already, is not told twice.
    records: Vec<(u64, Option<Timestamp>)>,
    /// Where the live records end of which none is missing.
    end: usize,
}

/// Reads a chunk in which record follows record up to the end that its header names, and what is left behind that end.
/// False where it is otherwise, or a record has an unusual shape.
fn read_orderly(
    bytes: &[u8],
    base: u64,
    given: &mut Given,
    visit: &mut dyn FnMut(Result<EvtxRecord, FormatError>),
) -> bool {
    let (Some(last_id), Some(end)) = (u64_at(bytes, 32), u32_at(bytes, 48)) else { return false };
    let end = end as usize;
    let mut reader = Reader::new(bytes);
    given.end = CHUNK_HEADER_SIZE;
    while given.end < end {
        let at = given.end;
        let Some(next) = record_end(bytes, at).filter(|next| *next <= end) else { return false };
        let Ok(record) = read_record(&mut reader, at, next, base, false) else { return false };
        // The header's last record has to be the last.
        if record.record_id == last_id && next != end {
            return false;
        }
        given.records.push((record.record_id, record.written));
        given.end = next;
        visit(Ok(record));
    }
    if end > bytes.len() {
        return false;
    }
    let mut recovered = Vec::new();
    let mut at = end.max(CHUNK_HEADER_SIZE);
    while let Some(found) = find_signature(bytes, at) {
        at = match record_end(bytes, found) {
            Some(next) => {
                let Ok(record) = read_record(&mut reader, found, next, base, true) else { return false };
                recovered.push(record);
                next
            }
            None => found.saturating_add(1),
        };
    }
    give_recovered(recovered, given, visit);
    true
}

fn give_recovered(records: Vec<EvtxRecord>, given: &Given, visit: &mut dyn FnMut(Result<EvtxRecord, FormatError>)) {
    if records.is_empty() {
        return;
    }
    let mut seen: HashSet<_> = given.records.iter().copied().collect();
    for record in records {
        if seen.insert((record.record_id, record.written)) {
            visit(Ok(record));
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

/// Reads what can be read of any chunk with the crate's walk, and leaves out what was given already.
fn read_disorderly(
    chunk: &mut EvtxChunk<'_>,
    base: u64,
    given: &mut Given,
    visit: &mut dyn FnMut(Result<EvtxRecord, FormatError>),
) {
    let bytes = chunk.data;
    let mut reader = Reader::new(bytes);
    let mut recovered = Vec::new();
    for record in chunk.iter() {
        let record = match record {
            Ok(record) => record,
            Err(e) => {
                let at = match &e {
                    EvtxError::FailedToReadRecordAt { offset, .. } => usize::try_from(*offset).unwrap_or(given.end),
                    EvtxError::FailedToParseRecord { record_id, .. } => find_record(bytes, given.end, *record_id),
                    _ => given.end,
                };
                if at >= given.end {
                    visit(Err(other("a record", base.saturating_add(at as u64), &e)));
                    given.end = at.saturating_add(RECORD_SIGNATURE.len());
                }
                continue;
            }
        };
        let start = usize::try_from(record.binxml_offset).unwrap_or(0).saturating_sub(RECORD_HEADER_SIZE);
        let end = start.saturating_add(record.binxml_size as usize).saturating_add(RECORD_HEADER_SIZE + 4);
        if !record.recovered {
            if start < given.end {
                continue;
            }
            given.end = end;
        }
        let read = match read_record(&mut reader, start, end, base, record.recovered) {
            Ok(record) => Ok(record),
            Err(Stop::TooMuch) => Err(TOO_MUCH.to_owned()),
            Err(Stop::Unusual) => from_json_record(&mut reader, record, start, base),
        };
        match read {
            Ok(record) if record.recovered => recovered.push(record),
            Ok(record) => {
                given.records.push((record.record_id, record.written));
                visit(Ok(record));
            }
            Err(problem) => {
                let offset = base.saturating_add(start as u64);
                visit(Err(FormatError::Other { what: "a record", offset, problem }));
            }
        }
    }
    give_recovered(recovered, given, visit);
}

/// Offset in the chunk of the record with that id, at or behind a place; that place if there is none.
fn find_record(bytes: &[u8], from: usize, id: u64) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(16)
        .position(|w| w.starts_with(RECORD_SIGNATURE) && w.ends_with(&id.to_le_bytes()))
        .map_or(from, |at| from.saturating_add(at))
}

fn other(what: &'static str, offset: u64, error: &dyn std::error::Error) -> FormatError {
    let mut problem = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        problem.push_str(": ");
        problem.push_str(&cause.to_string());
        source = cause.source();
    }
    FormatError::Other { what, offset, problem }
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
    let rendered = record.into_json().map_err(|e| other("", 0, &e)).map_err(|e| match e {
        FormatError::Other { problem, .. } => problem,
        e => e.to_string(),
    })?;
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
                            out.data_name = attributes.get("Name").map(|n| from_json(n).to_string());
                        }
                        ("Data", serde_json::Value::Object(data)) if data.contains_key("#text") => {
                            let items = match data.get("#text").map(from_json) {
                                Some(Value::List(items)) => items,
                                one => one.into_iter().collect(),
                            };
                            entries.push((name.clone(), Value::List(items)));
                        }
                        _ => entries.push((name.clone(), from_json(content))),
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
                let entry = (name.to_owned(), from_json(content));
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
                        let value = self.set_system_attribute(part, attribute, from_json(value));
                        left.extend(value.map(|v| (format!("{name}_{attribute}"), v)));
                    }
                }
                object.get("#text")
            }
            J::Null => None,
            J::String(text) if text.is_empty() => None,
            content => Some(content),
        };
        let value = text.and_then(|text| self.set_system(part, from_json(text)));
        left.extend(value.map(|v| (name.to_owned(), v)));
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
            _ => Value::Text(n.to_string()),
        },
        J::String(text) => Value::Text(text.clone()),
        J::Array(items) => Value::List(items.iter().map(from_json).collect()),
        J::Object(entries) => {
            let mut map: Vec<(String, Value)> = Vec::with_capacity(entries.len());
            for (name, value) in entries {
                match value {
                    J::Object(attributes) if name == "#attributes" => map.extend(
                        attributes.iter().filter(|(n, _)| !is_namespace(n)).map(|(n, v)| (n.clone(), from_json(v))),
                    ),
                    value => map.push((name.clone(), from_json(value))),
                }
            }
            Value::Map(map)
        }
    }
}
