//! Damaged evidence, at every layer, through the whole program: nothing panics, nothing hangs, and what is whole still
//! gives its events.
//!
//! The damage is seeded, so a failure can be had again. Long runs: `EMOTRACE_DAMAGE_CASES=2000 cargo test --release --test damage`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use emotrace_core::bytes::{ReadAt, read_exact_at};
use emotrace_core::export::row_id;
use emotrace_core::filesystem::FileSystem;
use emotrace_core::filesystem::ntfs::{NtfsVolume, Place};
use emotrace_core::model::{Collect, Loss};
use emotrace_core::pipeline::{Evidence, NoProgress, Options, stream};
use emotrace_core::source::Source;

/// Where the NTFS volume of the case begins.
const VOLUME: u64 = 1 << 20;

fn case() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/case/case.E01")
}

fn cases(default: u64) -> u64 {
    std::env::var("EMOTRACE_DAMAGE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn raw() -> &'static Vec<u8> {
    static RAW: OnceLock<Vec<u8>> = OnceLock::new();
    RAW.get_or_init(|| {
        let source = Source::open(&[case()]).unwrap();
        let mut raw = vec![0; usize::try_from(source.len()).unwrap()];
        read_exact_at(&source, 0, &mut raw).unwrap();
        raw
    })
}

/// A small generator with a fixed sequence: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }
}

/// Damages a range: flips a byte, zeroes a block, writes extremes over a field, or swaps two blocks.
fn damage(bytes: &mut [u8], random: &mut Random) {
    let at = random.below(bytes.len());
    let len = [1, 4, 8, 512, 4096][random.below(5)].min(bytes.len() - at);
    match random.below(4) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at..at + len].fill(0),
        2 => bytes[at..at + len].fill(0xff),
        _ => {
            let other = random.below(bytes.len() - len + 1);
            let block = bytes[other..other + len].to_vec();
            bytes[at..at + len].copy_from_slice(&block);
        }
    }
}

fn read(path: &Path) -> Option<Collect> {
    let evidence = Evidence::open(&[path.to_owned()]).ok()?;
    let mut found = Collect::default();
    stream(&evidence, &Options::default(), &NoProgress, &mut found).unwrap();
    Some(found)
}

/// Every event's name, by the path of its evidence.
fn ids(found: &Collect) -> BTreeMap<String, BTreeSet<String>> {
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in &found.events {
        ids.entry(event.origin.locator.path.clone()).or_default().insert(row_id(event, None));
    }
    ids
}

#[test]
fn a_damaged_container_is_read_as_far_as_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("case.E01");
    let good = fs::read(case()).unwrap();
    let mut opened = 0;
    for seed in 0..cases(12) {
        let mut random = Random(seed);
        let mut bytes = good.clone();
        for _ in 0..=random.below(4) {
            damage(&mut bytes, &mut random);
        }
        if seed % 3 == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        fs::write(&path, &bytes).unwrap();
        opened += u64::from(read(&path).is_some());
    }
    assert!(opened > 0, "some of them can be opened");
}

#[test]
fn damaged_file_system_structures_never_stop_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("case.dd");
    // Partition table, boot sector, and the first records of the MFT, where the file system describes itself.
    let places: [(usize, usize); 4] = [(0, 512), (VOLUME as usize, 8192), (0x104000, 64 << 10), (0x100000, 2 << 20)];
    let mut opened = 0;
    for seed in 0..cases(12) {
        let mut random = Random(seed ^ 0x5eed);
        let mut bytes = raw().clone();
        let (start, len) = places[random.below(places.len())];
        for _ in 0..=random.below(8) {
            damage(&mut bytes[start..start + len], &mut random);
        }
        fs::write(&path, &bytes).unwrap();
        opened += u64::from(read(&path).is_some());
    }
    assert!(opened > 0, "some of them can be opened");
}

/// Damage in one file's content costs that file's events and no others.
#[test]
fn what_is_whole_still_gives_its_events() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("case.dd");
    fs::write(&path, raw()).unwrap();
    let before = ids(&read(&path).unwrap());
    let volume = NtfsVolume::open(std::sync::Arc::new(raw()[VOLUME as usize..].to_vec())).unwrap();
    // No registry hives here: what they tell of the host stands in the rows of all others.
    let victims: Vec<&String> =
        before.keys().filter(|p| p.ends_with(".evtx") || p.ends_with(".pf") || p.ends_with(".lnk")).collect();
    assert!(victims.len() > 20);
    let mut damaged = 0;
    for seed in 0..cases(12) {
        let mut random = Random(seed ^ 0xfeed);
        let victim = victims[random.below(victims.len())];
        let entry = volume.lookup(victim.trim_start_matches("C:")).unwrap();
        // A resident file lies in its MFT record, whose own fields would be hit too.
        let reader = volume.open_attribute(&entry, 0x80, "").unwrap();
        let extent = reader.extents().first().copied();
        let Some((at, len)) = extent.and_then(|e| match e.place {
            Place::Volume(at) => Some((at, e.end - e.start)),
            _ => None,
        }) else {
            continue;
        };
        let mut bytes = raw().clone();
        let start = usize::try_from(VOLUME + at).unwrap();
        for _ in 0..3 {
            damage(&mut bytes[start..start + usize::try_from(len).unwrap()], &mut random);
        }
        fs::write(&path, &bytes).unwrap();
        let found = read(&path).unwrap();
        let after = ids(&found);
        for (place, ids) in before.iter().filter(|(place, _)| *place != victim) {
            assert_eq!(Some(ids), after.get(place), "seed {seed}: damage in {victim} changed the events of {place}");
        }
        let lost = before[victim].iter().any(|id| !after.get(victim).is_some_and(|ids| ids.contains(id)));
        let told = found.issues.iter().any(|i| i.locator.path == *victim && i.loss != Loss::None);
        damaged += u64::from(lost || told);
    }
    assert!(damaged > 0, "the damage did hit something");
}
