// max_len: 4096
#![no_main]
use emotrace_core::formats::usn::{Records, attribute_names, reason_names, source_names};
emotrace_fuzz::target!(|data| {
    for record in Records::new(data, 0, true).chain(Records::new(data, u64::MAX - 100, false)).flatten() {
        let _ = (record.name(), record.extents().count(), record.is_directory(), reason_names(record.reason).count());
        let _ = (attribute_names(record.attributes.unwrap_or(0)).count(), source_names(record.reason).count());
    }
});
