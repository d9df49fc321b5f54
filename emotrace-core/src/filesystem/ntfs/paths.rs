//! Full paths by parent reference. Directories are read on demand and kept; files are not.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::{Arc, PoisonError, RwLock};

use super::NtfsVolume;
use super::records::{Draft, next_sequence};
use crate::formats::mft::Record;
use crate::model::{FileReference, Timestamp};

/// The root directory's record.
pub(super) const ROOT: u64 = 5;
/// Stands for a parent that is gone.
const ORPHAN: &str = r"\$Orphan";
/// Paths longer than this are put together anew each time; a deep tree of long names would fill the memory otherwise.
const MAX_KEPT_PATH: usize = 1024;
/// Bytes of paths that each shard keeps before it starts anew.
const MAX_KEPT_PER_SHARD: usize = 2 << 20;
/// Windows' limit on a path is 32,767 units, three bytes each at most. Directories below that are shown as orphans.
const MAX_PATH: usize = 98_301;
const SHARD_MASK: u64 = 15;

/// What is needed of a directory to name what lies below it.
struct Directory {
    name: Box<str>,
    /// The directory that holds it; absent if it has no name.
    parent: Option<FileReference>,
    sequence: u16,
    in_use: bool,
    is_directory: bool,
    /// `$SI` modification time.
    modified: Option<Timestamp>,
}

impl Directory {
    /// True if a reference to this record still means the directory that it meant when it was written.
    ///
    /// A record's sequence number grows when it is freed. A live child names its parent's number as it is. A deleted child may
    /// name a parent that was freed after it, with the number from before.
    const fn fits(&self, parent: FileReference, child_deleted: bool) -> bool {
        let same = parent.sequence == self.sequence || parent.sequence == 0;
        self.is_directory
            && if self.in_use {
                same
            } else {
                child_deleted && (same || next_sequence(parent.sequence) == self.sequence)
            }
    }
}

/// The full path of a directory.
pub(super) struct Path {
    /// Empty for the root.
    pub(super) text: Box<str>,
    /// Some directory on the way up is gone.
    pub(super) orphan: bool,
}

/// Hashes a record number: a multiplication, with its well mixed upper half brought down to where the map looks. The
/// numbers of records that exist are dense, and no others are kept, so that nobody can make them collide.
#[derive(Default)]
struct NumberHash(u64);

impl std::hash::Hasher for NumberHash {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}

type Map<V> = HashMap<u64, V, BuildHasherDefault<NumberHash>>;

#[derive(Default)]
struct Shard {
    /// `None`: not a record that can be read.
    directories: Map<Option<Arc<Directory>>>,
    paths: Map<Arc<Path>>,
    kept: usize,
}

/// The directories met so far, shared by all threads. What is in it depends on the volume alone, not on who came first.
#[derive(Default)]
pub(super) struct Paths {
    shards: [RwLock<Shard>; SHARD_MASK as usize + 1],
}

impl Paths {
    fn read<T>(&self, record: u64, look: impl FnOnce(&Shard) -> Option<T>) -> Option<T> {
        let shard = self.shards.get(shard_of(record))?;
        look(&shard.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, record: u64, change: impl FnOnce(&mut Shard)) {
        if let Some(shard) = self.shards.get(shard_of(record)) {
            change(&mut shard.write().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

const fn shard_of(record: u64) -> usize {
    (record & SHARD_MASK) as usize
}

impl NtfsVolume {
    /// Fills the paths of a draft's names.
    pub(super) fn resolve(&self, draft: &mut Draft) {
        let (deleted, reference) = (draft.entry.deleted, draft.entry.reference);
        if draft.entry.directory {
            self.keep_directory(draft);
        }
        for name in &mut draft.entry.names {
            if reference.is_some_and(|r| r.record == ROOT) && name.parent.record == ROOT {
                name.path = r"\".into();
                continue;
            }
            let parent = self.parent_path(name.parent, deleted);
            name.orphan = parent.orphan;
            name.path = join(&parent.text, &name.name);
        }
    }

    /// The path of a name that was once in a directory, and whether that directory is gone.
    pub(super) fn path_in(&self, parent: FileReference, name: &str) -> (String, bool) {
        let parent = self.parent_path(parent, true);
        (join(&parent.text, name), parent.orphan)
    }

    /// The full path of a directory, by its record.
    pub(super) fn directory_path(&self, record: u64) -> String {
        match &*self.path(record).text {
            "" => r"\".into(),
            path => path.into(),
        }
    }

    /// When the live directory that a name names was last written, by its `$SI`.
    pub(super) fn directory_modified(&self, parent: FileReference) -> Option<Timestamp> {
        self.directory(parent.record).filter(|directory| directory.fits(parent, false))?.modified
    }

    /// The path of a parent directory as its child names it.
    fn parent_path(&self, parent: FileReference, child_deleted: bool) -> Arc<Path> {
        if self.fits(parent, child_deleted) { self.path(parent.record) } else { orphan() }
    }

    /// True if a reference still means the directory that it meant when it was written.
    fn fits(&self, parent: FileReference, child_deleted: bool) -> bool {
        match self.directory(parent.record) {
            Some(directory) => directory.fits(parent, child_deleted),
            // The root is the root, even if its record can't be read.
            None => parent.record == ROOT,
        }
    }

    /// The full path of a directory.
    fn path(&self, record: u64) -> Arc<Path> {
        let mut chain: Vec<(u64, Arc<Directory>)> = Vec::new();
        let mut seen = HashSet::new();
        // Directories from here on lie in each other: each is an orphan, whichever of them was asked for first.
        let mut circle = usize::MAX;
        let mut at = record;
        let start = loop {
            if at == ROOT {
                break Arc::new(Path { text: "".into(), orphan: false });
            }
            if let Some(path) = self.paths.read(at, |shard| shard.paths.get(&at).cloned()) {
                break path;
            }
            if !seen.insert(at) {
                circle = chain.iter().position(|(known, _)| *known == at).unwrap_or(usize::MAX);
                break orphan();
            }
            let Some(directory) = self.directory(at) else { break orphan() };
            let parent = directory.parent;
            let child_deleted = !directory.in_use;
            chain.push((at, directory));
            match parent.filter(|parent| self.fits(*parent, child_deleted)) {
                Some(parent) => at = parent.record,
                None => break orphan(),
            }
        };
        let mut path = start;
        for (place, (record, directory)) in chain.into_iter().enumerate().rev() {
            let fits = path.text.len().saturating_add(directory.name.len()) < MAX_PATH;
            let parent = if fits && place < circle { path } else { orphan() };
            let text = join(&parent.text, &directory.name);
            path = Arc::new(Path { text: text.into(), orphan: parent.orphan });
            self.keep_path(record, &path);
        }
        path
    }

    fn keep_path(&self, record: u64, path: &Arc<Path>) {
        if path.text.len() > MAX_KEPT_PATH {
            return;
        }
        self.paths.write(record, |shard| {
            shard.kept = shard.kept.saturating_add(path.text.len());
            if shard.kept > MAX_KEPT_PER_SHARD {
                shard.paths.clear();
                shard.kept = path.text.len();
            }
            shard.paths.insert(record, Arc::clone(path));
        });
    }

    fn directory(&self, record: u64) -> Option<Arc<Directory>> {
        if record >= self.records {
            return None;
        }
        if let Some(known) = self.paths.read(record, |shard| shard.directories.get(&record).cloned()) {
            return known;
        }
        let read = || {
            let mut buf = self.record_buffer();
            self.read_record(record, &mut buf).ok()?;
            let parsed = Record::parse(&mut buf, 0).ok()?;
            Some(Arc::new(directory_of(&self.draft(record, &parsed, &mut |_| ()))))
        };
        let directory = read();
        self.paths.write(record, |shard| {
            shard.directories.insert(record, directory.clone());
        });
        directory
    }

    /// Keeps a directory that the walk has just read, so that it need not be read again for its children.
    fn keep_directory(&self, draft: &Draft) {
        let Some(reference) = draft.entry.reference else { return };
        let record = reference.record;
        if self.paths.read(record, |shard| shard.directories.get(&record).map(|_| ())).is_none() {
            let directory = Arc::new(directory_of(draft));
            self.paths.write(record, |shard| {
                shard.directories.insert(record, Some(directory));
            });
        }
    }
}

fn directory_of(draft: &Draft) -> Directory {
    let name = draft.entry.primary_name();
    Directory {
        name: name.map_or("", |name| &name.name).into(),
        parent: name.map(|name| name.parent),
        sequence: draft.header.sequence,
        in_use: draft.header.in_use(),
        is_directory: draft.header.is_directory(),
        modified: draft.entry.standard_information.and_then(|information| information.times.modified),
    }
}

fn orphan() -> Arc<Path> {
    Arc::new(Path { text: ORPHAN.into(), orphan: true })
}

fn join(parent: &str, name: &str) -> String {
    let mut path = String::with_capacity(parent.len().saturating_add(name.len()).saturating_add(1));
    path.push_str(parent);
    path.push('\\');
    path.push_str(name);
    path
}
