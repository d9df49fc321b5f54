// max_len: 16384
#![no_main]
use emotrace_core::formats::regf::{Hive, HiveOptions};
// The input is two logs beside a hive that waits for them.
const DIRTY: &[u8] = include_bytes!("../../testdata/hives/dirty.hve");
emotrace_fuzz::target!(|data| {
    let (first, second) = emotrace_fuzz::halves(data);
    for logs in [vec![data.to_vec()], vec![first.to_vec(), second.to_vec()]] {
        if let Ok(hive) =
            Hive::parse(DIRTY.to_vec(), &logs, HiveOptions { max_bytes: 1 << 20, ..HiveOptions::default() })
        {
            let _ = (hive.replay().pages(), hive.issues(), hive.keys().count());
        }
    }
});
