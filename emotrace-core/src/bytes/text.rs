//! Text out of evidence, without loss.
//!
//! Windows names are sequences of 16-bit units and need not be valid UTF-16. A lone surrogate U+D800 … U+DFFF has no
//! place in UTF-8, so it is kept as the private character U+10F800 … U+10FFFF (its own value plus 0x102000). Text that
//! truly holds one of those characters is kept as the stand-ins of its two surrogates, so a stand-in always stands for
//! one unit and [`to_utf16`] gives back the units that were read, whatever they were.

/// From a lone surrogate to the character that stands for it.
const SURROGATE_SHIFT: u32 = 0x10_2000;

/// The first character that stands for a surrogate.
const FIRST_STAND_IN: char = '\u{10f800}';

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
    text
}

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
    let units = units.into_iter();
    let mut text = String::with_capacity(units.size_hint().0);
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(c) => push(&mut text, c),
            Err(lone) => text.push(stand_in(lone.unpaired_surrogate())),
        }
    }
    text
}

/// Text from UTF-8. Surrogates in it (as in WTF-8, which is how copies on other systems hold Windows names) are kept as
/// [`from_utf16`] keeps them; bytes that are no UTF-8 at all become U+FFFD.
pub fn from_utf8(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let (valid, bad) = match std::str::from_utf8(rest) {
            Ok(valid) => (valid, None),
            Err(error) => {
                let (valid, behind) = rest.split_at_checked(error.valid_up_to()).unwrap_or_default();
                (std::str::from_utf8(valid).unwrap_or_default(), Some((behind, error.error_len())))
            }
        };
        valid.chars().for_each(|c| push(&mut text, c));
        match bad {
            None => return text,
            Some(([0xed, high @ 0xa0..=0xbf, low @ 0x80..=0xbf, behind @ ..], _)) => {
                text.push(stand_in(0xd000 | u16::from(high & 0x3f) << 6 | u16::from(low & 0x3f)));
                rest = behind;
            }
            Some((behind, len)) => {
                text.push(char::REPLACEMENT_CHARACTER);
                rest = behind.get(len.unwrap_or(behind.len())..).unwrap_or_default();
            }
        }
    }
}

/// Adds a character; one of those that stand for surrogates as its own two.
fn push(text: &mut String, c: char) {
    if c < FIRST_STAND_IN {
        text.push(c);
    } else {
        text.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| stand_in(*unit)));
    }
}

/// The character that stands for a surrogate.
fn stand_in(surrogate: u16) -> char {
    char::from_u32(u32::from(surrogate).saturating_add(SURROGATE_SHIFT)).unwrap_or(char::REPLACEMENT_CHARACTER)
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

    /// A name that truly holds the characters which stand for surrogates is not taken for one with lone surrogates: every
    /// sequence of units has a text of its own, and comes back from it.
    #[test]
    fn no_two_names_share_a_text() {
        let edges = [0, 0x41, 0xd7ff, 0xd800, 0xd83d, 0xdbfd, 0xdbfe, 0xdbff, 0xdc00, 0xdc3d, 0xdfff, 0xe000, 0xffff];
        let mut texts = std::collections::BTreeMap::new();
        let mut check = |units: Vec<u16>| {
            let text = from_utf16(units.iter().copied());
            assert_eq!(to_utf16(&text), units, "{units:04x?}");
            assert_eq!(texts.insert(text, units.clone()).filter(|other| *other != units), None);
        };
        for a in edges {
            for b in edges {
                for c in edges {
                    check(vec![a, b, c]);
                }
            }
        }
        // Every pair in the range that stands for surrogates, beside the lone ones.
        for unit in 0xd800..=0xdfffu16 {
            check(vec![unit]);
            check(vec![0xdbfe, unit]);
            check(vec![0xdbff, unit]);
        }
    }

    #[test]
    fn utf8_keeps_what_utf16_keeps() {
        let units = [0x41, 0xd83d, 0x42, 0xdbfe, 0xdc3d, 0x8acb];
        let wtf8 = b"A\xed\xa0\xbdB\xf4\x8f\xa0\xbd\xe8\xab\x8b";
        assert_eq!(from_utf8(wtf8), from_utf16(units));
        assert_eq!(from_utf8(b"a\xffb\xe8\xab"), "a\u{fffd}b\u{fffd}");
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
