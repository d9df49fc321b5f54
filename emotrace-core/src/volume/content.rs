//! What lies in a volume, told by the signatures of its file system.
//!
//! Sources: Microsoft's published boot sector layouts (NTFS, FAT, exFAT), libbde's notes on BitLocker, the Linux kernel's
//! headers for its file systems, ECMA-119 (ISO 9660), Apple's APFS and HFS+ references.

use serde::Serialize;

use super::{bytes_at, whole_sectors};
use crate::bytes::{Cursor, FormatError, ReadAt};

/// How far behind the end of an NTFS volume its backup boot sector may lie: a partition can be a little longer.
const BACKUP_SEARCH: u64 = 64 << 10;
/// A volume whose first bytes up to here are zeros is called empty.
const EMPTY: usize = 64 << 10;

/// Which boot sector an NTFS volume was told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "boot", rename_all = "snake_case")]
pub enum NtfsBoot {
    /// The one at its start.
    First,
    /// The first one is damaged; the backup at the volume's end is whole.
    Backup {
        /// Where the backup lies, counted from the start of the volume.
        offset: u64,
    },
}

/// What lies in a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "file_system")]
pub enum VolumeContent {
    /// NTFS.
    #[serde(rename = "NTFS")]
    Ntfs {
        /// The boot sector that tells it.
        #[serde(flatten)]
        boot: NtfsBoot,
        /// The volume's 64-bit serial number.
        #[serde(serialize_with = "hex_serial")]
        serial: u64,
        /// Bytes that the file system spans, its backup boot sector not counted.
        size: u64,
    },
    /// A volume encrypted with BitLocker.
    BitLocker,
    /// FAT12.
    #[serde(rename = "FAT12")]
    Fat12,
    /// FAT16.
    #[serde(rename = "FAT16")]
    Fat16,
    /// FAT32.
    #[serde(rename = "FAT32")]
    Fat32,
    /// exFAT.
    #[serde(rename = "exFAT")]
    ExFat,
    /// ReFS.
    #[serde(rename = "ReFS")]
    Refs,
    /// ext2, ext3 or ext4.
    #[serde(rename = "ext")]
    Ext,
    /// Linux swap space.
    #[serde(rename = "Linux swap")]
    Swap,
    /// XFS.
    #[serde(rename = "XFS")]
    Xfs,
    /// Btrfs.
    Btrfs,
    /// A physical volume of LVM.
    #[serde(rename = "LVM")]
    Lvm,
    /// A volume encrypted with LUKS.
    #[serde(rename = "LUKS")]
    Luks,
    /// ISO 9660.
    #[serde(rename = "ISO 9660")]
    Iso9660,
    /// APFS.
    #[serde(rename = "APFS")]
    Apfs,
    /// HFS or HFS+.
    #[serde(rename = "HFS+")]
    HfsPlus,
    /// A pool of Storage Spaces.
    #[serde(rename = "Storage Spaces")]
    StorageSpaces,
    /// Zeros.
    #[serde(rename = "empty")]
    Empty,
    /// Nothing that is known.
    #[serde(rename = "unknown")]
    Unknown {
        /// Its first 16 bytes in hexadecimal digits.
        first_bytes: String,
    },
}

fn hex_serial<S: serde::Serializer>(serial: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{serial:016X}"))
}

impl VolumeContent {
    /// The name used in output.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ntfs { .. } => "NTFS",
            Self::BitLocker => "BitLocker",
            Self::Fat12 => "FAT12",
            Self::Fat16 => "FAT16",
            Self::Fat32 => "FAT32",
            Self::ExFat => "exFAT",
            Self::Refs => "ReFS",
            Self::Ext => "ext",
            Self::Swap => "Linux swap",
            Self::Xfs => "XFS",
            Self::Btrfs => "Btrfs",
            Self::Lvm => "LVM",
            Self::Luks => "LUKS",
            Self::Iso9660 => "ISO 9660",
            Self::Apfs => "APFS",
            Self::HfsPlus => "HFS+",
            Self::StorageSpaces => "Storage Spaces",
            Self::Empty => "empty",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// True for everything but zeros and unknown bytes.
    pub const fn is_named(&self) -> bool {
        !matches!(self, Self::Empty | Self::Unknown { .. })
    }

    /// True if its first sector is a boot sector of Windows, so that it can't be a partition table.
    pub(super) const fn has_boot_sector(&self) -> bool {
        matches!(
            self,
            Self::Ntfs { boot: NtfsBoot::First, .. }
                | Self::BitLocker
                | Self::Fat12
                | Self::Fat16
                | Self::Fat32
                | Self::ExFat
                | Self::Refs
        )
    }
}

/// What an NTFS boot sector says.
///
/// | offset | size | field |
/// |---|---|---|
/// | 3 | 8 | `NTFS    ` |
/// | 11 | 2 | bytes per sector |
/// | 13 | 1 | sectors per cluster; above 0x80: 2 to the power of its negative |
/// | 40 | 8 | sectors of the volume, the backup boot sector not counted |
/// | 48 | 8 | cluster of `$MFT` |
/// | 72 | 8 | serial number |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NtfsBootSector {
    pub(super) sector_size: u64,
    /// Bytes of the volume up to the backup boot sector.
    pub(super) size: u64,
    /// Where `$MFT` begins, in bytes from the start of the volume.
    pub(super) mft: u64,
    pub(super) serial: u64,
}

impl NtfsBootSector {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.get(3..11) != Some(b"NTFS    ") {
            return None;
        }
        Self::fields(bytes).ok().flatten()
    }

    fn fields(bytes: &[u8]) -> Result<Option<Self>, FormatError> {
        let mut cursor = Cursor::new(bytes, "NTFS boot sector", 0);
        cursor.seek(11);
        let sector_size = u64::from(cursor.u16()?);
        let per_cluster = cursor.u8()?;
        cursor.seek(40);
        let (sectors, mft) = (cursor.u64()?, cursor.u64()?);
        cursor.seek(72);
        let serial = cursor.u64()?;
        let per_cluster = match per_cluster {
            // Larger clusters than 128 sectors are stored as a power of two (Windows 10 and later: up to 2 MiB).
            0xf4..=0xff => 1u64.checked_shl(u32::from(per_cluster.wrapping_neg())),
            n => Some(u64::from(n)),
        };
        let per_cluster = per_cluster.filter(|n| n.is_power_of_two());
        let sized = matches!(sector_size, 256 | 512 | 1024 | 2048 | 4096);
        let (Some(per_cluster), true, true) = (per_cluster, sized, sectors > 0) else { return Ok(None) };
        let size = sectors.checked_mul(sector_size);
        let mft = mft.checked_mul(per_cluster).and_then(|s| s.checked_mul(sector_size));
        Ok(match (size, mft) {
            (Some(size), Some(mft)) if mft < size => Some(Self { sector_size, size, mft, serial }),
            _ => None,
        })
    }
}

/// Names the content of a volume; a damaged NTFS boot sector is made good by the backup at the volume's end.
pub(super) fn read(source: &dyn ReadAt, start: u64, len: u64) -> VolumeContent {
    at_start(source, start, len)
        .or_else(|| by_backup(source, start, len))
        .or_else(|| other(source, start, len))
        .unwrap_or_else(|| unknown(source, start, len))
}

/// File systems that the first sector names.
pub(super) fn at_start(source: &dyn ReadAt, start: u64, len: u64) -> Option<VolumeContent> {
    let sector = bytes_at(source, start, usize::try_from(len.min(512)).ok()?);
    if let Some(boot) = NtfsBootSector::parse(&sector) {
        return Some(VolumeContent::Ntfs { boot: NtfsBoot::First, serial: boot.serial, size: boot.size });
    }
    /// GUID of BitLocker To Go, which keeps a FAT32 look for older systems (libbde, volume header).
    const TO_GO: [u8; 16] =
        [0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01];
    match sector.get(3..11)? {
        b"-FVE-FS-" => Some(VolumeContent::BitLocker),
        b"EXFAT   " => Some(VolumeContent::ExFat),
        b"ReFS\0\0\0\0" => Some(VolumeContent::Refs),
        b"MSWIN4.1" if sector.get(424..440) == Some(&TO_GO) => Some(VolumeContent::BitLocker),
        _ => fat(&sector),
    }
}

/// FAT by the sizes in its boot sector; the number of clusters alone tells which one it is (Microsoft, FAT
/// specification 1.03).
fn fat(sector: &[u8]) -> Option<VolumeContent> {
    if !matches!(sector.first()?, 0xeb | 0xe9) || sector.get(510..512) != Some(&[0x55, 0xaa]) {
        return None;
    }
    let mut cursor = Cursor::new(sector, "FAT boot sector", 0);
    cursor.seek(11);
    let bytes = u64::from(cursor.u16().ok()?);
    let per_cluster = u64::from(cursor.u8().ok()?);
    let reserved = u64::from(cursor.u16().ok()?);
    let fats = u64::from(cursor.u8().ok()?);
    let roots = u64::from(cursor.u16().ok()?);
    let small = u64::from(cursor.u16().ok()?);
    let medium = cursor.u8().ok()?;
    let fat16 = u64::from(cursor.u16().ok()?);
    cursor.seek(32);
    let large = u64::from(cursor.u32().ok()?);
    let fat32 = u64::from(cursor.u32().ok()?);
    let plausible = matches!(bytes, 512 | 1024 | 2048 | 4096)
        && per_cluster.is_power_of_two()
        && reserved > 0
        && matches!(fats, 1 | 2)
        && (medium == 0xf0 || medium >= 0xf8);
    if !plausible {
        return None;
    }
    let sectors = if small > 0 { small } else { large };
    let fat_len = if fat16 > 0 { fat16 } else { fat32 };
    let root_len = roots.saturating_mul(32).div_ceil(bytes);
    let before = fats.saturating_mul(fat_len).saturating_add(reserved).saturating_add(root_len);
    let clusters = sectors.checked_sub(before)?.checked_div(per_cluster)?;
    match clusters {
        0 => None,
        1..4085 => Some(VolumeContent::Fat12),
        4085..65_525 => Some(VolumeContent::Fat16),
        _ => Some(VolumeContent::Fat32),
    }
}

/// NTFS by its backup boot sector, which lies right behind the sectors that it counts.
fn by_backup(source: &dyn ReadAt, start: u64, len: u64) -> Option<VolumeContent> {
    let end = start.saturating_add(len).min(source.len());
    let from = end.saturating_sub(BACKUP_SEARCH).max(start);
    // The partition may begin at an odd place of the image, so the sectors are counted from its start.
    let from = start.saturating_add(whole_sectors(from.saturating_sub(start)));
    let bytes = bytes_at(source, from, usize::try_from(end.saturating_sub(from)).ok()?);
    for (i, sector) in bytes.chunks_exact(512).enumerate().rev() {
        let offset = from.saturating_add((i as u64).saturating_mul(512)).saturating_sub(start);
        if let Some(boot) = NtfsBootSector::parse(sector)
            && boot.size == offset
        {
            return Some(VolumeContent::Ntfs {
                boot: NtfsBoot::Backup { offset },
                serial: boot.serial,
                size: boot.size,
            });
        }
    }
    None
}

/// Offset in the volume, signature, content.
const SIGNATURES: &[(u64, &[u8], VolumeContent)] = &[
    (0, b"LUKS\xba\xbe", VolumeContent::Luks),
    (0, b"XFSB", VolumeContent::Xfs),
    (0, b"SPACEDB ", VolumeContent::StorageSpaces),
    (32, b"NXSB", VolumeContent::Apfs),
    (24, b"LVM2 001", VolumeContent::Lvm),
    (512 + 24, b"LVM2 001", VolumeContent::Lvm),
    (1024 + 24, b"LVM2 001", VolumeContent::Lvm),
    (1536 + 24, b"LVM2 001", VolumeContent::Lvm),
    (1024, b"H+\0\x04", VolumeContent::HfsPlus),
    (1024, b"HX\0\x05", VolumeContent::HfsPlus),
    (4086, b"SWAPSPACE2", VolumeContent::Swap),
    (32_769, b"CD001", VolumeContent::Iso9660),
    (65_600, b"_BHRfS_M", VolumeContent::Btrfs),
];

/// File systems of others.
fn other(source: &dyn ReadAt, start: u64, len: u64) -> Option<VolumeContent> {
    for (offset, signature, content) in SIGNATURES {
        if offset.saturating_add(<[u8]>::len(signature) as u64) <= len
            && bytes_at(source, start.saturating_add(*offset), <[u8]>::len(signature)) == *signature
        {
            return Some(content.clone());
        }
    }
    // Two bytes are a weak signature, so the block size (1 KiB to 64 KiB) must fit too.
    let superblock = bytes_at(source, start.saturating_add(1024), 64);
    let block_size = superblock.get(24..28).and_then(|b| b.first_chunk::<4>()).map(|b| u32::from_le_bytes(*b));
    let ext = superblock.get(56..58) == Some(&[0x53, 0xef]) && block_size.is_some_and(|shift| shift <= 6);
    (ext && len > 2048).then_some(VolumeContent::Ext)
}

fn unknown(source: &dyn ReadAt, start: u64, len: u64) -> VolumeContent {
    let bytes = bytes_at(source, start, usize::try_from(len).unwrap_or(EMPTY).min(EMPTY));
    if bytes.iter().all(|b| *b == 0) {
        return VolumeContent::Empty;
    }
    let first_bytes = bytes.iter().take(16).map(|b| format!("{b:02x}")).collect();
    VolumeContent::Unknown { first_bytes }
}
