//! Volume shadow copies: what a volume held at an earlier time.
//!
//! Before Windows writes over a block of 16 KiB for the first time after a copy was made, it saves the old content in that
//! copy's store, a file in `System Volume Information`. So the newest copy is the live volume with the blocks of its store
//! laid over it, the one before that is the newest copy with its own blocks laid over it, and so on.
//!
//! All offsets count from the start of the volume unless said otherwise; all numbers are little-endian.
//!
//! | structure | offset | size | field |
//! |---|---|---|---|
//! | volume header, at 0x1e00 | 0 | 16 | VSS identifier {3808876b-c176-4e48-b7ae-04046e6cc752} |
//! | | 20 | 4 | record type 1 |
//! | | 48 | 8 | first catalogue block, 0 if there is none |
//! | block header, 128 bytes | 0 | 16 | VSS identifier |
//! | | 20 | 4 | record type: 2 catalogue, 3 block list, 4 store header, 5 range list, 6 bitmap |
//! | | 32 | 8 | its own offset |
//! | | 40 | 8 | next block, 0 at the end |
//! | catalogue entry type 2, 128 bytes | 0 | 8 | 2 |
//! | | 8 | 8 | volume size |
//! | | 16 | 16 | store identifier |
//! | | 32 | 8 | sequence number |
//! | | 48 | 8 | FILETIME of the copy |
//! | catalogue entry type 3, 128 bytes | 0 | 8 | 3 |
//! | | 8 | 8 | block list |
//! | | 16 | 16 | store identifier |
//! | | 32 | 8 | store header |
//! | | 40 | 8 | range list |
//! | | 48 | 8 | bitmap |
//! | | 72 | 8 | previous bitmap, 0 if there is none |
//! | store information, behind the store header | 16 | 16 | identifier of the copy |
//! | | 32 | 16 | identifier of the set |
//! | | 56 | 4 | attributes |
//! | | 64 | 2 + n | operating machine: length in bytes, UTF-16 |
//! | | … | 2 + n | service machine, the same |
//! | block descriptor, 32 bytes | 0 | 8 | original place of the block |
//! | | 8 | 8 | its place in the store; for a forwarder the place on the volume where the content lies then |
//! | | 16 | 8 | place of the saved block |
//! | | 24 | 4 | flags: 1 forwarder, 2 overlay, 4 not used |
//! | | 28 | 4 | for an overlay: a bit for each 512 bytes that it holds |
//!
//! A bit of the bitmap is set for a block that was not in use when the copy was made; what such a block held is not kept,
//! and it is read as zeros. The range list says which parts of the volume the store itself takes; reading needs it not.
//!
//! Source: libvshadow's documentation of the format (Joachim Metz), and `vshadowmount` as a witness.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use crate::bytes::fields;
use crate::bytes::{Cursor, FormatError, ReadAt, read_exact_at, text};
use crate::model::{ShadowCopy, Timestamp};

const HEADER_AT: u64 = 0x1e00;
const IDENTIFIER: [u8; 16] =
    [0x6b, 0x87, 0x08, 0x38, 0x76, 0xc1, 0x48, 0x4e, 0xb7, 0xae, 0x04, 0x04, 0x6e, 0x6c, 0xc7, 0x52];
/// Bytes of a block, of data and of lists alike.
const BLOCK: u64 = 0x4000;
const BLOCK_LEN: usize = 0x4000;
const BLOCK_HEADER: usize = 128;
/// Bytes that one bit of an overlay stands for.
const SECTOR: u64 = 512;
/// Windows keeps at most 512 copies of a volume.
const MAX_COPIES: usize = 4096;
/// Catalogue blocks that are followed: each holds 127 entries.
const MAX_CATALOGUE: usize = 256;
/// Longest machine name that is believed, in bytes.
const MAX_NAME: usize = 2048;

const CATALOGUE: u32 = 2;
const BLOCK_LIST: u32 = 3;
const STORE_HEADER: u32 = 4;
const BITMAP: u32 = 6;

const FORWARDER: u32 = 1;
const OVERLAY: u32 = 2;
const NOT_USED: u32 = 4;

/// Something about the shadow copies that can't be read or is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VssIssue {
    /// Where on the volume.
    pub offset: u64,
    /// The copy that it is about; `None` for the catalogue.
    pub copy: Option<u32>,
    /// What is wrong.
    pub error: String,
}

/// Where the parts of a store lie.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    block_list: u64,
    header: u64,
    bitmap: u64,
    previous_bitmap: u64,
}

/// The catalogue of a volume's shadow copies, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// The copies. All that have an entry are listed, those too whose store can't be found.
    pub copies: Vec<ShadowCopy>,
    /// What is not as it should be.
    pub issues: Vec<VssIssue>,
    parts: Vec<Option<Parts>>,
}

impl Catalogue {
    /// Reads the catalogue of a volume. A volume without shadow copies has an empty one; damage is an issue.
    pub fn read(volume: &dyn ReadAt) -> Self {
        let mut catalogue = Self::default();
        let mut header = [0; BLOCK_HEADER];
        if read_exact_at(volume, HEADER_AT, &mut header).is_err() || !header.starts_with(&IDENTIFIER) {
            return catalogue;
        }
        let mut entries: Vec<(ShadowCopy, [u8; 16])> = Vec::new();
        let mut parts: HashMap<[u8; 16], Parts> = HashMap::new();
        let first = u64_at(&header, 48);
        let issues = &mut catalogue.issues;
        let mut report = |offset, error: String| issues.push(VssIssue { offset, copy: None, error });
        for_each_block(volume, first, CATALOGUE, MAX_CATALOGUE, &mut report, &mut |at, block| {
            for (n, entry) in (1u64..).zip(block.chunks_exact(128)) {
                match u64_at(entry, 0) {
                    2 if entries.len() < MAX_COPIES => {
                        let id = guid_at(entry, 16);
                        let offset = at.saturating_add(n.saturating_mul(128));
                        entries.push((described(entry, &id, offset), id));
                    }
                    3 if parts.len() < MAX_COPIES => {
                        parts.insert(guid_at(entry, 16), Parts::read(entry));
                    }
                    _ => {}
                }
            }
        });
        entries.sort_by_key(|(copy, _)| (copy.created, copy.sequence, copy.offset));
        for (number, (mut copy, id)) in (1u32..).zip(entries) {
            copy.number = number;
            let mut report = |offset, error: String| issues.push(VssIssue { offset, copy: Some(number), error });
            let parts = parts.get(&id).copied();
            match parts {
                Some(parts) => {
                    if let Err(error) = information(volume, parts.header, &mut copy) {
                        let place = if parts.header < volume.len() { parts.header } else { copy.offset };
                        report(place, format!("the store's header can't be read: {error}"));
                    }
                }
                None => report(copy.offset, "the catalogue does not say where its store lies".to_owned()),
            }
            if copy.size > volume.len() {
                let error = format!(
                    "the catalogue gives it {} bytes, the volume has {}: it is read as long as the volume",
                    copy.size,
                    volume.len()
                );
                report(copy.offset, error);
            }
            catalogue.copies.push(copy);
            catalogue.parts.push(parts);
        }
        catalogue
    }

    /// Opens the wanted copies, oldest first. The tables of a store are read once, however many copies need them. What
    /// can't be read of a store is an issue; a block that is lost with it shows what a newer copy or the live volume holds.
    pub fn open(
        &self,
        volume: &Arc<dyn ReadAt>,
        wanted: &dyn Fn(u32) -> bool,
    ) -> (Vec<(u32, Snapshot)>, Vec<VssIssue>) {
        let mut issues = Vec::new();
        let Some(oldest) = self.copies.iter().position(|c| wanted(c.number)) else { return (Vec::new(), issues) };
        let mut stores: Vec<Arc<Store>> = Vec::new();
        for (copy, parts) in self.copies.iter().zip(&self.parts).skip(oldest) {
            let mut report = |offset, error: String| issues.push(VssIssue { offset, copy: Some(copy.number), error });
            stores
                .push(Arc::new(parts.map_or_else(Store::default, |parts| Store::read(&**volume, parts, &mut report))));
        }
        let snapshots = self.copies.iter().skip(oldest).enumerate().filter(|(_, copy)| wanted(copy.number));
        let snapshots = snapshots.filter_map(|(n, copy)| {
            let len = if copy.size == 0 { volume.len() } else { copy.size.min(volume.len()) };
            let stores = stores.get(n..)?.to_vec();
            Some((copy.number, Snapshot { volume: Arc::clone(volume), stores, len }))
        });
        (snapshots.collect(), issues)
    }
}

/// What a catalogue entry of type 2 says.
fn described(entry: &[u8], id: &[u8; 16], offset: u64) -> ShadowCopy {
    ShadowCopy {
        created: Timestamp::from_filetime_field(u64_at(entry, 48)),
        store_id: text::guid(id),
        sequence: u64_at(entry, 32),
        size: u64_at(entry, 8),
        offset,
        ..ShadowCopy::default()
    }
}

impl Parts {
    fn read(entry: &[u8]) -> Self {
        Self {
            block_list: u64_at(entry, 8),
            header: u64_at(entry, 32),
            bitmap: u64_at(entry, 48),
            previous_bitmap: u64_at(entry, 72),
        }
    }
}

/// Reads what the store says of its copy.
fn information(volume: &dyn ReadAt, at: u64, copy: &mut ShadowCopy) -> Result<(), String> {
    let block = read_block(volume, at, STORE_HEADER)?;
    let rest = block.get(BLOCK_HEADER..).unwrap_or_default();
    let mut cursor = Cursor::new(rest, "the store information", at.saturating_add(BLOCK_HEADER as u64));
    let mut read = || -> Result<(), FormatError> {
        cursor.skip(16)?;
        copy.copy_id = Some(text::guid(&cursor.array()?));
        copy.set_id = Some(text::guid(&cursor.array()?));
        cursor.skip(8)?;
        copy.attributes = Some(cursor.u32()?);
        cursor.skip(4)?;
        copy.operating_machine = machine(&mut cursor)?;
        copy.service_machine = machine(&mut cursor)?;
        Ok(())
    };
    read().map_err(|error| error.to_string())
}

fn machine(cursor: &mut Cursor<'_>) -> Result<Option<String>, FormatError> {
    let offset = cursor.offset();
    let len = usize::from(cursor.u16()?);
    if len > MAX_NAME {
        let (value, limit) = (len as u64, MAX_NAME as u64);
        return Err(FormatError::Limit { what: "a machine name", offset, value, limit });
    }
    let name = cursor.utf16(len / 2)?;
    Ok((!name.is_empty()).then_some(name))
}

/// The content of one block of 512 bytes to 16 KiB, as a store saved it.
#[derive(Clone, Copy, Debug, Default)]
struct Saved {
    /// The block as a whole.
    whole: Option<Whole>,
    /// Parts of the block that were saved before it was changed again while the newest copy was already there: they
    /// hold for this copy alone, not for older ones.
    overlay: Option<(u64, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Whole {
    at: u64,
    forwarder: bool,
}

/// What a store saved, by original place.
#[derive(Debug, Default)]
struct Store {
    blocks: HashMap<u64, Saved>,
    /// Places that forwarders point to, with the place where they began.
    forwarded: HashMap<u64, u64>,
    unused: Bitmap,
    /// Absent if there is none.
    unused_before: Option<Bitmap>,
}

impl Store {
    fn read(volume: &dyn ReadAt, parts: Parts, report: &mut dyn FnMut(u64, String)) -> Self {
        let mut store = Self::default();
        // A list can't have more blocks than the volume.
        let most = usize::try_from(volume.len().div_ceil(BLOCK)).unwrap_or(usize::MAX);
        let mut bad: Option<(u64, u64)> = None;
        let is_block = |place: u64| place.is_multiple_of(BLOCK) && place < volume.len();
        for_each_block(volume, parts.block_list, BLOCK_LIST, most, report, &mut |at, block| {
            for (n, bytes) in (0u64..).zip(block.chunks_exact(32)) {
                let original = u64_at(bytes, 0);
                if bytes.iter().all(|b| *b == 0) {
                    continue;
                }
                let flags = u32_at(bytes, 24);
                let saved = u64_at(bytes, if flags & FORWARDER != 0 { 8 } else { 16 });
                // Block 0 holds the boot sector: nothing is saved there.
                let kept = flags & NOT_USED != 0 || (saved != 0 && is_block(saved));
                if !is_block(original) || !kept {
                    let at = at.saturating_add(BLOCK_HEADER as u64).saturating_add(n.saturating_mul(32));
                    let (first, count) = bad.unwrap_or((at, 0));
                    bad = Some((first, count.saturating_add(1)));
                    continue;
                }
                store.add(original, u64_at(bytes, 8), u64_at(bytes, 16), flags, u32_at(bytes, 28));
            }
        });
        if let Some((at, count)) = bad {
            report(at, format!("{count} block descriptors name no block of the volume"));
        }
        store.unused = Bitmap::read(volume, parts.bitmap, report);
        store.unused_before = (parts.previous_bitmap != 0).then(|| Bitmap::read(volume, parts.previous_bitmap, report));
        store
    }

    /// Takes one descriptor, in the order of the list: later ones build on earlier ones.
    fn add(&mut self, original: u64, relative: u64, at: u64, flags: u32, bitmap: u32) {
        if flags & NOT_USED != 0 {
            return;
        }
        if flags & OVERLAY != 0 {
            let saved = self.blocks.entry(original).or_default();
            saved.overlay = Some(saved.overlay.map_or((at, bitmap), |(at, before)| (at, before | bitmap)));
            return;
        }
        let forwarder = flags & FORWARDER != 0;
        // The block had been moved here from another place: it is that place's content.
        let original = self.forwarded.remove(&original).unwrap_or(original);
        if forwarder && original == relative {
            // Moved back to where it was.
            if let Some(saved) = self.blocks.get_mut(&original) {
                saved.whole = None;
            }
            return;
        }
        let at = if forwarder { relative } else { at };
        self.blocks.entry(original).or_default().whole = Some(Whole { at, forwarder });
        if forwarder {
            self.forwarded.insert(relative, original);
        }
    }
}

/// A bit for each block of the volume.
#[derive(Debug, Default)]
struct Bitmap(Vec<u8>);

impl Bitmap {
    fn read(volume: &dyn ReadAt, at: u64, report: &mut dyn FnMut(u64, String)) -> Self {
        let needed = usize::try_from(volume.len().div_ceil(BLOCK).div_ceil(8)).unwrap_or(usize::MAX);
        let most = needed.div_ceil(BLOCK_LEN.saturating_sub(BLOCK_HEADER));
        let mut bits = Vec::new();
        for_each_block(volume, at, BITMAP, most, report, &mut |_, block| bits.extend_from_slice(block));
        bits.truncate(needed);
        Self(bits)
    }

    /// True if the bit of the block at that offset is set. What the bitmap does not reach is in use.
    fn is_set(&self, offset: u64) -> bool {
        let block = offset / BLOCK;
        let byte = usize::try_from(block / 8).ok().and_then(|n| self.0.get(n)).copied().unwrap_or(0);
        byte & (1u8 << (block % 8)) != 0
    }
}

/// One shadow copy, read like a volume.
///
/// Reading is positional and asks the live volume and the stores for nothing but what is asked for.
#[derive(Clone)]
pub struct Snapshot {
    volume: Arc<dyn ReadAt>,
    /// Its own store first, then the newer ones by age.
    stores: Vec<Arc<Store>>,
    len: u64,
}

/// Where a piece of a snapshot comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// From the volume, at that offset.
    Volume(u64),
    /// The content was not kept.
    Zeros,
}

impl Snapshot {
    /// True if all of a range lies on the live volume at the same place, untouched since the copy was made.
    pub fn is_live(&self, offset: u64, len: u64) -> bool {
        let end = offset.saturating_add(len).min(self.len);
        let mut at = offset;
        while at < end {
            let (source, n) = self.source(at);
            if source != Source::Volume(at) {
                return false;
            }
            at = at.saturating_add(n.max(1));
        }
        true
    }

    /// Where the byte at that offset comes from, and how many bytes from it on come from the same place; never across a
    /// block.
    fn source(&self, offset: u64) -> (Source, u64) {
        let mut at = offset;
        let mut len = BLOCK.saturating_sub(offset % BLOCK);
        for (n, store) in self.stores.iter().enumerate() {
            let (block, within) = (at.saturating_sub(at % BLOCK), at % BLOCK);
            let Some(saved) = store.blocks.get(&block) else { continue };
            if let Some((overlay, bitmap)) = saved.overlay.filter(|_| n == 0) {
                let (held, run) = overlay_run(bitmap, within);
                len = len.min(run);
                if held {
                    return (Source::Volume(overlay.saturating_add(within)), len);
                }
            }
            let Some(whole) = saved.whole else { continue };
            at = whole.at.saturating_add(within);
            if !whole.forwarder {
                return (Source::Volume(at), len);
            }
            // The forwarded content lies at another place of the newer state, which goes on to the end of the block there.
            len = len.min(BLOCK.saturating_sub(at % BLOCK));
            if n.saturating_add(1) == self.stores.len() {
                return (Source::Volume(at), len);
            }
        }
        (if self.is_unused(at) { Source::Zeros } else { Source::Volume(at) }, len)
    }

    /// Only the newest copy knows which blocks were not in use: those of older ones have been written over since without
    /// being saved, or not, which nobody can tell.
    fn is_unused(&self, at: u64) -> bool {
        let [store] = self.stores.as_slice() else { return false };
        let block = at.saturating_sub(at % BLOCK);
        !store.forwarded.contains_key(&block)
            && store.unused.is_set(block)
            && store.unused_before.as_ref().is_none_or(|before| before.is_set(block))
    }
}

/// Whether an overlay holds the byte at a place in its block, and how many bytes from there on share the answer.
fn overlay_run(bitmap: u32, within: u64) -> (bool, u64) {
    let is_held = |sector: u64| bitmap & 1u32.checked_shl(u32::try_from(sector).unwrap_or(u32::MAX)).unwrap_or(0) != 0;
    let first = within / SECTOR;
    let held = is_held(first);
    let end = (first..BLOCK / SECTOR).find(|sector| is_held(*sector) != held).unwrap_or(BLOCK / SECTOR);
    (held, end.saturating_mul(SECTOR).saturating_sub(within))
}

impl ReadAt for Snapshot {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let wanted = self.len.saturating_sub(offset).min(buf.len() as u64);
        if wanted == 0 {
            return Ok(0);
        }
        let (source, mut len) = self.source(offset);
        // Pieces that lie behind each other are read at once.
        while len < wanted {
            let (next, more) = self.source(offset.saturating_add(len));
            let goes_on = match source {
                Source::Volume(at) => next == Source::Volume(at.saturating_add(len)),
                Source::Zeros => next == Source::Zeros,
            };
            if !goes_on || more == 0 {
                break;
            }
            len = len.saturating_add(more);
        }
        let len = usize::try_from(len.min(wanted)).unwrap_or(usize::MAX);
        let part = buf.get_mut(..len).unwrap_or_default();
        match source {
            Source::Volume(at) => self.volume.read_at(at, part),
            Source::Zeros => {
                part.fill(0);
                Ok(len)
            }
        }
    }
}

/// Visits the blocks of a list; the content behind the header is given. Stops at the first one that is none, at one that
/// was met before, or after `most` blocks, and says so.
fn for_each_block(
    volume: &dyn ReadAt,
    first: u64,
    record_type: u32,
    most: usize,
    report: &mut dyn FnMut(u64, String),
    visit: &mut dyn FnMut(u64, &[u8]),
) {
    let (mut at, mut named_at) = (first, HEADER_AT);
    let mut met = HashSet::new();
    while at != 0 {
        if at >= volume.len() {
            let place = format!("{} goes on at {at:#x}, which is not on the volume", list(record_type));
            return report(named_at, place);
        }
        if met.len() >= most && record_type == BITMAP {
            // Longer than the volume: it was made for growth.
            return;
        }
        if met.len() >= most || !met.insert(at) {
            return report(at, format!("{} runs in a circle or has no end", list(record_type)));
        }
        match read_block(volume, at, record_type) {
            Ok(block) => {
                visit(at, block.get(BLOCK_HEADER..).unwrap_or_default());
                (named_at, at) = (at, u64_at(&block, 40));
            }
            Err(error) => return report(at, format!("{}: {error}; the list is lost from here on", list(record_type))),
        }
    }
}

const fn list(record_type: u32) -> &'static str {
    match record_type {
        CATALOGUE => "the catalogue of shadow copies",
        BLOCK_LIST => "the store's block list",
        BITMAP => "the store's bitmap",
        _ => "the store",
    }
}

fn read_block(volume: &dyn ReadAt, at: u64, record_type: u32) -> Result<Vec<u8>, String> {
    let mut block = vec![0; BLOCK_LEN];
    read_exact_at(volume, at, &mut block).map_err(|error| error.to_string())?;
    if !block.starts_with(&IDENTIFIER) || u32_at(&block, 20) != record_type {
        return Err(format!("no block of record type {record_type} lies there"));
    }
    // A block that was copied from elsewhere is not a part of this list.
    if u64_at(&block, 32) != at {
        return Err(format!("the block says that it lies at {:#x}", u64_at(&block, 32)));
    }
    Ok(block)
}

/// A field of a structure that is known to be long enough.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    fields::u32_at(bytes, at).unwrap_or(0)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    fields::u64_at(bytes, at).unwrap_or(0)
}

fn guid_at(bytes: &[u8], at: usize) -> [u8; 16] {
    fields::array_at(bytes, at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of the made-up volume.
    const BLOCKS: u64 = 64;

    /// Writes a volume with stores, as small as the format lets it be: every structure has one block.
    struct Writer(Vec<u8>);

    impl Writer {
        /// Each data block is filled with its number.
        fn new() -> Self {
            let mut bytes: Vec<u8> = (0..BLOCKS).flat_map(|n| vec![n as u8; BLOCK_LEN]).collect();
            bytes[..BLOCK_LEN].fill(0);
            let mut writer = Self(bytes);
            writer.header(HEADER_AT, 1, 0);
            writer.put(HEADER_AT + 48, &BLOCK.to_le_bytes());
            writer.header(BLOCK, CATALOGUE, 0);
            writer
        }

        fn put(&mut self, at: u64, bytes: &[u8]) {
            self.0[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
        }

        fn header(&mut self, at: u64, record_type: u32, next: u64) {
            if record_type != 1 {
                self.put(at, &[0; BLOCK_LEN]);
            }
            self.put(at, &IDENTIFIER);
            self.put(at + 16, &1u32.to_le_bytes());
            self.put(at + 20, &record_type.to_le_bytes());
            self.put(at + 32, &at.to_le_bytes());
            self.put(at + 40, &next.to_le_bytes());
        }

        /// A store in blocks `first` (header), +1 (list) and +2 (bitmap). `blocks`: original block, relative block, saved
        /// block, flags, bitmap.
        fn store(&mut self, slot: u64, id: u8, created: u64, first: u64, blocks: &[(u64, u64, u64, u32, u32)]) {
            let entry = BLOCK + 128 + slot * 256;
            self.put(entry, &2u64.to_le_bytes());
            self.put(entry + 8, &(BLOCKS * BLOCK).to_le_bytes());
            self.put(entry + 16, &[id; 16]);
            self.put(entry + 48, &created.to_le_bytes());
            let entry = entry + 128;
            self.put(entry, &3u64.to_le_bytes());
            self.put(entry + 8, &((first + 1) * BLOCK).to_le_bytes());
            self.put(entry + 16, &[id; 16]);
            self.put(entry + 32, &(first * BLOCK).to_le_bytes());
            self.put(entry + 48, &((first + 2) * BLOCK).to_le_bytes());
            self.header(first * BLOCK, STORE_HEADER, 0);
            let info = first * BLOCK + 128;
            self.put(info + 16, &[0xaa; 16]);
            self.put(info + 56, &0x0042_0009u32.to_le_bytes());
            self.put(info + 64, &[4, 0, b'p', 0, b'c', 0, 0, 0]);
            self.header((first + 1) * BLOCK, BLOCK_LIST, 0);
            for (n, (original, relative, saved, flags, bitmap)) in (0u64..).zip(blocks) {
                let at = (first + 1) * BLOCK + 128 + n * 32;
                self.put(at, &(original * BLOCK).to_le_bytes());
                self.put(at + 8, &(relative * BLOCK).to_le_bytes());
                self.put(at + 16, &(saved * BLOCK).to_le_bytes());
                self.put(at + 24, &flags.to_le_bytes());
                self.put(at + 28, &bitmap.to_le_bytes());
            }
            self.header((first + 2) * BLOCK, BITMAP, 0);
        }

        fn unused(&mut self, first: u64, block: u64) {
            let at = (first + 2) * BLOCK + 128 + block / 8;
            self.0[at as usize] |= 1 << (block % 8);
        }

        fn open(&self) -> (Vec<Snapshot>, Vec<VssIssue>) {
            let volume: Arc<dyn ReadAt> = Arc::new(self.0.clone());
            let catalogue = Catalogue::read(&*volume);
            let (snapshots, mut issues) = catalogue.open(&volume, &|_| true);
            issues.extend(catalogue.issues);
            (snapshots.into_iter().map(|(_, snapshot)| snapshot).collect(), issues)
        }
    }

    /// The first byte of each 512 bytes of a block.
    fn sectors(snapshot: &Snapshot, block: u64) -> Vec<u8> {
        let mut bytes = vec![0xee; BLOCK_LEN];
        read_exact_at(snapshot, block * BLOCK, &mut bytes).unwrap();
        for sector in bytes.chunks(512) {
            assert!(sector.iter().all(|b| *b == sector[0]), "a sector is one piece");
        }
        bytes.chunks(512).map(|sector| sector[0]).collect()
    }

    fn whole(snapshot: &Snapshot, block: u64) -> u8 {
        let sectors = sectors(snapshot, block);
        assert!(sectors.iter().all(|s| *s == sectors[0]), "{sectors:?}");
        sectors[0]
    }

    #[test]
    fn an_older_copy_asks_the_newer_ones() {
        let mut writer = Writer::new();
        // The newer one first: the catalogue is in no order.
        writer.store(0, 2, 2000, 8, &[(20, 0, 40, 0, 0), (21, 0, 41, 0, 0)]);
        writer.store(1, 1, 1000, 4, &[(20, 0, 50, 0, 0), (22, 0, 52, NOT_USED, 0)]);
        let catalogue = Catalogue::read(&writer.0);
        assert_eq!(catalogue.issues, []);
        let copy = &catalogue.copies[0];
        assert_eq!((copy.number, copy.created), (1, Some(Timestamp::from_filetime(1000))));
        assert_eq!(copy.store_id, text::guid(&[1; 16]));
        assert_eq!(copy.copy_id, Some(text::guid(&[0xaa; 16])));
        assert_eq!((copy.operating_machine.as_deref(), copy.service_machine.as_deref()), (Some("pc"), None));
        assert_eq!(copy.attributes, Some(0x0042_0009));
        let (snapshots, issues) = writer.open();
        assert_eq!(issues, []);
        let blocks = |s: &Snapshot| [20, 21, 22].map(|b| whole(s, b));
        assert_eq!(blocks(&snapshots[0]), [50, 41, 22]);
        assert_eq!(blocks(&snapshots[1]), [40, 41, 22]);
        assert!(snapshots[1].is_live(22 * BLOCK, BLOCK));
        assert!(!snapshots[1].is_live(19 * BLOCK, 2 * BLOCK));
        assert!(snapshots[0].is_live(22 * BLOCK, 2 * BLOCK));
    }

    /// Parts that an overlay holds are its own, the rest is the block below; older copies don't see overlays of newer ones.
    #[test]
    fn an_overlay_covers_sectors_of_its_own_copy() {
        let mut writer = Writer::new();
        let newer =
            [(20, 0, 40, OVERLAY, 0b1), (20, 0, 43, OVERLAY, 0b1000), (21, 0, 41, 0, 0), (21, 0, 42, OVERLAY, 0b10)];
        writer.store(0, 1, 1000, 4, &[]);
        writer.store(1, 2, 2000, 8, &newer);
        let (snapshots, _) = writer.open();
        let mut expected = vec![20; 32];
        assert_eq!(sectors(&snapshots[0], 20), expected);
        // A second overlay for the same block lies in the first one's place.
        (expected[0], expected[3]) = (40, 40);
        assert_eq!(sectors(&snapshots[1], 20), expected);
        let mut expected = vec![41; 32];
        assert_eq!(sectors(&snapshots[0], 21), expected);
        expected[1] = 42;
        assert_eq!(sectors(&snapshots[1], 21), expected);
        assert!(!snapshots[1].is_live(20 * BLOCK, BLOCK) && snapshots[1].is_live(20 * BLOCK + 512, 1024));
    }

    /// Content that was moved on the volume is found where it lies then, and by what was saved there later.
    #[test]
    fn a_forwarder_leads_to_the_new_place() {
        let mut writer = Writer::new();
        writer.store(0, 1, 1000, 4, &[(20, 30, 0, FORWARDER, 0), (25, 35, 0, FORWARDER, 0), (35, 0, 45, 0, 0)]);
        writer.store(1, 2, 2000, 8, &[(30, 0, 43, 0, 0)]);
        let (snapshots, issues) = writer.open();
        assert_eq!(issues, []);
        // Block 30 was saved by the newer store, so block 20 of the older copy lies there.
        assert_eq!(whole(&snapshots[0], 20), 43);
        // Block 35 was written over and saved in the same store: it is block 25's content.
        assert_eq!(whole(&snapshots[0], 25), 45);
        assert_eq!(whole(&snapshots[0], 35), 35);
        let mut alone = Writer::new();
        alone.store(0, 1, 1000, 4, &[(20, 30, 0, FORWARDER, 0), (21, 31, 0, FORWARDER, 0), (31, 21, 0, FORWARDER, 0)]);
        let (snapshots, _) = alone.open();
        assert_eq!(whole(&snapshots[0], 20), 30);
        // Moved away and back.
        assert_eq!(whole(&snapshots[0], 21), 21);
    }

    #[test]
    fn blocks_that_were_not_in_use_are_zeros_in_the_newest_copy() {
        let mut writer = Writer::new();
        writer.store(0, 1, 1000, 4, &[]);
        writer.store(1, 2, 2000, 8, &[(21, 0, 41, 0, 0)]);
        for first in [4, 8] {
            writer.unused(first, 20);
            writer.unused(first, 21);
        }
        let (snapshots, _) = writer.open();
        assert_eq!((whole(&snapshots[0], 20), whole(&snapshots[1], 20)), (20, 0));
        // A block that was saved after all is not lost.
        assert_eq!(whole(&snapshots[1], 21), 41);
        let mut buf = [0xee; 3 * BLOCK_LEN];
        read_exact_at(&snapshots[1], 19 * BLOCK, &mut buf).unwrap();
        assert_eq!([buf[0], buf[BLOCK_LEN], buf[2 * BLOCK_LEN]], [19, 0, 41]);
    }

    #[test]
    fn no_shadow_copies_no_issues() {
        assert!(Catalogue::read(&vec![0u8; 100]).copies.is_empty());
        let empty = Catalogue::read(&Writer::new().0);
        assert!(empty.copies.is_empty() && empty.issues.is_empty());
    }

    /// What is damaged is named; the rest is read.
    #[test]
    fn damage_is_an_issue() {
        let mut writer = Writer::new();
        writer.store(0, 1, 1000, 4, &[(20, 0, 50, 0, 0), (99, 0, 51, 0, 0)]);
        writer.store(1, 2, 2000, 8, &[(20, 0, 40, 0, 0)]);
        // The catalogue runs in a circle; the newer store's list is gone; the older store's header too.
        writer.put(BLOCK + 40, &BLOCK.to_le_bytes());
        writer.put(9 * BLOCK, &[0; 32]);
        writer.put(4 * BLOCK, &[0; 32]);
        let (snapshots, issues) = writer.open();
        let of = |copy| issues.iter().filter(|i| i.copy == copy).map(|i| i.offset).collect::<Vec<_>>();
        assert_eq!(of(None), [BLOCK]);
        assert_eq!(of(Some(1)), [5 * BLOCK + 128 + 32, 4 * BLOCK]);
        assert_eq!(of(Some(2)), [9 * BLOCK]);
        assert_eq!((whole(&snapshots[0], 20), whole(&snapshots[1], 20)), (50, 20));
    }

    /// Cut and flipped at seeded places: nothing panics, and reading ends.
    #[test]
    fn hostile_volumes() {
        let mut writer = Writer::new();
        writer.store(0, 1, 1000, 4, &[(20, 30, 0, FORWARDER, 0), (21, 0, 51, 0, 0)]);
        writer.store(1, 2, 2000, 8, &[(30, 0, 40, 0, 0), (21, 0, 41, OVERLAY, 0xff)]);
        let structures = [HEADER_AT, BLOCK, 4 * BLOCK, 5 * BLOCK, 6 * BLOCK, 8 * BLOCK, 9 * BLOCK, 10 * BLOCK];
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = |limit: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % limit
        };
        for _ in 0..500 {
            let mut broken = Writer(writer.0.clone());
            for _ in 0..4 {
                let at = structures[random(8) as usize] + random(400);
                broken.0[at as usize] = random(256) as u8;
            }
            if random(4) == 0 {
                broken.0.truncate(random(BLOCKS * BLOCK) as usize);
            }
            let (snapshots, issues) = broken.open();
            let len = broken.0.len() as u64;
            assert!(issues.iter().all(|issue| issue.offset < len.max(BLOCK)), "{len}: {issues:?}");
            for snapshot in snapshots {
                let mut buf = vec![0; 3 * BLOCK_LEN];
                let _ = snapshot.read_at(20 * BLOCK + 7, &mut buf);
                let _ = snapshot.read_at(random(u64::MAX), &mut buf);
                let _ = snapshot.is_live(20 * BLOCK, 3 * BLOCK);
            }
        }
    }
}
