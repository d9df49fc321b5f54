// max_len: 8192
#![no_main]
use emotrace_core::formats::index::IndexRoot;
use emotrace_core::formats::ntfs_extend::{ObjectId, Quota};
emotrace_fuzz::target!(|data| {
    let Ok((_, node)) = IndexRoot::parse(data, 0) else { return };
    for entry in node.entries().flatten() {
        let _ = (ObjectId::parse(&entry), Quota::parse(&entry));
    }
});
