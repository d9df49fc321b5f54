// max_len: 16384
#![no_main]
emotrace_fuzz::target!(|data| {
    if let Ok(file) = emotrace_core::formats::cfb::CompoundFile::open(data) {
        file.streams.iter().for_each(|stream| drop(file.read(stream)));
    }
});
