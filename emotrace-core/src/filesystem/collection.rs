//! What a collecting tool took from one volume: the volume's `$MFT`, and copies of some of its files.
//!
//! Names, times and the files that are gone come from the table; content comes from the copies, or from the record that holds
//! it.

use std::io;
use std::sync::Arc;

use super::{FileSystem, FileSystemFacts, FileSystemIssue, Folder, NtfsVolume, Registers};
use crate::bytes::ReadAt;
use crate::model::{FileEntry, FileReference, Loss, SlackName, Timestamp};

/// A `$MFT` and copies of files of the same volume.
pub struct Collection {
    table: NtfsVolume,
    folders: Vec<Folder>,
}

impl Collection {
    /// `table` was opened with [`NtfsVolume::open_table`]; the folders hold the copies, and the first that has one counts.
    pub const fn new(table: NtfsVolume, folders: Vec<Folder>) -> Self {
        Self { table, folders }
    }

    /// The copy of a live file, by any of its names.
    fn copy(&self, entry: &FileEntry, stream: &str) -> Option<(&Folder, FileEntry)> {
        if entry.deleted || entry.directory && stream.is_empty() {
            return None;
        }
        entry.links().find_map(|link| {
            self.folders.iter().find_map(|folder| {
                let copy = folder.lookup(&link.path).ok().filter(|copy| !copy.directory)?;
                // A folder's entry knows one stream; the others lie beside it.
                let known = copy.stream(stream).is_some() || !stream.is_empty() && folder.open(&copy, stream).is_ok();
                known.then_some((folder, copy))
            })
        })
    }

    /// The copy in the folders of a file that the table does not know.
    fn unknown_to_table(&self, path: &str) -> io::Result<FileEntry> {
        let mut found = self.folders.iter().map(|folder| folder.lookup(path));
        found.find(Result::is_ok).unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))
    }
}

impl FileSystem for Collection {
    fn facts(&self) -> FileSystemFacts {
        self.table.facts()
    }

    fn issues(&self) -> Vec<FileSystemIssue> {
        let mut issues = self.table.issues();
        issues.extend(self.folders.iter().flat_map(FileSystem::issues));
        let error = "of this volume its $MFT and copies of single files are at hand: content that lies in clusters can be read \
                     only where there is a copy";
        issues.push(FileSystemIssue { record: None, offset: None, loss: Loss::None, error: error.to_owned() });
        issues
    }

    fn parts(&self) -> usize {
        self.table.parts().saturating_add(self.folders.len())
    }

    fn walk(&self, part: usize, visit: &mut dyn FnMut(FileEntry), issue: &mut dyn FnMut(FileSystemIssue)) {
        let Some(folder) = part.checked_sub(self.table.parts()) else { return self.table.walk(part, visit, issue) };
        let Some(folder) = self.folders.get(folder) else { return };
        let mut unknown = |entry: FileEntry| {
            let path = entry.primary_name().map_or("", |name| name.path.as_str());
            if self.table.lookup(path).is_err() {
                visit(entry);
            }
        };
        folder.walk(0, &mut unknown, issue);
    }

    fn open(&self, entry: &FileEntry, stream: &str) -> io::Result<Arc<dyn ReadAt>> {
        if entry.reference.is_none() {
            let mut opened = self.folders.iter().map(|folder| folder.open(entry, stream));
            return opened.find(Result::is_ok).unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()));
        }
        match self.copy(entry, stream) {
            Some((folder, copy)) => folder.open(&copy, stream),
            None => self.table.open(entry, stream),
        }
    }

    fn folder_modified(&self, folder: FileReference) -> Option<Timestamp> {
        self.table.folder_modified(folder)
    }

    fn has_content(&self, entry: &FileEntry, stream: &str) -> bool {
        entry.reference.is_none() || self.table.has_content(entry, stream) || self.copy(entry, stream).is_some()
    }

    fn lookup(&self, path: &str) -> io::Result<FileEntry> {
        self.table.lookup(path).or_else(|error| self.unknown_to_table(path).map_err(|_| error))
    }

    fn entry(&self, reference: FileReference) -> io::Result<FileEntry> {
        self.table.entry(reference)
    }

    fn list(&self, directory: &FileEntry) -> io::Result<Vec<FileEntry>> {
        if directory.reference.is_some() {
            return self.table.list(directory);
        }
        let mut listed = self.folders.iter().map(|folder| folder.list(directory));
        listed.find(Result::is_ok).unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))
    }

    fn registers(&self, issue: &mut dyn FnMut(FileSystemIssue)) -> Registers {
        self.table.registers(issue)
    }

    fn index_slack(&self, give: &mut dyn FnMut(SlackName), issue: &mut dyn FnMut(FileSystemIssue)) {
        self.table.index_slack(give, issue);
    }
}
