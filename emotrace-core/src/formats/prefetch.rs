//! Prefetch files (SCCA): what a program loaded in its first ten seconds, and when it was last run.
//!
//! Versions 17 (XP, 2003), 23 (Vista, 7), 26 (8, 8.1), 30 (10, early 11), 31 (11). Since Windows 8.1 the file lies in a
//! [`mam`] frame; offsets here count in the content of that frame. All numbers are little-endian.
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 4 | version |
//! | 4 | 4 | `SCCA` |
//! | 12 | 4 | length of the file |
//! | 16 | 60 | name of the executable, UTF-16, 29 characters at most; remnants may follow the NUL |
//! | 76 | 4 | hash of the path, as in the name of the file |
//! | 80 | 4 | 1: about the system's start or an operation, not a program |
//! | 84 | 8 | file metrics: offset, number of entries |
//! | 92 | 8 | trace chains: offset, number of entries (not read) |
//! | 100 | 8 | file names: offset, bytes |
//! | 108 | 12 | volumes: offset, number, bytes |
//!
//! Behind that it depends on the version; in version 30 the offset of the metrics tells the two variants apart:
//!
//! | what | 17 | 23 | 26 | 30, metrics at 304 | 30 and 31, metrics at 296 |
//! |---|---|---|---|---|---|
//! | run times (FILETIME, newest first, 0: none) | 120, one | 128, one | 128, eight | 128, eight | 128, eight |
//! | run count | 144 | 152 | 208 | 208 | 200 |
//! | what was hashed: offset, bytes | – | – | – | 220 | 212 |
//! | bytes of a metrics entry | 20 | 32 | 32 | 32 | 32 |
//! | bytes of a volume entry | 40 | 104 | 104 | 96 | 96 |
//!
//! A metrics entry holds the offset of the name (from the start of the names), its length in characters and flags, at 8, 12
//! and 16 (version 17) or 12, 16 and 20 (later), and since version 23 the file reference at 24, 0 where it is not known.
//!
//! A volume entry: 0 offset of the device path from the start of the volumes, 4 its length in characters, 8 creation time
//! (FILETIME), 16 serial number, 20 file references: offset and bytes, 28 directory names: offset and number.
//! File references: u32 version, u32 number, then in version 1 the references at 8, in version 3 at 16. Directory names:
//! u16 characters, UTF-16, NUL.
//!
//! Source: J. Metz, "Windows Prefetch File (PF) format", libscca project; observation of files of each version.

use super::mam;
use crate::bytes::{Cursor, FormatError, text};
use crate::model::{FileReference, Timestamp};

/// The largest prefetch file that is read. Real ones stay below 2 MiB.
const MAX_CONTENT: u64 = 32 << 20;
/// How many issues are kept; the others are counted.
const MAX_ISSUES: usize = 100;
/// Longer names do not exist on Windows.
const MAX_NAME: usize = 32_767;
/// Characters of the executable's name that the header has room for.
const HEADER_NAME: usize = 29;

/// A prefetch file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefetch {
    /// 17, 23, 26, 30 or 31.
    pub version: u32,
    /// Name of the executable, upper case, cut after 29 characters.
    pub executable: String,
    /// Hash of the path (and, for some programs, of the command line), as in the name of the file.
    pub path_hash: u32,
    /// True if this is about the start of the system (`NTOSBOOT`) or an operation (`Op-…`), not about one program.
    pub scenario: bool,
    /// How often it was run. Absent if the field is out of reach.
    pub run_count: Option<u32>,
    /// The last runs, newest first, UTC, 100 ns.
    pub runs: Vec<Run>,
    /// What the hash was made of: the device path of the executable or the full name of its package (later versions 30 and 31).
    pub hashed: Option<String>,
    /// The files that were read, in the order of the metrics.
    pub files: Vec<LoadedFile>,
    /// The volumes that they lie on.
    pub volumes: Vec<Volume>,
    /// What could not be read, the first hundred. Offsets count in the content of the frame, where there is one.
    pub issues: Vec<FormatError>,
    /// How many issues there are beyond those.
    pub more_issues: u64,
    /// Where the content ends, if it ends before its claimed length.
    pub cut_at: Option<u64>,
    /// Length of the content in which all offsets count: of the file, or of what its frame holds.
    pub content_len: u64,
}

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it began.
    pub time: Timestamp,
    /// Offset of the field.
    pub offset: u64,
}

/// One file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedFile {
    /// Path with the device path of its volume, upper case.
    pub path: String,
    /// MFT record, where it is stored.
    pub reference: Option<FileReference>,
    /// Flags; their meaning is known in part only (2: read as an image).
    pub flags: u32,
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// `\DEVICE\HARDDISKVOLUME1`, or `\VOLUME{01d5f51ea48267ca-96a49c74}` since Windows 10.
    pub device_path: String,
    /// When it was formatted, UTC.
    pub created: Option<Timestamp>,
    /// The lower half of an NTFS serial number, or the serial number of a FAT volume.
    pub serial: u32,
    /// Directories that were read, with the device path.
    pub directories: Vec<String>,
    /// MFT records that were read; those not stored (0) are left out.
    pub references: Vec<FileReference>,
    /// Offset of the entry.
    pub offset: u64,
}

/// Where the parts of one version lie.
struct Layout {
    run_times: usize,
    runs: usize,
    run_count: usize,
    hashed: Option<usize>,
    metrics_entry: usize,
    volume_entry: usize,
}

impl Layout {
    /// The metrics lie right behind the fields, so their offset says how long those are. Where it fits no known layout, the
    /// fields can't be trusted: times read from the wrong place would be invented evidence.
    fn of(version: u32, metrics: u32) -> Result<Self, FormatError> {
        let vista =
            Self { run_times: 128, runs: 1, run_count: 152, hashed: None, metrics_entry: 32, volume_entry: 104 };
        match (version, metrics) {
            (17, 152) => Ok(Self { run_times: 120, run_count: 144, metrics_entry: 20, volume_entry: 40, ..vista }),
            (23, 240) => Ok(vista),
            (26, 304) => Ok(Self { runs: 8, run_count: 208, ..vista }),
            (30, 304) => Ok(Self { runs: 8, run_count: 208, hashed: Some(220), volume_entry: 96, ..vista }),
            (30 | 31, 296) => Ok(Self { runs: 8, run_count: 200, hashed: Some(212), volume_entry: 96, ..vista }),
            (17 | 23 | 26 | 30 | 31, _) => {
                let (what, value, problem) =
                    ("prefetch metrics offset", metrics.into(), "no layout of its version fits");
                Err(FormatError::Value { what, offset: 84, value, problem })
            }
            _ => {
                let (what, value, problem) = ("prefetch version", version.into(), "17, 23, 26, 30 and 31 are known");
                Err(FormatError::Value { what, offset: 0, value, problem })
            }
        }
    }
}

/// True if the bytes begin like a prefetch file, in a frame or not.
pub fn recognise(start: &[u8]) -> bool {
    if mam::recognise(start) {
        return mam::decompress_start(start, 8).is_ok_and(|content| is_scca(&content.bytes));
    }
    is_scca(start)
}

fn is_scca(content: &[u8]) -> bool {
    content.get(4..8) == Some(b"SCCA")
}

/// Reads a prefetch file, in its frame or not.
///
/// # Errors
/// When there is no readable frame, no `SCCA`, the version is not known, or the header is cut. All other damage costs only
/// the piece it lies in and is listed in [`Prefetch::issues`].
pub fn read(file: &[u8]) -> Result<Prefetch, FormatError> {
    let len = file.len() as u64;
    if len > MAX_CONTENT {
        return Err(FormatError::Limit { what: "prefetch file", offset: 0, value: len, limit: MAX_CONTENT });
    }
    if !mam::recognise(file) {
        return parse(file);
    }
    let content = mam::decompress(file, MAX_CONTENT)?;
    let parsed = parse(&content.bytes);
    match (parsed, content.issues.into_iter().next()) {
        (Ok(mut prefetch), issue) => {
            prefetch.issues.splice(0..0, issue);
            Ok(prefetch)
        }
        // That the stream is damaged says more than that its content is short.
        (Err(_), Some(issue)) => Err(issue),
        (Err(error), None) => Err(error),
    }
}

/// Reads the content of a frame, or a file that lies in none.
fn parse(content: &[u8]) -> Result<Prefetch, FormatError> {
    let mut header = Cursor::new(content, "prefetch header", 0);
    let version = header.u32()?;
    let signature: [u8; 4] = header.array()?;
    if signature != *b"SCCA" {
        let (expected, actual) = (b"SCCA".to_vec(), signature.to_vec());
        return Err(FormatError::Signature { what: "prefetch header", offset: 4, expected, actual });
    }
    header.skip(4)?;
    let length = u64::from(header.u32()?);
    let executable = text::from_utf16le_until_nul(header.take(60)?);
    let path_hash = header.u32()?;
    let scenario = header.u32()? & 1 == 1;
    let (metrics, metrics_count) = (header.u32()?, header.u32()?);
    header.skip(8)?;
    let (names, names_len) = (header.u32()?, header.u32()?);
    let (volumes, volume_count, volumes_len) = (header.u32()?, header.u32()?, header.u32()?);
    let layout = Layout::of(version, metrics)?;

    let content_len = content.len() as u64;
    let mut prefetch = Prefetch { version, executable, path_hash, scenario, content_len, ..Prefetch::default() };
    let available = content.len() as u64;
    if available < length {
        prefetch.cut_at = Some(available);
        let (needed, what) = (length, "prefetch file");
        prefetch.issue(FormatError::Short { what, offset: 0, needed, available });
    }
    prefetch.read_runs(content, &layout);
    prefetch.read_hashed(content, &layout);
    // All names and references together can't be longer than the file: each is stored once.
    let mut budget = content.len();
    prefetch.read_files(content, &layout, (metrics, metrics_count), (names, names_len), &mut budget);
    prefetch.read_volumes(content, &layout, (volumes, volume_count, volumes_len), &mut budget);
    Ok(prefetch)
}

impl Prefetch {
    /// The path of the executable as the file list gives it: the file that bears its name. Where several do, the one that
    /// the hash or [`Prefetch::hashed`] speaks for. Absent if none does, or that can't be told.
    pub fn executable_path(&self) -> Option<&str> {
        let cut = self.executable.encode_utf16().count() >= HEADER_NAME;
        let bears_name = |path: &str| {
            let name = path.rsplit('\\').next().unwrap_or_default();
            if cut { name.starts_with(&self.executable) } else { name == self.executable }
        };
        let candidates: Vec<&str> =
            self.files.iter().map(|file| file.path.as_str()).filter(|path| bears_name(path)).collect();
        if let [only] = candidates[..] {
            return Some(only);
        }
        let hashed = self.hashed.as_deref().map(without_device);
        candidates
            .into_iter()
            .find(|path| hashed == Some(without_device(path)) || path_hashes(path).contains(&self.path_hash))
    }

    fn issue(&mut self, error: FormatError) {
        if self.issues.len() < MAX_ISSUES {
            self.issues.push(error);
        } else {
            self.more_issues = self.more_issues.saturating_add(1);
        }
    }

    fn read_runs(&mut self, content: &[u8], layout: &Layout) {
        let mut cursor = Cursor::new(content, "prefetch run times", 0);
        cursor.seek(layout.run_times);
        for _ in 0..layout.runs {
            let offset = cursor.offset();
            match cursor.u64() {
                Ok(time) => {
                    self.runs.extend(Timestamp::from_filetime_field(time).map(|time| Run { time, offset }));
                }
                Err(error) => return self.issue(error),
            }
        }
        let mut cursor = Cursor::new(content, "prefetch run count", 0);
        cursor.seek(layout.run_count);
        self.run_count = cursor.u32().map_err(|error| self.issue(error)).ok();
    }

    fn read_hashed(&mut self, content: &[u8], layout: &Layout) {
        let Some(place) = layout.hashed else { return };
        let mut cursor = Cursor::new(content, "prefetch hashed string", 0);
        cursor.seek(place);
        let found = (|| {
            let (offset, bytes) = (cursor.u32()?, cursor.u32()?);
            if bytes == 0 {
                return Ok(None);
            }
            cursor.seek(to_usize(offset));
            // Remnants may follow the NUL.
            let found = text::from_utf16le_until_nul(cursor.take(to_usize(bytes).min(MAX_NAME.saturating_mul(2)))?);
            Ok(Some(found).filter(|found| !found.is_empty()))
        })();
        match found {
            Ok(found) => self.hashed = found,
            Err(error) => self.issue(error),
        }
    }

    fn read_files(
        &mut self,
        content: &[u8],
        layout: &Layout,
        (metrics, count): (u32, u32),
        (names, names_len): (u32, u32),
        budget: &mut usize,
    ) {
        let names_start = to_usize(names).min(content.len());
        let names_end = names_start.saturating_add(to_usize(names_len)).min(content.len());
        let names = content.get(names_start..names_end).unwrap_or_default();
        let mut cursor = Cursor::new(content, "prefetch file metrics", 0);
        cursor.seek(to_usize(metrics));
        for _ in 0..count {
            let entry = match cursor.take(layout.metrics_entry) {
                Ok(entry) => entry,
                Err(error) => return self.issue(error),
            };
            match loaded_file(entry, names, names_start as u64, budget) {
                Ok(file) => self.files.push(file),
                Err(error @ FormatError::Limit { .. }) => return self.issue(error),
                Err(error) => self.issue(error),
            }
        }
    }

    fn read_volumes(
        &mut self,
        content: &[u8],
        layout: &Layout,
        (volumes, count, len): (u32, u32, u32),
        budget: &mut usize,
    ) {
        let start = to_usize(volumes).min(content.len());
        let end = start.saturating_add(to_usize(len)).min(content.len());
        let section = content.get(start..end).unwrap_or_default();
        let mut cursor = Cursor::new(section, "prefetch volume", start as u64);
        for _ in 0..count {
            let offset = cursor.offset();
            let entry = match cursor.take(layout.volume_entry) {
                Ok(entry) => entry,
                Err(error) => return self.issue(error),
            };
            match self.volume(entry, section, start as u64, offset, budget) {
                Ok(volume) => self.volumes.push(volume),
                Err(error) => self.issue(error),
            }
        }
    }

    /// One volume. Damage in its lists costs the rest of that list only.
    fn volume(
        &mut self,
        entry: &[u8],
        section: &[u8],
        section_offset: u64,
        offset: u64,
        budget: &mut usize,
    ) -> Result<Volume, FormatError> {
        let mut fields = Cursor::new(entry, "prefetch volume", offset);
        let (path, path_len) = (fields.u32()?, fields.u32()?);
        let created = Timestamp::from_filetime_field(fields.u64()?);
        let serial = fields.u32()?;
        let (references, references_len) = (fields.u32()?, fields.u32()?);
        let (directories, directory_count) = (fields.u32()?, fields.u32()?);

        let mut at = Cursor::new(section, "prefetch volume path", section_offset);
        at.seek(to_usize(path));
        let device_path = name(&mut at, to_usize(path_len), budget)?;
        if device_path.is_empty() {
            let (what, value, problem) = ("prefetch volume path", path.into(), "a volume has a path; this one is lost");
            self.issue(FormatError::Value { what, offset, value, problem });
        }
        let mut volume =
            Volume { device_path, created, serial, directories: Vec::new(), references: Vec::new(), offset };

        let mut at = Cursor::new(section, "prefetch file references", section_offset);
        at.seek(to_usize(references));
        match file_references(&mut at, to_usize(references_len), budget) {
            Ok(found) => volume.references = found,
            Err(error) => self.issue(error),
        }
        let mut at = Cursor::new(section, "prefetch directory name", section_offset);
        at.seek(to_usize(directories));
        for _ in 0..directory_count {
            let directory = at.u16().and_then(|len| name(&mut at, usize::from(len), budget));
            match directory.and_then(|directory| at.skip(2).map(|()| directory)) {
                Ok(directory) => volume.directories.push(directory),
                Err(error) => {
                    self.issue(error);
                    break;
                }
            }
        }
        Ok(volume)
    }
}

fn loaded_file(entry: &[u8], names: &[u8], names_offset: u64, budget: &mut usize) -> Result<LoadedFile, FormatError> {
    let mut fields = Cursor::new(entry, "prefetch file metrics", 0);
    fields.seek(if entry.len() == 20 { 8 } else { 12 });
    let (offset, len, flags) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let reference = if entry.len() == 20 { 0 } else { fields.u64()? };
    let mut at = Cursor::new(names, "prefetch file name", names_offset);
    at.seek(to_usize(offset));
    let path = name(&mut at, to_usize(len), budget)?;
    Ok(LoadedFile { path, reference: Some(FileReference::from_u64(reference)).filter(|_| reference != 0), flags })
}

/// Takes `bytes` from the budget, so that entries that all point at one long piece cost no more memory than the file has.
fn pay(budget: &mut usize, bytes: usize, offset: u64) -> Result<(), FormatError> {
    let (value, limit) = (bytes as u64, *budget as u64);
    let limit = FormatError::Limit { what: "a prefetch list that is read more than once", offset, value, limit };
    *budget = budget.checked_sub(bytes).ok_or(limit)?;
    Ok(())
}

/// A name of `len` characters.
fn name(at: &mut Cursor<'_>, len: usize, budget: &mut usize) -> Result<String, FormatError> {
    let offset = at.offset();
    if len > MAX_NAME {
        let problem = "no Windows name is that long";
        return Err(FormatError::Value { what: "prefetch name length", offset, value: len as u64, problem });
    }
    let found = at.utf16(len)?;
    pay(budget, len.saturating_mul(2), offset)?;
    Ok(found)
}

/// The references of one volume without those that are not set.
fn file_references(at: &mut Cursor<'_>, len: usize, budget: &mut usize) -> Result<Vec<FileReference>, FormatError> {
    if len == 0 {
        return Ok(Vec::new());
    }
    let offset = at.offset();
    let mut list = Cursor::new(at.take(len)?, "prefetch file references", offset);
    pay(budget, len, offset)?;
    let (version, count) = (list.u32()?, list.u32()?);
    if version != 1 {
        list.skip(8)?;
    }
    let stored = list.take(list.remaining())?.as_chunks::<8>().0.iter().map(|raw| u64::from_le_bytes(*raw));
    Ok(stored.take(to_usize(count)).filter(|raw| *raw != 0).map(FileReference::from_u64).collect())
}

/// What follows the device in `\DEVICE\HARDDISKVOLUME2\WINDOWS` or `\VOLUME{…}\WINDOWS`.
fn without_device(path: &str) -> &str {
    let components = if path.starts_with("\\DEVICE\\") { 2 } else { 1 };
    path.match_indices('\\').nth(components).and_then(|(at, _)| path.get(at..)).unwrap_or(path)
}

/// The hash of a device path as XP and 2003, Vista and 10, and 2008, 7 and 8 make it. For some programs Windows adds the
/// command line; those hashes can't be made again.
fn path_hashes(path: &str) -> [u32; 3] {
    let bytes: Vec<u8> = text::to_utf16(path).into_iter().flat_map(u16::to_le_bytes).collect();
    let step = |hash: u32, byte: &u8| hash.wrapping_mul(37).wrapping_add(u32::from(*byte));
    let xp = bytes.iter().fold(0, step).wrapping_mul(314_159_269).cast_signed().unsigned_abs() % 1_000_000_007;
    let vista = bytes.iter().fold(314_159, step);
    let (eights, rest) = bytes.as_chunks::<8>();
    // Eight bytes at once, and as long as something follows: the last ones go one by one.
    let (eights, last) = match (eights, rest) {
        ([eights @ .., last], []) => (eights, last.as_slice()),
        (eights, rest) => (eights, rest),
    };
    let windows_7 = eights.iter().fold(314_159u32, |hash, [first, middle @ .., last]| {
        let sum = middle.iter().fold(0, step).wrapping_mul(37).wrapping_add(u32::from(*last));
        sum.wrapping_add(u32::from(*first).wrapping_mul(442_596_621)).wrapping_sub(hash.wrapping_mul(803_794_207))
    });
    [xp, vista, last.iter().fold(windows_7, step)]
}

fn to_usize(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn put(bytes: &mut [u8], at: usize, value: u32) {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// A file with two names, one volume with one directory and one reference, as many run times as the version holds
    /// (1000, 999 …), run count 42.
    fn sample(version: u32, metrics: usize) -> Vec<u8> {
        let late = version >= 26;
        let (run_times, runs, entry, volume_entry) = match version {
            17 => (120, 1u64, 20, 40),
            23 => (128, 1, 32, 104),
            26 => (128, 8, 32, 104),
            _ => (128, 8, 32, 96),
        };
        let mut bytes = vec![0; metrics + 2 * entry];
        put(&mut bytes, 0, version);
        bytes[4..8].copy_from_slice(b"SCCA");
        bytes[16..26].copy_from_slice(&utf16("A.EXE"));
        put(&mut bytes, 76, 0xdead_beef);
        let names = [r"\VOLUME{1}\B.DLL", r"\VOLUME{1}\A.EXE"];
        let mut offset = 0;
        for (i, name) in names.iter().enumerate() {
            let at = metrics + i * entry + if version == 17 { 8 } else { 12 };
            put(&mut bytes, at, offset);
            put(&mut bytes, at + 4, name.len() as u32);
            put(&mut bytes, at + 8, 2);
            if version != 17 {
                put(&mut bytes, at + 12, 0x1000 + i as u32);
                put(&mut bytes, at + 16, 0x0005_0000);
            }
            offset += name.len() as u32 * 2 + 2;
        }
        for (i, value) in [metrics as u32, 2, 0, 0, bytes.len() as u32, offset].into_iter().enumerate() {
            put(&mut bytes, 84 + 4 * i, value);
        }
        bytes.extend(names.iter().flat_map(|name| utf16(&format!("{name}\0"))));
        for i in 0..runs {
            let at = run_times + 8 * i as usize;
            bytes[at..at + 8].copy_from_slice(&(1000 - i).to_le_bytes());
        }
        let count = match (version, metrics) {
            (17, _) => 144,
            (23, _) => 152,
            (_, 304) => 208,
            _ => 200,
        };
        put(&mut bytes, count, 42);
        if late && version != 26 {
            let at = count + 12;
            let end = bytes.len() as u32;
            put(&mut bytes, at, end);
            put(&mut bytes, at + 4, 32);
            bytes.extend(utf16("\\DEVICE\\D1\\A.EXE"));
        }
        let start = bytes.len();
        let mut volume = vec![0; volume_entry];
        let path = utf16(r"\VOLUME{1}");
        for (at, value) in [
            (0, volume_entry),
            (4, 10),
            (8, 7),
            (16, 0xa1b2_c3d4),
            (20, volume_entry + 20),
            (24, 24),
            (28, volume_entry + 44),
            (32, 1),
        ] {
            put(&mut volume, at, value as u32);
        }
        volume.extend(path);
        volume.extend([3u32, 1, 0, 0].iter().flat_map(|n| n.to_le_bytes()));
        volume.extend(0x0005_0000_0000_1000u64.to_le_bytes());
        volume.extend(2u16.to_le_bytes());
        volume.extend(utf16("\\W\0"));
        put(&mut bytes, 108, start as u32);
        put(&mut bytes, 112, 1);
        put(&mut bytes, 116, volume.len() as u32);
        bytes.extend(volume);
        let len = bytes.len() as u32;
        put(&mut bytes, 12, len);
        bytes
    }

    const VERSIONS: [(u32, usize); 6] = [(17, 152), (23, 240), (26, 304), (30, 304), (30, 296), (31, 296)];

    #[test]
    fn every_version() {
        for (version, metrics) in VERSIONS {
            let found = read(&sample(version, metrics)).unwrap();
            assert_eq!((found.issues.as_slice(), found.cut_at), (&[][..], None), "version {version}");
            assert_eq!((found.version, found.executable.as_str()), (version, "A.EXE"));
            assert_eq!((found.path_hash, found.run_count), (0xdead_beef, Some(42)));
            let times: Vec<u64> = found.runs.iter().map(|run| run.time.filetime()).collect();
            let runs = if version >= 26 { 8 } else { 1 };
            assert_eq!(times, (0..runs).map(|i| 1000 - i).collect::<Vec<_>>());
            assert_eq!(found.executable_path(), Some(r"\VOLUME{1}\A.EXE"));
            let reference = (version != 17).then_some(FileReference { record: 0x1001, sequence: 5 });
            let path = r"\VOLUME{1}\A.EXE".to_owned();
            assert_eq!(found.files[1], LoadedFile { path, reference, flags: 2 });
            assert_eq!(found.hashed.as_deref(), (version >= 30).then_some(r"\DEVICE\D1\A.EXE"));
            let volume = &found.volumes[0];
            assert_eq!((volume.device_path.as_str(), volume.serial), (r"\VOLUME{1}", 0xa1b2_c3d4));
            assert_eq!(volume.created, Some(Timestamp::from_filetime(7)));
            assert_eq!(volume.directories, [r"\W"]);
            assert_eq!(volume.references, [FileReference { record: 0x1000, sequence: 5 }]);
        }
    }

    /// A hole in the run times is no run at the epoch.
    #[test]
    fn empty_run_times_are_no_runs() {
        let mut bytes = sample(30, 296);
        bytes[136..192].fill(0);
        let found = read(&bytes).unwrap();
        assert_eq!(found.runs, [Run { time: Timestamp::from_filetime(1000), offset: 128 }]);
    }

    /// Each piece of damage costs that piece alone.
    #[test]
    fn damage_stays_local() {
        let mut bytes = sample(30, 296);
        put(&mut bytes, 296 + 12, 0xffff_0000);
        let found = read(&bytes).unwrap();
        assert_eq!((found.files.len(), found.issues.len(), found.volumes.len()), (1, 1, 1));
        assert_eq!(found.runs.len(), 8);

        let mut bytes = sample(26, 304);
        put(&mut bytes, 108, 0x7fff_ffff);
        let found = read(&bytes).unwrap();
        assert_eq!((found.files.len(), found.issues.len(), found.volumes.len()), (2, 1, 0));

        let whole = sample(31, 296);
        let found = read(&whole[..whole.len() - 3]).unwrap();
        assert_eq!(found.cut_at, Some(whole.len() as u64 - 3));
        assert_eq!((found.files.len(), found.volumes[0].directories.len()), (2, 0));
        let found = read(&whole[..150]).unwrap();
        assert_eq!((found.runs.len(), found.run_count, found.files.len()), (2, None, 0));
    }

    /// Fields behind an unknown layout would be invented.
    #[test]
    fn an_unknown_layout_is_refused() {
        let mut bytes = sample(26, 304);
        put(&mut bytes, 84, 300);
        assert!(matches!(read(&bytes), Err(FormatError::Value { offset: 84, .. })));
        put(&mut bytes, 0, 99);
        assert!(matches!(read(&bytes), Err(FormatError::Value { offset: 0, .. })));
        bytes[4] = b'X';
        assert!(matches!(read(&bytes), Err(FormatError::Signature { .. })));
        assert!(!recognise(&bytes));
    }

    /// Many entries that all point at one long name must not multiply it.
    #[test]
    fn names_cost_no_more_than_the_file() {
        let mut bytes = sample(30, 296);
        let names = bytes.len() as u32;
        bytes.extend(utf16(&"N".repeat(30_000)));
        put(&mut bytes, 100, names);
        put(&mut bytes, 104, 60_000);
        for entry in [296, 296 + 32] {
            put(&mut bytes, entry + 12, 0);
            put(&mut bytes, entry + 16, 30_000);
        }
        let found = read(&bytes).unwrap();
        assert_eq!(found.files.len(), 1, "60,000 bytes fit once into this file of {} bytes", bytes.len());
        assert!(matches!(found.issues[0], FormatError::Limit { .. }));
    }

    /// Witness: the names of files of plaso's and Zimmerman's test data, whose paths they hold; libscca's documentation for XP.
    #[test]
    fn hashes_of_paths() {
        assert_eq!(path_hashes(r"\DEVICE\HARDDISKVOLUME1\WINDOWS\NOTEPAD.EXE")[0], 0x1895_78da);
        assert_eq!(path_hashes(r"\DEVICE\HARDDISKVOLUME1\WINDOWS\SYSTEM32\CMD.EXE")[0], 0x087b_4001);
        assert_eq!(path_hashes(r"\DEVICE\HARDDISKVOLUME1\WINDOWS\SYSTEM32\CMD.EXE")[1], 0x8930_5d47);
        assert_eq!(path_hashes(r"\DEVICE\HARDDISKVOLUME2\WINDOWS\SYSTEM32\CMD.EXE")[2], 0x4a81_b364);
        assert_eq!(path_hashes(r"\DEVICE\HARDDISKVOLUME2\WINDOWS\SYSTEM32\NOTEPAD.EXE")[2], 0xd841_4f97);
    }

    /// Two files bear the name; the hash speaks for one.
    #[test]
    fn the_hash_tells_the_executable_from_its_namesakes() {
        let file = |path: &str| LoadedFile { path: path.to_owned(), reference: None, flags: 0 };
        let mut prefetch = Prefetch {
            executable: "CMD.EXE".to_owned(),
            files: vec![
                file(r"\DEVICE\HARDDISKVOLUME1\WINDOWS\SYSWOW64\CMD.EXE"),
                file(r"\DEVICE\HARDDISKVOLUME1\WINDOWS\SYSTEM32\CMD.EXE"),
                file(r"\DEVICE\HARDDISKVOLUME1\WINDOWS\SYSTEM32\CMD.EXE.MUI"),
            ],
            ..Prefetch::default()
        };
        assert_eq!(prefetch.executable_path(), None);
        prefetch.path_hash = 0x087b_4001;
        assert_eq!(prefetch.executable_path(), Some(r"\DEVICE\HARDDISKVOLUME1\WINDOWS\SYSTEM32\CMD.EXE"));
        prefetch.hashed = Some(r"\DEVICE\HARDDISKVOLUME3\WINDOWS\SYSWOW64\CMD.EXE".to_owned());
        assert_eq!(prefetch.executable_path(), Some(r"\DEVICE\HARDDISKVOLUME1\WINDOWS\SYSWOW64\CMD.EXE"));
    }

    #[test]
    fn names_of_29_characters_are_cut_names() {
        let long = "DCODEDCODEDCODEDCODEDCODEDCODED.EXE";
        let prefetch = Prefetch {
            executable: long[..29].to_owned(),
            files: vec![LoadedFile { path: format!(r"\VOLUME{{1}}\{long}"), reference: None, flags: 0 }],
            ..Prefetch::default()
        };
        assert!(prefetch.executable_path().unwrap().ends_with(long));
    }

    /// Seeded cuts and flips of every version: no panic, no hang, no more memory than the file has.
    #[test]
    fn damage_is_survived() {
        let mut seed = 0x2545_f491_4f6c_dd1du64;
        let mut next = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        for (version, metrics) in VERSIONS {
            let whole = sample(version, metrics);
            for _ in 0..1000 {
                let mut bytes = whole.clone();
                for _ in 0..=next(6) {
                    let at = next(bytes.len());
                    bytes[at] = [0, 0xff, bytes[at] ^ 1 << next(8)][next(3)];
                }
                if next(2) == 0 {
                    bytes.truncate(next(bytes.len()));
                }
                if let Ok(found) = read(&bytes) {
                    let names: usize = found.files.iter().map(|file| file.path.len()).sum();
                    assert!(names <= bytes.len() * 2 && found.issues.len() <= MAX_ISSUES);
                    let _ = found.executable_path();
                }
            }
        }
    }
}
