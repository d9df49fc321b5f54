//! Compound files (OLE structured storage): a small file system inside a file. Jump lists and old Office documents are.
//!
//! | offset | size | header |
//! |---|---|---|
//! | 0 | 8 | d0 cf 11 e0 a1 b1 1a e1 |
//! | 26 | 2 | version: 3 (sectors of 512 bytes), 4 (4,096) |
//! | 30, 32 | 2 | sector size and mini sector size, as powers of two |
//! | 44 | 4 | number of FAT sectors |
//! | 48 | 4 | first sector of the directory |
//! | 56 | 4 | streams below this size (4,096) lie in the mini stream |
//! | 60 | 4 | first sector of the mini FAT |
//! | 68 | 4 | first sector of the DIFAT |
//! | 76 | 436 | first 109 FAT sectors |
//!
//! | offset | size | directory entry (128 bytes) |
//! |---|---|---|
//! | 0 | 64 | name, UTF-16; its size in bytes with NUL at 64 |
//! | 66 | 1 | kind: 0 unused, 1 storage, 2 stream, 5 root (its data is the mini stream) |
//! | 68, 72, 76 | 4 | numbers of its left and right neighbour and of its first child, 0xffffffff for none |
//! | 116 | 4 | first sector |
//! | 120 | 8 | size (4 bytes in version 3) |
//!
//! The entries are listed as they stand, not by their tree: a damaged tree hides no stream, and the tree tells of entries that
//! are gone. Own code and not the crate
//! `cfb`, because that (0.16, measured) refuses the whole file for one bad directory entry or a cut end, and only reading
//! is needed.
//!
//! Source: Microsoft, MS-CFB.

use crate::bytes::fields::{array_at, u8_at, u16_at, u32_at, u64_at};
use crate::bytes::{FormatError, text};

const SIGNATURE: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
/// Sector numbers from here on are marks: end of chain, free, …
const MAX_SECTOR: u32 = 0xffff_fffa;
/// Stands where a directory entry has no neighbour or child.
const NO_ENTRY: u32 = 0xffff_ffff;
/// Follows the last sector of a chain.
const END_OF_CHAIN: u32 = 0xffff_fffe;

/// A stream of a compound file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Name.
    pub name: String,
    /// Size in bytes as the directory states it.
    pub size: u64,
    start: u32,
}

/// A compound file in memory.
#[derive(Debug)]
pub struct CompoundFile<'a> {
    data: &'a [u8],
    sector: usize,
    mini_sector: usize,
    mini_cutoff: u64,
    fat: Vec<u32>,
    mini_fat: Vec<u32>,
    mini_stream: Vec<u8>,
    /// All streams in the order of the directory.
    pub streams: Vec<Stream>,
    /// What could not be read.
    pub faults: Vec<FormatError>,
}

/// True if the bytes begin like a compound file.
pub fn recognise(head: &[u8]) -> bool {
    head.starts_with(&SIGNATURE)
}

impl<'a> CompoundFile<'a> {
    /// Opens a file.
    ///
    /// # Errors
    /// When the header is not that of a compound file. What else is wrong is in [`CompoundFile::faults`].
    pub fn open(data: &'a [u8]) -> Result<Self, FormatError> {
        const WHAT: &str = "compound file header";
        if !recognise(data) {
            let actual = data.get(..data.len().min(8)).unwrap_or_default().to_vec();
            return Err(FormatError::Signature { what: WHAT, offset: 0, expected: SIGNATURE.to_vec(), actual });
        }
        let short = || FormatError::Short { what: WHAT, offset: 0, needed: 512, available: data.len() as u64 };
        let header: [u8; 512] = array_at(data, 0).ok_or_else(short)?;
        let power = |at: usize, allowed: [u16; 2]| {
            let shift = u16_at(&header, at).unwrap_or(0);
            let fault = FormatError::Value {
                what: "sector size of a compound file",
                offset: at as u64,
                value: shift.into(),
                problem: "the format allows other powers of two only",
            };
            if allowed.contains(&shift) { Ok(1usize << shift) } else { Err(fault) }
        };
        let mut file = Self {
            data,
            sector: power(30, [9, 12])?,
            mini_sector: power(32, [6, 6])?,
            mini_cutoff: u32_at(&header, 56).unwrap_or(4096).into(),
            fat: Vec::new(),
            mini_fat: Vec::new(),
            mini_stream: Vec::new(),
            streams: Vec::new(),
            faults: Vec::new(),
        };
        file.read_fat(&header);
        let mini_fat = file.chain(u32_at(&header, 60).unwrap_or(u32::MAX), "mini FAT");
        file.mini_fat = words(&file.content(&mini_fat)).collect();
        let directory = file.chain(u32_at(&header, 48).unwrap_or(u32::MAX), "directory");
        file.read_directory(&directory);
        Ok(file)
    }

    /// Sectors that the file has room for.
    fn sectors(&self) -> usize {
        self.data.len().checked_div(self.sector).unwrap_or(0)
    }

    /// The bytes of a sector, as far as they are there. Sector 0 begins one sector size behind the file's start.
    fn sector_bytes(&self, number: u32) -> Option<&'a [u8]> {
        let start = usize::try_from(number).ok()?.checked_add(1)?.checked_mul(self.sector)?;
        let end = start.checked_add(self.sector)?.min(self.data.len());
        self.data.get(start..end).filter(|bytes| !bytes.is_empty())
    }

    fn read_fat(&mut self, header: &[u8]) {
        let mut places: Vec<u32> = words(header.get(76..).unwrap_or_default()).collect();
        let mut next = u32_at(header, 68).unwrap_or(u32::MAX);
        // Each DIFAT sector may be met once: more than the file has room for is a circle.
        for _ in 0..self.sectors() {
            let Some(sector) = Some(next).filter(|n| *n < MAX_SECTOR).and_then(|n| self.sector_bytes(n)) else { break };
            let entries: Vec<u32> = words(sector).collect();
            next = entries.last().copied().unwrap_or(u32::MAX);
            places.extend(entries.split_last().map(|(_, rest)| rest).unwrap_or_default());
        }
        let room = self.sectors();
        for place in places.into_iter().filter(|p| *p < MAX_SECTOR) {
            if self.fat.len() > room {
                break;
            }
            match self.sector_bytes(place) {
                Some(sector) => self.fat.extend(words(sector)),
                None => {
                    // The places of later sectors must stay right.
                    let missing = self.sector.checked_div(4).unwrap_or(0);
                    self.fat.extend(std::iter::repeat_n(u32::MAX, missing));
                    self.fault("FAT sector", place);
                }
            }
        }
    }

    fn offset_of(&self, sector: u32) -> u64 {
        u64::from(sector).saturating_add(1).saturating_mul(self.sector as u64)
    }

    fn fault(&mut self, what: &'static str, sector: u32) {
        self.faults.push(FormatError::Value {
            what,
            offset: self.offset_of(sector),
            value: sector.into(),
            problem: "the chain does not end in the file as a chain should: it is broken off or runs in a circle",
        });
    }

    /// The sectors of a chain, as far as it can be followed.
    fn chain(&mut self, start: u32, what: &'static str) -> Vec<u32> {
        let (mut sectors, mut number) = (Vec::new(), start);
        for _ in 0..self.sectors() {
            if self.sector_bytes(number).is_none() {
                break;
            }
            sectors.push(number);
            let next = usize::try_from(number).ok().and_then(|n| self.fat.get(n));
            number = next.copied().unwrap_or(u32::MAX);
        }
        // What is not there at all has a mark of its own kind as its start.
        let ended = number == END_OF_CHAIN || (sectors.is_empty() && number >= MAX_SECTOR);
        if !ended {
            self.fault(what, sectors.last().copied().unwrap_or(number));
        }
        sectors
    }

    fn content(&self, chain: &[u32]) -> Vec<u8> {
        chain.iter().filter_map(|number| self.sector_bytes(*number)).collect::<Vec<_>>().concat()
    }

    fn read_directory(&mut self, chain: &[u32]) {
        let version3 = self.sector == 512;
        let (mut used, mut named) = (Vec::new(), Vec::new());
        for number in chain {
            let sector = self.sector_bytes(*number).unwrap_or_default();
            for (entry, place) in sector.chunks_exact(128).zip(0u64..) {
                let units = usize::from(u16_at(entry, 64).unwrap_or(0)).clamp(2, 64);
                let name = text::from_utf16le_until_nul(entry.get(..units).unwrap_or_default());
                let start = u32_at(entry, 116).unwrap_or(u32::MAX);
                let size = u64_at(entry, 120).unwrap_or(0);
                // Version 3 leaves rubbish in the upper half.
                let size = if version3 { size & 0xffff_ffff } else { size };
                let kind = u8_at(entry, 66).unwrap_or(0);
                let offset = self.offset_of(*number).saturating_add(place.saturating_mul(128));
                used.push(kind != 0);
                if matches!(kind, 1 | 2 | 5) {
                    let links = [68, 72, 76].into_iter().filter_map(|at| u32_at(entry, at));
                    named.extend(links.filter(|link| *link != NO_ENTRY).map(|link| (offset, link)));
                }
                match kind {
                    0 | 1 => {}
                    5 if self.mini_stream.is_empty() => {
                        let chain = self.chain(start, "mini stream");
                        self.mini_stream = self.content(&chain);
                        let len = usize::try_from(size).unwrap_or(usize::MAX);
                        self.mini_stream.truncate(len);
                    }
                    2 => self.streams.push(Stream { name, size, start }),
                    kind => self.faults.push(FormatError::Value {
                        what: "directory entry",
                        offset,
                        value: kind.into(),
                        problem: "kinds 0, 1 and 2 are known, and 5 once",
                    }),
                }
            }
        }
        let is_used = |link: u32| usize::try_from(link).ok().and_then(|link| used.get(link)) == Some(&true);
        for (offset, link) in named.into_iter().filter(|(_, link)| !is_used(*link)) {
            let problem = "it names an entry that is not in use";
            self.faults.push(FormatError::Value { what: "directory entry", offset, value: link.into(), problem });
        }
    }

    /// The content of a stream, as far as it is there, and the fault if it is not whole.
    pub fn read(&self, stream: &Stream) -> (Vec<u8>, Option<FormatError>) {
        let mini = stream.size < self.mini_cutoff;
        let (size, table) = if mini { (self.mini_sector, &self.mini_fat) } else { (self.sector, &self.fat) };
        let len = usize::try_from(stream.size).unwrap_or(usize::MAX);
        let rounds = self.data.len().checked_div(size).unwrap_or(0);
        let (mut bytes, mut number) = (Vec::new(), stream.start);
        for _ in 0..rounds {
            if bytes.len() >= len || number >= MAX_SECTOR {
                break;
            }
            let part = if mini {
                let start = usize::try_from(number).unwrap_or(usize::MAX).saturating_mul(size);
                let end = start.saturating_add(size).min(self.mini_stream.len());
                self.mini_stream.get(start..end)
            } else {
                self.sector_bytes(number)
            };
            let Some(part) = part.filter(|p| !p.is_empty()) else { break };
            bytes.extend_from_slice(part);
            let next = usize::try_from(number).ok().and_then(|n| table.get(n));
            number = next.copied().unwrap_or(u32::MAX);
        }
        bytes.truncate(len);
        let fault = (bytes.len() < len).then(|| FormatError::Other {
            what: "stream of a compound file",
            offset: 0,
            problem: format!("{} has {} of its {len} bytes", stream.name, bytes.len()),
        });
        (bytes, fault)
    }

    /// The stream of that name.
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|s| s.name == name)
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `testdata/make/jump_lists.py`; olefile 0.47 reads the same streams.
    const FILE: &[u8] = include_bytes!("../../../testdata/artifacts/jump_lists/version4.automaticDestinations-ms");

    #[test]
    fn streams_of_both_sizes() {
        let file = CompoundFile::open(FILE).unwrap();
        assert_eq!(file.faults, []);
        let names: Vec<_> = file.streams.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["DestList", "1", "2", "7"]);
        for stream in &file.streams {
            let (bytes, fault) = file.read(stream);
            assert_eq!((bytes.len() as u64, fault), (stream.size, None), "{}", stream.name);
        }
        // Stream 2 has arguments that put it past the mini stream.
        let (long, _) = file.read(file.stream("2").unwrap());
        assert!(long.len() > 4096 && long.starts_with(&[0x4c, 0, 0, 0]));
    }

    /// A sector of the directory that was written over lists no streams, which is told.
    #[test]
    fn an_entry_of_no_known_kind_is_told() {
        let mut bytes = FILE.to_vec();
        let entry = bytes.windows(4).rposition(|name| name == b"7\0\0\0").unwrap();
        bytes[entry..entry + 128].fill(b' ');
        let file = CompoundFile::open(&bytes).unwrap();
        assert_eq!(file.streams.len(), 3);
        assert_eq!(file.faults.iter().map(FormatError::offset).collect::<Vec<_>>(), [entry as u64]);
    }

    /// Zeros look like entries that are not in use, but the tree knows better.
    #[test]
    fn an_entry_that_is_gone_is_told() {
        let mut bytes = FILE.to_vec();
        let entry = bytes.windows(4).rposition(|name| name == b"7\0\0\0").unwrap();
        bytes[entry..entry + 128].fill(0);
        let file = CompoundFile::open(&bytes).unwrap();
        assert_eq!((file.streams.len(), file.faults.len()), (3, 1), "{:?}", file.faults);
    }

    /// The mark of a free sector is no end of a chain.
    #[test]
    fn a_chain_that_is_broken_off_is_told() {
        let mut bytes = FILE.to_vec();
        let fat = (usize::try_from(u32_at(&bytes, 76).unwrap()).unwrap() + 1) * 512;
        let directory = usize::try_from(u32_at(&bytes, 48).unwrap()).unwrap();
        bytes[fat + 4 * directory..][..4].fill(0xff);
        let file = CompoundFile::open(&bytes).unwrap();
        assert!(file.streams.len() < 4);
        // The chain, and an entry that the tree names behind its end.
        assert_eq!(file.faults.len(), 2, "{:?}", file.faults);
    }

    #[test]
    fn circles_and_lies_end() {
        let mut bytes = FILE.to_vec();
        // The first FAT sector: every sector follows itself.
        let fat = (usize::try_from(u32_at(&bytes, 76).unwrap()).unwrap() + 1) * 512;
        for (at, word) in bytes[fat..fat + 512].chunks_exact_mut(4).enumerate() {
            word.copy_from_slice(&(at as u32).to_le_bytes());
        }
        let file = CompoundFile::open(&bytes).unwrap();
        assert!(!file.faults.is_empty());
        assert!(file.mini_stream.len() <= bytes.len());
        file.streams.iter().for_each(|s| assert!(file.read(s).0.len() <= bytes.len()));
    }

    #[test]
    fn damage_does_no_harm() {
        let mut seed = 11u64;
        for _ in 0..1500 {
            let mut bytes = FILE.to_vec();
            for _ in 0..6 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = 8 + (seed >> 33) as usize % (bytes.len() - 8);
                bytes[at] = (seed >> 20) as u8;
            }
            if seed & 1 == 0 {
                bytes.truncate((seed >> 40) as usize % bytes.len());
            }
            if let Ok(file) = CompoundFile::open(&bytes) {
                file.streams.iter().for_each(|s| assert!(file.read(s).0.len() <= bytes.len()));
            }
        }
    }
}
