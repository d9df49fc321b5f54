// max_len: 4096
#![no_main]
use emotrace_core::formats::job;
emotrace_fuzz::target!(|data| {
    let _ = (job::recognise(data), job::read(data));
});
