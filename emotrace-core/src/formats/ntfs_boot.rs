//! The boot sector of an NTFS volume.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 3 | 8 | `NTFS    ` |
//! | 11 | 2 | bytes per sector |
//! | 13 | 1 | sectors per cluster; above 0x80: two to the power of 256 minus the value |
//! | 40 | 8 | sectors of the volume, without the last one, which holds the copy of this sector |
//! | 48 | 8 | cluster of `$MFT` |
//! | 56 | 8 | cluster of `$MFTMirr` |
//! | 64 | 1 | size of an MFT record: clusters, or if negative two to the power of minus the value, in bytes |
//! | 68 | 1 | size of an index block, in the same way |
//! | 72 | 8 | serial number |
//! | 510 | 2 | 0x55 0xAA |
//!
//! The boot code, the jump and the signature at the end are not needed to read a volume, and are not asked for.
//! Sources: Microsoft, "BIOS Parameter Block" in the Windows NT resource kit, and format.com of Windows 10 1709 for clusters above 64 KiB.

use crate::bytes::{Cursor, FormatError};

/// Bytes that are read from the boot sector.
pub const BOOT_SECTOR_LEN: usize = 512;

/// Largest cluster of NTFS, since Windows 10 1709.
const MAX_CLUSTER: u64 = 2 << 20;
/// Largest record that is believed. Windows makes records of 1024 or 4096 bytes.
const MAX_RECORD: u64 = 64 << 10;

/// Where things lie on the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootSector {
    /// 512 to 4096.
    pub bytes_per_sector: u32,
    /// Bytes, a power of two, up to 2 MiB.
    pub cluster_size: u32,
    /// Sectors of the volume.
    pub sectors: u64,
    /// First cluster of `$MFT`.
    pub mft_cluster: u64,
    /// First cluster of `$MFTMirr`.
    pub mirror_cluster: u64,
    /// Bytes of an MFT record.
    pub record_size: u32,
    /// Bytes of an index block.
    pub index_block_size: u32,
    /// Serial number; `vol` shows its lower half.
    pub serial: u64,
}

impl BootSector {
    /// Reads it from its first 512 bytes; `offset` is their place on the volume.
    ///
    /// # Errors
    /// If it is not a boot sector of NTFS, or a field holds what no NTFS volume can have.
    pub fn parse(data: &[u8], offset: u64) -> Result<Self, FormatError> {
        let mut cursor = Cursor::new(data, "NTFS boot sector", offset);
        cursor.skip(3)?;
        let name = cursor.array::<8>()?;
        if name != *b"NTFS    " {
            return Err(FormatError::Signature {
                what: "NTFS boot sector",
                offset: offset.saturating_add(3),
                expected: b"NTFS    ".to_vec(),
                actual: name.to_vec(),
            });
        }
        let bad = |what, at: u64, value, problem| FormatError::Value {
            what,
            offset: offset.saturating_add(at),
            value,
            problem,
        };

        let bytes_per_sector = u32::from(cursor.u16()?);
        if !bytes_per_sector.is_power_of_two() || !(512..=4096).contains(&bytes_per_sector) {
            return Err(bad("bytes per sector", 11, bytes_per_sector.into(), "not 512, 1024, 2048 or 4096"));
        }
        let raw = cursor.u8()?;
        let sectors_per_cluster = if raw > 0x80 { power_of_two(raw) } else { Some(u64::from(raw)) };
        let cluster_size = sectors_per_cluster
            .and_then(|n| n.checked_mul(bytes_per_sector.into()))
            .filter(|n| n.is_power_of_two() && *n <= MAX_CLUSTER)
            .ok_or_else(|| bad("sectors per cluster", 13, raw.into(), "no cluster size up to 2 MiB"))?;

        cursor.seek(40);
        let (sectors, mft_cluster, mirror_cluster) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
        let size = sectors.checked_mul(bytes_per_sector.into());
        let Some(size) = size.filter(|n| *n > 0 && *n <= i64::MAX as u64) else {
            return Err(bad("sectors of the volume", 40, sectors, "no size of a volume"));
        };
        if mft_cluster == 0 || mft_cluster.checked_mul(cluster_size).is_none_or(|place| place >= size) {
            return Err(bad("first cluster of $MFT", 48, mft_cluster, "not within the volume"));
        }

        let record_size = structure_size(cursor.u8()?, cluster_size)
            .ok_or_else(|| bad("size of an MFT record", 64, 0, "not a power of two from 256 bytes to 64 KiB"))?;
        cursor.skip(3)?;
        // Index blocks have their own size in each index root; the boot sector's is a default only.
        let index_block_size = structure_size(cursor.u8()?, cluster_size).unwrap_or(4096);
        cursor.skip(3)?;
        let serial = cursor.u64()?;
        let cluster_size = u32::try_from(cluster_size).unwrap_or(u32::MAX);
        Ok(Self {
            bytes_per_sector,
            cluster_size,
            sectors,
            mft_cluster,
            mirror_cluster,
            record_size,
            index_block_size,
            serial,
        })
    }

    /// Length of the volume in bytes, without the sector that holds the boot sector's copy.
    pub fn size(&self) -> u64 {
        self.sectors.saturating_mul(self.bytes_per_sector.into())
    }
}

/// Two to the power of minus the value, which is a signed byte.
fn power_of_two(raw: u8) -> Option<u64> {
    1u64.checked_shl(u32::from(raw.wrapping_neg()))
}

fn structure_size(raw: u8, cluster_size: u64) -> Option<u32> {
    let size = if raw >= 0x80 { power_of_two(raw) } else { cluster_size.checked_mul(raw.into()) }?;
    (size.is_power_of_two() && (256..=MAX_RECORD).contains(&size)).then(|| u32::try_from(size).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a boot sector that are read, as Windows 10 writes them for 4 KiB clusters.
    fn sector() -> Vec<u8> {
        let mut sector = vec![0u8; 512];
        sector[3..11].copy_from_slice(b"NTFS    ");
        sector[11..14].copy_from_slice(&[0, 2, 8]);
        sector[40..48].copy_from_slice(&0x1f_ffffu64.to_le_bytes());
        sector[48..56].copy_from_slice(&0x1_5555u64.to_le_bytes());
        sector[56..64].copy_from_slice(&2u64.to_le_bytes());
        sector[64] = 0xf6;
        sector[68] = 1;
        sector[72..80].copy_from_slice(&0xc45e_30fd_5e30_ea36u64.to_le_bytes());
        sector
    }

    #[test]
    fn windows_4k_clusters() {
        let boot = BootSector::parse(&sector(), 0).unwrap();
        assert_eq!((boot.bytes_per_sector, boot.cluster_size), (512, 4096));
        assert_eq!((boot.record_size, boot.index_block_size), (1024, 4096));
        assert_eq!((boot.mft_cluster, boot.mirror_cluster), (0x1_5555, 2));
        assert_eq!((boot.serial, boot.size()), (0xc45e_30fd_5e30_ea36, 0x1f_ffff * 512));
    }

    /// Bytes per sector, sectors per cluster, record size → cluster size, record size in bytes.
    #[test]
    fn sizes_in_either_encoding() {
        let parse = |bytes: u16, cluster: u8, record: u8| {
            let mut sector = sector();
            sector[11..13].copy_from_slice(&bytes.to_le_bytes());
            sector[13] = cluster;
            sector[64] = record;
            sector[48..56].copy_from_slice(&2u64.to_le_bytes());
            BootSector::parse(&sector, 0).map(|b| (b.cluster_size, b.record_size)).ok()
        };
        assert_eq!(parse(512, 0x01, 2), Some((512, 1024)));
        assert_eq!(parse(512, 0x80, 0xf6), Some((65_536, 1024)));
        assert_eq!(parse(512, 0xf8, 0xf6), Some((131_072, 1024)));
        assert_eq!(parse(512, 0xf4, 0xf6), Some((2_097_152, 1024)));
        assert_eq!(parse(4096, 0x01, 1), Some((4096, 4096)));
        assert_eq!(parse(4096, 0xf7, 0xf4), Some((2_097_152, 4096)));
        assert_eq!(parse(512, 0xf3, 0xf6), None, "4 MiB clusters");
        assert_eq!(parse(512, 0x81, 0xf6), None);
        assert_eq!(parse(512, 3, 0xf6), None);
        assert_eq!(parse(512, 0, 0xf6), None);
        assert_eq!(parse(256, 8, 0xf6), None);
        assert_eq!(parse(0, 8, 0xf6), None);
        assert_eq!(parse(512, 8, 0x80), None);
        assert_eq!(parse(512, 8, 0), None);
        assert_eq!(parse(512, 8, 0x7f), None);
    }

    #[test]
    fn damage_is_an_error() {
        let whole = sector();
        for cut in 0..80 {
            assert!(BootSector::parse(&whole[..cut], 0).is_err());
        }
        for byte in 0..80 {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[byte] = value;
                if let Ok(boot) = BootSector::parse(&damaged, 0) {
                    assert!(boot.cluster_size <= 2 << 20 && boot.record_size <= 64 << 10);
                }
            }
        }
        let error = BootSector::parse(&[0; 512], 0x1000).unwrap_err();
        assert_eq!(error.offset(), 0x1003);
    }
}
