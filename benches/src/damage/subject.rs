//! What is damaged: fixtures, each with bystanders beside it; the case image as a container; and the disk in it, region by
//! region, so that damage reaches the layers behind each other.

#![expect(clippy::single_range_in_vec_init, reason = "a list of one piece is meant, not its numbers")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use emotrace_core::bytes::{ReadAt, read_exact_at};
use emotrace_core::filesystem::FileSystem;
use emotrace_core::filesystem::ntfs::{NtfsVolume, Place};
use emotrace_core::formats::regf::HiveKind;
use emotrace_core::model::FileEntry;
use emotrace_core::source::Source;

use super::sums::{Sums, crc32};

/// Where the NTFS volume of the case begins.
pub(super) const VOLUME: usize = 1 << 20;
/// `$ATTRIBUTE_LIST`, `$DATA`, `$INDEX_ALLOCATION`, `$BITMAP`.
const ATTRIBUTES: &[(u32, &str)] = &[(0x20, ""), (0x80, ""), (0xa0, "$I30"), (0xb0, ""), (0xb0, "$I30")];

/// Evidence, and the one file of it that is damaged.
pub struct Subject {
    /// What it is called in the report.
    pub name: String,
    /// What is opened.
    pub evidence: PathBuf,
    /// The file that is damaged.
    pub victim: PathBuf,
    /// Its bytes.
    pub good: Vec<u8>,
    /// Where it is damaged.
    pub regions: Vec<Region>,
    /// The whole of the victim can be cut.
    pub cuttable: bool,
    /// Which group it is counted under.
    pub layer: &'static str,
}

/// A part of a victim.
#[derive(Clone, Debug)]
pub struct Region {
    /// What lies there.
    pub name: String,
    /// Its pieces.
    pub pieces: Vec<Range<usize>>,
    /// Which checksums stand in the way; those of a file on a disk are none of the disk's.
    pub sums: Sums,
    /// What the damage can't reach.
    pub spares: Spares,
    /// Which group it is counted under.
    pub layer: &'static str,
}

/// Which events must stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spares {
    /// None can be promised: the damage may lie beneath everything.
    Nothing,
    /// All but those whose evidence is that path.
    AllBut(String),
    /// All but those of that MFT record.
    AllButRecord(u64),
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata")
}

/// A fixture with the Windows path that its origin file gives it.
struct Fixture {
    name: String,
    windows_path: String,
    bytes: Vec<u8>,
}

fn fixtures() -> io::Result<Vec<Fixture>> {
    let mut found = Vec::new();
    for folder in sorted(&testdata().join("artifacts"))? {
        for file in sorted(&folder)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".toml") || name.ends_with(".snap") {
                continue;
            }
            let origin = fs::read_to_string(file.with_extension("origin.toml"))?;
            let path = origin.lines().find_map(|line| line.strip_prefix("path = '")).and_then(|p| p.strip_suffix('\''));
            let windows_path = path.ok_or_else(|| io::Error::other(format!("{name}: no path")))?.to_owned();
            let artifact = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.push(Fixture { name: format!("{artifact}/{name}"), windows_path, bytes: fs::read(&file)? });
        }
    }
    Ok(found)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Files that lie beside each fixture and are never damaged. None tells anything of the host.
const BYSTANDERS: &[(&str, &str)] = &[
    ("lnk_files/rechnung.lnk", "C/Users/Bystander/AppData/Roaming/Microsoft/Windows/Recent/Bystander.lnk"),
    ("prefetch/v23.pf", "C/Windows/Prefetch/BYSTANDER.EXE-4A81B364.pf"),
    ("recycle_bin/version2.bin", "C/$Recycle.Bin/S-1-5-21-1-2-3-1004/$IBYSTND.doc"),
    ("run_keys/ntuser.hve", "C/Users/Bystander/NTUSER.DAT"),
];

/// One subject for each fixture, laid at its place in a folder of its own, and one with the fixture as a single file.
///
/// # Errors
/// When the fixtures can't be read or the folders not be written.
pub fn of_fixtures(folder: &Path) -> io::Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for (number, fixture) in fixtures()?.into_iter().enumerate() {
        let Fixture { name, windows_path, bytes } = fixture;
        let root = folder.join(format!("fixture{number}"));
        for (file, place) in BYSTANDERS {
            lay(&root.join(place), &fs::read(testdata().join("artifacts").join(file))?)?;
        }
        // The drive loses its colon, a stream keeps it.
        let relative = windows_path.replacen(':', "", 1).replace('\\', "/");
        let victim = root.join(relative);
        lay(&victim, &bytes)?;
        // The path without its drive and without the name of a stream.
        let bare = windows_path.split(':').nth(1).unwrap_or(&windows_path).trim_start_matches('\\');
        let spares = Spares::AllBut(bare.to_owned());
        let loose = folder.join(format!("loose{number}")).join(victim.file_name().unwrap_or_default());
        lay(&loose, &bytes)?;
        let region = Region {
            name: name.clone(),
            pieces: vec![0..bytes.len()],
            sums: Sums::of(&bytes),
            spares,
            layer: "fixture",
        };
        subjects.push(Subject {
            name: name.clone(),
            evidence: root,
            victim,
            good: bytes.clone(),
            regions: vec![region.clone()],
            cuttable: true,
            layer: "fixture",
        });
        subjects.push(Subject {
            name: format!("{name} alone"),
            evidence: loose.clone(),
            victim: loose,
            good: bytes,
            regions: vec![Region { spares: Spares::Nothing, layer: "single file", ..region }],
            cuttable: true,
            layer: "single file",
        });
    }
    Ok(subjects)
}

fn lay(place: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(place, bytes)
}

/// Any file that is named for a long run: an image, an event log, a hive with its logs beside it.
///
/// # Errors
/// When it can't be read or copied.
pub fn of_file(folder: &Path, path: &Path) -> io::Result<Subject> {
    let bytes = fs::read(path)?;
    let name = path.file_name().unwrap_or_default();
    let victim = folder.join(format!("given{:08x}", crc32(&[path.as_os_str().as_encoded_bytes()]))).join(name);
    lay(&victim, &bytes)?;
    for suffix in [".LOG1", ".LOG2", ".LOG"] {
        let mut log = path.as_os_str().to_owned();
        log.push(suffix);
        let mut copy = victim.as_os_str().to_owned();
        copy.push(suffix);
        if Path::new(&log).is_file() {
            fs::copy(log, copy)?;
        }
    }
    let region = Region {
        name: name.to_string_lossy().into_owned(),
        pieces: vec![0..bytes.len()],
        sums: Sums::of(&bytes),
        spares: Spares::Nothing,
        layer: "given file",
    };
    Ok(Subject {
        name: path.display().to_string(),
        evidence: victim.clone(),
        victim,
        good: bytes,
        regions: vec![region],
        cuttable: true,
        layer: "given file",
    })
}

/// The case image as an E01 file: sections, tables, chunks.
///
/// # Errors
/// When it can't be read or copied.
pub fn of_container(folder: &Path) -> io::Result<Subject> {
    let bytes = fs::read(testdata().join("case/case.E01"))?;
    let victim = folder.join("container/case.E01");
    lay(&victim, &bytes)?;
    let mut regions: Vec<Region> = ewf_sections(&bytes)
        .into_iter()
        .map(|(kind, range)| Region {
            name: format!("E01 {kind}"),
            pieces: vec![range],
            sums: Sums::Ewf,
            spares: Spares::Nothing,
            layer: "E01",
        })
        .collect();
    regions.push(Region {
        name: "E01".to_owned(),
        pieces: vec![0..bytes.len()],
        sums: Sums::Ewf,
        spares: Spares::Nothing,
        layer: "E01",
    });
    Ok(Subject {
        name: "case.E01".to_owned(),
        evidence: victim.clone(),
        victim,
        good: bytes,
        regions,
        cuttable: true,
        layer: "E01",
    })
}

/// The descriptors and the contents of the sections of a good file.
fn ewf_sections(bytes: &[u8]) -> Vec<(String, Range<usize>)> {
    let mut sections = Vec::new();
    let mut at = 13;
    while let Some(head) = bytes.get(at..at + 76) {
        let kind: String = head[..16].iter().take_while(|b| **b != 0).map(|b| char::from(*b)).collect();
        let next = head[16..24].iter().rev().fold(0usize, |n, byte| n << 8 | usize::from(*byte));
        sections.push((format!("descriptor of {kind}"), at..at + 76));
        if next <= at {
            break;
        }
        sections.push((kind, at + 76..next.min(bytes.len())));
        at = next;
    }
    sections.retain(|(_, range)| !range.is_empty());
    sections
}

/// The disk in the case image, as a raw image, region by region.
///
/// # Errors
/// When it can't be read or written.
pub fn of_disk(folder: &Path) -> io::Result<Subject> {
    let disk = case_disk()?;
    let volume = NtfsVolume::open(Arc::new(disk[VOLUME..].to_vec())).map_err(io::Error::other)?;
    let mut regions = vec![
        disk_region("partition table", "partition table", 0..512, Sums::None),
        disk_region("boot sector", "boot sector", VOLUME..VOLUME + 512, Sums::None),
    ];
    regions.extend(file_system_regions(&volume)?);
    let victim = folder.join("disk/case.dd");
    disk_subject("case.dd", victim, disk, regions)
}

/// The same disk with a GUID partition table.
///
/// # Errors
/// When it can't be read or written.
pub fn of_gpt(folder: &Path) -> io::Result<Subject> {
    let mut disk = case_disk()?;
    lay_gpt(&mut disk);
    let end = disk.len();
    let victim = folder.join("gpt/case.dd");
    let regions = vec![
        disk_region("GPT header", "partition table", 512..512 + 92, Sums::Gpt),
        disk_region("GPT entries", "partition table", 1024..1024 + 256, Sums::Gpt),
        disk_region("protective MBR", "partition table", 446..512, Sums::None),
        disk_region("GPT backup", "partition table", end - 33 * 512..end, Sums::None),
        disk_region("both GPTs", "partition table", 0..VOLUME, Sums::Gpt),
    ];
    disk_subject("gpt.dd", victim, disk, regions)
}

/// Replaces the partition table of the case by a GPT with one partition, with its backup at the end of a longer disk.
fn lay_gpt(disk: &mut Vec<u8>) {
    let volume_end = (disk.len() / 512) as u64 - 1;
    disk.resize(disk.len() + 64 * 512, 0);
    let last = (disk.len() / 512) as u64 - 1;
    disk[..VOLUME].fill(0);
    disk[446 + 4] = 0xee;
    disk[446 + 8] = 1;
    disk[446 + 12..446 + 16].fill(0xff);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut entries = vec![0; 128 * 128];
    entries[..16].copy_from_slice(&[
        0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7,
    ]);
    entries[16..32].fill(7);
    entries[32..40].copy_from_slice(&(VOLUME as u64 / 512).to_le_bytes());
    entries[40..48].copy_from_slice(&volume_end.to_le_bytes());
    for (own, other, table) in [(1, last, 2), (last, 1, last - 32)] {
        let mut header = vec![0; 512];
        header[..8].copy_from_slice(b"EFI PART");
        header[8..16].copy_from_slice(&[0, 0, 1, 0, 92, 0, 0, 0]);
        for (at, value) in [(24, own), (32, other), (40, 34), (48, last - 34), (72, table)] {
            header[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        header[56..72].fill(9);
        header[80..88].copy_from_slice(&[128, 0, 0, 0, 128, 0, 0, 0]);
        header[88..92].copy_from_slice(&crc32(&[&entries]).to_le_bytes());
        let sum = crc32(&[&header[..92]]);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        let at = own as usize * 512;
        disk[at..at + 512].copy_from_slice(&header);
        let at = table as usize * 512;
        disk[at..at + entries.len()].copy_from_slice(&entries);
    }
}

pub(super) fn case_disk() -> io::Result<Vec<u8>> {
    let source = Source::open(&[testdata().join("case/case.E01")]).map_err(io::Error::other)?;
    let mut disk = vec![0; usize::try_from(source.len()).map_err(io::Error::other)?];
    read_exact_at(&source, 0, &mut disk)?;
    Ok(disk)
}

/// A raw image, laid at its place. It is damaged region by region, never cut.
pub(super) fn disk_subject(name: &str, victim: PathBuf, disk: Vec<u8>, regions: Vec<Region>) -> io::Result<Subject> {
    lay(&victim, &disk)?;
    let (name, evidence) = (name.to_owned(), victim.clone());
    Ok(Subject { name, evidence, victim, good: disk, regions, cuttable: false, layer: "disk" })
}

pub(super) fn disk_region(name: &str, layer: &'static str, range: Range<usize>, sums: Sums) -> Region {
    Region { name: name.to_owned(), pieces: vec![range], sums, spares: Spares::Nothing, layer }
}

/// The structures of the file system and the content of every file, found by our own library.
fn file_system_regions(volume: &NtfsVolume) -> io::Result<Vec<Region>> {
    let mut entries = Vec::new();
    for part in 0..volume.parts() {
        volume.walk(part, &mut |entry| entries.push(entry), &mut |_| ());
    }
    let mft = entries.first().map(|mft| pieces(volume, mft, 0x80, "")).unwrap_or_default();
    let record_size = 1024;
    let mut regions = vec![Region {
        name: "$MFT".to_owned(),
        pieces: mft.clone(),
        sums: Sums::None,
        spares: Spares::Nothing,
        layer: "MFT record",
    }];
    for entry in entries.iter().filter(|entry| !entry.deleted) {
        let path = entry.primary_name().map(|name| name.path.clone()).unwrap_or_default();
        let number = entry.reference.map_or(0, |reference| reference.record);
        // What lies under a directory or speaks of the host is changed with it.
        let log_of = path.split_once(".LOG").map_or(&*path, |(hive, _)| hive);
        let alone =
            number >= 24 && !entry.directory && HiveKind::from_path(log_of).is_none() && !path.starts_with(r"\$Extend");
        if let Some(at) = nth_byte(&mft, number as usize * record_size) {
            regions.push(Region {
                name: format!("MFT record {number} ({path})"),
                pieces: vec![at..at + record_size],
                sums: Sums::None,
                spares: if alone { Spares::AllButRecord(number) } else { Spares::Nothing },
                layer: "MFT record",
            });
        }
        let streams = entry.streams.iter().filter(|s| !s.name.is_empty()).map(|s| (0x80, s.name.as_str()));
        for (kind, stream) in ATTRIBUTES.iter().copied().chain(streams) {
            let pieces = pieces(volume, entry, kind, stream);
            if pieces.is_empty() || number == 0 && kind == 0x80 {
                continue;
            }
            let layer = layer_of(number, kind, &path);
            let content = kind == 0x80 && alone;
            let spares =
                if content { Spares::AllBut(path.trim_start_matches('\\').to_owned()) } else { Spares::Nothing };
            let name = format!("attribute {kind:#x} {stream} of {path}");
            regions.push(Region { name, pieces, sums: Sums::None, spares, layer });
        }
    }
    Ok(regions)
}

fn layer_of(number: u64, kind: u32, path: &str) -> &'static str {
    let lower = path.to_lowercase();
    match (number, kind) {
        (_, 0x20) => "attribute list",
        (_, 0xa0) => "index",
        (_, 0xb0) => "bitmap",
        (1, _) => "MFT mirror",
        (2, _) => "$LogFile",
        (9, _) => "$Secure",
        _ if number < 24 => "system file",
        _ if lower.contains("$usnjrnl") => "$J",
        _ if lower.ends_with(".log1") || lower.ends_with(".log2") => "hive log",
        _ if HiveKind::from_path(path).is_some() => "hive on disk",
        _ => "file on disk",
    }
}

/// The pieces of an attribute that lie in clusters, as places on the disk.
pub(super) fn pieces(volume: &NtfsVolume, entry: &FileEntry, kind: u32, name: &str) -> Vec<Range<usize>> {
    let Ok(reader) = volume.open_attribute(entry, kind, name) else { return Vec::new() };
    let extents = reader.extents().iter().filter_map(|extent| match extent.place {
        Place::Volume(at) => Some(VOLUME + at as usize..VOLUME + (at + extent.end - extent.start) as usize),
        _ => None,
    });
    extents.filter(|range| !range.is_empty()).collect()
}

/// The place of the nth byte of a stream in pieces.
pub(super) fn nth_byte(pieces: &[Range<usize>], mut n: usize) -> Option<usize> {
    for piece in pieces {
        if n < piece.len() {
            return Some(piece.start + n);
        }
        n -= piece.len();
    }
    None
}

impl Subject {
    /// Regions by layer, so that a rare layer is damaged as often as a common one.
    pub fn layers(&self) -> BTreeMap<&'static str, Vec<&Region>> {
        let mut layers: BTreeMap<&'static str, Vec<&Region>> = BTreeMap::new();
        for region in &self.regions {
            layers.entry(region.layer).or_default().push(region);
        }
        layers
    }

    /// Writes what was touched, and nothing else: a disk is large.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, bytes: &[u8], touched: &[Range<usize>]) -> io::Result<()> {
        #[expect(clippy::disallowed_methods, reason = "the copy that is damaged is no evidence")]
        let mut file = fs::OpenOptions::new().write(true).open(&self.victim)?;
        file.set_len(bytes.len() as u64)?;
        for range in touched {
            let range = range.start.min(bytes.len())..range.end.min(bytes.len());
            file.seek(SeekFrom::Start(range.start as u64))?;
            file.write_all(&bytes[range])?;
        }
        Ok(())
    }
}
