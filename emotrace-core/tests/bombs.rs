//! Bombs as a user meets them: evidence that is small, well-formed to the eye, and claims or repeats without end, read through
//! the whole program. Bounds are rows, issues and bytes of memory. `testdata/notes/bombs.md` lists these and all others.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use emotrace_benches::damage::seen::{Seen, read};
use emotrace_benches::damage::subject::{Subject, of_container, of_disk};
use emotrace_benches::damage::sums::adler32;
use emotrace_core::formats::regf::{Hive, HiveOptions};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory is counted for the whole process, so one bomb is read at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// More than the same evidence takes undamaged.
const MEMORY_BOUND: usize = 64 << 20;

/// Reads evidence before and after a change of one of its files.
fn before_and_after(subject: &Subject, change: impl FnOnce(&mut Vec<u8>)) -> (Seen, Seen) {
    const WHOLE_FILE: u64 = 32 << 20;
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    MEMORY.reset_peak_usage();
    let before = read(&subject.evidence, WHOLE_FILE);
    let usual = MEMORY.peak_usage();
    let mut bytes = subject.good.clone();
    change(&mut bytes);
    fs::write(&subject.victim, &bytes).unwrap();
    MEMORY.reset_peak_usage();
    let after = read(&subject.evidence, WHOLE_FILE);
    let peak = MEMORY.peak_usage();
    assert!(peak < usual + MEMORY_BOUND, "{peak} bytes, {usual} undamaged");
    assert_eq!((&before.refused, &after.refused), (&None, &None));
    assert_eq!((after.panics.as_slice(), after.outside.as_slice()), (&[][..], &[][..]));
    (before, after)
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// Where the MFT record of a path lies on the disk.
fn record_of(disk: &Subject, path: &str) -> usize {
    let name = format!("({path})");
    let region = disk.regions.iter().find(|r| r.layer == "MFT record" && r.name.ends_with(&name));
    region.unwrap_or_else(|| panic!("{path} is on the disk")).pieces[0].start
}

/// Changes an MFT record as it is without its update sequence.
fn edit(disk: &mut [u8], at: usize, change: impl FnOnce(&mut Vec<u8>)) {
    let mut record = disk[at..at + 1024].to_vec();
    let (place, strides) = (u16_at(&record, 4), u16_at(&record, 6) - 1);
    for stride in 0..strides {
        let word = [record[place + 2 + stride * 2], record[place + 3 + stride * 2]];
        put(&mut record, stride * 512 + 510, &word);
    }
    change(&mut record);
    assert_eq!(record.len(), 1024);
    let mark = [record[place], record[place + 1]];
    for stride in 0..strides {
        let word = [record[stride * 512 + 510], record[stride * 512 + 511]];
        put(&mut record, place + 2 + stride * 2, &word);
        put(&mut record, stride * 512 + 510, &mark);
    }
    put(disk, at, &record);
}

/// Type, place and length of each attribute.
fn attributes(record: &[u8]) -> Vec<(u32, usize, usize)> {
    let mut found = Vec::new();
    let mut at = u16_at(record, 20);
    while u32_at(record, at) != u32::MAX {
        let len = u32_at(record, at + 4) as usize;
        found.push((u32_at(record, at), at, len));
        at += len;
    }
    found
}

/// The number of a record with its sequence.
fn reference(disk: &[u8], at: usize) -> u64 {
    u64::from(u32_at(disk, at + 44)) | (u16_at(disk, at + 16) as u64) << 48
}

/// `\Users` lies in a folder of its own, and that in it; `\Windows\Prefetch` lies in itself.
#[test]
fn directories_in_a_circle() {
    let folder = tempfile::tempdir().unwrap();
    let disk = of_disk(folder.path()).unwrap();
    let places = [r"\Users", r"\Users\tanaka.yuki", r"\Windows\Prefetch"].map(|path| record_of(&disk, path));
    let (before, after) = before_and_after(&disk, |bytes| {
        for (child, parent) in [(places[0], places[1]), (places[1], places[0]), (places[2], places[2])] {
            let parent = reference(bytes, parent).to_le_bytes();
            edit(bytes, child, |record| {
                for (kind, at, _) in attributes(record) {
                    if kind == 0x30 {
                        let value = at + u16_at(record, at + 20);
                        put(record, value, &parent);
                    }
                }
            });
        }
    });
    assert!(after.work <= before.work, "{} rows and issues, {} before", after.work, before.work);
    let orphans = after.events.keys().filter(|(path, ..)| path.contains(r"\$Orphan\")).count();
    assert!(orphans > 100, "{orphans}");
    assert!(after.events.keys().all(|(path, ..)| path.len() < 400));
}

/// An event log and a prefetch file that are 8 EiB long, as far as NTFS can count: their first clusters are there, the rest is
/// a hole.
#[test]
fn files_of_exabytes() {
    let folder = tempfile::tempdir().unwrap();
    let disk = of_disk(folder.path()).unwrap();
    let of_kind = |end: &str| {
        let content =
            |r: &&emotrace_benches::damage::subject::Region| r.layer == "file on disk" && r.name.ends_with(end);
        let name = disk.regions.iter().find(content).unwrap().name.split(" of ").nth(1).unwrap().to_owned();
        record_of(&disk, &name)
    };
    let places = [of_kind("System.evtx"), of_kind(".pf")];
    let (before, after) = before_and_after(&disk, |bytes| {
        for place in places {
            edit(bytes, place, |record| {
                let all = attributes(record);
                let (_, at, len) = *all.iter().find(|(kind, at, _)| *kind == 0x80 && record[at + 8] == 1).unwrap();
                let runs = at + u16_at(record, at + 32);
                let first = 1 + usize::from(record[runs] & 15) + usize::from(record[runs] >> 4);
                let mut data = record[at..at + 64].to_vec();
                data.extend([0; 8]);
                data.extend(&record[runs..runs + first]);
                data.extend([0x07, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07, 0]);
                data.resize(data.len().next_multiple_of(8), 0);
                let length = u32::try_from(data.len()).unwrap();
                put(&mut data, 4, &length.to_le_bytes());
                put(&mut data, 12, &0x8000u16.to_le_bytes());
                put(&mut data, 24, &(i64::MAX >> 12).to_le_bytes());
                put(&mut data, 32, &[72, 0]);
                for field in [40, 48, 56] {
                    put(&mut data, field, &i64::MAX.to_le_bytes());
                }
                let behind = record[at + len..].to_vec();
                record.truncate(at);
                record.extend(data);
                record.extend(behind);
                record.resize(1024, 0);
                let used = u32_at(record, 24) + length - u32::try_from(len).unwrap();
                put(record, 24, &used.to_le_bytes());
            });
        }
    });
    assert!(after.work < before.work + 1000, "{} rows and issues, {} before", after.work, before.work);
    assert_eq!(after.kinds["windows:evtx:record"], before.kinds["windows:evtx:record"], "no record is lost");
    assert!(
        after.issues.keys().any(|issue| issue.contains("prefetch") && issue.contains("limit")),
        "{:?}",
        after.issues
    );
}

/// A key whose subkeys are those of the root, and which counts four billion values.
#[test]
fn a_hive_in_a_circle() {
    let folder = tempfile::tempdir().unwrap();
    let good =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/artifacts/run_keys/ntuser.hve")).unwrap();
    let hive = Hive::parse(good.clone(), &[], HiveOptions::default()).unwrap();
    let structure = |path: &str| usize::try_from(hive.find(path).unwrap().offset()).unwrap() + 4;
    let (root, run) = (structure(""), structure(r"Software\Microsoft\Windows\CurrentVersion\Run"));
    let victim = folder.path().join("C/Users/someone/NTUSER.DAT");
    fs::create_dir_all(victim.parent().unwrap()).unwrap();
    fs::write(&victim, &good).unwrap();
    let subject = Subject {
        name: "hive".to_owned(),
        evidence: folder.path().to_owned(),
        victim,
        good,
        regions: Vec::new(),
        cuttable: true,
        layer: "hive",
    };
    let (before, after) = before_and_after(&subject, |bytes| {
        let list = u32_at(bytes, root + 28).to_le_bytes();
        put(bytes, run + 20, &1u32.to_le_bytes());
        put(bytes, run + 28, &list);
        put(bytes, run + 36, &[0xff; 4]);
    });
    assert!(after.work < before.work + 100, "{} rows and issues, {} before", after.work, before.work);
    assert!(after.issues.len() >= before.issues.len() + 2, "the circle and the count are told: {:?}", after.issues);
    let programs = |seen: &Seen| seen.kinds["windows:run_keys:program"];
    assert!(programs(&after) >= programs(&before), "no program is lost");
}

/// The table of the chunks is followed by the image's first section.
#[test]
fn an_e01_in_a_circle() {
    let folder = tempfile::tempdir().unwrap();
    let image = of_container(folder.path()).unwrap();
    let at = image.regions.iter().find(|r| r.name == "E01 descriptor of table").unwrap().pieces[0].start;
    let (before, after) = before_and_after(&image, |bytes| {
        put(bytes, at + 16, &13u64.to_le_bytes());
        let sum = adler32(&bytes[at..at + 72]).to_le_bytes();
        put(bytes, at + 72, &sum);
    });
    assert_eq!(after.events, before.events, "every chunk is found");
    assert!(after.issues.keys().any(|issue| issue.contains("chain of sections")), "{:?}", after.issues);
}
