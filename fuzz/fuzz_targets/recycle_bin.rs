// max_len: 8192
#![no_main]
use emotrace_core::formats::recycle_bin;
emotrace_fuzz::target!(|data| {
    let _ = (recycle_bin::recognise_i(data), recycle_bin::recognise_info2(data), recycle_bin::read_i(data));
    for item in recycle_bin::read_info2(data).iter().flat_map(|(items, _)| items) {
        let _ = recycle_bin::info2_bin_name(item);
    }
});
