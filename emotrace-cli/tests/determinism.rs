//! The same disk gives the same bytes in every output of `analyze`, whatever the container, the number of threads, the run
//! and the order of the examiner's file system. What depends on those stands in `manifest.json` alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use emotrace_core::bytes::{self, read_exact_at};
use emotrace_core::source::Source;

const FORMATS: &str = "jsonl,csv,bodyfile,l2tcsv,timesketch";

fn case() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/case/case.E01")
}

fn emotrace(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_emotrace")).args(arguments).output().unwrap()
}

/// A fresh case folder of some evidence, with every format.
fn analyze(evidence: &[PathBuf], out: &Path, threads: &str, more: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut arguments: Vec<&str> = vec!["analyze"];
    arguments.extend(evidence.iter().map(|path| path.to_str().unwrap()));
    arguments.extend(["-o", out.to_str().unwrap(), "-f", FORMATS, "--threads", threads]);
    arguments.extend(more);
    let run = emotrace(&arguments);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(matches!(run.status.code(), Some(0 | 3)), "{said}");
    files(out)
}

/// Every file of a case folder but the manifest.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        files.insert(entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    }
    assert!(files.remove("manifest.json").is_some());
    files
}

fn assert_same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>, what: &str) {
    assert!(one.keys().eq(other.keys()), "{what}: {:?} {:?}", one.keys(), other.keys());
    for (name, bytes) in one {
        let theirs = &other[name];
        let place = bytes.iter().zip(theirs).position(|(a, b)| a != b).unwrap_or(bytes.len().min(theirs.len()));
        let around = |bytes: &[u8]| {
            let to = bytes.len().min(place + 60);
            String::from_utf8_lossy(&bytes[place.saturating_sub(60)..to]).into_owned()
        };
        assert!(bytes == theirs, "{what}: {name} differs at {place}: {:?} and {:?}", around(bytes), around(theirs));
    }
}

/// The content of the case image.
fn media() -> Vec<u8> {
    let source = Source::open(&[case()]).unwrap();
    let mut media = vec![0; usize::try_from(bytes::ReadAt::len(&source)).unwrap()];
    read_exact_at(&source, 0, &mut media).unwrap();
    media
}

/// Sectors in a chunk of the images made here.
const PER_CHUNK: usize = 64;
const CHUNK: usize = PER_CHUNK * 512;

fn with_sum(mut bytes: Vec<u8>) -> Vec<u8> {
    let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    bytes.extend((b << 16 | a).to_le_bytes());
    bytes
}

/// Writes an EWF image in several segments: whole chunks as they are, with their sums, and what is all zeros deflated.
/// `broken` names a chunk whose sum is wrong. Sources: as in `emotrace-core/src/source/ewf`.
fn write_ewf(media: &[u8], folder: &Path, segments: usize, broken: Option<usize>) -> Vec<PathBuf> {
    let zeros = deflate(&[0; CHUNK]);
    let volume = {
        let mut bytes = vec![0; 1048];
        bytes[0] = 1;
        bytes[4..8].copy_from_slice(&u32::try_from(media.len().div_ceil(CHUNK)).unwrap().to_le_bytes());
        bytes[8..12].copy_from_slice(&u32::try_from(PER_CHUNK).unwrap().to_le_bytes());
        bytes[12..16].copy_from_slice(&512u32.to_le_bytes());
        bytes[16..24].copy_from_slice(&(media.len() as u64 / 512).to_le_bytes());
        bytes[36] = 3;
        bytes[64..80].copy_from_slice(&[7; 16]);
        with_sum(bytes)
    };
    let section = |file: &mut Vec<u8>, name: &str, data: &[u8]| {
        let (at, len) = (file.len() as u64, 76 + data.len() as u64);
        let mut head = vec![0; 72];
        head[..name.len()].copy_from_slice(name.as_bytes());
        let last = matches!(name, "next" | "done");
        head[16..24].copy_from_slice(&(if last { at } else { at + len }).to_le_bytes());
        head[24..32].copy_from_slice(&len.to_le_bytes());
        file.extend(with_sum(head));
        file.extend(data);
    };
    let chunks: Vec<(usize, &[u8])> = media.chunks(CHUNK).enumerate().collect();
    let groups = chunks.chunks(chunks.len().div_ceil(segments));
    let last = groups.len();
    let mut paths = Vec::new();
    for (number, own) in (1usize..).zip(groups) {
        let mut file = b"EVF\t\r\n\xff\0\x01".to_vec();
        file.extend(u16::try_from(number).unwrap().to_le_bytes());
        file.extend([0, 0]);
        section(&mut file, if number == 1 { "volume" } else { "data" }, &volume);
        let start = file.len() + 76;
        let (mut stored, mut entries) = (Vec::new(), Vec::new());
        for (chunk, data) in own {
            let place = u32::try_from(start + stored.len()).unwrap();
            if data.len() == CHUNK && data.iter().all(|b| *b == 0) && Some(*chunk) != broken {
                entries.extend((place | 1 << 31).to_le_bytes());
                stored.extend(&zeros);
            } else {
                entries.extend(place.to_le_bytes());
                stored.extend(with_sum(data.to_vec()));
                if Some(*chunk) == broken {
                    *stored.last_mut().unwrap() ^= 0xff;
                }
            }
        }
        section(&mut file, "sectors", &stored);
        let mut head = vec![0; 20];
        head[..4].copy_from_slice(&u32::try_from(own.len()).unwrap().to_le_bytes());
        let table = [with_sum(head), with_sum(entries)].concat();
        section(&mut file, "table", &table);
        section(&mut file, "table2", &table);
        section(&mut file, if number == last { "done" } else { "next" }, &[]);
        let path = folder.join(format!("packed.E{number:02}"));
        fs::write(&path, file).unwrap();
        paths.push(path);
    }
    paths
}

/// A zlib stream of stored blocks (RFC 1950, 1951): longer than the data, but any reader inflates it.
fn deflate(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = data.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let len = u16::try_from(block.len()).unwrap();
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(block);
    }
    let sum = with_sum(data.to_vec()).split_off(data.len());
    out.extend(sum.iter().rev());
    out
}

#[test]
fn container_threads_and_runs_make_no_difference() {
    let dir = tempfile::tempdir().unwrap();
    let media = media();
    let raw = dir.path().join("another name.dd");
    fs::write(&raw, &media).unwrap();
    let mut split: Vec<PathBuf> = (1..)
        .zip(media.chunks(20 << 20))
        .map(|(n, part)| {
            let path = dir.path().join(format!("parts.{n:03}"));
            fs::write(&path, part).unwrap();
            path
        })
        .collect();
    split.reverse();
    let packed = write_ewf(&media, dir.path(), 6, None);
    assert_eq!(packed.len(), 6);
    let whole = [case()];
    let out = |name: &str| dir.path().join(name);
    // With --hash, so that the report's hashes are held against each other too.
    let one = analyze(&whole, &out("one"), "1", &["--hash"]);
    assert!(one.len() == 14, "{:?}", one.keys());
    assert!(one.values().all(|bytes| !bytes.is_empty() || one["issues.jsonl"].is_empty()));
    for (name, evidence, threads) in [
        ("E01, again", &whole[..], "1"),
        ("E01, 2 threads", &whole[..], "2"),
        ("E01, 8 threads", &whole[..], "8"),
        ("raw, 2 threads", std::slice::from_ref(&raw), "2"),
        ("split raw, 8 threads", &split[..], "8"),
        ("split E01, 8 threads", &packed[3..4], "8"),
    ] {
        assert_same(&one, &analyze(evidence, &out(name), threads, &["--hash"]), name);
    }
    // Nothing of the examiner's machine is in an output.
    let here = dir.path().to_str().unwrap();
    for (name, bytes) in &one {
        assert!(!bytes.windows(here.len()).any(|w| w == here.as_bytes()), "{name} names a place of this machine");
    }
}

/// A chunk that nothing but the hashing reads is a gap in every run, though the hashing goes on beside the reading.
#[test]
fn a_damaged_image_gives_the_same_on_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let media = media();
    // In the last third of the disk, where no file of the case lies.
    let chunk = media.len() / CHUNK - 30;
    let packed = write_ewf(&media, dir.path(), 1, Some(chunk));
    // Reading one artifact is done long before the hashing comes to the chunk.
    let more = ["--hash", "--artifact", "prefetch", "--no-detect"];
    let one = analyze(&packed, &dir.path().join("one"), "1", &more);
    let gap = format!("{CHUNK} bytes at {:#x}: a chunk is damaged", chunk * CHUNK);
    assert!(String::from_utf8_lossy(&one["issues.jsonl"]).contains(&gap), "{gap}");
    assert!(String::from_utf8_lossy(&one["evidence.json"]).contains(&gap), "{gap}");
    assert_same(&one, &analyze(&packed, &dir.path().join("eight"), "8", &more), "8 threads");
}

/// The same files, made in another order, so that the file system lists them in another one.
#[test]
fn the_order_of_a_folder_makes_no_difference() {
    // In memory, folders are listed in the order of making; other file systems may hide what the order would do.
    let memory = Path::new("/dev/shm");
    let dir = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap();
    let first = dir.path().join("a/triage");
    fs::create_dir(dir.path().join("a")).unwrap();
    let run = emotrace(&["extract", case().to_str().unwrap(), "-o", first.to_str().unwrap()]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    fs::remove_file(first.join("manifest.json")).unwrap();
    let second = dir.path().join("b/triage");
    let copied = copy_backwards(&first, &second);
    assert!(copied > 50, "{copied}");
    if dir.path().starts_with(memory) {
        assert!(lists_differ(&first, &second), "the two copies are listed in one order: this test would see nothing");
    }
    let one = analyze(std::slice::from_ref(&first), &dir.path().join("one"), "1", &[]);
    assert_same(&one, &analyze(std::slice::from_ref(&first), &dir.path().join("two"), "8", &[]), "8 threads");
    assert_same(&one, &analyze(&[second], &dir.path().join("three"), "2", &[]), "another order");
}

fn copy_backwards(from: &Path, to: &Path) -> usize {
    fs::create_dir_all(to).unwrap();
    let mut names: Vec<_> = fs::read_dir(from).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    if fs::read_dir(from).unwrap().map(|e| e.unwrap().file_name()).eq(names.iter().cloned()) {
        names.reverse();
    }
    let mut copied = 0;
    for name in names {
        let place = from.join(&name);
        if place.is_dir() {
            copied += copy_backwards(&place, &to.join(&name));
        } else {
            fs::File::create_new(to.join(&name)).unwrap().write_all(&fs::read(place).unwrap()).unwrap();
            copied += 1;
        }
    }
    copied
}

fn lists_differ(one: &Path, other: &Path) -> bool {
    let names = |folder: &Path| fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
    let own = names(one);
    own != names(other)
        || own.iter().any(|name| one.join(name).is_dir() && lists_differ(&one.join(name), &other.join(name)))
}
