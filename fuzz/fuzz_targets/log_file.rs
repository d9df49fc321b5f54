// max_len: 65536
#![no_main]
use emotrace_core::formats::log_file::LogFile;
emotrace_fuzz::target!(|data| {
    let source = data.to_vec();
    if let Ok(log) = LogFile::open(&source) {
        for place in log.places(&mut |_| {}) {
            let change = log.change(&place).ok().flatten();
            let _ = change.map(|change| change.mft_record(4096, 1024));
        }
    }
});
