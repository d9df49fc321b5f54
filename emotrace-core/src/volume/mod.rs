//! Volumes: what lies where on a disk.
//!
//! [`read_layout`] finds the partition table (MBR with extended partitions, GPT with its backup), a volume without a
//! table, or, where the table is gone, NTFS volumes by their boot sectors. Every volume's content is named, those that
//! can't be read too (BitLocker, other file systems). Nothing here fails: what is wrong is in [`Layout::issues`].
//!
//! Labels: a volume that fills the whole image is `p0`; all others are `p1`, `p2` … by their place on the disk, whatever
//! their place in the table.
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

mod content;
mod gpt;
mod mbr;
mod scan;
pub mod vss;

use serde::Serialize;

pub use content::{NtfsBoot, VolumeContent};

use crate::bytes::{ReadAt, read_up_to};
use crate::model::Loss;

/// Free space between partitions is listed from this size on.
const LISTED_FREE: u64 = 1 << 20;

/// How a disk is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// No table: a bare volume, or volumes that were found by scanning.
    None,
    /// Master boot record.
    Mbr,
    /// GUID partition table.
    Gpt,
}

impl Scheme {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mbr => "MBR",
            Self::Gpt => "GPT",
        }
    }
}

/// How a volume was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    /// It is in the partition table.
    Table,
    /// It fills the image.
    WholeImage,
    /// There is no table; its boot sector was found by scanning.
    Scan,
}

/// A volume on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// `p1`, `p2` … by place, `p0` for a volume without a table.
    pub label: String,
    /// First byte on the disk.
    pub start: u64,
    /// Length in bytes. It may reach behind the end of a cut image.
    pub len: u64,
    /// How it was found.
    pub found_by: FoundBy,
    /// Partition type as the table stores it: `07`, or a GUID.
    pub type_id: Option<String>,
    /// Name of the partition type, if it is a known one.
    pub type_name: Option<&'static str>,
    /// Name of the partition (GPT).
    pub name: Option<String>,
    /// GUID of the partition (GPT).
    pub id: Option<String>,
    /// What lies in it.
    pub content: VolumeContent,
}

/// A range of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// First byte.
    pub start: u64,
    /// Length in bytes.
    pub len: u64,
}

/// Something about the layout that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayoutIssue {
    /// Where on the disk.
    pub offset: u64,
    /// What is not read because of it.
    pub loss: Loss,
    /// What is wrong.
    pub error: String,
}

impl LayoutIssue {
    /// Something that loses nothing by itself.
    fn note(offset: u64, error: impl Into<String>) -> Self {
        Self { offset, loss: Loss::None, error: error.into() }
    }
}

/// The layout of a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// How it is divided.
    pub scheme: Scheme,
    /// What the table calls the disk: the MBR's signature as eight hexadecimal digits, or the GPT's GUID.
    pub disk_id: Option<String>,
    /// Bytes per sector that the table counts in; 512 if there is no table.
    pub sector_size: u32,
    /// Volumes by place.
    pub volumes: Vec<Volume>,
    /// Space of 1 MiB or more that no partition claims.
    pub unallocated: Vec<Extent>,
    /// What is not as it should be.
    pub issues: Vec<LayoutIssue>,
}

/// A partition as its table states it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Partition {
    start: u64,
    len: u64,
    type_id: String,
    type_name: Option<&'static str>,
    name: Option<String>,
    id: Option<String>,
}

/// A partition table as one of the rooms read it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Table {
    scheme: Scheme,
    disk_id: Option<String>,
    sector_size: u32,
    partitions: Vec<Partition>,
    /// What is left when the table's own areas are taken away: unallocated space lies between these.
    usable: Extent,
    issues: Vec<LayoutIssue>,
}

/// Finds the volumes of a disk. Damage is reported, never an error: an unreadable disk has no volumes and an issue.
pub fn read_layout(source: &dyn ReadAt) -> Layout {
    let mut issues = Vec::new();
    let whole = content::at_start(source, 0, source.len());
    // The boot sector of a volume also ends in 55 aa, and its code may look like a partition table.
    if !whole.is_some_and(|content| content.has_boot_sector()) {
        if let Some(table) = gpt::read(source).or_else(|| mbr::read(source)) {
            return divided(source, table);
        }
        if mbr::is_protective(source) {
            let error = "the disk was divided by a GPT, but neither its table nor the backup is whole";
            issues.push(LayoutIssue::note(512, error));
        }
    }
    bare(source, issues)
}

/// A disk with a table.
fn divided(source: &dyn ReadAt, table: Table) -> Layout {
    let Table { scheme, disk_id, sector_size, mut partitions, usable, mut issues } = table;
    partitions.sort_by_key(|p| (p.start, p.len));
    let mut volumes = Vec::new();
    for (number, partition) in (1u32..).zip(partitions) {
        let label = format!("p{number}");
        let end = partition.start.saturating_add(partition.len);
        if end > source.len() {
            let error = format!(
                "{label} ends at byte {end}, behind the end of the image ({} bytes): the image is cut or the table is \
                 wrong",
                source.len()
            );
            issues.push(LayoutIssue::note(partition.start, error));
        }
        let content = content::read(source, partition.start, partition.len);
        note_content(&label, partition.start, &content, &mut issues);
        volumes.push(Volume {
            label,
            start: partition.start,
            len: partition.len,
            found_by: FoundBy::Table,
            type_id: Some(partition.type_id),
            type_name: partition.type_name,
            name: partition.name,
            id: partition.id,
            content,
        });
    }
    note_overlaps(&volumes, &mut issues);
    // A place that the image does not have is told where the table begins that names it.
    for issue in issues.iter_mut().filter(|issue| issue.offset >= source.len()) {
        issue.offset = 0;
    }
    let unallocated = free_space(&volumes, usable, source.len());
    Layout { scheme, disk_id, sector_size, volumes, unallocated, issues }
}

/// An image without a table: one volume, or what scanning finds.
fn bare(source: &dyn ReadAt, mut issues: Vec<LayoutIssue>) -> Layout {
    let content = content::read(source, 0, source.len());
    let mut volumes = Vec::new();
    if content.is_named() {
        note_content("p0", 0, &content, &mut issues);
        volumes.push(untabled("p0".to_owned(), Extent { start: 0, len: source.len() }, FoundBy::WholeImage, content));
    } else {
        let found = scan::find_ntfs(source, &mut issues);
        let error = match found.len() {
            0 => "no partition table and no file system was found".to_owned(),
            n => format!("no partition table was found; {n} volumes were found by their boot sectors"),
        };
        issues.push(LayoutIssue::note(0, error));
        for (number, extent) in (1u32..).zip(found) {
            let label = format!("p{number}");
            let content = content::read(source, extent.start, extent.len);
            note_content(&label, extent.start, &content, &mut issues);
            volumes.push(untabled(label, extent, FoundBy::Scan, content));
        }
    }
    let unallocated = match volumes.first() {
        Some(volume) if volume.found_by == FoundBy::Scan => {
            free_space(&volumes, Extent { start: 0, len: source.len() }, source.len())
        }
        _ => Vec::new(),
    };
    Layout { scheme: Scheme::None, disk_id: None, sector_size: 512, volumes, unallocated, issues }
}

fn untabled(label: String, extent: Extent, found_by: FoundBy, content: VolumeContent) -> Volume {
    let Extent { start, len } = extent;
    Volume { label, start, len, found_by, type_id: None, type_name: None, name: None, id: None, content }
}

fn note_content(label: &str, start: u64, content: &VolumeContent, issues: &mut Vec<LayoutIssue>) {
    let (loss, error) = match content {
        VolumeContent::Ntfs { boot: NtfsBoot::First, .. } | VolumeContent::Empty => return,
        VolumeContent::Ntfs { boot: NtfsBoot::Backup { .. }, .. } => {
            (Loss::None, "its boot sector is damaged; the backup at its end is whole".to_owned())
        }
        VolumeContent::BitLocker => {
            (Loss::Whole, "it is encrypted with BitLocker and can't be read without its key".to_owned())
        }
        // Windows can keep its files and its users' on these.
        VolumeContent::Refs | VolumeContent::StorageSpaces => {
            (Loss::Whole, format!("it holds {}, which can't be read here", content.name()))
        }
        VolumeContent::Unknown { .. } => (Loss::None, "what it holds is not known, and is not read".to_owned()),
        other => (Loss::None, format!("it holds {}, which is not read", other.name())),
    };
    issues.push(LayoutIssue { offset: start, loss, error: format!("{label}: {error}") });
}

fn note_overlaps(volumes: &[Volume], issues: &mut Vec<LayoutIssue>) {
    for pair in volumes.windows(2) {
        if let [a, b] = pair
            && a.start.saturating_add(a.len) > b.start
        {
            issues.push(LayoutIssue::note(b.start, format!("{} and {} overlap", a.label, b.label)));
        }
    }
}

/// Space between the volumes, inside `usable` and the image.
fn free_space(volumes: &[Volume], usable: Extent, len: u64) -> Vec<Extent> {
    let end = usable.start.saturating_add(usable.len).min(len);
    let mut free = Vec::new();
    let mut place = usable.start;
    let ranges = volumes.iter().map(|v| (v.start, v.start.saturating_add(v.len)));
    for (start, behind) in ranges.chain([(end, end)]) {
        let gap = start.min(end).saturating_sub(place);
        if gap >= LISTED_FREE {
            free.push(Extent { start: place, len: gap });
        }
        place = place.max(behind);
    }
    free
}

/// The bytes at a place, fewer at the end; what can't be read is not there.
fn bytes_at(source: &dyn ReadAt, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let n = read_up_to(source, offset, &mut bytes).unwrap_or(0);
    bytes.truncate(n);
    bytes
}

/// A length without what is no whole sector of 512 bytes.
const fn whole_sectors(len: u64) -> u64 {
    len.saturating_sub(len % 512)
}

#[cfg(test)]
mod tests;
