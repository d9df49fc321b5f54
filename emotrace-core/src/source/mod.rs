//! Sources: an image of a disk, whole or in parts, seen as one stream of bytes.
//!
//! [`Source::open`] looks at what stands in the files, not at their names alone: raw images (`.dd`, `.raw`, `.img` …),
//! raw images cut into parts (`.001` …, `.aa` …), and EWF1 images in one or many segments (`.E01` …, `.s01` …). Other
//! containers are named in the error, with a way to convert them.
//!
//! Damage does not end a run: what can't be read is zeros, and [`Source::gaps`] says where and why. Evidence is opened
//! read-only and nothing is ever written beside it.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod cache;
mod container;
mod ewf;
mod file;
mod gaps;
mod hash;
mod names;
mod raw;

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use file::{EvidenceFile, folder_names, form};
pub use gaps::{Gap, GapReason};
pub use hash::{Algorithm, Comparison, Digests, HashError, Hasher, Outcome, Verification, hash_all, verify};

use crate::bytes::ReadAt;
use ewf::EwfImage;
use file::MAX_OPEN;
use raw::RawImage;

/// Why evidence can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No path was given.
    #[error("no image file was given")]
    NoFile,
    /// The operating system refuses the file.
    #[error("{}: {error}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its reason.
        #[source]
        error: io::Error,
    },
    /// The path is a folder, a pipe or a device without a length.
    #[error("{} is {what}", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The file has no content.
    #[error("{} is empty: it holds no image", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is a container that is not read here.
    #[error("{} is {what}, which is not read; {advice}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// An EWF image without the facts that its chunks can't be read without.
    #[error("{}: {problem}", path.display())]
    Ewf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// An EWF image whose chunks are too large.
    #[error("{} asks for chunks of {value} bytes; the limit is {limit}, and no writer makes larger ones", path.display())]
    ChunkSize {
        /// The file.
        path: PathBuf,
        /// What it asks for.
        value: u64,
        /// The limit in force.
        limit: u64,
    },
}

impl SourceError {
    /// Why, without the place on the examiner's machine: for what is said of the evidence.
    pub fn reason(&self) -> String {
        match self {
            Self::Open { error, .. } => error.to_string(),
            Self::NotAFile { what, .. } => format!("it is {what}"),
            Self::Empty { .. } => "it is empty".to_owned(),
            other => other.to_string(),
        }
    }
}

/// Limits on what evidence may ask for.
#[derive(Clone, Copy, Debug)]
pub struct SourceLimits {
    /// Bytes in a chunk of an EWF image. EnCase writes 32 KiB by default and 16 MiB at most.
    pub chunk_size: u64,
    /// Bytes that the cache of inflated chunks may hold.
    pub cache: usize,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self { chunk_size: 16 << 20, cache: 64 << 20 }
    }
}

/// How the image is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum SourceKind {
    /// The disk's bytes in one file.
    #[serde(rename = "raw")]
    Raw,
    /// The disk's bytes in several files.
    #[serde(rename = "split raw")]
    SplitRaw,
    /// Expert Witness Compression Format, version 1.
    #[serde(rename = "ewf")]
    Ewf,
}

impl SourceKind {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::SplitRaw => "split raw",
            Self::Ewf => "ewf",
        }
    }
}

/// A file of the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// Its number, from 1.
    pub number: u64,
    /// Its name without its folder; absent if the file is missing.
    pub name: Option<String>,
    /// Its length in bytes; absent if the file is missing.
    pub size: Option<u64>,
}

/// A hash that the image itself carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredHash {
    /// Which hash.
    pub algorithm: Algorithm,
    /// Its value in lower-case hexadecimal digits.
    pub value: String,
    /// The section it stands in: `hash`, `digest` or `xhash`.
    pub section: &'static str,
}

/// What was written down when the image was made. All of it is what a person or a tool typed, not what was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Acquisition {
    /// Case number.
    pub case_number: Option<String>,
    /// Evidence number.
    pub evidence_number: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Examiner.
    pub examiner: Option<String>,
    /// Notes.
    pub notes: Option<String>,
    /// When the image was made: RFC 3339 with `Z` where the image stores seconds in UTC; without a zone where it stores
    /// local time and no zone; other text as it stands.
    pub acquired: Option<String>,
    /// The clock of the machine then, in the same forms.
    pub system_date: Option<String>,
    /// Name of the software.
    pub software: Option<String>,
    /// Version of the software.
    pub software_version: Option<String>,
    /// Operating system it ran on.
    pub operating_system: Option<String>,
    /// Model of the device.
    pub model: Option<String>,
    /// Serial number of the device.
    pub serial_number: Option<String>,
    /// Label of the device.
    pub device_label: Option<String>,
}

/// A range of the media in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MediaRange {
    /// First byte.
    pub start: u64,
    /// Length.
    pub len: u64,
}

/// A track of an optical disc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Its first sector.
    pub first_sector: u64,
    /// True for sound, false for data.
    pub audio: bool,
}

/// A file that was given or found beside the image and is no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The file.
    pub file: PathBuf,
    /// Why.
    pub reason: String,
}

/// Something that is not as it should be. It may or may not cost data; what it costs is in the gaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceIssue {
    /// Name of the file, absent if it is about the set.
    pub file: Option<String>,
    /// Place in the file.
    pub offset: Option<u64>,
    /// What is wrong.
    pub error: String,
}

/// What is known of an image without reading its content. Serialized as it stands into output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceFacts {
    /// How it is stored.
    pub kind: SourceKind,
    /// Its files in order, missing ones too as far as they are known.
    pub segments: Vec<Segment>,
    /// Length of the media in bytes.
    pub size: u64,
    /// Bytes at the end that are no whole sector of 512 bytes: 0 for a disk, something else for an odd file.
    pub tail: u64,
    /// Bytes per sector as the image says; a raw image does not say it.
    pub sector_size: Option<u32>,
    /// Bytes per chunk of an EWF image.
    pub chunk_size: Option<u32>,
    /// Kind of the device as the image says: `fixed`, `removable`, `optical`, `memory`.
    pub media: Option<&'static str>,
    /// True if the image is of a device, false if of one volume; absent if the image does not say.
    pub physical: Option<bool>,
    /// GUID of the set of segment files.
    pub set: Option<String>,
    /// Hashes of the media that the image carries.
    pub stored_hashes: Vec<StoredHash>,
    /// What was written down when the image was made.
    pub acquisition: Acquisition,
    /// What the device refused to give when the image was made; it is zeros in the image and part of its hashes.
    pub unread_at_acquisition: Vec<MediaRange>,
    /// Tracks of an optical disc.
    pub sessions: Vec<Session>,
    /// Files that are no part of the image.
    pub left_out: Vec<LeftOut>,
    /// What is not as it should be.
    pub issues: Vec<SourceIssue>,
}

/// An opened image. Reads by position from any thread; share it in an `Arc`.
#[derive(Debug)]
pub struct Source {
    image: Image,
    facts: SourceFacts,
}

#[derive(Debug)]
enum Image {
    Raw(RawImage),
    Ewf(Box<EwfImage>),
}

impl Source {
    /// Opens an image from one of its files or from all of them in any order. Files of the same set that lie beside a
    /// given one are found.
    ///
    /// # Errors
    /// If a given file can't be opened, is empty, or is a container that is not read here.
    pub fn open(paths: &[PathBuf]) -> Result<Self, SourceError> {
        Self::open_with(paths, &SourceLimits::default())
    }

    /// Opens an image under other limits.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn open_with(paths: &[PathBuf], limits: &SourceLimits) -> Result<Self, SourceError> {
        let paths = without_doubles(paths);
        let mut files = Vec::new();
        for (i, path) in paths.iter().enumerate() {
            files.push(open_some(path, i)?);
        }
        let numbers: Vec<Option<u64>> = files.iter().map(ewf::segment_number).collect();
        if numbers.iter().any(Option::is_some) {
            return open_ewf(files, &numbers, limits);
        }
        open_raw(files)
    }

    /// What is known of the image.
    pub const fn facts(&self) -> &SourceFacts {
        &self.facts
    }

    /// The files that the image is read from, those found beside the given ones too.
    pub fn paths(&self) -> Vec<&Path> {
        match &self.image {
            Image::Raw(raw) => raw.paths(),
            Image::Ewf(ewf) => ewf.paths(),
        }
    }

    /// Adds gaps that an earlier run over the same image met.
    pub fn add_gaps(&self, gaps: &[Gap]) {
        match &self.image {
            Image::Raw(raw) => raw.add_gaps(gaps),
            Image::Ewf(ewf) => ewf.add_gaps(gaps),
        }
    }

    /// The ranges of the media that can't be read, as far as that is known: at once what the files themselves tell (a
    /// missing segment, a cut file), and damaged chunks once they were read. By place, neighbours of one reason as one.
    pub fn gaps(&self) -> Vec<Gap> {
        match &self.image {
            Image::Raw(raw) => raw.gaps(),
            Image::Ewf(ewf) => ewf.gaps(),
        }
    }
}

impl ReadAt for Source {
    fn len(&self) -> u64 {
        self.facts.size
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        Ok(match &self.image {
            Image::Raw(raw) => raw.fill(offset, buf),
            Image::Ewf(ewf) => ewf.fill(offset, buf),
        })
    }
}

/// Opens a file and holds it open only while that is affordable.
fn open_some(path: &Path, held: usize) -> Result<EvidenceFile, SourceError> {
    let mut file = EvidenceFile::open(path)?;
    if held >= MAX_OPEN {
        file.release();
    }
    Ok(file)
}

/// The same file given twice counts once.
fn without_doubles(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut seen = Vec::new();
    let mut out = Vec::new();
    for path in paths {
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        if !seen.contains(&real) {
            seen.push(real);
            out.push(path.clone());
        }
    }
    out
}

/// Opens an EWF image: the given files that are segments, and what lies beside them.
fn open_ewf(files: Vec<EvidenceFile>, numbers: &[Option<u64>], limits: &SourceLimits) -> Result<Source, SourceError> {
    let mut segments = Vec::new();
    let mut left_out = Vec::new();
    let mut known: Vec<PathBuf> = files.iter().map(|f| f.path().to_owned()).collect();
    for (file, number) in files.into_iter().zip(numbers) {
        match number {
            Some(number) => segments.push((*number, file)),
            None => left_out.push(LeftOut {
                file: file.path().to_owned(),
                reason: "it is no segment file of an EWF image".to_owned(),
            }),
        }
    }
    for path in beside(segments.iter().map(|(_, file)| file.path()), &known.clone()) {
        known.push(path.clone());
        match open_some(&path, segments.len()) {
            Err(error) => left_out.push(LeftOut { file: path, reason: error.reason() }),
            Ok(file) => match ewf::segment_number(&file) {
                Some(number) => segments.push((number, file)),
                // A text that lies beside an image is no news; a file named as a segment is.
                None if names::is_numbered(&path) => left_out.push(LeftOut {
                    file: path,
                    reason: "it is named as a segment file, but it is none, or its beginning is destroyed".to_owned(),
                }),
                None => {}
            },
        }
    }
    let (image, facts) = EwfImage::open(segments, left_out, limits)?;
    Ok(Source { image: Image::Ewf(Box::new(image)), facts })
}

/// Files beside the given segments whose names could be segments too.
fn beside<'a>(given: impl Iterator<Item = &'a Path>, known: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in given {
        // A folder that can't be listed has no siblings to give.
        let siblings = match names::ewf_number(path) {
            Some(_) => names::ewf_siblings(path).unwrap_or_default(),
            None => names::raw_set(path).ok().flatten().unwrap_or_default().into_iter().map(|p| p.path).collect(),
        };
        for sibling in siblings {
            if !known.contains(&sibling) && !found.contains(&sibling) {
                found.push(sibling);
            }
        }
    }
    found
}

/// Opens a raw image: one file with the parts beside it, or the given files as its parts.
fn open_raw(files: Vec<EvidenceFile>) -> Result<Source, SourceError> {
    for file in &files {
        refuse(file)?;
    }
    let mut issues = Vec::new();
    let mut note = |error: String| issues.push(SourceIssue { file: None, offset: None, error });
    let parts = match files.as_slice() {
        [] => return Err(SourceError::NoFile),
        [only] => {
            let set = names::raw_set(only.path()).ok().flatten().unwrap_or_default();
            match set.as_slice() {
                [] => vec![(0, only.path().to_owned())],
                // Where the parts before it end can't be known from one part, so nothing is assumed.
                [one] => {
                    note(format!("the name says part {}; no other part lies beside it", one.number.saturating_add(1)));
                    vec![(0, one.path.clone())]
                }
                several => several.iter().map(|p| (p.number, p.path.clone())).collect(),
            }
        }
        several => {
            let paths: Vec<PathBuf> = several.iter().map(|f| f.path().to_owned()).collect();
            match names::order_raw(&paths) {
                Some(parts) => parts.into_iter().map(|p| (p.number, p.path)).collect(),
                None => {
                    note("the names of the parts tell no order; they are taken in the order given".to_owned());
                    (0..).zip(paths).collect()
                }
            }
        }
    };
    drop(files);
    let mut opened = Vec::new();
    for (number, path) in parts {
        let file = open_some(&path, opened.len())?;
        refuse(&file)?;
        opened.push((number, file));
    }
    let mut segments: Vec<Segment> = Vec::new();
    for (number, file) in &opened {
        while (segments.len() as u64) < *number {
            segments.push(Segment { number: (segments.len() as u64).saturating_add(1), name: None, size: None });
        }
        segments.push(Segment { number: number.saturating_add(1), name: Some(file.name()), size: Some(file.len()) });
    }
    let kind = if segments.len() > 1 { SourceKind::SplitRaw } else { SourceKind::Raw };
    let (mut image, notes) = RawImage::new(opened);
    notes.into_iter().for_each(&mut note);
    if image.last_sector().is_some_and(|sector| container::is_fixed_vhd_footer(&sector)) {
        image.shorten(container::VHD_FOOTER);
        note("the last 512 bytes are the footer of a fixed VHD and no part of the disk".to_owned());
    }
    let size = image.len();
    let facts = SourceFacts { segments, issues, ..SourceFacts::new(kind, size) };
    Ok(Source { image: Image::Raw(image), facts })
}

/// Refuses what can't be raw.
fn refuse(file: &EvidenceFile) -> Result<(), SourceError> {
    if file.is_empty() {
        return Err(SourceError::Empty { path: file.path().to_owned() });
    }
    match container::recognise(file) {
        Some(c) => Err(SourceError::Unsupported { path: file.path().to_owned(), what: c.what, advice: c.advice }),
        None => Ok(()),
    }
}

impl SourceFacts {
    /// Facts of an image that says nothing about itself.
    fn new(kind: SourceKind, size: u64) -> Self {
        Self {
            kind,
            segments: Vec::new(),
            size,
            tail: size % 512,
            sector_size: None,
            chunk_size: None,
            media: None,
            physical: None,
            set: None,
            stored_hashes: Vec::new(),
            acquisition: Acquisition::default(),
            unread_at_acquisition: Vec::new(),
            sessions: Vec::new(),
            left_out: Vec::new(),
            issues: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
