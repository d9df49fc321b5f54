// max_len: 4096
#![no_main]
use emotrace_core::formats::property_store;
emotrace_fuzz::target!(|data| {
    let store = property_store::read(data, u64::MAX - 100);
    store.properties.iter().for_each(|property| drop(property.name()));
});
