//! MAM: the frame around one compressed buffer, as Windows 8 and later write prefetch files and SuperFetch databases.
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 3 | `MAM` |
//! | 3 | 1 | low half: compression format, 4 is XPRESS Huffman; 0x80: a checksum follows |
//! | 4 | 4 | length of the content in bytes |
//! | 8 | 4 | only with 0x80: CRC-32 of the whole file with this field as 0 |
//! | 8 or 12 | … | [`xpress`] stream |
//!
//! Source: observation by libscca ("Windows Prefetch File (PF) format", section MAM); `COMPRESSION_FORMAT_*` and
//! `RtlComputeCrc32` of ntdll.

use super::xpress;
use crate::bytes::{Cursor, FormatError};

const CHECKSUM: u8 = 0x80;
const XPRESS_HUFFMAN: u8 = 4;

/// The content of a frame, as far as it could be had.
#[derive(Debug, PartialEq, Eq)]
pub struct Content {
    /// Decompressed bytes; fewer than the frame claims if it is damaged.
    pub bytes: Vec<u8>,
    /// Damage: a checksum that does not fit, a stream that ends early. Offsets count in the frame.
    pub issues: Vec<FormatError>,
}

/// True if the bytes begin like a frame.
pub fn recognise(bytes: &[u8]) -> bool {
    matches!(bytes.first_chunk(), Some([b'M', b'A', b'M', format]) if format & !CHECKSUM == XPRESS_HUFFMAN)
}

/// Takes the content out of a frame. A damaged stream gives what lies before the damage.
///
/// # Errors
/// When there is no frame, its compression format is not known, or it claims more than `limit` bytes.
pub fn decompress(file: &[u8], limit: u64) -> Result<Content, FormatError> {
    let len = u64::from(header(file)?.1);
    if len > limit {
        return Err(FormatError::Limit { what: "MAM content length", offset: 4, value: len, limit });
    }
    decompress_start(file, usize::try_from(len).unwrap_or(usize::MAX))
}

/// The first `len` bytes of the content, or all if there are fewer.
///
/// # Errors
/// When there is no frame, or its compression format is not known.
pub fn decompress_start(file: &[u8], len: usize) -> Result<Content, FormatError> {
    let (format, whole) = header(file)?;
    let whole = usize::try_from(whole).unwrap_or(usize::MAX);
    let mut content = Content { bytes: Vec::new(), issues: Vec::new() };
    let mut body = 8usize;
    if format & CHECKSUM != 0 {
        let mut cursor = Cursor::new(file, "MAM header", 0);
        cursor.seek(body);
        let stored = cursor.u32()?;
        body = cursor.position();
        // A part of the content is asked for to recognise it; then the end of the file may not be there.
        if len >= whole {
            let computed = crc32(file, 8..12);
            if stored != computed {
                let (stored, computed) = (stored.into(), computed.into());
                content.issues.push(FormatError::Checksum { what: "MAM file", offset: 0, stored, computed });
            }
        }
    }
    let stream = file.get(body..).unwrap_or_default();
    if let Err(error) = xpress::decompress(stream, len.min(whole), &mut content.bytes) {
        content.issues.push(FormatError::Other {
            what: "MAM content",
            offset: error.offset().saturating_add(body as u64),
            problem: format!("{} of {whole} bytes could be decompressed: {error} of the stream", content.bytes.len()),
        });
    }
    Ok(content)
}

/// The byte that says how it is compressed, and the length.
fn header(file: &[u8]) -> Result<(u8, u32), FormatError> {
    let mut cursor = Cursor::new(file, "MAM header", 0);
    let signature: [u8; 4] = cursor.array()?;
    if !recognise(&signature) {
        let expected = vec![b'M', b'A', b'M', XPRESS_HUFFMAN];
        return Err(FormatError::Signature { what: "MAM header", offset: 0, expected, actual: signature.to_vec() });
    }
    Ok((signature[3], cursor.u32()?))
}

/// CRC-32 (polynomial 0xedb88320, as in ZIP) with the bytes of `blank` taken as 0.
fn crc32(bytes: &[u8], blank: std::ops::Range<usize>) -> u32 {
    let mut crc = u32::MAX;
    for (at, byte) in bytes.iter().enumerate() {
        crc ^= u32::from(if blank.contains(&at) { 0 } else { *byte });
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame around the second example of MS-XCA section 3.2: `abc`, 100 times.
    fn frame(format: u8, len: u32, crc: Option<u32>) -> Vec<u8> {
        let mut file = vec![b'M', b'A', b'M', format];
        file.extend(len.to_le_bytes());
        file.extend(crc.into_iter().flat_map(u32::to_le_bytes));
        let at = file.len();
        file.extend([0; 256]);
        for (place, lengths) in [(48, 0x30), (49, 0x23), (128, 0x02), (143, 0x20)] {
            file[at + place] = lengths;
        }
        file.extend(*b"\xa8\xdc\0\0\xff\x26\x01");
        file
    }

    /// Witness: the check value of CRC-32 in the Rocksoft catalogue.
    #[test]
    fn crc_check_value() {
        assert_eq!(crc32(b"123456789", 0..0), 0xcbf4_3926);
        assert_eq!(crc32(b"12xx56789", 2..4), crc32(b"12\0\x0056789", 0..0));
    }

    #[test]
    fn plain_frame() {
        let content = decompress(&frame(4, 300, None), 300).unwrap();
        assert_eq!(content, Content { bytes: b"abc".repeat(100), issues: vec![] });
        assert_eq!(decompress_start(&frame(4, 300, None), 4).unwrap().bytes, b"abca");
    }

    #[test]
    fn checksum_is_checked_and_does_not_stop_the_reading() {
        let good = crc32(&frame(0x84, 300, Some(0)), 0..0);
        assert_eq!(decompress(&frame(0x84, 300, Some(good)), 300).unwrap().issues, []);
        let content = decompress(&frame(0x84, 300, Some(good ^ 1)), 300).unwrap();
        assert_eq!(content.bytes.len(), 300);
        assert!(matches!(content.issues[..], [FormatError::Checksum { .. }]));
    }

    #[test]
    fn a_claim_of_4_gib_is_refused_or_costs_only_what_is_there() {
        let file = frame(4, u32::MAX, None);
        assert!(matches!(decompress(&file, 1 << 20), Err(FormatError::Limit { .. })));
        let content = decompress(&file, u64::MAX).unwrap();
        // The end mark and what pads the last word read as short matches when more is asked for than there is.
        assert!((300..330).contains(&content.bytes.len()) && content.issues.len() == 1, "{content:?}");
        assert!(content.bytes.capacity() < 1 << 20);
    }

    #[test]
    fn not_a_frame() {
        for bytes in [&b""[..], b"MAM", b"MAM\x02\0\0\0\0", b"SCCA....", b"MAM\x84\0\0\0\0\0"] {
            assert!(decompress(bytes, 100).is_err());
        }
        assert!(recognise(b"MAM\x84") && recognise(b"MAM\x04....") && !recognise(b"MAM\x03"));
    }
}
