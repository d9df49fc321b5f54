//! Jump lists of Windows 7 to 11.

use std::fs;
use std::path::Path;

use emotrace_core::formats::cfb::CompoundFile;
use emotrace_core::formats::{jump_list, lnk};

pub(crate) const CASES: &[super::Case] =
    &[("jump_lists_automatic", automatic), ("jump_lists_custom", custom), ("jump_lists_plaso", plaso)];

/// Every list with that ending.
fn lists(corpus: &Path, ending: &str) -> Vec<Vec<u8>> {
    let mut open = vec![corpus.join("jumplists")];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(fs::read(path).unwrap());
            }
        }
    }
    found
}

/// olefile 0.47 lists the same streams, and lnkinfo reads the same links in them.
fn automatic(corpus: &Path) {
    let (mut entries, mut links) = (0, 0);
    let lists = lists(corpus, "automaticDestinations-ms");
    assert_eq!(lists.len(), 17);
    for data in &lists {
        let file = CompoundFile::open(data).unwrap();
        assert_eq!(file.faults, []);
        for stream in &file.streams {
            let (bytes, fault) = file.read(stream);
            assert_eq!(fault, None);
            if stream.name == "DestList" {
                let list = jump_list::read_dest_list(&bytes).unwrap();
                assert_eq!(list.fault, None);
                entries += list.entries.len();
            } else {
                let link = lnk::read(&bytes, 0).unwrap();
                assert_eq!((link.faults.len(), link.len), (0, bytes.len()));
                links += 1;
            }
        }
    }
    assert_eq!((entries, links), (68, 68));
}

/// As many links as the files hold heads of links.
fn custom(corpus: &Path) {
    let lists = lists(corpus, "customDestinations-ms");
    assert_eq!(lists.len(), 16);
    let read: Vec<_> = lists.iter().map(|data| jump_list::read_custom(data).unwrap()).collect();
    assert!(read.iter().all(|l| l.fault.is_none()));
    assert_eq!(read.iter().map(|l| l.links.len()).sum::<usize>(), 28);
    let named = read.iter().flat_map(|l| &l.links).any(|l| l.category.as_deref() == Some("My Category 1"));
    assert!(named);
}

/// Source: plaso, tests/parsers/olecf_plugins/automatic_destinations.py; the time by Python from the entry's eight bytes.
fn plaso(corpus: &Path) {
    let path = "jumplists/plaso/automaticDestinations-ms/9d1f905ce5044aee.automaticDestinations-ms";
    let data = fs::read(corpus.join(path)).unwrap();
    let file = CompoundFile::open(&data).unwrap();
    let list = jump_list::read_dest_list(&file.read(file.stream("DestList").unwrap()).0).unwrap();
    assert_eq!(list.version, 3);
    let first = &list.entries[0];
    assert_eq!(first.path.as_deref(), Some("http://support.microsoft.com/kb/3124263"));
    assert_eq!((first.number, first.pin), (2, None));
    assert_eq!(first.last_used.unwrap().to_string(), "2016-01-17T13:08:08.2475045Z");
}
