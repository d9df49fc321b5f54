//! Recycle Bin: what was deleted, from where and when.
//!
//! | offset | size | `$I…` (Vista and later) |
//! |---|---|---|
//! | 0 | 8 | version: 1 (Vista to 8.1), 2 (10 and later) |
//! | 8 | 8 | size of the deleted file in bytes |
//! | 16 | 8 | time of deletion, FILETIME, UTC |
//! | 24 | 520 | version 1: original path, UTF-16, NUL-filled |
//! | 24 | 4 | version 2: characters of the path with its NUL |
//! | 28 | … | version 2: original path, UTF-16 |
//!
//! | offset | size | `INFO2` (98 to XP/2003) |
//! |---|---|---|
//! | 0 | 4 | version: 4 (98, NT4), 5 (2000, XP, 2003) |
//! | 12 | 4 | size of a record: 280 (ANSI only) or 800 |
//! | 20 | … | records |
//!
//! | offset | size | record of `INFO2` |
//! |---|---|---|
//! | 0 | 260 | original path, ANSI; its first byte is zeroed when the file leaves the bin |
//! | 260 | 4 | number of the record |
//! | 264 | 4 | drive: 0 is A: |
//! | 268 | 8 | time of deletion, FILETIME, UTC |
//! | 276 | 4 | size on disk in bytes |
//! | 280 | 520 | original path, UTF-16 |
//!
//! Sources: J. Metz, "Windows Recycle Bin file formats" (dtformats); checked against real files of XP to 11.

use crate::bytes::fields::{u32_at, u64_at};
use crate::bytes::{FormatError, text};
use crate::model::Timestamp;

/// Bytes before the path.
const HEADER_V1: usize = 24;
const HEADER_V2: usize = 28;
/// Bytes before the first record.
const INFO2_HEADER: usize = 20;
/// Windows paths have 32,767 characters at most.
const MAX_PATH_UNITS: u32 = 32_768;

/// One deleted file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedItem {
    /// Where the record lies in its file.
    pub offset: u64,
    /// Version of the file that holds it.
    pub version: u64,
    /// Where the file lay.
    pub original_path: Option<String>,
    /// Size in bytes; for a folder, of all that it held.
    pub size: u64,
    /// When it was deleted. 100 ns, UTC.
    pub deleted: Option<Timestamp>,
    /// `INFO2` only: what else its record says.
    pub info2: Option<Info2>,
}

/// What only a record of `INFO2` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info2 {
    /// Number of the record, part of the name in the bin.
    pub index: u32,
    /// Drive letter in upper case.
    pub drive: Option<char>,
    /// The file has left the bin: it was restored or finally deleted.
    pub left_the_bin: bool,
}

/// True if the bytes begin like a `$I` file of at most 4 KiB whose beginning they are.
pub fn recognise_i(head: &[u8]) -> bool {
    match (u64_at(head, 0), u32_at(head, 24)) {
        (Some(1), _) => head.len() == 544,
        (Some(2), Some(units)) => head.len() as u64 == u64::from(units).saturating_mul(2).saturating_add(28),
        _ => false,
    }
}

/// True if the bytes begin like an `INFO2` file.
pub fn recognise_info2(head: &[u8]) -> bool {
    matches!((u32_at(head, 0), u32_at(head, 12)), (Some(4 | 5), Some(280 | 800)))
}

/// Reads a `$I` file. The second value tells where its path is cut, if it is.
///
/// # Errors
/// When it is too short for a header, or of a version that is not known.
pub fn read_i(data: &[u8]) -> Result<(DeletedItem, Option<u64>), FormatError> {
    const WHAT: &str = "$I file";
    let (Some(version), Some(size), Some(time)) = (u64_at(data, 0), u64_at(data, 8), u64_at(data, 16)) else {
        return Err(FormatError::Short { what: WHAT, offset: 0, needed: 24, available: data.len() as u64 });
    };
    let (start, len) = match version {
        1 => (HEADER_V1, 520),
        2 => {
            let units = u32_at(data, HEADER_V1).unwrap_or(0).min(MAX_PATH_UNITS);
            (HEADER_V2, usize::try_from(units).unwrap_or(0).saturating_mul(2))
        }
        value => {
            let problem = "versions 1 and 2 are known";
            return Err(FormatError::Value { what: "version of a $I file", offset: 0, value, problem });
        }
    };
    let rest = data.get(start..).unwrap_or_default();
    let path = rest.get(..rest.len().min(len)).unwrap_or_default();
    let path = Some(text::from_utf16le_until_nul(path)).filter(|p| !p.is_empty());
    let cut = (rest.len() < len).then_some(data.len() as u64);
    let deleted = Timestamp::from_filetime_field(time);
    Ok((DeletedItem { offset: 0, version, original_path: path, size, deleted, info2: None }, cut))
}

/// Reads an `INFO2` file: its records, and where the last one is cut, if it is.
///
/// # Errors
/// When the header is not that of an `INFO2` file.
pub fn read_info2(data: &[u8]) -> Result<(Vec<DeletedItem>, Option<u64>), FormatError> {
    const WHAT: &str = "INFO2 header";
    if data.len() < INFO2_HEADER {
        let available = data.len() as u64;
        return Err(FormatError::Short { what: WHAT, offset: 0, needed: INFO2_HEADER as u64, available });
    }
    if !recognise_info2(data) {
        let value = u32_at(data, 12).unwrap_or(0).into();
        let problem = "records have 280 or 800 bytes, in versions 4 and 5";
        return Err(FormatError::Value { what: WHAT, offset: 12, value, problem });
    }
    let version = u32_at(data, 0).unwrap_or(0).into();
    let size = if u32_at(data, 12) == Some(280) { 280 } else { 800 };
    let mut offset = INFO2_HEADER as u64;
    let mut items = Vec::new();
    let mut cut = None;
    for record in data.get(INFO2_HEADER..).unwrap_or_default().chunks(size) {
        if record.len() < size {
            cut = Some(offset);
        }
        items.extend(read_record(record, offset, version));
        offset = offset.saturating_add(record.len() as u64);
    }
    Ok((items, cut))
}

/// A record, if there is anything in it.
fn read_record(record: &[u8], offset: u64, version: u64) -> Option<DeletedItem> {
    if record.iter().all(|b| *b == 0) {
        return None;
    }
    let drive = u32_at(record, 264).and_then(|n| u8::try_from(n).ok()).filter(|n| *n < 26);
    let drive = drive.map(|n| char::from(b'A'.saturating_add(n)));
    let ansi = record.get(..record.len().min(260)).unwrap_or_default();
    let left_the_bin = ansi.first() == Some(&0);
    let wide = record.get(280..).map(text::from_utf16le_until_nul).filter(|p| !p.is_empty());
    let path = wide.or_else(|| {
        // The first byte was the drive letter.
        let letter = drive.filter(|_| left_the_bin).map(String::from).unwrap_or_default();
        let rest = ansi.get(usize::from(left_the_bin)..).unwrap_or_default();
        Some(letter + &text::from_ansi_until_nul(rest)).filter(|p| p.len() > 1)
    });
    Some(DeletedItem {
        offset,
        version,
        original_path: path,
        size: u32_at(record, 276).unwrap_or(0).into(),
        deleted: u64_at(record, 268).and_then(Timestamp::from_filetime_field),
        info2: Some(Info2 { index: u32_at(record, 260).unwrap_or(0), drive, left_the_bin }),
    })
}

/// Name of the deleted file in the bin of Windows 98 to XP: `Dc1.exe` for record 1 of drive C.
pub fn info2_bin_name(item: &DeletedItem) -> Option<String> {
    let info2 = item.info2.as_ref()?;
    let drive = info2.drive?.to_ascii_lowercase();
    let name = item.original_path.as_deref()?.rsplit('\\').next()?;
    let extension = name.rfind('.').and_then(|at| name.get(at..)).unwrap_or_default();
    Some(format!("D{drive}{}{extension}", info2.index))
}

/// True if Windows gives content such a name in the bin: `$R` and six characters, or `D`, the drive's letter and a number; the
/// extension stays.
pub fn is_content_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let Some([a, b, rest @ ..]) = Some(stem.as_bytes()) else { return false };
    match [a.to_ascii_uppercase(), b.to_ascii_uppercase()] {
        [b'$', b'R'] => rest.len() == 6 && rest.iter().all(u8::is_ascii_alphanumeric),
        [b'D', b'A'..=b'Z'] => !rest.is_empty() && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: u64 = 132_428_922_640_000_000;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn i_file(version: u64, path: &str) -> Vec<u8> {
        let mut out: Vec<u8> = [version, 1234, TIME].iter().flat_map(|n| n.to_le_bytes()).collect();
        if version == 2 {
            out.extend((path.encode_utf16().count() as u32 + 1).to_le_bytes());
            out.extend(wide(path));
            out.extend([0, 0]);
        } else {
            out.extend(wide(path));
            out.resize(544, 0);
        }
        out
    }

    fn record(path: &str, index: u32, left: bool) -> Vec<u8> {
        let mut out = path.as_bytes().to_vec();
        if left {
            out[0] = 0;
        }
        out.resize(260, 0);
        out.extend(index.to_le_bytes());
        out.extend(2u32.to_le_bytes());
        out.extend(TIME.to_le_bytes());
        out.extend(4096u32.to_le_bytes());
        out
    }

    #[test]
    fn both_versions() {
        for version in [1, 2] {
            let bytes = i_file(version, r"C:\Users\Clippy\Müll.doc");
            assert!(recognise_i(&bytes));
            let (item, cut) = read_i(&bytes).unwrap();
            assert_eq!(item.original_path.as_deref(), Some(r"C:\Users\Clippy\Müll.doc"));
            assert_eq!(item.deleted.unwrap().to_string(), "2020-08-26T05:11:04.0000000Z");
            assert_eq!((item.size, item.version, cut), (1234, version, None));
        }
        assert!(matches!(read_i(&i_file(3, "x")), Err(FormatError::Value { value: 3, .. })));
        assert!(matches!(read_i(&[1, 0, 0]), Err(FormatError::Short { .. })));
    }

    #[test]
    fn a_cut_path_is_kept_and_named() {
        let bytes = i_file(2, r"C:\Temp\a.exe");
        let (item, cut) = read_i(&bytes[..bytes.len() - 10]).unwrap();
        assert_eq!(item.original_path.as_deref(), Some(r"C:\Temp\a"));
        assert_eq!(cut, Some(bytes.len() as u64 - 10));
        let mut lie = i_file(2, "C:\\x");
        lie[24..28].fill(0xff);
        assert_eq!(read_i(&lie).unwrap().0.original_path.as_deref(), Some("C:\\x"));
    }

    #[test]
    fn info2_with_a_restored_file_and_a_cut_record() {
        let mut bytes = vec![5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 3, 0, 0, 0, 0, 0, 0];
        let full = |path: &str, index, left| {
            let mut r = record(path, index, left);
            r.extend(wide(path));
            r.resize(800, 0);
            r
        };
        bytes.extend(full(r"C:\Docs\setup.exe", 1, false));
        bytes.extend(full(r"C:\Docs\first file", 2, true));
        bytes.extend(full(r"C:\Docs\b.txt", 3, false));
        bytes.truncate(bytes.len() - 100);
        let (items, cut) = read_info2(&bytes).unwrap();
        assert_eq!(cut, Some(20 + 1600));
        let names: Vec<_> = items.iter().map(|i| info2_bin_name(i).unwrap()).collect();
        assert_eq!(names, ["Dc1.exe", "Dc2", "Dc3.txt"]);
        let left: Vec<_> = items.iter().map(|i| i.info2.as_ref().unwrap().left_the_bin).collect();
        assert_eq!(left, [false, true, false]);
        assert_eq!(items[1].original_path.as_deref(), Some(r"C:\Docs\first file"));
        assert_eq!(items[1].offset, 820);
    }

    #[test]
    fn names_of_content() {
        for name in ["$RA7K2QX.doc", "$ra7k2qx", "$R7Q2XK1.tar.gz", "Dc1.exe", "DC12", "de3.txt"] {
            assert!(is_content_name(name), "{name}");
        }
        for name in [
            "",
            "$",
            "$R",
            "$IA7K2QX.doc",
            "$RA7K2Q.doc",
            "$RA7K2QXX",
            "$R\u{e4}7K2Q",
            "Dc.exe",
            "D1",
            "Dc1a",
            "desktop.ini",
        ] {
            assert!(!is_content_name(name), "{name}");
        }
    }

    /// Windows 98: no UTF-16 path; the zeroed letter comes back from the drive number.
    #[test]
    fn info2_of_windows_98() {
        let mut bytes = vec![4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x18, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend(record(r"C:\MY\A.TXT", 7, true));
        let (items, cut) = read_info2(&bytes).unwrap();
        assert_eq!(items[0].original_path.as_deref(), Some(r"C:\MY\A.TXT"));
        assert_eq!((items.len(), cut), (1, None));
    }

    #[test]
    fn damage_does_no_harm() {
        let mut info2 = vec![5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 3, 0, 0, 0, 0, 0, 0];
        info2.extend([record("C:\\a", 1, false), vec![0; 520]].concat());
        let samples = [i_file(1, "C:\\a"), i_file(2, "C:\\b.txt"), info2];
        let mut seed = 7u64;
        for round in 0..4000 {
            let mut bytes = samples[round % 3].clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (seed >> 33) as usize % bytes.len().min(64);
                bytes[at] = (seed >> 20) as u8;
            }
            bytes.truncate((seed >> 40) as usize % (bytes.len() + 1));
            let _ = read_i(&bytes);
            if let Ok((items, _)) = read_info2(&bytes) {
                items.iter().for_each(|i| drop(info2_bin_name(i)));
            }
        }
    }
}
