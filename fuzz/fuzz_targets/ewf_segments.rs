// max_len: 32768
#![no_main]
use emotrace_core::source::Source;
use emotrace_fuzz::{halves, read_some, scratch};
// The input is two segment files; the second is found beside the first.
emotrace_fuzz::target!(|data| {
    let (first, second) = halves(data);
    let paths = scratch(&[("set.E01", first), ("set.E02", second)]);
    if let Ok(source) = Source::open(&paths[..1]) {
        read_some(&source);
        let _ = source.gaps();
    }
});
