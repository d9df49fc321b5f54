// max_len: 16384
#![no_main]
use emotrace_core::formats::prefetch;
emotrace_fuzz::target!(|data| {
    prefetch::recognise(data);
    drop(prefetch::read(data).map(|file| file.executable_path().map(str::to_owned)));
});
