//! Transaction logs: what Windows had written beside a hive, but not yet into it.
//!
//! A log begins with the first 512 bytes of the hive's base block, with its own sequence number and file type. Behind
//! them, from Windows 8.1 on, lie entries:
//!
//! | offset | field |
//! |---|---|
//! | 0 | `HvLE` |
//! | 4 | size of the entry, a multiple of 512 |
//! | 8 | flags |
//! | 12 | sequence number |
//! | 16 | size of all bins after this entry |
//! | 20 | count of pages |
//! | 24 | Marvin32 of the entry from 40 to its end |
//! | 32 | Marvin32 of the entry's first 32 bytes |
//! | 40 | for each page: offset from the first bin, size; then the pages |
//!
//! Before that: `DIRT`, one bit for each 512 bytes of the bins, and, from the next multiple of 512, the sectors whose bit
//! is set.
//!
//! Windows uses two logs in turn, so entries are applied in the order of their sequence numbers, whatever log they lie
//! in. They start at the hive's own secondary number or later and end at the first gap: what follows a gap inside a log
//! is left from an earlier turn.
//!
//! Sources: Maxim Suhanov, "Windows registry file format specification", transaction log files; the order and its traps
//! from real dirty hives of the test corpus.

use std::collections::BTreeMap;
use std::ops::Range;

use super::HiveIssue;
use super::cell::{BASE_BLOCK, BaseBlock, PAGE, checksum, u32_at, u64_at};
use crate::bytes::FormatError;
use crate::model::Loss;

/// Sector of the old format, alignment of entries in the new one, and size of a log's header.
const SECTOR: usize = 512;
/// Where an entry's pages are listed.
const ENTRY_HEADER: usize = 40;
/// Key of the hash in log entries.
const MARVIN_SEED: u64 = 0x82ef_4d88_7a4e_55c5;

/// What the transaction logs of a hive gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// The hive was not written to its end: its sequence numbers differ, or its base block is damaged.
    pub dirty: bool,
    /// Primary and secondary sequence number of the file.
    pub sequence_before: (u32, u32),
    /// Sequence number of the hive after the replay; absent if nothing was replayed.
    pub sequence_after: Option<u32>,
    /// Log entries that were applied, in order.
    pub entries: Vec<AppliedEntry>,
    /// The base block itself had to be taken from a log.
    pub base_block_from_log: bool,
    /// Ranges of the hive that differ from the file, in order.
    changed: Vec<Range<u64>>,
}

/// One log entry that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedEntry {
    /// Which of the logs, counted from 0 in the order in which they were given.
    pub log: usize,
    /// Offset of the entry in that log.
    pub offset: u64,
    /// Its sequence number.
    pub sequence: u32,
    /// Pages in it; in the old format, sectors of 512 bytes.
    pub pages: u32,
}

impl Replay {
    /// Pages that were written over the hive, counted as often as they were written.
    pub fn pages(&self) -> u64 {
        self.entries.iter().map(|entry| u64::from(entry.pages)).sum()
    }

    /// True if any of those bytes of the hive differ from the file's own. A page that was written back unchanged does not
    /// count.
    pub fn covers(&self, offset: u64, len: u64) -> bool {
        let after = self.changed.partition_point(|range| range.end <= offset);
        self.changed.get(after).is_some_and(|range| range.start < offset.saturating_add(len))
    }
}

/// A usable entry of either format.
struct Entry<'l> {
    applied: AppliedEntry,
    /// Size of all bins after it.
    bins_size: u32,
    /// Offset in the bins, content.
    pages: Vec<(u32, &'l [u8])>,
    /// The log's header.
    header: &'l [u8],
}

/// Replays the logs over the bytes of a hive, if it is dirty. With `replay` off, only says whether it is.
pub(super) fn replay(
    bytes: &mut Vec<u8>,
    logs: &[Vec<u8>],
    replay: bool,
    max_bytes: u64,
    issues: &mut Vec<HiveIssue>,
) -> Replay {
    let base = BaseBlock::read(bytes);
    let mut facts = Replay {
        dirty: !base.valid() || base.primary_sequence != base.secondary_sequence,
        sequence_before: (base.primary_sequence, base.secondary_sequence),
        ..Replay::default()
    };
    if !replay || !facts.dirty {
        return facts;
    }
    let mut entries = Vec::new();
    let told = issues.len();
    for (number, log) in logs.iter().enumerate() {
        if !log.iter().all(|byte| *byte == 0) {
            read_log(number, log, max_bytes, &mut entries, issues);
        }
    }
    if base.valid() {
        entries.retain(|entry| entry.applied.sequence >= base.secondary_sequence);
    }
    entries.sort_by_key(|entry| (entry.applied.sequence, entry.applied.log));
    let mut original = BTreeMap::new();
    let mut last: Option<&Entry<'_>> = None;
    for entry in &entries {
        match last.map(|last| last.applied.sequence) {
            Some(before) if before == entry.applied.sequence => continue,
            Some(before) if before.checked_add(1) != Some(entry.applied.sequence) => {
                let problem = "the entries of the transaction logs have a gap before this one; it and what follows is not applied";
                issues.push(log_issue(&entry.applied, Loss::Rest, problem));
                break;
            }
            _ => {}
        }
        let size = (BASE_BLOCK as u64).saturating_add(entry.bins_size.into());
        if size > max_bytes {
            let (what, offset) = ("the transaction log's size of the hive", entry.applied.offset);
            let error = FormatError::Limit { what, offset, value: size, limit: max_bytes };
            issues.push(HiveIssue { offset, loss: Loss::Rest, error });
            break;
        }
        apply(bytes, entry, usize::try_from(size).unwrap_or(0), &mut original);
        facts.entries.push(entry.applied);
        last = Some(entry);
    }
    // A log that is zeros was emptied, or was lost: then the hive says that something is missing, and nothing else does.
    if last.is_none() && base.valid() && !logs.is_empty() && issues.len() == told {
        let problem = "the hive was not written to its end, and no transaction log has what is missing".to_owned();
        let error = FormatError::Other { what: "the base block", offset: 4, problem };
        issues.push(HiveIssue { offset: 4, loss: Loss::Record, error });
    }
    if let Some(last) = last {
        facts.base_block_from_log = !base.valid();
        let sequence = last.applied.sequence.saturating_add(1);
        write_base_block(bytes, last, sequence, !base.valid());
        facts.sequence_after = Some(sequence);
        facts.changed = changed(bytes, &original);
    }
    facts
}

/// True if the bytes, which hold no bin where a hive has its first, are a transaction log.
pub(super) fn is_log(bytes: &[u8]) -> bool {
    let entry = matches!(bytes.get(SECTOR..SECTOR + 4), Some(b"HvLE" | b"DIRT"));
    bytes.starts_with(b"regf") && (entry || BaseBlock::read(bytes).file_type != 0)
}

fn log_issue(entry: &AppliedEntry, loss: Loss, problem: &str) -> HiveIssue {
    let (what, offset) = ("the transaction log", entry.offset);
    let problem = format!("log {}, entry {}: {problem}", entry.log.saturating_add(1), entry.sequence);
    HiveIssue { offset, loss, error: FormatError::Other { what, offset, problem } }
}

/// Adds the entries of one log.
fn read_log<'l>(
    number: usize,
    log: &'l [u8],
    max_bytes: u64,
    entries: &mut Vec<Entry<'l>>,
    issues: &mut Vec<HiveIssue>,
) {
    let what = "the transaction log";
    let mut note = |offset: u64, loss, problem: String| {
        let problem = format!("log {}: {problem}", number.saturating_add(1));
        issues.push(HiveIssue { offset, loss, error: FormatError::Other { what, offset, problem } });
    };
    if log.len() as u64 > max_bytes {
        return note(0, Loss::Whole, format!("{} bytes are more than the limit of {max_bytes}", log.len()));
    }
    let header = BaseBlock::read(log);
    let Some((head, body)) = log.split_at_checked(SECTOR) else {
        return note(0, Loss::Whole, "the header is not there".to_owned());
    };
    match body.get(..4) {
        Some(b"HvLE") => {
            if !header.valid() {
                note(0, Loss::None, "the header is damaged; each entry has its own hashes".to_owned());
            }
        }
        Some(b"DIRT") if header.valid() && header.primary_sequence == header.secondary_sequence => {
            match dirt(number, &header, head, body) {
                Ok(entry) => entries.push(entry),
                Err(error) => issues.push(HiveIssue { offset: error.offset(), loss: Loss::Whole, error }),
            }
            return;
        }
        Some(b"DIRT") => return note(0, Loss::Whole, "the header is damaged or was not written to its end".to_owned()),
        found => {
            let found = found.unwrap_or_default();
            return note(
                SECTOR as u64,
                Loss::Whole,
                format!("neither HvLE nor DIRT follows the header, but {found:02x?}"),
            );
        }
    }
    let mut at = SECTOR;
    let mut last: Option<u32> = None;
    while let Some(rest) = log.get(at..).filter(|rest| rest.starts_with(b"HvLE")) {
        let sequence = u32_at(rest, 12);
        if last.is_some_and(|last| last.checked_add(1) != Some(sequence)) {
            break; // Left from an earlier turn.
        }
        match new_entry(number, at, head, rest) {
            Ok((entry, size)) => {
                entries.push(entry);
                at = at.saturating_add(size);
            }
            Err(error) => {
                issues.push(HiveIssue { offset: error.offset(), loss: Loss::Rest, error });
                break;
            }
        }
        last = Some(sequence);
    }
}

/// One HvLE entry at the begin of `rest`, and its size.
fn new_entry<'l>(log: usize, at: usize, header: &'l [u8], rest: &'l [u8]) -> Result<(Entry<'l>, usize), FormatError> {
    const WHAT: &str = "the transaction log's entry";
    let offset = at as u64;
    let size = usize::try_from(u32_at(rest, 4)).unwrap_or(usize::MAX);
    if size < SECTOR || !size.is_multiple_of(SECTOR) {
        let problem = "an entry's size is a multiple of 512";
        return Err(FormatError::Value { what: WHAT, offset, value: size as u64, problem });
    }
    let short = FormatError::Short { what: WHAT, offset, needed: size as u64, available: rest.len() as u64 };
    let entry = rest.get(..size).ok_or(short.clone())?;
    let (fixed, body) = entry.split_at_checked(ENTRY_HEADER).ok_or(short.clone())?;
    for (stored, hashed) in [(u64_at(fixed, 32), fixed.get(..32).unwrap_or_default()), (u64_at(fixed, 24), body)] {
        let computed = marvin32(hashed);
        if stored != computed {
            return Err(FormatError::Checksum { what: WHAT, offset, stored, computed });
        }
    }
    let count = u32_at(fixed, 20);
    let listed = usize::try_from(count).ok().and_then(|count| count.checked_mul(8));
    let (refs, mut content) = listed.and_then(|n| body.split_at_checked(n)).ok_or(short.clone())?;
    let mut pages = Vec::with_capacity(refs.len() / 8);
    for page in refs.as_chunks::<8>().0 {
        let length = usize::try_from(u32_at(page, 4)).unwrap_or(usize::MAX);
        let (data, after) = content.split_at_checked(length).ok_or(short.clone())?;
        pages.push((u32_at(page, 0), data));
        content = after;
    }
    let applied = AppliedEntry { log, offset, sequence: u32_at(fixed, 12), pages: count };
    Ok((Entry { applied, bins_size: u32_at(fixed, 16), pages, header }, size))
}

/// The one entry of a log in the old format.
fn dirt<'l>(log: usize, header: &BaseBlock, head: &'l [u8], body: &'l [u8]) -> Result<Entry<'l>, FormatError> {
    const WHAT: &str = "the transaction log";
    let offset = SECTOR as u64;
    let bins = usize::try_from(header.bins_size).unwrap_or(usize::MAX);
    let short =
        |needed: usize| FormatError::Short { what: WHAT, offset, needed: needed as u64, available: body.len() as u64 };
    let end = (bins / PAGE).saturating_add(4);
    let bitmap = body.get(4..end).ok_or(short(end))?;
    let mut at = end.next_multiple_of(SECTOR);
    let mut pages = Vec::new();
    for (sector, _) in (0..bins / SECTOR)
        .enumerate()
        .filter(|(sector, _)| bitmap.get(sector / 8).is_some_and(|byte| byte & (1 << (sector % 8)) != 0))
    {
        let next = at.saturating_add(SECTOR);
        let data = body.get(at..next).ok_or(short(next))?;
        pages.push((u32::try_from(sector.saturating_mul(SECTOR)).unwrap_or(u32::MAX), data));
        at = next;
    }
    let count = u32::try_from(pages.len()).unwrap_or(u32::MAX);
    let applied = AppliedEntry { log, offset, sequence: header.secondary_sequence, pages: count };
    Ok(Entry { applied, bins_size: header.bins_size, pages, header: head })
}

/// Writes the pages of one entry. `original` keeps each sector as it was at first.
fn apply(bytes: &mut Vec<u8>, entry: &Entry<'_>, size: usize, original: &mut BTreeMap<usize, Vec<u8>>) {
    let end = bytes.len().max(size);
    for (offset, page) in &entry.pages {
        let start = usize::try_from(*offset).unwrap_or(usize::MAX).saturating_add(BASE_BLOCK);
        for (n, sector) in page.chunks(SECTOR).enumerate() {
            let at = start.saturating_add(n.saturating_mul(SECTOR));
            if at >= size {
                break; // A page behind the end of the hive belongs to nothing.
            }
            original.entry(at).or_insert_with(|| {
                bytes.get(at..).map(|rest| rest.iter().take(SECTOR).copied().collect()).unwrap_or_default()
            });
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            if let Some(to) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..sector.len())) {
                to.copy_from_slice(sector);
            }
        }
    }
}

/// Makes the base block say what the replayed hive is.
fn write_base_block(bytes: &mut [u8], last: &Entry<'_>, sequence: u32, from_log: bool) {
    let Some(block) = bytes.get_mut(..SECTOR) else { return };
    if from_log {
        block.copy_from_slice(last.header.get(..SECTOR).unwrap_or(&[0; SECTOR]));
        set(block, 28, 0);
    }
    set(block, 4, sequence);
    set(block, 8, sequence);
    set(block, 40, last.bins_size);
    set(block, 508, checksum(block));
}

fn set(block: &mut [u8], at: usize, value: u32) {
    if let Some(field) = block.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *field = value.to_le_bytes();
    }
}

/// The ranges that differ from the sectors as they were, in steps of 8 bytes as cells have them.
fn changed(bytes: &[u8], original: &BTreeMap<usize, Vec<u8>>) -> Vec<Range<u64>> {
    const STEP: usize = 8;
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for (sector, before) in original {
        let now = bytes.get(*sector..).map(|rest| rest.get(..SECTOR).unwrap_or(rest)).unwrap_or_default();
        for (n, part) in now.chunks(STEP).enumerate() {
            let at = n.saturating_mul(STEP);
            if before.get(at..).and_then(|rest| rest.get(..part.len())) == Some(part) {
                continue;
            }
            let start = sector.saturating_add(at) as u64;
            let end = start.saturating_add(part.len() as u64);
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
    }
    ranges
}

/// Marvin32 as the registry uses it. Source: Maxim Suhanov's specification.
fn marvin32(data: &[u8]) -> u64 {
    let (mut low, mut high) = (MARVIN_SEED as u32, (MARVIN_SEED >> 32) as u32);
    let mut mix = |word: u32| {
        low = low.wrapping_add(word);
        high ^= low;
        low = low.rotate_left(20).wrapping_add(high);
        high = high.rotate_left(9) ^ low;
        low = low.rotate_left(27).wrapping_add(high);
        high = high.rotate_left(19);
    };
    let (words, rest) = data.as_chunks::<4>();
    words.iter().for_each(|word| mix(u32::from_le_bytes(*word)));
    let mut last = [0u8; 4];
    let padded = rest.iter().copied().chain([0x80]);
    last.iter_mut().zip(padded).for_each(|(to, from)| *to = from);
    mix(u32::from_le_bytes(last));
    mix(0);
    u64::from(high) << 32 | u64::from(low)
}
