//! Names in the slack of directories' indexes: behind the entries of a node, in blocks that are not used any more, and in
//! the unused end of a directory's record.

use std::collections::{HashMap, HashSet};
use std::io;

use super::directory::Index;
use super::records::next_sequence;
use super::{FileSystemIssue, NtfsVolume};
use crate::bytes::{ReadAt, read_exact_at};
use crate::formats::index::{self, IndexEntry, IndexRoot, Node, Remains};
use crate::formats::mft::{Body, FileNameAttribute, Record, RecordHeader, attribute_type};
use crate::model::{FileName, FileReference, Loss, RecordState, SlackName, SlackPlace};

/// Name of a directory's index.
const I30: &str = "$I30";
/// Records that are read at once.
const RECORDS_AT_ONCE: u64 = 256;

/// What is found in one directory.
struct Finds<'v> {
    volume: &'v NtfsVolume,
    directory: FileReference,
    deleted: bool,
    path: String,
    /// Keys of the entries that are in use: their copies in the slack tell nothing.
    live: HashSet<Box<[u8]>>,
    names: Vec<SlackName>,
    /// Place of each key in `names`: splitting and moving leaves many copies of one entry.
    known: HashMap<Box<[u8]>, usize>,
}

impl NtfsVolume {
    /// Gives every name in the slack of the indexes of all directories, live and deleted, that is not the copy of an entry in
    /// use; each distinct one once for each directory, in the order of the records. Reads the records of all files and the
    /// indexes of all directories.
    pub fn each_slack_name(&self, give: &mut dyn FnMut(SlackName), issue: &mut dyn FnMut(FileSystemIssue)) {
        let size = self.record_size().max(1);
        let mut buf = vec![0; usize::try_from(RECORDS_AT_ONCE.saturating_mul(size)).unwrap_or_default()];
        let mut first = 0u64;
        while first < self.records {
            let count = RECORDS_AT_ONCE.min(self.records.saturating_sub(first));
            let len = usize::try_from(count.saturating_mul(size)).unwrap_or_default();
            let chunk = buf.get_mut(..len).unwrap_or_default();
            let whole = read_exact_at(&self.mft, first.saturating_mul(size), chunk).is_ok();
            for (number, bytes) in (first..).zip(chunk.chunks_exact_mut(usize::try_from(size).unwrap_or(usize::MAX))) {
                // A record that can't be read is told by the walk.
                if !whole && self.read_record(number, bytes).is_err() {
                    continue;
                }
                if let Ok(record) = Record::parse(bytes, number.saturating_mul(size))
                    && record.header.is_directory()
                    && !record.header.is_extension()
                {
                    self.slack_of(number, &record, issue).into_iter().for_each(&mut *give);
                }
            }
            first = first.saturating_add(count);
        }
    }

    fn slack_of(&self, number: u64, record: &Record<'_>, issue: &mut dyn FnMut(FileSystemIssue)) -> Vec<SlackName> {
        let directory = FileReference { record: number, sequence: record.header.sequence };
        let deleted = !record.header.in_use();
        let mut tell = |error: String| {
            issue(FileSystemIssue { record: Some(number), offset: None, loss: Loss::Record, error });
        };
        let index = match Index::open(self, directory) {
            Ok(index) => Some(index),
            // A directory in name only: an index of something else.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Vec::new(),
            Err(_) if deleted => None,
            Err(error) => {
                tell(format!("the index of the directory: {error}"));
                None
            }
        };
        let mut live = HashSet::new();
        let mut keep = |entry: &IndexEntry<'_>| {
            live.insert(entry.key.into());
        };
        let used = match &index {
            // Of a table only the root of an index is at hand; that its blocks are not is told once, at opening.
            Some(index) if !deleted && self.is_table() => index.each(&mut keep, &mut |_| ()),
            Some(index) if !deleted => index.each(&mut keep, issue),
            _ => HashSet::new(),
        };
        let path = self.directory_path(number);
        let (names, known) = (Vec::new(), HashMap::new());
        let mut finds = Finds { volume: self, directory, deleted, path, live, names, known };
        if let Some(index) = &index {
            finds.blocks(index, &used);
        }
        finds.record(record);
        finds.names
    }
}

impl Finds<'_> {
    fn blocks(&mut self, index: &Index, used: &HashSet<u64>) {
        let Some(blocks) = &index.blocks else { return };
        let size = index.block_size as u64;
        let mut buf = vec![0; index.block_size];
        for number in 0..blocks.len().checked_div(size).unwrap_or(0) {
            let offset = number.saturating_mul(size);
            // A block in use that can't be read was told with the live entries.
            if read_exact_at(blocks, offset, &mut buf).is_err() {
                continue;
            }
            let Ok(node) = Node::block(&mut buf, offset) else { continue };
            let in_use = offset.checked_div(index.unit).is_some_and(|vcn| used.contains(&vcn));
            let (remains, place) = match in_use {
                true => (node.remains(), SlackPlace::Block),
                false => (node.all_remains(), SlackPlace::FreeBlock),
            };
            for found in remains {
                self.take(&found, place, node.bad_fixup);
            }
        }
    }

    /// The root node, and what lies behind the record's last attribute.
    fn record(&mut self, record: &Record<'_>) {
        let bad_fixup = record.header.bad_fixup;
        for attribute in record.attributes().flatten() {
            let Body::Resident { value, offset } = attribute.body else { continue };
            if attribute.type_code != attribute_type::INDEX_ROOT || attribute.name() != I30 {
                continue;
            }
            if let Ok((_, node)) = IndexRoot::parse(value, offset) {
                let remains = if self.deleted { node.all_remains() } else { node.remains() };
                remains.iter().for_each(|found| self.take(found, SlackPlace::Record, bad_fixup));
            }
        }
        let used = usize::try_from(record.header.used).unwrap_or(usize::MAX);
        for found in index::remains(record.data(), used, record.offset()) {
            // What has no head of an entry may be the remains of a `$FILE_NAME` of the directory itself.
            if found.reference.is_some() {
                self.take(&found, SlackPlace::Record, bad_fixup);
            }
        }
    }

    fn take(&mut self, found: &Remains<'_>, place: SlackPlace, bad_fixup: bool) {
        let Ok(key) = FileNameAttribute::parse(found.key, found.offset) else { return };
        // The clusters of a deleted directory may hold the index of another one by now.
        let own = key.parent.record == self.directory.record;
        if self.live.contains(found.key) || (self.deleted && !own && !found.parent_lost) {
            return;
        }
        let reference = found.reference.filter(|reference| reference.record < self.volume.records);
        let file = reference.map(|reference| (reference, self.volume.state_of(reference)));
        if let Some(known) = self.known.get(found.key) {
            // The same entry again: of its copies one may tell what the others lost.
            if let Some(name) = self.names.get_mut(*known).filter(|name| name.file.is_none()) {
                name.file = file;
            }
            return;
        }
        self.known.insert(found.key.into(), self.names.len());
        let parent = if found.parent_lost { self.directory } else { key.parent };
        let name = key.name();
        let (path, orphan) = self.volume.path_in(parent, &name);
        self.names.push(SlackName {
            directory: self.directory,
            directory_path: self.path.clone(),
            directory_deleted: self.deleted,
            file,
            name: FileName { name, path, parent, namespace: key.namespace, times: key.times, orphan },
            parent_lost: found.parent_lost,
            size: key.size,
            allocated: key.allocated,
            attributes: key.attributes,
            place,
            offset: found.offset,
            bad_fixup,
        });
    }
}

impl NtfsVolume {
    /// What has become of a record that was named once; `None` if it can't be read.
    fn state_of(&self, reference: FileReference) -> Option<RecordState> {
        let mut buf = self.record_buffer();
        let record = self.record(FileReference { sequence: 0, ..reference }, &mut buf).ok()?;
        let header: RecordHeader = record.header;
        Some(match header.in_use() {
            true if header.sequence == reference.sequence => RecordState::Same,
            false if [reference.sequence, next_sequence(reference.sequence)].contains(&header.sequence) => {
                RecordState::Deleted
            }
            _ => RecordState::Reused,
        })
    }
}
