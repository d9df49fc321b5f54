//! LZNT1, the compression of NTFS streams (and of some registry and memory structures).
//!
//! Chunks follow each other; each but the last gives 4096 bytes.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 2 | bits 0–11: length of the chunk's data minus 1; bits 12–14: 3; bit 15: compressed. 0 ends the stream |
//! | 2 | … | data: as it is, or groups of a flag byte and eight items, the lowest flag first |
//!
//! A flag of 0 means a literal byte, 1 a 16-bit word that copies from before: its upper bits are the distance minus 1, its
//! lower ones the length minus 3. How many bits the distance has grows with the place in the chunk, from 4 to 12.
//! Source: Microsoft, [MS-XCA] 2.5.

use crate::bytes::FormatError;

/// What a chunk gives.
const CHUNK: usize = 4096;

/// Decompresses into `output`, which is filled with zeros where the stream gives nothing; returns how far it got.
/// `offset` is the place of `input` in its stream.
///
/// # Errors
/// If a chunk is damaged. What was decompressed before it stays in `output`.
pub fn decompress(input: &[u8], output: &mut [u8], offset: u64) -> Result<usize, FormatError> {
    output.fill(0);
    let (mut at, mut done) = (0usize, 0usize);
    for target in output.chunks_mut(CHUNK) {
        let Some(header) = input.get(at..).and_then(|rest| rest.first_chunk()).map(|b| u16::from_le_bytes(*b)) else {
            break;
        };
        if header == 0 {
            break;
        }
        let place = offset.saturating_add(at as u64);
        if header & 0x7000 != 0x3000 {
            let problem = "not the head of a chunk";
            return Err(FormatError::Value { what: "LZNT1 chunk", offset: place, value: header.into(), problem });
        }
        let len = usize::from(header & 0x0fff).saturating_add(1);
        let start = at.saturating_add(2);
        let end = start.saturating_add(len);
        let Some(data) = input.get(start..end) else {
            let available = input.len().saturating_sub(start) as u64;
            return Err(FormatError::Short { what: "LZNT1 chunk", offset: place, needed: len as u64, available });
        };
        let given = if header & 0x8000 == 0 {
            let n = data.len().min(target.len());
            if let (Some(to), Some(from)) = (target.get_mut(..n), data.get(..n)) {
                to.copy_from_slice(from);
            }
            n
        } else {
            chunk(data, target).ok_or_else(|| FormatError::Other {
                what: "LZNT1 chunk",
                offset: place,
                problem: "it copies from before its beginning, or ends within a copy".into(),
            })?
        };
        done = done.saturating_add(given);
        // A chunk that gives less than it should ends at the next one's place all the same: the rest are zeros.
        if given < target.len() && input.get(end..).and_then(|rest| rest.first_chunk()).is_some_and(|b| *b != [0, 0]) {
            done = done.saturating_add(target.len().saturating_sub(given));
        }
        at = end;
    }
    Ok(done)
}

/// One compressed chunk; `None` if it is damaged.
fn chunk(input: &[u8], output: &mut [u8]) -> Option<usize> {
    let mut input = input.iter().copied();
    let mut done = 0usize;
    while let Some(mut flags) = input.next() {
        for _ in 0..8 {
            if done >= output.len() {
                return Some(done);
            }
            let Some(first) = input.next() else { return Some(done) };
            if flags & 1 == 0 {
                *output.get_mut(done)? = first;
                done = done.saturating_add(1);
            } else {
                let word = u16::from_le_bytes([first, input.next()?]);
                let length_bits = length_bits(done);
                let distance = usize::from(word.checked_shr(length_bits)?).saturating_add(1);
                let mask = 1u16.checked_shl(length_bits)?.wrapping_sub(1);
                let length = usize::from(word & mask).saturating_add(3).min(output.len().saturating_sub(done));
                let from = done.checked_sub(distance)?;
                if distance >= length {
                    output.copy_within(from..from.saturating_add(length), done);
                } else {
                    for step in 0..length {
                        let byte = *output.get(from.saturating_add(step))?;
                        *output.get_mut(done.saturating_add(step))? = byte;
                    }
                }
                done = done.saturating_add(length);
            }
            flags >>= 1;
        }
    }
    Some(done)
}

/// Bits of a copy's length, by the place it copies to: 12 up to 16, then one less at each doubling.
fn length_bits(place: usize) -> u32 {
    let distance_bits = usize::BITS.saturating_sub(place.saturating_sub(1).leading_zeros()).max(4);
    16u32.saturating_sub(distance_bits.min(12))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(input: &[u8], len: usize) -> Result<Vec<u8>, FormatError> {
        let mut output = vec![0xaa; len];
        decompress(input, &mut output, 0).map(|n| {
            output.truncate(n);
            output
        })
    }

    /// The example that Microsoft prints in [MS-XCA] 3.3.
    #[test]
    fn the_published_example() {
        let packed = [
            0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00, 0x10, 0xa2, 0x47, 0x01, 0xa0, 0x45,
            0x20, 0x44, 0x00, 0x08, 0x45, 0x01, 0x50, 0x79, 0x00, 0xc0, 0x45, 0x20, 0x05, 0x24, 0x13, 0x88, 0x05, 0xb4,
            0x02, 0x4a, 0x44, 0xef, 0x03, 0x58, 0x02, 0x8c, 0x09, 0x16, 0x01, 0x48, 0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00,
            0x04, 0x01, 0x18, 0x90, 0x00,
        ];
        let plain = "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E F# G F# E D E \
                     A F# F# G A A G F# E D D E F# E D D\0";
        assert_eq!(String::from_utf8(unpack(&packed, 4096).unwrap()).unwrap(), plain);
    }

    /// A literal and one copy of distance 1: a chunk of 4096 equal bytes, as Windows writes it.
    #[test]
    fn a_run_of_one_byte_and_a_stored_chunk() {
        let mut packed = vec![0x03, 0xb0, 0x02, b'A', 0xfc, 0x0f];
        packed.extend([0x01, 0x30, b'x', b'y', 0, 0, 0xff]);
        let plain = unpack(&packed, 8192).unwrap();
        assert_eq!(plain.len(), 4098);
        assert!(plain[..4096].iter().all(|b| *b == b'A'));
        assert_eq!(plain[4096..], *b"xy");
    }

    #[test]
    fn the_bits_of_a_copy_change_where_the_format_says() {
        let table =
            [(1, 12), (16, 12), (17, 11), (32, 11), (33, 10), (1024, 6), (1025, 5), (2048, 5), (2049, 4), (4095, 4)];
        for (place, bits) in table {
            assert_eq!(length_bits(place), bits, "at {place}");
        }
    }

    #[test]
    fn damage_is_an_error_and_never_stale_bytes() {
        assert!(unpack(&[0x03, 0xb0, 0x02], 4096).is_err(), "cut");
        assert!(unpack(&[0x02, 0xb0, 0x01, 0x00, 0x10], 4096).is_err(), "copies from before the beginning");
        assert!(unpack(&[0xff, 0xff, 0, 0], 4096).is_err(), "no signature");
        let mut output = [0xaa; 16];
        assert_eq!(decompress(&[], &mut output, 0).unwrap(), 0);
        assert_eq!(output, [0; 16]);
    }

    #[test]
    fn any_bytes_end_in_bounded_work() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..3000 {
            let mut input: Vec<u8> = (0..next() % 300).map(|_| next() as u8).collect();
            if input.len() > 2 {
                input[1] = 0xb0 | (input[1] & 0x0f);
            }
            let mut output = vec![0; (next() % 9000) as usize];
            if let Ok(n) = decompress(&input, &mut output, 0) {
                assert!(n <= output.len());
            }
        }
    }
}
