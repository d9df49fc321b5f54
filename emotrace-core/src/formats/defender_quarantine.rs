//! Entries of Microsoft Defender's quarantine: what was put aside, where it lay, and when.
//!
//! An entry is three parts, each encrypted by itself with RC4 under one key that is the same on every machine:
//!
//! | part | size | fields, little-endian |
//! |---|---|---|
//! | head | 60 | lengths of the two sections (40, 44) |
//! | section 1 | | identifier (0, GUID), scan (16, GUID), time (32, FILETIME), threat (40, 8 bytes), name (52, until NUL) |
//! | section 2 | | count, then that many offsets, each to a resource: path (UTF-16 until NUL), number of fields (2 bytes), type (ASCII until NUL), fields |
//!
//! A field begins at a multiple of 4: length (2), identifier in the low 12 bits and type in the high 4 (2), data. Of the
//! identifiers, 2 is the name of the content below `ResourceData`, 0x0C the path, 0x12 the length.
//!
//! Sources: fox-it, dissect.target, Defender plugin; Fox-IT, "Reverse, Reveal, Recover: Windows Defender Quarantine Forensics";
//! as facts.

use crate::bytes::fields::uint_at;
use crate::bytes::text;
use crate::model::Timestamp;

/// Bytes of the head.
const HEAD: usize = 60;
/// Most resources of an entry that are read.
const MAX_RESOURCES: usize = 1_000;
/// Most fields of a resource.
const MAX_FIELDS: usize = 64;

/// Defender's key, the same on every machine.
const KEY: [u8; 256] = [
    0x1e, 0x87, 0x78, 0x1b, 0x8d, 0xba, 0xa8, 0x44, 0xce, 0x69, 0x70, 0x2c, 0x0c, 0x78, 0xb7, 0x86, 0xa3, 0xf6, 0x23,
    0xb7, 0x38, 0xf5, 0xed, 0xf9, 0xaf, 0x83, 0x53, 0x0f, 0xb3, 0xfc, 0x54, 0xfa, 0xa2, 0x1e, 0xb9, 0xcf, 0x13, 0x31,
    0xfd, 0x0f, 0x0d, 0xa9, 0x54, 0xf6, 0x87, 0xcb, 0x9e, 0x18, 0x27, 0x96, 0x97, 0x90, 0x0e, 0x53, 0xfb, 0x31, 0x7c,
    0x9c, 0xbc, 0xe4, 0x8e, 0x23, 0xd0, 0x53, 0x71, 0xec, 0xc1, 0x59, 0x51, 0xb8, 0xf3, 0x64, 0x9d, 0x7c, 0xa3, 0x3e,
    0xd6, 0x8d, 0xc9, 0x04, 0x7e, 0x82, 0xc9, 0xba, 0xad, 0x97, 0x99, 0xd0, 0xd4, 0x58, 0xcb, 0x84, 0x7c, 0xa9, 0xff,
    0xbe, 0x3c, 0x8a, 0x77, 0x52, 0x33, 0x55, 0x7d, 0xde, 0x13, 0xa8, 0xb1, 0x40, 0x87, 0xcc, 0x1b, 0xc8, 0xf1, 0x0f,
    0x6e, 0xcd, 0xd0, 0x83, 0xa9, 0x59, 0xcf, 0xf8, 0x4a, 0x9d, 0x1d, 0x50, 0x75, 0x5e, 0x3e, 0x19, 0x18, 0x18, 0xaf,
    0x23, 0xe2, 0x29, 0x35, 0x58, 0x76, 0x6d, 0x2c, 0x07, 0xe2, 0x57, 0x12, 0xb2, 0xca, 0x0b, 0x53, 0x5e, 0xd8, 0xf6,
    0xc5, 0x6c, 0xe7, 0x3d, 0x24, 0xbd, 0xd0, 0x29, 0x17, 0x71, 0x86, 0x1a, 0x54, 0xb4, 0xc2, 0x85, 0xa9, 0xa3, 0xdb,
    0x7a, 0xca, 0x6d, 0x22, 0x4a, 0xea, 0xcd, 0x62, 0x1d, 0xb9, 0xf2, 0xa2, 0x2e, 0xd1, 0xe9, 0xe1, 0x1d, 0x75, 0xbe,
    0xd7, 0xdc, 0x0e, 0xcb, 0x0a, 0x8e, 0x68, 0xa2, 0xff, 0x12, 0x63, 0x40, 0x8d, 0xc8, 0x08, 0xdf, 0xfd, 0x16, 0x4b,
    0x11, 0x67, 0x74, 0xcd, 0x0b, 0x9b, 0x8d, 0x05, 0x41, 0x1e, 0xd6, 0x26, 0x2e, 0x42, 0x9b, 0xa4, 0x95, 0x67, 0x6b,
    0x83, 0x98, 0xdb, 0x2f, 0x35, 0xd3, 0xc1, 0xb9, 0xce, 0xd5, 0x26, 0x36, 0xf2, 0x76, 0x5e, 0x1a, 0x95, 0xcb, 0x7c,
    0xa4, 0xc3, 0xdd, 0xab, 0xdd, 0xbf, 0xf3, 0x82, 0x53,
];

/// An entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// When it was put aside.
    pub time: Option<Timestamp>,
    /// Defender's number of the threat.
    pub threat_id: u64,
    /// Defender's name of it.
    pub threat: String,
    /// What was put aside.
    pub resources: Vec<Resource>,
    /// Resources that the entry counts and that can't be read.
    pub unread: u64,
}

/// One thing that was put aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Its path, or the registry key.
    pub path: String,
    /// `file`, `regkey`, `runkey`, `startup` …
    pub kind: String,
    /// Name of the content below `ResourceData`.
    pub content: Option<String>,
    /// Length of the content in bytes.
    pub size: Option<u64>,
}

/// RC4 from the key's beginning; the same way in and out.
pub fn crypt(data: &[u8]) -> Vec<u8> {
    let mut state: [u8; 256] = std::array::from_fn(|i| i as u8);
    let mut j = 0u8;
    for (i, key) in (0u8..=255).zip(KEY) {
        j = j.wrapping_add(at(&state, i)).wrapping_add(key);
        state.swap(usize::from(i), usize::from(j));
    }
    let (mut i, mut j) = (0u8, 0u8);
    let one = |byte: &u8| {
        i = i.wrapping_add(1);
        j = j.wrapping_add(at(&state, i));
        state.swap(usize::from(i), usize::from(j));
        byte ^ at(&state, at(&state, i).wrapping_add(at(&state, j)))
    };
    data.iter().map(one).collect()
}

fn at(state: &[u8; 256], i: u8) -> u8 {
    state.get(usize::from(i)).copied().unwrap_or_default()
}

/// Reads an entry; `None` if the bytes are none.
pub fn read(bytes: &[u8]) -> Option<Entry> {
    let head = crypt(bytes.get(..HEAD)?);
    let length = |at: usize| usize::try_from(uint_at(&head, at, 4)?).ok();
    let (first, second) = (length(40)?, length(44)?);
    let middle = HEAD.checked_add(first)?;
    let one = crypt(bytes.get(HEAD..middle)?);
    let two = crypt(bytes.get(middle..middle.checked_add(second)?)?);
    let name = one.get(52..)?;
    let threat = name.split(|b| *b == 0).next().filter(|n| n.is_ascii() && !n.is_empty())?;
    let (resources, unread) = resources(&two);
    Some(Entry {
        time: uint_at(&one, 32, 8).and_then(Timestamp::from_filetime_field),
        threat_id: uint_at(&one, 40, 8)?,
        threat: String::from_utf8_lossy(threat).into_owned(),
        resources,
        unread,
    })
}

/// The resources, and how many of those that are counted can't be read.
fn resources(section: &[u8]) -> (Vec<Resource>, u64) {
    let counted = uint_at(section, 0, 4).unwrap_or(0);
    let count = usize::try_from(counted).unwrap_or(MAX_RESOURCES).min(MAX_RESOURCES);
    let offset =
        |i: usize| uint_at(section, i.checked_mul(4)?.checked_add(4)?, 4).and_then(|n| usize::try_from(n).ok());
    let read: Vec<_> = (0..count).filter_map(|i| resource(section, offset(i)?)).collect();
    let unread = counted.saturating_sub(read.len() as u64);
    (read, unread)
}

fn resource(section: &[u8], start: usize) -> Option<Resource> {
    let rest = section.get(start..)?;
    let units = rest.as_chunks::<2>().0.iter().position(|unit| *unit == [0, 0])?;
    let path_end = units.checked_mul(2)?;
    let path = text::from_utf16le(rest.get(..path_end)?);
    let mut place = start.checked_add(path_end)?.checked_add(2)?;
    let fields = usize::try_from(uint_at(section, place, 2)?).ok()?.min(MAX_FIELDS);
    place = place.checked_add(2)?;
    let kind = section.get(place..)?.split(|b| *b == 0).next()?;
    place = place.checked_add(kind.len())?.checked_add(1)?;
    let mut resource = Resource { path, kind: String::from_utf8_lossy(kind).into_owned(), ..Resource::default() };
    for _ in 0..fields {
        place = place.checked_next_multiple_of(4)?;
        let (Some(len), Some(tag)) = (uint_at(section, place, 2), uint_at(section, place.checked_add(2)?, 2)) else {
            break;
        };
        let begin = place.checked_add(4)?;
        let end = begin.checked_add(usize::try_from(len).ok()?)?;
        let Some(data) = section.get(begin..end) else { break };
        match tag & 0xfff {
            0x02 => resource.content = Some(data.iter().map(|b| format!("{b:02X}")).collect()),
            0x12 => resource.size = uint_at(data, 0, data.len().min(8)),
            _ => {}
        }
        place = end;
    }
    Some(resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the writer of the test image, in another language.
    const ENTRY: &[u8] = include_bytes!("../../../testdata/artifacts/defender_quarantine/emotet.bin");

    #[test]
    fn an_entry() {
        let entry = read(ENTRY).unwrap();
        assert_eq!(entry.threat, "Trojan:Win64/Emotet!MTB");
        assert_eq!(entry.threat_id, 2_147_852_271);
        assert_eq!(entry.time.unwrap().to_string(), "2022-11-02T08:57:41.1234567Z");
        let [resource] = entry.resources.as_slice() else { panic!("{entry:?}") };
        assert_eq!(resource.path, r"C:\Users\taro\oxnv4.ooccxx");
        assert_eq!((resource.kind.as_str(), resource.size), ("file", Some(4096)));
        assert_eq!(resource.content.as_deref(), Some("000102030405060708090A0B0C0D0E0F10111213"));
    }

    /// The second section is written over: it counts resources that are not there.
    #[test]
    fn resources_that_are_lost_are_counted() {
        let mut bytes = ENTRY.to_vec();
        bytes.copy_within(..140, 140);
        let entry = read(&bytes).unwrap();
        assert!(entry.resources.is_empty() && entry.unread > 0, "{entry:?}");
        assert_eq!(read(ENTRY).unwrap().unread, 0);
    }

    #[test]
    fn damage_does_no_harm() {
        for cut in 0..ENTRY.len() {
            let _ = read(&ENTRY[..cut]);
        }
        let mut seed = 5u64;
        for _ in 0..2000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut bytes = ENTRY.to_vec();
            bytes[(seed >> 33) as usize % ENTRY.len()] ^= (seed >> 24) as u8 | 1;
            let _ = read(&bytes);
        }
        assert_eq!(read(b"plain text, longer than the sixty bytes of a head of an entry in the quarantine"), None);
        assert_eq!(crypt(&crypt(b"there and back")), b"there and back");
    }
}
