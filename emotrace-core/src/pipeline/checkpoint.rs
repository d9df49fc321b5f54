//! An extraction that is kept, so that a run that was stopped after the long part need not read the image again.
//!
//! The sorted runs stay in the folder where they were made ([`Options::keep`](super::Options::keep)); beside them goes one
//! file with the rest. It is written last and whole or not at all, so where it is, all is. It holds no times and no names of
//! the examiner's machine; who resumes has to know that evidence, choices and program are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::evidence::Evidence;
use super::extract::{Extraction, image_issues};
use super::plan::REGISTRY;
use crate::artifacts;
use crate::bytes::text::hex;
use crate::bytes::{ReadAt, read_up_to};
use crate::export::{OutputFile, json};
use crate::model::{ArtifactCoverage, Coverage, HiveCoverage};
use crate::source::{Digests, EvidenceFile, Gap, folder_names};
use crate::timeline::{SavedTimeline, Timeline};

/// The file beside the runs.
const FILE: &str = "extraction.json";

/// Names that issues and counts bear beside those of artifacts.
const ROOMS: &[&str] = &["image", "volume", "vss", "ntfs", REGISTRY];

#[derive(Serialize, Deserialize)]
struct Saved {
    timeline: SavedTimeline,
    coverage: BTreeMap<String, ArtifactCoverage>,
    hives: BTreeSet<HiveCoverage>,
    gaps: Vec<Gap>,
    digests: Option<Digests>,
}

/// What was kept of an earlier run.
pub struct Kept {
    /// The extraction.
    pub extraction: Extraction,
    /// The image's hashes, if they were computed.
    pub digests: Option<Digests>,
}

impl Extraction {
    /// Makes the extraction outlast the process. `folder` is the one that it was made in.
    ///
    /// # Errors
    /// When the disk can't be written.
    pub fn save(&self, evidence: &Evidence, digests: Option<&Digests>, folder: &Path) -> io::Result<()> {
        let saved = Saved {
            timeline: self.timeline.save()?,
            coverage: self
                .coverage
                .artifacts
                .iter()
                .map(|(name, counts)| ((*name).to_owned(), counts.clone()))
                .collect(),
            hives: self.coverage.hives.clone(),
            gaps: evidence.source.iter().flat_map(|source| source.gaps()).collect(),
            digests: digests.cloned(),
        };
        let mut file = OutputFile::create_new(&folder.join(FILE))?;
        json::line(&saved, &mut file)?;
        file.finish().map(|_| ())
    }
}

impl Kept {
    /// What was kept in a folder, of the same evidence; `None` if there is nothing, or nothing that can be trusted.
    ///
    /// # Errors
    /// When the disk can't be read.
    pub fn load(evidence: &Evidence, folder: &Path) -> io::Result<Option<Self>> {
        let text = match std::fs::read(folder.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(saved) = serde_json::from_slice::<Saved>(&text) else { return Ok(None) };
        let mut coverage = Coverage { hives: saved.hives, ..Coverage::default() };
        for (name, counts) in saved.coverage {
            let Some(name) = name_of(&name) else { return Ok(None) };
            *coverage.of(name) = counts;
        }
        let Some(timeline) = Timeline::load(artifacts::schema(), folder, saved.timeline, &name_of)? else {
            return Ok(None);
        };
        if let Some(source) = &evidence.source {
            source.add_gaps(&saved.gaps);
        }
        let (hosts, image_issues) = (evidence.hosts.clone(), image_issues(evidence));
        let extraction = Extraction { timeline, coverage, hosts, image_issues };
        Ok(Some(Self { extraction, digests: saved.digests }))
    }
}

/// A digest of what this program's catalogue can say: kept timelines can be read by a program with the same one only.
pub fn catalogue_digest() -> String {
    hex(&Sha256::digest(format!("{:?}", artifacts::schema())))
}

/// A digest that tells evidence from other evidence, and from the same after it was changed, without reading all of it: for
/// each file its name, length, time of modification and the bytes at some places; what an image calls itself and the hashes
/// that it carries; for a folder the same of every file in it, but for the bytes.
pub fn fingerprint(evidence: &Evidence) -> String {
    let mut hash = Sha256::new();
    hash.update(&evidence.label);
    match &evidence.source {
        Some(source) => {
            hash.update(format!("{:?}", (source.facts().size, &source.facts().stored_hashes)));
            source.paths().iter().for_each(|path| add_file(path, &mut hash));
        }
        None => evidence.paths.iter().for_each(|path| match path.is_dir() {
            true => add_folder(path, 0, &mut hash),
            false => add_file(path, &mut hash),
        }),
    }
    hex(&hash.finalize())
}

/// Folders within folders that are followed.
const MAX_DEPTH: usize = 256;

fn add_folder(folder: &Path, depth: usize, hash: &mut Sha256) {
    let names = folder_names(folder).unwrap_or_default();
    hash.update(format!("{depth} {}", names.len()));
    for name in names {
        let path = folder.join(&name);
        add_facts(&path, hash);
        if depth < MAX_DEPTH && std::fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_dir()) {
            add_folder(&path, depth.saturating_add(1), hash);
        }
    }
}

/// Name, length and time of modification. A device's own time says nothing of its content.
fn add_facts(path: &Path, hash: &mut Sha256) {
    let facts = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
    let modified = facts.as_ref().and_then(|facts| facts.modified().ok());
    hash.update(format!("{:?}", (path.file_name(), facts.map(|facts| facts.len()), modified)));
}

/// [`add_facts`], and bytes from some places.
fn add_file(path: &Path, hash: &mut Sha256) {
    const PLACES: u64 = 16;
    const BYTES: usize = 4096;
    add_facts(path, hash);
    let Ok(file) = EvidenceFile::open(path) else { return };
    let step = file.len().div_ceil(PLACES);
    let mut buffer = vec![0; BYTES];
    for place in 0..PLACES {
        let n = read_up_to(&file, place.saturating_mul(step), &mut buffer).unwrap_or(0);
        hash.update(buffer.get(..n).unwrap_or_default());
    }
    let n = read_up_to(&file, file.len().saturating_sub(BYTES as u64), &mut buffer).unwrap_or(0);
    hash.update(buffer.get(..n).unwrap_or_default());
}

/// The catalogue's own text for a name.
fn name_of(name: &str) -> Option<&'static str> {
    let room = ROOMS.iter().find(|room| **room == name).copied();
    room.or_else(|| artifacts::by_name(name).map(|artifact| artifact.name))
}
