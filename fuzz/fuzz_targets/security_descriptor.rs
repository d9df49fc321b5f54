// max_len: 4096
#![no_main]
use emotrace_core::formats::security_descriptor::{self, SecurityDescriptor};
emotrace_fuzz::target!(|data| {
    let _ = (SecurityDescriptor::parse(data, u64::MAX - 100), security_descriptor::sid(data, u64::MAX - 100));
    let _ = security_descriptor::sds_entries(data, 0);
});
