//! Files of an image, live and deleted, and the first bytes of each.
//!
//! `cargo run --example walk_files -- testdata/case/case.E01`

use emotrace_core::pipeline::Evidence;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths: Vec<_> = std::env::args_os().skip(1).map(Into::into).collect();
    for volume in Evidence::open(&paths)?.volumes {
        for part in 0..volume.files.parts() {
            let mut print = |entry: emotrace_core::model::FileEntry| {
                let Some(name) = entry.primary_name() else { return };
                let mut head = [0; 8];
                let read = volume.files.open(&entry, "").and_then(|data| data.read_at(0, &mut head));
                println!("{} deleted={} {:02x?}", name.path, entry.deleted, &head[..read.unwrap_or(0)]);
            };
            volume.files.walk(part, &mut print, &mut |issue| eprintln!("{}", issue.error));
        }
    }
    Ok(())
}
