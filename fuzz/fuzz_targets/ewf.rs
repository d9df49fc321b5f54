// max_len: 4096
#![no_main]
use std::sync::OnceLock;

use emotrace_core::source::Source;
use emotrace_fuzz::{CASE, Patched, adler32, read_some, scratch};

// The input patches the sections of a sound image; an input of odd length has the descriptors' checksums put right.
emotrace_fuzz::target!(|data| {
    static SECTIONS: OnceLock<Vec<usize>> = OnceLock::new();
    let sections = SECTIONS.get_or_init(|| sections(CASE));
    let mut image = Patched::new(CASE, sections, data).to_vec();
    for at in sections.iter().filter(|_| data.len() % 2 == 1) {
        let sum = adler32(&image[*at..at + 72]);
        image[at + 72..at + 76].copy_from_slice(&sum.to_le_bytes());
    }
    if let Ok(source) = Source::open(&scratch(&[("patched.E01", &image)])) {
        read_some(&source);
        let _ = source.gaps();
    }
});

/// Where the descriptors lie: each names the next one.
fn sections(image: &[u8]) -> Vec<usize> {
    let mut found = vec![13];
    while let Some(next) = found.last().and_then(|at| image.get(at + 16..at + 24)) {
        let next = u64::from_le_bytes(next.try_into().expect("eight bytes")) as usize;
        if found.contains(&next) {
            break;
        }
        found.push(next);
    }
    found
}
