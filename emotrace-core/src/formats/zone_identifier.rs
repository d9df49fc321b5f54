//! `Zone.Identifier` streams: where a file came from, as the program that saved it wrote down.
//!
//! The stream is an INI text: section `[ZoneTransfer]`, then lines `key=value`. Browsers write ANSI or UTF-8, others UTF-16
//! with or without a byte order mark; all are read.
//!
//! | key | value |
//! |---|---|
//! | `ZoneId` | 0 local machine, 1 intranet, 2 trusted, 3 internet, 4 untrusted |
//! | `ReferrerUrl` | page that led to the file; for a file out of an archive the archive's path |
//! | `HostUrl` | address that the file was loaded from; `about:internet` where the program does not tell |
//! | `HostIpAddress` | address of the host |
//! | `AppZoneId`, `AppDefinedZoneId` | zone that an app gave |
//! | `LastWriterPackageFamilyName` | app that wrote the file |
//!
//! Source: Microsoft, MS-FSCC 5.6.1 (Zone.Identifier stream), `IZoneIdentifier2`.

use crate::bytes::text;

/// What a stream says. Keys as they stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneIdentifier {
    /// All lines `key=value` in their order.
    pub entries: Vec<(String, String)>,
    /// There is a section `[ZoneTransfer]`.
    pub has_section: bool,
    /// Lines that are neither section, comment nor `key=value`.
    pub other_lines: usize,
}

impl ZoneIdentifier {
    /// The first value of a key, compared without case.
    pub fn get(&self, key: &str) -> Option<&str> {
        let entry = self.entries.iter().find(|(k, _)| k.eq_ignore_ascii_case(key));
        entry.map(|(_, value)| value.as_str()).filter(|v| !v.is_empty())
    }

    /// True if nothing in it looks like a zone identifier.
    pub fn is_foreign(&self) -> bool {
        !self.has_section && self.get("ZoneId").is_none()
    }
}

/// The name of a zone.
pub const fn zone_name(id: u64) -> Option<&'static str> {
    Some(match id {
        0 => "local machine",
        1 => "intranet",
        2 => "trusted",
        3 => "internet",
        4 => "untrusted",
        _ => return None,
    })
}

/// True if the bytes begin like such a stream.
pub fn recognise(head: &[u8]) -> bool {
    decode(head).trim_start_matches(['\u{feff}', '\r', '\n', ' ', '\t']).starts_with("[ZoneTransfer]")
}

/// Reads a stream. Any bytes can be read; what is no entry is counted.
pub fn read(data: &[u8]) -> ZoneIdentifier {
    let mut found = ZoneIdentifier::default();
    let decoded = decode(data);
    for line in decoded.split(['\r', '\n', '\0']).map(|l| l.trim_matches(['\u{feff}', ' ', '\t'])) {
        if line.eq_ignore_ascii_case("[ZoneTransfer]") {
            found.has_section = true;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with(';')) {
            found.entries.push((key.trim().to_owned(), value.trim().to_owned()));
        } else if !line.is_empty() && !line.starts_with([';', '[']) {
            found.other_lines = found.other_lines.saturating_add(1);
        }
    }
    found
}

/// UTF-16 by its mark or by its zero bytes, else UTF-8 if it is valid, else ANSI.
fn decode(data: &[u8]) -> String {
    if data.starts_with(&[0xff, 0xfe]) || (data.len() >= 4 && data.get(1) == Some(&0) && data.get(3) == Some(&0)) {
        return text::from_utf16le(data);
    }
    std::str::from_utf8(data).map_or_else(|_| text::from_ansi(data), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "[ZoneTransfer]\r\nZoneId=3\r\nReferrerUrl=https://example.org/a?b=c\r\nHostUrl=https://example.org/ü.doc\r\n";

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn every_encoding_reads_the_same() {
        let mut marked = vec![0xff, 0xfe];
        marked.extend(utf16(TEXT));
        let ansi: Vec<u8> = TEXT.chars().map(|c| c as u8).collect();
        let mut utf8 = vec![0xef, 0xbb, 0xbf];
        utf8.extend(TEXT.as_bytes());
        for bytes in [TEXT.as_bytes().to_vec(), utf8, utf16(TEXT), marked, ansi] {
            assert!(recognise(&bytes));
            let read = read(&bytes);
            assert_eq!(read.get("zoneid"), Some("3"));
            assert_eq!(read.get("ReferrerUrl"), Some("https://example.org/a?b=c"));
            assert_eq!(read.get("HostUrl"), Some("https://example.org/ü.doc"));
            assert_eq!((read.entries.len(), read.other_lines, read.is_foreign()), (3, 0, false));
        }
    }

    #[test]
    fn odd_streams() {
        assert!(read(b"").is_foreign());
        assert!(read(b"MZ\x90\0\x03").is_foreign());
        let cut = read(b"[ZoneTransfer]\r\nZoneId=3\r\nHostUr");
        assert_eq!((cut.get("ZoneId"), cut.other_lines), (Some("3"), 1));
        assert_eq!(read(b"[ZoneTransfer]\nZoneId=").get("ZoneId"), None);
    }

    #[test]
    fn any_bytes_can_be_read() {
        let mut seed = 5u64;
        for round in 0..3000 {
            let mut bytes = if round % 2 == 0 { TEXT.as_bytes().to_vec() } else { utf16(TEXT) };
            for _ in 0..5 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (seed >> 33) as usize % bytes.len();
                bytes[at] = (seed >> 20) as u8;
            }
            bytes.truncate((seed >> 40) as usize % (bytes.len() + 1));
            assert!(read(&bytes).entries.len() <= bytes.len());
        }
    }
}
