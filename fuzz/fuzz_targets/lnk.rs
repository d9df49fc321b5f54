// max_len: 8192
#![no_main]
use emotrace_core::formats::lnk;
emotrace_fuzz::target!(|data| {
    if let Ok(link) = lnk::read(data, u64::MAX - 100) {
        let _ = (link.trailing(data, data.len() as u64), link.trailing(data, u64::MAX));
        let _ = link.info.map(|info| (info.local_path(), info.network_path()));
        let _ = (link.header.show_command_name(), link.header.hot_key_name());
    }
});
