// max_len: 8192
#![no_main]
use emotrace_core::source::Source;
use emotrace_fuzz::{halves, read_some, scratch};
// The input is the three parts of a split image; one may be empty.
emotrace_fuzz::target!(|data| {
    let (first, rest) = halves(data);
    let (second, third) = halves(rest);
    let paths = scratch(&[("disk.001", first), ("disk.002", second), ("disk.003", third)]);
    for given in [&paths[..1], &paths[1..2], &paths[..]] {
        if let Ok(source) = Source::open(given) {
            read_some(&source);
            let _ = source.gaps();
        }
    }
});
