// max_len: 16384
#![no_main]
use emotrace_core::formats::regf::{Hive, HiveOptions};
emotrace_fuzz::target!(|data| {
    let Ok(hive) = Hive::parse(data.to_vec(), &[], HiveOptions::default()) else { return };
    let deleted = hive.deleted();
    for (key, _) in deleted.as_keys(&hive).into_iter().chain(deleted.as_keys_of_values(&hive)) {
        let _ = (key.path(), key.class_name(), key.security_descriptor());
        key.values().into_iter().flatten().for_each(|value| drop((value.name(), value.to_value())));
    }
});
