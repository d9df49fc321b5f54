//! LZX as Windows images (WIM) and WOF-compressed files use it: one chunk of at most 32 KiB, independent of all others.
//!
//! A chunk is a bit stream of 16-bit little-endian words, the highest bit first. It is a row of blocks:
//!
//! | bits | what |
//! |---|---|
//! | 3 | kind: 1 verbatim, 2 aligned, 3 uncompressed |
//! | 1 | 1: the block gives 32,768 bytes |
//! | 16 | else: how many bytes it gives |
//! | 8 × 3 | kind 2: code lengths of the 8 aligned symbols |
//! | … | code lengths of the 496 main symbols (256 bytes, then 240 matches), then of the 249 length symbols |
//! | … | the symbols |
//!
//! Code lengths are stored as differences to those of the block before, under a small code of 20 symbols with 4 bits each. A
//! match symbol holds the slot of the distance (`/ 8`) and the length less 2 (`% 8`, 7: a length symbol follows). Slots 0 to 2
//! are the three distances used last. An uncompressed block begins at the next word with those three distances, 4 bytes each.
//!
//! Against LZX in cabinets and patches: no header bit, the block size as above, and jumps of x86 code (0xE8) are always turned
//! into absolute targets, for a file size of 12,000,000.
//!
//! Source: Microsoft, \[MS-PATCH\] (LZX DELTA) section 2 for the blocks and codes; the differences as described by the wimlib
//! and ntfs-3g-system-compression projects.

use super::huffman::Codes;
use crate::bytes::FormatError;

/// The longest chunk, and the window.
pub const MAX_CHUNK: usize = 32_768;
const BYTES: usize = 256;
const LENGTHS: usize = 249;
const MAIN: usize = 496;
const PRE: usize = 20;
/// The file size that jump targets are counted against.
const JUMP_SPAN: i32 = 12_000_000;

/// Decompresses one chunk that gives `len` bytes, at most [`MAX_CHUNK`], to the end of `output`.
///
/// When the chunk is damaged, `output` keeps what could be decoded before; jump targets in that part are not turned back.
///
/// # Errors
/// When the input ends early or is not what the format allows. Offsets count in `input`.
pub fn decompress(input: &[u8], len: usize, output: &mut Vec<u8>) -> Result<(), FormatError> {
    if len > MAX_CHUNK {
        let (value, limit) = (len as u64, MAX_CHUNK as u64);
        return Err(FormatError::Limit { what: "LZX chunk", offset: 0, value, limit });
    }
    let start = output.len();
    let mut chunk = Chunk {
        bits: Bits { input, position: 0, bits: 0, available: 0, invented: 0 },
        main_lengths: [0; MAIN],
        length_lengths: [0; LENGTHS],
        main: Codes::default(),
        lengths: Codes::default(),
        aligned: Codes::default(),
        recent: [1; 3],
        start,
    };
    while output.len().saturating_sub(start) < len {
        chunk.block(len.saturating_sub(output.len().saturating_sub(start)), output)?;
    }
    undo_jumps(output.get_mut(start..).unwrap_or_default());
    Ok(())
}

/// Turns absolute targets of x86 calls back into relative ones.
fn undo_jumps(bytes: &mut [u8]) {
    let mut at = 0usize;
    while let Some(found) =
        bytes.get(at..bytes.len().saturating_sub(10)).and_then(|b| b.iter().position(|b| *b == 0xe8))
    {
        at = at.saturating_add(found);
        let position = i32::try_from(at).unwrap_or(i32::MAX);
        at = at.saturating_add(1);
        let Some(field) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) else { return };
        let target = i32::from_le_bytes(*field);
        if (0..JUMP_SPAN).contains(&target) {
            *field = target.saturating_sub(position).to_le_bytes();
        } else if target < 0 && target >= position.saturating_neg() {
            *field = target.saturating_add(JUMP_SPAN).to_le_bytes();
        }
        at = at.saturating_add(4);
    }
}

/// Reads the words; behind the end of the input come zeros, which may be looked at but not used.
struct Bits<'a> {
    input: &'a [u8],
    position: usize,
    /// The next bits, the very next one highest.
    bits: u64,
    available: u32,
    /// How many of those are behind the end.
    invented: u32,
}

impl<'a> Bits<'a> {
    fn offset(&self) -> u64 {
        (self.position as u64).min(self.input.len() as u64)
    }

    fn error(&self, problem: &str) -> FormatError {
        FormatError::Other { what: "LZX chunk", offset: self.offset(), problem: problem.to_owned() }
    }

    /// The next 16 bits, without using them up.
    fn peek(&mut self) -> u16 {
        while self.available <= 48 {
            let word = match self.input.get(self.position..).and_then(<[u8]>::first_chunk) {
                Some(word) => u16::from_le_bytes(*word),
                None => {
                    self.invented = self.invented.saturating_add(16);
                    0
                }
            };
            self.position = self.position.saturating_add(2);
            self.bits |= u64::from(word) << 48u32.saturating_sub(self.available);
            self.available = self.available.saturating_add(16);
        }
        (self.bits >> 48) as u16
    }

    /// Uses up `n` of the bits that were looked at.
    fn consume(&mut self, n: u32) -> Result<(), FormatError> {
        self.bits <<= n;
        self.available = self.available.saturating_sub(n);
        if self.available < self.invented {
            let offset = self.offset();
            return Err(FormatError::Short { what: "LZX chunk", offset, needed: 1, available: 0 });
        }
        Ok(())
    }

    /// The next `n` bits, 16 at most.
    fn take(&mut self, n: u32) -> Result<u16, FormatError> {
        let found = self.peek().checked_shr(16u32.saturating_sub(n)).unwrap_or(0);
        self.consume(n)?;
        Ok(found)
    }

    fn symbol(&mut self, codes: &Codes) -> Result<u16, FormatError> {
        let (symbol, bits) =
            codes.get(self.peek()).ok_or_else(|| self.error("no symbol has the code that comes next"))?;
        self.consume(bits)?;
        Ok(symbol)
    }

    /// Goes to the next word; from its very beginning, to the one behind it.
    fn align(&mut self) -> Result<(), FormatError> {
        self.peek();
        let rest = self.available % 16;
        self.consume(if rest == 0 { 16 } else { rest })?;
        let ahead = usize::try_from(self.available / 8).unwrap_or(0);
        self.position = self.position.saturating_sub(ahead);
        (self.bits, self.available, self.invented) = (0, 0, 0);
        Ok(())
    }

    /// Whole bytes, after [`Bits::align`].
    fn bytes(&mut self, n: usize) -> Result<&'a [u8], FormatError> {
        let end = self.position.saturating_add(n);
        let found = self.input.get(self.position..end).ok_or_else(|| FormatError::Short {
            what: "LZX uncompressed block",
            offset: self.offset(),
            needed: n as u64,
            available: self.input.len().saturating_sub(self.position) as u64,
        })?;
        self.position = end;
        Ok(found)
    }
}

struct Chunk<'a> {
    bits: Bits<'a>,
    main_lengths: [u8; MAIN],
    length_lengths: [u8; LENGTHS],
    main: Codes,
    lengths: Codes,
    aligned: Codes,
    /// The distances used last, the newest first.
    recent: [u32; 3],
    /// Where the chunk begins in the output.
    start: usize,
}

impl Chunk<'_> {
    /// One block, of which `left` bytes at most may come.
    fn block(&mut self, left: usize, output: &mut Vec<u8>) -> Result<(), FormatError> {
        let kind = self.bits.take(3)?;
        let len = if self.bits.take(1)? == 1 { MAX_CHUNK } else { usize::from(self.bits.take(16)?) };
        if len == 0 || len > left {
            return Err(self.bits.error("a block gives more than the chunk has room for, or nothing"));
        }
        match kind {
            1 | 2 => {
                if kind == 2 {
                    self.read_aligned()?;
                }
                self.read_codes()?;
                let end = output.len().saturating_add(len);
                while output.len() < end {
                    self.step(kind == 2, end, output)?;
                }
                Ok(())
            }
            3 => self.uncompressed(len, output),
            _ => Err(self.bits.error("a block of unknown kind")),
        }
    }

    fn uncompressed(&mut self, len: usize, output: &mut Vec<u8>) -> Result<(), FormatError> {
        self.bits.align()?;
        for recent in &mut self.recent {
            let field = self.bits.bytes(4)?.first_chunk().copied().unwrap_or_default();
            *recent = u32::from_le_bytes(field);
        }
        output.extend_from_slice(self.bits.bytes(len)?);
        // The next block begins at a word again; the last byte of the input may be missing.
        self.bits.position = self.bits.position.saturating_add(len % 2);
        Ok(())
    }

    fn read_aligned(&mut self) -> Result<(), FormatError> {
        let mut lengths = [0; 8];
        for length in &mut lengths {
            *length = self.bits.take(3)?.to_le_bytes()[0];
        }
        self.aligned.read(&lengths).ok_or_else(|| self.bits.error("the aligned code is over-full"))
    }

    fn read_codes(&mut self) -> Result<(), FormatError> {
        let (bytes, matches) = self.main_lengths.split_at_mut(BYTES);
        read_lengths(&mut self.bits, bytes)?;
        read_lengths(&mut self.bits, matches)?;
        self.main.read(&self.main_lengths).ok_or_else(|| self.bits.error("the main code is over-full"))?;
        read_lengths(&mut self.bits, &mut self.length_lengths)?;
        self.lengths.read(&self.length_lengths).ok_or_else(|| self.bits.error("the length code is over-full"))
    }

    /// One byte or one match; neither goes beyond `end`.
    fn step(&mut self, aligned: bool, end: usize, output: &mut Vec<u8>) -> Result<(), FormatError> {
        let symbol = self.bits.symbol(&self.main)?;
        let Some(shape) = symbol.checked_sub(256) else {
            output.push(symbol.to_le_bytes()[0]);
            return Ok(());
        };
        let mut length = usize::from(shape % 8).saturating_add(2);
        if shape % 8 == 7 {
            length = length.saturating_add(usize::from(self.bits.symbol(&self.lengths)?));
        }
        let distance = usize::try_from(self.distance(u32::from(shape / 8), aligned)?).unwrap_or(usize::MAX);
        let at = output.len();
        let from = at.checked_sub(distance).filter(|from| *from >= self.start && distance > 0);
        let (Some(from), true) = (from, length <= end.saturating_sub(at)) else {
            return Err(self.bits.error("a match reaches out of its block or before the chunk"));
        };
        let mut left = length;
        while left > 0 {
            // What was written since `from` repeats with the same period, so each round may copy all of it.
            let n = left.min(output.len().saturating_sub(from));
            output.extend_from_within(from..from.saturating_add(n));
            left = left.saturating_sub(n);
        }
        Ok(())
    }

    fn distance(&mut self, slot: u32, aligned: bool) -> Result<u32, FormatError> {
        if let Some(place) = usize::try_from(slot).ok().filter(|place| *place < self.recent.len()) {
            self.recent.swap(0, place);
            return Ok(self.recent[0]);
        }
        // Slots come in pairs that take one more bit each, from slot 4 on.
        let extra = (slot / 2).saturating_sub(1);
        let base = if slot < 4 { slot } else { (2 | slot & 1) << extra };
        let low = if aligned && extra >= 3 {
            let high = u32::from(self.bits.take(extra.saturating_sub(3))?);
            high << 3 | u32::from(self.bits.symbol(&self.aligned)?)
        } else {
            u32::from(self.bits.take(extra)?)
        };
        let distance = base.saturating_add(low).saturating_sub(2);
        self.recent = [distance, self.recent[0], self.recent[1]];
        Ok(distance)
    }
}

/// Code lengths, stored as differences to those that stand in `lengths`.
fn read_lengths(bits: &mut Bits<'_>, lengths: &mut [u8]) -> Result<(), FormatError> {
    let mut pre_lengths = [0; PRE];
    for length in &mut pre_lengths {
        *length = bits.take(4)?.to_le_bytes()[0];
    }
    let mut pre = Codes::default();
    pre.read(&pre_lengths).ok_or_else(|| bits.error("the code of the lengths is over-full"))?;
    let changed =
        |old: u8, by: u16| u8::try_from((u16::from(old).saturating_add(17).saturating_sub(by)) % 17).unwrap_or(0);
    let mut rest = lengths.iter_mut();
    while let Some(length) = rest.next() {
        let (run, value) = match bits.symbol(&pre)? {
            17 => (bits.take(4)?.saturating_add(4), 0),
            18 => (bits.take(5)?.saturating_add(20), 0),
            19 => {
                let run = bits.take(1)?.saturating_add(4);
                let by = bits.symbol(&pre)?;
                if by > 16 {
                    return Err(bits.error("a run of code lengths repeats no length"));
                }
                (run, changed(*length, by))
            }
            by => (1, changed(*length, by)),
        };
        *length = value;
        // A run may reach beyond the end of the list; what is beyond has no symbol.
        for length in rest.by_ref().take(usize::from(run).saturating_sub(1)) {
            *length = value;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(input: &[u8], len: usize) -> Result<Vec<u8>, FormatError> {
        let mut output = Vec::new();
        decompress(input, len, &mut output).map(|()| output)
    }

    /// Words of the bit stream out of bits written as text.
    fn bits(text: &str) -> Vec<u8> {
        let digits: Vec<u16> = text.chars().filter(|c| !c.is_whitespace()).map(|c| u16::from(c == '1')).collect();
        let word = |w: &[u16]| w.iter().fold(0, |word, bit| word << 1 | bit) << (16 - w.len());
        digits.chunks(16).flat_map(|w| word(w).to_le_bytes()).collect()
    }

    /// Kind 3, then the size 5 in 16 bits; 12 bits to the next word; the three distances; five bytes, padded.
    fn uncompressed() -> Vec<u8> {
        let mut input = bits("011 0 0000000000000101");
        assert_eq!(input.len(), 4);
        input.extend([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
        input.extend(*b"hello\0");
        input
    }

    #[test]
    fn uncompressed_blocks() {
        assert_eq!(decode(&uncompressed(), 5).unwrap(), b"hello");
        // The pad byte may be missing at the end, and a second block follows behind it.
        assert_eq!(decode(&uncompressed()[..21], 5).unwrap(), b"hello");
        assert_eq!(decode(&uncompressed().repeat(2), 10).unwrap(), b"hellohello");
        assert!(matches!(decode(&uncompressed()[..20], 5), Err(FormatError::Short { .. })));
        assert!(decode(&uncompressed(), 4).is_err(), "more than the chunk has room for");
    }

    /// One byte and one match, with every code written out.
    #[test]
    fn a_verbatim_block_by_hand() {
        // Main symbols: 'a' (97) and the match 256 + 8 * 0 + 1 (distance used last, length 3), 1 bit each.
        // Pre-code of the bytes: 16 (one bit longer than before, which is 0) is 10, 17 (4 to 19 zeros) 11, 18 (20 to 51) 0.
        let pre_bytes = "0000 ".repeat(16) + "0010 0010 0001 0000";
        // 97 zeros are 51 + 20 + 19 + 7; 'a'; 158 zeros are 51 + 51 + 51 + 5.
        let bytes = "0 11111 0 00000 11 1111 11 0011".to_owned() + "10" + &"0 11111".repeat(3) + "11 0001";
        // One zero is no run, but the difference 0. Pre-code of the matches: 0 is 10, 16 is 11, 18 is 0.
        let pre_matches = "0010 ".to_owned() + &"0000 ".repeat(15) + "0010 0000 0001 0000";
        // 256 is not used, 257 is; 238 zeros are 51 * 4 + 34.
        let matches = "10 11".to_owned() + &"0 11111".repeat(4) + "0 01110";
        // Length symbols: none; 249 zeros are 51 * 4 + 45.
        let pre_lengths = "0000 ".repeat(18) + "0001 0000";
        let lengths = "0 11111".repeat(4) + "0 11001";
        // 'a' is 0, the match is 1: a, then three times one back, twice.
        let block = "001 0 0000000000000111 ".to_owned()
            + &pre_bytes
            + &bytes
            + &pre_matches
            + &matches
            + &pre_lengths
            + &lengths
            + "0 1 1";
        assert_eq!(decode(&bits(&block), 7).unwrap(), b"aaaaaaa");
        // A match that would reach before the chunk.
        let wrong = block[..block.len() - 5].to_owned() + "1 1 0";
        assert!(decode(&bits(&wrong), 7).is_err());
        // The block's match reaches over its end.
        let long = block.replacen("0000000000000111", "0000000000000110", 1);
        assert!(decode(&bits(&long), 6).is_err());
    }

    /// The target is counted from the chunk's beginning; the last ten bytes are left alone.
    #[test]
    fn jumps_are_turned_back() {
        let mut bytes = vec![0; 30];
        bytes[8] = 0xe8;
        bytes[9..13].copy_from_slice(&108i32.to_le_bytes());
        bytes[14] = 0xe8;
        bytes[15..19].copy_from_slice(&(-14i32).to_le_bytes());
        bytes[20] = 0xe8;
        bytes[21..25].copy_from_slice(&108i32.to_le_bytes());
        undo_jumps(&mut bytes);
        assert_eq!(bytes[9..13], 100i32.to_le_bytes());
        assert_eq!(bytes[15..19], (JUMP_SPAN - 14).to_le_bytes());
        assert_eq!(bytes[21..25], 108i32.to_le_bytes());
        undo_jumps(&mut []);
    }

    #[test]
    fn bounds() {
        assert!(matches!(decode(&[], MAX_CHUNK + 1), Err(FormatError::Limit { .. })));
        assert_eq!(decode(&[], 0).unwrap(), b"");
        assert!(decode(&[], 1).is_err());
        assert!(decode(&[0; 100], 1).is_err(), "a block of kind 0");
    }
}
