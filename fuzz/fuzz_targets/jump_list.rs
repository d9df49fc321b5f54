// max_len: 16384
#![no_main]
use emotrace_core::formats::jump_list;
emotrace_fuzz::target!(|data| {
    let _ = (jump_list::read_dest_list(data), jump_list::read_custom(data));
});
