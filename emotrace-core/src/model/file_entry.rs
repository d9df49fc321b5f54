//! What a volume knows of one file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Decimal, Timestamp};

/// Number and sequence of an MFT record; the sequence tells a re-used record from the old one.
///
/// Written as `record-sequence`, for example `2422-1`. Source: Microsoft, "Master File Table", `MFT_SEGMENT_REFERENCE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileReference {
    /// Record number, 48 bits on disk.
    pub record: u64,
    /// Sequence number; 0 where the evidence does not tell it.
    pub sequence: u16,
}

impl FileReference {
    /// Splits the 64-bit on-disk form.
    pub const fn from_u64(raw: u64) -> Self {
        Self { record: raw & 0x0000_ffff_ffff_ffff, sequence: (raw >> 48) as u16 }
    }
}

impl fmt::Display for FileReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Decimal::new(self.record).as_str())?;
        f.write_str("-")?;
        f.write_str(Decimal::new(self.sequence.into()).as_str())
    }
}

impl FromStr for FileReference {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (record, sequence) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self { record: record.parse()?, sequence: sequence.parse()? })
    }
}

/// The four NTFS times, 100 ns resolution, UTC. A field that holds no time is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MacbTimes {
    /// Content modified.
    pub modified: Option<Timestamp>,
    /// Last access. Windows may keep it up to an hour late, or not at all (`NtfsDisableLastAccessUpdate`).
    pub accessed: Option<Timestamp>,
    /// MFT record changed.
    pub changed: Option<Timestamp>,
    /// Created.
    pub created: Option<Timestamp>,
}

/// In which namespace a `$FILE_NAME` lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// POSIX: case-sensitive, nearly all characters.
    Posix,
    /// Win32 long name.
    Win32,
    /// 8.3 name that stands beside a long one.
    Dos,
    /// One name that serves as both.
    Win32AndDos,
}

impl Namespace {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Posix => "posix",
            Self::Win32 => "win32",
            Self::Dos => "dos",
            Self::Win32AndDos => "win32+dos",
        }
    }
}

/// One `$FILE_NAME`, resolved to a full path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// The name alone.
    pub name: String,
    /// Full path from the volume's root, `\Windows\System32`; `\$Orphan\…` where the parent is gone.
    pub path: String,
    /// The directory that holds it.
    pub parent: FileReference,
    /// Namespace.
    pub namespace: Namespace,
    /// `$FN` times: set when the name was made, moved or renamed; not by the usual time-setting calls.
    pub times: MacbTimes,
    /// True if the parent could not be found, or its record was re-used.
    pub orphan: bool,
}

/// `$STANDARD_INFORMATION`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StandardInformation {
    /// `$SI` times, the ones that Explorer shows and programs can set.
    pub times: MacbTimes,
    /// File attributes (`FILE_ATTRIBUTE_*`).
    pub attributes: u32,
    /// Key into `$Secure`, NTFS 3.0 and later.
    pub security_id: Option<u32>,
    /// Place of the file's newest journal record in `$UsnJrnl:$J`.
    pub usn: Option<u64>,
}

/// What may still be there of a deleted stream's content. Clusters that are free now may have been used and freed in between:
/// no grade but `Resident` proves that the content is the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recoverability {
    /// In the record itself: it is as whole as the record.
    Resident,
    /// No cluster is in use now.
    Free,
    /// Some clusters are in use by other files now.
    PartlyReused {
        /// Clusters that are not in use.
        free: u64,
        /// Clusters of the stream.
        total: u64,
    },
    /// All clusters are in use by other files now.
    Reused,
    /// The record does not tell all clusters, or the volume's `$Bitmap` can't be read.
    Unknown,
}

impl Recoverability {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resident => "resident",
            Self::Free => "free",
            Self::PartlyReused { .. } => "partly_reused",
            Self::Reused => "reused",
            Self::Unknown => "unknown",
        }
    }

    /// Clusters that are free now, and all clusters, where that tells more than the name.
    pub const fn clusters(self) -> Option<(u64, u64)> {
        match self {
            Self::PartlyReused { free, total } => Some((free, total)),
            _ => None,
        }
    }
}

/// One `$DATA` stream (or the data of another attribute that can be opened by name).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamFacts {
    /// Name, empty for the main stream.
    pub name: String,
    /// Length in bytes.
    pub size: u64,
    /// Bytes on disk.
    pub allocated: u64,
    /// How far content was ever written; beyond it the stream reads as zeros.
    pub initialized: u64,
    /// Content lies inside the MFT record.
    pub resident: bool,
    /// LZNT1-compressed.
    pub compressed: bool,
    /// Has holes.
    pub sparse: bool,
    /// EFS-encrypted: content can't be read.
    pub encrypted: bool,
    /// Of a deleted file: what may still be there of the content.
    pub recoverable: Option<Recoverability>,
}

/// What a volume knows of one file: an MFT record and its extension records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileEntry {
    /// The base record. Absent for a file of a triage folder.
    pub reference: Option<FileReference>,
    /// Byte offset of the base record in `$MFT`.
    pub offset: Option<u64>,
    /// The record is not in use.
    pub deleted: bool,
    /// A directory.
    pub directory: bool,
    /// `$STANDARD_INFORMATION`, absent if the record has none or it can't be read.
    pub standard_information: Option<StandardInformation>,
    /// All names, long names first. Empty if the record has none.
    pub names: Vec<FileName>,
    /// All data streams, the main one first.
    pub streams: Vec<StreamFacts>,
    /// Tag of the reparse point, if there is one.
    pub reparse_tag: Option<u32>,
    /// Where the reparse point leads, for links and junctions.
    pub reparse_target: Option<String>,
    /// SID of the owner, `S-1-5-…`.
    pub owner: Option<String>,
    /// Log file sequence number of the record's last change, 0 counted as absent.
    pub lsn: Option<u64>,
    /// The record's update sequence did not fit: it was torn when it was written, or damaged.
    pub bad_fixup: bool,
}

impl FileEntry {
    /// The name that a user saw: the first long name.
    pub fn primary_name(&self) -> Option<&FileName> {
        self.names.iter().find(|n| n.namespace != Namespace::Dos).or_else(|| self.names.first())
    }

    /// Every name that gives the file a place of its own: hard links, without the DOS names that stand beside long ones.
    pub fn links(&self) -> impl Iterator<Item = &FileName> {
        let only_dos = self.names.iter().all(|n| n.namespace == Namespace::Dos);
        self.names.iter().filter(move |n| only_dos || n.namespace != Namespace::Dos)
    }

    /// The main stream.
    pub fn main_stream(&self) -> Option<&StreamFacts> {
        self.streams.iter().find(|s| s.name.is_empty())
    }

    /// Of a deleted file: what may still be there of its main stream.
    pub fn recoverable(&self) -> Option<Recoverability> {
        self.main_stream().and_then(|main| main.recoverable)
    }

    /// The stream of that name, compared without case as Windows does; empty for the main one.
    pub fn stream(&self, name: &str) -> Option<&StreamFacts> {
        self.streams.iter().find(|s| s.name.eq_ignore_ascii_case(name))
    }
}

/// What has become of an MFT record that an older structure names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// It is in use and still is that file.
    Same,
    /// The file is deleted; the record was not used again.
    Deleted,
    /// It is another file now.
    Reused,
}

impl RecordState {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Deleted => "deleted",
            Self::Reused => "reused",
        }
    }
}

/// Where the remains of a directory's index lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlackPlace {
    /// Behind the entries of a block (`INDX`) of the index; offsets count in `$INDEX_ALLOCATION`.
    Block,
    /// In a block that the index does not use any more.
    FreeBlock,
    /// In the directory's MFT record: in `$INDEX_ROOT` or behind the last attribute; offsets count in `$MFT`.
    Record,
}

impl SlackPlace {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::FreeBlock => "free_block",
            Self::Record => "record",
        }
    }
}

/// A copy of a `$FILE_NAME` in the slack of a directory's index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackName {
    /// The directory whose index it is.
    pub directory: FileReference,
    /// Its path.
    pub directory_path: String,
    /// The directory itself is deleted.
    pub directory_deleted: bool,
    /// The file, if its reference was not written over, and what has become of its record.
    pub file: Option<(FileReference, Option<RecordState>)>,
    /// The name; in an index its times are those of `$STANDARD_INFORMATION`, as of the last update of the index.
    pub name: FileName,
    /// The parent was written over; the directory stands in the name instead.
    pub parent_lost: bool,
    /// Length of the main stream.
    pub size: u64,
    /// Bytes that it takes on the volume.
    pub allocated: u64,
    /// `FILE_ATTRIBUTE_*`, and 0x10000000 for a directory.
    pub attributes: u32,
    /// Where it lies.
    pub place: SlackPlace,
    /// Byte offset there.
    pub offset: u64,
    /// The update sequence of the block does not fit.
    pub bad_fixup: bool,
}
