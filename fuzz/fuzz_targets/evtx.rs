// max_len: 69632
#![no_main]
use emotrace_core::formats::evtx::EvtxFile;
emotrace_fuzz::target!(|data| {
    let log = data.to_vec();
    if let Ok(file) = EvtxFile::open(&log) {
        file.records(0..file.chunks(), &mut |record| drop(record));
    }
});
