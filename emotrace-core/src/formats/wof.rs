//! Files that Windows keeps compressed through the Windows Overlay Filter (CompactOS, `compact /exe`).
//!
//! The content lies in the stream `WofCompressedData`; the main stream is a hole of the same length as the content. A reparse
//! point with the tag 0x80000017 says how it is compressed (all numbers little-endian):
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 4 | version, 1 |
//! | 4 | 4 | provider: 1 a Windows image, 2 a file |
//! | 8 | 4 | version of the file provider, 1 |
//! | 12 | 4 | algorithm: 0 XPRESS with chunks of 4 KiB, 1 LZX with 32 KiB, 2 XPRESS 8 KiB, 3 XPRESS 16 KiB |
//!
//! The stream begins with the table of chunks: for each chunk but the first its offset from the end of the table, 4 bytes, or
//! 8 if the content is longer than 4 GiB. The chunks follow. One that is as long as its content is stored as it is.
//!
//! Source: Microsoft, `WOF_EXTERNAL_INFO` and `FILE_PROVIDER_EXTERNAL_INFO_V1` (wdk, ntifs.h); the layout of the stream is that
//! of a resource in a Windows image ("Windows Imaging File Format", 2012), as ntfs-3g-system-compression describes.

use std::io;

use super::{lzx, xpress};
use crate::bytes::{Cursor, FormatError, ReadAt, read_exact_at};

/// `IO_REPARSE_TAG_WOF`.
pub const REPARSE_TAG: u32 = 0x8000_0017;
/// The stream that holds the compressed content.
pub const STREAM: &str = "WofCompressedData";

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// XPRESS Huffman, chunks of 4 KiB.
    Xpress4k,
    /// LZX, chunks of 32 KiB.
    Lzx,
    /// XPRESS Huffman, chunks of 8 KiB.
    Xpress8k,
    /// XPRESS Huffman, chunks of 16 KiB.
    Xpress16k,
}

impl Algorithm {
    /// Reads the data of a reparse point, behind its tag and length.
    ///
    /// # Errors
    /// When it is cut, or names a provider or an algorithm that can't be read. A file that lies in a Windows image is one.
    pub fn from_reparse_data(data: &[u8]) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(data, "WOF reparse point", 0);
        cursor.skip(4)?;
        let provider = cursor.u32()?;
        if provider != 2 {
            let (what, value, problem) = ("WOF provider", provider.into(), "the content does not lie in this file");
            return Err(FormatError::Value { what, offset: 4, value, problem });
        }
        cursor.skip(4)?;
        match cursor.u32()? {
            0 => Ok(Self::Xpress4k),
            1 => Ok(Self::Lzx),
            2 => Ok(Self::Xpress8k),
            3 => Ok(Self::Xpress16k),
            value => {
                let (what, value, problem) = ("WOF algorithm", value.into(), "0 to 3 are known");
                Err(FormatError::Value { what, offset: 12, value, problem })
            }
        }
    }

    /// Bytes of content in each chunk.
    pub const fn chunk_size(self) -> u64 {
        match self {
            Self::Xpress4k => 4096,
            Self::Xpress8k => 8192,
            Self::Xpress16k => 16_384,
            Self::Lzx => 32_768,
        }
    }
}

/// The content of a WOF-compressed file.
///
/// A damaged chunk fails the reads that touch it, with [`io::ErrorKind::InvalidData`]; all others can be read. Nothing is
/// kept between reads, so long reads are cheaper than many short ones.
#[derive(Clone, Debug)]
pub struct Reader<S> {
    stream: S,
    algorithm: Algorithm,
    len: u64,
}

/// Reads the content through the stream [`STREAM`]; `len` is the length of the main stream.
pub const fn reader<S: ReadAt>(stream: S, algorithm: Algorithm, len: u64) -> Reader<S> {
    Reader { stream, algorithm, len }
}

impl<S: ReadAt> Reader<S> {
    fn chunks(&self) -> u64 {
        self.len.div_ceil(self.algorithm.chunk_size())
    }

    const fn entry_size(&self) -> u64 {
        if self.len > u32::MAX as u64 { 8 } else { 4 }
    }

    /// Where the chunk begins in the stream; for the one behind the last, where the stream ends.
    fn chunk_start(&self, index: u64) -> io::Result<u64> {
        let table = self.chunks().saturating_sub(1).saturating_mul(self.entry_size());
        if index == self.chunks() {
            return Ok(self.stream.len());
        }
        let Some(entry) = index.checked_sub(1) else { return Ok(table) };
        let place = entry.saturating_mul(self.entry_size());
        let mut field = [0; 8];
        let (low, _) = field.split_at_mut(usize::try_from(self.entry_size()).unwrap_or(8));
        read_exact_at(&self.stream, place, low)?;
        Ok(table.saturating_add(u64::from_le_bytes(field)))
    }

    /// The content of one chunk.
    fn chunk(&self, index: u64) -> io::Result<Vec<u8>> {
        let size = self.algorithm.chunk_size();
        let content = size.min(self.len.saturating_sub(index.saturating_mul(size)));
        let (start, end) = (self.chunk_start(index)?, self.chunk_start(index.saturating_add(1))?);
        let damaged = |problem: String| io::Error::new(io::ErrorKind::InvalidData, problem);
        // A chunk is never longer than its content: then it is stored as it is.
        let stored = end.checked_sub(start).filter(|stored| (1..=content).contains(stored)).ok_or_else(|| {
            damaged(format!("chunk {index} of {STREAM} would lie from {start:#x} to {end:#x}, for {content} bytes"))
        })?;
        let mut bytes = vec![0; usize::try_from(stored).unwrap_or(0)];
        read_exact_at(&self.stream, start, &mut bytes)?;
        if stored == content {
            return Ok(bytes);
        }
        let content = usize::try_from(content).unwrap_or(0);
        let mut output = Vec::with_capacity(content);
        match self.algorithm {
            Algorithm::Lzx => lzx::decompress(&bytes, content, &mut output),
            _ => xpress::decompress(&bytes, content, &mut output),
        }
        .map_err(|error| damaged(format!("chunk {index} of {STREAM} at {start:#x}: {error} of the chunk")))?;
        Ok(output)
    }
}

impl<S: ReadAt> ReadAt for Reader<S> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let size = self.algorithm.chunk_size();
        let mut done = 0usize;
        while let Some(to) = buf.get_mut(done..).filter(|to| !to.is_empty()) {
            let at = offset.saturating_add(done as u64);
            if at >= self.len {
                break;
            }
            let chunk = match self.chunk(at.checked_div(size).unwrap_or(0)) {
                Ok(chunk) => chunk,
                // What was read before the damage is good.
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            };
            let within = at.checked_rem(size).and_then(|within| usize::try_from(within).ok());
            let from = within.and_then(|within| chunk.get(within..)).unwrap_or_default();
            let n = from.len().min(to.len());
            let (Some(to), Some(from)) = (to.get_mut(..n), from.get(..n)) else { break };
            if n == 0 {
                break;
            }
            to.copy_from_slice(from);
            done = done.saturating_add(n);
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content that `testdata/make/wof.py` gave to the encoder.
    fn content() -> Vec<u8> {
        let words: [&[u8]; 8] = [
            b"invoice ",
            b"payment ",
            b"document ",
            b"enable content ",
            b"\xe8\x10\x02\0\0",
            b"\xe8\xf0\xff\xff\xff",
            &[0; 40],
            b"report ",
        ];
        let mut state = 1u64;
        let mut step = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        let mut out = Vec::new();
        while out.len() < 70_000 {
            if (40_960..49_152).contains(&out.len()) {
                out.push(step() as u8);
                continue;
            }
            let word = words[(step() % 8) as usize];
            let room = if out.len() < 40_960 { 40_960 - out.len() } else { 70_000 - out.len() };
            out.extend(&word[..room.min(word.len())]);
            if step().is_multiple_of(5) && room > 60 {
                out.extend(format!("{};", step() % 1000).into_bytes());
            }
        }
        out.truncate(70_000);
        out
    }

    /// Streams by another encoder (wimlib), with matches, both kinds of LZX blocks, jumps and chunks that are stored as they are.
    const STREAMS: [(u8, &[u8]); 4] = [
        (0, include_bytes!("../../../testdata/formats/wof/xpress4k.bin")),
        (1, include_bytes!("../../../testdata/formats/wof/lzx.bin")),
        (2, include_bytes!("../../../testdata/formats/wof/xpress8k.bin")),
        (3, include_bytes!("../../../testdata/formats/wof/xpress16k.bin")),
    ];

    fn algorithm(number: u8) -> Algorithm {
        Algorithm::from_reparse_data(&[1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, number, 0, 0, 0]).unwrap()
    }

    #[test]
    fn reparse_points() {
        assert_eq!([0, 1, 2, 3].map(|n| algorithm(n).chunk_size()), [4096, 32_768, 8192, 16_384]);
        let in_image = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        assert!(matches!(Algorithm::from_reparse_data(&in_image), Err(FormatError::Value { offset: 4, .. })));
        let unknown = [1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0];
        assert!(matches!(Algorithm::from_reparse_data(&unknown), Err(FormatError::Value { offset: 12, .. })));
        assert!(Algorithm::from_reparse_data(&unknown[..13]).is_err());
    }

    #[test]
    fn streams_of_another_encoder() {
        let content = content();
        for (number, stream) in STREAMS {
            let reader = reader(stream, algorithm(number), content.len() as u64);
            let mut all = vec![0; content.len() + 10];
            assert_eq!(reader.read_at(0, &mut all).unwrap(), content.len());
            assert!(all[..content.len()] == content, "algorithm {number}");
            for (at, len) in [(0, 1), (4095, 2), (32_760, 20), (40_000, 10_000), (69_999, 5), (70_000, 5)] {
                let mut part = vec![0; len];
                let n = reader.read_at(at as u64, &mut part).unwrap();
                let wanted = &content[at..content.len().min(at + len)];
                assert_eq!(&part[..n], wanted, "algorithm {number} at {at}");
            }
            assert_eq!(reader.read_at(u64::MAX, &mut [0; 4]).unwrap(), 0);
        }
    }

    /// A damaged chunk costs itself: the one before it and the one behind it can be read.
    #[test]
    fn damage_stays_in_its_chunk() {
        let content = content();
        for (number, stream) in STREAMS {
            let size = algorithm(number).chunk_size() as usize;
            let table = 4 * (content.len().div_ceil(size) - 1);
            let mut stream = stream.to_vec();
            let start = table + u32::from_le_bytes(stream[..4].try_into().unwrap()) as usize;
            stream[start..start + 8].fill(0xff);
            let reader = reader(stream, algorithm(number), content.len() as u64);
            let mut part = vec![0; 2 * size];
            assert_eq!(reader.read_at(0, &mut part).unwrap(), size, "what was read before the damage is given");
            assert!(part[..size] == content[..size]);
            assert_eq!(reader.read_at(size as u64, &mut part).unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert!(reader.read_at(2 * size as u64, &mut part[..100]).is_ok());
        }
    }

    /// Beyond 4 GiB the table has entries of 8 bytes.
    #[test]
    fn long_content() {
        let len = (1u64 << 32) + 1;
        let chunks = len.div_ceil(16_384) as usize;
        let mut stream = vec![0; 8 * (chunks - 1)];
        stream[..8].copy_from_slice(&16_384u64.to_le_bytes());
        stream.extend(vec![7; 16_384]);
        let reader = reader(stream, Algorithm::Xpress16k, len);
        let mut part = [0; 4];
        assert_eq!((reader.read_at(16_380, &mut part).unwrap(), part), (4, [7; 4]));
        assert!(reader.read_at(len - 1, &mut part).is_err());
    }

    /// A length that the stream can't have costs nothing.
    #[test]
    fn impossible_lengths() {
        for len in [1, 5000, u64::from(u32::MAX), u64::MAX] {
            for (number, _) in STREAMS {
                let reader = reader(vec![0u8; 3], algorithm(number), len);
                assert!(reader.read_at(0, &mut [0; 16]).is_err());
                assert!(reader.read_at(len / 2, &mut [0; 16]).is_err());
            }
        }
        assert_eq!(reader(vec![0u8; 3], Algorithm::Lzx, 0).read_at(0, &mut [0; 4]).unwrap(), 0);
    }

    /// Seeded cuts and flips: no panic, no hang.
    #[test]
    fn damage_is_survived() {
        let mut seed = 0x2545_f491_4f6c_dd1du64;
        let mut next = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        for (number, whole) in STREAMS {
            let size = algorithm(number).chunk_size();
            for _ in 0..400 {
                let mut stream = whole.to_vec();
                for _ in 0..=next(20) {
                    let within = [200, stream.len()][next(2)];
                    let at = next(within);
                    stream[at] ^= 1 << next(8);
                }
                stream.truncate(stream.len() - next(2) * next(5000));
                let reader = reader(stream, algorithm(number), 70_000);
                let mut part = vec![0; 70_000];
                let _ = reader.read_at(0, &mut part);
                let _ = reader.read_at(size, &mut part[..100]);
                let _ = reader.read_at(69_000, &mut part);
            }
        }
    }
}
