//! NTFS volumes and structures of other projects, with the values that they publish.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use emotrace_core::bytes::{ReadAt, Window, read_up_to};
use emotrace_core::filesystem::FileSystem;
use emotrace_core::filesystem::ntfs::NtfsVolume;
use emotrace_core::formats::index::{IndexRoot, Node};
use emotrace_core::formats::log_file::LogFile;
use emotrace_core::formats::mft::{FileNameAttribute, Record, attribute_type};
use emotrace_core::formats::ntfs_boot::BootSector;
use emotrace_core::formats::ntfs_crate::Witness;
use emotrace_core::model::{FileEntry, FileReference, MacbTimes, Timestamp};
use flate2::read::{DeflateDecoder, GzDecoder};
use md5::{Digest, Md5};

pub(crate) const CASES: &[super::Case] = &[
    ("ntfs::boot_sectors", boot_sectors),
    ("ntfs::dissect", dissect),
    ("ntfs::dftt_undelete", dftt_undelete),
    ("ntfs::colinfinck_testfs1", testfs1),
    ("ntfs::si_fn_and_i30_times", si_fn_and_i30_times),
    ("ntfs::tiny_windows_volume", tiny),
    ("ntfs::records_of_4096_bytes", large_records),
    ("ntfs::torn_record", torn_record),
    ("ntfs::tables", tables),
    ("ntfs::tables_beside_fls", tables_beside_fls),
    ("ntfs::index_slack", index_slack),
    ("ntfs::log_file", log_file),
    ("ntfs::index_slack_of_volumes", index_slack_of_volumes),
];

const BLOCK: usize = 1 << 16;

/// A disk image in memory; blocks of the same content are kept once.
struct Image {
    blocks: Vec<Arc<[u8]>>,
    len: u64,
}

impl Image {
    fn read(mut from: impl Read) -> Self {
        let mut known: HashMap<Arc<[u8]>, ()> = HashMap::new();
        let (mut blocks, mut len) = (Vec::new(), 0);
        loop {
            let mut block = Vec::with_capacity(BLOCK);
            from.by_ref().take(BLOCK as u64).read_to_end(&mut block).unwrap();
            if block.is_empty() {
                return Self { blocks, len };
            }
            len += block.len() as u64;
            let block: Arc<[u8]> = block.into();
            let kept = known.get_key_value(&block).map(|(known, ())| Arc::clone(known));
            let kept = kept.unwrap_or_else(|| {
                known.insert(Arc::clone(&block), ());
                block
            });
            blocks.push(kept);
        }
    }

    fn gz(path: &Path) -> Self {
        Self::read(GzDecoder::new(&*std::fs::read(path).unwrap()))
    }

    /// The file of that name in a ZIP archive.
    fn zip(path: &Path, name: &str) -> Self {
        let zip = std::fs::read(path).unwrap();
        let mut at = 0;
        while let Some(found) = zip[at..].windows(4).position(|w| w == b"PK\x03\x04") {
            at += found;
            let half = |place: usize| usize::from(u16::from_le_bytes([zip[at + place], zip[at + place + 1]]));
            let start = at + 30 + half(26) + half(28);
            if zip[at + 30..at + 30 + half(26)].ends_with(name.as_bytes()) {
                assert_eq!(half(8), 8, "deflated");
                return Self::read(DeflateDecoder::new(&zip[start..]));
            }
            at += 4;
        }
        panic!("no {name} in {}", path.display());
    }

    fn open(self, offset: u64) -> NtfsVolume {
        let len = self.len - offset;
        NtfsVolume::open(Arc::new(Window::new(self, offset, len))).unwrap()
    }
}

impl ReadAt for Image {
    fn len(&self) -> u64 {
        self.len
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        let Some(block) = self.blocks.get((offset / BLOCK as u64) as usize) else { return Ok(0) };
        block.read_at(offset % BLOCK as u64, buf)
    }
}

fn walk(volume: &NtfsVolume) -> Vec<FileEntry> {
    assert_eq!(volume.issues(), []);
    let mut entries = Vec::new();
    for part in 0..volume.parts() {
        volume.walk(part, &mut |entry| entries.push(entry), &mut |issue| panic!("{issue:?}"));
    }
    entries
}

fn content(volume: &NtfsVolume, entry: &FileEntry, stream: &str) -> Vec<u8> {
    let reader = volume.open(entry, stream).unwrap();
    let mut bytes = vec![0; reader.len() as usize];
    assert_eq!(read_up_to(&*reader, 0, &mut bytes).unwrap(), bytes.len());
    bytes
}

/// Our look-ups and the crate's give the same for every live name.
fn agrees_with_the_crate(volume: &NtfsVolume, entries: &[FileEntry], source: impl ReadAt) {
    let mut witness = Witness::open(source).unwrap();
    let facts = volume.facts();
    let (serial, cluster_size, record_size) = witness.facts();
    assert_eq!((facts.serial, facts.cluster_size), (Some(serial), Some(cluster_size)));
    assert_eq!(volume.boot_sector().unwrap().record_size, record_size);
    let (mut compared, mut refused) = (0, 0);
    for entry in entries.iter().filter(|entry| !entry.deleted) {
        for name in entry.names.iter().filter(|name| name.path != r"\") {
            let theirs = witness.find(name.parent.record, &name.name.to_lowercase()).unwrap();
            assert_eq!(theirs, entry.reference, "{}", name.path);
            assert_eq!(volume.lookup(&name.path).unwrap(), *entry, "{}", name.path);
            compared += 1;
        }
        if entry.directory {
            // The crate reads a record in one piece. One record of testfs1 lies in two, since its clusters are smaller than a
            // record; `istat` reads it as we do.
            let Ok(mut theirs) = witness.list(entry.reference.unwrap().record) else {
                refused += 1;
                continue;
            };
            theirs.retain(|(name, _)| name != ".");
            theirs.dedup_by_key(|(_, reference)| *reference);
            let ours = volume.list(entry).unwrap();
            let long = |e: &FileEntry| !e.names.iter().any(|n| n.namespace.name() == "dos");
            if ours.iter().all(long) {
                let ours: Vec<_> = ours.iter().map(|e| e.reference.unwrap()).collect();
                assert_eq!(ours, theirs.into_iter().map(|(_, reference)| reference).collect::<Vec<_>>());
            }
        }
    }
    assert!(compared > 20 && refused <= 1);
}

/// The names tell the cluster size or the sector size.
fn boot_sectors(corpus: &Path) {
    let parse = |path: &str| BootSector::parse(&std::fs::read(corpus.join(path)).unwrap(), 0).unwrap();
    for (path, sector, cluster, record) in [
        ("mft/dfir_ntfs/512.boot", 512, 512, 1024),
        ("mft/dfir_ntfs/4k.boot", 512, 4096, 1024),
        ("mft/dfir_ntfs/64k.boot", 512, 65_536, 1024),
        ("mft/dfir_ntfs/128k.boot", 512, 131_072, 1024),
        ("mft/dfir_ntfs/4kn.boot", 4096, 4096, 4096),
        ("mft/dfir_ntfs/nobootcode.boot", 512, 4096, 1024),
        ("mft/ez/Boot/$Boot", 512, 4096, 1024),
    ] {
        let boot = parse(path);
        assert_eq!((boot.bytes_per_sector, boot.cluster_size, boot.record_size), (sector, cluster, record), "{path}");
    }
    let mut sector = [0; 512];
    read_up_to(&Image::gz(&corpus.join("images/dissect_boot_2m.bin.gz")), 0, &mut sector).unwrap();
    assert_eq!(BootSector::parse(&sector, 0).unwrap().cluster_size, 2 << 20);
}

/// dissect.ntfs, tests/test_ntfs.py.
fn dissect(corpus: &Path) {
    let path = corpus.join("images/dissect_ntfs.bin.gz");
    let volume = Image::gz(&path).open(0);
    let entries = walk(&volume);
    let file = volume.lookup("file.TXT").unwrap();
    assert_eq!((file.reference.unwrap().record, file.main_stream().unwrap().size), (41, 13));
    let large = volume.lookup(r"\Large.txt").unwrap();
    assert_eq!(large.reference.unwrap().record, 44);
    let bytes = content(&volume, &large, "");
    assert!(bytes.len() == 2_097_152 && bytes.iter().all(|b| *b == b'A'));
    let directory = volume.lookup("Large Directory").unwrap();
    assert_eq!(volume.list(&directory).unwrap().len(), 2048);
    agrees_with_the_crate(&volume, &entries, Image::gz(&path));
}

/// Digital Forensics Tool Testing image 7: the page publishes path, size and MD5 of each deleted file.
fn dftt_undelete(corpus: &Path) {
    let volume = Image::zip(&corpus.join("images/dftt_7-undel-ntfs.zip"), "7-ntfs-undel.dd").open(0);
    let deleted: Vec<_> = walk(&volume).into_iter().filter(|entry| entry.deleted).collect();
    let published = [
        (37, r"\res1.dat", "", "9036637712b491904cd0bfbdbe648453"),
        (31, r"\sing1.dat", "", "59b20779f69ff9f0ac5fcd2c38835a79"),
        (32, r"\mult1.dat", "", "ffd27bd782bdce67750b6b9ee069d2ef"),
        (32, r"\mult1.dat", "ADS", "ba1b9eedb1c091ddca253d35dde8f616"),
        (29, r"\frag1.dat", "", "7a3bc5b763bef201202108f4ba128149"),
        (30, r"\frag2.dat", "", "0e80ab84ef0087e60dfc67b88a1cf13e"),
        (36, r"\dir1\mult2.dat", "", "59cf0e9cd107bc1e75afb7374f6e05bb"),
        (35, r"\dir1\dir2\frag3.dat", "", "21121699487f3fbbdb9a4b3391b6d3e0"),
        // Its directory's record was used again, for res1.dat.
        (38, r"\$Orphan\sing2.dat", "", "c229626f6a71b167ad7e50c4f2fccdb1"),
    ];
    for (record, path, stream, md5) in published {
        let entry = deleted.iter().find(|e| e.reference.unwrap().record == record).unwrap();
        assert_eq!(entry.primary_name().unwrap().path, path);
        let hash: String = Md5::digest(content(&volume, entry, stream)).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hash, md5, "{path}:{stream}");
        let created = entry.primary_name().unwrap().times.created.unwrap().to_string();
        assert!(created.starts_with("2004-02-29T"), "{created}");
    }
    let directories: Vec<_> = deleted.iter().filter(|e| e.directory).map(|e| e.reference.unwrap().record).collect();
    assert_eq!((directories, deleted.len()), (vec![33, 34], 10));
}

/// The `ntfs` crate's own test volume and the values in its tests.
fn testfs1(corpus: &Path) {
    let path = corpus.join("images/colinfinck/testfs1");
    let image = || Image::read(&*std::fs::read(&path).unwrap());
    let volume = image().open(0);
    let entries = walk(&volume);
    let read = |path: &str| content(&volume, &volume.lookup(path).unwrap(), "");
    assert_eq!(read("file-with-12345"), b"12345");
    assert_eq!(read("1000-bytes-file"), b"12345".repeat(200));
    let sparse = read("sparse-file");
    assert_eq!((sparse.len(), &sparse[..5], &sparse[500_000..]), (500_005, &b"12345"[..], &b"11111"[..]));
    assert!(sparse[5..500_000].iter().all(|b| *b == 0));
    let mut expected: Vec<_> = (1..=512).map(|n| n.to_string()).collect();
    expected.sort_unstable();
    let listed = volume.list(&volume.lookup("many_subdirs").unwrap()).unwrap();
    let listed: Vec<_> = listed.iter().map(|e| e.primary_name().unwrap().name.clone()).collect();
    assert_eq!(listed, expected);
    agrees_with_the_crate(&volume, &entries, image());
}

/// msuhanov's ReadMe: three sets of times for one file.
fn si_fn_and_i30_times(corpus: &Path) {
    let volume = Image::gz(&corpus.join("images/msuhanov/ntfs-si-vs-fn.raw.gz")).open(128 * 512);
    let days = |times: MacbTimes| {
        [times.created, times.modified, times.changed, times.accessed].map(|t| t.unwrap().to_string()[..10].to_owned())
    };
    let file = volume.lookup("/test/test.txt").unwrap();
    assert_eq!(days(file.standard_information.unwrap().times), ["2015-11-03"; 4]);
    assert_eq!(days(file.names[0].times), ["2014-12-12"; 4]);

    let directory = volume.lookup("test").unwrap();
    let root = volume.open_attribute(&directory, attribute_type::INDEX_ROOT, "$I30").unwrap();
    let mut bytes = vec![0; root.len() as usize];
    read_up_to(&root, 0, &mut bytes).unwrap();
    let (_, node) = IndexRoot::parse(&bytes, 0).unwrap();
    let entry = node.entries().map(Result::unwrap).find(|e| Some(e.reference) == file.reference).unwrap();
    assert_eq!(days(FileNameAttribute::parse(entry.key, 0).unwrap().times), ["2016-09-24"; 4]);
    walk(&volume);
}

/// A volume of 7 MB that Windows made, with clusters of 512 bytes; its serial number is published with it.
fn tiny(corpus: &Path) {
    let path = corpus.join("images/SampleTinyNtfsVolume.zip");
    let volume = Image::zip(&path, "partition.dd").open(0);
    let facts = volume.facts();
    assert_eq!((facts.serial, facts.cluster_size), (Some(0x38f4_e30d_f4e2_cc66), Some(512)));
    let entries = walk(&volume);
    agrees_with_the_crate(&volume, &entries, Image::zip(&path, "partition.dd"));
    for path in [r"\$MFT", r"\$Boot", r"\$Secure", r"\$Extend\$RmMetadata\$TxfLog\$Tops"] {
        assert_eq!(volume.lookup(path).unwrap().primary_name().unwrap().path, path);
    }
    let boot = content(&volume, &volume.lookup(r"\$Boot").unwrap(), "");
    assert_eq!(boot[3..11], *b"NTFS    ", "cluster 0 is a place, not a hole");
    assert_eq!(volume.lookup(r"\$BOOT").unwrap().reference, Some(FileReference { record: 7, sequence: 7 }));
}

/// dfir_ntfs' `$MFT` of a disk with 4096-byte sectors, and the listing that `fls` gave for that volume.
fn large_records(corpus: &Path) {
    let mft = std::fs::read(corpus.join("mft/dfir_ntfs/4k-large.mft")).unwrap();
    let listing = std::fs::read_to_string(corpus.join("mft/dfir_ntfs/4k-large.fls")).unwrap();
    let mut names: HashMap<u64, Vec<String>> = HashMap::new();
    for (number, bytes) in mft.chunks_exact(4096).enumerate() {
        let mut bytes = bytes.to_vec();
        let Ok(record) = Record::parse(&mut bytes, number as u64 * 4096) else { continue };
        assert!(!record.header.bad_fixup, "record {number}");
        for attribute in record.attributes().map(Result::unwrap) {
            if attribute.type_code == attribute_type::FILE_NAME {
                let name = FileNameAttribute::parse(attribute.resident().unwrap(), 0).unwrap().name();
                names.entry(number as u64).or_default().push(name);
            }
        }
    }
    let mut compared = 0;
    for line in listing.lines() {
        // `r/r 28-128-2:	$Extend/$RmMetadata/$Repair:$Config	…`
        let Some((head, rest)) = line.split_once(":\t") else { continue };
        let Some(record) = head.rsplit(' ').next().and_then(|id| id.split('-').next()?.parse::<u64>().ok()) else {
            continue;
        };
        let path = rest.split('\t').next().unwrap();
        let name = path.rsplit('/').next().unwrap();
        let (name, _) = name.split_once(':').unwrap_or((name, ""));
        if !path.starts_with("$OrphanFiles") {
            assert!(names[&record].iter().any(|n| n == name), "{record}: {name} is not in {:?}", names[&record]);
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");
}

/// A record that omerbenamram/mft keeps because its first sector does not end in the update sequence number.
fn torn_record(corpus: &Path) {
    let mut bytes = std::fs::read(corpus.join("mft/omerbenamram/entry_102130_fixup_issue")).unwrap();
    let record = Record::parse(&mut bytes, 0).unwrap();
    assert!(record.header.bad_fixup);
    assert_eq!((record.header.number, record.header.sequence), (Some(102_130), 8));
    assert!(record.attributes().all(|attribute| attribute.is_ok()));
}

/// EZ's `$I30` of one folder before, between and after deletions. The names and their places were counted with a search of its own
/// (any byte, not only multiples of 8) for four times between 2012 and 2025 before a name.
fn index_slack(corpus: &Path) {
    let mut seen = Vec::new();
    for state in ["Start", "FirstDelete", "SecondDelete"] {
        let mut bytes = std::fs::read(corpus.join(format!("mft/ez/$I30/{state}/$I30"))).unwrap();
        let (mut live, mut slack) = (Vec::new(), Vec::new());
        for (number, block) in (0u64..).zip(bytes.chunks_exact_mut(4096)) {
            let node = Node::block(block, number * 4096).unwrap();
            let name = |key: &[u8]| FileNameAttribute::parse(key, 0).unwrap().name();
            live.extend(node.entries().map(Result::unwrap).filter(|e| !e.key.is_empty()).map(|e| name(e.key)));
            slack.extend(node.remains().iter().map(|r| (r.offset, name(r.key), r.reference)));
        }
        seen.push((live, slack));
    }
    let counts: Vec<_> = seen.iter().map(|(live, slack)| (live.len(), slack.len())).collect();
    assert_eq!(counts, [(50, 51), (20, 81), (10, 91)]);
    let at = |state: usize, offset: u64| seen[state].1.iter().find(|(at, ..)| *at == offset).map(|(_, name, _)| name);
    assert_eq!(at(0, 976).map(String::as_str), Some("Folder5a"));
    assert_eq!(at(1, 5072).map(String::as_str), Some("SOE7F0~1.TXT"));
    assert_eq!(at(2, 4624).map(String::as_str), Some("SO5D72~1.TXT"));
    // Deleted in the first round, and still named in the slack.
    for name in ["Folder5", "Folder5a", "SOE7F0~1.TXT"] {
        assert!(seen[0].0.iter().any(|n| n == name) && !seen[1].0.iter().any(|n| n == name));
        assert!(seen[1].1.iter().any(|(_, n, _)| n == name), "{name}");
    }
}

/// Whole volumes: only names that no entry in use equals, each once for its folder.
fn index_slack_of_volumes(corpus: &Path) {
    let names = |volume: &NtfsVolume| {
        let mut names = Vec::new();
        volume.each_slack_name(&mut |n| names.push(n), &mut |issue| panic!("{issue:?}"));
        names
    };
    let dissect = Image::gz(&corpus.join("images/dissect_ntfs.bin.gz")).open(0);
    let found = names(&dissect);
    let mut numbers: Vec<_> = found.iter().map(|n| n.name.path.rsplit(' ').next().unwrap().to_owned()).collect();
    numbers.sort();
    assert_eq!(numbers, ["1276", "1573", "1870", "4", "66", "677", "76", "99"]);
    assert!(found.iter().all(|n| n.name.path.starts_with(r"\Large Directory\Directory ")));
    let unchanged = Image::gz(&corpus.join("images/msuhanov/ntfs-si-vs-fn.raw.gz")).open(128 * 512);
    assert_eq!(names(&unchanged), []);
}

/// Each MFT record holds the LSN of the last change that was logged for it: that change must name this record. Counts of changes
/// come from a reader of its own.
fn log_file(corpus: &Path) {
    let path = corpus.join("images/SampleTinyNtfsVolume.zip");
    let volume = Image::zip(&path, "partition.dd").open(0);
    let bytes = content(&volume, &volume.lookup(r"\$LogFile").unwrap(), "");
    let log = LogFile::open(&bytes).unwrap();
    assert_eq!((log.version, log.current_lsn), ((1, 1), 0x10_5fb1));
    let places = log.places(&mut |error| panic!("{error}"));
    assert_eq!((places.len(), places.iter().filter(|place| place.slack).count()), (796, 26));
    let changes: Vec<_> = places.iter().filter_map(|place| log.change(place).unwrap()).collect();
    let count = |redo: u16| changes.iter().filter(|change| change.redo == redo).count();
    assert_eq!([2, 3, 5, 6, 7, 0xc, 0xd, 0xe, 0xf].map(count), [269, 3, 27, 17, 61, 27, 0, 17, 4]);
    let mft = content(&volume, &volume.lookup(r"\$MFT").unwrap(), "");
    let mut agreed = 0;
    for (number, bytes) in (0u64..).zip(mft.chunks_exact(1024)) {
        let mut bytes = bytes.to_vec();
        let Ok(record) = Record::parse(&mut bytes, 0) else { continue };
        if let Some(change) = changes.iter().find(|change| change.lsn == record.header.lsn) {
            assert_eq!(change.mft_record(512, 1024), Some(number), "LSN {:#x}", change.lsn);
            agreed += 1;
        }
    }
    assert_eq!(agreed, 251);

    // Windows 7 and Windows 10 (version 2.0). Counted without the copies of pages, which may add the newest records.
    for (name, version, records) in [("7", (1, 1), 777), ("10", (2, 0), 323), ("10_large", (2, 0), 403)] {
        let bytes = std::fs::read(corpus.join(format!("mft/dfir_ntfs/LogFile_{name}.bin"))).unwrap();
        let log = LogFile::open(&bytes).unwrap();
        let found = log.places(&mut |_| ()).len();
        assert!(log.version == version && found >= records, "{name}: {found}");
    }
}

fn table(corpus: &Path, file: &str) -> NtfsVolume {
    let bytes = std::fs::read(corpus.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    NtfsVolume::open_table(Arc::new(bytes), Vec::new()).unwrap()
}

/// Records of copied `$MFT`s that have a name or a time, in use and not, as dissect.ntfs counts them; in the damaged one of xw
/// those, too, that dissect refuses.
fn tables(corpus: &Path) {
    for (file, records, deleted) in [
        ("mft/ez/NIST/DFR-16/$MFT", 117, 0),
        ("mft/ez/xw/$MFT", 618, 152),
        ("mft/dfir_ntfs/deleted.mft", 41, 6),
        ("mft/dfir_ntfs/different_la.mft", 100, 61),
        ("big/mft/omerbenamram_MFT", 13_064, 1227),
    ] {
        let table = table(corpus, file);
        let mut entries = Vec::new();
        (0..table.parts()).for_each(|part| table.walk(part, &mut |entry| entries.push(entry), &mut |_| ()));
        entries.retain(|entry| entry.standard_information.is_some() || !entry.names.is_empty());
        assert_eq!((entries.len(), entries.iter().filter(|e| e.deleted).count()), (records, deleted), "{file}");
        // Every live name is found by its path.
        for entry in entries.iter().filter(|entry| !entry.deleted && !entry.bad_fixup).step_by(7) {
            for link in entry.names.iter().filter(|link| !link.orphan) {
                let found = table.lookup(&link.path).unwrap_or_else(|e| panic!("{file}: {}: {e}", link.path));
                assert!(found.names.iter().any(|name| name.path == link.path), "{file}: {}", link.path);
            }
        }
    }
}

/// Paths, times, sizes and states of three tables, as `fls -l -r -p` printed them for their volumes.
fn tables_beside_fls(corpus: &Path) {
    for name in ["4k-large", "orphan", "unicode"] {
        let table = table(corpus, &format!("mft/dfir_ntfs/{name}.mft"));
        let text = std::fs::read_to_string(corpus.join(format!("mft/dfir_ntfs/{name}.fls"))).unwrap();
        let mut compared = 0;
        for line in text.lines().filter(|line| !line.starts_with("V/V")) {
            let fields: Vec<&str> = line.split('\t').collect();
            let head = fields[0].trim_end_matches(':').split(' ').collect::<Vec<_>>();
            let deleted = head.contains(&"*");
            let number = head.last().unwrap().split('-').next().unwrap().parse().unwrap();
            let entry = table.entry(FileReference { record: number, sequence: 0 }).unwrap();
            assert_eq!(entry.deleted, deleted, "{line}");
            let (path, stream) = fields[1].split_once(':').unwrap_or((fields[1], ""));
            let path = format!("\\{}", path.replace('/', "\\").replace("$OrphanFiles", "$Orphan"));
            assert!(entry.names.iter().any(|name| name.path == path), "{line}");
            // Its times are of Moscow, where so marked.
            let ahead = |text: &str| if text.ends_with("(MSK)") { 3 * 3600 * 10_000_000 } else { 0 };
            let times = entry.standard_information.unwrap().times;
            for (time, wanted) in
                [times.modified, times.accessed, times.changed, times.created].into_iter().zip(&fields[2..])
            {
                let there =
                    Timestamp::from_filetime(time.unwrap().filetime() + ahead(wanted)).to_string().replace('T', " ");
                assert_eq!(there[..19], wanted[..19], "{line}");
            }
            if head.last().unwrap().contains("-128-") {
                assert_eq!(entry.stream(stream).unwrap().size.to_string(), fields[6], "{line}");
            }
            compared += 1;
        }
        assert_eq!(compared, 40, "{name}");
    }
}
