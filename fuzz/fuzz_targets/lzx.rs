// max_len: 8192
#![no_main]
use emotrace_core::formats::lzx;
emotrace_fuzz::target!(|data| {
    for len in [data.len(), 32768, usize::MAX] {
        let _ = lzx::decompress(data, len, &mut Vec::new());
    }
});
