// max_len: 8192
#![no_main]
use emotrace_core::formats::shimcache::Shimcache;
emotrace_fuzz::target!(|data| drop(Shimcache::parse(data).map(|cache| cache.tells_execution())));
