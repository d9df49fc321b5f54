// max_len: 4096
#![no_main]
use emotrace_core::formats::fixup;
emotrace_fuzz::target!(|data| {
    let whole = fixup::is_whole(data);
    assert!(!whole || fixup::apply(&mut data.to_vec()), "what is whole can be put right");
});
