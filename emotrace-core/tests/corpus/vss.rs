//! Volume shadow copies of plaso's `vsstest.qcow2`. Witnesses: `vshadowinfo` and `vshadowmount` 20190323 (libvshadow) on
//! the image as `qemu-img convert -O raw` writes it, and `sha256sum` of what is mounted.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use emotrace_core::bytes::{ReadAt, read_exact_at};
use emotrace_core::model::Collect;
use emotrace_core::pipeline::{Evidence, NoProgress, Options, Vss, stream};
use emotrace_core::volume::vss::Catalogue;
use flate2::{Decompress, FlushDecompress};
use sha2::{Digest, Sha256};

pub(crate) const CASES: &[super::Case] = &[
    ("vss::identifiers_and_times_are_vshadowinfos", identifiers_and_times_are_vshadowinfos),
    ("vss::every_byte_is_vshadowmounts", every_byte_is_vshadowmounts),
    ("vss::what_only_a_copy_holds_is_marked", what_only_a_copy_holds_is_marked),
];

/// The clusters of a qcow2 image of version 2, laid out flat in memory where they are not zeros.
///
/// Source: QEMU's docs/interop/qcow2.txt. Only what this image needs: no backing file, no snapshots, no encryption.
struct Qcow2 {
    cluster: u64,
    size: u64,
    clusters: Vec<Option<Vec<u8>>>,
}

impl Qcow2 {
    fn open(path: &Path) -> Self {
        let file = fs::read(path).unwrap();
        let u32_at = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
        let u64_at = |at: usize| u64::from_be_bytes(file[at..at + 8].try_into().unwrap());
        assert_eq!((&file[..4], u32_at(4)), (&b"QFI\xfb"[..], 2));
        let (bits, size) = (u32_at(20), u64_at(24));
        let (l1_size, l1_at) = (u32_at(36) as usize, u64_at(40) as usize);
        let cluster = 1u64 << bits;
        let mut clusters = Vec::new();
        for l2 in (0..l1_size).map(|n| (u64_at(l1_at + n * 8) & 0x00ff_ffff_ffff_fe00) as usize) {
            for n in 0..cluster as usize / 8 {
                let entry = if l2 == 0 { 0 } else { u64_at(l2 + n * 8) };
                clusters.push((entry != 0).then(|| {
                    assert_eq!(entry >> 62 & 1, 1, "only compressed clusters are known here");
                    let at = (entry & ((1 << (62 - (bits - 8))) - 1)) as usize;
                    let mut content = Vec::with_capacity(cluster as usize);
                    let mut inflate = Decompress::new(false);
                    inflate.decompress_vec(&file[at..], &mut content, FlushDecompress::Finish).unwrap();
                    assert_eq!(content.len() as u64, cluster);
                    content
                }));
            }
        }
        Self { cluster, size, clusters }
    }
}

impl ReadAt for Qcow2 {
    fn len(&self) -> u64 {
        self.size
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        let within = offset % self.cluster;
        let n = (self.cluster - within).min(self.size.saturating_sub(offset)).min(buf.len() as u64) as usize;
        match self.clusters.get((offset / self.cluster) as usize).and_then(Option::as_ref) {
            Some(content) => buf[..n].copy_from_slice(&content[within as usize..within as usize + n]),
            None => buf[..n].fill(0),
        }
        Ok(n)
    }
}

fn volume(corpus: &Path) -> Arc<dyn ReadAt> {
    Arc::new(Qcow2::open(&corpus.join("images/plaso_vsstest.qcow2")))
}

fn identifiers_and_times_are_vshadowinfos(corpus: &Path) {
    let catalogue = Catalogue::read(&*volume(corpus));
    assert_eq!(catalogue.issues, []);
    let facts: Vec<_> = catalogue
        .copies
        .iter()
        .map(|c| {
            let (set, copy) = (c.set_id.clone().unwrap(), c.copy_id.clone().unwrap());
            let created = c.created.unwrap().to_string();
            (c.number, c.store_id.to_lowercase(), set.to_lowercase(), created, copy.to_lowercase(), c.size)
        })
        .collect();
    let text = |t: &str| t.to_owned();
    assert_eq!(
        facts,
        [
            (
                1,
                text("600f0b69-5bdf-11e3-9d6c-005056c00008"),
                text("0a4e3901-6abb-48fc-95c2-6ab9e38e9e71"),
                text("2013-12-03T06:35:09.7363787Z"),
                text("4e3c03c2-7bc6-4288-ad96-c1eac1a55f71"),
                1_073_741_824
            ),
            (
                2,
                text("600f0b6d-5bdf-11e3-9d6c-005056c00008"),
                text("8438a0ee-0f06-443b-ac0c-2905647ca5d6"),
                text("2013-12-03T06:37:48.9190583Z"),
                text("18f1ac6e-959d-436f-bdcc-e797a729e290"),
                1_073_741_824
            ),
        ]
    );
    assert!(catalogue.copies.iter().all(|c| c.attributes == Some(0x0042_0009)));
}

fn every_byte_is_vshadowmounts(corpus: &Path) {
    let volume = volume(corpus);
    let (snapshots, issues) = Catalogue::read(&*volume).open(&volume, &|_| true);
    assert_eq!(issues, []);
    let hashes: Vec<_> = std::thread::scope(|scope| {
        let jobs: Vec<_> = snapshots.iter().map(|(number, s)| scope.spawn(move || (*number, sha256(s)))).collect();
        jobs.into_iter().map(|job| job.join().unwrap()).collect()
    });
    let expected = [
        (1, "c8ada35c641a68447640b250f35e623b7f619aaae26bd55a06b8d4c34ebed1da".to_owned()),
        (2, "41f940d92a534dd8e940a4983d2a766bcb262373f9dc2006851e81fa3a1fa2f2".to_owned()),
    ];
    assert_eq!(hashes, expected);
}

/// Witness: `fls -rp` of The Sleuth Kit on the live volume and on what `vshadowmount` shows. `syslog` is in copy 1 alone,
/// `syslog.gz` in copy 2 and live, `another_file` too, `password.txt` live alone.
fn what_only_a_copy_holds_is_marked(corpus: &Path) {
    let image = Qcow2::open(&corpus.join("images/plaso_vsstest.qcow2"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vsstest.raw");
    let mut raw = fs::File::create(&path).unwrap();
    raw.set_len(image.size).unwrap();
    for (n, content) in (0u64..).zip(&image.clusters) {
        if let Some(content) = content {
            raw.seek(SeekFrom::Start(n * image.cluster)).unwrap();
            raw.write_all(content).unwrap();
        }
    }
    drop(raw);
    let read = |vss: &Vss| {
        let mut evidence = Evidence::open(std::slice::from_ref(&path)).unwrap();
        evidence.mount_snapshots(vss).unwrap();
        let mut sink = Collect::default();
        stream(&evidence, &Options::default(), &NoProgress, &mut sink).unwrap();
        assert!(sink.issues.is_empty(), "{:?}", sink.issues);
        sink.events
    };
    let events = read(&Vss::All);
    // Where the $FILE_NAME row of a file comes from, and which copies share it.
    let names = |path: &str| {
        let rows = events.iter().filter(|e| {
            e.descriptor.name == "windows:file:name_times" && e.origin.locator.path.eq_ignore_ascii_case(path)
        });
        rows.map(|e| (e.origin.locator.snapshot, e.origin.also_in.clone())).collect::<Vec<_>>()
    };
    assert_eq!(names(r"\syslog"), [(Some(1), vec![])]);
    assert_eq!(names(r"\syslog.gz"), [(None, vec![2])]);
    assert_eq!(names(r"\another_file"), [(None, vec![2])]);
    assert_eq!(names(r"\password.txt"), [(None, vec![])]);
    assert_eq!(names(r"\$UpCase"), [(None, vec![1, 2])]);
    let made: Vec<_> = events
        .iter()
        .filter(|e| e.descriptor.name == "windows:vss:snapshot")
        .map(|e| (e.time.unwrap().to_string(), e.origin.locator.snapshot))
        .collect();
    let times = ["2013-12-03T06:35:09.7363787Z", "2013-12-03T06:37:48.9190583Z"];
    assert_eq!(made, times.map(|t| (t.to_owned(), None)));
    // The live volume's rows are the same with and without the copies.
    let live = events.iter().filter(|e| e.origin.locator.snapshot.is_none()).cloned().map(|mut e| {
        e.origin.also_in.clear();
        e
    });
    assert_eq!(live.collect::<Vec<_>>(), read(&Vss::None));
}

fn sha256(source: &dyn ReadAt) -> String {
    let mut hash = Sha256::new();
    let mut buf = vec![0; 1 << 20];
    for at in (0..source.len()).step_by(1 << 20) {
        read_exact_at(source, at, &mut buf).unwrap();
        hash.update(&buf);
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
