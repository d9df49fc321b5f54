// max_len: 1024
#![no_main]
use emotrace_core::formats::mft::{Body, Record};
// The input is the mapping pairs of a record that is sound but for them.
emotrace_fuzz::target!(|data| {
    let mut bytes = vec![0; 2048];
    bytes[..4].copy_from_slice(b"FILE");
    let data = &data[..data.len().min(1024)];
    for (at, value) in [(4, 48u16), (6, 5), (20, 56), (22, 1), (24, 2048)] {
        bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    bytes[56..64].copy_from_slice(&[0x80, 0, 0, 0, 0x80, 6, 0, 0]);
    bytes[64] = 1;
    bytes[56 + 32] = 64;
    bytes[120..120 + data.len()].copy_from_slice(data);
    let record = Record::parse(&mut bytes, 0).expect("the record is sound");
    for attribute in record.attributes().flatten() {
        if let Body::NonResident(extent) = attribute.body {
            let _ = extent.runs();
        }
    }
});
