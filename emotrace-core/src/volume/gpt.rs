//! GUID partition table, with its backup at the end of the disk.
//!
//! | offset | size | header, in sector 1 and in the last sector |
//! |---|---|---|
//! | 0 | 8 | `EFI PART` |
//! | 12 | 4 | length of the header, from 92 |
//! | 16 | 4 | CRC-32 of the header with this field as 0 |
//! | 24, 32 | 8 | sector of this header, sector of the other one |
//! | 40, 48 | 8 | first and last sector for partitions |
//! | 56 | 16 | GUID of the disk |
//! | 72 | 8 | first sector of the entries |
//! | 80, 84 | 4 | number of entries, length of an entry |
//! | 88 | 4 | CRC-32 of the entries |
//!
//! | offset | size | entry |
//! |---|---|---|
//! | 0, 16 | 16 | GUID of the type, GUID of the partition |
//! | 32, 40 | 8 | first and last sector |
//! | 56 | 72 | name, UTF-16 |
//!
//! Source: UEFI specification 2.10, chapter 5.

use super::{Extent, LayoutIssue, Partition, Scheme, Table, bytes_at, mbr, whole_sectors};
use crate::bytes::{Cursor, FormatError, ReadAt, text};

/// Sizes of a sector that disks have.
const SECTOR_SIZES: [u32; 2] = [512, 4096];
/// The entries take 16 KiB on every disk that is met; more than this is not read.
const MOST_ENTRY_BYTES: u64 = 4 << 20;
/// The backup lies in the last sector; an image may be a little longer than its disk.
const BACKUP_SEARCH: u64 = 1 << 20;

/// A header whose own checksum is right.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Header {
    sector_size: u32,
    /// Where it lies on the disk.
    offset: u64,
    other: u64,
    first_usable: u64,
    last_usable: u64,
    disk: [u8; 16],
    entries: u64,
    count: u32,
    entry_len: u32,
    entries_crc: u32,
}

/// Reads the table or its backup, `None` if there is neither.
pub(super) fn read(source: &dyn ReadAt) -> Option<Table> {
    let primary = SECTOR_SIZES.iter().find_map(|size| Header::read(source, (*size).into(), *size));
    let backup = backup(source, primary.as_ref());
    // An MBR with partitions of its own and no protective entry is what Windows reads; a GPT behind it is a leftover.
    if mbr::is_classic(source) {
        return None;
    }
    let mut issues = Vec::new();
    let mut note = |offset, error: &str| issues.push(LayoutIssue::note(offset, error));
    if !mbr::is_protective(source) && (primary.is_some() || backup.is_some()) {
        note(0, "the first sector does not say that the disk has a GPT");
    }
    let entries = |header: &Header| header.read_entries(source);
    let (chosen, bytes) = match (&primary, &backup) {
        (Some(first), second) => match (entries(first), second.as_ref().map(|h| (h, entries(h)))) {
            (Some((bytes, true)), other) => {
                match other {
                    None => note(first.offset, "the backup of the GPT is missing or damaged"),
                    Some((_, Some((copy, true)))) if copy == bytes => {}
                    Some((h, _)) => note(h.offset, "the backup of the GPT differs from the table"),
                }
                (first, bytes)
            }
            (_, Some((h, Some((bytes, true))))) => {
                note(first.offset, "the entries of the GPT are damaged; its backup is used");
                (h, bytes)
            }
            (Some((bytes, false)), _) => {
                note(
                    first.offset,
                    "the checksum of the GPT's entries differs and no backup is whole; they may be wrong",
                );
                (first, bytes)
            }
            (None, _) => return None,
        },
        (None, Some(second)) => {
            let (bytes, whole) = entries(second)?;
            note(u64::from(second.sector_size), "the GPT is damaged; its backup at the end of the disk is used");
            if !whole {
                note(second.offset, "the checksum of the backup's entries differs; they may be wrong");
            }
            (second, bytes)
        }
        (None, None) => return None,
    };
    let size = u64::from(chosen.sector_size);
    let usable = chosen.last_usable.saturating_add(1).saturating_sub(chosen.first_usable);
    let entry_len = usize::try_from(chosen.entry_len).ok()?;
    let partitions = bytes.chunks_exact(entry_len).filter_map(|entry| partition(entry, size).ok().flatten()).collect();
    Some(Table {
        scheme: Scheme::Gpt,
        disk_id: Some(text::guid(&chosen.disk)),
        sector_size: chosen.sector_size,
        partitions,
        usable: Extent { start: chosen.first_usable.saturating_mul(size), len: usable.saturating_mul(size) },
        issues,
    })
}

/// The backup header: where the first one says, else in the last sectors of the image.
fn backup(source: &dyn ReadAt, primary: Option<&Header>) -> Option<Header> {
    if let Some(first) = primary {
        let offset = first.other.saturating_mul(first.sector_size.into());
        if let Some(header) = Header::read(source, offset, first.sector_size) {
            return Some(header);
        }
    }
    let from = whole_sectors(source.len().saturating_sub(BACKUP_SEARCH));
    let bytes = bytes_at(source, from, usize::try_from(BACKUP_SEARCH.saturating_add(512)).ok()?);
    for (i, sector) in bytes.chunks_exact(512).enumerate().rev() {
        let offset = from.saturating_add((i as u64).saturating_mul(512));
        // The first header of a small disk lies here too.
        let first = SECTOR_SIZES.iter().any(|size| offset == u64::from(*size));
        if sector.starts_with(b"EFI PART") && !first {
            let found = SECTOR_SIZES.iter().find_map(|size| Header::read(source, offset, *size));
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

impl Header {
    /// A header that is whole and says of itself that it lies here.
    fn read(source: &dyn ReadAt, offset: u64, sector_size: u32) -> Option<Self> {
        let mut bytes = bytes_at(source, offset, usize::try_from(sector_size).ok()?);
        if !bytes.starts_with(b"EFI PART") {
            return None;
        }
        let len = usize::try_from(u32::from_le_bytes(*bytes.get(12..)?.first_chunk()?)).ok()?;
        let stored = u32::from_le_bytes(*bytes.get(16..)?.first_chunk()?);
        bytes.get_mut(16..20)?.fill(0);
        let header = bytes.get(..len).filter(|_| len >= 92)?;
        if crc32(header) != stored {
            return None;
        }
        let (own, header) = Self::fields(header, offset, sector_size).ok()?;
        let fits = own.checked_mul(sector_size.into()) == Some(offset)
            && header.entry_len >= 128
            && header.entry_len.is_multiple_of(8)
            && header.entry_bytes() <= MOST_ENTRY_BYTES;
        fits.then_some(header)
    }

    fn fields(bytes: &[u8], offset: u64, sector_size: u32) -> Result<(u64, Self), FormatError> {
        let mut cursor = Cursor::new(bytes, "GPT header", offset);
        cursor.seek(24);
        let (own, other, first_usable, last_usable) = (cursor.u64()?, cursor.u64()?, cursor.u64()?, cursor.u64()?);
        let (disk, entries, count) = (cursor.array()?, cursor.u64()?, cursor.u32()?);
        let (entry_len, entries_crc) = (cursor.u32()?, cursor.u32()?);
        let header = Self {
            sector_size,
            offset,
            other,
            first_usable,
            last_usable,
            disk,
            entries,
            count,
            entry_len,
            entries_crc,
        };
        Ok((own, header))
    }

    fn entry_bytes(&self) -> u64 {
        u64::from(self.count).saturating_mul(self.entry_len.into())
    }

    /// The entries and whether their checksum is right.
    fn read_entries(&self, source: &dyn ReadAt) -> Option<(Vec<u8>, bool)> {
        let offset = self.entries.checked_mul(self.sector_size.into())?;
        let len = usize::try_from(self.entry_bytes()).ok()?;
        let bytes = bytes_at(source, offset, len);
        let whole = bytes.len() == len && crc32(&bytes) == self.entries_crc;
        Some((bytes, whole))
    }
}

fn partition(entry: &[u8], sector_size: u64) -> Result<Option<Partition>, FormatError> {
    let mut cursor = Cursor::new(entry, "GPT entry", 0);
    let (kind, id) = (cursor.array::<16>()?, cursor.array::<16>()?);
    let (first, last) = (cursor.u64()?, cursor.u64()?);
    cursor.skip(8)?;
    let name = text::from_utf16le_until_nul(cursor.take(72)?);
    if kind == [0; 16] || last < first {
        return Ok(None);
    }
    let type_id = text::guid(&kind);
    Ok(Some(Partition {
        start: first.saturating_mul(sector_size),
        len: last.saturating_sub(first).saturating_add(1).saturating_mul(sector_size),
        type_name: type_name(&type_id),
        type_id,
        name: Some(name).filter(|n| !n.is_empty()),
        id: Some(text::guid(&id)),
    }))
}

/// CRC-32 of zlib and UEFI. A table is a few KiB, so bit by bit is fast enough.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// Names of partition types. Source: UEFI specification, Microsoft (PARTITION_INFORMATION_GPT), the Discoverable
/// Partitions Specification.
fn type_name(id: &str) -> Option<&'static str> {
    Some(match id {
        "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" => "EFI system",
        "e3c9e316-0b5c-4db8-817d-f92df00215ae" => "Microsoft reserved",
        "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7" => "Microsoft basic data",
        "de94bba4-06d1-4d40-a16a-bfd50179d6ac" => "Windows recovery",
        "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3" => "Windows dynamic disk metadata",
        "af9b60a0-1431-4f62-bc68-3311714a69ad" => "Windows dynamic disk data",
        "e75caf8f-f680-4cee-afa3-b001e56efc2d" => "Windows Storage Spaces",
        "21686148-6449-6e6f-744e-656564454649" => "BIOS boot",
        "0fc63daf-8483-4772-8e79-3d69d8477de4" => "Linux",
        "4f68bce3-e8cd-4db1-96e7-fbcaf984b709" => "Linux root",
        "933ac7e1-2eb4-4f13-b844-0e14e2aef915" => "Linux home",
        "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f" => "Linux swap",
        "e6d6d379-f507-44c2-a23c-238f2a3df928" => "Linux LVM",
        "a19d880f-05fc-4d3b-a006-743f0f84911e" => "Linux RAID",
        "bc13c2ff-59e6-4262-a352-b275fd6f7172" => "Linux extended boot",
        "48465300-0000-11aa-aa11-00306543ecac" => "Apple HFS+",
        "7c3457ef-0000-11aa-aa11-00306543ecac" => "Apple APFS",
        _ => return None,
    })
}
