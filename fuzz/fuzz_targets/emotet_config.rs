// max_len: 8192
#![no_main]
use emotrace_core::formats::emotet_config;
emotrace_fuzz::target!(|data| {
    let _ = emotet_config::find(data);
});
