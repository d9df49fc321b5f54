//! XPRESS Huffman: LZ77 with a Huffman code, as Windows uses it for prefetch files (MAM), WOF-compressed files and memory.
//!
//! A stream is a row of blocks. Each block gives 64 KiB, the last one what is left:
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 256 | code lengths of 512 symbols, 4 bits each, the low half first; 0: the symbol does not occur |
//! | 256 | … | bit stream of 16-bit little-endian words, the highest bit first |
//!
//! Symbols 0 to 255 are bytes. The others are matches: `(symbol - 256) / 16` is the bit length of the distance without its
//! leading one, `(symbol - 256) % 16` the length less 3. A length of 15 is followed by a byte, and a byte of 255 by 16 bits
//! and, if those are 0, by 32 bits; these lie as whole bytes where the reader of the words stands. Symbol 256 also marks the
//! end, when all input is used up.
//!
//! Source: Microsoft, \[MS-XCA\] Xpress Compression Algorithm, section 2.2 (LZ77+Huffman decompression).

use super::huffman::Codes;
use crate::bytes::FormatError;

/// Bytes that one block gives.
const BLOCK: usize = 65536;
/// Bytes of the code lengths.
const TABLE: usize = 256;
const SHORTEST_MATCH: usize = 3;
const WHAT: &str = "XPRESS Huffman stream";

/// Decompresses `input` until `output` has grown by `len` bytes. Matches reach back to where `output` ended before, not
/// farther.
///
/// Memory grows with what is decoded, never with `len` alone; the caller bounds `len`. When the input is damaged, `output`
/// keeps what could be decoded before the damage.
///
/// # Errors
/// When the input ends early or is not what the format allows. Offsets count in `input`.
pub fn decompress(input: &[u8], len: usize, output: &mut Vec<u8>) -> Result<(), FormatError> {
    let start = output.len();
    let end = start.saturating_add(len);
    let mut decoder = Decoder { input, position: 0, bits: 0, available: 0, invented: 0 };
    let mut codes = Codes::default();
    output.reserve(len.min(BLOCK));
    while output.len() < end {
        decoder.table(&mut codes)?;
        decoder.start_block();
        let block_end = output.len().saturating_add(BLOCK).min(end);
        while output.len() < block_end {
            decoder.symbol(&codes, start, end, output)?;
        }
    }
    Ok(())
}

/// Reads words ahead as the format demands: 17 to 32 bits are at hand before each code, whole bytes lie behind them.
struct Decoder<'a> {
    input: &'a [u8],
    position: usize,
    /// The next bits, the very next one highest.
    bits: u32,
    /// How many of `bits` are at hand.
    available: u32,
    /// How many of those lie behind the end of the input and were taken as 0: reading ahead may go there, use may not.
    invented: u32,
}

impl<'a> Decoder<'a> {
    fn offset(&self) -> u64 {
        self.position as u64
    }

    fn short(&self) -> FormatError {
        FormatError::Short { what: WHAT, offset: self.offset(), needed: 1, available: 0 }
    }

    /// The next `N` whole bytes.
    fn bytes<const N: usize>(&mut self) -> Result<&'a [u8; N], FormatError> {
        let found = self.input.get(self.position..).and_then(<[u8]>::first_chunk).ok_or_else(|| self.short())?;
        self.position = self.position.saturating_add(N);
        Ok(found)
    }

    /// The table at the head of a block.
    fn table(&mut self, codes: &mut Codes) -> Result<(), FormatError> {
        let offset = self.offset();
        let mut lengths = [0; 2 * TABLE];
        for (both, pair) in self.bytes::<TABLE>()?.iter().zip(lengths.as_chunks_mut::<2>().0) {
            *pair = [both & 15, both >> 4];
        }
        codes.read(&lengths).ok_or_else(|| {
            let problem = "more codes than the lengths leave room for".to_owned();
            FormatError::Other { what: "XPRESS Huffman code table", offset, problem }
        })
    }

    /// Begins the bit stream behind a table.
    fn start_block(&mut self) {
        (self.bits, self.available, self.invented) = (0, 0, 0);
        self.fill();
        self.fill();
    }

    /// Adds a word where there is room for one.
    fn fill(&mut self) {
        if self.available > 16 {
            return;
        }
        let word = match self.input.get(self.position..).and_then(<[u8]>::first_chunk) {
            Some(word) => u16::from_le_bytes(*word),
            None => {
                self.invented = self.invented.saturating_add(16);
                0
            }
        };
        self.position = self.position.saturating_add(2);
        self.bits |= u32::from(word) << 16u32.saturating_sub(self.available);
        self.available = self.available.saturating_add(16);
    }

    /// Uses up `n` bits, 16 at most.
    fn consume(&mut self, n: u32) -> Result<(), FormatError> {
        self.bits <<= n;
        self.available = self.available.saturating_sub(n);
        if self.available < self.invented {
            return Err(self.short());
        }
        // The reference decoder keeps 16 bits ahead and reads a word only when fewer are left.
        if self.available < 16 {
            self.fill();
        }
        Ok(())
    }

    /// Decodes one byte or match. `output` never grows beyond `end`; matches reach back to `start` at most.
    fn symbol(&mut self, codes: &Codes, start: usize, end: usize, output: &mut Vec<u8>) -> Result<(), FormatError> {
        let (symbol, bits) = codes.get((self.bits >> 16) as u16).ok_or_else(|| FormatError::Other {
            what: WHAT,
            offset: self.offset(),
            problem: "no symbol has the code that comes next".to_owned(),
        })?;
        self.consume(bits)?;
        let Some(shape) = symbol.checked_sub(256) else {
            output.push(symbol.to_le_bytes()[0]);
            return Ok(());
        };
        let length = self.match_length(shape & 15)?;
        let distance_bits = u32::from(shape >> 4);
        let low = (u64::from(self.bits) << distance_bits >> 32) as u32;
        self.consume(distance_bits)?;
        let distance = 1usize << distance_bits | low as usize;
        copy_match(output, start, end, distance, length).map_err(|problem| FormatError::Other {
            what: WHAT,
            offset: self.offset(),
            problem,
        })
    }

    fn match_length(&mut self, short: u16) -> Result<usize, FormatError> {
        let mut length = u32::from(short);
        if length == 15 {
            length = u32::from(self.bytes::<1>()?[0]).saturating_add(15);
            if length == 255 + 15 {
                length = u32::from(u16::from_le_bytes(*self.bytes()?));
                if length == 0 {
                    length = u32::from_le_bytes(*self.bytes()?);
                }
                if length < 15 {
                    let problem = "a long form is used for a short length";
                    let (what, value) = ("XPRESS Huffman match length", u64::from(length));
                    return Err(FormatError::Value { what, offset: self.offset(), value, problem });
                }
            }
        }
        Ok(usize::try_from(length).unwrap_or(usize::MAX).saturating_add(SHORTEST_MATCH))
    }
}

/// Repeats `length` bytes from `distance` back, which may overlap what is written; stops at `end`.
fn copy_match(output: &mut Vec<u8>, start: usize, end: usize, distance: usize, length: usize) -> Result<(), String> {
    let at = output.len();
    let from = at
        .checked_sub(distance)
        .filter(|from| *from >= start)
        .ok_or_else(|| format!("a match reaches {distance} bytes back, {} are there", at.saturating_sub(start)))?;
    let mut left = length.min(end.saturating_sub(at));
    while left > 0 {
        // What was written since `from` repeats with the same period, so each round may copy all of it.
        let n = left.min(output.len().saturating_sub(from));
        output.extend_from_within(from..from.saturating_add(n));
        left = left.saturating_sub(n);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with the given lengths, all others 0.
    fn table(lengths: &[(usize, u8)]) -> Vec<u8> {
        let mut table = vec![0u8; TABLE];
        for &(symbol, bits) in lengths {
            table[symbol / 2] |= if symbol % 2 == 0 { bits } else { bits << 4 };
        }
        table
    }

    /// First example of MS-XCA section 3.2: the alphabet as literals.
    fn alphabet() -> Vec<u8> {
        let mut input = table(&(97..=118).map(|s| (s, 5)).chain((119..=122).map(|s| (s, 4))).collect::<Vec<_>>());
        input[128] = 4;
        input.extend(*b"\xd8\x52\x3e\xd7\x94\x11\x5b\xe9\x19\x5f\xf9\xd6\x7c\xdf\x8d\x04\0\0\0\0");
        input
    }

    /// Second example of MS-XCA section 3.2: three literals and one match of 297 bytes.
    fn abc() -> Vec<u8> {
        let mut input = table(&[(97, 3), (98, 3), (99, 2), (256, 2), (287, 2)]);
        input.extend(*b"\xa8\xdc\0\0\xff\x26\x01");
        input
    }

    fn decode(input: &[u8], len: usize) -> Result<Vec<u8>, FormatError> {
        let mut output = Vec::new();
        decompress(input, len, &mut output).map(|()| output)
    }

    #[test]
    fn examples_of_the_specification() {
        assert_eq!(alphabet()[48..62], *b"\x50\x55\x55\x55\x55\x55\x55\x55\x55\x55\x55\x45\x44\x04");
        assert_eq!(decode(&alphabet(), 26).unwrap(), b"abcdefghijklmnopqrstuvwxyz");
        assert_eq!(decode(&abc(), 300).unwrap(), b"abc".repeat(100));
    }

    #[test]
    fn output_is_appended_and_matches_stay_in_it() {
        let mut output = b"xyz".to_vec();
        decompress(&abc(), 9, &mut output).unwrap();
        assert_eq!(output, b"xyzabcabcabc");
        // The match alone, with nothing before it in this stream: the bytes of another stream are out of reach.
        let mut lone = table(&[(287, 1), (256, 1)]);
        lone.extend(*b"\0\xc0\0\0\xff\x26\x01");
        let error = decompress(&lone, 300, &mut output).unwrap_err();
        assert!(error.to_string().contains("3 bytes back, 0 are there"), "{error}");
    }

    /// What was decoded before the damage is evidence.
    #[test]
    fn cut_input_keeps_what_came_before() {
        let input = alphabet();
        let mut output = Vec::new();
        assert!(matches!(decompress(&input[..262], 26, &mut output), Err(FormatError::Short { .. })));
        assert_eq!(output, b"abcdefghi", "48 bits of codes of 5 bits");
        assert!(decode(&input[..100], 26).is_err());
        assert!(decode(&[], 1).is_err());
        assert_eq!(decode(&[], 0).unwrap(), b"");
    }

    #[test]
    fn too_many_codes_are_refused() {
        let mut input = table(&[(1, 1), (2, 1), (3, 1)]);
        input.extend([0; 8]);
        assert!(decode(&input, 1).unwrap_err().to_string().contains("more codes"));
    }

    /// The claimed length is no reason to take memory.
    #[test]
    fn a_huge_claim_takes_no_memory() {
        let mut output = Vec::new();
        assert!(decompress(&alphabet(), u32::MAX as usize, &mut output).is_err());
        assert!(output.capacity() <= 2 * BLOCK);
    }

    /// A table that gives all 512 symbols 9 bits: each code is its symbol. Blocks follow each other after 64 KiB.
    #[test]
    fn blocks_of_64_kib_each_with_its_table() {
        let mut input = Vec::new();
        let plain: Vec<u8> = (0..BLOCK + 1000).map(|i| (i * 7 % 251) as u8).collect();
        for block in plain.chunks(BLOCK) {
            input.extend([0x99; TABLE]);
            let mut bits: Vec<bool> = Vec::new();
            for byte in block {
                bits.extend((0..9).rev().map(|i| u16::from(*byte) >> i & 1 == 1));
            }
            let words =
                bits.chunks(16).map(|w| w.iter().fold(0u16, |word, b| word << 1 | u16::from(*b)) << (16 - w.len()));
            // A reader stands one word ahead of what it uses, so there is one before the next block.
            input.extend(words.chain([0]).flat_map(u16::to_le_bytes));
        }
        assert_eq!(decode(&input, plain.len()).unwrap(), plain);
    }

    /// Seeded cuts and flips: no panic, no hang, never more output than asked for.
    #[test]
    fn damage_is_survived() {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        for sample in [alphabet(), abc()] {
            for _ in 0..3000 {
                let mut input = sample.clone();
                for _ in 0..=next(4) {
                    let at = next(input.len());
                    input[at] ^= 1 << next(8);
                }
                input.truncate(input.len() - next(8));
                let mut output = Vec::new();
                let _ = decompress(&input, 1 << 20, &mut output);
                assert!(output.len() <= 1 << 20);
            }
        }
    }
}
