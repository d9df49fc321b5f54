//! Tiny images made here, byte by byte as `section.rs` and `chunks.rs` describe them, whole and damaged.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::super::{GapReason, Outcome, Source, SourceError, SourceLimits, verify};
use crate::bytes::{ReadAt, read_up_to};

const SECTOR: usize = 512;
/// Sectors in a chunk.
const PER_CHUNK: usize = 2;
const CHUNK: usize = SECTOR * PER_CHUNK;

/// A writer of small images.
#[derive(Clone)]
struct Writer {
    /// The media.
    data: Vec<u8>,
    /// Chunks in each segment.
    segments: Vec<usize>,
    guid: [u8; 16],
    /// Sectors per chunk and number of sectors as the volume section says.
    per_chunk: u32,
    sectors: u64,
    /// The first chunk is a zlib stream of this many zeros.
    bomb: usize,
    /// SMART: the chunks lie in the table section, the volume section is short.
    smart: bool,
}

/// One segment file and the places of its sections, to damage them.
#[derive(Clone, Default)]
struct Built {
    bytes: Vec<u8>,
    sections: Vec<(&'static str, usize)>,
    chunks: Vec<usize>,
}

impl Built {
    fn section(&self, name: &str) -> usize {
        self.sections.iter().find(|(n, _)| *n == name).unwrap().1
    }
}

/// Media whose even chunks compress well and whose odd chunks do not, each different.
fn media(chunks: usize, tail: usize) -> Vec<u8> {
    let mut noise = 1u64;
    (0..chunks * CHUNK + tail)
        .map(|i| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if (i / CHUNK).is_multiple_of(2) { u8::try_from(i / CHUNK + 1).unwrap() } else { noise.to_be_bytes()[0] }
        })
        .collect()
}

fn with_adler(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = adler2::adler32_slice(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn md5(bytes: &[u8]) -> Vec<u8> {
    use md5::Digest;
    md5::Md5::digest(bytes).to_vec()
}

impl Writer {
    fn new(data: Vec<u8>, segments: &[usize]) -> Self {
        let sectors = (data.len() / SECTOR) as u64;
        let per_chunk = u32::try_from(PER_CHUNK).unwrap();
        Self { data, segments: segments.to_vec(), guid: [7; 16], per_chunk, sectors, bomb: 0, smart: false }
    }

    fn volume(&self) -> Vec<u8> {
        let chunks = u32::try_from(self.data.len().div_ceil(CHUNK)).unwrap();
        let mut bytes = vec![0; if self.smart { 90 } else { 1048 }];
        bytes[0] = 1;
        bytes[4..8].copy_from_slice(&chunks.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.per_chunk.to_le_bytes());
        bytes[12..16].copy_from_slice(&512u32.to_le_bytes());
        if self.smart {
            bytes[16..20].copy_from_slice(&u32::try_from(self.sectors).unwrap().to_le_bytes());
        } else {
            bytes[16..24].copy_from_slice(&self.sectors.to_le_bytes());
            bytes[36] = 3;
            bytes[64..80].copy_from_slice(&self.guid);
        }
        with_adler(bytes)
    }

    fn build(&self) -> Vec<Built> {
        let mut chunks = self.data.chunks(CHUNK);
        let zeros = vec![0; self.bomb];
        let last = self.segments.len();
        let mut files = Vec::new();
        for (number, count) in (1u16..).zip(&self.segments) {
            let mut file = Built { bytes: b"EVF\t\r\n\xff\0\x01".to_vec(), ..Built::default() };
            file.bytes.extend(number.to_le_bytes());
            file.bytes.extend([0, 0]);
            if number == 1 {
                let text = "1\r\nmain\r\nc\tn\te\r\nCASE\tE1\tme\r\n\r\n";
                file.add("header", &zlib(text.as_bytes()));
                file.add("volume", &self.volume());
            } else if !self.smart {
                file.add("data", &self.volume());
            }
            let own: Vec<&[u8]> = chunks.by_ref().take(*count).collect();
            let table_start = file.bytes.len() + 76;
            let start = if self.smart { table_start + 24 + 4 * own.len() } else { table_start };
            let (mut stored, mut entries) = (Vec::new(), Vec::new());
            for (index, &data) in own.iter().enumerate() {
                let bomb = index == 0 && self.bomb > 0;
                let small = zlib(if bomb { &zeros } else { data });
                let place = start + stored.len();
                file.chunks.push(place);
                let place = u32::try_from(place).unwrap();
                if self.smart || bomb || small.len() < data.len() {
                    entries.extend((place | 1 << 31).to_le_bytes());
                    stored.extend(small);
                } else {
                    entries.extend(place.to_le_bytes());
                    stored.extend(with_adler(data.to_vec()));
                }
            }
            let mut head = vec![0; 20];
            head[..4].copy_from_slice(&u32::try_from(own.len()).unwrap().to_le_bytes());
            let head = with_adler(head);
            if self.smart {
                file.add("table", &[head, entries, stored].concat());
            } else {
                file.add("sectors", &stored);
                let table = [head, with_adler(entries)].concat();
                file.add("table", &table);
                file.add("table2", &table);
            }
            if usize::from(number) == last {
                file.add("hash", &with_adler([md5(&self.data), vec![0; 16]].concat()));
                file.add("done", &[]);
            } else {
                file.add("next", &[]);
            }
            files.push(file);
        }
        files
    }
}

impl Built {
    fn add(&mut self, name: &'static str, content: &[u8]) {
        let offset = self.bytes.len();
        let size = content.len() + 76;
        let next = if content.is_empty() { offset } else { offset + size };
        let mut descriptor = vec![0; 72];
        descriptor[..name.len()].copy_from_slice(name.as_bytes());
        descriptor[16..24].copy_from_slice(&(next as u64).to_le_bytes());
        descriptor[24..32].copy_from_slice(&(size as u64).to_le_bytes());
        self.sections.push((name, offset));
        self.bytes.extend(with_adler(descriptor));
        self.bytes.extend(content);
    }

    fn damage(&mut self, at: usize, len: usize) {
        for byte in &mut self.bytes[at..at + len] {
            *byte ^= 0x5a;
        }
    }
}

/// Writes files into a new folder.
fn write(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = files
        .iter()
        .map(|(name, bytes)| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        })
        .collect();
    (folder, paths)
}

fn open(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Source) {
    let (folder, paths) = write(files);
    let source = Source::open(&paths[..1]).unwrap();
    (folder, source)
}

/// Names of three segments.
const NAMES: [&str; 3] = ["case.E01", "case.E02", "case.E03"];

fn named<'a>(files: &'a [Built], names: &[&'a str]) -> Vec<(&'a str, &'a [u8])> {
    names.iter().copied().zip(files.iter().map(|f| f.bytes.as_slice())).collect()
}

/// Reads everything and checks it against the media: equal outside the gaps, zeros inside. Gives the gaps as
/// (first chunk, chunks, reason).
fn check(source: &Source, data: &[u8]) -> Vec<(u64, u64, GapReason)> {
    assert_eq!(source.len(), data.len() as u64);
    let mut bytes = vec![0xee; data.len() + 100];
    let n = read_up_to(source, 0, &mut bytes).unwrap();
    bytes.truncate(n);
    let mut expected = data.to_vec();
    for gap in source.gaps() {
        let range = usize::try_from(gap.start).unwrap()..usize::try_from(gap.start + gap.len).unwrap();
        expected[range].fill(0);
    }
    assert!(bytes == expected, "the bytes outside the gaps are those of the media");
    // Small reads over the edges of chunks take the way through the cache.
    let mut small = [0; 700];
    for offset in (0..data.len()).step_by(333) {
        let n = read_up_to(source, offset as u64, &mut small).unwrap();
        assert!(small[..n] == expected[offset..offset + n], "at {offset}");
    }
    let chunk = CHUNK as u64;
    source.gaps().iter().map(|gap| (gap.start / chunk, gap.len.div_ceil(chunk), gap.reason)).collect()
}

fn outcome(source: &Source) -> Outcome {
    verify(source, &mut |_, _| ControlFlow::Continue(())).unwrap().outcome
}

#[test]
fn one_segment_with_a_short_last_chunk() {
    let data = media(5, SECTOR);
    let files = Writer::new(data.clone(), &[6]).build();
    let (_folder, source) = open(&named(&files, &NAMES));
    assert_eq!(check(&source, &data), []);
    assert_eq!(outcome(&source), Outcome::Matches);
    let facts = source.facts();
    assert_eq!(facts.acquisition.case_number.as_deref(), Some("CASE"));
    assert_eq!((facts.sector_size, facts.chunk_size, facts.tail), (Some(512), Some(1024), 0));
    assert_eq!(facts.set.as_deref(), Some("07070707-0707-0707-0707-070707070707"));
    assert_eq!((facts.issues.len(), facts.left_out.len()), (0, 0));
}

#[test]
fn segments_in_any_order_under_any_name() {
    let data = media(20, 0);
    let files = Writer::new(data.clone(), &[8, 8, 4]).build();
    let (folder, paths) = write(&named(&files, &["zz", "a.bin", "5f0c"]));
    let stranger = Writer { guid: [9; 16], ..Writer::new(media(20, 0), &[8, 8, 4]) }.build();
    let other = folder.path().join("stranger");
    fs::write(&other, &stranger[1].bytes).unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "notes").unwrap();
    let order = [paths[2].clone(), other.clone(), paths[0].clone(), text.clone(), paths[1].clone(), paths[0].clone()];
    let source = Source::open(&order).unwrap();
    assert_eq!(check(&source, &data), []);
    assert_eq!(outcome(&source), Outcome::Matches);
    let names: Vec<_> = source.facts().segments.iter().map(|s| s.name.clone().unwrap()).collect();
    assert_eq!(names, ["zz", "a.bin", "5f0c"]);
    let left: Vec<&Path> = source.facts().left_out.iter().map(|l| l.file.as_path()).collect();
    assert_eq!(left, [text.as_path(), other.as_path()]);
}

#[test]
fn siblings_are_found_and_strangers_are_not_taken() {
    let data = media(12, 0);
    let files = Writer::new(data.clone(), &[4, 4, 4]).build();
    let stranger = Writer { guid: [9; 16], ..Writer::new(media(12, 0), &[4, 4, 4]) }.build();
    let mut set = named(&files[..2], &["CASE.e02", "case.E01"]);
    set = vec![(set[1].0, &files[0].bytes), (set[0].0, &files[1].bytes), ("case.txt", b"notes")];
    set.push(("case.E03", &stranger[2].bytes));
    set.push(("other.E03", &files[2].bytes));
    let (_folder, source) = open(&set);
    assert_eq!(check(&source, &data), [(8, 4, GapReason::MissingSegment)]);
    assert_eq!(source.facts().left_out.len(), 1);
    assert_eq!(outcome(&source), Outcome::Incomplete);
}

#[test]
fn of_two_files_with_one_number_the_proven_one_is_taken() {
    let data = media(8, 0);
    // Without a GUID nothing in the files tells, so the name does.
    let files = Writer { guid: [0; 16], ..Writer::new(data.clone(), &[4, 4]) }.build();
    let other = Writer { guid: [0; 16], ..Writer::new(media(9, 0)[CHUNK..].to_vec(), &[4, 4]) }.build();
    let (_folder, paths) = write(&[("b.E01", &files[0].bytes), ("a.E02", &other[1].bytes), ("b.E02", &files[1].bytes)]);
    let source = Source::open(&paths).unwrap();
    assert_eq!(check(&source, &data), []);
    assert_eq!(source.facts().left_out[0].file, paths[1]);
}

#[test]
fn missing_segments() {
    let data = media(20, SECTOR);
    let files = Writer::new(data.clone(), &[8, 8, 5]).build();
    let all = named(&files, &NAMES);
    let cases: [(&[usize], u64, u64); 3] = [(&[0, 1], 16, 5), (&[0, 2], 8, 8), (&[1, 2], 0, 8)];
    for (kept, first, count) in cases {
        let files: Vec<_> = kept.iter().map(|i| all[*i]).collect();
        let (_folder, source) = open(&files);
        let gaps = check(&source, &data);
        assert_eq!(gaps, [(first, count, GapReason::MissingSegment)], "{kept:?}");
        assert_eq!(outcome(&source), Outcome::Incomplete);
        let missing: Vec<_> = source.facts().segments.iter().filter(|s| s.name.is_none()).collect();
        assert_eq!(missing.len(), 1);
    }
}

#[test]
fn between_two_missing_segments_nothing_has_a_place() {
    let data = media(20, 0);
    let files = Writer::new(data.clone(), &[4, 4, 4, 4, 4]).build();
    let kept = [("c.E01", &files[0].bytes[..]), ("c.E03", &files[2].bytes), ("c.E05", &files[4].bytes)];
    let (_folder, source) = open(&kept);
    assert_eq!(check(&source, &data), [(4, 12, GapReason::MissingSegment)]);
    assert!(source.facts().issues.iter().any(|i| i.error.starts_with("4 chunks were found")));
}

#[test]
fn a_cut_file_gives_what_it_holds() {
    let data = media(20, 0);
    let whole = &Writer::new(data.clone(), &[20]).build()[0];
    // In the middle of chunk 13: its table lies behind it and is lost.
    let at = whole.chunks[13] + 300;
    let (_folder, source) = open(&[("c.E01", &whole.bytes[..at])]);
    assert_eq!(check(&source, &data), [(13, 7, GapReason::FileCut)]);
    // Within the tables, and behind them: no chunk is lost.
    for at in [whole.section("table") + 80, whole.section("table2") + 90, whole.section("hash") + 10] {
        let (_folder, source) = open(&[("c.E01", &whole.bytes[..at])]);
        assert_eq!(check(&source, &data), [], "cut at {at}");
        assert_eq!(outcome(&source), Outcome::NotStored);
        assert!(source.facts().issues.iter().any(|i| i.error.contains("cut")));
    }
}

#[test]
fn a_cut_segment_in_the_middle_keeps_the_next_in_place() {
    let data = media(20, 0);
    let files = Writer::new(data.clone(), &[8, 8, 4]).build();
    let cut = &files[1].bytes[..files[1].chunks[5]];
    let (_folder, source) = open(&[("c.E01", &files[0].bytes), ("c.E02", cut), ("c.E03", &files[2].bytes)]);
    assert_eq!(check(&source, &data), [(13, 3, GapReason::FileCut)]);
}

#[test]
fn table2_and_walking_stand_in_for_the_table() {
    let data = media(20, SECTOR);
    let whole = Writer::new(data.clone(), &[21]).build().remove(0);
    let (table, table2, sectors) = (whole.section("table"), whole.section("table2"), whole.section("sectors"));
    // Places of damage: entries (24 bytes into the content), header, descriptor.
    let cases: &[&[usize]] = &[
        &[table + 110],
        &[table + 77],
        &[table + 5],
        &[table + 110, table2 + 110],
        &[table + 77, table2 + 77],
        &[table + 5, table2 + 5],
        &[table + 77, table2 + 5],
        &[sectors + 5],
    ];
    for places in cases {
        let mut file = whole.clone();
        for place in *places {
            file.damage(*place, 1);
        }
        let (_folder, source) = open(&[("c.E01", &file.bytes)]);
        assert_eq!(check(&source, &data), [], "{places:?}");
        assert_eq!(outcome(&source), Outcome::Matches);
        assert!(!source.facts().issues.is_empty());
    }
    // Without tables and with a damaged chunk of each kind.
    for chunk in [4, 5] {
        let mut file = whole.clone();
        file.damage(table + 77, 1);
        file.damage(table2 + 77, 1);
        file.damage(file.chunks[chunk] + 7, 1);
        let (_folder, source) = open(&[("c.E01", &file.bytes)]);
        assert_eq!(check(&source, &data), [(chunk as u64, 1, GapReason::BadChunk)]);
    }
}

#[test]
fn a_lost_volume_section_is_not_taken_for_a_chunk() {
    let data = media(8, 0);
    let files = Writer::new(data.clone(), &[4, 4]).build();
    let mut first = files[0].clone();
    first.damage(first.section("volume") + 2, 1);
    let (_folder, source) = open(&[("c.E01", &first.bytes), ("c.E02", &files[1].bytes)]);
    assert_eq!(check(&source, &data), []);
}

#[test]
fn a_changed_byte_costs_one_chunk() {
    let data = media(20, 0);
    let whole = Writer::new(data.clone(), &[20]).build().remove(0);
    for chunk in [6, 7] {
        let mut file = whole.clone();
        file.damage(file.chunks[chunk] + 6, 1);
        let (_folder, source) = open(&[("c.E01", &file.bytes)]);
        assert_eq!(source.gaps(), [], "not known before it was read");
        assert_eq!(check(&source, &data), [(chunk as u64, 1, GapReason::BadChunk)]);
        assert_eq!(outcome(&source), Outcome::Incomplete);
    }
}

#[test]
fn a_damaged_file_header_is_no_loss() {
    let data = media(8, 0);
    let mut files = Writer::new(data.clone(), &[4, 4]).build();
    files[1].damage(0, 13);
    let (_folder, source) = open(&named(&files, &NAMES));
    assert_eq!(check(&source, &data), []);
}

#[test]
fn a_damaged_segment_number_does_not_move_the_first_segment() {
    let data = media(8, 0);
    let mut files = Writer::new(data.clone(), &[4, 4]).build();
    files[0].bytes[9..11].copy_from_slice(&9000u16.to_le_bytes());
    let (_folder, source) = open(&named(&files, &NAMES));
    assert_eq!(check(&source, &data), []);
    // A later one goes to the end; what is missing between is not listed a thousand times.
    let mut files = Writer::new(data.clone(), &[4, 4]).build();
    files[1].bytes[9..11].copy_from_slice(&9000u16.to_le_bytes());
    let (_folder, source) = open(&named(&files, &NAMES));
    assert_eq!(check(&source, &data), []);
    assert!(source.facts().segments.len() < 200);
}

#[test]
fn smart_tables_hold_their_chunks() {
    let data = media(20, SECTOR);
    let writer = Writer { smart: true, ..Writer::new(data.clone(), &[8, 13]) };
    let files = writer.build();
    let names = ["c.s01", "c.s02"];
    let (_folder, source) = open(&named(&files, &names));
    assert_eq!(check(&source, &data), []);
    assert_eq!(outcome(&source), Outcome::Matches);
    for place in [77, 101] {
        let mut damaged = files.clone();
        let at = damaged[1].section("table") + place;
        damaged[1].damage(at, 1);
        let (_folder, source) = open(&named(&damaged, &names));
        assert_eq!(check(&source, &data), [], "table damaged at {place}");
    }
}

/// A zlib stream of 64 MiB where a chunk of 1 KiB should be: it is inflated up to the chunk's size and is a gap.
#[test]
fn a_zip_bomb_is_one_bad_chunk() {
    let data = media(8, 0);
    let files = Writer { bomb: 64 << 20, ..Writer::new(data.clone(), &[8]) }.build();
    assert!(files[0].bytes.len() > 60_000);
    let (_folder, source) = open(&named(&files, &NAMES));
    assert_eq!(check(&source, &data), [(0, 1, GapReason::BadChunk)]);
}

/// A section that leads back to an earlier one, with a checksum that fits.
#[test]
fn a_chain_of_sections_in_a_circle() {
    let data = media(8, 0);
    let good = Writer::new(data.clone(), &[8]).build();
    for (from, to) in [("table", "header"), ("sectors", "sectors"), ("volume", "header")] {
        let mut file = good[0].clone();
        let (at, back) = (file.section(from), file.section(to) as u64);
        file.bytes[at + 16..at + 24].copy_from_slice(&back.to_le_bytes());
        let sum = adler2::adler32_slice(&file.bytes[at..at + 72]);
        file.bytes[at + 72..at + 76].copy_from_slice(&sum.to_le_bytes());
        let (_folder, source) = open(&[("c.E01", &file.bytes)]);
        assert_eq!(check(&source, &data), [], "{from} leads to {to}");
        let told: Vec<_> = source.facts().issues.iter().map(|issue| issue.offset).collect();
        assert_eq!(told, [Some(at as u64)], "{from} leads to {to}");
    }
}

#[test]
fn forged_chunk_sizes() {
    let data = media(8, 0);
    let forged = Writer { per_chunk: 1 << 18, ..Writer::new(data.clone(), &[8]) }.build();
    let (_folder, paths) = write(&named(&forged, &NAMES));
    let error = Source::open(&paths).unwrap_err();
    assert!(matches!(error, SourceError::ChunkSize { value: 134_217_728, .. }), "{error}");
    let limits = SourceLimits { chunk_size: 1 << 27, ..SourceLimits::default() };
    let source = Source::open_with(&paths, &limits).unwrap();
    let mut bytes = [1; 16];
    assert_eq!(source.read_at(0, &mut bytes).unwrap(), 16);
    assert_eq!(bytes, [0; 16], "a chunk that is too short is not filled up");
    assert_eq!(source.gaps()[0].reason, GapReason::BadChunk);
    // A good copy of the facts in another section wins over facts that contradict themselves.
    let good = Writer::new(data.clone(), &[4, 4]).build();
    let mut both = forged[0].clone();
    let volume = both.section("volume") + 76;
    both.bytes[volume..volume + 1052].copy_from_slice(&Writer::new(data, &[8]).volume());
    assert_eq!(both.bytes.len(), forged[0].bytes.len());
    assert_eq!(good.len(), 2);
    let (_folder, source) = open(&[("c.E01", &both.bytes)]);
    assert_eq!(outcome(&source), Outcome::Matches);
}

#[test]
fn an_absurd_number_of_sectors_is_not_believed() {
    let data = media(8, 0);
    let forged = Writer { sectors: 1 << 60, ..Writer::new(data.clone(), &[8]) }.build();
    let (_folder, source) = open(&named(&forged, &NAMES));
    assert_eq!(check(&source, &data), []);
}

#[test]
fn without_sectors_in_the_volume_section_the_tables_tell_the_size() {
    let data = media(5, SECTOR);
    let writer = Writer { sectors: 0, ..Writer::new(data.clone(), &[6]) };
    let (_folder, source) = open(&named(&writer.build(), &NAMES));
    assert_eq!(check(&source, &data), []);
    assert_eq!(outcome(&source), Outcome::Matches);
}

/// ewfacquire counts whole sectors only, but stores and hashes the odd end of its input.
#[test]
fn an_odd_end_is_said() {
    let data = media(5, 700);
    let (_folder, source) = open(&named(&Writer::new(data.clone(), &[6]).build(), &NAMES));
    assert_eq!(check(&source, &data[..5 * CHUNK + SECTOR]), []);
    assert!(source.facts().issues[0].error.contains("188 bytes more"));
    assert_eq!(outcome(&source), Outcome::Differs);
}

/// Cuts and flips a set at seeded places: it must open or be refused, and never panic, hang or give bytes outside the
/// gaps that its checksums do not vouch for.
#[test]
fn damage_never_panics() {
    let data = media(12, SECTOR);
    let files = Writer::new(data.clone(), &[5, 8]).build();
    let smart = Writer { smart: true, ..Writer::new(data.clone(), &[5, 8]) }.build();
    let mut seed = 42u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let limits = SourceLimits { cache: 1 << 16, ..SourceLimits::default() };
    let (_folder, paths) = write(&named(&files, &NAMES));
    let mut opened = 0;
    for round in 0..1000 {
        let mut set = if round % 3 == 0 { smart.clone() } else { files.clone() };
        for _ in 0..=random(3) {
            let file = &mut set[random(2)];
            let at = random(file.bytes.len());
            match random(4) {
                0 => file.bytes.truncate(at.max(1)),
                1 => file.bytes[at] = 0xff,
                2 => file.bytes[at] = random(256) as u8,
                _ => {
                    let end = (at + random(200)).min(file.bytes.len());
                    file.bytes[at..end].fill(0);
                }
            }
            file.bytes.resize(file.bytes.len().max(20), 0);
        }
        for (path, file) in paths.iter().zip(&set) {
            fs::write(path, &file.bytes).unwrap();
        }
        let Ok(source) = Source::open_with(&paths, &limits) else { continue };
        opened += 1;
        let len = usize::try_from(source.len()).unwrap();
        assert!(len <= 64 << 20, "round {round}: {len}");
        let mut bytes = vec![0; len];
        assert_eq!(read_up_to(&source, 0, &mut bytes).unwrap(), len);
        let gaps = source.gaps();
        assert!(gaps.windows(2).all(|pair| pair[0].start + pair[0].len <= pair[1].start), "round {round}");
        // Segments that are still in order vouch for their bytes: what is no gap is the media.
        if len == data.len() {
            let mut expected = data.clone();
            for gap in &gaps {
                expected[usize::try_from(gap.start).unwrap()..usize::try_from(gap.start + gap.len).unwrap()].fill(0);
            }
            let wrong = bytes.iter().zip(&expected).filter(|(a, b)| a != b).count();
            assert_eq!(wrong, 0, "round {round}: bytes at a wrong place");
        }
    }
    assert!(opened > 700, "{opened} of 1000 could be opened");
}
