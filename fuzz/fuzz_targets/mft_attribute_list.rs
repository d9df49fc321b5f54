// max_len: 4096
#![no_main]
use emotrace_core::formats::mft;
emotrace_fuzz::target!(|data| drop(mft::attribute_list(data, u64::MAX - 100)));
