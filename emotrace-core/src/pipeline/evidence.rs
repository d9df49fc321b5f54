//! Opening evidence: a disk image, a folder, or single files, and the file systems in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::hives::LOG_SUFFIXES;
use super::hosts::read_hosts;
use crate::artifacts::{self, Artifact, Reads};
use crate::bytes::{ReadAt, Window, read_up_to};
use crate::filesystem::{Collection, FileSystem, Folder, Metafile, NtfsVolume};
use crate::formats::regf::HiveKind;
use crate::model::{FileEntry, Host, Locator, Loss, ParseIssue};
use crate::source::{EvidenceFile, Source, SourceError};
use crate::volume::vss::{Catalogue, Snapshot, VssIssue};
use crate::volume::{self, Layout, VolumeContent};

/// How much of a file is looked at to tell what it is.
const HEAD_BYTES: usize = 4096;
/// Largest file of the name `$Boot` that is believed to be a copy of that file; NTFS makes 8 KiB.
const MAX_BOOT: u64 = 64 << 10;

/// Why evidence can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// No path was given.
    #[error("no evidence was named")]
    Nothing,
    /// A path can't be read.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An image can't be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The image holds nothing that can be read.
    #[error(
        "{path} holds no NTFS volume: {found}. A disk image (raw, split raw, E01), a folder with a copy of a Windows tree, \
         or a single artifact (an event log, a registry hive, a prefetch or LNK file …) can be read"
    )]
    NoVolume {
        /// The first path.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// A shadow copy was asked for that is not there.
    #[error("there is no shadow copy {number}: the evidence holds {known}")]
    NoSnapshot {
        /// The number.
        number: u32,
        /// How many there are.
        known: usize,
    },
    /// Paths of different kinds were given at once.
    #[error("{path} is a {this}, {first} is a {that}: give one image, one folder, or only single artifact files")]
    Mixed {
        /// The path that does not fit.
        path: PathBuf,
        /// What it is.
        this: &'static str,
        /// The first path.
        first: PathBuf,
        /// What that is.
        that: &'static str,
    },
}

/// A file system that was found in the evidence: a live volume, a shadow copy of one, or a folder.
#[derive(Clone)]
pub struct Mounted {
    /// `p1`, `p2` … for a volume of an image; absent for a folder.
    pub label: Option<String>,
    /// Drive letter, where the evidence tells it.
    pub letter: Option<char>,
    /// Number of the shadow copy; `None` for the live volume.
    pub snapshot: Option<u32>,
    /// The file system.
    pub files: Arc<dyn FileSystem>,
    /// The shadow copies that a live volume names.
    pub shadow_copies: Arc<Catalogue>,
    /// The volume's bytes and where they begin in the image.
    pub(super) source: Option<(Arc<dyn ReadAt>, u64)>,
    /// What a shadow copy is held against.
    pub(super) live: Option<Live>,
}

/// The live volume beneath a shadow copy.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) files: Arc<dyn FileSystem>,
    pub(super) snapshot: Snapshot,
}

/// Which shadow copies are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Vss {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Those with these numbers, 1 for the oldest.
    Only(Vec<u32>),
}

impl Vss {
    fn wants(&self, number: u32) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(numbers) => numbers.contains(&number),
        }
    }
}

/// `all`, `none`, or numbers with commas between them.
impl std::str::FromStr for Vss {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = || text.split(',').map(|n| n.trim().parse::<u32>().ok().filter(|n| *n > 0)).collect();
        match text {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            _ => {
                let numbers: Option<Vec<u32>> = numbers();
                numbers.map(Self::Only).ok_or_else(|| "write all, none, or numbers from 1 on: 1,3".to_owned())
            }
        }
    }
}

impl Mounted {
    /// A live file system that is no volume of an image.
    pub(super) fn folder(label: Option<String>, letter: Option<char>, files: Arc<dyn FileSystem>) -> Self {
        Self { label, letter, snapshot: None, files, shadow_copies: Arc::default(), source: None, live: None }
    }

    /// True if this is a shadow copy and the live volume knows the same record just as it is here.
    pub(super) fn is_same_entry(&self, entry: &FileEntry) -> bool {
        let Some(live) = &self.live else { return false };
        entry.reference.is_some_and(|reference| live.files.entry(reference).is_ok_and(|now| now == *entry))
    }

    /// True if this shadow copy knows the same record of its live volume just as it is there.
    pub(super) fn holds(&self, entry: &FileEntry) -> bool {
        entry.reference.is_some_and(|reference| self.files.entry(reference).is_ok_and(|then| then == *entry))
    }

    /// True if the content of an entry that is the same on the live volume is the same there too. Clusters that were never
    /// written since the copy was made are not read for this; what else there is is compared byte by byte.
    pub(super) fn is_same_content(&self, entry: &FileEntry, stream: &str) -> bool {
        let Some(live) = &self.live else { return false };
        let here = self.files.volume_ranges(entry, stream).filter(|ranges| !ranges.is_empty());
        let untouched = |ranges: &Vec<(u64, u64)>| ranges.iter().all(|(at, len)| live.snapshot.is_live(*at, *len));
        if here.is_some() && here == live.files.volume_ranges(entry, stream) && here.as_ref().is_some_and(untouched) {
            return true;
        }
        match (self.files.open(entry, stream), live.files.open(entry, stream)) {
            (Ok(then), Ok(now)) => equal(&*then, &*now),
            (Err(_), Err(_)) => true,
            _ => false,
        }
    }

    /// True if a file beside an entry (a hive's log) is the same here and on the live volume, or on neither.
    pub(super) fn is_same_file(&self, path: &str) -> bool {
        let Some(live) = &self.live else { return false };
        match (self.files.lookup(path), live.files.lookup(path)) {
            (Ok(then), Ok(now)) => then == now && self.is_same_content(&then, ""),
            (Err(_), Err(_)) => true,
            _ => false,
        }
    }

    /// A path of this file system as output shows it.
    pub fn display_path(&self, path: &str) -> String {
        self.letter.map_or_else(|| path.to_owned(), |letter| format!("{letter}:{path}"))
    }

    /// The place of an entry by one of its paths.
    pub fn locator(&self, image: &str, entry: &FileEntry, path: &str, stream: &str) -> Locator {
        Locator {
            image: image.to_owned(),
            volume: self.label.clone(),
            snapshot: self.snapshot,
            // A record without a name lies nowhere, not in the root.
            path: if path.is_empty() { String::new() } else { self.display_path(path) },
            stream: (!stream.is_empty()).then(|| stream.to_owned()),
            record: entry.reference,
        }
    }
}

/// A single file that holds one artifact.
pub(super) struct Loose {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) what: LooseKind,
    pub(super) data: Arc<dyn ReadAt>,
}

impl Loose {
    /// Transaction logs that lie beside a single hive, with their names. Windows does not tell `NTUSER.DAT.LOG1` from
    /// `ntuser.dat.log1`, and copies of hives come in both.
    pub(super) fn logs(&self) -> Vec<(String, Arc<dyn ReadAt>)> {
        let Some(own) = self.path.file_name().map(|name| name.to_string_lossy().to_lowercase()) else {
            return Vec::new();
        };
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut beside: Vec<String> = std::fs::read_dir(folder)
            .map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
            .unwrap_or_default();
        beside.sort();
        LOG_SUFFIXES
            .iter()
            .filter_map(|suffix| {
                let wanted = format!("{own}{}", suffix.to_lowercase());
                let name = beside.iter().find(|name| name.to_lowercase() == wanted)?;
                let file = EvidenceFile::open(&self.path.with_file_name(name)).ok()?;
                Some((name.clone(), Arc::new(file) as Arc<dyn ReadAt>))
            })
            .collect()
    }
}

/// What a single file was recognised as.
#[derive(Clone, Copy)]
pub(super) enum LooseKind {
    Artifact(&'static Artifact),
    Hive,
    /// One of NTFS's own files: it stands for a volume.
    Metafile(Metafile),
}

/// Opened evidence.
pub struct Evidence {
    /// The label that every row bears: from the content of a disk, from the name of a folder or file.
    pub label: String,
    /// The paths that were given.
    pub paths: Vec<PathBuf>,
    /// The image, if it is one.
    pub source: Option<Arc<Source>>,
    /// Partitions of the image.
    pub layout: Option<Layout>,
    /// The file systems.
    pub volumes: Vec<Mounted>,
    /// The installed systems, as their registry tells, its logs replayed.
    pub hosts: Vec<Host>,
    pub(super) loose: Vec<Loose>,
    /// What was wrong while opening.
    pub issues: Vec<ParseIssue>,
}

impl Evidence {
    /// Opens a disk image (one path, or all its segments in any order), a folder, or single artifact files.
    ///
    /// # Errors
    /// When nothing in it can be read.
    pub fn open(paths: &[PathBuf]) -> Result<Self, EvidenceError> {
        let first = paths.first().ok_or(EvidenceError::Nothing)?;
        let kinds: Vec<Kind> = paths.iter().map(|path| Kind::of(path)).collect::<Result<_, _>>()?;
        for (path, kind) in paths.iter().zip(&kinds) {
            let (this, that) = (kind.name(), kinds.first().map_or("", Kind::name));
            if this != that || (matches!(kind, Kind::Folder) && paths.len() > 1) {
                let (path, first) = (path.clone(), first.clone());
                return Err(EvidenceError::Mixed { path, this, first, that });
            }
        }
        let mut evidence = match kinds.first() {
            Some(Kind::Folder) => Self::open_folder(first)?,
            Some(Kind::Loose(_)) => Self::open_loose(paths, &kinds),
            _ => Self::open_image(paths)?,
        };
        evidence.hosts = read_hosts(&evidence.volumes, &evidence.loose);
        for volume in &mut evidence.volumes {
            let own = evidence.hosts.iter().find(|host| host.volume == volume.label);
            volume.letter = volume.letter.or(own.and_then(|host| host.system_drive));
        }
        Ok(evidence)
    }

    fn open_folder(path: &Path) -> Result<Self, EvidenceError> {
        let roots = Folder::find(path).map_err(|source| EvidenceError::Io { path: path.to_owned(), source })?;
        let mut evidence = Self::empty(name_of(path), &[path.to_owned()]);
        let only = roots.len() == 1;
        let drives = drives(roots);
        let only_drive = drives.len() == 1;
        // Several drives of one collection are told apart by their place in it.
        let place = |folder: &Folder| relative(path, folder.root().unwrap_or(path));
        for folders in drives {
            let is_table = folders.iter().any(|folder| folder.metafile(Metafile::Table).is_some());
            let label = |folder: &Folder| (!(only || only_drive && is_table)).then(|| place(folder));
            evidence.mount_folders(&label, folders);
        }
        Ok(evidence)
    }

    /// Mounts the folders of one drive: with the `$MFT` in one of them as a collection, else as what they are.
    fn mount_folders(&mut self, label: &dyn Fn(&Folder) -> Option<String>, folders: Vec<Folder>) {
        let letter = folders.first().and_then(Folder::letter);
        let first = folders.first().and_then(label);
        match folders.iter().find(|folder| folder.metafile(Metafile::Table).is_some()).map(open_table) {
            Some(Ok(table)) => {
                let files = Arc::new(Collection::new(table, folders));
                self.volumes.push(Mounted::folder(first, letter, files));
                return;
            }
            Some(Err(error)) => self.issue("ntfs", None, Loss::Whole, format!("$MFT: {error}")),
            None => {}
        }
        for folder in folders {
            self.volumes.push(Mounted::folder(label(&folder), letter, Arc::new(folder)));
        }
    }

    fn open_loose(paths: &[PathBuf], kinds: &[Kind]) -> Self {
        let mut evidence = Self::empty(paths.first().map(|p| name_of(p)).unwrap_or_default(), paths);
        let mut metafiles = Vec::new();
        for (path, kind) in paths.iter().zip(kinds) {
            if let Kind::Loose(LooseKind::Metafile(kind)) = kind {
                metafiles.push((*kind, path.clone()));
            } else if let Kind::Loose(what) = kind {
                match EvidenceFile::open(path) {
                    Ok(file) => {
                        let (name, path) = (name_of(path), path.clone());
                        evidence.loose.push(Loose { name, path, what: *what, data: Arc::new(file) });
                    }
                    Err(error) => {
                        evidence.issue("image", None, Loss::Whole, format!("{}: {}", name_of(path), error.reason()));
                    }
                }
            }
        }
        if !metafiles.is_empty() {
            evidence.mount_folders(&|_| None, vec![Folder::of_metafiles(metafiles)]);
        }
        evidence
    }

    fn open_image(paths: &[PathBuf]) -> Result<Self, EvidenceError> {
        let source = Arc::new(Source::open(paths)?);
        let layout = volume::read_layout(&*source);
        let mut evidence = Self::empty(String::new(), paths);
        for issue in &source.facts().issues {
            let place = issue.file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default();
            evidence.issue("image", issue.offset, Loss::None, format!("{place}{}", issue.error));
        }
        for left_out in &source.facts().left_out {
            let error = format!("{} is left out: {}", name_of(&left_out.file), left_out.reason);
            evidence.issue("image", None, Loss::None, error);
        }
        for issue in &layout.issues {
            evidence.issue("volume", Some(issue.offset), issue.loss, &issue.error);
        }
        let mut first_serial = None;
        for found in &layout.volumes {
            if !matches!(found.content, VolumeContent::Ntfs { .. }) {
                continue;
            }
            // What a partition table claims behind the end of the evidence can't be read, and is told as an issue of the layout.
            let len = found.len.min(source.len().saturating_sub(found.start));
            let window: Arc<dyn ReadAt> = Arc::new(Window::new(Arc::clone(&source), found.start, len));
            match NtfsVolume::open(Arc::clone(&window)) {
                Ok(volume) => {
                    first_serial = first_serial.or(volume.facts().serial);
                    let files: Arc<dyn FileSystem> = Arc::new(volume);
                    let catalogue = Catalogue::read(&*window);
                    evidence.vss_issues(&found.label, found.start, &catalogue.issues);
                    evidence.volumes.push(Mounted {
                        shadow_copies: Arc::new(catalogue),
                        source: Some((window, found.start)),
                        ..Mounted::folder(Some(found.label.clone()), None, files)
                    });
                }
                Err(error) => {
                    let error = format!("volume {}: {error}", found.label);
                    evidence.issue("ntfs", Some(found.start), Loss::Whole, error);
                }
            }
        }
        if evidence.volumes.is_empty() {
            let why = evidence.issues.iter().find(|i| i.loss == Loss::Whole).map(|i| i.error.clone());
            let mut found = why.unwrap_or_else(|| describe(&layout));
            let unreadable: u64 = source.gaps().iter().map(|gap| gap.len).sum();
            if unreadable > 0 {
                let first = source.facts().issues.first().map(|i| format!(" ({})", i.error)).unwrap_or_default();
                found = format!("{found}; {unreadable} of {} bytes could not be read{first}", source.facts().size);
            }
            return Err(EvidenceError::NoVolume { path: paths.first().cloned().unwrap_or_default(), found });
        }
        evidence.label = match (&layout.disk_id, first_serial) {
            (Some(id), _) => format!("disk-{id}"),
            (None, Some(serial)) => format!("volume-{serial:016X}"),
            (None, None) => "image".to_owned(),
        };
        let label = evidence.label.clone();
        for issue in &mut evidence.issues {
            issue.locator = Arc::new(Locator { image: label.clone(), ..Locator::default() });
        }
        evidence.source = Some(source);
        evidence.layout = Some(layout);
        Ok(evidence)
    }

    /// Mounts shadow copies: each becomes a volume of its own behind its live volume, with the same label.
    ///
    /// # Errors
    /// When a copy is asked for by a number that no volume has. A copy that can't be read is an issue.
    pub fn mount_snapshots(&mut self, wanted: &Vss) -> Result<(), EvidenceError> {
        if let Vss::Only(numbers) = wanted {
            let known: Vec<u32> =
                self.volumes.iter().flat_map(|v| v.shadow_copies.copies.iter().map(|copy| copy.number)).collect();
            if let Some(number) = numbers.iter().find(|n| !known.contains(n)) {
                return Err(EvidenceError::NoSnapshot { number: *number, known: known.len() });
            }
        }
        for live in std::mem::take(&mut self.volumes) {
            if live.snapshot.is_some() {
                continue;
            }
            let opened = live.source.as_ref().map(|(source, start)| {
                let (snapshots, issues) = live.shadow_copies.open(source, &|number| wanted.wants(number));
                (snapshots, issues, *start)
            });
            let base = live.clone();
            self.volumes.push(live);
            let Some((snapshots, issues, start)) = opened else { continue };
            let label = base.label.clone().unwrap_or_default();
            self.vss_issues(&label, start, &issues);
            for (number, snapshot) in snapshots {
                match NtfsVolume::open(Arc::new(snapshot.clone())) {
                    Ok(volume) => self.volumes.push(Mounted {
                        snapshot: Some(number),
                        live: Some(Live { files: Arc::clone(&base.files), snapshot }),
                        ..Mounted::folder(base.label.clone(), base.letter, Arc::new(volume))
                    }),
                    Err(error) => {
                        let error = format!("volume {label}, shadow copy {number}: {error}");
                        self.issue("vss", Some(start), Loss::Whole, error);
                    }
                }
            }
        }
        Ok(())
    }

    fn vss_issues(&mut self, label: &str, start: u64, issues: &[VssIssue]) {
        for VssIssue { offset, copy, error } in issues {
            let copy = copy.map(|number| format!(", shadow copy {number}")).unwrap_or_default();
            let error = format!("volume {label}{copy}: {error}");
            self.issue("vss", Some(start.saturating_add(*offset)), Loss::Record, error);
        }
    }

    pub(super) fn empty(label: String, paths: &[PathBuf]) -> Self {
        let paths = paths.to_owned();
        Self {
            label,
            paths,
            source: None,
            layout: None,
            volumes: Vec::new(),
            hosts: Vec::new(),
            loose: Vec::new(),
            issues: Vec::new(),
        }
    }

    fn issue(&mut self, room: &'static str, offset: Option<u64>, loss: Loss, error: impl ToString) {
        let locator = Arc::new(Locator { image: self.label.clone(), ..Locator::default() });
        self.issues.push(ParseIssue { locator, artifact: room, offset, loss, error: error.to_string() });
    }
}

/// What a path is.
enum Kind {
    Folder,
    Loose(LooseKind),
    Image,
}

impl Kind {
    fn of(path: &Path) -> Result<Self, EvidenceError> {
        let io = |source| EvidenceError::Io { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(io)?.is_dir() {
            return Ok(Self::Folder);
        }
        let mut head = vec![0; HEAD_BYTES];
        let file = EvidenceFile::open(path)?;
        let n = read_up_to(&file, 0, &mut head).map_err(io)?;
        head.truncate(n);
        let metafile = || {
            let by_name = Metafile::by_name(&name_of(path)).map(|(_, kind)| kind);
            // `$Boot` begins as every volume does.
            let by_name = by_name.filter(|kind| *kind != Metafile::Boot || file.len() <= MAX_BOOT);
            Metafile::by_content(&file).or(by_name).map(LooseKind::Metafile)
        };
        let kind = recognise(&head, path).or_else(metafile).or_else(|| by_name(path));
        Ok(kind.map_or(Self::Image, Self::Loose))
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Loose(_) => "single artifact",
            Self::Image => "disk image",
        }
    }
}

/// What a single file holds, by its content; a hive whose base block is gone is known by its name and its first bin.
fn recognise(head: &[u8], path: &Path) -> Option<LooseKind> {
    let bin_follows = head.is_empty() || head.iter().all(|b| *b == 0);
    let named = path.file_name().and_then(|n| HiveKind::from_path(&n.to_string_lossy())).is_some();
    if head.starts_with(b"regf") || (named && bin_follows) {
        return Some(LooseKind::Hive);
    }
    artifacts::ARTIFACTS
        .iter()
        .find(|a| matches!(a.reads, Reads::Files { recognise, .. } | Reads::Parts { recognise, .. } if recognise(head)))
        .map(|a| LooseKind::Artifact(a))
}

/// The artifact whose files have this name's ending: the begin of a file may tell nothing (the directory of a compound file
/// can lie anywhere in it) or be damaged. An image by such a name would be read as damaged, but no tool makes one.
fn by_name(path: &Path) -> Option<LooseKind> {
    let ending = format!("*.{}", path.extension()?.to_str()?);
    let named = |paths: &[&str]| {
        let last = |path: &&str| path.rsplit('\\').next().is_some_and(|last| last.eq_ignore_ascii_case(&ending));
        paths.iter().any(last)
    };
    artifacts::ARTIFACTS
        .iter()
        .find(|a| matches!(a.reads, Reads::Files { paths, .. } | Reads::Parts { paths, .. } if named(paths)))
        .map(|a| LooseKind::Artifact(a))
}

/// The roots of a collection by drive: one tool may write several trees of one drive. Roots without a letter stand alone.
fn drives(roots: Vec<Folder>) -> Vec<Vec<Folder>> {
    let mut drives: Vec<Vec<Folder>> = Vec::new();
    for folder in roots {
        let same = |drive: &&mut Vec<Folder>| {
            folder.letter().is_some() && drive.iter().any(|other| other.letter() == folder.letter())
        };
        match drives.iter_mut().find(same) {
            Some(drive) => drive.push(folder),
            None => drives.push(vec![folder]),
        }
    }
    drives
}

fn open_table(folder: &Folder) -> Result<NtfsVolume, String> {
    let mut copies = folder.open_metafiles().map_err(|error| error.to_string())?;
    let table = copies.iter().position(|(kind, _)| *kind == Metafile::Table).ok_or("there is none")?;
    let (_, table) = copies.swap_remove(table);
    NtfsVolume::open_table(table, copies).map_err(|error| error.to_string())
}

/// True if two streams hold the same bytes; what can't be read is not the same.
fn equal(a: &dyn ReadAt, b: &dyn ReadAt) -> bool {
    const STEP: usize = 1 << 18;
    let (mut left, mut right) = (vec![0; STEP], vec![0; STEP]);
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        // What is a hole in both is zeros in both.
        at = a.next_data(at).min(b.next_data(at)).max(at);
        match (read_up_to(a, at, &mut left), read_up_to(b, at, &mut right)) {
            (Ok(n), Ok(m)) if n == m && left[..n] == right[..m] => at = at.saturating_add(STEP as u64),
            _ => return false,
        }
    }
    true
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn relative(base: &Path, path: &Path) -> String {
    path.strip_prefix(base).unwrap_or(path).to_string_lossy().into_owned()
}

/// What an image holds, in words.
fn describe(layout: &Layout) -> String {
    let found: Vec<String> = layout.volumes.iter().map(|v| format!("{} is {}", v.label, v.content.name())).collect();
    if found.is_empty() { "no partition table and no known file system".to_owned() } else { found.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_shadow_copies() {
        assert_eq!("all".parse(), Ok(Vss::All));
        assert_eq!("none".parse(), Ok(Vss::None));
        assert_eq!("3, 1".parse(), Ok(Vss::Only(vec![3, 1])));
        for wrong in ["", "0", "1,", "x", "-1", "99999999999"] {
            assert!(wrong.parse::<Vss>().is_err(), "{wrong}");
        }
    }

    /// Streams are the same when every byte is, also behind the first piece that is compared.
    #[test]
    fn equal_streams() {
        let long = vec![7u8; 300_000];
        let mut other = long.clone();
        assert!(equal(&long, &other));
        other[299_999] = 8;
        assert!(!equal(&long, &other));
        assert!(!equal(&long, &other[..299_999].to_vec()));
    }
}
