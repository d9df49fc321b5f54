// max_len: 8192
#![no_main]
use emotrace_core::formats::emocheck_report;
emotrace_fuzz::target!(|data| {
    let _ = (emocheck_report::recognise(data), emocheck_report::read(data));
});
