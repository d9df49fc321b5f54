// max_len: 16384
#![no_main]
use emotrace_core::formats::mam;
emotrace_fuzz::target!(|data| {
    let _ = (mam::recognise(data), mam::decompress(data, 4 << 20), mam::decompress_start(data, 8));
});
