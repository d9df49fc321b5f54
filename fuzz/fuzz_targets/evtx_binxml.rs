// max_len: 4096
#![no_main]
use emotrace_core::formats::evtx::EvtxFile;
// The input is the BinXML of the first record of a chunk that is sound but for it.
emotrace_fuzz::target!(|data| {
    let mut log = vec![0; 65536];
    let size = (28 + data.len()) as u32;
    log[..8].copy_from_slice(b"ElfChnk\0");
    for (at, value) in [(8, 1), (16, 1), (24, 1), (32, 1), (40, 128), (44, 512), (48, 512 + size)] {
        log[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    log[512..520].copy_from_slice(&[0x2a, 0x2a, 0, 0, size as u8, (size >> 8) as u8, 0, 0]);
    log[520] = 1;
    log[536..536 + data.len()].copy_from_slice(data);
    let end = 536 + data.len();
    log[end..end + 4].copy_from_slice(&size.to_le_bytes());
    if let Ok(file) = EvtxFile::open(&log) {
        file.records(0..file.chunks(), &mut |record| drop(record));
    }
});
