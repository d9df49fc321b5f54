//! File systems: what lies on a volume or in a folder, seen through one trait.
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

mod collection;
mod folder;
pub mod glob;
mod metafile;
pub mod ntfs;

pub use collection::Collection;
pub use folder::Folder;
pub use metafile::Metafile;
pub use ntfs::NtfsVolume;

use std::io;
use std::sync::Arc;

use crate::bytes::ReadAt;
use crate::formats::ntfs_extend::{ObjectId, Quota};
use crate::model::{FileEntry, FileReference, Loss, SlackName, Timestamp};

/// Facts of the file system as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FileSystemFacts {
    /// `NTFS 3.1`, `folder`.
    pub kind: String,
    /// Volume label.
    pub label: Option<String>,
    /// The 64-bit serial number of an NTFS volume.
    #[serde(serialize_with = "hex_serial")]
    pub serial: Option<u64>,
    /// Bytes per cluster.
    pub cluster_size: Option<u32>,
    /// Length of the volume in bytes.
    pub size: Option<u64>,
    /// When the volume was formatted (creation of `$MFT`).
    pub formatted: Option<Timestamp>,
    /// Marked as not put away in order: Windows would check it at the next start.
    pub dirty: Option<bool>,
    /// Identifier that Windows gave the volume for links to its files (`$OBJECT_ID` of `$Volume`); link files name it.
    pub object_id: Option<String>,
    /// MFT records.
    pub records: Option<u64>,
}

/// What a volume registers of files and owners beside its directories.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Registers {
    /// Files that links are followed to by an id (`$Extend\$ObjId`).
    pub object_ids: Vec<ObjectId>,
    /// Disk quotas (`$Extend\$Quota`); Windows keeps an entry with the defaults on every volume.
    pub quotas: Vec<Quota>,
}

/// Serial numbers are written as 16 hexadecimal digits, as Windows tools show them.
fn hex_serial<S: serde::Serializer>(serial: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match serial {
        Some(serial) => serializer.collect_str(&format_args!("{serial:016X}")),
        None => serializer.serialize_none(),
    }
}

/// Something that the file system could not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystemIssue {
    /// The MFT record concerned, if it is about one.
    pub record: Option<u64>,
    /// Byte offset: in `$MFT` if a record is named, else on the volume.
    pub offset: Option<u64>,
    /// How much was lost.
    pub loss: Loss,
    /// What was wrong.
    pub error: String,
}

/// A file system, or a folder that stands for one.
///
/// The walk is cut into parts so that several threads can share it; the parts and the order of entries in each are the
/// same however many threads there are.
pub trait FileSystem: Send + Sync {
    /// Facts of the whole.
    fn facts(&self) -> FileSystemFacts;

    /// What was wrong when the file system was opened.
    fn issues(&self) -> Vec<FileSystemIssue>;

    /// Number of parts of the walk.
    fn parts(&self) -> usize;

    /// Visits every entry of one part: live and deleted, files and directories.
    fn walk(&self, part: usize, visit: &mut dyn FnMut(FileEntry), issue: &mut dyn FnMut(FileSystemIssue));

    /// Opens a stream of an entry; the empty name is the main stream.
    ///
    /// # Errors
    /// `NotFound` if there is no such stream, `Unsupported` if its content can't be read (EFS), or a read error.
    fn open(&self, entry: &FileEntry, stream: &str) -> io::Result<Arc<dyn ReadAt>>;

    /// When a live folder was last written, by its `$STANDARD_INFORMATION`. `None` if that is not known.
    fn folder_modified(&self, folder: FileReference) -> Option<Timestamp> {
        let _ = folder;
        None
    }

    /// True if the content of a stream is a part of the evidence. Of a collection it is not for most files: their MFT records
    /// were collected, their content was not.
    fn has_content(&self, entry: &FileEntry, stream: &str) -> bool {
        let _ = (entry, stream);
        true
    }

    /// The stretches of a stream that are not holes, as offset and length, in order and without overlap. `None` if that is
    /// not known.
    fn allocated_ranges(&self, entry: &FileEntry, stream: &str) -> Option<Vec<(u64, u64)>> {
        let _ = (entry, stream);
        None
    }

    /// Where a stream lies on the volume, as byte offset and length, in the order of the stream. `None` if that is not known,
    /// or not on the volume itself.
    fn volume_ranges(&self, entry: &FileEntry, stream: &str) -> Option<Vec<(u64, u64)>> {
        let _ = (entry, stream);
        None
    }

    /// Finds a live entry by its path from the root, `\`-separated, compared as the volume compares names.
    ///
    /// # Errors
    /// `NotFound`, or a read error.
    fn lookup(&self, path: &str) -> io::Result<FileEntry>;

    /// The entry of an MFT record, live or deleted. A deleted one that was not used again is also found by the sequence number
    /// that the file had, as journals and links name it.
    ///
    /// # Errors
    /// `NotFound` if there is no such record or its sequence does not fit, `Unsupported` for a folder.
    fn entry(&self, reference: FileReference) -> io::Result<FileEntry>;

    /// The entries of a live directory, in the order of its index.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, or a read error.
    fn list(&self, directory: &FileEntry) -> io::Result<Vec<FileEntry>>;

    /// As [`FileSystem::list`], and tells what of the directory could not be read.
    ///
    /// # Errors
    /// As [`FileSystem::list`].
    fn list_with_issues(
        &self,
        directory: &FileEntry,
        issue: &mut dyn FnMut(FileSystemIssue),
    ) -> io::Result<Vec<FileEntry>> {
        let _ = issue;
        self.list(directory)
    }

    /// Object ids and quotas, for a file system that has such.
    fn registers(&self, issue: &mut dyn FnMut(FileSystemIssue)) -> Registers {
        let _ = issue;
        Registers::default()
    }

    /// The names in a live directory's index with the time at which the index says that each was last modified. It is the
    /// time that a program sees that lists the directory, and may differ from that of the file's record. Nothing for a file
    /// system without such an index.
    fn index_times(&self, directory: &FileEntry) -> Vec<(String, Timestamp)> {
        let _ = directory;
        Vec::new()
    }

    /// Gives the names in the slack of directories' indexes, for a file system that has such.
    fn index_slack(&self, give: &mut dyn FnMut(SlackName), issue: &mut dyn FnMut(FileSystemIssue)) {
        let _ = (give, issue);
    }
}
