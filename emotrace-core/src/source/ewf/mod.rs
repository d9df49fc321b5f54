//! EWF1 images (Expert Witness Compression Format): EnCase, FTK Imager, linen, SMART, Guymager, libewf.
//!
//! The files give chunks of the media in order; a chunk is a zlib stream, or plain bytes with their Adler-32. Every
//! checksum is checked. A chunk that fails is zeros and a gap. See `section.rs` for the layout of a file, `chunks.rs` for
//! how chunks are found and numbered, `set.rs` for which files belong together.

mod chunks;
mod header;
mod section;
mod set;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::{Decompress, FlushDecompress, Status};

use super::cache::ChunkCache;
use super::file::EvidenceFile;
use super::gaps::{Gap, GapList, GapReason};
use super::{
    Acquisition, Algorithm, LeftOut, MediaRange, Segment, Session, SourceError, SourceFacts, SourceIssue, SourceKind,
    SourceLimits, StoredHash,
};
use crate::bytes::{FormatError, ReadAt, read_up_to};
use chunks::{ChunkMap, Piece, Stored, longest_stored};
use section::{Ending, Hashes, Kind, Media};
pub(super) use set::segment_number;

/// Missing segments are listed one by one up to this many in a row.
const MOST_MISSING_LISTED: usize = 100;

/// Header and hash sections are read up to this many of a kind in a file; writers make two at most.
const MOST_COPIES: usize = 16;

/// An EWF1 image.
#[derive(Debug)]
pub(super) struct EwfImage {
    files: Vec<EvidenceFile>,
    /// Bytes in a chunk; never 0.
    chunk_size: u64,
    len: u64,
    map: ChunkMap,
    gaps: GapList,
    cache: ChunkCache,
    /// Buffers for inflating, as many as there were threads at once.
    scratch: Mutex<Vec<Scratch>>,
}

/// What inflating needs besides the two buffers' content.
struct Scratch {
    stored: Vec<u8>,
    zlib: Decompress,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scratch")
    }
}

impl EwfImage {
    /// Opens an image from segment files with their numbers.
    pub(super) fn open(
        files: Vec<(u64, EvidenceFile)>,
        left_out: Vec<LeftOut>,
        limits: &SourceLimits,
    ) -> Result<(Self, SourceFacts), SourceError> {
        let mut set = set::choose(files)?;
        set.left_out.splice(0..0, left_out);
        let Some(media) = set.segments.iter().find_map(|s| s.media.clone()) else {
            let path = set.segments.first().map(|s| s.file.path().to_owned()).unwrap_or_default();
            let problem = "no whole volume section is in any of the files, so the size of its chunks is not known; \
                           give the first segment too"
                .to_owned();
            return Err(SourceError::Ewf { path, problem });
        };
        let chunk_size = media.chunk_size();
        if chunk_size > limits.chunk_size {
            let path = set.segments.first().map(|s| s.file.path().to_owned()).unwrap_or_default();
            return Err(SourceError::ChunkSize { path, value: chunk_size, limit: limits.chunk_size });
        }
        let mut facts = SourceFacts::new(SourceKind::Ewf, 0);
        facts.left_out = std::mem::take(&mut set.left_out);
        describe(&media, &mut facts);
        for segment in &set.segments {
            read_facts(segment, &media, &mut facts);
        }
        let pieces = find_chunks(&set.segments, chunk_size, &mut facts);
        let total = total_chunks(&media, chunk_size, &mut facts.issues);
        let map = ChunkMap::number(pieces, total);
        if map.unplaced > 0 {
            issue(
                &mut facts,
                format!(
                    "{} chunks were found whose place on the disk is not known, as segments before and behind them are \
                     missing",
                    map.unplaced
                ),
            );
        }
        let all = map.total.saturating_mul(chunk_size);
        let bytes = media.sectors.saturating_mul(media.bytes_per_sector.into());
        let len = if bytes > 0 && bytes.div_ceil(chunk_size) == map.total { bytes } else { all };
        let stored = map.runs.last().map_or(0, |(first, run)| first.saturating_add(run.count()));
        if stored > map.total {
            issue(
                &mut facts,
                format!(
                    "the tables name {stored} chunks, the volume section {}; those behind its end are left out",
                    map.total
                ),
            );
        }
        let mut image = Self {
            files: set.segments.into_iter().map(|s| s.file).collect(),
            chunk_size,
            len,
            map,
            gaps: GapList::default(),
            cache: ChunkCache::new(limits.cache),
            scratch: Mutex::default(),
        };
        if let Some(held) = image.last_chunk_len() {
            let before = image.map.total.saturating_sub(1).saturating_mul(chunk_size);
            let expected = len.saturating_sub(before);
            if media.sectors == 0 {
                image.len = before.saturating_add(held);
            } else if held > expected && held < chunk_size {
                issue(
                    &mut facts,
                    format!(
                        "the last chunk holds {} bytes more than the media has sectors for; the stored hashes may cover \
                         them, and then differ from those of the media",
                        held.saturating_sub(expected)
                    ),
                );
            }
        }
        image.note_known_gaps();
        facts.size = image.len;
        facts.tail = image.len % 512;
        Ok((image, facts))
    }

    pub(super) fn paths(&self) -> Vec<&Path> {
        self.files.iter().map(EvidenceFile::path).collect()
    }

    pub(super) fn add_gaps(&self, gaps: &[Gap]) {
        gaps.iter().for_each(|gap| self.gaps.add(gap.start, gap.len, gap.reason));
    }

    pub(super) fn gaps(&self) -> Vec<Gap> {
        self.gaps.list()
    }

    /// How many bytes the last chunk holds. Some writers pad it to the full size; ewfacquire keeps, and hashes, the end of
    /// an input that is no whole number of sectors, but does not count it in the size of the media.
    fn last_chunk_len(&self) -> Option<u64> {
        let (file, stored) = self.map.find(self.map.total.checked_sub(1)?)?;
        if !stored.compressed {
            return Some(stored.len.saturating_sub(4).min(self.chunk_size));
        }
        let mut data = vec![0; usize::try_from(self.chunk_size).ok()?];
        let mut scratch = self.take_scratch();
        let read = self.load(file, stored, longest_stored(data.len()), &mut scratch);
        let len = read.ok().and_then(|()| inflate(&mut scratch, &mut data));
        self.give_back(scratch);
        Some(len? as u64)
    }

    /// Gaps that are known without reading a chunk: holes in the numbering and chunks behind the end of their file.
    fn note_known_gaps(&self) {
        for &(first, count, reason) in &self.map.holes {
            self.add_gap(first, count, reason);
        }
        for (first, run) in &self.map.runs {
            let Some(file) = self.files.get(run.file) else { continue };
            let file_len = file.len();
            for number in 0..run.count() {
                let cut = run.stored(number).is_none_or(|s| {
                    // An uncompressed chunk needs its length; of a compressed one the true length is not known here.
                    s.offset >= file_len || (!s.compressed && s.offset.saturating_add(s.len) > file_len)
                });
                if cut {
                    self.add_gap(first.saturating_add(number), 1, GapReason::FileCut);
                }
            }
        }
    }

    fn add_gap(&self, first: u64, count: u64, reason: GapReason) {
        let start = first.saturating_mul(self.chunk_size);
        let len = count.saturating_mul(self.chunk_size).min(self.len.saturating_sub(start));
        self.gaps.add(start, len, reason);
    }

    /// Fills a buffer; fewer bytes only at the end of the media.
    pub(super) fn fill(&self, offset: u64, buf: &mut [u8]) -> usize {
        let mut done = 0usize;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let place = offset.saturating_add(done as u64);
            let left = self.len.saturating_sub(place);
            let (Some(chunk), Some(within)) = (place.checked_div(self.chunk_size), place.checked_rem(self.chunk_size))
            else {
                break;
            };
            let n = self.chunk_size.saturating_sub(within).min(left).min(rest.len() as u64);
            let n = usize::try_from(n).unwrap_or(usize::MAX);
            let Some(part) = rest.get_mut(..n).filter(|part| !part.is_empty()) else { break };
            self.fill_from_chunk(chunk, usize::try_from(within).unwrap_or(usize::MAX), part);
            done = done.saturating_add(n);
        }
        done
    }

    fn fill_from_chunk(&self, chunk: u64, within: usize, part: &mut [u8]) {
        if self.gaps.contains(chunk.saturating_mul(self.chunk_size)) {
            part.fill(0);
            return;
        }
        let len = self.chunk_len(chunk);
        let data = match self.cache.get(chunk) {
            Some(data) => data,
            // A whole chunk goes straight to the caller: who reads from end to end does not come back for it.
            None if within == 0 && part.len() == len => {
                self.read_chunk(chunk, part);
                return;
            }
            None => {
                let mut data = vec![0; len];
                if !self.read_chunk(chunk, &mut data) {
                    part.fill(0);
                    return;
                }
                let data = Arc::from(data);
                self.cache.put(chunk, &data);
                data
            }
        };
        match data.get(within..within.saturating_add(part.len())) {
            Some(bytes) => part.copy_from_slice(bytes),
            None => part.fill(0),
        }
    }

    /// Bytes of a chunk: all have the full size but the last.
    fn chunk_len(&self, chunk: u64) -> usize {
        let left = self.len.saturating_sub(chunk.saturating_mul(self.chunk_size));
        usize::try_from(left.min(self.chunk_size)).unwrap_or(usize::MAX)
    }

    /// Reads a chunk into a buffer of its length. If it can't be read, the buffer is zeros and the gap is noted.
    fn read_chunk(&self, chunk: u64, data: &mut [u8]) -> bool {
        let mut scratch = self.take_scratch();
        let read = match self.map.find(chunk) {
            Some((file, stored)) => self.decode(file, stored, data, &mut scratch),
            None => Err(GapReason::NoTable),
        };
        self.give_back(scratch);
        if let Err(reason) = read {
            data.fill(0);
            self.add_gap(chunk, 1, reason);
        }
        read.is_ok()
    }

    fn decode(&self, file: usize, stored: Stored, data: &mut [u8], scratch: &mut Scratch) -> Result<(), GapReason> {
        let full = usize::try_from(self.chunk_size).unwrap_or(usize::MAX);
        if stored.compressed {
            self.load(file, stored, longest_stored(full), scratch)?;
            let len = if data.len() == full {
                inflate(scratch, data)
            } else {
                // The last chunk of the media may hold more than the media (see `last_chunk_len`).
                let mut whole = vec![0; full];
                let len = inflate(scratch, &mut whole);
                data.copy_from_slice(whole.get(..data.len()).unwrap_or_default());
                len.map(|len| if len > data.len() { data.len() } else { len })
            };
            return if len == Some(data.len()) { Ok(()) } else { Err(self.why(file, stored)) };
        }
        let mut len = data.len();
        if len < full {
            let held = usize::try_from(stored.len.saturating_sub(4)).unwrap_or(usize::MAX);
            len = held.clamp(len, full);
        }
        self.load(file, stored, len.saturating_add(4), scratch)?;
        let (content, rest) = scratch.stored.split_at_checked(len).ok_or(self.why(file, stored))?;
        let checksum = rest.first_chunk::<4>().ok_or(self.why(file, stored))?;
        if adler2::adler32_slice(content) != u32::from_le_bytes(*checksum) {
            return Err(GapReason::BadChunk);
        }
        data.copy_from_slice(content.get(..data.len()).ok_or(GapReason::BadChunk)?);
        Ok(())
    }

    /// A damaged chunk at the end of a cut file is cut.
    fn why(&self, file: usize, stored: Stored) -> GapReason {
        let file_len = self.files.get(file).map_or(0, ReadAt::len);
        if stored.offset.saturating_add(stored.len) > file_len { GapReason::FileCut } else { GapReason::BadChunk }
    }

    /// Reads the stored bytes of a chunk.
    fn load(&self, file: usize, stored: Stored, most: usize, scratch: &mut Scratch) -> Result<(), GapReason> {
        let file = self.files.get(file).ok_or(GapReason::MissingSegment)?;
        let len = usize::try_from(stored.len).unwrap_or(usize::MAX).min(most);
        scratch.stored.resize(len, 0);
        // A read error is tried once more: on a failing disk or a network share the second read often succeeds.
        let read = read_up_to(file, stored.offset, &mut scratch.stored)
            .or_else(|_| read_up_to(file, stored.offset, &mut scratch.stored));
        scratch.stored.truncate(read.map_err(|_| GapReason::ReadError)?);
        Ok(())
    }

    fn take_scratch(&self) -> Scratch {
        let mut pool = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        pool.pop().unwrap_or_else(|| Scratch { stored: Vec::new(), zlib: Decompress::new(true) })
    }

    fn give_back(&self, scratch: Scratch) {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }
}

/// Inflates a stored chunk and gives its length; `None` if it is damaged or does not fit.
fn inflate(scratch: &mut Scratch, data: &mut [u8]) -> Option<usize> {
    scratch.zlib.reset(true);
    match scratch.zlib.decompress(&scratch.stored, data, FlushDecompress::Finish) {
        Ok(Status::StreamEnd) => usize::try_from(scratch.zlib.total_out()).ok(),
        _ => None,
    }
}

/// How many chunks the media has, if the volume section says it.
fn total_chunks(media: &Media, chunk_size: u64, issues: &mut Vec<SourceIssue>) -> Option<u64> {
    let bytes = media.sectors.saturating_mul(media.bytes_per_sector.into());
    let by_size = bytes.div_ceil(chunk_size.max(1));
    let by_count = u64::from(media.chunks);
    // The count has 32 bits, so no media needs more.
    if by_size > u64::from(u32::MAX) {
        let error = format!("the volume section claims {} sectors, more than its chunks can hold", media.sectors);
        issues.push(SourceIssue { file: None, offset: None, error });
        return (by_count > 0).then_some(by_count);
    }
    if by_size > 0 && by_count > 0 && by_size != by_count {
        let error = format!("the volume section names {by_count} chunks, but {by_size} for its sectors");
        issues.push(SourceIssue { file: None, offset: None, error });
    }
    [by_size, by_count].into_iter().find(|n| *n > 0)
}

/// The chunks of all segments in order, with holes where segments are missing.
fn find_chunks(segments: &[set::Segment], chunk_size: u64, facts: &mut SourceFacts) -> Vec<Piece> {
    let chunk_len = usize::try_from(chunk_size).unwrap_or(usize::MAX);
    let mut pieces = Vec::new();
    let mut next = 1;
    for (index, segment) in segments.iter().enumerate() {
        if next < segment.number {
            pieces.push(Piece::Hole { count: None, reason: GapReason::MissingSegment });
            let last = segment.number.saturating_sub(1);
            let which =
                if next == last { format!("segment {next} is") } else { format!("segments {next} to {last} are") };
            issue(facts, format!("{which} missing"));
            // A damaged number may stand for thousands; the issue names them all.
            let listed = (next..segment.number).take(MOST_MISSING_LISTED);
            facts.segments.extend(listed.map(|number| Segment { number, name: None, size: None }));
        }
        next = segment.number.saturating_add(1);
        let (file, name) = (&segment.file, segment.file.name());
        facts.segments.push(Segment { number: segment.number, name: Some(name.clone()), size: Some(file.len()) });
        let found = chunks::find(file, index, &segment.sections, chunk_len);
        if segment.first_by_content {
            let error =
                "the file's header does not say that it is segment 1, but only the first holds headers".to_owned();
            facts.issues.push(SourceIssue { file: Some(name.clone()), offset: Some(9), error });
        }
        for (offset, error) in segment.sections.notes.iter().cloned().chain(found.notes) {
            facts.issues.push(SourceIssue { file: Some(name.clone()), offset: Some(offset), error });
        }
        pieces.extend(found.pieces);
        let last = index.saturating_add(1) == segments.len();
        match segment.sections.ending {
            Ending::Cut => {
                let error = "the file ends before its last section: it is cut or damaged".to_owned();
                facts.issues.push(SourceIssue { file: Some(name), offset: Some(file.len()), error });
                pieces.push(Piece::Hole { count: None, reason: GapReason::FileCut });
            }
            Ending::Next if last => {
                issue(facts, format!("segment {next} and perhaps others behind it are missing"));
                facts.segments.push(Segment { number: next, name: None, size: None });
                pieces.push(Piece::Hole { count: None, reason: GapReason::MissingSegment });
            }
            Ending::Done if !last => {
                let error = "the file says that it is the last of its set, but others follow".to_owned();
                facts.issues.push(SourceIssue { file: Some(name), offset: None, error });
            }
            _ => {}
        }
    }
    pieces
}

fn issue(facts: &mut SourceFacts, error: String) {
    facts.issues.push(SourceIssue { file: None, offset: None, error });
}

fn describe(media: &Media, facts: &mut SourceFacts) {
    facts.sector_size = Some(media.bytes_per_sector);
    facts.chunk_size = u32::try_from(media.chunk_size()).ok();
    facts.set.clone_from(&media.set);
    facts.media = match media.kind {
        Some(0) => Some("removable"),
        Some(1) => Some("fixed"),
        Some(3) => Some("optical"),
        Some(0x10) => Some("memory"),
        _ => None,
    };
    facts.physical = media.flags.map(|flags| flags & 2 != 0);
}

/// What one segment says about the image besides its chunks.
fn read_facts(segment: &set::Segment, media: &Media, facts: &mut SourceFacts) {
    let name = segment.file.name();
    let mut problems: Vec<FormatError> = Vec::new();
    // Unicode before one-byte text: what is read first is kept.
    for kind in [Kind::Header2, Kind::XHeader, Kind::Header] {
        for section in segment.sections.of(kind).take(MOST_COPIES) {
            let mut read = Acquisition::clone(&facts.acquisition);
            let result = section.content(&segment.file).and_then(|bytes| match kind {
                Kind::Header2 => header::read_header2(&bytes, section.offset, &mut read),
                Kind::XHeader => header::read_xheader(&bytes, section.offset, &mut read),
                _ => header::read_header(&bytes, section.offset, &mut read),
            });
            match result {
                Ok(()) => facts.acquisition = read,
                Err(problem) => problems.push(problem),
            }
        }
    }
    for section in segment.sections.of(Kind::Media) {
        let parsed = section.content(&segment.file).and_then(|bytes| Media::parse(&bytes, section.offset));
        problems.extend(parsed.err());
    }
    for (kind, label) in [(Kind::Hash, "hash"), (Kind::Digest, "digest"), (Kind::XHash, "xhash")] {
        for section in segment.sections.of(kind).take(MOST_COPIES) {
            let parsed = section.content(&segment.file).and_then(|bytes| match kind {
                Kind::Hash => Hashes::parse_hash(&bytes, section.offset),
                Kind::Digest => Hashes::parse_digest(&bytes, section.offset),
                _ => header::read_xhash(&bytes, section.offset),
            });
            match parsed {
                Ok(hashes) => keep_hashes(hashes, label, &mut facts.stored_hashes),
                Err(problem) => problems.push(problem),
            }
        }
    }
    for section in segment.sections.of(Kind::Error2) {
        match section.content(&segment.file).and_then(|bytes| section::parse_errors(&bytes, section.offset)) {
            Ok(ranges) => {
                let sector = u64::from(media.bytes_per_sector);
                facts.unread_at_acquisition.extend(ranges.into_iter().map(|(first, count)| MediaRange {
                    start: first.saturating_mul(sector),
                    len: count.saturating_mul(sector),
                }));
            }
            Err(problem) => problems.push(problem),
        }
    }
    for section in segment.sections.of(Kind::Session) {
        match section.content(&segment.file).and_then(|bytes| section::parse_sessions(&bytes, section.offset)) {
            Ok(tracks) => {
                facts.sessions.extend(tracks.into_iter().map(|(first_sector, audio)| Session { first_sector, audio }))
            }
            Err(problem) => problems.push(problem),
        }
    }
    facts.issues.extend(problems.into_iter().map(|problem| SourceIssue {
        file: Some(name.clone()),
        offset: Some(problem.offset()),
        error: problem.to_string(),
    }));
}

/// A hash that another section repeats is kept once; one that contradicts is kept beside the first.
fn keep_hashes(hashes: Hashes, section: &'static str, stored: &mut Vec<StoredHash>) {
    for (algorithm, value) in [(Algorithm::Md5, hashes.md5), (Algorithm::Sha1, hashes.sha1)] {
        if let Some(value) = value
            && !stored.iter().any(|s| s.algorithm == algorithm && s.value == value)
        {
            stored.push(StoredHash { algorithm, value, section });
        }
    }
}
