// max_len: 8192
#![no_main]
use emotrace_core::source::Source;
use emotrace_fuzz::{read_some, scratch};
emotrace_fuzz::target!(|data| {
    if let Ok(source) = Source::open(&scratch(&[("disk.dd", data)])) {
        read_some(&source);
        let _ = source.gaps();
    }
});
