//! One artifact from bytes, without an image around it.
//!
//! `cargo run --example one_artifact -- prefetch X.EXE-12345678.pf`

use std::sync::Arc;

use emotrace_core::artifacts::{FileInput, Limits, Out, Reads, by_name};
use emotrace_core::model::{Collect, Host, Locator, State};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: one_artifact ARTIFACT FILE".into());
    };
    let artifact = by_name(&name).ok_or("no such artifact")?;
    let Reads::Files { parse, .. } = artifact.reads else { return Err("this artifact does not read files".into()) };
    let bytes = std::fs::read(&path)?;
    let locator = Arc::new(Locator { path, ..Locator::default() });
    let input = FileInput { locator: Arc::clone(&locator), data: &bytes, entry: None, limits: Limits::default() };
    let mut found = Collect::default();
    let completion = parse(&input, &Host::default(), &mut Out::new(&mut found, artifact.name, locator, State::Live))?;
    for event in &found.events {
        println!("{:?} {}", event.time.map(|t| t.to_string()), event.message());
    }
    println!("{completion:?}, {} issues", found.issues.len());
    Ok(())
}
