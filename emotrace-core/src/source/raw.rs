//! Raw images: the disk's bytes as they are, in one file or cut into parts.
//!
//! The parts of a cut image are of one size but for the last. That makes it possible to keep every byte at its place
//! when a part is missing, or shorter than its neighbours: the hole is filled with zeros and named as a gap.

use std::io;
use std::path::Path;

use super::file::EvidenceFile;
use super::gaps::{Gap, GapList, GapReason};
use crate::bytes::{ReadAt, read_up_to};

/// What can't be read is narrowed down to blocks of this size, the sector size of today's disks.
const BLOCK: u64 = 4096;

/// A raw image.
#[derive(Debug)]
pub(super) struct RawImage {
    /// By place, without holes between them.
    parts: Vec<Part>,
    len: u64,
    gaps: GapList,
}

#[derive(Debug)]
struct Part {
    /// First byte on the media.
    start: u64,
    /// Length on the media; the file may be shorter.
    len: u64,
    /// `None` for a part that is not there.
    file: Option<EvidenceFile>,
}

impl RawImage {
    /// From its parts with their numbers, in order. Also says in words what it had to assume.
    pub(super) fn new(files: Vec<(u64, EvidenceFile)>) -> (Self, Vec<String>) {
        let mut notes = Vec::new();
        let last = files.last().map_or(0, |(number, _)| *number);
        // Every part but the last has the full size, so the largest of them is the full size.
        let full = files.iter().filter(|(number, _)| *number < last).map(|(_, f)| f.len()).max();
        let full = full.or(files.first().map(|(_, f)| f.len())).unwrap_or(0);
        let several_full = files.iter().filter(|(number, f)| *number < last && f.len() == full).count() > 1;
        let mut image = Self { parts: Vec::new(), len: 0, gaps: GapList::default() };
        let mut next = 0;
        for (number, file) in files {
            while next < number {
                notes.push(format!(
                    "part {} of the split image is missing; it is taken to be {full} bytes long, like its neighbours",
                    next.saturating_add(1)
                ));
                image.push(full, None);
                next = next.saturating_add(1);
            }
            let have = file.len();
            let cut = number < last && have < full && several_full;
            if cut {
                notes.push(format!("{} is shorter than the other parts ({have} of {full} bytes)", file.name()));
            } else if have > full {
                notes.push(format!("{} is longer than the parts before it", file.name()));
            } else if number < last && have < full {
                notes.push(format!("{} is shorter than other parts; it is taken as it is", file.name()));
            }
            image.push(if cut { full } else { have }, Some(file));
            next = next.saturating_add(1);
        }
        (image, notes)
    }

    fn push(&mut self, len: u64, file: Option<EvidenceFile>) {
        let start = self.len;
        let have = file.as_ref().map_or(0, ReadAt::len).min(len);
        let reason = if file.is_some() { GapReason::FileCut } else { GapReason::MissingSegment };
        self.gaps.add(start.saturating_add(have), len.saturating_sub(have), reason);
        self.len = start.saturating_add(len);
        self.parts.push(Part { start, len, file });
    }

    /// Leaves bytes at the end out: they are no part of the media.
    pub(super) fn shorten(&mut self, by: u64) {
        self.len = self.len.saturating_sub(by);
    }

    /// The last sector, if there is more than that.
    pub(super) fn last_sector(&self) -> Option<[u8; 512]> {
        let mut sector = [0; 512];
        let start = self.len.checked_sub(512).filter(|start| *start > 0)?;
        (self.fill(start, &mut sector) == sector.len()).then_some(sector)
    }

    pub(super) fn gaps(&self) -> Vec<Gap> {
        self.gaps.list()
    }

    pub(super) fn add_gaps(&self, gaps: &[Gap]) {
        gaps.iter().for_each(|gap| self.gaps.add(gap.start, gap.len, gap.reason));
    }

    pub(super) fn paths(&self) -> Vec<&Path> {
        self.parts.iter().filter_map(|part| part.file.as_ref()).map(EvidenceFile::path).collect()
    }

    pub(super) fn fill(&self, offset: u64, buf: &mut [u8]) -> usize {
        let mut done = 0usize;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let n = self.read_part(offset.saturating_add(done as u64), rest);
            if n == 0 {
                break;
            }
            done = done.saturating_add(n);
        }
        done
    }

    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Reads within one part.
    fn read_part(&self, offset: u64, buf: &mut [u8]) -> usize {
        let behind = self.parts.partition_point(|p| p.start <= offset);
        let Some(part) = behind.checked_sub(1).and_then(|i| self.parts.get(i)) else { return 0 };
        let within = offset.saturating_sub(part.start);
        let left = part.len.saturating_sub(within).min(self.len.saturating_sub(offset));
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let n = left.min(buf.len());
        let Some(buf) = buf.get_mut(..n) else { return 0 };
        let filled = match &part.file {
            None => Ok(0),
            Some(file) => read_up_to(file, within, buf),
        };
        match (filled, &part.file) {
            (Ok(filled), file) => {
                if let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                    rest.fill(0);
                    // Of a part that is there, the missing rest is known from its length, unless the file was cut after
                    // it was opened. A range that is known already is not added again.
                    let reason = if file.is_some() { GapReason::FileCut } else { GapReason::MissingSegment };
                    self.gaps.add(offset.saturating_add(filled as u64), rest.len() as u64, reason);
                }
            }
            (Err(_), Some(file)) => self.read_blocks(file, within, offset, buf),
            (Err(_), None) => {}
        }
        n
    }

    /// Reads block by block what could not be read at once; blocks that fail a second time become zeros and a gap.
    fn read_blocks(&self, file: &EvidenceFile, within: u64, offset: u64, buf: &mut [u8]) {
        let mut done = 0usize;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let place = within.saturating_add(done as u64);
            // Blocks lie on one grid, so the gap does not depend on how the caller cut its reads.
            let to_grid = BLOCK.saturating_sub(place.checked_rem(BLOCK).unwrap_or(0));
            let n = usize::try_from(to_grid).unwrap_or(usize::MAX).min(rest.len());
            let Some(block) = rest.get_mut(..n) else { return };
            let failed = match read_up_to(file, place, block) {
                Ok(filled) => filled < n,
                Err(_) => true,
            };
            if failed {
                block.fill(0);
                let back = BLOCK.saturating_sub(to_grid);
                let start = offset.saturating_add(done as u64).saturating_sub(back);
                let len = BLOCK.min(file.len().saturating_sub(place.saturating_sub(back)));
                self.gaps.add(start, len, GapReason::ReadError);
            }
            done = done.saturating_add(n);
        }
    }
}

impl ReadAt for RawImage {
    fn len(&self) -> u64 {
        self.len
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.fill(offset, buf))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn image(sizes: &[(u64, usize)]) -> (tempfile::TempDir, RawImage, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let files = sizes
            .iter()
            .map(|(number, size)| {
                let path = folder.path().join(format!("d.{number:03}"));
                fs::write(&path, vec![u8::try_from(*number).unwrap() + 1; *size]).unwrap();
                (*number, EvidenceFile::open(&path).unwrap())
            })
            .collect();
        let (image, notes) = RawImage::new(files);
        (folder, image, notes)
    }

    fn all(image: &RawImage) -> Vec<u8> {
        let mut bytes = vec![0xee; usize::try_from(image.len()).unwrap() + 10];
        let n = RawImage::fill(image, 0, &mut bytes);
        bytes.truncate(n);
        bytes
    }

    #[test]
    fn parts_follow_each_other() {
        let (_folder, image, notes) = image(&[(0, 100), (1, 100), (2, 30)]);
        assert_eq!(all(&image), [vec![1; 100], vec![2; 100], vec![3; 30]].concat());
        assert_eq!((image.gaps(), notes.len()), (vec![], 0));
        let mut over = [0; 20];
        assert_eq!(RawImage::fill(&image, 95, &mut over), 20);
        assert_eq!(over, [[1; 5].as_slice(), &[2; 15]].concat()[..]);
    }

    #[test]
    fn a_missing_part_keeps_the_others_in_place() {
        let (_folder, image, notes) = image(&[(0, 100), (2, 100), (3, 30)]);
        assert_eq!(all(&image), [vec![1; 100], vec![0; 100], vec![3; 100], vec![4; 30]].concat());
        assert_eq!(image.gaps(), [Gap { start: 100, len: 100, reason: GapReason::MissingSegment }]);
        assert_eq!(notes.len(), 1);
    }

    #[test]
    fn a_cut_part_keeps_the_others_in_place() {
        let (_folder, image, _) = image(&[(0, 100), (1, 60), (2, 100), (3, 5)]);
        assert_eq!(all(&image), [vec![1; 100], vec![2; 60], vec![0; 40], vec![3; 100], vec![4; 5]].concat());
        assert_eq!(image.gaps(), [Gap { start: 160, len: 40, reason: GapReason::FileCut }]);
    }

    /// Linux gives an I/O error for address 0 of a process' memory, which is never mapped.
    #[cfg(target_os = "linux")]
    #[test]
    fn an_unreadable_block_is_zeros_and_a_gap() {
        let file = EvidenceFile::claiming(Path::new("/proc/self/mem"), 10_000);
        let (image, _) = RawImage::new(vec![(0, file)]);
        let mut some = [1; 100];
        assert_eq!(RawImage::fill(&image, 5000, &mut some), 100);
        assert_eq!(some, [0; 100]);
        assert_eq!(image.gaps(), [Gap { start: 4096, len: 4096, reason: GapReason::ReadError }]);
        assert_eq!(all(&image), vec![0; 10_000]);
        assert_eq!(image.gaps(), [Gap { start: 0, len: 10_000, reason: GapReason::ReadError }]);
    }
}
