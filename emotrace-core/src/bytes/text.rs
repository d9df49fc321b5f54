//! Text out of evidence, without loss.
//!
//! Windows names are sequences of 16-bit units and need not be valid UTF-16. A lone surrogate U+D800 … U+DFFF has no
//! place in UTF-8, so it is kept as the private character U+10F800 … U+10FFFF (its own value plus 0x102000). The mapping
//! is one to one and can be undone with [`to_utf16`]; Unicode gives those characters to nobody, and Windows does not use
//! them.

/// From a lone surrogate to the character that stands for it.
const SURROGATE_SHIFT: u32 = 0x10_2000;

/// Text from little-endian UTF-16 bytes; an odd last byte is left out.
pub fn from_utf16le(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0;
    // Nearly all names and values are ASCII, which needs no decoding. This test and this copy run many units at a time.
    if units.iter().fold(0, |all, unit| all | u16::from_le_bytes(*unit)) < 0x80 {
        return String::from_utf8(units.iter().map(|[low, _]| *low).collect()).unwrap_or_default();
    }
    from_utf16(units.iter().map(|pair| u16::from_le_bytes(*pair)))
}

/// Text from little-endian UTF-16 bytes up to the first NUL.
pub fn from_utf16le_until_nul(bytes: &[u8]) -> String {
    from_utf16(bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).take_while(|unit| *unit != 0))
}

/// Text from UTF-16 units, lone surrogates kept.
pub fn from_utf16(units: impl IntoIterator<Item = u16>) -> String {
    char::decode_utf16(units)
        .map(|unit| match unit {
            Ok(c) => c,
            Err(lone) => char::from_u32(u32::from(lone.unpaired_surrogate()).saturating_add(SURROGATE_SHIFT))
                .unwrap_or(char::REPLACEMENT_CHARACTER),
        })
        .collect()
}

/// The UTF-16 units that [`from_utf16`] was given.
pub fn to_utf16(text: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c).checked_sub(SURROGATE_SHIFT).and_then(|s| u16::try_from(s).ok()) {
            Some(lone) if (0xd800..=0xdfff).contains(&lone) => units.push(lone),
            _ => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
        }
    }
    units
}

/// Text from one-byte characters up to the first NUL, read as [`from_ansi`] reads them.
pub fn from_ansi_until_nul(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    from_ansi(bytes.get(..end).unwrap_or_default())
}

/// Text from one-byte characters. Bytes from 0x80 are read as Windows-1252 where it names a
/// character: without the host's code page this is a reading, not a fact.
pub fn from_ansi(bytes: &[u8]) -> String {
    /// Windows-1252, 0x80 to 0x9f. Source: Microsoft, code page 1252. Five places are not assigned.
    const UPPER: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    bytes
        .iter()
        .map(|b| match b {
            0x80..=0x9f => UPPER.get(usize::from(b & 0x1f)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
            b => char::from(*b),
        })
        .collect()
}

/// A GUID from its 16 bytes as Windows stores them (first three groups little-endian), lower case, without braces.
pub fn guid(bytes: &[u8; 16]) -> String {
    String::from_utf8_lossy(&guid_digits(bytes)).into_owned()
}

/// The ASCII characters of [`guid`].
pub fn guid_digits(bytes: &[u8; 16]) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    /// Where the digits of each byte stand.
    const PLACES: [usize; 16] = [6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34];
    let mut text = [b'-'; 36];
    for (byte, place) in bytes.iter().zip(PLACES) {
        let digits = [byte >> 4, byte & 0xf].map(|digit| DIGITS.get(usize::from(digit)).copied().unwrap_or_default());
        if let Some(pair) = text.get_mut(place..).and_then(|rest| rest.first_chunk_mut()) {
            *pair = digits;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_come_back() {
        let units = [0x41, 0xd83d, 0x42, 0xdc00, 0xd83d, 0xde00, 0xdfff];
        let text = from_utf16(units);
        assert_eq!(text.chars().count(), 6);
        assert_eq!(to_utf16(&text), units);
    }

    /// Witness: the LNK class identifier of MS-SHLLINK 2.1.
    #[test]
    fn guid_groups() {
        let bytes = [1, 0x14, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
        assert_eq!(guid(&bytes), "00021401-0000-0000-c000-000000000046");
    }

    #[test]
    fn ansi_stops_at_nul() {
        assert_eq!(from_ansi_until_nul(b"a\x80\xe9\0b"), "a€é");
    }
}
