//! How long does one core need to turn a large hive into events, and what does the replay of its logs cost?
//!
//! `EMOTRACE_BENCH_HIVES` names a folder that `testdata/make/big_hive.py` made: `SOFTWARE`, and the same with 300 pages in a
//! transaction log as `dirty/SOFTWARE`.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::Criterion;
use emotrace_core::formats::regf::{Hive, HiveOptions};
use emotrace_core::pipeline::{Evidence, NoProgress, Options, Selection, extract};

/// Events of the hive, with these artifacts; none means those of every run.
fn events(path: &Path, artifacts: &[&str]) -> u64 {
    let evidence = Evidence::open(&[path.to_owned()]).expect("the hive can be opened");
    let artifacts = artifacts.iter().map(|name| (*name).to_owned()).collect();
    let selection = Selection { artifacts, ..Selection::default() };
    let options = Options { threads: Some(1), selection, ..Options::default() };
    extract(&evidence, &options, &NoProgress).expect("temporary files can be written").timeline.len()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(folder) = std::env::var_os("EMOTRACE_BENCH_HIVES").map(PathBuf::from) else {
        println!("registry: EMOTRACE_BENCH_HIVES names no folder of hives, so nothing is measured");
        return Ok(());
    };
    let (clean, dirty) = (folder.join("SOFTWARE"), folder.join("dirty/SOFTWARE"));
    let (bytes, open) = (std::fs::read(&clean)?, std::fs::read(&dirty)?);
    let log = std::fs::read(dirty.with_extension("LOG1"))?;
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("registry");
    group.sample_size(10);
    group.bench_function("copy of the hive", |bencher| bencher.iter(|| black_box(bytes.clone())));
    group.bench_function("hive to tree", |bencher| {
        bencher.iter(|| black_box(Hive::parse(bytes.clone(), &[], HiveOptions::default())));
    });
    group.bench_function("dirty hive and log to tree", |bencher| {
        let logs = [log.clone()];
        bencher.iter(|| black_box(Hive::parse(open.clone(), &logs, HiveOptions::default())));
    });
    group.bench_function("hive to events, all artifacts of a run", |bencher| {
        bencher.iter(|| black_box(events(&clean, &[])));
    });
    group.bench_function("hive to events, one for each key", |bencher| {
        bencher.iter(|| black_box(events(&clean, &["registry_keys"])));
    });
    group.bench_function("dirty hive to events, one for each key", |bencher| {
        bencher.iter(|| black_box(events(&dirty, &["registry_keys"])));
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}
