//! Master boot record and the chain of extended partitions.
//!
//! | offset | size | sector 0 |
//! |---|---|---|
//! | 440 | 4 | disk signature |
//! | 446 | 4 × 16 | entries |
//! | 510 | 2 | 55 aa |
//!
//! | offset | size | entry |
//! |---|---|---|
//! | 0 | 1 | 0x80 bootable, 0 not |
//! | 4 | 1 | type |
//! | 8 | 4 | first sector |
//! | 12 | 4 | sectors |
//!
//! In an extended partition each logical one has such a sector of its own: entry 1 is the partition, counted from this
//! sector; entry 2 leads to the next one, counted from the start of the extended partition.
//!
//! Sources: Microsoft, "Disk Concepts and Troubleshooting" (Windows 2000 Resource Kit); partition types by
//! A. E. Brouwer's list.

use super::content::at_start;
use super::{Extent, LayoutIssue, Partition, Scheme, Table, bytes_at};
use crate::bytes::{Cursor, ReadAt};

/// More logical partitions than this are not followed.
const MOST_LOGICAL: usize = 256;
/// The type of the one entry that protects a GPT.
const PROTECTIVE: u8 = 0xee;

/// One entry that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    kind: u8,
    /// In sectors.
    first: u64,
    /// In sectors.
    count: u64,
}

/// Reads the partition table in the first sector, `None` if there is none.
pub(super) fn read(source: &dyn ReadAt) -> Option<Table> {
    let sector = bytes_at(source, 0, 512);
    let entries = entries(&sector)?;
    if entries.is_empty() || entries.iter().any(|e| e.kind == PROTECTIVE) {
        return None;
    }
    let mut issues = Vec::new();
    let sector_size = sector_size(source, &entries);
    if sector.get(510..512) != Some(&[0x55, 0xaa]) {
        // Without its signature the table is believed only if it leads to a boot sector.
        if known_at(source, &entries, sector_size) == 0 {
            return None;
        }
        let error = "the partition table has no signature, but its entries lead to volumes".to_owned();
        issues.push(LayoutIssue::note(510, error));
    }
    let mut partitions = Vec::new();
    for entry in &entries {
        if is_extended(entry.kind) {
            logical(source, *entry, sector_size, &mut partitions, &mut issues);
        } else {
            partitions.push(partition(*entry, 0, sector_size));
        }
    }
    let signature = Cursor::new(sector.get(440..444)?, "MBR", 440).u32().ok().filter(|s| *s != 0);
    Some(Table {
        scheme: Scheme::Mbr,
        disk_id: signature.map(|s| format!("{s:08x}")),
        sector_size,
        partitions,
        usable: Extent { start: sector_size.into(), len: source.len() },
        issues,
    })
}

/// True if the first sector says that the disk has a GPT.
pub(super) fn is_protective(source: &dyn ReadAt) -> bool {
    let sector = bytes_at(source, 0, 512);
    sector.get(510..512) == Some(&[0x55, 0xaa])
        && entries(&sector).is_some_and(|entries| entries.iter().any(|e| e.kind == PROTECTIVE))
}

/// True if the first sector holds partitions of its own and says nothing of a GPT. An entry that begins in sector 1, where
/// a GPT has its header, is the protective one with a damaged type.
pub(super) fn is_classic(source: &dyn ReadAt) -> bool {
    let sector = bytes_at(source, 0, 512);
    let own = |entries: Vec<Entry>| !entries.is_empty() && entries.iter().all(|e| e.kind != PROTECTIVE && e.first > 1);
    sector.get(510..512) == Some(&[0x55, 0xaa]) && entries(&sector).is_some_and(own)
}

/// The entries in use, `None` if the four do not look like entries at all.
fn entries(sector: &[u8]) -> Option<Vec<Entry>> {
    let (raw, _) = sector.get(446..510)?.as_chunks::<16>();
    let mut used = Vec::new();
    for raw in raw {
        let mut cursor = Cursor::new(raw, "MBR entry", 446);
        let status = cursor.u8().ok()?;
        cursor.seek(4);
        let kind = cursor.u8().ok()?;
        cursor.seek(8);
        let (first, count) = (cursor.u32().ok()?, cursor.u32().ok()?);
        if status & 0x7f != 0 {
            return None;
        }
        if kind != 0 && first != 0 && count != 0 {
            used.push(Entry { kind, first: first.into(), count: count.into() });
        }
    }
    Some(used)
}

/// Sectors of 512 or 4096 bytes: those with which more entries lead to something known.
fn sector_size(source: &dyn ReadAt, entries: &[Entry]) -> u32 {
    if known_at(source, entries, 4096) > known_at(source, entries, 512) { 4096 } else { 512 }
}

/// How many entries lead to a known boot sector or to the next table of a chain.
fn known_at(source: &dyn ReadAt, entries: &[Entry], sector_size: u32) -> usize {
    let known = |entry: &&Entry| {
        let start = entry.first.saturating_mul(sector_size.into());
        if is_extended(entry.kind) {
            let sector = bytes_at(source, start, 512);
            return sector.get(510..512) == Some(&[0x55, 0xaa]) && self::entries(&sector).is_some();
        }
        at_start(source, start, entry.count.saturating_mul(sector_size.into())).is_some()
    };
    entries.iter().filter(known).count()
}

const fn is_extended(kind: u8) -> bool {
    matches!(kind, 0x05 | 0x0f | 0x85)
}

/// Follows the chain of an extended partition.
fn logical(
    source: &dyn ReadAt,
    extended: Entry,
    sector_size: u32,
    partitions: &mut Vec<Partition>,
    issues: &mut Vec<LayoutIssue>,
) {
    let size = u64::from(sector_size);
    let mut seen = Vec::new();
    let mut table = extended.first;
    loop {
        let offset = table.saturating_mul(size);
        let mut stop = |error: &str| issues.push(LayoutIssue::note(offset, error));
        if seen.contains(&table) || seen.len() >= MOST_LOGICAL {
            return stop("the chain of logical partitions runs in a circle; the rest is not followed");
        }
        seen.push(table);
        let sector = bytes_at(source, offset, 512);
        let found = entries(&sector).filter(|_| sector.get(510..512) == Some(&[0x55, 0xaa]));
        let Some(found) = found else {
            return stop("the table of a logical partition is damaged; partitions behind it are lost");
        };
        let mut next = None;
        for entry in found {
            if is_extended(entry.kind) {
                next = next.or(Some(extended.first.saturating_add(entry.first)));
            } else {
                partitions.push(partition(entry, table, sector_size));
            }
        }
        match next {
            Some(place) => table = place,
            None => return,
        }
    }
}

fn partition(entry: Entry, base: u64, sector_size: u32) -> Partition {
    Partition {
        start: base.saturating_add(entry.first).saturating_mul(sector_size.into()),
        len: entry.count.saturating_mul(sector_size.into()),
        type_id: format!("{:02x}", entry.kind),
        type_name: type_name(entry.kind),
        name: None,
        id: None,
    }
}

fn type_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0x01 => "FAT12",
        0x04 | 0x06 | 0x0e => "FAT16",
        0x07 => "NTFS/exFAT/HPFS",
        0x0b | 0x0c => "FAT32",
        0x11 | 0x14 | 0x16 | 0x1b | 0x1c | 0x1e => "hidden FAT",
        0x12 => "diagnostics",
        0x17 => "hidden NTFS",
        0x27 => "Windows recovery",
        0x42 => "Windows dynamic disk",
        0x82 => "Linux swap",
        0x83 => "Linux",
        0x84 => "hibernation",
        0x8e => "Linux LVM",
        0xa5 => "FreeBSD",
        0xa6 => "OpenBSD",
        0xa8 | 0xaf => "Apple",
        0xde => "Dell utility",
        0xef => "EFI system",
        0xfb => "VMware VMFS",
        0xfd => "Linux RAID",
        _ => return None,
    })
}
