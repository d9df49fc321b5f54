//! What an examiner gives, good and bad.

use std::fs;
use std::ops::ControlFlow;

use super::*;

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn open(folder: &tempfile::TempDir, names: &[&str]) -> Result<Source, SourceError> {
    Source::open(&names.iter().map(|n| folder.path().join(n)).collect::<Vec<_>>())
}

fn content(source: &Source) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(source.len()).unwrap()];
    assert_eq!(source.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

#[test]
fn a_raw_image_of_odd_length() {
    let folder = folder(&[("disk.img", &[7; 1000])]);
    let source = open(&folder, &["disk.img"]).unwrap();
    assert_eq!((source.facts().kind, source.facts().tail, source.len()), (SourceKind::Raw, 1000 - 512, 1000));
    assert_eq!(content(&source), [7; 1000]);
    let verified = verify(&source, &mut |_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!(verified.outcome, Outcome::NotStored);
}

#[test]
fn one_part_of_a_split_image_finds_the_others() {
    let folder = folder(&[("d.001", &[1; 512]), ("d.002", &[2; 512]), ("d.003", &[3; 100]), ("d.txt", b"notes")]);
    let source = open(&folder, &["d.002"]).unwrap();
    assert_eq!(source.facts().kind, SourceKind::SplitRaw);
    assert_eq!(content(&source), [&[1; 512][..], &[2; 512], &[3; 100]].concat());
    let odd = open(&folder, &["d.003", "d.001", "d.002"]).unwrap();
    assert_eq!(content(&odd), content(&source));
    fs::remove_file(folder.path().join("d.002")).unwrap();
    let source = open(&folder, &["d.001"]).unwrap();
    assert_eq!(source.gaps(), [Gap { start: 512, len: 512, reason: GapReason::MissingSegment }]);
    assert_eq!(source.facts().segments[1], Segment { number: 2, name: None, size: None });
    let verified = verify(&source, &mut |_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!((verified.outcome, verified.unreadable), (Outcome::Incomplete, 512));
}

#[test]
fn parts_without_an_order_are_taken_as_given() {
    let folder = folder(&[("x", &[1; 512]), ("longer name", &[2; 512])]);
    let source = open(&folder, &["x", "longer name"]).unwrap();
    assert_eq!(content(&source)[..512], [1; 512]);
    assert!(source.facts().issues[0].error.contains("no order"));
}

#[test]
fn what_is_no_image_is_named() {
    let folder = folder(&[("e.E01", b""), ("v.dd", b"KDMV....................."), ("lone.003", &[1; 512])]);
    let message = |name: &str| open(&folder, &[name]).unwrap_err().to_string();
    assert!(message("e.E01").contains("empty"));
    assert!(message("v.dd").contains("VMDK") && message("v.dd").contains("qemu-img"));
    assert!(message("none.E01").contains("none.E01"));
    assert!(matches!(Source::open(&[]), Err(SourceError::NoFile)));
    assert!(matches!(Source::open(&[folder.path().to_owned()]), Err(SourceError::NotAFile { .. })));
    let lone = open(&folder, &["lone.003"]).unwrap();
    assert_eq!((lone.len(), lone.gaps().len(), lone.facts().issues.len()), (512, 0, 1));
}

#[test]
fn a_fixed_vhd_is_a_raw_image_with_a_footer() {
    let mut footer = vec![0; 512];
    footer[..8].copy_from_slice(b"conectix");
    footer[63] = 2;
    let sum: u32 = footer.iter().map(|b| u32::from(*b)).sum();
    footer[64..68].copy_from_slice(&(!sum).to_be_bytes());
    let folder = folder(&[("d.vhd", &[vec![9; 2048], footer].concat())]);
    let source = open(&folder, &["d.vhd"]).unwrap();
    assert_eq!(content(&source), [9; 2048]);
    assert_eq!(source.read_at(2048, &mut [0; 8]).unwrap(), 0);
    assert_eq!(source.facts().issues.len(), 1);
}

#[test]
fn a_source_serves_many_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Source>();
}

#[test]
fn facts_are_plain_json() {
    let folder = folder(&[("disk.img", &[7; 1024])]);
    let json = serde_json::to_value(open(&folder, &["disk.img"]).unwrap().facts()).unwrap();
    assert_eq!(json["kind"], "raw");
    assert_eq!(json["segments"][0]["name"], "disk.img");
    assert_eq!(json["size"], 1024);
}
