//! Checksums that a forger would correct: without that, damage in a field is found before the field is used.

use std::ops::Range;

/// Which checksums a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// None that stand in the way.
    None,
    /// Adler-32 of EWF section descriptors, tables and volume sections.
    Ewf,
    /// The base block of a hive.
    Hive,
    /// CRC-32 of the header, the chunk headers and their records of an event log.
    Evtx,
    /// CRC-32 of a GPT's header and entries, in 512-byte sectors.
    Gpt,
}

impl Sums {
    /// By content.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [b'E', b'V', b'F', ..] => Self::Ewf,
            [b'r', b'e', b'g', b'f', ..] => Self::Hive,
            [b'E', b'l', b'f', b'F', ..] => Self::Evtx,
            _ if bytes.get(512..520) == Some(b"EFI PART") => Self::Gpt,
            _ => Self::None,
        }
    }

    /// Makes all sums fit, and says where they lie.
    pub fn correct(self, bytes: &mut [u8]) -> Vec<Range<usize>> {
        match self {
            Self::None => Vec::new(),
            Self::Ewf => ewf(bytes),
            Self::Hive => put(bytes, 508, hive(bytes)).into_iter().collect(),
            Self::Evtx => evtx(bytes),
            Self::Gpt => gpt(bytes),
        }
    }
}

fn put(bytes: &mut [u8], at: usize, sum: Option<u32>) -> Option<Range<usize>> {
    bytes.get_mut(at..at + 4)?.copy_from_slice(&sum?.to_le_bytes());
    Some(at..at + 4)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}

fn ewf(bytes: &mut [u8]) -> Vec<Range<usize>> {
    let mut corrected = Vec::new();
    let mut at = 13;
    // A chain that leads nowhere ends here, as it does for readers.
    for _ in 0..1000 {
        let Some(descriptor) = bytes.get(at..at + 72) else { break };
        let name: Vec<u8> = descriptor.iter().take(16).copied().take_while(|b| *b != 0).collect();
        let next = descriptor[16..24].iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
        corrected.extend(put(bytes, at + 72, bytes.get(at..at + 72).map(adler32)));
        let content = at + 76;
        match &*name {
            b"volume" | b"disk" | b"data" => {
                corrected.extend(put(bytes, content + 1048, bytes.get(content..content + 1048).map(adler32)));
            }
            b"table" | b"table2" => {
                corrected.extend(put(bytes, content + 20, bytes.get(content..content + 20).map(adler32)));
                let entries = u32_at(bytes, content).map_or(0, |n| (n as usize).saturating_mul(4));
                let end = (content + 24).saturating_add(entries);
                corrected.extend(put(bytes, end.min(bytes.len()), bytes.get(content + 24..end).map(adler32)));
            }
            _ => {}
        }
        match usize::try_from(next) {
            Ok(next) if next > at => at = next,
            _ => break,
        }
    }
    corrected
}

/// XOR of the first 127 words.
fn hive(bytes: &[u8]) -> Option<u32> {
    let words = bytes.get(..508)?.chunks_exact(4);
    Some(words.fold(0, |sum, word| sum ^ u32::from_le_bytes([word[0], word[1], word[2], word[3]])))
}

fn evtx(bytes: &mut [u8]) -> Vec<Range<usize>> {
    let mut corrected = Vec::from_iter(put(bytes, 124, bytes.get(..120).map(|b| crc32(&[b]))));
    for chunk in (4096..bytes.len()).step_by(65_536) {
        let free = u32_at(bytes, chunk + 48).map_or(0, |n| n as usize).clamp(512, 65_536);
        let records = bytes.get(chunk + 512..chunk + free).map(|b| crc32(&[b]));
        corrected.extend(put(bytes, chunk + 52, records));
        let header = bytes.get(chunk..chunk + 512).map(|b| crc32(&[&b[..120], &b[128..]]));
        corrected.extend(put(bytes, chunk + 124, header));
    }
    corrected
}

fn gpt(bytes: &mut [u8]) -> Vec<Range<usize>> {
    let entries = bytes.get(1024..1024 + 128 * 128).map(|b| crc32(&[b]));
    let mut corrected = Vec::from_iter(put(bytes, 512 + 88, entries));
    if bytes.len() >= 1024 {
        bytes[512 + 16..512 + 20].fill(0);
        corrected.extend(put(bytes, 512 + 16, bytes.get(512..512 + 92).map(|b| crc32(&[b]))));
    }
    corrected
}

/// Adler-32.
pub fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

/// CRC-32 as in zlib, over several pieces.
pub fn crc32(pieces: &[&[u8]]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|n| {
        (0..8).fold(n as u32, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    let bytes = pieces.iter().flat_map(|piece| piece.iter());
    !bytes.fold(u32::MAX, |crc, byte| crc >> 8 ^ table[(crc as u8 ^ byte) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the published check string.
    #[test]
    fn known_sums() {
        assert_eq!(crc32(&[b"1234", b"56789"]), 0xcbf4_3926);
        assert_eq!(adler32(b"123456789"), 0x091e_01de);
    }

    /// A good file needs no correction: the sums are the ones that its writer made.
    #[test]
    fn good_files_stay_as_they_are() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
        for (file, sums) in [
            ("case/case.E01", Sums::Ewf),
            ("artifacts/run_keys/ntuser.hve", Sums::Hive),
            ("artifacts/event_log/values.evtx", Sums::Evtx),
        ] {
            let good = std::fs::read(root.join(file)).unwrap();
            assert_eq!(Sums::of(&good), sums);
            let mut bytes = good.clone();
            let corrected = sums.correct(&mut bytes);
            assert!(!corrected.is_empty() && bytes == good, "{file}");
        }
    }
}
