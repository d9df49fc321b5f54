//! Disks made here, sector by sector.

use super::*;

const MIB: usize = 1 << 20;

/// A boot sector as Windows writes it: 512-byte sectors, 8 in a cluster, `$MFT` in cluster 4.
fn ntfs_boot(size: usize, serial: u64) -> Vec<u8> {
    let mut sector = vec![0; 512];
    sector[..3].copy_from_slice(&[0xeb, 0x52, 0x90]);
    sector[3..11].copy_from_slice(b"NTFS    ");
    sector[11..13].copy_from_slice(&512u16.to_le_bytes());
    sector[13] = 8;
    sector[21] = 0xf8;
    sector[40..48].copy_from_slice(&(size as u64 / 512 - 1).to_le_bytes());
    sector[48..56].copy_from_slice(&4u64.to_le_bytes());
    sector[72..80].copy_from_slice(&serial.to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

/// Puts an NTFS volume with its backup boot sector onto a disk.
fn put_ntfs(disk: &mut [u8], start: usize, size: usize, serial: u64) {
    let boot = ntfs_boot(size, serial);
    disk[start..start + 512].copy_from_slice(&boot);
    disk[start + size - 512..start + size].copy_from_slice(&boot);
    disk[start + 4 * 4096..start + 4 * 4096 + 4].copy_from_slice(b"FILE");
}

fn put_fat16(disk: &mut [u8], start: usize, sectors: u16) {
    let sector = &mut disk[start..start + 512];
    sector[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
    sector[3..11].copy_from_slice(b"MSDOS5.0");
    sector[11..13].copy_from_slice(&512u16.to_le_bytes());
    sector[13] = 1;
    sector[14] = 1;
    sector[16] = 2;
    sector[17..19].copy_from_slice(&512u16.to_le_bytes());
    sector[19..21].copy_from_slice(&sectors.to_le_bytes());
    sector[21] = 0xf8;
    sector[22..24].copy_from_slice(&64u16.to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
}

/// Writes an MBR entry; places in sectors.
fn put_entry(disk: &mut [u8], table: usize, slot: usize, kind: u8, first: usize, count: usize) {
    let entry = &mut disk[table + 446 + 16 * slot..table + 462 + 16 * slot];
    entry[4] = kind;
    entry[8..12].copy_from_slice(&u32::try_from(first).unwrap().to_le_bytes());
    entry[12..16].copy_from_slice(&u32::try_from(count).unwrap().to_le_bytes());
    disk[table + 510..table + 512].copy_from_slice(&[0x55, 0xaa]);
}

const BASIC: [u8; 16] =
    [0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7];

/// CRC-32 by an implementation that is not the one under test.
fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum().to_le_bytes()
}

/// Writes a GPT with its backup; partitions as (first, last) in sectors.
fn put_gpt(disk: &mut [u8], sector: usize, partitions: &[(u64, u64)]) {
    let last = (disk.len() / sector - 1) as u64;
    let mut entries = vec![0; 128 * 128];
    for (entry, (first, end)) in entries.chunks_exact_mut(128).zip(partitions) {
        entry[..16].copy_from_slice(&BASIC);
        entry[16] = 1;
        entry[32..40].copy_from_slice(&first.to_le_bytes());
        entry[40..48].copy_from_slice(&end.to_le_bytes());
        entry[56..60].copy_from_slice(b"D\0a\0");
    }
    let entry_sectors = (entries.len() / sector) as u64;
    for (own, other, place) in [(1, last, 2), (last, 1, last - entry_sectors)] {
        let mut header = vec![0; 92];
        header[..8].copy_from_slice(b"EFI PART");
        header[8..12].copy_from_slice(&0x1_0000u32.to_le_bytes());
        header[12] = 92;
        let usable = (2 + entry_sectors, last - entry_sectors - 1);
        for (at, value) in [(24, own), (32, other), (40, usable.0), (48, usable.1), (72, place)] {
            header[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
        }
        header[56] = 0xd1;
        header[80] = 128;
        header[84] = 128;
        header[88..92].copy_from_slice(&crc(&entries));
        let sum = crc(&header);
        header[16..20].copy_from_slice(&sum);
        let at = |n: u64| usize::try_from(n).unwrap() * sector;
        disk[at(own)..at(own) + 92].copy_from_slice(&header);
        disk[at(place)..at(place) + entries.len()].copy_from_slice(&entries);
    }
    put_entry(disk, 0, 0, 0xee, 1, 0xffff);
}

fn names(layout: &Layout) -> Vec<(&str, u64, u64, &str)> {
    layout.volumes.iter().map(|v| (v.label.as_str(), v.start, v.len, v.content.name())).collect()
}

fn mib(n: usize) -> u64 {
    (n * MIB) as u64
}

#[test]
fn an_mbr_with_a_chain_of_logical_partitions() {
    let mut disk = vec![0; 20 * MIB];
    disk[440..444].copy_from_slice(&0xa1b2_c3d4u32.to_le_bytes());
    let s = 2048;
    put_entry(&mut disk, 0, 0, 0x07, 8 * s, 4 * s);
    put_entry(&mut disk, 0, 1, 0x06, s, 5 * s);
    put_entry(&mut disk, 0, 2, 0x0f, 14 * s, 6 * s);
    put_ntfs(&mut disk, 8 * MIB, 4 * MIB, 77);
    put_fat16(&mut disk, MIB, 10240);
    put_entry(&mut disk, 14 * MIB, 0, 0x07, 64, 2 * s);
    put_entry(&mut disk, 14 * MIB, 1, 0x05, 3 * s, 3 * s);
    put_ntfs(&mut disk, 14 * MIB + 64 * 512, 2 * MIB, 78);
    put_entry(&mut disk, 17 * MIB, 0, 0x83, 64, s);
    let layout = read_layout(&disk);
    assert_eq!((layout.scheme, layout.disk_id.as_deref()), (Scheme::Mbr, Some("a1b2c3d4")));
    assert_eq!(
        names(&layout),
        [
            ("p1", mib(1), mib(5), "FAT16"),
            ("p2", mib(8), mib(4), "NTFS"),
            ("p3", mib(14) + 32768, mib(2), "NTFS"),
            ("p4", mib(17) + 32768, mib(1), "empty"),
        ]
    );
    assert_eq!(layout.volumes[3].type_name, Some("Linux"));
    assert_eq!(layout.issues, [LayoutIssue::note(1 << 20, "p1: it holds FAT16, which is not read")]);
    assert_eq!(layout.unallocated.first(), Some(&Extent { start: mib(6), len: mib(2) }));
    assert_eq!(layout.unallocated.len(), 4);
}

#[test]
fn a_chain_in_a_circle_ends() {
    let mut disk = vec![0; 8 * MIB];
    put_entry(&mut disk, 0, 0, 0x05, 2048, 8192);
    put_entry(&mut disk, MIB, 0, 0x07, 64, 2048);
    put_entry(&mut disk, MIB, 1, 0x05, 4096, 2048);
    put_entry(&mut disk, 3 * MIB, 0, 0x07, 64, 2048);
    put_entry(&mut disk, 3 * MIB, 1, 0x05, 4096, 2048);
    let layout = read_layout(&disk);
    assert_eq!(layout.volumes.len(), 2);
    assert!(layout.issues[0].error.contains("circle"));
}

#[test]
fn a_table_without_its_signature_is_believed_if_it_leads_somewhere() {
    let mut disk = vec![0; 8 * MIB];
    put_entry(&mut disk, 0, 0, 0x07, 2048, 8192);
    disk[510] = 0;
    assert_eq!(read_layout(&disk).scheme, Scheme::None);
    put_ntfs(&mut disk, MIB, 4 * MIB, 1);
    let layout = read_layout(&disk);
    assert_eq!((layout.scheme, layout.volumes.len(), layout.issues.len()), (Scheme::Mbr, 1, 1));
}

#[test]
fn gpt_in_both_sector_sizes_whole_and_damaged() {
    for sector in [512, 4096] {
        let per_mib = (MIB / sector) as u64;
        let mut disk = vec![0; 16 * MIB];
        put_gpt(&mut disk, sector, &[(8 * per_mib, 12 * per_mib - 1), (per_mib, 3 * per_mib - 1)]);
        put_ntfs(&mut disk, 8 * MIB, 4 * MIB, 9);
        let expected = [("p1", mib(1), mib(2), "empty"), ("p2", mib(8), mib(4), "NTFS")];
        let layout = read_layout(&disk);
        assert_eq!(names(&layout), expected);
        assert_eq!((layout.scheme, layout.sector_size as usize), (Scheme::Gpt, sector));
        assert_eq!(layout.disk_id.as_deref(), Some("000000d1-0000-0000-0000-000000000000"));
        assert_eq!(layout.volumes[1].type_name, Some("Microsoft basic data"));
        assert_eq!(layout.volumes[1].name.as_deref(), Some("Da"));
        assert_eq!(layout.issues, []);
        assert_eq!(layout.unallocated, [Extent { start: mib(3), len: mib(5) }, layout.unallocated[1]]);

        let last = disk.len() - sector;
        // Header, entries, backup header, protective MBR; in each case the layout stays and is complained about.
        for damage in [sector + 60, 2 * sector + 33, last + 60, 446 + 4] {
            let mut damaged = disk.clone();
            damaged[damage] ^= 0xff;
            let layout = read_layout(&damaged);
            assert_eq!(names(&layout), expected, "damage at {damage}");
            assert_eq!(layout.issues.len(), 1, "damage at {damage}: {:?}", layout.issues);
        }
        let mut both = disk.clone();
        both[sector + 60] ^= 1;
        both[last + 60] ^= 1;
        let layout = read_layout(&both);
        assert_eq!((layout.scheme, layout.volumes.len()), (Scheme::None, 1));
        assert_eq!((layout.volumes[0].start, layout.volumes[0].found_by), (mib(8), FoundBy::Scan));
        assert!(layout.issues[0].error.contains("GPT"));
        // Cut before its end the backup is gone.
        let layout = read_layout(&&disk[..13 * MIB]);
        assert_eq!(names(&layout), expected);
        assert!(layout.issues[0].error.contains("backup"));
    }
}

/// Four billion entries, with checksums that fit, take half a terabyte: such a table is refused and the volume is looked for.
#[test]
fn a_gpt_with_four_billion_entries() {
    let mut disk = vec![0; 16 * MIB];
    put_gpt(&mut disk, 512, &[(8 * 2048, 12 * 2048 - 1)]);
    put_ntfs(&mut disk, 8 * MIB, 4 * MIB, 9);
    for header in [512, disk.len() - 512] {
        disk[header + 80..header + 84].fill(0xff);
        disk[header + 16..header + 20].fill(0);
        let sum = crc(&disk[header..header + 92]);
        disk[header + 16..header + 20].copy_from_slice(&sum);
    }
    let layout = read_layout(&disk);
    assert_eq!((layout.volumes.len(), layout.volumes[0].start), (1, mib(8)));
    assert_eq!(layout.volumes[0].found_by, FoundBy::Scan);
    assert!(layout.issues.iter().any(|issue| issue.error.contains("GPT")), "{:?}", layout.issues);
}

#[test]
fn an_old_gpt_behind_a_new_mbr_is_not_read() {
    let mut disk = vec![0; 16 * MIB];
    put_gpt(&mut disk, 512, &[(2048, 4095)]);
    put_entry(&mut disk, 0, 0, 0x07, 8 * 2048, 8192);
    assert_eq!(read_layout(&disk).scheme, Scheme::Mbr);
}

#[test]
fn a_bare_volume_is_p0() {
    let mut disk = vec![0; 4 * MIB];
    put_ntfs(&mut disk, 0, 4 * MIB, 0x1234);
    let layout = read_layout(&disk);
    assert_eq!(names(&layout), [("p0", 0, mib(4), "NTFS")]);
    assert_eq!(layout.volumes[0].found_by, FoundBy::WholeImage);
    disk[..512].fill(0);
    let layout = read_layout(&disk);
    assert_eq!(
        layout.volumes[0].content,
        VolumeContent::Ntfs { boot: NtfsBoot::Backup { offset: mib(4) - 512 }, serial: 0x1234, size: mib(4) - 512 }
    );
    assert!(layout.issues[0].error.contains("backup"));
}

#[test]
fn a_partition_with_a_damaged_boot_sector_is_still_ntfs() {
    let mut disk = vec![0; 8 * MIB];
    // The partition is a little longer than the volume in it.
    put_entry(&mut disk, 0, 0, 0x07, 2048, 4 * 2048 + 8);
    put_ntfs(&mut disk, MIB, 4 * MIB, 5);
    disk[MIB..MIB + 512].fill(0xa5);
    let layout = read_layout(&disk);
    assert!(matches!(layout.volumes[0].content, VolumeContent::Ntfs { boot: NtfsBoot::Backup { .. }, .. }));
}

#[test]
fn scanning_finds_volumes_when_the_table_is_gone() {
    let mut disk = vec![0; 40 * MIB];
    put_ntfs(&mut disk, 63 * 512, 2 * MIB, 1);
    put_ntfs(&mut disk, 8 * MIB, 4 * MIB, 2);
    // Inside the second volume: an image that is stored there.
    put_ntfs(&mut disk, 9 * MIB, MIB, 3);
    put_ntfs(&mut disk, 16 * MIB, 4 * MIB, 4);
    disk[16 * MIB..16 * MIB + 512].fill(0);
    put_ntfs(&mut disk, 255 * 63 * 512 * 3, 4 * MIB, 5);
    let layout = read_layout(&disk);
    assert_eq!(
        names(&layout),
        [
            ("p1", 63 * 512, mib(2), "NTFS"),
            ("p2", mib(8), mib(4), "NTFS"),
            ("p3", mib(16), mib(4), "NTFS"),
            ("p4", 255 * 63 * 512 * 3, mib(4), "NTFS"),
        ]
    );
    assert!(layout.volumes.iter().all(|v| v.found_by == FoundBy::Scan));
}

#[test]
fn contents_are_named() {
    let content = |place: usize, bytes: &[u8]| {
        let mut volume = vec![0; 100_000];
        volume[place..place + bytes.len()].copy_from_slice(bytes);
        super::content::read(&volume, 0, 100_000).name()
    };
    assert_eq!(content(3, b"-FVE-FS-"), "BitLocker");
    assert_eq!(content(3, b"EXFAT   "), "exFAT");
    assert_eq!(content(3, b"ReFS\0\0\0\0"), "ReFS");
    assert_eq!(content(0, b"LUKS\xba\xbe"), "LUKS");
    assert_eq!(content(1024 + 56, &[0x53, 0xef]), "ext");
    assert_eq!(content(4086, b"SWAPSPACE2"), "Linux swap");
    assert_eq!(content(32769, b"CD001"), "ISO 9660");
    assert_eq!(content(65600, b"_BHRfS_M"), "Btrfs");
    assert_eq!(content(0, b"something"), "unknown");
    assert_eq!(content(0, b""), "empty");
}

/// What lies beside the NTFS volumes is named, and what may hold Windows' own files counts as lost.
#[test]
fn volumes_that_are_not_read_are_told() {
    let mut disk = vec![0; 8 * MIB];
    for (entry, start) in [2048, 6144, 10240].into_iter().enumerate() {
        put_entry(&mut disk, 0, entry, 0x07, start, 2048);
    }
    put_ntfs(&mut disk, MIB, MIB, 5);
    disk[3 * MIB + 3..3 * MIB + 11].copy_from_slice(b"-FVE-FS-");
    disk[5 * MIB + 1080..5 * MIB + 1082].copy_from_slice(&[0x53, 0xef]);
    let layout = read_layout(&disk);
    let told: Vec<_> = layout.issues.iter().map(|i| (i.offset, i.loss, i.error.as_str())).collect();
    assert_eq!(
        told,
        [
            (3 << 20, Loss::Whole, "p2: it is encrypted with BitLocker and can't be read without its key"),
            (5 << 20, Loss::None, "p3: it holds ext, which is not read"),
        ]
    );
}

/// A partition that begins behind the end of the image is told at a place that the image has.
#[test]
fn partitions_behind_the_end_are_told() {
    let mut disk = vec![0; 4 * MIB];
    put_ntfs(&mut disk, MIB, MIB, 5);
    put_entry(&mut disk, 0, 0, 0x07, 2048, 2048);
    put_entry(&mut disk, 0, 1, 0x07, 200_000, 2048);
    put_entry(&mut disk, 0, 2, 0x07, 200_100, 2048);
    let layout = read_layout(&disk);
    assert_eq!(layout.issues.len(), 3, "{:?}", layout.issues);
    assert!(layout.issues.iter().all(|issue| issue.offset == 0));
}

#[test]
fn texts_and_short_files_have_no_volumes() {
    for bytes in [&b"Just a text.\n"[..], b"", &[0xff; 600], &[0x55; 5000]] {
        let layout = read_layout(&bytes);
        assert_eq!((layout.volumes.len(), layout.scheme), (0, Scheme::None));
        assert_eq!(layout.issues.len(), 1);
    }
}

#[test]
fn damage_never_panics() {
    let mut mbr = vec![0; 4 * MIB];
    put_entry(&mut mbr, 0, 0, 0x07, 2048, 2048);
    put_entry(&mut mbr, 0, 1, 0x05, 4096, 4096);
    put_entry(&mut mbr, 2 * MIB, 0, 0x07, 64, 2048);
    put_ntfs(&mut mbr, MIB, MIB, 5);
    let mut gpt = vec![0; 4 * MIB];
    put_gpt(&mut gpt, 512, &[(2048, 4095)]);
    let mut seed = 7u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for round in 0..2000 {
        let disk = if round % 2 == 0 { &mut mbr } else { &mut gpt };
        // The tables, the volume's boot sector, the backup.
        let base = [0, MIB, 2 * MIB, 4 * MIB - 512][random(4)];
        let places: Vec<(usize, u8)> = (0..=random(6)).map(|_| base + random(512)).map(|i| (i, disk[i])).collect();
        for (i, _) in &places {
            disk[*i] = random(256) as u8;
        }
        let layout = read_layout(&*disk);
        assert!(layout.volumes.len() <= 300);
        for (i, byte) in places.into_iter().rev() {
            disk[i] = byte;
        }
    }
}
