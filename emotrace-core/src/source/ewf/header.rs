//! What the person and the tool that made the image wrote down about it: `header`, `header2` and `xheader`.
//!
//! `header` and `header2` are zlib streams of lines: the number of categories, then for each its name (`main`), a line of
//! identifiers and a line of values, both tab-separated. `header` is one-byte text, `header2` UTF-16 with a byte order
//! mark. `xheader` is a zlib stream of XML (EWF-X).
//!
//! | identifier | meaning | | identifier | meaning |
//! |---|---|---|---|---|
//! | a | description | | av | version of the software |
//! | c | case number | | ov | operating system |
//! | n | evidence number | | m | when the image was made |
//! | e | examiner | | u | the system's clock then |
//! | t | notes | | l | device label |
//! | md | model of the device | | sn | its serial number |
//!
//! Dates: seconds since 1970 in UTC (`header2`, and `header` of linen 6), or `2021 7 22 17 33 30` in the local time of
//! the machine that made the image, whose zone is not stored.

use std::io::Read;

use chrono::DateTime;
use flate2::read::ZlibDecoder;

use super::super::Acquisition;
use crate::bytes::{FormatError, text};

/// No header text is longer; EnCase allows 3,000 characters for a value.
const LONGEST_TEXT: u64 = 4 << 20;

/// Adds what a `header` section says to what is known.
pub(super) fn read_header(bytes: &[u8], offset: u64, facts: &mut Acquisition) -> Result<(), FormatError> {
    let bytes = inflate(bytes, "EWF header section", offset)?;
    // Most writers use one-byte characters of the examiner's machine, some UTF-8, which is told by being valid.
    let text = match str::from_utf8(&bytes) {
        Ok(text) => text.trim_end_matches('\0').to_owned(),
        Err(_) => text::from_ansi_until_nul(&bytes),
    };
    lines(&text, facts);
    Ok(())
}

/// Adds what a `header2` section says to what is known.
pub(super) fn read_header2(bytes: &[u8], offset: u64, facts: &mut Acquisition) -> Result<(), FormatError> {
    let bytes = inflate(bytes, "EWF header2 section", offset)?;
    let text = match bytes.as_slice() {
        [0xfe, 0xff, rest @ ..] => {
            text::from_utf16(rest.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)))
        }
        [0xff, 0xfe, rest @ ..] => text::from_utf16le(rest),
        rest => text::from_utf16le(rest),
    };
    lines(&text, facts);
    Ok(())
}

/// Adds what an `xheader` section says to what is known.
pub(super) fn read_xheader(bytes: &[u8], offset: u64, facts: &mut Acquisition) -> Result<(), FormatError> {
    let bytes = inflate(bytes, "EWF xheader section", offset)?;
    let text = String::from_utf8_lossy(&bytes);
    for (name, place) in [
        ("case_number", &mut facts.case_number),
        ("description", &mut facts.description),
        ("examiner_name", &mut facts.examiner),
        ("evidence_number", &mut facts.evidence_number),
        ("notes", &mut facts.notes),
        ("acquiry_operating_system", &mut facts.operating_system),
        ("acquiry_date", &mut facts.acquired),
        ("system_date", &mut facts.system_date),
        ("acquiry_software_version", &mut facts.software_version),
        ("acquiry_software", &mut facts.software),
        ("model", &mut facts.model),
        ("serial_number", &mut facts.serial_number),
        ("device_label", &mut facts.device_label),
    ] {
        fill(place, element(&text, name));
    }
    Ok(())
}

/// The hashes of an `xhash` section.
pub(super) fn read_xhash(bytes: &[u8], offset: u64) -> Result<super::section::Hashes, FormatError> {
    let bytes = inflate(bytes, "EWF xhash section", offset)?;
    let text = String::from_utf8_lossy(&bytes);
    let hash = |name, len| {
        let value = element(&text, name)?.to_ascii_lowercase();
        (value.len() == len && value.bytes().all(|b| b.is_ascii_hexdigit())).then_some(value)
    };
    Ok(super::section::Hashes { md5: hash("MD5", 32), sha1: hash("SHA1", 40) })
}

fn inflate(bytes: &[u8], what: &'static str, offset: u64) -> Result<Vec<u8>, FormatError> {
    let mut out = Vec::new();
    match ZlibDecoder::new(bytes).take(LONGEST_TEXT).read_to_end(&mut out) {
        Ok(_) => Ok(out),
        Err(e) => Err(FormatError::Other { what, offset, problem: e.to_string() }),
    }
}

/// Reads the category `main`.
fn lines(text: &str, facts: &mut Acquisition) {
    let mut lines = text.lines().skip_while(|line| line.trim_end() != "main").skip(1);
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return };
    for (name, value) in names.split('\t').zip(values.split('\t')) {
        let value = value.trim_matches(['\r', '\0']);
        let place = match name.trim_end() {
            "a" => &mut facts.description,
            "c" => &mut facts.case_number,
            "n" => &mut facts.evidence_number,
            "e" => &mut facts.examiner,
            "t" => &mut facts.notes,
            "md" => &mut facts.model,
            "sn" => &mut facts.serial_number,
            "l" => &mut facts.device_label,
            "av" => &mut facts.software_version,
            "ov" => &mut facts.operating_system,
            "m" => {
                fill(&mut facts.acquired, date(value));
                continue;
            }
            "u" => {
                fill(&mut facts.system_date, date(value));
                continue;
            }
            _ => continue,
        };
        fill(place, Some(value.to_owned()));
    }
}

/// The first source that says something is kept: the caller reads `header2` before `header`.
fn fill(place: &mut Option<String>, value: Option<String>) {
    if place.is_none() {
        *place = value.filter(|v| !v.is_empty());
    }
}

/// A date in RFC 3339: with `Z` if it is in UTC, without a zone if the zone is not stored; other text as it stands.
fn date(value: &str) -> Option<String> {
    let numbers: Option<Vec<u32>> = value.split(' ').map(|n| n.parse().ok()).collect();
    match numbers.as_deref() {
        Some([seconds]) => DateTime::from_timestamp(i64::from(*seconds), 0)
            .filter(|_| *seconds != 0)
            .map(|t| t.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
        Some([y, mo, d, h, mi, s]) => Some(format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}")),
        _ => Some(value.to_owned()),
    }
}

/// The text of an XML element without attributes.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(value.to_owned(), |value, (from, to)| value.replace(from, to)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn header2_wins_over_header() {
        let mut facts = Acquisition::default();
        let utf16: Vec<u8> = "\u{feff}3\nmain\na\tc\te\tav\tm\tu\nDescr\tCäse\t\t7.4\t1598418573\t0\n\nsrce\n0\t1\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        read_header2(&deflate(&utf16), 0, &mut facts).unwrap();
        let ansi = b"1\r\nmain\r\nc\tn\te\tm\tu\r\nC\tE7\tM\xfcller\t2020 8 26 7 9 33\t2020 8 26 7 9 33\r\n\r\n";
        read_header(&deflate(ansi), 0, &mut facts).unwrap();
        assert_eq!(facts.case_number.as_deref(), Some("Cäse"));
        assert_eq!(facts.evidence_number.as_deref(), Some("E7"));
        assert_eq!(facts.examiner.as_deref(), Some("Müller"));
        // 1598418573 is 2020-08-26 05:09:33 UTC (date -u -d @1598418573).
        assert_eq!(facts.acquired.as_deref(), Some("2020-08-26T05:09:33Z"));
        assert_eq!(facts.system_date.as_deref(), Some("2020-08-26T07:09:33"));
        assert_eq!(facts.notes, None);
    }

    #[test]
    fn xml_headers_and_hashes() {
        let mut facts = Acquisition::default();
        let xml = b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<xheader>\n\t<notes>a &amp;lt; b</notes>\n\t<acquiry_date>Mon</acquiry_date>\n</xheader>";
        read_xheader(&deflate(xml), 0, &mut facts).unwrap();
        assert_eq!(facts.notes.as_deref(), Some("a &lt; b"));
        assert_eq!(facts.acquired.as_deref(), Some("Mon"));
        let hashes = read_xhash(&deflate(b"<xhash><MD5>D41D8CD98F00B204E9800998ECF8427E</MD5><SHA1>12</SHA1>"), 0);
        assert_eq!(hashes.unwrap().md5.as_deref(), Some("d41d8cd98f00b204e9800998ecf8427e"));
    }

    #[test]
    fn a_damaged_header_is_an_error() {
        assert!(read_header(b"\x78\x9cnot deflate", 7, &mut Acquisition::default()).is_err());
    }
}
