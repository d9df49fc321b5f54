//! Images of other projects: their own hashes, sizes and partitions. Witnesses: ewfverify and ewfexport 20140813 for hashes
//! and sizes, mmls and fsstat of The Sleuth Kit for partitions and serial numbers.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use emotrace_core::bytes::ReadAt;
use emotrace_core::source::{GapReason, Outcome, Source, SourceError, verify};
use emotrace_core::volume::{Scheme, read_layout};

pub(crate) const CASES: &[super::Case] = &[
    ("source::ewf_images_match_their_hashes", ewf_images_match_their_hashes),
    ("source::eight_segments_in_any_order", eight_segments_in_any_order),
    ("source::a_missing_segment_costs_its_chunks", a_missing_segment_costs_its_chunks),
    ("source::other_containers_are_named", other_containers_are_named),
    ("volume::partitions", partitions),
];

fn md5(source: &Source) -> (String, Outcome) {
    let verified = verify(source, &mut |_, _| ControlFlow::Continue(())).unwrap();
    (verified.computed.md5, verified.outcome)
}

fn open(corpus: &Path, name: &str) -> Source {
    Source::open(&[corpus.join("images").join(name)]).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn ewf_images_match_their_hashes(corpus: &Path) {
    for (name, size, hash) in [
        ("dfvfs/ext2.split.E01", 4_194_304, "196066add11fb71c4c49cf1bb50d6d24"),
        ("ewf/multiseg_v1.E01", 10_485_760, "2692f3177a389e58906b5c9080aa1add"),
        ("ewf/nps-2010-emails.E01", 10_485_760, "7dae50cec8163697415e69fd72387c01"),
        ("plaso/image-split.E01", 1_474_560, "38ea5af8a80e16e46c095c9110242fc0"),
        ("plaso/image.E01", 102_400, "d73c51f10c7ee6a681b7b619ccc6f1c4"),
        ("sleuthkit/image.E01", 102_400, "3ebb0b7dcd6b5fcd59a0020625d70994"),
        ("sleuthkit/imageformat_mmls_1.E01", 62_915_072, "8ec671e301095c258224aad701740503"),
        ("velociraptor_test.ntfs.dd.E01", 10_485_760, "8b4382280340597b7930b4b34742afba"),
    ] {
        let source = open(corpus, name);
        assert_eq!(source.len(), size, "{name}");
        assert_eq!(md5(&source), (hash.to_owned(), Outcome::Matches), "{name}");
        assert_eq!((source.gaps(), &source.facts().issues), (vec![], &vec![]), "{name}");
    }
}

fn segments(corpus: &Path, numbers: &[u32]) -> Vec<PathBuf> {
    numbers.iter().map(|n| corpus.join(format!("images/ewf/multiseg_v1.E0{n}"))).collect()
}

fn eight_segments_in_any_order(corpus: &Path) {
    let source = Source::open(&segments(corpus, &[5, 2, 8, 1, 7, 3, 6, 4])).unwrap();
    let names: Vec<_> = source.facts().segments.iter().filter_map(|s| s.name.clone()).collect();
    assert_eq!(names.len(), 8);
    assert!(names.is_sorted());
    assert_eq!(md5(&source).0, "2692f3177a389e58906b5c9080aa1add");
}

/// Each segment but the last holds 45 chunks of 32 KiB (the entries of its table).
fn a_missing_segment_costs_its_chunks(corpus: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Vec::new();
    for (i, path) in segments(corpus, &[1, 2, 3, 5, 6, 7, 8]).iter().enumerate() {
        let copy = folder.path().join(format!("evidence-{i}"));
        std::fs::copy(path, &copy).unwrap();
        kept.push(copy);
    }
    let source = Source::open(&kept).unwrap();
    assert_eq!(md5(&source).1, Outcome::Incomplete);
    let gaps = source.gaps();
    assert_eq!(gaps.len(), 1);
    let chunks = |n: u64| n * 32_768;
    assert_eq!((gaps[0].start, gaps[0].len, gaps[0].reason), (chunks(135), chunks(45), GapReason::MissingSegment));
    let whole = Source::open(&segments(corpus, &[1])).unwrap();
    let (mut a, mut b) = (vec![0; 32_768], vec![0; 32_768]);
    for chunk in (0..135).chain(180..320) {
        whole.read_at(chunks(chunk), &mut a).unwrap();
        source.read_at(chunks(chunk), &mut b).unwrap();
        assert!(a == b, "chunk {chunk}");
    }
}

fn other_containers_are_named(corpus: &Path) {
    for (name, what) in [
        ("ewf/zeros_128s.Ex01", "EWF2"),
        ("plaso_vsstest.qcow2", "QCOW2"),
        ("SampleTinyNtfsVolume.zip", "ZIP"),
        ("dissect_ntfs.bin.gz", "gzip"),
    ] {
        let error = Source::open(&[corpus.join("images").join(name)]).unwrap_err();
        assert!(matches!(error, SourceError::Unsupported { .. }), "{name}: {error}");
        assert!(error.to_string().contains(what), "{name}: {error}");
    }
}

fn partitions(corpus: &Path) {
    let volumes = |name: &str| {
        let layout = read_layout(&open(corpus, name));
        let volumes: Vec<_> =
            layout.volumes.into_iter().map(|v| (v.label, v.start / 512, v.len / 512, v.content.name())).collect();
        (layout.scheme, layout.disk_id, volumes)
    };
    let volume = |label: &str, start, len, content| (label.to_owned(), start, len, content);
    assert_eq!(
        volumes("sleuthkit/imageformat_mmls_1.E01"),
        (
            Scheme::Mbr,
            Some("7ef7f55d".to_owned()),
            vec![volume("p1", 128, 55_296, "NTFS"), volume("p2", 55_424, 61_440, "NTFS")]
        )
    );
    assert_eq!(volumes("plaso/image-split.E01").2, [volume("p1", 1, 350, "empty"), volume("p2", 352, 2528, "ext")]);
    assert_eq!(volumes("ewf/nps-2010-emails.E01").2, [volume("p1", 1, 20_479, "FAT16")]);
    assert_eq!(volumes("velociraptor_test.ntfs.dd.E01"), (Scheme::None, None, vec![volume("p0", 0, 20_480, "NTFS")]));
}
