//! How fast is an image read from end to end, and at random places?
//!
//! `EMOTRACE_BENCH_IMAGE=/path/to/image.E01 cargo bench -p emotrace-benches --bench source`

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use emotrace_core::bytes::{ReadAt, read_up_to};
use emotrace_core::source::Source;

fn source(c: &mut Criterion) {
    let Some(image) = std::env::var_os("EMOTRACE_BENCH_IMAGE") else {
        println!("EMOTRACE_BENCH_IMAGE names no image: nothing is measured");
        return;
    };
    let source = Source::open(&[PathBuf::from(image)]).expect("the image opens");
    let mut group = c.benchmark_group("source");
    group.sample_size(10);

    group.throughput(Throughput::Bytes(source.len()));
    let mut buf = vec![0; 1 << 20];
    group.bench_function("sequential", |b| {
        b.iter(|| {
            let mut offset = 0;
            while let n @ 1.. = read_up_to(&source, offset, &mut buf).expect("a source never fails") {
                black_box(&buf[..n]);
                offset += n as u64;
            }
        });
    });

    const READS: u64 = 10_000;
    group.throughput(Throughput::Elements(READS));
    let mut block = vec![0; 4096];
    group.bench_function("random 4 KiB", |b| {
        b.iter(|| {
            let mut place = 1u64;
            for _ in 0..READS {
                place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let offset = (place >> 20) % (source.len() / 4096).max(1) * 4096;
                black_box(source.read_at(offset, &mut block).expect("a source never fails"));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, source);
criterion_main!(benches);
