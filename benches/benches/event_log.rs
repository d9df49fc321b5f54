//! How long do one thread and two need to turn event logs into events?
//!
//! `EMOTRACE_BENCH_LOGS` names a folder of `.evtx` files. Compare with `evtx_dump -t 1 -o jsonl` and `-t 2` over the same files,
//! which writes text and builds no typed values.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use criterion::{Criterion, Throughput};
use emotrace_benches::Count;
use emotrace_core::artifacts::{FileInput, Limits, Out, Reads, by_name};
use emotrace_core::model::{Host, Locator, State};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(folder) = std::env::var_os("EMOTRACE_BENCH_LOGS") else {
        println!("event_log: EMOTRACE_BENCH_LOGS names no folder of event logs, so nothing is measured");
        return Ok(());
    };
    let mut paths: Vec<_> =
        std::fs::read_dir(Path::new(&folder))?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("evtx")));
    paths.sort();
    let logs: Vec<Vec<u8>> = paths.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    let artifact = by_name("event_log").ok_or("there is no artifact event_log")?;
    let Reads::Parts { parse, parts, .. } = artifact.reads else { return Err("event logs are read in parts".into()) };
    let read_all = || {
        let mut count = Count::default();
        for log in &logs {
            let locator = Arc::new(Locator::default());
            let input = FileInput::alone(Arc::clone(&locator), log);
            let mut out = Out::new(&mut count, artifact.name, locator, State::Live);
            let _ = black_box(parse(&input, 0..u64::MAX, &Host::default(), &mut out));
        }
        count.0
    };
    let jobs: Vec<_> = logs.iter().flat_map(|log| parts(log).into_iter().map(move |part| (log, part))).collect();
    let read_by_two = || {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut count = Count::default();
                    while let Some((log, part)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let locator = Arc::new(Locator::default());
                        let limits = Limits::default();
                        let input = FileInput { limits, ..FileInput::alone(Arc::clone(&locator), *log) };
                        let mut out = Out::new(&mut count, artifact.name, locator, State::Live);
                        let _ = black_box(parse(&input, part.clone(), &Host::default(), &mut out));
                    }
                });
            }
        });
    };
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("event_log");
    group.throughput(Throughput::Elements(read_all())).sample_size(10);
    group.bench_function("logs to events, one thread", |bencher| bencher.iter(read_all));
    group.bench_function("logs to events, two threads", |bencher| bencher.iter(read_by_two));
    group.finish();
    criterion.final_summary();
    Ok(())
}
