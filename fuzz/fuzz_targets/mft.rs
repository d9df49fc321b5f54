// max_len: 4096
#![no_main]
use emotrace_core::formats::mft::{self, Body, Record};
emotrace_fuzz::target!(|data| {
    let Ok(record) = Record::parse(&mut data.to_vec(), u64::MAX - 100).map(|record| {
        for attribute in record.attributes().flatten() {
            match attribute.body {
                Body::NonResident(extent) => drop((attribute.name(), extent.runs())),
                Body::Resident { value, offset } => value_of(value, offset),
            }
        }
    }) else {
        return;
    };
    record
});

fn value_of(value: &[u8], offset: u64) {
    let _ = (mft::standard_information(value, offset), mft::attribute_list(value, offset));
    let _ = mft::FileNameAttribute::parse(value, offset).map(|name| name.name());
    let _ = mft::ReparsePoint::parse(value, offset).map(|point| point.target());
    let _ = mft::VolumeInformation::parse(value, offset);
}
