//! The application compatibility cache (ShimCache): the value `AppCompatCache` of the SYSTEM hive.
//!
//! | begins with | Windows | header | entries |
//! |---|---|---|---|
//! | `DEADBEEF` | XP, 32 bit | 400 bytes: 4 capacity, 8 used, from 16 the order as 96 numbers | 552 bytes each |
//! | `BADC0FFE` | 2003, Vista, 2008 | 8 bytes: 4 count | 24 bytes (32 bit) or 32 (64 bit), paths behind |
//! | `BADC0FEE` | 7, 2008 R2 | 128 bytes: 4 count | 32 bytes (32 bit) or 48 (64 bit), paths behind |
//! | any, `00ts` at 128 | 8.0, 2012 | 128 bytes | one behind the other |
//! | any, `10ts` at 128 | 8.1, 2012 R2 | 128 bytes | one behind the other |
//! | 0x30 or 0x34, `10ts` there | 10, 11, 2016 on | that many bytes, 12 before its end the count | one behind the other |
//!
//! Entries of tables: length and room of the path (2 + 2), its offset (4, or 4 unused and 8), FILETIME, then in 2003 the
//! size of the file (8), from Vista on insert flags (4) and shim flags (4); 7 adds length and offset of data. XP: path (528),
//! FILETIME, size (8), FILETIME of the last update. Entries in a row: signature (4), checksum (4), length of what follows
//! (4), length of the path (2), path; in 8 length of the package (2), package, insert flags (4), shim flags (4); FILETIME;
//! length of data (4), data.
//!
//! Sources: Mandiant, "Leveraging the Application Compatibility Cache in Forensic Investigations" (2012); libyal winreg-kb,
//! "Application Compatibility Cache"; compared with real values of XP to 10.

use crate::bytes::fields::{array_at, u16_at, u32_at, u64_at};
use crate::bytes::{Cursor, FormatError, text};
use crate::model::Timestamp;

/// Which Windows wrote the cache, as far as the layout tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Windows XP, 32 bit.
    Xp,
    /// Windows Server 2003 and Windows XP, 64 bit.
    Server2003,
    /// Windows Vista and Server 2008.
    Vista,
    /// Windows 7 and Server 2008 R2.
    Seven,
    /// Windows 8.0 and Server 2012.
    Eight,
    /// Windows 8.1 and Server 2012 R2.
    EightOne,
    /// Windows 10 before version 1703.
    Ten,
    /// Windows 10 from version 1703 on, Windows 11, Server 2019 on.
    TenCreators,
}

impl Version {
    /// As output writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xp => "XP",
            Self::Server2003 => "2003",
            Self::Vista => "Vista/2008",
            Self::Seven => "7/2008R2",
            Self::Eight => "8.0/2012",
            Self::EightOne => "8.1/2012R2",
            Self::Ten => "10",
            Self::TenCreators => "10 (1703 on)/11",
        }
    }
}

/// One file in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Place in the cache, from 0; the entry added or used last comes first.
    pub position: u32,
    /// Offset of the entry in the value.
    pub offset: u64,
    /// Path as stored.
    pub path: String,
    /// When the file was last modified, as the file system had it at that time. UTC, 100 ns (2 s on FAT).
    pub modified: Option<Timestamp>,
    /// Size of the file in bytes (XP, 2003).
    pub size: Option<u64>,
    /// When the entry was last updated (XP).
    pub updated: Option<Timestamp>,
    /// Flags of the entry (Vista to 8.1).
    pub insert_flags: Option<u32>,
    /// Package of a packaged app (8.0, 8.1).
    pub package: Option<String>,
}

/// A cache.
#[derive(Clone, Debug)]
pub struct Shimcache {
    /// Layout.
    pub version: Version,
    /// 32 or 64 bit, where the layout tells.
    pub bits: Option<u8>,
    /// The number of entries that the header gives, where it does.
    pub count: Option<u32>,
    /// The entries in their order.
    pub entries: Vec<Entry>,
    /// What could not be read.
    pub faults: Vec<FormatError>,
}

const XP_ORDER: usize = 16;
const XP_CAPACITY: usize = 96;
const XP_HEADER: usize = 400;
const XP_ENTRY: usize = 552;
const XP_PATH: usize = 528;
const VISTA_HEADER: usize = 8;
const WIDE_HEADER: usize = 128;
/// Insert flags of Vista are small numbers; the sizes that 2003 has in their place are not.
const MOST_FLAGS: u32 = 0xFF;

impl Shimcache {
    /// Reads the value.
    ///
    /// # Errors
    /// When it begins like no known layout. Damaged entries are in [`Shimcache::faults`].
    pub fn parse(data: &[u8]) -> Result<Self, FormatError> {
        let first = u32_at(data, 0).unwrap_or_default();
        let begins = |at, with: &[u8; 4]| array_at::<4>(data, at).as_ref() == Some(with);
        let at_128 = array_at::<4>(data, WIDE_HEADER);
        match (first, at_128.as_ref()) {
            (0xDEAD_BEEF, _) => Ok(xp(data)),
            (0xBADC_0FFE, _) => Ok(Table::vista(data).read(data)),
            (0xBADC_0FEE, _) => Ok(Table::seven(data).read(data)),
            // A later entry of 10 may by chance begin at 128.
            (0x30, _) if begins(0x30, b"10ts") => Ok(row(data, Version::Ten, 0x30, u32_at(data, 0x24))),
            (0x34, _) if begins(0x34, b"10ts") => Ok(row(data, Version::TenCreators, 0x34, u32_at(data, 0x28))),
            (_, Some(b"00ts")) => Ok(row(data, Version::Eight, WIDE_HEADER, None)),
            (_, Some(b"10ts")) => Ok(row(data, Version::EightOne, WIDE_HEADER, None)),
            (0x30, _) => Ok(row(data, Version::Ten, 0x30, u32_at(data, 0x24))),
            (0x34, _) => Ok(row(data, Version::TenCreators, 0x34, u32_at(data, 0x28))),
            _ => Err(FormatError::Value {
                what: "the first field of the compatibility cache",
                offset: 0,
                value: first.into(),
                problem: "no known layout begins so",
            }),
        }
    }

    /// True if the insert flags say, in this version, whether the file was run.
    pub fn tells_execution(&self) -> bool {
        matches!(self.version, Version::Vista | Version::Seven)
    }
}

fn time_at(data: &[u8], at: usize) -> Option<Timestamp> {
    u64_at(data, at).and_then(Timestamp::from_filetime_field)
}

fn short(what: &'static str, offset: usize, needed: usize, available: usize) -> FormatError {
    FormatError::Short { what, offset: offset as u64, needed: needed as u64, available: available as u64 }
}

fn xp(data: &[u8]) -> Shimcache {
    let used = u32_at(data, 8);
    let mut cache = Shimcache { version: Version::Xp, bits: Some(32), count: used, entries: vec![], faults: vec![] };
    // The order names each place once; what it does not name comes behind, in the order of the places.
    let order: Vec<u32> = (0..XP_CAPACITY)
        .filter_map(|n| u32_at(data, XP_ORDER.saturating_add(n.saturating_mul(4))))
        .take_while(|place| *place != u32::MAX)
        .take(used.and_then(|n| usize::try_from(n).ok()).unwrap_or(XP_CAPACITY))
        .collect();
    for place in 0..XP_CAPACITY {
        let at = XP_HEADER.saturating_add(place.saturating_mul(XP_ENTRY));
        let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) else { break };
        let Some(entry) = rest.get(..XP_ENTRY) else {
            cache.faults.push(short("an entry of the compatibility cache", at, XP_ENTRY, rest.len()));
            break;
        };
        let path = text::from_utf16le_until_nul(entry.get(..XP_PATH).unwrap_or_default());
        if path.is_empty() {
            continue;
        }
        let named = order.iter().position(|number| usize::try_from(*number) == Ok(place));
        let position = named.unwrap_or_else(|| order.len().saturating_add(place));
        cache.entries.push(Entry {
            position: u32::try_from(position).unwrap_or(u32::MAX),
            offset: at as u64,
            path,
            modified: time_at(entry, 528),
            size: u64_at(entry, 536),
            updated: time_at(entry, 544),
            insert_flags: None,
            package: None,
        });
    }
    cache.entries.sort_by_key(|entry| entry.position);
    cache
}

/// A table of entries of one size, with the paths behind it.
struct Table {
    version: Version,
    header: usize,
    entry: usize,
    wide: bool,
}

impl Table {
    fn vista(data: &[u8]) -> Self {
        let wide = is_wide(data, VISTA_HEADER);
        let entry = if wide { 32 } else { 24 };
        let mut table = Self { version: Version::Vista, header: VISTA_HEADER, entry, wide };
        let flags = table.time().saturating_add(8);
        let sizes = table.entries(data).any(|(_, e)| u32_at(e, flags).is_some_and(|n| n > MOST_FLAGS));
        if sizes {
            table.version = Version::Server2003;
        }
        table
    }

    fn seven(data: &[u8]) -> Self {
        let wide = is_wide(data, WIDE_HEADER);
        let entry = if wide { 48 } else { 32 };
        Self { version: Version::Seven, header: WIDE_HEADER, entry, wide }
    }

    /// Where the FILETIME stands in an entry.
    const fn time(&self) -> usize {
        if self.wide { 16 } else { 8 }
    }

    /// The entries that the header counts, as far as they are there.
    fn entries<'a>(&self, data: &'a [u8]) -> impl Iterator<Item = (usize, &'a [u8])> + use<'a> {
        let (header, size) = (self.header, self.entry);
        let count = u32_at(data, 4).and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
        let rows = data.get(header..).unwrap_or_default().chunks_exact(size).take(count).enumerate();
        rows.map(move |(n, row)| (header.saturating_add(n.saturating_mul(size)), row))
    }

    fn read(&self, data: &[u8]) -> Shimcache {
        let count = u32_at(data, 4);
        let bits = Some(if self.wide { 64 } else { 32 });
        let mut cache = Shimcache { version: self.version, bits, count, entries: vec![], faults: vec![] };
        // Paths lie apart from each other, so all of them together are no longer than the value.
        let mut budget = data.len();
        let mut position = 0u32;
        for (at, row) in self.entries(data) {
            let length = usize::from(u16_at(row, 0).unwrap_or_default());
            let offset = if self.wide { u64_at(row, 8) } else { u32_at(row, 4).map(u64::from) }.unwrap_or(u64::MAX);
            let Some(left) = budget.checked_sub(length) else {
                let (what, limit) = ("the paths of the compatibility cache", data.len() as u64);
                cache.faults.push(FormatError::Limit {
                    what,
                    offset: at as u64,
                    value: limit.saturating_add(1),
                    limit,
                });
                break;
            };
            budget = left;
            let path = usize::try_from(offset).ok().and_then(|from| data.get(from..from.checked_add(length)?));
            match path {
                Some(path) => cache.entries.push(self.entry(position, at, row, path)),
                None => cache.faults.push(FormatError::Value {
                    what: "the place of a path in the compatibility cache",
                    offset: at as u64,
                    value: offset,
                    problem: "the path lies behind the end",
                }),
            }
            position = position.saturating_add(1);
        }
        if let Some(count) = count.filter(|count| *count > position) {
            let (at, problem) = (data.len(), format!("the header counts {count} entries, {position} are there"));
            cache.faults.push(FormatError::Other { what: "the compatibility cache", offset: at as u64, problem });
        }
        cache
    }

    fn entry(&self, position: u32, at: usize, row: &[u8], path: &[u8]) -> Entry {
        let time = self.time();
        let behind = time.saturating_add(8);
        let sizes = self.version == Version::Server2003;
        Entry {
            position,
            offset: at as u64,
            path: text::from_utf16le(path),
            modified: time_at(row, time),
            size: u64_at(row, behind).filter(|_| sizes),
            updated: None,
            insert_flags: u32_at(row, behind).filter(|_| !sizes),
            package: None,
        }
    }
}

/// Entries of 64-bit systems have four unused bytes where those of 32-bit systems have the offset of the path.
fn is_wide(data: &[u8], header: usize) -> bool {
    u32_at(data, header.saturating_add(4)) == Some(0)
}

/// Entries one behind the other. After a damaged one reading goes on at the next signature.
fn row(data: &[u8], version: Version, header: usize, count: Option<u32>) -> Shimcache {
    let mut cache = Shimcache { version, bits: None, count, entries: vec![], faults: vec![] };
    let mut at = header;
    let mut position = 0u32;
    while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
        let next = match row_entry(rest, version, at, position) {
            Ok((entry, length)) => {
                cache.entries.push(entry);
                position = position.saturating_add(1);
                Some(length)
            }
            // Nothing but zeros behind the last entry: room that is not used.
            Err(_) if rest.iter().all(|byte| *byte == 0) => None,
            Err(error) => {
                cache.faults.push(error);
                let rest = rest.get(1..).unwrap_or_default();
                let found = rest.windows(4).position(|four| matches!(four, b"10ts" | b"00ts"));
                found.map(|n| n.saturating_add(1))
            }
        };
        match next {
            Some(length) => at = at.saturating_add(length),
            None => break,
        }
    }
    if let Some(count) = count.filter(|count| *count != position) {
        let problem = format!("the header counts {count} entries, {position} are there");
        cache.faults.push(FormatError::Other { what: "the compatibility cache", offset: header as u64, problem });
    }
    cache
}

/// One entry and its length.
fn row_entry(rest: &[u8], version: Version, at: usize, position: u32) -> Result<(Entry, usize), FormatError> {
    const WHAT: &str = "an entry of the compatibility cache";
    const HEAD: usize = 12;
    let offset = at as u64;
    let mut cursor = Cursor::new(rest, WHAT, offset);
    let signature = cursor.array::<4>()?;
    if !matches!(&signature, b"10ts" | b"00ts") {
        let (expected, actual) = (b"10ts".to_vec(), signature.to_vec());
        return Err(FormatError::Signature { what: WHAT, offset, expected, actual });
    }
    cursor.skip(4)?;
    let length = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX).saturating_add(HEAD);
    let body = rest.get(..length).ok_or_else(|| short(WHAT, at, length, rest.len()))?;
    let mut cursor = Cursor::new(body, WHAT, offset);
    cursor.skip(HEAD)?;
    let bytes = usize::from(cursor.u16()?);
    let path = text::from_utf16le(cursor.take(bytes)?);
    let (mut insert_flags, mut package) = (None, None);
    if matches!(version, Version::Eight | Version::EightOne) {
        let bytes = usize::from(cursor.u16()?);
        package = Some(text::from_utf16le(cursor.take(bytes)?)).filter(|name| !name.is_empty());
        insert_flags = Some(cursor.u32()?);
        cursor.skip(4)?;
    }
    let modified = Timestamp::from_filetime_field(cursor.u64()?);
    Ok((Entry { position, offset, path, modified, size: None, updated: None, insert_flags, package }, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: u64 = 132_428_777_923_456_789;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// A table as Vista or 7 writes it: entries of one size, the paths behind.
    fn table(signature: u32, header: usize, wide: bool, tail: &[u8], paths: &[&str], word: u32) -> Vec<u8> {
        let mut data = signature.to_le_bytes().to_vec();
        data.extend((paths.len() as u32).to_le_bytes());
        data.resize(header, 0);
        let size = if wide { 32 } else { 24 } + tail.len();
        let mut place = header + paths.len() * size;
        for path in paths {
            let length = utf16(path).len();
            data.extend((length as u16).to_le_bytes());
            data.extend((length as u16 + 2).to_le_bytes());
            if wide {
                data.extend([0; 4]);
                data.extend((place as u64).to_le_bytes());
            } else {
                data.extend((place as u32).to_le_bytes());
            }
            data.extend(TIME.to_le_bytes());
            data.extend(word.to_le_bytes());
            data.extend([0; 4]);
            data.extend(tail);
            place += length + 2;
        }
        for path in paths {
            data.extend(utf16(path));
            data.extend([0; 2]);
        }
        data
    }

    /// Entries in a row as 8 and 10 write them.
    fn in_row(header: usize, signature: &[u8; 4], eight: bool, paths: &[&str]) -> Vec<u8> {
        let mut data = vec![0; header];
        data[0] = if eight { 0 } else { header as u8 };
        if !eight {
            data[header - 12] = paths.len() as u8;
        }
        for path in paths {
            let mut body = (utf16(path).len() as u16).to_le_bytes().to_vec();
            body.extend(utf16(path));
            if eight {
                body.extend([0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
            }
            body.extend(TIME.to_le_bytes());
            body.extend(2u32.to_le_bytes());
            body.extend([1, 2]);
            data.extend(signature);
            data.extend([0xAA; 4]);
            data.extend((body.len() as u32).to_le_bytes());
            data.extend(body);
        }
        data
    }

    fn xp_cache() -> Vec<u8> {
        let mut data = 0xDEAD_BEEFu32.to_le_bytes().to_vec();
        data.extend([96, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        data.resize(XP_HEADER, 0xFF);
        for path in [r"\??\C:\old.exe", r"\??\C:\new.exe"] {
            let mut entry = utf16(path);
            entry.resize(XP_PATH, 0);
            entry.extend(TIME.to_le_bytes());
            entry.extend(29_184u64.to_le_bytes());
            entry.extend((TIME + 10).to_le_bytes());
            data.extend(entry);
        }
        data.resize(XP_HEADER + XP_CAPACITY * XP_ENTRY, 0);
        data
    }

    fn samples() -> Vec<(Version, Vec<u8>)> {
        let paths = &[r"\??\C:\a.exe", r"\??\C:\b.exe"];
        vec![
            (Version::Xp, xp_cache()),
            (Version::Server2003, table(0xBADC_0FFE, 8, false, &[], paths, 40_960)),
            (Version::Vista, table(0xBADC_0FFE, 8, true, &[], paths, 3)),
            (Version::Seven, table(0xBADC_0FEE, 128, false, &[0; 8], paths, 2)),
            (Version::Seven, table(0xBADC_0FEE, 128, true, &[0; 16], paths, 2)),
            (Version::Eight, in_row(128, b"00ts", true, paths)),
            (Version::EightOne, in_row(128, b"10ts", true, paths)),
            (Version::Ten, in_row(0x30, b"10ts", false, paths)),
            (Version::TenCreators, in_row(0x34, b"10ts", false, paths)),
        ]
    }

    #[test]
    fn every_layout() {
        for (version, data) in samples() {
            let cache = Shimcache::parse(&data).unwrap();
            assert_eq!((cache.version, cache.entries.len()), (version, 2), "{version:?}");
            assert_eq!(cache.faults, [], "{version:?}");
            assert!(cache.entries.iter().all(|e| e.modified == Some(Timestamp::from_filetime(TIME))), "{version:?}");
            assert_eq!(cache.entries.iter().map(|e| e.position).collect::<Vec<_>>(), [0, 1]);
            if version != Version::Xp {
                assert_eq!(cache.entries[1].path, r"\??\C:\b.exe", "{version:?}");
            }
        }
    }

    #[test]
    fn what_only_some_layouts_have() {
        let xp = Shimcache::parse(&xp_cache()).unwrap();
        assert_eq!((xp.entries[0].path.as_str(), xp.entries[0].size), (r"\??\C:\new.exe", Some(29_184)));
        assert_eq!(xp.entries[0].updated, Some(Timestamp::from_filetime(TIME + 10)));
        let all: Vec<_> = samples().iter().map(|(_, data)| Shimcache::parse(data).unwrap()).collect();
        assert_eq!((all[1].entries[0].size, all[1].entries[0].insert_flags), (Some(40_960), None));
        assert_eq!((all[2].entries[0].size, all[2].entries[0].insert_flags), (None, Some(3)));
        assert_eq!(all.iter().map(Shimcache::tells_execution).filter(|t| *t).count(), 3);
        assert_eq!((all[6].entries[0].insert_flags, all[7].entries[0].insert_flags), (Some(3), None));
    }

    #[test]
    fn damage_costs_the_entry_alone() {
        let mut data = in_row(0x34, b"10ts", false, &["a.exe", "b.exe", "c.exe"]);
        let second = data.windows(4).enumerate().filter(|(_, w)| w == b"10ts").nth(1).unwrap().0;
        data[second + 8..second + 12].fill(0xFF);
        let cache = Shimcache::parse(&data).unwrap();
        assert_eq!(cache.entries.iter().map(|e| e.path.as_str()).collect::<Vec<_>>(), ["a.exe", "c.exe"]);
        // The entry, and the count that no longer fits.
        assert_eq!((cache.faults.len(), cache.faults[0].offset()), (2, second as u64));

        let mut data = table(0xBADC_0FEE, 128, true, &[0; 16], &["a", "b"], 2);
        data[128 + 8..128 + 16].fill(0xFF);
        let cache = Shimcache::parse(&data).unwrap();
        assert_eq!((cache.entries[0].path.as_str(), cache.entries[0].position), ("b", 1));
        assert_eq!((cache.entries.len(), cache.faults.len()), (1, 1));
        assert!(Shimcache::parse(b"").is_err() && Shimcache::parse(&[0; 200]).is_err());
    }

    #[test]
    fn many_entries_with_one_path_are_stopped() {
        let mut data = table(0xBADC_0FFE, 8, false, &[], &["x"; 2000], 3);
        for row in data[8..8 + 2000 * 24].chunks_exact_mut(24) {
            row[..8].copy_from_slice(&[0, 0xC0, 0, 0xC0, 8, 0, 0, 0]);
        }
        let cache = Shimcache::parse(&data).unwrap();
        assert!(matches!(cache.faults.first(), Some(FormatError::Limit { .. })));
        assert!(cache.entries.len() < 3);
    }

    #[test]
    fn cut_and_flipped() {
        let mut seed = 0x9E37_79B9_7F4A_7C15u64;
        let mut next = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % below as u64).unwrap()
        };
        for (_, sample) in samples() {
            for _ in 0..400 {
                let mut data = sample.clone();
                for _ in 0..1 + next(3) {
                    let at = next(data.len());
                    data[at] ^= 1 << next(8);
                }
                data.truncate(1 + next(data.len()));
                if let Ok(cache) = Shimcache::parse(&data) {
                    assert!(cache.entries.len() <= 96 && cache.entries.iter().all(|e| e.path.len() <= 3 * data.len()));
                }
            }
        }
    }
}
