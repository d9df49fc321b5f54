//! How long does one thread need to walk the MFT: all entries with their names, paths and streams?
//!
//! `EMOTRACE_BENCH_IMAGE` names a raw image; `EMOTRACE_BENCH_OFFSET` the first byte of its NTFS volume, else the first NTFS boot
//! sector on a 512-byte boundary is taken. Compare with `fls -r -m / IMAGE`, which does the same.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use emotrace_core::bytes::{ReadAt, Window};
use emotrace_core::filesystem::FileSystem;
use emotrace_core::filesystem::ntfs::NtfsVolume;
use emotrace_core::source::EvidenceFile;

/// The first NTFS boot sector within the first GiB.
fn find_volume(image: &EvidenceFile) -> Option<u64> {
    if let Some(offset) = std::env::var("EMOTRACE_BENCH_OFFSET").ok().and_then(|text| text.parse().ok()) {
        return Some(offset);
    }
    let mut name = [0; 8];
    (0..(1 << 30).min(image.len()))
        .step_by(512)
        .find(|sector| image.read_at(sector + 3, &mut name).is_ok_and(|n| n == name.len()) && name == *b"NTFS    ")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(path) = std::env::var_os("EMOTRACE_BENCH_IMAGE") else {
        println!("mft_walk: EMOTRACE_BENCH_IMAGE names no raw image, so nothing is measured");
        return Ok(());
    };
    let image = EvidenceFile::open(Path::new(&path))?;
    let len = image.len();
    let offset = find_volume(&image).ok_or("no NTFS volume in the image")?;
    let source: Arc<dyn ReadAt> = Arc::new(Window::new(image, offset, len.saturating_sub(offset)));
    let records = NtfsVolume::open(Arc::clone(&source))?.facts().records.unwrap_or_default();

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("mft_walk");
    group.throughput(Throughput::Elements(records)).sample_size(20);
    group.bench_function("open and walk, one thread", |bencher| {
        bencher.iter(|| {
            let Ok(volume) = NtfsVolume::open(Arc::clone(&source)) else { return 0 };
            let mut entries = 0usize;
            for part in 0..volume.parts() {
                volume.walk(
                    part,
                    &mut |entry| {
                        black_box(entry);
                        entries += 1;
                    },
                    &mut |issue| {
                        black_box(issue);
                    },
                );
            }
            entries
        });
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}
