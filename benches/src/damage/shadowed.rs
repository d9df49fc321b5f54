//! The disk of the case with a shadow copy laid on it. A prefetch file of the copy is gone on the live volume, its record and its
//! clusters in use no more: what it tells comes from the copy's store alone.
//!
//! The structures are those of `emotrace-core/src/volume/vss.rs`, each in one block.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use emotrace_core::bytes::{ReadAt, read_exact_at};
use emotrace_core::filesystem::FileSystem;
use emotrace_core::filesystem::ntfs::NtfsVolume;
use emotrace_core::model::FileEntry;

use super::subject::{Region, Subject, VOLUME, case_disk, disk_region, disk_subject, nth_byte, pieces};
use super::sums::Sums;

const BLOCK: usize = 0x4000;
const HEADER_AT: usize = 0x1e00;
const IDENTIFIER: [u8; 16] =
    [0x6b, 0x87, 0x08, 0x38, 0x76, 0xc1, 0x48, 0x4e, 0xb7, 0xae, 0x04, 0x04, 0x6e, 0x6c, 0xc7, 0x52];
const STORE: [u8; 16] = [0x5a; 16];
/// 2022-11-05 as FILETIME, behind all that the case tells.
const CREATED: u64 = 133_120_800_000_000_000;

/// The disk with the copy, as a raw image.
///
/// # Errors
/// When the case can't be read or the image not be written.
pub fn of_shadowed(folder: &Path) -> io::Result<Subject> {
    let mut disk = case_disk()?;
    let Found { record, blocks, free, size } = find(&disk)?;
    let mut volume = Volume(&mut disk);
    let mut free = free.into_iter();
    let mut next = || free.next().ok_or_else(|| io::Error::other("the case has no room for a shadow copy"));
    let (catalogue, store, list, bitmap) = (next()?, next()?, next()?, next()?);
    volume.header(HEADER_AT, 1);
    volume.put(HEADER_AT + 48, &(catalogue as u64).to_le_bytes());
    volume.header(catalogue, 2);
    for (at, value) in [(0, 2), (8, size), (48, CREATED)] {
        volume.put(catalogue + 128 + at, &value.to_le_bytes());
    }
    for (at, place) in [(0, 3), (8, list), (32, store), (48, bitmap)] {
        volume.put(catalogue + 256 + at, &(place as u64).to_le_bytes());
    }
    volume.put(catalogue + 128 + 16, &STORE);
    volume.put(catalogue + 256 + 16, &STORE);
    volume.header(store, 4);
    volume.put(store + 128 + 16, &[0xa5; 32]);
    volume.put(store + 128 + 56, &0x0042_0009u32.to_le_bytes());
    volume.header(list, 3);
    volume.header(bitmap, 6);
    let mut saved = Vec::new();
    for (n, original) in blocks.iter().enumerate() {
        let place = next()?;
        let content = volume.block(*original).to_vec();
        volume.put(place, &content);
        volume.put(list + 128 + n * 32, &(*original as u64).to_le_bytes());
        volume.put(list + 128 + n * 32 + 16, &(place as u64).to_le_bytes());
        saved.push(VOLUME + place..VOLUME + place + BLOCK);
    }
    // The live file is deleted, and its clusters are used again.
    disk[record + 22] &= !1;
    for original in blocks.iter().filter(|block| !(VOLUME + **block..VOLUME + **block + BLOCK).contains(&record)) {
        disk[VOLUME + original..VOLUME + original + BLOCK].fill(b'!');
    }
    let victim = folder.join("shadowed/case.dd");
    const LAYER: &str = "shadow copies";
    let region =
        |name: &str, at: usize, len: usize| disk_region(name, LAYER, VOLUME + at..VOLUME + at + len, Sums::None);
    let regions = vec![
        region("VSS header", HEADER_AT, 128),
        region("VSS catalogue", catalogue, 384),
        region("VSS store header", store, 256),
        region("VSS block list", list, 128 + 32 * blocks.len()),
        region("VSS bitmap", bitmap, BLOCK),
        Region { pieces: saved, ..region("blocks that the copy saved", 0, 0) },
    ];
    disk_subject("shadowed.dd", victim, disk, regions)
}

/// The bytes of the disk, addressed from the volume's start.
struct Volume<'d>(&'d mut [u8]);

impl Volume<'_> {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[VOLUME + at..VOLUME + at + bytes.len()].copy_from_slice(bytes);
    }

    fn block(&self, at: usize) -> &[u8] {
        &self.0[VOLUME + at..VOLUME + at + BLOCK]
    }

    fn header(&mut self, at: usize, record_type: u32) {
        self.put(at, &IDENTIFIER);
        self.put(at + 16, &1u32.to_le_bytes());
        self.put(at + 20, &record_type.to_le_bytes());
        self.put(at + 32, &(at as u64).to_le_bytes());
    }
}

/// What of the case is used.
struct Found {
    /// Where the record of the prefetch file lies on the disk.
    record: usize,
    /// The blocks that hold it and the file's content, from the volume's start.
    blocks: Vec<usize>,
    /// Blocks that are not in use and hold nothing.
    free: Vec<usize>,
    /// Length of the volume.
    size: u64,
}

fn find(disk: &[u8]) -> io::Result<Found> {
    let volume = NtfsVolume::open(Arc::new(disk[VOLUME..].to_vec())).map_err(io::Error::other)?;
    let mut entries: Vec<FileEntry> = Vec::new();
    for part in 0..volume.parts() {
        volume.walk(part, &mut |entry| entries.push(entry), &mut |_| ());
    }
    let missing = || io::Error::other("the case is not as it was: no $MFT, $Bitmap or prefetch file in clusters");
    let number = |entry: &FileEntry| entry.reference.map(|reference| reference.record);
    let of = |wanted: u64| entries.iter().find(|entry| number(entry) == Some(wanted)).ok_or_else(missing);
    let mft = pieces(&volume, of(0)?, 0x80, "");
    let prefetch = entries.iter().find(|entry| {
        let named = entry.primary_name().is_some_and(|name| name.path.ends_with(".pf"));
        named && !entry.deleted && !pieces(&volume, entry, 0x80, "").is_empty()
    });
    let prefetch = prefetch.ok_or_else(missing)?;
    let record = number(prefetch).and_then(|n| nth_byte(&mft, n as usize * 1024)).ok_or_else(missing)?;
    let mut blocks = BTreeSet::from([(record - VOLUME) / BLOCK * BLOCK]);
    for piece in pieces(&volume, prefetch, 0x80, "") {
        blocks.extend(piece.map(|at| (at - VOLUME) / BLOCK * BLOCK));
    }
    let bitmap = volume.open(of(6)?, "").map_err(io::Error::other)?;
    let mut bits = vec![0; usize::try_from(bitmap.len()).map_err(io::Error::other)?];
    read_exact_at(&*bitmap, 0, &mut bits)?;
    let cluster = volume.facts().cluster_size.map_or(4096, |size| size as usize);
    let in_use = |cluster: usize| bits.get(cluster / 8).is_none_or(|byte| byte & (1 << (cluster % 8)) != 0);
    let is_free = |block: &usize| {
        let clusters = block / cluster..(block + BLOCK) / cluster;
        !clusters.into_iter().any(in_use) && disk[VOLUME + block..VOLUME + block + BLOCK].iter().all(|byte| *byte == 0)
    };
    let free = (0..(disk.len() - VOLUME) / BLOCK).map(|n| n * BLOCK).filter(is_free).collect();
    // The file system leaves its last sector to the copy of the boot sector.
    let size = volume.facts().size.ok_or_else(missing)? + 512;
    Ok(Found { record, blocks: blocks.into_iter().collect(), free, size })
}

#[cfg(test)]
mod tests {
    use emotrace_core::model::Collect;
    use emotrace_core::pipeline::{Evidence, NoProgress, Options, Vss, stream};

    use super::*;

    /// Only so is the copy's store read at all.
    #[test]
    fn the_prefetch_file_is_known_from_the_copy_alone() {
        let folder = tempfile::tempdir().unwrap();
        let subject = of_shadowed(folder.path()).unwrap();
        let mut evidence = Evidence::open(&[subject.evidence]).unwrap();
        evidence.mount_snapshots(&Vss::All).unwrap();
        let mut found = Collect::default();
        stream(&evidence, &Options::default(), &NoProgress, &mut found).unwrap();
        let runs = found.events.iter().filter(|event| event.artifact == "prefetch");
        let from_copy = runs.filter(|event| event.origin.locator.snapshot == Some(1)).count();
        assert!(from_copy > 0, "{:?}", found.issues);
    }
}
