// max_len: 16384
#![no_main]
use emotrace_core::formats::regf::{Hive, HiveKind, HiveOptions};
emotrace_fuzz::target!(|data| {
    let Ok(hive) = Hive::parse(data.to_vec(), &[], HiveOptions::default()) else { return };
    let _ = (HiveKind::from_content(&hive), hive.issues());
    for key in hive.keys() {
        let _ = (key.path(), key.last_write(), key.parent(), key.class_name(), key.security_descriptor());
        let _ = (key.subkeys(), key.subkey("a"));
        key.values().into_iter().flatten().for_each(|value| drop((value.name(), value.data(), value.to_value())));
    }
});
