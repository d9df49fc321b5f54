// max_len: 8192
#![no_main]
use emotrace_core::formats::lznt1;
emotrace_fuzz::target!(|data| {
    for len in [1, 4096, 65536] {
        let _ = lznt1::decompress(data, &mut vec![0; len], u64::MAX);
    }
});
