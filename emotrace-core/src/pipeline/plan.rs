//! What is to be read: which entry of which volume serves which artifact.

use std::sync::Arc;

use super::evidence::Mounted;
use super::run::Selection;
use crate::artifacts::{ARTIFACTS, ASKS_BESIDE, Artifact, Reads};
use crate::filesystem::glob::{Pattern, folded};
use crate::formats::regf::HiveKind;
use crate::model::{FileEntry, FileReference};

/// The name under which coverage counts hives, and issues of hives are listed.
pub(super) const REGISTRY: &str = "registry";

/// An artifact with its place in the catalogue.
#[derive(Clone, Copy)]
pub(super) struct Planned {
    pub(super) index: u32,
    pub(super) artifact: &'static Artifact,
}

/// The artifacts of a run, sorted by how they read, with their patterns compiled.
pub(super) struct Plan {
    pub(super) files: Vec<(Planned, Vec<Pattern>)>,
    pub(super) keys: Vec<Planned>,
    pub(super) entries: Vec<Planned>,
    pub(super) volumes: Vec<Planned>,
    /// Some artifact asks for files beside its inputs.
    pub(super) asks_beside: bool,
    selection: Selection,
}

/// One input that was found in a volume.
pub(super) struct Found {
    /// Place of the volume in the evidence.
    pub(super) volume: usize,
    pub(super) entry: Arc<FileEntry>,
    /// The path by which it matched, from the volume's root.
    pub(super) path: String,
    pub(super) stream: String,
    pub(super) what: What,
    /// Shadow copies that hold the same.
    pub(super) also_in: Vec<u32>,
}

/// What an input is read as.
#[derive(Clone, Copy)]
pub(super) enum What {
    File(Planned),
    Hive,
}

impl Found {
    /// The name under which coverage counts it.
    pub(super) const fn artifact(&self) -> &'static str {
        match self.what {
            What::File(planned) => planned.artifact.name,
            What::Hive => REGISTRY,
        }
    }

    /// Inputs are sorted by this, so that the plan does not depend on which thread found what.
    pub(super) fn order(&self) -> (u32, usize, Option<FileReference>, &str, &str) {
        let artifact = match self.what {
            What::File(planned) => planned.index,
            What::Hive => u32::MAX,
        };
        (artifact, self.volume, self.entry.reference, &self.path, &self.stream)
    }
}

impl Plan {
    pub(super) fn new(selection: &Selection) -> Self {
        let mut plan = Self {
            files: Vec::new(),
            keys: Vec::new(),
            entries: Vec::new(),
            volumes: Vec::new(),
            asks_beside: ASKS_BESIDE.iter().any(|name| selection.wants(name)),
            selection: selection.clone(),
        };
        for (index, artifact) in (0u32..).zip(ARTIFACTS.iter().copied()) {
            if !selection.wants(artifact.name) {
                continue;
            }
            let planned = Planned { index, artifact };
            match artifact.reads {
                Reads::Files { paths, .. } | Reads::Parts { paths, .. } => {
                    plan.files.push((planned, paths.iter().map(|p| Pattern::new(p)).collect()));
                }
                Reads::RegKeys { .. } => plan.keys.push(planned),
                Reads::Entries { .. } => plan.entries.push(planned),
                Reads::Volume { .. } => plan.volumes.push(planned),
            }
        }
        plan
    }

    /// Everything that an entry serves.
    pub(super) fn find(&self, volume: usize, mounted: &Mounted, entry: &FileEntry, found: &mut Vec<Found>) {
        let nothing_wanted = self.files.is_empty() && self.keys.is_empty();
        if nothing_wanted || (entry.directory && entry.streams.is_empty()) {
            return;
        }
        let links: Vec<(&str, String)> = entry
            .links()
            .map(|link| (link.path.as_str(), folded(&link.path)))
            .filter(|(path, _)| self.wants_path(mounted, path))
            .collect();
        let mut shared: Option<Arc<FileEntry>> = None;
        for stream in &entry.streams {
            let name = folded(&stream.name);
            let mut at_hand = None;
            let mut take = |path: &str, what: What| {
                // Asked for what is wanted only: in a collection it means to look for a copy.
                if !*at_hand.get_or_insert_with(|| mounted.files.has_content(entry, &stream.name)) {
                    return;
                }
                let entry = Arc::clone(shared.get_or_insert_with(|| Arc::new(entry.clone())));
                let (path, stream, also_in) = (path.to_owned(), stream.name.clone(), Vec::new());
                found.push(Found { volume, entry, path, stream, what, also_in });
            };
            for (planned, patterns) in &self.files {
                let hit = links.iter().find(|(_, path)| patterns.iter().any(|p| p.matches(path, &name)));
                if let Some((path, _)) = hit {
                    take(path, What::File(*planned));
                }
            }
            let may_be_hive = |path: &str| HiveKind::from_path(path).is_some() || HiveKind::is_likely_path(path);
            let hive = links.iter().find(|(path, _)| may_be_hive(path));
            if let Some((path, _)) = hive.filter(|_| name.is_empty() && !self.keys.is_empty()) {
                take(path, What::Hive);
            }
        }
    }

    /// True if evidence at that path of a volume is wanted, and of a record without a path (`""`). The path as output shows it
    /// is put together only if somebody asks for paths.
    pub(super) fn wants_path(&self, mounted: &Mounted, path: &str) -> bool {
        let shown = || if path.is_empty() { String::new() } else { mounted.display_path(path) };
        self.selection.paths.is_empty() || self.selection.wants_path(&shown())
    }
}
