// max_len: 65536
#![no_main]
emotrace_fuzz::target!(|data| drop(emotrace_core::volume::read_layout(&data.to_vec())));
