// max_len: 4096
#![no_main]
use emotrace_core::formats::zone_identifier;
emotrace_fuzz::target!(|data| {
    zone_identifier::recognise(data);
    let zone = zone_identifier::read(data);
    let _ = (zone.get("HostUrl"), zone.is_foreign());
});
