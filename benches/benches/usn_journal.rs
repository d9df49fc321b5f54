//! How many records of a change journal does one thread read in a second: as records, and as events with the paths of their time?
//!
//! `EMOTRACE_BENCH_JOURNAL` names a copy of `$UsnJrnl:$J`. No `$MFT` stands beside it here: paths come from what the journal itself
//! says of folders.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use emotrace_benches::Count;
use emotrace_core::artifacts::{ARTIFACTS, Limits, Out, Reads, VolumeInput, VolumeView};
use emotrace_core::bytes::{ReadAt, read_up_to};
use emotrace_core::formats::usn::Records;
use emotrace_core::model::{FileReference, Host, Locator, State};
use emotrace_core::source::EvidenceFile;

/// A volume of which only the journal is left.
struct Journal(Arc<[u8]>);

impl VolumeView for Journal {
    fn open(&self, path: &str, stream: &str) -> Option<Arc<dyn ReadAt>> {
        (path.ends_with("$UsnJrnl") && stream == "$J").then(|| Arc::new(Arc::clone(&self.0)) as Arc<dyn ReadAt>)
    }
    fn path_of(&self, _: FileReference) -> Option<String> {
        None
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(path) = std::env::var_os("EMOTRACE_BENCH_JOURNAL") else {
        println!("usn_journal: EMOTRACE_BENCH_JOURNAL names no $UsnJrnl:$J, so nothing is measured");
        return Ok(());
    };
    let file = EvidenceFile::open(Path::new(&path))?;
    let mut bytes = vec![0; usize::try_from(file.len())?];
    let read = read_up_to(&file, 0, &mut bytes)?;
    bytes.truncate(read);
    let records = Records::new(&bytes, 0, true).filter(Result::is_ok).count();
    let journal = Journal(bytes.into());
    let parse = ARTIFACTS.iter().find_map(|artifact| match artifact.reads {
        Reads::Volume { parse } if artifact.name == "usn_journal" => Some(parse),
        _ => None,
    });
    let parse = parse.ok_or("there is no artifact usn_journal")?;

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("usn_journal");
    group.throughput(Throughput::Elements(records as u64)).sample_size(20);
    group.bench_function("records, one thread", |bencher| {
        bencher.iter(|| Records::new(&journal.0, 0, true).map(black_box).filter(Result::is_ok).count());
    });
    group.bench_function("events with their paths, one thread", |bencher| {
        bencher.iter(|| {
            let mut count = Count::default();
            let locator: Arc<Locator> = Arc::default();
            let mut out = Out::new(&mut count, "usn_journal", Arc::clone(&locator), State::Live);
            let input = VolumeInput { locator, volume: &journal, limits: Limits::default() };
            black_box(parse(&input, &Host::default(), &mut out).is_ok());
            count.0
        });
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}
