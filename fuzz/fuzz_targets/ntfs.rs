// max_len: 4096
#![no_main]
use std::sync::{Arc, OnceLock};

use emotrace_core::filesystem::FileSystem;
use emotrace_core::filesystem::ntfs::NtfsVolume;
use emotrace_fuzz::{Patched, case_media, places};
// The input patches the boot sector, the MFT records and the index blocks of the volume of `testdata/case`.
emotrace_fuzz::target!(|data| {
    static PLACES: OnceLock<Vec<usize>> = OnceLock::new();
    let base = &case_media()[1 << 20..];
    let places = PLACES.get_or_init(|| [vec![0], places(base, 1024, b"FILE"), places(base, 4096, b"INDX")].concat());
    let Ok(volume) = NtfsVolume::open(Arc::new(Patched::new(base, places, data))) else { return };
    let mut entries = Vec::new();
    for part in 0..volume.parts().min(4) {
        volume.walk(part, &mut |entry| entries.push(entry), &mut |_| {});
    }
    for entry in &entries {
        if entry.directory {
            let _ = volume.list_with_issues(entry, &mut |_| {});
        }
        for stream in &entry.streams {
            let mut head = [0; 4096];
            let _ = volume.open(entry, &stream.name).and_then(|content| content.read_at(stream.size / 2, &mut head));
            let _ = (volume.allocated_ranges(entry, &stream.name), volume.volume_ranges(entry, &stream.name));
        }
    }
    volume.index_slack(&mut |_| {}, &mut |_| {});
    let _ = volume.lookup(r"\Windows\System32\config\SYSTEM");
});
