//! A small volume made by hand: 512-byte sectors, 1024-byte clusters, records and index blocks.

use std::io::ErrorKind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::bytes::{Window, read_up_to};
use crate::filesystem::Metafile;
use crate::formats::mft::attribute_type as kind;
use crate::formats::ntfs_crate::Witness;
use crate::formats::ntfs_samples::{self as samples, Extent as Sample, Head, Random, index_entry, reference};
use crate::model::Namespace;

const CLUSTER: usize = 1024;
const CLUSTERS: usize = 600;
/// Records 0 to 47 lie from here on, 48 to 63 from `MFT_2` on.
const MFT_1: usize = 4;
const MFT_2: usize = 200;
const MIRROR: usize = 100;
const LIVE: u16 = 1;
const DIRECTORY: u16 = 2;

/// Where record `number` lies on the volume.
fn place(number: u64) -> usize {
    let number = number as usize;
    CLUSTER * if number < 48 { MFT_1 + number } else { MFT_2 + number - 48 }
}

struct Image {
    bytes: Vec<u8>,
}

impl Image {
    fn set(&mut self, number: u64, sequence: u16, flags: u16, attributes: &[Vec<u8>]) {
        self.set_extension(number, sequence, flags, 0, attributes);
    }

    fn set_extension(&mut self, number: u64, sequence: u16, flags: u16, base: u64, attributes: &[Vec<u8>]) {
        let record = samples::record(Head { number: number as u32, sequence, flags, base }, attributes);
        let at = place(number);
        self.bytes[at..at + CLUSTER].copy_from_slice(&record);
    }

    fn cluster(&mut self, number: usize, content: &[u8]) {
        self.bytes[number * CLUSTER..number * CLUSTER + content.len()].copy_from_slice(content);
    }

    fn open(&self) -> Result<NtfsVolume, NtfsError> {
        NtfsVolume::open(Arc::new(self.bytes.clone()))
    }
}

fn boot_sector() -> Vec<u8> {
    let mut sector = vec![0u8; 512];
    sector[3..11].copy_from_slice(b"NTFS    ");
    sector[11..14].copy_from_slice(&[0, 2, 2]);
    sector[40..48].copy_from_slice(&(CLUSTERS as u64 * 2 - 1).to_le_bytes());
    sector[48] = MFT_1 as u8;
    sector[56] = MIRROR as u8;
    sector[64] = 1;
    sector[68] = 1;
    sector[72..80].copy_from_slice(&0x1122_3344_5566_7788u64.to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

fn named(parent: u64, name: &str) -> Vec<Vec<u8>> {
    vec![samples::standard_information(0x20), samples::file_name(parent, name, 3)]
}

fn with(mut attributes: Vec<Vec<u8>>, more: &[Vec<u8>]) -> Vec<Vec<u8>> {
    attributes.extend_from_slice(more);
    attributes
}

/// A bitmap of 64 bits in which these are set.
fn bits(set: &[u64]) -> [u8; 8] {
    set.iter().fold(0u64, |bits, n| bits | 1 << n).to_le_bytes()
}

const ROOT_REF: u64 = 5 | 5 << 48;

/// An entry of the root's index.
fn in_root(record: u64, name: &str) -> Vec<u8> {
    index_entry(reference(record, 1), Some(&samples::file_name_value(ROOT_REF, name, 3)), None)
}

/// A volume with a few live files, of which `$MFT` needs an extension record (24) for its second extent.
fn image() -> Image {
    let mut image = Image { bytes: vec![0; CLUSTERS * CLUSTER] };
    let boot = boot_sector();
    image.cluster(0, &boot);
    let last = image.bytes.len() - 512;
    image.bytes[last..].copy_from_slice(&boot);

    let mft = Sample {
        highest: 47,
        allocated: 64 * 1024,
        size: 64 * 1024,
        initialized: 64 * 1024,
        pairs: &[0x11, 48, MFT_1 as u8, 0],
        ..Sample::default()
    };
    let list = [
        samples::list_entry(kind::STANDARD_INFORMATION, "", 0, reference(0, 1)),
        samples::list_entry(kind::DATA, "", 0, reference(0, 1)),
        samples::list_entry(kind::DATA, "", 48, reference(24, 1)),
    ]
    .concat();
    let lists = samples::resident(kind::ATTRIBUTE_LIST, "", &list);
    let in_use = samples::resident(kind::BITMAP, "", &bits(&[0, 3, 5, 10, 24, 30, 31, 32, 33, 34, 35, 60]));
    image.set(0, 1, LIVE, &with(named(ROOT_REF, "$MFT"), &[lists, samples::extent(mft), in_use]));
    let rest = Sample { lowest: 48, highest: 63, pairs: &[0x21, 16, MFT_2 as u8, 0, 0], ..Sample::default() };
    image.set_extension(24, 1, LIVE, reference(0, 1), &[samples::extent(rest)]);

    let volume = [
        samples::resident(kind::VOLUME_NAME, "", &samples::utf16("Täst")),
        samples::resident(kind::VOLUME_INFORMATION, "", &[0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 1, 0]),
        samples::resident(kind::OBJECT_ID, "", &[1; 16]),
    ];
    image.set(3, 3, LIVE, &with(named(ROOT_REF, "$Volume"), &volume));

    // 440 = 0x1b8, 128 KiB.
    let upcase = Sample {
        highest: 127,
        allocated: 131_072,
        size: 131_072,
        initialized: 131_072,
        pairs: &[0x22, 128, 0, 0xb8, 1, 0],
        ..Sample::default()
    };
    image.set(10, 10, LIVE, &with(named(ROOT_REF, "$UpCase"), &[samples::extent(upcase)]));
    let upper = |unit: u16| match unit {
        0x61..=0x7a | 0xe0..=0xf6 | 0xf8..=0xfe => unit - 32,
        unit => unit,
    };
    let table: Vec<u8> = (0..=u16::MAX).flat_map(|unit| upper(unit).to_le_bytes()).collect();
    image.cluster(440, &table);

    // The root's index: one entry in the root node, a block before it and a block behind it.
    let blocks = Sample {
        type_code: kind::INDEX_ALLOCATION,
        name: "$I30",
        highest: 1,
        allocated: 2048,
        size: 2048,
        initialized: 2048,
        pairs: &[0x21, 2, 150, 0, 0],
        ..Sample::default()
    };
    let middle = index_entry(reference(32, 1), Some(&samples::file_name_value(ROOT_REF, "Frag.bin", 3)), Some(0));
    let root = samples::index_root(&[middle, index_entry(0, None, Some(1))]);
    let index = [samples::resident(kind::INDEX_ROOT, "$I30", &root), samples::extent(blocks)];
    image.set(5, 5, LIVE | DIRECTORY, &with(named(ROOT_REF, "."), &index));
    image.cluster(150, &samples::index_block(0, &[in_root(0, "$MFT"), in_root(30, "Dir"), index_entry(0, None, None)]));
    let behind = [in_root(31, "hello.txt"), in_root(60, "über.TXT"), index_entry(0, None, None)];
    image.cluster(151, &samples::index_block(1, &behind));

    let empty = samples::index_root(&[
        index_entry(reference(33, 1), Some(&samples::file_name_value(reference(30, 1), "In.log", 1)), None),
        index_entry(reference(33, 1), Some(&samples::file_name_value(reference(30, 1), "INLOG~1", 2)), None),
        index_entry(0, None, None),
    ]);
    let index = samples::resident(kind::INDEX_ROOT, "$I30", &empty);
    image.set(30, 1, LIVE | DIRECTORY, &with(named(ROOT_REF, "Dir"), &[index]));
    let streams = [
        samples::resident(kind::DATA, "Zone.Identifier", b"[ZoneTransfer]"),
        samples::resident(kind::DATA, "", b"hello"),
    ];
    image.set(31, 1, LIVE, &with(named(ROOT_REF, "hello.txt"), &streams));
    fragmented(&mut image, true);
    let names = vec![
        samples::standard_information(0),
        samples::file_name(reference(30, 1), "INLOG~1", 2),
        samples::file_name(reference(30, 1), "In.log", 1),
        samples::file_name(ROOT_REF, "second link", 0),
    ];
    image.set(33, 1, LIVE, &names);
    image.set(60, 1, LIVE, &named(ROOT_REF, "über.TXT"));
    image
}

/// `Frag.bin`: clusters 0–1 told by the base record 32, 2–3 by record 34, 4 by record 35. Cluster 0 of the volume is one of them.
fn fragmented(image: &mut Image, whole: bool) {
    let list = [
        samples::list_entry(kind::DATA, "", 0, reference(32, 1)),
        samples::list_entry(kind::DATA, "", 2, reference(34, 1)),
        samples::list_entry(kind::DATA, "", 4, reference(35, 1)),
    ]
    .concat();
    let first = Sample {
        highest: 1,
        allocated: 5 * 1024,
        size: 4500,
        initialized: 4500,
        pairs: &[0x21, 1, 110, 0, 0x11, 1, 10, 0],
        ..Sample::default()
    };
    let second = Sample { lowest: 2, highest: 3, pairs: &[0x11, 1, 0, 0x11, 1, 120, 0], ..Sample::default() };
    let third = Sample { lowest: 4, highest: 4, pairs: &[0x11, 1, 111, 0], ..Sample::default() };
    let base = [samples::resident(kind::ATTRIBUTE_LIST, "", &list), samples::extent(first)];
    image.set(32, 1, LIVE, &with(named(ROOT_REF, "Frag.bin"), &base));
    let base = reference(32, 1);
    let second_base = if whole { base } else { reference(31, 1) };
    image.set_extension(34, 1, LIVE, second_base, &[samples::extent(second)]);
    image.set_extension(35, 1, LIVE, base, &[samples::extent(third)]);
    for (cluster, letter) in [(110, b'a'), (120, b'b'), (111, b'e')] {
        image.cluster(cluster, &[letter; CLUSTER]);
    }
}

fn walk(volume: &NtfsVolume) -> (Vec<FileEntry>, Vec<FileSystemIssue>) {
    let (mut entries, mut issues) = (Vec::new(), Vec::new());
    for part in 0..volume.parts() {
        volume.walk(part, &mut |entry| entries.push(entry), &mut |issue| issues.push(issue));
    }
    (entries, issues)
}

fn entry(volume: &NtfsVolume, record: u64) -> FileEntry {
    volume.entry(FileReference { record, sequence: 0 }).unwrap()
}

fn content(volume: &NtfsVolume, record: u64, stream: &str) -> io::Result<Vec<u8>> {
    let reader = volume.open(&entry(volume, record), stream)?;
    let mut bytes = vec![0xaa; reader.len() as usize + 10];
    let n = read_up_to(&*reader, 0, &mut bytes)?;
    bytes.truncate(n);
    Ok(bytes)
}

fn paths(entries: &[FileEntry]) -> Vec<(u64, &str)> {
    let each = |e: &'_ FileEntry| e.reference.unwrap().record;
    entries.iter().flat_map(|e| e.names.iter().map(move |n| (each(e), n.path.as_str()))).collect()
}

#[test]
fn a_healthy_volume_tells_its_facts_and_files() {
    let volume = image().open().unwrap();
    let facts = volume.facts();
    assert_eq!((facts.kind.as_str(), facts.label.as_deref()), ("NTFS 3.1", Some("Täst")));
    assert_eq!((facts.serial, facts.cluster_size), (Some(0x1122_3344_5566_7788), Some(1024)));
    assert_eq!((facts.dirty, facts.object_id.as_deref()), (Some(true), Some("01010101-0101-0101-0101-010101010101")));
    assert_eq!((facts.records, facts.formatted.map(|t| t.filetime())), (Some(64), Some(1)));
    assert_eq!(volume.issues(), []);
    let (entries, issues) = walk(&volume);
    assert_eq!(issues, []);
    let expected = [
        (0, r"\$MFT"),
        (3, r"\$Volume"),
        (5, r"\"),
        (10, r"\$UpCase"),
        (30, r"\Dir"),
        (31, r"\hello.txt"),
        (32, r"\Frag.bin"),
        (33, r"\Dir\In.log"),
        (33, r"\second link"),
        (33, r"\Dir\INLOG~1"),
        (60, r"\über.TXT"),
    ];
    assert_eq!(paths(&entries), expected);
    assert!(entries.iter().all(|e| !e.deleted && !e.bad_fixup && e.names.iter().all(|n| !n.orphan)));
    let hello = &entries[5];
    assert_eq!((hello.offset, hello.lsn), (Some(31 * 1024), Some(77)));
    let names: Vec<_> = hello.streams.iter().map(|s| (s.name.as_str(), s.size, s.resident)).collect();
    assert_eq!(names, [("", 5, true), ("Zone.Identifier", 14, true)], "the main stream comes first");
}

#[test]
fn names_are_found_as_the_volume_compares_them() {
    let volume = image().open().unwrap();
    let found = |path: &str| volume.lookup(path).map(|e| e.reference.unwrap().record).map_err(|e| e.kind());
    for (path, record) in [
        (r"\", 5),
        ("", 5),
        (r"\hello.txt", 31),
        ("/HELLO.TXT", 31),
        (r"\frag.BIN", 32),
        (r"dir\IN.LOG", 33),
        (r"\DIR\inlog~1", 33),
        ("ÜBER.txt", 60),
    ] {
        assert_eq!(found(path), Ok(record), "{path}");
    }
    assert_eq!(found(r"\nothing"), Err(ErrorKind::NotFound));
    assert_eq!(found(r"\hello.txt\x"), Err(ErrorKind::NotADirectory));
    assert_eq!(found(r"\$MFT"), Ok(0));
    let listed: Vec<_> = volume.list(&entry(&volume, 5)).unwrap();
    let listed: Vec<_> = listed.iter().map(|e| e.reference.unwrap().record).collect();
    assert_eq!(listed, [0, 30, 32, 31, 60]);
    assert_eq!(volume.list(&entry(&volume, 30)).unwrap().len(), 1, "one entry for a long and a DOS name");
    assert_eq!(volume.path_of(FileReference { record: 33, sequence: 1 }).as_deref(), Some(r"\Dir\In.log"));
    assert_eq!(volume.path_of(FileReference { record: 33, sequence: 2 }), None);
}

/// The crate reads the same volume, for which its known faults play no part.
#[test]
fn the_crate_agrees() {
    let image = image();
    let volume = image.open().unwrap();
    let mut witness = Witness::open(image.bytes).unwrap();
    assert_eq!(witness.facts(), (0x1122_3344_5566_7788, 1024, 1024));
    for name in ["$mft", "DIR", "frag.bin", "HELLO.TXT", "none"] {
        let ours = volume.lookup(name).ok().and_then(|entry| entry.reference);
        assert_eq!(witness.find(5, name).unwrap(), ours, "{name}");
    }
    let theirs: Vec<_> = witness.list(5).unwrap().into_iter().map(|(_, reference)| reference).collect();
    let ours = volume.list(&entry(&volume, 5)).unwrap();
    assert_eq!(theirs, ours.iter().map(|e| e.reference.unwrap()).collect::<Vec<_>>());
    assert_eq!(witness.read(31, "zone.identifier", 100).unwrap().as_deref(), Some(&b"[ZoneTransfer]"[..]));
}

/// The crate cuts an entry to its own length first, and reads the entry's head behind that end then.
#[test]
fn a_panic_in_the_crate_is_an_error() {
    let mut image = image();
    let block = 150 * CLUSTER;
    let first = block + 24 + usize::from(image.bytes[block + 24]);
    image.bytes[first + 8..first + 10].copy_from_slice(&4u16.to_le_bytes());
    let volume = image.open().unwrap();
    let error = Witness::open(image.bytes).unwrap().list(5).unwrap_err().to_string();
    assert!(error.contains("the decoder gave up"), "{error}");
    // Ours loses that block and says so.
    let mut issues = Vec::new();
    let entries = volume.read_directory(&entry(&volume, 5), &mut |issue| issues.push(issue)).unwrap();
    assert_eq!((entries.len(), issues.len()), (3, 1));
}

/// The crate follows the circle without end; what it may read is bounded.
#[test]
fn a_hang_in_the_crate_is_an_error() {
    let mut image = image();
    let circle = index_entry(reference(31, 1), Some(&samples::file_name_value(ROOT_REF, "a", 3)), Some(0));
    image.cluster(150, &samples::index_block(0, &[circle, index_entry(0, None, Some(0))]));
    let error = Witness::open(image.bytes).unwrap().list(5).unwrap_err().to_string();
    assert!(error.contains("more than the question can need"), "{error}");
}

#[test]
fn a_stale_index_entry_leads_nowhere() {
    let mut image = image();
    image.bytes[place(31) + 16] = 2;
    let volume = image.open().unwrap();
    assert_eq!(volume.lookup("hello.txt").unwrap_err().kind(), ErrorKind::NotFound);
    let mut issues = Vec::new();
    let entries = volume.read_directory(&entry(&volume, 5), &mut |issue| issues.push(issue)).unwrap();
    assert_eq!((entries.len(), issues.len()), (4, 1));
}

#[test]
fn a_damaged_index_block_does_not_hide_the_others() {
    let mut image = image();
    image.bytes[150 * CLUSTER + 510] ^= 1;
    let volume = image.open().unwrap();
    assert_eq!(volume.lookup("HELLO.txt").unwrap().reference.unwrap().record, 31);
    assert_eq!(volume.lookup("dir").unwrap_err().kind(), ErrorKind::NotFound);
    let mut issues = Vec::new();
    let entries = volume.read_directory(&entry(&volume, 5), &mut |issue| issues.push(issue)).unwrap();
    assert_eq!((entries.len(), issues.len()), (3, 1));
    assert!(issues[0].error.contains("update sequence"), "{}", issues[0].error);
}

#[test]
fn an_index_with_a_circle_ends() {
    let mut image = image();
    let circle = index_entry(reference(31, 1), Some(&samples::file_name_value(ROOT_REF, "a", 3)), Some(0));
    image.cluster(150, &samples::index_block(0, &[circle, index_entry(0, None, Some(0))]));
    let volume = image.open().unwrap();
    let mut issues = Vec::new();
    volume.read_directory(&entry(&volume, 5), &mut |issue| issues.push(issue)).unwrap();
    assert!(issues.iter().any(|i| i.error.contains("circle")));
    assert!(volume.lookup("0").is_err());
}

#[test]
fn the_boot_sectors_copy_is_used_when_the_first_is_gone() {
    let mut image = image();
    image.bytes[..512].fill(0);
    let volume = image.open().unwrap();
    assert_eq!(volume.facts().records, Some(64));
    let issues = volume.issues();
    assert!(issues.len() == 1 && issues[0].error.contains("copy of the boot sector"), "{issues:?}");
    let last = image.bytes.len() - 512;
    image.bytes[last..].fill(0);
    assert!(matches!(image.open(), Err(NtfsError::Format(_))));
    assert!(NtfsVolume::open(Arc::new(Vec::new())).is_err());
    assert!(NtfsVolume::open(Arc::new(b"not a disk".to_vec())).is_err());
}

#[test]
fn the_mirror_is_used_when_record_0_is_damaged() {
    let mut image = image();
    for number in 0..4usize {
        let copy = image.bytes[(MFT_1 + number) * CLUSTER..][..CLUSTER].to_vec();
        image.cluster(MIRROR + number, &copy);
    }
    image.bytes[place(0)..][..8].fill(0xff);
    image.bytes[place(3) + 511] ^= 1;
    let volume = image.open().unwrap();
    assert_eq!((volume.facts().records, volume.facts().label.as_deref()), (Some(64), Some("Täst")));
    assert_eq!(volume.issues().len(), 1);
    let (entries, issues) = walk(&volume);
    assert_eq!(issues.iter().map(|i| i.record).collect::<Vec<_>>(), [Some(0), Some(3)]);
    assert!(issues.iter().all(|i| i.loss == Loss::None && i.error.contains("$MFTMirr")));
    assert_eq!(paths(&entries)[..2], [(0, r"\$MFT"), (3, r"\$Volume")]);
}

#[test]
fn a_lost_extent_of_the_mft_is_told_and_the_rest_is_read() {
    let mut image = image();
    image.bytes[place(24)..][..4].fill(0);
    let volume = image.open().unwrap();
    let issues = volume.issues();
    assert!(issues.iter().any(|i| i.record == Some(48) && i.error.contains("records 48 to 63")), "{issues:?}");
    assert!(walk(&volume).0.iter().any(|e| e.reference.unwrap().record == 33));
}

#[test]
fn extents_are_joined_from_several_records_and_cluster_0_is_a_place() {
    let volume = image().open().unwrap();
    let bytes = content(&volume, 32, "").unwrap();
    assert_eq!(bytes.len(), 4500);
    assert!(bytes[..1024].iter().all(|b| *b == b'a'));
    assert!(bytes[1024..2048].iter().all(|b| *b == b'b'));
    assert_eq!(bytes[2048 + 3..2048 + 11], *b"NTFS    ", "the third cluster is the volume's first");
    assert!(bytes[4096..].iter().all(|b| *b == b'e'));
    let facts = &entry(&volume, 32).streams[0];
    assert_eq!((facts.size, facts.allocated, facts.resident), (4500, 5120, false));
    let reader = volume.open(&entry(&volume, 32), "").unwrap();
    let mut one = [0];
    for (offset, byte) in bytes.iter().enumerate() {
        assert_eq!((reader.read_at(offset as u64, &mut one).unwrap(), one[0]), (1, *byte), "at {offset}");
    }
}

#[test]
fn a_missing_extent_is_a_told_gap_and_shifts_nothing() {
    let mut image = image();
    fragmented(&mut image, false);
    let volume = image.open().unwrap();
    let bytes = content(&volume, 32, "").unwrap();
    assert!(bytes[1024..2048].iter().all(|b| *b == b'b'));
    assert!(bytes[2048..4096].iter().all(|b| *b == 0));
    assert!(bytes[4096..].iter().all(|b| *b == b'e'));
    let reader = volume.open_attribute(&entry(&volume, 32), kind::DATA, "").unwrap();
    let gaps: Vec<_> = reader.gaps().map(|gap| (gap.start, gap.end)).collect();
    assert_eq!(gaps, [(2048, 4096)]);
    let (_, issues) = walk(&volume);
    assert!(issues.iter().any(|i| i.record == Some(32) && i.error.contains("clusters 2 to 3")), "{issues:?}");
    assert!(issues.iter().any(|i| i.record == Some(34) && i.error.contains("extension record")), "{issues:?}");
}

#[test]
fn an_extension_record_without_base_is_what_is_left_of_a_deleted_file() {
    let mut image = image();
    let name = samples::file_name(reference(30, 1), "remains.txt", 3);
    image.set_extension(40, 2, 0, reference(39, 1), &[name]);
    let volume = image.open().unwrap();
    let (entries, issues) = walk(&volume);
    assert_eq!(issues, []);
    let remains = entries.iter().find(|e| e.reference.unwrap().record == 40).unwrap();
    assert!(remains.deleted);
    assert_eq!(remains.names[0].path, r"\Dir\remains.txt");
    assert_eq!(volume.entry(FileReference { record: 34, sequence: 1 }).unwrap_err().kind(), ErrorKind::NotFound);
}

/// When a file is deleted, the numbers in its own records and in those of its extension records grow by one; the numbers by which
/// they name each other stay.
#[test]
fn a_deleted_file_keeps_its_extension_records() {
    let mut image = image();
    for (number, base) in [(32, 0), (34, reference(32, 1)), (35, reference(32, 1))] {
        let at = place(number);
        image.bytes[at + 16] = 2;
        image.bytes[at + 22] = 0;
        assert_eq!(image.bytes[at + 32..at + 40], base.to_le_bytes());
    }
    let volume = image.open().unwrap();
    let (entries, issues) = walk(&volume);
    assert_eq!(issues, []);
    let deleted: Vec<_> = entries.iter().filter(|e| e.deleted).collect();
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].names[0].path, r"\Frag.bin");
    assert_eq!(content(&volume, 32, "").unwrap().len(), 4500);
}

#[test]
fn paths_of_deleted_files() {
    let mut image = image();
    // A freed directory had sequence 3; its record says 4 now.
    image.set(36, 4, DIRECTORY, &named(ROOT_REF, "gone"));
    image.set(37, 9, DIRECTORY, &named(reference(36, 3), "below"));
    image.set(38, 2, 0, &named(reference(37, 8), "old.txt"));
    // The parent's record was used again.
    image.set(39, 2, 0, &named(reference(30, 7), "orphan.txt"));
    // A live file can't lie in a freed directory.
    image.set(40, 1, LIVE, &named(reference(36, 3), "odd.txt"));
    // The parent is a file.
    image.set(41, 2, 0, &named(reference(31, 1), "strange.txt"));
    // A parent that does not exist.
    image.set(42, 2, 0, &named(reference(1 << 40, 1), "far.txt"));
    let (entries, issues) = walk(&image.open().unwrap());
    assert_eq!(issues, []);
    let paths: Vec<_> = paths(&entries).into_iter().filter(|(record, _)| (36..60).contains(record)).collect();
    let expected = [
        (36, r"\gone"),
        (37, r"\gone\below"),
        (38, r"\gone\below\old.txt"),
        (39, r"\$Orphan\orphan.txt"),
        (40, r"\$Orphan\odd.txt"),
        (41, r"\$Orphan\strange.txt"),
        (42, r"\$Orphan\far.txt"),
    ];
    assert_eq!(paths, expected);
    let orphans: Vec<_> = entries.iter().filter(|e| e.names.iter().any(|n| n.orphan)).collect();
    assert_eq!(orphans.len(), 4);
}

#[test]
fn directories_in_a_circle_end_as_orphans() {
    let mut image = image();
    image.set(36, 1, LIVE | DIRECTORY, &named(reference(37, 1), "a"));
    image.set(37, 1, LIVE | DIRECTORY, &named(reference(36, 1), "b"));
    image.set(38, 1, LIVE, &named(reference(36, 1), "x"));
    image.set(39, 1, LIVE | DIRECTORY, &named(reference(39, 1), "self"));
    let (entries, _) = walk(&image.open().unwrap());
    for entry in entries.iter().filter(|e| (36..40).contains(&e.reference.unwrap().record)) {
        assert!(entry.names[0].orphan && entry.names[0].path.starts_with(r"\$Orphan\"), "{}", entry.names[0].path);
    }
}

#[test]
fn damaged_records_are_flagged_or_told() {
    let mut image = image();
    image.bytes[place(31) + 1023] ^= 1;
    image.bytes[place(33)..][..4].copy_from_slice(b"BAAD");
    for number in [50, 51, 52] {
        image.bytes[place(number)..][..4].copy_from_slice(b"PTRN");
    }
    let volume = image.open().unwrap();
    let (entries, issues) = walk(&volume);
    let flagged: Vec<_> = entries.iter().filter(|e| e.bad_fixup).map(|e| e.reference.unwrap().record).collect();
    assert_eq!(flagged, [31, 33]);
    let told: Vec<_> = issues.iter().map(|i| (i.record, i.offset, i.loss)).collect();
    let at = |record: u64| (Some(record), Some(record * 1024));
    let expected =
        [(at(31), Loss::None), (at(33), Loss::None), (at(50), Loss::Record)].map(|((r, o), loss)| (r, o, loss));
    assert_eq!(told, expected);
    assert!(issues[2].error.contains("records 50 to 52"));
    assert_eq!(content(&volume, 31, "").unwrap(), b"hello");
}

/// A record that is zeros looks as if it was never used; the bitmap of `$MFT` knows better.
#[test]
fn a_record_in_use_that_is_zeros_is_lost_not_unused() {
    let mut image = image();
    for number in [31, 33, 50] {
        image.bytes[place(number)..][..1024].fill(0);
    }
    let volume = image.open().unwrap();
    let (_, issues) = walk(&volume);
    let told: Vec<_> = issues.iter().map(|i| (i.record, i.offset, i.loss)).collect();
    assert_eq!(told, [31, 33].map(|n| (Some(n), Some(n * 1024), Loss::Record)), "{issues:?}");
    assert!(issues[0].error.contains("is zeros"));
}

#[test]
fn a_lying_attribute_costs_only_itself() {
    let mut image = image();
    // The length of hello.txt's first stream: behind the head, $STANDARD_INFORMATION and $FILE_NAME.
    let at = place(31) + 56 + 96 + samples::file_name(ROOT_REF, "hello.txt", 3).len();
    image.bytes[at + 17] = 0xff;
    let volume = image.open().unwrap();
    let (entries, issues) = walk(&volume);
    assert_eq!(issues.len(), 1);
    assert_eq!((issues[0].record, issues[0].offset), (Some(31), Some((31 * 1024 + at - place(31) + 16) as u64)));
    let hello = entries.iter().find(|e| e.reference.unwrap().record == 31).unwrap();
    assert_eq!(hello.streams.len(), 1);
    assert_eq!(content(&volume, 31, "").unwrap(), b"hello");
}

#[test]
fn streams_read_as_windows_reads_them() {
    let mut image = image();
    image.cluster(300, &[b'x'; 4096]);
    let file = |name: &str, sample: Sample<'_>| with(named(ROOT_REF, name), &[samples::extent(sample)]);
    let base = Sample { highest: 3, allocated: 4096, size: 4000, initialized: 4000, ..Sample::default() };
    // 300 = 0x12c.
    image.set(36, 1, LIVE, &file("init", Sample { initialized: 1500, pairs: &[0x21, 4, 0x2c, 1, 0], ..base }));
    let holes = &[0x21, 1, 0x2c, 1, 0x01, 2, 0x11, 1, 1, 0];
    image.set(37, 1, LIVE, &file("sparse", Sample { flags: 0x8000, pairs: holes, ..base }));
    image.set(38, 1, LIVE, &file("secret", Sample { flags: 0x4000, pairs: &[0x21, 4, 0x2c, 1, 0], ..base }));
    image.set(39, 1, LIVE, &file("outside", Sample { pairs: &[0x21, 1, 0x2c, 1, 0x31, 3, 0, 0, 1, 0], ..base }));
    image.set(40, 1, LIVE, &file("method", Sample { flags: 2, unit: 2, pairs: &[0x21, 4, 0x2c, 1, 0], ..base }));
    let endless = Sample { size: 1 << 60, initialized: 1 << 60, pairs: &[0x21, 4, 0x2c, 1, 0], ..base };
    image.set(41, 1, LIVE, &file("endless", endless));
    image.set(42, 1, LIVE, &file("huge", Sample { allocated: 1 << 60, ..endless }));
    image.set(43, 1, LIVE, &file("unallocated", Sample { allocated: 0, pairs: &[0x21, 4, 0x2c, 1, 0], ..base }));
    let volume = image.open().unwrap();

    let init = content(&volume, 36, "").unwrap();
    assert!(init.len() == 4000 && init[..1500].iter().all(|b| *b == b'x') && init[1500..].iter().all(|b| *b == 0));
    let sparse = content(&volume, 37, "").unwrap();
    let zeros: Vec<_> = sparse.chunks(1024).map(|c| c.iter().all(|b| *b == 0)).collect();
    assert_eq!(zeros, [false, true, true, false]);
    assert_eq!(entry(&volume, 37).streams[0].allocated, 2048);
    assert_eq!(content(&volume, 38, "").unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(content(&volume, 40, "").unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(content(&volume, 41, "").unwrap().len(), 4096, "no more than clusters are there for");
    assert_eq!(volume.open(&entry(&volume, 42), "").unwrap().len(), CLUSTERS as u64 * 1024 - 512);
    assert_eq!(content(&volume, 43, "").unwrap().len(), 4000, "the runs are there, whatever the allocated size says");
    assert_eq!(content(&volume, 36, "none").unwrap_err().kind(), ErrorKind::NotFound);

    let outside = volume.open(&entry(&volume, 39), "").unwrap();
    let mut buf = [0; 4096];
    assert_eq!(outside.read_at(0, &mut buf).unwrap(), 1024, "what can be read is read");
    let error = outside.read_at(1024, &mut buf).unwrap_err();
    assert!(
        error.kind() == ErrorKind::InvalidData && error.to_string().contains("byte 0x400 of the stream"),
        "{error}"
    );
    let (_, issues) = walk(&volume);
    assert_eq!(issues.iter().map(|i| i.record).collect::<Vec<_>>(), [Some(39), Some(42)]);
}

/// Units of four clusters: one packed into one cluster, one a hole, one stored as it is.
#[test]
fn compressed_units() {
    let mut image = image();
    // A chunk of 4096 equal bytes: a literal and a copy of distance 1.
    image.cluster(300, &[0x03, 0xb0, 0x02, b'A', 0xfc, 0x0f, 0, 0]);
    image.cluster(301, &[b'z'; 4096]);
    let pairs = &[0x21, 1, 0x2c, 1, 0x01, 3, 0x01, 4, 0x11, 4, 1, 0];
    let sample = Sample {
        flags: 1,
        unit: 2,
        highest: 11,
        allocated: 12_288,
        size: 11_000,
        initialized: 11_000,
        pairs,
        ..Sample::default()
    };
    image.set(36, 1, LIVE, &with(named(ROOT_REF, "packed"), &[samples::extent(sample)]));
    // The same with damage in the packed unit.
    let pairs = &[0x21, 1, 0x36, 1, 0x01, 3, 0];
    let bad = Sample { highest: 3, allocated: 4096, size: 4096, initialized: 4096, pairs, ..sample };
    image.set(37, 1, LIVE, &with(named(ROOT_REF, "broken"), &[samples::extent(bad)]));
    image.cluster(310, &[0x03, 0xb0, 0x02, b'A', 0xfc, 0x1f, 0, 0]);
    let volume = image.open().unwrap();
    let bytes = content(&volume, 36, "").unwrap();
    assert_eq!(bytes.len(), 11_000);
    assert!(bytes[..4096].iter().all(|b| *b == b'A'));
    assert!(bytes[4096..8192].iter().all(|b| *b == 0));
    assert!(bytes[8192..].iter().all(|b| *b == b'z'));
    assert!(entry(&volume, 36).streams[0].compressed);
    assert_eq!(content(&volume, 37, "").unwrap_err().kind(), ErrorKind::InvalidData);
}

/// CompactOS: the main stream is a hole, the content lies in `WofCompressedData`. The streams come from another encoder.
#[test]
fn files_of_the_overlay_filter_read_as_their_content() {
    let mut image = image();
    // 300 = 0x12c: the stream takes clusters from there on, the first of them 4 bytes of chunk table each.
    let stream = include_bytes!("../../../../testdata/formats/wof/xpress4k.bin");
    assert!(stream.len() < 99 * CLUSTER);
    image.cluster(300, stream);
    let pairs = &[0x21, 99, 0x2c, 1, 0];
    let packed = Sample {
        name: "WofCompressedData",
        highest: 98,
        allocated: 99 * 1024,
        size: stream.len() as u64,
        initialized: stream.len() as u64,
        pairs,
        ..Sample::default()
    };
    let hole = Sample {
        flags: 0x8000,
        highest: 68,
        allocated: 69 * 1024,
        size: 70_000,
        initialized: 70_000,
        pairs: &[0x01, 69, 0],
        ..Sample::default()
    };
    let point = |provider: u8, algorithm: u8| {
        let data = [0x17, 0, 0, 0x80, 16, 0, 0, 0, 1, 0, 0, 0, provider, 0, 0, 0, 1, 0, 0, 0, algorithm, 0, 0, 0];
        samples::resident(kind::REPARSE_POINT, "", &data)
    };
    let file = |name: &str, point: Vec<u8>, streams: &[Vec<u8>]| with(with(named(ROOT_REF, name), &[point]), streams);
    let both = [samples::extent(hole), samples::extent(packed)];
    image.set(36, 1, LIVE, &file("notepad.exe", point(2, 0), &both));
    image.set(37, 1, LIVE, &file("in an image", point(1, 0), &both));
    image.set(38, 1, LIVE, &file("no stream", point(2, 0), &both[..1]));
    let volume = image.open().unwrap();
    let bytes = content(&volume, 36, "").unwrap();
    assert_eq!(bytes.len(), 70_000);
    assert!(bytes.windows(8).any(|w| w == b"invoice ") && bytes[60_000..].windows(8).any(|w| w == b"document"));
    // wimlib stored chunk 10 (bytes 40,960 on) as it is: it lies in the stream byte for byte.
    assert!(stream.windows(4096).any(|w| w == &bytes[40_960..45_056]));
    assert_eq!(content(&volume, 36, "WofCompressedData").unwrap(), stream, "the stream itself can still be had");
    assert_eq!(volume.allocated_ranges(&entry(&volume, 36), ""), None);
    assert_eq!(content(&volume, 37, "").unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(content(&volume, 38, "").unwrap_err().kind(), ErrorKind::NotFound);
}

/// The samples' files have the security id 0x103.
#[test]
fn owners_by_security_id() {
    let sid = |rid: u32| {
        let mut sid = vec![1, 2, 0, 0, 0, 0, 0, 5];
        sid.extend(21u32.to_le_bytes());
        sid.extend(rid.to_le_bytes());
        sid
    };
    let descriptor =
        |rid: u32| [vec![1, 0, 0, 0x80, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], sid(rid)].concat();
    let entry = |id: u32, at: u64, descriptor: &[u8]| {
        let words = descriptor.chunks(4).map(|w| u32::from_le_bytes(w.try_into().unwrap()));
        let hash = words.fold(0u32, |hash, word| hash.rotate_left(3).wrapping_add(word));
        let mut data = [hash.to_le_bytes(), id.to_le_bytes()].concat();
        data.extend(at.to_le_bytes());
        data.extend((descriptor.len() as u32 + 20).to_le_bytes());
        data.extend(descriptor);
        data.resize(64, 0);
        data
    };
    let sds = [entry(0x102, 0, &descriptor(500)), entry(0x103, 64, &descriptor(1001))].concat();
    let mut image = image();
    image.set(9, 9, LIVE, &with(named(ROOT_REF, "$Secure"), &[samples::resident(kind::DATA, "$SDS", &sds)]));
    let own = samples::resident(kind::SECURITY_DESCRIPTOR, "", &descriptor(7));
    image.set(36, 1, LIVE, &with(named(ROOT_REF, "with its own"), &[own]));
    let volume = image.open().unwrap();
    assert_eq!(entry_owner(&volume, 31).as_deref(), Some("S-1-5-21-1001"));
    assert_eq!(entry_owner(&volume, 36).as_deref(), Some("S-1-5-21-7"));
    // A descriptor of which the hash does not fit is not believed.
    let at = place(9) + image.bytes[place(9)..][..CLUSTER].windows(4).position(|w| w == [0xe9, 3, 0, 0]).unwrap();
    image.bytes[at] ^= 1;
    assert_eq!(entry_owner(&image.open().unwrap(), 31), None);
}

fn entry_owner(volume: &NtfsVolume, record: u64) -> Option<String> {
    entry(volume, record).owner
}

#[test]
fn what_may_still_be_there_of_a_deleted_file() {
    use crate::model::Recoverability as R;
    let mut image = image();
    // 300 = 0x12c to 303 free, 304 and 305 in use.
    let mut bits = vec![0u8; 80];
    bits[304 / 8] = 0b11;
    image.set(6, 6, LIVE, &with(named(ROOT_REF, "$Bitmap"), &[samples::resident(kind::DATA, "", &bits)]));
    let base = Sample { highest: 3, allocated: 4096, size: 4000, initialized: 4000, ..Sample::default() };
    let file = |name: &str, sample: Sample<'_>| with(named(ROOT_REF, name), &[samples::extent(sample)]);
    image.set(36, 2, 0, &file("free", Sample { pairs: &[0x21, 4, 0x2c, 1, 0], ..base }));
    image.set(37, 2, 0, &file("partly", Sample { pairs: &[0x21, 4, 0x2d, 1, 0], ..base }));
    let two = Sample { highest: 1, allocated: 2048, size: 2000, initialized: 2000, ..base };
    image.set(38, 2, 0, &file("reused", Sample { pairs: &[0x21, 2, 0x30, 1, 0], ..two }));
    image.set(39, 2, 0, &file("emptied", Sample { pairs: &[0], allocated: 0, size: 0, initialized: 0, ..base }));
    image.set(40, 2, 0, &file("cut", Sample { pairs: &[0x21, 3, 0x2c, 1, 0], ..base }));
    image.set(41, 2, 0, &with(named(ROOT_REF, "small"), &[samples::resident(kind::DATA, "", b"hi")]));
    image.set(42, 2, 0, &file("outside", Sample { pairs: &[0x21, 4, 0, 4, 0], ..base }));
    image.set(43, 1, LIVE, &file("live", Sample { pairs: &[0x21, 4, 0x2c, 1, 0], ..base }));
    let volume = image.open().unwrap();
    let grades: Vec<_> = (36..44).map(|record| entry(&volume, record).recoverable()).collect();
    let expected = [
        Some(R::Free),
        Some(R::PartlyReused { free: 3, total: 4 }),
        Some(R::Reused),
        Some(R::Unknown),
        Some(R::Unknown),
        Some(R::Resident),
        Some(R::Unknown),
        None,
    ];
    assert_eq!(grades, expected);
    // Without a bitmap nothing is known of clusters.
    image.bytes[place(6)..][..4].fill(0);
    let volume = image.open().unwrap();
    assert_eq!(entry(&volume, 36).recoverable(), Some(R::Unknown));
    assert_eq!(entry(&volume, 41).recoverable(), Some(R::Resident));
}

/// An index entry with times of our age: others are not taken for entries.
fn dated(record: u64, sequence: u16, parent: u64, name: &str) -> Vec<u8> {
    let mut key = samples::file_name_value(parent, name, 3);
    for at in [15, 23, 31, 39] {
        key[at] = 1;
    }
    index_entry(reference(record, sequence), Some(&key), None)
}

#[test]
fn names_in_the_slack_of_indexes() {
    let mut image = image();
    // Blocks 0 and 1 of the root's index; a third one that the tree does not lead to.
    let blocks = Sample {
        type_code: kind::INDEX_ALLOCATION,
        name: "$I30",
        highest: 2,
        allocated: 3072,
        size: 3072,
        initialized: 3072,
        pairs: &[0x21, 3, 150, 0, 0],
        ..Sample::default()
    };
    let middle = index_entry(reference(32, 1), Some(&samples::file_name_value(ROOT_REF, "Frag.bin", 3)), Some(0));
    let root = samples::index_root(&[middle, index_entry(0, None, Some(1))]);
    let index = [samples::resident(kind::INDEX_ROOT, "$I30", &root), samples::extent(blocks)];
    image.set(5, 5, LIVE | DIRECTORY, &with(named(ROOT_REF, "."), &index));
    let live = [dated(31, 1, ROOT_REF, "hello.txt"), index_entry(0, None, None)];
    let gone = [
        dated(31, 1, ROOT_REF, "hello.txt"),
        dated(31, 1, ROOT_REF, "old name.txt"),
        dated(32, 9, ROOT_REF, "reused.exe"),
        dated(41, 3, reference(30, 7), "freed.exe"),
    ];
    let mut block = samples::index_block(0, &[live.to_vec(), gone.to_vec()].concat());
    crate::formats::fixup::apply(&mut block);
    let end = 48 + live.concat().len();
    block[28..32].copy_from_slice(&((end - 24) as u32).to_le_bytes());
    samples::protect(&mut block, 40);
    image.cluster(150, &block);
    let free = [dated(31, 1, ROOT_REF, "old name.txt"), dated(90, 2, ROOT_REF, "far.exe"), index_entry(0, None, None)];
    image.cluster(152, &samples::index_block(2, &free));
    // A deleted folder: its own former entry, and one that another folder's index left in its cluster.
    let root = samples::index_root(&[
        dated(42, 1, reference(36, 3), "inner.dll"),
        dated(43, 1, ROOT_REF, "foreign.dll"),
        index_entry(0, None, None),
    ]);
    let index = samples::resident(kind::INDEX_ROOT, "$I30", &root);
    image.set(36, 4, DIRECTORY, &with(named(ROOT_REF, "gone"), &[index]));
    image.set(41, 4, 0, &named(reference(30, 7), "freed.exe"));
    let volume = image.open().unwrap();
    let (mut names, mut issues) = (Vec::new(), Vec::new());
    volume.each_slack_name(&mut |name| names.push(name), &mut |issue| issues.push(issue));
    assert_eq!(issues, []);
    let seen: Vec<_> = names
        .iter()
        .map(|n| (n.name.path.as_str(), n.file.and_then(|(r, s)| Some((r.record, s?))), n.place, n.directory.record))
        .collect();
    use crate::model::{RecordState as R, SlackPlace as P};
    let expected = [
        (r"\old name.txt", Some((31, R::Same)), P::Block, 5),
        (r"\reused.exe", Some((32, R::Reused)), P::Block, 5),
        (r"\$Orphan\freed.exe", Some((41, R::Deleted)), P::Block, 5),
        (r"\far.exe", None, P::FreeBlock, 5),
        // Record 42 was never used: nothing can be said of it.
        (r"\gone\inner.dll", None, P::Record, 36),
    ];
    assert_eq!(seen, expected, "a copy of a live entry is left out, and so is one of another folder in a deleted one");
    assert_eq!(names[0].offset, end as u64 + gone[0].len() as u64 + 16);
    assert_eq!((names[4].directory_path.as_str(), names[4].directory_deleted), (r"\gone", true));
}

#[test]
fn several_threads_see_the_same() {
    let volume = image().open().unwrap();
    let one = walk(&volume);
    let fresh = image().open().unwrap();
    let seen = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| seen.lock().unwrap().push(walk(&fresh)));
        }
    });
    let seen = seen.into_inner().unwrap();
    assert!(seen.len() == 4 && seen.iter().all(|other| *other == one));
}

/// Everything that a damaged volume can be asked for ends, without a panic.
#[test]
fn any_damage_ends_in_bounded_work() {
    let mut whole = image();
    whole.cluster(300, &[0x03, 0xb0, 0x02, b'A', 0xfc, 0x0f, 0, 0]);
    let pairs = &[0x21, 1, 0x2c, 1, 0x01, 3, 0x01, 4, 0x11, 4, 1, 0];
    let sample = Sample {
        flags: 1,
        unit: 2,
        highest: 11,
        allocated: 12_288,
        size: 11_000,
        initialized: 11_000,
        pairs,
        ..Sample::default()
    };
    whole.set(36, 1, LIVE, &with(named(ROOT_REF, "packed"), &[samples::extent(sample)]));
    let whole = whole.bytes;
    let targets: Vec<usize> =
        [0, 3, 5, 24, 30, 31, 32, 33, 34, 36].iter().map(|n| place(*n)).chain([0, 150 * CLUSTER]).collect();
    let mut random = Random(0x00c0_ffee_1234_5678);
    let mut buf = vec![0; 20_000];
    for _ in 0..600 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(8) {
            let target = targets[random.below(targets.len())];
            bytes[target + random.below(400)] = random.below(256) as u8;
        }
        if random.below(10) == 0 {
            bytes.truncate(random.below(whole.len()));
        }
        let Ok(volume) = NtfsVolume::open(Arc::new(bytes)) else { continue };
        assert!(volume.records <= 1 << 32);
        let (mut entries, mut issues) = (Vec::new(), 0);
        for part in 0..volume.parts().min(4) {
            volume.walk(part, &mut |entry| entries.push(entry), &mut |_| issues += 1);
        }
        assert!(entries.len() <= 400, "records that no cluster is there for");
        for entry in &entries {
            for stream in &entry.streams {
                if let Ok(reader) = volume.open(entry, &stream.name) {
                    let _ = read_up_to(&*reader, 0, &mut buf);
                }
            }
            if entry.directory {
                let _ = volume.list(entry);
            }
        }
        let _ = volume.lookup(r"\Dir\In.log");
        volume.each_slack_name(&mut |_| (), &mut |_| ());
    }
}

#[test]
fn a_window_that_is_larger_than_the_evidence() {
    let image = image();
    let cut = image.bytes[..120 * CLUSTER].to_vec();
    let volume = NtfsVolume::open(Arc::new(Window::new(cut, 0, (CLUSTERS * CLUSTER) as u64))).unwrap();
    let (entries, issues) = walk(&volume);
    assert!(entries.iter().any(|e| e.names.iter().any(|n| n.namespace == Namespace::Dos)));
    assert!(issues.iter().any(|i| i.error.contains("records 48 to 63")), "{issues:?}");
}

/// `$MFT` of a volume as a collecting tool copies it.
fn table_of(image: &Image) -> Vec<u8> {
    let volume = image.open().unwrap();
    content(&volume, 0, "").unwrap()
}

/// The records tell the same without their volume; what lies in clusters is not there, and says so.
#[test]
fn a_table_without_its_volume() {
    let image = image();
    let (there, _) = walk(&image.open().unwrap());
    let table = NtfsVolume::open_table(Arc::new(table_of(&image)), Vec::new()).unwrap();
    assert_eq!(table.issues(), []);
    let (mut here, issues) = walk(&table);
    assert_eq!(issues, []);
    // Without the boot sector nobody knows how much of the first extent is all there is.
    assert_eq!(paths(&here), paths(&there));
    for (here, there) in here.iter_mut().zip(&there) {
        assert_eq!(here, there);
    }
    let facts = table.facts();
    assert_eq!((facts.kind.as_str(), facts.label.as_deref()), ("NTFS 3.1 ($MFT alone)", Some("Täst")));
    // $UpCase: 128 KiB in 128 clusters.
    assert_eq!((facts.cluster_size, facts.serial, facts.size), (Some(1024), None, None));
    assert_eq!((facts.records, facts.formatted.map(|t| t.filetime())), (Some(64), Some(1)));
    assert_eq!(content(&table, 31, "").unwrap(), b"hello");
    assert_eq!(content(&table, 31, "zone.identifier").unwrap(), b"[ZoneTransfer]");
    let frag = entry(&table, 32);
    assert_eq!(table.open(&frag, "").err().map(|e| e.kind()), Some(ErrorKind::Unsupported));
    assert!(!table.has_content(&frag, "") && table.has_content(&entry(&table, 31), ""));
    assert!(table.boot_sector().is_none());
}

/// Names are found although the root's index lies in clusters.
#[test]
fn names_in_a_table() {
    let image = image();
    let (volume, table) = (image.open().unwrap(), NtfsVolume::open_table(Arc::new(table_of(&image)), vec![]).unwrap());
    for path in [r"\", r"\hello.txt", "/HELLO.TXT", r"dir\IN.LOG", r"\DIR\inlog~1", "ÜBER.txt", r"\second link"] {
        let found = table.lookup(path).map(|entry| entry.reference);
        assert_eq!(
            found.ok(),
            Some(volume.lookup(path).ok().and_then(|e| e.reference).or(entry(&volume, 33).reference)),
            "{path}"
        );
    }
    let kind = |path: &str| table.lookup(path).map(|_| ()).map_err(|e| e.kind());
    assert_eq!(kind(r"\nothing"), Err(ErrorKind::NotFound));
    assert_eq!(kind(r"\hello.txt\x"), Err(ErrorKind::NotADirectory));
    let listed = table.list(&entry(&table, 5)).unwrap();
    let listed: Vec<_> = listed.iter().map(|e| e.reference.unwrap().record).collect();
    // `second link` (33) is in no index of the sample volume.
    assert_eq!(listed, [0, 10, 3, 30, 32, 31, 33, 60]);
    assert_eq!(table.list(&entry(&table, 30)).unwrap().len(), 1, "one entry for a long and a DOS name");
}

/// The list of a file's extension records may lie in clusters; then the records themselves tell whose they are. Copies of NTFS's own
/// files stand in for what lies in clusters.
#[test]
fn what_a_table_gets_from_elsewhere() {
    let mut image = image();
    let list = Sample {
        type_code: kind::ATTRIBUTE_LIST,
        allocated: 1024,
        size: 96,
        initialized: 96,
        pairs: &[0x21, 1, 130, 0, 0],
        ..Sample::default()
    };
    let first = Sample {
        highest: 1,
        allocated: 5 * 1024,
        size: 4500,
        initialized: 4500,
        pairs: &[0x21, 1, 110, 0, 0x11, 1, 10, 0],
        ..Sample::default()
    };
    image.set(32, 1, LIVE, &with(named(ROOT_REF, "Frag.bin"), &[samples::extent(list), samples::extent(first)]));
    let secure = [samples::extent(Sample { name: "$SDS", allocated: 1024, size: 600, initialized: 600, ..first })];
    image.set(9, 9, LIVE, &with(named(ROOT_REF, "$Secure"), &secure));
    let bytes = table_of(&image);
    let table = NtfsVolume::open_table(Arc::new(bytes.clone()), Vec::new()).unwrap();
    let (entries, issues) = walk(&table);
    assert_eq!(issues, [], "all extents are found");
    assert!(entries.iter().all(|entry| ![34, 35].contains(&entry.reference.unwrap().record)));
    assert_eq!(content(&table, 9, "$SDS").map_err(|e| e.kind()), Err(ErrorKind::Unsupported));
    let beside: Vec<(Metafile, Arc<dyn ReadAt>)> =
        vec![(Metafile::Security, Arc::new(vec![7u8; 600])), (Metafile::Boot, Arc::new(boot_sector()))];
    let table = NtfsVolume::open_table(Arc::new(bytes), beside).unwrap();
    assert_eq!(content(&table, 9, "$SDS").unwrap(), vec![7; 600]);
    assert_eq!(table.facts().serial, Some(0x1122_3344_5566_7788));
}

/// Cut, torn, or no table at all.
#[test]
fn damaged_tables() {
    let bytes = table_of(&image());
    let open = |bytes: &[u8]| NtfsVolume::open_table(Arc::new(bytes.to_vec()), Vec::new());
    let cut = open(&bytes[..40 * 1024 + 100]).unwrap();
    assert_eq!((cut.facts().records, cut.issues().len()), (Some(40), 1));
    assert_eq!(cut.lookup("hello.txt").unwrap().reference.unwrap().record, 31);
    let mut torn = bytes.clone();
    torn[..1024].fill(0);
    torn[31 * 1024 + 510] ^= 1;
    let torn = open(&torn).unwrap();
    let (entries, issues) = walk(&torn);
    assert!(entries.iter().any(|entry| entry.bad_fixup && entry.names[0].path == r"\hello.txt"));
    assert_eq!(issues.len(), 2, "the torn record, and an extension record of $MFT without its base");
    for none in [&bytes[..20], b"", &[0; 4096]] {
        assert!(open(none).is_err());
    }
    // Any damage ends in bounded work.
    let mut random = Random(7);
    for _ in 0..200 {
        let mut bytes = bytes.clone();
        for _ in 0..20 {
            let at = random.below(bytes.len());
            bytes[at] = random.below(256) as u8;
        }
        if let Ok(table) = open(&bytes) {
            walk(&table);
            let _ = (table.lookup(r"\Dir\In.log"), table.list(&FileEntry::default()));
        }
    }
}

/// Journals name a deleted file as it was called when it lived: its record's sequence number has grown by one since.
#[test]
fn a_deleted_file_by_its_old_number() {
    let mut image = image();
    image.set(31, 2, 0, &with(named(ROOT_REF, "hello.txt"), &[samples::resident(kind::DATA, "", b"hello")]));
    let volume = image.open().unwrap();
    let found = |sequence| volume.entry(FileReference { record: 31, sequence }).map_err(|e| e.kind());
    for sequence in [0, 1, 2] {
        let entry = found(sequence).unwrap();
        assert!(entry.deleted);
        assert_eq!(entry.reference, Some(FileReference { record: 31, sequence: 2 }));
    }
    assert_eq!(found(3), Err(ErrorKind::NotFound));
    assert_eq!(volume.lookup("hello.txt").unwrap_err().kind(), ErrorKind::NotFound);
    let mut issues = Vec::new();
    let listed = volume.read_directory(&entry(&volume, 5), &mut |issue| issues.push(issue)).unwrap();
    assert_eq!((listed.len(), issues.len()), (4, 1), "the index still names it");
    // In use again.
    image.set(31, 2, LIVE, &named(ROOT_REF, "new"));
    let volume = image.open().unwrap();
    assert!(volume.entry(FileReference { record: 31, sequence: 1 }).is_err());
}
// ---- Bombs: a few bytes that claim much. What they cost is bounded by what the evidence holds, counted in reads. --------

/// Counts what is asked of a volume.
struct Counting {
    bytes: Vec<u8>,
    reads: AtomicUsize,
    asked: AtomicUsize,
}

impl ReadAt for Counting {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.asked.fetch_add(buf.len(), Ordering::Relaxed);
        self.bytes.read_at(offset, buf)
    }
}

impl Image {
    fn count(self) -> (Arc<Counting>, NtfsVolume) {
        let source = Arc::new(Counting { bytes: self.bytes, reads: AtomicUsize::new(0), asked: AtomicUsize::new(0) });
        let volume = NtfsVolume::open(Arc::clone(&source) as Arc<dyn ReadAt>).unwrap();
        (source, volume)
    }
}

#[test]
fn directories_that_lie_in_each_other() {
    let mut image = image();
    for (number, parent, name) in [(40, 41, "a"), (41, 40, "b"), (42, 42, "own")] {
        image.set(number, 1, LIVE | DIRECTORY, &named(reference(parent, 1), name));
    }
    image.set(43, 1, LIVE, &named(reference(40, 1), "in a.txt"));
    image.set(44, 1, LIVE, &named(reference(42, 1), "in own.txt"));
    let (source, volume) = image.count();
    let (entries, _) = walk(&volume);
    let path = |number: u64| {
        let found = entries.iter().find(|entry| entry.reference.is_some_and(|r| r.record == number));
        found.unwrap().names[0].path.clone()
    };
    assert_eq!(path(43), r"\$Orphan\a\in a.txt");
    assert_eq!(path(40), r"\$Orphan\b\a");
    assert_eq!(path(44), r"\$Orphan\own\in own.txt");
    assert!(entries.iter().all(|entry| entry.names.iter().all(|name| name.path.len() < 40)));
    assert!(source.reads.load(Ordering::Relaxed) < 100);
}

#[test]
fn sixteen_exabytes_of_holes() {
    let mut image = image();
    // One cluster of content, 2^53 clusters of hole, one cluster of content, and no end of hole.
    let pairs =
        [&[0x21, 1, 0x2c, 1][..], &[0x07, 0, 0, 0, 0, 0, 0, 0x10], &[0x11, 1, 1], &[0x07, 0, 0, 0, 0, 0, 0, 0x0f, 0]]
            .concat();
    let sample = Sample {
        flags: 0x8000,
        highest: (1 << 53) - 1,
        allocated: 1 << 63,
        size: (1 << 63) - 1,
        initialized: (1 << 63) - 1,
        pairs: &pairs,
        ..Sample::default()
    };
    image.set(40, 1, LIVE, &with(named(ROOT_REF, "System.evtx"), &[samples::extent(sample)]));
    image.cluster(300, b"ElfFile");
    image.cluster(301, b"middle");
    let (source, volume) = image.count();
    let reader = volume.open(&entry(&volume, 40), "").unwrap();
    assert!(reader.len() > 1 << 62);
    let middle = ((1 << 52) + 1) * 1024;
    assert_eq!([0, 1024, middle, middle + 1024].map(|at| reader.next_data(at)), [0, middle, middle, reader.len()]);
    let mut buf = [0xee; 6];
    assert_eq!(read_up_to(&*reader, middle, &mut buf).unwrap(), 6);
    assert_eq!(buf, *b"middle");
    // What an event log of that length costs.
    let before = source.reads.load(Ordering::Relaxed);
    let mut records = 0;
    let log = crate::formats::evtx::EvtxFile::open(&*reader).unwrap();
    log.records(0..u64::MAX, &mut |_| records += 1);
    assert!(records <= 2 && source.reads.load(Ordering::Relaxed) - before < 100);
}

#[test]
fn nearly_a_million_entries_in_an_attribute_list() {
    let mut image = image();
    // The same 180 clusters 161 times: 28 MiB of entries that all name other records. No more runs fit into the record.
    let first = [0x22, 180, 0, 0xfa, 0].to_vec();
    let pairs = [first, [0x12, 180, 0, 0].repeat(160), vec![0]].concat();
    let entries: Vec<u8> =
        (0..5760).flat_map(|n| samples::list_entry(kind::DATA, "", n, reference(n % 60, 9))).collect();
    image.bytes[250 * CLUSTER..250 * CLUSTER + entries.len()].copy_from_slice(&entries);
    let list = Sample {
        type_code: kind::ATTRIBUTE_LIST,
        highest: 28_979,
        allocated: 28_980 * 1024,
        size: 28_980 * 1024,
        initialized: 28_980 * 1024,
        pairs: &pairs,
        ..Sample::default()
    };
    image.set(40, 1, LIVE, &with(named(ROOT_REF, "list"), &[samples::extent(list)]));
    let (source, volume) = image.count();
    let (entries, issues) = walk(&volume);
    assert!(entries.iter().any(|entry| entry.reference.is_some_and(|r| r.record == 40)));
    assert!(issues.iter().any(|issue| issue.record == Some(40)), "{issues:?}");
    assert!(issues.len() < 200 && source.reads.load(Ordering::Relaxed) < 2000);
    assert!(source.asked.load(Ordering::Relaxed) < 8 << 20);
}

/// `$MFT` whose runs claim four billion records, and whose runs name its own clusters again and again.
#[test]
fn an_mft_without_end() {
    let endless = [0x15, 0, 0, 0, 0, 1, MFT_1 as u8, 0].to_vec();
    let again = [[0x11, 48, MFT_1 as u8].to_vec(), [0x11, 48, 0].repeat(200), vec![0]].concat();
    for pairs in [endless, again] {
        let mut image = image();
        let mft = Sample {
            highest: (1 << 32) - 1,
            allocated: 1 << 42,
            size: 1 << 42,
            initialized: 1 << 42,
            pairs: &pairs,
            ..Sample::default()
        };
        image.set(0, 1, LIVE, &with(named(ROOT_REF, "$MFT"), &[samples::extent(mft)]));
        let (source, volume) = image.count();
        assert!(volume.records <= CLUSTERS as u64);
        let (entries, issues) = walk(&volume);
        assert!(entries.len() <= CLUSTERS && !issues.is_empty());
        assert!(source.reads.load(Ordering::Relaxed) < 10 * CLUSTERS);
    }
}
