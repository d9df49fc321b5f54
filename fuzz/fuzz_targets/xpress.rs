// max_len: 8192
#![no_main]
use emotrace_core::formats::xpress;
emotrace_fuzz::target!(|data| {
    for len in [data.len(), 65536] {
        let _ = xpress::decompress(data, len, &mut Vec::new());
    }
});
