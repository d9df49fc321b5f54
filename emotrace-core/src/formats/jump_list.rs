//! Jump lists: what an application opened last, as the taskbar and the Start menu offer it.
//!
//! `*.automaticDestinations-ms` is a compound file: a stream `DestList`, and for each of its entries a stream that holds a
//! shell link, named by the entry's number in hex.
//!
//! | offset | size | `DestList` header (32 bytes) |
//! |---|---|---|
//! | 0 | 4 | version: 1 (7, 8), 3 and 4 (10, 11) |
//! | 4, 8 | 4 | number of entries, of pinned ones |
//! | 16 | 8 | highest entry number |
//!
//! | offset | size | entry, most recent first |
//! |---|---|---|
//! | 8 | 64 | droids: volume, file, both at birth |
//! | 72 | 16 | name of the machine |
//! | 88 | 4 | entry number |
//! | 96 | 4 | score, a float (version 1: also the count of uses) |
//! | 100 | 8 | last used, FILETIME, UTC |
//! | 108 | 4 | place among the pinned ones, −1 if not pinned |
//! | 116 | 4 | from version 3: count of uses |
//! | 112 / 128 | 2 | version 1 / from 3: characters of the path |
//! | 114 / 130 | … | path, UTF-16 |
//! | | 4 | from version 3: size of a property store that follows |
//!
//! | `*.customDestinations-ms` | |
//! |---|---|
//! | 0, 4 | version 2; number of categories |
//! | 12 … | categories: type (4): 0 name (2 + UTF-16) and count (4), 1 known category (4), 2 tasks: count (4) |
//! | | in types 0 and 2: that many times class identifier (16) and object; that of a link is 00021401-… |
//! | | end mark ba bf fb ab (as number) |
//!
//! Sources: J. Metz, "Jump lists format" (dtformats); fields of versions 3 and 4 checked against real lists.

use super::lnk::{self, Droid, ShellLink};
use crate::bytes::fields::{array_at, u16_at, u32_at, u64_at};
use crate::bytes::{FormatError, text};
use crate::model::Timestamp;

const HEADER: usize = 32;
/// Class identifier of a link.
const LINK_CLASS: [u8; 16] = [1, 0x14, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
/// Ends each category.
const END_MARK: u32 = 0xbabf_fbab;

/// One entry of `DestList`.
#[derive(Clone, Debug, PartialEq)]
pub struct DestListEntry {
    /// Where it lies in the stream.
    pub offset: u64,
    /// Entry number: in hex the name of the stream with the link.
    pub number: u32,
    /// Path or address of what was opened.
    pub path: Option<String>,
    /// Name of the machine.
    pub host_name: Option<String>,
    /// When it was last used. 100 ns, UTC.
    pub last_used: Option<Timestamp>,
    /// How often it was used.
    pub uses: Option<u64>,
    /// What Windows sorts frequent items by.
    pub score: Option<f32>,
    /// Place among the pinned entries, from 0; absent if it is not pinned.
    pub pin: Option<u32>,
    /// Object identifier of the volume.
    pub droid_volume: Option<Droid>,
    /// Object identifier of the file.
    pub droid_file: Option<Droid>,
    /// That of the volume at the file's birth.
    pub birth_droid_volume: Option<Droid>,
    /// That of the file at its birth.
    pub birth_droid_file: Option<Droid>,
}

/// A `DestList` stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DestList {
    /// Version.
    pub version: u32,
    /// Entries, most recent first.
    pub entries: Vec<DestListEntry>,
    /// Why reading ended early, if it did.
    pub fault: Option<FormatError>,
}

/// Reads a `DestList` stream. An empty one is a list without entries.
///
/// # Errors
/// When the header is too short or of a version that is not known.
pub fn read_dest_list(data: &[u8]) -> Result<DestList, FormatError> {
    const WHAT: &str = "DestList";
    if data.is_empty() {
        return Ok(DestList::default());
    }
    if data.len() < HEADER {
        return Err(FormatError::Short { what: WHAT, offset: 0, needed: HEADER as u64, available: data.len() as u64 });
    }
    let version = u32_at(data, 0).unwrap_or(0);
    // Where the path's length stands, and what follows the path.
    let (len_at, tail) = match version {
        1 => (112usize, 0usize),
        // Version 2 has not been met; dtformats puts it with the later ones.
        2..=4 => (128, 4),
        value => {
            let problem = "versions 1 to 4 are known";
            return Err(FormatError::Value { what: "version of DestList", offset: 0, value: value.into(), problem });
        }
    };
    let mut list = DestList { version, ..DestList::default() };
    let mut at = HEADER;
    // Every entry takes at least 114 bytes.
    while at < data.len() {
        let entry = data.get(at..).unwrap_or_default();
        let path_at = len_at.saturating_add(2);
        let path_len = u16_at(entry, len_at).map(|units| usize::from(units).saturating_mul(2));
        let end = path_len.map(|n| path_at.saturating_add(n));
        let store = match end {
            Some(end) if tail > 0 => u32_at(entry, end).and_then(|n| usize::try_from(n).ok()),
            end => end.map(|_| 0),
        };
        let needed = end.zip(store).map(|(end, store)| end.saturating_add(tail).saturating_add(store));
        let Some((path, needed)) = end.and_then(|end| entry.get(path_at..end)).zip(needed) else {
            let (offset, available) = (at as u64, entry.len() as u64);
            list.fault = Some(FormatError::Short { what: "DestList entry", offset, needed: path_at as u64, available });
            break;
        };
        list.entries.push(read_entry(entry, at as u64, version, path));
        at = at.saturating_add(needed);
    }
    let stated = u32_at(data, 4).unwrap_or(0);
    if list.fault.is_none() && u64::from(stated) != list.entries.len() as u64 {
        let problem = "the list holds another number of entries";
        list.fault = Some(FormatError::Value { what: "number of entries", offset: 4, value: stated.into(), problem });
    }
    Ok(list)
}

fn read_entry(entry: &[u8], offset: u64, version: u32, path: &[u8]) -> DestListEntry {
    let droid = |at| array_at(entry, at).and_then(Droid::new);
    let score = array_at(entry, 96).map(f32::from_le_bytes).filter(|s| s.is_finite());
    let host = text::from_ansi_until_nul(entry.get(72..88).unwrap_or_default());
    let uses = if version == 1 {
        // A count that a float can hold exactly; anything else is a score and no count.
        score.filter(|s| *s >= 0.0 && *s < 16_777_216.0 && s.fract() == 0.0).map(|s| s as u64)
    } else {
        u32_at(entry, 116).map(u64::from)
    };
    DestListEntry {
        offset,
        number: u32_at(entry, 88).unwrap_or(0),
        path: Some(text::from_utf16le_until_nul(path)).filter(|p| !p.is_empty()),
        host_name: Some(host).filter(|h| !h.is_empty()),
        last_used: u64_at(entry, 100).and_then(Timestamp::from_filetime_field),
        uses,
        score,
        pin: u32_at(entry, 108).filter(|pin| *pin != u32::MAX),
        droid_volume: droid(8),
        droid_file: droid(24),
        birth_droid_volume: droid(40),
        birth_droid_file: droid(56),
    }
}

/// A link of a custom jump list.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomLink {
    /// Where the link lies in the file.
    pub offset: u64,
    /// Name of its category; `Tasks` for the tasks of the application. Absent where a link was found by its head only.
    pub category: Option<String>,
    /// The link.
    pub link: ShellLink,
}

/// A custom jump list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CustomList {
    /// Links in their order.
    pub links: Vec<CustomLink>,
    /// What could not be read by its structure. Links behind it were looked for by their head.
    pub fault: Option<FormatError>,
}

/// True if the bytes begin like a custom jump list.
pub fn recognise_custom(head: &[u8]) -> bool {
    u32_at(head, 0) == Some(2)
        && u32_at(head, 8) == Some(0)
        // A list without categories ends soon; a disk whose first sector begins like one does not.
        && u32_at(head, 4).is_some_and(|n| n < 256 && (n > 0 || head.len() < 512))
        && (head.len() == 12 || u32_at(head, 12).is_some_and(|kind| kind <= 2))
}

/// Reads a custom jump list.
///
/// # Errors
/// When the header is not that of one.
pub fn read_custom(data: &[u8]) -> Result<CustomList, FormatError> {
    if !recognise_custom(data) {
        let value = u32_at(data, 0).unwrap_or(0).into();
        let problem = "this does not begin like a custom jump list";
        return Err(FormatError::Value { what: "custom jump list", offset: 0, value, problem });
    }
    let mut list = CustomList::default();
    let mut at = 12usize;
    for _ in 0..u32_at(data, 4).unwrap_or(0) {
        match read_category(data, at, &mut list) {
            Ok(end) => at = end,
            Err((reached, fault)) => {
                list.fault = Some(fault);
                scan(data, reached, &mut list);
                break;
            }
        }
    }
    Ok(list)
}

/// Reads the category at `at` and gives the place behind it; or the place reached and what is wrong there.
fn read_category(data: &[u8], at: usize, list: &mut CustomList) -> Result<usize, (usize, FormatError)> {
    let short = |at: usize, needed: u64| {
        let available = data.len().saturating_sub(at) as u64;
        (at, FormatError::Short { what: "category of a jump list", offset: at as u64, needed, available })
    };
    let kind = u32_at(data, at).ok_or_else(|| short(at, 4))?;
    let mut next = at.saturating_add(4);
    let (name, count) = match kind {
        0 => {
            let bytes = usize::from(u16_at(data, next).ok_or_else(|| short(next, 2))?).saturating_mul(2);
            let start = next.saturating_add(2);
            next = start.saturating_add(bytes);
            let name = data.get(start..next).ok_or_else(|| short(start, bytes as u64))?;
            let count = u32_at(data, next).ok_or_else(|| short(next, 4))?;
            next = next.saturating_add(4);
            (text::from_utf16le(name), count)
        }
        1 => {
            next = next.saturating_add(4);
            (String::new(), 0)
        }
        2 => {
            let count = u32_at(data, next).ok_or_else(|| short(next, 4))?;
            next = next.saturating_add(4);
            ("Tasks".to_owned(), count)
        }
        value => {
            let problem = "types 0, 1 and 2 are known";
            let what = "type of a jump list's category";
            return Err((at, FormatError::Value { what, offset: at as u64, value: value.into(), problem }));
        }
    };
    for _ in 0..count {
        let class: [u8; 16] = array_at(data, next).ok_or_else(|| short(next, 16))?;
        let start = next.saturating_add(16);
        let body = data.get(start..).unwrap_or_default();
        if class != LINK_CLASS {
            let problem = format!("objects of class {} are not known", text::guid(&class));
            return Err((start, FormatError::Other { what: "entry of a jump list", offset: next as u64, problem }));
        }
        let link = lnk::read(body, start as u64).map_err(|fault| (start, fault))?;
        next = start.saturating_add(link.len);
        let lost = link.lost_at;
        list.links.push(CustomLink { offset: start as u64, category: Some(name.clone()), link });
        if let Some(offset) = lost {
            let problem = "the end of this link can't be told".to_owned();
            return Err((next, FormatError::Other { what: "entry of a jump list", offset, problem }));
        }
    }
    match u32_at(data, next) {
        Some(END_MARK) => Ok(next.saturating_add(4)),
        Some(value) => {
            let (what, problem) = ("end of a jump list's category", "the end mark is missing");
            Err((next, FormatError::Value { what, offset: next as u64, value: value.into(), problem }))
        }
        None => Err(short(next, 4)),
    }
}

/// Looks for links by their head from `from` on.
fn scan(data: &[u8], from: usize, list: &mut CustomList) {
    let mut at = from;
    while let Some(rest) = data.get(at..) {
        let Some(found) = rest.windows(20).position(lnk::recognise) else { break };
        let start = at.saturating_add(found);
        // Each link ends where the next one begins at the latest: the work stays in proportion to the file.
        let body = data.get(start..).unwrap_or_default();
        let next = body.get(20..).and_then(|tail| tail.windows(20).position(lnk::recognise));
        let body = next.and_then(|n| body.get(..n.saturating_add(20))).unwrap_or(body);
        let Ok(link) = lnk::read(body, start as u64) else {
            at = start.saturating_add(20);
            continue;
        };
        at = start.saturating_add(link.len.max(20));
        list.links.push(CustomLink { offset: start as u64, category: None, link });
    }
}

/// The application whose identifier names a jump list's file, for those that are widely known. The identifier is a CRC-64 of
/// the application's own identifier or path, so another place of installation gives another one.
pub fn application(app_id: &str) -> Option<&'static str> {
    APPLICATIONS.iter().find(|(id, _)| id.eq_ignore_ascii_case(app_id)).map(|(_, name)| *name)
}

/// Source: published lists of jump list identifiers.
const APPLICATIONS: &[(&str, &str)] = &[
    ("12dc1ea8e34b5a6", "Paint"),
    ("1b4dd67f29cb1962", "Windows Explorer (7)"),
    ("1bc392b8e104a00e", "Remote Desktop Connection"),
    ("28c8b86deab549a1", "Internet Explorer"),
    ("590aee7bdd69b59b", "Windows PowerShell"),
    ("5d696d521de238c3", "Google Chrome"),
    ("5f7b5f1e01b83767", "Quick Access"),
    ("6728dd69a3088f97", "Command Processor (64-bit)"),
    ("74d7f43c1561fc1e", "Windows Media Player"),
    ("7e4dca80246863e3", "Control Panel"),
    ("918e0ecb43d17e23", "Notepad (32-bit)"),
    ("9839aec31243a928", "Microsoft Excel 2010"),
    ("9b9cdc69c1c24e2b", "Notepad (64-bit)"),
    ("9c7cc110ff56d1bd", "Microsoft PowerPoint 2010"),
    ("9d1f905ce5044aee", "Microsoft Edge (EdgeHTML)"),
    ("a7bd71699cd38d1c", "Microsoft Word 2010"),
    ("adecfb853d77462a", "Microsoft Word 2007"),
    ("bc0c37e84e063727", "Command Processor (32-bit)"),
    ("ccba5a5986c77e43", "Microsoft Edge (Chromium)"),
    ("f01b4d95cf55d32a", "Windows Explorer (8 and later)"),
    ("fb3b0dbfee58fac8", "Microsoft Word 2016"),
];

#[cfg(test)]
mod tests {
    use super::super::cfb::CompoundFile;
    use super::*;

    const AUTOMATIC: &[u8] = include_bytes!("../../../testdata/artifacts/jump_lists/version4.automaticDestinations-ms");
    const CUSTOM: &[u8] = include_bytes!("../../../testdata/artifacts/jump_lists/tasks.customDestinations-ms");

    fn dest_list(bytes: &[u8]) -> Vec<u8> {
        let file = CompoundFile::open(bytes).unwrap();
        file.read(file.stream("DestList").unwrap()).0
    }

    #[test]
    fn both_layouts_of_entries() {
        let list = read_dest_list(&dest_list(AUTOMATIC)).unwrap();
        assert_eq!((list.version, list.fault), (4, None));
        let [first, second] = &list.entries[..] else { panic!("{:?}", list.entries) };
        assert_eq!((first.number, first.uses, first.pin), (2, Some(3), None));
        assert_eq!(first.path.as_deref(), Some(r"C:\Windows\System32\cmd.exe"));
        assert_eq!(first.last_used.unwrap().to_string(), "2020-08-26T05:09:00.0000000Z");
        assert_eq!((second.number, second.pin), (1, Some(0)));
        assert_eq!(second.host_name.as_deref(), Some("desktop-ripclip"));
        assert_eq!(second.droid_file.as_ref().unwrap().mac.as_deref(), Some("00:0c:29:ab:cd:ef"));

        let old = include_bytes!("../../../testdata/artifacts/jump_lists/version1.automaticDestinations-ms");
        let list = read_dest_list(&dest_list(old)).unwrap();
        assert_eq!((list.version, list.entries.len(), list.fault), (1, 1, None));
        assert_eq!(list.entries[0].uses, Some(5));
    }

    #[test]
    fn a_cut_list_keeps_its_whole_entries() {
        let bytes = dest_list(AUTOMATIC);
        let list = read_dest_list(&bytes[..bytes.len() - 20]).unwrap();
        assert_eq!(list.entries.len(), 1);
        assert!(list.fault.is_some());
        assert_eq!(read_dest_list(&[]).unwrap(), DestList::default());
        assert!(read_dest_list(&[9; 40]).is_err());
    }

    #[test]
    fn categories_and_tasks() {
        let list = read_custom(CUSTOM).unwrap();
        assert_eq!(list.fault, None);
        let rows: Vec<_> =
            list.links.iter().map(|l| (l.category.as_deref().unwrap(), l.link.arguments.as_deref())).collect();
        assert_eq!(rows, [("Nützlich", Some("/one")), ("Tasks", Some("/two")), ("Tasks", Some("/three"))]);
        assert_eq!(read_custom(&CUSTOM[..12]).unwrap().links.len(), 0);
    }

    /// A disk's first sector may be zeros but for one damaged bit.
    #[test]
    fn a_disk_is_no_list_without_categories() {
        let mut sector = [0; 512];
        sector[0] = 2;
        assert!(!recognise_custom(&sector));
        assert!(recognise_custom(&sector[..24]) && recognise_custom(CUSTOM));
    }

    #[test]
    fn links_are_found_behind_a_broken_category() {
        let mut bytes = CUSTOM.to_vec();
        let mark = bytes.windows(4).position(|w| w == END_MARK.to_le_bytes()).unwrap();
        bytes[mark] = 0;
        let list = read_custom(&bytes).unwrap();
        assert!(list.fault.is_some());
        let arguments: Vec<_> = list.links.iter().map(|l| l.link.arguments.as_deref().unwrap()).collect();
        assert_eq!(arguments, ["/one", "/two", "/three"]);
        assert_eq!(list.links[2].category, None);
    }

    #[test]
    fn damage_does_no_harm() {
        let list = dest_list(AUTOMATIC);
        let mut seed = 3u64;
        for round in 0..3000 {
            let mut bytes = if round % 2 == 0 { list.clone() } else { CUSTOM.to_vec() };
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (seed >> 33) as usize % bytes.len();
                bytes[at] = (seed >> 20) as u8;
            }
            bytes.truncate((seed >> 40) as usize % (bytes.len() + 1));
            if let Ok(list) = read_dest_list(&bytes) {
                assert!(list.entries.len() <= bytes.len() / 114);
            }
            if let Ok(list) = read_custom(&bytes) {
                assert!(list.links.len() <= bytes.len() / 20);
            }
        }
    }
}
