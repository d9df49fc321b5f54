//! Which files make up the set: by what stands in them, by their names only where nothing in them tells.

use std::path::PathBuf;

use super::super::file::{EvidenceFile, MAX_OPEN};
use super::super::{LeftOut, SourceError, names};
use super::section::{self, FILE_HEADER, Kind, Media, SIGNATURE, Sections};
use crate::bytes::{ReadAt, read_up_to};

/// One segment file of a set.
#[derive(Debug)]
pub(super) struct Segment {
    /// From 1.
    pub(super) number: u64,
    pub(super) file: EvidenceFile,
    pub(super) sections: Sections,
    /// The first facts of the media in it that are whole and do not contradict themselves.
    pub(super) media: Option<Media>,
    /// True if the number was corrected to 1: header sections stand in the first segment only.
    pub(super) first_by_content: bool,
}

/// The segments of one set, by number, each number once.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) segments: Vec<Segment>,
    pub(super) left_out: Vec<LeftOut>,
}

/// The segment number if the file is an EWF1 segment: by its signature, or, if its first bytes are damaged, by a good
/// section behind them and a name that tells the number.
pub(in super::super) fn segment_number(file: &EvidenceFile) -> Option<u64> {
    let mut header = [0; FILE_HEADER as usize];
    let n = read_up_to(file, 0, &mut header).ok()?;
    if let (true, [.., low, high, _, _]) = (n == header.len() && header.starts_with(SIGNATURE), header) {
        let number = u16::from_le_bytes([low, high]);
        return Some(if number == 0 { names::ewf_number(file.path()).unwrap_or(1) } else { number.into() });
    }
    section::first_section_fits(file).then(|| names::ewf_number(file.path()).unwrap_or(1))
}

impl Segment {
    fn read(mut file: EvidenceFile, number: u64, held: usize) -> Self {
        let sections = Sections::read(&file);
        let facts = |s: &section::Section| Media::parse(&s.content(&file).ok()?, s.offset).ok();
        let whole: Vec<Media> = sections.of(Kind::Media).filter_map(facts).filter(|m| m.chunk_size() > 0).collect();
        let media = whole.iter().find(|m| m.agrees()).or(whole.first()).cloned();
        if held >= MAX_OPEN {
            file.release();
        }
        let headed = [Kind::Header, Kind::Header2].into_iter().any(|kind| sections.of(kind).next().is_some());
        let first_by_content = headed && number != 1;
        Self { number: if headed { 1 } else { number }, file, sections, media, first_by_content }
    }

    /// Whether another file is of the same set; `None` if nothing in them tells.
    fn same_set(&self, other: &Self) -> Option<bool> {
        let (a, b) = (self.media.as_ref()?, other.media.as_ref()?);
        let equal = |a: u64, b: u64| a == b || a == 0 || b == 0;
        let facts = a.sectors_per_chunk == b.sectors_per_chunk
            && a.bytes_per_sector == b.bytes_per_sector
            && equal(a.chunks.into(), b.chunks.into())
            && equal(a.sectors, b.sectors);
        match (&a.set, &b.set) {
            (Some(a), Some(b)) => Some(a == b),
            // Equal facts are no proof: two disks of one size, imaged alike, have them too.
            _ if facts => None,
            _ => Some(false),
        }
    }
}

/// Chooses the segments of the set that the first file belongs to.
pub(super) fn choose(files: Vec<(u64, EvidenceFile)>) -> Result<Set, SourceError> {
    let mut set = Set { segments: Vec::new(), left_out: Vec::new() };
    let segments: Vec<Segment> =
        files.into_iter().enumerate().map(|(held, (number, file))| Segment::read(file, number, held)).collect();
    // The file that was named first says which set is meant. One without facts of its own asks the file with its name.
    let Some(first) = segments.first() else { return Err(SourceError::NoFile) };
    let stem = first.file.path().to_owned();
    let named = |s: &Segment| names::equal_stem(s.file.path(), &stem);
    let reference = match &first.media {
        Some(_) => 0,
        None => segments.iter().position(|s| s.media.is_some() && named(s)).unwrap_or(0),
    };
    let mut verdicts = Vec::new();
    for (i, segment) in segments.iter().enumerate() {
        let same = if i == reference { Some(true) } else { segments.get(reference).and_then(|r| r.same_set(segment)) };
        verdicts.push(same);
    }
    let mut candidates: Vec<(bool, Option<bool>, Segment)> = Vec::new();
    for (segment, same) in segments.into_iter().zip(verdicts) {
        if same == Some(false) {
            set.leave_out(&segment.file, "it is a segment of another image".to_owned());
        } else {
            candidates.push((named(&segment), same, segment));
        }
    }
    // Of two files with one number the proven one is taken, then the one with the right name, then the first by name.
    candidates.sort_by(|(a_named, a_same, a), (b_named, b_same, b)| {
        a.number
            .cmp(&b.number)
            .then(b_same.cmp(a_same))
            .then(b_named.cmp(a_named))
            .then_with(|| a.file.path().cmp(b.file.path()))
    });
    for (_, _, segment) in candidates {
        match set.segments.last() {
            Some(last) if last.number == segment.number => {
                let what = if last.file.len() == segment.file.len() && equal_content(&last.file, &segment.file) {
                    format!("it is a copy of segment {} ({})", segment.number, last.file.name())
                } else {
                    format!("{} is segment {} of this image too", last.file.name(), segment.number)
                };
                set.leave_out(&segment.file, what);
            }
            _ => set.segments.push(segment),
        }
    }
    Ok(set)
}

impl Set {
    fn leave_out(&mut self, file: &EvidenceFile, reason: String) {
        self.left_out.push(LeftOut { file: PathBuf::from(file.path()), reason });
    }
}

/// Compares two files by their first and last parts, enough to call one a copy in a message.
fn equal_content(a: &EvidenceFile, b: &EvidenceFile) -> bool {
    const PART: usize = 64 << 10;
    let part = |file: &EvidenceFile, offset| {
        let mut bytes = vec![0; PART];
        read_up_to(file, offset, &mut bytes).ok().map(|n| {
            bytes.truncate(n);
            bytes
        })
    };
    let end = a.len().saturating_sub(PART as u64);
    part(a, 0) == part(b, 0) && part(a, end) == part(b, end)
}
